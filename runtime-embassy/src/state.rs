//! What handles and runner share: the endpoint and what the application waits for.

use core::cell::{RefCell, RefMut};
use core::future::poll_fn;
use core::net::{IpAddr, SocketAddr};
use core::task::{Context, Poll};

use embassy_sync::waitqueue::{MultiWakerRegistration, WakerRegistration};
use heapless::Deque;
use sansip::endpoint::{
    AccountId, CallId, Command, Endpoint, Event, Input, Reason, Reply, RequestId, Stage,
};
use sansip::random::{Purpose, Random};
use sansip::sdp::{LocalMedia, MediaPlan};
use sansip::time::{Duration, Instant};

use crate::convert::now;
use crate::error::Error;
use crate::lookup::Lookup;
use crate::media::{FRAME_MAX_MS, Media};
use crate::request::{NewRequest, Requests};
use crate::settings::Settings;

/// The shared state; borrowed for one step at a time, never while waiting.
pub(crate) struct Shared<'d>(RefCell<State<'d>>);

pub(crate) struct State<'d> {
    pub(crate) endpoint: Endpoint<'d>,
    pub(crate) lines: &'d mut [LineEntry],
    pub(crate) calls: &'d mut [CallEntry<'d>],
    pub(crate) settings: Settings,
    /// Our address as peers reach it, while the network is up.
    pub(crate) address: Option<IpAddr>,
    /// The address that we had last, up or not.
    last_address: Option<IpAddr>,
    pub(crate) lookups: Deque<Lookup, LOOKUPS_MAX>,
    pub(crate) requests: Requests,
    pub(crate) closed: bool,
    /// SIP messages that were dropped because the network took none.
    pub(crate) unsent: u32,
    random: Random,
    /// The tasks that wait for a change.
    pub(crate) waiters: MultiWakerRegistration<8>,
    pub(crate) runner: WakerRegistration,
}

/// What is kept of an account. All zero while idle.
pub(crate) struct LineEntry {
    pub(crate) id: Option<AccountId>,
    /// Whether we asked for a registration, so that the end of the phone removes it.
    pub(crate) wanted: bool,
    pub(crate) registered: bool,
    /// Counts answers of the registrar.
    pub(crate) answers: u32,
    /// What the last one said.
    pub(crate) outcome: Outcome,
}

/// What is kept of a call. All zero while idle.
pub(crate) struct CallEntry<'d> {
    pub(crate) id: Option<CallId>,
    pub(crate) line: Option<AccountId>,
    /// Incoming, and the application has not taken it.
    pub(crate) is_new: bool,
    /// The application holds a handle.
    pub(crate) is_held: bool,
    pub(crate) phase: Phase,
    /// Counts agreed media plans.
    pub(crate) agreed: u32,
    /// Counts refused changes.
    pub(crate) refused: u32,
    /// What the last change came to.
    pub(crate) outcome: Outcome,
    pub(crate) media: Media<'d>,
}

/// How something went. Its own tag keeps the idle value zero: an `Option<Reason>` would say `None`
/// by a reason that does not exist, and drag all memory of a phone into flash.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Outcome {
    Good,
    Failed(Reason),
}

impl Outcome {
    pub(crate) fn result(self) -> Result<(), Error> {
        match self {
            Self::Good => Ok(()),
            Self::Failed(reason) => Err(Error::Failed(reason)),
        }
    }
}

/// How far a call is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)] // as `Outcome`
#[non_exhaustive]
pub enum Phase {
    /// Not answered yet, no provisional response either.
    #[default]
    Waiting,
    /// The last provisional response, 100 to 199.
    Progress(u16),
    /// Up.
    Established,
    /// Over.
    Ended(Reason),
}

/// The part of an event that outlives the message it lends.
#[derive(Clone, Copy)]
pub(crate) enum News {
    Registered(AccountId),
    RegistrationFailed(AccountId, Reason),
    Unregistered(AccountId),
    Incoming(CallId, AccountId),
    Progress(CallId, u16),
    Media(CallId, Stage, MediaPlan),
    Established(CallId),
    HoldFailed(CallId, Reason),
    Request(NewRequest),
    Response(RequestId, Result<u16, Reason>),
    Ended(CallId, Reason),
    None,
}

impl News {
    pub(crate) fn of(event: &Event<'_>) -> Self {
        match *event {
            Event::Registered { account, .. } => Self::Registered(account),
            Event::RegistrationFailed { account, reason, .. } => {
                Self::RegistrationFailed(account, reason)
            }
            Event::Unregistered { account, .. } => Self::Unregistered(account),
            Event::Incoming { call, account, .. } => Self::Incoming(call, account),
            Event::Progress { call, status, .. } => Self::Progress(call, status),
            Event::Media { call, stage, plan, .. } => Self::Media(call, stage, plan),
            Event::Established { call, .. } => Self::Established(call),
            Event::HoldFailed { call, reason } => Self::HoldFailed(call, reason),
            Event::Request { request, call, .. } => Self::Request(NewRequest { request, call }),
            Event::Response { request, outcome, .. } => Self::Response(request, outcome),
            Event::Ended { call, reason, .. } => Self::Ended(call, reason),
            _ => Self::None,
        }
    }
}

impl<'d> Shared<'d> {
    pub(crate) fn new(state: State<'d>) -> Self {
        Self(RefCell::new(state))
    }

    /// The state, for one step.
    pub(crate) fn step(&self) -> Result<RefMut<'_, State<'d>>, Error> {
        self.0.try_borrow_mut().map_err(|_| Error::Busy)
    }

    /// Carries out one command and lets the runner send what follows from it.
    #[inline(always)] // so that commands which nobody gives are not linked
    pub(crate) fn command(&self, command: Command<'_>) -> Result<Reply, Error> {
        self.step()?.command(command)
    }

    /// Waits until `ready` gives something.
    pub(crate) async fn wait<T>(&self, mut ready: impl FnMut(&mut State<'d>) -> Option<T>) -> T {
        poll_fn(|cx| {
            let mut found = None;
            self.look(cx, &mut |state| {
                found = ready(state);
                found.is_some()
            });
            found.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Looks once, and comes again after a change where `is_ready` says no: one copy of the code that
    /// all waits have in common.
    #[inline(never)]
    fn look(&self, cx: &mut Context<'_>, is_ready: &mut dyn FnMut(&mut State<'d>) -> bool) {
        let Ok(mut state) = self.step() else { return cx.waker().wake_by_ref() };
        if !is_ready(&mut state) {
            state.waiters.register(cx.waker());
        }
    }
}

impl<'d> State<'d> {
    pub(crate) fn new(
        endpoint: Endpoint<'d>,
        lines: &'d mut [LineEntry],
        calls: &'d mut [CallEntry<'d>],
        settings: Settings,
        random: Random,
    ) -> Self {
        Self {
            endpoint,
            lines,
            calls,
            settings,
            address: None,
            last_address: None,
            lookups: Deque::new(),
            requests: Requests::default(),
            closed: false,
            unsent: 0,
            random,
            waiters: MultiWakerRegistration::new(),
            runner: WakerRegistration::new(),
        }
    }

    #[inline(always)] // so that commands which nobody gives are not linked
    pub(crate) fn command(&mut self, command: Command<'_>) -> Result<Reply, Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        let reply = self.endpoint.command(now(), command)?;
        self.runner.wake();
        Ok(reply)
    }

    /// Ends a call, which three places do.
    #[inline(never)]
    pub(crate) fn hang_up(&mut self, id: CallId) -> Result<(), Error> {
        self.command(Command::HangUp(id)).map(drop)
    }

    /// Where we receive SIP, as peers see it.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        let port = self.settings.advertised.map_or(self.settings.sip_port, |to| to.sip_port);
        Some(SocketAddr::new(self.address?, port))
    }

    /// What the call in the given place offers or answers.
    pub(crate) fn local_media(&self, place: usize) -> Option<LocalMedia> {
        let first = self.settings.advertised.map_or(self.settings.rtp_port, |to| to.rtp_port);
        let port = first.wrapping_add(2 * place as u16);
        Some(LocalMedia::new(SocketAddr::new(self.address?, port)))
    }

    /// The network is up with this address of ours, or down.
    pub(crate) fn set_address(&mut self, own: Option<IpAddr>) {
        let address = own.map(|own| self.settings.advertised.map_or(own, |to| to.address));
        if address == self.address {
            return;
        }
        let before = self.last_address;
        self.address = address;
        if let Some(new) = address {
            self.last_address = address;
            if let Some(old) = before {
                self.moved(old, new);
            }
        }
        self.waiters.wake();
        self.runner.wake();
    }

    /// The network came back, perhaps with another address.
    fn moved(&mut self, old: IpAddr, new: IpAddr) {
        let port = self.local().map_or(0, |local| local.port());
        if old != new {
            let (old, new) = (SocketAddr::new(old, port), SocketAddr::new(new, port));
            self.endpoint.handle(now(), Input::LocalAddress { old, new });
            return;
        }
        // The server may have heard that we are gone: register again.
        for line in self.lines.iter().filter(|line| line.wanted) {
            if let Some(id) = line.id {
                let _ = self.endpoint.register(now(), id);
            }
        }
    }

    pub(crate) fn line(&mut self, id: AccountId) -> Option<&mut LineEntry> {
        self.lines.iter_mut().find(|line| line.id == Some(id))
    }

    pub(crate) fn call(&mut self, id: CallId) -> Option<&mut CallEntry<'d>> {
        self.calls.iter_mut().find(|call| call.id == Some(id))
    }

    /// A place for a new call, which is its number in all tables.
    pub(crate) fn free_place(&self) -> Option<usize> {
        self.calls.iter().position(|call| call.id.is_none())
    }

    #[inline(never)] // its frame must not lie under the endpoint's
    pub(crate) fn apply(&mut self, now: Instant, news: News) {
        match news {
            News::Registered(id) => self.registration(id, true, Outcome::Good),
            News::Unregistered(id) => self.registration(id, false, Outcome::Good),
            News::RegistrationFailed(id, reason) => {
                self.registration(id, false, Outcome::Failed(reason))
            }
            News::Incoming(id, line) => self.incoming(now, id, line),
            News::Progress(id, status) => self.set_phase(id, Phase::Progress(status)),
            News::Established(id) => self.set_phase(id, Phase::Established),
            News::Media(id, stage, plan) => self.media(now, id, stage, &plan),
            News::HoldFailed(id, reason) => {
                if let Some(call) = self.call(id) {
                    call.refused = call.refused.wrapping_add(1);
                    call.outcome = Outcome::Failed(reason);
                }
            }
            // Without room the endpoint answers 500 by itself after a while.
            News::Request(new) => drop(self.requests.new.push_back(new)),
            News::Response(id, outcome) => self.requests.answered(id, outcome),
            News::Ended(id, reason) => {
                self.set_phase(id, Phase::Ended(reason));
                if let Some(call) = self.call(id) {
                    call.media.session.stop();
                    // At once: the last report leaves, and the place is free again.
                    call.media.due = now;
                    call.release();
                }
                self.runner.wake();
            }
            News::None => return,
        }
        self.waiters.wake();
    }

    fn registration(&mut self, id: AccountId, registered: bool, outcome: Outcome) {
        if let Some(line) = self.line(id) {
            line.registered = registered;
            line.outcome = outcome;
            line.answers = line.answers.wrapping_add(1);
        }
    }

    fn incoming(&mut self, now: Instant, id: CallId, line: AccountId) {
        let place = self.free_place().and_then(|place| self.calls.get_mut(place));
        match place {
            Some(call) if !self.closed => {
                call.begin(id, line);
                call.is_new = true;
            }
            // Busy here (RFC 3261 s21.4.23).
            _ => drop(self.endpoint.reject(now, id, 486)),
        }
    }

    fn set_phase(&mut self, id: CallId, phase: Phase) {
        if let Some(call) = self.call(id) {
            call.phase = phase;
        }
    }

    #[inline(never)] // for its frame, which the others need not carry
    fn media(&mut self, now: Instant, id: CallId, stage: Stage, plan: &MediaPlan) {
        let seed = self.random.bytes(Purpose::Rtp);
        let silence = self.settings.media_silence.map(Duration::from);
        let plan = &MediaPlan { ptime_ms: plan.ptime_ms.min(FRAME_MAX_MS), ..*plan };
        let Some(call) = self.call(id) else { return };
        let media = &mut call.media;
        match stage {
            Stage::Offered if media.runs => media.session.offer_plan(plan),
            Stage::Offered => {}
            Stage::Agreed | Stage::RolledBack if media.runs => media.session.set_plan(now, plan),
            Stage::Agreed | Stage::RolledBack => {
                media.session.start(plan, seed, now);
                media.session.set_silence_limit(silence);
                media.due = now;
                media.runs = true;
            }
        }
        if stage == Stage::Agreed {
            call.agreed = call.agreed.wrapping_add(1);
        }
        self.runner.wake();
    }
}

impl LineEntry {
    pub(crate) const fn idle() -> Self {
        Self { id: None, wanted: false, registered: false, answers: 0, outcome: Outcome::Good }
    }
}

impl CallEntry<'_> {
    pub(crate) const fn idle() -> Self {
        Self {
            id: None,
            line: None,
            is_new: false,
            is_held: false,
            phase: Phase::Waiting,
            agreed: 0,
            refused: 0,
            outcome: Outcome::Good,
            media: Media::idle(),
        }
    }

    /// Takes this place for a new call.
    pub(crate) fn begin(&mut self, id: CallId, line: AccountId) {
        self.id = Some(id);
        self.line = Some(line);
        self.phase = Phase::Waiting;
        self.agreed = 0;
        self.refused = 0;
        self.outcome = Outcome::Good;
        self.media.runs = false;
        self.media.captured.clear();
        self.media.heard.clear();
        self.media.tape = None;
        self.media.digits.clear();
    }

    /// Gives the place back once the call is over, its stream is ended and nobody looks.
    pub(crate) fn release(&mut self) {
        let used = self.is_held || self.media.runs || self.media.tape.is_some();
        if matches!(self.phase, Phase::Ended(_)) && !used {
            self.id = None;
            self.is_new = false;
        }
    }
}

/// Names to look up that wait; more are answered as unknown.
pub(crate) const LOOKUPS_MAX: usize = 2;

//! A simulated phone: the library's two machines, and what a user sees and does.

use core::net::SocketAddr;

use sansip::endpoint::{
    Account, AccountId, CallId, Command, Config, Endpoint, Error, Event, Methods, OutgoingCall,
    OutgoingRequest, Reason, Reply, RequestId, Stage,
};
use sansip::journal::{Recorded, Secrets, Setup};
use sansip::limits::DIGIT_DURATION_MS;
use sansip::media::{MediaEvent, Session};
use sansip::sdp::{Direction, LocalMedia, MediaPlan};
use sansip::storage::{Limits, Storage};
use sansip::time::{Duration, Instant};

use crate::journal::JournalText;

/// How a phone is set up.
#[derive(Clone, Debug)]
pub struct PhoneOptions {
    /// User part of its address, such as `100`.
    pub user: String,
    /// Password at its server.
    pub password: String,
    /// Its server; without one it is called and calls by address.
    pub server: Option<SocketAddr>,
    /// The name of its server, which it looks up; its address is used where empty.
    pub server_name: String,
    /// The realm that gets its credentials; that of the first challenge where empty.
    pub realm: String,
    /// Whether all requests go to the server first.
    pub through_server: bool,
    /// Life of a registration that it asks for, seconds.
    pub expires_s: u32,
    /// Its memory.
    pub limits: Limits,
    /// Whether it sends and hears sound; else only signalling runs, which is much faster.
    pub media: bool,
    /// Longest time that an incoming call waits for its user.
    pub answer_limit: Duration,
    /// Longest time that it lets another phone ring.
    pub ring_limit: Duration,
}

impl PhoneOptions {
    /// A phone without a server: room for four calls, with sound.
    pub fn new(user: &str) -> Self {
        Self {
            user: user.to_owned(),
            password: String::new(),
            server: None,
            server_name: String::new(),
            realm: String::new(),
            through_server: false,
            expires_s: 300,
            limits: Limits::calls(4),
            media: true,
            answer_limit: Duration::from_secs(180),
            ring_limit: Duration::from_secs(180),
        }
    }

    /// A phone that registers at a server and calls through it.
    pub fn registered(user: &str, password: &str, server: SocketAddr) -> Self {
        Self {
            password: password.to_owned(),
            server: Some(server),
            through_server: true,
            ..Self::new(user)
        }
    }
}

/// What a user does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Register, and keep registered.
    Register,
    /// Remove the registration.
    Unregister,
    /// Ask for all bindings.
    Query,
    /// Call a SIP URI, or a user at the server.
    Call {
        /// Whom.
        target: String,
        /// Without an offer: the callee makes it.
        late_offer: bool,
    },
    /// Tell the caller that it rings, 180.
    Ring(CallId),
    /// Answer the offer in a 183, before the call is answered.
    EarlyMedia(CallId),
    /// Answer.
    Answer(CallId),
    /// Refuse with a status, 300 to 699.
    Reject(CallId, u16),
    /// Hang up, cancel or refuse.
    HangUp(CallId),
    /// Put on hold.
    Hold(CallId),
    /// Take off hold.
    Resume(CallId),
    /// Press digits.
    Digits(CallId, String),
    /// Send silence, or sound again.
    Mute(CallId, bool),
    /// Send a request outside calls, such as OPTIONS or MESSAGE.
    Request {
        /// Its method.
        method: &'static str,
        /// Whom to.
        target: String,
    },
    /// Report that nothing is heard, as a media driver would.
    Silent(CallId),
}

/// What a user is told: the endpoint's and the session's events without what they lend.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "named as the library's events")]
pub enum Told {
    Registered { expires_s: u32 },
    RegistrationFailed { reason: Reason, retry_s: Option<u32> },
    Unregistered,
    Bindings { contacts: Vec<String>, known: bool },
    Incoming { call: CallId },
    Progress { call: CallId, status: u16 },
    Media { call: CallId, stage: Stage, plan: MediaPlan },
    Established { call: CallId },
    HoldFailed { call: CallId, reason: Reason },
    Ended { call: CallId, reason: Reason },
    Request { request: RequestId, method: String },
    Response { request: RequestId, outcome: Result<u16, Reason> },
    Digit { call: CallId, digit: char },
    DigitsSent { call: CallId },
}

/// One call as its user sees it. It stays here when it has ended.
#[derive(Debug)]
pub struct Talk {
    /// Its handle.
    pub call: CallId,
    /// Whether this phone placed it.
    pub outgoing: bool,
    /// Whether it was answered.
    pub established: bool,
    /// Why it ended, once it has.
    pub ended: Option<Reason>,
    /// When it ended.
    pub ended_at: Option<Instant>,
    /// What was agreed on last.
    pub plan: Option<MediaPlan>,
    /// Whether this phone has put the other on hold.
    pub holding: bool,
    /// Digits received.
    pub digits: String,
    /// Digits that the session took for sending.
    pub digits_sent: String,
    /// Sum of the squares of the samples heard in the last tick: 0 is silence.
    pub loudness: u64,
    /// Call-ID on the wire.
    pub call_id: String,
    pub(crate) port: u16,
    session: Option<Box<Session>>,
    next_tick: Instant,
    phase: u32,
}

/// A packet of a session.
pub(crate) struct MediaPacket {
    pub(crate) port: u16,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// A phone.
pub struct Phone {
    pub(crate) endpoint: Recorded<'static, JournalText>,
    pub(crate) app: App,
    options: PhoneOptions,
    account: Option<AccountId>,
    address: SocketAddr,
}

/// What stands beside the endpoint, so that it may change while an event lends a message.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) talks: Vec<Talk>,
    pub(crate) registered: bool,
    media: bool,
    seeds: crate::random::Random,
    local: SocketAddr,
    next_port: u16,
}

impl Phone {
    pub(crate) fn new(
        now: Instant,
        options: PhoneOptions,
        address: SocketAddr,
        mut seeds: crate::random::Random,
        journal: Option<JournalText>,
    ) -> Self {
        let config = Config {
            local: Some(address),
            methods: Methods::MESSAGE,
            answer_limit: options.answer_limit,
            ring_limit: options.ring_limit,
            ..Config::default()
        };
        let (seed, limits) = (seeds.seed(), options.limits);
        let mut endpoint = match journal {
            Some(text) => {
                let setup = Setup { config, seed, limits, secrets: Secrets::Kept, build: BUILD };
                Recorded::begin(&setup, text)
            }
            None => Recorded::plain(Endpoint::new(config, seed, Storage::heap(limits))),
        };
        let host = match (options.server_name.as_str(), options.server) {
            ("", server) => server.unwrap_or(address).to_string(),
            (name, _) => name.to_owned(),
        };
        let server = options.server.map(|_| format!("sip:{host}")).unwrap_or_default();
        let identity = format!("sip:{}@{host}", options.user);
        let account = Account {
            identity: &identity,
            registrar: &server,
            outbound_proxy: if options.through_server { &server } else { "" },
            password: &options.password,
            realm: &options.realm,
            expires_s: options.expires_s,
            ..Account::default()
        };
        let account = match endpoint.command(now, Command::AddAccount(account)) {
            Ok(Reply::Account(account)) => Some(account),
            _ => None,
        };
        let app = App {
            talks: Vec::new(),
            registered: false,
            media: options.media,
            seeds,
            local: address,
            next_port: FIRST_MEDIA_PORT,
        };
        Self { endpoint, app, options, account, address }
    }

    /// Where it receives SIP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it was set up.
    pub fn options(&self) -> &PhoneOptions {
        &self.options
    }

    /// All its calls, the newest last, those that have ended too.
    pub fn calls(&self) -> &[Talk] {
        &self.app.talks
    }

    /// One of its calls.
    pub fn call(&self, call: CallId) -> Option<&Talk> {
        self.app.talks.iter().find(|talk| talk.call == call)
    }

    /// Whether it was told that it is registered, and not since that it is not.
    pub fn is_registered(&self) -> bool {
        self.app.registered
    }

    /// Its endpoint, to look at.
    pub fn endpoint(&self) -> &Endpoint<'static> {
        &self.endpoint
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let talks = self.app.talks.iter();
        let ticks = talks.filter(|talk| talk.session.is_some()).map(|talk| talk.next_tick);
        ticks.chain(self.endpoint.poll_timeout()).min()
    }

    /// Whether a user may let this phone wait for ever: no call is being set up.
    pub(crate) fn has_unsettled_call(&self) -> bool {
        self.app.talks.iter().any(|talk| !talk.established && talk.ended.is_none())
    }

    pub(crate) fn perform(&mut self, now: Instant, operation: &Operation) -> Result<Reply, Error> {
        let account = self.account.ok_or(Error::Gone)?;
        match operation {
            Operation::Digits(call, digits) => return self.app.press(*call, digits),
            Operation::Mute(call, muted) => {
                let session = self.app.session(*call).ok_or(Error::Gone)?;
                session.mute(*muted);
                return Ok(Reply::Done);
            }
            Operation::Call { target, late_offer } => {
                return self.place(now, account, target, *late_offer);
            }
            _ => {}
        }
        let media = self.app.media_of(operation);
        let command = match operation {
            Operation::Register => Command::Register(account),
            Operation::Unregister => Command::Unregister(account),
            Operation::Query => Command::QueryBindings(account),
            Operation::Ring(call) => {
                Command::Progress { call: *call, status: 180, media: None, headers: &[] }
            }
            Operation::EarlyMedia(call) => {
                Command::Progress { call: *call, status: 183, media, headers: &[] }
            }
            Operation::Answer(call) => {
                Command::Answer { call: *call, media: media.ok_or(Error::Gone)?, headers: &[] }
            }
            Operation::Reject(call, status) => {
                Command::Reject { call: *call, status: *status, headers: &[] }
            }
            Operation::HangUp(call) => Command::HangUp(*call),
            Operation::Hold(call) => Command::Hold(*call),
            Operation::Resume(call) => Command::Resume(*call),
            Operation::Silent(call) => Command::MediaSilent(*call),
            Operation::Request { method, target } => Command::Request(OutgoingRequest {
                account,
                method,
                target,
                headers: &[],
                body: None,
            }),
            Operation::Call { .. } | Operation::Digits(..) | Operation::Mute(..) => {
                return Err(Error::State);
            }
        };
        let outcome = self.endpoint.command(now, command)?;
        match operation {
            Operation::Hold(call) => self.app.set_holding(*call, true),
            Operation::Resume(call) => self.app.set_holding(*call, false),
            _ => {}
        }
        Ok(outcome)
    }

    fn place(
        &mut self,
        now: Instant,
        account: AccountId,
        target: &str,
        late_offer: bool,
    ) -> Result<Reply, Error> {
        let port = self.app.new_port();
        let media = LocalMedia::new(SocketAddr::new(self.address.ip(), port));
        let outgoing = OutgoingCall { account, target, media, late_offer, headers: &[] };
        let reply = self.endpoint.command(now, Command::Call(outgoing))?;
        if let Reply::Call(call) = reply {
            self.app.open(call, true, port);
            self.name_call(call);
        }
        Ok(reply)
    }

    /// Notes a new call's Call-ID.
    pub(crate) fn name_call(&mut self, call: CallId) {
        let name = self.endpoint.view(call).map(|view| view.call_id);
        let name = name.map(|name| String::from_utf8_lossy(name).into_owned());
        if let (Some(talk), Some(name)) = (self.app.talk(call), name) {
            talk.call_id = name;
        }
    }
}

impl App {
    fn talk(&mut self, call: CallId) -> Option<&mut Talk> {
        self.talks.iter_mut().rev().find(|talk| talk.call == call)
    }

    fn session(&mut self, call: CallId) -> Option<&mut Session> {
        self.talk(call)?.session.as_deref_mut()
    }

    fn new_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = if port >= LAST_MEDIA_PORT { FIRST_MEDIA_PORT } else { port + 2 };
        port
    }

    fn open(&mut self, call: CallId, outgoing: bool, port: u16) {
        self.talks.push(Talk {
            call,
            outgoing,
            established: false,
            ended: None,
            ended_at: None,
            plan: None,
            holding: false,
            digits: String::new(),
            digits_sent: String::new(),
            loudness: 0,
            call_id: String::new(),
            port,
            session: None,
            next_tick: Instant::FAR,
            phase: 0,
        });
    }

    fn media_of(&mut self, operation: &Operation) -> Option<LocalMedia> {
        let (Operation::Answer(call) | Operation::EarlyMedia(call)) = operation else {
            return None;
        };
        let ip = self.local.ip();
        let port = self.talk(*call)?.port;
        Some(LocalMedia::new(SocketAddr::new(ip, port)))
    }

    fn set_holding(&mut self, call: CallId, holding: bool) {
        if let Some(talk) = self.talk(call) {
            talk.holding = holding;
        }
    }

    fn press(&mut self, call: CallId, digits: &str) -> Result<Reply, Error> {
        let talk = self.talk(call).ok_or(Error::Gone)?;
        let session = talk.session.as_mut().ok_or(Error::State)?;
        let duration = Duration::from_millis(DIGIT_DURATION_MS);
        session.send_digits(digits, duration).map_err(|_| Error::NoRoom)?;
        talk.digits_sent.push_str(digits);
        Ok(Reply::Done)
    }

    /// Carries out what an event says, and keeps what the user is told.
    pub(crate) fn take(&mut self, now: Instant, event: &Event<'_>) -> Option<Told> {
        Some(match *event {
            Event::Registered { expires_s, .. } => {
                self.registered = true;
                Told::Registered { expires_s }
            }
            Event::RegistrationFailed { reason, retry_s, .. } => {
                self.registered = false;
                Told::RegistrationFailed { reason, retry_s }
            }
            Event::Unregistered { .. } => {
                self.registered = false;
                Told::Unregistered
            }
            Event::Bindings { outcome, message, .. } => Told::Bindings {
                known: outcome.is_ok(),
                contacts: message
                    .filter(|_| outcome.is_ok())
                    .map(|message| contacts(message.bytes()))
                    .unwrap_or_default(),
            },
            Event::Incoming { call, .. } => {
                let port = self.new_port();
                self.open(call, false, port);
                Told::Incoming { call }
            }
            Event::Progress { call, status, .. } => Told::Progress { call, status },
            Event::Media { call, stage, plan, .. } => {
                self.start_media(now, call, stage, &plan);
                Told::Media { call, stage, plan }
            }
            Event::Established { call, .. } => {
                if let Some(talk) = self.talk(call) {
                    talk.established = true;
                }
                Told::Established { call }
            }
            Event::HoldFailed { call, reason } => {
                if let Some(talk) = self.talk(call) {
                    talk.holding = !talk.holding;
                }
                Told::HoldFailed { call, reason }
            }
            Event::Ended { call, reason, .. } => {
                if let Some(talk) = self.talk(call) {
                    talk.ended = Some(reason);
                    talk.ended_at = Some(now);
                    talk.session = None;
                    talk.next_tick = Instant::FAR;
                }
                Told::Ended { call, reason }
            }
            Event::Request { request, message, .. } => {
                let method = message.and_then(|message| message.method());
                let method = method.map(|method| method.as_bytes()).unwrap_or_default();
                let method = String::from_utf8_lossy(method).into_owned();
                Told::Request { request, method }
            }
            Event::Response { request, outcome, .. } => Told::Response { request, outcome },
            _ => return None,
        })
    }

    fn start_media(&mut self, now: Instant, call: CallId, stage: Stage, plan: &MediaPlan) {
        let media = self.media;
        let seed = self.seeds.seed();
        let Some(talk) = self.talk(call) else { return };
        if stage != Stage::Offered {
            talk.plan = Some(*plan);
        }
        if !media {
            return;
        }
        match (&mut talk.session, stage) {
            (Some(session), Stage::Offered) => session.offer_plan(plan),
            (Some(session), _) => session.set_plan(now, plan),
            (None, Stage::Offered) => {}
            (None, _) => {
                talk.session = Some(Box::new(Session::new(plan, seed, now)));
                talk.next_tick = now;
            }
        }
    }

    /// A datagram on an RTP port, or on the RTCP port after it; false where none is open.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        port: u16,
        from: SocketAddr,
        bytes: &[u8],
    ) -> bool {
        let rtp = port & !1;
        let talk = self.talks.iter_mut().rev().take(RECENT).find(|talk| talk.port == rtp);
        let Some(session) = talk.and_then(|talk| talk.session.as_mut()) else { return false };
        if port == rtp {
            session.handle(now, from, bytes);
        } else {
            session.handle_rtcp(now, from, bytes);
        }
        true
    }

    /// The frames that are due: packets to send, what the user hears, calls that went silent.
    pub(crate) fn tick(
        &mut self,
        now: Instant,
        packets: &mut Vec<MediaPacket>,
        told: &mut Vec<Told>,
        silent: &mut Vec<CallId>,
    ) {
        for talk in self.talks.iter_mut().rev().take(RECENT) {
            if talk.next_tick <= now {
                talk.tick(now, packets, told, silent);
            }
        }
    }
}

impl Talk {
    /// Whether it is up.
    pub fn is_up(&self) -> bool {
        self.established && self.ended.is_none()
    }

    fn tick(
        &mut self,
        now: Instant,
        packets: &mut Vec<MediaPacket>,
        told: &mut Vec<Told>,
        silent: &mut Vec<CallId>,
    ) {
        let Some(session) = &mut self.session else { return };
        let frame = session.frame();
        let span = Duration::from_micros(frame.max(1) as u64 * MICROS_A_SAMPLE);
        self.next_tick += span;
        if self.next_tick <= now {
            self.next_tick = now + span;
        }
        let mut captured = [0i16; FRAME_MAX];
        let captured = captured.get_mut(..frame).unwrap_or_default();
        for sample in captured.iter_mut() {
            self.phase = (self.phase + 1) % 20;
            *sample = if self.phase < 10 { LOUD } else { -LOUD };
        }
        let mut playout = [0i16; FRAME_MAX];
        let playout = playout.get_mut(..frame).unwrap_or_default();
        if let Some(packet) = session.tick(now, captured, playout) {
            let (to, bytes) = (packet.to, packet.bytes.to_vec());
            packets.push(MediaPacket { port: self.port, to, bytes });
        }
        if let Some(packet) = session.poll_rtcp(now) {
            let (to, bytes) = (packet.to, packet.bytes.to_vec());
            packets.push(MediaPacket { port: self.port + 1, to, bytes });
        }
        self.loudness = playout.iter().map(|sample| u64::from(sample.unsigned_abs()).pow(2)).sum();
        let call = self.call;
        while let Some(event) = session.poll_event() {
            match event {
                MediaEvent::DigitReceived { digit, .. } => {
                    self.digits.push(digit.as_char());
                    told.push(Told::Digit { call, digit: digit.as_char() });
                }
                MediaEvent::DigitsSent => told.push(Told::DigitsSent { call }),
                MediaEvent::Silence { .. } => silent.push(call),
                _ => {}
            }
        }
    }

    /// Whether both directions are open by the last agreement.
    pub fn flows_both_ways(&self) -> bool {
        self.plan.is_some_and(|plan| plan.direction == Direction::SendRecv)
    }
}

fn contacts(bytes: &[u8]) -> Vec<String> {
    let Some(wire) = crate::wire::Wire::read(bytes) else { return Vec::new() };
    let contacts = wire.values("contact");
    contacts.into_iter().map(|contact| crate::wire::uri_of(contact).to_owned()).collect()
}

const BUILD: &str = concat!("sansip-sim ", env!("CARGO_PKG_VERSION"));
/// Calls of a phone that can live at once are fewer than this.
const RECENT: usize = 16;
const FIRST_MEDIA_PORT: u16 = 20_000;
const LAST_MEDIA_PORT: u16 = 59_998;
const FRAME_MAX: usize = 960;
/// Every codec of the library runs at 8 kHz.
const MICROS_A_SAMPLE: u64 = 125;
const LOUD: i16 = 4000;

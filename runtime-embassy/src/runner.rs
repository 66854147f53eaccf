use core::convert::Infallible;
use core::future::{Future, poll_fn};
use core::net::{IpAddr, SocketAddr};
use core::pin::pin;
use core::task::{Context, Poll};

use embassy_futures::join::join3;
use embassy_futures::select::select;
use embassy_net::Stack;
use embassy_time::Timer;
use sansip::endpoint::{Action, Event, Input};
use sansip::media::{MediaEvent, Session, Sink};
use sansip::path::Path;
use sansip::time::{Duration, Instant};

use crate::convert::{embassy_instant, now};
use crate::lookup::{self, Lookup};
use crate::sockets::{Sockets, is_flushed, receive, send};
use crate::state::{CallEntry, News, Shared};
use crate::trace::{Record, Trace, Way};

/// Does the work of a phone: one task that calls [`Runner::run`].
pub struct Runner<'d> {
    stack: Stack<'d>,
    shared: &'d Shared<'d>,
    driver: Driver<'d>,
}

/// Takes everything that happens, each with the whole message that caused it; the handles do
/// without.
///
/// It is called inside the runner, so it must neither wait nor call the phone: that answers
/// [`Error::Busy`](crate::Error::Busy). Copy what another task needs, such as into a channel of
/// embassy-sync. Digits come by [`Call::digit`](crate::Call::digit) alone.
pub trait Events {
    /// One event.
    fn event(&mut self, event: &Event<'_>);
}

impl<F: FnMut(&Event<'_>)> Events for F {
    fn event(&mut self, event: &Event<'_>) {
        self(event);
    }
}

/// One loop over sockets, deadlines, commands and frames.
struct Driver<'d> {
    shared: &'d Shared<'d>,
    sockets: Sockets<'d>,
    trace: Option<&'d mut dyn Trace>,
    events: Option<&'d mut dyn Events>,
    /// Since when the SIP socket has not sent what it was given.
    stuck_since: Option<Instant>,
}

impl<'d> Runner<'d> {
    pub(crate) const fn new(
        stack: Stack<'d>,
        shared: &'d Shared<'d>,
        sockets: Sockets<'d>,
    ) -> Self {
        let driver = Driver { shared, sockets, trace: None, events: None, stuck_since: None };
        Self { stack, shared, driver }
    }

    /// Shows every message from now on to a sink; see [`trace`](crate::trace).
    #[must_use]
    pub fn with_trace(mut self, sink: &'d mut dyn Trace) -> Self {
        self.driver.trace = Some(sink);
        self
    }

    /// Tells a sink everything that happens from now on.
    #[must_use]
    pub fn with_events(mut self, sink: &'d mut dyn Events) -> Self {
        self.driver.events = Some(sink);
        self
    }

    /// Runs the phone, for ever.
    pub async fn run(&mut self) -> ! {
        let driver = poll_fn(|cx| self.driver.poll(cx));
        let lookups = lookup::answer_all(self.stack, self.shared);
        let address = watch_address(self.stack, self.shared);
        match join3(driver, lookups, address).await.0 {}
    }
}

/// Tells the phone its address, for ever: when the network comes up, goes down, or changes.
async fn watch_address(stack: Stack<'_>, shared: &Shared<'_>) -> ! {
    loop {
        // A static configuration stays while the cable is out.
        let config = stack.config_v4().filter(|_| stack.is_link_up());
        let address = config.map(|config| IpAddr::V4(config.address.address()));
        if let Ok(mut state) = shared.step() {
            state.set_address(address);
        }
        if address.is_none() {
            stack.wait_link_up().await;
            stack.wait_config_up().await;
        } else {
            // A renewal by DHCP may change the address without taking the network down.
            let down = select(stack.wait_config_down(), stack.wait_link_down());
            select(down, Timer::after(ADDRESS_INTERVAL)).await;
        }
    }
}

impl Driver<'_> {
    /// Does all that can be done now.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Infallible> {
        loop {
            let now = now();
            let mut busy = self.take_sip(now, cx);
            busy |= self.take_media(now, cx);
            self.play(now, cx);
            self.carry_out(now, cx);
            if !busy && self.sleep(now, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// At most one message: its actions come before the next.
    #[inline(never)] // its frame must not lie under the others'
    fn take_sip(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let (shared, trace) = (self.shared, &mut self.trace);
        receive(&mut self.sockets.sip, cx, |remote, bytes| {
            let Ok(mut state) = shared.step() else { return };
            let Some(local) = state.local() else { return };
            let path = Path::udp(local, remote);
            record(trace, Record { at: now, way: Way::Received, path, bytes });
            state.endpoint.handle(now, Input::Message { path, bytes });
        })
    }

    /// At most one datagram of each media socket.
    #[inline(never)] // its frame must not lie under the others'
    fn take_media(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let shared = self.shared;
        let mut busy = false;
        for (place, sockets) in self.sockets.media.iter_mut().enumerate() {
            let rtp: fn(&mut Session, Instant, SocketAddr, &[u8]) = Session::handle;
            for (socket, handle) in
                [(&mut sockets.rtp, rtp), (&mut sockets.rtcp, Session::handle_rtcp)]
            {
                busy |= receive(socket, cx, |from, bytes| {
                    if let Ok(mut state) = shared.step()
                        && let Some(call) = state.calls.get_mut(place)
                    {
                        handle(&mut call.media.session, now, from, bytes);
                    }
                });
            }
        }
        busy
    }

    /// Carries out what the endpoint says, as long as the network takes messages.
    #[inline(never)] // its frame must not lie under the others'
    fn carry_out(&mut self, now: Instant, cx: &mut Context<'_>) {
        let shared = self.shared;
        let Ok(mut guard) = shared.step() else { return };
        let state = &mut *guard;
        while self.may_send(now, cx) {
            match state.endpoint.poll_action(now) {
                None => break,
                Some(Action::Transmit { path, bytes }) => {
                    record(&mut self.trace, Record { at: now, way: Way::Sent, path, bytes });
                    if !send(&self.sockets.sip, cx, path.remote, bytes) {
                        state.unsent = state.unsent.wrapping_add(1);
                    }
                }
                Some(Action::Resolve { query, host, port, transport }) => {
                    let lookup = Lookup::new(query, host, port, transport);
                    if state.lookups.push_back(lookup).is_err() {
                        state.endpoint.handle(now, Input::Resolved { query, targets: &[] });
                    }
                    state.waiters.wake();
                }
                Some(Action::Event(event)) => {
                    if let Some(sink) = &mut self.events {
                        sink.event(&event);
                    }
                    let news = News::of(&event);
                    state.apply(now, news);
                }
                // There are no streams here: what asks for one is told that it broke.
                Some(Action::Connect { flow, .. }) => {
                    state.endpoint.handle(now, Input::Closed { flow });
                }
                Some(_) => {}
            }
        }
    }

    /// Whether the SIP socket is empty, so that a message finds room. The network keeps one that
    /// waits for the hardware address of a dead peer for ever; after a while it is dropped, so that
    /// it does not hold up all others. SIP sends it again.
    fn may_send(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        if is_flushed(&mut self.sockets.sip, cx) {
            self.stuck_since = None;
            return true;
        }
        let since = *self.stuck_since.get_or_insert(now);
        if now.since(since) < STUCK_LIMIT {
            return false;
        }
        self.stuck_since = None;
        self.sockets.empty_sip();
        true
    }

    /// Plays the frames that are due.
    #[inline(never)] // its frame must not lie under the others'
    fn play(&mut self, now: Instant, cx: &mut Context<'_>) {
        let shared = self.shared;
        let Ok(mut guard) = shared.step() else { return };
        let state = &mut *guard;
        for (place, sockets) in self.sockets.media.iter_mut().enumerate() {
            let Some(call) = state.calls.get_mut(place).filter(|call| call.media.runs) else {
                continue;
            };
            if call.media.due > now {
                continue;
            }
            // After a delay several frames are due; each waits until the one before it has left,
            // since the socket holds few. The network wakes this task then.
            sockets.waits = !is_flushed(&mut sockets.rtp, cx);
            if sockets.waits && now.since(call.media.due) < STALL_LIMIT {
                continue;
            }
            sockets.waits = false;
            play_frame(call, now, &mut |is_rtcp, to, bytes| {
                let socket = if is_rtcp { &sockets.rtcp } else { &sockets.rtp };
                // Late audio is worth nothing: what finds no room is lost.
                let _ = send(socket, cx, to, bytes);
            });
            let silent = take_events(call);
            call.release();
            let id = call.id.filter(|_| silent);
            if let Some(id) = id {
                let _ = state.endpoint.media_silent(now, id);
            }
            state.waiters.wake();
        }
    }

    /// Sets the alarm for what comes next; ready if that is now.
    fn sleep(&mut self, now: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let Ok(mut state) = self.shared.step() else { return Poll::Pending };
        state.runner.register(cx.waker());
        // While the socket is stuck, the endpoint cannot be served.
        let sip = match self.stuck_since.map(|since| since + STUCK_LIMIT) {
            Some(tried) if tried > now => Some(tried),
            _ => state.endpoint.poll_timeout(),
        };
        let mut next = sip.unwrap_or(Instant::FAR);
        for (call, sockets) in state.calls.iter().zip(&self.sockets.media) {
            if call.media.runs {
                let patience = if sockets.waits { STALL_LIMIT } else { Duration::ZERO };
                next = next.min(call.media.due + patience);
            }
        }
        match next {
            Instant::FAR => Poll::Pending,
            at if at <= now => Poll::Ready(()),
            at => pin!(Timer::at(embassy_instant(at))).poll(cx),
        }
    }
}

/// One frame in, one frame out.
fn play_frame(
    call: &mut CallEntry<'_>,
    now: Instant,
    send: &mut dyn FnMut(bool, SocketAddr, &[u8]),
) {
    let media = &mut call.media;
    let frame = media.session.frame();
    let playout = media.heard.fill(frame);
    if let Some(packet) = media.session.tick(now, media.captured.samples(), playout) {
        send(false, packet.to, packet.bytes);
    }
    media.captured.clear();
    if let Some(tape) = &mut media.tape {
        tape.write(media.heard.samples());
    }
    let mut ended = matches!(call.phase, crate::Phase::Ended(_));
    if let Some(packet) = media.session.poll_rtcp(now) {
        send(true, packet.to, packet.bytes);
    }
    ended &= media.session.poll_rtcp(now).is_none();
    media.runs = !ended;
    // Frames follow each other by the samples they have, eight a millisecond; after a stall they
    // begin anew rather than in a burst.
    media.due += Duration::from_micros(frame as u64 * 125);
    if now.since(media.due) > STALL_LIMIT || frame == 0 {
        media.due = now + Duration::from_millis(20);
    }
}

/// Keeps digits; whether the peer has fallen silent.
fn take_events(call: &mut CallEntry<'_>) -> bool {
    let mut silent = false;
    while let Some(event) = call.media.session.poll_event() {
        match event {
            // The thirty-third digit that nobody takes is lost.
            MediaEvent::DigitReceived { digit, .. } => drop(call.media.digits.push_back(digit)),
            MediaEvent::Silence { .. } => silent = true,
            _ => {}
        }
    }
    silent
}

fn record(trace: &mut Option<&mut dyn Trace>, record: Record<'_>) {
    if let Some(trace) = trace {
        trace.record(&record);
    }
}

/// How often the address is looked at while the network is up.
const ADDRESS_INTERVAL: embassy_time::Duration = embassy_time::Duration::from_secs(1);
/// How long a message may wait for the network. After a question for a hardware address smoltcp
/// silences the socket for 1 s: what is given to it shortly before the end of that is not lost.
const STUCK_LIMIT: Duration = Duration::from_millis(900);
/// Frames that are later than this are left out.
const STALL_LIMIT: Duration = Duration::from_millis(100);

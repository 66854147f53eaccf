use core::fmt;
use core::net::SocketAddr;

use super::control::{Control, Own, ntp};
use super::latch::{NOWHERE, canonical};
use super::receiver::{ReceiveTypes, Receiver};
use super::report::{DigitsError, MediaEvent, Report, Transmit};
use super::sender::Sender;
#[cfg(target_pointer_width = "32")]
use crate::limits::{DIGITS_IN_MAX, DIGITS_OUT_MAX, JITTER_RING};
use crate::limits::{FRAME_MAX, MEDIA_SILENCE_BYE_MS, MEDIA_SILENCE_MS, RTP_PACKET_MAX};
use crate::random::{Purpose, Random};
use crate::rtp::rtcp::Compound;
use crate::rtp::{Codec, Digit};
use crate::sdp::{Direction, MediaPlan};
use crate::time::{Duration, Instant};

/// One RTP stream pair: audio, DTMF and RTCP of one call.
///
/// It owns all its memory (less than 4 KB) and does no IO: see the [module](crate::media) for the
/// turn. Its audio clock is the master: timestamps count [`tick`](Self::tick)s.
pub struct Session {
    state: State,
    plan: MediaPlan,
    types: [ReceiveTypes; 2],
    sender: Sender,
    receiver: Receiver,
    control: Control,
    silence: SilenceWatch,
    random: Random,
    rtcp_source: SocketAddr,
    invalid_rtcp: u32,
    foreign_rtcp: u32,
    buffer: [u8; RTP_PACKET_MAX],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle = 0,
    Running,
    Stopping,
    Stopped,
}

#[derive(Clone, Copy)]
struct SilenceWatch {
    limit: Duration,
    life: Instant,
    bye: bool,
    reported: bool,
    pending: bool,
}

impl Session {
    /// Bytes of it that wait for somebody: audio that came, the packet that goes, digits both ways.
    #[cfg(target_pointer_width = "32")]
    pub(crate) const BUFFER_BYTES: usize =
        JITTER_RING + JITTER_RING / 8 + RTP_PACKET_MAX + (DIGITS_IN_MAX + DIGITS_OUT_MAX) * 4;

    /// A session without a stream: it plays silence and sends nothing until [`start`](Self::start).
    /// All its bytes are zero, so that a `static` of it costs no flash.
    pub const fn idle() -> Self {
        Self {
            state: State::Idle,
            plan: NO_PLAN,
            types: [ReceiveTypes::none(); 2],
            sender: Sender::new(),
            receiver: Receiver::new(),
            control: Control::new(),
            silence: SilenceWatch::IDLE,
            random: Random::new([0; 32]),
            rtcp_source: NOWHERE,
            invalid_rtcp: 0,
            foreign_rtcp: 0,
            buffer: [0; RTP_PACKET_MAX],
        }
    }

    /// A session that sends and receives as `plan` says. SSRC, first sequence number, first
    /// timestamp and CNAME follow from `seed`, which must differ for each session.
    pub fn new(plan: &MediaPlan, seed: [u8; 32], now: Instant) -> Self {
        let mut session = Self::idle();
        session.start(plan, seed, now);
        session
    }

    /// Starts an [`idle`](Self::idle) session in place; a session that ran begins anew.
    pub fn start(&mut self, plan: &MediaPlan, seed: [u8; 32], now: Instant) {
        if self.state != State::Idle {
            self.reset();
        }
        self.random = Random::new(seed);
        let [a, b, c, d, e, f, g, h, i, j, rest @ ..] = self.random.bytes(Purpose::Rtp);
        let ssrc = u32::from_be_bytes([a, b, c, d]);
        let timestamp = u32::from_be_bytes([e, f, g, h]);
        self.sender.start(ssrc, u16::from_be_bytes([i, j]), timestamp);
        let name = rest.first_chunk().copied().unwrap_or_default();
        self.control.start(now, name, &mut self.random);
        self.silence.limit = Duration::from_millis(MEDIA_SILENCE_MS);
        self.state = State::Running;
        self.set_plan(now, plan);
    }

    /// Forgets the stream that was, part by part: a whole new session would pass over the stack,
    /// which is small where sessions are large.
    fn reset(&mut self) {
        let Self {
            state,
            plan,
            types,
            sender,
            receiver,
            control,
            silence,
            random: _,
            rtcp_source,
            invalid_rtcp,
            foreign_rtcp,
            buffer: _, // written before it is read
        } = self;
        *state = State::Idle;
        *plan = NO_PLAN;
        *types = [ReceiveTypes::none(); 2];
        *sender = Sender::new();
        receiver.reset();
        *control = Control::new();
        *silence = SilenceWatch::IDLE;
        *rtcp_source = NOWHERE;
        (*invalid_rtcp, *foreign_rtcp) = (0, 0);
    }

    /// Samples in one frame: what [`tick`](Self::tick) takes and gives, and how often it is due
    /// (8 samples a millisecond). The plan's frame, at most [`FRAME_MAX`].
    pub fn frame(&self) -> usize {
        self.plan.frame().min(FRAME_MAX)
    }

    /// What is sent and received now.
    pub fn plan(&self) -> &MediaPlan {
        &self.plan
    }

    /// Sends and receives as `plan` says from now on: the answer to an offer, or the old plan
    /// after an offer failed. Sequence, timestamps and SSRC go on.
    pub fn set_plan(&mut self, now: Instant, plan: &MediaPlan) {
        let expected = self.expects_media();
        self.plan = MediaPlan {
            remote: canonical(plan.remote),
            remote_rtcp: canonical(plan.remote_rtcp),
            ..*plan
        };
        self.types = [ReceiveTypes::of(plan), ReceiveTypes::none()];
        self.receiver.latch.expect(now, self.plan.remote);
        if plan.dtmf.is_none() {
            self.sender.digits.clear();
        }
        if !expected {
            self.silence.hear(now);
        }
    }

    /// We have offered `plan` and wait for the answer: packets of its types are read too, as well
    /// as those of the old plan (RFC 3264 s8.3.2). [`set_plan`](Self::set_plan) ends that.
    pub fn offer_plan(&mut self, plan: &MediaPlan) {
        self.types = [ReceiveTypes::of(&self.plan), ReceiveTypes::of(plan)];
    }

    /// One frame of audio: takes [`frame`](Self::frame) captured samples, fills `playout` with as
    /// many received ones, and returns the RTP packet to send, if the plan lets one go.
    ///
    /// Missing captured samples are silence, so an empty slice sends silence and the clock runs on;
    /// surplus ones are ignored. An empty `playout` throws the received frame away. Call it once a
    /// frame, paced by the audio device or a timer; after a stall of
    /// more than [`TICK_GAP_MS`](crate::limits::TICK_GAP_MS) skip the missed ticks: the session moves
    /// its timestamps over the gap.
    pub fn tick(
        &mut self,
        now: Instant,
        captured: &[i16],
        playout: &mut [i16],
    ) -> Option<Transmit<'_>> {
        let frame = self.frame();
        if self.state != State::Running || frame == 0 {
            playout.fill(0);
            return None;
        }
        self.receiver.digits.tick(now);
        let (receives, reachable) =
            (self.plan.direction.receives(), is_reachable(&self.plan.remote));
        self.silence.tick(now, receives && reachable);
        let expected = receives && !self.receiver.digits.sounding();
        self.receiver.jitter.take(frame, expected, playout);
        self.sender.advance(now, frame as u32);
        if !self.plan.direction.sends() || !reachable {
            self.sender.pause();
            return None;
        }
        let to = *self.receiver.latch.source().unwrap_or(&self.plan.remote);
        let length = self.sender.packet(&self.plan, frame, captured, &mut self.buffer)?;
        Some(Transmit { to, bytes: self.buffer.get(..length)? })
    }

    /// The RTCP packet that is due, if one is; ask after each tick. After [`stop`](Self::stop) it
    /// is the BYE, once.
    pub fn poll_rtcp(&mut self, now: Instant) -> Option<Transmit<'_>> {
        let bye = match self.state {
            State::Running if self.control.is_due(now) => false,
            State::Stopping => true,
            _ => return None,
        };
        if bye {
            self.state = State::Stopped;
        }
        let to = self.rtcp_destination()?;
        let own = Own { ssrc: self.sender.ssrc, info: self.sender.info(now, ntp(now)), bye };
        let source = self.receiver.source_mut();
        let random = &mut self.random;
        let length = self.control.report(now, &own, source, random, &mut self.buffer).ok()?;
        Some(Transmit { to, bytes: self.buffer.get(..length)? })
    }

    /// Takes one datagram of the RTP socket. It never fails: what is wrong is counted.
    pub fn handle(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        if self.state != State::Running {
            return;
        }
        let plays = self.plan.direction.receives();
        if self.receiver.handle(now, from, bytes, &self.types, plays) {
            self.silence.hear(now);
        }
    }

    /// Takes one datagram of the RTCP socket.
    pub fn handle_rtcp(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        if self.state != State::Running {
            return;
        }
        let from = canonical(from);
        let Ok(compound) = Compound::parse(bytes) else {
            self.invalid_rtcp = self.invalid_rtcp.saturating_add(1);
            return;
        };
        if !self.is_peer(from) {
            self.foreign_rtcp = self.foreign_rtcp.saturating_add(1);
            return;
        }
        self.rtcp_source = from;
        self.silence.hear(now);
        let source = self.receiver.source().map(|source| source.ssrc);
        for packet in compound.packets() {
            let heard = self.control.take(now, packet, self.sender.ssrc, source);
            self.silence.bye |= heard.bye;
        }
    }

    /// Sends digits (`0` to `9`, `*`, `#`, `A` to `D`) one after another as telephone events
    /// (RFC 4733), each `duration` long (100 ms to one minute,
    /// [`DIGIT_DURATION_MS`](crate::limits::DIGIT_DURATION_MS) is usual), behind those that still
    /// wait. [`MediaEvent::DigitsSent`] tells when all are out; while the plan sends nothing, they
    /// wait.
    ///
    /// # Errors
    /// Nothing is queued if the plan has no telephone-event, if a character is no digit, or if not
    /// all of them have room.
    pub fn send_digits(&mut self, digits: &str, duration: Duration) -> Result<(), DigitsError> {
        if self.plan.dtmf.is_none() {
            return Err(DigitsError::NotNegotiated);
        }
        // No byte of a character beyond ASCII is that of a digit.
        let digit = |byte: u8| Digit::from_char(char::from(byte));
        if !digits.bytes().all(|byte| digit(byte).is_some()) {
            return Err(DigitsError::NotADigit);
        }
        if digits.len() > self.sender.digits.room() {
            return Err(DigitsError::NoRoom);
        }
        for digit in digits.bytes().filter_map(digit) {
            self.sender.digits.push(digit, duration);
        }
        Ok(())
    }

    /// Digits that are not sent in full yet.
    pub fn digits_pending(&self) -> usize {
        self.sender.digits.pending()
    }

    /// Sends silence instead of what is captured, or stops doing so. Digits are sent all the same.
    pub fn mute(&mut self, muted: bool) {
        self.sender.muted = muted;
    }

    /// Whether silence is sent instead of what is captured.
    pub fn is_muted(&self) -> bool {
        self.sender.muted
    }

    /// How long the peer may be silent, RTP and RTCP, until [`MediaEvent::Silence`]; `None` = for
    /// ever. The default is 30 seconds. Silence is no matter while we receive nothing by plan.
    pub fn set_silence_limit(&mut self, limit: Option<Duration>) {
        self.silence.limit = limit.unwrap_or(Duration::from_micros(u64::MAX));
    }

    /// Ends the stream: no RTP from now on; [`poll_rtcp`](Self::poll_rtcp) gives the BYE.
    pub fn stop(&mut self) {
        let owes_bye = self.control.sent || self.sender.packets > 0;
        if self.state == State::Running {
            self.state = if owes_bye { State::Stopping } else { State::Stopped };
        }
    }

    /// The next event, if there is one; ask after each tick.
    pub fn poll_event(&mut self) -> Option<MediaEvent> {
        if let Some((digit, units)) = self.receiver.digits.pop() {
            return Some(MediaEvent::DigitReceived { digit, duration: span(units) });
        }
        if core::mem::take(&mut self.sender.digits.done) {
            return Some(MediaEvent::DigitsSent);
        }
        if core::mem::take(&mut self.receiver.moved)
            && let Some(&source) = self.receiver.latch.source()
        {
            return Some(MediaEvent::SourceChanged { source });
        }
        if core::mem::take(&mut self.silence.pending) {
            return Some(MediaEvent::Silence { since: self.silence.life });
        }
        None
    }

    /// Figures so far.
    pub fn statistics(&self) -> Report {
        let counts = &self.receiver.counts;
        let jitter = &self.receiver.jitter;
        let peer_view = self.control.peer_view();
        Report {
            sent: self.sender.packets,
            received: counts.packets,
            lost: self.receiver.lost(),
            duplicates: counts.duplicates.saturating_add(jitter.counts.duplicates),
            late: jitter.counts.late,
            underruns: jitter.counts.underruns,
            concealed_frames: jitter.counts.concealed_frames,
            jumps: jitter.counts.jumps,
            foreign: counts.foreign.saturating_add(self.foreign_rtcp),
            invalid: counts.invalid.saturating_add(self.invalid_rtcp),
            digits_dropped: self.receiver.digits.overflow,
            jitter: span(self.receiver.source().map_or(0, |source| source.jitter())),
            depth: span(jitter.depth()),
            round_trip: self.control.round_trip(),
            remote_lost: peer_view.map(|block| block.cumulative_lost),
            remote_jitter: peer_view.map(|block| span(block.jitter)),
        }
    }

    /// The synchronization source of what we send.
    pub fn ssrc(&self) -> u32 {
        self.sender.ssrc
    }

    fn expects_media(&self) -> bool {
        self.plan.direction.receives() && is_reachable(&self.plan.remote)
    }

    /// Whether RTCP from an address can be the peer's.
    fn is_peer(&self, from: SocketAddr) -> bool {
        let learnt = self.receiver.latch.source();
        from == self.plan.remote_rtcp || learnt.unwrap_or(&self.plan.remote).ip() == from.ip()
    }

    /// The signalled address; where the peer's media comes from elsewhere, the place that its RTCP
    /// comes from, or the port after its RTP.
    fn rtcp_destination(&self) -> Option<SocketAddr> {
        let mut to = self.plan.remote_rtcp;
        if let Some(source) = self.receiver.latch.source()
            && *source != self.plan.remote
        {
            to = self.rtcp_source;
            if to.ip() != source.ip() {
                to = *source;
                to.set_port(source.port().checked_add(1)?);
            }
        }
        (is_reachable(&self.plan.remote) && is_reachable(&to)).then_some(to)
    }
}

impl SilenceWatch {
    const IDLE: Self = Self {
        limit: Duration::ZERO,
        life: Instant::ZERO,
        bye: false,
        reported: false,
        pending: false,
    };

    fn hear(&mut self, now: Instant) {
        self.life = now;
        self.bye = false;
        self.reported = false;
        self.pending = false;
    }

    fn tick(&mut self, now: Instant, expected: bool) {
        if !expected || self.reported {
            return;
        }
        let shortened = Duration::from_millis(MEDIA_SILENCE_BYE_MS);
        let limit = if self.bye { self.limit.at_most(shortened) } else { self.limit };
        if now.since(self.life) >= limit {
            self.reported = true;
            self.pending = true;
        }
    }
}

fn is_reachable(address: &SocketAddr) -> bool {
    address.port() != 0 && !address.ip().is_unspecified()
}

/// Timestamp units at 8 kHz, the clock of every codec we have, as time.
fn span(units: u32) -> Duration {
    Duration::from_micros(u64::from(units) * 125)
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("plan", &self.plan).finish_non_exhaustive()
    }
}

const NO_PLAN: MediaPlan = MediaPlan {
    local: NOWHERE,
    remote: NOWHERE,
    remote_rtcp: NOWHERE,
    codec: Codec::Pcmu,
    send_type: 0,
    receive_type: 0,
    dtmf: None,
    ptime_ms: 0,
    direction: Direction::SendRecv,
};

#[cfg(test)]
mod tests;

//! One call as its user sees it, and its sound.

use core::net::SocketAddr;

use sansip::endpoint::{CallId, Reason};
use sansip::media::{MediaEvent, Session};
use sansip::sdp::{Direction, MediaPlan};
use sansip::time::{Duration, Instant};

use super::operation::Told;

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
    pub(crate) opened_at: Instant,
    pub(super) session: Option<Box<Session>>,
    pub(super) next_tick: Instant,
    pub(super) phase: u32,
}

/// A packet of a session.
pub(crate) struct MediaPacket {
    pub(crate) port: u16,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

impl Talk {
    /// Whether it is up.
    pub fn is_up(&self) -> bool {
        self.established && self.ended.is_none()
    }

    pub(super) fn tick(
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

const FRAME_MAX: usize = 960;
/// Every codec of the library runs at 8 kHz.
const MICROS_A_SAMPLE: u64 = 125;
const LOUD: i16 = 4000;

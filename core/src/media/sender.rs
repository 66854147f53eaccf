//! The sending half: one SSRC, one line of sequence numbers and timestamps through all that is
//! sent.

use super::digits_out::DigitSender;
use crate::limits::{FRAME_MAX, RTP_PACKET_MAX, TICK_GAP_MS};
use crate::rtp::Header;
use crate::rtp::rtcp::SenderInfo;
use crate::sdp::MediaPlan;
use crate::time::{Duration, Instant};

/// The stream that we send.
pub(super) struct Sender {
    pub(super) ssrc: u32,
    sequence: u16,
    /// Timestamp of the frame of the next tick.
    timestamp: u32,
    ticked: bool,
    last_tick: Instant,
    /// The last frame was sent: the next one begins no talk spurt.
    flowing: bool,
    pub(super) muted: bool,
    pub(super) digits: DigitSender,
    pub(super) packets: u32,
    pub(super) octets: u32,
}

impl Sender {
    pub(super) const fn new() -> Self {
        Self {
            ssrc: 0,
            sequence: 0,
            timestamp: 0,
            ticked: false,
            last_tick: Instant::ZERO,
            flowing: false,
            muted: false,
            digits: DigitSender::new(),
            packets: 0,
            octets: 0,
        }
    }

    /// Starts the line at random places (RFC 3550 s5.1).
    pub(super) fn start(&mut self, ssrc: u32, sequence: u16, timestamp: u32) {
        (self.ssrc, self.sequence, self.timestamp) = (ssrc, sequence, timestamp);
    }

    /// Runs the media clock for one frame, sending or not. It counts frames, because the audio
    /// device is the master; only over a gap in which the device slept it follows `now`.
    pub(super) fn advance(&mut self, now: Instant, frame: u32) {
        if self.ticked {
            let missed = now.since(self.last_tick);
            let frames_ms = u64::from(2 * frame / UNITS_PER_MS);
            let step = if missed > Duration::from_millis(TICK_GAP_MS + frames_ms) {
                self.flowing = false;
                let millis = u32::try_from(missed.as_millis()).unwrap_or(u32::MAX);
                millis.wrapping_mul(UNITS_PER_MS)
            } else {
                frame
            };
            self.timestamp = self.timestamp.wrapping_add(step);
        }
        self.ticked = true;
        self.last_tick = now;
    }

    /// A frame passes without a packet.
    pub(super) fn pause(&mut self) {
        self.flowing = false;
        self.digits.interrupt(self.timestamp);
    }

    /// Builds the packet of this frame and returns its length.
    pub(super) fn packet(
        &mut self,
        plan: &MediaPlan,
        frame: usize,
        captured: &[i16],
        out: &mut [u8; RTP_PACKET_MAX],
    ) -> Option<usize> {
        let event = match plan.dtmf {
            Some(dtmf) => self.digits.next(self.timestamp, frame as u32).map(|event| (dtmf, event)),
            None => None,
        };
        let mut header = Header {
            marker: !self.flowing,
            payload_type: plan.send_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
        };
        let payload = if let Some((dtmf, event)) = event {
            header.marker = event.marker;
            header.payload_type = dtmf.send_type;
            header.timestamp = event.timestamp;
            event.report.write(header.write(out).ok()?).ok()?
        } else {
            let heard = if self.muted { &[] } else { captured };
            let payload = header.write(out).ok()?.get_mut(..frame.min(FRAME_MAX))?;
            let spoken = heard.len().min(payload.len());
            let (speech, silence) = payload.split_at_mut_checked(spoken)?;
            plan.codec.encode(heard, speech);
            silence.fill(plan.codec.silence());
            frame
        };
        self.flowing = true;
        self.sequence = self.sequence.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload as u32);
        Some(Header::LEN + payload)
    }

    /// What a sender report says at `now`.
    pub(super) fn info(&self, now: Instant, ntp: u64) -> SenderInfo {
        let since = u32::try_from(now.since(self.last_tick).as_micros()).unwrap_or(u32::MAX);
        SenderInfo {
            ntp,
            timestamp: self.timestamp.wrapping_add(since / MICROS_PER_UNIT),
            packets: self.packets,
            octets: self.octets,
        }
    }
}

/// Timestamp units a millisecond, and their length, at 8 kHz, the clock of every codec we have.
const UNITS_PER_MS: u32 = 8;
const MICROS_PER_UNIT: u32 = 125;

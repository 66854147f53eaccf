//! One RTP source: validity of its sequence numbers, loss and jitter (RFC 3550 A.1, A.3, A.8).

use crate::rtp::rtcp::ReportBlock;
use crate::time::Instant;

/// What a sequence number says of its packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// In order, or missing until now.
    Fresh,
    /// Seen before.
    Duplicate,
    /// Implausible: dropped unless the next number follows it.
    Implausible,
}

/// What is known of a source that we receive.
#[derive(Clone, Copy)]
pub(super) struct Source {
    pub(super) ssrc: u32,
    highest: u16,
    /// Which of the 64 numbers up to `highest` came: bit 0 is `highest`.
    seen: u64,
    cycles: u32,
    base: u32,
    /// The number that would prove a restart: one after a number that made a large jump.
    restart: Option<u16>,
    received: u32,
    duplicates: u32,
    expected_before: u32,
    received_before: u32,
    /// Loss of the sequences before a restart.
    lost_before: u32,
    /// Interarrival jitter times 16, timestamp units.
    jitter_16: u32,
    last_arrival: Instant,
    last_timestamp: u32,
    timed: bool,
}

impl Source {
    pub(super) const fn new(ssrc: u32, sequence: u16) -> Self {
        Self {
            ssrc,
            highest: sequence,
            seen: 0,
            cycles: 0,
            base: sequence as u32,
            restart: None,
            received: 0,
            duplicates: 0,
            expected_before: 0,
            received_before: 0,
            lost_before: 0,
            jitter_16: 0,
            last_arrival: Instant::ZERO,
            last_timestamp: 0,
            timed: false,
        }
    }

    /// Judges a sequence number and counts the packet if it is plausible (RFC 3550 A.1).
    pub(super) fn accept(&mut self, sequence: u16) -> Verdict {
        let step = sequence.wrapping_sub(self.highest);
        if step < MAX_DROPOUT {
            if sequence < self.highest {
                self.cycles = self.cycles.wrapping_add(1 << 16);
            }
            self.highest = sequence;
            self.seen = self.seen.checked_shl(u32::from(step)).unwrap_or(0);
        } else if step <= MAX_MISORDER.wrapping_neg() {
            if Some(sequence) != self.restart {
                self.restart = Some(sequence.wrapping_add(1));
                return Verdict::Implausible;
            }
            self.begin_again(sequence);
        }
        self.received = self.received.saturating_add(1);
        let back = self.highest.wrapping_sub(sequence);
        let bit = 1u64.checked_shl(u32::from(back)).unwrap_or(0);
        if self.seen & bit != 0 {
            self.duplicates = self.duplicates.saturating_add(1);
            return Verdict::Duplicate;
        }
        self.seen |= bit;
        Verdict::Fresh
    }

    /// The sender restarted its numbers: the counts go on, the sequence begins here.
    fn begin_again(&mut self, sequence: u16) {
        *self = Self {
            lost_before: self.lost(),
            jitter_16: self.jitter_16,
            last_arrival: self.last_arrival,
            last_timestamp: self.last_timestamp,
            timed: self.timed,
            ..Self::new(self.ssrc, sequence)
        };
    }

    /// Takes the arrival of a packet whose media ended at `timestamp` into the jitter (A.8).
    pub(super) fn measure(&mut self, now: Instant, timestamp: u32) {
        if self.timed {
            let micros = u32::try_from(now.since(self.last_arrival).as_micros());
            let waited = micros.unwrap_or(u32::MAX) / MICROS_PER_UNIT;
            let advanced = timestamp.wrapping_sub(self.last_timestamp);
            let difference = waited.wrapping_sub(advanced).cast_signed().unsigned_abs();
            let difference = difference.min(JITTER_STEP_MAX);
            self.jitter_16 =
                (self.jitter_16 + difference).saturating_sub((self.jitter_16 + 8) >> 4);
        }
        self.timed = true;
        self.last_arrival = now;
        self.last_timestamp = timestamp;
    }

    /// Packets that were expected and did not come.
    pub(super) fn lost(&self) -> u32 {
        let distinct = self.received.saturating_sub(self.duplicates);
        self.lost_before.saturating_add(self.expected().saturating_sub(distinct))
    }

    /// Interarrival jitter, timestamp units.
    pub(super) fn jitter(&self) -> u32 {
        self.jitter_16 >> 4
    }

    /// The report block for RTCP, which begins a new interval for the fraction lost (A.3).
    pub(super) fn report(&mut self) -> ReportBlock {
        let expected = self.expected();
        let expected_now = expected.wrapping_sub(self.expected_before);
        let received_now = self.received.wrapping_sub(self.received_before);
        self.expected_before = expected;
        self.received_before = self.received;
        let lost_now = expected_now.saturating_sub(received_now);
        let fraction = (lost_now.min(0xff_ffff) << 8).checked_div(expected_now).unwrap_or(0);
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: fraction.min(255) as u8,
            cumulative_lost: self.cumulative_lost(),
            highest_sequence: self.cycles.wrapping_add(u32::from(self.highest)),
            jitter: self.jitter(),
            last_sr: 0,
            delay_since_last_sr: 0,
        }
    }

    /// Loss as A.3 counts it: duplicates weigh against it, so it can be negative; 24 bits.
    fn cumulative_lost(&self) -> i32 {
        let net = i64::from(self.lost()) - i64::from(self.duplicates);
        net.clamp(-0x80_0000, 0x7f_ffff) as i32
    }

    fn expected(&self) -> u32 {
        let highest = self.cycles.wrapping_add(u32::from(self.highest));
        highest.wrapping_sub(self.base).wrapping_add(1)
    }
}

const MAX_DROPOUT: u16 = 3000;
const MAX_MISORDER: u16 = 100;
/// One timestamp unit at 8 kHz, the clock of every codec we have, microseconds.
const MICROS_PER_UNIT: u32 = 125;
/// One arrival counts for at most this much jitter, so that a pause does not spoil the figure:
/// one second.
const JITTER_STEP_MAX: u32 = 8_000;

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;

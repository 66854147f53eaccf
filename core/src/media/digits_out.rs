//! DTMF digits to send as telephone events (RFC 4733 s2.5.1), one report a frame.

use heapless::Deque;

use crate::limits::{DIGIT_MAX_MS, DIGIT_MIN_MS, DIGIT_PAUSE_MS, DIGITS_OUT_MAX};
use crate::rtp::{Digit, TelephoneEvent};
use crate::time::Duration;

/// Makes event reports of digits.
pub(super) struct DigitSender {
    queue: Deque<(Digit, u16), DIGITS_OUT_MAX>,
    state: State,
    event: u8,
    /// Timestamp at which the digit began, and how long it shall last, timestamp units.
    start: u32,
    target: u32,
    /// Units of the segments already reported in full.
    segment: u32,
    /// Times that the last report of the segment or of the digit went out.
    repeats: u8,
    /// Whether a digit was sent before, which ended at `paused_from`.
    pausing: bool,
    paused_from: u32,
    /// The queue has run empty since the last look.
    pub(super) done: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle = 0,
    Begins,
    Sounds,
}

/// One report with what the RTP header needs.
pub(super) struct EventPacket {
    pub(super) marker: bool,
    pub(super) timestamp: u32,
    pub(super) report: TelephoneEvent,
}

impl DigitSender {
    pub(super) const fn new() -> Self {
        Self {
            queue: Deque::new(),
            state: State::Idle,
            event: 0,
            start: 0,
            target: 0,
            segment: 0,
            repeats: 0,
            pausing: false,
            paused_from: 0,
            done: false,
        }
    }

    /// Places left in the queue.
    pub(super) fn room(&self) -> usize {
        DIGITS_OUT_MAX - self.queue.len()
    }

    /// Queues a digit; without room it is dropped, see [`room`](Self::room).
    pub(super) fn push(&mut self, digit: Digit, duration: Duration) {
        let millis = duration.as_millis().clamp(DIGIT_MIN_MS, DIGIT_MAX_MS) as u16;
        let _full = self.queue.push_back((digit, millis));
    }

    /// Digits that have not been sent in full.
    pub(super) fn pending(&self) -> usize {
        self.queue.len() + usize::from(self.state != State::Idle)
    }

    /// Forgets all digits.
    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.state = State::Idle;
    }

    /// The report for the frame that begins at `timestamp`; `None` = audio goes out.
    pub(super) fn next(&mut self, timestamp: u32, frame: u32) -> Option<EventPacket> {
        if self.state == State::Idle && !self.begin(timestamp) {
            return None;
        }
        let elapsed = timestamp.wrapping_add(frame).wrapping_sub(self.start).min(self.target);
        let in_segment = elapsed.saturating_sub(self.segment);
        let packet = EventPacket {
            marker: self.state == State::Begins,
            timestamp: self.start.wrapping_add(self.segment),
            report: TelephoneEvent {
                event: self.event,
                end: elapsed == self.target && in_segment <= SEGMENT,
                volume_dbm0: VOLUME_DBM0,
                duration: in_segment.min(SEGMENT) as u16,
            },
        };
        self.state = State::Sounds;
        if in_segment > SEGMENT || packet.report.end {
            self.repeats += 1;
        }
        if self.repeats == REPEATS {
            self.repeats = 0;
            if packet.report.end {
                self.finish();
            } else {
                self.segment += SEGMENT;
            }
        }
        Some(packet)
    }

    /// Nothing may be sent now. A digit of which the peer has heard something counts as sent:
    /// when sending goes on, its receiver has long closed it.
    pub(super) fn interrupt(&mut self, timestamp: u32) {
        if self.state != State::Idle {
            self.target = timestamp.wrapping_sub(self.start);
            self.finish();
        }
    }

    fn begin(&mut self, timestamp: u32) -> bool {
        let paused = timestamp.wrapping_sub(self.paused_from).cast_signed();
        if self.pausing && (0..PAUSE).contains(&paused) {
            return false;
        }
        self.pausing = false;
        let Some((digit, millis)) = self.queue.pop_front() else {
            return false;
        };
        self.event = digit.event();
        self.start = timestamp;
        self.target = u32::from(millis) * UNITS_PER_MS;
        (self.segment, self.repeats) = (0, 0);
        self.state = State::Begins;
        true
    }

    fn finish(&mut self) {
        self.state = State::Idle;
        self.pausing = true;
        self.paused_from = self.start.wrapping_add(self.target);
        self.done = self.queue.is_empty();
    }
}

/// Reports of an end, so that the loss of one or two does not matter (RFC 4733 s2.5.1.4).
const REPEATS: u8 = 3;
/// The longest duration that one report can tell; longer events go on in a new segment.
const SEGMENT: u32 = 0xffff;
/// Power of our digits: -10 dBm0, what telephones send.
const VOLUME_DBM0: u8 = 10;
/// Timestamp units a millisecond at 8 kHz, the clock of every codec we have.
const UNITS_PER_MS: u32 = 8;
const PAUSE: i32 = (DIGIT_PAUSE_MS * UNITS_PER_MS as u64) as i32;

#[cfg(test)]
#[path = "digits_out_tests.rs"]
mod tests;

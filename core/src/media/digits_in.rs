//! DTMF digits received as telephone events (RFC 4733 s2.5.2): each event exactly once, in order.

use heapless::Deque;

use crate::limits::{DIGIT_REPORTS_MAX, DIGIT_TIMEOUT_MS, DIGITS_IN_MAX};
use crate::rtp::{Digit, Header, TelephoneEvent};
use crate::time::{Duration, Instant};

/// Makes digits of event reports.
pub(super) struct DigitReceiver {
    /// The event that sounds now.
    open: bool,
    event: u8,
    /// Timestamp of its first and of its current segment.
    first: u32,
    segment: u32,
    /// Duration of its finished segments, and of the current one, timestamp units.
    before: u32,
    duration: u32,
    heard: Instant,
    /// The newest timestamp that was delivered, with the events (as bits) delivered for it.
    delivered: bool,
    delivered_timestamp: u32,
    delivered_events: u16,
    /// Event and duration of each, in one word: sessions are many.
    queue: Deque<u32, DIGITS_IN_MAX>,
    /// Digits dropped because nobody took the earlier ones.
    pub(super) overflow: u32,
}

impl DigitReceiver {
    pub(super) const fn new() -> Self {
        Self {
            open: false,
            event: 0,
            first: 0,
            segment: 0,
            before: 0,
            duration: 0,
            heard: Instant::ZERO,
            delivered: false,
            delivered_timestamp: 0,
            delivered_events: 0,
            queue: Deque::new(),
            overflow: 0,
        }
    }

    /// Whether a digit sounds now, so that missing audio is no loss.
    pub(super) fn sounding(&self) -> bool {
        self.open
    }

    /// Takes one packet of the telephone-event payload type.
    pub(super) fn take(&mut self, now: Instant, header: &Header, payload: &[u8]) {
        let mut timestamp = header.timestamp;
        for report in TelephoneEvent::reports(payload).take(DIGIT_REPORTS_MAX) {
            if report.event < 16 {
                self.report(now, timestamp, header.marker, report);
            }
            timestamp = timestamp.wrapping_add(u32::from(report.duration));
        }
    }

    /// Closes an event whose end was lost (RFC 4733 s2.5.2.2).
    pub(super) fn tick(&mut self, now: Instant) {
        if self.open && now.since(self.heard) >= Duration::from_millis(DIGIT_TIMEOUT_MS) {
            self.close();
        }
    }

    /// Another source begins: the open digit ends, and timestamps mean something else from now.
    pub(super) fn restart(&mut self) {
        if self.open {
            self.close();
        }
        self.delivered = false;
    }

    /// The next digit, with its duration in timestamp units.
    pub(super) fn pop(&mut self) -> Option<(Digit, u32)> {
        let packed = self.queue.pop_front()?;
        Some((Digit::from_event((packed >> DURATION_BITS) as u8)?, packed & DURATION_MAX))
    }

    fn report(&mut self, now: Instant, timestamp: u32, marker: bool, report: TelephoneEvent) {
        if self.open && self.belongs_to_open(timestamp, marker, report.event) {
            if timestamp == self.segment {
                self.heard = now;
                self.duration = self.duration.max(u32::from(report.duration));
                if report.end {
                    self.close();
                }
            }
            return;
        }
        if self.was_delivered(timestamp, marker, report.event) {
            return;
        }
        let age = self.segment.wrapping_sub(timestamp).cast_signed();
        if self.open && age > 0 && age <= LATE_MAX {
            // Overtaken as a whole by the digit that sounds now: it still comes before it.
            self.deliver(report.event, timestamp, u32::from(report.duration));
            return;
        }
        if self.open {
            self.close();
        }
        self.open = true;
        self.event = report.event;
        (self.first, self.segment) = (timestamp, timestamp);
        (self.before, self.duration) = (0, u32::from(report.duration));
        self.heard = now;
        if report.end {
            self.close();
        }
    }

    /// Whether a report is of the event that sounds now; begins its next segment where the report
    /// follows without a gap (RFC 4733 s2.5.2.3).
    fn belongs_to_open(&mut self, timestamp: u32, marker: bool, event: u8) -> bool {
        if event != self.event {
            return false;
        }
        if !marker && timestamp == self.segment.wrapping_add(SEGMENT) {
            self.before = self.before.saturating_add(SEGMENT);
            self.segment = timestamp;
            self.duration = 0;
        }
        timestamp.wrapping_sub(self.first) <= self.segment.wrapping_sub(self.first)
    }

    /// Whether a report is a late one of an event that was delivered already.
    fn was_delivered(&mut self, timestamp: u32, marker: bool, event: u8) -> bool {
        if !self.delivered {
            return false;
        }
        let bit = 1 << event;
        let age = self.delivered_timestamp.wrapping_sub(timestamp).cast_signed();
        let known = self.delivered_events & bit != 0;
        let next_segment = timestamp == self.delivered_timestamp.wrapping_add(SEGMENT);
        if next_segment && known && !marker && !self.open {
            self.delivered_timestamp = timestamp; // an event that had to be closed in between
            self.delivered_events = bit;
            return true;
        }
        if age == 0 { known } else { age > 0 && age <= LATE_MAX }
    }

    fn close(&mut self) {
        self.open = false;
        let total = self.before.saturating_add(self.duration);
        self.deliver(self.event, self.segment, total);
    }

    fn deliver(&mut self, event: u8, timestamp: u32, duration: u32) {
        if !self.delivered || self.delivered_timestamp != timestamp {
            self.delivered_events = 0;
        }
        self.delivered = true;
        self.delivered_timestamp = timestamp;
        self.delivered_events |= 1 << event;
        if Digit::from_event(event).is_none() {
            return;
        }
        let packed = u32::from(event) << DURATION_BITS | duration.min(DURATION_MAX);
        if self.queue.push_back(packed).is_err() {
            self.overflow = self.overflow.saturating_add(1);
        }
    }
}

/// The longest duration that one report can tell (RFC 4733 s2.5.1.3).
const SEGMENT: u32 = 0xffff;
/// A digit is one of sixteen, which leaves its duration nine hours.
const DURATION_BITS: u32 = 28;
const DURATION_MAX: u32 = (1 << DURATION_BITS) - 1;
/// A report this much older than the newest event is a straggler of it; older still is a source
/// that set its timestamps back: ten seconds.
const LATE_MAX: i32 = 80_000;

#[cfg(test)]
#[path = "digits_in_tests.rs"]
mod tests;

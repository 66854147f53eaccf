use super::*;
use std::string::String;
use std::vec::Vec;

struct Line {
    receiver: DigitReceiver,
    now: Instant,
}

impl Line {
    fn new() -> Self {
        Self { receiver: DigitReceiver::new(), now: Instant::from_millis(1000) }
    }

    fn report(&mut self, timestamp: u32, event: u8, duration: u16, end: bool) {
        self.marked(timestamp, event, duration, end, false);
    }

    fn marked(&mut self, timestamp: u32, event: u8, duration: u16, end: bool, marker: bool) {
        let report = TelephoneEvent { event, end, volume_dbm0: 10, duration };
        let header = Header { timestamp, marker, ..Header::default() };
        self.receiver.take(self.now, &header, &report.to_bytes());
    }

    fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        self.receiver.tick(self.now);
    }

    fn digits(&mut self) -> String {
        core::iter::from_fn(|| self.receiver.pop()).map(|(digit, _)| digit.as_char()).collect()
    }

    fn with_durations(&mut self) -> Vec<(char, u32)> {
        let popped = core::iter::from_fn(|| self.receiver.pop());
        popped.map(|(digit, duration)| (digit.as_char(), duration)).collect()
    }
}

#[test]
fn thirty_end_packets_are_one_digit() {
    let mut line = Line::new();
    line.report(100, 1, 160, false);
    for _ in 0..30 {
        line.report(100, 1, 1280, true);
    }
    line.wait(1000);
    assert_eq!(line.with_durations(), [('1', 1280)]);
}

#[test]
fn one_end_packet_alone_is_a_digit() {
    let mut line = Line::new();
    line.report(100, 11, 1280, true);
    assert_eq!(line.with_durations(), [('#', 1280)]);
}

#[test]
fn an_end_that_never_comes_is_waited_for_150_ms() {
    let mut line = Line::new();
    line.report(100, 3, 640, false);
    line.wait(149);
    assert_eq!(line.digits(), "");
    line.wait(1);
    assert_eq!(line.with_durations(), [('3', 640)]);
    line.report(100, 3, 1280, true);
    line.wait(1000);
    assert_eq!(line.digits(), "", "the rest of a closed event is ignored");
}

#[test]
fn the_next_digit_closes_the_one_before() {
    let mut line = Line::new();
    line.report(100, 3, 640, false);
    line.report(3000, 4, 160, false);
    assert_eq!(line.digits(), "3");
    line.report(3000, 4, 640, true);
    assert_eq!(line.digits(), "4");
}

#[test]
fn a_duration_that_goes_backwards_does_not_count() {
    let mut line = Line::new();
    for duration in [160, 480, 320, 0] {
        line.report(100, 3, duration, false);
    }
    line.report(100, 3, 160, true);
    assert_eq!(line.with_durations(), [('3', 480)]);
}

#[test]
fn reordered_and_late_reports_invent_nothing() {
    let mut line = Line::new();
    line.report(100, 1, 1280, true);
    line.report(5000, 2, 160, false);
    line.report(100, 1, 320, false);
    line.report(100, 1, 1280, true);
    line.report(5000, 2, 1280, true);
    line.report(5000, 2, 480, false);
    line.wait(1000);
    assert_eq!(line.digits(), "12");
}

#[test]
fn a_digit_overtaken_as_a_whole_still_comes_first() {
    let mut line = Line::new();
    line.report(5000, 2, 160, false);
    line.report(3000, 1, 1280, true);
    line.report(3000, 1, 1280, true);
    line.report(5000, 2, 1280, true);
    assert_eq!(line.with_durations(), [('1', 1280), ('2', 1280)]);
}

#[test]
fn two_events_at_one_timestamp_are_two_digits() {
    let mut line = Line::new();
    for event in [1, 2, 1, 2] {
        line.report(100, event, 800, true);
    }
    assert_eq!(line.digits(), "12");
}

#[test]
fn the_same_digit_at_another_timestamp_is_another_digit() {
    let mut line = Line::new();
    line.report(100, 1, 800, true);
    line.report(101, 1, 800, true);
    assert_eq!(line.digits(), "11");
}

#[test]
fn events_that_are_no_digits_are_ignored() {
    let mut line = Line::new();
    for event in 16..=255 {
        line.report(u32::from(event) * 2000, event, 800, true);
    }
    assert_eq!(line.digits(), "");
}

#[test]
fn a_long_digit_in_segments_is_one_with_the_sum_of_their_durations() {
    let mut line = Line::new();
    let start = u32::MAX - 0xffff; // the second segment begins right at the wrap
    line.marked(start, 9, 160, false, true);
    line.report(start, 9, 0xffff, false);
    line.report(start.wrapping_add(0xffff), 9, 320, false);
    line.report(start, 9, 0xffff, false); // a straggler of the first segment
    line.report(start.wrapping_add(2 * 0xffff), 9, 800, false);
    line.report(start.wrapping_add(2 * 0xffff), 9, 1600, true);
    assert_eq!(line.with_durations(), [('9', 2 * 0xffff + 1600)]);
    line.report(start.wrapping_add(0xffff), 9, 0xffff, false);
    line.wait(1000);
    assert_eq!(line.digits(), "");
}

#[test]
fn a_long_digit_that_was_closed_over_a_gap_is_not_reported_again() {
    let mut line = Line::new();
    line.report(0, 9, 0xff00, false);
    line.wait(200);
    assert_eq!(line.digits(), "9");
    line.report(0xffff, 9, 160, false);
    line.report(2 * 0xffff, 9, 160, true);
    line.wait(1000);
    assert_eq!(line.digits(), "");
}

#[test]
fn a_source_that_sets_its_timestamps_far_back_is_heard() {
    let mut line = Line::new();
    line.report(1_000_000, 1, 800, true);
    line.report(5_000, 2, 800, true);
    line.report(1_000_000 + 0x8000_0000, 3, 800, true);
    assert_eq!(line.digits(), "123");
}

#[test]
fn packed_events_follow_one_another() {
    let mut line = Line::new();
    let pack = |event, duration| TelephoneEvent { event, end: true, volume_dbm0: 0, duration };
    let payload = [pack(1, 400).to_bytes(), pack(2, 800).to_bytes()].concat();
    let header = Header { timestamp: 1000, ..Header::default() };
    line.receiver.take(line.now, &header, &payload);
    line.report(1400, 2, 800, true);
    assert_eq!(line.with_durations(), [('1', 400), ('2', 800)]);
    let many = pack(3, 10).to_bytes().repeat(16_000);
    let header = Header { timestamp: 90_000, ..Header::default() };
    line.receiver.take(line.now, &header, &many);
    assert_eq!(line.digits().len(), DIGIT_REPORTS_MAX, "a packet costs bounded work");
}

#[test]
fn digits_that_nobody_takes_are_counted() {
    let mut line = Line::new();
    for count in 0..40u8 {
        line.report(u32::from(count) * 2000, count % 10, 800, true);
    }
    assert_eq!(line.receiver.overflow, 8);
    assert_eq!(line.digits(), "01234567890123456789012345678901");
}

#[test]
fn another_source_begins_its_own_timestamps() {
    let mut line = Line::new();
    line.report(9000, 1, 160, false);
    line.receiver.restart();
    assert_eq!(line.digits(), "1");
    line.report(9000, 1, 800, true);
    assert_eq!(line.digits(), "1");
}

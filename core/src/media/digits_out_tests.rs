use super::*;
use std::vec::Vec;

/// One frame as it goes out: `None` is audio.
fn run(sender: &mut DigitSender, from: u32, frame: u32, frames: u32) -> Vec<Option<EventPacket>> {
    (0..frames).map(|tick| sender.next(from.wrapping_add(tick * frame), frame)).collect()
}

fn push(sender: &mut DigitSender, digits: &str, millis: u64) {
    for digit in digits.chars() {
        sender.push(Digit::from_char(digit).unwrap(), Duration::from_millis(millis));
    }
}

#[test]
fn a_digit_is_eight_growing_reports_and_three_ends_at_one_timestamp() {
    let mut sender = DigitSender::new();
    push(&mut sender, "5", 160);
    let start = u32::MAX - 200; // wraps within the digit
    let packets: Vec<_> = run(&mut sender, start, 160, 12);
    let sent: Vec<_> = packets.iter().flatten().collect();
    assert_eq!(sent.len(), 10);
    assert!(packets[10].is_none() && packets[11].is_none());
    assert!(sent.iter().all(|packet| packet.timestamp == start && packet.report.event == 5));
    let markers: Vec<_> = sent.iter().map(|packet| packet.marker).collect();
    assert_eq!(markers.iter().position(|marker| *marker), Some(0));
    assert_eq!(markers.iter().filter(|marker| **marker).count(), 1);
    let durations: Vec<_> = sent.iter().map(|packet| packet.report.duration).collect();
    assert_eq!(durations, [160, 320, 480, 640, 800, 960, 1120, 1280, 1280, 1280]);
    let ends: Vec<_> = sent.iter().map(|packet| packet.report.end).collect();
    assert_eq!(ends, [false, false, false, false, false, false, false, true, true, true]);
    assert!(sender.done);
}

#[test]
fn digits_are_separated_by_a_pause_with_audio_in_it() {
    for frame in [80, 160, 240, 320, 480] {
        let mut sender = DigitSender::new();
        push(&mut sender, "11", 160);
        let packets = run(&mut sender, 7, frame, 60);
        let starts: Vec<_> = packets.iter().flatten().filter(|packet| packet.marker).collect();
        let [first, second] = starts[..] else { panic!("{frame}: {}", starts.len()) };
        let pause = second.timestamp - first.timestamp - 1280;
        assert!((800..800 + frame).contains(&pause), "{frame}: {pause}");
        let events: Vec<_> = packets.iter().map(Option::is_some).collect();
        let between = events.iter().skip_while(|event| **event).take_while(|event| !**event);
        assert!(between.count() >= 1, "{frame}");
    }
}

#[test]
fn durations_are_kept_between_their_bounds() {
    for (asked_ms, units) in
        [(0, 800), (100, 800), (101, 808), (60_000, 480_000), (u64::MAX, 480_000)]
    {
        let mut sender = DigitSender::new();
        push(&mut sender, "#", asked_ms);
        let packets = run(&mut sender, 0, 160, 3100);
        let last = packets.iter().flatten().last().unwrap();
        assert_eq!(last.timestamp + u32::from(last.report.duration), units, "{asked_ms}");
        assert!(last.report.end);
    }
}

#[test]
fn a_long_digit_goes_on_in_segments_without_marker_or_end() {
    let mut sender = DigitSender::new();
    push(&mut sender, "D", 20_000);
    let packets: Vec<_> = run(&mut sender, 0, 160, 1100).into_iter().flatten().collect();
    let full: Vec<_> = packets.iter().filter(|packet| packet.report.duration == 0xffff).collect();
    assert_eq!(full.len(), 6, "each full segment is reported three times");
    assert!(full.iter().all(|packet| !packet.report.end && !packet.marker));
    let segments: Vec<_> = full.iter().map(|packet| packet.timestamp).collect();
    assert_eq!(segments, [0, 0, 0, 0xffff, 0xffff, 0xffff]);
    let ends: Vec<_> = packets.iter().filter(|packet| packet.report.end).collect();
    assert_eq!(ends.len(), 3);
    assert!(ends.iter().all(|end| end.timestamp == 2 * 0xffff));
    assert_eq!(u32::from(ends[0].report.duration), 160_000 - 2 * 0xffff);
    assert_eq!(packets.iter().filter(|packet| packet.marker).count(), 1);
}

#[test]
fn every_duration_around_a_segment_ends_where_it_should() {
    for units in (65_535 - 400..65_535 + 800).step_by(8) {
        let mut sender = DigitSender::new();
        push(&mut sender, "0", u64::from(units / 8u32));
        let target = units / 8 * 8;
        let packets: Vec<_> = run(&mut sender, 0, 160, 500).into_iter().flatten().collect();
        let ends: Vec<_> = packets.iter().filter(|packet| packet.report.end).collect();
        assert_eq!(ends.len(), 3, "{units}");
        assert!(
            ends.iter().all(|end| end.timestamp + u32::from(end.report.duration) == target),
            "{units}"
        );
    }
}

#[test]
fn an_interrupted_digit_is_not_taken_up_again() {
    let mut sender = DigitSender::new();
    push(&mut sender, "12", 160);
    assert_eq!(sender.next(0, 160).unwrap().report.event, 1);
    sender.interrupt(160);
    assert_eq!(sender.pending(), 1);
    assert!(!sender.done);
    let next: Vec<_> = run(&mut sender, 320, 160, 10).into_iter().flatten().collect();
    assert_eq!((next[0].report.event, next[0].marker), (2, true));
    assert!(next[0].timestamp - 160 >= 800);
}

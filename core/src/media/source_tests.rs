use super::*;
use crate::time::Duration;
use proptest::prelude::*;
use std::vec::Vec;

#[test]
fn sequence_numbers_wrap_without_loss() {
    let mut source = Source::new(1, 65_000);
    for sequence in (65_000..=65_535).chain(0..1000) {
        assert_eq!(source.accept(sequence), Verdict::Fresh, "{sequence}");
    }
    assert_eq!(source.lost(), 0);
    assert_eq!(source.report().highest_sequence, 0x1_0000 + 999);
}

#[test]
fn a_large_jump_needs_a_second_packet() {
    let mut source = Source::new(1, 100);
    assert_eq!(source.accept(100), Verdict::Fresh);
    for wild in [30_000, 40_000, 50_000] {
        assert_eq!(source.accept(wild), Verdict::Implausible);
    }
    assert_eq!(source.accept(101), Verdict::Fresh);
    assert_eq!(source.accept(30_000), Verdict::Implausible);
    assert_eq!(source.accept(30_001), Verdict::Fresh);
    assert_eq!(source.accept(102), Verdict::Implausible);
    assert_eq!(source.lost(), 0, "the jump itself is no loss");
}

#[test]
fn the_limits_of_dropout_and_misorder_are_those_of_rfc_3550() {
    for (step, verdict) in [
        (2999, Verdict::Fresh),
        (3000, Verdict::Implausible),
        (65_536 - 100, Verdict::Implausible),
        (65_536 - 99, Verdict::Fresh),
    ] {
        let mut source = Source::new(1, 50_000);
        source.accept(50_000);
        assert_eq!(source.accept(50_000u16.wrapping_add(step as u16)), verdict, "{step}");
    }
}

#[test]
fn the_fraction_lost_covers_one_interval() {
    let mut source = Source::new(1, 0);
    for sequence in (0..100).filter(|sequence| sequence % 4 != 1) {
        source.accept(sequence);
    }
    let report = source.report();
    assert_eq!((report.fraction_lost, report.cumulative_lost), (64, 25));
    for sequence in 100..200 {
        source.accept(sequence);
    }
    let report = source.report();
    assert_eq!((report.fraction_lost, report.cumulative_lost), (0, 25));
    assert_eq!(source.report().fraction_lost, 0, "an interval without packets");
}

#[test]
fn duplicates_are_told_and_count_against_loss_in_rtcp_only() {
    let mut source = Source::new(1, 0);
    for sequence in [0, 1, 1, 1, 3] {
        source.accept(sequence);
    }
    assert_eq!(source.accept(3), Verdict::Duplicate);
    assert_eq!(source.accept(2), Verdict::Fresh);
    assert_eq!(source.accept(2), Verdict::Duplicate);
    assert_eq!(source.lost(), 0);
    assert_eq!(source.report().cumulative_lost, -4);
}

#[test]
fn the_jitter_follows_the_formula_of_rfc_3550() {
    let mut source = Source::new(1, 0);
    let mut exact = 0.0;
    let mut now = Instant::from_millis(5000);
    for (packet, delay_ms) in
        [0u64, 5, 0, 12, 3, 18, 0, 0, 7, 1].iter().cycle().take(500).enumerate()
    {
        let arrival = now + Duration::from_millis(packet as u64 * 20 + delay_ms);
        source.measure(arrival, (packet as u32 * 160).wrapping_sub(3000));
        if packet > 0 {
            let previous = [0u64, 5, 0, 12, 3, 18, 0, 0, 7, 1][(packet - 1) % 10];
            let difference = (*delay_ms as f64 - previous as f64).abs() * 8.0;
            exact += (difference - exact) / 16.0;
        }
    }
    assert!((f64::from(source.jitter()) - exact).abs() <= 1.0, "{} {exact}", source.jitter());
    now += Duration::from_secs(86_400 * 365);
    source.measure(now, 0);
    assert!(source.jitter() < 1000, "a pause of a year is one step");
}

proptest! {
    #[test]
    fn each_packet_of_a_shuffled_stream_is_fresh_once(
        first: u16,
        order in prop::collection::vec((0u16..8, 1usize..3, any::<bool>()), 1..300),
    ) {
        let mut sent: Vec<(u32, u16)> = Vec::new();
        for (place, (delay, copies, lost)) in order.iter().enumerate() {
            if !lost || place == 0 {
                for copy in 0..*copies {
                    let sequence = first.wrapping_add(place as u16);
                    sent.push((place as u32 + u32::from(*delay) * u32::from(copy > 0 || place > 0), sequence));
                }
            }
        }
        sent.sort_by_key(|(time, _)| *time);
        let mut source = Source::new(1, sent[0].1);
        let mut fresh = std::collections::BTreeSet::new();
        for (_, sequence) in &sent {
            match source.accept(*sequence) {
                Verdict::Fresh => prop_assert!(fresh.insert(*sequence)),
                Verdict::Duplicate => prop_assert!(fresh.contains(sequence)),
                Verdict::Implausible => prop_assert!(false),
            }
        }
        let highest = fresh.iter().map(|sequence| sequence.wrapping_sub(first)).max().unwrap();
        let lowest = sent[0].1.wrapping_sub(first);
        let expected = u32::from(highest - lowest) + 1;
        let before = fresh.iter().filter(|s| s.wrapping_sub(first) < lowest).count() as u32;
        prop_assert!(source.lost() + fresh.len() as u32 >= expected);
        prop_assert!(source.lost() + fresh.len() as u32 <= expected + before);
    }
}

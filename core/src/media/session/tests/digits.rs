use super::*;

fn is_event(packet: &&Sent) -> bool {
    packet.header.payload_type == 101
}

#[test]
fn digits_are_sent_in_the_line_of_the_audio() {
    let mut bench = Bench::new(&plan());
    bench.ticks(3);
    bench.session.send_digits("0123456789*#ABCD", Duration::from_millis(160)).unwrap();
    assert_eq!(bench.session.digits_pending(), 16);
    let sent = bench.ticks(16 * 14 + 10);
    assert!(sent.windows(2).all(|pair| {
        pair[1].header.sequence == pair[0].header.sequence.wrapping_add(1)
            && pair[1].header.ssrc == pair[0].header.ssrc
    }));
    let starts: String = sent
        .iter()
        .filter(is_event)
        .filter(|packet| packet.header.marker)
        .map(|packet| Digit::from_event(packet.payload[0]).unwrap().as_char())
        .collect();
    assert_eq!(starts, "0123456789*#ABCD");
    let base = sent[0].header.timestamp;
    for (place, packet) in sent.iter().enumerate().filter(|(_, packet)| !is_event(packet)) {
        assert_eq!(packet.header.timestamp, base.wrapping_add(place as u32 * 160));
    }
    assert_eq!(bench.events(), [MediaEvent::DigitsSent]);
    assert_eq!(bench.session.digits_pending(), 0);
}

#[test]
fn digits_go_out_while_muted_and_with_nothing_captured() {
    let mut bench = Bench::new(&plan());
    bench.session.mute(true);
    bench.session.send_digits("5", Duration::from_millis(160)).unwrap();
    assert_eq!(bench.ticks(20).iter().filter(is_event).count(), 10);
}

#[test]
fn digits_that_cannot_be_sent_are_refused_whole() {
    let mut bench = Bench::new(&plan());
    let duration = Duration::from_millis(160);
    assert_eq!(bench.session.send_digits("12x", duration), Err(DigitsError::NotADigit));
    let long = "1".repeat(33);
    assert_eq!(bench.session.send_digits(&long, duration), Err(DigitsError::NoRoom));
    assert_eq!(bench.session.digits_pending(), 0);
    assert_eq!(bench.session.send_digits(&long[1..], duration), Ok(()));
    assert_eq!(bench.session.send_digits("1", duration), Err(DigitsError::NoRoom));
    let mut silent = Bench::new(&MediaPlan { dtmf: None, ..plan() });
    assert_eq!(silent.session.send_digits("1", duration), Err(DigitsError::NotNegotiated));
}

#[test]
fn digits_wait_for_the_end_of_a_hold() {
    let mut bench = Bench::new(&MediaPlan { direction: Direction::RecvOnly, ..plan() });
    bench.session.send_digits("7", Duration::from_millis(160)).unwrap();
    assert_eq!(bench.ticks(50), []);
    assert_eq!(bench.events(), []);
    bench.session.set_plan(bench.now, &plan());
    assert_eq!(bench.ticks(20).iter().filter(is_event).count(), 10);
    assert_eq!(bench.events(), [MediaEvent::DigitsSent]);
}

#[test]
fn received_digits_are_reported_with_their_duration() {
    let mut bench = Bench::new(&plan());
    for (place, (duration, end)) in
        [(160, false), (320, false), (480, true), (480, true), (480, true)].into_iter().enumerate()
    {
        let report = TelephoneEvent { event: 11, end, volume_dbm0: 10, duration };
        let header = Header { payload_type: 96, ..header(place as u16, 1000) };
        bench.receive(THERE, header, &report.to_bytes());
    }
    let digit = Digit::from_char('#').unwrap();
    let duration = Duration::from_millis(60);
    assert_eq!(bench.events(), [MediaEvent::DigitReceived { digit, duration }]);
}

#[test]
fn an_unended_digit_is_closed_by_the_ticks() {
    let mut bench = Bench::new(&plan());
    let report = TelephoneEvent { event: 1, end: false, volume_dbm0: 10, duration: 160 };
    bench.receive(THERE, Header { payload_type: 96, ..header(1, 1000) }, &report.to_bytes());
    bench.ticks(8);
    assert_eq!(bench.events(), []);
    bench.ticks(1);
    assert_eq!(digits_of(&bench.events()), "1");
}

#[test]
fn a_stranger_sends_no_digits() {
    let mut bench = Bench::new(&plan());
    bench.receive(THERE, header(1, 0), &[0xff; 160]);
    let report = TelephoneEvent { event: 1, end: true, volume_dbm0: 10, duration: 800 };
    for sequence in 0..50 {
        let header = Header { payload_type: 96, ..header(sequence, 5000) };
        bench.receive(STRANGER, header, &report.to_bytes());
        bench.tick();
    }
    assert_eq!(bench.events(), []);
    assert_eq!(bench.report().foreign, 50);
}

#[test]
fn digits_at_two_hundred_a_second_are_bounded_and_counted() {
    let mut bench = Bench::new(&plan());
    for count in 0..200u16 {
        let report =
            TelephoneEvent { event: (count % 16) as u8, end: true, volume_dbm0: 10, duration: 40 };
        let header = Header { payload_type: 96, ..header(count, u32::from(count) * 40) };
        bench.receive(THERE, header, &report.to_bytes());
    }
    assert_eq!(bench.events().len(), crate::limits::DIGITS_IN_MAX);
    assert_eq!(bench.report().digits_dropped, 200 - crate::limits::DIGITS_IN_MAX as u32);
}

#[test]
fn a_plan_without_events_forgets_the_digits_that_wait() {
    let mut bench = Bench::new(&plan());
    bench.session.send_digits("123", Duration::from_millis(160)).unwrap();
    bench.ticks(2);
    bench.session.set_plan(bench.now, &MediaPlan { dtmf: None, ..plan() });
    assert!(bench.ticks(30).iter().all(|packet| packet.header.payload_type == 0));
    assert_eq!(bench.session.digits_pending(), 0);
}

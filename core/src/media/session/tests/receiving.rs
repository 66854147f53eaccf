use super::*;

/// A steady stream of loud frames from an address; what was played of it.
fn stream(bench: &mut Bench, from: &str, ssrc: u32, first: u16, count: u16) -> Vec<i16> {
    let mut heard = Vec::new();
    for place in 0..count {
        let sequence = first.wrapping_add(place);
        let header = Header { ssrc, ..header(sequence, u32::from(sequence) * 160) };
        bench.receive(from, header, &[LOUD; 160]);
        let mut playout = [0; 160];
        bench.tick_with(&[], &mut playout);
        heard.extend(playout);
    }
    heard
}

const LOUD: u8 = 0x80; // the loudest code of mu-law

fn is_loud(samples: &[i16]) -> bool {
    samples.iter().all(|sample| *sample > 30_000)
}

fn is_silent(samples: &[i16]) -> bool {
    samples.iter().all(|sample| sample.abs() <= 8)
}

#[test]
fn audio_of_the_peer_is_played() {
    let mut bench = Bench::new(&plan());
    let heard = stream(&mut bench, THERE, 1, 0, 50);
    assert!(is_silent(&heard[..320]) && is_loud(&heard[320..]));
    assert_eq!((bench.report().received, bench.report().lost), (50, 0));
}

#[test]
fn nothing_is_played_that_the_plan_does_not_receive() {
    let mut bench = Bench::new(&MediaPlan { direction: Direction::SendOnly, ..plan() });
    let heard = stream(&mut bench, THERE, 1, 0, 50);
    assert!(is_silent(&heard));
    bench.session.set_plan(bench.now, &plan());
    assert!(is_loud(&stream(&mut bench, THERE, 1, 50, 20)[480..]));
}

#[test]
fn an_injector_is_neither_heard_nor_sent_to() {
    let beside = "192.0.2.2:9999";
    for (stranger, ssrc) in [(STRANGER, 9), (STRANGER, 1), (beside, 9), (beside, 1)] {
        let mut bench = Bench::new(&plan());
        // Before the first good packet, for less than the half second that a lone source needs.
        for place in 0..20 {
            bench.receive(stranger, Header { ssrc, ..header(place, 0) }, &[0; 160]);
            assert_eq!(bench.tick().unwrap().to, address(THERE));
        }
        // During and after the good stream.
        let mut heard = Vec::new();
        for place in 0..200u16 {
            if place < 100 {
                let good = Header { ssrc: 1, ..header(place, u32::from(place) * 160) };
                bench.receive(THERE, good, &[LOUD; 160]);
            }
            let forged = Header { ssrc, ..header(place + 1, u32::from(place) * 160 + 160) };
            bench.receive(stranger, forged, &[0; 160]);
            let mut playout = [0; 160];
            assert_eq!(bench.tick_with(&[], &mut playout).unwrap().to, address(THERE));
            heard.extend(playout);
        }
        assert!(is_loud(&heard[320..100 * 160]), "{stranger} {ssrc}");
        assert!(heard.iter().all(|sample| *sample > -100), "nothing of the stranger");
        assert_eq!(bench.report().foreign, 220);
        assert_eq!(bench.events(), []);
    }
}

#[test]
fn a_peer_behind_a_nat_is_heard_and_sent_to_and_reported() {
    let mut bench = Bench::new(&plan());
    let heard = stream(&mut bench, "198.51.100.1:7777", 1, 0, 60);
    assert!(is_silent(&heard[..25 * 160]) && is_loud(&heard[28 * 160..]));
    let source = address("198.51.100.1:7777");
    assert_eq!(bench.events(), [MediaEvent::SourceChanged { source }]);
    assert_eq!(bench.tick().unwrap().to, source);
    let now = bench.now + Duration::from_secs(10);
    assert_eq!(bench.session.poll_rtcp(now).unwrap().to, address("198.51.100.1:7778"));
    bench.session.handle_rtcp(now, address("198.51.100.1:1234"), &[0x80, 201, 0, 1, 0, 0, 0, 1]);
    let later = now + Duration::from_secs(10);
    assert_eq!(bench.session.poll_rtcp(later).unwrap().to, address("198.51.100.1:1234"));
}

#[test]
fn a_moved_peer_is_followed_by_signalling_only() {
    let mut bench = Bench::new(&plan());
    stream(&mut bench, THERE, 1, 0, 20);
    let moved = plan_between(HERE, "192.0.2.3:8000");
    bench.session.set_plan(bench.now, &moved);
    assert_eq!(bench.tick().unwrap().to, address("192.0.2.3:8000"));
    stream(&mut bench, THERE, 1, 20, 20);
    assert_eq!(bench.report().foreign, 20);
    let heard = stream(&mut bench, "192.0.2.3:8000", 2, 500, 20);
    assert!(is_loud(&heard[1000..]));
}

#[test]
fn another_ssrc_needs_two_packets_in_sequence() {
    let mut bench = Bench::new(&plan());
    stream(&mut bench, THERE, 1, 0, 20);
    bench.events();
    bench.receive(THERE, Header { ssrc: 2, ..header(7000, 9_000_000) }, &[LOUD; 160]);
    assert_eq!(bench.events(), []);
    let heard = stream(&mut bench, THERE, 2, 7001, 20);
    assert_eq!(bench.events(), [MediaEvent::SourceChanged { source: address(THERE) }]);
    assert!(is_loud(&heard[640..]));
    assert_eq!(bench.report().lost, 0);
}

#[test]
fn alternating_sources_do_not_take_the_stream_over() {
    let mut bench = Bench::new(&plan());
    let mut heard = Vec::new();
    for place in 0..100u16 {
        let good = Header { ssrc: 1, ..header(place, u32::from(place) * 160) };
        bench.receive(THERE, good, &[LOUD; 160]);
        bench.receive(THERE, Header { ssrc: 2, ..header(place, 77) }, &[0; 160]);
        let mut playout = [0; 160];
        bench.tick_with(&[], &mut playout);
        heard.extend(playout);
    }
    assert!(is_loud(&heard[320..]));
    assert_eq!(bench.events(), []);
    assert_eq!(bench.report().invalid, 100);
}

#[test]
fn a_reflector_that_returns_our_own_packets_is_heard() {
    let mut bench = Bench::new(&plan());
    let mut heard = Vec::new();
    for _ in 0..20 {
        let mut playout = [0; 160];
        let sent = bench.session.tick(bench.now, &[32_000; 160], &mut playout).unwrap();
        let bytes = sent.bytes.to_vec();
        bench.now += FRAME;
        bench.session.handle(bench.now, address(THERE), &bytes);
        heard.extend(playout);
    }
    assert!(is_loud(&heard[640..]));
}

/// Whether an audio packet of this type is played.
fn plays(bench: &mut Bench, payload_type: u8, sequence: u16) -> bool {
    let timestamp = u32::from(sequence) * 10_000;
    bench.ticks(40); // long enough for the buffer to start anew
    bench.receive(THERE, Header { payload_type, ..header(sequence, timestamp) }, &[0x2a; 160]);
    let mut playout = [0; 160];
    (0..3).any(|_| {
        bench.tick_with(&[], &mut playout);
        playout.iter().any(|sample| sample.abs() > 8)
    })
}

/// Whether an event packet of this type is a digit.
fn is_digit(bench: &mut Bench, payload_type: u8, sequence: u16) -> bool {
    let report = TelephoneEvent { event: 1, end: true, volume_dbm0: 0, duration: 800 };
    let header = Header { payload_type, ..header(sequence, u32::from(sequence) * 10_000) };
    bench.receive(THERE, header, &report.to_bytes());
    !digits_of(&bench.events()).is_empty()
}

#[test]
fn both_types_are_read_while_an_offer_is_open() {
    let offered = MediaPlan {
        receive_type: 107,
        codec: Codec::Pcma,
        dtmf: Some(DtmfPlan { send_type: 101, receive_type: 110, clock_rate_hz: 8000 }),
        ..plan()
    };
    let mut bench = Bench::new(&plan());
    assert!(plays(&mut bench, 0, 1) && !plays(&mut bench, 107, 2));
    assert!(is_digit(&mut bench, 96, 3) && !is_digit(&mut bench, 110, 4));
    bench.session.offer_plan(&offered);
    assert!(plays(&mut bench, 0, 11) && plays(&mut bench, 107, 12));
    assert!(is_digit(&mut bench, 96, 13) && is_digit(&mut bench, 110, 14));
    bench.session.set_plan(bench.now, &offered);
    assert!(plays(&mut bench, 107, 21) && plays(&mut bench, 0, 22) && plays(&mut bench, 8, 23));
    assert!(!is_digit(&mut bench, 96, 24) && is_digit(&mut bench, 110, 25));
    bench.session.set_plan(bench.now, &plan());
    assert!(plays(&mut bench, 0, 31) && !plays(&mut bench, 107, 32));
    assert!(is_digit(&mut bench, 96, 33) && !is_digit(&mut bench, 110, 34));
}

#[test]
fn garbage_is_counted_and_dropped() {
    let mut bench = Bench::new(&plan());
    stream(&mut bench, THERE, 1, 0, 10);
    let before = bench.report();
    let rtcp = [0x80, 201, 0, 1, 0, 0, 0, 7, 0, 0, 0, 0];
    let stun = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0];
    let extension = [0x90, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0xff, 0xff];
    let sources = [0x8f, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 1];
    let garbage: [&[u8]; 6] = [&[], &[0x80], &rtcp, &stun, &extension, &sources];
    for bytes in garbage {
        bench.session.handle(bench.now, address(THERE), bytes);
    }
    let after = bench.report();
    assert_eq!(after.invalid, before.invalid + 6);
    assert_eq!((after.received, after.lost, after.foreign), (before.received, 0, 0));
    assert!(is_loud(&stream(&mut bench, THERE, 1, 10, 10)));
}

#[test]
fn an_enormous_or_empty_packet_disturbs_nothing() {
    let mut bench = Bench::new(&plan());
    stream(&mut bench, THERE, 1, 0, 10);
    let mut bytes = vec![0; 65_507];
    Packet::new(Header { ssrc: 1, ..header(10, 1600) }, &[]).write(&mut bytes).unwrap();
    bench.session.handle(bench.now, address(THERE), &bytes);
    bench.session.handle(bench.now, address(THERE), &bytes[..12]);
    assert!(is_loud(&stream(&mut bench, THERE, 1, 11, 10)[640..]));
}

#[test]
fn padding_and_extensions_are_no_audio() {
    let mut bench = Bench::new(&plan());
    let mut heard = Vec::new();
    for place in 0..20u16 {
        let packet = Packet {
            header: header(place, u32::from(place) * 160),
            csrc: &[[1; 4]; 15],
            extension: Some(crate::rtp::Extension { profile: 0xbede, data: &[[2; 4]; 3] }),
            payload: &[LOUD; 160],
            padding: 200,
        };
        let mut bytes = [0; 600];
        let length = packet.write(&mut bytes).unwrap();
        bench.session.handle(bench.now, address(THERE), &bytes[..length]);
        let mut playout = [0; 160];
        bench.tick_with(&[], &mut playout);
        heard.extend(playout);
    }
    assert!(is_loud(&heard[320..]));
}

#[test]
fn an_unknown_type_of_the_peer_counts_as_its_packet_but_is_not_played() {
    let mut bench = Bench::new(&plan());
    stream(&mut bench, THERE, 1, 0, 10);
    bench.receive(THERE, Header { ssrc: 1, payload_type: 13, ..header(10, 1600) }, &[0; 160]);
    bench.receive(STRANGER, Header { ssrc: 1, payload_type: 13, ..header(11, 1600) }, &[0; 160]);
    let report = bench.report();
    assert_eq!((report.received, report.lost, report.invalid), (11, 0, 1));
}

#[test]
fn silence_is_reported_once_after_the_limit() {
    let mut bench = Bench::new(&plan());
    stream(&mut bench, THERE, 1, 0, 10);
    let since = bench.now - FRAME;
    bench.ticks(1499);
    assert_eq!(bench.events(), []);
    bench.ticks(1);
    assert_eq!(bench.events(), [MediaEvent::Silence { since }]);
    bench.ticks(5000);
    assert_eq!(bench.events(), []);
    stream(&mut bench, THERE, 1, 10, 1);
    bench.session.set_silence_limit(Some(Duration::from_secs(1)));
    bench.ticks(60);
    assert_eq!(bench.events().len(), 1);
    bench.session.set_silence_limit(None);
    stream(&mut bench, THERE, 1, 11, 1);
    bench.ticks(5000);
    assert_eq!(bench.events(), []);
}

#[test]
fn rtcp_of_the_peer_is_life_and_that_of_a_stranger_is_not() {
    let receiver_report = [0x80, 201, 0, 1, 0, 0, 0, 1];
    for (from, events) in [("192.0.2.2:5001", 0), (STRANGER, 1)] {
        let mut bench = Bench::new(&plan());
        for _ in 0..40 {
            bench.ticks(50);
            bench.session.handle_rtcp(bench.now, address(from), &receiver_report);
        }
        assert_eq!(bench.events().len(), events, "{from}");
    }
}

#[test]
fn a_hold_is_no_silence_and_its_end_starts_the_wait_anew() {
    let mut bench = Bench::new(&plan());
    bench.ticks(1000);
    for direction in [Direction::SendOnly, Direction::Inactive] {
        bench.session.set_plan(bench.now, &MediaPlan { direction, ..plan() });
        bench.ticks(3000);
    }
    bench.session.set_plan(bench.now, &plan());
    bench.ticks(1499);
    assert_eq!(bench.events(), []);
    bench.ticks(2);
    assert_eq!(bench.events().len(), 1);
}

#[test]
fn a_goodbye_of_the_true_source_only_shortens_the_wait() {
    let goodbye = |ssrc: u8| [0x80, 201, 0, 1, 0, 0, 0, ssrc, 0x81, 203, 0, 1, 0, 0, 0, ssrc];
    let control = "192.0.2.2:5001";
    for (from, ssrc, events) in [(control, 1, 1), (control, 2, 0), (STRANGER, 1, 0)] {
        let mut bench = Bench::new(&plan());
        stream(&mut bench, THERE, 1, 0, 10);
        bench.session.handle_rtcp(bench.now, address(from), &goodbye(ssrc));
        bench.ticks(249);
        assert_eq!(bench.events(), []);
        bench.ticks(3);
        assert_eq!(bench.events().len(), events, "{from} {ssrc}");
    }
    let mut bench = Bench::new(&plan());
    stream(&mut bench, THERE, 1, 0, 10);
    bench.session.handle_rtcp(bench.now, address(control), &goodbye(1));
    stream(&mut bench, THERE, 1, 10, 1);
    bench.ticks(1000);
    assert_eq!(bench.events(), [], "the stream went on");
}

proptest! {
    #[test]
    fn any_datagrams_keep_the_session_alive(
        datagrams in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..60), 0u8..4, any::<bool>()),
            0..100,
        ),
    ) {
        let mut bench = Bench::new(&plan());
        for (mut bytes, kind, stranger) in datagrams {
            let from = address(if stranger { STRANGER } else { THERE });
            if let Some([flags, payload_type, ..]) = bytes.first_chunk_mut::<3>() {
                *flags = *flags & 0x3f | 0x80;
                *payload_type = [0, 8, 96, 201][usize::from(kind)] | *payload_type & 0x80;
            }
            bench.session.handle(bench.now, from, &bytes);
            bench.session.handle_rtcp(bench.now, from, &bytes);
            prop_assert!(bench.tick().is_some());
            bench.events();
        }
        let heard = stream(&mut bench, THERE, 424_242, 0, 60);
        prop_assert!(is_loud(&heard[30 * 160..]));
    }
}

use super::*;

#[test]
fn audio_goes_to_the_remote_address_with_one_line_of_numbers() {
    let mut bench = Bench::new(&plan());
    let mut tone = Tone::new(440, 8000);
    let mut captured = [0; 160];
    let mut sent = Vec::new();
    for _ in 0..50 {
        tone.read(&mut captured);
        let packet = bench.tick_with(&captured, &mut [0; 160]).unwrap();
        let mut codes = [0; 160];
        Codec::Pcmu.encode(&captured, &mut codes);
        assert_eq!((packet.to, &packet.payload[..]), (address(THERE), &codes[..]));
        sent.push(packet.header);
    }
    for (place, header) in sent.iter().enumerate() {
        assert_eq!(header.ssrc, bench.session.ssrc());
        assert_eq!(header.sequence, sent[0].sequence.wrapping_add(place as u16));
        assert_eq!(header.timestamp, sent[0].timestamp.wrapping_add(place as u32 * 160));
        assert_eq!((header.marker, header.payload_type), (place == 0, 0));
    }
    assert_eq!(bench.report().sent, 50);
}

#[test]
fn the_first_numbers_follow_from_the_seed_alone() {
    let first = |seed| {
        let mut session = Session::new(&plan(), seed, START);
        Packet::parse(session.tick(START, &[], &mut []).unwrap().bytes).unwrap().header
    };
    let (one, two) = (first([1; 32]), first([2; 32]));
    assert_eq!(one, first([1; 32]));
    assert_ne!(one.ssrc, two.ssrc);
    assert_ne!(one.sequence, two.sequence);
    assert_ne!(one.timestamp, two.timestamp);
}

#[test]
fn nothing_captured_is_encoded_silence() {
    for (codec, code) in [(Codec::Pcmu, 0xff), (Codec::Pcma, 0xd5)] {
        let mut bench = Bench::new(&MediaPlan { codec, send_type: 8, ..plan() });
        assert_eq!(bench.tick().unwrap().payload, [code; 160]);
        let half = bench.tick_with(&[8000; 80], &mut []).unwrap();
        assert_eq!(half.payload[..80], [codec.encode_sample(8000); 80]);
        assert_eq!(half.payload[80..], [code; 80]);
    }
}

#[test]
fn mute_sends_encoded_silence_and_the_numbers_go_on() {
    let mut bench = Bench::new(&plan());
    let mut headers = Vec::new();
    for tick in 0..30 {
        bench.session.mute((10..20).contains(&tick));
        assert_eq!(bench.session.is_muted(), (10..20).contains(&tick));
        let packet = bench.tick_with(&[8000; 160], &mut []).unwrap();
        let code = if (10..20).contains(&tick) { 0xff } else { Codec::Pcmu.encode_sample(8000) };
        assert_eq!(packet.payload, [code; 160], "{tick}");
        headers.push(packet.header);
    }
    assert!(headers.windows(2).all(|pair| {
        pair[1].sequence == pair[0].sequence.wrapping_add(1)
            && pair[1].timestamp == pair[0].timestamp.wrapping_add(160)
            && !pair[1].marker
    }));
}

#[test]
fn nothing_is_sent_where_the_plan_does_not_send() {
    let quiet = [
        MediaPlan { direction: Direction::RecvOnly, ..plan() },
        MediaPlan { direction: Direction::Inactive, ..plan() },
        MediaPlan { remote: address("192.0.2.2:0"), ..plan() },
        MediaPlan { remote: address("0.0.0.0:5000"), ..plan() },
        MediaPlan { remote: address("[::]:5000"), ..plan() },
    ];
    for plan in quiet {
        assert_eq!(Bench::new(&plan).ticks(20), [], "{plan:?}");
    }
}

#[test]
fn hold_stops_the_packets_but_not_the_clock() {
    let mut bench = Bench::new(&plan());
    let before = bench.ticks(5).pop().unwrap().header;
    let held = MediaPlan { direction: Direction::Inactive, ..plan() };
    bench.session.set_plan(bench.now, &held);
    assert_eq!(bench.ticks(100), []);
    bench.session.set_plan(bench.now, &plan());
    let after = bench.tick().unwrap().header;
    assert_eq!(after.ssrc, before.ssrc);
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    assert_eq!(after.timestamp, before.timestamp.wrapping_add(101 * 160));
    assert!(after.marker, "a talk spurt begins");
    assert!(!bench.tick().unwrap().header.marker);
}

#[test]
fn a_plan_with_another_codec_changes_type_and_encoding_only() {
    let mut bench = Bench::new(&plan());
    let before = bench.tick().unwrap().header;
    let other = MediaPlan { codec: Codec::Pcma, send_type: 8, receive_type: 8, ..plan() };
    bench.session.set_plan(bench.now, &other);
    let after = bench.tick().unwrap();
    assert_eq!((after.header.payload_type, after.payload), (8, vec![0xd5; 160]));
    assert_eq!(after.header.sequence, before.sequence.wrapping_add(1));
    assert_eq!(after.header.timestamp, before.timestamp.wrapping_add(160));
    assert_eq!(after.header.ssrc, before.ssrc);
}

#[test]
fn frames_have_the_length_of_the_plan() {
    for (ptime_ms, frame) in [(10, 80), (20, 160), (30, 240), (60, 480), (200, 480)] {
        let mut bench = Bench::new(&MediaPlan { ptime_ms, ..plan() });
        assert_eq!(bench.session.frame(), frame);
        let first = bench.tick_with(&[0; 500], &mut [0; 500]).unwrap();
        let second = bench.tick().unwrap();
        assert_eq!(first.payload.len(), frame);
        assert_eq!(second.header.timestamp, first.header.timestamp.wrapping_add(frame as u32));
    }
}

#[test]
fn a_device_that_slept_moves_the_timestamps_over_the_gap() {
    let mut bench = Bench::new(&plan());
    let before = bench.ticks(2).pop().unwrap().header;
    bench.now += Duration::from_millis(980); // with the 20 ms of the tick itself, one second
    let after = bench.tick().unwrap().header;
    assert_eq!(after.timestamp, before.timestamp.wrapping_add(8000));
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    assert!(after.marker);
    bench.now += Duration::from_millis(100);
    let jittered = bench.tick().unwrap().header;
    assert_eq!(jittered.timestamp, after.timestamp.wrapping_add(160), "scheduling is no gap");
}

#[test]
fn nothing_is_sent_after_stop_but_the_goodbye() {
    let mut bench = Bench::new(&plan());
    bench.ticks(5);
    bench.session.stop();
    assert_eq!(bench.ticks(5), []);
    let mut playout = [7; 160];
    bench.tick_with(&[1; 160], &mut playout);
    assert_eq!(playout, [0; 160]);
    let now = bench.now;
    let goodbye = bench.session.poll_rtcp(now).unwrap();
    assert_eq!(goodbye.to, address("192.0.2.2:5001"));
    let compound = rtcp::Compound::parse(goodbye.bytes).unwrap();
    assert!(matches!(compound.packets().last(), Some(rtcp::Packet::Bye(_))));
    assert_eq!(bench.session.poll_rtcp(now + Duration::from_secs(60)), None);
}

#[test]
fn a_session_that_never_sent_says_no_goodbye() {
    let mut bench = Bench::new(&plan());
    bench.session.stop();
    assert_eq!(bench.session.poll_rtcp(bench.now + Duration::from_secs(60)), None);
}

#[test]
fn an_idle_session_does_nothing() {
    let mut bench = Bench { session: Session::idle(), now: START };
    let mut playout = [7; 160];
    assert_eq!(bench.tick_with(&[1; 160], &mut playout), None);
    assert_eq!(playout, [0; 160]);
    bench.receive(THERE, header(1, 0), &[0; 160]);
    bench.session.handle_rtcp(START, address(THERE), &[0x80, 201, 0, 1, 0, 0, 0, 7]);
    assert_eq!(bench.session.poll_rtcp(START), None);
    assert_eq!(bench.events(), []);
    assert_eq!(bench.report().received, 0);
    bench.session.start(&plan(), [7; 32], START);
    assert_eq!(bench.tick(), Bench::new(&plan()).tick());
    bench.session.start(&plan(), [7; 32], START);
    assert_eq!(bench.tick().unwrap().header, Bench::new(&plan()).tick().unwrap().header);
}

#[test]
fn a_session_costs_less_than_four_kilobytes() {
    assert!(size_of::<Session>() <= 4096, "{}", size_of::<Session>());
}

proptest! {
    #[test]
    fn the_line_never_breaks_whatever_happens(
        seed: [u8; 32],
        steps in prop::collection::vec(0u8..8, 1..200),
    ) {
        let mut session = Session::new(&plan(), seed, START);
        let mut now = START;
        let mut last: Option<Header> = None;
        let mut ticks = 0u32;
        let mut first = None;
        for step in steps {
            let direction = if step == 1 { Direction::RecvOnly } else { Direction::SendRecv };
            match step {
                0..=1 => session.set_plan(now, &MediaPlan { direction, ..plan() }),
                2 => session.mute(!session.is_muted()),
                3 => drop(session.send_digits("1#", Duration::from_millis(100))),
                4 => {
                    let codec = MediaPlan { codec: Codec::Pcma, send_type: 8, ..plan() };
                    session.set_plan(now, &codec);
                }
                _ => {}
            }
            for _ in 0..3 {
                if let Some(sent) = session.tick(now, &[], &mut []) {
                    let header = Packet::parse(sent.bytes).unwrap().header;
                    let base = *first.get_or_insert(header.timestamp.wrapping_sub(ticks * 160));
                    if header.payload_type != 101 {
                        prop_assert_eq!(header.timestamp, base.wrapping_add(ticks * 160));
                    }
                    if let Some(last) = last {
                        prop_assert_eq!(header.sequence, last.sequence.wrapping_add(1));
                        prop_assert_eq!(header.ssrc, last.ssrc);
                    }
                    last = Some(header);
                }
                ticks += 1;
                now += FRAME;
            }
        }
    }
}

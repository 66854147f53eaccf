use super::*;

const CONTROL: &str = "192.0.2.2:5001";

fn rtcp_times(bench: &mut Bench, seconds: u64) -> Vec<(Instant, Vec<u8>)> {
    let mut times = Vec::new();
    let end = bench.now + Duration::from_secs(seconds);
    while bench.now < end {
        bench.tick();
        let now = bench.now;
        if let Some(sent) = bench.session.poll_rtcp(now) {
            assert_eq!(sent.to, address(CONTROL));
            times.push((now, sent.bytes.to_vec()));
        }
    }
    times
}

#[test]
fn reports_are_sent_every_five_seconds_more_or_less() {
    let mut bench = Bench::new(&plan());
    let times = rtcp_times(&mut bench, 2000);
    let first = times[0].0.since(START).as_millis();
    assert!((1250..=3770).contains(&first), "{first}");
    let waits: Vec<_> = times.windows(2).map(|p| p[1].0.since(p[0].0).as_millis()).collect();
    assert!(waits.iter().all(|wait| (2500..=7520).contains(wait)), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait < 4000) && waits.iter().any(|wait| *wait > 6000));
    let mean = waits.iter().sum::<u64>() / waits.len() as u64;
    assert!((4700..5300).contains(&mean), "{mean}");
}

#[test]
fn a_sender_report_says_what_was_sent() {
    let mut bench = Bench::new(&plan());
    let (at, bytes) = rtcp_times(&mut bench, 5).remove(0);
    let packets: Vec<_> = rtcp::Compound::parse(&bytes).unwrap().packets().collect();
    let rtcp::Packet::SenderReport { ssrc, info, reports } = packets[0] else { panic!() };
    assert_eq!((ssrc, reports.iter().count()), (bench.session.ssrc(), 0));
    let ticks = at.since(START).as_millis() / 20;
    assert_eq!((u64::from(info.packets), u64::from(info.octets)), (ticks, ticks * 160));
    let micros = (info.ntp >> 32) * 1_000_000 + (((info.ntp & 0xffff_ffff) * 1_000_000) >> 32);
    assert!(micros.abs_diff(at.as_micros()) <= 1);
    let first = Bench::new(&plan()).tick().unwrap().header.timestamp;
    assert_eq!(info.timestamp, first.wrapping_add(ticks as u32 * 160));
    let rtcp::Packet::SourceDescription(chunks) = packets[1] else { panic!() };
    let chunk = chunks.iter().next().unwrap();
    let name = chunk.cname().unwrap();
    assert_eq!((chunk.ssrc, name.len()), (ssrc, 24));
    assert!(name.iter().all(u8::is_ascii_hexdigit));
}

#[test]
fn who_only_receives_sends_receiver_reports() {
    let mut bench = Bench::new(&MediaPlan { direction: Direction::RecvOnly, ..plan() });
    for sequence in (0..50).filter(|sequence| sequence % 5 != 4) {
        bench.receive(THERE, header(sequence, u32::from(sequence) * 160), &[0xff; 160]);
        bench.tick();
    }
    bench.receive(THERE, header(50, 8000), &[0xff; 160]);
    let (_, bytes) = rtcp_times(&mut bench, 5).remove(0);
    let packet = rtcp::Compound::parse(&bytes).unwrap().packets().next();
    let Some(rtcp::Packet::ReceiverReport { ssrc, reports }) = packet else { panic!() };
    assert_eq!(ssrc, bench.session.ssrc());
    let block = reports.iter().next().unwrap();
    assert_eq!((block.ssrc, block.highest_sequence), (77, 50));
    assert_eq!((block.cumulative_lost, block.fraction_lost), (10, (10 * 256 / 51) as u8));
    assert_eq!((block.last_sr, block.delay_since_last_sr), (0, 0));
}

fn compound_of(write: impl Fn(&mut rtcp::Writer<'_>)) -> Vec<u8> {
    let mut out = [0; 400];
    let mut writer = rtcp::Writer::new(&mut out);
    write(&mut writer);
    let length = writer.len();
    out[..length].to_vec()
}

#[test]
fn the_last_sender_report_of_the_peer_is_answered_with_its_age() {
    let mut bench = Bench::new(&plan());
    bench.receive(THERE, header(0, 0), &[0xff; 160]);
    let info = SenderInfo { ntp: 0x1234_5678_9abc_def0, ..SenderInfo::default() };
    let bytes = compound_of(|writer| writer.sender_report(77, &info, &[]).unwrap());
    let at = bench.now;
    bench.session.handle_rtcp(at, address(CONTROL), &bytes);
    let (sent_at, bytes) = rtcp_times(&mut bench, 5).remove(0);
    let packet = rtcp::Compound::parse(&bytes).unwrap().packets().next();
    let Some(rtcp::Packet::SenderReport { reports, .. }) = packet else { panic!() };
    let block = reports.iter().next().unwrap();
    assert_eq!(block.last_sr, 0x5678_9abc);
    let expected = sent_at.since(at).as_micros() * 65_536 / 1_000_000;
    assert!(expected.abs_diff(u64::from(block.delay_since_last_sr)) <= 1);
}

#[test]
fn only_a_true_report_gives_a_round_trip() {
    let mut bench = Bench::new(&plan());
    let (sent_at, bytes) = rtcp_times(&mut bench, 5).remove(0);
    let packet = rtcp::Compound::parse(&bytes).unwrap().packets().next();
    let Some(rtcp::Packet::SenderReport { info, .. }) = packet else { panic!() };
    let ours = bench.session.ssrc();
    let true_block = ReportBlock {
        ssrc: ours,
        cumulative_lost: -3,
        jitter: 80,
        last_sr: (info.ntp >> 16) as u32,
        delay_since_last_sr: 65_536 / 2,
        ..ReportBlock::default()
    };
    let now = sent_at + Duration::from_millis(600);
    let report = |bench: &mut Bench, from: &str, block: ReportBlock| {
        let bytes = compound_of(|writer| writer.receiver_report(77, &[block]).unwrap());
        bench.session.handle_rtcp(now, address(from), &bytes);
        bench.report()
    };
    assert_eq!(report(&mut bench, STRANGER, true_block).remote_lost, None);
    let other = ReportBlock { ssrc: ours ^ 1, ..true_block };
    assert_eq!(report(&mut bench, CONTROL, other).remote_lost, None);
    let unknown = ReportBlock { last_sr: true_block.last_sr ^ 1, ..true_block };
    assert_eq!(report(&mut bench, CONTROL, unknown).round_trip, None);
    let future = ReportBlock { delay_since_last_sr: 65_536, ..true_block };
    assert_eq!(report(&mut bench, CONTROL, future).round_trip, None);
    let measured = report(&mut bench, CONTROL, true_block);
    assert!(measured.round_trip.unwrap().as_micros().abs_diff(100_000) < 50);
    assert_eq!(measured.remote_lost, Some(-3));
    assert_eq!(measured.remote_jitter, Some(Duration::from_millis(10)));
}

#[test]
fn rtcp_garbage_is_counted() {
    let mut bench = Bench::new(&plan());
    for bytes in [&[][..], &[0x80, 201, 0, 9], &[0x80, 203, 0, 1, 0, 0, 0, 1]] {
        bench.session.handle_rtcp(bench.now, address(CONTROL), bytes);
    }
    assert_eq!(bench.report().invalid, 3);
}

#[test]
fn no_rtcp_goes_to_a_peer_without_an_address() {
    let mut bench = Bench::new(&MediaPlan { remote: address("0.0.0.0:5000"), ..plan() });
    bench.now += Duration::from_secs(60);
    assert_eq!(bench.session.poll_rtcp(bench.now), None);
}

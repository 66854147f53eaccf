//! The media path: G.711, RTP packets, the jitter buffer through a session, one stream a tick.
#![allow(missing_docs, clippy::unwrap_used)]

use core::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use sansip::media::{Session, Source, Tone};
use sansip::rtp::{Codec, Header, Packet};
use sansip::sdp::{Direction, MediaPlan};
use sansip::time::{Duration, Instant};

fn plan(direction: Direction) -> MediaPlan {
    MediaPlan {
        local: "192.0.2.1:4000".parse().unwrap(),
        remote: "192.0.2.2:5000".parse().unwrap(),
        remote_rtcp: "192.0.2.2:5001".parse().unwrap(),
        codec: Codec::Pcmu,
        send_type: 0,
        receive_type: 0,
        dtmf: None,
        ptime_ms: 20,
        direction,
    }
}

fn speech() -> [i16; 160] {
    let mut samples = [0; 160];
    Tone::new(440, 8000).read(&mut samples);
    samples
}

fn g711(criterion: &mut Criterion) {
    let samples = speech();
    for (name, codec) in [("pcmu", Codec::Pcmu), ("pcma", Codec::Pcma)] {
        let mut codes = [0; 160];
        criterion.bench_function(&format!("g711/encode 160 {name}"), |bencher| {
            bencher.iter(|| codec.encode(black_box(&samples), black_box(&mut codes)));
        });
        let mut decoded = [0; 160];
        criterion.bench_function(&format!("g711/decode 160 {name}"), |bencher| {
            bencher.iter(|| codec.decode(black_box(&codes), black_box(&mut decoded)));
        });
    }
}

fn packets(criterion: &mut Criterion) {
    let payload = [0xff; 160];
    let header = Header { sequence: 7, timestamp: 1120, ssrc: 9, ..Header::default() };
    let mut out = [0; 172];
    criterion.bench_function("rtp/build 172", |bencher| {
        bencher.iter(|| Packet::new(black_box(header), &payload).write(black_box(&mut out)));
    });
    criterion.bench_function("rtp/build head", |bencher| {
        bencher.iter(|| black_box(header).write(black_box(&mut out)).is_ok());
    });
    criterion.bench_function("rtp/parse 172", |bencher| {
        bencher.iter(|| Packet::parse(black_box(&out)).is_ok());
    });
}

/// A peer's stream: the same packet with the next numbers.
struct Peer {
    bytes: [u8; 172],
    header: Header,
}

impl Peer {
    fn new() -> Self {
        let mut bytes = [0x9a; 172];
        let header = Header { ssrc: 77, ..Header::default() };
        header.write(&mut bytes).unwrap();
        Self { bytes, header }
    }

    fn next(&mut self) -> &[u8] {
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(160);
        self.header.write(&mut self.bytes).unwrap();
        &self.bytes
    }
}

fn session(criterion: &mut Criterion) {
    let samples = speech();
    let frame = Duration::from_millis(20);
    let from = plan(Direction::SendRecv).remote;
    for (name, direction, captures) in [
        ("stream/in and out a tick", Direction::SendRecv, true),
        ("stream/in a tick", Direction::RecvOnly, false),
        ("stream/out a tick", Direction::SendOnly, true),
    ] {
        let mut session = Session::new(&plan(direction), [7; 32], Instant::ZERO);
        let mut peer = Peer::new();
        let mut now = Instant::ZERO;
        let mut playout = [0; 160];
        let captured: &[i16] = if captures { &samples } else { &[] };
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                now += frame;
                if direction.receives() {
                    session.handle(now, from, black_box(peer.next()));
                }
                let sent = session.tick(now, black_box(captured), black_box(&mut playout));
                black_box(sent.is_some())
            });
        });
    }
    let mut session = Session::new(&plan(Direction::RecvOnly), [7; 32], Instant::ZERO);
    let mut peer = Peer::new();
    let mut now = Instant::ZERO;
    criterion.bench_function("stream/handle and pass over", |bencher| {
        bencher.iter(|| {
            now += frame;
            session.handle(now, from, black_box(peer.next()));
            black_box(session.tick(now, &[], &mut []).is_some())
        });
    });
    criterion.bench_function("stream/every third packet lost", |bencher| {
        let mut playout = [0; 160];
        let mut count = 0u32;
        bencher.iter(|| {
            now += frame;
            count += 1;
            let bytes = peer.next();
            if !count.is_multiple_of(3) {
                session.handle(now, from, black_box(bytes));
            }
            black_box(session.tick(now, &[], &mut playout).is_some())
        });
    });
    criterion.bench_function("session/new", |bencher| {
        bencher.iter_batched(
            || plan(Direction::SendRecv),
            |plan| black_box(Session::new(&plan, [7; 32], Instant::ZERO)).ssrc(),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, g711, packets, session);
criterion_main!(benches);

//! How long SDP takes: the description of a usual phone, read, answered and offered.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use core::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sansip::sdp::{LocalMedia, Origin, Session, accept_answer, answer, write_offer};

const OFFER: &[u8] = b"v=0\r\n\
    o=100 3948223711 3948223711 IN IP4 127.0.0.1\r\n\
    s=sansip\r\n\
    c=IN IP4 127.0.0.1\r\n\
    t=0 0\r\n\
    m=audio 40000 RTP/AVP 0 8 9 111 101\r\n\
    a=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:9 G722/8000\r\n\
    a=rtpmap:111 opus/48000/2\r\n\
    a=fmtp:111 useinbandfec=1;minptime=10\r\n\
    a=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-16\r\n\
    a=ptime:20\r\n\
    a=maxptime:150\r\n\
    a=rtcp:40001 IN IP4 127.0.0.1\r\n\
    a=sendrecv\r\n";

fn sdp(criterion: &mut Criterion) {
    let local = LocalMedia::new("127.0.0.1:4000".parse().expect("an address"));
    let origin = Origin { session_id: 3_948_223_711, version: 1 };
    let mut buffer = [0; 512];
    let length = write_offer(&mut buffer, &local, origin).expect("room");
    let ours = buffer.get(..length).expect("written").to_vec();
    let (length, _) = answer(&ours, &local, origin, &mut buffer).expect("acceptable");
    let reply = buffer.get(..length).expect("written").to_vec();

    criterion.bench_function("sdp/parse", |bencher| {
        bencher.iter(|| Session::parse(black_box(OFFER)).expect("valid"));
    });
    criterion.bench_function("sdp/write_offer", |bencher| {
        bencher.iter(|| write_offer(&mut buffer, black_box(&local), origin).expect("room"));
    });
    criterion.bench_function("sdp/answer", |bencher| {
        bencher.iter(|| answer(black_box(OFFER), &local, origin, &mut buffer).expect("acceptable"));
    });
    criterion.bench_function("sdp/accept_answer", |bencher| {
        bencher.iter(|| accept_answer(&ours, black_box(&reply), &local).expect("acceptable"));
    });
}

criterion_group!(benches, sdp);
criterion_main!(benches);

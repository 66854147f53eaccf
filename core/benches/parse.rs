//! How long SIP messages take: framed, with the seven headers that a user agent reads of each,
//! and answered.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use core::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sansip::sip::{
    CSeq, Contact, Head, HeaderName, Message, NameAddr, ResponseOptions, Via, Writer,
};

const MESSAGES: [(&str, &[u8]); 4] = [
    ("invite", include_bytes!("messages/invite.sip")),
    ("ok", include_bytes!("messages/ok.sip")),
    ("register", include_bytes!("messages/register.sip")),
    ("bye", include_bytes!("messages/bye.sip")),
];

/// Top Via, From, To, Call-ID, CSeq, Max-Forwards and the first Contact, typed.
fn seven_headers(bytes: &[u8]) -> impl Sized {
    let message = Message::parse(bytes).expect("frames");
    let first = |name| message.values(name).next();
    (
        first(HeaderName::Via).map(|value| Via::parse(value).expect("valid")),
        message.header(HeaderName::From).map(|value| NameAddr::parse(value).expect("valid")),
        message.header(HeaderName::To).map(|value| NameAddr::parse(value).expect("valid")),
        message.header(HeaderName::CallId),
        message.header(HeaderName::CSeq).map(|value| CSeq::parse(value).expect("valid")),
        message.number(HeaderName::MaxForwards).expect("valid"),
        first(HeaderName::Contact).map(|value| Contact::parse(value).expect("valid")),
    )
}

fn parse(criterion: &mut Criterion) {
    for (name, bytes) in MESSAGES {
        let mut group = criterion.benchmark_group("parse");
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(format!("frame/{name}"), |bencher| {
            bencher.iter(|| Message::parse(black_box(bytes)).expect("frames"));
        });
        group.bench_function(format!("seven_headers/{name}"), |bencher| {
            bencher.iter(|| black_box(seven_headers(black_box(bytes))));
        });
        group.bench_function(format!("head/{name}"), |bencher| {
            bencher.iter(|| {
                let message = Message::parse(black_box(bytes)).expect("frames");
                black_box(Head::parse(&message).expect("valid"));
            });
        });
    }
}

fn respond(criterion: &mut Criterion) {
    let mut buffer = [0; 2048];
    let source = "198.51.100.7:5080".parse().ok();
    let plain = ResponseOptions { to_tag: Some(b"0123456789abcdef"), ..ResponseOptions::default() };
    let full = ResponseOptions { source, record_route: true, ..plain };
    let (_, invite) = MESSAGES[0];
    let request = Message::parse(invite).expect("frames");
    for (name, options) in [("plain", plain), ("received_and_record_route", full)] {
        criterion.bench_function(&format!("response_from/{name}"), |bencher| {
            bencher.iter(|| {
                let mut writer = Writer::new(&mut buffer);
                writer
                    .response_from(black_box(&request), 180, b"Ringing", &options)
                    .finish()
                    .expect("room")
            });
        });
    }
}

criterion_group!(benches, parse, respond);
criterion_main!(benches);

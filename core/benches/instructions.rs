//! Exact costs: each scenario runs a counted number of times, so that callgrind can say how many
//! instructions one time takes (`./ci.sh instructions`). Without callgrind it only runs.
//!
//! Callgrind collects inside [`counted_region`] alone and dumps its counts after each call of it;
//! what is printed here are the names of the dumps in their order.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use core::hint::black_box;

use sansip::endpoint::{Account, Action, Config, Endpoint, Input};
use sansip::media::{Session as Media, Source, Tone};
use sansip::path::Path;
use sansip::rtp::{Codec, Header};
use sansip::sdp::{Direction, LocalMedia, MediaPlan, Origin, Session, answer, write_offer};
use sansip::sip::{
    CSeq, Contact, Head, HeaderName, Message, NameAddr, ResponseOptions, Via, Writer,
};
use sansip::storage::{Limits, Storage};
use sansip::time::{Duration, Instant};
use support::Pair;

const INVITE: &[u8] = include_bytes!("messages/invite.sip");
const MESSAGES: [(&str, &[u8]); 4] = [
    ("invite", INVITE),
    ("ok", include_bytes!("messages/ok.sip")),
    ("register", include_bytes!("messages/register.sip")),
    ("bye", include_bytes!("messages/bye.sip")),
];

fn main() {
    parsing();
    descriptions();
    media();
    registration();
    for live in [10, 1_000, 10_000] {
        let mut pair = Pair::new(live);
        scenario(&format!("call/{live}_live"), 20, &mut || pair.call());
        assert_eq!(pair.a.endpoint.usage().calls, live);
    }
}

/// Run `once` a few times to warm up, then counted.
fn scenario(name: &str, times: u32, once: &mut dyn FnMut()) {
    for _ in 0..4 {
        once();
    }
    counted_region(times, once);
    println!("{name} {times}");
}

#[inline(never)]
fn counted_region(times: u32, once: &mut dyn FnMut()) {
    let mut left = black_box(times);
    while left > 0 {
        once();
        left -= 1;
    }
}

fn parsing() {
    for (name, bytes) in MESSAGES {
        scenario(&format!("parse/frame/{name}"), 100, &mut || {
            black_box(Message::parse(black_box(bytes)).expect("frames"));
        });
        scenario(&format!("parse/seven_headers/{name}"), 100, &mut || {
            black_box(seven_headers(black_box(bytes)));
        });
    }
    let request = Message::parse(INVITE).expect("frames");
    let mut buffer = [0; 2048];
    let options = ResponseOptions {
        to_tag: Some(b"0123456789abcdef"),
        source: "198.51.100.7:5080".parse().ok(),
        record_route: true,
    };
    scenario("write/response_from/invite", 100, &mut || {
        let mut writer = Writer::new(&mut buffer);
        writer
            .response_from(black_box(&request), 180, b"Ringing", &options)
            .finish()
            .expect("room");
    });
    scenario("parse/head_and_sdp/invite", 100, &mut || {
        let message = Message::parse(black_box(INVITE)).expect("frames");
        black_box(Head::parse(&message).expect("valid"));
        black_box(Session::parse(message.body()).expect("valid"));
    });
}

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

fn descriptions() {
    let body = Message::parse(INVITE).expect("frames").body();
    let local = LocalMedia::new("127.0.0.1:4000".parse().expect("an address"));
    let origin = Origin { session_id: 3_948_223_711, version: 1 };
    let mut buffer = [0; 512];
    scenario("sdp/parse", 100, &mut || {
        black_box(Session::parse(black_box(body)).expect("valid"));
    });
    scenario("sdp/write_offer", 100, &mut || {
        black_box(write_offer(&mut buffer, black_box(&local), origin).expect("room"));
    });
    scenario("sdp/answer", 100, &mut || {
        black_box(answer(black_box(body), &local, origin, &mut buffer).expect("acceptable"));
    });
}

fn media() {
    let mut samples = [0; 160];
    Tone::new(440, 8000).read(&mut samples);
    let mut codes = [0; 160];
    scenario("g711/encode_160", 100, &mut || {
        Codec::Pcmu.encode(black_box(&samples), black_box(&mut codes));
    });
    let mut decoded = [0; 160];
    scenario("g711/decode_160", 100, &mut || {
        Codec::Pcmu.decode(black_box(&codes), black_box(&mut decoded));
    });
    let plan = MediaPlan {
        local: "192.0.2.1:4000".parse().unwrap(),
        remote: "192.0.2.2:5000".parse().unwrap(),
        remote_rtcp: "192.0.2.2:5001".parse().unwrap(),
        codec: Codec::Pcmu,
        send_type: 0,
        receive_type: 0,
        dtmf: None,
        ptime_ms: 20,
        direction: Direction::SendRecv,
    };
    let mut now = Instant::ZERO;
    let mut session = Media::new(&plan, [7; 32], now);
    let mut header = Header { ssrc: 77, ..Header::default() };
    let mut packet = [0x9a; 172];
    scenario("media/in_and_out_a_tick", 100, &mut || {
        now += Duration::from_millis(20);
        header.sequence = header.sequence.wrapping_add(1);
        header.timestamp = header.timestamp.wrapping_add(160);
        header.write(&mut packet).unwrap();
        session.handle(now, plan.remote, black_box(&packet));
        let sent = session.tick(now, black_box(&samples), black_box(&mut decoded));
        black_box(sent.is_some());
    });
}

/// REGISTER, 401, REGISTER with digest, 200: the phone's side, and the responses written.
fn registration() {
    let local = "192.0.2.1:5060".parse().unwrap();
    let registrar = "192.0.2.9:5060".parse().unwrap();
    let path = Path::udp(local, registrar);
    let config = Config { local: Some(local), ..Config::default() };
    let mut endpoint = Endpoint::new(config, [1; 32], Storage::heap(Limits::calls(4)));
    let mut now = Instant::from_millis(1);
    let account = Account {
        identity: "sip:alice@192.0.2.9",
        registrar: "sip:192.0.2.9",
        password: "secret",
        ..Account::default()
    };
    let account = endpoint.add_account(now, account).unwrap();
    let mut sent = [0; 2048];
    let mut reply = [0; 2048];
    let mut requests = 0_u32;
    scenario("register/with_digest", 20, &mut || {
        now += Duration::from_secs(40);
        endpoint.register(now, account).unwrap();
        loop {
            let mut len = 0;
            while let Some(action) = endpoint.poll_action(now) {
                if let Action::Transmit { bytes, .. } = action {
                    len = bytes.len();
                    sent.get_mut(..len).unwrap().copy_from_slice(bytes);
                }
            }
            if len == 0 {
                break;
            }
            requests += 1;
            let len = registrar_answers(requests, sent.get(..len).unwrap(), &mut reply);
            let bytes = reply.get(..len).unwrap();
            endpoint.handle(now, Input::Message { path, bytes });
        }
    });
    assert_eq!(requests % 2, 0, "a challenge and a success each time");
}

fn registrar_answers(request_number: u32, request: &[u8], room: &mut [u8]) -> usize {
    let request = Message::parse(request).unwrap();
    let options = ResponseOptions { to_tag: Some(b"0123"), ..ResponseOptions::default() };
    let mut writer = Writer::new(room);
    if request_number % 2 == 1 {
        writer.response_from(&request, 401, b"Unauthorized", &options);
        writer.open(HeaderName::WwwAuthenticate).text(b"Digest realm=\"bench\", nonce=\"n");
        writer.number(request_number.into()).text(b"\", algorithm=MD5, qop=\"auth\"").close();
    } else {
        writer.response_from(&request, 200, b"OK", &options);
        writer.header(HeaderName::Contact, request.header(HeaderName::Contact).unwrap());
    }
    writer.finish().unwrap()
}

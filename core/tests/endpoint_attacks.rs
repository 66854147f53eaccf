//! What strangers and broken peers may do to an endpoint: it answers by the RFC or not at all, an
//! established call stays up, and all memory comes back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_core
)]

mod support;

use std::net::SocketAddr;

use sansip::call::State;
use sansip::endpoint::{Config, Input, Methods, Reason, Usage};
use sansip::path::Path;
use sansip::time::Instant;
use support::{A, B, Datagram, Heard, Node, Pair};

const MALLORY: &str = "203.0.113.66:5060";

fn mallory() -> SocketAddr {
    MALLORY.parse().unwrap()
}

/// A request as a stranger puts it together; every part can be replaced.
struct Forged {
    method: &'static str,
    uri: String,
    via: String,
    from: String,
    to: String,
    call_id: String,
    cseq: u32,
    more: String,
    body: String,
}

impl Forged {
    fn new(method: &'static str) -> Self {
        Self {
            method,
            uri: "sip:bob@192.0.2.2".to_owned(),
            via: format!("SIP/2.0/UDP {MALLORY};branch=z9hG4bKforged;rport"),
            from: "<sip:mallory@203.0.113.66>;tag=m".to_owned(),
            to: "<sip:bob@192.0.2.2>".to_owned(),
            call_id: "forged".to_owned(),
            cseq: 1,
            more: format!("Contact: <sip:mallory@{MALLORY}>\r\n"),
            body: String::new(),
        }
    }

    /// A request with the identifiers of one that was on the wire.
    fn like(method: &'static str, seen: &Datagram) -> Self {
        let cseq = seen.header("CSeq").split(' ').next().unwrap().parse().unwrap();
        Self {
            method,
            uri: seen.text().split(' ').nth(1).unwrap().to_owned(),
            via: seen.header("Via"),
            from: seen.header("From"),
            to: seen.header("To"),
            call_id: seen.header("Call-ID"),
            cseq,
            ..Self::new(method)
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let Self { method, uri, via, from, to, call_id, cseq, more, body } = self;
        let len = body.len();
        format!(
            "{method} {uri} SIP/2.0\r\nVia: {via}\r\nFrom: {from}\r\nTo: {to}\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{more}Content-Length: {len}\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

const OFFER: &str = "v=0\r\no=m 1 1 IN IP4 203.0.113.66\r\ns=-\r\nc=IN IP4 203.0.113.66\r\n\
                     t=0 0\r\nm=audio 6000 RTP/AVP 0\r\n";

trait Seen {
    fn header(&self, name: &str) -> String;
}

impl Seen for Datagram {
    fn header(&self, name: &str) -> String {
        let text = self.text();
        let line = text.lines().find(|line| line.starts_with(&format!("{name}: ")));
        line.unwrap_or_default().split_once(": ").unwrap_or_default().1.to_owned()
    }
}

/// What the endpoint answers to one message of a stranger.
fn answers(node: &mut Node, now: Instant, from: SocketAddr, bytes: &[u8]) -> Vec<String> {
    let before = node.sent.len();
    node.receive(now, from, bytes);
    node.sent[before..].iter().map(Datagram::label).collect()
}

fn answers_options(node: &mut Node, now: Instant) {
    let options = Forged { call_id: "alive".to_owned(), ..Forged::new("OPTIONS") };
    assert_eq!(answers(node, now, mallory(), &options.bytes()), ["200 OPTIONS"]);
}

/// The oracle of every attack on an established call: both sides answer, the call stands and can
/// be changed and ended, and then every table is empty.
fn assert_alive(pair: &mut Pair) {
    answers_options(&mut pair.a, pair.now);
    answers_options(&mut pair.b, pair.now);
    assert_eq!(pair.a.ended(), []);
    assert_eq!(pair.b.ended(), []);
    let call = pair.a.heard.iter().find_map(|heard| match heard {
        Heard::Established(call) => Some(*call),
        _ => None,
    });
    let call = call.expect("an established call");
    pair.run_s(200);
    let baseline = Usage { accounts: 1, calls: 1, dialogs: 1, ..Usage::default() };
    assert_eq!(pair.a.endpoint.usage(), baseline);
    assert_eq!(pair.b.endpoint.usage(), baseline);
    assert_eq!(pair.a.endpoint.view(call).unwrap().state, State::Established);
    pair.a.endpoint.hold(pair.now, call).unwrap();
    pair.run_s(1);
    pair.a.endpoint.resume(pair.now, call).unwrap();
    pair.run_s(1);
    pair.a.endpoint.hang_up(pair.now, call).unwrap();
    pair.run_s(100);
    assert_eq!(pair.a.ended(), [Reason::HungUp]);
    assert_eq!(pair.b.ended(), [Reason::PeerHungUp]);
    pair.assert_idle();
}

/// A call that rings at `b`.
fn ringing() -> (Pair, sansip::endpoint::CallId) {
    let mut pair = Pair::new();
    pair.call();
    pair.run_ms(100, |_| true);
    let incoming = pair.b.last_call();
    pair.b.endpoint.progress(pair.now, incoming, 180, None).unwrap();
    pair.run_ms(100, |_| true);
    (pair, incoming)
}

fn sent(node: &Node, label: &str) -> Datagram {
    node.sent.iter().rfind(|datagram| datagram.label() == label).expect(label).clone()
}

// CANCEL

#[test]
fn a_cancel_ends_only_the_call_of_whoever_sent_its_invite() {
    let (mut pair, incoming) = ringing();
    let invite = sent(&pair.a, "INVITE");
    let right = Forged { to: "<sip:bob@192.0.2.2>".to_owned(), ..Forged::like("CANCEL", &invite) };
    let forged = [
        Forged { via: right.via.replace("z9hG4bK", "z9hG4bK0"), ..Forged::like("CANCEL", &invite) },
        Forged { call_id: "other".to_owned(), ..Forged::like("CANCEL", &invite) },
        Forged {
            from: "<sip:alice@192.0.2.1>;tag=x".to_owned(),
            ..Forged::like("CANCEL", &invite)
        },
        Forged { cseq: right.cseq + 1, ..Forged::like("CANCEL", &invite) },
    ];
    for cancel in forged {
        let from = pair.a.address;
        assert_eq!(answers(&mut pair.b, pair.now, from, &cancel.bytes()), ["481 CANCEL"]);
    }
    // all of it right, but from elsewhere
    assert_eq!(answers(&mut pair.b, pair.now, mallory(), &right.bytes()), ["481 CANCEL"]);
    assert_eq!(pair.b.endpoint.view(incoming).unwrap().state, State::Ringing);
    let from = pair.a.address;
    let answered = answers(&mut pair.b, pair.now, from, &right.bytes());
    assert_eq!(answered, ["200 CANCEL", "487 INVITE"]);
    assert_eq!(pair.b.ended(), [Reason::CallerGaveUp]);
}

#[test]
fn a_cancel_with_require_is_not_refused() {
    let (mut pair, _) = ringing();
    let invite = sent(&pair.a, "INVITE");
    let cancel =
        Forged { more: "Require: nothing\r\n".to_owned(), ..Forged::like("CANCEL", &invite) };
    let from = pair.a.address;
    let answered = answers(&mut pair.b, pair.now, from, &cancel.bytes());
    assert_eq!(answered, ["200 CANCEL", "487 INVITE"]);
}

#[test]
fn a_cancel_after_the_final_response_changes_nothing() {
    let mut pair = Pair::new();
    pair.established();
    let invite = sent(&pair.a, "INVITE");
    let from = pair.a.address;
    let cancel = Forged::like("CANCEL", &invite).bytes();
    for _ in 0..3 {
        assert_eq!(answers(&mut pair.b, pair.now, from, &cancel), ["200 CANCEL"]);
    }
    pair.run_s(60);
    assert_eq!(answers(&mut pair.b, pair.now, from, &cancel), ["481 CANCEL"]);
    assert_alive(&mut pair);
}

#[test]
fn a_repeated_cancel_gets_its_200_while_the_invite_lingers() {
    let (mut pair, _) = ringing();
    let invite = sent(&pair.a, "INVITE");
    let from = pair.a.address;
    let cancel = Forged::like("CANCEL", &invite).bytes();
    answers(&mut pair.b, pair.now, from, &cancel);
    assert_eq!(answers(&mut pair.b, pair.now, from, &cancel), ["200 CANCEL"]);
    assert_eq!(pair.b.ended(), [Reason::CallerGaveUp]);
}

#[test]
fn a_cancel_of_something_else_than_an_invite_is_refused() {
    let config = Config { methods: Methods::MESSAGE, ..Config::default() };
    let mut node = Node::new(B, 2, config);
    let now = Instant::ZERO;
    node.account(now, "sip:bob@192.0.2.2", "");
    assert_eq!(answers(&mut node, now, mallory(), &Forged::new("MESSAGE").bytes()), [""; 0]);
    assert!(matches!(node.heard[..], [Heard::Request(..)]));
    let cancel = Forged::new("CANCEL").bytes();
    assert_eq!(answers(&mut node, now, mallory(), &cancel), ["481 CANCEL"]);
}

// ACK

#[test]
fn an_ack_for_nothing_is_never_answered() {
    let mut pair = Pair::new();
    pair.established();
    let ack = sent(&pair.a, "ACK");
    let strays = [
        Forged::new("ACK"),
        Forged { cseq: 77, ..Forged::like("ACK", &ack) },
        Forged { body: OFFER.to_owned(), ..Forged::like("ACK", &ack) },
        Forged { to: "<sip:bob@192.0.2.2>;tag=1".to_owned(), ..Forged::like("ACK", &ack) },
        Forged { more: "Require: x\r\n".to_owned(), ..Forged::like("ACK", &ack) },
        Forged { uri: "tel:1".to_owned(), ..Forged::like("ACK", &ack) },
        Forged { call_id: "a b c".to_owned(), ..Forged::like("ACK", &ack) },
    ];
    for stray in strays {
        let from = pair.a.address;
        assert_eq!(answers(&mut pair.b, pair.now, from, &stray.bytes()), [""; 0]);
    }
    assert_alive(&mut pair);
}

#[test]
fn only_the_right_ack_silences_a_200() {
    let (mut pair, incoming) = ringing();
    let media = Pair::media(&pair.b);
    pair.b.endpoint.answer(pair.now, incoming, media).unwrap();
    pair.run_ms(30, |datagram| datagram.label() != "ACK");
    let ack = sent(&pair.a, "ACK");
    let from = pair.a.address;
    for wrong in [
        Forged { cseq: 1, ..Forged::like("ACK", &ack) },
        Forged { to: format!("{}0", ack.header("To")), ..Forged::like("ACK", &ack) },
        Forged { from: format!("{}0", ack.header("From")), ..Forged::like("ACK", &ack) },
        Forged { call_id: "other".to_owned(), ..Forged::like("ACK", &ack) },
    ] {
        pair.b.receive(pair.now, from, &wrong.bytes());
        assert_eq!(pair.b.endpoint.view(incoming).unwrap().state, State::Answered);
    }
    pair.b.receive(pair.now, from, &ack.bytes);
    assert_eq!(pair.b.endpoint.view(incoming).unwrap().state, State::Established);
}

// calls that end while something is open

#[test]
fn a_call_hung_up_before_its_ack_and_by_the_peer_as_well_leaves_nothing() {
    let (mut pair, incoming) = ringing();
    let media = Pair::media(&pair.b);
    pair.b.endpoint.answer(pair.now, incoming, media).unwrap();
    pair.b.endpoint.hang_up(pair.now, incoming).unwrap();
    pair.run_ms(30, |datagram| datagram.label() != "ACK");
    let call = pair.a.heard.iter().find_map(|heard| match heard {
        Heard::Established(call) => Some(*call),
        _ => None,
    });
    pair.a.endpoint.hang_up(pair.now, call.unwrap()).unwrap();
    pair.run_ms(100_000, |datagram| datagram.label() != "ACK");
    assert_eq!(pair.b.ended(), [Reason::HungUp]);
    pair.assert_idle();
}

#[test]
fn a_bye_from_a_callee_that_has_not_answered_leaves_no_open_invite() {
    let (mut pair, _) = ringing();
    let ringing = sent(&pair.b, "180 INVITE");
    let invite = sent(&pair.a, "INVITE");
    let bye = Forged {
        uri: "sip:alice@192.0.2.1".to_owned(),
        via: format!("SIP/2.0/UDP {B};branch=z9hG4bKearly;rport"),
        from: ringing.header("To"),
        to: invite.header("From"),
        cseq: 9,
        ..Forged::like("BYE", &invite)
    };
    let from = pair.b.address;
    let answered = answers(&mut pair.a, pair.now, from, &bye.bytes());
    assert_eq!(answered, ["200 BYE", "CANCEL"]);
    pair.run_s(100);
    pair.assert_idle();
}

#[test]
fn a_change_that_the_peer_only_ever_tries_is_given_up() {
    let mut pair = Pair::new();
    let (call, _) = pair.established();
    pair.a.endpoint.hold(pair.now, call).unwrap();
    pair.run_ms(5, |_| true);
    let invite = sent(&pair.a, "INVITE");
    let trying = format!(
        "SIP/2.0 100 Trying\r\nVia: {}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Content-Length: 0\r\n\r\n",
        invite.header("Via"),
        invite.header("From"),
        invite.header("To"),
        invite.header("Call-ID"),
        invite.header("CSeq"),
    );
    let from = pair.b.address;
    pair.a.receive(pair.now, from, trying.as_bytes());
    pair.run_ms(400_000, |datagram| datagram.from != from);
    assert_eq!(pair.a.ended(), [Reason::TimedOut]);
    pair.run_s(100);
    assert_eq!(pair.a.endpoint.usage(), Usage { accounts: 1, ..Usage::default() });
    assert_eq!(pair.a.endpoint.poll_timeout(), None);
}

#[test]
fn a_lost_ack_before_a_second_change_does_not_end_the_call() {
    let mut pair = Pair::new();
    let (call, _) = pair.established();
    pair.a.endpoint.hold(pair.now, call).unwrap();
    let mut lost = 0;
    pair.run_ms(100, |datagram| {
        let ack = datagram.label() == "ACK";
        lost += usize::from(ack);
        !ack
    });
    assert_eq!(lost, 1);
    pair.a.endpoint.resume(pair.now, call).unwrap();
    pair.run_s(100);
    assert_alive(&mut pair);
}

#[test]
fn an_old_try_that_fails_late_does_not_end_the_call() {
    let mut pair = Pair::new();
    let (call, _) = pair.established();
    pair.b.endpoint.hold(pair.now, pair.b.last_call()).unwrap();
    pair.a.endpoint.hold(pair.now, call).unwrap();
    pair.run_ms(50, |_| true); // 491 on both sides: those INVITEs linger
    for node in [&mut pair.a, &mut pair.b] {
        let remote = if node.address == A.parse().unwrap() { B } else { A };
        let path = Path::udp(node.address, remote.parse().unwrap());
        node.endpoint.handle(pair.now, Input::SendFailed { path });
        node.drain(pair.now);
    }
    pair.run_s(10);
    pair.a.endpoint.resume(pair.now, call).unwrap();
    pair.run_s(1);
    assert_eq!(pair.a.ended(), []);
    assert_eq!(pair.b.ended(), []);
}

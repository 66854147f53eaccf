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
use sansip::endpoint::{CallId, Config, Input, Methods, OutgoingCall, Reason, Usage};
use sansip::path::Path;
use sansip::time::{Duration, Instant};
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

    /// An INVITE with an offer, the `n`th of many.
    fn invite(n: usize) -> Self {
        Self {
            via: format!("SIP/2.0/UDP {MALLORY};branch=z9hG4bKforged{n};rport"),
            call_id: format!("forged{n}"),
            more: format!("Contact: <sip:mallory@{MALLORY}>\r\nContent-Type: application/sdp\r\n"),
            body: OFFER.to_owned(),
            ..Self::new("INVITE")
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

// responses

/// A response to a request that was on the wire.
fn response(request: &Datagram, status: u16, tag: &str, more: &str) -> String {
    let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    format!(
        "SIP/2.0 {status} Forged\r\nVia: {}\r\nFrom: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\n\
         CSeq: {}\r\n{more}Content-Length: 0\r\n\r\n",
        request.header("Via"),
        request.header("From"),
        request.header("To"),
        request.header("Call-ID"),
        request.header("CSeq"),
    )
}

/// A call that has sent its INVITE, which nobody received.
fn calling() -> (Pair, CallId, Datagram) {
    let mut pair = Pair::new();
    let call = pair.call();
    pair.run_ms(20, |_| false);
    let invite = sent(&pair.a, "INVITE");
    (pair, call, invite)
}

#[test]
fn a_response_that_is_not_to_us_changes_nothing() {
    let (mut pair, call, invite) = calling();
    let right = response(&invite, 200, "t", "Contact: <sip:m@203.0.113.66>\r\n");
    let via = format!("Via: {}\r\n", invite.header("Via"));
    let cseq = invite.header("CSeq");
    let number: u32 = cseq.split(' ').next().unwrap().parse().unwrap();
    let wrong = [
        right.replace("branch=z9hG4bK", "branch=z9hG4bK0"),
        right.replace("branch=z9hG4bK", "branch="),
        right.replace(";branch=", ";brunch="),
        right.replace(&via, &format!("{via}{via}")),
        right.replace("Via: SIP/2.0/UDP 192.0.2.1:5060", "Via: SIP/2.0/UDP 192.0.2.1:5061"),
        right.replace("Via: SIP/2.0/UDP 192.0.2.1:5060", "Via: SIP/2.0/UDP 192.0.2.7:5060"),
        right.replace(&format!("CSeq: {cseq}"), &format!("CSeq: {} INVITE", number + 1)),
        right.replace(&format!("CSeq: {cseq}"), &format!("CSeq: {number} BYE")),
        right.replace(&format!("CSeq: {cseq}"), &format!("CSeq: {number} CANCEL")),
        right.replace(&via, ""),
        right.replace("SIP/2.0 200", "SIP/2.0 099"),
        right.replace("SIP/2.0 200", "SIP/2.0 700"),
    ];
    let usage = pair.a.endpoint.usage();
    // the last digit of the branch, each of the others
    let random = invite.header("Via").split("z9hG4bK").nth(1).unwrap()[..24].to_owned();
    let guesses = (0..24).map(|place| {
        let mut guess = random.clone().into_bytes();
        guess[place] = if guess[place] == b'0' { b'1' } else { b'0' };
        right.replace(&random, &String::from_utf8(guess).unwrap())
    });
    for text in wrong.into_iter().chain(guesses) {
        assert_eq!(answers(&mut pair.a, pair.now, mallory(), text.as_bytes()), [""; 0], "{text}");
        assert_eq!(pair.a.heard, [], "{text}");
        assert_eq!(pair.a.endpoint.usage(), usage, "{text}");
    }
    // and it was these differences that mattered
    pair.b.address = mallory();
    pair.a.receive(pair.now, mallory(), right.as_bytes());
    assert_eq!(pair.a.heard, [Heard::Ended(call, Reason::NotAcceptable)]);
}

#[test]
fn a_flood_of_provisional_responses_with_new_tags_is_bounded() {
    let (mut pair, call, invite) = calling();
    let from = pair.b.address;
    for n in 0..10_000 {
        let contact = format!("Contact: <sip:fork{n}@192.0.2.2>\r\n");
        let ringing = response(&invite, 180 + n % 4, &format!("fork{n}"), &contact);
        pair.a.receive(pair.now, from, ringing.as_bytes());
        let usage = pair.a.endpoint.usage();
        assert!(usage.calls == 1 && usage.dialogs <= 2, "{usage:?}");
        assert_eq!((usage.transactions, usage.buffers), (1, 1));
    }
    assert_eq!(pair.a.heard.len(), 10_000);
    // none of it shuts a second call out, in or out
    answers_options(&mut pair.a, pair.now);
    pair.a.receive(pair.now, mallory(), &Forged::invite(1).bytes());
    assert!(matches!(pair.a.heard.last(), Some(Heard::Incoming(_))));
    pair.a.endpoint.hang_up(pair.now, call).unwrap();
    let incoming = pair.a.last_call();
    pair.a.endpoint.reject(pair.now, incoming, 486).unwrap();
    pair.run_ms(200_000, |_| false);
    assert_eq!(pair.a.endpoint.usage(), Usage { accounts: 1, ..Usage::default() });
}

#[test]
fn a_flood_of_forks_that_answer_makes_one_call_and_a_few_byes() {
    let (mut pair, call, invite) = calling();
    let from = pair.b.address;
    let sdp = OFFER.replace("203.0.113.66", "192.0.2.2");
    for n in 0..2000 {
        let contact =
            format!("Contact: <sip:fork{n}@192.0.2.2>\r\nContent-Type: application/sdp\r\n");
        let accepted = response(&invite, 200, &format!("fork{n}"), &contact);
        let accepted = accepted.replace(
            "Content-Length: 0\r\n\r\n",
            &format!("Content-Length: {}\r\n\r\n", sdp.len()),
        ) + &sdp;
        pair.a.receive(pair.now, from, accepted.as_bytes());
    }
    let labels = pair.a.labels();
    let count = |label: &str| labels.iter().filter(|own| *own == label).count();
    assert_eq!(count("ACK"), 2000);
    assert!(count("BYE") <= 8, "{}", count("BYE"));
    let established = |heard: &&Heard| matches!(heard, Heard::Established(_));
    assert_eq!(pair.a.heard.iter().filter(established).count(), 1);
    assert_eq!(pair.a.ended(), []);
    pair.a.endpoint.hang_up(pair.now, call).unwrap();
    pair.run_ms(100_000, |_| false);
    assert_eq!(pair.a.endpoint.usage(), Usage { accounts: 1, ..Usage::default() });
}

#[test]
fn a_2xx_is_acknowledged_as_often_as_it_comes() {
    let (mut pair, incoming) = ringing();
    let media = Pair::media(&pair.b);
    pair.b.endpoint.answer(pair.now, incoming, media).unwrap();
    pair.run_ms(31_900, |datagram| datagram.label() != "ACK");
    let count = |node: &Node, label: &str| node.labels().iter().filter(|l| *l == label).count();
    let times = count(&pair.b, "200 INVITE");
    assert_eq!(times, 11);
    assert_eq!(count(&pair.a, "ACK"), times);
    let acks: Vec<_> = pair.a.sent.iter().filter(|sent| sent.label() == "ACK").collect();
    assert!(acks.iter().all(|ack| ack.bytes == acks[0].bytes));
}

#[test]
fn a_redirection_is_told_and_not_followed() {
    for contacts in [
        "Contact: <sip:alice@192.0.2.1>\r\n".to_owned(),
        "Contact: <tel:+1900555>, <sips:bob@192.0.2.2>, <http://x>\r\n".to_owned(),
        (0..30).fold(String::new(), |all, n| all + &format!("Contact: <sip:{n}@127.0.0.1>\r\n")),
    ] {
        let (mut pair, call, invite) = calling();
        let moved = response(&invite, 302, "t", &contacts);
        let from = pair.b.address;
        assert_eq!(answers(&mut pair.a, pair.now, from, moved.as_bytes()), ["ACK"]);
        assert_eq!(pair.a.heard, [Heard::Ended(call, Reason::Rejected(302))]);
        pair.run_ms(100_000, |_| false);
        assert_eq!(pair.a.endpoint.usage(), Usage { accounts: 1, ..Usage::default() });
    }
}

// requests inside a call, from elsewhere

#[test]
fn guessed_tags_reach_no_call() {
    let mut pair = Pair::new();
    pair.established();
    let ack = sent(&pair.a, "ACK");
    let tag = ack.header("To").split("tag=").nth(1).unwrap().to_owned();
    assert_eq!(tag.len(), 24, "a slot and 64 random bits");
    let plans = pair.b.plans();
    let other = |text: &str, place: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
        String::from_utf8(bytes).unwrap()
    };
    let mut forged = vec![
        Forged { call_id: "other".to_owned(), ..Forged::like("BYE", &ack) },
        Forged { from: "<sip:alice@192.0.2.1>".to_owned(), ..Forged::like("BYE", &ack) },
        Forged { from: format!("{}0", ack.header("From")), ..Forged::like("BYE", &ack) },
        Forged { to: "<sip:bob@192.0.2.2>;tag=".to_owned(), ..Forged::like("BYE", &ack) },
        Forged { to: "<sip:bob@192.0.2.2>;tag=0".to_owned(), ..Forged::like("BYE", &ack) },
    ];
    for place in 0..24 {
        let to = ack.header("To").replace(&tag, &other(&tag, place));
        forged.push(Forged { to, ..Forged::like("BYE", &ack) });
    }
    for (n, bye) in forged.into_iter().enumerate() {
        let via = format!("SIP/2.0/UDP {MALLORY};branch=z9hG4bKguess{n};rport");
        let bye = Forged { cseq: 1_000_000_000, via, ..bye };
        let method = if n % 2 == 0 { "BYE" } else { "INVITE" };
        let sdp = format!("Contact: <sip:mallory@{MALLORY}>\r\nContent-Type: application/sdp\r\n");
        let forged = Forged { method, more: sdp, body: OFFER.to_owned(), ..bye };
        let answered = answers(&mut pair.b, pair.now, mallory(), &forged.bytes());
        let refused = [format!("481 {method}")];
        // without a value the tag is malformed
        assert!(answered == refused || answered == [format!("400 {method}")], "{answered:?}");
    }
    assert_eq!(pair.b.plans(), plans, "media is untouched");
    assert_alive(&mut pair);
}

#[test]
fn a_replayed_or_older_request_inside_a_call_is_refused() {
    let mut pair = Pair::new();
    let (call, _) = pair.established();
    pair.a.endpoint.hold(pair.now, call).unwrap();
    pair.run_s(1);
    let change = pair.a.sent.iter().filter(|sent| sent.label() == "INVITE").nth(1).unwrap().clone();
    pair.run_s(60);
    pair.a.endpoint.resume(pair.now, call).unwrap();
    pair.run_s(60);
    let plans = pair.b.plans().len();
    // recorded and sent again, when nothing remembers it but the number
    assert_eq!(answers(&mut pair.b, pair.now, mallory(), &change.bytes), ["500 INVITE"]);
    for method in ["BYE", "INFO", "OPTIONS"] {
        let old = Forged { cseq: 1, ..Forged::like(method, &change) };
        let answered = answers(&mut pair.b, pair.now, mallory(), &old.bytes());
        assert_eq!(answered, [format!("500 {method}")]);
    }
    assert_eq!(pair.b.plans().len(), plans);
    assert_alive(&mut pair);
}

#[test]
fn every_method_inside_a_call_has_an_answer_in_every_state() {
    let expected = [
        ("OPTIONS", "200"),
        ("PRACK", "405"),
        ("UPDATE", "405"),
        ("INFO", "405"),
        ("MESSAGE", "405"),
        ("REFER", "405"),
        ("NOTIFY", "405"),
        ("SUBSCRIBE", "405"),
        ("PUBLISH", "405"),
        ("REGISTER", "405"),
        ("FOO", "501"),
    ];
    // ringing, answered, established, hung up by us with the BYE unanswered
    for stage in 0..4 {
        let (mut pair, incoming) = ringing();
        let to = sent(&pair.b, "180 INVITE").header("To");
        let invite = sent(&pair.a, "INVITE");
        if stage > 0 {
            let media = Pair::media(&pair.b);
            pair.b.endpoint.answer(pair.now, incoming, media).unwrap();
            pair.run_ms(100, |datagram| stage > 1 || datagram.label() != "ACK");
        }
        if stage > 2 {
            pair.b.endpoint.hang_up(pair.now, incoming).unwrap();
            pair.run_ms(5, |_| false);
        }
        let from = pair.a.address;
        let mut cseq = Forged::like("OPTIONS", &invite).cseq + 10;
        let mut ask = |pair: &mut Pair, method: &'static str, body: &str| {
            cseq += 1;
            let via = format!("SIP/2.0/UDP {A};branch=z9hG4bKinside{cseq};rport");
            let more = "Contact: <sip:alice@192.0.2.1>\r\nContent-Type: application/sdp\r\n";
            let request = Forged {
                via,
                to: to.clone(),
                cseq,
                more: more.to_owned(),
                body: body.to_owned(),
                ..Forged::like(method, &invite)
            };
            answers(&mut pair.b, pair.now, from, &request.bytes())
        };
        for (method, status) in expected {
            let answered = ask(&mut pair, method, "");
            assert_eq!(answered, [format!("{status} {method}")], "stage {stage}");
        }
        let reinvited = ask(&mut pair, "INVITE", "");
        let status = ["500 INVITE", "200 INVITE", "200 INVITE", "481 INVITE"][stage];
        assert_eq!(reinvited, [status], "stage {stage}");
        let answered = ask(&mut pair, "BYE", "");
        assert!(answered.contains(&"200 BYE".to_owned()), "stage {stage}: {answered:?}");
        assert_eq!(ask(&mut pair, "INVITE", ""), ["481 INVITE"], "stage {stage}");
        assert_eq!(pair.b.ended().len(), 1, "stage {stage}");
        pair.run_ms(200_000, |_| false);
        assert_eq!(pair.b.endpoint.usage(), Usage { accounts: 1, ..Usage::default() });
        assert_eq!(pair.b.endpoint.poll_timeout(), None);
    }
}

#[test]
fn nobody_makes_us_call_out_or_answer_for_another() {
    let mut pair = Pair::new();
    pair.established();
    let refer = "Refer-To: <sip:premium@203.0.113.66>\r\nContact: <sip:m@203.0.113.66>\r\n";
    let refer = Forged { more: refer.to_owned(), ..Forged::new("REFER") };
    assert_eq!(answers(&mut pair.b, pair.now, mallory(), &refer.bytes()), ["405 REFER"]);
    for (n, require) in ["replaces", "join", "100rel", "tdialog"].iter().enumerate() {
        let more = format!("Require: {require}\r\nContact: <sip:m@203.0.113.66>\r\n");
        let invite = Forged { more, ..Forged::invite(n) };
        assert_eq!(answers(&mut pair.b, pair.now, mallory(), &invite.bytes()), ["420 INVITE"]);
    }
    for (method, status) in [
        ("SUBSCRIBE", "405"),
        ("NOTIFY", "405"),
        ("MESSAGE", "405"),
        ("PUBLISH", "405"),
        ("REGISTER", "405"),
        ("PRACK", "481"),
        ("UPDATE", "481"),
        ("BYE", "481"),
    ] {
        let answered = answers(&mut pair.b, pair.now, mallory(), &Forged::new(method).bytes());
        assert_eq!(answered, [format!("{status} {method}")]);
    }
    assert_alive(&mut pair);
}

#[test]
fn nothing_is_ever_sent_to_broadcast_or_multicast() {
    for target in ["255.255.255.255", "224.0.1.75", "0.0.0.0", "[ff02::1]", "[::]"] {
        for more in [
            format!("Contact: <sip:m@{target}:5060>\r\n"),
            format!("Contact: <sip:m@203.0.113.66;maddr={target}>\r\n"),
            format!("Contact: <sip:m@203.0.113.66>\r\nRecord-Route: <sip:{target};lr>\r\n"),
        ] {
            let mut node = Node::new(B, 2, Config::default());
            let mut now = Instant::ZERO;
            node.account(now, "sip:bob@192.0.2.2", "");
            let via = format!(
                "SIP/2.0/UDP {target}:5060;branch=z9hG4bK1;maddr={target};received={target}"
            );
            let invite = Forged { more, via, ..Forged::new("INVITE") };
            node.receive(now, mallory(), &invite.bytes());
            let call = node.last_call();
            let media = Pair::media(&node);
            node.endpoint.answer(now, call, media).unwrap();
            node.endpoint.hang_up(now, call).unwrap();
            for _ in 0..100 {
                node.drain(now);
                now += Duration::from_secs(1);
            }
            assert!(node.labels().contains(&"BYE".to_owned()));
            for sent in &node.sent {
                assert_eq!(sent.to.ip(), mallory().ip(), "{}", sent.text());
            }
        }
    }
}

#[test]
fn odd_hops_and_routes_are_processed_as_the_rfc_says() {
    let now = Instant::ZERO;
    let routes = (0..100).fold(String::new(), |all, n| all + &format!("Route: <sip:{n}.x;lr>\r\n"));
    for more in [
        "Max-Forwards: 0\r\n".to_owned(),
        "Route: <sip:192.0.2.2;lr>\r\n".to_owned(),
        "Proxy-Require: foo\r\n".to_owned(),
        routes,
    ] {
        let mut node = Node::new(B, 2, Config::default());
        node.account(now, "sip:bob@192.0.2.2", "");
        let options = Forged { more, ..Forged::new("OPTIONS") };
        assert_eq!(answers(&mut node, now, mallory(), &options.bytes()), ["200 OPTIONS"]);
    }
}

#[test]
fn a_call_to_ourselves_ends_as_any_other() {
    let mut node = Node::new(B, 2, Config::default());
    let mut now = Instant::ZERO;
    let account = node.account(now, "sip:bob@192.0.2.2", "");
    let call = OutgoingCall {
        account,
        target: "sip:bob@192.0.2.2",
        media: Pair::media(&node),
        late_offer: false,
        headers: &[],
    };
    let call = node.endpoint.call(now, call).unwrap();
    let turn = |node: &mut Node, now: &mut Instant, seconds: u64| {
        for _ in 0..seconds * 100 {
            node.drain(*now);
            let own = node.address;
            for datagram in node.take_outbox() {
                node.receive(*now, own, &datagram.bytes);
            }
            *now += Duration::from_millis(10);
        }
    };
    turn(&mut node, &mut now, 1);
    let incoming = node.last_call();
    let media = Pair::media(&node);
    node.endpoint.answer(now, incoming, media).unwrap();
    turn(&mut node, &mut now, 1);
    assert!(node.heard.contains(&Heard::Established(call)));
    node.endpoint.hang_up(now, call).unwrap();
    turn(&mut node, &mut now, 100);
    assert_eq!(node.ended().len(), 2);
    assert_eq!(node.endpoint.usage(), Usage { accounts: 1, ..Usage::default() });
}

//! What strangers and broken peers may do to an endpoint: it answers by the RFC or not at all, an
//! established call stays up, and all memory comes back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_core
)]

#[path = "../support/mod.rs"]
mod support;

mod acks;
mod cancels;
mod ends;
mod inside;
mod responses;
mod strangers;

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

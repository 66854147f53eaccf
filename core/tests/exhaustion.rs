//! Floods, full tables, drivers that come late, clocks that jump, restarts: what is refused is
//! refused by an answer or a typed error, and everything comes back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_core
)]

mod support;

use std::net::SocketAddr;

use sansip::endpoint::{
    AccountId, Action, CallId, Config, Error, Event, Input, Methods, OutgoingCall, OutgoingRequest,
    Reason, Usage,
};
use sansip::path::Path;
use sansip::storage::{Memory, Storage};
use sansip::time::{Duration, Instant};
use support::{A, B, Datagram, Heard, Node, Pair};

const OFFER: &str = "v=0\r\no=m 1 1 IN IP4 203.0.113.66\r\ns=-\r\nc=IN IP4 203.0.113.66\r\n\
                     t=0 0\r\nm=audio 6000 RTP/AVP 0\r\n";
const NOTHING: Usage = Usage { accounts: 1, calls: 0, dialogs: 0, transactions: 0, buffers: 0 };

fn scanner(n: usize) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, (n % 250) as u8], 5060))
}

/// A request from one of many strangers.
fn request(method: &str, n: usize) -> Vec<u8> {
    let (kind, body) = match method {
        "INVITE" => ("Content-Type: application/sdp\r\n", OFFER),
        _ => ("", ""),
    };
    format!(
        "{method} sip:100@192.0.2.2 SIP/2.0\r\n\
         Via: SIP/2.0/UDP {};branch=z9hG4bK{n};rport\r\n\
         From: <sip:scanner@203.0.113.1>;tag={n}\r\nTo: <sip:100@192.0.2.2>\r\n\
         Call-ID: {n}\r\nCSeq: 1 {method}\r\nContact: <sip:scanner@{}>\r\n\
         User-Agent: friendly-scanner\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        scanner(n),
        scanner(n),
        body.len()
    )
    .into_bytes()
}

fn status(datagram: &Datagram) -> u16 {
    datagram.text().split(' ').nth(1).unwrap().parse().unwrap()
}

fn leaked<const C: usize, const D: usize, const T: usize, const M: usize>() -> Storage<'static> {
    Box::leak(Box::new(Memory::<1, C, D, T, M, 512, 1500>::new())).storage()
}

#[test]
fn scanner_noise_refuses_nobody_and_disturbs_no_call() {
    let mut pair = Pair::new();
    let (call, _) = pair.established();
    let methods = ["OPTIONS", "REGISTER", "INVITE", "MESSAGE", "BYE", "CANCEL", "SUBSCRIBE"];
    let before = pair.b.sent.len();
    for n in 0..5000 {
        pair.b.receive(pair.now, scanner(n), &request(methods[n % methods.len()], n));
        pair.now += Duration::from_millis(1);
        let usage = pair.b.endpoint.usage();
        assert!(usage.calls <= 2 && usage.transactions <= 8 && usage.buffers <= 6, "{usage:?}");
    }
    let answers = pair.b.sent.len() - before;
    assert!(answers >= 5000 - 1000, "{answers}");
    // the call can be changed and ended in the midst of it
    pair.a.endpoint.hold(pair.now, call).unwrap();
    for n in 5000..5100 {
        pair.run_ms(10, |_| true);
        pair.b.receive(pair.now, scanner(n), &request("INVITE", n));
    }
    assert_eq!(pair.a.plans().last().unwrap().0, sansip::endpoint::Stage::Agreed);
    pair.a.endpoint.hang_up(pair.now, call).unwrap();
    pair.run_s(400);
    assert_eq!(pair.a.ended(), [Reason::HungUp]);
    pair.assert_idle();
}

#[test]
fn more_calls_than_slots_are_answered_busy() {
    let mut node = Node::new(B, 2, Config::default());
    let now = Instant::ZERO;
    node.account(now, "sip:bob@192.0.2.2", "");
    for n in 0..10 {
        node.receive(now, scanner(n), &request("INVITE", n));
    }
    let incoming = |heard: &&Heard| matches!(heard, Heard::Incoming(_));
    assert_eq!(node.heard.iter().filter(incoming).count(), 2);
    assert_eq!(node.sent.iter().map(status).collect::<Vec<_>>(), [486; 8]);
    assert_eq!(node.endpoint.usage().calls, 2);
    let later = now + Duration::from_secs(180);
    node.drain(later);
    assert_eq!(node.ended(), [Reason::NoAnswer; 2]);
    node.drain(later + Duration::from_secs(40));
    assert_eq!(node.endpoint.usage(), NOTHING);
}

#[test]
fn more_requests_than_slots_are_told_so_and_the_rest_is_served_afterwards() {
    let config = Config { methods: Methods::MESSAGE, ..Config::default() };
    let mut node = Node::new(B, 2, config);
    let now = Instant::ZERO;
    node.account(now, "sip:bob@192.0.2.2", "");
    for n in 0..20 {
        node.receive(now, scanner(n), &request("MESSAGE", n));
    }
    let taken: Vec<_> = node
        .heard
        .iter()
        .filter_map(|heard| match heard {
            Heard::Request(request, _) => Some(*request),
            _ => None,
        })
        .collect();
    assert!(taken.len() >= 4, "{}", taken.len());
    assert!(node.sent.iter().all(|sent| status(sent) == 503));
    assert_eq!(node.sent.len() + taken.len(), 20);
    assert!(node.endpoint.stats().refused_no_room > 0);
    for request in &taken {
        node.endpoint.respond(now, *request, 200, &[], None).unwrap();
    }
    node.drain(now);
    // answered ones linger, and give way
    for n in 20..40 {
        node.receive(now, scanner(n), &request("MESSAGE", n));
        let Some(Heard::Request(request, _)) = node.heard.last() else { panic!() };
        let request = *request;
        node.endpoint.respond(now, request, 200, &[], None).unwrap();
        node.drain(now);
        assert_eq!(node.endpoint.respond(now, request, 200, &[], None), Err(Error::Gone));
    }
    node.drain(now + Duration::from_secs(33));
    assert_eq!(node.endpoint.usage(), NOTHING);
}

#[test]
fn requests_that_nobody_answers_get_500_before_the_peer_gives_up() {
    let config = Config { methods: Methods::MESSAGE, ..Config::default() };
    let mut node = Node::new(B, 2, config);
    let now = Instant::ZERO;
    node.account(now, "sip:bob@192.0.2.2", "");
    node.receive(now, scanner(1), &request("MESSAGE", 1));
    node.drain(now + Duration::from_millis(31_999));
    assert_eq!(node.sent.iter().map(status).collect::<Vec<_>>(), [500]);
    let Some(Heard::Request(request, _)) = node.heard.last() else { panic!() };
    assert_eq!(node.endpoint.respond(now, *request, 200, &[], None), Err(Error::Gone));
    node.drain(now + Duration::from_secs(70));
    assert_eq!(node.endpoint.usage(), NOTHING);
}

fn call_out(node: &mut Node, now: Instant, account: AccountId) -> Result<CallId, Error> {
    let media = Pair::media(node);
    let call = OutgoingCall {
        account,
        target: "sip:x@203.0.113.7",
        media,
        late_offer: false,
        headers: &[],
    };
    node.endpoint.call(now, call)
}

/// Every small memory that can hold a call, filled until each kind of thing is refused.
#[test]
fn every_pool_runs_out_with_an_answer_and_fills_up_again() {
    let config = Config { methods: Methods::MESSAGE, ..Config::default() };
    let storages: [fn() -> Storage<'static>; 6] = [
        leaked::<1, 1, 2, 2>,
        leaked::<1, 1, 3, 3>,
        leaked::<2, 1, 8, 8>, // dialogs run out first
        leaked::<2, 2, 4, 16>,
        leaked::<2, 2, 16, 4>,
        leaked::<0, 0, 1, 1>,
    ];
    for storage in storages {
        let mut node = Node::with_storage(B, 2, config, storage());
        let mut now = Instant::ZERO;
        let account = node.account(now, "sip:bob@192.0.2.2", "");
        for round in 0..3 {
            let mut refused = 0;
            for n in 0..20 {
                let n = round * 100 + n;
                let outcome = call_out(&mut node, now, account);
                refused += usize::from(outcome == Err(Error::NoRoom));
                assert!(matches!(outcome, Ok(_) | Err(Error::NoRoom)), "{outcome:?}");
                let message = OutgoingRequest {
                    account,
                    method: "MESSAGE",
                    target: "sip:x@203.0.113.7",
                    headers: &[],
                    body: None,
                };
                let outcome = node.endpoint.request(now, message);
                refused += usize::from(outcome == Err(Error::NoRoom));
                assert!(matches!(outcome, Ok(_) | Err(Error::NoRoom)), "{outcome:?}");
                for method in ["INVITE", "MESSAGE", "OPTIONS"] {
                    node.receive(now, scanner(n), &request(method, n));
                }
                assert_eq!(node.sent.last().map(status), Some(200), "OPTIONS is answered always");
            }
            assert!(refused > 20, "{refused}");
            let fine = [486, 503, 200];
            let answers = node.sent.iter().filter(|sent| sent.text().starts_with("SIP/2.0"));
            assert!(answers.map(status).all(|status| fine.contains(&status)));
            for _ in 0..500 {
                now += Duration::from_secs(1);
                node.drain(now);
            }
            assert_eq!(node.endpoint.usage(), NOTHING);
            assert_eq!(node.endpoint.poll_timeout(), None);
            node.sent.clear();
        }
    }
}

#[test]
fn the_smallest_memory_carries_whole_calls() {
    let node = |address, seed| {
        Node::with_storage(address, seed, Config::default(), leaked::<1, 1, 3, 3>())
    };
    let mut pair = Pair::of(node(A, 1), node(B, 2));
    for _ in 0..20 {
        let (call, incoming) = pair.established();
        pair.a.endpoint.hold(pair.now, call).unwrap();
        pair.run_s(1);
        pair.b.endpoint.hold(pair.now, incoming).unwrap();
        pair.run_s(1);
        pair.b.endpoint.hang_up(pair.now, incoming).unwrap();
        pair.run_ms(100, |_| true);
        pair.a.heard.clear();
        pair.b.heard.clear();
    }
    pair.run_s(100);
    pair.assert_idle();
}

/// A driver that takes nothing for a while, as behind a socket that would block.
#[test]
fn a_driver_that_comes_late_finds_the_newest_state_and_nothing_twice() {
    for late_s in [1, 10, 20, 31, 40] {
        let mut pair = Pair::new();
        let (call, _) = pair.established();
        let before = (pair.a.sent.len(), pair.b.sent.len());
        pair.a.endpoint.hold(pair.now, call).unwrap();
        pair.settle();
        // the peer's requests and responses come in, nothing goes out, then all at once
        let remote = pair.b.address;
        let path = Path::udp(pair.a.address, remote);
        for n in 0..200 {
            pair.a
                .endpoint
                .handle(pair.now, Input::Message { path, bytes: &request("OPTIONS", n) });
            pair.now += Duration::from_millis(late_s * 5);
        }
        pair.a.drain(pair.now);
        let sent = pair.a.sent.len() - before.0;
        assert!(sent <= 5, "{late_s} s: {sent} messages");
        pair.run_s(100);
        let usage = pair.a.endpoint.usage();
        assert!(usage.transactions == 0 && usage.buffers == 0, "{usage:?}");
        let _ = pair.a.endpoint.hang_up(pair.now, call);
        pair.run_s(200);
        pair.assert_idle();
    }
}

#[test]
fn an_ack_is_never_lost_to_back_pressure() {
    let mut pair = Pair::new();
    pair.call();
    pair.run_ms(100, |_| true);
    let incoming = pair.b.last_call();
    let media = Pair::media(&pair.b);
    pair.b.endpoint.answer(pair.now, incoming, media).unwrap();
    pair.b.drain(pair.now);
    let accepted = pair.b.sent.last().unwrap().clone();
    let path = Path::udp(pair.a.address, pair.b.address);
    // three copies of the 200 before the driver may send again
    for _ in 0..3 {
        pair.a.endpoint.handle(pair.now, Input::Message { path, bytes: &accepted.bytes });
        pair.now += Duration::from_secs(1);
    }
    pair.a.drain(pair.now);
    assert_eq!(pair.a.labels(), ["INVITE", "ACK"]);
    pair.run_s(1);
    assert!(pair.b.heard.contains(&Heard::Established(incoming)));
}

#[test]
fn a_clock_that_jumps_ends_what_is_over_and_nothing_else() {
    for jump in [
        Duration::from_secs(3600),
        Duration::from_secs(50 * 86_400),
        Duration::from_secs(86_400 * 3650),
    ] {
        let mut pair = Pair::new();
        let (call, _) = pair.established();
        pair.now += jump;
        pair.settle();
        pair.run_s(1);
        assert_eq!(pair.a.ended(), []);
        pair.a.endpoint.hang_up(pair.now, call).unwrap();
        pair.run_s(100);
        pair.assert_idle();
        let mut pair = Pair::new();
        pair.call();
        pair.now += jump;
        pair.settle();
        assert_eq!(pair.a.ended(), [Reason::TimedOut]);
        pair.run_s(400);
        pair.assert_idle();
    }
    // and one that a driver lets run backwards
    let mut pair = Pair::new();
    pair.call();
    pair.run_ms(100, |_| true);
    let now = pair.now;
    pair.now = Instant::ZERO;
    pair.settle();
    pair.now = now;
    pair.run_s(400);
    pair.assert_idle();
}

#[test]
fn a_peer_that_restarted_answers_481_and_the_call_ends() {
    let mut pair = Pair::new();
    let (call, _) = pair.established();
    let mut fresh = Node::new(B, 99, Config::default());
    fresh.account(pair.now, "sip:bob@192.0.2.2", "");
    pair.b = fresh;
    pair.a.endpoint.hold(pair.now, call).unwrap();
    pair.run_s(1);
    assert_eq!(pair.b.labels(), ["481 INVITE"]);
    assert_eq!(pair.a.ended(), [Reason::Rejected(481)]);
    pair.run_s(100);
    pair.assert_idle();
}

/// A thousand devices that lose their registrar at once do not come back at once.
#[test]
fn registrations_that_fail_together_spread_out() {
    let mut due = Vec::new();
    for seed in 0..100_u8 {
        let mut node = Node::new(A, seed, Config::default());
        let now = Instant::ZERO;
        let account = node.account(now, "sip:alice@192.0.2.10", "sip:192.0.2.10");
        node.endpoint.register(now, account).unwrap();
        node.drain(now);
        let path = Path::udp(node.address, "192.0.2.10:5060".parse().unwrap());
        node.endpoint.handle(now, Input::SendFailed { path });
        node.drain(now);
        assert!(matches!(
            node.heard[..],
            [Heard::RegistrationFailed(Reason::Unreachable, Some(_))]
        ));
        due.push(node.endpoint.poll_timeout().unwrap());
    }
    due.sort();
    due.dedup();
    assert!(due.len() > 80, "{} different moments", due.len());
    let spread = due[due.len() - 1].since(due[0]);
    assert!(spread >= Duration::from_secs(1), "{spread:?}");
}

/// How much a forged source can make us send to a victim: bytes sent by us for each byte of one
/// INVITE, until nothing more comes.
fn amplification(react: impl Fn(&mut Node, CallId, Instant)) -> (f64, usize) {
    let mut node = Node::new(B, 2, Config::default());
    let mut now = Instant::ZERO;
    node.account(now, "sip:100@192.0.2.2", "");
    let invite = request("INVITE", 1);
    node.receive(now, scanner(1), &invite);
    let call = node.last_call();
    react(&mut node, call, now);
    for _ in 0..4000 {
        node.drain(now);
        now += Duration::from_millis(100);
    }
    assert_eq!(node.endpoint.usage(), NOTHING);
    let bytes: usize = node.sent.iter().map(|sent| sent.bytes.len()).sum();
    (bytes as f64 / invite.len() as f64, node.sent.len())
}

/// 0.7 for what is refused at once, 8 for a call that is ignored or rejected, 23 for one that is
/// answered, of these 15 in the first 32 s.
///
/// RFC 3261 has a server repeat a final response for 32 s whoever asked, so that an application
/// which answers unknown callers by itself lends itself to floods.
#[test]
fn a_forged_invite_is_amplified_by_no_more_than_the_rfc_demands() {
    let (stateless, _) = {
        let mut node = Node::new(B, 2, Config { catch_all: false, ..Config::default() });
        node.account(Instant::ZERO, "sip:bob@192.0.2.2", "");
        let invite = request("INVITE", 1);
        node.receive(Instant::ZERO, scanner(1), &invite);
        for second in 0..100 {
            node.drain(Instant::ZERO + Duration::from_secs(second));
        }
        assert_eq!(node.labels(), ["404 INVITE"]);
        (node.sent[0].bytes.len() as f64 / invite.len() as f64, 1)
    };
    assert!(stateless < 1.0, "{stateless}");
    // a 100 after 200 ms, a 480 after 180 s with its ten repetitions
    let (ignored, messages) = amplification(|_, _, _| {});
    assert_eq!(messages, 1 + 11);
    assert!(ignored < 9.0, "{ignored}");
    let (rejected, messages) = amplification(|node, call, now| {
        node.endpoint.reject(now, call, 486).unwrap();
    });
    assert_eq!(messages, 11);
    assert!(rejected < 9.0, "{rejected}");
    // the worst: a 200 eleven times, then a BYE eleven times
    let (answered, messages) = amplification(|node, call, now| {
        let media = Pair::media(node);
        node.endpoint.answer(now, call, media).unwrap();
    });
    assert_eq!(messages, 11 + 11);
    assert!(answered < 24.0, "{answered}");
}

#[test]
fn names_that_nobody_resolves_do_not_hold_their_slots() {
    let mut node = Node::new(A, 1, Config::default());
    let now = Instant::ZERO;
    let account = node.account(now, "sip:alice@example.com", "sip:example.com");
    node.endpoint.register(now, account).unwrap();
    let message = OutgoingRequest {
        account,
        method: "MESSAGE",
        target: "sip:x@example.org",
        headers: &[],
        body: None,
    };
    let request = node.endpoint.request(now, message).unwrap();
    node.drain(now);
    assert!(matches!(node.heard[..], [Heard::Resolve(..), Heard::Resolve(..)]));
    node.drain(now + Duration::from_secs(33));
    let failed = Heard::Response(request, Err(Reason::Unreachable), None);
    assert_eq!(node.heard.last(), Some(&failed));
    assert_eq!(node.endpoint.usage(), NOTHING);
}

/// An event of a deadline must not show the message that happened to come in the same turn.
#[test]
fn an_event_has_its_own_message_or_none() {
    let mut pair = Pair::new();
    pair.call();
    pair.run_ms(10, |_| false);
    let timeout = pair.a.endpoint.poll_timeout();
    assert!(timeout.is_some());
    let late = pair.now + Duration::from_secs(40);
    let path = Path::udp(pair.a.address, scanner(1));
    pair.a.endpoint.handle(late, Input::Message { path, bytes: &request("INVITE", 1) });
    let mut ended = 0;
    while let Some(action) = pair.a.endpoint.poll_action(late) {
        if let Action::Event(Event::Ended { message, reason, .. }) = action {
            assert_eq!(reason, Reason::TimedOut);
            assert!(message.is_none());
            ended += 1;
        }
    }
    assert_eq!(ended, 1);
}

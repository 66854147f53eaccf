//! Calls between two endpoints.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use sansip::endpoint::{Config, Error, Reason, Stage};
use sansip::sdp::Direction;
use sansip::time::Duration;
use support::{Datagram, Heard, Pair};

#[test]
fn a_call_is_placed_answered_and_hung_up() {
    let mut pair = Pair::new();
    let (call, incoming) = pair.established();
    assert_eq!(pair.a.labels(), ["INVITE", "ACK"]);
    assert_eq!(pair.b.labels(), ["200 INVITE"]);
    let (stage, plan) = pair.a.plans()[0];
    assert_eq!(stage, Stage::Agreed);
    assert_eq!(plan.remote, "192.0.2.2:4000".parse().unwrap());
    assert_eq!(pair.b.plans()[0].1.remote, "192.0.2.1:4000".parse().unwrap());
    pair.a.endpoint.hang_up(pair.now, call).unwrap();
    pair.run_s(1);
    assert_eq!(pair.a.ended(), [Reason::HungUp]);
    assert_eq!(pair.b.ended(), [Reason::PeerHungUp]);
    assert_eq!(pair.a.endpoint.hang_up(pair.now, call), Err(Error::Gone));
    assert_eq!(pair.b.endpoint.hang_up(pair.now, incoming), Err(Error::Gone));
    pair.run_s(100);
    pair.assert_idle();
}

#[test]
fn the_callee_hangs_up() {
    let mut pair = Pair::new();
    let (_, incoming) = pair.established();
    pair.b.endpoint.hang_up(pair.now, incoming).unwrap();
    pair.run_s(100);
    assert_eq!(pair.a.ended(), [Reason::PeerHungUp]);
    assert_eq!(pair.b.ended(), [Reason::HungUp]);
    pair.assert_idle();
}

#[test]
fn both_hang_up_at_once() {
    let mut pair = Pair::new();
    let (call, incoming) = pair.established();
    pair.a.endpoint.hang_up(pair.now, call).unwrap();
    pair.b.endpoint.hang_up(pair.now, incoming).unwrap();
    pair.run_s(100);
    assert_eq!(pair.a.ended(), [Reason::HungUp]);
    assert_eq!(pair.b.ended(), [Reason::HungUp]);
    assert!(pair.a.labels().contains(&"200 BYE".to_owned()), "{:?}", pair.a.labels());
    assert!(pair.b.labels().contains(&"200 BYE".to_owned()));
    pair.assert_idle();
}

#[test]
fn every_message_may_be_lost_once() {
    let mut pair = Pair::new();
    let mut seen = std::collections::HashSet::new();
    let mut once = |datagram: &Datagram| !seen.insert(datagram.label());
    let call = pair.call();
    pair.run_ms(2000, &mut once);
    let incoming = pair.b.last_call();
    let media = Pair::media(&pair.b);
    pair.b.endpoint.progress(pair.now, incoming, 180, None).unwrap();
    pair.run_ms(2000, &mut once);
    pair.b.endpoint.answer(pair.now, incoming, media).unwrap();
    pair.run_ms(5000, &mut once);
    assert!(pair.a.heard.contains(&Heard::Established(call)));
    assert!(pair.b.heard.contains(&Heard::Established(incoming)));
    pair.a.endpoint.hang_up(pair.now, call).unwrap();
    pair.run_ms(5000, &mut once);
    assert_eq!(pair.b.ended(), [Reason::PeerHungUp]);
    pair.run_s(100);
    pair.assert_idle();
}

#[test]
fn a_call_is_rejected() {
    let mut pair = Pair::new();
    pair.call();
    pair.run_ms(100, |_| true);
    let incoming = pair.b.last_call();
    pair.b.endpoint.reject(pair.now, incoming, 486).unwrap();
    pair.run_s(100);
    assert_eq!(pair.a.ended(), [Reason::Rejected(486)]);
    assert_eq!(pair.b.ended(), [Reason::Declined(486)]);
    assert_eq!(pair.a.labels(), ["INVITE", "ACK"]);
    pair.assert_idle();
}

#[test]
fn the_caller_gives_up_while_it_rings() {
    let mut pair = Pair::new();
    let call = pair.call();
    pair.run_ms(100, |_| true);
    let incoming = pair.b.last_call();
    pair.b.endpoint.progress(pair.now, incoming, 180, None).unwrap();
    pair.run_ms(100, |_| true);
    assert!(pair.a.heard.contains(&Heard::Progress(call, 180)));
    pair.a.endpoint.hang_up(pair.now, call).unwrap();
    pair.run_s(100);
    assert_eq!(pair.a.ended(), [Reason::Cancelled]);
    assert_eq!(pair.b.ended(), [Reason::CallerGaveUp]);
    assert_eq!(pair.a.labels(), ["INVITE", "CANCEL", "ACK"]);
    assert_eq!(pair.b.labels(), ["180 INVITE", "200 CANCEL", "487 INVITE"]);
    pair.assert_idle();
}

#[test]
fn a_cancel_waits_for_a_provisional_response() {
    let mut pair = Pair::new();
    let call = pair.call();
    pair.run_ms(50, |_| false);
    pair.a.endpoint.hang_up(pair.now, call).unwrap();
    pair.run_ms(300, |_| false);
    assert!(!pair.a.labels().contains(&"CANCEL".to_owned()));
    pair.run_s(100);
    // the repeated INVITE arrived, its 100 let the CANCEL go
    assert!(pair.a.labels().contains(&"CANCEL".to_owned()));
    assert_eq!(pair.b.ended(), [Reason::CallerGaveUp]);
    pair.assert_idle();
}

#[test]
fn a_cancel_that_crosses_the_200_ends_in_a_bye() {
    let mut pair = Pair::new();
    let call = pair.call();
    pair.run_ms(100, |_| true);
    let incoming = pair.b.last_call();
    pair.b.endpoint.progress(pair.now, incoming, 180, None).unwrap();
    pair.run_ms(100, |_| true);
    let media = Pair::media(&pair.b);
    pair.a.endpoint.hang_up(pair.now, call).unwrap();
    pair.b.endpoint.answer(pair.now, incoming, media).unwrap();
    pair.run_s(100);
    assert_eq!(pair.a.ended(), [Reason::Cancelled]);
    assert_eq!(pair.b.ended(), [Reason::PeerHungUp]);
    assert!(pair.a.labels().contains(&"BYE".to_owned()), "{:?}", pair.a.labels());
    pair.assert_idle();
}

#[test]
fn an_unreachable_peer_times_out() {
    let mut pair = Pair::new();
    pair.call();
    pair.run_ms(31_000, |_| false);
    assert_eq!(pair.a.ended(), []);
    pair.run_ms(2000, |_| false);
    assert_eq!(pair.a.ended(), [Reason::TimedOut]);
    assert_eq!(pair.a.labels(), ["INVITE"; 7]);
    assert!(pair.a.sent.iter().all(|datagram| datagram.bytes == pair.a.sent[0].bytes));
    pair.run_s(100);
    pair.assert_idle();
}

#[test]
fn nobody_answers_within_the_limits() {
    let config = Config { ring_limit: Duration::from_secs(20), ..Config::default() };
    let mut pair = Pair::with_config(config);
    pair.call();
    pair.run_s(30);
    assert_eq!(pair.a.ended(), [Reason::NoAnswer]);
    assert_eq!(pair.b.ended(), [Reason::CallerGaveUp]);
    let config = Config { answer_limit: Duration::from_secs(20), ..Config::default() };
    let mut pair = Pair::with_config(config);
    pair.call();
    pair.run_s(30);
    assert_eq!(pair.a.ended(), [Reason::Rejected(480)]);
    assert_eq!(pair.b.ended(), [Reason::NoAnswer]);
}

#[test]
fn an_ack_that_never_comes_ends_the_call() {
    let mut pair = Pair::new();
    pair.call();
    pair.run_ms(100, |_| true);
    let incoming = pair.b.last_call();
    let media = Pair::media(&pair.b);
    pair.b.endpoint.answer(pair.now, incoming, media).unwrap();
    pair.run_ms(40_000, |datagram| datagram.label() != "ACK");
    assert_eq!(pair.b.ended(), [Reason::AckMissing]);
    assert_eq!(pair.a.ended(), [Reason::PeerHungUp]);
    assert!(pair.b.labels().iter().filter(|label| *label == "200 INVITE").count() >= 10);
    pair.run_s(100);
    pair.assert_idle();
}

#[test]
fn hold_and_resume_by_either_side() {
    let mut pair = Pair::new();
    let (call, incoming) = pair.established();
    pair.a.endpoint.hold(pair.now, call).unwrap();
    pair.run_s(1);
    assert_eq!(pair.a.plans().last().unwrap().1.direction, Direction::SendOnly);
    assert_eq!(pair.b.plans().last().unwrap().1.direction, Direction::RecvOnly);
    pair.a.endpoint.resume(pair.now, call).unwrap();
    pair.run_s(1);
    assert_eq!(pair.a.plans().last().unwrap().1.direction, Direction::SendRecv);
    assert_eq!(pair.b.plans().last().unwrap().1.direction, Direction::SendRecv);
    pair.b.endpoint.hold(pair.now, incoming).unwrap();
    pair.run_s(1);
    assert_eq!(pair.a.plans().last().unwrap().1.direction, Direction::RecvOnly);
    pair.b.endpoint.hang_up(pair.now, incoming).unwrap();
    pair.run_s(100);
    assert_eq!(pair.a.ended(), [Reason::PeerHungUp]);
    pair.assert_idle();
}

#[test]
fn glare_is_settled() {
    let mut pair = Pair::new();
    let (call, incoming) = pair.established();
    pair.a.endpoint.hold(pair.now, call).unwrap();
    pair.b.endpoint.hold(pair.now, incoming).unwrap();
    pair.run_s(10);
    assert!(pair.a.labels().contains(&"491 INVITE".to_owned()));
    assert!(pair.b.labels().contains(&"491 INVITE".to_owned()));
    assert_eq!(pair.a.plans().last().unwrap().1.direction, Direction::Inactive);
    assert_eq!(pair.b.plans().last().unwrap().1.direction, Direction::Inactive);
    pair.a.endpoint.hang_up(pair.now, call).unwrap();
    pair.run_s(100);
    pair.assert_idle();
}

#[test]
fn a_late_offer_is_answered_in_the_ack() {
    let mut pair = Pair::new();
    let call = pair.call_with(|call| call.late_offer = true);
    pair.run_ms(100, |_| true);
    let incoming = pair.b.last_call();
    let media = Pair::media(&pair.b);
    pair.b.endpoint.answer(pair.now, incoming, media).unwrap();
    pair.run_s(1);
    assert!(pair.a.heard.contains(&Heard::Established(call)));
    assert_eq!(pair.a.plans()[0].1.remote, "192.0.2.2:4000".parse().unwrap());
    assert_eq!(pair.b.plans()[0].1.remote, "192.0.2.1:4000".parse().unwrap());
    pair.a.endpoint.hold(pair.now, call).unwrap();
    pair.run_s(1);
    assert_eq!(pair.b.plans().last().unwrap().1.direction, Direction::RecvOnly);
    pair.a.endpoint.hang_up(pair.now, call).unwrap();
    pair.run_s(100);
    pair.assert_idle();
}

#[test]
fn a_phone_with_little_memory_calls_every_three_seconds() {
    let mut pair = Pair::new();
    for _ in 0..200 {
        let (call, _) = pair.established();
        pair.run_ms(1200, |_| true);
        pair.a.endpoint.hang_up(pair.now, call).unwrap();
        pair.run_ms(1500, |_| true);
        pair.a.heard.clear();
        pair.b.heard.clear();
    }
    pair.run_s(100);
    pair.assert_idle();
    assert_eq!(pair.a.endpoint.stats().refused_no_room, 0);
}

//! Hold and resume.

use crate::support::Heard;
use crate::support::script::{Caller, PEER, Scene, audio, sdp};
use sansip::endpoint::{Error, Reason, Stage};
use sansip::sdp::Direction;

use super::*;

#[test]
fn a_re_invite_answered_after_our_bye_is_acknowledged_only() {
    let mut scene = Scene::new();
    let (call, ..) = scene.established();
    scene.node.endpoint.hold(scene.now, call).unwrap();
    let hold = scene.one("INVITE");
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    let bye = scene.one("BYE");
    scene.answer(&hold, 200, "bob", &[CONTACT], &audio());
    let ack = scene.one("ACK");
    assert_eq!(ack.cseq(), hold.cseq());
    scene.answer(&bye, 200, "bob", &[], "");
    scene.assert_idle();
    assert!(scene.sent().is_empty());
}

#[test]
fn a_hold_that_is_refused_rolls_back_and_can_be_tried_again() {
    let mut scene = Scene::new();
    let (call, ..) = scene.established();
    scene.node.endpoint.hold(scene.now, call).unwrap();
    let heard = scene.heard();
    let [Heard::Media(_, Stage::Offered, _)] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!(scene.node.endpoint.hold(scene.now, call), Err(Error::State));
    let hold = scene.one("INVITE");
    assert!(hold.body().contains("a=sendonly"));
    scene.answer(&hold, 488, "bob", &[], "");
    scene.one("ACK");
    let heard = scene.heard();
    let [Heard::Media(_, Stage::RolledBack, plan), Heard::HoldFailed(_, Reason::Rejected(488))] =
        heard.as_slice()
    else {
        panic!("{heard:?}");
    };
    assert_eq!(plan.direction, Direction::SendRecv);
    scene.node.endpoint.hold(scene.now, call).unwrap();
    let again = scene.one("INVITE");
    assert!(again.body().contains("a=sendonly"));
    assert_eq!(again.cseq(), hold.cseq() + 1);
    scene.answer(&again, 200, "bob", &[], &sdp("192.0.2.20", 6000, "recvonly"));
    scene.one("ACK");
    scene.node.endpoint.resume(scene.now, call).unwrap();
    assert!(scene.one("INVITE").body().contains("a=sendrecv"));
}

#[test]
fn a_refused_resume_stays_on_hold_also_where_both_hold() {
    let mut scene = Scene::new();
    let (call, ..) = scene.established();
    scene.node.endpoint.hold(scene.now, call).unwrap();
    let hold = scene.one("INVITE");
    scene.answer(&hold, 200, "bob", &[], &sdp("192.0.2.20", 6000, "inactive"));
    scene.one("ACK");
    scene.node.endpoint.resume(scene.now, call).unwrap();
    let resume = scene.one("INVITE");
    scene.answer(&resume, 500, "bob", &[], "");
    scene.one("ACK");
    assert_eq!(scene.node.plans().last().unwrap().1.direction, Direction::Inactive);
    // the peer moves on: we still hold
    let mut peer = Caller::of_invite(&resume, "bob");
    peer.send(&mut scene, "INVITE", &[], &audio());
    let answer = scene.one("200 INVITE");
    assert!(answer.body().contains("a=sendonly"), "{}", answer.text);
}

#[test]
fn an_answer_of_nothing_to_a_hold_is_no_agreement() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    // what was answered early held for the first INVITE only
    scene.answer(&invite, 183, "bob", &[CONTACT], &audio());
    scene.answer(&invite, 200, "bob", &[CONTACT], "");
    scene.one("ACK");
    scene.node.endpoint.hold(scene.now, call).unwrap();
    let hold = scene.one("INVITE");
    scene.answer(&hold, 200, "bob", &[], "");
    scene.one("ACK");
    assert!(scene.heard().contains(&Heard::HoldFailed(call, Reason::NotAcceptable)));
}

#[test]
fn a_call_that_the_peer_forgot_ends_with_its_481_or_408() {
    for (status, reason) in [(481, Reason::Rejected(481)), (408, Reason::TimedOut)] {
        let mut scene = Scene::new();
        let (call, ..) = scene.established();
        scene.node.endpoint.hold(scene.now, call).unwrap();
        let hold = scene.one("INVITE");
        scene.answer(&hold, status, "bob", &[], "");
        let labels = scene.labels();
        assert_eq!(labels[0], "ACK");
        assert_eq!(scene.ended(), [reason]);
        scene.assert_idle();
    }
}

#[test]
fn an_unanswered_re_invite_ends_the_call() {
    let mut scene = Scene::new();
    let (call, ..) = scene.established();
    scene.node.endpoint.hold(scene.now, call).unwrap();
    scene.run_s(33);
    let labels = scene.labels();
    assert_eq!(labels.iter().filter(|label| *label == "INVITE").count(), 7);
    assert_eq!(scene.ended(), [Reason::TimedOut]);
    assert!(labels.contains(&"BYE".to_owned()));
    scene.assert_idle();
}

#[test]
fn glare_waits_for_the_peers_re_invite_to_be_over() {
    let mut scene = Scene::new();
    let (call, invite, _) = scene.established();
    scene.node.endpoint.hold(scene.now, call).unwrap();
    let hold = scene.one("INVITE");
    scene.answer(&hold, 491, "bob", &[], "");
    scene.one("ACK");
    let mut peer = Caller::of_invite(&invite, "bob");
    peer.send(&mut scene, "INVITE", &[], &audio());
    let first = scene.one("200 INVITE");
    // the caller waits 2.1 to 4 s; the ACK has not come by then
    scene.run_ms(4100);
    let labels = scene.labels();
    assert!(labels.iter().all(|label| label == "200 INVITE"), "{labels:?}");
    let ack = peer.ack(&mut scene, "");
    scene.hear_from(PEER, &ack);
    assert_eq!(first.status(), 200);
    let again = scene.wait_s(5, "INVITE");
    assert!(again.body().contains("a=sendonly"));
    assert_eq!(again.cseq(), hold.cseq() + 1);
}

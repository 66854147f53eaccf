//! Re-INVITEs of the peer.

use crate::support::Heard;
use crate::support::script::{PEER, Scene, audio, sdp};
use sansip::endpoint::{Reason, Stage};
use sansip::sdp::Direction;

use super::*;

#[test]
fn the_peer_holds_in_both_forms_and_resumes() {
    for held in [sdp("192.0.2.20", 6000, "sendonly"), sdp("0.0.0.0", 6000, "sendrecv")] {
        let mut scene = Scene::new();
        let (call, mut caller) = scene.answered();
        caller.send(&mut scene, "INVITE", &[], &held);
        let ok = scene.one("200 INVITE");
        assert!(ok.body().contains("a=recvonly"), "{}", ok.text);
        let heard = scene.heard();
        let [Heard::Media(_, Stage::Agreed, plan)] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!(plan.direction, Direction::RecvOnly);
        assert!(scene.last_message().starts_with("INVITE"));
        let ack = caller.ack(&mut scene, "");
        scene.hear_from(PEER, &ack);
        assert_eq!(scene.heard(), [], "established once");
        caller.send(&mut scene, "INVITE", &[], &audio());
        let again = scene.one("200 INVITE");
        assert!(again.body().contains("a=sendrecv"));
        let version = |text: &str| -> u64 {
            let line = text.lines().find(|line| line.starts_with("o=")).unwrap();
            line.split(' ').nth(2).unwrap().parse().unwrap()
        };
        assert_eq!(version(again.body()), version(ok.body()) + 1);
        let ack = caller.ack(&mut scene, "");
        scene.hear_from(PEER, &ack);
        let heard = scene.heard();
        let [Heard::Media(_, _, plan)] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!(plan.direction, Direction::SendRecv);
        assert!(scene.node.endpoint.view(call).is_some());
        scene.run_s(40);
        assert!(scene.sent().is_empty());
    }
}

#[test]
fn the_peer_moves_its_media() {
    let mut scene = Scene::new();
    let (_, mut caller) = scene.answered();
    let moved = sdp("198.51.100.9", 7000, "sendrecv").replace("AVP 0 8 101", "AVP 8 97");
    let moved = moved.replace("rtpmap:101", "rtpmap:97");
    caller.send(&mut scene, "INVITE", &[], &moved);
    let ok = scene.one("200 INVITE");
    assert!(ok.body().contains("RTP/AVP 8 97"), "{}", ok.text);
    let plan = scene.node.plans().last().unwrap().1;
    assert_eq!(plan.remote.to_string(), "198.51.100.9:7000");
    assert_eq!((plan.send_type, plan.dtmf.unwrap().send_type), (8, 97));
}

#[test]
fn a_re_invite_that_repeats_everything_is_no_news() {
    let mut scene = Scene::new();
    let (_, mut caller) = scene.answered();
    caller.send(&mut scene, "INVITE", &[], &audio());
    scene.one("200 INVITE");
    let ack = caller.ack(&mut scene, "");
    scene.hear_from(PEER, &ack);
    assert_eq!(scene.heard(), []);
}

#[test]
fn a_re_invite_without_sdp_asks_for_our_offer() {
    let mut scene = Scene::new();
    let (call, mut caller) = scene.answered();
    caller.send(&mut scene, "INVITE", &[], "");
    let ok = scene.one("200 INVITE");
    assert!(ok.body().contains("m=audio 4000"), "{}", ok.text);
    assert_eq!(scene.heard(), []);
    let ack = caller.ack(&mut scene, &sdp("192.0.2.20", 6200, "sendonly"));
    scene.hear_from(PEER, &ack);
    let heard = scene.heard();
    let [Heard::Media(_, Stage::Agreed, plan)] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!((plan.remote.port(), plan.direction), (6200, Direction::RecvOnly));
    // an ACK without an answer leaves nothing to go on with
    caller.send(&mut scene, "INVITE", &[], "");
    scene.one("200 INVITE");
    let ack = caller.ack(&mut scene, "");
    scene.hear_from(PEER, &ack);
    scene.one("BYE");
    assert_eq!(scene.heard(), [Heard::Ended(call, Reason::NotAcceptable)]);
}

#[test]
fn a_re_invite_that_does_not_fit_is_refused_and_the_call_goes_on() {
    let mut scene = Scene::new();
    let (call, mut caller) = scene.answered();
    let before = scene.node.endpoint.view(call).unwrap().plan;
    caller.send(&mut scene, "INVITE", &[], &audio().replace("AVP 0 8 101", "AVP 9"));
    let refusal = scene.one("488 INVITE");
    let ack = caller.with_branch("z9hG4bKscript2", "ACK", &[], "");
    scene.hear_from(PEER, &ack);
    assert_eq!(refusal.to.to_string(), PEER);
    assert_eq!(scene.heard(), []);
    assert_eq!(scene.node.endpoint.view(call).unwrap().plan, before);
    caller.send(&mut scene, "INVITE", &[], &audio());
    scene.run_ms(10);
    assert!(scene.labels().contains(&"200 INVITE".to_owned()));
}

#[test]
fn a_second_invite_while_the_first_rings_gets_500_with_retry_after() {
    let mut scene = Scene::new();
    let (call, mut caller) = scene.ringing();
    scene.node.endpoint.progress(scene.now, call, 180, None).unwrap();
    let ringing = scene.one("180 INVITE");
    caller.learn(&ringing);
    caller.send(&mut scene, "INVITE", &[], &audio());
    let refusal = scene.one("500 INVITE");
    assert!(refusal.header("Retry-After").parse::<u32>().unwrap() <= 10);
    assert_eq!(scene.heard(), []);
    answer(&mut scene, call);
    scene.one("200 INVITE");
}

#[test]
fn a_re_invite_that_meets_ours_gets_491() {
    let mut scene = Scene::new();
    let (call, mut caller) = scene.answered();
    scene.node.endpoint.hold(scene.now, call).unwrap();
    let ours = scene.one("INVITE");
    caller.send(&mut scene, "INVITE", &[], &audio());
    scene.one("491 INVITE");
    scene.answer(
        &ours,
        200,
        "",
        &["Contact: <sip:bob@192.0.2.20>"],
        &sdp("192.0.2.20", 6, "recvonly"),
    );
    assert!(scene.labels().contains(&"ACK".to_owned()));
}

#[test]
fn a_lost_ack_is_made_good_by_a_re_invite() {
    let mut scene = Scene::new();
    let (call, mut caller) = scene.ringing();
    answer(&mut scene, call);
    let ok = scene.one("200 INVITE");
    caller.learn(&ok);
    scene.heard();
    for round in 0..3 {
        caller.send(&mut scene, "INVITE", &[], &sdp("192.0.2.20", 6100 + round, "sendrecv"));
        scene.one("200 INVITE");
    }
    let heard = scene.heard();
    assert!(heard.contains(&Heard::Established(call)), "{heard:?}");
    let ack = caller.ack(&mut scene, "");
    scene.hear_from(PEER, &ack);
    scene.run_s(40);
    assert!(scene.sent().is_empty());
    assert_eq!(scene.ended(), []);
}

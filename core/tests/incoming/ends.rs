//! How calls end from either side.

use crate::support::Heard;
use crate::support::script::{PEER, Scene, audio, sdp};
use sansip::endpoint::{Config, Error, Reason};
use sansip::time::Duration;

use super::*;

#[test]
fn the_caller_gives_up() {
    let mut scene = Scene::new();
    let (call, caller) = scene.ringing();
    scene.node.endpoint.progress(scene.now, call, 180, None).unwrap();
    let ringing = scene.one("180 INVITE");
    let cancel = caller.like_invite("CANCEL", "");
    scene.hear_from(PEER, &cancel);
    let [ok, terminated] = scene.these(["200 CANCEL", "487 INVITE"]);
    assert_eq!(terminated.tag_of_to(), ringing.tag_of_to());
    assert_eq!(ok.tag_of_to(), ringing.tag_of_to(), "RFC 3261 s9.2");
    assert_eq!(scene.heard(), [Heard::Ended(call, Reason::CallerGaveUp)]);
    assert!(scene.last_message().starts_with("CANCEL"));
    // again, because our 200 was lost
    scene.hear_from(PEER, &cancel);
    assert_eq!(scene.one("200 CANCEL").text, ok.text);
    let ack = caller.like_invite("ACK", ringing.tag_of_to().unwrap());
    scene.hear_from(PEER, &ack);
    assert_eq!(scene.node.endpoint.answer(scene.now, call, Scene::media()), Err(Error::Gone));
    assert_eq!(scene.heard(), []);
    // and once more, when call and 487 are gone
    scene.hear_from(PEER, &cancel);
    assert_eq!(scene.one("200 CANCEL").text, ok.text);
    scene.assert_idle();
    // long after, there is nothing to cancel
    scene.sent();
    scene.hear_from(PEER, &cancel);
    scene.one("481 CANCEL");
}

#[test]
fn a_cancel_after_the_answer_changes_nothing() {
    let mut scene = Scene::new();
    let (call, mut caller) = scene.ringing();
    answer(&mut scene, call);
    let ok = scene.one("200 INVITE");
    scene.heard();
    let cancel = caller.like_invite("CANCEL", "");
    scene.hear_from(PEER, &cancel);
    scene.one("200 CANCEL");
    assert_eq!(scene.heard(), []);
    caller.learn(&ok);
    let ack = caller.ack(&mut scene, "");
    scene.hear_from(PEER, &ack);
    assert_eq!(scene.heard(), [Heard::Established(call)]);
}

#[test]
fn a_hang_up_before_the_ack_sends_its_bye_after_it() {
    let mut scene = Scene::new();
    let (call, mut caller) = scene.ringing();
    answer(&mut scene, call);
    let ok = scene.one("200 INVITE");
    scene.heard();
    caller.learn(&ok);
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    assert_eq!(scene.heard(), [Heard::Ended(call, Reason::HungUp)]);
    assert!(scene.sent().is_empty(), "no BYE before the ACK (RFC 3261 s15)");
    scene.run_ms(500);
    assert_eq!(scene.one("200 INVITE").text, ok.text);
    let ack = caller.ack(&mut scene, "");
    scene.hear_from(PEER, &ack);
    let bye = scene.one("BYE");
    assert_eq!(bye.uri(), "sip:bob@192.0.2.20");
    assert_eq!(bye.tag_of_to(), Some("bob"));
    scene.answer(&bye, 200, "", &[], "");
    assert_eq!(scene.heard(), []);
    scene.assert_idle();
}

#[test]
fn an_ack_with_the_branch_of_the_invite_counts_only_with_the_tag_of_the_200() {
    let mut scene = Scene::new();
    let (call, mut caller) = scene.ringing();
    answer(&mut scene, call);
    let ok = scene.one("200 INVITE");
    scene.heard();
    // for a refusal that somebody else gave on the way
    let other = caller.like_invite("ACK", "other");
    scene.hear_from(PEER, &other);
    assert_eq!(scene.heard(), []);
    scene.run_ms(500);
    assert_eq!(scene.one("200 INVITE").text, ok.text);
    // as some write it, with the right tag
    caller.learn(&ok);
    let own = caller.like_invite("ACK", ok.tag_of_to().unwrap());
    scene.hear_from(PEER, &own);
    assert_eq!(scene.heard(), [Heard::Established(call)]);
}

#[test]
fn a_peer_that_hangs_up_before_our_bye_frees_the_call() {
    let mut scene = Scene::new();
    let (call, mut caller) = scene.ringing();
    answer(&mut scene, call);
    let ok = scene.one("200 INVITE");
    caller.learn(&ok);
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    caller.send(&mut scene, "BYE", &[], "");
    scene.one("200 BYE");
    assert_eq!(scene.ended(), [Reason::HungUp]);
    scene.run_s(40);
    assert!(scene.sent().is_empty(), "a BYE shows that the 200 arrived");
    scene.assert_idle();
}

#[test]
fn a_bye_right_behind_the_ack_or_before_it_ends_the_call_once() {
    for ack_first in [true, false] {
        let mut scene = Scene::new();
        let (call, mut caller) = scene.ringing();
        answer(&mut scene, call);
        let ok = scene.one("200 INVITE");
        caller.learn(&ok);
        scene.heard();
        let ack = caller.ack(&mut scene, "");
        if ack_first {
            scene.hear_from(PEER, &ack);
        }
        caller.send(&mut scene, "BYE", &[], "");
        if !ack_first {
            scene.hear_from(PEER, &ack);
        }
        scene.one("200 BYE");
        assert_eq!(scene.heard().last(), Some(&Heard::Ended(call, Reason::PeerHungUp)));
        scene.run_s(40);
        assert!(scene.sent().is_empty());
        assert_eq!(scene.ended().len(), 1);
        scene.assert_idle();
    }
}

#[test]
fn a_bye_in_the_early_dialog_ends_the_call_with_487() {
    let mut scene = Scene::new();
    let (call, mut caller) = scene.ringing();
    scene.node.endpoint.progress(scene.now, call, 180, None).unwrap();
    let ringing = scene.one("180 INVITE");
    caller.learn(&ringing);
    caller.send(&mut scene, "BYE", &[], "");
    let mut labels = scene.labels();
    labels.sort();
    assert_eq!(labels, ["200 BYE", "487 INVITE"]);
    assert_eq!(scene.heard(), [Heard::Ended(call, Reason::CallerGaveUp)]);
    let ack = caller.like_invite("ACK", ringing.tag_of_to().unwrap());
    scene.hear_from(PEER, &ack);
    scene.assert_idle();
}

#[test]
fn a_late_offer_without_an_answer_ends_in_a_bye() {
    let mut scene = Scene::new();
    let mut caller = scene.invite_with(&[], "");
    let call = scene.node.last_call();
    answer(&mut scene, call);
    let ok = scene.one("200 INVITE");
    caller.learn(&ok);
    let ack = caller.ack(&mut scene, "");
    scene.hear_from(PEER, &ack);
    let bye = scene.one("BYE");
    assert_eq!(scene.ended(), [Reason::NotAcceptable]);
    scene.answer(&bye, 200, "", &[], "");
    scene.assert_idle();
}

#[test]
fn a_200_that_is_never_acknowledged_is_repeated_and_then_ends_the_call() {
    let mut scene = Scene::new();
    let (call, mut caller) = scene.answered();
    caller.send(&mut scene, "INVITE", &[], &sdp("192.0.2.20", 6100, "sendonly"));
    let ok = scene.one("200 INVITE");
    scene.run_ms(31_900);
    let copies = scene.sent();
    assert_eq!(copies.len(), 10);
    assert!(copies.iter().all(|copy| copy.text == ok.text));
    scene.run_ms(200);
    scene.one("BYE");
    assert_eq!(scene.heard().last(), Some(&Heard::Ended(call, Reason::AckMissing)));
    scene.assert_idle();
}

#[test]
fn nobody_takes_the_call_in_time() {
    let config = Config { answer_limit: Duration::from_secs(20), ..Config::default() };
    let mut scene = Scene::with(config, |_| {});
    let (call, _) = scene.ringing();
    scene.run_ms(200);
    scene.one("100 INVITE");
    scene.run_ms(19_700);
    assert!(scene.sent().is_empty());
    scene.run_ms(200);
    scene.one("480 INVITE");
    assert_eq!(scene.heard(), [Heard::Ended(call, Reason::NoAnswer)]);
}

#[test]
fn silence_ends_a_call_unless_it_is_on_hold() {
    let mut scene = Scene::new();
    let (call, mut caller) = scene.answered();
    caller.send(&mut scene, "INVITE", &[], &sdp("192.0.2.20", 6000, "recvonly"));
    scene.one("200 INVITE");
    let ack = caller.ack(&mut scene, "");
    scene.hear_from(PEER, &ack);
    scene.heard();
    scene.node.endpoint.media_silent(scene.now, call).unwrap();
    assert_eq!(scene.heard(), []);
    caller.send(&mut scene, "INVITE", &[], &audio());
    scene.one("200 INVITE");
    let ack = caller.ack(&mut scene, "");
    scene.hear_from(PEER, &ack);
    scene.heard();
    scene.node.endpoint.media_silent(scene.now, call).unwrap();
    scene.one("BYE");
    assert_eq!(scene.heard(), [Heard::Ended(call, Reason::MediaSilent)]);
}

#[test]
fn a_moved_phone_hangs_its_calls_up() {
    let mut scene = Scene::new();
    let (call, _) = scene.answered();
    let old = support::script::US.parse().unwrap();
    let new = "192.0.2.99:5060".parse().unwrap();
    let input = sansip::endpoint::Input::LocalAddress { old, new };
    scene.node.endpoint.handle(scene.now, input);
    let bye = scene.one("BYE");
    assert!(bye.all("Via")[0].contains("192.0.2.99:5060"));
    assert_eq!(scene.heard(), [Heard::Ended(call, Reason::AddressLost)]);
}

#[test]
fn a_connection_that_is_gone_does_not_touch_datagrams() {
    let mut scene = Scene::new();
    let (call, _) = scene.answered();
    let flow = sansip::path::FlowId::DATAGRAM;
    scene.node.endpoint.handle(scene.now, sansip::endpoint::Input::Closed { flow });
    let flow = sansip::path::FlowId(7);
    scene.node.endpoint.handle(scene.now, sansip::endpoint::Input::Closed { flow });
    assert_eq!(scene.heard(), []);
    assert!(scene.node.endpoint.view(call).is_some());
}

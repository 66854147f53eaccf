//! Ringing, answering, refusing.

use crate::support::Heard;
use crate::support::script::{Caller, PEER, Scene, audio};
use sansip::endpoint::{Command, Config, CustomHeader, Error, Reason, Stage};

use super::*;

#[test]
fn a_call_rings_and_is_answered() {
    let mut scene = Scene::new();
    let (call, mut caller) = scene.ringing();
    assert!(scene.last_message().starts_with("INVITE sip:alice@192.0.2.1 "));
    scene.node.endpoint.progress(scene.now, call, 180, None).unwrap();
    let ringing = scene.one("180 INVITE");
    assert_eq!(ringing.to.to_string(), PEER);
    assert_eq!(ringing.contact(), "sip:alice@192.0.2.1:5060");
    assert_eq!(ringing.body(), "");
    assert_eq!(ringing.header("Server"), "scene/1");
    answer(&mut scene, call);
    let ok = scene.one("200 INVITE");
    assert_eq!(ok.tag_of_to(), ringing.tag_of_to());
    assert!(ok.header("Allow").contains("INVITE, ACK, CANCEL, BYE, OPTIONS"));
    assert!(ok.body().contains("m=audio 4000 RTP/AVP 0"));
    let heard = scene.heard();
    let [Heard::Media(_, Stage::Agreed, plan)] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!(plan.remote.to_string(), "192.0.2.20:6000");
    caller.learn(&ok);
    let ack = caller.ack(&mut scene, "");
    scene.hear_from(PEER, &ack);
    assert_eq!(scene.heard(), [Heard::Established(call)]);
    assert!(scene.last_message().starts_with("ACK "));
    caller.send(&mut scene, "BYE", &[], "");
    scene.one("200 BYE");
    assert_eq!(scene.heard(), [Heard::Ended(call, Reason::PeerHungUp)]);
    scene.assert_idle();
    assert!(scene.sent().is_empty());
}

#[test]
fn an_unanswered_invite_gets_a_100_and_a_repeated_one_the_last_response() {
    let mut scene = Scene::new();
    let (call, caller) = scene.ringing();
    scene.hear_from(PEER, &caller.invite);
    assert!(scene.sent().is_empty());
    scene.run_ms(200);
    let trying = scene.one("100 INVITE");
    assert_eq!(trying.tag_of_to(), None);
    assert!(trying.all("Contact").is_empty());
    scene.node.endpoint.progress(scene.now, call, 183, None).unwrap();
    let progress = scene.one("183 INVITE");
    scene.hear_from(PEER, &caller.invite);
    assert_eq!(scene.one("183 INVITE").text, progress.text);
    assert_eq!(scene.heard(), []);
}

#[test]
fn early_media_is_answered_in_a_183_and_the_200_repeats_it() {
    let mut scene = Scene::new();
    let (call, _) = scene.ringing();
    scene.node.endpoint.progress(scene.now, call, 183, Some(Scene::media())).unwrap();
    let early = scene.one("183 INVITE");
    assert!(early.body().contains("m=audio 4000"));
    let heard = scene.heard();
    let [Heard::Media(_, Stage::Agreed, _)] = heard.as_slice() else { panic!("{heard:?}") };
    // media that was answered holds, whatever the application says now
    let mut other = Scene::media();
    other.address.set_port(4444);
    scene.node.endpoint.answer(scene.now, call, other).unwrap();
    let ok = scene.one("200 INVITE");
    assert_eq!(ok.body(), early.body());
    assert_eq!(scene.heard(), []);
}

#[test]
fn a_call_is_refused_with_any_status_and_headers() {
    for (status, name, value) in [
        (302, "Contact", "<sip:desk@192.0.2.77>"),
        (486, "Retry-After", "60"),
        (488, "Warning", "305 us \"no\""),
        (600, "X-Why", "b"),
        (401, "WWW-Authenticate", "Digest realm=\"x\", nonce=\"y\""),
    ] {
        let mut scene = Scene::new();
        let (call, caller) = scene.ringing();
        let headers = [CustomHeader::new(name, value)];
        let command = Command::Reject { call, status, headers: &headers };
        scene.node.endpoint.command(scene.now, command).unwrap();
        let refusal = scene.one(&format!("{status} INVITE"));
        assert_eq!(refusal.header(name), value);
        assert_eq!(scene.heard(), [Heard::Ended(call, Reason::Declined(status))]);
        scene.run_ms(500);
        assert_eq!(scene.one(&format!("{status} INVITE")).text, refusal.text, "timer G");
        let ack = caller.like_invite("ACK", refusal.tag_of_to().unwrap());
        scene.hear_from(PEER, &ack);
        scene.run_s(10);
        assert!(scene.sent().is_empty());
        assert_eq!(scene.heard(), []);
        scene.assert_idle();
    }
}

#[test]
fn only_a_status_that_fits_is_taken() {
    let mut scene = Scene::new();
    let (call, _) = scene.ringing();
    let (now, endpoint) = (scene.now, &mut scene.node.endpoint);
    for status in [0, 100, 199, 200, 299, 700, u16::MAX] {
        assert_eq!(endpoint.reject(now, call, status), Err(Error::Invalid), "{status}");
    }
    for status in [0, 99, 100, 200, 600] {
        assert_eq!(endpoint.progress(now, call, status, None), Err(Error::Invalid), "{status}");
    }
    assert!(scene.sent().is_empty());
}

#[test]
fn headers_of_responses_are_ours_to_choose() {
    const HEADERS: &[CustomHeader<'static>] =
        &[CustomHeader::new("Contact", "<sip:door@203.0.113.9:5099>")];
    let mut scene = Scene::with(Config::default(), |account| account.headers = HEADERS);
    let (call, _) = scene.ringing();
    let headers = [CustomHeader::new("Alert-Info", "<x>"), CustomHeader::new("Server", "other")];
    let command = Command::Progress { call, status: 180, media: None, headers: &headers };
    scene.node.endpoint.command(scene.now, command).unwrap();
    let ringing = scene.one("180 INVITE");
    assert_eq!(ringing.header("Alert-Info"), "<x>");
    assert_eq!(ringing.header("Server"), "other");
    assert_eq!(ringing.header("Contact"), "<sip:door@203.0.113.9:5099>", "as in requests");
    let headers = [CustomHeader::new("Contact", "<sip:once@203.0.113.9>")];
    let command = Command::Answer { call, media: Scene::media(), headers: &headers };
    scene.node.endpoint.command(scene.now, command).unwrap();
    assert_eq!(scene.one("200 INVITE").header("Contact"), "<sip:once@203.0.113.9>");
}

#[test]
fn a_late_offer_is_made_in_the_200_and_answered_in_the_ack() {
    let mut scene = Scene::new();
    let mut caller = scene.invite_with(&[], "");
    let call = scene.node.last_call();
    scene.heard();
    scene.node.endpoint.progress(scene.now, call, 183, Some(Scene::media())).unwrap();
    assert_eq!(scene.one("183 INVITE").body(), "", "no offer in an unreliable response");
    answer(&mut scene, call);
    let ok = scene.one("200 INVITE");
    assert!(ok.body().contains("m=audio 4000 RTP/AVP 0 8"), "{}", ok.text);
    assert_eq!(scene.heard(), []);
    caller.learn(&ok);
    let ack = caller.ack(&mut scene, &audio());
    scene.hear_from(PEER, &ack);
    let heard = scene.heard();
    let [Heard::Media(_, Stage::Agreed, plan), Heard::Established(_)] = heard.as_slice() else {
        panic!("{heard:?}");
    };
    assert_eq!(plan.remote.port(), 6000);
}

#[test]
fn media_that_does_not_fit_the_offer_leaves_the_call_ringing() {
    let mut scene = Scene::new();
    let (call, _) = scene.ringing();
    let mut media = Scene::media();
    media.codecs.push(sansip::rtp::Codec::Pcma).unwrap();
    let mut caller = Caller::new();
    caller.call_id = "pcmu".to_owned();
    caller.send(&mut scene, "INVITE", &[], &audio().replace("AVP 0 8 101", "AVP 0"));
    let pcmu = scene.node.last_call();
    assert_ne!(pcmu, call);
    assert_eq!(
        scene.node.endpoint.answer(scene.now, pcmu, media.clone()),
        Err(Error::NotAcceptable)
    );
    assert!(scene.sent().is_empty());
    scene.node.endpoint.reject(scene.now, pcmu, 488).unwrap();
    scene.one("488 INVITE");
    scene.node.endpoint.answer(scene.now, call, media).unwrap();
    assert!(scene.one("200 INVITE").body().contains("RTP/AVP 8"));
}

//! Calls that come in, from a scripted caller.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use sansip::endpoint::{CallId, Command, Config, CustomHeader, Error, Reason, Stage};
use sansip::sdp::Direction;
use sansip::time::Duration;
use support::Heard;
use support::script::{Caller, OTHER, PEER, Scene, audio, sdp};

fn answer(scene: &mut Scene, call: CallId) {
    scene.node.endpoint.answer(scene.now, call, Scene::media()).unwrap();
}

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
    answer(&mut scene, call);
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
fn requests_in_a_dialog_come_in_order() {
    let mut scene = Scene::new();
    let (_, mut caller) = scene.answered();
    caller.cseq += 100;
    caller.send(&mut scene, "OPTIONS", &[], "");
    scene.one("200 OPTIONS");
    caller.cseq -= 50;
    caller.send(&mut scene, "OPTIONS", &[], "");
    scene.one("500 OPTIONS");
    caller.cseq += 51;
    caller.send(&mut scene, "BYE", &[], "");
    scene.one("200 BYE");
}

#[test]
fn options_are_answered_in_and_out_of_dialogs() {
    let mut scene = Scene::new();
    let (_, mut caller) = scene.answered();
    caller.send(&mut scene, "OPTIONS", &[], "");
    let inside = scene.one("200 OPTIONS");
    let mut probe = Caller::new();
    probe.call_id = "probe".to_owned();
    probe.send(&mut scene, "OPTIONS", &["Max-Forwards: 0"], "");
    scene.one("400 OPTIONS"); // Max-Forwards twice
    let text = probe.request(&mut scene, "OPTIONS", &[], "").replace("rds: 70", "rds: 0");
    scene.hear_from(PEER, &text);
    let outside = scene.one("200 OPTIONS");
    for response in [&inside, &outside] {
        assert!(response.header("Allow").contains("OPTIONS"));
        assert_eq!(response.header("Accept"), "application/sdp");
    }
    assert!(outside.tag_of_to().is_some());
    assert_eq!(scene.heard(), []);
}

#[test]
fn what_the_rules_refuse_gets_the_status_that_they_name() {
    let no_sdp = ["Content-Type: text/plain"];
    for (method, more, body, status, header) in [
        ("INVITE", &["Require: 100rel, x"][..], audio(), 420, Some(("Unsupported", "100rel"))),
        ("INVITE", &no_sdp, "hello".to_owned(), 415, Some(("Accept", "application/sdp"))),
        (
            "INVITE",
            &["Content-Encoding: gzip"],
            audio(),
            415,
            Some(("Accept-Encoding", "identity")),
        ),
        ("INVITE", &["Accept: text/plain"], audio(), 406, None),
        ("INVITE", &[], audio().replace("AVP 0 8 101", "AVP 9"), 488, None),
        ("INVITE", &[], "v=0\r\nnonsense".to_owned(), 488, None),
        ("MESSAGE", &[], String::new(), 405, Some(("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS"))),
        ("REGISTER", &[], String::new(), 405, None),
        (
            "NEWMETHOD",
            &[],
            String::new(),
            501,
            Some(("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS")),
        ),
        ("BYE", &[], String::new(), 481, None),
        ("PRACK", &[], String::new(), 481, None),
        ("UPDATE", &[], String::new(), 481, None),
        ("CANCEL", &[], String::new(), 481, None),
    ] {
        let mut scene = Scene::new();
        let mut caller = Caller::new();
        caller.send(&mut scene, method, more, &body);
        let refusal = scene.one(&format!("{status} {method}"));
        if let Some((name, value)) = header {
            assert_eq!(refusal.all(name)[0], value);
        }
        assert!(refusal.tag_of_to().is_some());
        assert_eq!(scene.heard(), []);
        scene.assert_idle();
    }
}

#[test]
fn broken_requests_are_refused_by_their_fault() {
    for (from, to, status) in [
        ("SIP/2.0\r\nVia", "SIP/3.0\r\nVia", 505),
        ("sip:alice@192.0.2.1 SIP", "unknown:alice SIP", 416),
        ("sip:alice@192.0.2.1 SIP", "tel:+1 SIP", 416),
        ("CSeq: 1 INVITE", "CSeq: 1 OPTIONS", 400),
        ("CSeq: 1 INVITE", "CSeq: 4294967296 INVITE", 400),
        ("Contact: <sip:bob@192.0.2.20>\r\n", "", 400),
        ("To: <sip:alice@192.0.2.1>\r\n", "", 400),
    ] {
        let mut scene = Scene::new();
        let mut caller = Caller::new();
        let text = caller.request(&mut scene, "INVITE", &[], &audio());
        assert!(text.contains(from));
        scene.hear_from(PEER, &text.replace(from, to));
        let sent = scene.sent();
        assert_eq!(sent.len(), 1, "{to}");
        assert_eq!(sent[0].status(), status, "{to}");
        assert_eq!(scene.heard(), []);
    }
}

#[test]
fn a_request_that_came_by_two_ways_is_served_once() {
    let mut scene = Scene::new();
    let (_, caller) = scene.ringing();
    scene.hear_from(PEER, &caller.with_branch("z9hG4bKother", "INVITE", &[], &audio()));
    scene.one("482 INVITE");
    assert_eq!(scene.heard(), []);
}

#[test]
fn a_request_that_is_too_large_to_keep_gets_513() {
    let mut scene = Scene::new();
    let long = format!("X-Long: {}", "x".repeat(5000));
    scene.invite_with(&[&long], &audio());
    scene.one("513 INVITE");
    assert_eq!(scene.heard(), []);
    scene.assert_idle();
}

#[test]
fn more_calls_than_there_is_room_for_are_busy() {
    let mut scene = Scene::new();
    for number in 0..6 {
        let mut caller = Caller::new();
        caller.call_id = format!("call{number}");
        caller.send(&mut scene, "INVITE", &[], &audio());
    }
    assert_eq!(scene.labels(), ["486 INVITE", "486 INVITE"]);
    assert_eq!(scene.heard().len(), 4);
}

#[test]
fn whom_a_call_is_for_decides_its_account() {
    let config = Config { catch_all: false, ..Config::default() };
    let mut scene = Scene::with(config, |_| {});
    let carol = sansip::endpoint::Account {
        identity: "sip:carol@example.com",
        user_agent: "carol/1",
        ..sansip::endpoint::Account::default()
    };
    let carol = scene.node.endpoint.add_account(scene.now, carol).unwrap();
    for (user, status) in [("carol", None), ("nobody", Some("404 INVITE"))] {
        let mut caller = Caller::new();
        caller.target = format!("sip:{user}@192.0.2.1");
        caller.call_id = user.to_owned();
        caller.send(&mut scene, "INVITE", &[], &audio());
        match status {
            Some(label) => {
                scene.one(label);
            }
            None => {
                let call = scene.node.last_call();
                assert_eq!(scene.node.endpoint.view(call).unwrap().account, carol);
                scene.node.endpoint.progress(scene.now, call, 180, None).unwrap();
                let ringing = scene.one("180 INVITE");
                assert_eq!(ringing.header("Server"), "carol/1");
                assert_eq!(ringing.contact(), "sip:carol@192.0.2.1:5060");
            }
        }
    }
}

#[test]
fn a_response_goes_back_by_the_way_that_rport_and_the_via_name() {
    for (via, from, to, received) in [
        // RFC 3581: back to where it came from, which is written down
        (
            "192.0.2.20:5060;branch=z9hG4bKa;rport",
            "192.0.2.20:5099",
            "192.0.2.20:5099",
            "192.0.2.20:5060;branch=z9hG4bKa;received=192.0.2.20;rport=5099",
        ),
        // RFC 3261 s18.2.2: the source's address with the port of the Via
        (
            "192.0.2.20:5061;branch=z9hG4bKa",
            "192.0.2.20:5099",
            "192.0.2.20:5061",
            "192.0.2.20:5061;branch=z9hG4bKa",
        ),
        (
            "10.0.0.1;branch=z9hG4bKa",
            "192.0.2.20:5099",
            "192.0.2.20:5060",
            "10.0.0.1;branch=z9hG4bKa;received=192.0.2.20",
        ),
        (
            "host.example.com:5070;branch=z9hG4bKa",
            "192.0.2.20:5099",
            "192.0.2.20:5070",
            "host.example.com:5070;branch=z9hG4bKa;received=192.0.2.20",
        ),
    ] {
        let mut scene = Scene::new();
        let mut caller = Caller::new();
        let text = caller.request(&mut scene, "INVITE", &[], &audio());
        let old = support::script::line_of(&text, "Via").to_owned();
        scene.hear_from(from, &text.replace(&old, &format!("SIP/2.0/UDP {via}")));
        let call = scene.node.last_call();
        scene.node.endpoint.progress(scene.now, call, 180, None).unwrap();
        let ringing = scene.one("180 INVITE");
        assert_eq!(ringing.to.to_string(), to);
        assert_eq!(ringing.header("Via"), format!("SIP/2.0/UDP {received}"));
    }
}

#[test]
fn the_callee_takes_the_routes_in_their_order() {
    let mut scene = Scene::new();
    let routes = [
        "Record-Route: <sip:192.0.2.30:5062;lr>,\r\n <sip:p2.example.com;lr>",
        "Record-Route: <sip:p3.example.com;lr>",
    ];
    let mut caller = scene.invite_with(&routes, &audio());
    let call = scene.node.last_call();
    answer(&mut scene, call);
    let ok = scene.one("200 INVITE");
    assert_eq!(ok.all("Record-Route").len(), 2);
    caller.learn(&ok);
    let ack = caller.ack(&mut scene, "");
    scene.hear_from(OTHER, &ack);
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    let bye = scene.one("BYE");
    let expected =
        ["<sip:192.0.2.30:5062;lr>", "<sip:p2.example.com;lr>", "<sip:p3.example.com;lr>"];
    assert_eq!(bye.all("Route"), expected);
    assert_eq!(bye.uri(), "sip:bob@192.0.2.20");
    assert_eq!(bye.to.to_string(), "192.0.2.30:5062");
}

#[test]
fn a_folded_record_route_is_taken_as_one_line() {
    let mut scene = Scene::new();
    let routes = ["Record-Route: \"P\"\r\n <sip:192.0.2.30;lr>"];
    let mut caller = scene.invite_with(&routes, &audio());
    let call = scene.node.last_call();
    answer(&mut scene, call);
    let ok = scene.one("200 INVITE");
    caller.learn(&ok);
    let ack = caller.ack(&mut scene, "");
    scene.hear_from(OTHER, &ack);
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    let bye = scene.one("BYE");
    assert_eq!(bye.header("Route"), "\"P\" <sip:192.0.2.30;lr>");
    assert_eq!(bye.to.to_string(), OTHER);
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

//! Provisional responses, early media, answers, late offers.

use crate::support::Heard;
use crate::support::script::{Scene, audio, sdp};
use sansip::endpoint::{Reason, Stage};

use super::*;

#[test]
fn twelve_provisional_responses_are_twelve_events() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    for status in [100, 180, 181, 182, 183, 180, 180, 183, 182, 181, 180, 199] {
        scene.answer(&invite, status, if status > 100 { "bob" } else { "" }, &[CONTACT], "");
    }
    let heard = scene.heard();
    assert_eq!(progress(&heard), [100, 180, 181, 182, 183, 180, 180, 183, 182, 181, 180, 199]);
    scene.run_s(100);
    assert!(scene.sent().is_empty(), "a provisional response stops the repetitions");
    scene.answer(&invite, 200, "bob", &[CONTACT], &audio());
    scene.one("ACK");
    assert!(scene.heard().contains(&Heard::Established(call)));
}

#[test]
fn early_media_survives_a_180_and_a_200_without_sdp() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    scene.answer(&invite, 183, "bob", &[CONTACT, "X-Early: yes"], &audio());
    let heard = scene.heard();
    let [Heard::Progress(_, 183), Heard::Media(_, Stage::Agreed, plan)] = heard.as_slice() else {
        panic!("{heard:?}");
    };
    assert_eq!(plan.remote.to_string(), "192.0.2.20:6000");
    assert!(scene.last_message().contains("X-Early: yes"));
    scene.answer(&invite, 180, "bob", &[CONTACT], "");
    assert_eq!(scene.heard(), [Heard::Progress(call, 180)]);
    scene.answer(&invite, 200, "bob", &[CONTACT], "");
    scene.one("ACK");
    assert_eq!(scene.heard(), [Heard::Established(call)]);
    assert_eq!(scene.node.endpoint.view(call).unwrap().plan, Some(*plan));
}

#[test]
fn a_200_that_repeats_the_early_answer_changes_nothing() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    scene.answer(&invite, 183, "bob", &[CONTACT], &audio());
    scene.heard();
    scene.answer(&invite, 200, "bob", &[CONTACT], &audio());
    assert_eq!(scene.heard(), [Heard::Established(call)]);
}

#[test]
fn events_of_an_answer_come_in_order() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    scene.answer(&invite, 200, "bob", &[CONTACT, "X-Ok: 1"], &audio());
    let heard = scene.heard();
    let [Heard::Media(a, Stage::Agreed, _), Heard::Established(b)] = heard.as_slice() else {
        panic!("{heard:?}");
    };
    assert_eq!([*a, *b], [call, call]);
    assert!(scene.last_message().contains("X-Ok: 1"));
}

#[test]
fn a_repeated_2xx_is_acknowledged_byte_for_byte() {
    let mut scene = Scene::new();
    let (_, invite, ack) = scene.established();
    assert_ne!(ack.branch(), invite.branch());
    assert_eq!(ack.cseq(), invite.cseq());
    for _ in 0..3 {
        scene.run_ms(500);
        scene.answer(&invite, 200, "bob", &[CONTACT], &audio());
        assert_eq!(scene.one("ACK").text, ack.text);
    }
    assert_eq!(scene.heard(), []);
}

#[test]
fn an_answer_that_is_not_acceptable_is_acknowledged_and_hung_up() {
    for body in [
        audio().replace("RTP/AVP 0 8 101", "RTP/AVP 9 18"),
        sdp("192.0.2.20", 0, "sendrecv"),
        String::new(),
        "v=0\r\ngarbage".to_owned(),
        audio() + "m=video 6002 RTP/AVP 31\r\n",
    ] {
        let mut scene = Scene::new();
        let (call, invite) = scene.call();
        scene.answer(&invite, 200, "bob", &[CONTACT], &body);
        let [ack, bye] = scene.these(["ACK", "BYE"]);
        assert_eq!(ack.cseq(), invite.cseq());
        assert_eq!(bye.cseq(), invite.cseq() + 1);
        assert_eq!(scene.heard(), [Heard::Ended(call, Reason::NotAcceptable)], "{body}");
        scene.answer(&bye, 200, "bob", &[], "");
        scene.answer(&invite, 200, "bob", &[CONTACT], &body);
        assert_eq!(scene.one("ACK").text, ack.text);
        scene.assert_idle();
    }
}

#[test]
fn a_late_offer_is_answered_in_the_ack_and_can_be_held_afterwards() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call_to("sip:bob@192.0.2.20", |call| call.late_offer = true);
    assert_eq!(invite.body(), "");
    assert!(invite.all("Content-Type").is_empty());
    scene.answer(&invite, 183, "bob", &[CONTACT], &audio());
    assert_eq!(scene.heard(), [Heard::Progress(call, 183)], "no answer to an unreliable offer");
    let video = "m=video 6002 RTP/AVP 31\r\n";
    scene.answer(&invite, 200, "bob", &[CONTACT], &(audio() + video));
    let ack = scene.one("ACK");
    assert_eq!(ack.header("Content-Type"), "application/sdp");
    assert!(ack.body().contains("m=audio 4000 RTP/AVP 0"), "{}", ack.text);
    assert!(ack.body().contains("m=video 0 RTP/AVP 31"));
    let heard = scene.heard();
    let [Heard::Media(_, Stage::Agreed, plan), Heard::Established(_)] = heard.as_slice() else {
        panic!("{heard:?}");
    };
    assert_eq!(plan.remote.port(), 6000);
    scene.node.endpoint.hold(scene.now, call).unwrap();
    let hold = scene.one("INVITE");
    assert!(hold.body().contains("a=sendonly"));
    assert!(hold.body().contains("m=video 0"));
}

#[test]
fn a_late_call_whose_offer_we_cannot_answer_is_hung_up() {
    for body in [String::new(), audio().replace("RTP/AVP 0 8 101", "RTP/AVP 9 18")] {
        let mut scene = Scene::new();
        let (call, invite) = scene.call_to("sip:bob@192.0.2.20", |call| call.late_offer = true);
        scene.answer(&invite, 200, "bob", &[CONTACT], &body);
        scene.these(["ACK", "BYE"]);
        assert_eq!(scene.heard(), [Heard::Ended(call, Reason::NotAcceptable)]);
    }
}

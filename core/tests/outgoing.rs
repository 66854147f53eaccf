//! Calls that we place, against a scripted server and callee.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use sansip::endpoint::{Config, CustomHeader, Error, Input, Reason, Stage};
use sansip::path::Path;
use sansip::sdp::Direction;
use sansip::time::Duration;
use support::Heard;
use support::script::{Caller, OTHER, PEER, SERVER, Scene, Sent, US, audio, sdp};

const CONTACT: &str = "Contact: <sip:bob@192.0.2.20>";

/// A call through the server, which the account knows.
fn call_by_server(scene: &mut Scene) -> (sansip::endpoint::CallId, Sent) {
    let (call, invite) = scene.call_to("600", |_| {});
    assert_eq!(invite.uri(), "sip:600@192.0.2.10");
    assert_eq!(invite.to.to_string(), SERVER);
    (call, invite)
}

fn progress(heard: &[Heard]) -> Vec<u16> {
    heard
        .iter()
        .filter_map(|heard| match heard {
            Heard::Progress(_, status) => Some(*status),
            _ => None,
        })
        .collect()
}

#[test]
fn a_401_and_a_407_are_answered_in_one_call() {
    let mut scene = Scene::new();
    let (call, first) = call_by_server(&mut scene);
    let proxy = "Proxy-Authenticate: Digest realm=\"p\", nonce=\"p1\", qop=\"auth\"";
    scene.answer(&first, 407, "x", &[proxy], "");
    let [ack, second] = scene.these(["ACK", "INVITE"]);
    assert_eq!(ack.branch(), first.branch());
    assert_eq!(ack.cseq(), first.cseq());
    assert_eq!(ack.tag_of_to(), Some("x"));
    assert_eq!(ack.uri(), first.uri());
    assert_eq!(second.cseq(), first.cseq() + 1);
    assert_ne!(second.branch(), first.branch());
    assert_eq!(second.header("Call-ID"), first.header("Call-ID"));
    assert_eq!(second.tag_of_from(), first.tag_of_from());
    assert_eq!(second.tag_of_to(), None);
    assert_eq!(second.body(), first.body());
    assert!(second.proves("Proxy-Authorization", "secret"));
    let server = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", algorithm=SHA-256";
    scene.answer(&second, 401, "y", &[server], "");
    let [_, third] = scene.these(["ACK", "INVITE"]);
    assert!(third.proves("Proxy-Authorization", "secret"));
    assert!(third.proves("Authorization", "secret"));
    assert_eq!(third.cseq(), first.cseq() + 2);
    scene.answer(&third, 200, "bob", &["Contact: <sip:600@192.0.2.10>"], &audio());
    let ack = scene.one("ACK");
    assert_eq!(ack.cseq(), third.cseq());
    assert_eq!(ack.header("Authorization"), third.header("Authorization"));
    assert_eq!(ack.header("Proxy-Authorization"), third.header("Proxy-Authorization"));
    assert!(scene.heard().contains(&Heard::Established(call)));
    // the next request in the dialog goes on counting
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    assert_eq!(scene.one("BYE").cseq(), third.cseq() + 1);
}

#[test]
fn a_wrong_password_ends_the_call_with_the_message() {
    let mut scene = Scene::new();
    let (call, first) = call_by_server(&mut scene);
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"";
    scene.answer(&first, 401, "x", &[challenge], "");
    let [_, second] = scene.these(["ACK", "INVITE"]);
    scene.answer(&second, 401, "x", &[&challenge.replace("n1", "n2")], "");
    scene.one("ACK");
    assert_eq!(scene.heard(), [Heard::Ended(call, Reason::AuthenticationFailed)]);
    assert!(scene.last_message().contains("n2"));
    scene.assert_idle();
    assert!(scene.sent().is_empty());
}

#[test]
fn a_callee_that_is_not_our_server_gets_no_credentials() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    for kind in ["WWW-Authenticate", "Proxy-Authenticate"] {
        assert!(invite.all(kind).is_empty());
    }
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"";
    scene.answer(&invite, 401, "x", &[challenge], "");
    scene.one("ACK");
    assert_eq!(scene.heard(), [Heard::Ended(call, Reason::AuthenticationFailed)]);
    assert_eq!(scene.node.endpoint.stats().challenges_refused, 1);
}

#[test]
fn a_callee_that_challenges_a_bye_or_re_invite_gets_no_credentials() {
    for direct in [false, true] {
        let mut scene = Scene::new();
        let (call, invite) = if direct { scene.call() } else { call_by_server(&mut scene) };
        // behind the server, which stays in the path
        let route = if direct { "X: y" } else { "Record-Route: <sip:192.0.2.10;lr>" };
        scene.answer(&invite, 200, "bob", &[CONTACT, route], &audio());
        scene.one("ACK");
        scene.node.endpoint.hold(scene.now, call).unwrap();
        let hold = scene.one("INVITE");
        let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"";
        scene.answer(&hold, 401, "bob", &[challenge], "");
        scene.one("ACK");
        assert!(scene.heard().contains(&Heard::HoldFailed(call, Reason::AuthenticationFailed)));
        scene.node.endpoint.hang_up(scene.now, call).unwrap();
        let bye = scene.one("BYE");
        scene.answer(&bye, 407, "bob", &[&challenge.replace("WWW", "Proxy")], "");
        assert!(scene.sent().is_empty());
        assert_eq!(scene.heard(), [Heard::Ended(call, Reason::HungUp)]);
        scene.assert_idle();
    }
}

#[test]
fn a_server_that_is_the_far_end_itself_may_challenge_inside_the_call() {
    let mut scene = Scene::new();
    let (call, invite) = call_by_server(&mut scene);
    scene.answer(&invite, 200, "b2b", &["Contact: <sip:600@192.0.2.10:5060>"], &audio());
    scene.one("ACK");
    scene.heard();
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"";
    scene.node.endpoint.hold(scene.now, call).unwrap();
    let hold = scene.one("INVITE");
    scene.answer(&hold, 401, "b2b", &[challenge], "");
    let [_, again] = scene.these(["ACK", "INVITE"]);
    assert!(again.proves("Authorization", "secret"));
    assert_eq!(again.tag_of_to(), Some("b2b"));
    assert_eq!(again.cseq(), hold.cseq() + 1);
    scene.answer(&again, 200, "b2b", &[], &sdp("192.0.2.10", 6000, "recvonly"));
    scene.one("ACK");
    assert_eq!(scene.node.plans().last().unwrap().1.direction, Direction::SendOnly);
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    let bye = scene.one("BYE");
    assert_eq!(bye.cseq(), again.cseq() + 1);
    scene.answer(&bye, 401, "b2b", &[&challenge.replace("n1", "n2")], "");
    let again = scene.one("BYE");
    assert!(again.proves("Authorization", "secret"));
    assert_eq!(again.cseq(), bye.cseq() + 1);
    scene.answer(&again, 200, "b2b", &[], "");
    scene.assert_idle();
    assert_eq!(scene.ended(), [Reason::HungUp]);
}

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
fn the_fork_that_answers_is_not_the_one_that_rang_first() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    let first = "Record-Route: <sip:192.0.2.30;lr>";
    scene.answer(&invite, 180, "one", &["Contact: <sip:one@192.0.2.30:5071>", first], "");
    scene.answer(&invite, 180, "two", &["Contact: <sip:two@192.0.2.20:5072>"], "");
    scene.answer(&invite, 200, "three", &["Contact: <sip:three@192.0.2.20:5073>"], &audio());
    let ack = scene.one("ACK");
    assert_eq!(ack.uri(), "sip:three@192.0.2.20:5073");
    assert_eq!(ack.to.to_string(), "192.0.2.20:5073");
    assert_eq!(ack.tag_of_to(), Some("three"));
    assert!(ack.all("Route").is_empty());
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    let bye = scene.one("BYE");
    assert_eq!((bye.uri(), bye.tag_of_to()), ("sip:three@192.0.2.20:5073", Some("three")));
    scene.answer(&bye, 200, "", &[], "");
    scene.assert_idle();
}

#[test]
fn an_early_dialog_that_answers_keeps_its_own_route_and_media() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    let one = "Contact: <sip:one@192.0.2.20:5071>";
    let two = "Contact: <sip:two@192.0.2.20:5072>";
    let route = "Record-Route: <sip:192.0.2.30;lr>";
    scene.answer(&invite, 183, "one", &[one, route], &sdp("192.0.2.20", 6001, "sendrecv"));
    scene.answer(&invite, 183, "two", &[two], &sdp("192.0.2.20", 6002, "sendrecv"));
    assert_eq!(scene.node.plans().last().unwrap().1.remote.port(), 6002);
    scene.answer(&invite, 200, "one", &[one, route], "");
    let ack = scene.one("ACK");
    assert_eq!(ack.to.to_string(), OTHER);
    assert_eq!(ack.header("Route"), "<sip:192.0.2.30;lr>");
    assert_eq!(ack.uri(), "sip:one@192.0.2.20:5071");
    let plan = scene.node.endpoint.view(call).unwrap().plan.unwrap();
    assert_eq!(plan.remote.port(), 6001, "the answer of the fork that took the call");
    assert_eq!(scene.node.plans().last().unwrap().1, plan);
}

#[test]
fn a_fork_without_any_answer_is_not_taken_for_another_ones_media() {
    let mut scene = Scene::new();
    let (_, invite) = scene.call();
    let one = "Contact: <sip:one@192.0.2.20:5071>";
    scene.answer(&invite, 183, "one", &[one], &audio());
    scene.answer(&invite, 200, "two", &["Contact: <sip:two@192.0.2.20:5072>"], "");
    let [ack, bye] = scene.these(["ACK", "BYE"]);
    assert_eq!((ack.tag_of_to(), bye.tag_of_to()), (Some("two"), Some("two")));
    assert_eq!(scene.ended(), [Reason::NotAcceptable]);
}

#[test]
fn a_second_fork_that_answers_is_acknowledged_and_hung_up() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    scene.answer(&invite, 200, "one", &["Contact: <sip:one@192.0.2.20:5071>"], &audio());
    let first = scene.one("ACK");
    scene.heard();
    let two = ["Contact: <sip:two@192.0.2.20:5072>", "Record-Route: <sip:192.0.2.30;lr>"];
    scene.answer(&invite, 200, "two", &two, &audio());
    let [ack, bye] = scene.these(["ACK", "BYE"]);
    for sent in [&ack, &bye] {
        assert_eq!(sent.tag_of_to(), Some("two"));
        assert_eq!(sent.uri(), "sip:two@192.0.2.20:5072");
        assert_eq!(sent.to.to_string(), OTHER);
        assert_eq!(sent.header("Route"), "<sip:192.0.2.30;lr>");
        assert_eq!(sent.tag_of_from(), invite.tag_of_from());
        assert_eq!(sent.header("Call-ID"), invite.header("Call-ID"));
    }
    assert_eq!(ack.cseq(), invite.cseq());
    assert_eq!(bye.cseq(), invite.cseq() + 1);
    // its 200 again: acknowledged again, but hung up once
    scene.run_ms(100);
    scene.answer(&invite, 200, "two", &two, &audio());
    let again = scene.one("ACK");
    assert_eq!(again.tag_of_to(), Some("two"));
    scene.answer(&bye, 200, "two", &[], "");
    scene.answer(&invite, 200, "two", &two, &audio());
    scene.one("ACK");
    // the first fork's call lives on
    scene.answer(&invite, 200, "one", &["Contact: <sip:one@192.0.2.20:5071>"], &audio());
    assert_eq!(scene.one("ACK").text, first.text);
    assert_eq!(scene.heard(), []);
    assert!(scene.node.endpoint.view(call).is_some());
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
fn a_refused_call_ends_with_its_status_and_the_whole_message() {
    for status in [300, 302, 380, 403, 404, 410, 480, 486, 488, 500, 503, 600, 603, 699] {
        let mut scene = Scene::new();
        let (call, invite) = scene.call();
        let more = ["Contact: <sip:elsewhere@192.0.2.77>", "Warning: 399 x \"y\""];
        scene.answer(&invite, 180, "bob", &[CONTACT], "");
        scene.heard();
        scene.answer(&invite, status, "bob", &more, "");
        let ack = scene.one("ACK");
        assert_eq!((ack.branch(), ack.uri()), (invite.branch(), invite.uri()));
        assert_eq!((ack.cseq(), ack.tag_of_to()), (invite.cseq(), Some("bob")));
        assert_eq!(scene.heard(), [Heard::Ended(call, Reason::Rejected(status))]);
        for line in more {
            assert!(scene.last_message().contains(line));
        }
        scene.answer(&invite, status, "bob", &more, "");
        assert_eq!(scene.one("ACK").text, ack.text);
        assert_eq!(scene.node.endpoint.hang_up(scene.now, call), Err(Error::Gone));
        assert_eq!(scene.heard(), []);
        scene.assert_idle();
    }
}

#[test]
fn a_cancel_is_the_invites_own() {
    const HEADERS: &[CustomHeader<'static>] = &[CustomHeader::new("X-Device", "door")];
    let mut scene = Scene::with(Config::default(), |account| {
        account.outbound_proxy = "sip:192.0.2.10;lr";
        account.headers = HEADERS;
    });
    let (call, invite) = scene.call_to("sip:bob@example.org", |_| {});
    assert_eq!(invite.to.to_string(), SERVER);
    scene.answer(&invite, 100, "", &[], "");
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    let cancel = scene.one("CANCEL");
    assert_eq!(cancel.uri(), invite.uri());
    assert_eq!(cancel.all("Via"), [invite.all("Via")[0]]);
    assert_eq!(cancel.header("From"), invite.header("From"));
    assert_eq!(cancel.header("To"), invite.header("To"));
    assert_eq!(cancel.header("Call-ID"), invite.header("Call-ID"));
    assert_eq!(cancel.cseq(), invite.cseq());
    assert_eq!(cancel.to, invite.to);
    assert_eq!(cancel.header("X-Device"), "door");
    assert!(cancel.all("Require").is_empty() && cancel.body().is_empty());
    let heard = scene.heard();
    assert!(heard.contains(&Heard::Ended(call, Reason::Cancelled)), "{heard:?}");
    scene.answer(&cancel, 200, "srv", &[], "");
    scene.answer(&invite, 487, "bob", &[], "");
    let ack = scene.one("ACK");
    assert_eq!(ack.branch(), invite.branch());
    assert_eq!(ack.header("X-Device"), "door");
    assert_eq!(scene.heard(), []);
    scene.assert_idle();
    assert!(scene.sent().is_empty());
}

#[test]
fn a_cancel_is_repeated_until_it_is_answered_and_a_lost_487_is_given_up() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    scene.answer(&invite, 180, "bob", &[CONTACT], "");
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    let cancel = scene.one("CANCEL");
    scene.run_ms(1600);
    let again = scene.sent();
    assert_eq!(again.len(), 2, "timer E");
    assert!(again.iter().all(|copy| copy.text == cancel.text));
    scene.answer(&cancel, 481, "x", &[], "");
    scene.run_ms(3000);
    assert!(scene.sent().is_empty());
    scene.assert_idle();
    assert_eq!(scene.ended(), [Reason::Cancelled]);
    // a 487 that comes after all meets nothing
    scene.answer(&invite, 487, "bob", &[], "");
    assert!(scene.sent().is_empty());
}

#[test]
fn a_call_that_is_cancelled_while_it_is_challenged_is_not_tried_again() {
    let mut scene = Scene::new();
    let (call, invite) = call_by_server(&mut scene);
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    assert!(scene.sent().is_empty());
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"";
    scene.answer(&invite, 401, "x", &[challenge], "");
    scene.one("ACK");
    assert_eq!(scene.ended(), [Reason::Cancelled]);
    scene.assert_idle();
}

#[test]
fn a_200_that_crosses_the_cancel_is_acknowledged_and_hung_up_once() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    scene.answer(&invite, 180, "bob", &[CONTACT], "");
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    let cancel = scene.one("CANCEL");
    scene.answer(&invite, 200, "bob", &[CONTACT], &audio());
    let [ack, bye] = scene.these(["ACK", "BYE"]);
    assert_eq!((ack.cseq(), bye.cseq()), (invite.cseq(), invite.cseq() + 1));
    scene.answer(&cancel, 200, "bob", &[], "");
    scene.answer(&invite, 200, "bob", &[CONTACT], &audio());
    assert_eq!(scene.one("ACK").tag_of_to(), Some("bob"));
    scene.answer(&bye, 200, "bob", &[], "");
    assert_eq!(scene.ended(), [Reason::Cancelled]);
    scene.assert_idle();
    assert!(scene.sent().is_empty());
}

#[test]
fn a_large_invite_goes_out_by_udp() {
    let mut scene = Scene::new();
    let long = "v".repeat(780);
    let headers = [CustomHeader::new("X-Long", &long)];
    let (_, invite) = scene.call_to("sip:bob@192.0.2.20", |call| call.headers = &headers);
    assert!(invite.text.len() > 1300, "{}", invite.text.len());
    assert!(invite.all("Via")[0].starts_with("SIP/2.0/UDP"));
}

#[test]
fn an_invite_that_does_not_fit_is_refused_at_once_and_leaves_nothing() {
    let mut scene = Scene::new();
    let long = "v".repeat(5000);
    let headers = [CustomHeader::new("X-Long", &long)];
    let call = sansip::endpoint::OutgoingCall {
        account: scene.account,
        target: "sip:bob@192.0.2.20",
        media: Scene::media(),
        late_offer: false,
        headers: &headers,
    };
    assert_eq!(scene.node.endpoint.call(scene.now, call), Err(Error::TooLong));
    scene.assert_idle();
    assert!(scene.heard().is_empty() && scene.sent().is_empty());
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

#[test]
fn loose_routes_are_taken_in_reverse_and_the_ack_follows_them() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    let more = [
        "Contact: <sip:bob@203.0.113.5:5070;x=y>",
        "Record-Route: <sip:p3.example.com;lr>, \"P2\" <sip:p2.example.com;lr;a=b>;c=d",
        "Record-Route: <sip:192.0.2.30:5062;lr>",
    ];
    scene.answer(&invite, 200, "bob", &more, &audio());
    let routes = [
        "<sip:192.0.2.30:5062;lr>",
        "\"P2\" <sip:p2.example.com;lr;a=b>;c=d",
        "<sip:p3.example.com;lr>",
    ];
    let ack = scene.one("ACK");
    assert_eq!(ack.all("Route"), routes);
    assert_eq!(ack.uri(), "sip:bob@203.0.113.5:5070;x=y");
    assert_eq!(ack.to.to_string(), "192.0.2.30:5062");
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    let bye = scene.one("BYE");
    assert_eq!(bye.all("Route"), routes);
    assert_eq!(bye.to.to_string(), "192.0.2.30:5062");
}

#[test]
fn a_strict_router_gets_the_request_uri() {
    let mut scene = Scene::new();
    let (_, invite) = scene.call();
    let more = [
        "Contact: <sip:bob@203.0.113.5>",
        "Record-Route: <sip:p2.example.com;lr>",
        "Record-Route: <sip:192.0.2.30:5062>",
    ];
    scene.answer(&invite, 200, "bob", &more, &audio());
    let ack = scene.one("ACK");
    assert_eq!(ack.uri(), "sip:192.0.2.30:5062");
    assert_eq!(ack.all("Route"), ["<sip:p2.example.com;lr>", "<sip:bob@203.0.113.5>"]);
    assert_eq!(ack.to.to_string(), "192.0.2.30:5062");
}

#[test]
fn without_routes_the_ack_goes_to_the_contact_and_not_where_the_invite_went() {
    let mut scene = Scene::new();
    let (_, invite) = call_by_server(&mut scene);
    scene.answer(&invite, 200, "bob", &["Contact: <sip:bob@192.0.2.20:5099>"], &audio());
    let ack = scene.one("ACK");
    assert_eq!(ack.uri(), "sip:bob@192.0.2.20:5099");
    assert_eq!(ack.to.to_string(), "192.0.2.20:5099");
}

#[test]
fn a_contact_by_name_is_reached_where_the_answer_came_from() {
    let mut scene = Scene::new();
    let (_, invite) = call_by_server(&mut scene);
    scene.answer(&invite, 200, "bob", &["Contact: <sip:bob@bob.example.org>"], &audio());
    let ack = scene.one("ACK");
    assert_eq!(ack.uri(), "sip:bob@bob.example.org");
    assert_eq!(ack.to.to_string(), SERVER);
}

#[test]
fn the_remote_target_is_refreshed_by_a_re_invite_of_either_side() {
    let mut scene = Scene::new();
    let (call, invite, _) = scene.established();
    let mut peer = Caller::of_invite(&invite, "bob");
    peer.contact = "<sip:bob@192.0.2.30:5081>".to_owned();
    peer.send(&mut scene, "INVITE", &[], &audio());
    scene.one("200 INVITE");
    let ack = peer.ack(&mut scene, "");
    scene.hear_from(PEER, &ack);
    scene.node.endpoint.hold(scene.now, call).unwrap();
    let hold = scene.one("INVITE");
    assert_eq!(hold.uri(), "sip:bob@192.0.2.30:5081");
    assert_eq!(hold.to.to_string(), "192.0.2.30:5081");
    let moved = ["Contact: <sip:bob@192.0.2.20:5082>"];
    scene.answer(&hold, 200, "bob", &moved, &sdp("192.0.2.20", 6000, "recvonly"));
    let ack = scene.one("ACK");
    assert_eq!(ack.uri(), "sip:bob@192.0.2.20:5082");
    assert_eq!(ack.to.to_string(), "192.0.2.20:5082");
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    assert_eq!(scene.one("BYE").uri(), "sip:bob@192.0.2.20:5082");
}

#[test]
fn numbers_grow_by_one_with_each_request_of_ours() {
    let mut scene = Scene::new();
    let (call, invite, _) = scene.established();
    let endpoint = &mut scene.node.endpoint;
    endpoint.request_in_call(scene.now, call, "INFO", &[], None).unwrap();
    endpoint.request_in_call(scene.now, call, "MESSAGE", &[], None).unwrap();
    endpoint.hang_up(scene.now, call).unwrap();
    let cseqs: Vec<u32> = scene.sent().iter().map(Sent::cseq).collect();
    let first = invite.cseq();
    assert_eq!(cseqs, [first + 1, first + 2, first + 3]);
}

#[test]
fn a_target_by_name_is_looked_up_and_an_unknown_one_ends_the_call() {
    let mut scene = Scene::new();
    for known in [true, false] {
        let call = sansip::endpoint::OutgoingCall {
            account: scene.account,
            target: "sip:bob@example.org",
            media: Scene::media(),
            late_offer: false,
            headers: &[],
        };
        let call = scene.node.endpoint.call(scene.now, call).unwrap();
        let heard = scene.heard();
        let [Heard::Resolve(query, host, None)] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!(host, "example.org");
        scene.resolve(*query, if known { &[PEER] } else { &[] });
        if known {
            let invite = scene.one("INVITE");
            assert_eq!(invite.to.to_string(), PEER);
            assert!(invite.all("Via")[0].contains(US));
            scene.answer(&invite, 486, "bob", &[], "");
            scene.one("ACK");
            assert_eq!(scene.heard(), [Heard::Ended(call, Reason::Rejected(486))]);
        } else {
            assert!(scene.sent().is_empty());
            assert_eq!(scene.heard(), [Heard::Ended(call, Reason::Unreachable)]);
        }
    }
    scene.assert_idle();
}

#[test]
fn a_call_hung_up_while_its_name_is_looked_up_sends_nothing() {
    let mut scene = Scene::new();
    let call = sansip::endpoint::OutgoingCall {
        account: scene.account,
        target: "sip:bob@example.org",
        media: Scene::media(),
        late_offer: false,
        headers: &[],
    };
    let call = scene.node.endpoint.call(scene.now, call).unwrap();
    let heard = scene.heard();
    let [Heard::Resolve(query, ..)] = heard.as_slice() else { panic!("{heard:?}") };
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    scene.resolve(*query, &[PEER]);
    assert_eq!(scene.heard(), [Heard::Ended(call, Reason::Cancelled)]);
    assert!(scene.sent().is_empty());
    scene.assert_idle();
}

#[test]
fn an_unreachable_peer_ends_the_call_at_once_but_not_one_that_rings() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    let path = Path::udp(US.parse().unwrap(), invite.to);
    scene.node.endpoint.handle(scene.now, Input::SendFailed { path });
    assert_eq!(scene.heard(), [Heard::Ended(call, Reason::Unreachable)]);
    scene.assert_idle();
    // an established call outlives it: such an answer can be forged
    let (call, ..) = scene.established();
    scene.node.endpoint.handle(scene.now, Input::SendFailed { path });
    assert_eq!(scene.heard(), []);
    assert!(scene.node.endpoint.view(call).is_some());
}

#[test]
fn nobody_answers_within_the_limit() {
    let config = Config { ring_limit: Duration::from_secs(30), ..Config::default() };
    let mut scene = Scene::with(config, |_| {});
    let (call, invite) = scene.call();
    scene.answer(&invite, 180, "bob", &[CONTACT], "");
    scene.run_ms(29_900);
    assert!(scene.sent().is_empty());
    scene.run_ms(200);
    scene.one("CANCEL");
    let heard = scene.heard();
    assert_eq!(heard.last(), Some(&Heard::Ended(call, Reason::NoAnswer)));
}

#[test]
fn call_headers_go_with_every_request_of_the_call_by_method() {
    const ACCOUNT: &[CustomHeader<'static>] =
        &[CustomHeader::new("X-Account", "a"), CustomHeader::new("User-Agent", "account/1")];
    let headers = [
        CustomHeader::new("X-Call", "c"),
        CustomHeader { method: Some("INVITE"), name: "X-Invite", value: "i" },
        CustomHeader { method: Some("BYE"), name: "Reason", value: "Q.850;cause=16" },
        CustomHeader { method: Some("ACK"), name: "X-Ack", value: "k" },
        CustomHeader::new("User-Agent", "call/2"),
        CustomHeader::new("From", "<sip:other@example.net>"),
        CustomHeader {
            method: Some("INVITE"),
            name: "Contact",
            value: "<sip:c@192.0.2.1:5060;ob>",
        },
    ];
    let mut scene = Scene::with(Config::default(), |account| account.headers = ACCOUNT);
    let (call, invite) = scene.call_to("sip:bob@192.0.2.20", |call| call.headers = &headers);
    scene.answer(&invite, 200, "bob", &[CONTACT], &audio());
    let ack = scene.one("ACK");
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    let bye = scene.one("BYE");
    for sent in [&invite, &ack, &bye] {
        assert_eq!(sent.header("X-Account"), "a");
        assert_eq!(sent.header("X-Call"), "c");
        assert_eq!(sent.header("User-Agent"), "call/2");
        assert!(sent.header("From").starts_with("<sip:other@example.net>;tag="));
        assert_eq!(sent.tag_of_from(), invite.tag_of_from());
        assert_eq!(!sent.all("X-Invite").is_empty(), sent.method() == "INVITE");
        assert_eq!(!sent.all("X-Ack").is_empty(), sent.method() == "ACK");
        assert_eq!(!sent.all("Reason").is_empty(), sent.method() == "BYE");
    }
    assert_eq!(invite.header("Contact"), "<sip:c@192.0.2.1:5060;ob>");
}

#[test]
fn headers_that_belong_to_the_endpoint_or_would_inject_are_refused() {
    let mut scene = Scene::new();
    for (name, value) in [
        ("Via", "x"),
        ("To", "<sip:x@y>"),
        ("call-id", "x"),
        ("CSeq", "1 INVITE"),
        ("l", "5"),
        ("Route", "<sip:x>"),
        ("X", "a\r\nVia: b"),
        ("X Y", "a"),
    ] {
        let headers = [CustomHeader::new(name, value)];
        let call = sansip::endpoint::OutgoingCall {
            account: scene.account,
            target: "sip:bob@192.0.2.20",
            media: Scene::media(),
            late_offer: false,
            headers: &headers,
        };
        assert_eq!(scene.node.endpoint.call(scene.now, call), Err(Error::Invalid), "{name}");
    }
    scene.assert_idle();
}

#[test]
fn a_2xx_without_a_contact_is_acknowledged_at_whom_we_called() {
    let mut scene = Scene::new();
    let (_, invite) = scene.call();
    scene.answer(&invite, 180, "one", &["Contact: <sip:one@192.0.2.30>"], "");
    scene.answer(&invite, 180, "two", &[], "");
    scene.answer(&invite, 200, "two", &[], &audio());
    let ack = scene.one("ACK");
    assert_eq!(ack.uri(), "sip:bob@192.0.2.20");
    assert_eq!(ack.to.to_string(), PEER);
}

#[test]
fn a_2xx_whose_texts_do_not_fit_is_acknowledged_and_hung_up_once() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    let contact = format!("Contact: <sip:{}@192.0.2.20>", "b".repeat(1100));
    scene.answer(&invite, 200, "bob", &[&contact], &audio());
    let [_, bye] = scene.these(["ACK", "BYE"]);
    assert_eq!(scene.heard(), [Heard::Ended(call, Reason::TooLong)]);
    scene.answer(&invite, 200, "bob", &[&contact], &audio());
    scene.one("ACK");
    scene.answer(&bye, 200, "bob", &[], "");
    scene.assert_idle();
}

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
fn a_peer_that_hangs_up_before_it_was_answered_twice_ends_once() {
    let mut scene = Scene::new();
    let (call, invite, _) = scene.established();
    let mut peer = Caller::of_invite(&invite, "bob");
    peer.send(&mut scene, "BYE", &["Reason: x"], "");
    scene.one("200 BYE");
    assert_eq!(scene.heard(), [Heard::Ended(call, Reason::PeerHungUp)]);
    assert!(scene.last_message().contains("Reason: x"));
    peer.send(&mut scene, "BYE", &[], "");
    scene.one("481 BYE");
    assert_eq!(scene.heard(), []);
    for error in [
        scene.node.endpoint.hang_up(scene.now, call).unwrap_err(),
        scene.node.endpoint.hold(scene.now, call).unwrap_err(),
        scene.node.endpoint.answer(scene.now, call, Scene::media()).unwrap_err(),
        scene.node.endpoint.request_in_call(scene.now, call, "INFO", &[], None).unwrap_err(),
    ] {
        assert_eq!(error, Error::Gone);
    }
    assert!(scene.node.endpoint.view(call).is_none());
    scene.assert_idle();
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
    let (call, ..) = scene.established();
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

#[test]
fn responses_for_somebody_else_are_dropped() {
    let mut scene = Scene::new();
    let (_, invite) = scene.call();
    let ok = invite.response(200, "bob", &[CONTACT], &audio());
    let twice = ok.replacen("Via: ", "Via: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKx\r\nVia: ", 1);
    scene.hear_from(PEER, &twice);
    scene.hear_from(PEER, &ok.replace("CSeq: ", "CSeq: 1"));
    assert!(scene.sent().is_empty());
    assert_eq!(scene.heard(), []);
}

#[test]
fn a_trying_with_a_tag_makes_no_dialog() {
    let mut scene = Scene::new();
    let (_, invite) = scene.call();
    scene.answer(&invite, 100, "proxy", &[], "");
    scene.answer(&invite, 180, "bob", &[CONTACT], "");
    assert_eq!(scene.node.endpoint.usage().dialogs, 1);
}

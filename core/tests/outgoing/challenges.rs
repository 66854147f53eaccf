//! Challenges to an INVITE and inside a call.

use crate::support::Heard;
use crate::support::script::{Scene, audio, sdp};
use sansip::endpoint::Reason;
use sansip::sdp::Direction;

use super::*;

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
fn a_damaged_realm_of_a_proxy_is_not_held_against_the_true_one() {
    let mut scene = Scene::new();
    let proxy = "Proxy-Authenticate: Digest realm=\"p\", nonce=\"n1\", qop=\"auth\"";
    let (call, first) = call_by_server(&mut scene);
    scene.answer(&first, 407, "x", &[&proxy.replace("\"p\"", "\"q\"")], "");
    let [_, second] = scene.these(["ACK", "INVITE"]);
    scene.answer(&second, 407, "x", &[proxy], "");
    scene.one("ACK");
    assert_eq!(scene.heard(), [Heard::Ended(call, Reason::AuthenticationFailed)]);
    let (_, third) = call_by_server(&mut scene);
    assert!(third.all("Proxy-Authorization").is_empty());
    scene.answer(&third, 407, "x", &[proxy], "");
    let [_, fourth] = scene.these(["ACK", "INVITE"]);
    assert_eq!(fourth.digest("Proxy-Authorization", "realm").unwrap(), "p");
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
fn an_ack_straight_to_the_peer_has_no_credentials_whether_we_can_answer_or_not() {
    for formats in ["0 8 101", "9 18"] {
        let mut scene = Scene::new();
        let (_, first) = scene.call_to("600", |call| call.late_offer = true);
        let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"";
        scene.answer(&first, 401, "x", &[challenge], "");
        let [_, second] = scene.these(["ACK", "INVITE"]);
        assert!(second.proves("Authorization", "secret"));
        scene.answer(&second, 200, "bob", &[CONTACT], &audio().replace("0 8 101", formats));
        let ack = scene.sent().remove(0);
        assert_eq!(ack.label(), "ACK");
        assert_eq!(ack.all("Authorization"), [""; 0], "to {}", ack.to);
        assert_ne!(ack.to.to_string(), SERVER);
    }
}

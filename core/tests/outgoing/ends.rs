//! Refusals, CANCEL, and ways that do not exist.

use crate::support::Heard;
use crate::support::script::{Caller, PEER, SERVER, Scene, US, audio};
use sansip::endpoint::{Config, CustomHeader, Error, Input, Reason};
use sansip::path::Path;
use sansip::time::Duration;

use super::*;

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
    assert_eq!(cancel.header("Route"), "<sip:192.0.2.10;lr>");
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

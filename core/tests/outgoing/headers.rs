//! Custom headers.

use crate::support::script::{Scene, audio};
use sansip::endpoint::{Config, CustomHeader, Error};

use super::*;

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

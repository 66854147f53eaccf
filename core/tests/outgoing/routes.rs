//! Route sets, targets, numbers.

use crate::support::script::{Caller, PEER, SERVER, Scene, Sent, audio, sdp};

use sansip::endpoint::{Config, OutgoingRequest};

use super::*;

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
fn a_loose_outbound_proxy_is_the_route_of_what_begins_no_dialog_yet() {
    for (proxy, route) in [("sip:192.0.2.10;lr", "<sip:192.0.2.10;lr>"), ("sip:192.0.2.10", "")] {
        let mut scene = Scene::with(Config::default(), |account| {
            account.outbound_proxy = proxy;
        });
        let routes = |sent: &Sent| sent.all("Route").join(", ");
        let register = scene.register();
        assert_eq!((routes(&register).as_str(), register.to.to_string().as_str()), (route, SERVER));
        scene.grant(&register, 3600);
        let account = scene.account;
        let target = "sip:bob@example.org";
        let method = "MESSAGE";
        let request = OutgoingRequest { account, method, target, headers: &[], body: None };
        scene.node.endpoint.request(scene.now, request).unwrap();
        let message = scene.one("MESSAGE");
        assert_eq!((routes(&message).as_str(), message.to.to_string().as_str()), (route, SERVER));
        let (call, invite) = scene.call_to(target, |_| {});
        assert_eq!((routes(&invite).as_str(), invite.to.to_string().as_str()), (route, SERVER));
        assert_eq!(invite.uri(), target);
        // inside the dialog its own routes hold, here none
        scene.answer(&invite, 200, "bob", &["Contact: <sip:bob@192.0.2.20>"], &audio());
        let ack = scene.one("ACK");
        assert_eq!((routes(&ack).as_str(), ack.to.to_string().as_str()), ("", PEER));
        scene.node.endpoint.hang_up(scene.now, call).unwrap();
        assert_eq!(routes(&scene.one("BYE")), "");
    }
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

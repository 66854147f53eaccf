//! Where responses and requests go.

use crate::support::script::{Caller, OTHER, Scene, audio};
use sansip::endpoint::Config;

use super::*;

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

//! Where the registrar is.

use crate::support::Heard;
use crate::support::script::{OTHER, SERVER, Scene};
use sansip::endpoint::{Config, Reason};

use super::*;

#[test]
fn a_registrar_by_name_is_looked_up() {
    let mut scene = Scene::with(Config::default(), |account| {
        account.registrar = "sip:sip.example.com:5080;transport=udp";
    });
    scene.node.endpoint.register(scene.now, scene.account).unwrap();
    scene.run_s(1);
    assert!(scene.sent().is_empty());
    let heard = scene.heard();
    let [Heard::Resolve(query, host, Some(5080))] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!(host, "sip.example.com");
    scene.resolve(*query, &[SERVER, OTHER]);
    let register = scene.one("REGISTER");
    assert_eq!(register.to.to_string(), SERVER);
    assert_eq!(register.uri(), "sip:sip.example.com:5080;transport=udp");
    scene.answer(&register, 401, "r", &[MD5], "");
    let again = scene.one("REGISTER");
    assert!(again.proves("Authorization", "secret"));
    scene.grant(&again, 60);
    scene.wait_s(60, "REGISTER");
    assert_eq!(scene.heard(), [Heard::Registered(60)], "no look-up for each refresh");
}

#[test]
fn a_name_that_cannot_be_resolved_fails_what_waits_for_it() {
    let mut scene =
        Scene::with(Config::default(), |account| account.registrar = "sip:nowhere.example.com");
    scene.node.endpoint.register(scene.now, scene.account).unwrap();
    scene.node.endpoint.query_bindings(scene.now, scene.account).unwrap();
    let heard = scene.heard();
    let [Heard::Resolve(query, ..)] = heard.as_slice() else { panic!("{heard:?}") };
    scene.resolve(*query, &[]);
    let heard = scene.heard();
    let [
        Heard::RegistrationFailed(Reason::Unreachable, Some(wait)),
        Heard::Bindings(Err(Reason::Unreachable)),
    ] = heard.as_slice()
    else {
        panic!("{heard:?}");
    };
    scene.run_ms(u64::from(*wait) * 1000 + 1000);
    let heard = scene.heard();
    let [Heard::Resolve(again, ..)] = heard.as_slice() else { panic!("{heard:?}") };
    scene.resolve(*again, &[SERVER]);
    let register = scene.one("REGISTER");
    scene.grant(&register, 60);
    assert_eq!(scene.heard(), [Heard::Registered(60)]);
}

#[test]
fn an_old_answer_of_the_resolver_changes_nothing() {
    let mut scene =
        Scene::with(Config::default(), |account| account.registrar = "sip:sip.example.com");
    scene.node.endpoint.register(scene.now, scene.account).unwrap();
    let heard = scene.heard();
    let [Heard::Resolve(query, ..)] = heard.as_slice() else { panic!("{heard:?}") };
    scene.resolve(*query, &[SERVER]);
    let register = scene.one("REGISTER");
    scene.resolve(*query, &[OTHER]);
    scene.answer(&register, 401, "r", &[MD5], "");
    assert_eq!(scene.one("REGISTER").to.to_string(), SERVER);
}

#[test]
fn a_response_is_matched_by_its_branch_and_cseq_alone() {
    let mut scene = Scene::new();
    let register = scene.register();
    let ok = register.response(200, "r", &[&format!("Contact: <{}>", register.contact())], "");
    let forged = ok.replace(register.branch(), "z9hG4bK0123456789abcdef01234567");
    scene.hear_from(SERVER, &forged);
    let cseq = format!("CSeq: {}", register.cseq());
    scene.hear_from(SERVER, &ok.replace(&cseq, &format!("CSeq: {}", register.cseq() + 1)));
    assert_eq!(scene.heard(), []);
    scene.hear_from(SERVER, &ok);
    scene.hear_from(SERVER, &ok);
    assert_eq!(scene.heard(), [Heard::Registered(300)]);
}

#[test]
fn a_registration_goes_through_the_outbound_proxy() {
    let mut scene = Scene::with(Config::default(), |account| {
        account.registrar = "sip:example.com";
        account.outbound_proxy = "sip:192.0.2.30;lr";
    });
    let register = scene.register();
    assert_eq!(register.to.to_string(), OTHER);
    assert_eq!(register.uri(), "sip:example.com");
    scene.answer(&register, 401, "r", &[MD5], "");
    assert!(scene.one("REGISTER").proves("Authorization", "secret"));
}

#[test]
fn the_message_cannot_be_delivered() {
    let mut scene = Scene::new();
    let register = scene.register();
    let path = sansip::path::Path::udp(support::script::US.parse().unwrap(), register.to);
    scene.node.endpoint.handle(scene.now, sansip::endpoint::Input::SendFailed { path });
    let heard = scene.heard();
    let [Heard::RegistrationFailed(Reason::Unreachable, Some(_))] = heard.as_slice() else {
        panic!("{heard:?}");
    };
    scene.run_s(10);
    assert_eq!(scene.sent()[0].cseq(), register.cseq() + 1);
}

#[test]
fn a_new_address_is_registered_at_once() {
    for in_flight in [false, true] {
        let mut scene = Scene::new();
        let register = scene.register();
        if !in_flight {
            scene.grant(&register, 60);
        }
        let old = support::script::US.parse().unwrap();
        let new = "192.0.2.99:5060".parse().unwrap();
        let input = sansip::endpoint::Input::LocalAddress { old, new };
        scene.node.endpoint.handle(scene.now, input);
        let moved = scene.one("REGISTER");
        assert_eq!(moved.contact(), "sip:alice@192.0.2.99:5060");
        assert!(moved.all("Via")[0].contains("192.0.2.99"));
        assert!(moved.cseq() > register.cseq());
        scene.heard();
        scene.grant(&moved, 60);
        assert_eq!(scene.heard(), [Heard::Registered(60)]);
        scene.run_s(30);
        assert!(scene.sent().is_empty());
    }
}

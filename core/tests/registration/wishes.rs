//! What the application wants, and when.

use crate::support::Heard;
use crate::support::script::{SERVER, Scene};
use sansip::endpoint::{Config, CustomHeader, Error, Reason};

use super::*;

#[test]
fn a_register_names_identity_and_contact_and_keeps_settings_apart() {
    let mut scene = Scene::with(Config::default(), |account| {
        account.auth_user = "auth-alice";
        account.display_name = "Alice \"A\"";
        account.expires_s = 120;
    });
    let register = scene.register();
    assert_eq!(register.to.to_string(), SERVER);
    assert_eq!(register.uri(), "sip:192.0.2.10");
    assert_eq!(register.header("To"), "<sip:alice@example.com>");
    assert!(
        register.header("From").starts_with("\"Alice \\\"A\\\"\" <sip:alice@example.com>;tag=")
    );
    assert_eq!(register.header("Contact"), "<sip:alice@192.0.2.1:5060>;expires=120");
    assert_eq!(register.header("User-Agent"), "scene/1");
    assert!(register.all("Via")[0].ends_with(";rport"), "{}", register.text);
    scene.answer(&register, 401, "r", &[MD5], "");
    let again = scene.one("REGISTER");
    assert_eq!(again.digest("Authorization", "username").unwrap(), "auth-alice");
    assert_eq!(again.header("To"), "<sip:alice@example.com>");
    assert_eq!(again.header("User-Agent"), "scene/1");
    assert!(again.proves("Authorization", "secret"));
}

#[test]
fn only_our_own_binding_is_removed() {
    let mut scene = Scene::new();
    let again = challenged(&mut scene, &[MD5]);
    scene.grant(&again, 60);
    scene.heard();
    scene.node.endpoint.unregister(scene.now, scene.account).unwrap();
    let remove = scene.one("REGISTER");
    assert_eq!(remove.header("Contact"), "<sip:alice@192.0.2.1:5060>;expires=0");
    assert!(!remove.text.contains("Contact: *"));
    assert_eq!(remove.header("Call-ID"), again.header("Call-ID"));
    assert!(remove.proves("Authorization", "secret"));
    assert_eq!(remove.digest("Authorization", "nc").unwrap(), "00000002");
    let other = "Contact: <sip:alice@198.51.100.7>;expires=999";
    scene.answer(&remove, 200, "r", &[other], "");
    assert_eq!(scene.heard(), [Heard::Unregistered]);
    assert!(scene.last_message().contains("198.51.100.7"));
    let view = scene.node.endpoint.account_view(scene.account).unwrap();
    assert_eq!(view.registered_until, None);
    scene.run_s(4000);
    assert!(scene.sent().is_empty());
}

#[test]
fn an_unregistration_that_fails_is_reported_and_not_repeated() {
    let mut scene = Scene::new();
    let register = scene.register();
    scene.grant(&register, 60);
    scene.heard();
    scene.node.endpoint.unregister(scene.now, scene.account).unwrap();
    let remove = scene.one("REGISTER");
    scene.answer(&remove, 500, "r", &[], "");
    assert_eq!(scene.heard(), [Heard::RegistrationFailed(Reason::Rejected(500), None)]);
    scene.run_s(4000);
    assert!(scene.sent().is_empty());
}

#[test]
fn wishes_that_come_while_a_register_is_on_its_way_wait_for_it() {
    let mut scene = Scene::new();
    let register = scene.register();
    scene.node.endpoint.unregister(scene.now, scene.account).unwrap();
    assert!(scene.sent().is_empty(), "one REGISTER at a time");
    scene.grant(&register, 60);
    let remove = scene.one("REGISTER");
    assert!(remove.header("Contact").ends_with(";expires=0"));
    scene.node.endpoint.register(scene.now, scene.account).unwrap();
    assert!(scene.sent().is_empty());
    scene.answer(&remove, 200, "r", &[], "");
    let second = scene.one("REGISTER");
    assert!(second.header("Contact").ends_with(";expires=300"));
    scene.grant(&second, 60);
    assert_eq!(scene.heard(), [Heard::Registered(60), Heard::Unregistered, Heard::Registered(60)]);
    scene.run_s(30);
    assert!(scene.sent().is_empty());
}

#[test]
fn a_wish_that_is_being_carried_out_is_not_carried_out_twice() {
    let mut scene = Scene::new();
    let register = scene.register();
    scene.node.endpoint.register(scene.now, scene.account).unwrap();
    scene.node.endpoint.unregister(scene.now, scene.account).unwrap();
    scene.node.endpoint.register(scene.now, scene.account).unwrap();
    scene.grant(&register, 60);
    assert!(scene.sent().is_empty());
    assert_eq!(scene.heard(), [Heard::Registered(60)]);
    scene.wait_s(60, "REGISTER");
}

#[test]
fn bindings_are_queried_without_a_contact() {
    let mut scene = Scene::new();
    let again = challenged(&mut scene, &[MD5]);
    scene.grant(&again, 60);
    scene.heard();
    scene.node.endpoint.query_bindings(scene.now, scene.account).unwrap();
    let query = scene.one("REGISTER");
    assert!(query.all("Contact").is_empty());
    assert!(query.proves("Authorization", "secret"));
    let bindings = ["Contact: <sip:a@b>;expires=9", "Contact: <sip:c@d>;expires=8"];
    scene.answer(&query, 200, "r", &bindings, "");
    let heard = scene.heard();
    let [Heard::Bindings(Ok(text))] = heard.as_slice() else { panic!("{heard:?}") };
    assert!(text.contains(bindings[0]) && text.contains(bindings[1]));
    // the query left the registration alone
    let refresh = scene.wait_s(60, "REGISTER");
    assert!(refresh.header("Contact").ends_with(";expires=300"));
}

#[test]
fn a_query_waits_for_the_register_on_its_way_and_its_failure_is_told() {
    let mut scene = Scene::new();
    let register = scene.register();
    scene.node.endpoint.query_bindings(scene.now, scene.account).unwrap();
    assert!(scene.sent().is_empty());
    scene.grant(&register, 60);
    let query = scene.one("REGISTER");
    scene.answer(&query, 403, "r", &[], "");
    assert_eq!(scene.heard(), [Heard::Registered(60), Heard::Bindings(Err(Reason::Rejected(403)))]);
    assert!(scene.last_message().starts_with("SIP/2.0 403"));
}

#[test]
fn account_headers_go_with_their_method_and_replace_ours() {
    const HEADERS: &[CustomHeader<'static>] = &[
        CustomHeader::new("X-Device", "door"),
        CustomHeader { method: Some("REGISTER"), name: "X-Only", value: "here" },
        CustomHeader { method: Some("INVITE"), name: "X-Not", value: "here" },
        CustomHeader::new("User-Agent", "other/2"),
        CustomHeader::new("Contact", "\"d\" <sip:door@203.0.113.9:5099>;x=y"),
        CustomHeader::new("From", "\"Door\" <sip:door@example.com>;tag=mine"),
    ];
    let mut scene = Scene::with(Config::default(), |account| account.headers = HEADERS);
    let register = scene.register();
    assert_eq!(register.header("X-Device"), "door");
    assert_eq!(register.header("X-Only"), "here");
    assert!(register.all("X-Not").is_empty());
    assert_eq!(register.header("User-Agent"), "other/2");
    let contact = register.header("Contact");
    assert_eq!(contact, "\"d\" <sip:door@203.0.113.9:5099>;x=y;expires=300");
    assert!(register.header("From").starts_with("\"Door\" <sip:door@example.com>;tag="));
    assert_ne!(register.tag_of_from(), "mine");
    scene.grant(&register, 60);
    assert_eq!(scene.heard(), [Heard::Registered(60)], "the replaced Contact is ours too");
}

#[test]
fn an_account_without_a_registrar_does_not_register() {
    let mut scene = Scene::with(Config::default(), |account| account.registrar = "");
    let (now, account) = (scene.now, scene.account);
    assert_eq!(scene.node.endpoint.register(now, account), Err(Error::State));
    assert_eq!(scene.node.endpoint.query_bindings(now, account), Err(Error::State));
}

#[test]
fn a_removed_account_is_silent_and_its_handle_is_refused() {
    let mut scene = Scene::new();
    let register = scene.register();
    scene.node.endpoint.remove_account(scene.now, scene.account).unwrap();
    scene.grant(&register, 60);
    scene.run_s(4000);
    assert_eq!(scene.heard(), []);
    assert!(scene.sent().is_empty(), "an answered REGISTER is not repeated");
    let (now, account) = (scene.now, scene.account);
    assert_eq!(scene.node.endpoint.register(now, account), Err(Error::Gone));
    assert_eq!(scene.node.endpoint.remove_account(now, account), Err(Error::Gone));
    scene.assert_idle();
}

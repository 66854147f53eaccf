//! Registrations against a scripted registrar.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use sansip::endpoint::{Config, CustomHeader, Error, Reason};
use support::Heard;
use support::script::{OTHER, SERVER, Scene, Sent};

const MD5: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"";

/// Register, get this challenge, and answer what is sent then.
fn challenged(scene: &mut Scene, challenges: &[&str]) -> Sent {
    let register = scene.register();
    scene.answer(&register, 401, "r", challenges, "");
    let again = scene.one("REGISTER");
    assert_eq!(again.cseq(), register.cseq() + 1);
    assert_eq!(again.header("Call-ID"), register.header("Call-ID"));
    assert_eq!(again.tag_of_from(), register.tag_of_from());
    assert_ne!(again.branch(), register.branch());
    again
}

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
fn md5_with_qop_auth_is_answered() {
    let mut scene = Scene::new();
    let again = challenged(&mut scene, &[MD5]);
    assert_eq!(again.digest("Authorization", "qop").unwrap(), "auth");
    assert_eq!(again.digest("Authorization", "nc").unwrap(), "00000001");
    assert!(again.proves("Authorization", "secret"));
    scene.grant(&again, 60);
    assert_eq!(scene.heard(), [Heard::Registered(60)]);
    assert!(scene.last_message().starts_with("SIP/2.0 200"));
}

#[test]
fn a_challenge_without_qop_and_algorithm_is_answered_without_them() {
    let mut scene = Scene::new();
    let again = challenged(&mut scene, &["WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\""]);
    for name in ["qop", "nc", "cnonce", "algorithm", "opaque"] {
        assert_eq!(again.digest("Authorization", name), None, "{name}");
    }
    assert!(again.proves("Authorization", "secret"));
}

#[test]
fn sha_256_is_answered_and_opaque_goes_back_as_given() {
    let mut scene = Scene::new();
    let challenge = "WWW-Authenticate: DIGEST Realm=\"r\", NONCE=\"n1\", algorithm=sha-256, \
                     opaque=\"a\\\"b c\", qop=\"auth-int, auth\"";
    let again = challenged(&mut scene, &[challenge]);
    assert!(again.header("Authorization").contains("opaque=\"a\\\"b c\""), "{}", again.text);
    assert_eq!(again.digest("Authorization", "qop").unwrap(), "auth");
    assert!(again.proves("Authorization", "secret"));
}

#[test]
fn of_several_challenges_the_strongest_is_answered() {
    let mut scene = Scene::new();
    let again = challenged(
        &mut scene,
        &[
            "WWW-Authenticate: Digest realm=\"r\", nonce=\"m\", algorithm=MD5, qop=\"auth\"",
            "WWW-Authenticate: Digest realm=\"r\", nonce=\"t\", algorithm=TOKEN, qop=\"auth\", \
             Digest realm=\"r\", nonce=\"s\", algorithm=SHA-256, qop=\"auth\"",
            "WWW-Authenticate: Basic realm=\"r\"",
            "WWW-Authenticate: Digest realm=\"r\", nonce=\"i\", algorithm=SHA-512-256, \
             qop=\"auth-int\"",
        ],
    );
    assert_eq!(again.digest("Authorization", "nonce").unwrap(), "s");
    assert!(again.proves("Authorization", "secret"));
}

#[cfg(feature = "sha512")]
#[test]
fn sha_512_256_is_answered() {
    let mut scene = Scene::new();
    let challenge =
        "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", algorithm=SHA-512-256, qop=\"auth\"";
    let again = challenged(&mut scene, &[MD5, challenge]);
    assert_eq!(again.digest("Authorization", "algorithm").unwrap(), "SHA-512-256");
    assert!(again.proves("Authorization", "secret"));
}

#[test]
fn md5_is_refused_where_the_account_does_not_allow_it() {
    let mut scene = Scene::with(Config::default(), |account| account.allow_md5 = false);
    let register = scene.register();
    scene.answer(&register, 401, "r", &[MD5], "");
    assert!(scene.sent().is_empty());
    assert_eq!(scene.heard(), [Heard::RegistrationFailed(Reason::AuthenticationFailed, None)]);
}

#[test]
fn a_refresh_counts_the_nonce_with_a_fresh_cnonce() {
    let mut scene = Scene::new();
    let mut last = challenged(&mut scene, &[MD5]);
    for count in 2..5 {
        scene.grant(&last, 60);
        let refresh = scene.wait_s(60, "REGISTER");
        assert_eq!(refresh.digest("Authorization", "nc").unwrap(), format!("{count:08x}"));
        let cnonce = |sent: &Sent| sent.digest("Authorization", "cnonce").unwrap();
        assert_ne!(cnonce(&refresh), cnonce(&last));
        assert!(refresh.proves("Authorization", "secret"));
        assert_eq!(refresh.cseq(), last.cseq() + 1);
        last = refresh;
    }
}

#[test]
fn a_stale_nonce_is_replaced_once() {
    let mut scene = Scene::new();
    let again = challenged(&mut scene, &[MD5]);
    let stale = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n2\", stale=TRUE, qop=\"auth\"";
    scene.answer(&again, 401, "r", &[stale], "");
    let third = scene.one("REGISTER");
    assert_eq!(third.digest("Authorization", "nonce").unwrap(), "n2");
    assert_eq!(third.digest("Authorization", "nc").unwrap(), "00000001");
    assert!(third.proves("Authorization", "secret"));
    scene.answer(&third, 401, "r", &[&stale.replace("n2", "n3")], "");
    assert!(scene.sent().is_empty());
    assert_eq!(scene.heard(), [Heard::RegistrationFailed(Reason::AuthenticationFailed, None)]);
}

#[test]
fn a_nonce_that_expired_before_a_refresh_is_replaced_with_or_without_stale() {
    for stale in ["", ", stale=true"] {
        let mut scene = Scene::new();
        let again = challenged(&mut scene, &[MD5]);
        scene.grant(&again, 60);
        let refresh = scene.wait_s(60, "REGISTER");
        let challenge = format!("{}{stale}", MD5.replace("n1", "n2"));
        scene.answer(&refresh, 401, "r", &[&challenge], "");
        let third = scene.one("REGISTER");
        assert_eq!(third.digest("Authorization", "nonce").unwrap(), "n2");
        assert_eq!(third.digest("Authorization", "nc").unwrap(), "00000001");
        scene.grant(&third, 60);
        assert_eq!(scene.heard(), [Heard::Registered(60), Heard::Registered(60)]);
    }
}

#[test]
fn a_wrong_password_ends_the_registration_without_a_loop() {
    let mut scene = Scene::new();
    let again = challenged(&mut scene, &[MD5]);
    scene.answer(&again, 401, "r", &[&MD5.replace("n1", "n2")], "");
    assert_eq!(scene.heard(), [Heard::RegistrationFailed(Reason::AuthenticationFailed, None)]);
    assert!(scene.last_message().starts_with("SIP/2.0 401"));
    scene.run_s(4000);
    assert!(scene.sent().is_empty());
    // the user corrects nothing but may ask again, and then gets an honest try
    let register = scene.register();
    scene.answer(&register, 401, "r", &[&MD5.replace("n1", "n3")], "");
    assert_eq!(scene.one("REGISTER").digest("Authorization", "nonce").unwrap(), "n3");
}

#[test]
fn a_proxy_and_a_registrar_challenge_in_one_chain() {
    let mut scene = Scene::new();
    let register = scene.register();
    let proxy = "Proxy-Authenticate: Digest realm=\"p\", nonce=\"p1\", qop=\"auth\"";
    scene.answer(&register, 407, "r", &[proxy], "");
    let second = scene.one("REGISTER");
    assert!(second.proves("Proxy-Authorization", "secret"));
    assert!(second.all("Authorization").is_empty());
    scene.answer(&second, 401, "r", &[MD5], "");
    let third = scene.one("REGISTER");
    assert!(third.proves("Proxy-Authorization", "secret"));
    assert_eq!(third.digest("Proxy-Authorization", "nc").unwrap(), "00000002");
    assert!(third.proves("Authorization", "secret"));
    scene.grant(&third, 60);
    assert_eq!(scene.heard(), [Heard::Registered(60)]);
}

#[test]
fn a_refresh_behind_two_challengers_needs_no_new_challenge() {
    let mut scene = Scene::new();
    let register = scene.register();
    let proxy = "Proxy-Authenticate: Digest realm=\"p\", nonce=\"p1\", qop=\"auth\"";
    scene.answer(&register, 407, "r", &[proxy, MD5], "");
    let second = scene.one("REGISTER");
    assert!(second.proves("Proxy-Authorization", "secret"));
    assert!(second.proves("Authorization", "secret"));
    scene.grant(&second, 60);
    let refresh = scene.wait_s(60, "REGISTER");
    assert!(refresh.proves("Proxy-Authorization", "secret"));
    assert!(refresh.proves("Authorization", "secret"));
    assert_eq!(refresh.digest("Proxy-Authorization", "nc").unwrap(), "00000002");
}

#[test]
fn the_refresh_comes_before_what_the_contact_grants() {
    let mut scene = Scene::new();
    let register = scene.register();
    let contact = format!("Contact: <{}>;expires=100", register.contact());
    let other = "Contact: <sip:alice@198.51.100.7>;expires=7";
    scene.answer(&register, 200, "r", &["Expires: 3000", other, &contact], "");
    assert_eq!(scene.heard(), [Heard::Registered(100)]);
    let view = scene.node.endpoint.account_view(scene.account).unwrap();
    assert_eq!(view.registered_until, Some(scene.now + sansip::time::Duration::from_secs(100)));
    scene.run_ms(79_000);
    assert!(scene.sent().is_empty());
    scene.wait_s(12, "REGISTER");
}

#[test]
fn without_a_parameter_the_expires_header_counts_and_then_what_was_asked() {
    for (header, granted) in [(Some("Expires: 50"), 50), (None, 300)] {
        let mut scene = Scene::new();
        let register = scene.register();
        let contact = format!("Contact: <{}>", register.contact());
        let mut more = vec![contact.as_str()];
        more.extend(header);
        scene.answer(&register, 200, "r", &more, "");
        assert_eq!(scene.heard(), [Heard::Registered(granted)]);
    }
}

#[test]
fn a_contact_that_the_registrar_writes_differently_is_still_ours() {
    let mut scene = Scene::new();
    let register = scene.register();
    let contact = "m: \"x\" <SIP:alice@192.0.2.1:5060;ob>;q=0.5;expires=70, <sip:b@c>";
    scene.answer(&register, 200, "r", &[contact], "");
    assert_eq!(scene.heard(), [Heard::Registered(70)]);
}

#[test]
fn an_interval_too_brief_is_raised_once() {
    let mut scene = Scene::with(Config::default(), |account| account.expires_s = 30);
    let register = scene.register();
    scene.answer(&register, 423, "r", &["Min-Expires: 600"], "");
    let raised = scene.one("REGISTER");
    assert!(raised.header("Contact").ends_with(";expires=600"));
    assert_eq!(raised.cseq(), register.cseq() + 1);
    assert_eq!(scene.heard(), []);
    scene.answer(&raised, 423, "r", &["Min-Expires: 1200"], "");
    assert!(scene.sent().is_empty());
    assert_eq!(scene.heard(), [Heard::RegistrationFailed(Reason::Rejected(423), None)]);
}

#[test]
fn an_interval_is_raised_again_after_a_success() {
    let mut scene = Scene::with(Config::default(), |account| account.expires_s = 30);
    let register = scene.register();
    scene.answer(&register, 423, "r", &["Min-Expires: 60"], "");
    let raised = scene.one("REGISTER");
    scene.grant(&raised, 60);
    let refresh = scene.wait_s(60, "REGISTER");
    scene.answer(&refresh, 423, "r", &["Min-Expires: 120"], "");
    assert!(scene.one("REGISTER").header("Contact").ends_with(";expires=120"));
}

#[test]
fn an_absurd_or_missing_minimum_is_not_followed() {
    for minimum in ["Min-Expires: 4294967295", "X: y", "Min-Expires: 5"] {
        let mut scene = Scene::with(Config::default(), |account| account.expires_s = 30);
        let register = scene.register();
        scene.answer(&register, 423, "r", &[minimum], "");
        assert!(scene.sent().is_empty(), "{minimum}");
        assert_eq!(scene.heard(), [Heard::RegistrationFailed(Reason::Rejected(423), None)]);
    }
}

#[test]
fn a_200_without_our_contact_is_reported_and_tried_again() {
    for more in [&[][..], &["Contact: <sip:alice@198.51.100.7>;expires=60"]] {
        let mut scene = Scene::new();
        let register = scene.register();
        scene.answer(&register, 200, "r", more, "");
        let heard = scene.heard();
        let [Heard::RegistrationFailed(Reason::ProtocolError, Some(_))] = heard.as_slice() else {
            panic!("{heard:?}");
        };
        scene.wait_s(10, "REGISTER");
    }
}

#[test]
fn a_failing_server_is_asked_again_with_growing_pauses() {
    let mut scene = Scene::new();
    let mut register = scene.register();
    let mut last = 0;
    for _ in 0..6 {
        scene.answer(&register, 500, "r", &[], "");
        let heard = scene.heard();
        let [Heard::RegistrationFailed(Reason::Rejected(500), Some(wait))] = heard.as_slice()
        else {
            panic!("{heard:?}");
        };
        assert!(u64::from(*wait) * 2 >= last, "{wait} after {last}");
        last = u64::from(*wait);
        scene.run_ms(last * 1000 - 1000);
        assert!(scene.sent().is_empty());
        register = scene.wait_s(3, "REGISTER");
    }
    assert!(last >= 60, "{last}");
    scene.grant(&register, 60);
    assert_eq!(scene.heard(), [Heard::Registered(60)]);
}

#[test]
fn the_servers_wish_when_to_come_back_is_honoured_within_reason() {
    for (wish, least, most) in [
        ("Retry-After: 20", 20, 20),
        ("Retry-After: 20 (in maintenance);duration=60", 20, 20),
        ("Retry-After: 0", 1, 4),
        ("Retry-After: 4294967295", 600, 600),
    ] {
        let mut scene = Scene::new();
        let register = scene.register();
        scene.answer(&register, 503, "r", &[wish], "");
        let heard = scene.heard();
        let [Heard::RegistrationFailed(Reason::Rejected(503), Some(wait))] = heard.as_slice()
        else {
            panic!("{heard:?}");
        };
        assert!((least..=most).contains(wait), "{wish}: {wait}");
        scene.run_ms(u64::from(*wait) * 1000 - 900);
        assert!(scene.sent().is_empty(), "{wish}");
        scene.wait_s(3, "REGISTER");
    }
}

#[test]
fn a_refusal_is_final() {
    for status in [403, 404, 600, 302] {
        let mut scene = Scene::new();
        let register = scene.register();
        scene.answer(&register, status, "r", &["X-Why: because"], "");
        assert_eq!(scene.heard(), [Heard::RegistrationFailed(Reason::Rejected(status), None)]);
        assert!(scene.last_message().contains("X-Why: because"));
        scene.run_s(4000);
        assert!(scene.sent().is_empty());
    }
}

#[test]
fn a_silent_registrar_is_asked_again() {
    let mut scene = Scene::new();
    let register = scene.register();
    scene.run_ms(33_000);
    let copies = scene.sent();
    assert!(copies.len() >= 9);
    let of_first = copies.iter().filter(|copy| copy.text == register.text).count();
    assert_eq!(of_first, 10, "timer E");
    let heard = scene.heard();
    let [Heard::RegistrationFailed(Reason::TimedOut, Some(wait))] = heard.as_slice() else {
        panic!("{heard:?}");
    };
    scene.run_ms(u64::from(*wait) * 1000 + 1000);
    assert!(scene.sent().iter().any(|sent| sent.cseq() == register.cseq() + 1));
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
fn another_realm_gets_no_credentials() {
    let mut scene = Scene::with(Config::default(), |account| account.realm = "mine");
    let register = scene.register();
    scene.answer(&register, 401, "r", &[MD5], "");
    assert!(scene.sent().is_empty());
    assert_eq!(scene.heard(), [Heard::RegistrationFailed(Reason::AuthenticationFailed, None)]);
    let mut scene = Scene::new();
    let again = challenged(&mut scene, &[MD5]);
    scene.grant(&again, 60);
    scene.heard();
    let refresh = scene.wait_s(60, "REGISTER");
    let other = MD5.replace("realm=\"r\"", "realm=\"elsewhere\"").replace("n1", "n2");
    scene.answer(&refresh, 401, "r", &[&other], "");
    assert!(scene.sent().is_empty(), "the realm of the first challenge is the only one");
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

//! Refresh, failure, back-off.

use crate::support::Heard;
use crate::support::script::Scene;
use sansip::endpoint::{Config, Reason};

#[test]
fn the_refresh_comes_before_what_the_contact_grants() {
    let mut scene = Scene::new();
    let register = scene.register();
    let contact = format!("Contact: <{}>;expires=100", register.contact());
    let other = "Contact: <sip:alice@198.51.100.7>;expires=7";
    scene.answer(&register, 200, "r", &["Expires: 200", other, &contact], "");
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
fn a_contact_that_a_registrar_rewrote_for_a_nat_is_ours_by_its_user() {
    let rewritten = "Contact: <sip:alice@203.0.113.5:40312>;expires=80";
    let stranger = "Contact: <sip:carol@203.0.113.5:40312>;expires=20";
    let other_device = "Contact: <sip:alice@198.51.100.7>;expires=70";
    for (more, granted) in [
        (&[rewritten][..], 80),
        (&[stranger, rewritten], 80),
        (&[rewritten, other_device], 70),
        (&["Expires: 90"], 90),
        (&["Contact: <sip:alice@203.0.113.5:40312>", "Expires: 90"], 90),
    ] {
        let mut scene = Scene::new();
        let register = scene.register();
        scene.answer(&register, 200, "r", more, "");
        assert_eq!(scene.heard(), [Heard::Registered(granted)], "{more:?}");
        scene.wait_s(u64::from(granted), "REGISTER");
    }
}

#[test]
fn a_life_longer_than_was_asked_for_is_refreshed_as_if_it_were_not() {
    for granted in ["301", "86400", "4294967295"] {
        let mut scene = Scene::new();
        let register = scene.register();
        let contact = format!("Contact: <{}>;expires={granted}", register.contact());
        scene.answer(&register, 200, "r", &[&contact], "");
        assert_eq!(scene.heard(), [Heard::Registered(300)], "{granted}");
        scene.wait_s(300, "REGISTER");
    }
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
    for more in [&[][..], &["Contact: <sip:mallory@198.51.100.7>;expires=60"]] {
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

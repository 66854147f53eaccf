//! Challenges and credentials.

use crate::support::Heard;
use crate::support::script::{Scene, Sent};
use sansip::endpoint::{Config, Reason};

use super::*;

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
fn a_challenge_is_not_used_again_after_a_register_that_failed() {
    for status in [400, 500, 403] {
        let mut scene = Scene::new();
        let again = challenged(&mut scene, &[&MD5.replace("n1", "damaged")]);
        scene.answer(&again, status, "r", &[], "");
        scene.heard();
        let next = match status {
            500 => scene.wait_s(20, "REGISTER"),
            _ => scene.register(),
        };
        assert!(next.all("Authorization").is_empty(), "{status}: {}", next.text);
        scene.answer(&next, 401, "r", &[&MD5.replace("n1", "n2")], "");
        let proven = scene.one("REGISTER");
        assert_eq!(proven.digest("Authorization", "nonce").unwrap(), "n2");
        assert!(proven.proves("Authorization", "secret"));
    }
}

#[test]
fn a_registrar_that_does_not_answer_credentials_is_asked_anew_without_them() {
    let mut scene = Scene::new();
    challenged(&mut scene, &[MD5]);
    scene.run_ms(32_000);
    scene.sent();
    assert!(matches!(scene.heard()[..], [Heard::RegistrationFailed(Reason::TimedOut, Some(_))]));
    let next = scene.wait_s(10, "REGISTER");
    assert!(next.all("Authorization").is_empty(), "{}", next.text);
}

#[test]
fn a_damaged_realm_is_not_held_against_the_true_one() {
    let mut scene = Scene::new();
    let again = challenged(&mut scene, &[&MD5.replace("\"r\"", "\"q\"")]);
    scene.answer(&again, 401, "r", &[MD5], "");
    assert_eq!(scene.heard(), [Heard::RegistrationFailed(Reason::AuthenticationFailed, None)]);
    let next = scene.register();
    assert!(next.all("Authorization").is_empty());
    scene.answer(&next, 401, "r", &[MD5], "");
    assert_eq!(scene.one("REGISTER").digest("Authorization", "realm").unwrap(), "r");
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

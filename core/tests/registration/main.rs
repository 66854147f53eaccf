//! Registrations against a scripted registrar.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../support/mod.rs"]
mod support;

mod challenges;
mod life;
mod ways;
mod wishes;

use support::script::{Scene, Sent};

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

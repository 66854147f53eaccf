//! RFC 3665 section 2: registration.

use crate::player::play;

const CHALLENGE: &str =
    "WWW-Authenticate: Digest realm=\"atlanta.example.com\", qop=\"auth\", nonce=\"ea9c8e88\"";

#[test]
fn rfc3665_2_1_successful_new_registration() {
    play(&format!(
        "do register
         F1 > REGISTER to 192.0.2.10 with Contact: < without Authorization
         F2 < 401 REGISTER tag=r + {CHALLENGE}
         F3 > REGISTER with response= & nc=00000001 & CSeq+1
         F4 < 200 REGISTER tag=r granted
         = registered 300"
    ));
}

#[test]
fn rfc3665_2_2_update_of_contact_list() {
    // The registrar holds a second contact of another device: it stays, and we are told our own.
    play(&format!(
        "do register
         > REGISTER
         < 401 REGISTER tag=r + {CHALLENGE}
         > REGISTER with nc=00000001
         < 200 REGISTER tag=r granted
         = registered 300
         do register
         F1 > REGISTER with Contact: < & nc=00000002 & CSeq+2
         F2 < 200 REGISTER tag=r granted + Contact: <mailto:alice@example.com>;expires=4294967295
         = registered 300"
    ));
}

#[test]
fn rfc3665_2_3_request_for_current_contact_list() {
    play(
        "do query
         F1 > REGISTER without Contact:
         F2 < 200 REGISTER tag=r + Contact: <sip:a@192.0.2.1>;expires=9 + Contact: <mailto:a@b>
         = bindings 2",
    );
}

#[test]
fn rfc3665_2_4_cancellation_of_registration() {
    // The RFC removes all bindings by `Contact: *`; we remove our own and leave those of others.
    play(
        "do register
         > REGISTER
         < 200 REGISTER tag=r granted
         = registered 300
         do unregister
         F1 > REGISTER with ;expires=0 without Contact: *
         F2 < 200 REGISTER tag=r
         = unregistered",
    );
}

#[test]
fn rfc3665_2_5_unsuccessful_registration() {
    play(&format!(
        "do register
         F1 > REGISTER
         F2 < 401 REGISTER tag=r + {CHALLENGE}
         F3 > REGISTER with response=
         F4 < 401 REGISTER tag=r + {CHALLENGE}
         = registration failed AuthenticationFailed None"
    ));
}

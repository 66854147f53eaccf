//! RFC 5407: what crosses on the wire.

use crate::player::play;

const MEDIA: &str = "media Agreed SendRecv 192.0.2.20:6000";

/// A call of ours that is up.
fn as_alice(rest: &str) {
    play(&format!(
        "do call sip:bob@192.0.2.20
         F1 > INVITE
         F2 < 180 INVITE tag=b
         = progress 180
         F3 < 200 INVITE tag=b sdp
         = {MEDIA}
         = established
         F4 > ACK
         {rest}"
    ));
}

/// A call from a peer that is up.
fn as_bob(rest: &str) {
    play(&format!(
        "F1 < INVITE sdp
         = incoming
         do ring
         F2 > 180 INVITE
         do answer
         F3 > 200 INVITE
         = {MEDIA}
         F4 < ACK 2xx
         = established
         {rest}"
    ));
}

/// A call from a peer whose ACK to our 200 was lost.
fn without_ack(rest: &str) {
    play(&format!(
        "F1 < INVITE sdp
         = incoming
         do ring
         F2 > 180 INVITE
         do answer
         F3 > 200 INVITE
         = {MEDIA}
         F4 < lost ACK 2xx
         {rest}"
    ));
}

#[test]
fn rfc5407_3_1_1_retransmitted_invite_in_the_moratorium_state() {
    // Whether F4 is answered by one more 200 is free; we do not.
    play(&format!(
        "F1 < INVITE sdp
         = incoming
         do ring
         F2 > 180 INVITE
         do answer
         F3 > 200 INVITE
         = {MEDIA}
         F4 < again
         F5 < ACK 2xx
         = established
         < BYE
         > 200 BYE
         = ended PeerHungUp"
    ));
}

#[test]
fn rfc5407_3_1_2_cancel_in_the_moratorium_state_as_bob() {
    play(&format!(
        "F1 < INVITE sdp
         = incoming
         do ring
         F2 > 180 INVITE
         do answer
         F4 > 200 INVITE
         = {MEDIA}
         F3 < CANCEL
         F5 > 200 CANCEL
         F6 < ACK 2xx
         = established
         F7 < BYE
         F8 > 200 BYE
         = ended PeerHungUp"
    ));
}

#[test]
fn rfc5407_3_1_2_cancel_in_the_moratorium_state_as_alice() {
    // The call was given up: it ends without media, and F6 and F7 go out at once.
    play(
        "do call sip:bob@192.0.2.20
         F1 > INVITE
         F2 < 180 INVITE tag=b
         = progress 180
         do hang up
         F3 > CANCEL
         = ended Cancelled
         F4 < 200 INVITE tag=b sdp
         F6 > ACK
         F7 > BYE
         F5 < 200 CANCEL tag=b
         F8 < 200 BYE",
    );
}

#[test]
fn rfc5407_3_1_3_early_bye_in_the_moratorium_state() {
    play(&format!(
        "F1 < INVITE sdp
         = incoming
         do ring
         F2 > 180 INVITE
         do answer
         F3 > 200 INVITE
         = {MEDIA}
         F4 < BYE
         F6 > 200 BYE
         = ended PeerHungUp
         F5 < ACK 2xx first"
    ));
}

#[test]
fn rfc5407_3_1_4_re_invite_in_the_moratorium_state() {
    without_ack(
        "wait 500 ms
         F5 > 200 INVITE with CSeq: 1 INVITE
         F6 < INVITE moved
         F8 > 200 INVITE with CSeq: 2 INVITE
         = media Agreed SendRecv 192.0.2.99:7000
         = established
         F7 < late ACK
         F9 < ACK 2xx
         < BYE
         > 200 BYE
         = ended PeerHungUp",
    );
}

#[test]
fn rfc5407_3_1_5_re_invite_in_the_moratorium_state_with_an_offer_open() {
    play(&format!(
        "F1 < INVITE
         = incoming
         do ring
         F2 > 180 INVITE
         do answer
         F3 > 200 INVITE with m=audio
         F4 < lost ACK 2xx sdp
         wait 500 ms
         F5 > 200 INVITE with m=audio
         F6 < INVITE moved
         F8 > 491 INVITE with CSeq: 2 INVITE
         F9 < ACK
         F7 < late ACK
         = {MEDIA}
         = established
         < BYE
         > 200 BYE
         = ended PeerHungUp"
    ));
}

#[test]
fn rfc5407_3_1_6_bye_in_the_moratorium_state_as_bob() {
    without_ack(
        "wait 500 ms
         F5 > 200 INVITE
         F6 < BYE
         F8 > 200 BYE
         = ended PeerHungUp
         F7 < late ACK",
    );
}

#[test]
fn rfc5407_3_1_6_bye_in_the_moratorium_state_as_alice() {
    as_alice(
        "do hang up
         F6 > BYE
         = ended HungUp
         F5 < 200 INVITE tag=b sdp
         F7 > ACK
         F8 < 200 BYE",
    );
}

#[test]
fn rfc5407_3_2_1_byes_that_cross() {
    for flow in [as_alice, as_bob] {
        flow(
            "do hang up
             F5 > BYE
             = ended HungUp
             F6 < BYE
             F8 > 200 BYE
             F7 < 200 BYE",
        );
    }
}

#[test]
fn rfc5407_3_2_2_re_invite_in_the_mortal_state() {
    as_alice(
        "do hang up
         F5 > BYE
         = ended HungUp
         F6 < INVITE sdp
         F8 > 481 INVITE
         F7 < 200 BYE
         F9 < ACK",
    );
}

#[test]
fn rfc5407_3_2_3_a_200_to_a_re_invite_in_the_mortal_state() {
    // As Bob: the re-INVITE is a hold.
    as_bob(
        "do hold
         F5 > INVITE
         = media Offered SendRecv 192.0.2.20:6000
         do hang up
         F6 > BYE
         = ended HungUp
         F7 < 200 INVITE sdp
         F9 > ACK
         F8 < 200 BYE",
    );
}

#[test]
fn rfc5407_3_2_3_a_bye_behind_a_re_invite_as_alice() {
    as_alice(
        "F5 < INVITE moved
         F7 > 200 INVITE
         = media Agreed SendRecv 192.0.2.99:7000
         F6 < BYE
         F8 > 200 BYE
         = ended PeerHungUp
         F9 < ACK 2xx",
    );
}

#[test]
fn rfc5407_3_2_4_ack_in_the_mortal_state() {
    // F5 waits for F4: a callee's BYE may not go out before the ACK (RFC 3261 s15).
    play(&format!(
        "F1 < INVITE sdp
         = incoming
         do ring
         F2 > 180 INVITE
         do answer
         F3 > 200 INVITE
         = {MEDIA}
         do hang up
         = ended HungUp
         F4 < ACK 2xx
         F5 > BYE
         F6 < 200 BYE"
    ));
}

#[test]
fn rfc5407_3_3_1_re_invites_that_cross_as_alice() {
    // Our wish to hold is in the answer F12 already.
    as_alice(
        "do hold
         F5 > INVITE
         = media Offered SendRecv 192.0.2.20:6000
         F6 < INVITE sdp
         F8 > 491 INVITE
         F9 < ACK
         F7 < 491 INVITE
         F10 > ACK
         F11 < INVITE sdp
         F12 > 200 INVITE with a=sendonly
         = media Agreed SendOnly 192.0.2.20:6000
         F13 < ACK 2xx
         wait 2100 ms
         wait at most 1900 ms
         F14 > INVITE with a=sendonly
         F15 < 200 INVITE sdp
         F16 > ACK
         = media Agreed SendOnly 192.0.2.20:6000
         < BYE
         > 200 BYE
         = ended PeerHungUp",
    );
}

#[test]
fn rfc5407_3_3_1_re_invites_that_cross_as_bob() {
    as_bob(
        "do hold
         F6 > INVITE
         = media Offered SendRecv 192.0.2.20:6000
         F5 < INVITE moved
         F7 > 491 INVITE
         F10 < ACK
         F8 < 491 INVITE
         F9 > ACK
         wait at most 2 s
         F11 > INVITE with a=sendonly
         F12 < 200 INVITE sdp
         F13 > ACK
         = media Agreed SendOnly 192.0.2.20:6000
         F14 < INVITE moved
         F15 > 200 INVITE
         = media Agreed SendOnly 192.0.2.99:7000
         F16 < ACK 2xx
         < BYE
         > 200 BYE
         = ended PeerHungUp",
    );
}

#[test]
fn rfc5407_3_3_2_an_update_is_not_known() {
    as_alice(
        "< UPDATE sdp
         > 405 UPDATE
         < BYE
         > 200 BYE
         = ended PeerHungUp",
    );
}

#[test]
fn rfc5407_3_3_3_refer_in_the_mortal_state() {
    as_alice(
        "do hang up
         F5 > BYE
         = ended HungUp
         F6 < REFER + Refer-To: <sip:carol@192.0.2.30>
         F8 > 405 REFER
         F7 < 200 BYE",
    );
}

#[test]
fn rfc5407_appendix_a_bye_in_the_early_dialog_as_bob() {
    play(
        "F2 < INVITE sdp
         = incoming
         do ring
         F4 > 180 INVITE
         F9 < BYE
         F10 > 200 BYE
         F12 > 487 INVITE
         = ended CallerGaveUp
         F13 < ACK",
    );
}

#[test]
fn rfc5407_appendix_b_a_bye_overlaps_with_a_re_invite_as_uac() {
    as_alice(
        "do hold
         F1 > INVITE
         = media Offered SendRecv 192.0.2.20:6000
         do hang up
         F2 > BYE
         = ended HungUp
         F3 < 200 BYE
         wait 500 ms
         F4 > INVITE
         F5 < 481 INVITE
         F6 > ACK",
    );
}

#[test]
fn rfc5407_appendix_b_a_bye_overlaps_with_a_re_invite_as_uas() {
    as_alice(
        "F1 < lost INVITE sdp
         F2 < BYE
         F3 > 200 BYE
         = ended PeerHungUp
         F4 < late INVITE
         F5 > 481 INVITE
         F6 < ACK",
    );
}

#[test]
fn rfc5407_appendix_c_cancel_in_the_early_state() {
    play(
        "< INVITE sdp
         = incoming
         do ring
         > 180 INVITE
         < CANCEL
         > 200 CANCEL
         > 487 INVITE
         = ended CallerGaveUp
         < ACK",
    );
}

#[test]
fn rfc5407_appendix_d_a_bye_is_challenged_in_the_mortal_state() {
    // A callee gets no credentials: only the account's server does, and the BYE is over then.
    as_alice(
        "do hang up
         > BYE
         = ended HungUp
         < 401 BYE + WWW-Authenticate: Digest realm=\"r\", qop=\"auth\", nonce=\"n\"",
    );
}

#[test]
fn rfc5407_appendix_e_figure_4_two_early_dialogs_and_one_answer() {
    play(&format!(
        "do call sip:bob@192.0.2.20
         F1 > INVITE
         F2 < 100 INVITE
         = progress 100
         F3 < 180 INVITE tag=A
         = progress 180
         F4 < 180 INVITE tag=B
         = progress 180
         F5 < 200 INVITE tag=A sdp
         = {MEDIA}
         = established
         F6 > ACK with tag=A
         do hang up
         > BYE with tag=A
         = ended HungUp
         < 200 BYE"
    ));
}

/// Two answers; the dialog of the second one is confirmed and ended at once.
fn two_answers(second_rings: &str) {
    play(&format!(
        "do call sip:bob@192.0.2.20
         F1 > INVITE
         F2 < 100 INVITE
         = progress 100
         F3 < 180 INVITE tag=A
         = progress 180
         {second_rings}
         F5 < 200 INVITE tag=A sdp
         = {MEDIA}
         = established
         F6 > ACK with tag=A
         F7 < 200 INVITE tag=B sdp
         F8 > ACK with tag=B
         F9 > BYE with tag=B
         F10 < 200 BYE
         do hang up
         > BYE with tag=A
         = ended HungUp
         < 200 BYE"
    ));
}

#[test]
fn rfc5407_appendix_e_figure_5_two_early_dialogs_and_two_answers() {
    two_answers(
        "F4 < 180 INVITE tag=B
         = progress 180",
    );
}

#[test]
fn rfc5407_appendix_e_figure_6_an_answer_of_a_dialog_that_never_rang() {
    two_answers("");
}

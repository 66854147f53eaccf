//! RFC 3665 section 3: session establishment, as Alice who calls and as Bob who is called.

use crate::player::{play, play_through_a_proxy};

const CHALLENGE: &str =
    "Proxy-Authenticate: Digest realm=\"atlanta.example.com\", qop=\"auth\", nonce=\"wf84f1ce\"";
const ROUTES: &str = "Record-Route: <sip:192.0.2.12;lr>, <sip:192.0.2.10;lr>";
const MEDIA: &str = "media Agreed SendRecv 192.0.2.20:6000";

#[test]
fn rfc3665_3_1_successful_session_establishment_as_alice() {
    play(&format!(
        "do call sip:bob@192.0.2.20
         F1 > INVITE with m=audio
         F2 < 180 INVITE tag=b
         = progress 180
         F3 < 200 INVITE tag=b sdp
         = {MEDIA}
         = established
         F4 > ACK without m=audio
         F5 < BYE
         F6 > 200 BYE
         = ended PeerHungUp"
    ));
}

#[test]
fn rfc3665_3_1_successful_session_establishment_as_bob() {
    play(&format!(
        "F1 < INVITE sdp
         = incoming
         do ring
         F2 > 180 INVITE without m=audio
         do answer
         F3 > 200 INVITE with m=audio
         = {MEDIA}
         F4 < ACK 2xx
         = established
         do hang up
         F5 > BYE
         = ended HungUp
         F6 < 200 BYE"
    ));
}

#[test]
fn rfc3665_3_2_session_establishment_through_two_proxies_as_alice() {
    play_through_a_proxy(&format!(
        "do call sip:bob@biloxi.example.com
         F1 > INVITE to 192.0.2.10 with Route: <sip:192.0.2.10;lr>
         F2 < 407 INVITE tag=p + {CHALLENGE}
         F3 > ACK to 192.0.2.10 with CSeq+0 & Route: <sip:192.0.2.10;lr>
         F4 > INVITE with Proxy-Authorization: Digest & CSeq+1
         F6 < 100 INVITE
         = progress 100
         F11 < 180 INVITE tag=b + {ROUTES}
         = progress 180
         F14 < 200 INVITE tag=b sdp + {ROUTES}
         = {MEDIA}
         = established
         F15 > ACK to 192.0.2.10 with Route: <sip:192.0.2.10;lr> & CSeq+1 & Proxy-Authorization
         F19 < BYE
         F20 > 200 BYE
         = ended PeerHungUp"
    ));
}

#[test]
fn rfc3665_3_2_session_establishment_through_two_proxies_as_bob() {
    play(&format!(
        "F7 < INVITE sdp + {ROUTES}
         = incoming
         do ring
         F9 > 180 INVITE with Record-Route: <sip:192.0.2.12;lr>
         do answer
         F12 > 200 INVITE with <sip:192.0.2.10;lr> & <sip:192.0.2.12;lr>
         = {MEDIA}
         F17 < ACK 2xx
         = established
         do hang up
         F18 > BYE to 192.0.2.12 with BYE sip:bob@192.0.2.20 & Route: <sip:192.0.2.12;lr>
         = ended HungUp
         F21 < 200 BYE"
    ));
}

#[test]
fn rfc3665_3_3_session_with_multiple_proxy_authentication() {
    // The first proxy gets our credentials. The second asks for another realm, and an account has
    // one: the call ends where the RFC's goes on with F9 to F29.
    let other = CHALLENGE.replace("atlanta", "biloxi");
    play_through_a_proxy(&format!(
        "do call sip:bob@biloxi.example.com
         F1 > INVITE
         F2 < 407 INVITE tag=p + {CHALLENGE}
         F3 > ACK
         F4 > INVITE with realm=\"atlanta.example.com\"
         F6 < 100 INVITE
         = progress 100
         F9 < 407 INVITE tag=q + {other}
         F10 > ACK
         = ended AuthenticationFailed"
    ));
}

#[test]
fn rfc3665_3_4_session_with_proxy_failure() {
    // Seven INVITEs as drawn; then the RFC's Alice knows a second proxy, and ours does not.
    play_through_a_proxy(
        "do call sip:bob@biloxi.example.com
         F1 > INVITE
         wait 500 ms
         F2 > INVITE
         wait 1000 ms
         F3 > INVITE
         wait 2000 ms
         F4 > INVITE
         wait 4000 ms
         F5 > INVITE
         wait 8000 ms
         F6 > INVITE
         wait 16000 ms
         F7 > INVITE
         wait 500 ms
         = ended TimedOut",
    );
}

#[test]
fn rfc3665_3_5_session_through_a_sip_alg() {
    // What the gateway writes into SDP and Contact is where media and requests go.
    play_through_a_proxy(&format!(
        "do call sip:bob@biloxi.example.com
         F1 > INVITE
         F2 < 407 INVITE tag=p + {CHALLENGE}
         F3 > ACK
         F4 > INVITE with Proxy-Authorization
         F7 < 100 INVITE
         = progress 100
         F10 < 180 INVITE tag=b + Record-Route: <sip:192.0.2.10;lr>
         = progress 180
         F13 < 200 INVITE tag=b moved + Record-Route: <sip:192.0.2.10;lr>
         = media Agreed SendRecv 192.0.2.99:7000
         = established
         F14 > ACK to 192.0.2.10 with Route: <sip:192.0.2.10;lr>
         F20 < BYE
         F21 > 200 BYE
         = ended PeerHungUp"
    ));
}

#[test]
fn rfc3665_3_6_session_via_redirect_with_sdp_in_ack_as_alice() {
    // The application follows the redirection: it reads the Contact of F2 and calls anew.
    play(&format!(
        "do call sip:bob@192.0.2.20 late
         F1 > INVITE without m=audio
         F2 < 302 INVITE tag=r + Contact: <sip:bob@192.0.2.30>
         F3 > ACK
         = ended Rejected(302)
         do call sip:bob@192.0.2.30 late
         F4 > INVITE to 192.0.2.30 with INVITE sip:bob@192.0.2.30 without m=audio
         F6 < 100 INVITE
         = progress 100
         F8 < 180 INVITE tag=b
         = progress 180
         F10 < 200 INVITE tag=b sdp
         = {MEDIA}
         = established
         F11 > ACK with m=audio
         F14 < BYE
         F15 > 200 BYE
         = ended PeerHungUp"
    ));
}

#[test]
fn rfc3665_3_6_session_via_redirect_with_sdp_in_ack_as_bob() {
    play(&format!(
        "F5 < INVITE
         = incoming
         do ring
         F7 > 180 INVITE
         do answer
         F9 > 200 INVITE with m=audio
         F12 < ACK 2xx sdp
         = {MEDIA}
         = established
         do hang up
         F13 > BYE
         = ended HungUp
         F16 < 200 BYE"
    ));
}

#[test]
fn rfc3665_3_7_session_with_re_invite_ip_address_change() {
    // Bob moves, as Alice sees it.
    play(&format!(
        "do call sip:bob@192.0.2.20
         F1 > INVITE
         F2 < 180 INVITE tag=b
         = progress 180
         F3 < 200 INVITE tag=b sdp
         = {MEDIA}
         = established
         F4 > ACK
         F5 < INVITE moved
         F6 > 200 INVITE with m=audio
         = media Agreed SendRecv 192.0.2.99:7000
         F7 < ACK 2xx
         F8 < BYE
         F9 > 200 BYE
         = ended PeerHungUp"
    ));
}

#[test]
fn rfc3665_3_8_unsuccessful_no_answer_as_alice() {
    play_through_a_proxy(&format!(
        "do call sip:bob@biloxi.example.com
         F1 > INVITE
         F2 < 407 INVITE tag=p + {CHALLENGE}
         F3 > ACK
         F4 > INVITE with Proxy-Authorization
         F6 < 100 INVITE
         = progress 100
         F11 < 180 INVITE tag=b
         = progress 180
         do hang up
         F12 > CANCEL to 192.0.2.10 with CSeq+1 & Route: <sip:192.0.2.10;lr>
         = ended Cancelled
         F13 < 200 CANCEL tag=p
         F20 < 487 INVITE tag=b
         F21 > ACK with CSeq+1"
    ));
}

#[test]
fn rfc3665_3_8_unsuccessful_no_answer_as_bob() {
    play(
        "F7 < INVITE sdp
         = incoming
         do ring
         F9 > 180 INVITE
         F16 < CANCEL
         F17 > 200 CANCEL
         F18 > 487 INVITE
         = ended CallerGaveUp
         F19 < ACK",
    );
}

#[test]
fn rfc3665_3_9_unsuccessful_busy_as_alice() {
    play_through_a_proxy(&format!(
        "do call sip:bob@biloxi.example.com
         F1 > INVITE
         F2 < 407 INVITE tag=p + {CHALLENGE}
         F3 > ACK
         F4 > INVITE
         F6 < 100 INVITE
         = progress 100
         F13 < 486 INVITE tag=b
         F14 > ACK
         = ended Rejected(486)"
    ));
}

#[test]
fn rfc3665_3_9_unsuccessful_busy_as_bob() {
    play(
        "F7 < INVITE sdp
         = incoming
         do reject 486
         F9 > 486 INVITE
         = ended Declined(486)
         F10 < ACK",
    );
}

#[test]
fn rfc3665_3_10_unsuccessful_no_response_from_user_agent() {
    play_through_a_proxy(
        "do call sip:bob@biloxi.example.com
         F1 > INVITE
         F3 < 100 INVITE
         = progress 100
         wait 32 s
         F14 < 480 INVITE tag=p
         F15 > ACK
         = ended Rejected(480)",
    );
}

#[test]
fn rfc3665_3_11_unsuccessful_temporarily_unavailable_as_alice() {
    play_through_a_proxy(
        "do call sip:bob@biloxi.example.com
         F1 > INVITE
         F3 < 100 INVITE
         = progress 100
         F8 < 180 INVITE tag=b
         = progress 180
         F13 < 480 INVITE tag=b
         F14 > ACK
         = ended Rejected(480)",
    );
}

#[test]
fn rfc3665_3_11_unsuccessful_temporarily_unavailable_as_bob() {
    play(
        "F4 < INVITE sdp
         = incoming
         do ring
         F6 > 180 INVITE
         do reject 480
         F9 > 480 INVITE
         = ended Declined(480)
         F10 < ACK",
    );
}

//! Calls that end, or change, while something is open.

use super::*;

#[test]
fn a_call_hung_up_before_its_ack_and_by_the_peer_as_well_leaves_nothing() {
    let (mut pair, incoming) = ringing();
    let media = Pair::media(&pair.b);
    pair.b.endpoint.answer(pair.now, incoming, media).unwrap();
    pair.b.endpoint.hang_up(pair.now, incoming).unwrap();
    pair.run_ms(30, |datagram| datagram.label() != "ACK");
    let call = pair.a.heard.iter().find_map(|heard| match heard {
        Heard::Established(call) => Some(*call),
        _ => None,
    });
    pair.a.endpoint.hang_up(pair.now, call.unwrap()).unwrap();
    pair.run_ms(100_000, |datagram| datagram.label() != "ACK");
    assert_eq!(pair.b.ended(), [Reason::HungUp]);
    pair.assert_idle();
}

#[test]
fn a_bye_from_a_callee_that_has_not_answered_leaves_no_open_invite() {
    let (mut pair, _) = ringing();
    let ringing = sent(&pair.b, "180 INVITE");
    let invite = sent(&pair.a, "INVITE");
    let bye = Forged {
        uri: "sip:alice@192.0.2.1".to_owned(),
        via: format!("SIP/2.0/UDP {B};branch=z9hG4bKearly;rport"),
        from: ringing.header("To"),
        to: invite.header("From"),
        cseq: 9,
        ..Forged::like("BYE", &invite)
    };
    let from = pair.b.address;
    let answered = answers(&mut pair.a, pair.now, from, &bye.bytes());
    assert_eq!(answered, ["200 BYE", "CANCEL"]);
    pair.run_s(100);
    pair.assert_idle();
}

#[test]
fn a_change_that_the_peer_only_ever_tries_is_given_up() {
    let mut pair = Pair::new();
    let (call, _) = pair.established();
    pair.a.endpoint.hold(pair.now, call).unwrap();
    pair.run_ms(5, |_| true);
    let invite = sent(&pair.a, "INVITE");
    let trying = format!(
        "SIP/2.0 100 Trying\r\nVia: {}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Content-Length: 0\r\n\r\n",
        invite.header("Via"),
        invite.header("From"),
        invite.header("To"),
        invite.header("Call-ID"),
        invite.header("CSeq"),
    );
    let from = pair.b.address;
    pair.a.receive(pair.now, from, trying.as_bytes());
    pair.run_ms(400_000, |datagram| datagram.from != from);
    assert_eq!(pair.a.ended(), [Reason::TimedOut]);
    pair.run_s(100);
    assert_eq!(pair.a.endpoint.usage(), Usage { accounts: 1, ..Usage::default() });
    assert_eq!(pair.a.endpoint.poll_timeout(), None);
}

#[test]
fn a_lost_ack_before_a_second_change_does_not_end_the_call() {
    let mut pair = Pair::new();
    let (call, _) = pair.established();
    pair.a.endpoint.hold(pair.now, call).unwrap();
    let mut lost = 0;
    pair.run_ms(100, |datagram| {
        let ack = datagram.label() == "ACK";
        lost += usize::from(ack);
        !ack
    });
    assert_eq!(lost, 1);
    pair.a.endpoint.resume(pair.now, call).unwrap();
    pair.run_s(100);
    assert_alive(&mut pair);
}

#[test]
fn an_old_try_that_fails_late_does_not_end_the_call() {
    let mut pair = Pair::new();
    let (call, _) = pair.established();
    pair.b.endpoint.hold(pair.now, pair.b.last_call()).unwrap();
    pair.a.endpoint.hold(pair.now, call).unwrap();
    pair.run_ms(50, |_| true); // 491 on both sides: those INVITEs linger
    for node in [&mut pair.a, &mut pair.b] {
        let remote = if node.address == A.parse().unwrap() { B } else { A };
        let path = Path::udp(node.address, remote.parse().unwrap());
        node.endpoint.handle(pair.now, Input::SendFailed { path });
        node.drain(pair.now);
    }
    pair.run_s(10);
    pair.a.endpoint.resume(pair.now, call).unwrap();
    pair.run_s(1);
    assert_eq!(pair.a.ended(), []);
    assert_eq!(pair.b.ended(), []);
}

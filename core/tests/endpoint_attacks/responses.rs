//! Responses to nothing, floods of them, forks and redirections.

use super::*;

/// A response to a request that was on the wire.
fn response(request: &Datagram, status: u16, tag: &str, more: &str) -> String {
    let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    format!(
        "SIP/2.0 {status} Forged\r\nVia: {}\r\nFrom: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\n\
         CSeq: {}\r\n{more}Content-Length: 0\r\n\r\n",
        request.header("Via"),
        request.header("From"),
        request.header("To"),
        request.header("Call-ID"),
        request.header("CSeq"),
    )
}

/// A call that has sent its INVITE, which nobody received.
fn calling() -> (Pair, CallId, Datagram) {
    let mut pair = Pair::new();
    let call = pair.call();
    pair.run_ms(20, |_| false);
    let invite = sent(&pair.a, "INVITE");
    (pair, call, invite)
}

#[test]
fn a_response_that_is_not_to_us_changes_nothing() {
    let (mut pair, call, invite) = calling();
    let right = response(&invite, 200, "t", "Contact: <sip:m@203.0.113.66>\r\n");
    let via = format!("Via: {}\r\n", invite.header("Via"));
    let cseq = invite.header("CSeq");
    let number: u32 = cseq.split(' ').next().unwrap().parse().unwrap();
    let wrong = [
        right.replace("branch=z9hG4bK", "branch=z9hG4bK0"),
        right.replace("branch=z9hG4bK", "branch="),
        right.replace(";branch=", ";brunch="),
        right.replace(&via, &format!("{via}{via}")),
        right.replace("Via: SIP/2.0/UDP 192.0.2.1:5060", "Via: SIP/2.0/UDP 192.0.2.1:5061"),
        right.replace("Via: SIP/2.0/UDP 192.0.2.1:5060", "Via: SIP/2.0/UDP 192.0.2.7:5060"),
        right.replace(&format!("CSeq: {cseq}"), &format!("CSeq: {} INVITE", number + 1)),
        right.replace(&format!("CSeq: {cseq}"), &format!("CSeq: {number} BYE")),
        right.replace(&format!("CSeq: {cseq}"), &format!("CSeq: {number} CANCEL")),
        right.replace(&via, ""),
        right.replace("SIP/2.0 200", "SIP/2.0 099"),
        right.replace("SIP/2.0 200", "SIP/2.0 700"),
    ];
    let usage = pair.a.endpoint.usage();
    // the last digit of the branch, each of the others
    let random = invite.header("Via").split("z9hG4bK").nth(1).unwrap()[..24].to_owned();
    let guesses = (0..24).map(|place| {
        let mut guess = random.clone().into_bytes();
        guess[place] = if guess[place] == b'0' { b'1' } else { b'0' };
        right.replace(&random, &String::from_utf8(guess).unwrap())
    });
    for text in wrong.into_iter().chain(guesses) {
        assert_eq!(answers(&mut pair.a, pair.now, mallory(), text.as_bytes()), [""; 0], "{text}");
        assert_eq!(pair.a.heard, [], "{text}");
        assert_eq!(pair.a.endpoint.usage(), usage, "{text}");
    }
    // and it was these differences that mattered
    pair.b.address = mallory();
    pair.a.receive(pair.now, mallory(), right.as_bytes());
    assert_eq!(pair.a.heard, [Heard::Ended(call, Reason::NotAcceptable)]);
}

#[test]
fn a_flood_of_provisional_responses_with_new_tags_is_bounded() {
    let (mut pair, call, invite) = calling();
    let from = pair.b.address;
    for n in 0..10_000 {
        let contact = format!("Contact: <sip:fork{n}@192.0.2.2>\r\n");
        let ringing = response(&invite, 180 + n % 4, &format!("fork{n}"), &contact);
        pair.a.receive(pair.now, from, ringing.as_bytes());
        let usage = pair.a.endpoint.usage();
        assert!(usage.calls == 1 && usage.dialogs <= 2, "{usage:?}");
        assert_eq!((usage.transactions, usage.buffers), (1, 1));
    }
    assert_eq!(pair.a.heard.len(), 10_000);
    // none of it shuts a second call out, in or out
    answers_options(&mut pair.a, pair.now);
    pair.a.receive(pair.now, mallory(), &Forged::invite(1).bytes());
    assert!(matches!(pair.a.heard.last(), Some(Heard::Incoming(_))));
    pair.a.endpoint.hang_up(pair.now, call).unwrap();
    let incoming = pair.a.last_call();
    pair.a.endpoint.reject(pair.now, incoming, 486).unwrap();
    pair.run_ms(200_000, |_| false);
    assert_eq!(pair.a.endpoint.usage(), Usage { accounts: 1, ..Usage::default() });
}

#[test]
fn a_flood_of_forks_that_answer_makes_one_call_and_a_few_byes() {
    let (mut pair, call, invite) = calling();
    let from = pair.b.address;
    let sdp = OFFER.replace("203.0.113.66", "192.0.2.2");
    for n in 0..2000 {
        let contact =
            format!("Contact: <sip:fork{n}@192.0.2.2>\r\nContent-Type: application/sdp\r\n");
        let accepted = response(&invite, 200, &format!("fork{n}"), &contact);
        let accepted = accepted.replace(
            "Content-Length: 0\r\n\r\n",
            &format!("Content-Length: {}\r\n\r\n", sdp.len()),
        ) + &sdp;
        pair.a.receive(pair.now, from, accepted.as_bytes());
    }
    let labels = pair.a.labels();
    let count = |label: &str| labels.iter().filter(|own| *own == label).count();
    assert_eq!(count("ACK"), 2000);
    assert!(count("BYE") <= 8, "{}", count("BYE"));
    let established = |heard: &&Heard| matches!(heard, Heard::Established(_));
    assert_eq!(pair.a.heard.iter().filter(established).count(), 1);
    assert_eq!(pair.a.ended(), []);
    pair.a.endpoint.hang_up(pair.now, call).unwrap();
    pair.run_ms(100_000, |_| false);
    assert_eq!(pair.a.endpoint.usage(), Usage { accounts: 1, ..Usage::default() });
}

#[test]
fn a_2xx_is_acknowledged_as_often_as_it_comes() {
    let (mut pair, incoming) = ringing();
    let media = Pair::media(&pair.b);
    pair.b.endpoint.answer(pair.now, incoming, media).unwrap();
    pair.run_ms(31_900, |datagram| datagram.label() != "ACK");
    let count = |node: &Node, label: &str| node.labels().iter().filter(|l| *l == label).count();
    let times = count(&pair.b, "200 INVITE");
    assert_eq!(times, 11);
    assert_eq!(count(&pair.a, "ACK"), times);
    let acks: Vec<_> = pair.a.sent.iter().filter(|sent| sent.label() == "ACK").collect();
    assert!(acks.iter().all(|ack| ack.bytes == acks[0].bytes));
}

#[test]
fn a_redirection_is_told_and_not_followed() {
    for contacts in [
        "Contact: <sip:alice@192.0.2.1>\r\n".to_owned(),
        "Contact: <tel:+1900555>, <sips:bob@192.0.2.2>, <http://x>\r\n".to_owned(),
        (0..30).fold(String::new(), |all, n| all + &format!("Contact: <sip:{n}@127.0.0.1>\r\n")),
    ] {
        let (mut pair, call, invite) = calling();
        let moved = response(&invite, 302, "t", &contacts);
        let from = pair.b.address;
        assert_eq!(answers(&mut pair.a, pair.now, from, moved.as_bytes()), ["ACK"]);
        assert_eq!(pair.a.heard, [Heard::Ended(call, Reason::Rejected(302))]);
        pair.run_ms(100_000, |_| false);
        assert_eq!(pair.a.endpoint.usage(), Usage { accounts: 1, ..Usage::default() });
    }
}

//! Requests inside a call, from elsewhere or old.

use super::*;

#[test]
fn guessed_tags_reach_no_call() {
    let mut pair = Pair::new();
    pair.established();
    let ack = sent(&pair.a, "ACK");
    let tag = ack.header("To").split("tag=").nth(1).unwrap().to_owned();
    assert_eq!(tag.len(), 24, "a slot and 64 random bits");
    let plans = pair.b.plans();
    let other = |text: &str, place: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
        String::from_utf8(bytes).unwrap()
    };
    let mut forged = vec![
        Forged { call_id: "other".to_owned(), ..Forged::like("BYE", &ack) },
        Forged { from: "<sip:alice@192.0.2.1>".to_owned(), ..Forged::like("BYE", &ack) },
        Forged { from: format!("{}0", ack.header("From")), ..Forged::like("BYE", &ack) },
        Forged { to: "<sip:bob@192.0.2.2>;tag=".to_owned(), ..Forged::like("BYE", &ack) },
        Forged { to: "<sip:bob@192.0.2.2>;tag=0".to_owned(), ..Forged::like("BYE", &ack) },
    ];
    for place in 0..24 {
        let to = ack.header("To").replace(&tag, &other(&tag, place));
        forged.push(Forged { to, ..Forged::like("BYE", &ack) });
    }
    for (n, bye) in forged.into_iter().enumerate() {
        let via = format!("SIP/2.0/UDP {MALLORY};branch=z9hG4bKguess{n};rport");
        let bye = Forged { cseq: 1_000_000_000, via, ..bye };
        let method = if n % 2 == 0 { "BYE" } else { "INVITE" };
        let sdp = format!("Contact: <sip:mallory@{MALLORY}>\r\nContent-Type: application/sdp\r\n");
        let forged = Forged { method, more: sdp, body: OFFER.to_owned(), ..bye };
        let answered = answers(&mut pair.b, pair.now, mallory(), &forged.bytes());
        let refused = [format!("481 {method}")];
        // without a value the tag is malformed
        assert!(answered == refused || answered == [format!("400 {method}")], "{answered:?}");
    }
    assert_eq!(pair.b.plans(), plans, "media is untouched");
    assert_alive(&mut pair);
}

#[test]
fn a_replayed_or_older_request_inside_a_call_is_refused() {
    let mut pair = Pair::new();
    let (call, _) = pair.established();
    pair.a.endpoint.hold(pair.now, call).unwrap();
    pair.run_s(1);
    let change = pair.a.sent.iter().filter(|sent| sent.label() == "INVITE").nth(1).unwrap().clone();
    pair.run_s(60);
    pair.a.endpoint.resume(pair.now, call).unwrap();
    pair.run_s(60);
    let plans = pair.b.plans().len();
    // recorded and sent again, when nothing remembers it but the number
    assert_eq!(answers(&mut pair.b, pair.now, mallory(), &change.bytes), ["500 INVITE"]);
    for method in ["BYE", "INFO", "OPTIONS"] {
        let old = Forged { cseq: 1, ..Forged::like(method, &change) };
        let answered = answers(&mut pair.b, pair.now, mallory(), &old.bytes());
        assert_eq!(answered, [format!("500 {method}")]);
    }
    assert_eq!(pair.b.plans().len(), plans);
    assert_alive(&mut pair);
}

#[test]
fn every_method_inside_a_call_has_an_answer_in_every_state() {
    let expected = [
        ("OPTIONS", "200"),
        ("PRACK", "405"),
        ("UPDATE", "405"),
        ("INFO", "405"),
        ("MESSAGE", "405"),
        ("REFER", "405"),
        ("NOTIFY", "405"),
        ("SUBSCRIBE", "405"),
        ("PUBLISH", "405"),
        ("REGISTER", "405"),
        ("FOO", "501"),
    ];
    // ringing, answered, established, hung up by us with the BYE unanswered
    for stage in 0..4 {
        let (mut pair, incoming) = ringing();
        let to = sent(&pair.b, "180 INVITE").header("To");
        let invite = sent(&pair.a, "INVITE");
        if stage > 0 {
            let media = Pair::media(&pair.b);
            pair.b.endpoint.answer(pair.now, incoming, media).unwrap();
            pair.run_ms(100, |datagram| stage > 1 || datagram.label() != "ACK");
        }
        if stage > 2 {
            pair.b.endpoint.hang_up(pair.now, incoming).unwrap();
            pair.run_ms(5, |_| false);
        }
        let from = pair.a.address;
        let mut cseq = Forged::like("OPTIONS", &invite).cseq + 10;
        let mut ask = |pair: &mut Pair, method: &'static str, body: &str| {
            cseq += 1;
            let via = format!("SIP/2.0/UDP {A};branch=z9hG4bKinside{cseq};rport");
            let more = "Contact: <sip:alice@192.0.2.1>\r\nContent-Type: application/sdp\r\n";
            let request = Forged {
                via,
                to: to.clone(),
                cseq,
                more: more.to_owned(),
                body: body.to_owned(),
                ..Forged::like(method, &invite)
            };
            answers(&mut pair.b, pair.now, from, &request.bytes())
        };
        for (method, status) in expected {
            let answered = ask(&mut pair, method, "");
            assert_eq!(answered, [format!("{status} {method}")], "stage {stage}");
        }
        let reinvited = ask(&mut pair, "INVITE", "");
        let status = ["500 INVITE", "200 INVITE", "200 INVITE", "481 INVITE"][stage];
        assert_eq!(reinvited, [status], "stage {stage}");
        let answered = ask(&mut pair, "BYE", "");
        assert!(answered.contains(&"200 BYE".to_owned()), "stage {stage}: {answered:?}");
        assert_eq!(ask(&mut pair, "INVITE", ""), ["481 INVITE"], "stage {stage}");
        assert_eq!(pair.b.ended().len(), 1, "stage {stage}");
        pair.run_ms(200_000, |_| false);
        assert_eq!(pair.b.endpoint.usage(), Usage { accounts: 1, ..Usage::default() });
        assert_eq!(pair.b.endpoint.poll_timeout(), None);
    }
}

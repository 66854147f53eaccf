//! Requests that want us to call out, answer for another, or send where nobody should.

use super::*;

#[test]
fn nobody_makes_us_call_out_or_answer_for_another() {
    let mut pair = Pair::new();
    pair.established();
    let refer = "Refer-To: <sip:premium@203.0.113.66>\r\nContact: <sip:m@203.0.113.66>\r\n";
    let refer = Forged { more: refer.to_owned(), ..Forged::new("REFER") };
    assert_eq!(answers(&mut pair.b, pair.now, mallory(), &refer.bytes()), ["405 REFER"]);
    for (n, require) in ["replaces", "join", "100rel", "tdialog"].iter().enumerate() {
        let more = format!("Require: {require}\r\nContact: <sip:m@203.0.113.66>\r\n");
        let invite = Forged { more, ..Forged::invite(n) };
        assert_eq!(answers(&mut pair.b, pair.now, mallory(), &invite.bytes()), ["420 INVITE"]);
    }
    for (method, status) in [
        ("SUBSCRIBE", "405"),
        ("NOTIFY", "405"),
        ("MESSAGE", "405"),
        ("PUBLISH", "405"),
        ("REGISTER", "405"),
        ("PRACK", "481"),
        ("UPDATE", "481"),
        ("BYE", "481"),
    ] {
        let answered = answers(&mut pair.b, pair.now, mallory(), &Forged::new(method).bytes());
        assert_eq!(answered, [format!("{status} {method}")]);
    }
    assert_alive(&mut pair);
}

#[test]
fn nothing_is_ever_sent_to_broadcast_or_multicast() {
    for target in ["255.255.255.255", "224.0.1.75", "0.0.0.0", "[ff02::1]", "[::]"] {
        for more in [
            format!("Contact: <sip:m@{target}:5060>\r\n"),
            format!("Contact: <sip:m@203.0.113.66;maddr={target}>\r\n"),
            format!("Contact: <sip:m@203.0.113.66>\r\nRecord-Route: <sip:{target};lr>\r\n"),
        ] {
            let mut node = Node::new(B, 2, Config::default());
            let mut now = Instant::ZERO;
            node.account(now, "sip:bob@192.0.2.2", "");
            let via = format!(
                "SIP/2.0/UDP {target}:5060;branch=z9hG4bK1;maddr={target};received={target}"
            );
            let invite = Forged { more, via, ..Forged::new("INVITE") };
            node.receive(now, mallory(), &invite.bytes());
            let call = node.last_call();
            let media = Pair::media(&node);
            node.endpoint.answer(now, call, media).unwrap();
            node.endpoint.hang_up(now, call).unwrap();
            for _ in 0..100 {
                node.drain(now);
                now += Duration::from_secs(1);
            }
            assert!(node.labels().contains(&"BYE".to_owned()));
            for sent in &node.sent {
                assert_eq!(sent.to.ip(), mallory().ip(), "{}", sent.text());
            }
        }
    }
}

#[test]
fn odd_hops_and_routes_are_processed_as_the_rfc_says() {
    let now = Instant::ZERO;
    let routes = (0..100).fold(String::new(), |all, n| all + &format!("Route: <sip:{n}.x;lr>\r\n"));
    for more in [
        "Max-Forwards: 0\r\n".to_owned(),
        "Route: <sip:192.0.2.2;lr>\r\n".to_owned(),
        "Proxy-Require: foo\r\n".to_owned(),
        routes,
    ] {
        let mut node = Node::new(B, 2, Config::default());
        node.account(now, "sip:bob@192.0.2.2", "");
        let options = Forged { more, ..Forged::new("OPTIONS") };
        assert_eq!(answers(&mut node, now, mallory(), &options.bytes()), ["200 OPTIONS"]);
    }
}

#[test]
fn a_call_to_ourselves_ends_as_any_other() {
    let mut node = Node::new(B, 2, Config::default());
    let mut now = Instant::ZERO;
    let account = node.account(now, "sip:bob@192.0.2.2", "");
    let call = OutgoingCall {
        account,
        target: "sip:bob@192.0.2.2",
        media: Pair::media(&node),
        late_offer: false,
        headers: &[],
    };
    let call = node.endpoint.call(now, call).unwrap();
    let turn = |node: &mut Node, now: &mut Instant, seconds: u64| {
        for _ in 0..seconds * 100 {
            node.drain(*now);
            let own = node.address;
            for datagram in node.take_outbox() {
                node.receive(*now, own, &datagram.bytes);
            }
            *now += Duration::from_millis(10);
        }
    };
    turn(&mut node, &mut now, 1);
    let incoming = node.last_call();
    let media = Pair::media(&node);
    node.endpoint.answer(now, incoming, media).unwrap();
    turn(&mut node, &mut now, 1);
    assert!(node.heard.contains(&Heard::Established(call)));
    node.endpoint.hang_up(now, call).unwrap();
    turn(&mut node, &mut now, 100);
    assert_eq!(node.ended().len(), 2);
    assert_eq!(node.endpoint.usage(), Usage { accounts: 1, ..Usage::default() });
}

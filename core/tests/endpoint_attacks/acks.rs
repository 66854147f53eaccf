//! ACK: never answered, and only the right one silences a 2xx.

use super::*;

#[test]
fn an_ack_for_nothing_is_never_answered() {
    let mut pair = Pair::new();
    pair.established();
    let ack = sent(&pair.a, "ACK");
    let strays = [
        Forged::new("ACK"),
        Forged { cseq: 77, ..Forged::like("ACK", &ack) },
        Forged { body: OFFER.to_owned(), ..Forged::like("ACK", &ack) },
        Forged { to: "<sip:bob@192.0.2.2>;tag=1".to_owned(), ..Forged::like("ACK", &ack) },
        Forged { more: "Require: x\r\n".to_owned(), ..Forged::like("ACK", &ack) },
        Forged { uri: "tel:1".to_owned(), ..Forged::like("ACK", &ack) },
        Forged { call_id: "a b c".to_owned(), ..Forged::like("ACK", &ack) },
    ];
    for stray in strays {
        let from = pair.a.address;
        assert_eq!(answers(&mut pair.b, pair.now, from, &stray.bytes()), [""; 0]);
    }
    assert_alive(&mut pair);
}

#[test]
fn only_the_right_ack_silences_a_200() {
    let (mut pair, incoming) = ringing();
    let media = Pair::media(&pair.b);
    pair.b.endpoint.answer(pair.now, incoming, media).unwrap();
    pair.run_ms(30, |datagram| datagram.label() != "ACK");
    let ack = sent(&pair.a, "ACK");
    let from = pair.a.address;
    for wrong in [
        Forged { cseq: 1, ..Forged::like("ACK", &ack) },
        Forged { to: format!("{}0", ack.header("To")), ..Forged::like("ACK", &ack) },
        Forged { from: format!("{}0", ack.header("From")), ..Forged::like("ACK", &ack) },
        Forged { call_id: "other".to_owned(), ..Forged::like("ACK", &ack) },
    ] {
        pair.b.receive(pair.now, from, &wrong.bytes());
        assert_eq!(pair.b.endpoint.view(incoming).unwrap().state, State::Answered);
    }
    pair.b.receive(pair.now, from, &ack.bytes);
    assert_eq!(pair.b.endpoint.view(incoming).unwrap().state, State::Established);
}

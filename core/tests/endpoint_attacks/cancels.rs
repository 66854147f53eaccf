//! CANCEL: only for whoever sent the INVITE, and only before its final response.

use super::*;

#[test]
fn a_cancel_ends_only_the_call_of_whoever_sent_its_invite() {
    let (mut pair, incoming) = ringing();
    let invite = sent(&pair.a, "INVITE");
    let right = Forged { to: "<sip:bob@192.0.2.2>".to_owned(), ..Forged::like("CANCEL", &invite) };
    let forged = [
        Forged { via: right.via.replace("z9hG4bK", "z9hG4bK0"), ..Forged::like("CANCEL", &invite) },
        Forged { call_id: "other".to_owned(), ..Forged::like("CANCEL", &invite) },
        Forged {
            from: "<sip:alice@192.0.2.1>;tag=x".to_owned(),
            ..Forged::like("CANCEL", &invite)
        },
        Forged { cseq: right.cseq + 1, ..Forged::like("CANCEL", &invite) },
    ];
    for cancel in forged {
        let from = pair.a.address;
        assert_eq!(answers(&mut pair.b, pair.now, from, &cancel.bytes()), ["481 CANCEL"]);
    }
    // all of it right, but from elsewhere
    assert_eq!(answers(&mut pair.b, pair.now, mallory(), &right.bytes()), ["481 CANCEL"]);
    assert_eq!(pair.b.endpoint.view(incoming).unwrap().state, State::Ringing);
    let from = pair.a.address;
    let answered = answers(&mut pair.b, pair.now, from, &right.bytes());
    assert_eq!(answered, ["200 CANCEL", "487 INVITE"]);
    assert_eq!(pair.b.ended(), [Reason::CallerGaveUp]);
}

#[test]
fn a_cancel_with_require_is_not_refused() {
    let (mut pair, _) = ringing();
    let invite = sent(&pair.a, "INVITE");
    let cancel =
        Forged { more: "Require: nothing\r\n".to_owned(), ..Forged::like("CANCEL", &invite) };
    let from = pair.a.address;
    let answered = answers(&mut pair.b, pair.now, from, &cancel.bytes());
    assert_eq!(answered, ["200 CANCEL", "487 INVITE"]);
}

#[test]
fn a_cancel_after_the_final_response_changes_nothing() {
    let mut pair = Pair::new();
    pair.established();
    let invite = sent(&pair.a, "INVITE");
    let from = pair.a.address;
    let cancel = Forged::like("CANCEL", &invite).bytes();
    for _ in 0..3 {
        assert_eq!(answers(&mut pair.b, pair.now, from, &cancel), ["200 CANCEL"]);
    }
    pair.run_s(60);
    assert_eq!(answers(&mut pair.b, pair.now, from, &cancel), ["481 CANCEL"]);
    assert_alive(&mut pair);
}

#[test]
fn a_repeated_cancel_gets_its_200_while_the_invite_lingers() {
    let (mut pair, _) = ringing();
    let invite = sent(&pair.a, "INVITE");
    let from = pair.a.address;
    let cancel = Forged::like("CANCEL", &invite).bytes();
    answers(&mut pair.b, pair.now, from, &cancel);
    assert_eq!(answers(&mut pair.b, pair.now, from, &cancel), ["200 CANCEL"]);
    assert_eq!(pair.b.ended(), [Reason::CallerGaveUp]);
}

#[test]
fn a_cancel_of_something_else_than_an_invite_is_refused() {
    let config = Config { methods: Methods::MESSAGE, ..Config::default() };
    let mut node = Node::new(B, 2, config);
    let now = Instant::ZERO;
    node.account(now, "sip:bob@192.0.2.2", "");
    assert_eq!(answers(&mut node, now, mallory(), &Forged::new("MESSAGE").bytes()), [""; 0]);
    assert!(matches!(node.heard[..], [Heard::Request(..)]));
    let cancel = Forged::new("CANCEL").bytes();
    assert_eq!(answers(&mut node, now, mallory(), &cancel), ["481 CANCEL"]);
}

//! What the rules refuse.

use crate::support::Heard;
use crate::support::script::{Caller, PEER, Scene, audio};

#[test]
fn requests_in_a_dialog_come_in_order() {
    let mut scene = Scene::new();
    let (_, mut caller) = scene.answered();
    caller.cseq += 100;
    caller.send(&mut scene, "OPTIONS", &[], "");
    scene.one("200 OPTIONS");
    caller.cseq -= 50;
    caller.send(&mut scene, "OPTIONS", &[], "");
    scene.one("500 OPTIONS");
    caller.cseq += 48;
    caller.send(&mut scene, "OPTIONS", &[], "");
    scene.one("500 OPTIONS"); // the same number again, in another transaction
    caller.send(&mut scene, "BYE", &[], "");
    scene.one("200 BYE");
}

#[test]
fn options_are_answered_in_and_out_of_dialogs() {
    let mut scene = Scene::new();
    let (_, mut caller) = scene.answered();
    caller.send(&mut scene, "OPTIONS", &[], "");
    let inside = scene.one("200 OPTIONS");
    let mut probe = Caller::new();
    probe.call_id = "probe".to_owned();
    probe.send(&mut scene, "OPTIONS", &["Max-Forwards: 0"], "");
    scene.one("400 OPTIONS"); // Max-Forwards twice
    let text = probe.request(&mut scene, "OPTIONS", &[], "").replace("rds: 70", "rds: 0");
    scene.hear_from(PEER, &text);
    let outside = scene.one("200 OPTIONS");
    for response in [&inside, &outside] {
        assert!(response.header("Allow").contains("OPTIONS"));
        assert_eq!(response.header("Accept"), "application/sdp");
    }
    assert!(outside.tag_of_to().is_some());
    assert_eq!(scene.heard(), []);
}

#[test]
fn what_the_rules_refuse_gets_the_status_that_they_name() {
    let no_sdp = ["Content-Type: text/plain"];
    for (method, more, body, status, header) in [
        ("INVITE", &["Require: 100rel, x"][..], audio(), 420, Some(("Unsupported", "100rel"))),
        ("INVITE", &no_sdp, "hello".to_owned(), 415, Some(("Accept", "application/sdp"))),
        (
            "INVITE",
            &["Content-Encoding: gzip"],
            audio(),
            415,
            Some(("Accept-Encoding", "identity")),
        ),
        ("INVITE", &["Accept: text/plain"], audio(), 406, None),
        ("INVITE", &[], audio().replace("AVP 0 8 101", "AVP 9"), 488, None),
        ("INVITE", &[], "v=0\r\nnonsense".to_owned(), 488, None),
        ("MESSAGE", &[], String::new(), 405, Some(("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS"))),
        ("REGISTER", &[], String::new(), 405, None),
        (
            "NEWMETHOD",
            &[],
            String::new(),
            501,
            Some(("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS")),
        ),
        ("BYE", &[], String::new(), 481, None),
        ("PRACK", &[], String::new(), 481, None),
        ("UPDATE", &[], String::new(), 481, None),
        ("CANCEL", &[], String::new(), 481, None),
    ] {
        let mut scene = Scene::new();
        let mut caller = Caller::new();
        caller.send(&mut scene, method, more, &body);
        let refusal = scene.one(&format!("{status} {method}"));
        if let Some((name, value)) = header {
            assert_eq!(refusal.all(name)[0], value);
        }
        assert!(refusal.tag_of_to().is_some());
        assert_eq!(scene.heard(), []);
        scene.assert_idle();
    }
}

#[test]
fn broken_requests_are_refused_by_their_fault() {
    for (from, to, status) in [
        ("SIP/2.0\r\nVia", "SIP/3.0\r\nVia", 505),
        ("sip:alice@192.0.2.1 SIP", "unknown:alice SIP", 416),
        ("sip:alice@192.0.2.1 SIP", "tel:+1 SIP", 416),
        ("CSeq: 1 INVITE", "CSeq: 1 OPTIONS", 400),
        ("CSeq: 1 INVITE", "CSeq: 4294967296 INVITE", 400),
        ("Contact: <sip:bob@192.0.2.20>\r\n", "", 400),
        ("To: <sip:alice@192.0.2.1>\r\n", "", 400),
    ] {
        let mut scene = Scene::new();
        let mut caller = Caller::new();
        let text = caller.request(&mut scene, "INVITE", &[], &audio());
        assert!(text.contains(from));
        scene.hear_from(PEER, &text.replace(from, to));
        let sent = scene.sent();
        assert_eq!(sent.len(), 1, "{to}");
        assert_eq!(sent[0].status(), status, "{to}");
        assert_eq!(scene.heard(), []);
    }
}

#[test]
fn a_request_that_came_by_two_ways_is_served_once() {
    let mut scene = Scene::new();
    let (_, caller) = scene.ringing();
    scene.hear_from(PEER, &caller.with_branch("z9hG4bKother", "INVITE", &[], &audio()));
    scene.one("482 INVITE");
    assert_eq!(scene.heard(), []);
}

#[test]
fn a_request_that_is_too_large_to_keep_gets_513() {
    let mut scene = Scene::new();
    let long = format!("X-Long: {}", "x".repeat(5000));
    scene.invite_with(&[&long], &audio());
    scene.one("513 INVITE");
    assert_eq!(scene.heard(), []);
    scene.assert_idle();
}

#[test]
fn more_calls_than_there_is_room_for_are_busy() {
    let mut scene = Scene::new();
    for number in 0..6 {
        let mut caller = Caller::new();
        caller.call_id = format!("call{number}");
        caller.send(&mut scene, "INVITE", &[], &audio());
    }
    assert_eq!(scene.labels(), ["486 INVITE", "486 INVITE"]);
    assert_eq!(scene.heard().len(), 4);
}

#[test]
fn a_late_copy_of_a_call_that_was_refused_as_busy_does_not_ring() {
    let mut scene = Scene::new();
    let mut callers = Vec::new();
    for number in 0..5 {
        let mut caller = Caller::new();
        caller.call_id = format!("call{number}");
        caller.invite = caller.request(&mut scene, "INVITE", &[], &audio());
        scene.hear_from(PEER, &caller.invite);
        callers.push(caller);
    }
    let busy = scene.one("486 INVITE");
    assert_eq!(scene.heard().len(), 4);
    let first = scene.node.last_call();
    scene.node.endpoint.reject(scene.now, first, 603).unwrap();
    scene.one("603 INVITE");
    scene.heard();
    let [.., late] = callers.as_slice() else { panic!() };
    for _ in 0..2 {
        scene.hear_from(PEER, &late.invite);
        assert_eq!(scene.one("486 INVITE").text, busy.text);
    }
    // it is not repeated by itself, whoever pretended to be its sender
    scene.run_ms(450);
    scene.hear_from(PEER, &late.like_invite("ACK", busy.tag_of_to().unwrap()));
    let again: Vec<_> = scene.labels().into_iter().filter(|label| label == "486 INVITE").collect();
    assert!(again.is_empty());
    scene.run_s(20);
    assert!(!scene.labels().contains(&"486 INVITE".to_owned()));
    assert!(!scene.heard().iter().any(|heard| matches!(heard, Heard::Incoming(_))));
}

//! Requests that the application sends and answers, outside calls and inside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use sansip::endpoint::{
    Body, Config, CustomHeader, Error, Input, Methods, OutgoingRequest, Reason, RequestId,
};
use sansip::path::{FlowId, Path, Transport};
use support::Heard;
use support::script::{Caller, OTHER, PEER, SERVER, Scene, Sent, US};

const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"";

fn send<'c>(
    scene: &mut Scene,
    method: &'c str,
    target: &'c str,
    headers: &'c [CustomHeader<'c>],
    body: Option<Body<'c>>,
) -> Result<RequestId, Error> {
    let account = scene.account;
    let request = OutgoingRequest { account, method, target, headers, body };
    scene.node.endpoint.request(scene.now, request)
}

fn taking(methods: Methods) -> Scene {
    Scene::with(Config { methods, ..Config::default() }, |_| {})
}

/// The one request that the application was told of.
fn told(scene: &mut Scene) -> (RequestId, String) {
    match scene.heard().as_slice() {
        [Heard::Request(request, text)] => (*request, text.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_is_sent_and_its_answer_told_whole() {
    let mut scene = Scene::new();
    let body = Body { content_type: "text/plain", bytes: b"hello" };
    let request = send(&mut scene, "MESSAGE", "bob", &[], Some(body)).unwrap();
    let sent = scene.one("MESSAGE");
    assert_eq!(sent.to.to_string(), SERVER);
    assert_eq!(sent.uri(), "sip:bob@192.0.2.10");
    assert_eq!(sent.header("To"), "<sip:bob@192.0.2.10>");
    assert_eq!(sent.header("Content-Type"), "text/plain");
    assert_eq!(sent.body(), "hello");
    assert!(sent.all("Contact").is_empty(), "RFC 3428 s4");
    scene.answer(&sent, 202, "b", &["X-Id: 7"], "");
    let heard = scene.heard();
    let [Heard::Response(same, Ok(202), Some(text))] = heard.as_slice() else {
        panic!("{heard:?}");
    };
    assert_eq!(*same, request);
    assert!(text.contains("X-Id: 7"));
    scene.answer(&sent, 202, "b", &["X-Id: 7"], "");
    assert_eq!(scene.heard(), []);
    scene.assert_idle();
}

#[test]
fn a_challenged_request_keeps_its_id_call_id_and_body() {
    let mut scene = Scene::new();
    let body = Body { content_type: "text/plain", bytes: b"hello" };
    let request = send(&mut scene, "MESSAGE", "bob", &[], Some(body)).unwrap();
    let first = scene.one("MESSAGE");
    scene.answer(&first, 401, "s", &[CHALLENGE], "");
    let second = scene.one("MESSAGE");
    assert!(second.proves("Authorization", "secret"));
    assert_eq!(second.body(), "hello");
    assert_eq!(second.header("Content-Type"), "text/plain");
    assert_eq!(second.cseq(), first.cseq() + 1);
    assert_eq!(second.header("Call-ID"), first.header("Call-ID"));
    assert_eq!(second.header("From"), first.header("From"));
    assert_eq!(scene.heard(), []);
    scene.answer(&second, 200, "b", &[], "");
    let heard = scene.heard();
    let [Heard::Response(same, Ok(200), _)] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!(*same, request);
}

#[test]
fn a_wrong_password_is_told_as_the_servers_answer() {
    let mut scene = Scene::new();
    let request = send(&mut scene, "MESSAGE", "bob", &[], None).unwrap();
    let first = scene.one("MESSAGE");
    scene.answer(&first, 407, "s", &[&CHALLENGE.replace("WWW", "Proxy")], "");
    let second = scene.one("MESSAGE");
    let again = CHALLENGE.replace("WWW", "Proxy").replace("n1", "n2");
    scene.answer(&second, 407, "s", &[&again], "");
    assert!(scene.sent().is_empty());
    let heard = scene.heard();
    let [Heard::Response(same, Ok(407), Some(_))] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!(*same, request);
}

#[test]
fn another_server_gets_no_credentials() {
    let mut scene = Scene::new();
    send(&mut scene, "MESSAGE", "sip:bob@192.0.2.30", &[], None).unwrap();
    let sent = scene.one("MESSAGE");
    assert_eq!(sent.to.to_string(), OTHER);
    scene.answer(&sent, 401, "s", &[CHALLENGE], "");
    assert!(scene.sent().is_empty());
    let heard = scene.heard();
    assert!(matches!(heard.as_slice(), [Heard::Response(_, Ok(401), Some(_))]), "{heard:?}");
}

#[test]
fn a_request_over_a_connection_is_challenged_and_answered_too() {
    // a stream absorbs no copies: the first try is over as soon as its 401 comes
    let mut scene = Scene::new();
    send(&mut scene, "MESSAGE", "sip:bob@server.example.com", &[], None).unwrap();
    let heard = scene.heard();
    let [Heard::Resolve(query, ..)] = heard.as_slice() else { panic!("{heard:?}") };
    let path = Path {
        transport: Transport::Tcp,
        flow: FlowId(3),
        local: US.parse().unwrap(),
        remote: SERVER.parse().unwrap(),
    };
    scene.node.endpoint.handle(scene.now, Input::Resolved { query: *query, targets: &[path] });
    let first = scene.one("MESSAGE");
    assert!(first.all("Via")[0].starts_with("SIP/2.0/TCP "));
    let text = first.response(401, "s", &[CHALLENGE], "");
    scene.node.endpoint.handle(scene.now, Input::Message { path, bytes: text.as_bytes() });
    let second = scene.one("MESSAGE");
    assert!(second.proves("Authorization", "secret"));
    scene.run_s(20);
    assert!(scene.sent().is_empty(), "streams repeat nothing");
    let text = second.response(200, "s", &[], "");
    scene.node.endpoint.handle(scene.now, Input::Message { path, bytes: text.as_bytes() });
    let heard = scene.heard();
    assert!(matches!(heard.as_slice(), [Heard::Response(_, Ok(200), _)]), "{heard:?}");
    scene.assert_idle();
}

#[test]
fn headers_of_one_request_add_replace_and_follow_their_method() {
    let mut scene = Scene::new();
    let headers = [
        CustomHeader::new("Event", "presence"),
        CustomHeader::new("Expires", "60"),
        CustomHeader::new("User-Agent", "one/1"),
        CustomHeader::new("From", "\"O\" <sip:o@example.net>;tag=x"),
        CustomHeader::new("Contact", "<sip:o@203.0.113.9>;x"),
        CustomHeader { method: Some("MESSAGE"), name: "X-No", value: "no" },
        CustomHeader { method: Some("SUBSCRIBE"), name: "X-Yes", value: "yes" },
    ];
    for by_name in [false, true] {
        let target = if by_name { "sip:bob@example.org" } else { "bob" };
        send(&mut scene, "SUBSCRIBE", target, &headers, None).unwrap();
        if by_name {
            let heard = scene.heard();
            let [Heard::Resolve(query, ..)] = heard.as_slice() else { panic!("{heard:?}") };
            scene.resolve(*query, &[PEER]);
        }
        let sent = scene.one("SUBSCRIBE");
        assert_eq!(sent.header("Event"), "presence");
        assert_eq!(sent.header("User-Agent"), "one/1");
        assert!(sent.header("From").starts_with("\"O\" <sip:o@example.net>;tag="));
        assert_ne!(sent.tag_of_from(), "x");
        assert_eq!(sent.header("Contact"), "<sip:o@203.0.113.9>;x");
        assert!(sent.all("X-No").is_empty());
        assert_eq!(sent.header("X-Yes"), "yes");
        assert!(sent.head().split("\r\n").nth(1).unwrap().starts_with("Via: "));
    }
}

#[test]
fn a_contact_is_written_where_the_method_wants_one_and_where_it_is_asked_for() {
    let mut scene = Scene::new();
    send(&mut scene, "SUBSCRIBE", "bob", &[], None).unwrap();
    assert_eq!(scene.one("SUBSCRIBE").contact(), "sip:alice@192.0.2.1:5060");
    let star = [CustomHeader::new("Contact", "*"), CustomHeader::new("Expires", "0")];
    send(&mut scene, "REGISTER", "sip:192.0.2.10", &star, None).unwrap();
    let register = scene.one("REGISTER");
    assert_eq!(register.header("Contact"), "*", "a tester's tool sends what it is told to");
}

#[test]
fn methods_and_headers_that_belong_to_the_endpoint_are_refused() {
    let mut scene = Scene::new();
    for method in ["INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE", "", "A B", "X\r\nVia:"] {
        assert_eq!(send(&mut scene, method, "bob", &[], None), Err(Error::Invalid), "{method}");
    }
    for target in ["tel:+1", "sip:", "sip:a@b\r\nX: y", "http://x", "a b"] {
        let sent = send(&mut scene, "OPTIONS", target, &[], None);
        assert_eq!(sent, Err(Error::Invalid), "{target}");
    }
    for (name, value) in [("Via", "x"), ("i", "x"), ("X", "a\r\nB: c"), ("Content-Length", "3")] {
        let headers = [CustomHeader::new(name, value)];
        assert_eq!(send(&mut scene, "OPTIONS", "bob", &headers, None), Err(Error::Invalid));
    }
    let body = Body { content_type: "text/plain\r\nX: y", bytes: b"x" };
    assert_eq!(send(&mut scene, "MESSAGE", "bob", &[], Some(body)), Err(Error::Invalid));
    scene.assert_idle();
    assert!(scene.sent().is_empty());
}

#[test]
fn an_unknown_method_of_the_application_is_sent_as_it_is() {
    let mut scene = Scene::new();
    send(&mut scene, "PING", "bob", &[], None).unwrap();
    let sent = scene.one("PING");
    assert!(sent.header("CSeq").ends_with(" PING"));
}

#[test]
fn a_request_without_an_answer_or_a_way_fails_with_its_reason() {
    let mut scene = Scene::new();
    let lost = send(&mut scene, "OPTIONS", "bob", &[], None).unwrap();
    scene.run_s(33);
    assert_eq!(scene.sent().len(), 11);
    assert_eq!(scene.heard(), [Heard::Response(lost, Err(Reason::TimedOut), None)]);
    let unknown = send(&mut scene, "OPTIONS", "sip:x@nowhere.example.com", &[], None).unwrap();
    let heard = scene.heard();
    let [Heard::Resolve(query, ..)] = heard.as_slice() else { panic!("{heard:?}") };
    scene.resolve(*query, &[]);
    assert_eq!(scene.heard(), [Heard::Response(unknown, Err(Reason::Unreachable), None)]);
    let refused = send(&mut scene, "OPTIONS", "bob", &[], None).unwrap();
    let path = Path::udp(US.parse().unwrap(), SERVER.parse().unwrap());
    scene.sent();
    scene.node.endpoint.handle(scene.now, Input::SendFailed { path });
    assert_eq!(scene.heard(), [Heard::Response(refused, Err(Reason::Unreachable), None)]);
    scene.assert_idle();
}

#[test]
fn provisional_responses_slow_the_repetitions_down() {
    let mut scene = Scene::new();
    send(&mut scene, "OPTIONS", "bob", &[], None).unwrap();
    let sent = scene.one("OPTIONS");
    scene.answer(&sent, 100, "", &[], "");
    assert_eq!(scene.heard(), []);
    scene.run_ms(10_000);
    assert!((2..=4).contains(&scene.sent().len()), "T2 apart");
}

#[test]
fn the_application_answers_a_request_with_headers_and_body() {
    let mut scene = taking(Methods::MESSAGE);
    let mut peer = Caller::new();
    peer.send(&mut scene, "MESSAGE", &["Content-Type: text/plain"], "hi");
    let (request, text) = told(&mut scene);
    assert!(text.ends_with("\r\n\r\nhi"));
    assert!(scene.sent().is_empty());
    let headers = [CustomHeader::new("X-Answer", "yes"), CustomHeader::new("Server", "mine")];
    let body = Body { content_type: "text/plain", bytes: b"ho" };
    scene.node.endpoint.respond(scene.now, request, 200, &headers, Some(body)).unwrap();
    let response = scene.one("200 MESSAGE");
    assert_eq!(response.header("X-Answer"), "yes");
    assert_eq!(response.header("Server"), "mine");
    assert_eq!(response.body(), "ho");
    assert!(response.tag_of_to().is_some());
    let twice = scene.node.endpoint.respond(scene.now, request, 200, &[], None);
    assert_eq!(twice, Err(Error::Gone));
    // the same request again gets the same response, and is not told again
    let same = peer.with_branch("z9hG4bKscript1", "MESSAGE", &["Content-Type: text/plain"], "hi");
    scene.hear_from(PEER, &same);
    assert_eq!(scene.one("200 MESSAGE").text, response.text);
    assert_eq!(scene.heard(), []);
    scene.assert_idle();
}

#[test]
fn a_registrar_answers_with_contacts_and_challenges() {
    let mut scene = taking(Methods::REGISTER);
    let mut peer = Caller::new();
    peer.send(&mut scene, "REGISTER", &["Contact: <sip:bob@192.0.2.20>"], "");
    let (request, _) = told(&mut scene);
    let headers = [CustomHeader::new("WWW-Authenticate", "Digest realm=\"us\", nonce=\"1\"")];
    scene.node.endpoint.respond(scene.now, request, 401, &headers, None).unwrap();
    let response = scene.one("401 REGISTER");
    assert_eq!(response.header("WWW-Authenticate"), "Digest realm=\"us\", nonce=\"1\"");
    peer.send(&mut scene, "REGISTER", &["Contact: <sip:bob@192.0.2.20>"], "");
    let (request, _) = told(&mut scene);
    let headers = [
        CustomHeader::new("Contact", "<sip:bob@192.0.2.20>;expires=60"),
        CustomHeader::new("Contact", "<sip:bob@192.0.2.21>;expires=30"),
    ];
    scene.node.endpoint.respond(scene.now, request, 200, &headers, None).unwrap();
    assert_eq!(scene.one("200 REGISTER").all("Contact").len(), 2);
}

#[test]
fn an_unanswered_request_gets_500_before_the_peer_gives_up() {
    let mut scene = taking(Methods::MESSAGE);
    let mut peer = Caller::new();
    peer.send(&mut scene, "MESSAGE", &[], "");
    let (request, _) = told(&mut scene);
    scene.run_ms(29_900);
    assert!(scene.sent().is_empty());
    scene.run_ms(1_900);
    scene.one("500 MESSAGE");
    let late = scene.node.endpoint.respond(scene.now, request, 200, &[], None);
    assert_eq!(late, Err(Error::Gone));
    assert!(scene.sent().is_empty());
    scene.assert_idle();
}

#[test]
fn a_request_is_not_answered_with_nonsense() {
    let mut scene = taking(Methods::MESSAGE);
    let mut peer = Caller::new();
    peer.send(&mut scene, "MESSAGE", &[], "");
    let (request, _) = told(&mut scene);
    for status in [0, 99, 100, 199, 700] {
        let answered = scene.node.endpoint.respond(scene.now, request, status, &[], None);
        assert_eq!(answered, Err(Error::Invalid), "{status}");
    }
    let headers = [CustomHeader::new("X", "a\r\nb: c")];
    let answered = scene.node.endpoint.respond(scene.now, request, 200, &headers, None);
    assert_eq!(answered, Err(Error::Invalid));
    scene.node.endpoint.respond(scene.now, request, 200, &[], None).unwrap();
    scene.one("200 MESSAGE");
}

#[test]
fn without_a_taker_a_method_gets_405_also_inside_a_call() {
    let mut scene = taking(Methods::MESSAGE);
    let (_, mut caller) = scene.answered();
    caller.send(&mut scene, "INFO", &[], "");
    let refusal = scene.one("405 INFO");
    assert_eq!(refusal.header("Allow"), "INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE");
    caller.send(&mut scene, "MESSAGE", &[], "");
    let (request, _) = told(&mut scene);
    scene.node.endpoint.respond(scene.now, request, 200, &[], None).unwrap();
    scene.one("200 MESSAGE");
    caller.send(&mut scene, "FOO", &[], "");
    scene.one("501 FOO");
}

#[test]
fn two_requests_in_a_call_are_two_events_in_order() {
    let mut scene = taking(Methods::INFO);
    let (call, mut caller) = scene.answered();
    for digit in ["1", "2"] {
        let text = caller.request(
            &mut scene,
            "INFO",
            &["Content-Type: application/dtmf-relay"],
            &format!("Signal={digit}"),
        );
        let path = Path::udp(US.parse().unwrap(), PEER.parse().unwrap());
        let bytes = text.as_bytes();
        scene.node.endpoint.handle(scene.now, Input::Message { path, bytes });
    }
    let heard = scene.heard();
    let [Heard::Request(one, first), Heard::Request(two, second)] = heard.as_slice() else {
        panic!("{heard:?}");
    };
    assert!(first.ends_with("Signal=1") && second.ends_with("Signal=2"));
    scene.node.endpoint.respond(scene.now, *two, 200, &[], None).unwrap();
    scene.node.endpoint.respond(scene.now, *one, 415, &[], None).unwrap();
    scene.these(["200 INFO", "415 INFO"]);
    assert!(scene.node.endpoint.view(call).is_some());
}

#[test]
fn requests_inside_a_call_follow_the_dialog_and_are_answered_by_id() {
    let mut scene = Scene::new();
    let (call, invite, _) = scene.established();
    let headers = [
        CustomHeader::new("X-One", "1"),
        CustomHeader::new("User-Agent", "inside/1"),
        CustomHeader { method: Some("BYE"), name: "X-No", value: "no" },
    ];
    let body = Body { content_type: "application/dtmf-relay", bytes: b"Signal=5" };
    let endpoint = &mut scene.node.endpoint;
    let info = endpoint.request_in_call(scene.now, call, "INFO", &headers, Some(body)).unwrap();
    let sent = scene.one("INFO");
    assert_eq!(sent.uri(), "sip:bob@192.0.2.20");
    assert_eq!(sent.tag_of_to(), Some("bob"));
    assert_eq!(sent.tag_of_from(), invite.tag_of_from());
    assert_eq!(sent.header("X-One"), "1");
    assert_eq!(sent.header("User-Agent"), "inside/1");
    assert!(sent.all("X-No").is_empty());
    assert_eq!(sent.body(), "Signal=5");
    scene.answer(&sent, 488, "bob", &[], "");
    let heard = scene.heard();
    let [Heard::Response(id, Ok(488), Some(_))] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!(*id, info);
    for method in ["INVITE", "BYE", "REGISTER", "CANCEL", "ACK", ""] {
        let endpoint = &mut scene.node.endpoint;
        let sent = endpoint.request_in_call(scene.now, call, method, &[], None);
        assert_eq!(sent, Err(Error::Invalid), "{method}");
    }
}

#[test]
fn a_challenged_request_in_a_call_takes_a_number_that_is_free() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call_to("600", |_| {});
    let contact = ["Contact: <sip:600@192.0.2.10:5060>"];
    scene.answer(&invite, 200, "b2b", &contact, &support::script::audio());
    scene.one("ACK");
    let endpoint = &mut scene.node.endpoint;
    endpoint.request_in_call(scene.now, call, "INFO", &[], None).unwrap();
    endpoint.request_in_call(scene.now, call, "INFO", &[], None).unwrap();
    let [one, two] = scene.these(["INFO", "INFO"]);
    scene.answer(&one, 401, "b2b", &[CHALLENGE], "");
    scene.answer(&two, 401, "b2b", &[CHALLENGE], "");
    let [again_one, again_two] = scene.these(["INFO", "INFO"]);
    let cseqs = [&one, &two, &again_one, &again_two].map(Sent::cseq);
    let first = one.cseq();
    assert_eq!(cseqs, [first, first + 1, first + 2, first + 3]);
}

#[test]
fn a_request_in_a_call_that_the_peer_forgot_is_told() {
    let mut scene = Scene::new();
    let (call, ..) = scene.established();
    scene.heard();
    let info = scene.node.endpoint.request_in_call(scene.now, call, "INFO", &[], None).unwrap();
    let sent = scene.one("INFO");
    scene.answer(&sent, 481, "bob", &[], "");
    let heard = scene.heard();
    assert!(matches!(heard.as_slice(), [Heard::Response(id, Ok(481), _)] if *id == info));
}

#[test]
fn a_request_after_the_end_of_a_call_gets_481() {
    let mut scene = taking(Methods::INFO);
    let (call, mut caller) = scene.answered();
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    scene.one("BYE");
    caller.send(&mut scene, "INFO", &[], "");
    scene.one("481 INFO");
    caller.send(&mut scene, "INVITE", &[], &support::script::audio());
    scene.one("481 INVITE");
    caller.send(&mut scene, "BYE", &[], "");
    scene.one("200 BYE");
    assert_eq!(scene.ended(), [Reason::HungUp]);
}

#[test]
fn many_accounts_speak_for_themselves() {
    let mut scene = Scene::new();
    for (name, registrar) in [("bob", "sip:192.0.2.20"), ("carol", "sip:192.0.2.30")] {
        let identity = format!("sip:{name}@example.net");
        let account = sansip::endpoint::Account {
            identity: &identity,
            registrar,
            password: name,
            ..sansip::endpoint::Account::default()
        };
        let account = scene.node.endpoint.add_account(scene.now, account).unwrap();
        scene.node.endpoint.register(scene.now, account).unwrap();
    }
    scene.node.endpoint.register(scene.now, scene.account).unwrap();
    let mut registers = scene.sent();
    assert_eq!(registers.len(), 3);
    registers.sort_by_key(|register| {
        (
            register.to != "192.0.2.20:5060".parse().unwrap(),
            register.to != "192.0.2.30:5060".parse().unwrap(),
        )
    });
    for (register, password) in registers.iter().zip(["bob", "carol", "secret"]) {
        scene.answer(register, 401, "r", &[&CHALLENGE.replace("n1", password)], "");
        let again = scene.one("REGISTER");
        assert_eq!(again.to, register.to);
        assert!(again.proves("Authorization", password));
        scene.grant(&again, 60);
    }
    assert_eq!(
        scene.heard(),
        [Heard::Registered(60), Heard::Registered(60), Heard::Registered(60)]
    );
    let account =
        sansip::endpoint::Account { identity: "sip:x@y", ..sansip::endpoint::Account::default() };
    assert_eq!(scene.node.endpoint.add_account(scene.now, account), Err(Error::NoRoom));
}

#[test]
fn many_calls_at_once_do_not_mix() {
    let mut scene = Scene::new();
    let mut calls = Vec::new();
    for number in 0..4 {
        let target = format!("sip:u{number}@192.0.2.20");
        let (call, invite) = scene.call_to(&target, |_| {});
        calls.push((call, invite));
    }
    let call = sansip::endpoint::OutgoingCall {
        account: scene.account,
        target: "sip:u9@192.0.2.20",
        media: Scene::media(),
        late_offer: false,
        headers: &[],
    };
    assert_eq!(scene.node.endpoint.call(scene.now, call), Err(Error::NoRoom));
    for (number, (call, invite)) in calls.iter().enumerate().rev() {
        let contact = format!("Contact: <sip:u{number}@192.0.2.20:{}>", 5070 + number);
        let body = support::script::sdp("192.0.2.20", 6000 + number as u16 * 2, "sendrecv");
        scene.answer(invite, 200, &format!("t{number}"), &[&contact], &body);
        let ack = scene.one("ACK");
        assert_eq!(ack.tag_of_to(), Some(format!("t{number}").as_str()));
        let plan = scene.node.endpoint.view(*call).unwrap().plan.unwrap();
        assert_eq!(plan.remote.port(), 6000 + number as u16 * 2);
    }
    for (number, (call, invite)) in calls.iter().enumerate() {
        scene.heard();
        let mut peer = Caller::of_invite(invite, &format!("t{number}"));
        peer.send(&mut scene, "BYE", &[], "");
        scene.one("200 BYE");
        assert_eq!(scene.heard(), [Heard::Ended(*call, Reason::PeerHungUp)]);
    }
    scene.assert_idle();
    let (fresh, _) = scene.call();
    assert!(calls.iter().all(|(old, _)| *old != fresh), "a handle is never used again");
}

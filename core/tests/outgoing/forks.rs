//! Forks of one INVITE.

use crate::support::Heard;
use crate::support::script::{OTHER, PEER, Scene, audio, sdp};
use sansip::endpoint::Reason;

use super::*;

#[test]
fn the_fork_that_answers_is_not_the_one_that_rang_first() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    let first = "Record-Route: <sip:192.0.2.30;lr>";
    scene.answer(&invite, 180, "one", &["Contact: <sip:one@192.0.2.30:5071>", first], "");
    scene.answer(&invite, 180, "two", &["Contact: <sip:two@192.0.2.20:5072>"], "");
    scene.answer(&invite, 200, "three", &["Contact: <sip:three@192.0.2.20:5073>"], &audio());
    let ack = scene.one("ACK");
    assert_eq!(ack.uri(), "sip:three@192.0.2.20:5073");
    assert_eq!(ack.to.to_string(), "192.0.2.20:5073");
    assert_eq!(ack.tag_of_to(), Some("three"));
    assert!(ack.all("Route").is_empty());
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    let bye = scene.one("BYE");
    assert_eq!((bye.uri(), bye.tag_of_to()), ("sip:three@192.0.2.20:5073", Some("three")));
    scene.answer(&bye, 200, "", &[], "");
    scene.assert_idle();
}

#[test]
fn an_early_dialog_that_answers_keeps_its_own_route_and_media() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    let one = "Contact: <sip:one@192.0.2.20:5071>";
    let two = "Contact: <sip:two@192.0.2.20:5072>";
    let route = "Record-Route: <sip:192.0.2.30;lr>";
    scene.answer(&invite, 183, "one", &[one, route], &sdp("192.0.2.20", 6001, "sendrecv"));
    scene.answer(&invite, 183, "two", &[two], &sdp("192.0.2.20", 6002, "sendrecv"));
    assert_eq!(scene.node.plans().last().unwrap().1.remote.port(), 6002);
    scene.answer(&invite, 200, "one", &[one, route], "");
    let ack = scene.one("ACK");
    assert_eq!(ack.to.to_string(), OTHER);
    assert_eq!(ack.header("Route"), "<sip:192.0.2.30;lr>");
    assert_eq!(ack.uri(), "sip:one@192.0.2.20:5071");
    let plan = scene.node.endpoint.view(call).unwrap().plan.unwrap();
    assert_eq!(plan.remote.port(), 6001, "the answer of the fork that took the call");
    assert_eq!(scene.node.plans().last().unwrap().1, plan);
}

#[test]
fn a_fork_without_any_answer_is_not_taken_for_another_ones_media() {
    let mut scene = Scene::new();
    let (_, invite) = scene.call();
    let one = "Contact: <sip:one@192.0.2.20:5071>";
    scene.answer(&invite, 183, "one", &[one], &audio());
    scene.answer(&invite, 200, "two", &["Contact: <sip:two@192.0.2.20:5072>"], "");
    let [ack, bye] = scene.these(["ACK", "BYE"]);
    assert_eq!((ack.tag_of_to(), bye.tag_of_to()), (Some("two"), Some("two")));
    assert_eq!(scene.ended(), [Reason::NotAcceptable]);
}

#[test]
fn a_second_fork_that_answers_is_acknowledged_and_hung_up() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    scene.answer(&invite, 200, "one", &["Contact: <sip:one@192.0.2.20:5071>"], &audio());
    let first = scene.one("ACK");
    scene.heard();
    let two = ["Contact: <sip:two@192.0.2.20:5072>", "Record-Route: <sip:192.0.2.30;lr>"];
    scene.answer(&invite, 200, "two", &two, &audio());
    let [ack, bye] = scene.these(["ACK", "BYE"]);
    for sent in [&ack, &bye] {
        assert_eq!(sent.tag_of_to(), Some("two"));
        assert_eq!(sent.uri(), "sip:two@192.0.2.20:5072");
        assert_eq!(sent.to.to_string(), OTHER);
        assert_eq!(sent.header("Route"), "<sip:192.0.2.30;lr>");
        assert_eq!(sent.tag_of_from(), invite.tag_of_from());
        assert_eq!(sent.header("Call-ID"), invite.header("Call-ID"));
    }
    assert_eq!(ack.cseq(), invite.cseq());
    assert_eq!(bye.cseq(), invite.cseq() + 1);
    // its 200 again: acknowledged again, but hung up once
    scene.run_ms(100);
    scene.answer(&invite, 200, "two", &two, &audio());
    let again = scene.one("ACK");
    assert_eq!(again.tag_of_to(), Some("two"));
    scene.answer(&bye, 200, "two", &[], "");
    scene.answer(&invite, 200, "two", &two, &audio());
    scene.one("ACK");
    scene.run_s(20);
    scene.answer(&invite, 200, "two", &two, &audio());
    scene.one("ACK");
    // the first fork's call lives on
    scene.answer(&invite, 200, "one", &["Contact: <sip:one@192.0.2.20:5071>"], &audio());
    assert_eq!(scene.one("ACK").text, first.text);
    assert_eq!(scene.heard(), []);
    assert!(scene.node.endpoint.view(call).is_some());
}

#[test]
fn a_2xx_without_a_contact_is_acknowledged_at_whom_we_called() {
    let mut scene = Scene::new();
    let (_, invite) = scene.call();
    scene.answer(&invite, 180, "one", &["Contact: <sip:one@192.0.2.30>"], "");
    scene.answer(&invite, 180, "two", &[], "");
    scene.answer(&invite, 200, "two", &[], &audio());
    let ack = scene.one("ACK");
    assert_eq!(ack.uri(), "sip:bob@192.0.2.20");
    assert_eq!(ack.to.to_string(), PEER);
}

#[test]
fn a_2xx_whose_texts_do_not_fit_is_acknowledged_and_hung_up_once() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    let contact = format!("Contact: <sip:{}@192.0.2.20>", "b".repeat(1100));
    scene.answer(&invite, 200, "bob", &[&contact], &audio());
    let [_, bye] = scene.these(["ACK", "BYE"]);
    assert_eq!(scene.heard(), [Heard::Ended(call, Reason::TooLong)]);
    scene.answer(&invite, 200, "bob", &[&contact], &audio());
    scene.one("ACK");
    scene.answer(&bye, 200, "bob", &[], "");
    scene.assert_idle();
}

#[test]
fn a_trying_with_a_tag_makes_no_dialog() {
    let mut scene = Scene::new();
    let (_, invite) = scene.call();
    scene.answer(&invite, 100, "proxy", &[], "");
    scene.answer(&invite, 180, "bob", &[CONTACT], "");
    assert_eq!(scene.node.endpoint.usage().dialogs, 1);
}

//! Dialogs and their ends, against a script: what is left of a call, connections, many forks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use sansip::endpoint::{Config, Error, Input, Methods, Reason, Stage};
use sansip::path::{FlowId, Path, Transport};
use sansip::sdp::Direction;
use support::Heard;
use support::script::{Caller, PEER, SERVER, Scene, US, audio, sdp};

const CONTACT: &str = "Contact: <sip:bob@192.0.2.20>";

fn tcp(flow: u32) -> Path {
    Path {
        transport: Transport::Tcp,
        flow: FlowId(flow),
        local: US.parse().unwrap(),
        remote: SERVER.parse().unwrap(),
    }
}

/// A call whose way is a connection; answers the call's INVITE over it.
fn call_by_stream(scene: &mut Scene) -> (sansip::endpoint::CallId, support::script::Sent) {
    let call = sansip::endpoint::OutgoingCall {
        account: scene.account,
        target: "sip:bob@server.example.com;transport=tcp",
        media: Scene::media(),
        late_offer: false,
        headers: &[],
    };
    let call = scene.node.endpoint.call(scene.now, call).unwrap();
    let heard = scene.heard();
    let [Heard::Resolve(query, ..)] = heard.as_slice() else { panic!("{heard:?}") };
    let input = Input::Resolved { query: *query, targets: &[tcp(3)] };
    scene.node.endpoint.handle(scene.now, input);
    (call, scene.one("INVITE"))
}

#[test]
fn a_call_over_a_connection_repeats_nothing_but_its_2xx_s_ack() {
    let mut scene = Scene::new();
    let (call, invite) = call_by_stream(&mut scene);
    assert!(invite.all("Via")[0].starts_with("SIP/2.0/TCP "));
    assert!(invite.contact().ends_with(";transport=tcp"));
    scene.run_s(20);
    assert!(scene.sent().is_empty());
    let ok = invite.response(200, "bob", &[CONTACT], &audio());
    for _ in 0..2 {
        let input = Input::Message { path: tcp(3), bytes: ok.as_bytes() };
        scene.node.endpoint.handle(scene.now, input);
        assert_eq!(scene.one("ACK").to.to_string(), SERVER, "the connection, not the Contact");
    }
    assert!(scene.heard().contains(&Heard::Established(call)));
}

#[test]
fn a_connection_that_closes_ends_what_waits_on_it_and_no_established_call() {
    let mut scene = Scene::new();
    let (call, _) = call_by_stream(&mut scene);
    scene.node.endpoint.handle(scene.now, Input::Closed { flow: FlowId(4) });
    assert_eq!(scene.heard(), []);
    scene.node.endpoint.handle(scene.now, Input::Closed { flow: FlowId(3) });
    assert_eq!(scene.heard(), [Heard::Ended(call, Reason::Unreachable)]);
    scene.assert_idle();
    let (call, invite) = call_by_stream(&mut scene);
    let ok = invite.response(200, "bob", &[CONTACT], &audio());
    let input = Input::Message { path: tcp(3), bytes: ok.as_bytes() };
    scene.node.endpoint.handle(scene.now, input);
    scene.heard();
    scene.node.endpoint.handle(scene.now, Input::Closed { flow: FlowId(3) });
    assert_eq!(scene.heard(), []);
    assert!(scene.node.endpoint.view(call).is_some());
}

#[test]
fn a_hundred_forks_cost_a_bounded_number_of_byes() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    scene.answer(&invite, 200, "first", &[CONTACT], &audio());
    scene.sent();
    let (mut acks, mut byes) = (0, 0);
    for fork in 0..100 {
        scene.answer(&invite, 200, &format!("fork{fork}"), &[CONTACT], &audio());
        for label in scene.labels() {
            match label.as_str() {
                "ACK" => acks += 1,
                "BYE" => byes += 1,
                other => panic!("{other}"),
            }
        }
    }
    assert_eq!(acks, 100);
    assert_eq!(byes, 8);
    assert!(scene.node.endpoint.view(call).is_some());
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    assert_eq!(scene.one("BYE").tag_of_to(), Some("first"));
}

#[test]
fn many_early_dialogs_shut_nobody_out() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    for fork in 0..50 {
        scene.answer(&invite, 180, &format!("fork{fork}"), &[CONTACT], "");
    }
    assert_eq!(scene.heard().len(), 50);
    let target = "Contact: <sip:late@192.0.2.20:5077>";
    scene.answer(&invite, 200, "fork49", &[target], &audio());
    assert_eq!(scene.one("ACK").uri(), "sip:late@192.0.2.20:5077");
    assert_eq!(scene.node.endpoint.usage().dialogs, 1);
    for _ in 0..3 {
        scene.call();
    }
    assert!(scene.node.endpoint.view(call).is_some());
}

#[test]
fn hanging_up_on_a_ringing_call_declines_it() {
    let mut scene = Scene::new();
    let (call, _) = scene.ringing();
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    scene.one("603 INVITE");
    assert_eq!(scene.heard(), [Heard::Ended(call, Reason::Declined(603))]);
    assert_eq!(scene.node.endpoint.hang_up(scene.now, call), Err(Error::Gone));
}

#[test]
fn an_account_that_is_removed_ends_its_calls() {
    let mut scene = Scene::new();
    let (calling, invite) = scene.call();
    scene.answer(&invite, 180, "bob", &[CONTACT], "");
    let (up, _, _) = scene.established();
    scene.heard();
    scene.node.endpoint.remove_account(scene.now, scene.account).unwrap();
    let mut labels = scene.labels();
    labels.sort();
    assert_eq!(labels, ["BYE", "CANCEL"]);
    let heard = scene.heard();
    for call in [calling, up] {
        assert!(heard.contains(&Heard::Ended(call, Reason::AccountRemoved)), "{heard:?}");
    }
    assert_eq!(heard.len(), 2);
    scene.assert_idle();
}

#[test]
fn a_moved_phone_gives_up_what_it_was_calling() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    scene.answer(&invite, 180, "bob", &[CONTACT], "");
    scene.heard();
    let (old, new) = (US.parse().unwrap(), "192.0.2.99:5060".parse().unwrap());
    scene.node.endpoint.handle(scene.now, Input::LocalAddress { old, new });
    scene.one("CANCEL");
    assert_eq!(scene.heard(), [Heard::Ended(call, Reason::AddressLost)]);
    let (_, invite) = scene.call();
    assert!(invite.all("Via")[0].contains("192.0.2.99:5060"));
}

#[test]
fn only_the_tags_and_call_id_of_a_dialog_reach_it() {
    let mut scene = Scene::new();
    let (call, caller) = scene.answered();
    type Change = fn(&mut Caller);
    let changes: [Change; 4] = [
        |caller| caller.call_id = "other".to_owned(),
        |caller| caller.from_tag = "other".to_owned(),
        |caller| caller.to_tag = "0".repeat(24),
        |caller| caller.to_tag.push('0'),
    ];
    for change in changes {
        let mut stranger = caller.clone();
        change(&mut stranger);
        stranger.send(&mut scene, "BYE", &[], "");
        scene.one("481 BYE");
        stranger.send(&mut scene, "INVITE", &[], &audio());
        scene.one("481 INVITE");
    }
    assert_eq!(scene.heard(), []);
    assert!(scene.node.endpoint.view(call).is_some());
}

#[test]
fn byes_that_cross_end_the_call_once() {
    let mut scene = Scene::new();
    let (call, mut caller) = scene.answered();
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    let bye = scene.one("BYE");
    caller.send(&mut scene, "BYE", &[], "");
    scene.one("200 BYE");
    scene.answer(&bye, 481, "", &[], "");
    assert_eq!(scene.heard(), [Heard::Ended(call, Reason::HungUp)]);
    scene.assert_idle();
    assert!(scene.sent().is_empty());
}

#[test]
fn an_unanswered_bye_is_repeated_and_given_up() {
    let mut scene = Scene::new();
    let (call, ..) = scene.established();
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    scene.run_s(40);
    assert_eq!(scene.labels(), vec!["BYE"; 11]);
    assert_eq!(scene.ended(), [Reason::HungUp]);
    scene.assert_idle();
}

#[test]
fn both_sides_hold_and_the_peer_resumes_first() {
    let mut scene = Scene::new();
    let (call, mut caller) = scene.answered();
    scene.node.endpoint.hold(scene.now, call).unwrap();
    let hold = scene.one("INVITE");
    scene.answer(&hold, 200, "", &[CONTACT], &sdp("192.0.2.20", 6000, "recvonly"));
    scene.one("ACK");
    for (theirs, ours, direction) in [
        ("sendonly", "a=inactive", Direction::Inactive),
        ("sendrecv", "a=sendonly", Direction::SendOnly),
    ] {
        caller.send(&mut scene, "INVITE", &[], &sdp("192.0.2.20", 6000, theirs));
        let ok = scene.one("200 INVITE");
        assert!(ok.body().contains(ours), "{theirs}: {}", ok.text);
        let ack = caller.ack(&mut scene, "");
        scene.hear_from(PEER, &ack);
        assert_eq!(scene.node.plans().last().unwrap().1.direction, direction);
    }
    scene.heard();
    scene.node.endpoint.resume(scene.now, call).unwrap();
    let resume = scene.one("INVITE");
    assert!(resume.body().contains("a=sendrecv"));
    scene.answer(&resume, 200, "", &[CONTACT], &audio());
    scene.one("ACK");
    let heard = scene.heard();
    let [Heard::Media(_, Stage::Offered, _), Heard::Media(_, Stage::Agreed, plan)] =
        heard.as_slice()
    else {
        panic!("{heard:?}");
    };
    assert_eq!(plan.direction, Direction::SendRecv);
}

#[test]
fn the_callees_hold_waits_shortly_after_a_glare() {
    let mut scene = Scene::new();
    let (call, _) = scene.answered();
    scene.node.endpoint.hold(scene.now, call).unwrap();
    let hold = scene.one("INVITE");
    scene.answer(&hold, 491, "", &[], "");
    scene.one("ACK");
    let again = scene.wait_s(2, "INVITE");
    assert_eq!(again.cseq(), hold.cseq() + 1);
    assert!(again.body().contains("a=sendonly"));
    // a hang-up while a glare waits leaves nothing to repeat
    scene.answer(&again, 491, "", &[], "");
    scene.one("ACK");
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    let bye = scene.one("BYE");
    scene.answer(&bye, 200, "", &[], "");
    scene.run_s(10);
    assert!(scene.sent().is_empty());
    scene.assert_idle();
}

#[test]
fn a_call_is_seen_while_it_lives() {
    let mut scene = Scene::new();
    let (call, invite) = scene.call();
    let view = scene.node.endpoint.view(call).unwrap();
    assert!(view.outgoing && view.plan.is_none());
    assert_eq!(view.call_id, invite.header("Call-ID").as_bytes());
    assert_eq!(view.target, b"sip:bob@192.0.2.20");
    let contact = "Contact: <sip:desk@192.0.2.20:5070>";
    scene.answer(&invite, 200, "bob", &[contact], &audio());
    let view = scene.node.endpoint.view(call).unwrap();
    assert_eq!(view.target, b"sip:desk@192.0.2.20:5070");
    assert_eq!(view.state, sansip::call::State::Established);
    scene.node.endpoint.hang_up(scene.now, call).unwrap();
    scene.heard();
    assert!(scene.node.endpoint.view(call).is_none());
}

/// Put a message in without draining.
fn put(scene: &mut Scene, text: &str) {
    let path = Path::udp(US.parse().unwrap(), PEER.parse().unwrap());
    scene.node.endpoint.handle(scene.now, Input::Message { path, bytes: text.as_bytes() });
}

#[test]
fn events_that_nobody_drained_come_in_their_order_and_progress_merges() {
    let config = Config { methods: Methods::INFO, ..Config::default() };
    let mut scene = Scene::with(config, |_| {});
    let (call, invite) = scene.call();
    put(&mut scene, &invite.response(180, "bob", &[CONTACT], ""));
    put(&mut scene, &invite.response(183, "bob", &[CONTACT], &audio()));
    put(&mut scene, &invite.response(200, "bob", &[CONTACT], &audio()));
    let mut peer = Caller::of_invite(&invite, "bob");
    for method in ["INFO", "INFO", "BYE"] {
        let text = peer.request(&mut scene, method, &[], "");
        put(&mut scene, &text);
    }
    let heard = scene.heard();
    let [
        Heard::Progress(_, 183),
        Heard::Media(_, Stage::Agreed, _),
        Heard::Established(_),
        Heard::Request(one, _),
        Heard::Request(two, _),
        Heard::Ended(ended, Reason::PeerHungUp),
    ] = heard.as_slice()
    else {
        panic!("{heard:?}");
    };
    assert_ne!(one, two);
    assert_eq!(*ended, call);
    let mut labels = scene.labels();
    labels.sort();
    assert_eq!(labels, ["200 BYE", "ACK"]);
    scene.assert_idle();
}

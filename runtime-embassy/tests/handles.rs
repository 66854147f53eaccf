//! What `sansip-tokio` can do with its handles, these can: headers, early media, requests,
//! recordings, events.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use core::cell::RefCell;
use core::time::Duration;
use std::rc::Rc;

use common::{Weather, World, phone_on};
use embassy_futures::join::{join, join3};
use embassy_time::{Duration as Wait, Timer, with_timeout};
use sansip_embassy::sansip::media::tone_share;
use sansip_embassy::sansip::sip::{HeaderName, Message};
use sansip_embassy::{
    Body, Call, Config, CustomHeader, Dial, Error, Line, Methods, Phase, Phone, Reason, Settings,
};

const BOB: &str = "sip:bob@10.0.0.2";
const LIMIT: Wait = Wait::from_secs(120);

/// Alice's line, Bob's phone, and what each of them is told.
struct Scene {
    world: World,
    alice: Line<'static>,
    bob: Phone<'static>,
    alice_told: Rc<RefCell<Vec<String>>>,
    bob_told: Rc<RefCell<Vec<String>>>,
}

fn scene() -> Scene {
    let mut world = World::new(1, Weather::default());
    let config = Config { methods: Methods::MESSAGE, ..Config::default() };
    let settings = Settings { config, ..Settings::default() };
    let stack = world.host();
    let (alice, alice_told) = phone_on(&mut world, stack, settings);
    let stack = world.host();
    let (bob, bob_told) = phone_on(&mut world, stack, settings);
    bob.line(BOB, "").unwrap();
    let alice = alice.line("sip:alice@10.0.0.1", "").unwrap();
    Scene { world, alice, bob, alice_told, bob_told }
}

fn told(events: &Rc<RefCell<Vec<String>>>, parts: &[&str]) -> bool {
    events.borrow().iter().any(|event| parts.iter().all(|part| event.contains(part)))
}

fn header(message: &Message<'_>, name: &str) -> String {
    let value = message.header(HeaderName::parse(name.as_bytes())).unwrap_or_default();
    String::from_utf8(value.to_vec()).unwrap()
}

const fn of(name: &'static str, value: &'static str) -> CustomHeader<'static> {
    CustomHeader { method: None, name, value }
}

async fn connect(alice: Line<'static>, bob: Phone<'static>) -> (Call<'static>, Call<'static>) {
    let (out, into) = join(alice.call(BOB), async {
        let call = bob.incoming().await.unwrap();
        call.answer().await.unwrap();
        call
    })
    .await;
    (out.unwrap(), into)
}

#[test]
fn headers_travel_with_the_call_and_with_its_answer() {
    let Scene { mut world, alice, bob, alice_told, .. } = scene();
    world.run(LIMIT, async move {
        let headers = [of("X-Order", "7")];
        let out =
            alice.dial_with(BOB, Dial { headers: &headers, ..Dial::default() }).await.unwrap();
        let into = bob.incoming().await.unwrap();
        assert_eq!(into.invite(|invite| header(invite, "X-Order")).as_deref(), Some("7"));
        into.progress(182, &[of("X-Place", "2")]).unwrap();
        assert_eq!(out.next_phase().await, Ok(Phase::Progress(182)));
        into.answer_with(&[of("X-Desk", "3")]).await.unwrap();
        assert_eq!(into.invite(|_| ()), None);
        assert_eq!(out.next_phase().await, Ok(Phase::Established));
        assert_eq!(out.plan().map(|plan| plan.frame()), Some(160));
        assert_eq!(into.hang_up().await, Ok(Reason::HungUp));
        assert_eq!(out.next_phase().await, Ok(Phase::Ended(Reason::PeerHungUp)));
        assert_eq!(out.next_phase().await, Ok(Phase::Ended(Reason::PeerHungUp)));
        assert!(told(&alice_told, &["progress\n", "X-Place: 2"]), "{alice_told:?}");
        assert!(told(&alice_told, &["established\n", "X-Desk: 3"]), "{alice_told:?}");
    });
}

#[test]
fn a_redirection_names_where_to_go() {
    let Scene { mut world, alice, bob, alice_told, .. } = scene();
    world.run(LIMIT, async move {
        let out = alice.dial(BOB).await.unwrap();
        let into = bob.incoming().await.unwrap();
        into.reject_with(302, &[of("Contact", "<sip:desk@192.0.2.5>")]).unwrap();
        assert_eq!(out.ended().await, Ok(Reason::Rejected(302)));
        assert!(told(&alice_told, &["ended\n", "<sip:desk@192.0.2.5>"]), "{alice_told:?}");
    });
}

#[test]
fn early_media_is_heard_before_the_answer() {
    let Scene { mut world, alice, bob, .. } = scene();
    world.run(LIMIT, async move {
        let out = alice.dial(BOB).await.unwrap();
        let into = bob.incoming().await.unwrap();
        into.early_media().unwrap();
        assert_eq!(out.next_phase().await, Ok(Phase::Progress(183)));
        let recording = out.record(memory()).unwrap();
        into.play_tone(1000, Duration::from_secs(1)).await.unwrap();
        assert!(tone_share(&recording.stop().unwrap()[2000..6000], 1000) > 950);
        assert_eq!(out.phase(), Phase::Progress(183));
        into.answer().await.unwrap();
        out.established().await.unwrap();
    });
}

#[test]
fn an_offer_may_wait_for_the_answer() {
    let Scene { mut world, alice, bob, .. } = scene();
    world.run(LIMIT, async move {
        let dial = Dial { late_offer: true, ..Dial::default() };
        let out = alice.dial_with(BOB, dial).await.unwrap();
        let into = bob.incoming().await.unwrap();
        assert_eq!(into.invite(|invite| invite.body().len()), Some(0));
        into.answer().await.unwrap();
        out.established().await.unwrap();
        let (sent, heard) =
            join(out.send_digits("12"), into.digits(2, Duration::from_secs(2))).await;
        assert_eq!((sent, heard.as_str()), (Ok(()), "12"));
    });
}

#[test]
fn a_recording_holds_what_was_heard_until_the_end() {
    let Scene { mut world, alice, bob, .. } = scene();
    world.run(LIMIT, async move {
        let (out, into) = connect(alice, bob).await;
        let recording = into.record(memory()).unwrap();
        out.play_tone(700, Duration::from_secs(1)).await.unwrap();
        out.hang_up().await.unwrap();
        drop(into); // the place is kept until the recording is taken
        let heard = recording.finished().await.unwrap();
        assert!((7000..12_000).contains(&heard.len()), "{} samples", heard.len());
        assert!(tone_share(&heard[2000..6000], 700) > 950);
    });
}

#[test]
fn a_full_recording_ends_the_recording_and_not_the_call() {
    let Scene { mut world, alice, bob, .. } = scene();
    world.run(LIMIT, async move {
        let (_out, into) = connect(alice, bob).await;
        let recording = into.record(&mut memory()[..1000]).unwrap();
        Timer::after_secs(1).await;
        assert_eq!(into.phase(), Phase::Established);
        assert_eq!(recording.stop().unwrap().len(), 1000);
    });
}

#[test]
fn requests_are_sent_taken_and_answered_outside_calls_and_inside() {
    let Scene { mut world, alice, bob, alice_told, .. } = scene();
    world.run(LIMIT, async move {
        let body = Some(Body { content_type: "text/plain", bytes: b"hello" });
        let headers = [of("Subject", "door")];
        let (response, ()) = join(alice.request("MESSAGE", BOB, &headers, body), async {
            let request = bob.incoming_request().await.unwrap();
            assert_eq!(request.call(), None);
            let seen =
                request.message(|message| (message.body().to_vec(), header(message, "Subject")));
            assert_eq!(seen, Some((b"hello".to_vec(), "door".to_owned())));
            let thanks = Some(Body { content_type: "text/plain", bytes: b"thanks" });
            request.respond(202, &[], thanks).unwrap();
        })
        .await;
        assert_eq!(response.map(|response| response.status), Ok(202));
        assert!(told(&alice_told, &["response\n", "thanks"]), "{alice_told:?}");

        let (out, into) = connect(alice, bob).await;
        let unknown = into.request("INFO", &[], body).await;
        assert_eq!(unknown.map(|response| response.status), Ok(405));
        let (response, ()) = join(out.request("MESSAGE", &[], body), async {
            let request = bob.incoming_request().await.unwrap();
            assert_eq!(request.call(), Some(into.id()));
            request.respond(200, &[], None).unwrap();
        })
        .await;
        assert_eq!(response.map(|response| response.status), Ok(200));
    });
}

#[test]
fn a_request_that_nobody_takes_has_its_status() {
    let Scene { mut world, alice, bob, .. } = scene();
    world.run(LIMIT, async move {
        // MESSAGE is for the application, which does nothing: 500 after a while.
        let asked = [alice.request("MESSAGE", BOB, &[], None).await];
        assert_eq!(asked, [Ok(sansip_embassy::Response { status: 500 })]);
        assert_eq!(bob.incoming_request().await.unwrap().message(|_| ()), None);
        let unknown = alice.request("PUBLISH", BOB, &[], None).await;
        assert_eq!(unknown.map(|response| response.status), Ok(405));
    });
}

#[test]
fn a_request_that_was_given_up_leaves_its_place() {
    let Scene { mut world, alice, .. } = scene();
    world.run(LIMIT, async move {
        for _ in 0..5 {
            let request = alice.request("OPTIONS", BOB, &[], None);
            assert!(with_timeout(Wait::from_millis(1), request).await.is_err());
            Timer::after_millis(100).await;
        }
        let ask = || alice.request("OPTIONS", BOB, &[], None);
        let (first, second, third) = join3(ask(), ask(), ask()).await;
        assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
        let full = sansip_embassy::sansip::endpoint::Error::NoRoom;
        assert_eq!(third, Err(Error::Refused(full)), "two at a time");
    });
}

#[test]
fn the_called_is_told_of_the_call_with_its_message() {
    let Scene { mut world, alice, bob, bob_told, .. } = scene();
    world.run(LIMIT, async move {
        let (out, into) = connect(alice, bob).await;
        out.hang_up().await.unwrap();
        into.ended().await.unwrap();
        assert!(told(&bob_told, &["incoming\n", "INVITE sip:bob@10.0.0.2"]), "{bob_told:?}");
        assert!(told(&bob_told, &["ended\n", "BYE sip:bob@10.0.0.2"]), "{bob_told:?}");
    });
}

fn memory() -> &'static mut [i16] {
    Box::leak(vec![0; 40_000].into_boxed_slice())
}

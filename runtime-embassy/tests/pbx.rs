//! A phone and the simulator's PBX: registration, calls both ways, bad networks, moves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use core::cell::RefCell;
use core::time::Duration;
use std::rc::Rc;

use common::{Weather, World, pbx::pbx, phone, phone_with_stack};
use embassy_futures::select::{Either, select};
use embassy_net::{ConfigV4, Ipv4Address, Ipv4Cidr, StaticConfigV4};
use embassy_time::{Duration as Wait, Timer, with_timeout};
use sansip_embassy::sansip::media::{Recorder, tone_share};
use sansip_embassy::{Error, Phase, Phone, Reason};

/// The PBX at 10.0.0.1 with what it reports, and a phone at 10.0.0.2.
fn scene(seed: u64, weather: Weather) -> (World, Rc<RefCell<Vec<String>>>, Phone<'static>) {
    let mut world = World::new(seed, weather);
    let lines = pbx(&mut world);
    let phone = phone(&mut world);
    (world, lines, phone)
}

const LIMIT: Wait = Wait::from_secs(180);
const IDENTITY: &str = "sip:100@10.0.0.1";

fn reported(lines: &Rc<RefCell<Vec<String>>>, parts: &[&str]) -> bool {
    lines.borrow().iter().any(|line| parts.iter().all(|part| line.contains(part)))
}

#[test]
fn a_phone_registers_calls_sends_digits_and_leaves() {
    let (mut world, lines, phone) = scene(1, Weather::default());
    let heard = lines.clone();
    world.run(LIMIT, async move {
        let line = phone.line(IDENTITY, "test100").unwrap();
        line.register().await.unwrap();
        assert!(line.is_registered());
        let call = line.call("622").await.unwrap();
        let sent = call.send_digits("1234567890*#ABCD").await;
        assert!(matches!(sent, Ok(()) | Err(Error::Failed(Reason::PeerHungUp))), "{sent:?}");
        assert_eq!(call.ended().await, Ok(Reason::PeerHungUp));
        assert!(reported(&heard, &["1234567890*#ABCD"]), "{heard:?}");
        let call = line.call("605").await.unwrap();
        assert_eq!(call.digits(5, Duration::from_secs(3)).await.as_str(), "1234#");
        drop(call);
        phone.shutdown().await;
        assert!(!line.is_registered());
    });
}

#[test]
fn the_echo_returns_the_tone() {
    let (mut world, _, phone) = scene(1, Weather::default());
    world.run(LIMIT, async move {
        let line = phone.line(IDENTITY, "test100").unwrap();
        line.register().await.unwrap();
        let call = line.call("600").await.unwrap();
        let mut memory = vec![0; 20_000];
        let mut recorder = Recorder::new(&mut memory);
        let tone = call.play_tone(1000, Duration::from_secs(2));
        match select(call.listen(&mut recorder), tone).await {
            Either::First(ended) => panic!("the call ended: {ended:?}"),
            Either::Second(played) => played.unwrap(),
        }
        assert!(tone_share(&recorder.recorded()[6000..12_000], 1000) > 950);
        let report = call.report().unwrap();
        assert_eq!((report.lost, report.late), (0, 0), "{report:?}");
        call.hang_up().await.unwrap();
    });
}

#[test]
fn refusals_have_their_reasons() {
    let (mut world, _, phone) = scene(1, Weather::default());
    world.run(LIMIT, async move {
        let line = phone.line(IDENTITY, "test100").unwrap();
        line.register().await.unwrap();
        let busy = line.call("606").await;
        assert_eq!(busy.err(), Some(Error::Failed(Reason::Rejected(486))));
        let rings = line.dial("607").await.unwrap();
        Timer::after_secs(1).await;
        assert_eq!(rings.hang_up().await, Ok(Reason::Cancelled));
        let over = line.call("608").await.unwrap();
        assert_eq!(over.ended().await, Ok(Reason::PeerHungUp));
    });
}

#[test]
fn a_wrong_password_is_told() {
    let (mut world, _, phone) = scene(1, Weather::default());
    world.run(LIMIT, async move {
        let line = phone.line(IDENTITY, "wrong").unwrap();
        let error = line.register().await.unwrap_err();
        assert!(
            matches!(
                error,
                Error::Failed(Reason::AuthenticationFailed | Reason::Rejected(401 | 403))
            ),
            "{error:?}"
        );
    });
}

#[test]
fn a_bad_network_delays_but_does_not_break() {
    for seed in 0..10 {
        let weather = Weather { loss_permille: 150, jitter_ms: 40 };
        let (mut world, lines, phone) = scene(seed, weather);
        world.run(LIMIT, async move {
            let line = phone.line(IDENTITY, "test100").unwrap();
            line.register().await.unwrap();
            let call = line.call("602").await.unwrap();
            let _ = call.send_digits("4711").await;
            call.ended().await.unwrap();
            assert!(reported(&lines, &["4711"]), "seed {seed}: {lines:?}");
        });
    }
}

#[test]
fn a_server_that_is_gone_is_told_and_does_not_hold_up_others() {
    let (mut world, _, phone) = scene(1, Weather::default());
    world.run(LIMIT, async move {
        let line = phone.line("sip:100@10.0.0.77", "test100").unwrap();
        let error = line.register().await.unwrap_err();
        assert!(
            matches!(error, Error::Failed(Reason::TimedOut | Reason::Unreachable)),
            "{error:?}"
        );
    });
}

#[test]
fn a_dead_host_on_the_same_network_delays_others_by_a_second_at_most() {
    let (mut world, _, phone) = scene(1, Weather::default());
    world.run(LIMIT, async move {
        let line = phone.line(IDENTITY, "test100").unwrap();
        line.register().await.unwrap();
        let dead = line.dial("sip:9@10.0.0.77").await.unwrap();
        for _ in 0..3 {
            let alive = with_timeout(Wait::from_secs(3), line.call("601")).await;
            alive.expect("in time").unwrap().hang_up().await.unwrap();
            Timer::after_millis(100).await; // until the BYE is answered
        }
        assert!(!matches!(dead.phase(), Phase::Ended(_)), "it is still tried");
    });
}

#[test]
fn a_new_address_ends_calls_with_a_reason_and_renews_the_registration() {
    let mut world = World::new(1, Weather::default());
    let _lines = pbx(&mut world);
    let (phone, stack) = phone_with_stack(&mut world);
    world.run(LIMIT, async move {
        let line = phone.line(IDENTITY, "test100").unwrap();
        line.register().await.unwrap();
        let call = line.call("603").await.unwrap();
        stack.set_config_v4(ConfigV4::Static(StaticConfigV4 {
            address: Ipv4Cidr::new(Ipv4Address::new(10, 0, 0, 50), 24),
            gateway: None,
            dns_servers: Default::default(),
        }));
        assert_eq!(call.ended().await, Ok(Reason::AddressLost));
        drop(call);
        Timer::after_secs(3).await;
        assert!(line.is_registered());
        // The PBX reaches the phone at its new address.
        let back = with_timeout(Wait::from_secs(10), line.call("601")).await;
        assert!(back.unwrap().is_ok());
    });
}

#[test]
fn a_cable_that_stays_out_ends_the_call_with_a_reason() {
    let (mut world, _, phone) = scene(1, Weather::default());
    let (line, call) = world.run(LIMIT, async move {
        let line = phone.line(IDENTITY, "test100").unwrap();
        line.register().await.unwrap();
        let call = line.call("600").await.unwrap();
        Timer::after_secs(1).await;
        (line, call)
    });
    world.set_link(2, false);
    world.run(Wait::from_secs(35), async move {
        assert_eq!(call.ended().await, Ok(Reason::MediaSilent));
        assert!(!phone.is_online());
    });
    world.set_link(2, true);
    world.run(LIMIT, async move {
        Timer::after_secs(3).await;
        assert!(line.is_registered());
        line.call("601").await.unwrap();
    });
}

#[test]
fn after_the_cable_was_out_the_phone_registers_again() {
    let (mut world, _, phone) = scene(1, Weather::default());
    let line = world.run(LIMIT, async move {
        let line = phone.line(IDENTITY, "test100").unwrap();
        line.register().await.unwrap();
        line
    });
    let before = phone.stats().unwrap();
    world.set_link(2, false);
    world.run(LIMIT, Timer::after_secs(5));
    world.set_link(2, true);
    world.run(LIMIT, Timer::after_secs(5));
    assert!(line.is_registered());
    let after = phone.stats().unwrap();
    assert!(after.sent > before.sent && after.received > before.received, "{after:?}");
}

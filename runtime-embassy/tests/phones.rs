//! Two phones that call each other, on a clean and on a bad Ethernet, in virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use core::time::Duration;

use common::{Weather, World, phone};
use embassy_futures::join::join;
use embassy_futures::select::{Either, select};
use embassy_time::{Duration as Wait, Timer, with_timeout};
use sansip_embassy::sansip::media::{Recorder, tone_share};
use sansip_embassy::{Call, Error, Phase, Phone, Reason};

const BOB: &str = "sip:bob@10.0.0.2";
const LIMIT: Wait = Wait::from_secs(120);

/// A call that is up, seen from both ends.
async fn connect(alice: Phone<'static>, bob: Phone<'static>) -> (Call<'static>, Call<'static>) {
    let line = alice.line("sip:alice@10.0.0.1", "").unwrap();
    let (out, into) = join(line.call(BOB), async {
        let call = bob.incoming().await.unwrap();
        call.ring().unwrap();
        call.answer().await.unwrap();
        call
    })
    .await;
    (out.unwrap(), into)
}

/// The phones of host 1 and 2; nobody needs a registrar to be called.
fn pair(seed: u64, weather: Weather) -> (World, Phone<'static>, Phone<'static>) {
    let mut world = World::new(seed, weather);
    let phones = (phone(&mut world), phone(&mut world));
    phones.1.line(BOB, "").unwrap();
    (world, phones.0, phones.1)
}

#[test]
fn digits_arrive_all_and_in_order_both_ways() {
    let (mut world, alice, bob) = pair(1, Weather::default());
    world.run(LIMIT, async move {
        let (out, into) = connect(alice, bob).await;
        let pause = Duration::from_secs(2);
        let (sent, heard) = join(out.send_digits("1234567890*#ABCD"), into.digits(16, pause)).await;
        sent.unwrap();
        assert_eq!(heard.as_str(), "1234567890*#ABCD");
        let (sent, heard) = join(into.send_digits("55#"), out.digits(3, pause)).await;
        sent.unwrap();
        assert_eq!(heard.as_str(), "55#");
        assert_eq!(out.hang_up().await, Ok(Reason::HungUp));
        assert_eq!(into.ended().await, Ok(Reason::PeerHungUp));
    });
}

#[test]
fn a_tone_is_heard_at_the_far_end_and_not_while_muted() {
    let (mut world, alice, bob) = pair(1, Weather::default());
    world.run(LIMIT, async move {
        let (out, into) = connect(alice, bob).await;
        let heard = hear_while(&into, out.play_tone(1000, Duration::from_secs(2))).await;
        assert!(tone_share(&heard[4000..12_000], 1000) > 950, "the tone is there");
        out.mute().unwrap();
        let heard = hear_while(&into, out.play_tone(1000, Duration::from_secs(2))).await;
        assert!(heard[4000..12_000].iter().all(|sample| sample.unsigned_abs() < 16));
        out.unmute().unwrap();
        let heard = hear_while(&into, out.play_tone(600, Duration::from_secs(2))).await;
        assert!(tone_share(&heard[4000..12_000], 600) > 950, "and back again");
    });
}

/// What the call hears until `work` is done.
async fn hear_while(
    call: &Call<'static>,
    work: impl Future<Output = Result<(), Error>>,
) -> Vec<i16> {
    let mut memory = vec![0; 40_000];
    let mut recorder = Recorder::new(&mut memory);
    match select(call.listen(&mut recorder), work).await {
        Either::First(ended) => panic!("the call ended: {ended:?}"),
        Either::Second(done) => done.unwrap(),
    }
    recorder.recorded().to_vec()
}

#[test]
fn a_call_is_set_up_used_and_ended_on_a_bad_network() {
    for seed in 0..20 {
        let (mut world, alice, bob) = pair(seed, Weather { loss_permille: 150, jitter_ms: 40 });
        world.run(LIMIT, async move {
            let (out, into) = connect(alice, bob).await;
            let pause = Duration::from_secs(3);
            let (sent, heard) = join(out.send_digits("13579"), into.digits(5, pause)).await;
            sent.unwrap();
            assert_eq!(heard.as_str(), "13579", "seed {seed}");
            let (_, reason) = join(out.hang_up(), into.ended()).await;
            assert_eq!(reason, Ok(Reason::PeerHungUp), "seed {seed}");
        });
    }
}

#[test]
fn a_refused_call_says_so() {
    let (mut world, alice, bob) = pair(1, Weather::default());
    world.run(LIMIT, async move {
        let line = alice.line("sip:alice@10.0.0.1", "").unwrap();
        let (out, ()) = join(line.call(BOB), async {
            bob.incoming().await.unwrap().reject(603).unwrap();
        })
        .await;
        assert_eq!(out.err(), Some(Error::Failed(Reason::Rejected(603))));
    });
}

#[test]
fn giving_up_a_call_ends_it_at_the_far_end() {
    let (mut world, alice, bob) = pair(1, Weather::default());
    world.run(LIMIT, async move {
        let line = alice.line("sip:alice@10.0.0.1", "").unwrap();
        let gave_up = with_timeout(Wait::from_secs(3), line.call(BOB)).await;
        assert!(gave_up.is_err());
        Timer::after_secs(1).await;
        // The call that was cancelled is not offered any more.
        assert!(with_timeout(Wait::from_secs(1), bob.incoming()).await.is_err());
        let (out, _into) = connect_again(line, bob).await;
        assert_eq!(out.phase(), Phase::Established);
    });
}

async fn connect_again(
    line: sansip_embassy::Line<'static>,
    bob: Phone<'static>,
) -> (Call<'static>, Call<'static>) {
    let (out, into) = join(line.call(BOB), async {
        let call = bob.incoming().await.unwrap();
        call.answer().await.unwrap();
        call
    })
    .await;
    (out.unwrap(), into)
}

#[test]
fn hold_and_resume_are_agreed_with_the_peer() {
    let (mut world, alice, bob) = pair(1, Weather::default());
    world.run(LIMIT, async move {
        let (out, into) = connect(alice, bob).await;
        out.hold().await.unwrap();
        let heard = hear_while(&into, async {
            let playing = out.play_tone(1000, Duration::from_secs(5));
            let _ = with_timeout(Wait::from_secs(1), playing).await;
            Ok(())
        })
        .await;
        assert!(!heard.is_empty());
        out.resume().await.unwrap();
        let heard = hear_while(&into, out.play_tone(1000, Duration::from_secs(2))).await;
        assert!(tone_share(&heard[4000..12_000], 1000) > 950, "the tone is back");
    });
}

#[test]
fn a_call_without_media_ends_with_the_reason() {
    let (mut world, alice, bob) = pair(1, Weather::default());
    let (out, into) = world.run(LIMIT, async move { connect(alice, bob).await });
    world.set_link(2, false);
    world.run(LIMIT, async move {
        assert_eq!(out.ended().await, Ok(Reason::MediaSilent));
        drop(into);
    });
}

#[test]
fn places_for_calls_come_back() {
    let (mut world, alice, bob) = pair(1, Weather::default());
    world.run(Wait::from_secs(600), async move {
        let line = alice.line("sip:alice@10.0.0.1", "").unwrap();
        for _ in 0..20 {
            let (out, into) = connect_again(line, bob).await;
            let (ended, _) = join(out.hang_up(), into.ended()).await;
            assert_eq!(ended, Ok(Reason::HungUp));
        }
    });
}

#[test]
fn a_third_call_is_busy() {
    let (mut world, alice, bob) = pair(1, Weather::default());
    let carol = phone(&mut world);
    world.run(LIMIT, async move {
        let line = alice.line("sip:alice@10.0.0.1", "").unwrap();
        let first = connect_again(line, bob).await;
        let second = connect_again(line, bob).await;
        let third = carol.line("sip:carol@10.0.0.3", "").unwrap().call(BOB).await;
        assert_eq!(third.err(), Some(Error::Failed(Reason::Rejected(486))));
        drop((first, second));
    });
}

#[test]
fn after_the_shutdown_every_handle_says_closed() {
    let (mut world, alice, bob) = pair(1, Weather::default());
    world.run(LIMIT, async move {
        let (out, into) = connect(alice, bob).await;
        alice.shutdown().await;
        assert_eq!(into.ended().await, Ok(Reason::PeerHungUp));
        assert!(alice.incoming().await.is_none());
        assert_eq!(out.ring(), Err(Error::Closed));
    });
}

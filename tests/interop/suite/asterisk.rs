//! Asterisk 22.

use core::time::Duration;

use sansip::sdp::Direction;
use sansip_tokio::sound::Samples;
use sansip_tokio::{Error, Phase, Reason};

use crate::peers::{
    assert_hears, assert_tone, asterisk, call, call_id, cli, level, line, phone, recording,
    registered, report, soon, until,
};

const SECOND: Duration = Duration::from_secs(1);

fn contact(phone: &sansip_tokio::Phone, user: &str) -> String {
    format!("sip:{user}@{}", phone.local_address())
}

async fn registers(user: &str) {
    let (phone, line) = registered(user).await;
    let contact = contact(&phone, user);
    assert!(cli("pjsip show contacts").await.contains(&contact), "Asterisk has no {contact}");
    soon("unregister", line.unregister()).await.unwrap();
    assert!(!cli("pjsip show contacts").await.contains(&contact), "Asterisk still has {contact}");
}

#[tokio::test]
async fn registers_with_md5() {
    registers("100").await;
}

#[tokio::test]
async fn registers_with_sha_256() {
    registers("105").await;
}

#[tokio::test]
async fn registers_with_sha_512_256() {
    registers("116").await;
}

#[tokio::test]
async fn registers_with_the_stronger_of_two_challenges() {
    registers("115").await;
}

#[tokio::test]
async fn a_wrong_password_is_an_error_and_no_loop() {
    let (phone, _) = phone("103").await;
    let wrong = line(&phone, "103", "wrong");
    let refused = soon("register", wrong.register()).await;
    assert_eq!(refused, Err(Error::Failed(Reason::AuthenticationFailed)));
    let sent = phone.stats().sent;
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(phone.stats().sent, sent, "it goes on: {:?}", phone.stats());
    // two requests, each perhaps repeated once to a busy machine
    assert!(sent <= 4, "{:?}", phone.stats());
}

#[tokio::test]
async fn unregistering_leaves_another_device_alone() {
    let (_keeps, kept_line) = registered("104").await;
    let (goes, gone_line) = registered("104").await;
    let kept = contact(&_keeps, "104");
    let gone = contact(&goes, "104");
    let bindings = soon("query", gone_line.bindings()).await.unwrap();
    let uris: Vec<_> = bindings.iter().map(|binding| binding.uri.clone()).collect();
    assert!(uris.contains(&kept) && uris.contains(&gone), "{uris:?}");
    soon("unregister", gone_line.unregister()).await.unwrap();
    let contacts = cli("pjsip show contacts").await;
    assert!(contacts.contains(&kept) && !contacts.contains(&gone), "{contacts}");
    soon("unregister", kept_line.unregister()).await.unwrap();
}

#[tokio::test]
async fn the_echo_returns_tone_and_digits() {
    let (_phone, line) = phone("100").await;
    let call = call(&line, "600").await;
    call.start_playing(sansip::media::Tone::new(700, 8000)).unwrap();
    tokio::time::sleep(SECOND / 2).await;
    assert_hears(&call, 700).await;
    call.stop_playing().unwrap();
    // not #: it ends Asterisk's echo
    soon("digits", call.send_digits("1590*AD")).await.unwrap();
    assert_eq!(call.digits(7, 2 * SECOND).await, "1590*AD");
    assert_eq!(call.hang_up().await, Ok(Reason::HungUp));
}

#[tokio::test]
async fn music_on_hold_is_heard() {
    let (_phone, line) = phone("100").await;
    let call = call(&line, "601").await;
    tokio::time::sleep(SECOND / 2).await;
    assert_hears(&call, 440).await;
    let figures = call.report().await.unwrap();
    assert!(figures.received >= 50, "{figures:?}");
    assert_eq!(figures.lost, 0, "{figures:?}");
    call.hang_up().await.unwrap();
}

#[tokio::test]
async fn four_digits_are_read_and_the_far_side_hangs_up() {
    let (_phone, line) = phone("101").await;
    let call = call(&line, "602").await;
    let id = call_id(&call);
    tokio::time::sleep(2 * SECOND).await; // Read plays a beep first
    soon("digits", call.send_digits("4711")).await.unwrap();
    assert!(report(&id, "dtmf").await.ends_with("value=4711"));
    assert_eq!(soon("BYE", call.ended()).await, Ok(Reason::PeerHungUp));
}

#[tokio::test]
async fn all_sixteen_digits_arrive_in_order() {
    // no other test's channel of this account has digits: the log names channels, not calls
    let (_phone, line) = phone("119").await;
    let call = call(&line, "622").await;
    let id = call_id(&call);
    tokio::time::sleep(SECOND).await;
    // the far side hangs up at the sixteenth digit, perhaps before its last packet is out
    let sent = soon("digits", call.send_digits("1234567890*#ABCD")).await;
    assert!(matches!(sent, Ok(()) | Err(Error::Failed(Reason::PeerHungUp))), "{sent:?}");
    assert!(report(&id, "dtmf").await.ends_with("value=1234567890*#ABCD"));
    assert_eq!(soon("BYE", call.ended()).await, Ok(Reason::PeerHungUp));
    let log = std::fs::read_to_string(asterisk().join("log/full")).unwrap();
    let ends: Vec<&str> =
        log.lines().filter(|l| l.contains("DTMF end '") && l.contains("PJSIP/119-")).collect();
    let digits: String =
        ends.iter().filter_map(|line| line.split("DTMF end '").nth(1)?.chars().next()).collect();
    assert!(digits.contains("1234567890*#ABCD"), "{digits}");
}

#[tokio::test]
async fn what_is_played_is_what_asterisk_records() {
    let (_phone, line) = phone("102").await;
    let call = call(&line, "604").await;
    let id = call_id(&call);
    tokio::time::sleep(SECOND / 2).await;
    let mut sent = tone(500, 8000);
    sent.extend(tone(1200, 8000));
    soon("play", call.play_source(Samples(sent.into_iter()))).await.unwrap();
    tokio::time::sleep(SECOND / 2).await;
    call.hang_up().await.unwrap();
    let heard = recording(&id).await;
    let first = find(&heard, 500);
    assert_tone(&heard[first..first + 6000], 500);
    assert_tone(&heard[first + 8000..first + 14_000], 1200);
    let hangup = report(&id, "hangup").await;
    assert!(hangup.contains(";lp=0;"), "Asterisk missed packets: {hangup}");
}

#[tokio::test]
async fn mute_is_silence_at_the_far_end() {
    let (_phone, line) = phone("102").await;
    let call = call(&line, "604").await;
    let id = call_id(&call);
    tokio::time::sleep(SECOND / 2).await;
    call.start_playing(sansip::media::Tone::new(800, 8000)).unwrap();
    tokio::time::sleep(2 * SECOND).await;
    call.mute().unwrap();
    tokio::time::sleep(2 * SECOND).await;
    call.unmute().unwrap();
    tokio::time::sleep(2 * SECOND).await;
    call.hang_up().await.unwrap();
    let heard = recording(&id).await;
    let start = find(&heard, 800);
    assert_tone(&heard[start + 4000..start + 12_000], 800);
    let muted = &heard[start + 20_000..start + 28_000];
    assert!(level(muted) < 20, "muted, but the level is {}", level(muted));
    assert_tone(&heard[start + 36_000..start + 44_000], 800);
}

#[tokio::test]
async fn digits_of_the_far_side_are_received() {
    let (_phone, line) = phone("100").await;
    let call = call(&line, "605").await;
    assert_eq!(call.digits(5, 5 * SECOND).await, "1234#");
    assert_eq!(soon("BYE", call.ended()).await, Ok(Reason::PeerHungUp));
}

#[tokio::test]
async fn refusals_name_their_status() {
    let (_phone, line) = phone("100").await;
    for (extension, status) in [("606", 486), ("610", 503), ("611", 403), ("699", 404)] {
        let refused = soon(extension, line.call(extension)).await.err();
        assert_eq!(refused, Some(Error::Failed(Reason::Rejected(status))), "{extension}");
    }
}

#[tokio::test]
async fn a_call_that_rings_for_ever_is_cancelled() {
    let (_phone, line) = phone("101").await;
    let call = soon("dial", line.dial("607")).await.unwrap();
    while soon("ringing", call.next_phase()).await.unwrap() != Phase::Progress(180) {}
    let id = call_id(&call);
    assert_eq!(soon("cancel", call.hang_up()).await, Ok(Reason::Cancelled));
    let mut channels = String::new();
    for _ in 0..50 {
        channels = cli("core show channels concise").await;
        if !channels.contains("!607!") {
            return;
        }
        tokio::time::sleep(SECOND / 10).await;
    }
    panic!("Asterisk still rings for {id}: {channels}");
}

#[tokio::test]
async fn the_far_side_hangs_up() {
    let (_phone, line) = phone("100").await;
    let call = call(&line, "608").await;
    assert_eq!(soon("BYE", call.ended()).await, Ok(Reason::PeerHungUp));
}

#[tokio::test]
async fn early_media_is_heard_before_the_answer() {
    let (_phone, line) = phone("100").await;
    let call = soon("dial", line.dial("609")).await.unwrap();
    until("early media", || call.plan()).await;
    tokio::time::sleep(SECOND / 2).await;
    assert_hears(&call, 440).await;
    assert_eq!(call.phase(), Phase::Progress(183));
    soon("answer", call.established()).await.unwrap();
    tokio::time::sleep(SECOND / 2).await;
    assert_hears(&call, 440).await;
    assert_eq!(soon("BYE", call.ended()).await, Ok(Reason::PeerHungUp));
}

#[tokio::test]
async fn asterisk_calls_us() {
    let (phone, line) = registered("103").await;
    cli("channel originate PJSIP/103 extension 601@default").await;
    let call = soon("the call", phone.incoming()).await.unwrap();
    call.ring().unwrap();
    soon("answer", call.answer()).await.unwrap();
    tokio::time::sleep(SECOND / 2).await;
    assert_hears(&call, 440).await;
    assert_eq!(call.hang_up().await, Ok(Reason::HungUp));
    soon("unregister", line.unregister()).await.unwrap();
}

#[tokio::test]
async fn audio_digits_and_holds_pass_between_two_phones() {
    let (_caller, caller_line) = phone("101").await;
    let (callee, callee_line) = registered("118").await;
    let (ours, theirs) = tokio::join!(caller_line.call("118"), async {
        let call = callee.incoming().await.unwrap();
        call.answer().await.unwrap();
        call
    });
    let ours = ours.unwrap();
    ours.start_playing(sansip::media::Tone::new(500, 8000)).unwrap();
    theirs.start_playing(sansip::media::Tone::new(900, 8000)).unwrap();
    tokio::time::sleep(SECOND).await;
    assert_hears(&theirs, 500).await;
    assert_hears(&ours, 900).await;
    soon("digits", ours.send_digits("42")).await.unwrap();
    assert_eq!(theirs.digits(2, 3 * SECOND).await, "42");
    soon("digits", theirs.send_digits("17")).await.unwrap();
    assert_eq!(ours.digits(2, 3 * SECOND).await, "17");

    // our hold passes through to the other phone as a re-INVITE of Asterisk's
    soon("hold", ours.hold()).await.unwrap();
    until("the far side is held", || {
        theirs.plan().filter(|plan| plan.direction == Direction::RecvOnly)
    })
    .await;
    soon("resume", ours.resume()).await.unwrap();
    until("the far side is resumed", || {
        theirs.plan().filter(|plan| plan.direction == Direction::SendRecv)
    })
    .await;
    tokio::time::sleep(SECOND).await;
    assert_hears(&ours, 900).await;
    soon("hold", theirs.hold()).await.unwrap();
    soon("resume", theirs.resume()).await.unwrap();
    tokio::time::sleep(SECOND).await;
    assert_hears(&theirs, 500).await;

    assert_eq!(ours.hang_up().await, Ok(Reason::HungUp));
    assert_eq!(soon("BYE", theirs.ended()).await, Ok(Reason::PeerHungUp));
    soon("unregister", callee_line.unregister()).await.unwrap();
}

#[tokio::test]
async fn direct_media_moves_the_stream_by_re_invite() {
    let (_caller, caller_line) = phone("110").await;
    let (callee, callee_line) = registered("119").await;
    let (ours, theirs) = tokio::join!(caller_line.call("119"), async {
        let call = callee.incoming().await.unwrap();
        call.answer().await.unwrap();
        call
    });
    let ours = ours.unwrap();
    until("direct media", || {
        let (a, b) = (ours.plan()?, theirs.plan()?);
        (a.remote == b.local && b.remote == a.local).then_some(())
    })
    .await;
    ours.start_playing(sansip::media::Tone::new(600, 8000)).unwrap();
    tokio::time::sleep(SECOND).await;
    assert_hears(&theirs, 600).await;
    assert_eq!(ours.hang_up().await, Ok(Reason::HungUp));
    assert_eq!(soon("BYE", theirs.ended()).await, Ok(Reason::PeerHungUp));
    soon("unregister", callee_line.unregister()).await.unwrap();
}

fn tone(hz: u32, samples: usize) -> Vec<i16> {
    use sansip::media::Source;
    let mut room = vec![0; samples];
    sansip::media::Tone::new(hz, 8000).read(&mut room);
    room
}

/// Where a tone begins.
#[track_caller]
fn find(samples: &[i16], hz: u32) -> usize {
    let step = 160;
    let hit = samples
        .windows(800)
        .step_by(step)
        .position(|window| level(window) > 1000 && sansip::media::tone_share(window, hz) > 800);
    hit.unwrap_or_else(|| panic!("no {hz} Hz in {} samples", samples.len())) * step
}

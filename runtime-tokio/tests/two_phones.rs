//! Two phones that call each other on loopback, with real sockets and real time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use core::time::Duration;
use std::sync::{Arc, Mutex};

use sansip_tokio::sound::{Tone, tone_share};
use sansip_tokio::trace::{Record, Way};
use sansip_tokio::{
    Account, Body, Call, Config, CustomHeader, Dial, Error, Event, Line, Methods, Phase, Phone,
    Reason, Settings, sansip,
};

const SECOND: Duration = Duration::from_secs(1);

/// A phone with one account that is not registered anywhere.
async fn phone(name: &str) -> (Phone, Line) {
    phone_at("127.0.0.1:0", name, Settings::default()).await
}

async fn phone_at(address: &str, name: &str, settings: Settings) -> (Phone, Line) {
    let phone = Phone::bind_with(address, settings).await.unwrap();
    let identity = format!("sip:{name}@127.0.0.1");
    let line = phone.add_line(Account { identity: &identity, ..Account::default() }).unwrap();
    (phone, line)
}

fn address(phone: &Phone) -> String {
    format!("sip:bob@127.0.0.1:{}", phone.local_address().port())
}

/// A call that is up, at both ends.
async fn connected(alice: &Line, bob: &Phone) -> (Call, Call) {
    let target = address(bob);
    let answered = async {
        let call = bob.incoming().await.unwrap();
        call.answer().await.unwrap();
        call
    };
    let (ours, theirs) = tokio::join!(alice.call(&target), answered);
    (ours.unwrap(), theirs)
}

async fn within<T>(seconds: u64, what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(seconds), what).await.expect("it takes too long")
}

#[tokio::test]
async fn audio_goes_both_ways() {
    let ((_alice, line), (bob, _)) = (phone("alice").await, phone("bob").await);
    let (ours, theirs) = within(5, connected(&line, &bob)).await;
    ours.start_playing(Tone::new(1000, 8000)).unwrap();
    theirs.start_playing(Tone::new(700, 8000)).unwrap();
    tokio::time::sleep(SECOND / 4).await;
    let (here, there) = tokio::join!(ours.hear(SECOND / 2), theirs.hear(SECOND / 2));
    assert!(tone_share(&here.unwrap(), 700) > 900);
    assert!(tone_share(&there.unwrap(), 1000) > 900);
    assert_eq!(ours.hang_up().await, Ok(Reason::HungUp));
    assert_eq!(within(2, theirs.ended()).await, Ok(Reason::PeerHungUp));
    let report = within(2, theirs.report()).await.unwrap(); // the last one, for a call that is over
    assert!(report.sent > 25 && report.received > 25 && report.lost == 0, "{report:?}");
}

#[tokio::test]
async fn digits_arrive_once_and_in_order() {
    let ((_alice, line), (bob, _)) = (phone("alice").await, phone("bob").await);
    let (ours, theirs) = within(5, connected(&line, &bob)).await;
    let (sent, received) = within(9, async {
        tokio::join!(ours.send_digits("159#*0AD"), theirs.digits(8, 2 * SECOND))
    })
    .await;
    sent.unwrap();
    assert_eq!(received, "159#*0AD");
    assert_eq!(
        ours.send_digits("12x").await.map_err(|error| error.to_string()).unwrap_err(),
        "a character is no DTMF digit"
    );
}

#[tokio::test]
async fn a_muted_phone_sends_silence_and_then_its_audio_again() {
    let ((_alice, line), (bob, _)) = (phone("alice").await, phone("bob").await);
    let (ours, theirs) = within(5, connected(&line, &bob)).await;
    ours.start_playing(Tone::new(1000, 8000)).unwrap();
    tokio::time::sleep(SECOND / 4).await;
    ours.mute().unwrap();
    tokio::time::sleep(SECOND / 4).await;
    let muted = theirs.hear(SECOND / 4).await.unwrap();
    assert!(muted.iter().all(|sample| sample.abs() <= 8), "{:?}", muted.iter().max());
    ours.unmute().unwrap();
    tokio::time::sleep(SECOND / 4).await;
    assert!(tone_share(&theirs.hear(SECOND / 4).await.unwrap(), 1000) > 900);
}

#[tokio::test]
async fn hold_stops_the_audio_and_resume_brings_it_back() {
    let ((_alice, line), (bob, _)) = (phone("alice").await, phone("bob").await);
    let (ours, theirs) = within(5, connected(&line, &bob)).await;
    theirs.start_playing(Tone::new(700, 8000)).unwrap();
    within(2, ours.hold()).await.unwrap();
    assert!(!ours.plan().unwrap().direction.receives());
    tokio::time::sleep(SECOND / 4).await;
    assert_eq!(tone_share(&ours.hear(SECOND / 4).await.unwrap(), 700), 0);
    within(2, ours.resume()).await.unwrap();
    tokio::time::sleep(SECOND / 4).await;
    assert!(tone_share(&ours.hear(SECOND / 4).await.unwrap(), 700) > 900);
}

#[tokio::test]
async fn a_wav_file_is_played_to_its_end_and_recorded_at_the_other() {
    let folder = std::env::temp_dir().join(format!("sansip-tokio-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 44_100,
        bits_per_sample: 24,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(folder.join("sent.wav"), spec).unwrap();
    for n in 0..44_100 {
        let sample = (f64::from(n) * 880.0 * core::f64::consts::TAU / 44_100.0).sin() * 3e6;
        file.write_sample(sample as i32).unwrap();
        file.write_sample(sample as i32).unwrap();
    }
    file.finalize().unwrap();

    let ((_alice, line), (bob, _)) = (phone("alice").await, phone("bob").await);
    let (ours, theirs) = within(5, connected(&line, &bob)).await;
    let recording = theirs.record(folder.join("heard.wav")).await.unwrap();
    within(3, ours.play(folder.join("sent.wav"))).await.unwrap();
    tokio::time::sleep(SECOND / 4).await;
    let length = within(2, recording.stop()).await.unwrap();
    assert!(length > SECOND, "{length:?}");
    let heard = sansip_tokio::wav::read(folder.join("heard.wav"), 8000).unwrap();
    let loud: Vec<i16> = heard.into_iter().skip_while(|sample| sample.abs() < 1000).collect();
    assert!(loud.len() > 8000, "{}", loud.len());
    assert!(tone_share(&loud[..7800], 880) > 900);
    assert!(matches!(ours.play(folder.join("none.wav")).await, Err(Error::Wav(_))));
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn what_waits_for_a_call_ends_with_it_though_its_handle_lives() {
    let path = std::env::temp_dir().join(format!("sansip-end-{}.wav", std::process::id()));
    let ((_alice, line), (bob, _)) = (phone("alice").await, phone("bob").await);
    let (ours, theirs) = within(5, connected(&line, &bob)).await;
    let recording = theirs.record(&path).await.unwrap();
    let (playing, sending, reading, ()) = within(4, async {
        tokio::join!(
            theirs.play_source(Tone::new(440, 8000)),
            theirs.send_digits("1234567890"),
            theirs.digit(),
            async {
                tokio::time::sleep(SECOND / 4).await;
                ours.hang_up().await.unwrap();
            }
        )
    })
    .await;
    assert_eq!(playing, Err(Error::Failed(Reason::PeerHungUp)));
    assert_eq!(sending, Err(Error::Failed(Reason::PeerHungUp)));
    assert_eq!(reading, None);
    within(2, recording.finished()).await.unwrap();
    assert_eq!(theirs.mute(), Err(Error::Failed(Reason::PeerHungUp)));
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_dropped_call_is_hung_up() {
    let ((_alice, line), (bob, _)) = (phone("alice").await, phone("bob").await);
    let (ours, theirs) = within(5, connected(&line, &bob)).await;
    drop(ours);
    assert_eq!(within(2, theirs.ended()).await, Ok(Reason::PeerHungUp));
}

#[tokio::test]
async fn a_call_that_is_given_up_while_it_rings_is_cancelled() {
    let ((_alice, line), (bob, _)) = (phone("alice").await, phone("bob").await);
    let target = address(&bob);
    let calling = line.dial(&target).await.unwrap();
    let ringing = within(2, bob.incoming()).await.unwrap();
    ringing.ring().unwrap();
    while calling.phase() != Phase::Progress(180) {
        within(2, calling.next_phase()).await.unwrap();
    }
    drop(calling);
    assert_eq!(within(2, ringing.ended()).await, Ok(Reason::CallerGaveUp));
}

#[tokio::test]
async fn a_refused_call_says_why() {
    let ((_alice, line), (bob, _)) = (phone("alice").await, phone("bob").await);
    let target = address(&bob);
    let refused = async {
        let call = bob.incoming().await.unwrap();
        call.reject_with(486, &[CustomHeader::new("Retry-After", "60")]).unwrap();
        assert_eq!(call.ended().await, Ok(Reason::Declined(486)));
    };
    let call = line.dial(&target).await.unwrap();
    let (ended, ()) = within(2, async { tokio::join!(call.established(), refused) }).await;
    assert_eq!(ended, Err(Error::Failed(Reason::Rejected(486))));
    let response = call.last_message().unwrap();
    assert_eq!(response.header("retry-after"), Some("60"));
    assert_eq!(ended.unwrap_err().to_string(), "the peer answered 486 Busy Here");
}

#[tokio::test]
async fn early_media_is_heard_before_the_answer() {
    let ((_alice, line), (bob, _)) = (phone("alice").await, phone("bob").await);
    let calling = line.dial(&address(&bob)).await.unwrap();
    let ringing = within(2, bob.incoming()).await.unwrap();
    ringing.early_media().unwrap();
    ringing.start_playing(Tone::new(440, 8000)).unwrap();
    while calling.phase() != Phase::Progress(183) {
        within(2, calling.next_phase()).await.unwrap();
    }
    tokio::time::sleep(SECOND / 4).await;
    assert!(tone_share(&calling.hear(SECOND / 4).await.unwrap(), 440) > 900);
    let (answered, up) =
        within(2, async { tokio::join!(ringing.answer(), calling.established()) }).await;
    answered.unwrap();
    up.unwrap();
}

#[tokio::test]
async fn an_offer_may_come_late() {
    let ((_alice, line), (bob, _)) = (phone("alice").await, phone("bob").await);
    let dial = Dial { late_offer: true, ..Dial::default() };
    let calling = line.dial_with(&address(&bob), dial).await.unwrap();
    let ringing = within(2, bob.incoming()).await.unwrap();
    within(2, ringing.answer()).await.unwrap();
    within(2, calling.established()).await.unwrap();
    ringing.start_playing(Tone::new(440, 8000)).unwrap();
    tokio::time::sleep(SECOND / 4).await;
    assert!(tone_share(&calling.hear(SECOND / 4).await.unwrap(), 440) > 900);
}

#[tokio::test]
async fn requests_pass_inside_and_outside_calls() {
    let settings = Settings {
        config: Config { methods: Methods::MESSAGE.and(Methods::INFO), ..Config::default() },
        ..Settings::default()
    };
    let (_alice, line) = phone("alice").await;
    let (bob, _) = phone_at("127.0.0.1:0", "bob", settings).await;
    let target = address(&bob);
    let body = Body { content_type: "text/plain", bytes: b"hello" };
    let answer = async {
        let request = bob.incoming_request().await.unwrap();
        assert_eq!((request.method(), request.body()), ("MESSAGE", &b"hello"[..]));
        request.respond(202, &[CustomHeader::new("X-Seen", "yes")], None).unwrap();
    };
    let (response, ()) = within(2, async {
        tokio::join!(line.request("MESSAGE", &target, &[], Some(body)), answer)
    })
    .await;
    let response = response.unwrap();
    assert_eq!(response.status, 202);
    assert_eq!(response.message.unwrap().header("X-Seen"), Some("yes"));

    let (ours, theirs) = within(5, connected(&line, &bob)).await;
    let answer = async {
        let request = bob.incoming_request().await.unwrap();
        assert_eq!((request.method(), request.call()), ("INFO", Some(theirs.id())));
        request.respond(200, &[], None).unwrap();
    };
    let (response, ()) =
        within(2, async { tokio::join!(ours.request("INFO", &[], None), answer) }).await;
    assert_eq!(response.unwrap().status, 200);
}

#[tokio::test]
async fn a_wildcard_phone_can_be_called_and_calls() {
    let (_alice, line) = phone_at("0.0.0.0:0", "alice", Settings::default()).await;
    let (bob, _) = phone_at("0.0.0.0:0", "bob", Settings::default()).await;
    let (ours, theirs) = within(5, connected(&line, &bob)).await;
    let contact = theirs.invite().unwrap().header("Contact").unwrap().to_owned();
    assert!(contact.contains("@127.0.0.1:"), "{contact}");
    theirs.start_playing(Tone::new(440, 8000)).unwrap();
    tokio::time::sleep(SECOND / 4).await;
    assert!(tone_share(&ours.hear(SECOND / 4).await.unwrap(), 440) > 900);
}

#[tokio::test]
async fn every_message_is_traced_in_both_directions() {
    let ((alice, line), (bob, _)) = (phone("alice").await, phone("bob").await);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    alice.trace(move |record: &Record<'_>| {
        let line = record.bytes.split(|byte| *byte == b'\r').next().unwrap();
        sink.lock().unwrap().push((record.way, String::from_utf8(line.to_vec()).unwrap()));
    });
    let (ours, theirs) = within(5, connected(&line, &bob)).await;
    ours.hang_up().await.unwrap();
    theirs.ended().await.unwrap();
    alice.shutdown().await;
    let seen = seen.lock().unwrap();
    let has = |way, start: &str| seen.iter().any(|(w, line)| *w == way && line.starts_with(start));
    assert!(has(Way::Sent, "INVITE sip:bob@127.0.0.1:"), "{seen:?}");
    assert!(has(Way::Received, "SIP/2.0 200"), "{seen:?}");
    assert!(has(Way::Sent, "ACK "), "{seen:?}");
    assert!(has(Way::Sent, "BYE "), "{seen:?}");
}

#[tokio::test]
async fn a_sink_that_panics_closes_the_phone_rather_than_hanging_it() {
    let (alice, line) = phone("alice").await;
    alice.trace(|_: &Record<'_>| panic!("a bug of the application"));
    let call = within(2, line.call("sip:bob@127.0.0.1:9")).await;
    assert_eq!(call.unwrap_err(), Error::Closed);
    within(4, alice.shutdown()).await;
}

#[tokio::test]
async fn events_come_in_order_and_end_with_the_phone() {
    let ((alice, line), (bob, _)) = (phone("alice").await, phone("bob").await);
    let mut events = alice.events();
    let (ours, _theirs) = within(5, connected(&line, &bob)).await;
    ours.hang_up().await.unwrap();
    alice.shutdown().await;
    let mut names = Vec::new();
    while let Some(event) = within(2, events.next()).await {
        names.push(match event {
            Event::Progress { .. } => continue,
            Event::Media { .. } => "media",
            Event::Established { .. } => "established",
            Event::Ended { reason: Reason::HungUp, .. } => "ended",
            _ => "other",
        });
    }
    assert_eq!(names, ["media", "established", "ended"]);
    assert_eq!(line.register().await, Err(Error::Closed));
    assert!(alice.incoming().await.is_none());
}

#[tokio::test]
async fn the_end_of_the_last_handle_ends_the_calls() {
    let ((alice, line), (bob, _)) = (phone("alice").await, phone("bob").await);
    let (ours, theirs) = within(5, connected(&line, &bob)).await;
    drop((alice, line, ours));
    assert_eq!(within(2, theirs.ended()).await, Ok(Reason::PeerHungUp));
}

#[tokio::test]
async fn shutdown_ends_in_bounded_time_though_nobody_answers() {
    let (alice, _) = phone("alice").await;
    let deaf = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = deaf.local_addr().unwrap().port();
    let line = alice.line(&format!("sip:100@127.0.0.1:{port}"), "secret").unwrap();
    let _ = tokio::time::timeout(SECOND / 4, line.register()).await;
    let _calling = line.dial("600").await.unwrap();
    within(4, alice.shutdown()).await;
}

/// A socket that answers every request with the same status line, as a very simple registrar.
async fn refusing(status: &'static str) -> u16 {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let kept = request.lines().filter(|line| {
                ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|n| line.starts_with(n))
            });
            let kept: String = kept.map(|line| format!("{line}\r\n")).collect();
            let text = format!("SIP/2.0 {status}\r\n{kept}Content-Length: 0\r\n\r\n");
            socket.send_to(text.as_bytes(), from).await.unwrap();
        }
    });
    port
}

#[tokio::test]
async fn a_registrar_that_refuses_is_heard() {
    let (alice, _) = phone("alice").await;
    let port = refusing("403 Forbidden").await;
    let line = alice.line(&format!("sip:100@127.0.0.1:{port}"), "secret").unwrap();
    let refused = Err(Error::Failed(Reason::Rejected(403)));
    assert_eq!(within(2, line.register()).await, refused);
    assert!(!line.is_registered());
    assert_eq!(within(2, line.bindings()).await, refused.map(|()| Vec::new()));
}

#[tokio::test]
async fn calls_pass_over_ipv6() {
    let (_alice, line) = phone_at("[::1]:0", "alice", Settings::default()).await;
    let (bob, _) = phone_at("[::]:0", "bob", Settings::default()).await;
    let target = format!("sip:bob@[::1]:{}", bob.local_address().port());
    let calling = line.dial(&target).await.unwrap();
    let theirs = within(2, bob.incoming()).await.unwrap();
    within(2, theirs.answer()).await.unwrap();
    within(2, calling.established()).await.unwrap();
    theirs.start_playing(Tone::new(440, 8000)).unwrap();
    tokio::time::sleep(SECOND / 4).await;
    assert!(tone_share(&calling.hear(SECOND / 4).await.unwrap(), 440) > 900);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_run_at_once() {
    let settings = || Settings {
        limits: sansip::storage::Limits { accounts: 2, ..sansip::storage::Limits::calls(64) },
        ..Settings::default()
    };
    let (_alice, line) = phone_at("127.0.0.1:0", "alice", settings()).await;
    let (bob, _) = phone_at("127.0.0.1:0", "bob", settings()).await;
    let target = address(&bob);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (line, bob, target) = (line.clone(), bob.clone(), target.clone());
        tasks.spawn(async move {
            let answered = async {
                let call = bob.incoming().await.unwrap();
                call.answer().await.unwrap();
                call.start_playing(Tone::new(440, 8000)).unwrap();
                call.ended().await.unwrap()
            };
            let calling = async {
                let call = line.call(&target).await.unwrap();
                tokio::time::sleep(SECOND / 2).await;
                let heard = call.hear(SECOND / 4).await.unwrap();
                call.hang_up().await.unwrap();
                tone_share(&heard, 440)
            };
            let (reason, share) = tokio::join!(answered, calling);
            assert_eq!(reason, Reason::PeerHungUp);
            assert!(share > 900, "{share}");
        });
    }
    within(10, tasks.join_all()).await;
}

#[tokio::test]
async fn a_phone_whose_calls_nobody_takes_is_busy() {
    let limits = sansip::storage::Limits::calls(3);
    let (bob, _) = phone_at("127.0.0.1:0", "bob", Settings { limits, ..Settings::default() }).await;
    let (_alice, line) = phone("alice").await;
    let target = address(&bob);
    let mut events = bob.events();
    for _ in 0..3 {
        let call = line.dial(&target).await.unwrap();
        while !matches!(within(2, events.next()).await, Some(Event::Incoming { .. })) {}
        drop(call);
        while !matches!(within(2, events.next()).await, Some(Event::Ended { .. })) {}
    }
    let call = line.dial(&target).await.unwrap();
    assert_eq!(within(2, call.established()).await, Err(Error::Failed(Reason::Rejected(486))));
    let _skipped = tokio::time::timeout(SECOND / 10, bob.incoming()).await;
    let (_ours, _theirs) = within(5, connected(&line, &bob)).await;
}

#[tokio::test]
async fn a_phone_behind_a_forwarding_advertises_what_it_is_told() {
    let advertised = Some("127.0.0.9".parse().unwrap());
    let settings = Settings { advertised, ..Settings::default() };
    let (_alice, line) = phone_at("0.0.0.0:0", "alice", settings).await;
    let (bob, _) = phone("bob").await;
    let _calling = line.dial(&address(&bob)).await.unwrap();
    let ringing = within(2, bob.incoming()).await.unwrap();
    let invite = ringing.invite().unwrap();
    assert!(invite.header("Contact").unwrap().contains("@127.0.0.9:"));
    assert!(invite.to_string().contains("c=IN IP4 127.0.0.9"));
}

#[tokio::test]
async fn garbage_is_counted_and_harms_nothing() {
    let ((_alice, line), (bob, _)) = (phone("alice").await, phone("bob").await);
    let noise = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for bytes in [&b""[..], b"\r\n\r\n", b"\0\0\0", &[0xff; 2000], b"INVITE sip:x SIP/2.0\r\n\r\n"]
    {
        noise.send_to(bytes, bob.local_address()).await.unwrap();
    }
    let (_ours, _theirs) = within(5, connected(&line, &bob)).await;
    assert!(bob.stats().malformed >= 2, "{:?}", bob.stats());
}

#[tokio::test]
async fn a_name_that_nobody_knows_fails() {
    let (_alice, line) = phone("alice").await;
    let call = within(12, line.call("sip:bob@host.invalid")).await;
    assert_eq!(call.unwrap_err(), Error::UnknownHost);
    let refused = line.dial("sip:").await.unwrap_err();
    assert_eq!(refused, Error::Refused(sansip::endpoint::Error::Invalid));
}

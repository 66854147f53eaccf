//! The offer/answer examples of RFC 3264 and RFC 4317, played from both sides.
//!
//! Their host names are read as addresses, and the codecs that we lack as PCMA, each example
//! having one of them in its role.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use sansip::rtp::Codec;
use sansip::sdp::{
    AnswerError, Direction, LocalMedia, MediaPlan, Origin, Session, accept_answer, answer,
};

fn example(file: &str) -> String {
    let path = format!("{}/../tests/vectors/sdp/{file}", env!("CARGO_MANIFEST_DIR"));
    let mut text = std::fs::read_to_string(path).unwrap();
    for (name, address) in [
        ("placeholder.biloxi.example.com", "192.0.2.21"),
        ("mediaserver.biloxi.example.com", "192.0.2.22"),
        ("otherhost.biloxi.example.com", "192.0.2.23"),
        ("newhost.biloxi.example.com", "192.0.2.24"),
        ("host.biloxi.example.com", "192.0.2.20"),
        ("host.atlanta.example.com", "192.0.2.10"),
        ("host.anywhere.com", "192.0.2.10"),
        ("host.example.com", "192.0.2.20"),
        ("a=rtpmap:8 PCMA", "a=rtpmap:8 GSM"),
        ("iLBC", "PCMA"),
        ("G723", "PCMA"),
    ] {
        text = text.replace(name, address);
    }
    text
}

fn local() -> LocalMedia {
    LocalMedia::new("192.0.2.99:4000".parse().unwrap())
}

/// What Alice makes of Bob's answer to her offer: address, port, payload type sent and received.
fn accepted(offer: &str, answer: &str) -> Result<(String, u8, u8, Direction), AnswerError> {
    let plan: MediaPlan =
        accept_answer(example(offer).as_bytes(), example(answer).as_bytes(), &local())?;
    Ok((plan.remote.to_string(), plan.send_type, plan.receive_type, plan.direction))
}

/// The `m=` lines of our answer to an offer, with the direction of the stream in use.
fn answered(offer: &str) -> Result<(Vec<String>, MediaPlan), AnswerError> {
    let mut buffer = [0; 1024];
    let offer = example(offer);
    let (length, plan) = answer(offer.as_bytes(), &local(), Origin::default(), &mut buffer)?;
    let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
    assert_eq!(
        Session::parse(text.as_bytes()).unwrap().media().count(),
        Session::parse(offer.as_bytes()).unwrap().media().count()
    );
    let lines = text.lines().filter_map(|line| line.strip_prefix("m=")).map(str::to_owned);
    Ok((lines.collect(), plan))
}

#[test]
fn the_offerer_reads_the_answers_as_the_rfcs_tell() {
    use Direction::{Inactive, RecvOnly, SendRecv};
    let cases = [
        // RFC 3264 s10.1: one of two video streams refused; then another port, a stream more.
        ("rfc3264/02_s10.1", "rfc3264/03_s10.1", "192.0.2.20:49920", 0, 0, SendRecv),
        ("rfc3264/04_s10.1", "rfc3264/05_s10.1", "192.0.2.10:49170", 0, 0, SendRecv),
        // RFC 3264 s10.2: several codecs held back, then one of them resumed.
        ("rfc3264/06_s10.2", "rfc3264/07_s10.2", "192.0.2.20:54344", 0, 0, Inactive),
        ("rfc3264/08_s10.2", "rfc3264/09_s10.2", "192.0.2.20:54344", 4, 4, SendRecv),
        // RFC 4317 s2.1 to s2.3: one codec chosen; several left, then one; another number.
        ("rfc4317/01_s2.1", "rfc4317/02_s2.1", "192.0.2.20:49174", 0, 0, SendRecv),
        ("rfc4317/03_s2.2", "rfc4317/04_s2.2", "192.0.2.20:49172", 0, 0, SendRecv),
        ("rfc4317/05_s2.2", "rfc4317/06_s2.2", "192.0.2.20:49172", 0, 0, SendRecv),
        ("rfc4317/07_s2.3", "rfc4317/08_s2.3", "192.0.2.20:49172", 99, 97, SendRecv),
        ("rfc4317/09_s2.4", "rfc4317/10_s2.4", "192.0.2.20:49172", 97, 97, SendRecv),
        // RFC 4317 s2.5: moved to a new host and port.
        ("rfc4317/13_s2.5", "rfc4317/14_s2.5", "192.0.2.10:49170", 97, 97, SendRecv),
        ("rfc4317/17_s2.7", "rfc4317/18_s2.7", "192.0.2.20:49172", 99, 99, SendRecv),
        ("rfc4317/21_s2.8", "rfc4317/22_s2.8", "192.0.2.20:49174", 0, 0, SendRecv),
        // RFC 4317 s3.1: the answer holds; s4: streams are added and deleted.
        ("rfc4317/23_s3.1", "rfc4317/24_s3.1", "192.0.2.21:49172", 97, 97, RecvOnly),
        ("rfc4317/25_s3.1", "rfc4317/26_s3.1", "192.0.2.10:49178", 97, 97, SendRecv),
        ("rfc4317/33_s4.1", "rfc4317/34_s4.1", "192.0.2.10:49170", 97, 97, SendRecv),
        ("rfc4317/37_s4.2", "rfc4317/38_s4.2", "192.0.2.20:49172", 0, 0, SendRecv),
        ("rfc4317/41_s4.3", "rfc4317/42_s4.3", "192.0.2.10:49170", 97, 97, SendRecv),
        // RFC 4317 s5: third party call control with the old form of hold.
        ("rfc4317/45_s5.1", "rfc4317/46_s5.1", "192.0.2.20:49172", 97, 97, SendRecv),
        ("rfc4317/51_s5.3", "rfc4317/52_s5.3", "0.0.0.0:9322", 97, 97, RecvOnly),
        ("rfc4317/53_s5.3", "rfc4317/54_s5.3", "192.0.2.10:49170", 97, 97, SendRecv),
    ];
    for (offer, answer, remote, send, receive, direction) in cases {
        let plan = accepted(&format!("{offer}.sdp"), &format!("{answer}.sdp"));
        assert_eq!(plan, Ok((remote.into(), send, receive, direction)), "{offer}");
    }
    // RFC 4317 s2.6: of two audio streams ours, the first, is refused.
    let refused = accepted("rfc4317/15_s2.6.sdp", "rfc4317/16_s2.6.sdp");
    assert_eq!(refused, Err(AnswerError::Refused));
}

#[test]
fn the_answerer_answers_the_offers_of_the_rfcs() {
    let cases: [(&str, &[&str]); 10] = [
        (
            "rfc3264/02_s10.1.sdp",
            &["audio 4000 RTP/AVP 0", "video 0 RTP/AVP 31", "video 0 RTP/AVP 32"],
        ),
        (
            "rfc3264/04_s10.1.sdp",
            &[
                "audio 4000 RTP/AVP 0",
                "video 0 RTP/AVP 31",
                "video 0 RTP/AVP 32",
                "audio 0 RTP/AVP 110",
            ],
        ),
        ("rfc4317/01_s2.1.sdp", &["audio 4000 RTP/AVP 0", "video 0 RTP/AVP 31"]),
        ("rfc4317/05_s2.2.sdp", &["audio 4000 RTP/AVP 0", "video 0 RTP/AVP 31"]),
        ("rfc4317/09_s2.4.sdp", &["audio 4000 RTP/AVP 0", "audio 0 RTP/AVP 98"]),
        ("rfc4317/11_s2.5.sdp", &["audio 4000 RTP/AVP 97", "video 0 RTP/AVP 31"]),
        ("rfc4317/15_s2.6.sdp", &["audio 4000 RTP/AVP 0", "audio 0 RTP/AVP 97"]),
        ("rfc4317/33_s4.1.sdp", &["audio 4000 RTP/AVP 97", "audio 0 RTP/AVP 98"]),
        ("rfc4317/41_s4.3.sdp", &["audio 4000 RTP/AVP 97", "video 0 RTP/AVP 31"]),
        ("rfc4317/47_s5.2.sdp", &["audio 4000 RTP/AVP 97"]),
    ];
    for (offer, lines) in cases {
        assert_eq!(answered(offer).unwrap().0, lines, "{offer}");
    }
    let (_, hold) = answered("rfc4317/47_s5.2.sdp").unwrap();
    assert!(hold.remote.ip().is_unspecified() && !hold.direction.sends());
    assert_eq!(hold.codec, Codec::Pcma);
    let (_, resumed) = answered("rfc4317/49_s5.2.sdp").unwrap();
    assert_eq!(resumed.direction, Direction::SendRecv);
}

#[test]
fn an_offer_without_streams_is_not_acceptable() {
    // RFC 4317 s5.1 allows one; a phone without media has nothing to do in such a call.
    assert_eq!(answered("rfc4317/43_s5.1.sdp").unwrap_err(), AnswerError::NotAcceptable);
    // RFC 3264 s9: capabilities, all ports 0.
    assert_eq!(answered("rfc3264/01_s9.sdp").unwrap_err(), AnswerError::NotAcceptable);
}

use core::net::SocketAddr;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::rtp::Codec;

const ORIGIN: Origin = Origin { session_id: 7, version: 1 };
const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\n";
const AUDIO: &str = "m=audio 5000 RTP/AVP 0\r\n";

fn local() -> LocalMedia {
    LocalMedia::new("192.0.2.1:4000".parse().unwrap())
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A description whose session has a usable address, with these lines behind it.
fn sdp(lines: &str) -> String {
    format!("{HEAD}c=IN IP4 198.51.100.1\r\nt=0 0\r\n{lines}")
}

fn answer_text(offer: &str, local: &LocalMedia) -> Result<(String, MediaPlan), AnswerError> {
    let mut buffer = [0; 1024];
    let (length, plan) = answer(offer.as_bytes(), local, ORIGIN, &mut buffer)?;
    let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
    Session::parse(text.as_bytes()).unwrap();
    Ok((text, plan))
}

/// The plan for an offer of these lines.
fn plan(lines: &str) -> Result<MediaPlan, AnswerError> {
    Ok(answer_text(&sdp(lines), &local())?.1)
}

fn offer_text(local: &LocalMedia) -> String {
    let mut buffer = [0; 512];
    let length = write_offer(&mut buffer, local, ORIGIN).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

/// The plan for an answer of these lines to our first offer.
fn accepted(lines: &str) -> Result<MediaPlan, AnswerError> {
    accept_answer(offer_text(&local()).as_bytes(), sdp(lines).as_bytes(), &local())
}

fn media_lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("m=")).collect()
}

mod parsing {
    use super::*;

    fn error(text: &str) -> SdpError {
        Session::parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn every_part_of_a_description_is_found() {
        let text = sdp(
            "a=tool:x\r\nm=video 6000/2 RTP/SAVP 31 32\r\nc=IN IP6 2001:db8::1\r\nm=audio 5000 RTP/AVP 0 111 101\r\n\
             a=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\na=ptime:30\r\n\
             a=maxptime:150\r\na=rtcp:40001 IN IP4 192.0.2.9\r\na=recvonly\r\n",
        );
        let session = Session::parse(text.as_bytes()).unwrap();
        assert_eq!(session.origin().username, b"-");
        assert_eq!(session.origin().numbers(), Some(Origin { session_id: 1, version: 1 }));
        assert_eq!(session.name(), b"-");
        assert_eq!(session.connection().unwrap().address, b"198.51.100.1");
        let tool = session.attributes().next().unwrap();
        assert_eq!((tool.name, tool.value), (&b"tool"[..], Some(&b"x"[..])));
        let [video, audio] = session.media().collect::<Vec<_>>()[..] else { panic!() };
        assert_eq!((video.kind(), video.protocol()), (&b"video"[..], &b"RTP/SAVP"[..]));
        assert_eq!((video.port(), video.port_count()), (Some(6000), 2));
        assert_eq!(video.connection().unwrap().ip(), Some(address("[2001:db8::1]:1").ip()));
        assert_eq!(video.direction(), Direction::SendRecv);
        assert_eq!(audio.payload_types().collect::<Vec<_>>(), [0, 111, 101]);
        assert_eq!(audio.connection(), session.connection());
        let opus = RtpMap { encoding: b"opus", clock_rate_hz: 48000, channels: 2 };
        assert_eq!(audio.rtpmap(111), Mapping::Is(opus));
        assert_eq!(audio.rtpmap(0), Mapping::Absent);
        assert_eq!(audio.fmtp(111), Some(&b"useinbandfec=1"[..]));
        assert_eq!((audio.ptime_ms(), audio.maxptime_ms()), (Some(30), Some(150)));
        let rtcp = Rtcp { port: 40001, address: Some(address("192.0.2.9:1").ip()) };
        assert_eq!(audio.rtcp(), Some(rtcp));
        assert_eq!(audio.direction(), Direction::RecvOnly);
    }

    #[test]
    fn lf_and_crlf_and_a_missing_last_end_all_end_lines() {
        let text = sdp(AUDIO);
        for text in [text.replace("\r\n", "\n"), text.trim_end().to_string(), text + "\r\n"] {
            let media = Session::parse(text.as_bytes()).unwrap().media().next().unwrap();
            assert_eq!(media.payload_types().collect::<Vec<_>>(), [0], "{text:?}");
        }
    }

    #[test]
    fn a_bare_cr_or_a_nul_is_refused_wherever_it_stands() {
        let text = sdp(AUDIO);
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes.insert(at, 0);
            assert_eq!(Session::parse(&bytes), Err(SdpError::Nul));
            bytes[at] = b'\r';
            assert!(Session::parse(&bytes).is_err(), "{at}");
        }
        // CVE-2018-1000099: NUL inside an attribute's name.
        assert_eq!(error(&sdp("m=audio 5000 RTP/AVP 0\r\na=fmtp\0:101 0-16\r\n")), SdpError::Nul);
    }

    #[test]
    fn what_must_be_there_must_be_there_once() {
        assert_eq!(error(""), SdpError::Origin);
        assert_eq!(error("o=- 1 1 IN IP4 1.2.3.4\r\nv=0\r\ns=-\r\n"), SdpError::Version);
        assert_eq!(error("v=1\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\n"), SdpError::Version);
        assert_eq!(error("v=0\r\ns=-\r\n"), SdpError::Origin);
        assert_eq!(error("v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\n"), SdpError::SessionName);
        assert_eq!(error(&format!("{HEAD}v=0\r\n")), SdpError::Version);
        assert_eq!(error(&format!("{HEAD}o=- 1 1 IN IP4 1.2.3.4\r\n")), SdpError::Origin);
        assert_eq!(error(&format!("{HEAD}s=-\r\n")), SdpError::SessionName);
        let late = format!("v=0\r\ns=-\r\n{AUDIO}o=- 1 1 IN IP4 1.2.3.4\r\n");
        assert_eq!(error(&late), SdpError::Origin);
    }

    #[test]
    fn lines_without_their_parts_are_refused() {
        for line in ["x", "audio", "=5", " m=audio 1 RTP/AVP 0"] {
            assert_eq!(error(&sdp(&format!("{line}\r\n"))), SdpError::Line, "{line}");
        }
        for origin in
            ["", "-", "- 1 1 IN IP4", "- x 1 IN IP4 h", "- 1 -1 IN IP4 h", "- 1 1 IN IP4 h h"]
        {
            assert_eq!(error(&format!("v=0\r\no={origin}\r\ns=-\r\n")), SdpError::Origin);
        }
        for connection in ["", "IN", "IN IP4", "192.0.2.1", "IN IP4 192.0.2.1 x"] {
            let text = format!("{HEAD}c={connection}\r\n");
            assert_eq!(error(&text), SdpError::Connection, "{connection}");
        }
        for media in ["", "audio", "audio 5000", "audio 5000 RTP/AVP", "audio 5000 RTP/AVP "] {
            assert_eq!(error(&sdp(&format!("m={media}\r\n"))), SdpError::Media, "{media}");
        }
    }

    #[test]
    fn numbers_that_are_none_are_refused_and_never_become_zero() {
        for port in ["x", "-1", "+5", "5000x", "0x10", "/2", "5000/", "5000/0", "5000/x", "1.5"] {
            let text = sdp(&format!("m=audio {port} RTP/AVP 0\r\n"));
            assert_eq!(error(&text), SdpError::Port, "{port}");
        }
        // CVE-2018-1000098, and its neighbours.
        for format in ["4294967296", "128", "255", "-1", "x", "0 x", "18446744073709551616"] {
            let text = sdp(&format!("m=audio 17000 RTP/AVP {format}\r\n"));
            assert_eq!(error(&text), SdpError::Format, "{format}");
        }
    }

    #[test]
    fn unknown_lines_survive() {
        let text = sdp("X=1\r\n\r\nm=audio 5000 RTP/AVP 0\r\n?=\r\na=x\ny=z");
        let session = Session::parse(text.as_bytes()).unwrap();
        let raw: Vec<u8> = session.lines().flat_map(|line| line.raw.to_vec()).collect();
        assert_eq!(raw, text.as_bytes());
        assert!(session.lines().any(|line| line.kind == b'X' && line.value == b"1"));
    }

    #[test]
    fn a_malformed_mapping_makes_its_format_unusable_and_no_other() {
        let maps = [
            "0",
            "0 ",
            "0 PCMU",
            "0 PCMU/",
            "0 PCMU/0",
            "0 PCMU/x",
            "0 PCMU/8000/0",
            "0 /8000",
            "0 PCMU/8000/1/1",
            "0 PCMU/-8000",
            "0 PCMU/4294967296",
            "0 PCMU/8000 x",
        ];
        for map in maps {
            let text = sdp(&format!("m=audio 5000 RTP/AVP 0 8\r\na=rtpmap:{map}\r\n"));
            let media = Session::parse(text.as_bytes()).unwrap().media().next().unwrap();
            assert_eq!(media.rtpmap(0), Mapping::Malformed, "{map}");
            assert_eq!(media.rtpmap(8), Mapping::Absent);
        }
        for map in ["128 PCMU/8000", "x PCMU/8000", "-1 PCMU/8000", "", "256 PCMU/8000"] {
            let text = sdp(&format!("m=audio 5000 RTP/AVP 0\r\na=rtpmap:{map}\r\n"));
            let media = Session::parse(text.as_bytes()).unwrap().media().next().unwrap();
            assert_eq!(media.rtpmap(0), Mapping::Absent, "{map}");
        }
    }

    #[test]
    fn origins_tell_whether_the_session_is_the_same() {
        let origin = |text: &'static str| Session::parse(text.as_bytes()).unwrap().origin();
        let first = origin("v=0\r\no=a 1 2 IN IP4 h\r\ns=-\r\n");
        assert!(first.same_session(&origin("v=0\r\no=a 1 1 IN IP4 h\r\ns=-\r\n")));
        assert!(!first.same_session(&origin("v=0\r\no=a 2 2 IN IP4 h\r\ns=-\r\n")));
        assert!(!first.same_session(&origin("v=0\r\no=a 1 2 IN IP4 g\r\ns=-\r\n")));
        let long = origin("v=0\r\no=a 18446744073709551616 1 IN IP4 h\r\ns=-\r\n");
        assert_eq!(long.numbers(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, tail in "[a-z=0-9 :/\\r\\n]{0,80}") {
            let texts = [bytes, sdp(&tail).into_bytes(), format!("{HEAD}{tail}").into_bytes()];
            for text in texts {
                let Ok(session) = Session::parse(&text) else { continue };
                let raw: Vec<u8> = session.lines().flat_map(|line| line.raw.to_vec()).collect();
                prop_assert_eq!(&raw, &text);
                let media = session.lines().filter(|line| line.kind == b'm').count();
                prop_assert_eq!(session.media().count(), media);
                let mut buffer = [0; 512];
                let _ = answer(&text, &local(), ORIGIN, &mut buffer);
            }
        }
    }
}

mod offering {
    use super::*;

    #[test]
    fn an_offer_says_all_that_we_can() {
        let expected = "v=0\r\no=- 7 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
            m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
            a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";
        assert_eq!(offer_text(&local()), expected);
    }

    #[test]
    fn an_offer_follows_the_local_wishes() {
        let mut local = LocalMedia::new(address("[2001:db8::7]:4000"));
        local.codecs.push(Codec::Pcma).unwrap();
        local.dtmf = false;
        local.direction = Direction::Inactive;
        for (ptime_ms, written) in [(0, 10), (9, 10), (30, 30), (60, 60), (255, 60)] {
            local.ptime_ms = ptime_ms;
            let text = offer_text(&local);
            assert!(text.contains(&format!("a=ptime:{written}\r\n")), "{text}");
        }
        let text = offer_text(&local);
        assert!(text.contains("o=- 7 1 IN IP6 2001:db8::7\r\n"), "{text}");
        assert!(text.contains("c=IN IP6 2001:db8::7\r\n"), "{text}");
        assert!(text.contains("m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=ptime"));
        assert!(text.ends_with("a=inactive\r\n"), "{text}");
    }

    #[test]
    fn what_nobody_could_send_to_is_not_advertised() {
        for bad in
            ["0.0.0.0:4000", "[::]:4000", "192.0.2.1:0", "255.255.255.255:4000", "224.0.0.1:4000"]
        {
            let local = LocalMedia::new(address(bad));
            let mut buffer = [0; 512];
            let offer = write_offer(&mut buffer, &local, ORIGIN);
            assert_eq!(offer, Err(WriteError::LocalAddress), "{bad}");
            if local.address.is_ipv4() {
                let answer = answer_text(&sdp(AUDIO), &local);
                assert_eq!(answer, Err(WriteError::LocalAddress.into()), "{bad}");
            }
        }
    }

    #[test]
    fn a_buffer_of_any_size_is_enough_or_refused() {
        let length = offer_text(&local()).len();
        let answered = answer_text(&sdp(AUDIO), &local()).unwrap().0.len();
        for size in 0..512 {
            let mut buffer = std::vec![0; size];
            let written = write_offer(&mut buffer, &local(), ORIGIN);
            assert_eq!(written, if size < length { Err(WriteError::NoRoom) } else { Ok(length) });
            let written = answer(sdp(AUDIO).as_bytes(), &local(), ORIGIN, &mut buffer);
            assert_eq!(written.is_ok(), size >= answered, "{size}");
        }
    }

    #[test]
    fn a_later_offer_repeats_the_streams_and_keeps_the_numbers() {
        let offer = sdp("m=video 6000 RTP/AVP 31\r\nm=image 6002 udptl t38\r\n\
            m=audio 5000 RTP/AVP 96 8\r\na=rtpmap:96 telephone-event/8000\r\n\
            m=x-thing 6004 udp *\r\n");
        let (ours, plan) = answer_text(&offer, &local()).unwrap();
        let shape = Shape::of(ours.as_bytes()).unwrap();
        let mut hold = local();
        hold.direction = Direction::SendOnly;
        let mut buffer = [0; 512];
        let length = write_reoffer(&mut buffer, &hold, ORIGIN, &shape, &plan).unwrap();
        let text = core::str::from_utf8(&buffer[..length]).unwrap();
        assert_eq!(
            media_lines(text),
            [
                "m=video 0 RTP/AVP 31",
                "m=image 0 udptl t38",
                "m=audio 4000 RTP/AVP 0 8 96",
                "m=application 0 udp *"
            ]
        );
        assert!(text.contains("a=rtpmap:96 telephone-event/8000") && text.contains("a=sendonly"));
        assert_eq!(Shape::of(text.as_bytes()).map(|shape| shape != Shape::default()), Some(true));
        let answer = sdp("m=video 0 RTP/AVP 31\r\nm=image 0 udptl t38\r\n\
            m=audio 5000 RTP/AVP 8 96\r\na=rtpmap:96 telephone-event/8000\r\na=recvonly\r\n\
            m=application 0 udp *\r\n");
        let held = accept_answer(text.as_bytes(), answer.as_bytes(), &hold).unwrap();
        assert_eq!(held, MediaPlan { direction: Direction::SendOnly, ..plan });
    }

    #[test]
    fn a_description_without_a_stream_in_use_has_no_shape() {
        assert_eq!(Shape::of(sdp("").as_bytes()), None);
        assert_eq!(Shape::of(sdp("m=audio 0 RTP/AVP 0\r\n").as_bytes()), None);
        assert_eq!(Shape::of(sdp(&AUDIO.repeat(9)).as_bytes()), None);
        assert_eq!(Shape::of(b"x"), None);
    }
}

mod answering {
    use super::*;

    #[test]
    fn the_first_codec_of_the_offer_that_we_have_is_taken() {
        let (text, plan) =
            answer_text(&sdp("m=audio 5000 RTP/AVP 9 18 8 0\r\n"), &local()).unwrap();
        assert_eq!((plan.codec, plan.send_type, plan.receive_type), (Codec::Pcma, 8, 8));
        assert_eq!(plan.remote, address("198.51.100.1:5000"));
        assert_eq!(plan.remote_rtcp, address("198.51.100.1:5001"));
        assert_eq!(plan.local, address("192.0.2.1:4000"));
        assert_eq!(media_lines(&text), ["m=audio 4000 RTP/AVP 8"]);
    }

    #[test]
    fn dynamic_payload_types_are_the_offers_numbers() {
        let lines = "m=audio 5000 RTP/AVP 127 119\r\na=rtpmap:119 Telephone-Event/8000\r\n\
            a=rtpmap:127 pcma/8000/1\r\n";
        let (text, plan) = answer_text(&sdp(lines), &local()).unwrap();
        assert_eq!((plan.codec, plan.send_type, plan.receive_type), (Codec::Pcma, 127, 127));
        let dtmf = DtmfPlan { send_type: 119, receive_type: 119, clock_rate_hz: 8000 };
        assert_eq!(plan.dtmf, Some(dtmf));
        assert_eq!(media_lines(&text), ["m=audio 4000 RTP/AVP 127 119"]);
        assert!(text.contains("a=rtpmap:127 PCMA/8000\r\na=rtpmap:119 telephone-event/8000\r\n"));
    }

    #[test]
    fn a_mapping_overrides_a_static_number() {
        let lines = "m=audio 5000 RTP/AVP 0 3\r\na=rtpmap:0 L16/8000\r\na=rtpmap:3 PCMU/8000\r\n";
        assert_eq!(plan(lines).unwrap().send_type, 3);
        assert_eq!(
            plan("m=audio 5000 RTP/AVP 0\r\na=rtpmap:0 PCMU/16000\r\n"),
            Err(AnswerError::NotAcceptable)
        );
        assert_eq!(
            plan("m=audio 5000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000/2\r\n"),
            Err(AnswerError::NotAcceptable)
        );
    }

    #[test]
    fn a_doubled_mapping_counts_once_and_a_doubled_number_too() {
        let lines = "m=audio 5000 RTP/AVP 96 96\r\na=rtpmap:96 PCMA/8000\r\n\
            a=rtpmap:96 telephone-event/8000\r\n";
        let (text, plan) = answer_text(&sdp(lines), &local()).unwrap();
        assert_eq!((plan.codec, plan.send_type, plan.dtmf), (Codec::Pcma, 96, None));
        assert_eq!(media_lines(&text), ["m=audio 4000 RTP/AVP 96"]);
    }

    #[test]
    fn telephone_event_is_the_one_of_the_codecs_clock_rate() {
        let lines = "m=audio 5000 RTP/AVP 107 0 96 97\r\na=rtpmap:107 opus/48000/2\r\n\
            a=rtpmap:96 telephone-event/48000\r\na=rtpmap:97 telephone-event/8000\r\n\
            a=fmtp:97 0-255\r\n";
        assert_eq!(plan(lines).unwrap().dtmf.unwrap().send_type, 97);
        let lines = "m=audio 5000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/16000\r\n";
        assert_eq!(plan(lines).unwrap().dtmf, None);
        let lines = "m=audio 5000 RTP/AVP 96\r\na=rtpmap:96 telephone-event/8000\r\n";
        assert_eq!(plan(lines), Err(AnswerError::NotAcceptable));
        let lines = "m=audio 5000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\n";
        let mut silent = local();
        silent.dtmf = false;
        assert_eq!(answer_text(&sdp(lines), &silent).unwrap().1.dtmf, None);
    }

    #[test]
    fn every_stream_is_answered_in_its_place() {
        let lines = "m=video 6000 RTP/AVP 31 32\r\nc=IN IP4 203.0.113.5\r\n\
            m=audio 5000 RTP/SAVP 0\r\nm=audio 5002 RTP/AVPF 0\r\nm=audio 0 RTP/AVP 0\r\n\
            m=audio 5004 RTP/AVP 18\r\nm=audio 5006 RTP/AVP 8\r\nc=IN IP4 203.0.113.6\r\n\
            m=audio 5008 RTP/AVP 0\r\nm=application 5010 TCP/BFCP *\r\n";
        let (text, plan) = answer_text(&sdp(lines), &local()).unwrap();
        assert_eq!(plan.remote, address("203.0.113.6:5006"));
        assert_eq!(
            media_lines(&text),
            [
                "m=video 0 RTP/AVP 31",
                "m=audio 0 RTP/SAVP 0",
                "m=audio 0 RTP/AVPF 0",
                "m=audio 0 RTP/AVP 0",
                "m=audio 0 RTP/AVP 18",
                "m=audio 4000 RTP/AVP 8",
                "m=audio 0 RTP/AVP 0",
                "m=application 0 TCP/BFCP *"
            ]
        );
    }

    #[test]
    fn offers_that_we_cannot_use_are_488() {
        let lines = [
            String::new(),
            "m=video 5000 RTP/AVP 0\r\n".into(),
            "m=audio 0 RTP/AVP 0\r\n".into(),
            "m=audio 65536 RTP/AVP 0\r\n".into(),
            "m=audio 5000/2 RTP/AVP 0\r\n".into(),
            "m=audio 5000 RTP/AVP 3 4 18\r\n".into(),
            "m=audio 5000 RTP/AVP 111\r\n".into(),
            "m=audio 5000 RTP/SAVP 0\r\n".into(),
            "m=audio 5000 RTP/AVP 0\r\na=rtpmap:0 PCMU/0\r\n".into(),
            AUDIO.repeat(9),
            AUDIO.repeat(200),
            format!("{AUDIO}m=audio 5000 RTP/AVP 4294967296\r\n"),
            format!("{AUDIO}a=fmtp\0:0 x\r\n"),
        ];
        for lines in lines {
            let error = plan(&lines).unwrap_err();
            assert_eq!(error.status(), 488, "{lines}: {error}");
        }
        assert!(plan(&AUDIO.repeat(8)).is_ok());
    }

    #[test]
    fn nothing_is_sent_to_an_address_of_many_or_of_none() {
        let bad = [
            "IP4 255.255.255.255",
            "IP4 224.2.1.1",
            "IP4 224.2.1.1/127",
            "IP4 239.255.255.255",
            "IP4 240.0.0.1",
            "IP4 0.1.2.3",
            "IP4 host.example.com",
            "IP4 ::1",
            "IP6 192.0.2.1",
            "IP4 198.51.100.1/24",
            "IP4 198.51.100",
            "IP4 198.51.100.1.1",
            "IP4 198.51.100.256",
            "IP4 0198.51.100.1",
            "IP6 ff02::1",
            "IP6 ::ffff:224.0.0.1",
            "IP6 2001:db8::1",
            "IP6 ::ffff:255.255.255.255",
            "IP5 198.51.100.1",
        ];
        for bad in bad {
            let text = format!("{HEAD}c=IN {bad}\r\nt=0 0\r\n{AUDIO}");
            assert_eq!(answer_text(&text, &local()), Err(AnswerError::NotAcceptable), "{bad}");
            let text = sdp(&format!("{AUDIO}c=IN {bad}\r\n"));
            assert_eq!(answer_text(&text, &local()), Err(AnswerError::NotAcceptable), "{bad}");
            let six = LocalMedia::new(address("[2001:db8::7]:4000"));
            let refused = answer_text(&text, &six).is_err();
            assert!(refused || bad == "IP6 2001:db8::1", "{bad}");
        }
        let none = format!("{HEAD}t=0 0\r\n{AUDIO}");
        assert_eq!(answer_text(&none, &local()), Err(AnswerError::NotAcceptable));
        let atm = format!("{HEAD}c=ATM NSAP 47.0091\r\n{AUDIO}");
        assert_eq!(answer_text(&atm, &local()), Err(AnswerError::NotAcceptable));
    }

    #[test]
    fn an_ipv6_offer_is_answered_in_ipv6() {
        let six = LocalMedia::new(address("[2001:db8::7]:4000"));
        let text = sdp(&format!("{AUDIO}c=IN IP6 2001:db8::9\r\n"));
        let (text, plan) = answer_text(&text, &six).unwrap();
        assert_eq!(plan.remote, address("[2001:db8::9]:5000"));
        assert!(text.contains("c=IN IP6 2001:db8::7\r\n"));
    }

    #[test]
    fn directions_are_mirrored_within_what_we_want() {
        use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
        let cases = [
            ("", SendRecv, SendRecv),
            ("a=sendrecv\r\n", SendRecv, SendRecv),
            ("a=sendonly\r\n", SendRecv, RecvOnly),
            ("a=recvonly\r\n", SendRecv, SendOnly),
            ("a=inactive\r\n", SendRecv, Inactive),
            ("a=sendrecv\r\n", SendOnly, SendOnly),
            ("a=sendonly\r\n", SendOnly, Inactive),
            ("a=recvonly\r\n", SendOnly, SendOnly),
            ("a=recvonly\r\n", RecvOnly, Inactive),
            ("a=sendonly\r\n", RecvOnly, RecvOnly),
            ("a=sendrecv\r\n", Inactive, Inactive),
        ];
        for (line, ours, agreed) in cases {
            let mut local = local();
            local.direction = ours;
            let own = answer_text(&sdp(&format!("{AUDIO}{line}")), &local).unwrap();
            let session = answer_text(&sdp(&format!("{line}{AUDIO}")), &local).unwrap();
            assert_eq!((own.1.direction, session.1.direction), (agreed, agreed), "{line}");
            let text = own.0;
            let media = Session::parse(text.as_bytes()).unwrap().media().next().unwrap();
            assert_eq!(media.direction(), agreed, "{line}");
        }
        let both = sdp(&format!("a=sendonly\r\n{AUDIO}a=sendrecv\r\n"));
        assert_eq!(answer_text(&both, &local()).unwrap().1.direction, SendRecv);
    }

    #[test]
    fn the_old_form_of_hold_stops_rtp_and_rtcp() {
        for hold in ["IP4 0.0.0.0", "IP6 ::"] {
            let lines = format!("{AUDIO}c=IN {hold}\r\na=rtcp:7000 IN IP4 198.51.100.2\r\n");
            let plan = plan(&lines).unwrap();
            assert!(plan.remote.ip().is_unspecified() && plan.remote_rtcp.port() == 0);
            assert_eq!(plan.direction, Direction::RecvOnly);
        }
        assert_eq!(
            plan(&format!("{AUDIO}c=IN IP4 0.0.0.0\r\na=sendonly\r\n")).unwrap().direction,
            Direction::RecvOnly
        );
        assert_eq!(
            plan(&format!("{AUDIO}c=IN IP4 0.0.0.0\r\na=inactive\r\n")).unwrap().direction,
            Direction::Inactive
        );
    }

    #[test]
    fn any_ptime_gives_a_frame_that_a_session_can_hold() {
        let cases = [
            ("", 20),
            ("a=ptime:30", 30),
            ("a=ptime:60", 60),
            ("a=ptime:0", 20),
            ("a=ptime:5", 10),
            ("a=ptime:65535", 60),
            ("a=ptime:65536", 20),
            ("a=ptime:-1", 20),
            ("a=ptime:x", 20),
            ("a=ptime:", 20),
            ("a=ptime", 20),
            ("a=ptime:4294967316", 20),
            ("a=maxptime:10", 10),
            ("a=ptime:40\r\na=maxptime:30", 30),
            ("a=ptime:30\r\na=maxptime:0", 30),
            ("a=maxptime:65535", 20),
        ];
        for (line, ptime_ms) in cases {
            let plan = plan(&format!("{AUDIO}{line}\r\n")).unwrap();
            assert_eq!(plan.ptime_ms, ptime_ms, "{line}");
            assert!(plan.frame() <= crate::limits::FRAME_MAX);
        }
    }

    #[test]
    fn rtcp_goes_where_the_peer_says_or_nowhere() {
        let cases = [
            ("a=rtcp:7000", "198.51.100.1:7000"),
            ("a=rtcp:7000 IN IP4 198.51.100.2", "198.51.100.2:7000"),
            ("a=rtcp:0", "198.51.100.1:0"),
            ("a=rtcp:x", "198.51.100.1:0"),
            ("a=rtcp:65536", "198.51.100.1:0"),
            ("a=rtcp:7000 IN IP4", "198.51.100.1:0"),
            ("a=rtcp:7000 IN IP4 255.255.255.255", "198.51.100.1:0"),
            ("a=rtcp:7000 IN IP4 224.0.0.1", "198.51.100.1:0"),
            ("a=rtcp:7000 IN IP4 0.0.0.0", "198.51.100.1:0"),
            ("a=rtcp:7000 IN IP6 2001:db8::1", "198.51.100.1:0"),
        ];
        for (line, rtcp) in cases {
            let plan = plan(&format!("{AUDIO}{line}\r\n")).unwrap();
            assert_eq!(plan.remote_rtcp, address(rtcp), "{line}");
        }
        let last = plan("m=audio 65535 RTP/AVP 0\r\n").unwrap();
        assert_eq!((last.remote.port(), last.remote_rtcp.port()), (65535, 0));
    }

    #[test]
    fn an_identical_or_older_or_foreign_offer_gives_the_same_plan() {
        let first = answer_text(&sdp(AUDIO), &local()).unwrap();
        assert_eq!(answer_text(&sdp(AUDIO), &local()).unwrap(), first);
        for origin in ["o=- 1 0 IN", "o=- 9 1 IN", "o=x 1 1 IN"] {
            let text = sdp(AUDIO).replace("o=- 1 1 IN", origin);
            assert_eq!(answer_text(&text, &local()).unwrap(), first, "{origin}");
        }
    }
}

mod accepting {
    use super::*;

    #[test]
    fn the_peer_may_number_everything_anew() {
        let plan = accepted(
            "m=audio 5000 RTP/AVP 120 97\r\na=rtpmap:120 PCMA/8000\r\n\
            a=rtpmap:97 telephone-event/8000\r\na=sendrecv\r\n",
        )
        .unwrap();
        assert_eq!((plan.codec, plan.send_type, plan.receive_type), (Codec::Pcma, 120, 8));
        let dtmf = DtmfPlan { send_type: 97, receive_type: 101, clock_rate_hz: 8000 };
        assert_eq!(plan.dtmf, Some(dtmf));
    }

    #[test]
    fn of_several_codecs_the_first_that_we_offered_is_taken() {
        let plan = accepted("m=audio 5000 RTP/AVP 18 8 0\r\n").unwrap();
        assert_eq!((plan.codec, plan.dtmf), (Codec::Pcma, None));
        let mut local = local();
        local.codecs.push(Codec::Pcmu).unwrap();
        let offer = offer_text(&local);
        let answer = sdp("m=audio 5000 RTP/AVP 8 0\r\n");
        let plan = accept_answer(offer.as_bytes(), answer.as_bytes(), &local).unwrap();
        assert_eq!(plan.codec, Codec::Pcmu);
    }

    #[test]
    fn a_number_that_the_answer_does_not_map_means_what_we_said() {
        let plan = accepted("m=audio 5000 RTP/AVP 0 101\r\n").unwrap();
        assert_eq!(plan.dtmf.unwrap().send_type, 101);
        assert_eq!(accepted("m=audio 5000 RTP/AVP 0 102\r\n").unwrap().dtmf, None);
        let plan = accepted("m=audio 5000 RTP/AVP 0 101\r\na=rtpmap:101 x/8000\r\n").unwrap();
        assert_eq!(plan.dtmf, None);
    }

    #[test]
    fn answers_that_do_not_fit_the_offer_are_refused() {
        let video = "m=video 6000 RTP/AVP 31\r\n";
        assert_eq!(accepted(""), Err(AnswerError::Mismatch));
        assert_eq!(accepted(&format!("{AUDIO}{video}")), Err(AnswerError::Mismatch));
        assert_eq!(accepted(video), Err(AnswerError::Mismatch));
        assert_eq!(accepted("m=audio 0 RTP/AVP 0\r\n"), Err(AnswerError::Refused));
        let unusable = [
            "m=audio 65536 RTP/AVP 0\r\n",
            "m=audio 5000 RTP/SAVP 0\r\n",
            "m=audio 5000 RTP/AVP 18\r\n",
            "m=audio 5000 RTP/AVP 101\r\n",
            "m=audio 5000 RTP/AVP 0\r\nc=IN IP4 224.0.0.1\r\n",
            "m=audio 5000 RTP/AVP 0\r\nc=IN IP4 255.255.255.255\r\n",
            "m=audio 5000 RTP/AVP 0\r\nc=IN IP6 2001:db8::1\r\n",
        ];
        for lines in unusable {
            assert_eq!(accepted(lines), Err(AnswerError::NotAcceptable), "{lines}");
        }
        let malformed = accepted("m=audio x RTP/AVP 0\r\n");
        assert_eq!(malformed, Err(AnswerError::Malformed(SdpError::Port)));
    }

    #[test]
    fn an_answer_may_hold_in_both_forms() {
        let plan = accepted(&format!("{AUDIO}a=sendonly\r\n")).unwrap();
        assert_eq!(plan.direction, Direction::RecvOnly);
        let plan = accepted(&format!("{AUDIO}c=IN IP4 0.0.0.0\r\n")).unwrap();
        assert_eq!(plan.direction, Direction::RecvOnly);
        assert!(plan.remote.ip().is_unspecified());
    }

    #[test]
    fn an_answer_cannot_widen_the_direction_that_we_offered() {
        let mut hold = local();
        hold.direction = Direction::SendOnly;
        let offer = offer_text(&hold);
        let plan = accept_answer(offer.as_bytes(), sdp(AUDIO).as_bytes(), &hold).unwrap();
        assert_eq!(plan.direction, Direction::SendOnly);
    }

    proptest! {
        #[test]
        fn both_sides_agree(
            order in Just([Codec::Pcmu, Codec::Pcma]).prop_shuffle(),
            count in 0usize..=2, theirs in 0usize..=2, dtmf: (bool, bool),
            ptime_ms: (u8, u8), directions in (0usize..4, 0usize..4), six: bool,
            ports in (1u16.., 1u16..), ids: (u64, u64),
        ) {
            let all = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
            let ip = |four: &str, text: &str| if six { text.parse().unwrap() } else { four.parse().unwrap() };
            let mut a = LocalMedia::new(SocketAddr::new(ip("192.0.2.1", "2001:db8::1"), ports.0));
            let mut b = LocalMedia::new(SocketAddr::new(ip("192.0.2.2", "fe80::2"), ports.1));
            a.codecs.extend(order.into_iter().take(count));
            b.codecs.extend([Codec::Pcma, Codec::Pcmu].into_iter().take(theirs));
            (a.dtmf, b.dtmf) = dtmf;
            (a.ptime_ms, b.ptime_ms) = ptime_ms;
            (a.direction, b.direction) = (all[directions.0], all[directions.1]);
            let mut offer = [0; 512];
            let origin = Origin { session_id: ids.0, version: ids.1 };
            let length = write_offer(&mut offer, &a, origin).unwrap();
            let offer = &offer[..length];
            prop_assert_eq!(Session::parse(offer).unwrap().origin().numbers(), Some(origin));
            let mut reply = [0; 512];
            let Ok((length, seen_by_b)) = answer(offer, &b, ORIGIN, &mut reply) else {
                prop_assert!(count == 1 && theirs == 1 && order[0] == Codec::Pcmu);
                return Ok(());
            };
            let seen_by_a = accept_answer(offer, &reply[..length], &a).unwrap();
            prop_assert_eq!(seen_by_a.codec, seen_by_b.codec);
            prop_assert_eq!(seen_by_a.send_type, seen_by_b.receive_type);
            prop_assert_eq!(seen_by_b.send_type, seen_by_a.receive_type);
            prop_assert_eq!((seen_by_a.remote, seen_by_b.remote), (b.address, a.address));
            prop_assert_eq!(seen_by_a.direction, seen_by_b.direction.reversed());
            prop_assert_eq!(seen_by_a.dtmf.is_some(), a.dtmf && b.dtmf);
            prop_assert_eq!(seen_by_a.dtmf.is_some(), seen_by_b.dtmf.is_some());
            prop_assert_eq!(seen_by_a.ptime_ms, b.ptime_ms.clamp(10, 60));
            prop_assert_eq!(seen_by_b.ptime_ms, a.ptime_ms.clamp(10, 60));
        }
    }
}

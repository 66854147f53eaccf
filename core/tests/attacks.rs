//! What hostile peers send: lengths, counts, control bytes, smuggling, numbers, nesting, escapes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use sansip::sip::{
    CSeq, Contact, Credentials, Field, Head, HeadError, HeaderName, Message, Method, NameAddr,
    ParseError, RAck, ResponseOptions, SessionExpires, Uri, Via, WriteError, Writer, unescaped,
    unquoted,
};

const INVITE: &str = "INVITE sip:bob@example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK1\r\n\
    Max-Forwards: 70\r\n\
    From: \"Alice\" <sip:alice@example.com>;tag=a1\r\n\
    To: <sip:bob@example.com>\r\n\
    Call-ID: c1@192.0.2.1\r\n\
    CSeq: 1 INVITE\r\n\
    Contact: <sip:alice@192.0.2.1:5060;transport=udp>;expires=60\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 4\r\n\
    \r\n\
    body";

const LENGTHS: [usize; 21] = [
    0, 1, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 4095, 4096,
    4097, 65_535,
];
const COUNTS: [usize; 8] = [1, 31, 32, 33, 63, 64, 65, 1000];

/// The message with one line replaced, or taken out.
fn with(name: &str, line: &str) -> String {
    let mut replaced = false;
    let mut text = String::new();
    for old in INVITE.split_inclusive("\r\n") {
        if !replaced && old.starts_with(&format!("{name}:")) {
            replaced = true;
            text.push_str(line);
        } else {
            text.push_str(old);
        }
    }
    assert!(replaced, "no {name}");
    text
}

fn head_of(text: &str) -> Result<(), HeadError> {
    let message = Message::parse(text.as_bytes()).expect("frames");
    Head::parse(&message).map(drop)
}

/// Runs everything that reads bytes. If the message is accepted, its answer must echo Via, From,
/// To, Call-ID and CSeq byte for byte, and be a message itself. Gives whether it was accepted.
fn survives(bytes: &[u8]) -> bool {
    if let Some(salvaged) = Message::salvage(bytes) {
        answer(&salvaged, 400);
    }
    let Ok(message) = Message::parse(bytes) else { return false };
    for header in message.headers() {
        let _ = header.check();
        let rebuilt = [header.raw_name(), header.separator(), header.value, header.tail()].concat();
        assert_eq!(rebuilt, header.raw());
    }
    if Head::parse(&message).is_err() {
        answer(&message, 400);
        return false;
    }
    answer(&message, 200);
    true
}

fn answer(request: &Message<'_>, status: u16) {
    let source = "198.51.100.7:1234".parse().ok();
    for options in [
        ResponseOptions::default(),
        ResponseOptions { to_tag: Some(b"ours"), source, record_route: true },
    ] {
        let mut buffer = vec![0; request.bytes().len() + 200];
        let mut writer = Writer::new(&mut buffer);
        let len = writer.response_from(request, status, b"OK", &options).finish().expect("room");
        let response = Message::parse(&buffer[..len]).expect("our answer frames");
        for name in [HeaderName::Via, HeaderName::From, HeaderName::CallId, HeaderName::CSeq] {
            if options.source.is_some() && name == HeaderName::Via {
                continue;
            }
            assert_eq!(request.header(name), response.header(name), "{name}");
        }
        let (asked, answered) = (request.header(HeaderName::To), response.header(HeaderName::To));
        let (asked, answered) = (asked.unwrap_or_default(), answered.unwrap_or_default());
        assert!(answered.starts_with(asked));
        assert_eq!(request.count(HeaderName::Via), response.count(HeaderName::Via));
        let source = options.record_route;
        let expected = if source { request.count(HeaderName::RecordRoute) } else { 0 };
        assert_eq!(response.count(HeaderName::RecordRoute), expected);
        assert_eq!(response.body(), b"");
    }
}

#[test]
fn any_length_of_any_part_is_taken_whole_or_refused() {
    for length in LENGTHS {
        let long = "a".repeat(length);
        let variants = [
            INVITE.replacen("INVITE", &long, 1).replacen("1 INVITE", &format!("1 {long}"), 1),
            INVITE.replacen("bob@example.com", &format!("{long}@example.com"), 1),
            INVITE.replacen("bob@example.com", &format!("bob@{long}"), 1),
            INVITE.replacen("bob@example.com", &format!("bob@example.com;p={long}"), 1),
            INVITE.replacen("tag=a1", &format!("tag={long}"), 1),
            INVITE.replacen("z9hG4bK1", &format!("z9hG4bK{long}"), 1),
            INVITE.replacen("c1@192.0.2.1", &long, 1),
            INVITE.replacen("Alice", &long, 1),
            INVITE.replacen("Content-Type:", &format!("{long}: x\r\nContent-Type:"), 1),
            INVITE.replacen("Content-Type:", &format!("X-Long: {long}\r\nContent-Type:"), 1),
            INVITE.replacen(
                "INVITE sip:bob@example.com SIP/2.0",
                &format!("SIP/2.0 200 {long}"),
                1,
            ),
        ];
        for (place, text) in variants.iter().enumerate() {
            // With nothing in them, method, user, host and header name are errors.
            let is_valid = length != 0 || ![0, 1, 2, 3, 4, 6, 8].contains(&place);
            let is_short = text.len() - 4 <= 65_535;
            if length != 0 || !matches!(place, 3 | 4) {
                assert_eq!(survives(text.as_bytes()), is_valid && is_short, "{place}, {length}");
            } else {
                survives(text.as_bytes());
            }
        }
    }
}

#[test]
fn any_count_of_any_header_is_seen_whole() {
    let lines = [
        (HeaderName::Via, "Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK2\r\n"),
        (HeaderName::Route, "Route: <sip:192.0.2.2;lr>\r\n"),
        (HeaderName::RecordRoute, "Record-Route: <sip:192.0.2.2;lr>\r\n"),
        (HeaderName::Contact, "m: <sip:192.0.2.2>\r\n"),
        (HeaderName::Accept, "Accept: application/sdp\r\n"),
        (HeaderName::Supported, "k: timer\r\n"),
        (HeaderName::Warning, "Warning: 399 a \"text\"\r\n"),
        (HeaderName::Other(b"X-Unknown"), "x-unknown: value\r\n"),
    ];
    for count in COUNTS {
        for (name, line) in lines {
            let text = INVITE.replacen(
                "Content-Type:",
                &format!("{}Content-Type:", line.repeat(count)),
                1,
            );
            let message = Message::parse(text.as_bytes()).unwrap();
            let before = Message::parse(INVITE.as_bytes()).unwrap().values(name).count();
            assert_eq!(message.values(name).count(), before + count, "{name}, {count}");
            assert!(survives(text.as_bytes()));
            let (_, value) = line.trim_end().split_once(": ").unwrap();
            let list = format!("{}: {}\r\n", name, vec![value; count].join(", "));
            let text = INVITE.replacen("Content-Type:", &format!("{list}Content-Type:"), 1);
            let message = Message::parse(text.as_bytes()).unwrap();
            assert_eq!(message.values(name).count(), before + count, "{name}, {count}");
        }
        let params = ";p=v".repeat(count);
        let text = INVITE.replacen(";tag=a1", &format!("{params};tag=a1"), 1);
        let message = Message::parse(text.as_bytes()).unwrap();
        let head = Head::parse(&message).unwrap();
        assert_eq!(head.from_tag, Some(&b"a1"[..]));
        assert_eq!(head.from.params().count(), count + 1);
    }
}

#[test]
fn a_control_byte_at_any_place_breaks_nothing_out() {
    let original = Message::parse(INVITE.as_bytes()).unwrap();
    for place in 0..INVITE.len() {
        for byte in [0x00, 0x01, 0x09, 0x0a, 0x0d, 0x7f, 0x80, 0xff] {
            let mut bytes = INVITE.as_bytes().to_vec();
            bytes[place] = byte;
            survives(&bytes);
            bytes = INVITE.as_bytes().to_vec();
            bytes.insert(place, byte);
            if survives(&bytes) {
                let message = Message::parse(&bytes).unwrap();
                let more = usize::from(byte == b'\n');
                assert!(message.headers().count() <= original.headers().count() + more);
            }
        }
    }
}

#[test]
fn a_name_with_a_foreign_byte_is_never_a_known_header() {
    for byte in [0x00, 0x01, 0x0b, 0x7f, 0x80, 0xa0, b';', b'"', b'(', b'/'] {
        let text = with("To", "To?: <sip:bob@example.com>\r\n");
        let mut bytes = text.into_bytes();
        let at = bytes.windows(3).position(|window| window == b"To?").unwrap() + 2;
        bytes[at] = byte;
        assert!(Message::parse(&bytes).is_err(), "{byte}");
    }
    assert_eq!(head_of(&with("To", "To_: <sip:b@c>\r\n")), Err(HeadError::Missing(Field::To)));
}

#[test]
fn white_space_before_the_colon_does_not_hide_a_header() {
    for name in ["To ", "To\t", "TO \t ", "t ", "tO"] {
        let text = with("To", &format!("{name}: <sip:bob@example.com>;tag=x\r\n"));
        let message = Message::parse(text.as_bytes()).unwrap();
        assert_eq!(Head::parse(&message).unwrap().to_tag, Some(&b"x"[..]), "{name:?}");
    }
}

#[test]
fn a_fold_behind_the_start_line_is_refused() {
    for lead in [" ", "\t"] {
        let text = INVITE.replacen("Via:", &format!("{lead}Via:"), 1);
        assert_eq!(Message::parse(text.as_bytes()).err(), Some(ParseError::HeaderName));
    }
}

#[test]
fn a_second_header_of_those_that_stand_once_is_refused() {
    let fields = [
        (Field::From, "From", "f: <sip:eve@example.com>;tag=e"),
        (Field::To, "To", "T : <sip:eve@example.com>"),
        (Field::CallId, "Call-ID", "i: other"),
        (Field::CSeq, "CSeq", "CSEQ: 1 INVITE"),
        (Field::MaxForwards, "Max-Forwards", "max-forwards: 70"),
    ];
    for (field, name, second) in fields {
        let first = INVITE.lines().find(|line| line.starts_with(&format!("{name}:"))).unwrap();
        let text = with(name, &format!("{first}\r\n{second}\r\n"));
        assert_eq!(head_of(&text), Err(HeadError::Repeated(field)));
        assert_eq!(HeadError::Repeated(field).status(), 400);
    }
}

#[test]
fn content_lengths_must_agree_under_both_names() {
    for (second, expected) in [
        ("l: 4", None),
        ("l: 3", Some(ParseError::ContentLength)),
        ("Content-Length : 0", Some(ParseError::ContentLength)),
        ("l: 0004", None),
    ] {
        let text = with("Content-Length", &format!("Content-Length: 4\r\n{second}\r\n"));
        assert_eq!(Message::parse(text.as_bytes()).err(), expected, "{second}");
    }
}

#[test]
fn a_missing_mandatory_header_refuses_requests_and_responses() {
    let response =
        |text: &str| text.replacen("INVITE sip:bob@example.com SIP/2.0", "SIP/2.0 200 OK", 1);
    for (field, name) in [
        (Field::Via, "Via"),
        (Field::From, "From"),
        (Field::To, "To"),
        (Field::CallId, "Call-ID"),
        (Field::CSeq, "CSeq"),
    ] {
        assert_eq!(head_of(&with(name, "")), Err(HeadError::Missing(field)));
        assert_eq!(head_of(&response(&with(name, ""))), Err(HeadError::Missing(field)));
        survives(with(name, "").as_bytes());
    }
    let text = with("Max-Forwards", "");
    let message = Message::parse(text.as_bytes()).unwrap();
    assert_eq!(Head::parse(&message).unwrap().max_forwards, 70);
}

#[test]
fn numbers_never_wrap_and_never_default() {
    let wrong = [
        "-1",
        "+1",
        "1.5",
        "",
        "0x10",
        "4294967296",
        "18446744073709551616",
        "1 1",
        "1a",
        "1234567890123456789012345678901234567890",
    ];
    for number in wrong {
        let bytes = number.as_bytes();
        assert!(CSeq::parse(format!("{number} INVITE").as_bytes()).is_err(), "{number}");
        assert!(RAck::parse(format!("{number} 1 INVITE").as_bytes()).is_err(), "{number}");
        assert!(SessionExpires::parse(bytes).is_err(), "{number}");
        assert!(Uri::parse(format!("sip:a@b:{number}").as_bytes()).is_err(), "{number}");
        assert!(Via::parse(format!("SIP/2.0/UDP a;ttl={number}").as_bytes()).is_err(), "{number}");
        assert!(
            Via::parse(format!("SIP/2.0/UDP a;rport={number}").as_bytes()).is_err()
                || number.is_empty()
        );
        if number != "1.5" {
            assert!(
                Contact::parse(format!("<sip:a@b>;q={number}").as_bytes()).is_err(),
                "{number}"
            );
        }
        for name in ["Expires", "Min-Expires", "Max-Forwards", "Min-SE", "RSeq", "Retry-After"] {
            let text = with("Content-Type", &format!("{name}: {number}\r\n"));
            let message = Message::parse(text.as_bytes()).unwrap();
            let parsed = HeaderName::parse(name.as_bytes());
            if name == "Max-Forwards" {
                continue;
            }
            assert!(message.number(parsed).is_err(), "{name}: {number}");
        }
        let text = with("Max-Forwards", &format!("Max-Forwards: {number}\r\n"));
        assert!(head_of(&text).is_err(), "{number}");
        let text = with("Content-Length", &format!("Content-Length: {number}\r\n"));
        assert!(Message::parse(text.as_bytes()).is_err(), "{number}");
    }
    assert_eq!(
        head_of(&with("CSeq", "CSeq: 2147483648 INVITE\r\n")),
        Err(HeadError::Range(Field::CSeq))
    );
    assert_eq!(head_of(&with("CSeq", "CSeq: 2147483647 INVITE\r\n")), Ok(()));
    assert_eq!(head_of(&with("Max-Forwards", "Max-Forwards: 255\r\n")), Ok(()));
    assert!(head_of(&with("Max-Forwards", "Max-Forwards: 256\r\n")).is_err());
    assert!(Uri::parse(b"sip:a@b:65535").is_ok());
    assert!(Uri::parse(b"sip:a@b:65536").is_err());
    let expires = |text: &str| Contact::parse(text.as_bytes()).unwrap().expires_seconds();
    assert_eq!(expires("<sip:a@b>;expires=4294967296"), Some(u32::MAX));
    assert_eq!(expires("<sip:a@b>;expires=soon"), Some(3600));
    assert_eq!(expires("<sip:a@b>;expires=0"), Some(0));
}

#[test]
fn deep_nesting_needs_no_stack() {
    let values = [
        format!("User-Agent: {}\r\n", "(".repeat(10_000)),
        format!("Subject: {}\r\n", "\"\\".repeat(10_000)),
        format!("Contact: \"{}\" <sip:a@b>\r\n", "\\\"".repeat(10_000)),
        format!("Contact: {}sip:a@b\r\n", "<".repeat(10_000)),
        format!("Contact: <sip:a@b>{}\r\n", ";a=\"\\\"\"".repeat(5_000)),
        format!("Accept: {}\r\n", ",".repeat(10_000)),
        format!("WWW-Authenticate: Digest {}\r\n", "a=\"\\\\\",".repeat(5_000)),
        format!("Content-Type: multipart/mixed{}\r\n", ";boundary=a".repeat(1_000)),
    ];
    let small = std::thread::Builder::new().stack_size(64 * 1024);
    let thread = small.spawn(move || {
        for value in values {
            survives(with("Content-Type", &value).as_bytes());
        }
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn escapes_are_total_and_never_become_line_ends() {
    for broken in ["%", "%4", "%zz", "a%", "%0", "%%41"] {
        assert!(Uri::parse(format!("sip:{broken}@b").as_bytes()).is_err(), "{broken}");
        assert!(Uri::parse(format!("sip:a@b;p={broken}").as_bytes()).is_err(), "{broken}");
        assert!(Uri::parse(format!("sip:a@b?h={broken}").as_bytes()).is_err(), "{broken}");
        assert!(unescaped(broken.as_bytes()).count() <= broken.len());
    }
    let text = with("To", "To: <sip:%00%0d%0aEvil%3a%20x@example.com?Subject=%0d%0aEvil:x>\r\n");
    let message = Message::parse(text.as_bytes()).unwrap();
    let user = Head::parse(&message).unwrap().to.uri().user().unwrap();
    assert_eq!(unescaped(user).collect::<Vec<u8>>(), b"\0\r\nEvil: x");
    assert!(survives(text.as_bytes()));
    assert!(message.headers().all(|header| header.name != HeaderName::Other(b"Evil")));
    let decoded: Vec<u8> = unescaped(user).collect();
    let mut buffer = [0; 200];
    let error = Writer::new(&mut buffer).header(HeaderName::Subject, &decoded).finish();
    assert_eq!(error, Err(WriteError::Injection));
    // A backslash at the end of a quoted string has nothing to escape.
    assert!(NameAddr::parse(b"\"x\\\" <sip:a@b>").is_err());
    assert_eq!(unquoted(b"\"x\\").collect::<Vec<u8>>(), b"\"x\\");
    assert_eq!(unquoted(b"\"x\\\"").collect::<Vec<u8>>(), b"x\\");
    assert!(Credentials::parse(b"Digest username=\"x\\").is_err());
}

#[test]
fn no_prefix_of_a_message_is_accepted_as_a_shorter_one() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/rfc-examples/rfc3665");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut looked = 0;
    for file in files.iter().take(40) {
        let bytes = std::fs::read(file).unwrap();
        let whole = Message::parse(&bytes).unwrap();
        if whole.header(HeaderName::ContentLength).is_none() {
            continue;
        }
        looked += 1;
        for len in 0..whole.bytes().len() {
            assert!(!survives(&bytes[..len]), "{file:?} cut to {len}");
        }
    }
    assert!(looked >= 30, "{looked}");
}

#[test]
fn bare_lf_ends_lines_and_bare_cr_refuses() {
    let lf = INVITE.replace("\r\n", "\n");
    let message = Message::parse(lf.as_bytes()).unwrap();
    assert_eq!(message.body(), b"body");
    assert_eq!(message.headers().count(), 9);
    assert!(survives(lf.as_bytes()));
    let mixed = INVITE.replacen("70\r\n", "70\n", 1).replacen("\r\n\r\nbody", "\n\r\nbody", 1);
    assert!(survives(mixed.as_bytes()));
    let cr = INVITE.replacen("70\r\n", "70\r", 1);
    assert_eq!(Message::parse(cr.as_bytes()).err(), Some(ParseError::ControlByte));
    let end = INVITE.replacen("\r\n\r\nbody", "\r\r\nbody", 1);
    assert_eq!(Message::parse(end.as_bytes()).err(), Some(ParseError::ControlByte));
}

#[test]
fn nothing_an_application_gives_can_end_a_header() {
    for evil in ["a\r\nEvil: x", "a\nEvil: x", "a\r", "a\0b", "\r\n\r\n"] {
        let bytes = evil.as_bytes();
        type Attempt = fn(&mut Writer<'_>, &[u8]);
        let attempts: [Attempt; 12] = [
            |w, evil| {
                w.request(Method::Invite, evil);
            },
            |w, evil| {
                w.request(Method::Other(evil), b"sip:a");
            },
            |w, evil| {
                w.response(200, evil);
            },
            |w, evil| {
                w.header(HeaderName::Subject, evil);
            },
            |w, evil| {
                w.header(HeaderName::Other(evil), b"x");
            },
            |w, evil| {
                w.open(HeaderName::To).quoted(evil).close();
            },
            |w, evil| {
                w.open(HeaderName::To).text(evil).close();
            },
            |w, evil| {
                w.open(HeaderName::To).unfolded(evil).close();
            },
            |w, evil| {
                w.raw_line(evil);
            },
            |w, evil| {
                w.raw_line(&[b"X: ", evil].concat());
            },
            |w, evil| {
                let _ = w.finish_with_body(evil, b"");
            },
            |w, evil| {
                let _ = w.finish_with(evil, |_| Ok::<usize, ()>(0));
            },
        ];
        for (place, attempt) in attempts.iter().enumerate() {
            let mut buffer = [0; 200];
            let mut writer = Writer::new(&mut buffer);
            attempt(&mut writer, bytes);
            assert_eq!(writer.outcome(), Err(WriteError::Injection), "{place}: {evil:?}");
            // And the error stays.
            assert_eq!(
                writer.header_number(HeaderName::Expires, 1).finish(),
                Err(WriteError::Injection)
            );
            assert_eq!(writer.written(), b"");
        }
    }
    for line in ["", "no colon", ": x", " X: y", "X Y: z"] {
        let mut buffer = [0; 200];
        assert!(Writer::new(&mut buffer).raw_line(line.as_bytes()).finish().is_err(), "{line}");
    }
}

#[test]
fn every_buffer_that_is_too_small_is_an_error() {
    let write = |buffer: &mut [u8]| {
        let message = Message::parse(INVITE.as_bytes()).unwrap();
        let options = ResponseOptions {
            to_tag: Some(b"t"),
            source: "[2001:db8::1]:9".parse().ok(),
            record_route: true,
        };
        let mut writer = Writer::new(buffer);
        writer.response_from(&message, 200, b"OK", &options);
        writer.finish_with(b"application/sdp", |room| match room.get_mut(..7) {
            Some(room) => {
                room.copy_from_slice(b"v=0\r\n..");
                Ok(7)
            }
            None => Err(()),
        })
    };
    let mut buffer = [0; 1000];
    let needed = write(&mut buffer).unwrap();
    // The room for the length is five digits, one of which is used.
    for len in 0..needed + 4 {
        assert!(write(&mut buffer[..len]).is_err(), "{len}");
    }
    assert_eq!(write(&mut buffer[..needed + 4]), Ok(needed));
}

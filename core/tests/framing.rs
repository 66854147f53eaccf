//! Cutting messages from streams, whole and byte by byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use sansip::sip::{Frame, FrameError, Framer, Message};

/// What a stream came to: whole messages, pings, and the error that ended it.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    messages: Vec<Vec<u8>>,
    pings: usize,
    error: Option<FrameError>,
}

/// Feeds the stream in segments that end at `cuts` and at its end.
fn cut(stream: &[u8], limit_bytes: usize, cuts: impl Iterator<Item = usize>) -> Outcome {
    let mut framer = Framer::new(limit_bytes);
    let mut outcome = Outcome::default();
    let mut taken = 0;
    for arrived in cuts.chain([stream.len()]) {
        loop {
            match framer.next(&stream[taken..arrived]) {
                Frame::Incomplete => break,
                Frame::KeepAlive { len, ping } => {
                    taken += len;
                    outcome.pings += usize::from(ping);
                }
                Frame::Message(len) => {
                    outcome.messages.push(stream[taken..taken + len].to_vec());
                    taken += len;
                }
                Frame::Error(error) => {
                    outcome.error = Some(error);
                    return outcome;
                }
            }
        }
    }
    outcome
}

fn message(place: usize) -> Vec<u8> {
    let body = "b\r\n\r\n".repeat(place);
    let line_end = if place % 3 == 2 { "\n" } else { "\r\n" };
    let head = [
        "MESSAGE sip:a@b SIP/2.0",
        "Subject: folded",
        "\tvalue",
        &format!("l : {:04}", body.len()),
        "",
        "",
    ];
    [head.join(line_end), body].concat().into_bytes()
}

#[test]
fn pipelined_messages_come_out_the_same_however_they_arrive() {
    let messages: Vec<Vec<u8>> = (0..10).map(message).collect();
    let stream = messages.concat();
    let whole = cut(&stream, 4096, [].into_iter());
    assert_eq!(whole.messages, messages);
    assert_eq!(whole.error, None);
    assert_eq!(cut(&stream, 4096, 0..stream.len()), whole);
    for split in 0..stream.len() {
        assert_eq!(cut(&stream, 4096, [split].into_iter()), whole, "{split}");
    }
}

#[test]
fn every_stream_error_is_the_same_byte_by_byte() {
    let long = format!("X: {}\r\n", "x".repeat(600));
    let lines = [
        "",
        "l: 4\r\n",
        "l: 5\r\nContent-Length: 5\r\n",
        "l: 4\r\nl: 5\r\n",
        "l: -1\r\n",
        "l: +5\r\n",
        "l: 0005\r\n",
        "l: 4294967295\r\n",
        "l: 9223372036854775808\r\n",
        "l: 18446744073709551616\r\n",
        "l: 500\r\n",
        "l:\r\n",
        "l: 0\r\nbad line\r\n",
        "l: 0\r\n\0: x\r\n",
        "l: 0\r\nX: a\rb\r\n",
        &long,
    ];
    for line in lines {
        let stream =
            format!("A sip:a@b SIP/2.0\r\n{line}\r\nbodyA sip:a@b SIP/2.0\r\nl: 0\r\n\r\n");
        let whole = cut(stream.as_bytes(), 512, [].into_iter());
        assert_eq!(cut(stream.as_bytes(), 512, 0..stream.len()), whole, "{line:?}");
    }
}

#[test]
fn a_length_over_the_limit_is_refused_at_the_end_of_the_headers() {
    let head = |length: &str| format!("A sip:a@b SIP/2.0\r\nContent-Length: {length}\r\n\r\n");
    let first = |length: &str| Framer::new(1000).next(head(length).as_bytes());
    let room = 1000 - head("900").len();
    assert_eq!(first(&room.to_string()), Frame::Incomplete);
    assert_eq!(first(&(room + 1).to_string()), Frame::Error(FrameError::TooLong));
    assert_eq!(first("4294967295"), Frame::Error(FrameError::TooLong));
    assert_eq!(first("18446744073709551615"), Frame::Error(FrameError::TooLong));
    assert_eq!(first("18446744073709551616"), Frame::Error(FrameError::TooLong));
    assert_eq!(first("-1"), Frame::Error(FrameError::ContentLength));
    assert_eq!(first("+5"), Frame::Error(FrameError::ContentLength));
    assert_eq!(first("0000"), Frame::Message(head("0000").len()));
    let absent = Framer::new(1000).next(b"A sip:a@b SIP/2.0\r\nX: y\r\n\r\n");
    assert_eq!(absent, Frame::Error(FrameError::NoContentLength));
}

#[test]
fn a_header_section_that_never_ends_is_refused_at_the_limit() {
    let mut framer = Framer::new(100);
    let stream = [b'x'; 101];
    assert_eq!(framer.next(&stream[..100]), Frame::Incomplete);
    assert_eq!(framer.next(&stream), Frame::Error(FrameError::TooLong));
}

#[test]
fn line_ends_between_messages_are_dropped_and_two_make_a_ping() {
    let text = "A sip:a@b SIP/2.0\r\nl: 0\r\n\r\n";
    let stream = format!("\r\n{text}\r\n\r\n{text}\r\n\r\n\r\n\r\n\n{text}");
    for outcome in
        [cut(stream.as_bytes(), 512, [].into_iter()), cut(stream.as_bytes(), 512, 0..stream.len())]
    {
        assert_eq!(outcome.messages.len(), 3);
        assert_eq!(outcome.pings, 3);
        assert_eq!(outcome.error, None);
    }
    assert_eq!(Framer::new(512).next(b"\rA"), Frame::Error(FrameError::Malformed));
}

#[test]
fn a_body_is_never_read_as_a_message_within_its_length() {
    let inner = "BYE sip:a@b SIP/2.0\r\nl: 0\r\n\r\n";
    let stream = format!("A sip:a@b SIP/2.0\r\nl: {}\r\n\r\n{inner}{inner}", inner.len());
    let outcome = cut(stream.as_bytes(), 512, 0..stream.len());
    assert_eq!(outcome.messages.len(), 2);
    assert!(outcome.messages[0].ends_with(inner.as_bytes()));
    assert_eq!(outcome.messages[1], inner.as_bytes());
}

#[test]
fn what_the_framer_cuts_is_what_a_datagram_of_it_means() {
    for place in 0..10 {
        let bytes = message(place);
        assert_eq!(Framer::new(4096).next(&bytes), Frame::Message(bytes.len()));
        assert_eq!(Message::parse(&bytes).unwrap().bytes(), bytes);
    }
}

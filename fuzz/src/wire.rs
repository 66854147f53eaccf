//! Parsers and the writer.

use sansip::rtp::{self, rtcp as reports};
use sansip::sdp::{LocalMedia, Origin, Session, accept_answer, answer, write_offer};
use sansip::sip::{
    Challenge, Contact, Credentials, Frame, Framer, Head, HeaderName, Message, Method, NameAddr,
    ResponseOptions, StartLine, Uri, Via, WriteError, Writer,
};

/// Any bytes parse or are refused; what parses is rebuilt byte for byte from its parts; a head
/// holds what was validated; every reader of a header is total.
pub fn message(data: &[u8]) {
    let Ok(message) = Message::parse(data) else {
        if let Some(salvaged) = Message::salvage(data) {
            answer_to(&salvaged);
        }
        return;
    };
    let mut room = vec![0; data.len() + 64];
    let mut writer = Writer::new(&mut room);
    writer.start_line(&message.start_line());
    let mut headers = 0;
    for header in message.headers() {
        writer.raw_header(&header);
        let _ = header.check();
        for value in header.values() {
            assert!(value.len() <= header.raw().len());
        }
        headers += 1;
    }
    assert!(headers <= data.len());
    // the start line is written in its one right form; headers stay as they came
    let outcome = writer.outcome();
    if let StartLine::Response { reason, .. } = message.start_line()
        && reason.iter().any(|byte| matches!(byte, 0 | b'\r'))
    {
        // read for the sake of the call, written never (RFC 3261 s25.1, Reason-Phrase)
        assert_eq!(outcome, Err(WriteError::Injection));
        return;
    }
    let len = outcome.expect("a message fits into its own length");
    let after_line = |bytes: &[u8]| bytes.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1);
    let (ours, theirs) = (&room[..len], message.bytes());
    let (ours, theirs) = (&ours[after_line(ours)..], &theirs[after_line(theirs)..]);
    assert!(theirs.starts_with(ours), "headers are rebuilt byte for byte");
    let _ = message.check_headers();
    if let Ok(head) = Head::parse(&message) {
        assert!(head.cseq.number < 1 << 31);
        assert_eq!(head.to_tag, head.to.tag());
        assert!(head.via_count >= 1);
        answer_to(&message);
    }
}

fn answer_to(message: &Message<'_>) {
    let mut room = vec![0; message.bytes().len() + 512];
    let mut writer = Writer::new(&mut room);
    let source = "192.0.2.9:5060".parse().ok();
    let options = ResponseOptions { to_tag: Some(b"t"), source, record_route: true };
    writer.response_from(message, 400, b"Bad Request", &options);
    if let Ok(len) = writer.finish() {
        let response = Message::parse(&room[..len]).expect("a response of ours parses");
        assert_eq!(response.status(), Some(400));
    }
}

/// A URI that parses is itself, equals itself, and names no host that is not in it.
pub fn uri(data: &[u8]) {
    let Ok(uri) = Uri::parse(data) else { return };
    assert_eq!(uri.as_bytes(), data);
    if uri.is_sip() {
        assert!(uri.equivalent(&uri), "a URI equals itself");
        let _ = uri.host().and_then(|host| host.address());
    }
    let params = uri.params().count();
    assert!(params <= data.len());
    let _ = sansip::sip::unescaped(data).count();
    let half = data.len() / 2;
    if let (Ok(a), Ok(b)) = (Uri::parse(&data[..half]), Uri::parse(&data[half..])) {
        assert_eq!(a.equivalent(&b), b.equivalent(&a), "comparison is symmetric");
    }
}

/// Every typed value reads any bytes or refuses them, and gives only parts of what it read.
pub fn header(data: &[u8]) {
    if let Ok(via) = Via::parse(data) {
        assert!(!via.host().as_bytes().is_empty());
        let _ = (via.branch(), via.received(), via.rport(), via.maddr(), via.ttl());
    }
    if let Ok(address) = NameAddr::parse(data) {
        assert!(address.without_params().len() <= data.len());
        let _ = sansip::sip::unquoted(address.display()).count();
    }
    if let Ok(contact) = Contact::parse(data) {
        assert!(contact.q_thousandths().is_none_or(|q| q <= 1000));
        let _ = (contact.expires_seconds(), contact.instance());
    }
    let mut rest = data;
    while let Ok((challenge, after)) = Challenge::parse(rest) {
        let _ = (challenge.realm(), challenge.nonce(), challenge.qop(), challenge.stale());
        assert!(after.len() < rest.len(), "each challenge takes bytes");
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    if let Ok(credentials) = Credentials::parse(data) {
        let _ = (credentials.username(), credentials.nonce_count());
    }
}

/// SDP parses or is refused, every line survives, and negotiation answers or refuses; what we write
/// parses again.
pub fn sdp(data: &[u8]) {
    let local = LocalMedia::new("192.0.2.1:4000".parse().expect("an address"));
    let origin = Origin { session_id: 1, version: 1 };
    let mut room = vec![0; 4096];
    if let Ok(session) = Session::parse(data) {
        let lines: usize = session.lines().map(|line| line.raw.len()).sum();
        assert_eq!(lines, session.bytes().len(), "lines are the whole");
        for media in session.media() {
            let _ = (media.connection(), media.ptime_ms(), media.direction(), media.rtcp());
            for payload_type in media.payload_types() {
                assert!(payload_type < 128);
                let _ = (media.rtpmap(payload_type), media.fmtp(payload_type));
            }
        }
    }
    if let Ok((len, plan)) = answer(data, &local, origin, &mut room) {
        let ours = Session::parse(&room[..len]).expect("an answer of ours parses");
        let theirs = Session::parse(data).expect("what was answered parses");
        assert_eq!(ours.media().count(), theirs.media().count(), "an m-line for each");
        assert!((10..=60).contains(&plan.ptime_ms));
        assert!(plan.frame() <= sansip::limits::FRAME_MAX);
        assert!(!plan.remote.ip().is_multicast());
    }
    let len = write_offer(&mut room, &local, origin).expect("an offer fits");
    if let Ok(plan) = accept_answer(&room[..len], data, &local) {
        assert!(!plan.remote.ip().is_multicast());
    }
}

/// The whole stream at once and one byte at a time give the same messages; nothing exceeds the
/// limit.
pub fn framer(data: &[u8]) {
    const LIMIT: usize = 4096;
    let mut whole = Vec::new();
    let mut framer = Framer::new(LIMIT);
    let mut rest = data;
    let ended = loop {
        match framer.next(rest) {
            Frame::Message(len) => {
                assert!(len <= LIMIT && len > 0);
                whole.push(rest[..len].to_vec());
                rest = &rest[len..];
            }
            Frame::KeepAlive { len, .. } => {
                assert!(len > 0);
                rest = &rest[len..];
            }
            Frame::Incomplete => break None,
            Frame::Error(error) => break Some(error),
        }
    };
    let mut bytewise = Vec::new();
    let mut framer = Framer::new(LIMIT);
    let mut held = Vec::new();
    let mut failed = None;
    'bytes: for byte in data {
        held.push(*byte);
        loop {
            match framer.next(&held) {
                Frame::Message(len) => bytewise.push(held.drain(..len).collect::<Vec<u8>>()),
                Frame::KeepAlive { len, .. } => drop(held.drain(..len)),
                Frame::Incomplete => break,
                Frame::Error(error) => {
                    failed = Some(error);
                    break 'bytes;
                }
            }
        }
    }
    assert_eq!(whole, bytewise);
    assert_eq!(ended, failed);
}

/// RTP parses or is refused; its parts are the whole packet, and written they parse to the same.
pub fn rtp(data: &[u8]) {
    let Ok(packet) = rtp::Packet::parse(data) else { return };
    assert!(packet.contributing_sources().count() <= 15);
    assert_eq!(packet.wire_len(), data.len());
    let mut room = vec![0; data.len()];
    assert_eq!(packet.write(&mut room), Ok(data.len()));
    assert_eq!(rtp::Packet::parse(&room), Ok(packet));
    room.pop();
    assert_eq!(packet.write(&mut room), Err(rtp::TooSmall));
}

/// A compound always advances, and ends; its lists hold what their five-bit counts can say.
pub fn rtcp(data: &[u8]) {
    let Ok(compound) = reports::Compound::parse(data) else { return };
    let mut packets = 0;
    for packet in compound.packets() {
        packets += 1;
        match packet {
            reports::Packet::SourceDescription(chunks) => {
                for chunk in chunks.iter() {
                    assert!(chunk.items().count() <= data.len());
                }
            }
            reports::Packet::Bye(bye) => assert!(bye.sources().count() <= 31),
            reports::Packet::SenderReport { reports, .. }
            | reports::Packet::ReceiverReport { reports, .. } => {
                assert!(reports.iter().count() <= 31);
                for block in reports.iter() {
                    let lost = -(1 << 23)..1 << 23;
                    assert!(lost.contains(&block.cumulative_lost), "24 bits with a sign");
                }
            }
            _ => {}
        }
    }
    assert!(packets <= data.len() / 4);
}

/// Into a buffer of any size, from any text: what is written parses, has no line that was not
/// meant, and an error wins over all that follows.
pub fn writer(data: &[u8]) {
    let Some((size, rest)) = data.split_first() else { return };
    let (name, value) = rest.split_at(rest.len() / 3);
    let name = HeaderName::parse(name);
    if name == HeaderName::ContentLength {
        return; // the writer's own; whoever writes it as well breaks the message knowingly
    }
    let mut room = vec![0; usize::from(*size) * 4];
    let mut writer = Writer::new(&mut room);
    writer.request(Method::Options, b"sip:a@192.0.2.1");
    writer.header(name, value);
    writer.open(HeaderName::Contact).text(b"<sip:").text(value).text(b">").close();
    writer.open(HeaderName::From).quoted(value).text(b" <sip:a@b>").close();
    let outcome = writer.finish_with(b"text/plain", |body| {
        let len = value.len().min(body.len());
        body[..len].copy_from_slice(&value[..len]);
        Ok::<usize, ()>(len)
    });
    match outcome {
        Ok(len) => {
            let message = Message::parse(&room[..len]).expect("what was written parses");
            assert_eq!(message.headers().count(), 5, "no header was smuggled in");
        }
        Err(WriteError::Injection) => {}
        Err(_) => {}
    }
}

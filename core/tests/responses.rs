//! What a response takes over from its request.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use sansip::sip::{HeaderName, Message, ResponseOptions, Writer};

const REQUEST: &str = "OPTIONS sip:a@b SIP/2.0\r\n\
    v : SIP/2.0/UDP 192.0.2.1:5060 ; branch=z9hG4bK1;rport, SIP/2.0/TCP p;branch=z9hG4bK2\r\n\
    X-Between: 1\r\n\
    Via: SIP/2.0/TLS q;branch=z9hG4bK3\r\n\
    Record-Route: <sip:p;lr>\r\n\
    t: <sip:a@b>\r\n\
    F: \"A\r\n B\" <sip:c@d>;tag=1\r\n\
    i: 1\r\n\
    CSeq: 1\r\n OPTIONS\r\n\
    Record-Route: <sip:q;lr>\r\n\r\n";

fn respond(request: &str, options: &ResponseOptions<'_>) -> String {
    let message = Message::parse(request.as_bytes()).unwrap();
    let mut buffer = [0; 1000];
    let mut writer = Writer::new(&mut buffer);
    let len = writer.response_from(&message, 200, b"OK", options).finish().unwrap();
    String::from_utf8(buffer[..len].to_vec()).unwrap()
}

#[test]
fn mandatory_headers_are_repeated_byte_for_byte() {
    let expected = "SIP/2.0 200 OK\r\n\
        v : SIP/2.0/UDP 192.0.2.1:5060 ; branch=z9hG4bK1;rport, SIP/2.0/TCP p;branch=z9hG4bK2\r\n\
        Via: SIP/2.0/TLS q;branch=z9hG4bK3\r\n\
        F: \"A\r\n B\" <sip:c@d>;tag=1\r\n\
        t: <sip:a@b>\r\n\
        i: 1\r\n\
        CSeq: 1\r\n OPTIONS\r\n\
        Content-Length: 0\r\n\r\n";
    assert_eq!(respond(REQUEST, &ResponseOptions::default()), expected);
}

#[test]
fn record_routes_are_repeated_in_order_where_asked_for() {
    let options = ResponseOptions { record_route: true, ..ResponseOptions::default() };
    let response = respond(REQUEST, &options);
    let message = Message::parse(response.as_bytes()).unwrap();
    let routes: Vec<_> = message.values(HeaderName::RecordRoute).collect();
    assert_eq!(routes, [b"<sip:p;lr>", b"<sip:q;lr>"]);
}

#[test]
fn a_to_without_tag_gets_ours_and_one_with_tag_keeps_its_own() {
    let options = ResponseOptions { to_tag: Some(b"ours"), ..ResponseOptions::default() };
    let to = |line: &str| {
        let request = REQUEST.replacen("t: <sip:a@b>", line, 1);
        let response = respond(&request, &options);
        let message = Message::parse(response.as_bytes()).unwrap();
        String::from_utf8(message.header(HeaderName::To).unwrap().to_vec()).unwrap()
    };
    assert_eq!(to("To: <sip:a@b>"), "<sip:a@b>;tag=ours");
    assert_eq!(to("To: sip:a@b"), "sip:a@b;tag=ours");
    assert_eq!(to("To: <sip:a@b;tag=uri>"), "<sip:a@b;tag=uri>;tag=ours");
    assert_eq!(to("To: <sip:a@b>;x=tag"), "<sip:a@b>;x=tag;tag=ours");
    assert_eq!(to("To: <sip:a@b> ; TAG = theirs"), "<sip:a@b> ; TAG = theirs");
    assert_eq!(to("To: sip:a@b;tag=theirs"), "sip:a@b;tag=theirs");
}

#[test]
fn the_top_via_alone_says_where_the_request_came_from() {
    let via = |line: &str, source: &str| {
        let source = Some(source.parse().unwrap());
        let request = format!("OPTIONS sip:a@b SIP/2.0\r\n{line}\r\nVia: SIP/2.0/UDP z\r\n\r\n");
        let response = respond(&request, &ResponseOptions { source, ..ResponseOptions::default() });
        let message = Message::parse(response.as_bytes()).unwrap();
        let lines: Vec<_> = message.headers().map(|header| header.value.to_vec()).collect();
        assert_eq!(lines[1], b"SIP/2.0/UDP z");
        String::from_utf8(lines[0].clone()).unwrap()
    };
    // RFC 3581 s4: both, although the address is the same.
    assert_eq!(
        via("Via: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=1, SIP/2.0/UDP y", "192.0.2.1:9"),
        "SIP/2.0/UDP 192.0.2.1:5060;branch=1;received=192.0.2.1;rport=9, SIP/2.0/UDP y"
    );
    // A malformed one is repeated as it is.
    assert_eq!(via("Via: SIP/2.0/UDP host;ttl", "192.0.2.1:9"), "SIP/2.0/UDP host;ttl");
    // RFC 3261 s18.2.1: received alone, and only where the host differs.
    assert_eq!(
        via("Via: SIP/2.0/UDP host;branch=1", "192.0.2.1:9"),
        "SIP/2.0/UDP host;branch=1;received=192.0.2.1"
    );
    assert_eq!(
        via("Via: SIP/2.0/UDP 192.0.2.1;branch=1", "192.0.2.1:9"),
        "SIP/2.0/UDP 192.0.2.1;branch=1"
    );
    assert_eq!(
        via("Via: SIP/2.0/UDP [2001:db8::1];branch=1;received=forged;RPORT=1", "[2001:db8::2]:9"),
        "SIP/2.0/UDP [2001:db8::1];branch=1;received=2001:db8::2;rport=9"
    );
}

#[test]
fn folded_values_are_written_on_one_line() {
    let mut buffer = [0; 100];
    let mut writer = Writer::new(&mut buffer);
    writer.open(HeaderName::Route).unfolded(b"<sip:a>,\r\n \t<sip:b>\n <sip:c>").close();
    assert_eq!(writer.written(), b"Route: <sip:a>, <sip:b> <sip:c>\r\n");
}

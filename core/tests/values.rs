//! Every typed value: parsed parts write back to the same bytes; no bytes break a parser.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use core::net::{IpAddr, SocketAddr};

use proptest::prelude::*;
use sansip::sip::{
    CSeq, Challenge, Contact, ContentType, Credentials, Event, Frame, Framer, Head, HeaderName,
    Message, Method, NameAddr, Params, RAck, Reason, Refresher, Replaces, Scheme, SessionExpires,
    SubscriptionState, TransportName, Uri, ValueError, Via, Writer, unescaped, unquoted,
};

/// What the writer makes of `compose`.
fn written(compose: impl FnOnce(&mut Writer<'_>)) -> String {
    let mut buffer = vec![0; 10_000];
    let mut writer = Writer::new(&mut buffer);
    compose(&mut writer);
    let len = writer.outcome().expect("no error");
    String::from_utf8(buffer[..len].to_vec()).expect("text")
}

fn write_params(writer: &mut Writer<'_>, params: Params<'_>) {
    for (name, value) in params {
        writer.text(b";").text(name);
        if let Some(value) = value {
            writer.text(b"=").text(value);
        }
    }
}

fn write_uri(writer: &mut Writer<'_>, uri: Uri<'_>) {
    writer.text(match uri.scheme() {
        Scheme::Sip => b"sip:",
        Scheme::Sips => b"sips:",
        Scheme::Tel => b"tel:",
        Scheme::Other(_) => panic!("not generated"),
    });
    writer.text(uri.user().unwrap_or_default());
    if let Some(password) = uri.password() {
        writer.text(b":").text(password);
    }
    if let Some(host) = uri.host() {
        writer.text(if uri.user().is_some() { b"@" } else { b"" }).text(host.as_bytes());
    }
    if let Some(port) = uri.port() {
        writer.text(b":").number(port.into());
    }
    write_params(writer, uri.params());
    if let Some(headers) = uri.headers() {
        writer.text(b"?").text(headers);
    }
}

fn write_name_addr(writer: &mut Writer<'_>, address: NameAddr<'_>) {
    if !address.display().is_empty() {
        writer.text(address.display()).text(b" ");
    }
    write_uri(writer.text(b"<"), address.uri());
    write_params(writer.text(b">"), address.params());
}

fn token() -> impl Strategy<Value = String> {
    "[-A-Za-z0-9.!%*_+`'~]{1,12}"
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?(\\.[a-z][a-z0-9]{0,5}){0,2}",
        any::<[u8; 4]>().prop_map(|octets| IpAddr::from(octets).to_string()),
        any::<[u16; 8]>().prop_map(|groups| format!("[{}]", IpAddr::from(groups))),
    ]
}

fn port() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), (0..=65_535).prop_map(|port| format!(":{port}"))]
}

/// Parameters of a header.
fn params() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just(String::new()),
        token().prop_map(|value| format!("={value}")),
        quoted().prop_map(|value| format!("={value}")),
        host().prop_map(|value| format!("={value}")),
    ];
    let param = (token(), value).prop_map(|(name, value)| format!(";x{name}{value}"));
    proptest::collection::vec(param, 0..4).prop_map(|params| params.concat())
}

fn quoted() -> impl Strategy<Value = String> {
    "([ !#-\\[\\]-~é]|\\\\[ -~]){0,12}".prop_map(|content| format!("\"{content}\""))
}

fn sip_uri() -> impl Strategy<Value = String> {
    let user = prop_oneof![
        Just(String::new()),
        "([-a-zA-Z0-9_.!~*'()&=+$,;?/]|%[0-9a-fA-F]{2}){1,12}(:[a-z0-9&=+$,]{0,5})?@",
    ];
    let params = proptest::collection::vec(
        "(;[-a-z0-9_.!~*'()\\[\\]/:&+$]{1,6}|;a%4[0-9])(=[-a-z0-9_.!~*'()\\[\\]/:&+$]{1,6})?",
        0..3,
    );
    let headers = prop_oneof![Just(String::new()), "\\?[a-z]{1,5}=[a-z%20]{0}[a-z]{0,5}(&b=c)?"];
    (prop_oneof!["sip:", "sips:"], user, host(), port(), params, headers).prop_map(
        |(scheme, user, host, port, params, headers)| {
            format!("{scheme}{user}{host}{port}{}{headers}", params.concat())
        },
    )
}

fn uri() -> impl Strategy<Value = String> {
    prop_oneof![4 => sip_uri(), 1 => "tel:\\+?[0-9][-0-9.()]{0,12}(;phone-context=[a-z.]{1,8})?"]
}

fn name_addr() -> impl Strategy<Value = String> {
    let display = prop_oneof![
        Just(String::new()),
        quoted().prop_map(|display| format!("{display} ")),
        "[a-zA-Z0-9.!%*_+]{1,6}( [a-z0-9]{1,6})? ",
    ];
    (display, uri(), params())
        .prop_map(|(display, uri, params)| format!("{display}<{uri}>{params}"))
}

fn method() -> impl Strategy<Value = String> {
    prop_oneof!["INVITE", "ACK", "BYE", "REGISTER", "PRACK", "[A-Z]{1,8}"]
}

fn auth_params() -> impl Strategy<Value = String> {
    let param = prop_oneof![
        (token(), quoted()).prop_map(|(name, value)| format!("x{name}={value}")),
        (token(), token()).prop_map(|(name, value)| format!("x{name}={value}")),
    ];
    proptest::collection::vec(param, 1..6).prop_map(|params| params.join(", "))
}

proptest! {
    #[test]
    fn uris_write_back(text in uri()) {
        let uri = Uri::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(written(|writer| write_uri(writer, uri)), text.clone());
        prop_assert!(uri.equivalent(&uri));
        prop_assert_eq!(uri.as_bytes(), text.as_bytes());
    }

    #[test]
    fn name_addrs_write_back(text in name_addr()) {
        let address = NameAddr::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(written(|writer| write_name_addr(writer, address)), text);
    }

    #[test]
    fn contacts_write_back(
        text in name_addr(), q in 0..=1000_u16, expires in any::<u32>(), instance in "[a-z:0-9]{1,20}",
    ) {
        let value = if q == 1000 { "1.000".to_owned() } else { format!("0.{q:03}") };
        let text = format!("{text};q={value};expires={expires};+sip.instance=\"<{instance}>\"");
        let contact = Contact::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(contact.q_thousandths(), Some(q));
        prop_assert_eq!(contact.expires_seconds(), Some(expires));
        let instance = format!("<{instance}>");
        prop_assert_eq!(contact.instance(), Some(instance.as_bytes()));
        let address = contact.address().unwrap();
        prop_assert_eq!(written(|writer| write_name_addr(writer, address)), text);
    }

    #[test]
    fn vias_write_back(
        transport in prop_oneof!["UDP", "TCP", "TLS", "SCTP", "WS", "WSS", "[A-Z]{4,6}"],
        sent_by in (host(), port()), branch in token(), received in host(),
        rport in proptest::option::of(any::<u16>()), ttl in any::<u8>(), params in params(),
    ) {
        let (host, port) = sent_by;
        let answered = rport.map_or(String::new(), |port| format!("={port}"));
        let text = format!(
            "SIP/2.0/{transport} {host}{port};branch={branch};received={received};rport{answered};ttl={ttl}{params}"
        );
        let via = Via::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(via.branch(), Some(branch.as_bytes()));
        prop_assert_eq!(via.rport(), Some(rport));
        prop_assert_eq!(via.ttl(), Some(ttl));
        prop_assert_eq!(via.received().unwrap().as_bytes(), received.as_bytes());
        let again = written(|writer| {
            writer.text(b"SIP/2.0/").text(via.transport().as_bytes()).text(b" ");
            writer.text(via.host().as_bytes());
            if let Some(port) = via.port() {
                writer.text(b":").number(port.into());
            }
            write_params(writer, via.params());
        });
        prop_assert_eq!(&again, &text);
        let lower = transport.to_ascii_lowercase();
        if transport.len() < 4 {
            prop_assert_eq!(TransportName::parse(lower.as_bytes()), via.transport());
        }
    }

    #[test]
    fn cseqs_and_racks_write_back(number in 0..1_u32 << 31, response in any::<u32>(), method in method()) {
        let text = format!("{number} {method}");
        let cseq = CSeq::parse(text.as_bytes()).unwrap();
        prop_assert_eq!((cseq.number, cseq.method), (number, Method::parse(method.as_bytes())));
        let again = written(|writer| {
            writer.number(cseq.number.into()).text(b" ").text(cseq.method.as_bytes());
        });
        prop_assert_eq!(&again, &text);
        let text = format!("{response} {text}");
        let rack = RAck::parse(text.as_bytes()).unwrap();
        prop_assert_eq!((rack.response_number, rack.cseq), (response, cseq));
    }

    #[test]
    fn session_expires_write_back(seconds in any::<u32>(), role in 0..3_usize, params in params()) {
        let (refresher, name) = [
            (None, ""),
            (Some(Refresher::Uac), ";refresher=uac"),
            (Some(Refresher::Uas), ";refresher=uas"),
        ][role];
        let value = SessionExpires::parse(format!("{seconds}{name}{params}").as_bytes()).unwrap();
        prop_assert_eq!(value, SessionExpires { seconds, refresher });
    }

    #[test]
    fn replaces_write_back(call_id in "[-a-z0-9.@]{1,20}", to in token(), from in token(), early in any::<bool>()) {
        let flag = if early { ";early-only" } else { "" };
        let text = format!("{call_id};to-tag={to};from-tag={from}{flag}");
        let value = Replaces::parse(text.as_bytes()).unwrap();
        let again = written(|writer| {
            writer.text(value.call_id).text(b";to-tag=").text(value.to_tag);
            writer.text(b";from-tag=").text(value.from_tag);
            writer.text(if value.early_only { b";early-only" } else { b"" });
        });
        prop_assert_eq!(again, text);
    }

    #[test]
    fn events_and_states_write_back(name in token(), id in token(), seconds in any::<u32>(), params in params()) {
        let text = format!("{name};id={id}{params}");
        let event = Event::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(event.id, Some(id.as_bytes()));
        let again = written(|writer| write_params(writer.text(event.package), event.params()));
        prop_assert_eq!(&again, &text);
        let text = format!("{name};expires={seconds};retry-after={seconds};reason={id}{params}");
        let state = SubscriptionState::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(state.expires_seconds(), Some(seconds));
        prop_assert_eq!(state.retry_after_seconds(), Some(seconds));
        prop_assert_eq!(state.reason(), Some(id.as_bytes()));
        let again = written(|writer| write_params(writer.text(state.state), state.params()));
        prop_assert_eq!(again, text);
    }

    #[test]
    fn content_types_and_reasons_write_back(kind in token(), subtype in token(), params in params(), cause in any::<u32>(), text in quoted()) {
        let value = format!("{kind}/{subtype}{params}");
        let parsed = ContentType::parse(value.as_bytes()).unwrap();
        prop_assert!(parsed.is(kind.to_ascii_uppercase().as_bytes(), subtype.as_bytes()));
        let again = written(|writer| {
            writer.text(parsed.kind).text(b"/").text(parsed.subtype);
            write_params(writer, parsed.params());
        });
        prop_assert_eq!(again, value);
        let value = format!("{kind};cause={cause};text={text}");
        let parsed = Reason::parse(value.as_bytes()).unwrap();
        prop_assert_eq!(parsed.cause(), Some(cause));
        prop_assert_eq!(parsed.text(), Some(text.as_bytes()));
        let again = written(|writer| write_params(writer.text(parsed.protocol), parsed.params()));
        prop_assert_eq!(again, value);
    }

    #[test]
    fn credentials_and_challenges_write_back(scheme in prop_oneof!["Digest", "DIGEST", "[A-Z][a-z]{1,6}"], params in auth_params(), next in auth_params()) {
        let text = format!("{scheme} {params}");
        let write = |scheme: &[u8], params: sansip::sip::AuthParams<'_>| {
            written(|writer| {
                writer.text(scheme).text(b" ");
                for (place, (name, value)) in params.iter().enumerate() {
                    writer.text(if place > 0 { b", " } else { b"" });
                    writer.text(name).text(b"=").text(value);
                }
            })
        };
        let credentials = Credentials::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(write(credentials.scheme(), credentials.params()), text.clone());
        let both = format!("{text}, Digest {next}");
        let (first, rest) = Challenge::parse(both.as_bytes()).unwrap();
        prop_assert_eq!(write(first.scheme(), first.params()), text);
        let (second, rest) = Challenge::parse(rest).unwrap();
        prop_assert!(second.is_digest() && rest.is_empty());
        prop_assert_eq!(write(second.scheme(), second.params()), format!("Digest {next}"));
    }

    #[test]
    fn quoted_text_comes_back_whatever_it_is(text in "[^\r\n\0]{0,40}") {
        let value = written(|writer| { writer.quoted(text.as_bytes()); });
        prop_assert_eq!(unquoted(value.as_bytes()).collect::<Vec<u8>>(), text.as_bytes());
        let address = format!("{value} <sip:a@b>");
        if !text.bytes().any(|byte| byte.is_ascii_control()) {
            prop_assert_eq!(NameAddr::parse(address.as_bytes()).unwrap().display(), value.as_bytes());
        }
    }

    #[test]
    fn addresses_write_as_core_does_and_read_back(address in any::<SocketAddr>()) {
        // Zones have no place in SIP, and ::ffff:a.b.c.d is written as groups.
        let mut address = address;
        if let SocketAddr::V6(address) = &mut address {
            address.set_scope_id(0);
        }
        let text = written(|writer| { writer.address(address); });
        let is_mapped = matches!(address.ip(), IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some());
        if !is_mapped {
            prop_assert_eq!(&text, &address.to_string());
        }
        let uri = format!("sip:{text}");
        let uri = Uri::parse(uri.as_bytes()).unwrap();
        prop_assert_eq!(uri.host().unwrap().address(), Some(address.ip()));
        prop_assert_eq!(uri.port(), Some(address.port()));
    }

    #[test]
    fn sparse_ipv6_addresses_write_as_core_does(groups in proptest::array::uniform8(prop_oneof![3 => Just(0_u16), 1 => any::<u16>()])) {
        let address = IpAddr::from(groups);
        let text = written(|writer| { writer.ip(address); });
        prop_assert_eq!(text.parse::<IpAddr>().unwrap(), address);
        if !address.to_string().contains('.') {
            prop_assert_eq!(text, address.to_string());
        }
    }

    #[test]
    fn hosts_read_as_addresses_where_core_reads_them(text in "[0-9a-f:.]{0,24}") {
        let uri = format!("sip:[{text}]");
        let Ok(uri) = Uri::parse(uri.as_bytes()) else { return Ok(()) };
        if !text.contains(":::") {
            prop_assert_eq!(uri.host().unwrap().address(), text.parse::<IpAddr>().ok());
        }
    }

    #[test]
    fn numbers_write_as_core_does(number in any::<u64>(), digits in 1..=16_usize) {
        let text = written(|writer| { writer.number(number); });
        prop_assert_eq!(text, number.to_string());
        let text = written(|writer| { writer.hex(number, digits); });
        let all = format!("{number:016x}");
        prop_assert_eq!(&text, &all[16 - digits..]);
    }

    #[test]
    fn no_bytes_break_a_parser(bytes in proptest::collection::vec(
        prop_oneof![any::<u8>(), prop::sample::select(b" \t\r\n\"\\<>;=,:@%?/[]()".to_vec())], 0..60,
    )) {
        let _ = Uri::parse(&bytes).map(|uri| uri.params().count());
        let _ = NameAddr::parse(&bytes).map(|address| address.params().count());
        let _ = Contact::parse(&bytes);
        let _ = Via::parse(&bytes).map(|via| via.params().count());
        let _ = CSeq::parse(&bytes);
        let _ = (RAck::parse(&bytes), SessionExpires::parse(&bytes), Replaces::parse(&bytes));
        let _ = (Event::parse(&bytes), SubscriptionState::parse(&bytes), Reason::parse(&bytes));
        let _ = ContentType::parse(&bytes);
        let _ = Challenge::parse(&bytes).map(|(challenge, _)| challenge.params().iter().count());
        let _ = Credentials::parse(&bytes);
        prop_assert!(unescaped(&bytes).count() <= bytes.len());
        prop_assert!(unquoted(&bytes).count() <= bytes.len());
        let message = [b"INVITE sip:a@b SIP/2.0\r\nl: 0\r\nv: ", &bytes[..], b"\r\nm: ", &bytes, b"\r\n\r\n"].concat();
        for input in [&bytes, &message] {
            if let Ok(message) = Message::parse(input) {
                let _ = Head::parse(&message);
                let _ = message.check_headers();
                prop_assert!(message.values(HeaderName::Via).count() <= input.len() + 1);
            }
            prop_assert!(!matches!(Framer::new(4096).next(input), Frame::Message(len) if len > input.len()));
        }
    }
}

#[test]
fn uris_compare_as_rfc_3261_s19_1_4_says() {
    let equal = [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::1]"),
        ("tel:+1-201-555-0123", "TEL:+1(201)5550123"),
    ];
    let different = [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
        ("sip:bob@biloxi.com", "sip:bob:secret@biloxi.com"),
        ("sip:bob@biloxi.com;maddr=192.0.2.1", "sip:bob@biloxi.com"),
        ("tel:+12015550123", "tel:+12015550124"),
    ];
    for (pairs, expected) in [(&equal[..], true), (&different[..], false)] {
        for (ours, theirs) in pairs {
            let (ours, theirs) =
                (Uri::parse(ours.as_bytes()).unwrap(), Uri::parse(theirs.as_bytes()).unwrap());
            assert_eq!(ours.equivalent(&theirs), expected, "{ours:?} {theirs:?}");
            assert_eq!(theirs.equivalent(&ours), expected, "{theirs:?} {ours:?}");
        }
    }
}

#[test]
fn a_refer_to_carries_its_replaces() {
    let value = b"<sip:b@example.com?Replaces=12%40x%3Bto-tag%3D1%3Bfrom-tag%3D2>";
    let uri = NameAddr::parse(value).unwrap().uri();
    let escaped = uri.header(b"replaces").unwrap();
    let replaces: Vec<u8> = unescaped(escaped).collect();
    let replaces = Replaces::parse(&replaces).unwrap();
    assert_eq!(
        (replaces.call_id, replaces.to_tag, replaces.from_tag),
        (&b"12@x"[..], &b"1"[..], &b"2"[..])
    );
}

#[test]
fn challenges_are_found_over_lines_and_behind_commas_in_any_case() {
    let text = "SIP/2.0 401 x\r\n\
        WWW-Authenticate: DIGEST realm=\"a\", nonce=\"n\\\"1\", algorithm=SHA-256, qop=\"auth, auth-int\"\r\n\
        www-authenticate: Digest broken\r\n\
        www-authenticate: Basic realm=\"b\", digest REALM=\"c\",nonce=\"3\",stale=TRUE\r\n\r\n";
    let message = Message::parse(text.as_bytes()).unwrap();
    let challenges: Vec<_> = message.challenges(HeaderName::WwwAuthenticate).collect();
    let realms: Vec<_> = challenges.iter().map(|challenge| challenge.realm().unwrap()).collect();
    assert_eq!(realms, [b"a", b"b", b"c"]);
    assert!(challenges[0].is_digest() && !challenges[1].is_digest() && challenges[2].is_digest());
    assert_eq!(challenges[0].nonce(), Some(&b"n\\\"1"[..]));
    assert!(challenges[0].offers_qop(b"AUTH-INT") && !challenges[0].offers_qop(b"int"));
    assert!(challenges[2].stale() && !challenges[0].stale());
}

#[test]
fn a_nonce_count_is_eight_hexadecimal_digits() {
    let count = |nc: &str| {
        let text = format!("Digest username=\"u\", nc={nc}");
        Credentials::parse(text.as_bytes()).unwrap().nonce_count()
    };
    assert_eq!(count("0000000a"), Some(10));
    assert_eq!(count("FFFFFFFF"), Some(u32::MAX));
    assert_eq!(count("1"), None);
    assert_eq!(count("0000000g"), None);
}

#[test]
fn addresses_without_brackets_leave_their_parameters_to_the_header() {
    let address = NameAddr::parse(b"sip:a@b;tag=1 ; x = \"y;z\"").unwrap();
    assert_eq!(address.uri().as_bytes(), b"sip:a@b");
    assert_eq!(address.tag(), Some(&b"1"[..]));
    assert_eq!(address.param(b"X"), Some(&b"\"y;z\""[..]));
    for refused in ["sip:a@b?x=y", "sip:a,b@c", "<sip:a@b", "\"x <sip:a@b>", "<sip:a@b>;", "<>", ""]
    {
        assert!(NameAddr::parse(refused.as_bytes()).is_err(), "{refused}");
    }
}

#[test]
fn retry_after_may_have_a_comment_and_parameters() {
    let read = |value: &str| {
        let text = format!("SIP/2.0 503 x\r\nRetry-After: {value}\r\n\r\n");
        let message = Message::parse(text.as_bytes()).unwrap();
        message.number(HeaderName::RetryAfter)
    };
    assert_eq!(read("18000;duration=3600"), Ok(Some(18_000)));
    assert_eq!(read("120 (I'm in a meeting)"), Ok(Some(120)));
    assert_eq!(read("soon"), Err(ValueError::Syntax));
    assert_eq!(read("4294967296"), Err(ValueError::Range));
}

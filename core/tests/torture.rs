//! The torture messages of RFC 4475 and RFC 5118 as an endpoint answers them, and the refusals
//! that those leave out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_core
)]

mod support;

use std::path::PathBuf;

use sansip::endpoint::{Config, Methods};
use sansip::time::Instant;
use support::{B, Heard, Node};

const NOW: Instant = Instant::ZERO;

fn read(file: &str) -> Vec<u8> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors"));
    std::fs::read(folder.join(file)).expect(file)
}

fn node(address: &str, methods: Methods) -> Node {
    let mut node = Node::new(address, 3, Config { methods, ..Config::default() });
    node.account(NOW, "sip:user@example.com", "");
    node
}

/// What an endpoint makes of one message: its answer, or what it tells the application, or "".
fn outcome(address: &str, methods: Methods, bytes: &[u8]) -> (String, Node) {
    let mut node = node(address, methods);
    node.receive(NOW, "203.0.113.9:5060".parse().unwrap(), bytes);
    let told = match &node.heard[..] {
        [] => String::new(),
        [Heard::Incoming(_)] => "call".to_owned(),
        [Heard::Request(..)] => "request".to_owned(),
        other => panic!("{other:?}"),
    };
    let answers: Vec<String> = node.sent.iter().map(|datagram| status(&datagram.text())).collect();
    let usage = node.endpoint.usage();
    let outcome = match &answers[..] {
        [] => told,
        [answer] => {
            assert_eq!(told, "", "answered and told");
            assert_eq!((usage.transactions, usage.calls, usage.buffers), (0, 0, 0));
            answer.clone()
        }
        more => panic!("{more:?}"),
    };
    (outcome, node)
}

fn status(text: &str) -> String {
    text.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// Answers that the RFC and the manifest name, for a phone and for what is a registrar besides.
const ANSWERS: [(&str, &str, &str); 46] = [
    // RFC 4475 s3.1.1: valid
    ("rfc4475/wsinv.dat", "481", "481"), // it has a To tag, of no dialog of ours
    ("rfc4475/intmeth.dat", "501", "501"),
    ("rfc4475/esc01.dat", "call", "call"),
    ("rfc4475/escnull.dat", "405", "request"),
    ("rfc4475/esc02.dat", "501", "501"),
    ("rfc4475/lwsdisp.dat", "200", "200"),
    ("rfc4475/dblreq.dat", "405", "request"),
    ("rfc4475/semiuri.dat", "200", "200"),
    ("rfc4475/transports.dat", "200", "200"),
    ("rfc4475/mpart01.dat", "405", "405"),
    ("rfc4475/unreason.dat", "", ""),
    ("rfc4475/noreason.dat", "", ""),
    // s3.1.2: invalid
    ("rfc4475/badinv01.dat", "400", "400"),
    ("rfc4475/clerr.dat", "400", "400"),
    ("rfc4475/ncl.dat", "400", "400"),
    ("rfc4475/scalar02.dat", "400", "400"),
    ("rfc4475/scalarlg.dat", "", ""),
    ("rfc4475/quotbal.dat", "400", "400"),
    ("rfc4475/lwsruri.dat", "400", "400"),
    ("rfc4475/baddate.dat", "call", "call"), // the Date does not matter to us
    ("rfc4475/badvers.dat", "505", "505"),
    ("rfc4475/mismatch01.dat", "400", "400"),
    ("rfc4475/mismatch02.dat", "501", "501"),
    ("rfc4475/bigcode.dat", "", ""),
    // s3.2 and s3.3: transaction and application layer
    ("rfc4475/badbranch.dat", "200", "200"),
    ("rfc4475/insuf.dat", "400", "400"),
    ("rfc4475/unkscm.dat", "416", "416"),
    ("rfc4475/novelsc.dat", "416", "416"),
    ("rfc4475/unksm2.dat", "405", "request"),
    ("rfc4475/bext01.dat", "420", "420"),
    ("rfc4475/invut.dat", "415", "415"),
    ("rfc4475/regaut01.dat", "405", "request"),
    ("rfc4475/multi01.dat", "400", "400"),
    ("rfc4475/mcl01.dat", "400", "400"),
    ("rfc4475/bcast.dat", "", ""),
    ("rfc4475/zeromf.dat", "200", "200"),
    ("rfc4475/cparam01.dat", "405", "request"),
    ("rfc4475/cparam02.dat", "405", "request"),
    ("rfc4475/regescrt.dat", "405", "request"),
    ("rfc4475/sdp01.dat", "406", "406"),
    // RFC 5118
    ("rfc5118/ipv6-good.dat", "405", "request"),
    ("rfc5118/ipv6-bad.dat", "400", "400"),
    ("rfc5118/port-unambiguous.dat", "405", "request"),
    ("rfc5118/via-received-param-with-delim.dat", "481", "481"),
    ("rfc5118/via-received-param-no-delim.dat", "200", "200"),
    ("rfc5118/mult-ip-in-header.dat", "481", "481"),
];

#[test]
fn every_torture_message_gets_the_answer_that_the_rfc_names() {
    for (file, phone, registrar) in ANSWERS {
        let bytes = read(file);
        assert_eq!(outcome(B, Methods::NONE, &bytes).0, phone, "{file}");
        assert_eq!(outcome(B, Methods::REGISTER, &bytes).0, registrar, "{file}");
    }
}

#[test]
fn refusals_say_what_would_do() {
    for (file, header) in [
        ("rfc4475/bext01.dat", "Unsupported: nothingSupportsThis"),
        ("rfc4475/bext01.dat", "Unsupported: nothingSupportsThisEither"),
        ("rfc4475/invut.dat", "Accept: application/sdp"),
        ("rfc4475/intmeth.dat", "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS"),
        ("rfc4475/dblreq.dat", "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS"),
    ] {
        let (_, node) = outcome(B, Methods::NONE, &read(file));
        let answer = node.sent[0].text();
        assert!(answer.lines().any(|line| line == header), "{file}: {answer}");
        let tagged = answer.lines().any(|line| line.starts_with("To: ") && line.contains(";tag="));
        assert!(tagged, "{file}: {answer}");
    }
}

#[test]
fn media_over_ipv6_is_for_those_who_have_it() {
    let six = "[2001:db8::7]:5060";
    for (file, length) in [
        ("rfc5118/ipv6-in-sdp.fixed-cl.dat", "Content-Length: 251\r\n"),
        ("rfc5118/ipv4-mapped-ipv6.dat", "Content-Length: 236\r\n"),
    ] {
        // as it is, its codec is none of ours
        assert_eq!(outcome(six, Methods::NONE, &read(file)).0, "488", "{file}");
        let text = String::from_utf8(read(file)).unwrap().replace(length, "");
        let text = text.replace("AVP 2", "AVP 0").replace("2 G726-32", "0 PCMU");
        assert_eq!(outcome(six, Methods::NONE, text.as_bytes()).0, "call", "{file}");
        assert_eq!(outcome(B, Methods::NONE, text.as_bytes()).0, "488", "{file}");
    }
    assert_eq!(outcome(B, Methods::NONE, &read("rfc5118/mult-ip-in-sdp.dat")).0, "call");
}

#[test]
fn no_message_of_the_vectors_hurts() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors"));
    let manifest = std::fs::read_to_string(folder.join("manifest.tsv")).unwrap();
    let everything = Methods::REGISTER.and(Methods::MESSAGE).and(Methods::OPTIONS);
    let everything = everything.and(Methods::SUBSCRIBE).and(Methods::NOTIFY).and(Methods::OTHER);
    let mut heard = 0;
    let mut node = node(B, everything.and(Methods::PUBLISH).and(Methods::INFO));
    let mut now = NOW;
    for line in manifest.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        if columns[2] == "sip" {
            node.receive(now, "203.0.113.9:5060".parse().unwrap(), &read(columns[0]));
            heard += 1;
            // time passes, so that what was taken is given back
            now += sansip::time::Duration::from_secs(200);
            node.drain(now);
        }
    }
    assert!(heard > 900, "{heard}");
    for _ in 0..3 {
        now += sansip::time::Duration::from_secs(200);
        node.drain(now);
    }
    let usage = node.endpoint.usage();
    assert_eq!((usage.calls, usage.dialogs, usage.transactions, usage.buffers), (0, 0, 0, 0));
    assert_eq!(node.endpoint.poll_timeout(), None);
}

const BEGIN: &str = "Via: SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bK1;rport\r\n\
    From: <sip:m@203.0.113.9>;tag=m\r\n\
    To: <sip:user@example.com>\r\n\
    Call-ID: 1\r\n\
    Contact: <sip:m@203.0.113.9>\r\n";

fn request(method: &str, cseq: u32, more: &str, body: &str) -> Vec<u8> {
    let len = body.len();
    format!(
        "{method} sip:user@example.com SIP/2.0\r\n{BEGIN}CSeq: {cseq} {method}\r\n{more}\
         Content-Length: {len}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[test]
fn what_is_too_long_to_keep_is_refused_without_a_memory() {
    let filler = format!("X-Long: {}\r\n", "x".repeat(1500));
    let invite = request("INVITE", 1, &filler, "");
    assert_eq!(outcome(B, Methods::MESSAGE, &invite).0, "513");
    let message = request("MESSAGE", 1, "Content-Type: text/plain\r\n", &"x".repeat(1500));
    assert_eq!(outcome(B, Methods::MESSAGE, &message).0, "513");
    // the same needs no memory to be answered at once
    assert_eq!(outcome(B, Methods::MESSAGE, &request("OPTIONS", 1, &filler, "")).0, "200");
    // more text than a dialog can hold
    let routes = format!("Record-Route: <sip:{}.example.com;lr>\r\n", "r".repeat(600));
    assert_eq!(outcome(B, Methods::NONE, &request("INVITE", 1, &routes, "")).0, "513");
}

#[test]
fn a_body_that_nobody_can_read_is_refused() {
    let encoded = "Content-Encoding: gzip\r\nContent-Type: application/sdp\r\n";
    let (answer, node) = outcome(B, Methods::NONE, &request("INVITE", 1, encoded, "x"));
    assert_eq!(answer, "415");
    assert!(node.sent[0].text().contains("\r\nAccept-Encoding: identity\r\n"));
    let sdp = "Content-Type: application/sdp\r\n";
    assert_eq!(outcome(B, Methods::NONE, &request("INVITE", 1, sdp, "no SDP")).0, "488");
    let video = "v=0\r\no=- 1 1 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\n\
                 m=video 4000 RTP/AVP 31\r\n";
    assert_eq!(outcome(B, Methods::NONE, &request("INVITE", 1, sdp, video)).0, "488");
}

#[test]
fn requests_inside_dialogs_that_do_not_exist_get_481() {
    for method in ["BYE", "PRACK", "UPDATE", "CANCEL"] {
        assert_eq!(outcome(B, Methods::NONE, &request(method, 1, "", "")).0, "481", "{method}");
    }
    for method in ["INVITE", "INFO", "MESSAGE", "REFER", "NOTIFY", "OPTIONS"] {
        let text = String::from_utf8(request(method, 1, "", "")).unwrap();
        let text = text.replace("To: <sip:user@example.com>", "To: <sip:user@example.com>;tag=1");
        let all = Methods::INFO.and(Methods::MESSAGE).and(Methods::NOTIFY);
        assert_eq!(outcome(B, all, text.as_bytes()).0, "481", "{method}");
    }
}

#[test]
fn a_request_that_came_by_two_ways_is_taken_once() {
    let mut node = node(B, Methods::MESSAGE);
    let from = "203.0.113.9:5060".parse().unwrap();
    for method in ["INVITE", "MESSAGE"] {
        let first = request(method, 1, "", "");
        let second = String::from_utf8(first.clone()).unwrap().replace("z9hG4bK1", "z9hG4bK2");
        node.receive(NOW, from, &first);
        assert_eq!(node.labels(), [""; 0]);
        node.receive(NOW, from, second.as_bytes());
        assert_eq!(node.labels(), [format!("482 {method}")]);
        node.receive(NOW, from, &first); // a repetition, which is something else
        assert_eq!(node.labels().len(), 1);
        node.sent.clear();
    }
    assert_eq!(node.heard.len(), 2);
}

#[test]
fn a_second_invite_before_the_answer_to_the_first_is_told_to_wait() {
    let mut node = node(B, Methods::NONE);
    let from = "203.0.113.9:5060".parse().unwrap();
    node.receive(NOW, from, &request("INVITE", 1, "", ""));
    let call = node.last_call();
    node.endpoint.progress(NOW, call, 180, None).unwrap();
    node.drain(NOW);
    let ringing = node.sent[0].text();
    let to = ringing.lines().find(|line| line.starts_with("To: ")).unwrap();
    let second = String::from_utf8(request("INVITE", 2, "", "")).unwrap();
    let second = second.replace("To: <sip:user@example.com>", to).replace("z9hG4bK1", "z9hG4bK2");
    node.receive(NOW, from, second.as_bytes());
    let answer = node.sent[1].text();
    assert_eq!(status(&answer), "500");
    let wait = answer.lines().find_map(|line| line.strip_prefix("Retry-After: ")).unwrap();
    assert!(wait.parse::<u32>().unwrap() <= 10);
    // a number that is not higher
    let third = second.replace("CSeq: 2", "CSeq: 1").replace("z9hG4bK2", "z9hG4bK3");
    node.receive(NOW, from, third.as_bytes());
    assert_eq!(status(&node.sent[2].text()), "500");
    assert_eq!(node.heard.len(), 1);
}

#[test]
fn a_change_while_our_offer_waits_for_its_answer_gets_491() {
    let mut node = node(B, Methods::NONE);
    let from = "203.0.113.9:5060".parse().unwrap();
    node.receive(NOW, from, &request("INVITE", 1, "", "")); // no offer: ours goes in the 200
    let call = node.last_call();
    let media = sansip::sdp::LocalMedia::new("192.0.2.2:4000".parse().unwrap());
    node.endpoint.answer(NOW, call, media).unwrap();
    node.drain(NOW);
    let accepted = node.sent[0].text();
    let to = accepted.lines().find(|line| line.starts_with("To: ")).unwrap();
    let second = String::from_utf8(request("INVITE", 2, "", "")).unwrap();
    let second = second.replace("To: <sip:user@example.com>", to).replace("z9hG4bK1", "z9hG4bK2");
    node.receive(NOW, from, second.as_bytes());
    assert_eq!(status(&node.sent[1].text()), "491");
}

#[cfg(feature = "alloc")]
#[test]
fn long_values_are_echoed_whole_or_not_at_all() {
    use sansip::sip::{HeaderName, Message, Via};
    use sansip::storage::{Limits, Storage};
    let bytes = read("rfc4475/longreq.dat");
    let from = "203.0.113.9:5060".parse().unwrap();
    // too long even for its echo
    let (answer, node) = outcome(B, Methods::NONE, &bytes);
    assert_eq!(answer, "");
    assert_eq!(node.endpoint.stats().too_long, 1);
    let limits = Limits { message_bytes: 8192, text_bytes: 4096, ..Limits::calls(2) };
    let storage = Storage::heap(limits);
    let mut node = Node::with_storage(B, 3, Config::default(), storage);
    node.account(NOW, "sip:user@example.com", "");
    node.receive(NOW, from, &bytes);
    let call = node.last_call();
    node.endpoint.reject(NOW, call, 486).unwrap();
    node.drain(NOW);
    let asked = Message::parse(&bytes).unwrap();
    let answer = Message::parse(&node.sent[0].bytes).unwrap();
    let branch = |message: &Message<'_>, place: usize| {
        let via = message.values(HeaderName::Via).nth(place)?;
        Via::parse(via).unwrap().branch().map(<[u8]>::to_vec)
    };
    let vias = asked.values(HeaderName::Via).count();
    assert_eq!(answer.values(HeaderName::Via).count(), vias);
    assert!((0..vias).all(|place| branch(&answer, place) == branch(&asked, place)));
    assert!(branch(&asked, vias - 1).is_some());
    for name in [HeaderName::CallId, HeaderName::From, HeaderName::CSeq] {
        let words = |message: &Message<'_>| {
            let value = String::from_utf8_lossy(message.header(name).unwrap()).into_owned();
            value.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(words(&answer), words(&asked));
    }
}

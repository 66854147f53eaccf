use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::endpoint::{
    Account, AccountId, Action, Body, CallId, Command, Config, CustomHeader, Error, Input, Methods,
    OutgoingCall, OutgoingRequest, QueryId, RequestId,
};
use crate::path::{FlowId, Path, Transport};
use crate::rtp::Codec;
use crate::sdp::{Direction, LocalMedia};
use crate::storage::Limits;
use crate::table::Id;
use crate::time::{Duration, Instant};

use super::fields::{Fields, Line, split};
use super::{Fault, Recorded, Replay, Secrets, Setup, command, input};

const NOW: Instant = Instant::from_micros(1_700_000_000_123_456);

fn id() -> Id {
    Id::from_number(4_000_000_007).unwrap()
}

fn setup(secrets: Secrets) -> Setup<'static> {
    let config = Config {
        t1: Duration::from_millis(400),
        methods: Methods::MESSAGE.and(Methods::OTHER),
        catch_all: false,
        ..Config::default()
    };
    Setup { config, seed: [0xa7; 32], limits: Limits::calls(2), secrets, build: "a \"test\"" }
}

fn media() -> LocalMedia {
    let mut media = LocalMedia::new("[2001:db8::1]:4000".parse().unwrap());
    media.codecs.push(Codec::Pcma).unwrap();
    media.codecs.push(Codec::Pcmu).unwrap();
    LocalMedia { ptime_ms: 30, direction: Direction::RecvOnly, dtmf: false, ..media }
}

const HEADERS: [CustomHeader<'static>; 2] = [
    CustomHeader::new("Subject", "quo\"te \\ and umlaut \u{e4}"),
    CustomHeader { method: Some("BYE"), name: "X-Empty", value: "" },
];

/// One of each, the ones with lists twice.
fn commands() -> Vec<Command<'static>> {
    let (account, call, request) = (AccountId(id()), CallId(id()), RequestId(id()));
    let body = Some(Body { content_type: "a/b", bytes: b"\0\xff\r\n\t\x7f-" });
    let (headers, none): (&[_], &[_]) = (&HEADERS, &[]);
    let (method, target) = ("MESSAGE", "sip:bob@[::1]:5;transport=udp");
    let set_up = Account {
        identity: "sip:a@b",
        display_name: "A \"B\"",
        password: "-",
        headers,
        expires_s: u32::MAX,
        allow_md5: false,
        ..Account::default()
    };
    [
        Command::AddAccount(set_up),
        Command::AddAccount(Account::default()),
        Command::RemoveAccount(account),
        Command::Register(account),
        Command::Unregister(account),
        Command::QueryBindings(account),
        Command::Call(OutgoingCall { account, target, media: media(), late_offer: true, headers }),
        Command::Progress { call, status: 183, media: Some(media()), headers },
        Command::Progress { call, status: 180, media: None, headers: none },
        Command::Answer { call, media: media(), headers },
        Command::Reject { call, status: 486, headers },
        Command::HangUp(call),
        Command::Hold(call),
        Command::Resume(call),
        Command::Request(OutgoingRequest { account, method, target, headers, body }),
        Command::RequestInCall { call, method, headers: none, body },
        Command::Respond { request, status: 200, headers, body: None },
        Command::MediaSilent(call),
    ]
    .into_iter()
    .collect()
}

#[test]
fn every_command_comes_back_as_it_was() {
    for before in commands() {
        let line = command::line(NOW, &before, Secrets::Kept);
        let (time, rest) = line.trim_end().split_once(' ').unwrap();
        assert_eq!(time, "1700000000123456");
        let list = split(rest).unwrap();
        let mut fields = Fields::new(&list);
        assert_eq!(fields.word(), Some(command::kind(&before)));
        let mut headers = Vec::new();
        let after = command::read(command::kind(&before), &mut fields, &mut headers);
        fields.end().unwrap();
        assert_eq!(format!("{after:?}"), format!("Some({before:?})"), "{line}");
    }
}

#[test]
fn no_command_was_left_out_of_the_test() {
    let kinds: std::collections::BTreeSet<_> = commands().iter().map(command::kind).collect();
    // The match of `kind` is exhaustive; a new arm there raises the number here.
    let source = include_str!("command.rs");
    let body = source.split_once("fn kind").unwrap().1.split_once("\n}").unwrap().0;
    assert_eq!(kinds.len(), body.matches("=> \"").count());
}

#[test]
fn every_input_comes_back_as_it_was() {
    let udp = Path::udp("192.0.2.1:5060".parse().unwrap(), "[2001:db8::2]:5070".parse().unwrap());
    let transports = [Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];
    let mut targets: Vec<_> =
        transports.map(|transport| Path { transport, flow: FlowId(9), ..udp }).to_vec();
    targets.push(udp);
    let flow = FlowId(u32::MAX);
    let all: Vec<u8> = (0..=255).collect();
    for before in [
        Input::Message { path: udp, bytes: &all },
        Input::Message { path: udp, bytes: b"" },
        Input::Connected { flow },
        Input::Closed { flow },
        Input::SendFailed { path: udp },
        Input::Resolved { query: QueryId(u64::MAX), targets: &targets },
        Input::Resolved { query: QueryId(0), targets: &[] },
        Input::LocalAddress { old: udp.local, new: udp.remote },
    ] {
        let line = input::line(NOW, &before);
        assert!(line.is_ascii() && line.ends_with('\n'));
        let list = split(line.trim_end().split_once(' ').unwrap().1).unwrap();
        let mut fields = Fields::new(&list);
        fields.word().unwrap();
        let mut list = Vec::new();
        let after = input::read(input::kind(&before), &mut fields, &mut list);
        fields.end().unwrap();
        assert_eq!(format!("{after:?}"), format!("Some({before:?})"), "{line}");
    }
}

#[test]
fn damaged_quotes_are_refused() {
    for text in ["\"a", "\"a\\\"", "\"\\q\"", "\"\\x1\"", "\"\\xzz\"", "\"a\"b", "a \"b\"c"] {
        assert!(split(text).is_none(), "{text}");
    }
    assert_eq!(split("").map(|list| list.len()), Some(1));
}

/// A registration with a challenge, a call that is refused, and time that passes.
fn session(secrets: Secrets) -> String {
    let mut endpoint = Recorded::begin(&setup(secrets), String::new());
    let account = Account {
        identity: "sip:100@192.0.2.1",
        registrar: "sip:192.0.2.1",
        password: "s3cret",
        ..Account::default()
    };
    let account = endpoint.command(NOW, Command::AddAccount(account));
    let Ok(crate::endpoint::Reply::Account(account)) = account else { panic!("{account:?}") };
    endpoint.command(NOW, Command::Register(account)).unwrap();
    let server = "192.0.2.1:5060".parse().unwrap();
    let path = Path::udp("192.0.2.4:5060".parse().unwrap(), server);
    resolve(&mut endpoint, NOW, path);
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n";
    for (status, more) in [(401, challenge), (200, "")] {
        let register = sent(&mut endpoint, NOW);
        let response = response(&register, status, more);
        endpoint.handle(NOW, Input::Message { path, bytes: response.as_bytes() });
    }
    while endpoint.poll_action(NOW).is_some() {}
    endpoint.handle(NOW, Input::Message { path, bytes: b"\xff\0 no message" });
    let target = "sip:101@192.0.2.1";
    let call = OutgoingCall { account, target, media: media(), late_offer: false, headers: &[] };
    endpoint.command(NOW, Command::Call(call)).unwrap();
    resolve(&mut endpoint, NOW, path);
    let mut now = NOW;
    for _ in 0..3 {
        while endpoint.poll_action(now).is_some() {}
        now = endpoint.poll_timeout().unwrap();
    }
    let gone = endpoint.command(now, Command::HangUp(CallId(id())));
    assert_eq!(gone, Err(Error::Gone));
    endpoint.end_journal().unwrap()
}

/// Answers the one question that the endpoint has.
fn resolve(endpoint: &mut Recorded<'_>, now: Instant, path: Path) {
    let Some(Action::Resolve { query, .. }) = endpoint.poll_action(now) else { panic!("no query") };
    assert!(endpoint.poll_action(now).is_none());
    endpoint.handle(now, Input::Resolved { query, targets: &[path] });
}

/// The last message that the endpoint wants to send.
fn sent(endpoint: &mut Recorded<'_>, now: Instant) -> String {
    let mut sent = String::new();
    while let Some(action) = endpoint.poll_action(now) {
        if let Action::Transmit { bytes, .. } = action {
            sent = str::from_utf8(bytes).unwrap().to_string();
        }
    }
    sent
}

fn response(request: &str, status: u16, more: &str) -> String {
    let kept = ["Via:", "From:", "To:", "Call-ID:", "CSeq:", "Contact:"];
    let lines = request.split("\r\n").filter(|line| kept.iter().any(|name| line.starts_with(name)));
    let mut text = format!("SIP/2.0 {status} X\r\n");
    lines.for_each(|line| text += &format!("{line}\r\n"));
    text + more + "Content-Length: 0\r\n\r\n"
}

fn fault(text: &str) -> Option<Fault> {
    match Replay::new(text) {
        Ok(mut replay) => replay.find_map(Result::err),
        Err(fault) => Some(fault),
    }
}

#[test]
fn a_session_replays_as_it_was_with_and_without_secrets() {
    for secrets in [Secrets::Hidden, Secrets::Kept] {
        let text = session(secrets);
        assert_eq!(fault(&text), None, "{text}");
        let replay = Replay::new(&text).unwrap();
        assert!(!replay.is_of_another_build());
        assert!(replay.build().ends_with(", a \"test\""), "{}", replay.build());
        let kinds: Vec<_> = replay.map(|step| step.unwrap().kind).collect();
        assert_eq!(kinds.len(), text.lines().count() - 7);
        assert!(kinds.iter().filter(|kind| **kind == "transmit").count() >= 4, "{kinds:?}");
        assert!(text.contains("event registered 2 "), "{text}");
    }
}

#[test]
fn hidden_secrets_are_not_in_the_file_and_kept_ones_are() {
    let (hidden, kept) = (session(Secrets::Hidden), session(Secrets::Kept));
    assert!(kept.contains("\"s3cret\"") && !hidden.contains("s3cret"));
    let digits = |text: &str| {
        let (_, value) = text.split_once(", response=\\\"").unwrap();
        value.split_once('\\').unwrap().0.to_string()
    };
    assert_eq!(digits(&hidden), "x".repeat(32));
    assert!(digits(&kept).bytes().all(|digit| digit.is_ascii_hexdigit()));
    assert_eq!(kept.len(), hidden.len() + "kept".len() - "hidden".len());
}

#[test]
fn any_changed_byte_of_what_was_sent_is_found() {
    let text = session(Secrets::Kept);
    let lines: Vec<_> = text.lines().collect();
    let at = lines.iter().position(|line| line.contains(" transmit ")).unwrap();
    let line = lines[at];
    let start = line.find('"').unwrap() + 1;
    for position in start..line.len() - 1 {
        let old = line.as_bytes()[position];
        let new = if old == b'q' { 'p' } else { 'q' };
        let mut changed = line.to_string();
        changed.replace_range(position..=position, new.encode_utf8(&mut [0; 4]));
        let mut lines = lines.clone();
        lines[at] = &changed;
        let expected = Fault::Different {
            line: at + 1,
            recorded: changed.clone(),
            replayed: line.to_string(),
        };
        assert_eq!(fault(&(lines.join("\n") + "\n")), Some(expected));
    }
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused() {
    let text = session(Secrets::Hidden);
    let line_ends = text.match_indices('\n').flat_map(|(at, _)| [at, at + 1]);
    for length in line_ends.chain((0..text.len()).step_by(23)).filter(|at| *at < text.len()) {
        let found = fault(&text[..length]);
        let lines = text[..length].matches('\n').count();
        match found {
            Some(Fault::NoJournal | Fault::Version) => assert_eq!(lines, 0),
            Some(Fault::Cut { line }) => assert_eq!(line, lines, "{length}"),
            other => panic!("{length}: {other:?}"),
        }
    }
}

#[test]
fn damaged_lines_are_named_by_their_number() {
    let text = session(Secrets::Hidden);
    let changed = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        fault(&text.replacen(from, to, 1))
    };
    assert_eq!(changed("sansip-journal 1\n", "sansip-journal 2\n"), Some(Fault::Version));
    assert_eq!(changed("sansip-journal", "something"), Some(Fault::NoJournal));
    assert_eq!(changed("secrets hidden", "secrets none"), Some(Fault::Malformed { line: 3 }));
    assert_eq!(changed("seed a7", "seed zz"), Some(Fault::Malformed { line: 4 }));
    let huge = changed("limits 1 2 ", "limits 1 99999999999 ");
    assert_eq!(huge, Some(Fault::Malformed { line: 5 }));
    assert_eq!(changed("false\n", "false 1\n"), Some(Fault::Malformed { line: 6 }));
    assert_eq!(changed("add-account", "add-banana"), Some(Fault::Malformed { line: 7 }));
    let lines = text.lines().count();
    assert_eq!(fault(&(text.clone() + "\n")), Some(Fault::Malformed { line: lines + 1 }));
    assert_eq!(changed("end\n", "end\nend\n"), Some(Fault::Malformed { line: lines + 1 }));
}

#[test]
fn a_line_that_is_missing_or_doubled_is_found() {
    let text = session(Secrets::Hidden);
    let lines: Vec<_> = text.lines().collect();
    for at in 6..lines.len() - 1 {
        let (mut less, mut more) = (lines.clone(), lines.clone());
        less.remove(at);
        more.insert(at, lines[at]);
        // A look that finds nothing, and an input that changes nothing, may be left out.
        if !lines[at].ends_with(" idle") && !lines[at].contains("no message") {
            assert!(fault(&(less.join("\n") + "\n")).is_some(), "without {}", lines[at]);
        }
        if ["transmit", "event", "reply"].iter().any(|kind| lines[at].contains(kind)) {
            assert!(fault(&(more.join("\n") + "\n")).is_some(), "twice {}", lines[at]);
        }
    }
}

#[test]
fn a_writer_that_fails_ends_the_journal_and_not_the_endpoint() {
    struct Full(usize);
    impl core::fmt::Write for Full {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            self.0 = self.0.checked_sub(text.len()).ok_or(core::fmt::Error)?;
            Ok(())
        }
    }
    let mut endpoint = Recorded::begin(&setup(Secrets::Hidden), Full(500));
    let mut accepted = 0;
    for _ in 0..20 {
        let command = Command::AddAccount(Account { identity: "sip:a@b", ..Account::default() });
        accepted += usize::from(endpoint.command(NOW, command).is_ok());
    }
    assert_eq!(accepted, 1); // all that the limits allow
    assert!(endpoint.journal().is_none());
}

#[test]
fn the_lines_are_those_of_the_documentation() {
    let text = session(Secrets::Hidden);
    let line = Line::at(NOW, "idle").end();
    assert!(text.contains(&line));
    for kind in ["build", "secrets", "seed", "limits", "config"] {
        assert!(text.lines().any(|line| line.split(' ').next() == Some(kind)), "{kind}");
    }
}

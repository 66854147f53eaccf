//! The whole endpoint.

use core::net::SocketAddr;
use std::collections::{HashMap, VecDeque};

use sansip::endpoint::{
    Account, AccountId, Action, CallId, Config, Endpoint, Event, Input, Methods, OutgoingCall,
    OutgoingRequest, RequestId,
};
use sansip::path::Path;
use sansip::sdp::LocalMedia;
use sansip::sip::{Head, Message};
use sansip::storage::SmallMemory;
use sansip::time::{Duration, Instant};

use crate::Program;

/// An endpoint whose every action is checked: what it sends parses with a valid head, events name
/// calls that live, `Ended` comes once, there is no storm, and tables stay within their sizes.
struct Watched<'a> {
    endpoint: Endpoint<'a>,
    address: SocketAddr,
    account: AccountId,
    calls: Vec<CallId>,
    ended: HashMap<CallId, u32>,
    requests: Vec<RequestId>,
    sent: VecDeque<Vec<u8>>,
    /// The last message received, for answers that fit.
    peer: SocketAddr,
}

impl<'a> Watched<'a> {
    fn new(memory: &'a mut SmallMemory, address: &str, peer: &str, seed: u8) -> Self {
        let address: SocketAddr = address.parse().expect("an address");
        let peer: SocketAddr = peer.parse().expect("an address");
        let config = Config {
            local: Some(address),
            methods: Methods::MESSAGE.and(Methods::INFO).and(Methods::OTHER),
            ..Config::default()
        };
        let mut endpoint = Endpoint::new(config, [seed; 32], memory.storage());
        let (identity, registrar) =
            (format!("sip:1@{}", address.ip()), format!("sip:{}", peer.ip()));
        let account = Account {
            identity: &identity,
            registrar: &registrar,
            password: "secret",
            ..Account::default()
        };
        let account = endpoint.add_account(Instant::ZERO, account).expect("an account");
        Self {
            endpoint,
            address,
            account,
            calls: vec![],
            ended: HashMap::new(),
            requests: vec![],
            sent: VecDeque::new(),
            peer,
        }
    }

    fn receive(&mut self, now: Instant, bytes: &[u8]) {
        let path = Path::udp(self.address, self.peer);
        self.endpoint.handle(now, Input::Message { path, bytes });
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        let mut actions = 0;
        while let Some(action) = self.endpoint.poll_action(now) {
            actions += 1;
            assert!(actions < 200, "an action storm");
            match action {
                Action::Transmit { bytes, .. } => {
                    let message = Message::parse(bytes).expect("what we send parses");
                    if message.is_request() {
                        Head::parse(&message).expect("a request of ours has a valid head");
                    }
                    self.sent.push_back(bytes.to_vec());
                }
                Action::Event(event) => match event {
                    Event::Incoming { call, .. } => self.calls.push(call),
                    Event::Request { request, .. } => self.requests.push(request),
                    Event::Ended { call, .. } => {
                        let count = self.ended.entry(call).or_insert(0);
                        *count += 1;
                        assert_eq!(*count, 1, "Ended comes once");
                        self.calls.retain(|live| *live != call);
                    }
                    Event::Established { call, .. } | Event::Media { call, .. } => {
                        assert!(!self.ended.contains_key(&call), "nothing comes after Ended");
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        assert!(self.sent.len() < 100_000);
        if let Some(next) = self.endpoint.poll_timeout() {
            assert!(next > now, "a deadline that has come was not served");
        }
        self.sent.truncate(256);
        let usage = self.endpoint.usage();
        assert!(usage.calls <= 2 && usage.transactions <= 8 && usage.buffers <= 6, "{usage:?}");
    }

    fn command(&mut self, now: Instant, choice: u8) {
        let call = self.calls.get(usize::from(choice >> 4) % self.calls.len().max(1)).copied();
        let media = || LocalMedia::new(SocketAddr::new(self.address.ip(), 4000));
        let target = format!("sip:2@{}", self.peer.ip());
        match (choice % 14, call) {
            (0, _) => {
                let _ = self.endpoint.register(now, self.account);
            }
            (1, _) => {
                let _ = self.endpoint.unregister(now, self.account);
            }
            (2, _) => {
                let _ = self.endpoint.query_bindings(now, self.account);
            }
            (3, _) => {
                let call = OutgoingCall {
                    account: self.account,
                    target: &target,
                    media: media(),
                    late_offer: choice & 0x80 != 0,
                    headers: &[],
                };
                if let Ok(call) = self.endpoint.call(now, call) {
                    self.calls.push(call);
                }
            }
            (4, Some(call)) => {
                let early = (choice & 0x40 != 0).then(media);
                let _ = self.endpoint.progress(now, call, 183, early);
            }
            (5, Some(call)) => {
                let _ = self.endpoint.answer(now, call, media());
            }
            (6, Some(call)) => {
                let _ = self.endpoint.reject(now, call, 486);
            }
            (7, Some(call)) => {
                let _ = self.endpoint.hang_up(now, call);
            }
            (8, Some(call)) => {
                let _ = self.endpoint.hold(now, call);
            }
            (9, Some(call)) => {
                let _ = self.endpoint.resume(now, call);
            }
            (10, Some(call)) => {
                let _ = self.endpoint.media_silent(now, call);
            }
            (11, Some(call)) => {
                let _ = self.endpoint.request_in_call(now, call, "INFO", &[], None);
            }
            (12, _) => {
                let request = OutgoingRequest {
                    account: self.account,
                    method: "MESSAGE",
                    target: &target,
                    headers: &[],
                    body: None,
                };
                let _ = self.endpoint.request(now, request);
            }
            (13, _) => {
                if let Some(request) = self.requests.pop() {
                    let _ = self.endpoint.respond(now, request, 200, &[], None);
                }
            }
            _ => {}
        }
        self.drain(now);
    }

    /// Time passes by the endpoint's own deadlines.
    fn pass(&mut self, now: &mut Instant, span: Duration) {
        let end = *now + span;
        let mut turns = 0;
        while let Some(next) = self.endpoint.poll_timeout().filter(|next| *next <= end) {
            *now = (*now).max(next);
            self.drain(*now);
            turns += 1;
            assert!(turns < 100_000, "time does not pass");
        }
        *now = end;
        self.drain(*now);
    }

    fn quiet(&mut self, now: &mut Instant) {
        for call in self.calls.clone() {
            let _ = self.endpoint.hang_up(*now, call);
            self.drain(*now);
        }
        let _ = self.endpoint.remove_account(*now, self.account);
        self.drain(*now);
        self.pass(now, Duration::from_secs(400));
        let usage = self.endpoint.usage();
        assert_eq!((usage.calls, usage.dialogs, usage.transactions, usage.buffers), (0, 0, 0, 0));
    }
}

/// Inputs, commands and time in any order: the invariants of `Watched`, and after everything was
/// hung up and time has passed, empty tables.
pub fn endpoint(data: &[u8]) {
    let mut memory = Box::new(SmallMemory::new());
    let mut phone = Watched::new(&mut memory, "192.0.2.1:5060", "192.0.2.2:5060", 5);
    let mut program = Program::new(data);
    let mut now = Instant::from_millis(1000);
    let mut last: Vec<u8> = vec![];
    while let Some(choice) = program.byte() {
        match choice % 8 {
            0 => phone.receive(now, program.message()),
            1 => phone.command(now, program.byte().unwrap_or(0)),
            2 => phone.pass(&mut now, Duration::from_millis(program.number().into())),
            // twice 64 * T1 at most: what refreshes later is reached by several, each with its turns
            3 => {
                let span_s = program.byte().unwrap_or(0) & 63;
                phone.pass(&mut now, Duration::from_secs(span_s.into()));
            }
            4 => {
                // an answer to what we sent last
                if let Some(request) = phone.sent.pop_back() {
                    let statuses = [100, 180, 183, 200, 401, 407, 423, 481, 486, 491, 503, 603];
                    let status = statuses[usize::from(choice >> 3) % statuses.len()];
                    let answer = answer_to(&request, status, program.byte().unwrap_or(0));
                    phone.receive(now, &answer);
                    last = answer;
                }
            }
            5 => {
                let call =
                    request(choice, program.byte().unwrap_or(0), program.byte().unwrap_or(0));
                phone.receive(now, &call);
                last = call;
            }
            6 => {
                // a request inside a dialog, made from our last response
                if let Some(response) = phone.sent.iter().rev().find(|b| b.starts_with(b"SIP/2.0"))
                {
                    let text = inside(response, choice, program.byte().unwrap_or(0));
                    phone.receive(now, &text);
                    last = text;
                }
            }
            _ => {
                // the last message again, perhaps broken
                let mut again = last.clone();
                if choice & 0x80 != 0 && !again.is_empty() {
                    let at = usize::from(program.number()) % again.len();
                    again[at] = program.byte().unwrap_or(0);
                }
                phone.receive(now, &again);
            }
        }
    }
    phone.quiet(&mut now);
}

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n\
    m=audio 5000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";

fn field<'m>(text: &'m str, name: &str) -> &'m str {
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default()
}

fn with_body(mut head: String, with_sdp: bool) -> Vec<u8> {
    if with_sdp {
        head +=
            &format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}", SDP.len());
    } else {
        head += "Content-Length: 0\r\n\r\n";
    }
    head.into_bytes()
}

fn answer_to(request: &[u8], status: u16, variant: u8) -> Vec<u8> {
    let text = String::from_utf8_lossy(request);
    let (via, from, to) = (field(&text, "Via: "), field(&text, "From: "), field(&text, "To: "));
    let (id, cseq) = (field(&text, "Call-ID: "), field(&text, "CSeq: "));
    let tag = if to.contains(";tag=") { String::new() } else { format!(";tag=p{}", variant & 3) };
    let mut head = format!(
        "SIP/2.0 {status} X\r\nVia: {via}\r\nFrom: {from}\r\nTo: {to}{tag}\r\nCall-ID: {id}\r\n\
         CSeq: {cseq}\r\nContact: <sip:2@192.0.2.2:5060>\r\n"
    );
    let contact = field(&text, "Contact: ");
    if cseq.contains("REGISTER") && variant & 4 != 0 {
        head += &format!("Contact: {contact}\r\nExpires: {}\r\n", u32::from(variant) * 3);
    }
    if status == 401 || status == 407 {
        let name = if status == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" };
        head += &format!(
            "{name}: Digest realm=\"r{}\", nonce=\"{variant}\", qop=\"auth\"{}\r\n",
            variant >> 7,
            if variant & 8 != 0 { ", stale=true" } else { "" }
        );
    }
    if variant & 16 != 0 {
        head += "Record-Route: <sip:192.0.2.9;lr>, <sip:192.0.2.8>\r\n";
    }
    with_body(head, variant & 32 != 0)
}

fn request(choice: u8, variant: u8, number: u8) -> Vec<u8> {
    let methods = ["INVITE", "CANCEL", "ACK", "OPTIONS", "MESSAGE", "BYE", "REGISTER", "FOO"];
    let method = methods[usize::from(choice >> 3) % methods.len()];
    let head = format!(
        "{method} sip:1@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK{}\r\n\
         From: <sip:2@192.0.2.2>;tag=f{}\r\nTo: <sip:1@192.0.2.1>\r\nCall-ID: c{}\r\n\
         CSeq: {} {method}\r\nContact: <sip:2@192.0.2.2>\r\n",
        number & 15,
        variant & 1,
        number & 7,
        u16::from(number) + 1,
    );
    with_body(head, variant & 2 != 0)
}

fn inside(response: &[u8], choice: u8, variant: u8) -> Vec<u8> {
    let text = String::from_utf8_lossy(response);
    let methods = ["ACK", "BYE", "INVITE", "INFO", "OPTIONS", "CANCEL", "UPDATE", "PRACK"];
    let method = methods[usize::from(choice >> 3) % methods.len()];
    let (from, to) = (field(&text, "From: "), field(&text, "To: "));
    let (id, cseq) = (field(&text, "Call-ID: "), field(&text, "CSeq: "));
    let number: u32 = cseq.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(1);
    let number = number.saturating_add(u32::from(variant & 3));
    let head = format!(
        "{method} sip:1@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKi{}\r\n\
         From: {from}\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: {number} {method}\r\n\
         Contact: <sip:2@192.0.2.2>\r\n",
        variant >> 2,
    );
    with_body(head, variant & 64 != 0)
}

/// Two phones on a wire that the bytes govern: lost, doubled, overtaken. When the wire is good again
/// and everything is hung up, both are idle, and each call ended once on each side.
pub fn two_phones(data: &[u8]) {
    let mut program = Program::new(data);
    let (mut memory_a, mut memory_b) = (Box::new(SmallMemory::new()), Box::new(SmallMemory::new()));
    let mut a = Watched::new(&mut memory_a, "192.0.2.1:5060", "192.0.2.2:5060", 1);
    let mut b = Watched::new(&mut memory_b, "192.0.2.2:5060", "192.0.2.1:5060", 2);
    let mut now = Instant::from_millis(1000);
    while let Some(choice) = program.byte() {
        let (one, other) = if choice & 1 == 0 { (&mut a, &mut b) } else { (&mut b, &mut a) };
        match choice >> 1 & 7 {
            0 | 1 => one.command(now, program.byte().unwrap_or(0)),
            2 => drop(one.sent.pop_front()),
            3 => {
                if let Some(bytes) = one.sent.pop_back() {
                    other.receive(now, &bytes); // overtakes all others
                }
            }
            4 => {
                if let Some(bytes) = one.sent.front().cloned() {
                    other.receive(now, &bytes); // will come again
                }
            }
            5 => {
                let span = Duration::from_millis(u64::from(program.number() % 4000));
                pass_both(&mut a, &mut b, &mut now, span, false);
            }
            _ => {
                if let Some(bytes) = one.sent.pop_front() {
                    other.receive(now, &bytes);
                }
            }
        }
    }
    pass_both(&mut a, &mut b, &mut now, Duration::from_secs(5), true);
    for phone in [&mut a, &mut b] {
        for call in phone.calls.clone() {
            let _ = phone.endpoint.hang_up(now, call);
            phone.drain(now);
        }
        let _ = phone.endpoint.remove_account(now, phone.account);
        phone.drain(now);
    }
    pass_both(&mut a, &mut b, &mut now, Duration::from_secs(400), true);
    for phone in [&a, &b] {
        let usage = phone.endpoint.usage();
        assert_eq!((usage.calls, usage.dialogs, usage.transactions, usage.buffers), (0, 0, 0, 0));
        assert!(phone.calls.is_empty(), "every call has ended");
    }
}

/// Let time pass at both; with `deliver` the wire is good.
fn pass_both(
    a: &mut Watched<'_>,
    b: &mut Watched<'_>,
    now: &mut Instant,
    span: Duration,
    deliver: bool,
) {
    let end = *now + span;
    let mut turns = 0;
    loop {
        turns += 1;
        assert!(turns < 100_000, "time does not pass");
        if deliver {
            while let Some(bytes) = a.sent.pop_front() {
                b.receive(*now, &bytes);
            }
            while let Some(bytes) = b.sent.pop_front() {
                a.receive(*now, &bytes);
            }
            if !a.sent.is_empty() {
                continue;
            }
        }
        let next = [a.endpoint.poll_timeout(), b.endpoint.poll_timeout()];
        let Some(next) = next.into_iter().flatten().min().filter(|next| *next <= end) else {
            break;
        };
        *now = (*now).max(next);
        a.drain(*now);
        b.drain(*now);
    }
    *now = end;
    a.drain(*now);
    b.drain(*now);
}

//! Endpoints under virtual time on a wire that the test controls.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod script;

use core::net::SocketAddr;
use std::collections::VecDeque;

use sansip::endpoint::{
    Account, AccountId, Action, CallId, Config, Endpoint, Event, Input, OutgoingCall, QueryId,
    Reason, RequestId, Stage,
};
use sansip::path::Path;
use sansip::sdp::{LocalMedia, MediaPlan};
use sansip::storage::{SmallMemory, Storage};
use sansip::time::{Duration, Instant};

/// What an endpoint said, owned.
#[derive(Clone, PartialEq, Debug)]
pub enum Heard {
    Registered(u32),
    RegistrationFailed(Reason, Option<u32>),
    Unregistered,
    Bindings(Result<String, Reason>),
    Incoming(CallId),
    Progress(CallId, u16),
    Media(CallId, Stage, MediaPlan),
    Established(CallId),
    Request(RequestId, String),
    Response(RequestId, Result<u16, Reason>, Option<String>),
    HoldFailed(CallId, Reason),
    Ended(CallId, Reason),
    Resolve(QueryId, String, Option<u16>),
}

/// A datagram on its way.
#[derive(Clone, Debug)]
pub struct Datagram {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

impl Datagram {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Method and CSeq method, or status and CSeq method.
    pub fn label(&self) -> String {
        let text = self.text();
        let first = text.split_whitespace().next().unwrap_or_default();
        let cseq = text.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap_or_default();
        let method = cseq.split_whitespace().nth(1).unwrap_or_default();
        match first {
            "SIP/2.0" => format!("{} {method}", text.split_whitespace().nth(1).unwrap_or_default()),
            method => method.to_owned(),
        }
    }
}

/// One endpoint with its address and what it said.
pub struct Node {
    pub endpoint: Endpoint<'static>,
    pub address: SocketAddr,
    pub heard: Vec<Heard>,
    /// The whole message behind each event in `heard`, where it lent one.
    pub messages: Vec<Option<String>>,
    pub sent: Vec<Datagram>,
    outbox: VecDeque<Datagram>,
}

impl Node {
    pub fn new(address: &str, seed: u8, config: Config) -> Self {
        let memory: &'static mut SmallMemory = Box::leak(Box::new(SmallMemory::new()));
        Self::with_storage(address, seed, config, memory.storage())
    }

    pub fn with_storage(
        address: &str,
        seed: u8,
        config: Config,
        storage: Storage<'static>,
    ) -> Self {
        let address: SocketAddr = address.parse().unwrap();
        let config = Config { local: Some(address), ..config };
        let endpoint = Endpoint::new(config, [seed; 32], storage);
        Self {
            endpoint,
            address,
            heard: vec![],
            messages: vec![],
            sent: vec![],
            outbox: VecDeque::new(),
        }
    }

    pub fn account(&mut self, now: Instant, identity: &str, registrar: &str) -> AccountId {
        let account = Account {
            identity,
            registrar,
            password: "secret",
            user_agent: "test/1",
            display_name: "Te \"st\"",
            ..Account::default()
        };
        self.endpoint.add_account(now, account).unwrap()
    }

    /// Carry out all actions.
    pub fn drain(&mut self, now: Instant) {
        let mut actions = 0;
        while let Some(action) = self.endpoint.poll_action(now) {
            actions += 1;
            assert!(actions < 1000, "an event storm");
            match action {
                Action::Transmit { path, bytes } => {
                    let from = path.local;
                    let datagram = Datagram { from, to: path.remote, bytes: bytes.to_vec() };
                    self.sent.push(datagram.clone());
                    self.outbox.push_back(datagram);
                }
                Action::Event(event) => {
                    self.messages.push(message_of(event));
                    let heard = owned(event);
                    self.heard.push(heard);
                }
                Action::Resolve { query, host, port, .. } => {
                    self.messages.push(None);
                    self.heard.push(Heard::Resolve(query, host.to_owned(), port));
                }
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    pub fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let path = Path::udp(self.address, from);
        self.endpoint.handle(now, Input::Message { path, bytes });
        self.drain(now);
    }

    pub fn last_call(&self) -> CallId {
        self.heard
            .iter()
            .rev()
            .find_map(|heard| match heard {
                Heard::Incoming(call) => Some(*call),
                _ => None,
            })
            .expect("an incoming call")
    }

    pub fn ended(&self) -> Vec<Reason> {
        self.heard
            .iter()
            .filter_map(|heard| match heard {
                Heard::Ended(_, reason) => Some(*reason),
                _ => None,
            })
            .collect()
    }

    pub fn plans(&self) -> Vec<(Stage, MediaPlan)> {
        self.heard
            .iter()
            .filter_map(|heard| match heard {
                Heard::Media(_, stage, plan) => Some((*stage, *plan)),
                _ => None,
            })
            .collect()
    }

    pub fn labels(&self) -> Vec<String> {
        self.sent.iter().map(Datagram::label).collect()
    }

    pub fn take_outbox(&mut self) -> Vec<Datagram> {
        self.outbox.drain(..).collect()
    }
}

fn message_of(event: Event<'_>) -> Option<String> {
    let message = match event {
        Event::Registered { message, .. }
        | Event::RegistrationFailed { message, .. }
        | Event::Unregistered { message, .. }
        | Event::Bindings { message, .. }
        | Event::Incoming { message, .. }
        | Event::Progress { message, .. }
        | Event::Media { message, .. }
        | Event::Established { message, .. }
        | Event::Request { message, .. }
        | Event::Response { message, .. }
        | Event::Ended { message, .. } => message,
        _ => None,
    };
    message.map(|message| String::from_utf8_lossy(message.bytes()).into_owned())
}

fn owned(event: Event<'_>) -> Heard {
    let text = |message: Option<sansip::sip::Message<'_>>| {
        message.map(|message| String::from_utf8_lossy(message.bytes()).into_owned())
    };
    match event {
        Event::Registered { expires_s, .. } => Heard::Registered(expires_s),
        Event::RegistrationFailed { reason, retry_s, .. } => {
            Heard::RegistrationFailed(reason, retry_s)
        }
        Event::Unregistered { .. } => Heard::Unregistered,
        Event::Bindings { outcome, message, .. } => {
            Heard::Bindings(outcome.map(|()| text(message).unwrap()))
        }
        Event::Incoming { call, message, .. } => {
            assert!(message.is_some(), "an INVITE comes with its message");
            Heard::Incoming(call)
        }
        Event::Progress { call, status, .. } => Heard::Progress(call, status),
        Event::Media { call, stage, plan, .. } => Heard::Media(call, stage, plan),
        Event::Established { call, .. } => Heard::Established(call),
        Event::Request { request, message, .. } => {
            Heard::Request(request, text(message).expect("a request comes with its message"))
        }
        Event::Response { request, outcome, message } => {
            Heard::Response(request, outcome, text(message))
        }
        Event::HoldFailed { call, reason } => Heard::HoldFailed(call, reason),
        Event::Ended { call, reason, .. } => Heard::Ended(call, reason),
        other => panic!("unexpected {other:?}"),
    }
}

/// Two endpoints and a wire between them with a delay of 10 ms; `pass` decides what arrives.
pub struct Pair {
    pub now: Instant,
    pub a: Node,
    pub b: Node,
    pub account_a: AccountId,
    pub account_b: AccountId,
    wire: VecDeque<(Instant, Datagram)>,
}

pub const A: &str = "192.0.2.1:5060";
pub const B: &str = "192.0.2.2:5060";

impl Pair {
    pub fn new() -> Self {
        Self::with_config(Config::default())
    }

    pub fn with_config(config: Config) -> Self {
        Self::of(Node::new(A, 1, config), Node::new(B, 2, config))
    }

    pub fn of(mut a: Node, mut b: Node) -> Self {
        let now = Instant::from_millis(1000);
        let account_a = a.account(now, "sip:alice@192.0.2.1", "");
        let account_b = b.account(now, "sip:bob@192.0.2.2", "");
        Self { now, a, b, account_a, account_b, wire: VecDeque::new() }
    }

    pub fn media(node: &Node) -> LocalMedia {
        LocalMedia::new(SocketAddr::new(node.address.ip(), 4000))
    }

    pub fn call(&mut self) -> CallId {
        self.call_with(|_| {})
    }

    pub fn call_with(&mut self, change: impl FnOnce(&mut OutgoingCall<'_>)) -> CallId {
        let mut call = OutgoingCall {
            account: self.account_a,
            target: "sip:bob@192.0.2.2",
            media: Self::media(&self.a),
            late_offer: false,
            headers: &[],
        };
        change(&mut call);
        let call = self.a.endpoint.call(self.now, call).unwrap();
        self.settle();
        call
    }

    /// A call that is up on both sides.
    pub fn established(&mut self) -> (CallId, CallId) {
        let call = self.call();
        self.run_ms(100, |_| true);
        let incoming = self.b.last_call();
        let media = Self::media(&self.b);
        self.b.endpoint.answer(self.now, incoming, media).unwrap();
        self.run_ms(200, |_| true);
        assert!(self.a.heard.contains(&Heard::Established(call)), "{:?}", self.a.heard);
        assert!(self.b.heard.contains(&Heard::Established(incoming)), "{:?}", self.b.heard);
        (call, incoming)
    }

    pub fn settle(&mut self) {
        self.a.drain(self.now);
        self.b.drain(self.now);
        let mut all = self.a.take_outbox();
        all.extend(self.b.take_outbox());
        for datagram in all {
            self.wire.push_back((self.now + Duration::from_millis(10), datagram));
        }
    }

    /// Let `ms` of virtual time pass.
    pub fn run_ms(&mut self, ms: u64, mut pass: impl FnMut(&Datagram) -> bool) {
        let end = self.now + Duration::from_millis(ms);
        loop {
            self.settle();
            let next = [
                self.wire.front().map(|(at, _)| *at),
                self.a.endpoint.poll_timeout(),
                self.b.endpoint.poll_timeout(),
            ];
            let Some(next) = next.into_iter().flatten().min().filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(next);
            while self.wire.front().is_some_and(|(at, _)| *at <= self.now) {
                let (_, datagram) = self.wire.pop_front().unwrap();
                if !pass(&datagram) {
                    continue;
                }
                for node in [&mut self.a, &mut self.b] {
                    if node.address == datagram.to {
                        node.receive(self.now, datagram.from, &datagram.bytes);
                    }
                }
            }
        }
        self.now = end;
        self.settle();
    }

    pub fn run_s(&mut self, s: u64) {
        self.run_ms(s * 1000, |_| true);
    }

    /// Nothing is left in any table but the accounts.
    pub fn assert_idle(&self) {
        for node in [&self.a, &self.b] {
            let usage = node.endpoint.usage();
            assert_eq!(usage.calls, 0, "{usage:?}");
            assert_eq!(usage.dialogs, 0, "{usage:?}");
            assert_eq!(usage.transactions, 0, "{usage:?}");
            assert_eq!(usage.buffers, 0, "{usage:?}");
            assert_eq!(node.endpoint.poll_timeout(), None);
        }
    }
}

//! Two endpoints, two users who do anything at any time, a wire that loses, doubles, delays,
//! mutates and replays, and memories of many sizes: nothing breaks, storms or leaks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_core
)]

mod support;

use std::net::SocketAddr;

use proptest::prelude::*;
use sansip::endpoint::{
    AccountId, CallId, Config, Input, Methods, OutgoingCall, OutgoingRequest, Usage,
};
use sansip::path::{FlowId, Path, Transport};
use sansip::storage::{Memory, Storage};
use sansip::time::{Duration, Instant};
use support::{A, B, Datagram, Heard, Node, Pair};

#[derive(Clone, Debug)]
enum Step {
    Call {
        late: bool,
        target: u8,
    },
    Ring {
        status: u16,
        early: bool,
    },
    Answer,
    Reject {
        status: u16,
    },
    HangUp {
        nth: usize,
    },
    Hold {
        nth: usize,
        hold: bool,
    },
    Ask {
        inside: bool,
        method: u8,
    },
    Respond {
        nth: usize,
        status: u16,
    },
    Register {
        on: bool,
    },
    Silent {
        nth: usize,
    },
    Fail,
    Wait {
        ms: u64,
    },
    /// Send something of before again, perhaps changed.
    Replay {
        nth: usize,
        change: Change,
    },
}

#[derive(Clone, Copy, Debug)]
enum Change {
    None,
    Byte(usize, u8),
    Method(u8),
    Status(u16),
    CSeq(u32),
    Cut(usize),
    SwapTags,
    Source,
}

#[derive(Clone, Debug)]
enum Fate {
    Arrives,
    Late(u64),
    Lost,
    Twice,
    Changed(Change),
}

const METHODS: [&str; 9] =
    ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "MESSAGE", "REGISTER", "PRACK"];

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::None),
        (0..2000usize, any::<u8>()).prop_map(|(place, byte)| Change::Byte(place, byte)),
        (0..9u8).prop_map(Change::Method),
        prop_oneof![Just(100), Just(180), Just(200), Just(401), Just(481), Just(491), 100..700_u16]
            .prop_map(Change::Status),
        prop_oneof![Just(0), Just(u32::MAX), Just(i32::MAX as u32), any::<u32>(), 1..9_u32]
            .prop_map(Change::CSeq),
        (0..600usize).prop_map(Change::Cut),
        Just(Change::SwapTags),
        Just(Change::Source),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        12 => Just(Fate::Arrives),
        2 => (1..3000u64).prop_map(Fate::Late),
        2 => Just(Fate::Lost),
        2 => Just(Fate::Twice),
        2 => change().prop_map(Fate::Changed),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let nth = || 0..4usize;
    let any_status = || prop_oneof![Just(200u16), Just(486), Just(302), Just(401), 100..700_u16];
    prop_oneof![
        4 => (any::<bool>(), 0..4u8).prop_map(|(late, target)| Step::Call { late, target }),
        2 => (100..200_u16, any::<bool>()).prop_map(|(status, early)| Step::Ring { status, early }),
        4 => Just(Step::Answer),
        1 => any_status().prop_map(|status| Step::Reject { status }),
        3 => nth().prop_map(|nth| Step::HangUp { nth }),
        3 => (nth(), any::<bool>()).prop_map(|(nth, hold)| Step::Hold { nth, hold }),
        2 => (any::<bool>(), 0..9u8).prop_map(|(inside, method)| Step::Ask { inside, method }),
        2 => (nth(), any_status()).prop_map(|(nth, status)| Step::Respond { nth, status }),
        1 => any::<bool>().prop_map(|on| Step::Register { on }),
        1 => nth().prop_map(|nth| Step::Silent { nth }),
        1 => Just(Step::Fail),
        8 => prop_oneof![0..50u64, 50..3000u64, Just(40_000)].prop_map(|ms| Step::Wait { ms }),
        3 => (0..200usize, change()).prop_map(|(nth, change)| Step::Replay { nth, change }),
    ]
}

fn changed(datagram: &Datagram, change: Change) -> Datagram {
    let mut result = datagram.clone();
    let text = datagram.text();
    let first = text.split(' ').next().unwrap_or_default().to_owned();
    match change {
        Change::None => {}
        Change::Byte(place, byte) if !result.bytes.is_empty() => {
            let place = place % result.bytes.len();
            result.bytes[place] = byte;
        }
        Change::Byte(..) => {}
        Change::Method(method) if first != "SIP/2.0" => {
            let method = METHODS[usize::from(method)];
            result.bytes = text.replace(&first, method).into_bytes();
        }
        Change::Status(status) if first == "SIP/2.0" => {
            let old = text.split(' ').nth(1).unwrap_or_default();
            let new = format!("SIP/2.0 {status}");
            result.bytes = text.replacen(&format!("SIP/2.0 {old}"), &new, 1).into_bytes();
        }
        Change::Method(_) | Change::Status(_) => {}
        Change::CSeq(number) => {
            let old = text.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap_or_default();
            let old = old.split(' ').next().unwrap_or_default();
            let (old, new) = (format!("CSeq: {old} "), format!("CSeq: {number} "));
            result.bytes = text.replace(&old, &new).into_bytes();
        }
        Change::Cut(len) => result.bytes.truncate(len),
        Change::SwapTags => {
            let swapped = text.replace("\r\nFrom: ", "\r\nXo: ").replace("\r\nTo: ", "\r\nFrom: ");
            result.bytes = swapped.replace("\r\nXo: ", "\r\nTo: ").into_bytes();
        }
        Change::Source => result.from = "203.0.113.5:6060".parse().unwrap(),
    }
    result
}

/// The way between two addresses, as datagrams or in one connection.
fn way(stream: bool, local: SocketAddr, remote: SocketAddr) -> Path {
    let udp = Path::udp(local, remote);
    if stream { Path { transport: Transport::Tcp, flow: FlowId(1), ..udp } } else { udp }
}

struct World {
    stream: bool,
    /// How much of what each has heard was looked at for questions to the resolver.
    looked_at: [usize; 2],
    now: Instant,
    nodes: [Node; 2],
    accounts: [AccountId; 2],
    calls: [Vec<CallId>; 2],
    wire: Vec<(Instant, Datagram)>,
    seen: Vec<Datagram>,
}

impl World {
    fn new(storages: [Storage<'static>; 2], stream: bool) -> Self {
        let now = Instant::from_millis(1000);
        let methods = Methods::MESSAGE.and(Methods::INFO);
        let config = Config {
            methods,
            ring_limit: Duration::from_secs(60),
            answer_limit: Duration::from_secs(50),
            ..Config::default()
        };
        let [a, b] = storages;
        let mut nodes = [Node::with_storage(A, 1, config, a), Node::with_storage(B, 2, config, b)];
        let accounts = [
            nodes[0].account(now, "sip:alice@192.0.2.1", REGISTRARS[usize::from(stream)]),
            nodes[1].account(now, "sip:bob@192.0.2.2", ""),
        ];
        Self {
            stream,
            looked_at: [0; 2],
            now,
            nodes,
            accounts,
            calls: [vec![], vec![]],
            wire: vec![],
            seen: vec![],
        }
    }

    /// Drain both, and see that neither would wake up at once again.
    fn settle(&mut self, mut fate: impl FnMut() -> Fate) {
        for (node, looked_at) in self.nodes.iter_mut().zip(&mut self.looked_at) {
            node.drain(self.now);
            while let Some(heard) = node.heard.get(*looked_at) {
                *looked_at += 1;
                let Heard::Resolve(query, host, _) = heard else { continue };
                let ip = host.parse().unwrap();
                let path = way(self.stream, node.address, SocketAddr::new(ip, 5060));
                let resolved = Input::Resolved { query: *query, targets: &[path] };
                node.endpoint.handle(self.now, resolved);
                node.drain(self.now);
            }
            let next = node.endpoint.poll_timeout();
            assert!(next.is_none_or(|at| at > self.now), "it would spin");
            for datagram in node.take_outbox() {
                let soon = self.now + Duration::from_millis(10);
                let late = |ms| self.now + Duration::from_millis(ms);
                self.seen.push(datagram.clone());
                match fate() {
                    Fate::Arrives => self.wire.push((soon, datagram)),
                    Fate::Late(ms) => self.wire.push((late(ms), datagram)),
                    Fate::Lost => {}
                    Fate::Twice => {
                        self.wire.push((late(300), datagram.clone()));
                        self.wire.push((soon, datagram));
                    }
                    Fate::Changed(change) => self.wire.push((soon, changed(&datagram, change))),
                }
            }
        }
    }

    fn run_ms(&mut self, ms: u64, mut fate: impl FnMut() -> Fate) {
        let end = self.now + Duration::from_millis(ms);
        loop {
            self.settle(&mut fate);
            let arrival = self.wire.iter().map(|(at, _)| *at).min();
            let timers = self.nodes.iter().filter_map(|node| node.endpoint.poll_timeout()).min();
            let next = [arrival, timers].into_iter().flatten().min();
            let Some(next) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(next);
            while let Some(place) = self.wire.iter().position(|(at, _)| *at <= self.now) {
                let (_, datagram) = self.wire.remove(place);
                self.deliver(&datagram);
                self.settle(&mut fate);
            }
        }
        self.now = end;
        self.settle(&mut fate);
    }

    fn deliver(&mut self, datagram: &Datagram) {
        let node = self.nodes.iter_mut().find(|node| node.address == datagram.to);
        if let Some(node) = node {
            let path = way(self.stream, node.address, datagram.from);
            let message = Input::Message { path, bytes: &datagram.bytes };
            node.endpoint.handle(self.now, message);
            node.drain(self.now);
        }
    }

    /// What the users of both do; what makes no sense is refused, which is fine.
    fn act(&mut self, who: usize, step: &Step) {
        let now = self.now;
        let incoming = |heard: &Heard| match heard {
            Heard::Incoming(call) => Some(*call),
            _ => None,
        };
        let node = &mut self.nodes[who];
        let media = Pair::media(node);
        let mut known: Vec<CallId> = node.heard.iter().filter_map(incoming).collect();
        known.extend(&self.calls[who]);
        let call = |nth: usize| known.iter().rev().nth(nth).copied();
        let ringing = node.heard.iter().rev().find_map(incoming);
        let endpoint = &mut node.endpoint;
        match step {
            Step::Call { late, target } => {
                let other = TARGETS[usize::from(self.stream)][1 - who];
                let target = if *target == 0 { "sip:nobody@203.0.113.9" } else { other };
                let account = self.accounts[who];
                let call = OutgoingCall { account, target, media, late_offer: *late, headers: &[] };
                if let Ok(call) = endpoint.call(now, call) {
                    self.calls[who].push(call);
                }
            }
            Step::Ring { status, early } => {
                let media = early.then_some(media);
                let _ = ringing.map(|call| endpoint.progress(now, call, *status, media));
            }
            Step::Answer => {
                let _ = ringing.map(|call| endpoint.answer(now, call, media));
            }
            Step::Reject { status } => {
                let _ = ringing.map(|call| endpoint.reject(now, call, *status));
            }
            Step::HangUp { nth } => {
                let _ = call(*nth).map(|call| endpoint.hang_up(now, call));
            }
            Step::Hold { nth, hold } => {
                let change = |call| {
                    if *hold { endpoint.hold(now, call) } else { endpoint.resume(now, call) }
                };
                let _ = call(*nth).map(change);
            }
            Step::Ask { inside: true, method } => {
                let method = METHODS[usize::from(*method)];
                let ask = |call| endpoint.request_in_call(now, call, method, &[], None);
                let _ = call(0).map(ask);
            }
            Step::Ask { inside: false, method } => {
                let target = TARGETS[usize::from(self.stream)][1 - who];
                let request = OutgoingRequest {
                    account: self.accounts[who],
                    method: METHODS[usize::from(*method)],
                    target,
                    headers: &[],
                    body: None,
                };
                let _ = endpoint.request(now, request);
            }
            Step::Respond { nth, status } => {
                let requests = node.heard.iter().rev().filter_map(|heard| match heard {
                    Heard::Request(request, _) => Some(*request),
                    _ => None,
                });
                let request = requests.clone().nth(*nth);
                let _ = request.map(|r| node.endpoint.respond(now, r, *status, &[], None));
            }
            Step::Register { on: true } => drop(endpoint.register(now, self.accounts[who])),
            Step::Register { on: false } => drop(endpoint.unregister(now, self.accounts[who])),
            Step::Silent { nth } => {
                let _ = call(*nth).map(|call| endpoint.media_silent(now, call));
            }
            Step::Fail => {
                let remote = if who == 0 { B } else { A };
                let path = way(self.stream, node.address, remote.parse().unwrap());
                node.endpoint.handle(now, Input::SendFailed { path });
                node.endpoint.handle(now, Input::Closed { flow: path.flow });
            }
            Step::Wait { .. } | Step::Replay { .. } => {}
        }
    }

    /// Everybody hangs up; after all timers nothing is left, and every call ended once.
    fn finish(&mut self) {
        for who in 0..2 {
            for nth in 0..100 {
                self.act(who, &Step::HangUp { nth });
                self.act(who, &Step::Reject { status: 486 });
            }
            self.act(who, &Step::Register { on: false });
        }
        self.run_ms(700_000, || Fate::Arrives);
        for (who, node) in self.nodes.iter().enumerate() {
            let nothing = Usage { accounts: 1, ..Usage::default() };
            assert_eq!(node.endpoint.usage(), nothing, "node {who}");
            assert_eq!(node.endpoint.poll_timeout(), None);
            let ended: Vec<CallId> = node
                .heard
                .iter()
                .filter_map(|heard| match heard {
                    Heard::Ended(call, _) => Some(*call),
                    _ => None,
                })
                .collect();
            let begun = node.heard.iter().filter_map(|heard| match heard {
                Heard::Incoming(call) => Some(*call),
                _ => None,
            });
            for call in begun.chain(self.calls[who].iter().copied()) {
                let times = ended.iter().filter(|own| **own == call).count();
                assert_eq!(times, 1, "{call:?} ended {times} times");
            }
        }
    }
}

const REGISTRARS: [&str; 2] = ["sip:192.0.2.2", "sip:192.0.2.2;transport=tcp"];
const TARGETS: [[&str; 2]; 2] = [
    ["sip:x@192.0.2.1", "sip:x@192.0.2.2"],
    ["sip:x@192.0.2.1;transport=tcp", "sip:x@192.0.2.2;transport=tcp"],
];

fn storage<const C: usize, const D: usize, const T: usize, const M: usize>() -> Storage<'static> {
    Box::leak(Box::new(Memory::<1, C, D, T, M, 512, 1500>::new())).storage()
}

fn storages() -> [fn() -> Storage<'static>; 5] {
    [
        storage::<2, 3, 8, 6>,
        storage::<1, 1, 2, 2>,
        storage::<1, 1, 3, 3>,
        storage::<2, 2, 4, 3>,
        storage::<4, 6, 24, 24>,
    ]
}

fn config() -> ProptestConfig {
    let cases = std::env::var("CHAOS").map_or(300, |n| n.parse().unwrap());
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn anything_may_happen(
        memory in (0..5usize, 0..5usize),
        stream: bool,
        steps in prop::collection::vec((0..2usize, step()), 1..60),
        fates in prop::collection::vec(fate(), 1..200),
    ) {
        let storages = [storages()[memory.0](), storages()[memory.1]()];
        let mut world = World::new(storages, stream);
        let mut fates = fates.iter().cycle().cloned();
        let mut fate = || fates.next().unwrap();
        for (who, step) in &steps {
            world.act(*who, step);
            match step {
                Step::Wait { ms } => world.run_ms(*ms, &mut fate),
                Step::Replay { nth, change } if !world.seen.is_empty() => {
                    let datagram = &world.seen[nth % world.seen.len()];
                    let datagram = changed(datagram, *change);
                    world.deliver(&datagram);
                }
                _ => {}
            }
            world.settle(&mut fate);
        }
        world.finish();
    }
}

#[test]
fn over_a_connection_nothing_is_repeated_and_little_lingers() {
    let mut world = World::new([storages()[0](), storages()[0]()], true);
    let fine = || Fate::Arrives;
    world.act(0, &Step::Call { late: false, target: 1 });
    world.run_ms(2000, fine);
    world.act(1, &Step::Ring { status: 180, early: false });
    world.run_ms(2000, fine);
    world.act(1, &Step::Answer);
    world.run_ms(2000, fine);
    world.act(0, &Step::Hold { nth: 0, hold: true });
    world.run_ms(2000, fine);
    world.act(0, &Step::Ask { inside: false, method: 6 });
    world.run_ms(2000, fine);
    world.act(1, &Step::Respond { nth: 0, status: 486 });
    world.act(1, &Step::HangUp { nth: 0 });
    world.run_ms(2000, fine);
    let [a, b] = &world.nodes;
    assert_eq!(a.labels(), ["INVITE", "ACK", "INVITE", "ACK", "MESSAGE", "200 BYE"]);
    let of_b = ["100 INVITE", "180 INVITE", "200 INVITE", "200 INVITE", "486 MESSAGE", "BYE"];
    assert_eq!(b.labels(), of_b);
    // what lingers is the two accepted INVITEs of each side, for 64 * T1
    assert_eq!(a.endpoint.usage().transactions, 2);
    assert_eq!(b.endpoint.usage().transactions, 2);
    world.finish();
}

//! The simulated world: time, network, nodes.

use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use core::cmp::Reverse;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use sansip::endpoint::{Action, CallId, Error, Input, QueryId, Reply};
use sansip::path::{Path, Transport};
use sansip::time::{Duration, Instant};

use crate::journal::JournalText;
use crate::network::{Link, Network};
use crate::oracle::{Failure, Oracle, Origin};
use crate::pbx::{self, Pbx};
use crate::phone::{MediaPacket, Operation, Phone, PhoneOptions, Told};
use crate::random::{Random, Stream};
use crate::server::{Server, ServerOptions};
use crate::trace::{Line, TraceHash};

/// Names a node of a [`World`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub(crate) usize);

/// Everything that is simulated: phones, servers, the network between them, and time.
///
/// Nothing happens by itself: [`step`](Self::step) and the `run` methods move time to the next
/// thing that is due. The same seed and the same calls give the same run, bit for bit.
pub struct World {
    now: Instant,
    order: u64,
    queue: BinaryHeap<Reverse<Due>>,
    hosts: Vec<Host>,
    addresses: BTreeMap<IpAddr, usize>,
    names: BTreeMap<String, SocketAddr>,
    names_fail_until: Instant,
    network: Network,
    draws: Random,
    faults: Random,
    keys: Random,
    servers: Random,
    oracle: Oracle,
    hash: TraceHash,
    news: VecDeque<(NodeId, Told)>,
    packets: u64,
    print: bool,
    steps_at_once: u32,
    tap: bool,
    tapped: VecDeque<Datagram>,
    pbx_lines: Vec<String>,
    record: bool,
    journals: Vec<(NodeId, JournalText)>,
    fates: Fates,
    nobody: Messages,
}

/// What became of the datagrams that the network carried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Fates {
    /// Forged ones, which came from nowhere.
    pub forged: u64,
    /// Under way.
    pub under_way: u64,
    /// Taken by a node.
    pub taken: u64,
    /// To an address that nobody has, or a port that a router does not know.
    pub lost_at_router: u64,
    /// To a host where nobody listens.
    pub unreachable: u64,
    /// More than a node that stood still could keep.
    pub overrun: u64,
    /// Kept by a node until it goes on.
    pub waiting: u64,
    /// Kept by a node that began anew.
    pub forgotten: u64,
}

/// A datagram as it was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Datagram {
    /// Where from.
    pub from: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
    /// Every byte.
    pub bytes: Vec<u8>,
}

/// How a node's driver treats time and its socket.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Timing {
    /// Timers fire at multiples of this only; nothing for no such limit.
    pub coarse: Duration,
    /// Timers fire later by up to this.
    pub late: Duration,
    /// Probability at each datagram that the socket takes no more for a time.
    pub backpressure: f64,
    /// Longest such time.
    pub blocked: Duration,
}

struct Host {
    ip: IpAddr,
    node: Node,
    timing: Timing,
    /// Deaf and idle until then: a pause, or a socket that takes nothing.
    stalled_until: Option<Instant>,
    inbox: VecDeque<Work>,
    held: Option<Datagram>,
    wake: u64,
    wake_at: Option<Instant>,
    nat: Option<Nat>,
    /// Messages that its endpoint was given, and that it gave for sending, since it began.
    messages: Messages,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Messages {
    received: u64,
    sent: u64,
}

enum Node {
    /// It is being worked on, or is only an address.
    Away,
    Phone(Box<Phone>),
    Pbx(Box<Pbx>),
    Server(Box<Server>),
}

/// A router with one outer address; inner ports are mapped to outer ones on first use.
struct Nat {
    outer: IpAddr,
    next_port: u16,
    out: BTreeMap<u16, u16>,
    back: BTreeMap<u16, u16>,
}

struct Due {
    at: Instant,
    order: u64,
    what: Happening,
}

enum Happening {
    Arrive { datagram: Datagram, origin: Origin },
    Unreachable { to: SocketAddr, failed: SocketAddr },
    Wake { host: usize, wake: u64 },
    Resume { host: usize },
    Resolved { host: usize, query: QueryId, target: Option<SocketAddr> },
    Do { host: usize, operation: Operation },
    Send(Datagram),
}

/// What a node takes in one turn.
enum Work {
    Datagram { datagram: Datagram, origin: Origin },
    SendFailed { failed: SocketAddr },
    Resolved { query: QueryId, target: Option<SocketAddr> },
    Do(Operation),
    Time,
}

impl World {
    /// An empty world with a good network.
    pub fn new(seed: u64) -> Self {
        Self {
            now: Instant::from_millis(1000),
            order: 0,
            queue: BinaryHeap::new(),
            hosts: Vec::new(),
            addresses: BTreeMap::new(),
            names: BTreeMap::new(),
            names_fail_until: Instant::ZERO,
            network: Network::new(Link::GOOD),
            draws: Random::new(seed, Stream::Network),
            faults: Random::new(seed, Stream::Faults),
            keys: Random::new(seed, Stream::Keys),
            servers: Random::new(seed, Stream::Server),
            oracle: Oracle::new(),
            hash: TraceHash::default(),
            news: VecDeque::new(),
            packets: 0,
            print: false,
            steps_at_once: 0,
            tap: false,
            tapped: VecDeque::new(),
            pbx_lines: Vec::new(),
            record: false,
            journals: Vec::new(),
            fates: Fates::default(),
            nobody: Messages::default(),
        }
    }

    // ---- nodes

    /// Adds a phone.
    pub fn add_phone(&mut self, options: PhoneOptions) -> NodeId {
        let address = self.next_address();
        let seeds = Random::new(self.keys.next(), Stream::Keys);
        let journal = self.new_journal(NodeId(self.hosts.len()));
        let phone = Phone::new(self.now, options, address, seeds, journal);
        self.oracle.add_phone(self.hosts.len(), &phone, self.now);
        self.add(address.ip(), Node::Phone(Box::new(phone)))
    }

    /// Adds a PBX with its accounts 100 to 110, and room for `calls` calls.
    pub fn add_pbx(&mut self, calls: u16) -> NodeId {
        let address = self.next_address();
        let ports = (0..calls).map(|call| 20_000 + call * 2).collect();
        let options = pbx::Options::new(address, ports, self.keys.seed());
        self.oracle.add_endpoint(self.hosts.len(), address);
        self.add(address.ip(), Node::Pbx(Box::new(Pbx::new(options))))
    }

    /// Adds a registrar and proxy; the options' address is replaced by its own.
    pub fn add_server(&mut self, mut options: ServerOptions) -> NodeId {
        options.address = self.next_address();
        self.oracle.add_server(options.address, &options.realm);
        self.add(options.address.ip(), Node::Server(Box::new(Server::new(options))))
    }

    /// Adds an address where nobody answers: for an attacker, or a peer that is gone.
    pub fn add_address(&mut self) -> NodeId {
        let address = self.next_address();
        self.oracle.add_stranger(address.ip());
        self.add(address.ip(), Node::Away)
    }

    /// Adds an account at a server.
    pub fn add_account(&mut self, server: NodeId, user: &str, password: &str) {
        if let Some(server) = self.server_mut(server) {
            server.add_account(user, password);
        }
    }

    /// Where a node receives SIP.
    pub fn address(&self, node: NodeId) -> SocketAddr {
        let ip = self.hosts.get(node.0).map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |host| host.ip);
        SocketAddr::new(ip, SIP_PORT)
    }

    /// A phone; `None` for another node.
    pub fn phone(&self, node: NodeId) -> Option<&Phone> {
        match self.hosts.get(node.0).map(|host| &host.node) {
            Some(Node::Phone(phone)) => Some(phone),
            _ => None,
        }
    }

    /// A server; `None` for another node.
    pub fn server(&self, node: NodeId) -> Option<&Server> {
        match self.hosts.get(node.0).map(|host| &host.node) {
            Some(Node::Server(server)) => Some(server),
            _ => None,
        }
    }

    /// A server, to change.
    pub fn server_mut(&mut self, node: NodeId) -> Option<&mut Server> {
        match self.hosts.get_mut(node.0).map(|host| &mut host.node) {
            Some(Node::Server(server)) => Some(server),
            _ => None,
        }
    }

    /// A PBX; `None` for another node.
    pub fn pbx(&mut self, node: NodeId) -> Option<&mut Pbx> {
        match self.hosts.get_mut(node.0).map(|host| &mut host.node) {
            Some(Node::Pbx(pbx)) => Some(pbx),
            _ => None,
        }
    }

    /// What the PBXs reported, a line an event.
    pub fn pbx_lines(&self) -> &[String] {
        &self.pbx_lines
    }

    /// Nobody can look up a name until then.
    pub fn fail_names_until(&mut self, until: Instant) {
        self.names_fail_until = until;
    }

    /// Gives an address a name that phones can look up.
    pub fn name(&mut self, name: &str, address: SocketAddr) {
        self.names.insert(name.to_owned(), address);
    }

    // ---- the network and its faults

    /// The network, to change.
    pub fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    /// How a node's driver treats time and its socket.
    pub fn set_timing(&mut self, node: NodeId, timing: Timing) {
        if let Some(host) = self.hosts.get_mut(node.0) {
            host.timing = timing;
        }
    }

    /// A node hears and does nothing for a time, such as while its machine is suspended.
    pub fn pause(&mut self, node: NodeId, span: Duration) {
        let until = self.now + span;
        self.stall(node.0, until);
    }

    /// A phone begins anew, without memory of calls and registration; its clock goes on.
    pub fn restart(&mut self, node: NodeId) {
        let seeds = Random::new(self.keys.next(), Stream::Keys);
        let now = self.now;
        let is_phone = self.phone(node).is_some();
        let journal = if is_phone { self.new_journal(node) } else { None };
        let Some(host) = self.hosts.get_mut(node.0) else { return };
        match &mut host.node {
            Node::Phone(phone) => {
                let options = phone.options().clone();
                **phone = Phone::new(now, options, phone.address(), seeds, journal);
                self.oracle.restarted(node.0, phone, now);
            }
            Node::Server(server) => server.restart(),
            Node::Pbx(_) | Node::Away => {}
        }
        host.held = None;
        host.messages = Messages::default();
        self.fates.forgotten += host.waiting();
        host.inbox.clear();
        self.schedule_wake(node.0);
    }

    /// Puts a node behind a router with an outer address.
    pub fn put_behind_nat(&mut self, node: NodeId) {
        let outer = self.next_address().ip();
        if let Some(host) = self.hosts.get_mut(node.0) {
            let (out, back) = (BTreeMap::new(), BTreeMap::new());
            host.nat = Some(Nat { outer, next_port: 30_000, out, back });
            self.addresses.insert(outer, node.0);
        }
    }

    /// The router of a node forgets its ports; what the node sends next gets new ones.
    pub fn rebind_nat(&mut self, node: NodeId) {
        if let Some(nat) = self.hosts.get_mut(node.0).and_then(|host| host.nat.as_mut()) {
            nat.out.clear();
            nat.back.clear();
        }
    }

    /// Sends a datagram with any sender's address, as an attacker does.
    pub fn inject(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let datagram = Datagram { from, to, bytes: bytes.to_vec() };
        self.note("forged", from, to, bytes);
        self.fates.forged += 1;
        self.schedule(
            self.now + FORGED_LATENCY,
            Happening::Arrive { datagram, origin: Origin::Forged },
        );
    }

    /// Keeps a copy of every datagram from now on, for [`take_tapped`](Self::take_tapped).
    pub fn tap(&mut self) {
        self.tap = true;
    }

    /// The datagrams since the last time.
    pub fn take_tapped(&mut self) -> Vec<Datagram> {
        self.tapped.drain(..).collect()
    }

    // ---- users

    /// A user does something now.
    ///
    /// # Errors
    /// What the endpoint answers; [`Error::Gone`] for a node that is no phone.
    pub fn perform(&mut self, node: NodeId, operation: Operation) -> Result<Reply, Error> {
        self.perform_at(node.0, &operation)
    }

    /// A user will do something.
    pub fn plan(&mut self, after: Duration, node: NodeId, operation: Operation) {
        let at = self.now + after;
        self.schedule(at, Happening::Do { host: node.0, operation });
    }

    /// What users were told, oldest first.
    pub fn take_news(&mut self) -> Option<(NodeId, Told)> {
        self.news.pop_front()
    }

    /// The newest call of a phone that has not ended.
    pub fn current_call(&self, node: NodeId) -> Option<CallId> {
        let talks = self.phone(node)?.calls().iter().rev();
        talks.into_iter().find(|talk| talk.ended.is_none()).map(|talk| talk.call)
    }

    // ---- time

    /// Now.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Goes to the next thing that is due, unless that is later than `until`.
    pub fn step(&mut self, until: Instant) -> bool {
        if self.queue.peek().is_none_or(|Reverse(due)| due.at > until) {
            self.now = self.now.max(until);
            return false;
        }
        let Some(Reverse(due)) = self.queue.pop() else { return false };
        let at = due.at.max(self.now);
        self.steps_at_once = if at == self.now { self.steps_at_once + 1 } else { 0 };
        if self.steps_at_once > STEPS_AT_ONCE_MAX {
            if self.steps_at_once == STEPS_AT_ONCE_MAX + 1 {
                self.oracle.report(at, 0, 1, "time stands still: the same moment for ever");
            }
            self.queue.clear();
            return false;
        }
        self.now = at;
        self.happen(due.what);
        true
    }

    /// Lets time pass.
    pub fn run(&mut self, span: Duration) {
        let until = self.now + span;
        while self.step(until) {}
    }

    /// Lets time pass until a condition holds, at most for `limit`; says whether it held.
    pub fn run_until(&mut self, limit: Duration, condition: impl Fn(&Self) -> bool) -> bool {
        let until = self.now + limit;
        loop {
            if condition(self) {
                return true;
            }
            if !self.step(until) {
                return condition(self);
            }
        }
    }

    // ---- results

    /// What the oracle found so far.
    pub fn failures(&self) -> &[Failure] {
        self.oracle.failures()
    }

    /// Checks what must hold once nothing is under way any more, then gives all failures.
    pub fn settle(&mut self) -> &[Failure] {
        for (index, host) in self.hosts.iter().enumerate() {
            if let Node::Phone(phone) = &host.node {
                self.oracle.quiet(self.now, index, phone);
                let stats = phone.endpoint().stats();
                let told = Messages { received: stats.received, sent: stats.sent };
                if told != host.messages {
                    let text = format!("the endpoint counts {told:?}, it was {:?}", host.messages);
                    self.oracle.report(self.now, index, 14, &text);
                }
            }
        }
        let (carried, fates) = (self.network.counters(), self.fates());
        if !carried.balance() || !fates.balance(carried.carried) {
            self.oracle.report(self.now, 0, 14, &format!("{carried:?} became {fates:?}"));
        }
        self.oracle.failures()
    }

    /// What became of the datagrams so far.
    pub fn fates(&self) -> Fates {
        let arrivals = |due: &&Reverse<Due>| matches!(due.0.what, Happening::Arrive { .. });
        Fates {
            under_way: self.queue.iter().filter(arrivals).count() as u64,
            waiting: self.hosts.iter().map(Host::waiting).sum(),
            ..self.fates
        }
    }

    /// The oracle, to tell it what to expect.
    pub fn oracle(&mut self) -> &mut Oracle {
        &mut self.oracle
    }

    /// The hash of all that happened.
    pub fn trace_hash(&self) -> u64 {
        self.hash.value()
    }

    /// Datagrams that nodes sent.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Faults that struck.
    pub fn faults(&self) -> u64 {
        self.network.counters().faults()
    }

    /// Writes a journal of every phone that is added, or begins anew, from now on.
    pub fn record(&mut self) {
        self.record = true;
    }

    /// The journals so far, in the order in which their phones began; `replay` runs them again. One
    /// of a phone that lives on has no end yet.
    pub fn journals(&self) -> Vec<(NodeId, String)> {
        self.journals.iter().map(|(node, journal)| (*node, journal.text())).collect()
    }

    /// Ends the journals of the phones that live.
    pub fn end_journals(&mut self) {
        for host in &mut self.hosts {
            if let Node::Phone(phone) = &mut host.node {
                phone.endpoint.end_journal();
            }
        }
    }

    fn new_journal(&mut self, node: NodeId) -> Option<JournalText> {
        self.record.then(|| {
            let text = JournalText::default();
            self.journals.push((node, text.clone()));
            text
        })
    }

    /// Prints every datagram and event to standard output from now on.
    pub fn print_trace(&mut self) {
        self.print = true;
    }

    // ---- the inside: queue

    fn schedule(&mut self, at: Instant, what: Happening) {
        self.order += 1;
        self.queue.push(Reverse(Due { at, order: self.order, what }));
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Arrive { datagram, origin } => self.arrive(datagram, origin),
            Happening::Unreachable { to, failed } => {
                if let Some(host) = self.addresses.get(&to.ip()).copied() {
                    self.offer(host, Work::SendFailed { failed });
                }
            }
            Happening::Wake { host, wake } => {
                let Some(known) = self.hosts.get_mut(host) else { return };
                if known.wake == wake {
                    known.wake_at = None;
                    self.offer(host, Work::Time);
                }
            }
            Happening::Resume { host } => self.resume(host),
            Happening::Resolved { host, query, target } => {
                self.offer(host, Work::Resolved { query, target });
            }
            Happening::Do { host, operation } => self.offer(host, Work::Do(operation)),
            Happening::Send(datagram) => self.emit(datagram),
        }
    }

    fn arrive(&mut self, mut datagram: Datagram, origin: Origin) {
        if origin == Origin::Damaged {
            self.oracle.damaged();
        }
        let host = self.addresses.get(&datagram.to.ip()).copied();
        let host = host.and_then(|index| Some((index, self.hosts.get_mut(index)?)));
        let Some((index, host)) = host else {
            self.fates.lost_at_router += 1;
            return;
        };
        if host.ip != datagram.to.ip()
            && let Some(nat) = &host.nat
        {
            let Some(port) = nat.back.get(&datagram.to.port()) else {
                self.fates.lost_at_router += 1;
                return;
            };
            datagram.to = SocketAddr::new(host.ip, *port);
        }
        if matches!(host.node, Node::Away) {
            self.fates.unreachable += 1;
            let what = Happening::Unreachable { to: datagram.from, failed: datagram.to };
            self.schedule(self.now + FORGED_LATENCY, what);
            return;
        }
        self.offer(index, Work::Datagram { datagram, origin });
    }

    /// Work now, or later where the node hears nothing.
    fn offer(&mut self, index: usize, work: Work) {
        let Some(host) = self.hosts.get_mut(index) else { return };
        if host.stalled_until.is_none() {
            self.turn(index, work);
            return;
        }
        let kept = match work {
            Work::Datagram { .. } if host.inbox.len() >= INBOX_MAX => {
                self.fates.overrun += 1;
                false
            }
            Work::Datagram { .. } => true,
            Work::Time => false,
            // a user and a resolver wait, whatever fills the socket meanwhile
            Work::SendFailed { .. } | Work::Resolved { .. } | Work::Do(_) => true,
        };
        if kept {
            host.inbox.push_back(work);
        }
    }

    fn stall(&mut self, index: usize, until: Instant) {
        let Some(host) = self.hosts.get_mut(index) else { return };
        host.stalled_until = Some(until.max(host.stalled_until.unwrap_or_default()));
        self.oracle.stalled(index, until);
        self.schedule(until, Happening::Resume { host: index });
    }

    fn resume(&mut self, index: usize) {
        let Some(host) = self.hosts.get_mut(index) else { return };
        if host.stalled_until.is_none_or(|until| until > self.now) {
            return;
        }
        host.stalled_until = None;
        if let Some(held) = host.held.take() {
            self.emit(held);
        }
        self.turn(index, Work::Time);
        loop {
            let Some(host) = self.hosts.get_mut(index) else { return };
            if host.stalled_until.is_some() {
                return;
            }
            let Some(work) = host.inbox.pop_front() else { return };
            self.turn(index, work);
        }
    }

    // ---- the inside: turns

    fn turn(&mut self, index: usize, work: Work) {
        let Some(host) = self.hosts.get_mut(index) else { return };
        self.fates.taken += u64::from(matches!(work, Work::Datagram { .. }));
        match core::mem::replace(&mut host.node, Node::Away) {
            Node::Phone(mut phone) => {
                self.phone_turn(index, &mut phone, work);
                self.put_back(index, Node::Phone(phone));
            }
            Node::Pbx(mut pbx) => {
                self.pbx_turn(index, &mut pbx, work);
                self.put_back(index, Node::Pbx(pbx));
            }
            Node::Server(mut server) => {
                self.server_turn(index, &mut server, work);
                self.put_back(index, Node::Server(server));
            }
            Node::Away => {}
        }
        self.schedule_wake(index);
    }

    fn server_turn(&mut self, index: usize, server: &mut Server, work: Work) {
        let own = self.address(NodeId(index));
        let sent = match work {
            Work::Datagram { datagram: Datagram { from, to, bytes }, .. } if to == own => {
                self.note("recv", from, to, &bytes);
                server.handle(self.now, &mut self.servers, from, &bytes)
            }
            Work::Time => server.tick(self.now),
            _ => return,
        };
        let slowness = server.options().slowness.as_micros();
        for (to, bytes) in sent {
            let datagram = Datagram { from: own, to, bytes };
            if slowness == 0 {
                self.emit(datagram);
            } else {
                let after = Duration::from_micros(self.faults.within(0..=slowness));
                self.send_later(after, datagram);
            }
        }
    }

    fn put_back(&mut self, index: usize, node: Node) {
        if let Some(host) = self.hosts.get_mut(index) {
            host.node = node;
        }
    }

    fn perform_at(&mut self, index: usize, operation: &Operation) -> Result<Reply, Error> {
        let Some(host) = self.hosts.get_mut(index) else { return Err(Error::Gone) };
        let Node::Phone(mut phone) = core::mem::replace(&mut host.node, Node::Away) else {
            return Err(Error::Gone);
        };
        let reply = self.command(index, &mut phone, operation);
        self.drain_phone(index, &mut phone);
        self.put_back(index, Node::Phone(phone));
        self.schedule_wake(index);
        reply
    }

    fn command(
        &mut self,
        index: usize,
        phone: &mut Phone,
        operation: &Operation,
    ) -> Result<Reply, Error> {
        let reply = phone.perform(self.now, operation);
        self.oracle.performed(self.now, index, operation, &reply, phone);
        if self.print {
            self.say(index, &format!("does {operation:?} -> {reply:?}"));
        }
        reply
    }

    fn phone_turn(&mut self, index: usize, phone: &mut Phone, work: Work) {
        let now = self.now;
        match work {
            Work::Datagram { datagram, origin } => {
                let Datagram { from, to, bytes } = datagram;
                self.note("recv", from, to, &bytes);
                if to.port() != SIP_PORT {
                    let open = phone.app.receive(now, to.port(), from, &bytes);
                    if open {
                        self.oracle.media_arrived(now, from, &bytes, origin);
                    }
                    return;
                }
                self.oracle.arrived(now, index, from, &bytes, origin);
                // CRLFs alone are a keep-alive, no message (RFC 5626 s3.5.1)
                let is_message = bytes.iter().any(|byte| !matches!(byte, b'\r' | b'\n'));
                self.messages(index).received += u64::from(is_message);
                let path = Path::udp(to, from);
                phone.endpoint.handle(now, Input::Message { path, bytes: &bytes });
            }
            Work::SendFailed { failed } => {
                self.oracle.send_failed(index);
                let path = Path::udp(phone.address(), failed);
                phone.endpoint.handle(now, Input::SendFailed { path });
            }
            Work::Resolved { query, target } => {
                if target.is_none() {
                    self.oracle.name_failed(index);
                }
                let target = target.map(|target| Path::udp(phone.address(), target));
                let targets = target.as_slice();
                phone.endpoint.handle(now, Input::Resolved { query, targets });
            }
            Work::Do(operation) => {
                let _ = self.command(index, phone, &operation);
            }
            Work::Time => self.tick(index, phone),
        }
        self.drain_phone(index, phone);
    }

    fn tick(&mut self, index: usize, phone: &mut Phone) {
        let (mut packets, mut told, mut silent) = (Vec::new(), Vec::new(), Vec::new());
        phone.app.tick(self.now, &mut packets, &mut told, &mut silent);
        for MediaPacket { port, to, bytes } in packets {
            let from = SocketAddr::new(phone.address().ip(), port);
            self.oracle.media_sent(self.now, index, from, to, &bytes);
            self.emit(Datagram { from, to, bytes });
        }
        for told in told {
            self.oracle.told(self.now, index, &told, None);
            self.tell(index, told);
        }
        for call in silent {
            let _ = self.command(index, phone, &Operation::Silent(call));
            self.drain_phone(index, phone);
        }
    }

    fn drain_phone(&mut self, index: usize, phone: &mut Phone) {
        let now = self.now;
        let mut actions = 0u32;
        loop {
            let from = phone.address();
            let Some(action) = phone.endpoint.poll_action(now) else { break };
            actions += 1;
            if actions > ACTIONS_MAX {
                self.oracle.storm(now, index, actions);
                break;
            }
            let mut named = None;
            match action {
                Action::Transmit { path, bytes } => {
                    let blocked = self.transmit(index, from, path.remote, bytes);
                    if blocked {
                        return; // the rest is drained when the socket takes more
                    }
                }
                Action::Resolve { query, host, port, .. } => {
                    let target = self.resolve(host, port);
                    let at = now + Duration::from_millis(self.faults.within(0..=50));
                    self.schedule(at, Happening::Resolved { host: index, query, target });
                }
                Action::Event(event) => {
                    let told = phone.app.take(now, &event);
                    if let Some(told) = told {
                        if let Told::Incoming { call } = told {
                            named = Some(call);
                        }
                        self.oracle.told(now, index, &told, message_of(&event));
                        self.tell(index, told);
                    }
                }
                _ => {}
            }
            if let Some(call) = named {
                phone.name_call(call);
                self.oracle.named(index, call, phone);
            }
        }
        self.oracle.turned(now, index, phone);
    }

    fn transmit(&mut self, index: usize, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> bool {
        self.oracle.sent(self.now, index, to, bytes);
        self.messages(index).sent += 1;
        let datagram = Datagram { from, to, bytes: bytes.to_vec() };
        let timing = self.hosts.get(index).map(|host| host.timing).unwrap_or_default();
        if !self.faults.chance(timing.backpressure) {
            self.emit(datagram);
            return false;
        }
        let span = Duration::from_micros(self.faults.within(0..=timing.blocked.as_micros()));
        self.stall(index, self.now + span);
        if let Some(host) = self.hosts.get_mut(index) {
            host.held = Some(datagram);
        }
        true
    }

    /// The count of a host; of nothing where there is none.
    fn messages(&mut self, index: usize) -> &mut Messages {
        self.hosts.get_mut(index).map_or(&mut self.nobody, |host| &mut host.messages)
    }

    fn pbx_turn(&mut self, index: usize, pbx: &mut Pbx, work: Work) {
        let now = self.now;
        let address = self.address(NodeId(index));
        match work {
            Work::Datagram { datagram, origin } => {
                let Datagram { from, to, bytes } = datagram;
                self.note("recv", from, to, &bytes);
                if to.port() == SIP_PORT {
                    self.oracle.arrived(now, index, from, &bytes, origin);
                    let path = Path::udp(to, from);
                    pbx.handle(now, pbx::Input::Sip(Input::Message { path, bytes: &bytes }));
                } else {
                    let (port, rtcp) = (to.port() & !1, to.port() & 1 == 1);
                    pbx.handle(now, pbx::Input::Media { port, rtcp, remote: from, bytes: &bytes });
                }
            }
            Work::SendFailed { failed } => {
                let path = Path::udp(address, failed);
                pbx.handle(now, pbx::Input::Sip(Input::SendFailed { path }));
            }
            Work::Resolved { query, target } => {
                let target = target.map(|target| Path::udp(address, target));
                let targets = target.as_slice();
                pbx.handle(now, pbx::Input::Sip(Input::Resolved { query, targets }));
            }
            Work::Do(_) | Work::Time => {}
        }
        while let Some(action) = pbx.poll_action(now) {
            match action {
                pbx::Action::Sip { path, bytes } => {
                    self.oracle.sent(now, index, path.remote, &bytes);
                    self.emit(Datagram { from: address, to: path.remote, bytes });
                }
                pbx::Action::Resolve { query, host, port, .. } => {
                    let target = self.resolve(&host, port);
                    self.schedule(now, Happening::Resolved { host: index, query, target });
                }
                pbx::Action::Media { port, rtcp, remote, bytes } => {
                    let from = SocketAddr::new(address.ip(), port + u16::from(rtcp));
                    self.oracle.media_sent(now, index, from, remote, &bytes);
                    self.emit(Datagram { from, to: remote, bytes });
                }
                pbx::Action::Report(line) => {
                    if self.print {
                        self.say(index, &line);
                    }
                    self.pbx_lines.push(line);
                }
                pbx::Action::Record { .. } => {}
            }
        }
    }

    fn resolve(&self, host: &str, port: Option<u16>) -> Option<SocketAddr> {
        let port = port.unwrap_or(Transport::Udp.default_port());
        let literal = host.parse().ok().map(|ip| SocketAddr::new(ip, port));
        let known = || self.names.get(host).filter(|_| self.now >= self.names_fail_until).copied();
        literal.or_else(known)
    }

    fn tell(&mut self, index: usize, told: Told) {
        if self.print {
            self.say(index, &format!("is told {told:?}"));
        }
        self.hash.number(hash_of(index, &told));
        self.news.push_back((NodeId(index), told));
    }

    // ---- the inside: the wire

    /// A node sends: through its router, then over the network.
    fn emit(&mut self, mut datagram: Datagram) {
        self.packets += 1;
        if let Some(index) = self.addresses.get(&datagram.from.ip()).copied()
            && let Some(nat) = self.hosts.get_mut(index).and_then(|host| host.nat.as_mut())
        {
            datagram.from = nat.outgoing(datagram.from.port());
        }
        let Datagram { from, to, bytes } = datagram;
        self.note("send", from, to, &bytes);
        if self.tap {
            self.tapped.push_back(Datagram { from, to, bytes: bytes.clone() });
        }
        let arrivals = self.network.carry(self.now, &mut self.draws, from, to, &bytes);
        for arrival in arrivals.into_iter().flatten() {
            let same = arrival.bytes == bytes;
            let origin = if same { Origin::Genuine } else { Origin::Damaged };
            let datagram = Datagram { from, to, bytes: arrival.bytes };
            self.schedule(arrival.at, Happening::Arrive { datagram, origin });
        }
    }

    /// A datagram that a host will send later, such as a slow server.
    pub fn send_later(&mut self, after: Duration, datagram: Datagram) {
        self.schedule(self.now + after, Happening::Send(datagram));
    }

    fn note(&mut self, what: &str, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        self.hash.number(self.now.as_micros());
        self.hash.number(place(from) ^ place(to).rotate_left(32));
        self.hash.bytes(bytes);
        let is_media = from.port() >= 20_000 && bytes.first().is_some_and(|byte| byte >> 6 == 2);
        if self.print && !is_media {
            println!("{}", Line { at: self.now, what, from, to, bytes });
        }
    }

    fn say(&self, index: usize, text: &str) {
        let at_ms = self.now.as_micros() as f64 / 1000.0;
        println!("{at_ms:12.3} node {index:<3} {text}");
    }

    fn schedule_wake(&mut self, index: usize) {
        let Some(host) = self.hosts.get_mut(index) else { return };
        let due = match &host.node {
            Node::Phone(phone) => phone.poll_timeout(),
            Node::Pbx(pbx) => pbx.poll_timeout(),
            Node::Server(server) => server.poll_timeout(),
            Node::Away => None,
        };
        let Some(due) = due else {
            host.wake_at = None;
            host.wake += 1;
            return;
        };
        let due = due.max(self.now);
        if host.wake_at == Some(due) {
            return;
        }
        host.wake_at = Some(due);
        host.wake += 1;
        let (wake, timing) = (host.wake, host.timing);
        let mut at = due;
        if timing.coarse > Duration::ZERO {
            let tick = timing.coarse.as_micros();
            at = Instant::from_micros(at.as_micros().div_ceil(tick) * tick);
        }
        if timing.late > Duration::ZERO {
            at += Duration::from_micros(self.faults.within(0..=timing.late.as_micros()));
        }
        self.schedule(at, Happening::Wake { host: index, wake });
    }

    fn add(&mut self, ip: IpAddr, node: Node) -> NodeId {
        self.addresses.insert(ip, self.hosts.len());
        self.hosts.push(Host {
            ip,
            node,
            timing: Timing::default(),
            stalled_until: None,
            inbox: VecDeque::new(),
            held: None,
            wake: 0,
            wake_at: None,
            nat: None,
            messages: Messages::default(),
        });
        NodeId(self.hosts.len() - 1)
    }

    fn next_address(&self) -> SocketAddr {
        let number = self.addresses.len() as u32 + 1;
        let ip = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + number);
        SocketAddr::from((ip, SIP_PORT))
    }
}

impl Host {
    fn waiting(&self) -> u64 {
        let kept = self.inbox.iter().filter(|work| matches!(work, Work::Datagram { .. }));
        kept.count() as u64
    }
}

impl Fates {
    /// Whether each of so many arrivals, and each forged one, has exactly one fate.
    pub const fn balance(&self, carried: u64) -> bool {
        carried + self.forged
            == self.under_way
                + self.taken
                + self.lost_at_router
                + self.unreachable
                + self.overrun
                + self.waiting
                + self.forgotten
    }
}

impl Nat {
    fn outgoing(&mut self, port: u16) -> SocketAddr {
        let outer = self.out.get(&port).copied().unwrap_or_else(|| {
            let outer = self.next_port;
            self.next_port += 1;
            self.out.insert(port, outer);
            self.back.insert(outer, port);
            outer
        });
        SocketAddr::new(self.outer, outer)
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

fn message_of<'e>(event: &sansip::endpoint::Event<'e>) -> Option<&'e [u8]> {
    use sansip::endpoint::Event;
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
        | Event::Ended { message, .. } => *message,
        _ => None,
    };
    message.map(|message| message.bytes())
}

fn hash_of(index: usize, told: &Told) -> u64 {
    let mut hash = TraceHash::default();
    hash.number(index as u64);
    hash.bytes(format!("{told:?}").as_bytes());
    hash.value()
}

fn place(address: SocketAddr) -> u64 {
    let ip = match address.ip() {
        IpAddr::V4(ip) => u64::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip) as u64,
    };
    ip << 16 | u64::from(address.port())
}

/// Where every node receives SIP.
pub const SIP_PORT: u16 = 5060;
const INBOX_MAX: usize = 64;
const STEPS_AT_ONCE_MAX: u32 = 10_000;
const ACTIONS_MAX: u32 = 200;
const FORGED_LATENCY: Duration = Duration::from_millis(1);

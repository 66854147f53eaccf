//! The simulated world: time, network, nodes.
//!
//! A [`World`] pops what is due next, moves time there and lets it happen. What a user of the
//! simulator calls stands here and in `hosts`; inside, `queue` orders what is due, `wire` carries
//! datagrams through `router` and network, and `turns` lets a node work and carries out what it
//! asks for.

mod hosts;
mod queue;
mod router;
mod turns;
mod wire;

use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use core::cmp::Reverse;
use core::net::{IpAddr, SocketAddr};

use sansip::endpoint::{CallId, Error, Reply};
use sansip::time::{Duration, Instant};

use crate::journal::JournalText;
use crate::network::{Link, Network};
use crate::oracle::{Failure, Oracle};
use crate::phone::{Operation, Told};
use crate::random::{Random, Stream};
use crate::trace::TraceHash;

pub use hosts::Timing;
pub use wire::{Datagram, Fates};

use hosts::{Host, Messages, Node};
use queue::{Due, Happening};

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

    // ---- the network and its faults

    /// The network, to change.
    pub fn network(&mut self) -> &mut Network {
        &mut self.network
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
}

/// Where every node receives SIP.
pub const SIP_PORT: u16 = 5060;
const STEPS_AT_ONCE_MAX: u32 = 10_000;

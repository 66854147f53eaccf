//! The nodes of a world: who they are, how they are added, changed and disturbed.

use std::collections::{BTreeMap, VecDeque};

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use sansip::time::{Duration, Instant};

use super::router::Nat;
use super::turns::Work;
use super::wire::Datagram;
use super::{NodeId, SIP_PORT, World};
use crate::pbx::{self, Pbx};
use crate::phone::{Phone, PhoneOptions};
use crate::random::{Random, Stream};
use crate::server::{Server, ServerOptions};

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

pub(super) struct Host {
    pub(super) ip: IpAddr,
    pub(super) node: Node,
    pub(super) timing: Timing,
    /// Deaf and idle until then: a pause, or a socket that takes nothing.
    pub(super) stalled_until: Option<Instant>,
    pub(super) inbox: VecDeque<Work>,
    pub(super) held: Option<Datagram>,
    pub(super) wake: u64,
    pub(super) wake_at: Option<Instant>,
    pub(super) nat: Option<Nat>,
    /// Messages that its endpoint was given, and that it gave for sending, since it began.
    pub(super) messages: Messages,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Messages {
    pub(super) received: u64,
    pub(super) sent: u64,
}

pub(super) enum Node {
    /// It is being worked on, or is only an address.
    Away,
    Phone(Box<Phone>),
    Pbx(Box<Pbx>),
    Server(Box<Server>),
}

impl World {
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
    pub(super) fn waiting(&self) -> u64 {
        let kept = self.inbox.iter().filter(|work| matches!(work, Work::Datagram { .. }));
        kept.count() as u64
    }
}

//! Turns: a node takes one thing, and what it then asks for is carried out until nothing is left.

use core::net::SocketAddr;

use sansip::endpoint::{Action, Error, Input, QueryId, Reply};
use sansip::path::{Path, Transport};
use sansip::time::{Duration, Instant};

use super::hosts::{Messages, Node};
use super::queue::Happening;
use super::wire::Datagram;
use super::{NodeId, SIP_PORT, World};
use crate::oracle::Origin;
use crate::pbx::{self, Pbx};
use crate::phone::{MediaPacket, Operation, Phone, Told};
use crate::server::Server;
use crate::trace::TraceHash;

/// What a node takes in one turn.
pub(super) enum Work {
    Datagram { datagram: Datagram, origin: Origin },
    SendFailed { failed: SocketAddr },
    Resolved { query: QueryId, target: Option<SocketAddr> },
    Do(Operation),
    Time,
}

impl World {
    /// Work now, or later where the node hears nothing.
    pub(super) fn offer(&mut self, index: usize, work: Work) {
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

    pub(super) fn stall(&mut self, index: usize, until: Instant) {
        let Some(host) = self.hosts.get_mut(index) else { return };
        host.stalled_until = Some(until.max(host.stalled_until.unwrap_or_default()));
        self.oracle.stalled(index, until);
        self.schedule(until, Happening::Resume { host: index });
    }

    pub(super) fn resume(&mut self, index: usize) {
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

    pub(super) fn perform_at(
        &mut self,
        index: usize,
        operation: &Operation,
    ) -> Result<Reply, Error> {
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
                        self.oracle.media_arrived(now, from, to, &bytes, origin);
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
                self.oracle.send_failed(now, index, failed);
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

    pub(super) fn tick(&mut self, index: usize, phone: &mut Phone) {
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
    pub(super) fn messages(&mut self, index: usize) -> &mut Messages {
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

const INBOX_MAX: usize = 64;
const ACTIONS_MAX: u32 = 200;

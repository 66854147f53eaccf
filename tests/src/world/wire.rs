//! Datagrams on their way: from a node through its router and the network to another.

use core::cmp::Reverse;
use core::net::{IpAddr, SocketAddr};

use sansip::time::Duration;

use super::World;
use super::hosts::{Host, Node};
use super::queue::{Due, Happening};
use super::turns::Work;
use crate::oracle::Origin;
use crate::trace::Line;

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

impl World {
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

    /// What became of the datagrams so far.
    pub fn fates(&self) -> Fates {
        let arrivals = |due: &&Reverse<Due>| matches!(due.0.what, Happening::Arrive { .. });
        Fates {
            under_way: self.queue.iter().filter(arrivals).count() as u64,
            waiting: self.hosts.iter().map(Host::waiting).sum(),
            ..self.fates
        }
    }

    pub(super) fn arrive(&mut self, mut datagram: Datagram, origin: Origin) {
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

    /// A node sends: through its router, then over the network.
    pub(super) fn emit(&mut self, mut datagram: Datagram) {
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

    pub(super) fn note(&mut self, what: &str, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        self.hash.number(self.now.as_micros());
        self.hash.number(place(from) ^ place(to).rotate_left(32));
        self.hash.bytes(bytes);
        let is_media = from.port() >= 20_000 && bytes.first().is_some_and(|byte| byte >> 6 == 2);
        if self.print && !is_media {
            println!("{}", Line { at: self.now, what, from, to, bytes });
        }
    }

    pub(super) fn say(&self, index: usize, text: &str) {
        let at_ms = self.now.as_micros() as f64 / 1000.0;
        println!("{at_ms:12.3} node {index:<3} {text}");
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

fn place(address: SocketAddr) -> u64 {
    let ip = match address.ip() {
        IpAddr::V4(ip) => u64::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip) as u64,
    };
    ip << 16 | u64::from(address.port())
}

const FORGED_LATENCY: Duration = Duration::from_millis(1);

//! What is due: the order in which things happen, and when a node is woken.

use core::cmp::Reverse;
use core::net::SocketAddr;

use sansip::endpoint::QueryId;
use sansip::time::{Duration, Instant};

use super::World;
use super::hosts::Node;
use super::turns::Work;
use super::wire::Datagram;
use crate::oracle::Origin;
use crate::phone::Operation;

pub(super) struct Due {
    pub(super) at: Instant,
    pub(super) order: u64,
    pub(super) what: Happening,
}

pub(super) enum Happening {
    Arrive { datagram: Datagram, origin: Origin },
    Unreachable { to: SocketAddr, failed: SocketAddr },
    Wake { host: usize, wake: u64 },
    Resume { host: usize },
    Resolved { host: usize, query: QueryId, target: Option<SocketAddr> },
    Do { host: usize, operation: Operation },
    Send(Datagram),
}

impl World {
    pub(super) fn schedule(&mut self, at: Instant, what: Happening) {
        self.order += 1;
        self.queue.push(Reverse(Due { at, order: self.order, what }));
    }

    pub(super) fn happen(&mut self, what: Happening) {
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

    pub(super) fn schedule_wake(&mut self, index: usize) {
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
        // A wake that is late already comes when it comes, whatever arrives meanwhile.
        if host.wake_at.is_some_and(|at| at == due || at < self.now) {
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

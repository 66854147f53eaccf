//! The faults: those that last from the first call on, those that strike between two, their end.

use sansip::time::{Duration, Instant};

use super::{Fault, Run, Topology};
use crate::network::{Burst, Link};
use crate::phone::Operation;
use crate::world::Timing;

impl Run {
    pub(super) fn begin_faults(&mut self) {
        let mut link =
            Link { latency: Duration::from_millis(self.chaos.within(0..=80)), ..Link::GOOD };
        let chaos = &mut self.chaos;
        let mut part = |most: u64| chaos.within(1..=most) as f64 / 100.0;
        if self.profile.has(Fault::Loss) {
            link.loss = part(60);
        }
        if self.profile.has(Fault::Bursts) {
            link.burst = Some(Burst { begin: part(10), end: part(40), loss: 1.0 });
        }
        if self.profile.has(Fault::Duplicates) {
            link.duplicate = part(20);
        }
        if self.profile.has(Fault::Reorder) {
            link.reorder = part(20);
            link.spike = Duration::from_millis(self.chaos.within(10..=3000));
        }
        if self.profile.has(Fault::Delay) {
            let most_ms = if self.profile.media { 100 } else { 5000 };
            link.jitter = Duration::from_millis(self.chaos.within(1..=most_ms));
        }
        if self.profile.has(Fault::Corruption) {
            link.corrupt = self.chaos.within(1..=20) as f64 / 100.0;
        }
        if self.profile.has(Fault::Truncation) {
            link.truncate = self.chaos.within(1..=10) as f64 / 100.0;
        }
        self.world.network().set_default(link);
        if self.profile.has(Fault::SlowServer) {
            let slowness = Duration::from_millis(self.chaos.within(100..=4000));
            self.slow_server_down(slowness);
        }
        for phone in self.phones.clone() {
            let mut timing = Timing::default();
            if self.profile.has(Fault::LateTimers) {
                timing.late = Duration::from_millis(self.chaos.within(1..=2000));
            }
            if self.profile.has(Fault::CoarseTicks) {
                timing.coarse = Duration::from_millis(10);
            }
            if self.profile.has(Fault::BackPressure) && self.chaos.chance(0.5) {
                timing.backpressure = self.chaos.within(1..=10) as f64 / 100.0;
                timing.blocked = Duration::from_secs(self.chaos.within(1..=40));
            }
            self.world.set_timing(phone, timing);
        }
    }

    /// Perhaps something drastic happens between two calls.
    pub(super) fn strike(&mut self) {
        let Some(victim) = self.chaos.pick(&self.phones).copied() else { return };
        let ip = self.world.address(victim).ip();
        let other = self.middle.or_else(|| self.chaos.pick(&self.phones).copied());
        let other = other.map_or(ip, |other| self.world.address(other).ip());
        for fault in self.profile.faults.clone() {
            if !self.chaos.chance(0.1) {
                continue;
            }
            self.fault_events += 1;
            match fault {
                Fault::Cuts => self.world.network().cut(ip, other),
                Fault::Partition => self.world.network().part(ip, other),
                Fault::Pauses => {
                    let span = Duration::from_secs(self.chaos.within(1..=180));
                    self.world.pause(victim, span);
                }
                Fault::Restarts => {
                    self.world.restart(victim);
                    let after = Duration::from_millis(self.chaos.within(0..=5000));
                    if self.middle.is_some() {
                        self.world.plan(after, victim, Operation::Register);
                    }
                }
                Fault::ServerRestarts => {
                    if self.profile.topology == Topology::Server
                        && let Some(server) = self.middle
                    {
                        self.world.restart(server);
                    }
                }
                Fault::ServerFailures => {
                    let until = self.world.now() + Duration::from_secs(self.chaos.within(1..=60));
                    if let Some(server) =
                        self.middle.and_then(|server| self.world.server_mut(server))
                    {
                        if self.chaos.chance(0.3) {
                            server.neglect_until(until);
                        } else {
                            server.fail_until(until);
                        }
                    }
                }
                Fault::NatRebinding => self.world.rebind_nat(victim),
                Fault::NameFailures => {
                    let until = self.world.now() + Duration::from_secs(self.chaos.within(1..=120));
                    self.world.fail_names_until(until);
                }
                _ => self.fault_events -= 1,
            }
        }
        // Cuts do not last for ever, or nothing would happen any more.
        let cut = self.profile.has(Fault::Cuts) || self.profile.has(Fault::Partition);
        if cut && self.chaos.chance(0.3) {
            self.world.network().mend();
        }
    }

    pub(super) fn heal(&mut self) {
        self.attacker = None;
        let latency = Duration::from_millis(20);
        self.world.network().heal(Link { latency, ..Link::GOOD });
        self.world.fail_names_until(Instant::ZERO);
        self.slow_server_down(Duration::ZERO);
        for phone in self.phones.clone() {
            self.world.set_timing(phone, Timing::default());
        }
    }

    fn slow_server_down(&mut self, slowness: Duration) {
        if let Some(server) = self.middle.and_then(|server| self.world.server_mut(server)) {
            server.set_slowness(slowness);
        }
    }
}

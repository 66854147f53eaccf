//! A network that delays, loses, repeats, swaps and damages datagrams.

use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, BTreeSet};

use sansip::time::{Duration, Instant};

use crate::random::Random;

/// How one direction between two hosts behaves.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Link {
    /// Shortest time that a datagram takes.
    pub latency: Duration,
    /// Added to it, evenly drawn from nothing to this; datagrams may then overtake each other.
    pub jitter: Duration,
    /// Probability that a datagram is lost.
    pub loss: f64,
    /// Losses that come in bursts, beside `loss`.
    pub burst: Option<Burst>,
    /// Probability that a datagram arrives twice.
    pub duplicate: f64,
    /// Probability that a datagram is held back by `spike`, so that later ones overtake it.
    pub reorder: f64,
    /// How long it is held back.
    pub spike: Duration,
    /// Probability that 1 to 16 bits are flipped.
    pub corrupt: f64,
    /// Probability that the end is cut off.
    pub truncate: f64,
    /// Longest datagram that passes, bytes.
    pub mtu_bytes: usize,
}

/// Losses in bursts (Gilbert-Elliott): in the bad state datagrams are lost with `loss`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Burst {
    /// Probability at each datagram that a burst begins.
    pub begin: f64,
    /// Probability at each datagram that it ends.
    pub end: f64,
    /// Probability that a datagram is lost within one.
    pub loss: f64,
}

impl Link {
    /// A local network: 1 ms, no fault.
    pub const GOOD: Self = Self {
        latency: Duration::from_millis(1),
        jitter: Duration::ZERO,
        loss: 0.0,
        burst: None,
        duplicate: 0.0,
        reorder: 0.0,
        spike: Duration::ZERO,
        corrupt: 0.0,
        truncate: 0.0,
        mtu_bytes: 65_507,
    };

    /// A poor mobile connection: 40 to 100 ms, one datagram in ten lost, some twice or late.
    pub const BAD: Self = Self {
        latency: Duration::from_millis(40),
        jitter: Duration::from_millis(60),
        loss: 0.1,
        duplicate: 0.02,
        reorder: 0.02,
        spike: Duration::from_millis(300),
        ..Self::GOOD
    };
}

/// What happened to datagrams: each one that was sent is delivered or dropped for one reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Given to the network.
    pub sent: u64,
    /// Arrivals that were planned, repeated ones too.
    pub carried: u64,
    /// Lost, alone or in a burst.
    pub lost: u64,
    /// Stopped by a cut.
    pub cut: u64,
    /// Longer than the link allows.
    pub too_long: u64,
    /// Second arrivals.
    pub duplicated: u64,
    /// Held back.
    pub reordered: u64,
    /// With flipped bits.
    pub corrupted: u64,
    /// With their end cut off.
    pub truncated: u64,
}

impl Counters {
    /// Whether each datagram was carried, once or twice, or dropped for one reason.
    pub const fn balance(&self) -> bool {
        self.sent + self.duplicated == self.carried + self.lost + self.cut + self.too_long
    }

    /// How many faults struck.
    pub const fn faults(&self) -> u64 {
        self.lost
            + self.cut
            + self.too_long
            + self.duplicated
            + self.reordered
            + self.corrupted
            + self.truncated
    }
}

/// All links.
#[derive(Clone, Debug)]
pub struct Network {
    default: Link,
    links: BTreeMap<(IpAddr, IpAddr), Link>,
    bursting: BTreeSet<(IpAddr, IpAddr)>,
    cuts: BTreeSet<(IpAddr, IpAddr)>,
    counters: Counters,
}

/// One arrival.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// When.
    pub at: Instant,
    /// What.
    pub bytes: Vec<u8>,
}

impl Network {
    /// A network whose links all behave alike.
    pub const fn new(default: Link) -> Self {
        Self {
            default,
            links: BTreeMap::new(),
            bursting: BTreeSet::new(),
            cuts: BTreeSet::new(),
            counters: Counters {
                sent: 0,
                carried: 0,
                lost: 0,
                cut: 0,
                too_long: 0,
                duplicated: 0,
                reordered: 0,
                corrupted: 0,
                truncated: 0,
            },
        }
    }

    /// How every link behaves that has no behaviour of its own.
    pub fn set_default(&mut self, link: Link) {
        self.default = link;
    }

    /// How the direction from one host to another behaves.
    pub fn set_link(&mut self, from: IpAddr, to: IpAddr, link: Link) {
        self.links.insert((from, to), link);
    }

    /// Nothing passes in this direction any more.
    pub fn cut(&mut self, from: IpAddr, to: IpAddr) {
        self.cuts.insert((from, to));
    }

    /// Nothing passes between the two any more.
    pub fn part(&mut self, one: IpAddr, other: IpAddr) {
        self.cut(one, other);
        self.cut(other, one);
    }

    /// All cuts are mended.
    pub fn mend(&mut self) {
        self.cuts.clear();
    }

    /// All cuts are mended, and every link behaves like this from now on.
    pub fn heal(&mut self, link: Link) {
        self.default = link;
        self.links.clear();
        self.bursting.clear();
        self.cuts.clear();
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Whether a datagram in this direction can pass at all.
    pub fn is_cut(&self, from: IpAddr, to: IpAddr) -> bool {
        self.cuts.contains(&(from, to))
    }

    /// Takes one datagram; says when which bytes arrive: nothing, one or two arrivals.
    pub fn carry(
        &mut self,
        now: Instant,
        random: &mut Random,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) -> [Option<Arrival>; 2] {
        self.counters.sent += 1;
        let way = (from.ip(), to.ip());
        let link = self.links.get(&way).copied().unwrap_or(self.default);
        if self.cuts.contains(&way) {
            self.counters.cut += 1;
            return [None, None];
        }
        if bytes.len() > link.mtu_bytes {
            self.counters.too_long += 1;
            return [None, None];
        }
        if self.is_lost(random, way, &link) {
            self.counters.lost += 1;
            return [None, None];
        }
        let first = Some(self.arrival(now, random, &link, bytes));
        let second = random.chance(link.duplicate).then(|| {
            self.counters.duplicated += 1;
            self.arrival(now, random, &link, bytes)
        });
        [first, second]
    }

    fn is_lost(&mut self, random: &mut Random, way: (IpAddr, IpAddr), link: &Link) -> bool {
        if let Some(burst) = link.burst {
            let inside = self.bursting.contains(&way);
            if !inside && random.chance(burst.begin) {
                self.bursting.insert(way);
            } else if inside && random.chance(burst.end) {
                self.bursting.remove(&way);
            }
            if self.bursting.contains(&way) && random.chance(burst.loss) {
                return true;
            }
        }
        random.chance(link.loss)
    }

    fn arrival(&mut self, now: Instant, random: &mut Random, link: &Link, bytes: &[u8]) -> Arrival {
        self.counters.carried += 1;
        let mut at = now + link.latency;
        if link.jitter > Duration::ZERO {
            at += Duration::from_micros(random.within(0..=link.jitter.as_micros()));
        }
        if random.chance(link.reorder) {
            self.counters.reordered += 1;
            at += link.spike;
        }
        let mut bytes = bytes.to_vec();
        if random.chance(link.corrupt) {
            self.counters.corrupted += 1;
            for _ in 0..random.within(1..=16) {
                let bit = random.below(bytes.len() as u64 * 8) as usize;
                if let Some(byte) = bytes.get_mut(bit / 8) {
                    *byte ^= 1 << (bit % 8);
                }
            }
        }
        if random.chance(link.truncate) {
            self.counters.truncated += 1;
            bytes.truncate(random.below(bytes.len() as u64) as usize);
        }
        Arrival { at, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    fn address(host: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, host], 5060))
    }

    fn arrivals(network: &mut Network, count: usize) -> Vec<Arrival> {
        let mut random = Random::new(1, Stream::Network);
        (0..count)
            .flat_map(|number| {
                let bytes = (number as u32).to_be_bytes();
                network.carry(Instant::ZERO, &mut random, address(1), address(2), &bytes)
            })
            .flatten()
            .collect()
    }

    #[test]
    fn a_good_link_delivers_everything_once_in_order_and_unchanged() {
        let mut network = Network::new(Link::GOOD);
        let arrived = arrivals(&mut network, 100);
        let expected: Vec<_> = (0..100u32).map(|number| number.to_be_bytes().to_vec()).collect();
        assert_eq!(arrived.iter().map(|a| a.bytes.clone()).collect::<Vec<_>>(), expected);
        assert!(arrived.iter().all(|arrival| arrival.at == Instant::from_millis(1)));
    }

    #[test]
    fn every_datagram_is_delivered_or_counted_as_dropped() {
        let mut network = Network::new(Link { truncate: 0.1, corrupt: 0.1, ..Link::BAD });
        let arrived = arrivals(&mut network, 10_000);
        let counters = network.counters();
        assert_eq!(arrived.len() as u64, counters.carried);
        assert_eq!(counters.sent + counters.duplicated, counters.carried + counters.lost);
        assert!(counters.corrupted > 500 && counters.truncated > 500);
    }

    #[test]
    fn bursts_lose_neighbours() {
        let burst = Burst { begin: 0.01, end: 0.1, loss: 1.0 };
        let mut network = Network::new(Link { burst: Some(burst), ..Link::GOOD });
        let arrived = arrivals(&mut network, 10_000);
        let gaps = arrived.windows(2).filter(|pair| {
            let number = |arrival: &Arrival| {
                arrival.bytes.iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte))
            };
            matches!(pair, [a, b] if number(b) - number(a) > 3)
        });
        assert!(gaps.count() > 30);
    }

    #[test]
    fn a_cut_stops_one_direction_until_it_is_healed() {
        let mut network = Network::new(Link::GOOD);
        network.cut(address(1).ip(), address(2).ip());
        assert_eq!(arrivals(&mut network, 10), []);
        let mut random = Random::new(1, Stream::Network);
        let [back, _] = network.carry(Instant::ZERO, &mut random, address(2), address(1), b"x");
        assert!(back.is_some());
        network.heal(Link::GOOD);
        assert_eq!(arrivals(&mut network, 10).len(), 10);
    }
}

//! What a seed draws: faults, features, sizes.

use crate::random::{Random, Stream};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Fault {
    Loss,
    Bursts,
    Duplicates,
    Reorder,
    Delay,
    Cuts,
    Partition,
    Corruption,
    Truncation,
    Unreachable,
    LateTimers,
    CoarseTicks,
    Pauses,
    Restarts,
    ServerRestarts,
    ServerFailures,
    NatRebinding,
    BackPressure,
    TinyMemory,
    Attacker,
    SlowServer,
    NameFailures,
}

/// All of them.
pub const FAULTS: [Fault; 22] = [
    Fault::Loss,
    Fault::Bursts,
    Fault::Duplicates,
    Fault::Reorder,
    Fault::Delay,
    Fault::Cuts,
    Fault::Partition,
    Fault::Corruption,
    Fault::Truncation,
    Fault::Unreachable,
    Fault::LateTimers,
    Fault::CoarseTicks,
    Fault::Pauses,
    Fault::Restarts,
    Fault::ServerRestarts,
    Fault::ServerFailures,
    Fault::NatRebinding,
    Fault::BackPressure,
    Fault::TinyMemory,
    Fault::Attacker,
    Fault::SlowServer,
    Fault::NameFailures,
];

/// Who stands between the phones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Topology {
    /// Nobody: they call each other by address.
    Direct,
    /// A registrar and proxy, which is not built on the library.
    Server,
    /// The PBX, which joins two calls.
    Pbx,
}

/// What a seed's run is like.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The seed.
    pub seed: u64,
    /// Calls that are placed while faults strike.
    pub calls: u32,
    /// Whether sound and digits flow.
    pub media: bool,
    /// The faults that exist; none in a third of the seeds.
    pub faults: Vec<Fault>,
    /// Who stands between the phones.
    pub topology: Topology,
    /// How many phones there are.
    pub phones: u8,
}

impl Profile {
    /// What a seed draws.
    pub fn draw(seed: u64, calls: u32, media: bool) -> Self {
        let mut random = Random::new(seed, Stream::Swarm);
        let faults = if random.chance(0.33) {
            Vec::new()
        } else {
            let density = 0.1 + random.below(40) as f64 / 100.0;
            FAULTS.into_iter().filter(|_| random.chance(density)).collect()
        };
        let topology = match (media, random.below(10)) {
            (false, 0..=3) => Topology::Direct,
            (false, _) => Topology::Server,
            (true, 0..=3) => Topology::Direct,
            (true, 4..=6) => Topology::Server,
            (true, _) => Topology::Pbx,
        };
        let phones = random.within(2..=6) as u8;
        Self { seed, calls, media, faults, topology, phones }
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }
}

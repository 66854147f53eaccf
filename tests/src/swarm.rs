//! Random runs: each seed draws which faults, features and sizes exist at all, and what users do.
//!
//! A run has phases: users call each other under faults; the faults end and everything must
//! recover; everybody hangs up, and nothing may be left. `profile` draws what a seed is like,
//! `setting` builds its world, `chaos` lets the faults strike, `users` do what users do, `checks`
//! compare what they were told, and `shrinking` finds the shortest run that still fails.

mod chaos;
mod checks;
mod profile;
mod setting;
mod shrinking;
mod users;

use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use sansip::endpoint::CallId;
use sansip::time::{Duration, Instant};

use crate::attacker::Attacker;
use crate::oracle::Failure;
use crate::phone::Operation;
use crate::random::{Random, Stream};
use crate::world::{NodeId, World};

pub use profile::{FAULTS, Fault, Profile, Topology};
pub use shrinking::shrink;

/// How a run went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What it was like.
    pub profile: Profile,
    /// Calls that were placed.
    pub calls: u64,
    /// Datagrams sent.
    pub packets: u64,
    /// Faults that struck.
    pub faults: u64,
    /// Calls that were answered.
    pub established: u64,
    /// What the oracle found.
    pub failures: Vec<Failure>,
    /// The hash of all that happened.
    pub hash: u64,
}

/// Runs a profile to its end.
pub fn run(profile: &Profile, print: bool) -> Outcome {
    let mut run = Run::new(profile.clone());
    if print {
        run.world.print_trace();
    }
    run.whole()
}

/// Runs a profile to its end and gives the journals of its phones, also where one panicked.
pub fn run_recorded(profile: &Profile) -> (Outcome, Vec<(NodeId, String)>) {
    let mut run = Run::new(profile.clone());
    run.world.record();
    let outcome = run.whole();
    run.world.end_journals();
    (outcome, run.world.journals())
}

fn panicked(profile: &Profile, panic: &(dyn core::any::Any + Send)) -> Outcome {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let text = format!("panic: {}", text.unwrap_or_default());
    Outcome {
        profile: profile.clone(),
        calls: 0,
        packets: 0,
        faults: 0,
        established: 0,
        failures: vec![Failure { at: Instant::ZERO, node: 0, invariant: 1, text }],
        hash: 0,
    }
}

struct Run {
    profile: Profile,
    world: World,
    users: Random,
    chaos: Random,
    phones: Vec<NodeId>,
    middle: Option<NodeId>,
    attacker: Option<Attacker>,
    /// An address where nobody listens: its host says so to whoever sends something.
    nowhere: Option<NodeId>,
    placed: u64,
    established: u64,
    /// When something last happened to a call of a phone.
    moved: Vec<(NodeId, CallId, Instant)>,
    fault_events: u64,
}

impl Run {
    fn new(profile: Profile) -> Self {
        let seed = profile.seed;
        Self {
            users: Random::new(seed, Stream::Users),
            chaos: Random::new(seed, Stream::Faults),
            phones: Vec::new(),
            middle: None,
            attacker: None,
            nowhere: None,
            placed: 0,
            established: 0,
            moved: Vec::new(),
            fault_events: 0,
            profile,
            world: World::new(seed),
        }
    }

    fn whole(&mut self) -> Outcome {
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            self.play();
            self.outcome()
        }));
        attempt.unwrap_or_else(|panic| panicked(&self.profile, &*panic))
    }

    fn play(&mut self) {
        self.build();
        self.for_all(&Operation::Register);
        self.live_for(Duration::from_secs(5));
        self.begin_faults();
        for _ in 0..self.profile.calls {
            self.place_call();
            self.strike();
            let gap_ms = self.users.within(0..=MEAN_GAP_MS * 2);
            self.live_for(Duration::from_millis(gap_ms));
        }
        self.heal();
        self.live_for(CALM);
        self.check_registrations();
        self.check_liveness();
        self.end_all();
    }

    fn outcome(&mut self) -> Outcome {
        let failures = self.world.settle().to_vec();
        Outcome {
            calls: self.placed,
            packets: self.world.packets(),
            faults: self.world.faults() + self.fault_events,
            established: self.established,
            failures,
            hash: self.world.trace_hash(),
            profile: self.profile.clone(),
        }
    }
}

const MEAN_GAP_MS: u64 = 30_000;
/// 64 * T1 + 32 s, the longest that a call rings or lasts, and the longest until a failed
/// registration is tried again.
const CALM: Duration = Duration::from_secs(1000);

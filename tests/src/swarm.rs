//! Random runs: each seed draws which faults, features and sizes exist at all, and what users do.
//!
//! A run has phases: users call each other under faults; the faults end and everything must
//! recover; everybody hangs up, and nothing may be left.

use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use sansip::endpoint::{CallId, Reply};
use sansip::storage::Limits;
use sansip::time::{Duration, Instant};

use crate::attacker::Attacker;
use crate::network::{Burst, Link};
use crate::oracle::Failure;
use crate::phone::{Operation, PhoneOptions, Told};
use crate::random::{Random, Stream};
use crate::server::{Asked, ServerOptions};
use crate::world::{NodeId, Timing, World};

/// A kind of fault.
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

    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }
}

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

/// Drops one fault after the other, and halves the calls, as long as the run still breaks the same
/// invariant: the shortest such run.
pub fn shrink(failed: &Outcome) -> Outcome {
    let invariant = failed.failures.first().map(|failure| failure.invariant);
    let mut best = failed.clone();
    let attempt = |best: &mut Outcome, profile: Profile| {
        let outcome = run(&profile, false);
        let same = outcome.failures.iter().any(|failure| Some(failure.invariant) == invariant);
        if same {
            *best = outcome;
        }
        same
    };
    for fault in failed.profile.faults.clone() {
        let mut profile = best.profile.clone();
        profile.faults.retain(|kept| *kept != fault);
        attempt(&mut best, profile);
    }
    while best.profile.calls > 1 {
        let mut profile = best.profile.clone();
        profile.calls /= 2;
        if !attempt(&mut best, profile) {
            break;
        }
    }
    best
}

struct Run {
    profile: Profile,
    world: World,
    users: Random,
    chaos: Random,
    phones: Vec<NodeId>,
    middle: Option<NodeId>,
    attacker: Option<Attacker>,
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

    // ---- the world

    fn build(&mut self) {
        let mut random = Random::new(self.profile.seed, Stream::Server);
        self.middle = match self.profile.topology {
            Topology::Direct => None,
            Topology::Pbx => Some(self.world.add_pbx(32)),
            Topology::Server => {
                let mut options = ServerOptions::new(([0, 0, 0, 0], 0).into());
                let asked = [Asked::Md5, Asked::Sha256, Asked::Both];
                options.asked = random.pick(&asked).copied().unwrap_or(Asked::Both);
                options.qop = random.chance(0.8);
                options.challenges_calls = random.chance(0.7);
                options.record_route = random.chance(0.7) || self.profile.has(Fault::NatRebinding);
                options.nonce_life = Duration::from_secs(random.within(10..=600));
                options.expires_max_s = random.within(60..=900) as u32;
                options.rewrites_contacts = random.chance(0.2);
                if self.profile.has(Fault::NameFailures) || random.chance(0.2) {
                    options.name = SERVER_NAME.to_owned();
                }
                let server = self.world.add_server(options);
                let members = (0..self.profile.phones).map(user_name);
                if let Some(server) = self.world.server_mut(server) {
                    server.add_group(GROUP, members.take(GROUP_MAX).collect());
                }
                self.world.name(SERVER_NAME, self.world.address(server));
                Some(server)
            }
        };
        for number in 0..self.profile.phones {
            let user = user_name(number);
            let mut options = self.phone_options(&user, &mut random);
            if self.profile.has(Fault::TinyMemory) && random.chance(0.5) {
                options.limits = tiny(&mut random);
            }
            let password = options.password.clone();
            let phone = self.world.add_phone(options);
            if let (Topology::Server, Some(server)) = (self.profile.topology, self.middle) {
                self.world.add_account(server, &user, &password);
                let nat = self.profile.has(Fault::NatRebinding) && !self.profile.media;
                if nat && random.chance(0.5) {
                    self.world.put_behind_nat(phone);
                }
            }
            self.phones.push(phone);
        }
        if self.profile.has(Fault::Attacker) {
            let address = self.world.add_address();
            let address = self.world.address(address);
            let random = Random::new(self.profile.seed, Stream::Attacker);
            let proxy = self.middle.filter(|_| self.profile.topology == Topology::Server);
            let spared = proxy.map(|proxy| self.world.address(proxy));
            self.attacker = Some(Attacker::new(address, random, spared));
            self.world.tap();
        }
    }

    fn phone_options(&self, user: &str, random: &mut Random) -> PhoneOptions {
        let media = self.profile.media;
        let options = match self.middle {
            None => PhoneOptions::new(user),
            Some(middle) => {
                let address = self.world.address(middle);
                let server = self.world.server(middle);
                let name = server.map(|server| server.options().name.clone());
                PhoneOptions {
                    server_name: name.unwrap_or_default(),
                    ..PhoneOptions::registered(user, &format!("test{user}"), address)
                }
            }
        };
        let expires_s = random.within(60..=600) as u32;
        let answer_limit = Duration::from_secs(60);
        let ring_limit = Duration::from_secs(random.within(20..=90));
        PhoneOptions { media, expires_s, answer_limit, ring_limit, ..options }
    }

    fn begin_faults(&mut self) {
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
    fn strike(&mut self) {
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
                        server.fail_until(until);
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

    fn heal(&mut self) {
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

    // ---- users

    fn for_all(&mut self, operation: &Operation) {
        if self.middle.is_none() && *operation == Operation::Register {
            return;
        }
        for phone in self.phones.clone() {
            let _ = self.world.perform(phone, operation.clone());
        }
    }

    fn target(&mut self, callee: NodeId) -> String {
        let user = self.world.phone(callee).map(|phone| phone.options().user.clone());
        let user = user.unwrap_or_default();
        match self.profile.topology {
            Topology::Direct if self.profile.has(Fault::Unreachable) && self.users.chance(0.1) => {
                "sip:nobody@10.9.9.9:5060".to_owned()
            }
            Topology::Direct => format!("sip:{user}@{}", self.world.address(callee)),
            Topology::Server if self.users.chance(0.15) => GROUP.to_owned(),
            Topology::Server => user,
            Topology::Pbx => {
                const NUMBERS: [&str; 10] =
                    ["600", "601", "602", "603", "604", "605", "606", "608", "609", "622"];
                let number = self.users.pick(&NUMBERS).copied().unwrap_or_default();
                if self.users.chance(0.5) { user } else { number.to_owned() }
            }
        }
    }

    fn place_call(&mut self) {
        let Some(caller) = self.users.pick(&self.phones).copied() else { return };
        let others: Vec<_> = self.phones.iter().copied().filter(|phone| *phone != caller).collect();
        let Some(callee) = self.users.pick(&others).copied() else { return };
        let target = self.target(callee);
        let late_offer = self.users.chance(0.1);
        self.placed += 1;
        let call = self.world.perform(caller, Operation::Call { target, late_offer });
        if let Ok(Reply::Call(call)) = call
            && self.users.chance(0.15)
        {
            let after = Duration::from_millis(self.users.within(0..=6000));
            self.world.plan(after, caller, Operation::HangUp(call));
        }
        if self.users.chance(0.05) {
            let method = if self.users.chance(0.5) { "OPTIONS" } else { "MESSAGE" };
            let target = self.target(callee);
            let _ = self.world.perform(caller, Operation::Request { method, target });
        }
    }

    fn live_for(&mut self, span: Duration) {
        let until = self.world.now() + span;
        let mut steps = 0;
        while self.world.step(until) {
            while let Some((phone, told)) = self.world.take_news() {
                self.react(phone, &told);
            }
            steps += 1;
            if let Some(attacker) = &mut self.attacker
                && steps % 8 == 0
            {
                attacker.overhear(self.world.take_tapped());
                attacker.strike(&mut self.world);
                self.fault_events += 1;
            }
        }
        if self.profile.faults.is_empty() {
            self.check_agreement();
        }
    }

    fn react(&mut self, phone: NodeId, told: &Told) {
        match told {
            Told::Incoming { call } => self.be_called(phone, *call),
            Told::RegistrationFailed { retry_s: None, .. } => {
                self.world.plan(PATIENCE, phone, Operation::Register);
            }
            Told::Established { call } => {
                self.established += 1;
                self.talk(phone, *call);
            }
            _ => {}
        }
        let (Told::Established { call }
        | Told::Media { call, .. }
        | Told::Ended { call, .. }
        | Told::HoldFailed { call, .. }) = told
        else {
            return;
        };
        let now = self.world.now();
        let known =
            self.moved.iter_mut().find(|(node, known, _)| (*node, *known) == (phone, *call));
        match known {
            Some((_, _, at)) => *at = now,
            None => self.moved.push((phone, *call, now)),
        }
        if matches!(told, Told::Ended { .. }) {
            self.moved.retain(|(node, known, _)| (*node, *known) != (phone, *call));
        }
    }

    fn be_called(&mut self, phone: NodeId, call: CallId) {
        let users = &mut self.users;
        let soon = Duration::from_millis(users.within(0..=1000));
        let later = Duration::from_millis(users.within(1000..=9000));
        match users.below(100) {
            0..=9 => self.world.plan(soon, phone, Operation::Answer(call)),
            10..=69 => {
                self.world.plan(soon, phone, Operation::Ring(call));
                self.world.plan(later, phone, Operation::Answer(call));
            }
            70..=79 => {
                self.world.plan(soon, phone, Operation::EarlyMedia(call));
                self.world.plan(later, phone, Operation::Answer(call));
            }
            80..=94 => {
                let status = users.pick(&[486, 480, 603, 404, 302]).copied().unwrap_or(486);
                self.world.plan(later, phone, Operation::Reject(call, status));
            }
            _ => {} // nobody is there
        }
    }

    fn talk(&mut self, phone: NodeId, call: CallId) {
        let users = &mut self.users;
        let longest_ms = if self.profile.media { 40_000 } else { 60_000 };
        let end_ms = users.within(0..=longest_ms);
        let first = users.chance(0.6);
        // Each side hangs up for certain, so that no call outlives a lost BYE for long.
        let end = Duration::from_millis(if first { end_ms } else { longest_ms + end_ms });
        let operation = match users.chance(0.5) {
            true => Operation::HangUp(call),
            false if first => Operation::HangUp(call),
            false => Operation::Silent(call),
        };
        self.world.plan(end, phone, operation);
        self.world.plan(Duration::from_millis(3 * longest_ms), phone, Operation::HangUp(call));
        let mut moment = || Duration::from_millis(users.within(0..=end_ms.max(1)));
        let (one, other) = (moment(), moment());
        if self.users.chance(0.25) {
            self.world.plan(one.min(other), phone, Operation::Hold(call));
            self.world.plan(one.max(other), phone, Operation::Resume(call));
        } else if self.users.chance(0.05) {
            // Both sides at once, if the other draws the same second.
            self.world.plan(Duration::from_secs(2), phone, Operation::Hold(call));
            self.world.plan(other, phone, Operation::Resume(call));
        } else if self.profile.media && self.users.chance(0.6) {
            let digits = ["1", "42", "0123456789", "*#", "ABCD", "5555"];
            let digits = self.users.pick(&digits).copied().unwrap_or("1");
            self.world.plan(one, phone, Operation::Digits(call, digits.to_owned()));
            self.world.plan(other, phone, Operation::Mute(call, true));
        }
    }

    // ---- checks

    /// Calls that are up on both sides, and to which nothing happened for some seconds, look the
    /// same from both sides.
    fn check_agreement(&mut self) {
        if self.profile.topology == Topology::Pbx {
            return; // two calls, which may differ
        }
        let now = self.world.now();
        let still: Vec<_> = self.moved.iter().filter(|(_, _, at)| now.since(*at) > STILL).collect();
        let mut pairs = Vec::new();
        for (phone, call, _) in &still {
            let Some(one) = self.world.phone(*phone).and_then(|phone| phone.call(*call)) else {
                continue;
            };
            let other = still.iter().find_map(|(node, call, _)| {
                let talk = self.world.phone(*node)?.call(*call)?;
                (node != phone && talk.call_id == one.call_id && talk.is_up()).then_some(talk)
            });
            if let (Some(one_plan), Some(other)) = (one.plan, other)
                && let Some(other_plan) = other.plan
                && one.is_up()
            {
                pairs.push((phone.0, one_plan, other_plan));
            }
        }
        for (node, one, other) in pairs {
            self.world.oracle().compare(now, node, &one, &other);
        }
    }

    /// Whoever is told to be registered is, and once all is well everybody is.
    fn check_registrations(&mut self) {
        let (Topology::Server, Some(server)) = (self.profile.topology, self.middle) else { return };
        let now = self.world.now();
        for phone in self.phones.clone() {
            let Some(known) = self.world.phone(phone) else { continue };
            let (told, user) = (known.is_registered(), known.options().user.clone());
            let bindings =
                self.world.server(server).map(|server| server.bindings(now, &user).len());
            let text = match (told, bindings) {
                (true, Some(0)) => "is told to be registered and is not",
                (false, _) => "could not register again",
                _ => continue,
            };
            // A damaged 200 may have promised a longer life than was granted.
            self.world.oracle().report_if_intact(now, phone.0, 11, &format!("{user} {text}"));
        }
    }

    /// A new call succeeds.
    fn check_liveness(&mut self) {
        let [caller, callee, ..] = self.phones.as_slice() else { return };
        let (caller, callee) = (*caller, *callee);
        let user = self.world.phone(callee).map(|phone| phone.options().user.clone());
        let target = match self.profile.topology {
            Topology::Direct => {
                let user = user.unwrap_or_default();
                format!("sip:{user}@{}", self.world.address(callee))
            }
            _ => user.unwrap_or_default(),
        };
        let call = self.world.perform(caller, Operation::Call { target, late_offer: false });
        let Ok(Reply::Call(call)) = call else {
            let now = self.world.now();
            self.world.oracle().report(now, caller.0, 15, &format!("no new call: {call:?}"));
            return;
        };
        self.placed += 1;
        let until = self.world.now() + LIVELY;
        let mut answered = false;
        while self.world.step(until) {
            while let Some((phone, told)) = self.world.take_news() {
                if let (true, Told::Incoming { call }) = (phone == callee, &told) {
                    let _ = self.world.perform(phone, Operation::Answer(*call));
                }
                answered |= phone == caller && told == (Told::Established { call });
            }
        }
        if !answered {
            let now = self.world.now();
            let talk = self.world.phone(caller).and_then(|phone| phone.call(call));
            let text = format!("a new call did not succeed: {:?}", talk.map(|talk| talk.ended));
            self.world.oracle().report(now, caller.0, 15, &text);
            return;
        }
        self.established += 1;
        let sides = [(caller, Some(call)), (callee, self.world.current_call(callee))];
        let plan =
            |(phone, call): (NodeId, Option<CallId>)| self.world.phone(phone)?.call(call?)?.plan;
        if let ([Some(one), Some(other)], false) =
            (sides.map(plan), self.profile.topology == Topology::Pbx)
        {
            let now = self.world.now();
            self.world.oracle().compare(now, caller.0, &one, &other);
        }
    }

    fn end_all(&mut self) {
        for phone in self.phones.clone() {
            let calls: Vec<_> = self.world.phone(phone).map_or_else(Vec::new, |phone| {
                let live = phone.calls().iter().filter(|talk| talk.ended.is_none());
                live.map(|talk| talk.call).collect()
            });
            for call in calls {
                let _ = self.world.perform(phone, Operation::HangUp(call));
            }
        }
        if self.middle.is_some() {
            self.for_all(&Operation::Unregister);
        }
        let until = self.world.now() + QUIET;
        while self.world.step(until) {
            while self.world.take_news().is_some() {}
        }
        if self.profile.media {
            self.check_digits();
        }
    }

    fn check_digits(&mut self) {
        let now = self.world.now();
        let mut pairs = Vec::new();
        for sender in &self.phones {
            let Some(phone) = self.world.phone(*sender) else { continue };
            for talk in phone.calls().iter().filter(|talk| !talk.digits_sent.is_empty()) {
                let others = self.phones.iter().filter(|other| *other != sender);
                let heard: Vec<_> = others
                    .filter_map(|other| {
                        let calls = self.world.phone(*other)?.calls().iter();
                        let mut calls = calls.filter(|other| other.call_id == talk.call_id);
                        calls.next().map(|heard| (*other, heard))
                    })
                    .collect();
                // Of a forked call's phones one was talked to, and nothing here says which.
                let heard = if heard.len() > 1 { Vec::new() } else { heard };
                for (other, heard) in heard {
                    let from = (phone.address().ip(), talk.port).into();
                    let ended = heard.ended_at.unwrap_or(now);
                    pairs.push((other.0, from, heard.digits.clone(), ended));
                }
            }
        }
        for (node, from, heard, ended) in pairs {
            let oracle = self.world.oracle();
            oracle.compare_digits(now, node, (from, Instant::ZERO), (&heard, ended));
        }
    }
}

fn user_name(number: u8) -> String {
    (100 + u16::from(number)).to_string()
}

/// Memory that is often full.
fn tiny(random: &mut Random) -> Limits {
    let calls = random.within(1..=2) as usize;
    Limits {
        accounts: 1,
        calls,
        transactions: random.within(3..=8) as usize,
        buffers: random.within(3..=8) as usize,
        text_bytes: 512,
        message_bytes: 1500,
    }
}

/// A number that rings several phones, and how many at most.
const GROUP: &str = "700";
const GROUP_MAX: usize = 5;
const SERVER_NAME: &str = "sip.example.com";
const MEAN_GAP_MS: u64 = 30_000;
/// 64 * T1 + 32 s, the longest that a call rings or lasts, and the longest until a failed
/// registration is tried again.
const CALM: Duration = Duration::from_secs(1000);
const LIVELY: Duration = Duration::from_secs(10);
const QUIET: Duration = Duration::from_secs(120);
/// When a user tries again what the phone gave up.
const PATIENCE: Duration = Duration::from_secs(60);
const STILL: Duration = Duration::from_secs(10);

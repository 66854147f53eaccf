//! The judge: reads the wire and the events, never the inside of an endpoint.
//!
//! Each [`Failure`] names an invariant by its number:
//!
//! | number | what must hold |
//! |---|---|
//! | 1 | no flood of actions for one input; every message sent can be read |
//! | 2 | a call that is being set up has a timer |
//! | 3 | each call ends exactly once, with a reason that the wire bears out, at once where the transport fails (RFC 3261 s8.1.3.1), not for a change that was refused (s14.1); nothing follows its end |
//! | 4 | each final response to an INVITE is acknowledged (RFC 3261 s13.2.2.4, s17.1.1.3), each 2xx sent is acknowledged or followed by BYE (s13.3.1.4), surplus forks are hung up at once |
//! | 5 | repetitions are byte-identical, in the rhythm of RFC 3261 s17, and stop in time; responses go back where the request came from (RFC 3581 s4) |
//! | 6 | CSeq grows (RFC 3261 s12.2.1.1); nothing is told twice |
//! | 7 | both sides of a call agree on codec, types, direction and addresses |
//! | 8 | one INVITE at a time in each direction of a dialog (RFC 3261 s14.1) |
//! | 9 | RTP: sequence numbers without a gap, a clock that never stops or goes back (RFC 3550 s5.1), one SSRC; none from a side that is on hold (RFC 3264 s8.4) |
//! | 10 | digits are sent as RFC 4733 s2.5.1 has it, each end three times and with a pause behind it, and arrive once, in order, none lost with its end (s2.5.2.2), none invented |
//! | 11 | who is told to be registered is registered (RFC 3261 s10.3); what fails for a time is tried again (RFC 5626 s4.5) |
//! | 12 | credentials go to the configured realm and server only; no count of a nonce twice (RFC 7616 s3.4) |
//! | 13 | slots, buffers and timers return to nothing |
//! | 14 | datagrams sent are delivered or dropped for a counted reason |
//! | 15 | once all is well, a new call succeeds |
//!
//! Not applicable, as the library does not do it yet; whoever adds it finds here what to check:
//!
//! | number | what |
//! |---|---|
//! | 2 | timers of subscriptions |
//! | 3 | outcomes of REFER and of subscriptions |
//! | 4, 5 | PRACK for reliable provisional responses (RFC 3262) |
//! | 7 | the end of a partitioned call by session timer (RFC 4028) |
//! | 8 | offers in UPDATE and PRACK |
//! | 9 | the packet index of SRTP with one key |
//! | 10 | digits by INFO |
//! | 11 | failover to another registrar (SRV); one binding for an instance (RFC 5626) |
//! | 12 | clear packets where SRTP is mandatory |

mod calls;
mod media;
mod registration;
mod requests;

use std::collections::BTreeMap;

use core::fmt;
use core::net::{IpAddr, SocketAddr};

use sansip::endpoint::{CallId, Error, Reply, Stage};
use sansip::sdp::MediaPlan;
use sansip::time::{Duration, Instant};

use crate::phone::{Operation, Phone, Told};
use crate::trace::key;
use crate::wire::{Wire, digest_value};

use calls::Calls;
use media::Media;
use registration::Registration;
use requests::Requests;

/// Something that must not be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// When it was seen.
    pub at: Instant,
    /// At which node.
    pub node: usize,
    /// Which invariant.
    pub invariant: u8,
    /// What was seen.
    pub text: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, node, invariant, text } = self;
        let at_ms = at.as_micros() as f64 / 1000.0;
        write!(f, "invariant {invariant} at node {node}, {at_ms:.3} ms: {text}")
    }
}

/// Where an arriving datagram came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// As a node sent it.
    Genuine,
    /// The network changed it.
    Damaged,
    /// An attacker made it.
    Forged,
}

/// The judge of one world.
#[derive(Debug, Default)]
pub struct Oracle {
    nodes: Vec<Option<Watched>>,
    servers: Vec<(SocketAddr, String)>,
    /// Hosts of attackers: what they are answered is no matter.
    strangers: Vec<IpAddr>,
    media: Media,
    failures: Failures,
}

/// What is known of one endpoint.
#[derive(Debug)]
struct Watched {
    address: SocketAddr,
    requests: Requests,
    calls: Calls,
    server: Option<SocketAddr>,
    realm: String,
    /// Which request gave which count of which nonce.
    counts: BTreeMap<u64, u64>,
    registration: Registration,
}

/// What was found, the first of it.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    list: Vec<Failure>,
    /// The network changed something: what nodes then say to each other proves little.
    damaged: bool,
}

impl Failures {
    /// Something that is wrong unless a damaged datagram caused it.
    fn add(&mut self, at: Instant, node: usize, invariant: u8, text: impl Into<String>) {
        if !self.damaged {
            self.add_always(at, node, invariant, text);
        }
    }

    /// Something that is wrong whatever came in.
    fn add_always(&mut self, at: Instant, node: usize, invariant: u8, text: impl Into<String>) {
        if self.list.len() < FAILURES_MAX {
            self.list.push(Failure { at, node, invariant, text: text.into() });
        }
    }
}

impl Oracle {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn failures(&self) -> &[Failure] {
        &self.failures.list
    }

    /// Notes a failure that somebody else saw, such as a script.
    pub fn report(&mut self, at: Instant, node: usize, invariant: u8, text: &str) {
        self.failures.add_always(at, node, invariant, text);
    }

    /// The same, unless a datagram that the network changed may have caused it.
    pub fn report_if_intact(&mut self, at: Instant, node: usize, invariant: u8, text: &str) {
        self.failures.add(at, node, invariant, text);
    }

    pub(crate) fn add_phone(&mut self, node: usize, phone: &Phone, _now: Instant) {
        let options = phone.options();
        self.set(
            node,
            Watched {
                server: options.server,
                realm: options.realm.clone(),
                registration: Registration::new(&options.user),
                ..Watched::new(phone.address())
            },
        );
        if let Some(watched) = self.watched(node) {
            watched.requests.tiny = options.limits.transactions < 12;
        }
    }

    pub(crate) fn add_endpoint(&mut self, node: usize, address: SocketAddr) {
        self.set(node, Watched::new(address));
    }

    pub(crate) fn add_stranger(&mut self, ip: IpAddr) {
        self.strangers.push(ip);
    }

    pub(crate) fn add_server(&mut self, address: SocketAddr, realm: &str) {
        self.servers.push((address, realm.to_owned()));
    }

    /// A phone began anew: what it owed is forgotten.
    pub(crate) fn restarted(&mut self, node: usize, phone: &Phone, now: Instant) {
        self.add_phone(node, phone, now);
        if let Some(watched) = self.watched(node) {
            watched.requests.blind = true;
        }
    }

    pub(crate) fn stalled(&mut self, node: usize, until: Instant) {
        if let Some(watched) = self.watched(node) {
            let known = &mut watched.requests.stalled_until;
            *known = Some(until.max(known.unwrap_or_default()));
            watched.registration.stalled(until);
        }
    }

    /// The network changed a datagram.
    pub(crate) fn damaged(&mut self) {
        self.failures.damaged = true;
    }

    /// A node hears that something it sent cannot arrive.
    pub(crate) fn send_failed(&mut self, now: Instant, node: usize, failed: SocketAddr) {
        if let Some(watched) = self.watched(node) {
            watched.requests.send_failed = true;
            watched.calls.send_failed(now, failed, &watched.requests);
        }
    }

    pub(crate) fn name_failed(&mut self, node: usize) {
        if let Some(watched) = self.watched(node) {
            watched.requests.name_failed = true;
        }
    }

    pub(crate) fn sent(&mut self, now: Instant, node: usize, to: SocketAddr, bytes: &[u8]) {
        let Some(Some(watched)) = self.nodes.get_mut(node) else { return };
        let Some(wire) = Wire::read(bytes) else {
            let text = String::from_utf8_lossy(bytes).into_owned();
            self.failures.add(now, node, 1, format!("sent what nobody can read: {text}"));
            return;
        };
        watched.check_credentials(now, node, to, &wire, &self.servers, &mut self.failures);
        if wire.is_request() && wire.method() == Some("REGISTER") {
            watched.registration.sent();
        }
        if self.strangers.contains(&to.ip()) && !wire.is_request() {
            return;
        }
        watched.requests.sent(now, node, to, &wire, bytes, &mut self.failures);
    }

    pub(crate) fn arrived(
        &mut self,
        now: Instant,
        node: usize,
        from: SocketAddr,
        bytes: &[u8],
        origin: Origin,
    ) {
        let Some(Some(watched)) = self.nodes.get_mut(node) else { return };
        if origin == Origin::Damaged {
            return;
        }
        let Some(wire) = Wire::read(bytes) else { return };
        watched.requests.arrived(now, from, &wire, origin);
    }

    pub(crate) fn performed(
        &mut self,
        now: Instant,
        node: usize,
        operation: &Operation,
        reply: &Result<Reply, Error>,
        phone: &Phone,
    ) {
        let Some(Some(watched)) = self.nodes.get_mut(node) else { return };
        if reply.is_ok() {
            watched.registration.performed(now, node, operation, &mut self.failures);
        }
        watched.calls.performed(now, node, operation, reply, phone, &mut self.failures);
    }

    pub(crate) fn named(&mut self, node: usize, call: CallId, phone: &Phone) {
        let Some(Some(watched)) = self.nodes.get_mut(node) else { return };
        let Some(talk) = phone.call(call) else { return };
        watched.calls.named(call, &talk.call_id);
        let told = watched.calls.count(&talk.call_id);
        let came = watched.requests.first_invites(&talk.call_id);
        if told > came {
            let text = format!("{told} incoming calls for {came} INVITEs of {}", talk.call_id);
            self.failures.add(Instant::ZERO, node, 6, text);
        }
    }

    pub(crate) fn told(&mut self, now: Instant, node: usize, told: &Told, message: Option<&[u8]>) {
        let Some(Some(watched)) = self.nodes.get_mut(node) else { return };
        let Watched { calls, requests, registration, .. } = watched;
        registration.told(now, node, told, message, &mut self.failures);
        calls.told(now, node, told, requests, &mut self.failures);
        match told {
            Told::Media { stage, plan, .. } if *stage != Stage::Offered => self.media.agreed(plan),
            Told::Digit { call, digit } => {
                self.media.told(now, node, calls.local(*call), *digit, &mut self.failures);
            }
            Told::Ended { call, .. } => {
                let steady = requests.stalled_until.is_none();
                if let Some(local) = calls.local(*call) {
                    self.media.ended(now, node, local, steady, &mut self.failures);
                }
            }
            _ => {}
        }
    }

    /// A turn is over and drained.
    pub(crate) fn turned(&mut self, now: Instant, node: usize, phone: &Phone) {
        let Some(Some(watched)) = self.nodes.get_mut(node) else { return };
        watched.requests.turned(now, node, &mut self.failures);
        watched.calls.turned(now, node, &mut self.failures);
        if phone.has_unsettled_call() && phone.endpoint().poll_timeout().is_none() {
            self.failures.add_always(now, node, 2, "a call is being set up and no timer runs");
        }
    }

    pub(crate) fn storm(&mut self, now: Instant, node: usize, actions: u32) {
        self.failures.add_always(now, node, 1, format!("{actions} actions in one turn"));
    }

    pub(crate) fn media_sent(
        &mut self,
        now: Instant,
        node: usize,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) {
        self.media.sent(now, node, from, to, bytes, &mut self.failures);
    }

    pub(crate) fn media_arrived(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
        origin: Origin,
    ) {
        if origin == Origin::Genuine {
            self.media.arrived(now, from, to, bytes);
        }
    }

    /// Nothing is under way any more: every call has ended, nothing is owed, nothing is kept.
    pub(crate) fn quiet(&mut self, now: Instant, node: usize, phone: &Phone) {
        let Some(Some(watched)) = self.nodes.get_mut(node) else { return };
        watched.calls.quiet(now, node, &mut self.failures);
        watched.requests.quiet(now, node, &mut self.failures);
        let usage = phone.endpoint().usage();
        let kept = usage.calls + usage.dialogs + usage.transactions + usage.buffers;
        if kept > 0 {
            self.failures.add_always(now, node, 13, format!("still in use: {usage:?}"));
        }
        if !phone.is_registered() && phone.endpoint().poll_timeout().is_some() && kept == 0 {
            // A registration that is retried with back-off may have one.
            if phone.options().server.is_none() {
                self.failures.add_always(now, node, 13, "a timer runs and nothing needs it");
            }
        }
    }

    /// Two sides of one call, both up and nothing under way between them.
    pub fn compare(&mut self, now: Instant, node: usize, one: &MediaPlan, other: &MediaPlan) {
        let same = one.codec == other.codec
            && one.local == other.remote
            && one.remote == other.local
            && one.send_type == other.receive_type
            && one.receive_type == other.send_type
            && one.direction == other.direction.reversed()
            && one.dtmf.map(|dtmf| dtmf.send_type) == other.dtmf.map(|dtmf| dtmf.receive_type);
        if !same {
            self.failures.add(now, node, 7, format!("{one:?} against {other:?}"));
        }
    }

    /// The digits that one side of a call heard, against those that the other sent.
    pub fn compare_digits(
        &mut self,
        now: Instant,
        node: usize,
        sender: (SocketAddr, Instant),
        receiver: (&str, Instant),
    ) {
        // A phone that stood still may have lost what it did not tick away in time.
        let steady = self.watched(node).is_some_and(|node| node.requests.stalled_until.is_none());
        self.media.compare_digits(now, node, sender, receiver, steady, &mut self.failures);
    }

    fn watched(&mut self, node: usize) -> Option<&mut Watched> {
        self.nodes.get_mut(node)?.as_mut()
    }

    fn set(&mut self, node: usize, watched: Watched) {
        if self.nodes.len() <= node {
            self.nodes.resize_with(node + 1, || None);
        }
        if let Some(place) = self.nodes.get_mut(node) {
            *place = Some(watched);
        }
    }
}

impl Watched {
    fn new(address: SocketAddr) -> Self {
        Self {
            address,
            requests: Requests::default(),
            calls: Calls::default(),
            server: None,
            realm: String::new(),
            counts: BTreeMap::new(),
            registration: Registration::default(),
        }
    }

    /// Credentials only for the realm of our server (RFC 3261 s22.1), and only on the way there;
    /// each count of a nonce for one request (RFC 7616 s3.4).
    fn check_credentials(
        &mut self,
        now: Instant,
        node: usize,
        to: SocketAddr,
        wire: &Wire<'_>,
        servers: &[(SocketAddr, String)],
        failures: &mut Failures,
    ) {
        for name in ["authorization", "proxy-authorization"] {
            for line in wire.lines(name) {
                let realm = digest_value(line, "realm").unwrap_or_default();
                let known = servers.iter().any(|(address, known)| *address == to && known == realm);
                let ours = self.server == Some(to)
                    && (self.realm.is_empty() || self.realm == realm)
                    && (known || servers.is_empty());
                if !ours {
                    let from = self.address;
                    let text = format!("{from} gave credentials for {realm} to {to}");
                    failures.add(now, node, 12, text);
                }
                let (nonce, count) = (digest_value(line, "nonce"), digest_value(line, "nc"));
                let (Some(nonce), Some(count), Some(branch)) = (nonce, count, wire.branch()) else {
                    continue;
                };
                // ACK and CANCEL repeat what their INVITE had (s13.2.2.4, s22.1).
                if !matches!(wire.method(), Some("ACK" | "CANCEL")) {
                    let request = key(&[branch]);
                    let first = *self.counts.entry(key(&[nonce, count])).or_insert(request);
                    if first != request {
                        let text = format!("nonce {nonce} for a second request with nc={count}");
                        failures.add(now, node, 12, text);
                    }
                }
            }
        }
    }
}

const FAILURES_MAX: usize = 20;
/// 64 * T1 (RFC 3261 s17.1.1.2).
const TRANSACTION_LIFE: Duration = Duration::from_secs(32);

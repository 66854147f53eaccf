//! A registrar and proxy, written from the RFCs a second time and at text level: it shares no code
//! with the library.
//!
//! As a proxy it is stateless (RFC 3261 s16.11): the endpoints retransmit, it passes on. Only calls
//! to a [group](Server::add_group), which it forks, have a state. This file decides what to do with
//! a request; `registrar`, `digest`, `proxy` and `forking` do it, `answer` writes what it says
//! itself.

mod answer;
mod digest;
mod forking;
mod proxy;
mod registrar;

use core::net::SocketAddr;
use std::collections::{BTreeMap, VecDeque};

use sansip::time::{Duration, Instant};

use crate::random::Random;
use crate::wire::{Wire, address_of, uri_of, user_of};

pub use digest::Asked;
pub use registrar::Binding;

use answer::bare_answer;
use digest::Nonce;
use forking::Fork;

/// How a server behaves.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Its address.
    pub address: SocketAddr,
    /// Its realm.
    pub realm: String,
    /// Which digest it asks for.
    pub asked: Asked,
    /// Whether it wants `qop=auth`; else the digest of RFC 2069.
    pub qop: bool,
    /// Whether INVITEs are challenged too, with 407.
    pub challenges_calls: bool,
    /// How long a nonce lives.
    pub nonce_life: Duration,
    /// Longest binding that is granted, seconds.
    pub expires_max_s: u32,
    /// Shortest binding that is granted, seconds; a shorter one is answered 423.
    pub expires_min_s: u32,
    /// Whether it stays in the way of later requests (Record-Route).
    pub record_route: bool,
    /// Whether the bindings that it lists have the address that it saw, not that of the Contact.
    pub rewrites_contacts: bool,
    /// Longest time that it takes for an answer of its own.
    pub slowness: Duration,
    /// A host name that it answers to, beside its address.
    pub name: String,
}

impl ServerOptions {
    /// A strict server: SHA-256 or MD5, `qop`, challenged calls, Record-Route.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            realm: "sim".to_owned(),
            asked: Asked::Both,
            qop: true,
            challenges_calls: true,
            nonce_life: Duration::from_secs(120),
            expires_max_s: 600,
            expires_min_s: 30,
            record_route: true,
            rewrites_contacts: false,
            slowness: Duration::ZERO,
            name: String::new(),
        }
    }
}

/// The server.
#[derive(Clone, Debug)]
pub struct Server {
    options: ServerOptions,
    passwords: BTreeMap<String, String>,
    groups: BTreeMap<String, Vec<String>>,
    forks: BTreeMap<String, Fork>,
    bindings: BTreeMap<String, Vec<Binding>>,
    nonces: BTreeMap<String, Nonce>,
    /// What was answered lately, by branch: a repeated request gets the same answer.
    answered: BTreeMap<String, (Instant, Vec<u8>)>,
    answered_order: VecDeque<(Instant, String)>,
    /// INVITEs whose caller was verified, by branch: their repetitions pass.
    verified: BTreeMap<String, Instant>,
    unavailable_until: Instant,
    negligent_until: Instant,
}

/// A datagram that a server sends.
pub type Sent = (SocketAddr, Vec<u8>);

impl Server {
    /// A server without accounts.
    pub fn new(options: ServerOptions) -> Self {
        Self {
            options,
            passwords: BTreeMap::new(),
            groups: BTreeMap::new(),
            forks: BTreeMap::new(),
            bindings: BTreeMap::new(),
            nonces: BTreeMap::new(),
            answered: BTreeMap::new(),
            answered_order: VecDeque::new(),
            verified: BTreeMap::new(),
            unavailable_until: Instant::ZERO,
            negligent_until: Instant::ZERO,
        }
    }

    /// Adds an account.
    pub fn add_account(&mut self, user: &str, password: &str) {
        self.passwords.insert(user.to_owned(), password.to_owned());
    }

    /// Adds a number that rings all these users at once.
    pub fn add_group(&mut self, number: &str, users: Vec<String>) {
        self.groups.insert(number.to_owned(), users);
    }

    /// How it behaves.
    pub fn options(&self) -> &ServerOptions {
        &self.options
    }

    /// It takes up to so long for each of its answers from now on.
    pub fn set_slowness(&mut self, slowness: Duration) {
        self.options.slowness = slowness;
    }

    /// Forgets bindings, nonces and what was answered.
    pub fn restart(&mut self) {
        *self = Self {
            passwords: core::mem::take(&mut self.passwords),
            groups: core::mem::take(&mut self.groups),
            ..Self::new(self.options.clone())
        };
    }

    /// Answers everything with 503 until then.
    pub fn fail_until(&mut self, until: Instant) {
        self.unavailable_until = until;
    }

    /// Answers REGISTER with 200 until then, and binds nobody: what a broken cluster does.
    pub fn neglect_until(&mut self, until: Instant) {
        self.negligent_until = until;
    }

    /// The bindings of a user that live at `now`.
    pub fn bindings(&self, now: Instant, user: &str) -> Vec<&Binding> {
        let bindings = self.bindings.get(user).into_iter().flatten();
        bindings.filter(|binding| binding.expires_at > now).collect()
    }

    /// Takes one datagram and says what to send.
    pub fn handle(
        &mut self,
        now: Instant,
        random: &mut Random,
        source: SocketAddr,
        bytes: &[u8],
    ) -> Vec<Sent> {
        while self.answered_order.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((at, branch)) = self.answered_order.pop_front()
                && self.answered.get(&branch).is_some_and(|(kept, _)| *kept == at)
            {
                self.answered.remove(&branch);
            }
        }
        // What a damaged challenge left in a phone's credentials is refused, not left unanswered.
        let legible = String::from_utf8_lossy(bytes);
        let bytes = legible.as_bytes();
        let Some(wire) = Wire::read(bytes) else { return Vec::new() };
        if wire.is_request() {
            self.request(now, random, source, &wire)
        } else {
            self.response(now, &wire, bytes)
        }
    }

    /// When [`tick`](Self::tick) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.forks.values().map(Fork::deadline).min()
    }

    /// What forked calls have due.
    pub fn tick(&mut self, now: Instant) -> Vec<Sent> {
        let mut sent = Vec::new();
        for fork in self.forks.values_mut() {
            sent.extend(fork.tick(now));
        }
        self.forks.retain(|_, fork| !fork.is_over(now));
        sent
    }

    /// Whether a URI names this server.
    fn is_own(&self, uri: &str) -> bool {
        let ServerOptions { address, name, .. } = &self.options;
        let rest = uri.strip_prefix("sip:").unwrap_or_default();
        let host = rest.split_once('@').map_or(rest, |(_, host)| host);
        let host = host.split([';', '?']).next().unwrap_or_default();
        address_of(uri) == Some(*address) || !name.is_empty() && host == name
    }

    fn request(
        &mut self,
        now: Instant,
        random: &mut Random,
        source: SocketAddr,
        wire: &Wire<'_>,
    ) -> Vec<Sent> {
        let forked = wire.branch().and_then(|branch| self.forks.get_mut(branch));
        if let (Some(fork), Some(method @ ("INVITE" | "CANCEL" | "ACK"))) = (forked, wire.method())
        {
            return fork.request(now, method, bare_answer(source, wire, 200));
        }
        match self.group_of(wire) {
            Some(users) if self.is_admitted(now, wire) => self.fork(now, source, wire, &users),
            _ => self.single(now, random, source, wire).into_iter().collect(),
        }
    }

    /// The users that a new call is for, where it is for several.
    fn group_of(&self, wire: &Wire<'_>) -> Option<Vec<String>> {
        let uri = wire.uri().filter(|uri| self.is_own(uri))?;
        let begins = wire.method() == Some("INVITE") && wire.to_tag().is_none();
        self.groups.get(user_of(uri)?).filter(|_| begins).cloned()
    }

    /// Whether nothing but forwarding is left to do: no failure, and credentials that are good.
    fn is_admitted(&mut self, now: Instant, wire: &Wire<'_>) -> bool {
        let user = wire.header("from").map(uri_of).and_then(user_of).unwrap_or_default();
        let asks = self.options.challenges_calls;
        now >= self.unavailable_until
            && (!asks || self.verify(now, user, "proxy-authorization", wire).is_ok())
    }

    fn single(
        &mut self,
        now: Instant,
        random: &mut Random,
        source: SocketAddr,
        wire: &Wire<'_>,
    ) -> Option<Sent> {
        let method = wire.method()?;
        let key = format!("{} {}", wire.branch()?, if method == "ACK" { "INVITE" } else { method });
        if let Some((_, answer)) = self.answered.get(&key) {
            return (method != "ACK").then(|| (source, answer.clone()));
        }
        if now < self.unavailable_until && method != "ACK" {
            let extra = [("Retry-After", "5".to_owned())];
            return Some(self.answer(now, source, wire, key, 503, &extra));
        }
        let for_us = self.is_own(wire.uri()?);
        if method == "REGISTER" {
            return Some(self.register(now, random, source, wire, key));
        }
        let in_dialog = wire.to_tag().is_some();
        if method == "OPTIONS" && for_us && user_of(wire.uri()?).is_none() {
            return Some(self.answer(now, source, wire, key, 200, &[]));
        }
        let repeated = self.verified.contains_key(&key);
        if method == "INVITE" && !in_dialog && self.options.challenges_calls && !repeated {
            let user = user_of(uri_of(wire.header("from")?)).unwrap_or_default().to_owned();
            if let Err(stale) = self.verify(now, &user, "proxy-authorization", wire) {
                let extra = self.challenges(now, random, "Proxy-Authenticate", stale);
                return Some(self.answer(now, source, wire, key, 407, &extra));
            }
            self.verified.retain(|_, until| *until > now);
            self.verified.insert(key.clone(), now + REMEMBERED);
        }
        let target = if for_us {
            let user = user_of(wire.uri()?).unwrap_or_default();
            match self.bindings(now, user).last() {
                Some(binding) => Some((binding.contact.clone(), binding.source)),
                None if method == "ACK" => return None,
                None if self.passwords.contains_key(user) => {
                    return Some(self.answer(now, source, wire, key, 480, &[]));
                }
                None => return Some(self.answer(now, source, wire, key, 404, &[])),
            }
        } else {
            None
        };
        let branch = self.branch(wire)?;
        self.forward(source, wire, target, &branch)
    }
}

/// As long as a client may repeat a request: 64 * T1.
const REMEMBERED: Duration = Duration::from_secs(32);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    pub(super) fn server() -> Server {
        let mut server = Server::new(ServerOptions::new("10.0.0.9:5060".parse().unwrap()));
        server.add_account("100", "secret");
        server
    }

    pub(super) fn register(branch: &str, cseq: u32, extra: &str) -> String {
        format!(
            "REGISTER sip:10.0.0.9 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch={branch};rport\r\n\
             From: <sip:100@10.0.0.9>;tag=a\r\nTo: <sip:100@10.0.0.9>\r\nCall-ID: r\r\n\
             CSeq: {cseq} REGISTER\r\nContact: <sip:100@10.0.0.1:5060>\r\nExpires: 60\r\n{extra}\
             Content-Length: 0\r\n\r\n"
        )
    }

    pub(super) fn status(sent: &[Sent]) -> u16 {
        Wire::read(&sent[0].1).unwrap().status().unwrap()
    }

    #[test]
    fn a_call_to_nobody_is_refused_once_its_caller_is_known() {
        let mut server = server();
        let mut random = Random::new(1, Stream::Server);
        let source = "10.0.0.1:5060".parse().unwrap();
        let invite = register("z9hG4bK9", 1, "").replace("REGISTER", "INVITE");
        let sent = server.handle(Instant::ZERO, &mut random, source, invite.as_bytes());
        assert_eq!(status(&sent), 407);
    }
}

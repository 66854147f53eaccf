//! A registrar and proxy, written from the RFCs a second time and at text level: it shares no code
//! with the library.
//!
//! As a proxy it is stateless (RFC 3261 s16.11): the endpoints retransmit, it passes on. Only calls
//! to a [group](Server::add_group), which it forks, have a state.

use core::fmt::Write as _;
use core::net::SocketAddr;
use std::collections::{BTreeMap, VecDeque};

use md5::Md5;
use sansip::time::{Duration, Instant};
use sha2::{Digest, Sha256};

use crate::forking::Fork;
use crate::random::Random;
use crate::wire::{Wire, address_of, digest_value, parameter, uri_of, user_of};

/// Which digest a server asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// MD5 alone.
    Md5,
    /// SHA-256 alone.
    Sha256,
    /// Both, the stronger one first (RFC 8760 s2.3).
    Both,
}

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

/// A binding of an address of record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// The contact's URI.
    pub contact: String,
    /// Where the REGISTER came from: the way back through a NAT.
    pub source: SocketAddr,
    /// When it lapses.
    pub expires_at: Instant,
    call_id: String,
    cseq: u32,
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
}

#[derive(Clone, Copy, Debug)]
struct Nonce {
    born: Instant,
    count: u32,
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

    fn response(&mut self, now: Instant, wire: &Wire<'_>, bytes: &[u8]) -> Vec<Sent> {
        let Some(above) = forward_response(wire, bytes, self.options.address) else {
            return Vec::new();
        };
        let branch = wire.branch().unwrap_or_default();
        match self.forks.values_mut().find(|fork| fork.has(branch)) {
            Some(fork) => fork.response(now, wire, above),
            None => vec![above],
        }
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

    /// Passes a new call on to all bindings of these users but the caller's.
    fn fork(
        &mut self,
        now: Instant,
        source: SocketAddr,
        wire: &Wire<'_>,
        users: &[String],
    ) -> Vec<Sent> {
        let caller = wire.header("from").map(uri_of).and_then(user_of).unwrap_or_default();
        let users = users.iter().filter(|user| *user != caller);
        let bindings: Vec<_> = users
            .flat_map(|user| self.bindings(now, user))
            .map(|binding| (binding.contact.clone(), binding.source))
            .collect();
        let (Some(key), Some(plain)) = (wire.branch(), self.branch(wire)) else {
            return Vec::new();
        };
        let branches: Vec<_> = bindings
            .into_iter()
            .enumerate()
            .filter_map(|(number, target)| {
                let name = format!("{plain}-{number}");
                let (next, invite) = self.forward(source, wire, Some(target), &name)?;
                Some((name, next, invite))
            })
            .collect();
        if branches.is_empty() {
            let key = format!("{key} INVITE");
            return vec![self.answer(now, source, wire, key, 480, &[])];
        }
        let [trying, timeout] = [100, 408].map(|status| bare_answer(source, wire, status));
        let (fork, sent) = Fork::begin(now, source, [trying, timeout], branches);
        self.forks.insert(key.to_owned(), fork);
        sent
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

    /// Passes a request on (RFC 3261 s16.6), without state.
    fn forward(
        &self,
        source: SocketAddr,
        wire: &Wire<'_>,
        target: Option<(String, SocketAddr)>,
        branch: &str,
    ) -> Option<Sent> {
        let own = self.options.address;
        let mut routes = wire.values("route");
        if routes.first().is_some_and(|route| self.is_own(uri_of(route))) {
            routes.remove(0);
        }
        let (uri, next) = match target {
            Some((uri, next)) => (uri, next),
            None => {
                let uri = wire.uri()?.to_owned();
                let next = routes.first().map_or(uri.as_str(), |route| uri_of(route));
                let next = address_of(next)?;
                // A phone behind a NAT is reached where its last REGISTER came from.
                let mut binding = self.bindings.values().flatten();
                let binding = binding.rfind(|binding| binding.contact == uri);
                (uri, binding.map_or(next, |binding| binding.source))
            }
        };
        if next.ip() == own.ip() {
            return None; // a damaged URI: it would go in a circle
        }
        let forwards = wire.header("max-forwards").map_or(Some(70), |value| value.parse().ok())?;
        let forwards: u32 = forwards;
        let forwards = forwards.checked_sub(1)?;
        let method = wire.start.split(' ').next()?;
        let mut text = format!("{method} {uri} SIP/2.0\r\n");
        let _ = write!(text, "Via: SIP/2.0/UDP {own};branch={branch}\r\n");
        write_vias(&mut text, source, wire);
        if self.options.record_route && method == "INVITE" && wire.to_tag().is_none() {
            let _ = write!(text, "Record-Route: <sip:{own};lr>\r\n");
        }
        for route in routes {
            let _ = write!(text, "Route: {route}\r\n");
        }
        let _ = write!(text, "Max-Forwards: {forwards}\r\n");
        const KEPT: [(&str, &str); 12] = [
            ("from", "From"),
            ("to", "To"),
            ("call-id", "Call-ID"),
            ("cseq", "CSeq"),
            ("contact", "Contact"),
            ("record-route", "Record-Route"),
            ("allow", "Allow"),
            ("supported", "Supported"),
            ("require", "Require"),
            ("expires", "Expires"),
            ("event", "Event"),
            ("content-type", "Content-Type"),
        ];
        copy_headers(&mut text, wire, &KEPT);
        let _ = write!(text, "Content-Length: {}\r\n\r\n", wire.body.len());
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(wire.body);
        Some((next, bytes))
    }

    /// A branch that is the same for each retransmission, and for a CANCEL or ACK of the same
    /// INVITE (RFC 3261 s16.11).
    fn branch(&self, wire: &Wire<'_>) -> Option<String> {
        let hash = Sha256::digest(format!("{}|{}", self.options.address, wire.branch()?));
        Some(format!("z9hG4bKp{}", hex(hash.get(..8)?)))
    }

    fn register(
        &mut self,
        now: Instant,
        random: &mut Random,
        source: SocketAddr,
        wire: &Wire<'_>,
        key: String,
    ) -> Sent {
        let user = wire.header("to").map(uri_of).and_then(user_of).unwrap_or_default().to_owned();
        if !self.passwords.contains_key(&user) {
            return self.answer(now, source, wire, key, 404, &[]);
        }
        if let Err(stale) = self.verify(now, &user, "authorization", wire) {
            let extra = self.challenges(now, random, "WWW-Authenticate", stale);
            return self.answer(now, source, wire, key, 401, &extra);
        }
        match self.bind(now, source, &user, wire) {
            Ok(()) => {
                let list: Vec<_> = self
                    .bindings(now, &user)
                    .iter()
                    .map(|binding| {
                        let left_s = binding.expires_at.since(now).as_secs();
                        let seen = format!("sip:{user}@{}", binding.source);
                        let rewrites = self.options.rewrites_contacts;
                        let contact = if rewrites { &seen } else { &binding.contact };
                        ("Contact", format!("<{contact}>;expires={left_s}"))
                    })
                    .collect();
                self.answer(now, source, wire, key, 200, &list)
            }
            Err(423) => {
                let extra = [("Min-Expires", self.options.expires_min_s.to_string())];
                self.answer(now, source, wire, key, 423, &extra)
            }
            Err(status) => self.answer(now, source, wire, key, status, &[]),
        }
    }

    /// RFC 3261 s10.3, steps 6 and 7.
    fn bind(
        &mut self,
        now: Instant,
        source: SocketAddr,
        user: &str,
        wire: &Wire<'_>,
    ) -> Result<(), u16> {
        let (cseq, _) = wire.cseq().ok_or(400u16)?;
        let call_id = wire.call_id().ok_or(400u16)?.to_owned();
        let asked = wire.header("expires").and_then(|value| value.parse::<u32>().ok());
        let bindings = self.bindings.entry(user.to_owned()).or_default();
        bindings.retain(|binding| binding.expires_at > now);
        let late = |binding: &Binding| binding.call_id == call_id && cseq <= binding.cseq;
        let contacts = wire.values("contact");
        if contacts == ["*"] {
            if asked != Some(0) || bindings.iter().any(late) {
                return Err(400);
            }
            bindings.clear();
            return Ok(());
        }
        for contact in contacts {
            let uri = uri_of(contact).to_owned();
            let own = parameter(contact, "expires").and_then(|value| value.parse().ok());
            let expires_s = own.or(asked).unwrap_or(3600).min(self.options.expires_max_s);
            if expires_s > 0 && expires_s < self.options.expires_min_s {
                return Err(423);
            }
            if bindings.iter().any(|binding| binding.contact == uri && late(binding)) {
                return Err(500);
            }
            bindings.retain(|binding| binding.contact != uri);
            if expires_s > 0 {
                let expires_at = now + Duration::from_secs(u64::from(expires_s));
                let call_id = call_id.clone();
                bindings.push(Binding { contact: uri, source, expires_at, call_id, cseq });
            }
        }
        Ok(())
    }

    /// RFC 7616 s3.4; `Err(true)` where only the nonce is too old.
    fn verify(
        &mut self,
        now: Instant,
        user: &str,
        header: &str,
        wire: &Wire<'_>,
    ) -> Result<(), bool> {
        let ours = |line: &&str| digest_value(line, "realm") == Some(self.options.realm.as_str());
        let line = wire.lines(header).find(ours).ok_or(false)?;
        let value = |name| digest_value(line, name);
        let password = self.passwords.get(user).ok_or(false)?;
        let algorithm = value("algorithm").unwrap_or("MD5");
        let acceptable = match self.options.asked {
            Asked::Md5 => algorithm == "MD5",
            Asked::Sha256 => algorithm == "SHA-256",
            Asked::Both => matches!(algorithm, "MD5" | "SHA-256"),
        };
        let method = wire.start.split(' ').next().unwrap_or_default();
        let uri = value("uri").ok_or(false)?;
        let nonce = value("nonce").ok_or(false)?;
        if !acceptable || value("username") != Some(user) || Some(uri) != wire.uri() {
            return Err(false);
        }
        let hash = |text: String| match algorithm {
            "MD5" => hex(&Md5::digest(text)),
            _ => hex(&Sha256::digest(text)),
        };
        let secret = hash(format!("{user}:{}:{password}", self.options.realm));
        let request = hash(format!("{method}:{uri}"));
        let count = value("nc").and_then(|count| u32::from_str_radix(count, 16).ok());
        let expected = if self.options.qop {
            let (nc, cnonce) = (value("nc").ok_or(false)?, value("cnonce").ok_or(false)?);
            if value("qop") != Some("auth") {
                return Err(false);
            }
            hash(format!("{secret}:{nonce}:{nc}:{cnonce}:auth:{request}"))
        } else {
            hash(format!("{secret}:{nonce}:{request}"))
        };
        if value("response") != Some(expected.as_str()) {
            return Err(false);
        }
        let known = self.nonces.get_mut(nonce).ok_or(true)?;
        if now.since(known.born) > self.options.nonce_life {
            return Err(true);
        }
        if self.options.qop {
            let count = count.ok_or(false)?;
            if count <= known.count {
                return Err(true); // a replay, or a request that was overtaken
            }
            known.count = count;
        }
        Ok(())
    }

    fn challenges(
        &mut self,
        now: Instant,
        random: &mut Random,
        header: &'static str,
        stale: bool,
    ) -> Vec<(&'static str, String)> {
        let life = self.options.nonce_life;
        self.nonces.retain(|_, nonce| now.since(nonce.born) <= life);
        let nonce = format!("{:016x}{:016x}", random.next(), random.next());
        self.nonces.insert(nonce.clone(), Nonce { born: now, count: 0 });
        let algorithms: &[&str] = match self.options.asked {
            Asked::Md5 => &["MD5"],
            Asked::Sha256 => &["SHA-256"],
            Asked::Both => &["SHA-256", "MD5"],
        };
        let qop = if self.options.qop { ", qop=\"auth\"" } else { "" };
        let stale = if stale { ", stale=true" } else { "" };
        let realm = &self.options.realm;
        algorithms
            .iter()
            .map(|algorithm| {
                let text = format!(
                    "Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={algorithm}{qop}{stale}"
                );
                (header, text)
            })
            .collect()
    }

    fn answer(
        &mut self,
        now: Instant,
        source: SocketAddr,
        wire: &Wire<'_>,
        key: String,
        status: u16,
        extra: &[(&str, String)],
    ) -> Sent {
        let mut text = begin_answer(source, wire, status);
        for (name, value) in extra {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        text.push_str("Content-Length: 0\r\n\r\n");
        let bytes = text.into_bytes();
        let until = now + REMEMBERED;
        self.answered_order.push_back((until, key.clone()));
        self.answered.insert(key, (until, bytes.clone()));
        (source, bytes)
    }
}

/// A response without anything else.
fn bare_answer(source: SocketAddr, wire: &Wire<'_>, status: u16) -> Vec<u8> {
    (begin_answer(source, wire, status) + "Content-Length: 0\r\n\r\n").into_bytes()
}

fn begin_answer(source: SocketAddr, wire: &Wire<'_>, status: u16) -> String {
    let mut text = format!("SIP/2.0 {status} {}\r\n", phrase(status));
    write_vias(&mut text, source, wire);
    copy_headers(&mut text, wire, &[("from", "From"), ("call-id", "Call-ID")]);
    copy_headers(&mut text, wire, &[("cseq", "CSeq")]);
    let to = wire.header("to").unwrap_or_default();
    if wire.to_tag().is_some() || status == 100 {
        let _ = write!(text, "To: {to}\r\n");
    } else {
        // Without a call to remember it in, the tag follows from the request: a CANCEL gets that of
        // its INVITE.
        let tag = hex(&Sha256::digest(wire.branch().unwrap_or_default()));
        let _ = write!(text, "To: {to};tag={}\r\n", tag.get(..16).unwrap_or_default());
    }
    text
}

/// Passes a response on to the Via below our own (RFC 3261 s16.7), where its request came from.
fn forward_response(wire: &Wire<'_>, bytes: &[u8], own: SocketAddr) -> Option<Sent> {
    let vias = wire.values("via");
    let [top, next, ..] = vias.as_slice() else { return None };
    if !top.contains(&format!("UDP {own};")) {
        return None;
    }
    let sent_by = next.split(' ').nth(1)?.split(';').next()?;
    let sent_by: SocketAddr =
        sent_by.parse().ok().or_else(|| format!("{sent_by}:5060").parse().ok())?;
    let host = parameter(next, "received").and_then(|host| host.parse().ok());
    let port = parameter(next, "rport").and_then(|port| port.parse().ok());
    let to = SocketAddr::new(host.unwrap_or(sent_by.ip()), port.unwrap_or(sent_by.port()));
    // The library writes one Via a line, and so do we: the first such line is ours.
    let text = core::str::from_utf8(bytes).ok()?;
    let (start, rest) = text.split_once("\r\n")?;
    let mut out = format!("{start}\r\n");
    let mut removed = false;
    let mut lines = rest.split_inclusive("\r\n");
    for line in lines.by_ref() {
        let is_via = line.get(..4).is_some_and(|name| name.eq_ignore_ascii_case("via:"));
        if !removed && (is_via || line.starts_with("v:")) {
            removed = true;
            continue;
        }
        out.push_str(line);
    }
    Some((to, out.into_bytes()))
}

/// All Via lines, with what we know of the sender in the first one (RFC 3261 s18.2.1, RFC 3581).
fn write_vias(text: &mut String, source: SocketAddr, wire: &Wire<'_>) {
    for (index, via) in wire.values("via").iter().enumerate() {
        if index > 0 {
            let _ = write!(text, "Via: {via}\r\n");
            continue;
        }
        let plain: Vec<_> = via.split(';').filter(|part| !part.starts_with("rport")).collect();
        let _ = write!(text, "Via: {};received={}", plain.join(";"), source.ip());
        if parameter(via, "rport").is_some() {
            let _ = write!(text, ";rport={}", source.port());
        }
        text.push_str("\r\n");
    }
}

fn copy_headers(text: &mut String, wire: &Wire<'_>, names: &[(&str, &str)]) {
    for (known, written) in names {
        for value in wire.lines(known) {
            let _ = write!(text, "{written}: {value}\r\n");
        }
    }
}

fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        200 => "OK",
        408 => "Request Timeout",
        401 => "Unauthorized",
        404 => "Not Found",
        407 => "Proxy Authentication Required",
        423 => "Interval Too Brief",
        480 => "Temporarily Unavailable",
        503 => "Service Unavailable",
        _ => "No",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// As long as a client may repeat a request: 64 * T1.
const REMEMBERED: Duration = Duration::from_secs(32);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    fn server() -> Server {
        let mut server = Server::new(ServerOptions::new("10.0.0.9:5060".parse().unwrap()));
        server.add_account("100", "secret");
        server
    }

    fn register(branch: &str, cseq: u32, extra: &str) -> String {
        format!(
            "REGISTER sip:10.0.0.9 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch={branch};rport\r\n\
             From: <sip:100@10.0.0.9>;tag=a\r\nTo: <sip:100@10.0.0.9>\r\nCall-ID: r\r\n\
             CSeq: {cseq} REGISTER\r\nContact: <sip:100@10.0.0.1:5060>\r\nExpires: 60\r\n{extra}\
             Content-Length: 0\r\n\r\n"
        )
    }

    fn status(sent: &[Sent]) -> u16 {
        Wire::read(&sent[0].1).unwrap().status().unwrap()
    }

    #[test]
    fn a_binding_needs_the_password_and_lapses() {
        let mut server = server();
        let mut random = Random::new(1, Stream::Server);
        let source = "192.0.2.1:7000".parse().unwrap();
        let now = Instant::ZERO;
        let request = register("z9hG4bK1", 1, "");
        let sent = server.handle(now, &mut random, source, request.as_bytes());
        assert_eq!((sent[0].0, status(&sent)), (source, 401));
        let wire = Wire::read(&sent[0].1).unwrap();
        assert_eq!(parameter(wire.via().unwrap(), "rport"), Some("7000"));
        let nonce = digest_value(wire.header("www-authenticate").unwrap(), "nonce").unwrap();
        let credentials = |password: &str| {
            let hash = |text: String| hex(&Sha256::digest(text));
            let (a1, a2) =
                (hash(format!("100:sim:{password}")), hash("REGISTER:sip:10.0.0.9".to_owned()));
            let response = hash(format!("{a1}:{nonce}:00000001:c:auth:{a2}"));
            format!(
                "Authorization: Digest username=\"100\", realm=\"sim\", nonce=\"{nonce}\", \
                 uri=\"sip:10.0.0.9\", algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"c\", \
                 response=\"{response}\"\r\n"
            )
        };
        let wrong = register("z9hG4bK2", 2, &credentials("guess"));
        assert_eq!(status(&server.handle(now, &mut random, source, wrong.as_bytes())), 401);
        let right = register("z9hG4bK3", 3, &credentials("secret"));
        assert_eq!(status(&server.handle(now, &mut random, source, right.as_bytes())), 200);
        let replayed = register("z9hG4bK4", 4, &credentials("secret"));
        assert_eq!(status(&server.handle(now, &mut random, source, replayed.as_bytes())), 401);
        assert_eq!(server.bindings(now, "100").len(), 1);
        assert_eq!(server.bindings(Instant::from_millis(60_000), "100").len(), 0);
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

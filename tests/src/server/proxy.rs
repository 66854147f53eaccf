//! Requests and responses that are passed on (RFC 3261 s16), without state but for forks.

use core::fmt::Write as _;
use core::net::SocketAddr;

use sansip::time::Instant;
use sha2::{Digest, Sha256};

use super::answer::{bare_answer, copy_headers, write_vias};
use super::digest::hex;
use super::forking::Fork;
use super::{Sent, Server};
use crate::wire::{Wire, address_of, parameter, uri_of, user_of};

impl Server {
    pub(super) fn response(&mut self, now: Instant, wire: &Wire<'_>, bytes: &[u8]) -> Vec<Sent> {
        let Some(above) = forward_response(wire, bytes, self.options.address) else {
            return Vec::new();
        };
        let branch = wire.branch().unwrap_or_default();
        match self.forks.values_mut().find(|fork| fork.has(branch)) {
            Some(fork) => fork.response(now, wire, above),
            None => vec![above],
        }
    }

    /// Passes a new call on to all bindings of these users but the caller's.
    pub(super) fn fork(
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

    /// Passes a request on (RFC 3261 s16.6), without state.
    pub(super) fn forward(
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
    pub(super) fn branch(&self, wire: &Wire<'_>) -> Option<String> {
        let hash = Sha256::digest(format!("{}|{}", self.options.address, wire.branch()?));
        Some(format!("z9hG4bKp{}", hex(hash.get(..8)?)))
    }
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

//! Requests that come to a node (RFC 3261 s17.2), and the responses that it gives.

use core::net::SocketAddr;

use sansip::time::Instant;

use super::clients::Accepted;
use super::{ALMOST_LIFE, CATCHING_UP, Failures, Origin, Requests, T1, T4, TRANSACTION_LIFE};
use crate::trace::{hash, key};
use crate::wire::{Wire, parameter};

#[derive(Debug)]
pub(super) struct Served {
    pub(super) method: String,
    pub(super) copies: u32,
    first_copy: Instant,
    pub(super) last_copy: Instant,
    pub(super) forged: bool,
    /// It was refused at once, perhaps without keeping a transaction: the next copy is new then.
    pub(super) at_once: bool,
    /// Copies differ, or it is not sure which of them belong together.
    pub(super) muddled: bool,
    /// Its CSeq number is lower than one before it in the dialog.
    outdated: bool,
    vias: u64,
    /// Where its copies came from, where the sender asked for the answer there (RFC 3581 s4).
    sources: Vec<SocketAddr>,
    /// The final response: status, bytes, how often, when.
    pub(super) status: Option<u16>,
    pub(super) hash: u64,
    pub(super) responses: u32,
    pub(super) first_response: Instant,
    last_response: Instant,
    pub(super) acked_at: Option<Instant>,
    cancelled: bool,
    pub(super) dialog: u64,
    pub(super) call: u64,
    /// Its Call-ID, once it was accepted.
    pub(super) call_id: String,
    /// Its direction of the dialog, and its CSeq number there.
    pub(super) line: u64,
    pub(super) number: u32,
}

impl Requests {
    pub(super) fn sent_response(
        &mut self,
        now: Instant,
        node: usize,
        to: SocketAddr,
        wire: &Wire<'_>,
        bytes: &[u8],
        failures: &mut Failures,
    ) {
        let status = wire.status().unwrap_or_default();
        let Some(transaction) = served_key(wire) else { return };
        let Some(served) = self.servers.get_mut(&transaction) else {
            if !self.blind {
                failures.add(now, node, 5, format!("{} answers nothing", wire.start));
            }
            return;
        };
        if served.forged {
            return;
        }
        // RFC 3581 s4: back to where the request came from, not to the port of its Via
        if !served.sources.is_empty() && !served.sources.contains(&to) {
            let text = format!("{} to {to}, not to {:?}", wire.start, served.sources);
            failures.add(now, node, 5, text);
        }
        if served.outdated && (200..300).contains(&status) && !served.muddled {
            let text = format!("{} for an old CSeq: {:?}", wire.start, wire.cseq());
            failures.add(now, node, 6, text); // RFC 3261 s12.2.2
        }
        let is_new = served.status.is_none() && !served.muddled;
        if served.cancelled && is_new && (200..300).contains(&status) {
            let text = format!("{} after its CANCEL", wire.start);
            failures.add(now, node, 3, text); // RFC 3261 s9.2
        }
        if served.method == "INVITE" && (200..300).contains(&status) {
            let call_id = wire.call_id().unwrap_or_default();
            self.seen.entry(key(&[call_id])).or_default().sent_accepted = true;
            served.call = key(&[call_id]);
            served.call_id = call_id.to_owned();
            served.dialog = accepted_key(wire);
            let (from_tag, to_tag) = (wire.from_tag(), wire.to_tag());
            let tags = [call_id, from_tag.unwrap_or_default(), to_tag.unwrap_or_default()];
            served.line = key(&tags);
            served.number = wire.cseq().map_or(0, |(number, _)| number);
        }
        let stalled = self.stalled_until.is_some_and(|until| now.since(until) < CATCHING_UP);
        // Where memory is short, a lingering transaction may have given way.
        served.muddled |= self.tiny;
        if served.status == Some(481) {
            // It overtook the 2xx that made its dialog, and was refused without a transaction
            // (RFC 3261 s8.2.7); its next copy meets the dialog.
            let (call_id, tag) = (wire.call_id(), wire.from_tag());
            let dialog = key(&[call_id.unwrap_or_default(), tag.unwrap_or_default()]);
            let made_later = |accepted: &Accepted| {
                accepted.dialog == dialog && accepted.first >= served.first_response
            };
            served.muddled |= self.accepted.values().any(made_later);
        }
        let may_forget = self.tiny || status >= 400;
        if let Some(text) = served.respond(now, (stalled, may_forget), status, bytes) {
            failures.add(now, node, 5, format!("{} to {}: {text}", wire.start, served.method));
        }
    }

    pub(super) fn arrived_request(
        &mut self,
        now: Instant,
        from: SocketAddr,
        wire: &Wire<'_>,
        origin: Origin,
    ) {
        let (Some(transaction), Some(call_id)) = (served_key(wire), wire.call_id()) else { return };
        let call = key(&[call_id]);
        let method = wire.start.split(' ').next().unwrap_or_default();
        if origin == Origin::Genuine {
            let seen = self.seen.entry(call).or_default();
            match method {
                "BYE" => {
                    seen.bye = true;
                    self.ended.insert(key(&[call_id, wire.from_tag().unwrap_or_default()]));
                }
                "CANCEL" => seen.cancel = true,
                "INVITE" if wire.to_tag().is_none() && !seen.invites.contains(&transaction) => {
                    seen.invites.push(transaction);
                }
                _ => {}
            }
            seen.inside |= wire.to_tag().is_some() && method != "CANCEL";
        }
        match method {
            "ACK" => {
                if origin == Origin::Forged {
                    return;
                }
                // By branch for a refusal; the ACK for a 2xx has a branch of its own.
                if let Some(served) = self.servers.get_mut(&transaction)
                    && served.status.is_some_and(|status| status >= 300)
                {
                    served.acked_at.get_or_insert(now);
                }
                let dialog = accepted_key(wire);
                for served in self.servers.values_mut().filter(|served| served.dialog == dialog) {
                    served.acked_at.get_or_insert(now);
                }
                return;
            }
            "CANCEL" => {
                let invite = wire.branch().map(|branch| key(&[branch, "INVITE", sent_by(wire)]));
                if let Some(served) = invite.and_then(|invite| self.servers.get_mut(&invite)) {
                    served.cancelled = true;
                }
            }
            _ => {}
        }
        let fresh = || Served::new(now, method, origin);
        let is_first = origin == Origin::Genuine && wire.to_tag().is_none();
        let served = self.servers.entry(transaction).or_insert_with(fresh);
        let vias = key(&wire.values("via"));
        let stalled = self.stalled_until.is_some_and(|until| now.since(until) < CATCHING_UP);
        if served.is_forgotten(now, stalled) {
            *served = Served { muddled: true, ..fresh() };
            if method == "INVITE" && is_first {
                self.seen.entry(call).or_default().invites.push(transaction);
            }
        } else if self.tiny && served.status.is_some() && method == "INVITE" && is_first {
            // Where memory is short, what refused it may have given way: a copy is a new one.
            self.seen.entry(call).or_default().invites.push(transaction);
        }
        if let (0, Some(to_tag), Some((number, _))) = (served.copies, wire.to_tag(), wire.cseq())
            && origin == Origin::Genuine
            && method != "CANCEL"
        {
            let line = key(&[call_id, wire.from_tag().unwrap_or_default(), to_tag]);
            let highest = self.heard.entry(line).or_default();
            served.outdated = number < *highest;
            *highest = number.max(*highest);
        }
        // A router or proxy on the way may have changed between two copies.
        served.muddled |= served.copies > 0 && served.vias != vias;
        served.vias = vias;
        let wants = wire.via().is_some_and(|via| parameter(via, "rport").is_some());
        if wants && !served.sources.contains(&from) {
            served.sources.push(from);
        }
        served.copies += 1;
        served.last_copy = now;
    }
}

impl Served {
    pub(super) fn new(now: Instant, method: &str, origin: Origin) -> Self {
        Self {
            method: method.to_owned(),
            copies: 0,
            first_copy: now,
            last_copy: now,
            forged: origin == Origin::Forged,
            at_once: false,
            muddled: false,
            outdated: false,
            vias: 0,
            sources: Vec::new(),
            status: None,
            hash: 0,
            responses: 0,
            first_response: now,
            last_response: now,
            acked_at: None,
            cancelled: false,
            dialog: 0,
            call: 0,
            call_id: String::new(),
            line: 0,
            number: 0,
        }
    }

    /// Whether a copy that comes now may be taken for a new request: after timer J, L or I
    /// (RFC 3261 s17.2, RFC 6026 s7.1). A response that a blocked socket sent late was made at any
    /// time since the request came.
    fn is_forgotten(&self, now: Instant, stalled: bool) -> bool {
        let made_at = if stalled { self.first_copy } else { self.first_response };
        let refused = self.status.is_some_and(|status| status >= 300);
        match (self.status, self.acked_at) {
            (Some(_), Some(at)) if self.method == "INVITE" && refused => {
                // an ACK after timer H, such as after a pause, met nothing any more
                now.since(at) >= T4 || at.since(made_at) >= ALMOST_LIFE
            }
            (Some(_), _) => now.since(made_at) >= ALMOST_LIFE,
            _ => false,
        }
    }

    /// What is wrong with this response, if something is.
    fn respond(
        &mut self,
        now: Instant,
        (stalled, may_forget): (bool, bool),
        status: u16,
        bytes: &[u8],
    ) -> Option<String> {
        let hash = hash(bytes);
        if self.at_once && may_forget && (status < 200 || hash != self.hash) {
            // It was refused without a transaction, and this copy was not.
            self.at_once = false;
            self.muddled = true;
            self.status = None;
            self.acked_at = None;
        }
        if self.muddled {
            if self.status.is_none() && status >= 200 {
                self.status = Some(status);
                self.first_response = now;
            }
            return None;
        }
        if status < 200 {
            return self.status.map(|status| format!("after {status}"));
        }
        let Some(earlier) = self.status else {
            self.status = Some(status);
            self.at_once = status >= 400 && self.last_copy == now;
            self.hash = hash;
            self.responses = 1;
            self.first_response = now;
            self.last_response = now;
            return None;
        };
        self.responses += 1;
        // What is refused without a transaction may be refused for another reason the next time.
        let refused = earlier >= 400 || self.method == "CANCEL";
        let stateless = refused && status >= 400 && self.last_copy == now;
        // RFC 3261 s9.2 only wishes that the answers to repeated CANCELs have one tag.
        if hash != self.hash && !stateless && self.method != "CANCEL" {
            return Some(format!("differs from the {earlier} before"));
        }
        if self.method != "INVITE" {
            let surplus = self.responses > self.copies;
            return surplus.then(|| "more often than it was asked".to_owned());
        }
        let asked = self.last_copy == now;
        let stateless = asked && status >= 400;
        if self.acked_at.is_some() && !stateless {
            return Some("again after its ACK".to_owned());
        }
        if !asked {
            let gap = now.since(core::mem::replace(&mut self.last_response, now));
            if gap < T1 && !stalled {
                return Some(format!("again after {gap:?}"));
            }
        }
        let late = now.since(self.first_response) > TRANSACTION_LIFE;
        (late && !asked).then(|| "again after 64 * T1".to_owned())
    }
}

/// A server's transaction: branch, method (an ACK belongs to the INVITE) and who sent it.
fn served_key(wire: &Wire<'_>) -> Option<u64> {
    let method = match wire.method()? {
        "ACK" => "INVITE",
        method => method,
    };
    Some(key(&[wire.branch()?, method, sent_by(wire)]))
}

/// What joins a 2xx and its ACKs: Call-ID, both tags, CSeq number.
fn accepted_key(wire: &Wire<'_>) -> u64 {
    let number = wire.cseq().map(|(number, _)| number.to_string()).unwrap_or_default();
    let from_tag = wire.from_tag().unwrap_or_default();
    let to_tag = wire.to_tag().unwrap_or_default();
    key(&[wire.call_id().unwrap_or_default(), from_tag, to_tag, &number])
}

fn sent_by<'a>(wire: &Wire<'a>) -> &'a str {
    let via = wire.via().unwrap_or_default();
    via.split(' ').nth(1).and_then(|rest| rest.split(';').next()).unwrap_or_default()
}

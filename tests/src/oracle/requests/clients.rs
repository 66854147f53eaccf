//! Requests that a node sends (RFC 3261 s17.1), and what it does with their responses.

use core::net::SocketAddr;

use sansip::time::{Duration, Instant};

use super::{ALMOST_LIFE, CATCHING_UP, Due, Failures, Owed, Requests, T1, T2, TRANSACTION_LIFE};
use crate::trace::{hash, key};
use crate::wire::Wire;

#[derive(Debug)]
pub(super) struct Client {
    pub(super) method: String,
    call: u64,
    to: SocketAddr,
    /// It begins a call.
    initial: bool,
    pub(super) first: Instant,
    last: Instant,
    /// When something moved last: a copy, a provisional response, a CANCEL.
    alive: Instant,
    pub(super) copies: u32,
    pub(super) hash: u64,
    provisional: bool,
    /// The same, also where the request may have been given up before.
    pub(super) maybe_provisional: bool,
    cancelled_at: Option<Instant>,
    pub(super) status: Option<u16>,
    pub(super) status_at: Instant,
    /// The final response came when the request was given up.
    pub(super) late: bool,
    pub(super) acks: u32,
}

#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) first: Instant,
    pub(super) call_id: String,
    /// Call-ID and the peer's tag, as in [`Requests::ended`].
    pub(super) dialog: u64,
    /// Its INVITE, which forks share.
    pub(super) invite: u64,
    /// The INVITE was given up by then.
    pub(super) late: bool,
    /// Another fork's call stood already.
    surplus: bool,
}

impl Requests {
    /// Whether an INVITE of this call waited in vain as long as it may (RFC 3261 s17.1.1.2).
    pub(in crate::oracle) fn has_waited(&self, now: Instant, call_id: &str) -> bool {
        let call = key(&[call_id]);
        let in_vain = |client: &Client| {
            let given_up = client.status.is_none() && now.since(client.first) >= TRANSACTION_LIFE;
            client.call == call && client.method == "INVITE" && (given_up || client.late)
        };
        self.stalled_until.is_some() || self.clients.values().any(in_vain)
    }

    /// Whether an INVITE for a new call is on its way to this address, and nothing came yet.
    pub(in crate::oracle) fn is_calling(
        &self,
        now: Instant,
        call_id: &str,
        to: SocketAddr,
    ) -> bool {
        let call = key(&[call_id]);
        self.clients.values().any(|client| {
            let waits = client.status.is_none() && !client.is_given_up(now);
            client.call == call && client.initial && client.to == to && waits
        })
    }

    pub(super) fn sent_ack(
        &mut self,
        now: Instant,
        node: usize,
        wire: &Wire<'_>,
        failures: &mut Failures,
    ) {
        let branch = wire.branch().unwrap_or_default();
        let call_id = wire.call_id().unwrap_or_default();
        let number = wire.cseq().map(|(number, _)| number.to_string()).unwrap_or_default();
        let dialog = key(&[call_id, wire.to_tag().unwrap_or_default(), &number]);
        if let Some(client) = self.clients.get_mut(&key(&[branch, "INVITE"])) {
            client.acks += 1;
            if client.status.is_none_or(|status| status < 300) && !self.blind {
                failures.add(now, node, 4, format!("ACK for no refusal of {call_id}"));
            }
            return;
        }
        *self.acks.entry(dialog).or_default() += 1;
        if !self.accepted.contains_key(&dialog) {
            failures.add(now, node, 4, format!("ACK for a 2xx that never came, {call_id}"));
        }
    }

    pub(super) fn sent_request(
        &mut self,
        now: Instant,
        node: usize,
        wire: &Wire<'_>,
        bytes: &[u8],
        (to, branch, number, method, call_id): (SocketAddr, &str, u32, &str, &str),
        failures: &mut Failures,
    ) {
        let transaction = key(&[branch, method]);
        if let Some(client) = self.clients.get_mut(&transaction) {
            let stalled = self.stalled_until.is_some_and(|until| now.since(until) < CATCHING_UP);
            client.repeated(now, node, stalled, bytes, failures);
            return;
        }
        let from_tag = wire.from_tag().unwrap_or_default();
        match method {
            "CANCEL" => {
                let invite = self.clients.get_mut(&key(&[branch, "INVITE"]));
                match invite {
                    // RFC 3261 s9.1: only after a provisional response.
                    Some(invite) if invite.maybe_provisional => {
                        invite.alive = now;
                        invite.cancelled_at = Some(now);
                    }
                    Some(invite) if invite.status.is_some() => {}
                    _ => failures.add(now, node, 5, format!("CANCEL too early for {call_id}")),
                }
            }
            _ => {
                // Forks of one INVITE are dialogs of their own, and count on from its number.
                let to_tag = wire.to_tag().unwrap_or_default();
                let first = self.numbers.get(&key(&[call_id, from_tag, ""])).copied();
                let last = self.numbers.insert(key(&[call_id, from_tag, to_tag]), number);
                let last = last.or(first);
                // With little memory the BYE of a surplus fork may give way before a copy of the
                // fork's 2xx comes: that makes the same BYE again.
                let forgotten = self.tiny && method == "BYE" && last == Some(number);
                if last.is_some_and(|last| last >= number) && !forgotten {
                    let text = format!("{method} with CSeq {number} after {last:?} in {call_id}");
                    failures.add(now, node, 6, text);
                }
            }
        }
        if method == "INVITE" {
            let dialog = key(&[call_id, from_tag, wire.to_tag().unwrap_or_default()]);
            let earlier = self.invites.insert(dialog, transaction);
            let earlier = earlier.and_then(|earlier| self.clients.get(&earlier));
            if earlier.is_some_and(|earlier| {
                earlier.status.is_none() && now.since(earlier.alive) < TRANSACTION_LIFE
            }) {
                failures.add(now, node, 8, format!("two INVITEs at once in {call_id}"));
            }
        }
        if method == "BYE" {
            let call = key(&[call_id]);
            self.seen.entry(call).or_default().sent_bye = true;
            self.ended.insert(key(&[call_id, wire.to_tag().unwrap_or_default()]));
        }
        // What a blocked socket sends late may be given up by then.
        let late = self.stalled_until.is_some_and(|until| now.since(until) < CATCHING_UP);
        let initial = method == "INVITE" && wire.to_tag().is_none();
        let call = key(&[call_id]);
        let client = Client { late, call, initial, ..Client::new(now, to, method, bytes) };
        self.clients.insert(transaction, client);
    }

    pub(super) fn arrived_response(&mut self, now: Instant, wire: &Wire<'_>) {
        let (Some(branch), Some((number, method)), Some(status), Some(call_id)) =
            (wire.branch(), wire.cseq(), wire.status(), wire.call_id())
        else {
            return;
        };
        let transaction = key(&[branch, method]);
        let Some(client) = self.clients.get_mut(&transaction) else { return };
        let call = key(&[call_id]);
        if status < 200 {
            client.maybe_provisional = true;
            if !client.is_given_up(now) {
                client.provisional = true;
                client.alive = now;
            }
            return;
        }
        let first = client.status.is_none();
        client.late |= first && client.is_given_up(now);
        let late = client.late;
        if first {
            client.status = Some(status);
            client.status_at = now;
        }
        if method != "INVITE" {
            return;
        }
        let seen = self.seen.entry(call).or_default();
        let since_first = now.since(client.status_at);
        let again = !first;
        if status < 300 {
            seen.accepted = true;
            let tag = wire.to_tag().unwrap_or_default();
            let number = number.to_string();
            let (dialog, invite) = (key(&[call_id, tag, &number]), key(&[call_id, &number]));
            let stands = |other: &Accepted| {
                other.invite == invite && !other.late && !self.ended.contains(&other.dialog)
            };
            let is_new = !self.accepted.contains_key(&dialog);
            let surplus = is_new && self.accepted.values().any(stands);
            let accepted = self.accepted.entry(dialog);
            let accepted = accepted.or_insert_with(|| Accepted {
                first: now,
                call_id: call_id.to_owned(),
                dialog: key(&[call_id, tag]),
                invite,
                late,
                surplus,
            });
            let alive = now.since(accepted.first) < ALMOST_LIFE && since_first < ALMOST_LIFE;
            if alive && !late && client.status.is_some_and(|status| status < 300) {
                let count = self.acks.get(&dialog).copied().unwrap_or_default() + 1;
                let text = format!("{} of {call_id}", wire.start);
                if accepted.surplus {
                    let (key, text) = (accepted.dialog, text.clone());
                    self.owed.push(Owed { key, count: 1, due: Due::Bye, again, text });
                }
                self.owed.push(Owed { key: dialog, count, due: Due::Ack, again, text });
            }
        } else {
            if !seen.statuses.contains(&status) {
                seen.statuses.push(status);
            }
            let refused = client.status.is_some_and(|status| status >= 300);
            if since_first < ALMOST_LIFE && !late && refused {
                let count = client.acks + 1;
                let text = format!("{} of {call_id}", wire.start);
                self.owed.push(Owed {
                    key: transaction,
                    count,
                    due: Due::AckByBranch,
                    again,
                    text,
                });
            }
        }
    }
}

impl Client {
    pub(super) fn new(now: Instant, to: SocketAddr, method: &str, bytes: &[u8]) -> Self {
        Self {
            method: method.to_owned(),
            call: 0,
            to,
            initial: false,
            first: now,
            last: now,
            alive: now,
            copies: 1,
            hash: hash(bytes),
            provisional: false,
            maybe_provisional: false,
            cancelled_at: None,
            status: None,
            status_at: now,
            late: false,
            acks: 0,
        }
    }

    /// Whether the node may have forgotten the request: timer B (RFC 3261 s17.1.1.2), or a CANCEL
    /// that had no effect (s9.1).
    fn is_given_up(&self, now: Instant) -> bool {
        match self.cancelled_at {
            Some(at) => now.since(at) >= ALMOST_LIFE,
            None => !self.provisional && now.since(self.first) >= ALMOST_LIFE,
        }
    }

    /// RFC 3261 s17.1.1.2 and s17.1.2.2.
    fn repeated(
        &mut self,
        now: Instant,
        node: usize,
        stalled: bool,
        bytes: &[u8],
        failures: &mut Failures,
    ) {
        let method = &self.method;
        let gap = now.since(self.last);
        if hash(bytes) != self.hash {
            failures.add(now, node, 5, format!("another {method} with the same branch"));
        }
        if self.status.is_some() {
            failures.add(now, node, 5, format!("{method} again after its final response"));
        }
        if method == "INVITE" && self.provisional {
            failures.add(now, node, 5, "INVITE again after a provisional response");
        }
        let doubled = Duration::from_micros(T1.as_micros() << (self.copies - 1).min(16));
        let least = if method == "INVITE" { doubled } else { doubled.at_most(T2) };
        if gap < least && !stalled {
            failures.add(now, node, 5, format!("{method} again after {gap:?}, not {least:?}"));
        }
        if now.since(self.first) > TRANSACTION_LIFE {
            failures.add(now, node, 5, format!("{method} again after 64 * T1"));
        }
        self.copies += 1;
        self.last = now;
        self.alive = now;
    }
}

//! Transactions and dialogs, as far as the wire shows them.

use std::collections::{BTreeMap, BTreeSet};

use core::net::SocketAddr;

use sansip::time::{Duration, Instant};

use super::{Failures, Origin, TRANSACTION_LIFE};
use crate::trace::{hash, key};
use crate::wire::Wire;

/// The requests that one node sent and received.
#[derive(Debug, Default)]
pub(super) struct Requests {
    clients: BTreeMap<u64, Client>,
    servers: BTreeMap<u64, Served>,
    /// The last CSeq number of a direction of a dialog.
    numbers: BTreeMap<u64, u32>,
    /// The last INVITE that was sent in a dialog.
    invites: BTreeMap<u64, u64>,
    /// ACKs for 2xx sent, by Call-ID, peer's tag and number.
    acks: BTreeMap<u64, u32>,
    /// 2xx to INVITE that came, by the same.
    accepted: BTreeMap<u64, Accepted>,
    /// Dialogs in which a BYE was sent or came: Call-ID and the peer's tag.
    ended: BTreeSet<u64>,
    /// What came for a Call-ID.
    seen: BTreeMap<u64, Seen>,
    /// The highest CSeq number that came in a direction of a dialog.
    heard: BTreeMap<u64, u32>,
    /// ACKs that are owed at the end of this turn.
    owed: Vec<Owed>,
    /// The node forgot what it did before: what comes for that is not answered.
    pub(super) blind: bool,
    pub(super) send_failed: bool,
    /// A name could not be looked up.
    pub(super) name_failed: bool,
    /// Lingering transactions may give way to new ones.
    pub(super) tiny: bool,
    /// The node hears and does nothing until then; shortly after, its timers and what came
    /// meanwhile are dealt with in any order.
    pub(super) stalled_until: Option<Instant>,
}

#[derive(Debug)]
struct Client {
    method: String,
    first: Instant,
    last: Instant,
    /// When something moved last: a copy, a provisional response, a CANCEL.
    alive: Instant,
    copies: u32,
    hash: u64,
    provisional: bool,
    /// The same, also where the request may have been given up before.
    maybe_provisional: bool,
    cancelled_at: Option<Instant>,
    status: Option<u16>,
    status_at: Instant,
    /// The final response came when the request was given up.
    late: bool,
    acks: u32,
}

#[derive(Debug)]
struct Served {
    method: String,
    copies: u32,
    first_copy: Instant,
    last_copy: Instant,
    forged: bool,
    /// It was refused at once, perhaps without keeping a transaction: the next copy is new then.
    at_once: bool,
    /// Copies differ, or it is not sure which of them belong together.
    muddled: bool,
    /// Its CSeq number is lower than one before it in the dialog.
    outdated: bool,
    vias: u64,
    /// The final response: status, bytes, how often, when.
    status: Option<u16>,
    hash: u64,
    responses: u32,
    first_response: Instant,
    last_response: Instant,
    acked_at: Option<Instant>,
    cancelled: bool,
    dialog: u64,
    call: u64,
    /// Its Call-ID, once it was accepted.
    call_id: String,
    /// Its direction of the dialog, and its CSeq number there.
    line: u64,
    number: u32,
}

#[derive(Debug)]
struct Accepted {
    first: Instant,
    call_id: String,
    /// Call-ID and the peer's tag, as in [`Requests::ended`].
    dialog: u64,
    /// Its INVITE, which forks share.
    invite: u64,
    /// The INVITE was given up by then.
    late: bool,
}

/// What came with one Call-ID.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) accepted: bool,
    pub(super) bye: bool,
    pub(super) cancel: bool,
    /// Any request of the peer in the dialog: then it had our 2xx.
    pub(super) inside: bool,
    pub(super) statuses: Vec<u16>,
    pub(super) sent_bye: bool,
    pub(super) sent_accepted: bool,
    invites: Vec<u64>,
}

#[derive(Debug)]
struct Owed {
    key: u64,
    count: u32,
    /// By branch, for a refusal; else by dialog.
    by_branch: bool,
    again: bool,
    text: String,
}

impl Requests {
    pub(super) fn seen(&self, call_id: &str) -> Option<&Seen> {
        self.seen.get(&key(&[call_id]))
    }

    /// How many different INVITEs outside a dialog came with a Call-ID.
    pub(super) fn first_invites(&self, call_id: &str) -> usize {
        self.seen(call_id).map_or(0, |seen| seen.invites.len())
    }

    // ---- sent

    pub(super) fn sent(
        &mut self,
        now: Instant,
        node: usize,
        wire: &Wire<'_>,
        bytes: &[u8],
        failures: &mut Failures,
    ) {
        let (Some(branch), Some((number, method)), Some(call_id)) =
            (wire.branch(), wire.cseq(), wire.call_id())
        else {
            failures.add(
                now,
                node,
                1,
                format!("sent without branch, CSeq or Call-ID: {}", wire.start),
            );
            return;
        };
        if !wire.is_request() {
            self.sent_response(now, node, wire, bytes, failures);
        } else if method == "ACK" {
            self.sent_ack(now, node, wire, failures);
        } else {
            self.sent_request(now, node, wire, bytes, (branch, number, method, call_id), failures);
        }
    }

    fn sent_ack(&mut self, now: Instant, node: usize, wire: &Wire<'_>, failures: &mut Failures) {
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

    fn sent_request(
        &mut self,
        now: Instant,
        node: usize,
        wire: &Wire<'_>,
        bytes: &[u8],
        (branch, number, method, call_id): (&str, u32, &str, &str),
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
        let client = Client { late, ..Client::new(now, method, bytes) };
        self.clients.insert(transaction, client);
    }

    fn sent_response(
        &mut self,
        now: Instant,
        node: usize,
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

    // ---- arrived

    pub(super) fn arrived(
        &mut self,
        now: Instant,
        from: SocketAddr,
        wire: &Wire<'_>,
        origin: Origin,
    ) {
        if wire.is_request() {
            self.arrived_request(now, wire, origin);
        } else if origin == Origin::Genuine {
            self.arrived_response(now, wire);
        }
        let _ = from;
    }

    fn arrived_request(&mut self, now: Instant, wire: &Wire<'_>, origin: Origin) {
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
        served.copies += 1;
        served.last_copy = now;
    }

    fn arrived_response(&mut self, now: Instant, wire: &Wire<'_>) {
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
            let dialog = key(&[call_id, tag, &number.to_string()]);
            let accepted = self.accepted.entry(dialog);
            let accepted = accepted.or_insert_with(|| Accepted {
                first: now,
                call_id: call_id.to_owned(),
                dialog: key(&[call_id, tag]),
                invite: key(&[call_id, &number.to_string()]),
                late,
            });
            let alive = now.since(accepted.first) < ALMOST_LIFE && since_first < ALMOST_LIFE;
            if alive && !late && client.status.is_some_and(|status| status < 300) {
                let count = self.acks.get(&dialog).copied().unwrap_or_default() + 1;
                let text = format!("{} of {call_id}", wire.start);
                self.owed.push(Owed { key: dialog, count, by_branch: false, again, text });
            }
        } else {
            if !seen.statuses.contains(&status) {
                seen.statuses.push(status);
            }
            let refused = client.status.is_some_and(|status| status >= 300);
            if since_first < ALMOST_LIFE && !late && refused {
                let count = client.acks + 1;
                let text = format!("{} of {call_id}", wire.start);
                self.owed.push(Owed { key: transaction, count, by_branch: true, again, text });
            }
        }
    }

    /// The turn is over: every final response to an INVITE is acknowledged at once.
    pub(super) fn turned(&mut self, now: Instant, node: usize, failures: &mut Failures) {
        let stalled = self.stalled_until.is_some_and(|until| now.since(until) < CATCHING_UP);
        for owed in self.owed.drain(..) {
            let count = if owed.by_branch {
                self.clients.get(&owed.key).map_or(0, |client| client.acks)
            } else {
                self.acks.get(&owed.key).copied().unwrap_or_default()
            };
            // Where memory is short, a lingering transaction may have given way.
            let excused = self.blind || stalled || (owed.again && self.tiny);
            if count < owed.count && !excused {
                failures.add(now, node, 4, format!("no ACK for {}", owed.text));
            }
        }
    }

    pub(super) fn quiet(&mut self, now: Instant, node: usize, failures: &mut Failures) {
        if self.blind {
            return;
        }
        if self.stalled_until.is_none() && !self.send_failed && !self.tiny {
            self.check_persistence(now, node, failures);
            self.check_forks(now, node, failures);
        }
        for served in self.servers.values() {
            let accepted = served.status.is_some_and(|status| (200..300).contains(&status));
            let bye = self.seen.get(&served.call);
            let bye = bye.is_some_and(|seen| seen.sent_bye || seen.bye);
            // A later request of the peer shows that it had the 2xx, though its ACK was lost.
            let later = self.heard.get(&served.line).is_some_and(|heard| *heard > served.number);
            let owed = accepted && served.acked_at.is_none() && !bye && !later && !self.tiny;
            if served.method == "INVITE" && owed {
                let call_id = &served.call_id;
                let text =
                    format!("the 2xx of {call_id} was neither acknowledged nor ended by BYE");
                failures.add(now, node, 4, text);
            }
            let waits = served.method != "ACK" && served.status.is_none();
            let waits = waits && !served.forged && !served.muddled;
            if waits && now.since(served.last_copy) > UNANSWERED {
                failures.add(now, node, 3, format!("{} was never answered", served.method));
            }
        }
    }
}

impl Requests {
    /// Of the calls that several forks of one INVITE made, all but one are hung up
    /// (RFC 3261 s13.2.2.4), and that one in its time, unless the peer forgot it.
    fn check_forks(&self, now: Instant, node: usize, failures: &mut Failures) {
        let left = |accepted: &&Accepted| !accepted.late && !self.ended.contains(&accepted.dialog);
        let mut open = BTreeMap::new();
        for accepted in self.accepted.values().filter(left) {
            *open.entry((accepted.invite, &accepted.call_id)).or_insert(0) += 1;
        }
        for ((_, call_id), count) in open.into_iter().filter(|(_, count)| *count > 1) {
            let text = format!("{count} forks of {call_id} were left without BYE");
            failures.add(now, node, 4, text);
        }
    }

    /// What is not answered, or not acknowledged, is sent again (RFC 3261 s17, s13.3.1.4).
    fn check_persistence(&self, now: Instant, node: usize, failures: &mut Failures) {
        for client in self.clients.values() {
            let until = if client.status.is_some() { client.status_at } else { now };
            let waited = until.since(client.first) > PERSISTENT && !client.maybe_provisional;
            // CANCEL is given up with its INVITE.
            if waited && client.copies == 1 && client.method != "CANCEL" {
                failures.add(now, node, 5, format!("{} was sent only once", client.method));
            }
        }
        for served in self.servers.values() {
            let until = served.acked_at.unwrap_or(now);
            let waited = until.since(served.first_response) > PERSISTENT;
            let hung_up = self.seen.get(&served.call).is_some_and(|seen| seen.bye || seen.inside);
            let excused = served.muddled || served.forged || served.at_once || hung_up;
            if served.method == "INVITE"
                && served.status.is_some()
                && waited
                && served.responses == 1
                && !excused
            {
                failures.add(now, node, 5, "a final response to INVITE was sent only once");
            }
        }
    }
}

impl Client {
    fn new(now: Instant, method: &str, bytes: &[u8]) -> Self {
        Self {
            method: method.to_owned(),
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

impl Served {
    fn new(now: Instant, method: &str, origin: Origin) -> Self {
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

const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
/// Longer than T1, the latest timers and a long way.
const PERSISTENT: Duration = Duration::from_secs(8);
const T4: Duration = Duration::from_secs(5);
/// What a node missed while it was stalled shows for twice 64 * T1.
const CATCHING_UP: Duration = Duration::from_secs(64);
const ALMOST_LIFE: Duration = Duration::from_secs(30);
/// A request that a phone's user may take long to answer: an INVITE, 180 s and more.
const UNANSWERED: Duration = Duration::from_secs(200);

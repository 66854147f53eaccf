//! What must be true when a turn is over, and when nothing is under way any more.

use std::collections::BTreeMap;

use sansip::time::Instant;

use super::clients::Accepted;
use super::{CATCHING_UP, Due, Failures, PERSISTENT, Requests, UNANSWERED};

impl Requests {
    /// The turn is over: every final response to an INVITE is acknowledged at once, and surplus
    /// forks are hung up.
    pub(in crate::oracle) fn turned(&mut self, now: Instant, node: usize, failures: &mut Failures) {
        let stalled = self.stalled_until.is_some_and(|until| now.since(until) < CATCHING_UP);
        for owed in self.owed.drain(..) {
            let (what, count) = match owed.due {
                Due::Ack => ("ACK", self.acks.get(&owed.key).copied().unwrap_or_default()),
                Due::AckByBranch => {
                    ("ACK", self.clients.get(&owed.key).map_or(0, |client| client.acks))
                }
                // RFC 3261 s13.2.2.4: once, and nothing where the fork hung up itself
                Due::Bye => ("BYE", self.ended.contains(&owed.key).into()),
            };
            // Where memory is short, a lingering transaction may have given way.
            let excused = self.blind || stalled || (owed.again && self.tiny);
            if count < owed.count && !excused {
                failures.add(now, node, 4, format!("no {what} for {}", owed.text));
            }
        }
    }

    pub(in crate::oracle) fn quiet(&mut self, now: Instant, node: usize, failures: &mut Failures) {
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
            // A 481 to a change of ours ends the dialog without BYE (RFC 3261 s12.2.1.2).
            let bye =
                bye.is_some_and(|seen| seen.sent_bye || seen.bye || seen.statuses.contains(&481));
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

//! What users are told of their calls, against what the wire showed.

use core::net::SocketAddr;

use sansip::endpoint::{CallId, Error, Reason, Reply};
use sansip::time::Instant;

use super::requests::Requests;
use super::{Failures, TRANSACTION_LIFE};
use crate::phone::{Operation, Phone, Told};

/// The calls of one phone.
#[derive(Debug, Default)]
pub(super) struct Calls {
    list: Vec<Call>,
    /// Some call cannot be set up.
    failed: bool,
}

#[derive(Debug)]
struct Call {
    call: CallId,
    call_id: String,
    outgoing: bool,
    begun: Instant,
    established: bool,
    ended: bool,
    /// Its RTP port, once media was agreed on.
    local: Option<SocketAddr>,
    /// Its INVITE cannot arrive.
    unreachable: bool,
}

impl Calls {
    pub(super) fn performed(
        &mut self,
        now: Instant,
        node: usize,
        operation: &Operation,
        reply: &Result<Reply, Error>,
        phone: &Phone,
        failures: &mut Failures,
    ) {
        if let (Operation::Call { .. }, Ok(Reply::Call(call))) = (operation, reply) {
            self.open(now, node, *call, true, failures);
            if let Some(talk) = phone.call(*call) {
                self.named(*call, &talk.call_id);
            }
        }
        let (Operation::Answer(call)
        | Operation::HangUp(call)
        | Operation::Hold(call)
        | Operation::Reject(call, _)) = operation
        else {
            return;
        };
        let ended = self.find(*call).is_some_and(|call| call.ended);
        if ended && reply.is_ok() {
            failures.add(now, node, 3, format!("{operation:?} was taken after the call's end"));
        }
    }

    pub(super) fn named(&mut self, call: CallId, call_id: &str) {
        if let Some(known) = self.find(call) {
            known.call_id = call_id.to_owned();
        }
    }

    /// How many incoming calls have this Call-ID.
    pub(super) fn count(&self, call_id: &str) -> usize {
        let calls = self.list.iter();
        calls.filter(|call| !call.outgoing && call.call_id == call_id).count()
    }

    /// Where a call receives RTP.
    pub(super) fn local(&self, call: CallId) -> Option<SocketAddr> {
        self.list.iter().rev().find(|known| known.call == call)?.local
    }

    pub(super) fn told(
        &mut self,
        now: Instant,
        node: usize,
        told: &Told,
        requests: &Requests,
        failures: &mut Failures,
    ) {
        let call = match told {
            Told::Incoming { call } => {
                self.open(now, node, *call, false, failures);
                return;
            }
            Told::Progress { call, .. }
            | Told::Media { call, .. }
            | Told::Established { call }
            | Told::HoldFailed { call, .. }
            | Told::Digit { call, .. }
            | Told::Ended { call, .. } => *call,
            _ => return,
        };
        let Some(known) = self.find(call) else {
            failures.add(now, node, 3, format!("{told:?} of a call that never began"));
            return;
        };
        if known.ended {
            failures.add_always(now, node, 3, format!("{told:?} after the call's end"));
            return;
        }
        let wrong = match told {
            Told::Media { plan, .. } => {
                known.local = Some(plan.local);
                None
            }
            Told::Established { .. } => known.establish(requests),
            Told::Ended { reason, .. } => {
                known.ended = true;
                known.check_reason(now, *reason, requests)
            }
            _ => None,
        };
        if let Some(text) = wrong {
            failures.add(now, node, 3, format!("{told:?} of {}: {text}", known.call_id));
        }
    }

    /// The transport says that nothing arrives there: calls that wait for an answer from there end
    /// at once (RFC 3261 s8.1.3.1, s17.1.4).
    pub(super) fn send_failed(&mut self, now: Instant, failed: SocketAddr, requests: &Requests) {
        for call in self.list.iter_mut().filter(|call| call.outgoing && !call.ended) {
            call.unreachable |= requests.is_calling(now, &call.call_id, failed);
            self.failed |= call.unreachable;
        }
    }

    /// A turn is over.
    pub(super) fn turned(&mut self, now: Instant, node: usize, failures: &mut Failures) {
        if !core::mem::take(&mut self.failed) {
            return;
        }
        for call in &mut self.list {
            if core::mem::take(&mut call.unreachable) && !call.ended {
                let text = format!("call {} goes on, though nothing arrives", call.call_id);
                failures.add(now, node, 3, text);
            }
        }
    }

    pub(super) fn quiet(&self, now: Instant, node: usize, failures: &mut Failures) {
        for call in self.list.iter().filter(|call| !call.ended) {
            let way = if call.outgoing { "outgoing" } else { "incoming" };
            failures.add_always(now, node, 3, format!("{way} call {} never ended", call.call_id));
        }
    }

    fn open(
        &mut self,
        now: Instant,
        node: usize,
        call: CallId,
        outgoing: bool,
        failures: &mut Failures,
    ) {
        if self.find(call).is_some() {
            failures.add(now, node, 3, format!("the handle {call:?} names two calls"));
            return;
        }
        self.list.push(Call {
            call,
            call_id: String::new(),
            outgoing,
            begun: now,
            established: false,
            ended: false,
            local: None,
            unreachable: false,
        });
    }

    fn find(&mut self, call: CallId) -> Option<&mut Call> {
        self.list.iter_mut().rev().find(|known| known.call == call)
    }
}

impl Call {
    fn establish(&mut self, requests: &Requests) -> Option<&'static str> {
        if core::mem::replace(&mut self.established, true) {
            return Some("established twice");
        }
        let seen = requests.seen(&self.call_id);
        match seen {
            Some(seen) if self.outgoing && !seen.accepted => Some("no 2xx came"),
            Some(seen) if !self.outgoing && !seen.sent_accepted => Some("no 2xx was sent"),
            Some(seen) if !self.outgoing && !seen.inside => Some("no ACK came"),
            None => Some("nothing came"),
            _ => None,
        }
    }

    fn check_reason(
        &self,
        now: Instant,
        reason: Reason,
        requests: &Requests,
    ) -> Option<&'static str> {
        let seen = requests.seen(&self.call_id);
        let has = |check: &dyn Fn(&super::requests::Seen) -> bool| seen.is_some_and(check);
        let borne_out = match reason {
            Reason::PeerHungUp => has(&|seen| seen.bye),
            Reason::CallerGaveUp => has(&|seen| seen.cancel || seen.bye),
            Reason::Rejected(status) => has(&|seen| seen.statuses.contains(&status)),
            // Of an established call it is a change that nobody answered, or a 408 to it: any
            // other refusal leaves the call as it was (RFC 3261 s14.1).
            Reason::TimedOut if self.established => {
                has(&|seen| seen.statuses.contains(&408)) || requests.has_waited(now, &self.call_id)
            }
            Reason::TimedOut => now.since(self.begun) >= TRANSACTION_LIFE,
            Reason::Unreachable => {
                requests.send_failed || requests.name_failed || seen.is_some() || !self.outgoing
            }
            _ => true,
        };
        (!borne_out).then_some("the wire does not bear it out")
    }
}

//! What happens when a deadline comes, or the transport fails.

use core::net::SocketAddr;

use crate::call::State;
use crate::path::{FlowId, Path};
use crate::table::Id;
use crate::time::Due;
use crate::transaction::{Event as Happening, Gone};

use super::draft::Ending;
use super::responding::Response;
use super::slots::{Cancel, Change, Machine, Purpose};
use super::transactions::Need;
use super::{CallId, Endpoint, Reason};

impl Endpoint<'_> {
    /// Let the slot whose deadline came first have its turn; `false` where none has come.
    #[inline(never)]
    pub(super) fn fire_one(&mut self) -> bool {
        // all that the turn's message caused is told: what a deadline causes has no message
        self.begin_turn(self.now);
        if let Some(id) = self.transactions.expired(self.now) {
            self.tick_transaction(id);
        } else if let Some(id) = self.calls.expired(self.now) {
            self.tick_call(id);
        } else if let Some(id) = self.accounts.expired(self.now) {
            self.next_register(id);
        } else {
            return false;
        }
        true
    }

    #[inline(never)]
    fn tick_transaction(&mut self, id: Id) {
        if self.transactions.get(id).is_some_and(|slot| matches!(slot.machine, Machine::Idle)) {
            self.request_over(id, Err(Reason::Unreachable));
            return;
        }
        self.drive_cancel(id, Happening::Tick);
        let effect = self.drive(id, Happening::Tick);
        if effect.deliver {
            self.answer_for_the_application(id);
        }
        match effect.gone {
            None | Some(Gone::Done) => {}
            Some(Gone::TimedOut) => self.transaction_failed(id, Reason::TimedOut),
            Some(Gone::TransportError) => self.transaction_failed(id, Reason::Unreachable),
            Some(Gone::AckMissing) => self.transaction_failed(id, Reason::AckMissing),
        }
    }

    /// Put an event into the machine of a CANCEL, where there is one.
    pub(super) fn drive_cancel(&mut self, id: Id, event: Happening) {
        let timing = self.timing_of(id);
        self.transactions.update(id, |slot| {
            if let Cancel::Sent(machine, send) = &mut slot.cancel {
                let effect = machine.on(event, self.now, &timing);
                *send |= effect.transmit != crate::transaction::Transmit::Nothing;
                if effect.gone.is_some() || machine.is_completed() {
                    slot.cancel = Cancel::Done; // a repeated response meets nothing and is dropped
                }
            }
        });
    }

    /// A request was not answered in time: 100 for an INVITE after 200 ms, 500 for anything else
    /// shortly before the peer gives up.
    fn answer_for_the_application(&mut self, id: Id) {
        let is_invite = self
            .transactions
            .get(id)
            .is_some_and(|slot| matches!(slot.machine, Machine::ServerInvite(_)));
        let status = if is_invite { 100 } else { 500 };
        let response = Response::later(id, status);
        match self.write_response(&response, Ending::Nothing) {
            Ok(()) => self.send_response(id, status),
            // without a 100 the peer goes on asking, which is only louder
            Err(_) if is_invite => {}
            Err(_) => self.close_transaction(id),
        }
    }

    /// A transaction ended without what it was for.
    pub(super) fn transaction_failed(&mut self, id: Id, reason: Reason) {
        let Some(slot) = self.transactions.get(id) else { return };
        let (purpose, call) = (slot.purpose, slot.call);
        let is_server =
            matches!(slot.machine, Machine::ServerInvite(_) | Machine::ServerRequest(_));
        // an INVITE that was answered or sent again is not what its call waits for any more
        let waits = |call: &Id| {
            let slot = self.calls.get(*call);
            slot.is_some_and(|slot| slot.reason.is_none() && slot.invite == Some(id))
        };
        let live_call = call.filter(waits);
        match purpose {
            Purpose::Register | Purpose::Query => self.register_lost(id, reason),
            Purpose::Invite if is_server => self.ack_never_came(call, reason),
            Purpose::Reinvite if is_server => self.ack_never_came(call, reason),
            Purpose::Invite => {
                if let Some(call) = live_call {
                    self.call_over(call, reason);
                }
            }
            Purpose::Reinvite => {
                if let Some(call) = live_call {
                    self.bye(call, reason); // RFC 3261 s14.1: as if it were a 408
                }
            }
            Purpose::Bye => self.bye_over(id),
            Purpose::Request if !is_server => {
                self.request_over(id, Err(reason));
                return; // it is removed once the application knows
            }
            Purpose::Request | Purpose::None => {}
        }
        self.close_transaction(id);
    }

    /// Nobody acknowledged our 200: the call ends with BYE (RFC 3261 s13.3.1.4).
    fn ack_never_came(&mut self, call: Option<Id>, reason: Reason) {
        let Some(call) = call else { return };
        let Some(slot) = self.calls.get(call) else { return };
        match slot.state {
            State::Answered | State::Established if slot.reason.is_none() => {
                self.bye(call, reason);
            }
            State::Ending if slot.bye_wanted => {
                self.calls.update(call, |slot| slot.bye_wanted = false);
                self.bye(call, reason);
            }
            _ => {}
        }
    }

    #[inline(never)]
    fn tick_call(&mut self, id: Id) {
        let Some(slot) = self.calls.get(id) else { return };
        let (state, change, invite) = (slot.state, slot.change, slot.invite);
        self.calls.update(id, |slot| slot.deadline = Due::NEVER);
        match state {
            State::Resolving | State::Calling | State::Ringing => {
                let _ = self.end_call(CallId(id), Reason::NoAnswer);
            }
            State::Established if change == Change::Waiting && invite.is_some() => {
                // the peer's own change is not acknowledged yet (RFC 3261 s14.1)
                let later = self.now + self.config.t1;
                self.calls.update(id, |slot| slot.deadline = Due::at(later));
            }
            State::Established if change == Change::Waiting => {
                self.calls.update(id, |slot| slot.session_version += 1);
                match self.send_invite(id, Purpose::Reinvite, Need::Reserved) {
                    Ok(()) => {
                        self.calls.update(id, |slot| slot.change = Change::Sent);
                    }
                    Err(_) => self.change_refused(id, Reason::NoRoom),
                }
            }
            _ => {}
        }
    }

    /// The transport says that nothing can be sent along this path. What only waits for time to
    /// pass is left alone; an unreachable answer can be forged, so an established call survives it.
    #[inline(never)]
    pub(super) fn send_failed(&mut self, path: Path) {
        self.fail_where(|slot_path| {
            slot_path.transport == path.transport && slot_path.remote == path.remote
        });
    }

    #[inline(never)]
    pub(super) fn flow_closed(&mut self, flow: FlowId) {
        if flow != FlowId::DATAGRAM {
            self.fail_where(|path| path.flow == flow);
        }
    }

    fn fail_where(&mut self, fits: impl Fn(&Path) -> bool) {
        let mut from = 0;
        while let Some(id) = self.transactions.next_from(&mut from) {
            let Some(slot) = self.transactions.get(id) else { return };
            let is_client =
                matches!(slot.machine, Machine::ClientInvite(_) | Machine::ClientRequest(_));
            if !is_client || !slot.path.as_ref().is_some_and(&fits) {
                continue;
            }
            if self.drive(id, Happening::TransportError).gone.is_some() {
                self.transaction_failed(id, Reason::Unreachable);
            }
        }
    }

    /// Our address changed: registrations renew from the new one, calls end, since their media
    /// cannot follow without the driver.
    #[inline(never)]
    pub(super) fn local_address(&mut self, old: SocketAddr, new: SocketAddr) {
        if self.config.local == Some(old) {
            self.config.local = Some(new);
        }
        let mut from = 0;
        while let Some(id) = self.accounts.next_from(&mut from) {
            self.account_moved(id, old);
        }
        let mut from = 0;
        while let Some(id) = self.calls.next_from(&mut from) {
            let dialog = self.calls.get(id).map(|slot| slot.dialog);
            let moved = dialog.and_then(|dialog| {
                self.dialogs.update(dialog, |slot| match &mut slot.path {
                    Some(path) if path.local == old => {
                        path.local = new;
                        true
                    }
                    _ => false,
                })
            });
            if moved == Some(true) {
                let _ = self.end_call(CallId(id), Reason::AddressLost);
            }
        }
    }
}

impl Endpoint<'_> {
    #[inline(never)]
    fn account_moved(&mut self, id: Id, old: SocketAddr) {
        let moved = self.accounts.update(id, |slot| {
            if slot.server.is_none_or(|path| path.local != old) {
                return None;
            }
            slot.server = None;
            if slot.registration.is_wanted() || slot.transaction.is_some() {
                slot.registration.again(self.now);
            }
            slot.transaction.take()
        });
        // its answer would go to the address that is gone
        if let Some(transaction) = moved.flatten() {
            let purpose = self.transactions.get(transaction).map(|slot| slot.purpose);
            if purpose == Some(Purpose::Query) {
                self.accounts.update(id, |slot| slot.query_wanted = true);
            }
            self.close_transaction(transaction);
        }
    }
}

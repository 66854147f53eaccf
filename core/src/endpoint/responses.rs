//! Responses to requests of ours.

use crate::call::State;
use crate::random::Purpose as Draw;
use crate::sdp;
use crate::sip::{ContentType, Head, HeaderName, Message, Method};
use crate::table::Id;
use crate::time::Due;
use crate::transaction::Event as Happening;

use super::accounts::texts_of;
use super::compose;
use super::custom;
use super::draft::Ending;
use super::negotiation::Negotiation;
use super::receive::Received;
use super::slots::{CallSlot, Cancel, Machine, News, Purpose, account_text, dialog_text as field};
use super::{Endpoint, Error, Reason, Stage};

impl Endpoint<'_> {
    #[inline(never)]
    pub(super) fn on_response(&mut self, received: &Received<'_>, status: u16) {
        // more than one Via: it was meant for somebody before us (RFC 3261 s8.1.3.3)
        let found =
            if received.head.via_count == 1 { self.find_client(received.head) } else { None };
        let Some(id) = found else {
            self.stats.stray += 1;
            return;
        };
        if matches!(received.head.cseq.method, Method::Cancel) {
            self.drive_cancel(id, happening(status));
            return;
        }
        let purpose = self.transactions.get(id).map_or(Purpose::None, |slot| slot.purpose);
        let is_news = self.drive(id, happening(status)).deliver;
        match purpose {
            Purpose::None => self.keep_in_mind(id),
            _ if !is_news => {}
            Purpose::Invite | Purpose::Reinvite => self.invite_answered(id, received, status),
            _ if status >= 200 => self.request_answered(id, purpose, received, status),
            _ => {}
        }
    }

    /// The final response to a request that is no INVITE: it is sent again where it is challenged,
    /// else it is over.
    #[inline(never)]
    fn request_answered(&mut self, id: Id, purpose: Purpose, received: &Received<'_>, status: u16) {
        let is_register = matches!(purpose, Purpose::Register | Purpose::Query);
        if is_register && self.awaiting_account(id).is_none() {
            return;
        }
        let mut outcome = Ok(());
        if matches!(status, 401 | 407) {
            outcome = self.retry_with_credentials(id, received).map(drop);
            if outcome.is_ok() {
                self.number_register(id);
                return;
            }
        }
        match purpose {
            Purpose::Bye => {
                self.bye_over(id);
                self.forget_request(id);
            }
            Purpose::Request => self.tell_response(id, received, status, outcome),
            _ => {
                let is_refused = outcome.is_ok() && status >= 300;
                let outcome = if is_refused { Err(Reason::Rejected(status)) } else { outcome };
                self.register_over(id, received, outcome);
            }
        }
    }

    /// The BYE of a surplus fork is remembered as long as copies of the fork's 2xx may come (timer M
    /// of RFC 6026 s7.2): else the next one would get a second BYE with the same CSeq.
    fn keep_in_mind(&mut self, id: Id) {
        let until = self.now + self.timing(None).give_up();
        self.transactions.update(id, |slot| {
            if let (Machine::ClientRequest(machine), true) = (&mut slot.machine, slot.keys[0] != 0)
            {
                machine.linger_until(until);
            }
        });
    }

    #[inline(never)]
    fn invite_answered(&mut self, id: Id, received: &Received<'_>, status: u16) {
        match status {
            100..=199 => self.invite_progresses(id, received, status),
            200..=299 => self.invite_accepted(id, received),
            _ => self.invite_failed(id, received, status),
        }
    }

    #[inline(never)]
    fn invite_progresses(&mut self, id: Id, received: &Received<'_>, status: u16) {
        let timing = self.timing_of(id);
        let Some(slot) = self.transactions.get(id) else { return };
        let (call, purpose) = (slot.call, slot.purpose);
        let change_limit = self.now + self.config.ring_limit;
        self.transactions.update(id, |slot| {
            if matches!(slot.cancel, Cancel::Wanted) {
                slot.begin_cancel(self.now, &timing);
            }
            match &mut slot.machine {
                // a first INVITE is bounded by its call; one inside must not wait for ever either
                Machine::ClientInvite(machine)
                    if purpose == Purpose::Reinvite && machine.due() == Due::NEVER =>
                {
                    machine.end_at(change_limit);
                }
                _ => {}
            }
        });
        let Some(call) = call.filter(|_| purpose == Purpose::Invite) else { return };
        if self.calls.get(call).is_none_or(|slot| slot.state != State::Calling) {
            return;
        }
        self.keep_inbox(received.message);
        // a 100 makes no dialog, whatever tag it has (RFC 3261 s12.1)
        if let Some(tag) = received.head.to_tag.filter(|_| status > 100) {
            let dialog = self.early_dialog(call, id, tag, received);
            let body = received.message.body();
            if !body.is_empty() && is_sdp(received.message) {
                self.early_media(call, dialog, id, body);
            }
        }
        self.calls.update(call, |slot| slot.status = status);
        self.tell_call(call, News::PROGRESS);
    }

    /// The dialog of the fork that this provisional response is from, if there is room for one.
    fn early_dialog(
        &mut self,
        call: Id,
        invite: Id,
        tag: &[u8],
        received: &Received<'_>,
    ) -> Option<Id> {
        let known = self.dialog_for_tag(call, tag);
        let dialog = known.or_else(|| self.fork_dialog(call, invite, tag))?;
        // a text that is too long shows again at the 2xx, and ends the call there
        let _ = self.learn_from_response(dialog, received);
        Some(dialog)
    }

    /// An answer in a provisional response: its media may come now, and a 200 without SDP from the
    /// same fork later means that it holds.
    #[inline(never)]
    fn early_media(&mut self, call: Id, dialog: Option<Id>, invite: Id, body: &[u8]) {
        let Some(slot) = self.calls.get(call) else { return };
        if slot.late_offer {
            return; // an offer in an unreliable response is not to be answered (RFC 3261 s13.2.1)
        }
        let ours = &self.kept_message(invite);
        let (Some(local), Some(ours)) = (&slot.local, ours) else { return };
        let Ok(plan) = &sdp::accept_answer(ours.body(), body, local) else { return };
        if let Some(dialog) = dialog {
            self.dialogs.update(dialog, |slot| slot.early = Some(*plan));
        }
        if self.set_plan(call, plan) {
            self.tell_media(call, Stage::Agreed);
        }
    }

    #[inline(never)]
    fn invite_accepted(&mut self, id: Id, received: &Received<'_>) {
        let Some(slot) = self.transactions.get(id) else { return };
        let kept = slot.message.as_ref().map_or(&[][..], |buffer| self.buffers.get(buffer));
        if kept.is_empty() {
            return;
        }
        if kept.starts_with(b"ACK ") {
            let kept = &Message::parse(kept);
            let acked = kept.as_ref().ok().and_then(tag_of_to);
            let same = acked.unwrap_or(b"") == received.head.to_tag.unwrap_or(b"");
            if same {
                self.transactions.update(id, |slot| slot.send_message = true);
            } else {
                self.end_fork(id, received);
            }
            return;
        }
        let purpose = slot.purpose;
        match slot.call.filter(|call| self.goes_on(*call)) {
            // our BYE went out meanwhile: only the ACK is missing
            None if purpose == Purpose::Reinvite => self.acknowledge_late(id, received),
            None => {
                // we gave up before: the call that stands now must go
                if self.end_fork(id, received) {
                    self.mark_acked(id, received);
                }
            }
            Some(call) if purpose == Purpose::Invite => self.call_answered(id, call, received),
            Some(call) => self.change_accepted(id, call, received),
        }
    }

    /// The ACK for the 2xx to a re-INVITE that our BYE overtook.
    fn acknowledge_late(&mut self, id: Id, received: &Received<'_>) {
        let call = self.transactions.get(id).and_then(|slot| slot.call);
        match call.filter(|call| self.calls.get(*call).is_some()) {
            Some(call) => {
                if self.write_ack(id, call, Ending::Nothing).is_ok() {
                    self.keep_ack(id);
                }
            }
            None => {
                self.mark_acked(id, received);
                self.transactions.update(id, |slot| slot.send_message = true);
            }
        }
    }

    /// The first 2xx of a call of ours.
    #[inline(never)]
    fn call_answered(&mut self, id: Id, call: Id, received: &Received<'_>) {
        self.keep_inbox(received.message);
        let tag = received.head.to_tag.unwrap_or(b"");
        let Some(first) = self.calls.get(call).map(|slot| slot.dialog) else { return };
        let known = self.dialog_for_tag(call, tag);
        let dialog = known.unwrap_or(first);
        self.choose_dialog(call, dialog);
        if known.is_none() {
            // a fork that was not heard of before takes the place of one that was
            self.dialogs.update(dialog, |slot| slot.early = None);
            let _ = self.target_of_invite(dialog, id);
        }
        let cseq = self.transactions.get(id).map_or(0, |slot| slot.cseq);
        self.dialogs.update(dialog, |slot| slot.local_cseq = slot.local_cseq.max(cseq));
        if self.learn_from_response(dialog, received).is_err() {
            if self.end_fork(id, received) {
                self.mark_acked(id, received);
            }
            self.call_over(call, Reason::TooLong);
            return;
        }
        let acknowledged = self.acknowledge_2xx(id, call, received);
        self.calls.update(call, |slot| {
            slot.state = State::Established;
            slot.invite = None;
            slot.deadline = Due::NEVER;
        });
        match acknowledged {
            Ok(is_new) => {
                self.tell_call(call, News::ESTABLISHED);
                if is_new {
                    self.tell_media(call, Stage::Agreed);
                }
            }
            Err(reason) => self.bye(call, reason),
        }
    }

    /// Turn the INVITE's buffer into the ACK for its 2xx (RFC 3261 s13.2.2.4), with the INVITE's
    /// credentials, and with our answer where the peer offered. Answers whether another plan is
    /// agreed than before, or why the call cannot go on like this.
    pub(super) fn acknowledge_2xx(
        &mut self,
        id: Id,
        call: Id,
        received: &Received<'_>,
    ) -> Result<bool, Reason> {
        let body = received.message.body();
        let slot = self.calls.get(call).ok_or(Reason::TooLong)?;
        let Some(session) = &mut Negotiation::of(slot) else { return Err(Reason::TooLong) };
        // only a first INVITE may have been answered before its 2xx
        let is_first = self.transactions.get(id).map(|slot| slot.purpose) == Some(Purpose::Invite);
        let we_offered = self.answered_by_2xx(id, slot, is_first, body, &mut session.plan);
        let ending = if we_offered { Ending::Nothing } else { Ending::Answer(session, Some(body)) };
        let mut written = self.write_ack(id, call, ending);
        if we_offered {
            session.shape = Some(sdp::Shape::OFFER).filter(|_| is_first);
        } else if written.is_err() {
            // an offer that we cannot answer: the ACK goes without, and a BYE follows
            (session.plan, session.shape) = (None, None);
            written = self.write_ack(id, call, Ending::Nothing);
        }
        // a later offer has the shape of what was there before
        if session.shape.is_some() {
            self.calls.update(call, |slot| slot.shape = session.shape);
        }
        if written.is_err() || !self.keep_ack(id) {
            return Err(Reason::TooLong);
        }
        let plan = session.plan.as_ref().ok_or(Reason::NotAcceptable)?;
        Ok(self.set_plan(call, plan))
    }

    /// Whether the INVITE had our offer; then `plan` is what the answer in its 2xx comes to.
    #[inline(never)] // for its frame
    fn answered_by_2xx(
        &self,
        id: Id,
        slot: &CallSlot,
        is_first: bool,
        body: &[u8],
        plan: &mut Option<sdp::MediaPlan>,
    ) -> bool {
        *plan = None;
        if !is_first {
            return self.reinvite_answered_by_2xx(id, slot, body, plan);
        }
        // a first offer follows from what is known
        if !slot.late_offer {
            *plan = match &slot.local {
                _ if body.is_empty() => self.dialogs.get(slot.dialog).and_then(|slot| slot.early),
                Some(local) => sdp::accept_first_answer(body, local).ok(),
                None => None,
            };
        }
        !slot.late_offer
    }

    /// The same of an INVITE inside the dialog, whose offer is read again.
    #[inline(never)] // for its frame
    fn reinvite_answered_by_2xx(
        &self,
        id: Id,
        slot: &CallSlot,
        body: &[u8],
        plan: &mut Option<sdp::MediaPlan>,
    ) -> bool {
        let ours = &self.kept_message(id);
        let offer = ours.as_ref().map_or(&[][..], |ours| ours.body());
        if let Some(local) = slot.local.as_ref().filter(|_| !offer.is_empty() && !body.is_empty()) {
            *plan = sdp::accept_answer(offer, body, local).ok();
        }
        !offer.is_empty()
    }

    fn write_ack(&mut self, id: Id, call: Id, ending: Ending<'_>) -> Result<(), Error> {
        let Some(dialog) = self.calls.get(call).map(|slot| slot.dialog) else {
            return Err(Error::Gone);
        };
        // the ACK is no part of the transaction: another branch, and the dialog's way
        let way = self.dialogs.get(dialog).and_then(|slot| slot.path.as_ref());
        let random = self.random.u64(Draw::Branch);
        // The INVITE's credentials are for the server that it went to. Where the ACK goes past
        // that server, straight to the peer, they would only help somebody to guess the password.
        let old = self.transactions.update(id, |slot| {
            if let Some(way) = way {
                if !slot.path.as_ref().is_some_and(|old| old.leads_to(&way.remote)) {
                    slot.given = [0; 2];
                }
                slot.path = Some(*way);
            }
            core::mem::replace(&mut slot.random, random)
        });
        let written = self.write_in_dialog(call, id, Method::Ack, &[], ending);
        self.transactions.update(id, |slot| slot.random = old.unwrap_or(random));
        written
    }

    /// The draft is the ACK: keep it in the INVITE's place, and send it.
    pub(super) fn keep_ack(&mut self, id: Id) -> bool {
        let Some(buffer) = self.transactions.get(id).and_then(|slot| slot.message.as_ref()) else {
            return false;
        };
        let kept = self.buffers.set(buffer, self.draft.bytes());
        self.transactions.update(id, |slot| slot.send_message = kept);
        kept
    }

    #[inline(never)]
    fn invite_failed(&mut self, id: Id, received: &Received<'_>, status: u16) {
        let Some(slot) = self.transactions.get(id) else { return };
        let (call, purpose) = (slot.call, slot.purpose);
        let call = call.filter(|call| self.goes_on(*call));
        let mut retried = false;
        let mut reason = Reason::Rejected(status);
        if let (401 | 407, Some(call)) = (status, call) {
            match self.retry_with_credentials(id, received) {
                Ok(next) => {
                    retried = true;
                    self.invite_moved(call, next);
                }
                Err(why) => reason = why,
            }
        }
        self.acknowledge_failure(id, received);
        let Some(call) = call.filter(|_| !retried) else { return };
        self.keep_inbox(received.message);
        if purpose == Purpose::Invite {
            self.call_over(call, reason);
            return;
        }
        self.calls.update(call, |slot| slot.invite = None);
        match status {
            491 => self.glare(call),
            // the dialog is gone at the peer (RFC 3261 s12.2.1.2)
            481 => self.call_over(call, Reason::Rejected(481)),
            408 => self.bye(call, Reason::TimedOut),
            _ => self.change_refused(call, reason),
        }
    }

    /// The INVITE goes on in another slot; forks of the first try are forgotten.
    fn invite_moved(&mut self, call: Id, next: Id) {
        let cseq = self.transactions.get(next).map_or(0, |slot| slot.cseq);
        let Some(slot) = self.calls.get(call) else { return };
        let (dialog, early) = (slot.dialog, slot.state == State::Calling);
        self.calls.update(call, |slot| slot.invite = Some(next));
        self.dialogs.update(dialog, |slot| slot.local_cseq = cseq);
        if early {
            self.choose_dialog(call, dialog);
            let _ = self.set_dialog_field(dialog, field::REMOTE_TAG, b"");
            let _ = self.set_dialog_field(dialog, field::ROUTES, b"");
        }
    }

    /// Turn the INVITE's buffer into the ACK for a final failure (RFC 3261 s17.1.1.3).
    fn acknowledge_failure(&mut self, id: Id, received: &Received<'_>) {
        let Some(slot) = self.transactions.get(id) else { return };
        let Some(buffer) = &slot.message else { return };
        let Ok(invite) = &Message::parse(self.buffers.get(buffer)) else { return };
        let own = texts_of(&self.accounts, &self.account_text, slot.account);
        let headers = own.get(account_text::HEADERS);
        let to = received.message.header(HeaderName::To);
        let mut writer = self.draft.begin();
        compose::write_like_invite(&mut writer, invite, Method::Ack, to);
        custom::write(&mut writer, &[headers], Method::Ack);
        let written = writer.finish();
        if self.draft.end(written).is_ok() {
            self.keep_ack(id);
        }
    }

    /// The BYE has its answer, or never gets one: the call's slot is free.
    pub(super) fn bye_over(&mut self, id: Id) {
        let Some(call) = self.transactions.update(id, |slot| slot.call.take()).flatten() else {
            return;
        };
        let told = self.calls.get(call).is_some_and(|slot| slot.told);
        if told {
            self.remove_call(call);
        } else {
            self.calls.update(call, |slot| slot.state = State::Over);
        }
    }
}

fn tag_of_to<'m>(message: &Message<'m>) -> Option<&'m [u8]> {
    Head::parse(message).as_ref().ok()?.to_tag
}

fn is_sdp(message: &Message<'_>) -> bool {
    let kind = message.header(HeaderName::ContentType);
    kind.and_then(|value| ContentType::parse(value).ok())
        .is_none_or(|kind| kind.is(b"application", b"sdp"))
}

pub(super) fn happening(status: u16) -> Happening {
    match status {
        100..=199 => Happening::Provisional,
        200..=299 => Happening::Success,
        _ => Happening::Failure,
    }
}

//! Requests that come in inside dialogs.

use crate::call::State;
use crate::random::Purpose as Draw;
use crate::sip::{HeaderName, Method};
use crate::table::Id;

use super::draft::Ending;
use super::negotiation::Negotiation;
use super::receive::Received;
use super::responding::Response;
use super::slots::{Change, Purpose};
use super::transactions::Need;
use super::{Endpoint, Reason, Stage};

impl Endpoint<'_> {
    #[inline(never)]
    pub(super) fn request_inside(&mut self, received: &Received<'_>) {
        let head = received.head;
        let Some((call, dialog)) = self.find_dialog(head) else {
            self.refuse(received, 481);
            return;
        };
        // numbers grow by any step, and never fall (RFC 3261 s12.2.2)
        let last = self.dialogs.get(dialog).map_or(0, |slot| slot.remote_cseq);
        if last != 0 && head.cseq.number <= last {
            self.refuse(received, 500);
            return;
        }
        self.dialogs.update(dialog, |slot| slot.remote_cseq = head.cseq.number);
        let method = head.cseq.method;
        match method {
            Method::Bye => self.peer_hung_up(received, call),
            Method::Invite => self.reinvited(received, call, dialog),
            Method::Options if !self.is_taken(method) => self.options_inside(received),
            // the application was told the end of this call: nobody takes it any more
            _ if self.is_taken(method) && self.live_call(call).is_err() => {
                self.refuse(received, 481);
            }
            _ if self.is_taken(method) => self.take_request(received, Some(call)),
            _ => self.refuse_method(received),
        }
    }

    #[inline(never)]
    fn peer_hung_up(&mut self, received: &Received<'_>, call: Id) {
        let state = self.calls.get(call).map_or(State::Over, |slot| slot.state);
        self.answer_inside(received, 200);
        self.keep_inbox(received.message);
        if state == State::Ringing {
            self.refuse_call(call, 487, &[]); // RFC 3261 s15.1.2
        }
        let reason =
            if state == State::Ringing { Reason::CallerGaveUp } else { Reason::PeerHungUp };
        self.call_over(call, reason);
    }

    #[inline(never)]
    fn options_inside(&mut self, received: &Received<'_>) {
        let opened = self.open_server(received, Need::Reserved, Purpose::None);
        let Some(id) = opened else {
            self.refuse(received, 503);
            return;
        };
        let abilities = Ending::Abilities(self.config.methods);
        self.respond_or_close(&Response::at_once(id, received, 200), abilities);
    }

    /// A re-INVITE: the peer holds, resumes, moves its media, or asks for our offer.
    #[inline(never)]
    fn reinvited(&mut self, received: &Received<'_>, call: Id, dialog: Id) {
        let Some(slot) = self.calls.get(call) else { return };
        let (state, change, invite) = (slot.state, slot.change, slot.invite);
        if matches!(state, State::Answered | State::Established) && !slot.awaits_answer {
            // the ACK was lost or is late: this request proves that our 200 arrived
            if let Some(invite) = invite.filter(|invite| self.awaits_ack(*invite)) {
                self.drive(invite, crate::transaction::Event::Ack);
                self.call_acknowledged(call, invite, None);
            }
        }
        let Some(slot) = self.calls.get(call) else { return };
        let in_order = slot.state == State::Established && !slot.awaits_answer;
        match state {
            State::Ringing => return self.refuse_with_retry_after(received),
            State::Calling | State::Answered if !in_order => {
                self.answer_inside(received, 491);
                return;
            }
            _ if !in_order || change == Change::Sent => {
                let status = if slot.state == State::Established { 491 } else { 481 };
                self.answer_inside(received, status);
                return;
            }
            _ => {}
        }
        if !self.body_is_fit(received) {
            return;
        }
        if self.refresh_target(dialog, received).is_err() {
            self.refuse(received, 513);
            return;
        }
        self.answer_reinvite(received, call, dialog);
    }

    /// A second INVITE before the first is answered (RFC 3261 s14.2).
    fn refuse_with_retry_after(&mut self, received: &Received<'_>) {
        let seconds = self.random.u32(Draw::Jitter) % 11;
        self.refuse_with(received, 500, &|writer| {
            writer.header_number(HeaderName::RetryAfter, seconds.into());
        });
    }

    #[inline(never)]
    fn answer_reinvite(&mut self, received: &Received<'_>, call: Id, dialog: Id) {
        let Some(slot) = self.calls.get(call) else { return };
        let Some(session) = &mut Negotiation::of(slot) else { return };
        session.origin.version += 1;
        let account = slot.account;
        let opened = self.open_server(received, Need::Reserved, Purpose::Reinvite);
        let Some(id) = opened else {
            self.refuse(received, 503);
            return;
        };
        self.transactions.update(id, |slot| {
            slot.call = Some(call);
            slot.account = Some(account);
        });
        let late = received.message.body().is_empty();
        let response = Response { dialog: Some(dialog), ..Response::at_once(id, received, 200) };
        if self.write_response(&response, Ending::of_response(session, late)).is_err() {
            let status = session.refused.map_or(500, |error| error.status());
            self.refuse_reinvite(received, id, status);
            return;
        }
        if let Some(earlier) = self.calls.get(call).and_then(|slot| slot.invite) {
            self.stop_repeating(earlier); // its ACK was lost: this request proves that our 2xx came
        }
        self.calls.update(call, |slot| slot.invite = Some(id));
        let is_new = self.describe_session(call, session, late);
        self.send_response(id, 200);
        if is_new {
            self.keep_inbox(received.message);
            self.tell_media(call, Stage::Agreed);
        }
    }

    fn refuse_reinvite(&mut self, received: &Received<'_>, id: Id, status: u16) {
        self.answer_given(received, id, status);
        self.transactions.update(id, |slot| slot.call = None);
    }
}

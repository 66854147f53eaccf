//! Requests that come in outside dialogs, ACK and CANCEL, and how any request is answered.

use crate::call::State;
use crate::sdp::{self, LocalMedia};
use crate::sip::{ContentType, Head, HeaderName, Message, Method, NameAddr};
use crate::table::Id;
use crate::transaction::{Event as Happening, ServerRequest};

use super::calls::SDP;
use super::compose::write_allow;
use super::receive::Received;
use super::slots::{Machine, News, Purpose, RequestNews, dialog_text as field};
use super::transactions::Need;
use super::{Endpoint, Error, Methods, Reason, Stage};

impl Endpoint<'_> {
    #[inline(never)]
    pub(super) fn on_request(&mut self, received: &Received<'_>) {
        let head = received.head;
        let method = head.cseq.method;
        if matches!(method, Method::Ack) {
            self.acknowledge(received);
            return;
        }
        if let Some(transaction) = self.find_server(head, method) {
            self.stats.repeated += 1;
            self.drive(transaction, Happening::Request);
            return;
        }
        if matches!(method, Method::Cancel) {
            self.give_up(received);
            return;
        }
        if self.refused_by_rule(received) {
            return;
        }
        if head.to_tag.is_some() {
            self.request_inside(received);
            return;
        }
        if self.is_merged(head) {
            self.refuse(received, 482);
            return;
        }
        match method {
            Method::Invite => self.incoming_call(received),
            Method::Bye | Method::Prack | Method::Update => self.refuse(received, 481),
            Method::Options if !self.config.methods.contains(Methods::OPTIONS) => {
                self.answer_options(received);
            }
            _ if self.is_taken(method) => self.take_request(received, None),
            _ => self.refuse_method(received),
        }
    }

    pub(super) fn refuse_method(&mut self, received: &Received<'_>) {
        let known = !matches!(received.head.cseq.method, Method::Other(_));
        let methods = self.config.methods;
        let status = if known { 405 } else { 501 };
        self.refuse_with(received, status, &|writer| write_allow(writer, methods));
    }

    /// What RFC 3261 s8.2.1 to s8.2.3 has a UAS look at before the method itself.
    #[inline(never)]
    fn refused_by_rule(&mut self, received: &Received<'_>) -> bool {
        let message = received.message;
        if received.head.uri.is_some_and(|uri| !uri.is_sip()) {
            self.refuse(received, 416);
            return true;
        }
        if message.values(HeaderName::Require).next().is_some() {
            self.refuse_with(received, 420, &|writer| {
                for tag in message.values(HeaderName::Require) {
                    writer.header(HeaderName::Unsupported, tag);
                }
            });
            return true;
        }
        let encoded = message
            .values(HeaderName::ContentEncoding)
            .any(|encoding| !encoding.eq_ignore_ascii_case(b"identity"));
        if encoded && !message.body().is_empty() {
            self.refuse_with(received, 415, &|writer| {
                writer.header(HeaderName::AcceptEncoding, b"identity");
            });
            return true;
        }
        false
    }

    /// Whether a body that is there is SDP; 415 is answered where it is not.
    pub(super) fn body_is_fit(&mut self, received: &Received<'_>) -> bool {
        let message = received.message;
        let fit = message.body().is_empty()
            || message.header(HeaderName::ContentType).is_none_or(|value| {
                ContentType::parse(value).is_ok_and(|kind| kind.is(b"application", b"sdp"))
            });
        if !fit {
            self.refuse_with(received, 415, &|writer| {
                writer.header(HeaderName::Accept, SDP);
            });
        }
        fit
    }

    fn answer_options(&mut self, received: &Received<'_>) {
        let methods = self.config.methods;
        let status = if self.account_for(received).is_some() { 200 } else { 404 };
        self.reply(received.message, &received.path, status, None, &|writer| {
            write_allow(writer, methods);
            writer.header(HeaderName::Accept, SDP);
        });
    }

    pub(super) fn is_taken(&self, method: Method<'_>) -> bool {
        let set = match method {
            Method::Register => Methods::REGISTER,
            Method::Message => Methods::MESSAGE,
            Method::Options => Methods::OPTIONS,
            Method::Subscribe => Methods::SUBSCRIBE,
            Method::Notify => Methods::NOTIFY,
            Method::Publish => Methods::PUBLISH,
            Method::Info => Methods::INFO,
            Method::Other(_) => Methods::OTHER,
            _ => return false,
        };
        self.config.methods.contains(set)
    }

    /// Hand a request to the application.
    pub(super) fn take_request(&mut self, received: &Received<'_>, call: Option<Id>) {
        let need = if call.is_some() { Need::Reserved } else { Need::New };
        let account = match call {
            Some(call) => self.calls.get(call).map(|slot| slot.account),
            None => self.account_for(received),
        };
        let turn = self.turn;
        match self.keep_request(received, (need, Purpose::Request), call, account) {
            Ok(id) => {
                self.transactions.update(id, |slot| {
                    slot.news = Some(RequestNews::Request);
                    slot.turn = turn;
                });
            }
            Err(status) => self.refuse(received, status),
        }
    }

    /// A transaction for a request that is kept until it is answered; else the status to refuse it
    /// with.
    fn keep_request(
        &mut self,
        received: &Received<'_>,
        (need, purpose): (Need, Purpose),
        call: Option<Id>,
        account: Option<Id>,
    ) -> Result<Id, u16> {
        let id = self.open_server(received, need, purpose).ok_or(503_u16)?;
        let Some(buffer) = self.buffers.keep_message(received.message) else {
            self.close_transaction(id);
            return Err(513);
        };
        self.transactions.update(id, |slot| {
            slot.message = Some(buffer);
            slot.call = call;
            slot.account = account;
        });
        Ok(id)
    }

    #[inline(never)]
    fn incoming_call(&mut self, received: &Received<'_>) {
        let message = received.message;
        let accepts = |value: &[u8]| {
            let kind = value.split(|byte| *byte == b';').next().unwrap_or(value).trim_ascii();
            [SDP, b"application/*", b"*/*"].iter().any(|fit| kind.eq_ignore_ascii_case(fit))
        };
        let lists_accepted = message.header(HeaderName::Accept).is_some();
        if lists_accepted && !message.values(HeaderName::Accept).any(accepts) {
            self.refuse(received, 406);
            return;
        }
        if !self.body_is_fit(received) {
            return;
        }
        let Some(account) = self.account_for(received) else {
            self.refuse(received, 404);
            return;
        };
        if super::dialogs::contact_uri(message).is_none() {
            self.refuse(received, 400);
            return;
        }
        let late_offer = message.body().is_empty();
        if !late_offer {
            // nothing in common is known before anybody is disturbed
            let ours = LocalMedia::new(core::net::SocketAddr::new(received.path.local.ip(), 9));
            let tried = sdp::check_offer(message.body(), &ours);
            if let Err(error) = tried {
                self.refuse(received, error.status());
                return;
            }
        }
        if let Err(status) = self.new_incoming_call(received, account, late_offer) {
            self.refuse_for_good(received, status);
        }
    }

    /// Refuse a call for want of room, and remember it where memory is to spare: else a late copy
    /// of its INVITE would ring once there is room again, when the caller has long gone.
    ///
    /// The machine is that of other requests: it answers each copy and repeats nothing by itself,
    /// so that a forged INVITE is answered with no more than one response.
    fn refuse_for_good(&mut self, received: &Received<'_>, status: u16) {
        // a message that is too long today is too long for ever
        if status == 513 || self.is_tight(self.calls.len()) {
            self.refuse(received, status);
            return;
        }
        let opened = self.open_server(received, Need::New, Purpose::None);
        let Some(id) = opened else {
            self.refuse(received, status);
            return;
        };
        let timing = self.timing_of(id);
        self.transactions.update(id, |slot| {
            slot.machine = Machine::ServerRequest(ServerRequest::start(self.now, &timing));
        });
        self.answer_given(received, id, status);
        self.stats.refused += 1;
    }

    #[inline(never)]
    fn new_incoming_call(
        &mut self,
        received: &Received<'_>,
        account: Id,
        late_offer: bool,
    ) -> Result<(), u16> {
        let opened = self.open_call(State::Ringing, account, late_offer, None);
        let call = opened.ok_or(486_u16)?;
        let made = self.fill_incoming_call(received, call, account);
        match made {
            Ok(()) => self.tell_call(call, News::INCOMING),
            Err(_) => self.remove_call(call),
        }
        made
    }

    fn fill_incoming_call(
        &mut self,
        received: &Received<'_>,
        call: Id,
        account: Id,
    ) -> Result<(), u16> {
        let dialog = self.open_dialog(call, received.head.cseq.number).ok_or(503_u16)?;
        let random = self.random_tag();
        self.fill_incoming_dialog(received, call, dialog, random).map_err(|_| 513_u16)?;
        let kind = (Need::New, Purpose::Invite);
        let id = self.keep_request(received, kind, Some(call), Some(account))?;
        self.transactions.update(id, |slot| slot.random = random);
        self.calls.update(call, |slot| slot.invite = Some(id));
        Ok(())
    }

    #[inline(never)]
    fn fill_incoming_dialog(
        &mut self,
        received: &Received<'_>,
        call: Id,
        dialog: Id,
        random: u64,
    ) -> Result<(), Error> {
        let head = received.head;
        let tag = self.call_tag(call, random);
        self.set_dialog_field(dialog, field::CALL_ID, head.call_id)?;
        self.set_dialog_field(dialog, field::LOCAL_TAG, &tag)?;
        self.set_dialog_field(dialog, field::REMOTE_TAG, head.from_tag.unwrap_or(b""))?;
        self.set_dialog_party(dialog, field::LOCAL, &head.to)?;
        self.set_dialog_party(dialog, field::REMOTE, &head.from)?;
        self.pack_routes(received.message, false)?;
        self.set_dialog_from_draft(dialog, field::ROUTES)?;
        self.refresh_target(dialog, received)
    }

    /// Keep a From or To value, unfolded and without its parameters.
    fn set_dialog_party(
        &mut self,
        dialog: Id,
        which: usize,
        value: &NameAddr<'_>,
    ) -> Result<(), Error> {
        let written = self.draft.begin().unfolded(value.without_params()).outcome();
        self.draft.end(written)?;
        self.set_dialog_from_draft(dialog, which)
    }

    /// An ACK: for a final failure it has the INVITE's branch, for a 2xx its own.
    #[inline(never)]
    fn acknowledge(&mut self, received: &Received<'_>) {
        let head = received.head;
        // an ACK for a refusal that the caller saw instead is none for our 2xx
        let by_branch =
            self.find_server(head, Method::Invite).filter(|id| self.fits_2xx(*id, head));
        let by_dialog = || {
            let (call, _) = self.find_dialog(head)?;
            let id = self.calls.get(call)?.invite?;
            (self.transactions.get(id)?.cseq == head.cseq.number).then_some(id)
        };
        // a call that ended meanwhile left its 2xx behind, which this silences
        let by_request = || self.find_orphan(head).filter(|id| self.fits_2xx(*id, head));
        let Some(id) = by_branch.or_else(by_dialog).or_else(by_request) else {
            self.stats.stray += 1;
            return;
        };
        let was_2xx = self.awaits_ack(id);
        self.drive(id, Happening::Ack);
        let slot = self.transactions.get(id);
        let Some(call) = slot.filter(|_| was_2xx).and_then(|slot| slot.call) else {
            self.forget_response(id);
            return;
        };
        self.call_acknowledged(call, id, Some(received));
        self.forget_response(id);
    }

    /// Whether this ACK can be one for the transaction's response: that to a 2xx has its To tag
    /// (RFC 3261 s13.2.2.4, s12.2.1.1).
    fn fits_2xx(&self, id: Id, ack: &Head<'_>) -> bool {
        let tag = self.tag_given_to(id).filter(|_| self.awaits_ack(id));
        tag.is_none_or(|tag| ack.to_tag == Some(&tag))
    }

    /// Whether a 2xx of ours waits for its ACK.
    pub(super) fn awaits_ack(&self, id: Id) -> bool {
        let slot = self.transactions.get(id);
        slot.is_some_and(
            |slot| matches!(&slot.machine, Machine::ServerInvite(machine) if machine.awaits_ack()),
        )
    }

    /// Nothing more is sent by this transaction: its response is not needed.
    fn forget_response(&mut self, id: Id) {
        let response = self.transactions.update(id, |slot| match &slot.machine {
            Machine::ServerInvite(machine) if machine.is_silent() => {
                slot.send_response = false;
                slot.response.take()
            }
            _ => None,
        });
        self.buffers.give(response.flatten());
    }

    /// Our 200 was acknowledged, by an ACK or by a later request that proves it.
    pub(super) fn call_acknowledged(
        &mut self,
        call: Id,
        transaction: Id,
        ack: Option<&Received<'_>>,
    ) {
        let Some(slot) = self.calls.get(call) else { return };
        let first = slot.state == State::Answered;
        let hang_up = slot.state == State::Ending && slot.bye_wanted;
        let awaits_answer = slot.awaits_answer;
        self.calls.update(call, |slot| {
            slot.awaits_answer = false;
            if slot.invite == Some(transaction) {
                slot.invite = None;
            }
        });
        if let Some(ack) = ack {
            self.keep_inbox(ack.message);
        }
        let mut failed = false;
        if awaits_answer && !hang_up {
            let ours = &self.kept_response(transaction);
            let local = self.calls.get(call).and_then(|slot| slot.local.as_ref());
            let plan = &match (ours, ack, local) {
                (Some(ours), Some(ack), Some(local)) => {
                    sdp::accept_answer(ours.body(), ack.message.body(), local).ok()
                }
                _ => None,
            };
            failed = plan.is_none();
            if let Some(plan) = plan {
                self.set_plan(call, plan);
                self.tell_media(call, Stage::Agreed);
            }
        }
        if hang_up {
            self.calls.update(call, |slot| slot.bye_wanted = false);
            self.bye(call, Reason::HungUp);
        } else if first {
            self.calls.update(call, |slot| slot.state = State::Established);
            if !failed {
                self.tell_call(call, News::ESTABLISHED);
            }
        }
        if failed && !hang_up {
            self.bye(call, Reason::NotAcceptable);
        }
    }

    fn kept_response(&self, id: Id) -> Option<Message<'_>> {
        let buffer = self.transactions.get(id)?.response.as_ref()?;
        Message::parse(self.buffers.get(buffer)).ok()
    }

    /// A CANCEL (RFC 3261 s9.2).
    #[inline(never)]
    fn give_up(&mut self, received: &Received<'_>) {
        // from the hop that sent the INVITE, or from nobody (RFC 3261 s22.1)
        let same_hop = |id: &Id| {
            let path = self.transactions.get(*id).and_then(|slot| slot.path.as_ref());
            path.is_some_and(|path| path.remote.ip() == received.path.remote.ip())
        };
        let invite = self.find_server(received.head, Method::Invite).filter(same_hop);
        let Some(invite) = invite else {
            self.refuse(received, 481);
            return;
        };
        let Some(slot) = self.transactions.get(invite) else { return };
        let open = matches!(&slot.machine, Machine::ServerInvite(machine) if machine.is_open());
        let call = slot.call;
        let tag = self.tag_given_to(invite);
        let tag = tag.as_ref().map(|tag| tag.as_slice());
        self.reply(received.message, &received.path, 200, tag, &|_| {});
        if let (true, Some(call)) = (open, call) {
            self.keep_inbox(received.message);
            self.refuse_call(call, 487, &[]);
            self.call_over(call, Reason::CallerGaveUp);
        }
    }

    /// The To tag of our responses to an INVITE that made a call, which that of its CANCEL has too
    /// (RFC 3261 s9.2), also when the call is gone.
    fn tag_given_to(&self, invite: Id) -> Option<[u8; 24]> {
        let slot = self.transactions.get(invite).filter(|slot| slot.purpose == Purpose::Invite)?;
        Some(self.call_tag(slot.call?, slot.random))
    }
}

//! Responses to requests of ours.

use crate::call::State;
use crate::limits::FORKS_ACKED_MAX;
use crate::path::Path;
use crate::random::Purpose as Draw;
use crate::sdp::{self, Direction, Origin};
use crate::sip::{
    ContentType, Head, HeaderName, Message, Method, NameAddr, Uri, WriteError, Writer,
};
use crate::table::Id;
use crate::time::{Duration, Instant};
use crate::transaction::Event as Happening;

use super::calls::SDP;
use super::compose::{self, Branch};
use super::dialogs::{address_of, contact_uri};
use super::receive::Received;
use super::slots::{Cancel, Change, Machine, News, Purpose, TransactionSlot, dialog_text as field};
use super::transactions::Need;
use super::{Endpoint, Error, Reason, Stage};

impl Endpoint<'_> {
    pub(super) fn on_response(&mut self, now: Instant, received: &Received<'_>, status: u16) {
        // more than one Via: it was meant for somebody before us (RFC 3261 s8.1.3.3)
        let found =
            if received.head.via_count == 1 { self.find_client(&received.head) } else { None };
        let Some(id) = found else {
            self.stats.stray += 1;
            return;
        };
        let purpose = self.transactions.get(id).map_or(Purpose::None, |slot| slot.purpose);
        if received.head.cseq.method == Method::Cancel {
            self.cancel_answered(now, id, status);
            return;
        }
        match purpose {
            Purpose::Register | Purpose::Query => {
                self.register_answered(now, id, received, status);
            }
            Purpose::Invite | Purpose::Reinvite => self.invite_answered(now, id, received, status),
            Purpose::Bye => self.bye_answered(now, id, received, status),
            Purpose::Request => self.request_answered(now, id, received, status),
            Purpose::None => {
                self.drive(now, id, happening(status));
            }
        }
    }

    fn cancel_answered(&mut self, now: Instant, id: Id, status: u16) {
        let path = self.transactions.get(id).and_then(|slot| slot.path);
        let timing = self.timing(path.as_ref());
        self.transactions.update(id, |slot| {
            if let Cancel::Sent(machine, _) = &mut slot.cancel {
                machine.on(happening(status), now, &timing);
                if machine.is_completed() {
                    slot.cancel = Cancel::Done; // a repeated response meets nothing and is dropped
                }
            }
        });
    }

    fn invite_answered(&mut self, now: Instant, id: Id, received: &Received<'_>, status: u16) {
        let effect = self.drive(now, id, happening(status));
        if !effect.deliver {
            return;
        }
        match status {
            100..=199 => self.invite_progresses(now, id, received, status),
            200..=299 => self.invite_accepted(now, id, received),
            _ => self.invite_failed(now, id, received, status),
        }
    }

    fn invite_progresses(&mut self, now: Instant, id: Id, received: &Received<'_>, status: u16) {
        let Some(slot) = self.transactions.get(id) else { return };
        let timing = self.timing(slot.path.as_ref());
        let (call, purpose) = (slot.call, slot.purpose);
        let change_limit = now + self.config.ring_limit;
        self.transactions.update(id, |slot| {
            if matches!(slot.cancel, Cancel::Wanted) {
                slot.begin_cancel(now, &timing);
            }
            match &mut slot.machine {
                // a first INVITE is bounded by its call; one inside must not wait for ever either
                Machine::ClientInvite(machine)
                    if purpose == Purpose::Reinvite && machine.deadline().is_none() =>
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
        self.keep_inbox(received.message.bytes());
        if let Some(tag) = received.head.to_tag {
            self.early_dialog(call, tag, received);
            let body = received.message.body();
            if !body.is_empty() && is_sdp(&received.message) {
                self.early_media(call, id, body);
            }
        }
        self.calls.update(call, |slot| slot.status = status);
        self.tell_call(call, News::PROGRESS);
    }

    fn early_dialog(&mut self, call: Id, tag: &[u8], received: &Received<'_>) {
        let known = self.dialog_for_tag(call, tag);
        let Some(dialog) = known.or_else(|| self.fork_dialog(call, tag)) else { return };
        // a text that is too long shows again at the 2xx, and ends the call there
        let _ = self.learn_from_response(dialog, received.path, &received.message, &received.head);
    }

    /// An answer in a provisional response: its media may come now, and a 200 without SDP later
    /// means that it holds.
    fn early_media(&mut self, call: Id, invite: Id, body: &[u8]) {
        let Some(slot) = self.calls.get(call) else { return };
        if slot.late_offer {
            return; // an offer in an unreliable response is not to be answered (RFC 3261 s13.2.1)
        }
        let (local, old) = (slot.local.clone(), slot.plan);
        let Some(local) = local else { return };
        let plan = self
            .kept_message(invite)
            .and_then(|ours| sdp::accept_answer(ours.body(), body, &local).ok());
        if plan.is_some() && plan != old {
            self.calls.update(call, |slot| slot.plan = plan);
            self.tell_media(call, Stage::Agreed);
        }
    }

    fn invite_accepted(&mut self, now: Instant, id: Id, received: &Received<'_>) {
        let Some(kept) = self.kept_message(id) else { return };
        if kept.method() == Some(Method::Ack) {
            let acked = tag_of_to(&kept);
            let same = acked.unwrap_or(b"") == received.head.to_tag.unwrap_or(b"");
            if same {
                self.transactions.update(id, |slot| slot.send_message = true);
            } else {
                self.end_fork(now, id, received);
            }
            return;
        }
        let Some(slot) = self.transactions.get(id) else { return };
        let purpose = slot.purpose;
        let live = |call: &Id| self.calls.get(*call).is_some_and(|slot| slot.reason.is_none());
        match slot.call.filter(live) {
            // our BYE went out meanwhile: only the ACK is missing
            None if purpose == Purpose::Reinvite => self.acknowledge_late(id, received),
            None => {
                // we gave up before: the call that stands now must go
                if self.end_fork(now, id, received) {
                    self.mark_acked(id, received);
                }
            }
            Some(call) if purpose == Purpose::Invite => self.call_answered(now, id, call, received),
            Some(call) => self.change_accepted(now, id, call, received),
        }
    }

    /// The ACK for the 2xx to a re-INVITE that our BYE overtook.
    fn acknowledge_late(&mut self, id: Id, received: &Received<'_>) {
        let call = self.transactions.get(id).and_then(|slot| slot.call);
        match call.filter(|call| self.calls.get(*call).is_some()) {
            Some(call) => {
                if let Ok(len) = self.write_ack(id, call, |writer| writer.finish()) {
                    self.keep_ack(id, len);
                }
            }
            None => {
                self.mark_acked(id, received);
                self.transactions.update(id, |slot| slot.send_message = true);
            }
        }
    }

    /// The first 2xx of a call of ours.
    fn call_answered(&mut self, now: Instant, id: Id, call: Id, received: &Received<'_>) {
        self.keep_inbox(received.message.bytes());
        let tag = received.head.to_tag.unwrap_or(b"");
        let chosen = self.dialog_for_tag(call, tag);
        let chosen = chosen.or_else(|| self.calls.get(call).map(|slot| slot.dialog));
        let Some(dialog) = chosen else { return };
        self.choose_dialog(call, dialog);
        let cseq = self.transactions.get(id).map_or(0, |slot| slot.cseq);
        self.dialogs.update(dialog, |slot| slot.local_cseq = slot.local_cseq.max(cseq));
        let learnt =
            self.learn_from_response(dialog, received.path, &received.message, &received.head);
        if learnt.is_err() {
            self.end_fork(now, id, received);
            self.call_over(now, call, Reason::TooLong);
            return;
        }
        let (acked, plan) = self.acknowledge_2xx(id, call, received);
        self.calls.update(call, |slot| {
            slot.state = State::Established;
            slot.invite = None;
            slot.deadline = None;
        });
        match (acked, plan) {
            (true, Some(plan)) => {
                self.tell_call(call, News::ESTABLISHED);
                self.set_plan(call, plan);
            }
            (true, None) => self.bye(now, call, Reason::NotAcceptable),
            (false, _) => self.bye(now, call, Reason::TooLong),
        }
    }

    /// Take an agreed plan over; the application is told where it is another than before.
    fn set_plan(&mut self, call: Id, plan: sdp::MediaPlan) {
        let old = self.calls.update(call, |slot| slot.plan.replace(plan)).flatten();
        if old != Some(plan) {
            self.tell_media(call, Stage::Agreed);
        }
    }

    /// Turn the INVITE's buffer into the ACK for its 2xx (RFC 3261 s13.2.2.4), with the INVITE's
    /// credentials, and with our answer where the peer offered. Answers whether it could be
    /// written, and what was agreed.
    fn acknowledge_2xx(
        &mut self,
        id: Id,
        call: Id,
        received: &Received<'_>,
    ) -> (bool, Option<sdp::MediaPlan>) {
        let body = received.message.body();
        let Some(slot) = self.calls.get(call) else { return (false, None) };
        let Some(local) = slot.local.clone() else { return (false, None) };
        let origin = Origin { session_id: slot.session_id, version: slot.session_version };
        let early = slot.plan.filter(|_| body.is_empty());
        let ours = self.kept_message(id);
        let we_offered = ours.is_some_and(|ours| !ours.body().is_empty());
        let mut plan = match ours {
            Some(ours) if we_offered && !body.is_empty() => {
                sdp::accept_answer(ours.body(), body, &local).ok()
            }
            _ => early.filter(|_| we_offered),
        };
        let mut shape = None;
        let written = self.write_ack(id, call, |writer| {
            if we_offered {
                return writer.finish();
            }
            writer.finish_with(SDP, |room| {
                let (len, agreed) = sdp::answer(body, &local, origin, room).map_err(|_| ())?;
                shape = sdp::Shape::of(room.get(..len).unwrap_or(&[]));
                plan = Some(agreed);
                Ok::<usize, ()>(len)
            })
        });
        let written = match written {
            // an offer that we cannot answer: the ACK goes without, and a BYE follows
            Err(_) if !we_offered => {
                plan = None;
                self.write_ack(id, call, |writer| writer.finish())
            }
            other => other,
        };
        if shape.is_some() {
            self.calls.update(call, |slot| slot.shape = shape);
        } else if let Some(ours) = self.kept_message(id).filter(|_| we_offered) {
            let shape = sdp::Shape::of(ours.body());
            self.calls.update(call, |slot| slot.shape = shape.or(slot.shape));
        }
        let Ok(len) = written else { return (false, None) };
        (self.keep_ack(id, len), plan)
    }

    fn write_ack(
        &mut self,
        id: Id,
        call: Id,
        finish: impl FnOnce(&mut Writer<'_>) -> Result<usize, WriteError>,
    ) -> Result<usize, Error> {
        let Some(dialog) = self.calls.get(call).map(|slot| slot.dialog) else {
            return Err(Error::Gone);
        };
        // the ACK is no part of the transaction: another branch, and the dialog's way
        let way = self.dialogs.get(dialog).and_then(|slot| slot.path);
        let random = self.random.u64(Draw::Branch);
        // The INVITE's credentials are for the server that it went to. Where the ACK goes past
        // that server, straight to the peer, they would only help somebody to guess the password.
        let mut same_way = true;
        let old = self.transactions.update(id, |slot| {
            let way = way.or(slot.path);
            same_way = way.map(|way| way.remote) == slot.path.map(|path| path.remote);
            slot.path = way;
            core::mem::replace(&mut slot.random, random)
        });
        let written = self.write_in_dialog(call, id, Method::Ack, &[], |writer, invite| {
            let headers = invite.into_iter().flat_map(|invite| invite.headers());
            for header in headers {
                let name = header.name;
                if same_way
                    && matches!(name, HeaderName::Authorization | HeaderName::ProxyAuthorization)
                {
                    writer.raw_header(&header);
                }
            }
            finish(writer)
        });
        self.transactions.update(id, |slot| slot.random = old.unwrap_or(random));
        written
    }

    /// The scratch buffer holds the ACK: keep it in the INVITE's place, and send it.
    fn keep_ack(&mut self, id: Id, len: usize) -> bool {
        let ack = self.scratch.get(..len).unwrap_or(&[]);
        let Some(buffer) = self.transactions.get(id).and_then(|slot| slot.message.as_ref()) else {
            return false;
        };
        let kept = self.buffers.set(buffer, ack);
        self.transactions.update(id, |slot| slot.send_message = kept);
        kept
    }

    /// The answer to our re-INVITE.
    fn change_accepted(&mut self, now: Instant, id: Id, call: Id, received: &Received<'_>) {
        self.keep_inbox(received.message.bytes());
        if let Some(dialog) = self.calls.get(call).map(|slot| slot.dialog) {
            let _ = self.refresh_target(dialog, received.path, &received.message);
        }
        let (acked, plan) = self.acknowledge_2xx(id, call, received);
        self.calls.update(call, |slot| {
            slot.change = Change::None;
            slot.invite = None;
        });
        match plan {
            Some(plan) if acked => {
                self.calls.update(call, |slot| slot.plan = Some(plan));
                self.tell_media(call, Stage::Agreed);
            }
            _ => self.change_refused(call, Reason::NotAcceptable),
        }
        let _ = now;
    }

    /// A 2xx of a fork that nobody wants (RFC 3261 s13.2.2.4): its ACK and its BYE are written from
    /// the response itself. Answers whether the ACK is on its way.
    fn end_fork(&mut self, now: Instant, id: Id, received: &Received<'_>) -> bool {
        let Some(slot) = self.transactions.get(id) else { return false };
        let (account, cseq, forks) = (slot.account, slot.cseq, slot.forks);
        let message = &received.message;
        let way = way_from(message, received.path);
        let branch = Branch { slot: id.index ^ self.mask, random: self.random.u64(Draw::Branch) };
        let ack = Fork { received, method: Method::Ack, cseq, path: &way, branch };
        let Ok(len) = ack.write(&mut self.scratch) else { return false };
        self.reply_from_scratch(way, len);
        if forks >= FORKS_ACKED_MAX {
            return true; // each of thousands of forks would cost a BYE: those time out by themselves
        }
        self.transactions.update(id, |slot| slot.forks += 1);
        let random = self.random.u64(Draw::Branch);
        let bye = TransactionSlot {
            account,
            path: Some(way),
            random,
            cseq: cseq + 1,
            since: now,
            ..TransactionSlot::IDLE
        };
        let Ok(bye_id) = self.open_transaction(bye, Need::Reserved) else { return true };
        let branch = self.branch(bye_id);
        let bye = Fork { received, method: Method::Bye, cseq: cseq + 1, path: &way, branch };
        let sent = bye
            .write(&mut self.scratch)
            .map_err(|_| Error::TooLong)
            .and_then(|len| self.launch(now, bye_id, len));
        if sent.is_err() {
            self.close_transaction(bye_id);
        }
        true
    }

    /// Remember the ACK of a fork in the INVITE's place, for repetitions of its 2xx.
    fn mark_acked(&mut self, id: Id, received: &Received<'_>) {
        let Some(slot) = self.transactions.get(id) else { return };
        let way = way_from(&received.message, received.path);
        let branch = Branch { slot: id.index ^ self.mask, random: self.random.u64(Draw::Branch) };
        let ack = Fork { received, method: Method::Ack, cseq: slot.cseq, path: &way, branch };
        if let Ok(len) = ack.write(&mut self.scratch) {
            self.keep_ack(id, len);
            self.transactions.update(id, |slot| {
                slot.path = Some(way);
                slot.send_message = false; // it went out with the BYE just now
            });
        }
    }

    fn invite_failed(&mut self, now: Instant, id: Id, received: &Received<'_>, status: u16) {
        let Some(slot) = self.transactions.get(id) else { return };
        let (call, purpose) = (slot.call, slot.purpose);
        let live = |call: &Id| self.calls.get(*call).is_some_and(|slot| slot.reason.is_none());
        let call = call.filter(live);
        let mut retried = false;
        let mut reason = Reason::Rejected(status);
        if let (401 | 407, Some(call)) = (status, call) {
            match self.retry_with_credentials(now, id, received) {
                Ok(next) => {
                    retried = true;
                    self.invite_moved(call, next);
                }
                Err(why) => reason = why,
            }
        }
        self.acknowledge_failure(id, received);
        let Some(call) = call.filter(|_| !retried) else { return };
        self.keep_inbox(received.message.bytes());
        if purpose == Purpose::Invite {
            self.call_over(now, call, reason);
            return;
        }
        self.calls.update(call, |slot| slot.invite = None);
        match status {
            491 => self.glare(now, call),
            // the dialog is gone at the peer (RFC 3261 s12.2.1.2)
            481 => self.call_over(now, call, Reason::Rejected(481)),
            408 => self.bye(now, call, Reason::TimedOut),
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
        let Ok(invite) = Message::parse(self.buffers.get(buffer)) else { return };
        let to = received.message.header(HeaderName::To);
        let mut writer = Writer::new(&mut self.scratch);
        compose::write_like_invite(&mut writer, &invite, Method::Ack, to);
        if let Ok(len) = writer.finish() {
            self.keep_ack(id, len);
        }
    }

    /// Both sides changed the call at once: wait and repeat (RFC 3261 s14.1).
    fn glare(&mut self, now: Instant, call: Id) {
        let random = u64::from(self.random.u32(Draw::Jitter));
        let Some(slot) = self.calls.get(call) else { return };
        // the owner of the Call-ID waits 2.1 to 4 s, the other 0 to 2 s, in steps of 10 ms
        let wait_ms = if slot.outgoing { 2100 + random % 191 * 10 } else { random % 201 * 10 };
        self.calls.update(call, |slot| {
            slot.change = Change::Waiting;
            slot.deadline = Some(now + Duration::from_millis(wait_ms));
        });
    }

    /// The peer does not want our hold or resume: what was agreed before holds on.
    pub(super) fn change_refused(&mut self, call: Id, reason: Reason) {
        let Some(slot) = self.calls.get(call) else { return };
        let before = slot.plan.map_or(Direction::SendRecv, |plan| plan.direction);
        let wanted = if before.sends() && !before.receives() {
            Direction::SendOnly
        } else {
            Direction::SendRecv
        };
        self.set_direction(call, wanted);
        self.calls.update(call, |slot| {
            slot.change = Change::None;
            slot.change_failure = Some(reason);
        });
        self.tell_media(call, Stage::RolledBack);
        self.tell_call(call, News::HOLD_FAILED);
    }

    fn bye_answered(&mut self, now: Instant, id: Id, received: &Received<'_>, status: u16) {
        if !self.drive(now, id, happening(status)).deliver || status < 200 {
            return;
        }
        let retried =
            matches!(status, 401 | 407) && self.retry_with_credentials(now, id, received).is_ok();
        if !retried {
            self.bye_over(id);
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

/// A request about the call that a 2xx made, written from that response alone.
struct Fork<'x, 'm> {
    received: &'x Received<'m>,
    method: Method<'x>,
    cseq: u32,
    path: &'x Path,
    branch: Branch,
}

impl Fork<'_, '_> {
    fn write(&self, room: &mut [u8]) -> Result<usize, WriteError> {
        let message = &self.received.message;
        let mut writer = Writer::new(room);
        let target = contact_uri(message).unwrap_or(self.received.head.to.uri().as_bytes());
        writer.request(self.method, target);
        compose::write_via(&mut writer, self.path, self.branch);
        writer.header_number(HeaderName::MaxForwards, 70);
        let routes = message.values(HeaderName::RecordRoute).count();
        for place in (0..routes.min(crate::limits::ROUTES_MAX)).rev() {
            if let Some(route) = message.values(HeaderName::RecordRoute).nth(place) {
                writer.open(HeaderName::Route).unfolded(route).close();
            }
        }
        for (name, value) in [
            (HeaderName::From, message.header(HeaderName::From)),
            (HeaderName::To, message.header(HeaderName::To)),
            (HeaderName::CallId, message.header(HeaderName::CallId)),
        ] {
            writer.open(name).unfolded(value.unwrap_or(b"")).close();
        }
        writer.open(HeaderName::CSeq).number(self.cseq.into()).text(b" ");
        writer.text(self.method.as_bytes()).close();
        writer.finish()
    }
}

/// Where a request about the call that a 2xx made goes first.
fn way_from(message: &Message<'_>, came: Path) -> Path {
    let routes = message.values(HeaderName::RecordRoute).last();
    let first = routes.and_then(|value| NameAddr::parse(value).ok()).map(|route| route.uri());
    let target = contact_uri(message).and_then(|uri| Uri::parse(uri).ok());
    match first.or(target).and_then(|uri| address_of(&uri, came.transport)) {
        Some(remote) if !came.transport.is_reliable() => Path { remote, ..came },
        _ => came,
    }
}

fn tag_of_to<'m>(message: &Message<'m>) -> Option<&'m [u8]> {
    Head::parse(message).ok()?.to_tag
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

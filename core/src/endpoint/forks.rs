//! Calls that a 2xx made and nobody wants: acknowledged and hung up from the response alone.

use crate::limits::FORKS_ACKED_MAX;
use crate::path::Path;
use crate::random::Purpose as Draw;
use crate::sip::{HeaderName, Method};
use crate::table::Id;

use super::accounts::texts_of;
use super::compose;
use super::dialogs::{contact_uri, next_hop};
use super::receive::Received;
use super::slots::{Purpose, account_text};
use super::transactions::Opening;
use super::{Endpoint, Error, custom};

impl Endpoint<'_> {
    /// A 2xx that nobody wants, of another fork (RFC 3261 s13.2.2.4) or of a re-INVITE whose call
    /// is over: its ACK is written from the response itself, and a fork's BYE, once. Answers
    /// whether the ACK is on its way.
    pub(super) fn end_fork(&mut self, id: Id, received: &Received<'_>) -> bool {
        let Some(slot) = self.transactions.get(id) else { return false };
        let (account, cseq, forks) = (slot.account, slot.cseq, slot.forks);
        let has_bye = slot.purpose == Purpose::Reinvite; // that of its call
        let way = way_from(received);
        if self.write_fork(id, received, Method::Ack, &way).is_err() {
            return false;
        }
        self.reply_from_draft(way);
        let key = self.fork_key(received.head);
        if has_bye || self.find_key(key, 0).is_some() {
            return true;
        }
        if forks >= FORKS_ACKED_MAX {
            return true; // each of thousands of forks would cost a BYE: those time out by themselves
        }
        self.transactions.update(id, |slot| slot.forks += 1);
        let random = self.random.u64(Draw::Branch);
        let (path, keys) = (Some(&way), [key, 0]);
        let opening = Opening { account, path, random, cseq: cseq + 1, keys, ..Opening::default() };
        let Some(bye_id) = self.open_transaction(&opening) else { return true };
        let written = self.write_fork(bye_id, received, Method::Bye, &way);
        let _ = self.launch_or_close(bye_id, written);
        true
    }

    /// Remember the ACK of a fork in the INVITE's place, for repetitions of its 2xx.
    pub(super) fn mark_acked(&mut self, id: Id, received: &Received<'_>) {
        let way = way_from(received);
        if self.write_fork(id, received, Method::Ack, &way).is_ok() {
            self.keep_ack(id);
            self.transactions.update(id, |slot| {
                slot.path = Some(way);
                slot.send_message = false; // it went out with the BYE just now
            });
        }
    }

    /// Put a request about the call that a 2xx made into the draft, from that response alone: the
    /// BYE of a transaction, or the ACK for the 2xx to one, which is no part of it.
    #[inline(never)]
    fn write_fork(
        &mut self,
        id: Id,
        received: &Received<'_>,
        method: Method<'_>,
        path: &Path,
    ) -> Result<(), Error> {
        let slot = self.transactions.get(id).ok_or(Error::Gone)?;
        let is_ack = matches!(method, Method::Ack);
        let random = if is_ack { self.random.u64(Draw::Branch) } else { slot.random };
        let branch = self.branch_with(id, random);
        let own = texts_of(&self.accounts, &self.account_text, slot.account);
        let message = received.message;
        let mut writer = self.draft.begin();
        let target = contact_uri(message).unwrap_or(received.head.to.uri().as_bytes());
        writer.request(method, target);
        compose::write_via(&mut writer, path, branch);
        writer.header_number(HeaderName::MaxForwards, 70);
        let routes = message.values(HeaderName::RecordRoute).count();
        for place in (0..routes.min(crate::limits::ROUTES_MAX)).rev() {
            if let Some(route) = message.values(HeaderName::RecordRoute).nth(place) {
                writer.open(HeaderName::Route).unfolded(route).close();
            }
        }
        for name in &[HeaderName::From, HeaderName::To, HeaderName::CallId] {
            writer.open(*name).unfolded(message.header(*name).unwrap_or(b"")).close();
        }
        compose::write_cseq(&mut writer, slot.cseq, method.as_bytes());
        custom::write(&mut writer, &[own.get(account_text::HEADERS)], method);
        let written = writer.finish();
        self.draft.end(written)
    }
}

/// Where a request about the call that a 2xx made goes first.
fn way_from(received: &Received<'_>) -> Path {
    let route = received.message.values(HeaderName::RecordRoute).last();
    next_hop(route, contact_uri(received.message).unwrap_or(b""), &received.path)
}

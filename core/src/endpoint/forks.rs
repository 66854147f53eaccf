//! Calls that a 2xx made and nobody wants: acknowledged and hung up from the response alone.

use crate::limits::FORKS_ACKED_MAX;
use crate::path::Path;
use crate::random::Purpose as Draw;
use crate::sip::{HeaderName, Message, Method, NameAddr, WriteError, Writer};
use crate::table::Id;
use crate::time::Instant;

use super::accounts::texts_of;
use super::compose::{self, Branch};
use super::dialogs::{address_of, contact_uri, read_uri};
use super::receive::Received;
use super::slots::{Purpose, account_text};
use super::transactions::Opening;
use super::{Endpoint, Error, custom};

impl Endpoint<'_> {
    /// A 2xx that nobody wants, of another fork (RFC 3261 s13.2.2.4) or of a re-INVITE whose call
    /// is over: its ACK is written from the response itself, and a fork's BYE, once. Answers
    /// whether the ACK is on its way.
    pub(super) fn end_fork(&mut self, now: Instant, id: Id, received: &Received<'_>) -> bool {
        let Some(slot) = self.transactions.get(id) else { return false };
        let (account, cseq, forks) = (slot.account, slot.cseq, slot.forks);
        let has_bye = slot.purpose == Purpose::Reinvite; // that of its call
        let message = received.message;
        let way = way_from(message, received.path);
        let branch = Branch { slot: id.index ^ self.mask, random: self.random.u64(Draw::Branch) };
        let own = texts_of(&self.accounts, &self.account_text, account);
        let headers = own.get(account_text::HEADERS);
        let ack = Fork { received, method: Method::Ack, cseq, path: &way, branch, headers };
        let Ok(len) = ack.write(&mut self.scratch) else { return false };
        self.reply_from_scratch(way, len);
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
        let Ok(bye_id) = self.open_transaction(now, &opening) else { return true };
        let branch = self.branch(bye_id);
        let own = texts_of(&self.accounts, &self.account_text, account);
        let headers = own.get(account_text::HEADERS);
        let cseq = cseq + 1;
        let bye = Fork { received, method: Method::Bye, cseq, path: &way, branch, headers };
        let written = bye.write(&mut self.scratch).map_err(|_| Error::TooLong);
        let _ = self.launch_or_close(now, bye_id, written);
        true
    }

    /// Remember the ACK of a fork in the INVITE's place, for repetitions of its 2xx.
    pub(super) fn mark_acked(&mut self, id: Id, received: &Received<'_>) {
        let Some(slot) = self.transactions.get(id) else { return };
        let way = way_from(received.message, received.path);
        let branch = Branch { slot: id.index ^ self.mask, random: self.random.u64(Draw::Branch) };
        let own = texts_of(&self.accounts, &self.account_text, slot.account);
        let headers = own.get(account_text::HEADERS);
        let cseq = slot.cseq;
        let ack = Fork { received, method: Method::Ack, cseq, path: &way, branch, headers };
        if let Ok(len) = ack.write(&mut self.scratch) {
            self.keep_ack(id, len);
            self.transactions.update(id, |slot| {
                slot.path = Some(way);
                slot.send_message = false; // it went out with the BYE just now
            });
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
    /// Custom headers of the account, packed.
    headers: &'x [u8],
}

impl Fork<'_, '_> {
    fn write(&self, room: &mut [u8]) -> Result<usize, WriteError> {
        let message = self.received.message;
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
        custom::write(&mut writer, &[self.headers], self.method);
        writer.finish()
    }
}

/// Where a request about the call that a 2xx made goes first.
fn way_from(message: &Message<'_>, came: Path) -> Path {
    let routes = message.values(HeaderName::RecordRoute).last();
    let first = routes.and_then(|value| NameAddr::parse(value).ok()).map(|route| route.uri());
    let target = contact_uri(message).and_then(read_uri);
    match first.or(target).and_then(|uri| address_of(&uri, came.transport)) {
        Some(remote) if !came.transport.is_reliable() => Path { remote, ..came },
        _ => came,
    }
}

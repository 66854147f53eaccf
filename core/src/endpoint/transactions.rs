//! Slots of transactions: made, found, given up.

use core::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::buffers::BufferId;
use crate::index::KEYS;
use crate::path::Path;
use crate::sip::{Head, HeaderName, Message, Method, StartLine};
use crate::table::Id;
use crate::transaction::{
    ClientInvite, ClientRequest, Effect, Event, Gone, ServerInvite, ServerRequest, Timing, Transmit,
};

use super::compose::{Branch, MAGIC};
use super::receive::Received;
use super::responses::happening;
use super::slots::{Machine, Purpose, TransactionSlot};
use super::{Endpoint, Error};

/// What a new transaction begins with.
#[derive(Default)]
pub(super) struct Opening<'x> {
    pub(super) need: Need,
    pub(super) purpose: Purpose,
    pub(super) account: Option<Id>,
    pub(super) call: Option<Id>,
    pub(super) path: Option<&'x Path>,
    pub(super) random: u64,
    pub(super) cseq: u32,
    pub(super) keys: [u64; KEYS],
}

/// Who asks for a slot or buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Need {
    /// Something new: leaves one slot and one buffer in reserve for each live call.
    New,
    #[default]
    /// What keeps a live call going or ends it: may use the reserve.
    Reserved,
}

impl Endpoint<'_> {
    pub(super) fn timing(&self, path: Option<&Path>) -> Timing {
        Timing {
            t1: self.config.t1,
            t2: self.config.t2,
            t4: self.config.t4,
            reliable: path.is_some_and(|path| path.transport.is_reliable()),
        }
    }

    /// The same for the way of a transaction.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn timing_of(&self, id: Id) -> Timing {
        self.timing(self.transactions.get(id).and_then(|slot| slot.path.as_ref()))
    }

    /// A slot for a new transaction. Where all are in use the oldest lingerer gives way.
    pub(super) fn open_transaction(&mut self, opening: &Opening<'_>) -> Option<Id> {
        let reserve = match opening.need {
            Need::New => self.calls.len(),
            Need::Reserved => 0,
        };
        while self.is_tight(reserve) && self.evict() {}
        if self.is_tight(reserve) {
            self.stats.refused_no_room += 1;
            return None;
        }
        let id = self.transactions.insert(|slot| {
            slot.purpose = opening.purpose;
            (slot.account, slot.call) = (opening.account, opening.call);
            slot.path = opening.path.copied();
            (slot.random, slot.cseq) = (opening.random, opening.cseq);
            (slot.keys, slot.since) = (opening.keys, self.now);
        })?;
        for (which, key) in opening.keys.iter().enumerate().filter(|(_, key)| **key != 0) {
            self.index.insert(*key, which, self.transactions.place(id));
        }
        Some(id)
    }

    pub(super) fn is_tight(&self, reserve: usize) -> bool {
        self.transactions.free() <= reserve || self.buffers.free() <= reserve
    }

    /// Remove the lingering transaction that is missed least: those that only absorb copies first,
    /// the oldest of them first. Never one that a live call or the application waits for: an
    /// accepted INVITE acknowledges for as long as its call lives, and gives way last after it.
    ///
    /// A large table is not looked through as a whole each time: slots are used in turn, so the
    /// oldest stand where the last victim stood.
    fn evict(&mut self) -> bool {
        let mut victim = None;
        let places = self.transactions.around(self.evict_from).take(EVICT_LOOKS_MAX);
        for (look, found) in places.enumerate() {
            if look % EVICT_WINDOW == 0 && victim.is_some() {
                break;
            }
            let Some((id, slot)) = found else { continue };
            let in_call = slot.call.is_some_and(|call| self.calls.get(call).is_some());
            let Some(class) = linger_class(slot, in_call) else { continue };
            let rank = (class, slot.since, self.transactions.place(id));
            if victim.is_none_or(|(least, _)| rank < least) {
                victim = Some((rank, id));
            }
        }
        let Some((_, id)) = victim else { return false };
        self.evict_from = self.transactions.place(id);
        self.stats.evicted += 1;
        self.close_transaction(id);
        true
    }

    /// Remove a transaction and give everything back that it holds.
    pub(super) fn close_transaction(&mut self, id: Id) {
        let Some(slot) = self.transactions.get(id) else { return };
        for (which, key) in slot.keys.iter().enumerate().filter(|(_, key)| **key != 0) {
            let transactions = &self.transactions;
            self.index.remove(*key, which, transactions.place(id), |index, which| {
                let slot = transactions.at(index);
                slot.and_then(|(_, slot)| slot.keys.get(which)).copied().unwrap_or(0)
            });
        }
        let held = self.transactions.update(id, |slot| [slot.message.take(), slot.response.take()]);
        let [message, response] = held.unwrap_or_default();
        self.buffers.give(message);
        self.buffers.give(response);
        self.transactions.remove(id);
    }

    /// Keep the draft as the request of a client transaction, and start it.
    pub(super) fn launch(&mut self, id: Id) -> Result<(), Error> {
        self.forget_request(id);
        let message = self.keep_draft()?;
        let timing = self.timing_of(id);
        self.transactions.update(id, |slot| {
            slot.message = Some(message);
            slot.doomed = false; // a retry in the slot of a request that was over begins anew
            if slot.path.is_some() {
                slot.machine = match slot.purpose {
                    Purpose::Invite | Purpose::Reinvite => {
                        Machine::ClientInvite(ClientInvite::start(self.now, &timing))
                    }
                    _ => Machine::ClientRequest(ClientRequest::start(self.now, &timing)),
                };
                slot.send_message = true;
            }
        });
        Ok(())
    }

    /// The same for a request that may not have been written; without it there is no transaction.
    pub(super) fn launch_or_close(
        &mut self,
        id: Id,
        written: Result<(), Error>,
    ) -> Result<(), Error> {
        let launched = written.and_then(|()| self.launch(id));
        if launched.is_err() {
            self.close_transaction(id);
        }
        launched
    }

    /// A buffer with the draft.
    pub(super) fn keep_draft(&mut self) -> Result<BufferId, Error> {
        if self.buffers.free() == 0 {
            self.evict();
        }
        self.buffers.keep(self.draft.bytes()).ok_or(Error::NoRoom)
    }

    /// Replace the response of a server transaction by the draft, and tell
    /// the machine. Where no buffer is free a final response takes that of the request, which it
    /// answers; without one it is sent once, without a memory.
    pub(super) fn send_response(&mut self, id: Id, status: u16) {
        let Some(slot) = self.transactions.get(id) else { return };
        let Some(path) = slot.path else { return };
        let is_final = status >= 200;
        if slot.response.is_none() {
            let buffer = match self.keep_draft() {
                Ok(buffer) => Some(buffer),
                Err(_) if is_final => {
                    self.transactions.update(id, |slot| slot.message.take()).flatten()
                }
                Err(_) => None,
            };
            self.transactions.update(id, |slot| slot.response = buffer);
        }
        match self.transactions.get(id).and_then(|slot| slot.response.as_ref()) {
            Some(response) => {
                self.buffers.set(response, self.draft.bytes());
            }
            None => {
                self.stats.refused_no_room += 1;
                self.reply_from_draft(path);
                if is_final {
                    self.close_transaction(id);
                    return;
                }
            }
        }
        self.drive(id, happening(status));
        if is_final {
            self.forget_request(id); // the final response answers it: it is not needed now
        }
    }

    /// Put an event into the machine of a transaction and carry out what it says about sending;
    /// the rest is the caller's.
    pub(super) fn drive(&mut self, id: Id, event: Event) -> Effect {
        let timing = self.timing_of(id);
        let effect = self.transactions.update(id, |slot| {
            let effect = match &mut slot.machine {
                Machine::Idle => Effect::default(),
                Machine::ClientInvite(machine) => machine.on(event, self.now, &timing),
                Machine::ClientRequest(machine) => machine.on(event, self.now, &timing),
                Machine::ServerInvite(machine) => machine.on(event, self.now, &timing),
                Machine::ServerRequest(machine) => machine.on(event, self.now, &timing),
            };
            match effect.transmit {
                Transmit::Nothing => {}
                Transmit::Request | Transmit::Ack => slot.send_message = slot.message.is_some(),
                Transmit::Response => slot.send_response = slot.response.is_some(),
            }
            slot.doomed |= effect.gone == Some(Gone::Done);
            effect
        });
        effect.unwrap_or_default()
    }

    /// The ACK for a 2xx is missed by nobody any more, or cannot be found, as the dialog is gone: the
    /// 2xx is not repeated.
    pub(super) fn stop_repeating(&mut self, id: Id) {
        let timing = self.timing_of(id);
        self.transactions.update(id, |slot| {
            if let Machine::ServerInvite(machine) = &mut slot.machine
                && machine.awaits_ack()
            {
                machine.on(Event::Ack, slot.since, &timing);
                slot.send_response = false;
            }
        });
    }

    /// A new server transaction for a request, findable by its branch.
    pub(super) fn open_server(
        &mut self,
        received: &Received<'_>,
        need: Need,
        purpose: Purpose,
    ) -> Option<Id> {
        let head = received.head;
        let path = received.reply_path();
        let timing = self.timing(Some(&path));
        let is_invite = matches!(head.cseq.method, Method::Invite);
        let machine = if is_invite {
            Machine::ServerInvite(ServerInvite::start(self.now))
        } else {
            Machine::ServerRequest(ServerRequest::start(self.now, &timing))
        };
        let method = head.cseq.method;
        let keys = [self.branch_key(head, method), self.merge_key(head, method)];
        let keys = if head.to_tag.is_some() { [keys[0], 0] } else { keys };
        let (path, cseq) = (Some(&path), head.cseq.number);
        let opening = Opening { need, purpose, path, keys, cseq, ..Opening::default() };
        let id = self.open_transaction(&opening)?;
        self.transactions.update(id, |slot| slot.machine = machine);
        Some(id)
    }

    /// The server transaction that a request belongs to: `method` is INVITE for an ACK, and for a
    /// CANCEL to find what it cancels.
    pub(super) fn find_server(&self, head: &Head<'_>, method: Method<'_>) -> Option<Id> {
        let key = self.branch_key(head, method);
        self.find_key(key, 0)
    }

    /// Whether the same request came by another way before (RFC 3261 s8.2.2.2).
    pub(super) fn is_merged(&self, head: &Head<'_>) -> bool {
        head.to_tag.is_none() && self.find_key(self.merge_key(head, head.cseq.method), 1).is_some()
    }

    /// The INVITE of a call that is gone, which an ACK is for by what the two have in common: the
    /// tags that it could be told by went with the call.
    pub(super) fn find_orphan(&self, ack: &Head<'_>) -> Option<Id> {
        let id = self.find_key(self.merge_key(ack, Method::Invite), 1)?;
        let call = self.transactions.get(id)?.call;
        call.is_none_or(|call| self.calls.get(call).is_none()).then_some(id)
    }

    pub(super) fn find_key(&self, key: u64, which: usize) -> Option<Id> {
        let slot = |index| self.transactions.at(index);
        let hit = |index| slot(index).is_some_and(|(_, slot)| slot.keys.get(which) == Some(&key));
        self.index.find(key, which, hit).and_then(slot).map(|(id, _)| id)
    }

    /// The client transaction that a response belongs to (RFC 3261 s17.1.3), found by our branch.
    pub(super) fn find_client(&self, head: &Head<'_>) -> Option<Id> {
        let branch = Branch::parse(head.via.branch()?)?;
        let (id, slot) = self.transactions.at(branch.slot ^ self.mask)?;
        let is_invite = matches!(slot.machine, Machine::ClientInvite(_));
        let is_request = matches!(slot.machine, Machine::ClientRequest(_));
        let for_invite = matches!(head.cseq.method, Method::Invite | Method::Cancel);
        let fits = is_invite && for_invite || is_request && !for_invite;
        // the Via must be ours in all (RFC 3261 s18.1.2)
        let path = slot.path.as_ref()?;
        let port = head.via.port().unwrap_or(path.transport.default_port());
        let is_ours = head.via.host().address()? == path.local.ip() && port == path.local.port();
        let same = slot.random == branch.random && slot.cseq == head.cseq.number;
        (fits && is_ours && same).then_some(id)
    }

    /// A fresh branch for the transaction in this slot.
    pub(super) fn branch(&self, id: Id) -> Branch {
        self.branch_with(id, self.transactions.get(id).map_or(0, |slot| slot.random))
    }

    pub(super) fn branch_with(&self, id: Id, random: u64) -> Branch {
        Branch { slot: self.transactions.place(id) ^ self.mask, random }
    }

    /// RFC 3261 s17.2.3: branch, sent-by and method; for an RFC 2543 peer what that section names
    /// instead. Never zero. Call-ID, From tag and CSeq number are the same in all messages of a
    /// transaction, and belong to the key besides: else whoever guesses or repeats a branch of
    /// somebody else's could cancel his call.
    fn branch_key(&self, head: &Head<'_>, method: Method<'_>) -> u64 {
        let mut hash = self.hasher(b'b');
        match head.via.branch().filter(|branch| branch.starts_with(MAGIC)) {
            Some(branch) => {
                feed(&mut hash, branch);
                feed(&mut hash, head.via.host().as_bytes());
                hash.write_u32(head.via.port().unwrap_or(0).into());
            }
            None => {
                if let StartLine::Request { uri, .. } = head.start {
                    feed(&mut hash, uri);
                }
                feed(&mut hash, head.via.as_bytes());
            }
        }
        feed(&mut hash, head.call_id);
        feed(&mut hash, head.from_tag.unwrap_or(b""));
        hash.write_u32(head.cseq.number);
        let method = if matches!(method, Method::Ack) { Method::Invite } else { method };
        feed(&mut hash, method.as_bytes());
        hash.finish().max(1)
    }

    fn merge_key(&self, head: &Head<'_>, method: Method<'_>) -> u64 {
        let mut hash = self.hasher(b'm');
        feed(&mut hash, head.call_id);
        feed(&mut hash, head.from_tag.unwrap_or(b""));
        hash.write_u32(head.cseq.number);
        feed(&mut hash, method.as_bytes());
        hash.finish().max(1)
    }

    /// What tells the BYE for a surplus fork by its 2xx.
    pub(super) fn fork_key(&self, head: &Head<'_>) -> u64 {
        let mut hash = self.hasher(b'f');
        feed(&mut hash, head.call_id);
        feed(&mut hash, head.to_tag.unwrap_or(b""));
        hash.write_u32(head.cseq.number);
        hash.finish().max(1)
    }

    #[cfg_attr(target_os = "none", inline(never))]
    fn hasher(&self, domain: u8) -> SipHasher13 {
        let [a, b] = self.hash_key;
        let mut hash = SipHasher13::new_with_keys(a, b);
        hash.write_u8(domain);
        hash
    }

    /// The message that a transaction keeps in its request buffer.
    pub(super) fn kept_message(&self, id: Id) -> Option<Message<'_>> {
        self.buffers.message(self.transactions.get(id)?.message.as_ref()?)
    }
}

fn feed(hash: &mut SipHasher13, part: &[u8]) {
    hash.write_u32(part.len() as u32); // of four bytes on every target; no part is longer
    hash.write(part);
}

/// Slots that are compared to find the one that is missed least; small tables are seen whole.
const EVICT_WINDOW: usize = 128;
/// How far is looked where all of those are at work.
const EVICT_LOOKS_MAX: usize = 64 * EVICT_WINDOW;

/// How little a transaction is missed; `None` for one that is still at work.
fn linger_class(slot: &TransactionSlot, in_call: bool) -> Option<u8> {
    if slot.news.is_some() || slot.send_message || slot.send_response {
        return None;
    }
    match &slot.machine {
        Machine::ClientInvite(machine) if machine.is_completed() => Some(0),
        Machine::ClientRequest(machine) if machine.is_completed() => Some(0),
        Machine::ServerInvite(machine) if machine.is_silent() => Some(1),
        Machine::ServerRequest(machine) if !machine.is_open() => Some(2),
        Machine::ServerInvite(machine) if machine.is_completed() => Some(3),
        Machine::ClientInvite(machine) if !machine.is_open() && !in_call => Some(4),
        _ => None,
    }
}

impl Endpoint<'_> {
    /// What a stateless response's tag follows from: the same for a repeated request.
    pub(super) fn request_hash(&self, request: &Message<'_>) -> u64 {
        let mut hash = self.hasher(b't');
        for name in &[HeaderName::Via, HeaderName::From, HeaderName::CallId] {
            feed(&mut hash, request.header(*name).unwrap_or(b""));
        }
        hash.finish()
    }
}

//! What the application does with calls.

use crate::call::State;
use crate::index::KEYS;
use crate::path::Path;
use crate::random::Purpose as Draw;
use crate::scan::find;
use crate::sdp::LocalMedia;
use crate::sip::{HeaderName, Method};
use crate::table::Id;
use crate::time::Due;

use super::accounts::texts_of;
use super::compose::{ContactKind, Party, Request, hex_text};
use super::dialogs::{Target, read_uri, set_text, texts_of_dialog};
use super::draft::Ending;
use super::negotiation::Negotiation;
use super::slots::{
    CallSlot, Cancel, Change, Machine, News, Purpose, Resolving, account_text, dialog_text as field,
};
use super::transactions::{Need, Opening};
use super::{AccountId, CallId, CustomHeader, Endpoint, Error, OutgoingCall, Reason, Reply, Stage};

impl Endpoint<'_> {
    #[inline(never)]
    pub(super) fn place_call(&mut self, call: &OutgoingCall<'_>) -> Result<Reply, Error> {
        let AccountId(account) = call.account;
        self.accounts.get(account).ok_or(Error::Gone)?;
        let (late, local) = (call.late_offer, Some(call.media.clone()));
        let id = self.open_call(State::Resolving, account, late, local).ok_or(Error::NoRoom)?;
        if let Err(error) = self.start_call(id, account, call) {
            self.remove_call(id);
            return Err(error);
        }
        Ok(Reply::Call(CallId(id)))
    }

    fn start_call(&mut self, id: Id, account: Id, call: &OutgoingCall<'_>) -> Result<(), Error> {
        let dialog = self.open_dialog(id, 0).ok_or(Error::NoRoom)?;
        self.fill_outgoing_dialog(id, dialog, account, call)?;
        let Some(path) = self.first_hop(account, dialog) else {
            self.calls.update(id, |slot| slot.resolving = Resolving::Wanted);
            return Ok(());
        };
        self.invite(id, path)
    }

    /// A slot for a new call, of ours or of the peer's.
    pub(super) fn open_call(
        &mut self,
        state: State,
        account: Id,
        late_offer: bool,
        local: Option<LocalMedia>,
    ) -> Option<Id> {
        self.make_room_for_call();
        let outgoing = state == State::Resolving;
        let limit = if outgoing { self.config.ring_limit } else { self.config.answer_limit };
        let session_id = self.random.u64(Draw::Sdp) >> 2;
        let deadline = Due::at(self.now + limit);
        self.calls.insert(|slot| {
            (slot.state, slot.outgoing, slot.late_offer) = (state, outgoing, late_offer);
            (slot.account, slot.local) = (account, local);
            (slot.session_id, slot.deadline) = (session_id, deadline);
        })
    }

    /// The first dialog of a call; its texts come later.
    pub(super) fn open_dialog(&mut self, call: Id, remote_cseq: u32) -> Option<Id> {
        let local_cseq = self.random.u32(Draw::CSeq) >> 4;
        let dialog = self.dialogs.insert(|slot| {
            (slot.local_cseq, slot.remote_cseq) = (local_cseq, remote_cseq);
        })?;
        self.calls.update(call, |slot| slot.dialog = dialog);
        Some(dialog)
    }

    /// The far tag and target come later.
    #[inline(never)]
    fn fill_outgoing_dialog(
        &mut self,
        call: Id,
        dialog: Id,
        account: Id,
        outgoing: &OutgoingCall<'_>,
    ) -> Result<(), Error> {
        let random = self.random_tag();
        let tag = self.call_tag(call, random);
        let (a, b) = (self.random.u64(Draw::CallId), self.random.u64(Draw::CallId));
        let mut call_id = [0; 32];
        let (first, second) = call_id.split_at_mut(16);
        hex_text(a, first);
        hex_text(b, second);
        self.set_dialog_field(dialog, field::CALL_ID, &call_id)?;
        self.set_dialog_field(dialog, field::LOCAL_TAG, &tag)?;
        self.write_own_address(account)?;
        self.set_dialog_from_draft(dialog, field::LOCAL)?;
        self.write_target(account, outgoing.target)?;
        self.set_dialog_from_draft(dialog, field::TARGET)?;
        let text = texts_of_dialog(&self.dialogs, &self.dialog_text, Some(dialog));
        let remote = Party::identity(&[], text.get(field::TARGET), &[]);
        let written = remote.write(&mut self.draft.begin()).outcome();
        self.draft.end(written)?;
        self.set_dialog_from_draft(dialog, field::REMOTE)?;
        self.draft.pack(outgoing.headers)?;
        self.set_dialog_from_draft(dialog, field::HEADERS)
    }

    pub(super) fn set_dialog_from_draft(&mut self, dialog: Id, which: usize) -> Result<(), Error> {
        let text = self.draft.bytes();
        set_text(&mut self.dialogs, &mut self.dialog_text, dialog, which, text)
    }

    pub(super) fn random_tag(&mut self) -> u64 {
        self.random.u64(Draw::Tag)
    }

    /// The account's From value, into the draft.
    pub(super) fn write_own_address(&mut self, account: Id) -> Result<(), Error> {
        let own = texts_of(&self.accounts, &self.account_text, Some(account));
        let mut writer = self.draft.begin();
        let name = own.get(account_text::DISPLAY_NAME);
        let party = Party::identity(name, own.get(account_text::IDENTITY), &[]);
        let written = party.write(&mut writer).outcome();
        self.draft.end(written)
    }

    /// The URI of whom to call, into the draft: as given, or a user part at the account's
    /// registrar or domain.
    pub(super) fn write_target(&mut self, account: Id, target: &str) -> Result<(), Error> {
        let own = texts_of(&self.accounts, &self.account_text, Some(account));
        let mut home = own.get(account_text::REGISTRAR);
        if home.is_empty() {
            home = own.get(account_text::IDENTITY);
        }
        let mut writer = self.draft.begin();
        if find(b':', target.as_bytes()).is_some() {
            writer.text(target.as_bytes());
        } else {
            let home = &read_uri(home);
            let home = home.as_ref().ok_or(Error::Invalid)?;
            let host = home.host().ok_or(Error::Invalid)?;
            writer.text(b"sip:").text(target.as_bytes()).text(b"@").text(host.as_bytes());
            if let Some(port) = home.port() {
                writer.text(b":").number(port.into());
            }
        }
        let written = writer.outcome();
        self.draft.end(written).map_err(|_| Error::Invalid)?;
        let target = &read_uri(self.draft.bytes());
        let fits = target.as_ref().is_some_and(|uri| uri.is_sip() && uri.host().is_some());
        if fits { Ok(()) } else { Err(Error::Invalid) }
    }

    /// Where a request outside a dialog goes first, if that is known: the outbound proxy, or the
    /// target itself.
    fn first_hop(&self, account: Id, dialog: Id) -> Option<Path> {
        let mut first = self.account_field(account, account_text::OUTBOUND_PROXY);
        if first.is_empty() {
            first = self.dialog_field(dialog, field::TARGET);
        } else if let Some(server) = self.accounts.get(account)?.server {
            return Some(server);
        }
        self.known_path(&read_uri(first)?)
    }

    pub(super) fn call_resolved(&mut self, id: Id, path: Option<Path>) {
        let Some(slot) = self.calls.get(id) else { return };
        if slot.state != State::Resolving || slot.resolving == Resolving::No {
            return;
        }
        self.calls.update(id, |slot| slot.resolving = Resolving::No);
        let outcome = match path {
            Some(path) => self.invite(id, path).map_err(|error| match error {
                Error::TooLong => Reason::TooLong,
                _ => Reason::NoRoom,
            }),
            None => Err(Reason::Unreachable),
        };
        if let Err(reason) = outcome {
            self.call_over(id, reason);
        }
    }

    /// Send the first INVITE.
    fn invite(&mut self, call: Id, path: Path) -> Result<(), Error> {
        let dialog = self.calls.get(call).ok_or(Error::Gone)?.dialog;
        self.dialogs.update(dialog, |slot| slot.path = Some(path));
        self.send_invite(call, Purpose::Invite, Need::New)?;
        self.calls.update(call, |slot| slot.state = State::Calling);
        Ok(())
    }

    /// Send an INVITE, the first or one inside the dialog, with our offer unless it is late.
    pub(super) fn send_invite(
        &mut self,
        call: Id,
        purpose: Purpose,
        need: Need,
    ) -> Result<(), Error> {
        let id = self.open_request(call, purpose, need)?;
        let written = self.write_invite(call, id);
        self.launch_or_close(id, written)?;
        self.calls.update(call, |slot| slot.invite = Some(id));
        Ok(())
    }

    #[inline(never)]
    fn write_invite(&mut self, call: Id, transaction: Id) -> Result<(), Error> {
        let slot = self.calls.get(call).ok_or(Error::Gone)?;
        let late = slot.late_offer && slot.plan.is_none();
        let session = &mut Negotiation::of(slot);
        let session = session.as_mut().ok_or(Error::State)?;
        let ending = if late { Ending::Nothing } else { Ending::Offer(session) };
        self.write_in_dialog(call, transaction, Method::Invite, &[], ending)
    }

    /// A slot for a request inside a call, with the next CSeq.
    pub(super) fn open_request(
        &mut self,
        call: Id,
        purpose: Purpose,
        need: Need,
    ) -> Result<Id, Error> {
        let slot = self.calls.get(call).ok_or(Error::Gone)?;
        let (account, dialog) = (slot.account, slot.dialog);
        let path = self.dialogs.get(dialog).and_then(|slot| slot.path);
        let path = Some(path.as_ref().ok_or(Error::State)?);
        let random = self.random.u64(Draw::Branch);
        let next = self.dialogs.update(dialog, |slot| {
            slot.local_cseq += 1;
            slot.local_cseq
        });
        let cseq = next.ok_or(Error::Gone)?;
        let (account, call, keys) = (Some(account), Some(call), [0; KEYS]);
        let opening = Opening { need, purpose, account, call, path, random, cseq, keys };
        self.open_transaction(&opening).ok_or(Error::NoRoom)
    }

    /// Put a request inside a dialog into the draft.
    #[inline(never)]
    pub(super) fn write_in_dialog(
        &mut self,
        call: Id,
        transaction: Id,
        method: Method<'_>,
        extra: &[CustomHeader<'_>],
        ending: Ending<'_>,
    ) -> Result<(), Error> {
        let slot = self.transactions.get(transaction).ok_or(Error::Gone)?;
        // only an ACK takes something over: credentials, where the INVITE was challenged
        let kept = slot.message.as_ref().filter(|_| slot.given != [0; 2]);
        let kept = kept.and_then(|buffer| self.buffers.message(buffer));
        let branch = self.branch_with(transaction, slot.random);
        let call = self.calls.get(call).ok_or(Error::Gone)?;
        let text = texts_of_dialog(&self.dialogs, &self.dialog_text, Some(call.dialog));
        let own = texts_of(&self.accounts, &self.account_text, Some(call.account));
        let remote_tag = text.get(field::REMOTE_TAG);
        let uri = text.get(field::TARGET);
        let begins = matches!(method, Method::Invite) && remote_tag.is_empty();
        let target = if begins {
            Target::outside(uri, own.get(account_text::OUTBOUND_PROXY))
        } else {
            Target::of(uri, text.get(field::ROUTES))
        };
        let mut writer = self.draft.begin();
        let request = Request {
            method,
            target,
            path: slot.path.as_ref(),
            branch,
            from: Party::value(text.get(field::LOCAL), text.get(field::LOCAL_TAG)),
            to: Party::value(text.get(field::REMOTE), remote_tag),
            call_id: text.get(field::CALL_ID),
            cseq: slot.cseq,
            contact: ContactKind::for_method(method),
            account: own,
            headers: text.get(field::HEADERS),
            extra,
            methods: self.config.methods,
        };
        request.write(&mut writer);
        if let Some(invite) = &kept {
            for header in invite.headers() {
                let name = header.name;
                if matches!(name, HeaderName::Authorization | HeaderName::ProxyAuthorization) {
                    writer.raw_header(&header);
                }
            }
        }
        let written = ending.write(&mut writer, &[]);
        self.draft.end(written)
    }

    #[inline(never)]
    pub(super) fn end_call(&mut self, call: CallId, reason: Reason) -> Result<Reply, Error> {
        let CallId(id) = call;
        let slot = self.live_call(id)?;
        match slot.state {
            State::Resolving | State::Calling => {
                let reason = if reason == Reason::HungUp { Reason::Cancelled } else { reason };
                self.call_over(id, reason);
            }
            State::Ringing => {
                let status = if reason == Reason::NoAnswer { 480 } else { 603 };
                self.refuse_call(id, status, &[]);
                let declined = reason == Reason::HungUp;
                self.call_over(id, if declined { Reason::Declined(status) } else { reason });
            }
            State::Answered => {
                // no BYE before the ACK (RFC 3261 s15): it goes out when that comes
                self.calls.update(id, |slot| {
                    slot.bye_wanted = true;
                    slot.state = State::Ending;
                });
                self.tell_end(id, reason);
            }
            State::Established => self.bye(id, reason),
            State::Idle | State::Ending | State::Over => {}
        }
        Ok(Reply::Done)
    }

    /// Send BYE; the call is over for the application at once, its slot waits for the response.
    pub(super) fn bye(&mut self, call: Id, reason: Reason) {
        self.cancel_open_invite(call);
        self.calls.update(call, |slot| slot.state = State::Ending);
        self.tell_end(call, reason);
        let sent = self.open_request(call, Purpose::Bye, Need::Reserved).and_then(|id| {
            let written = self.write_in_dialog(call, id, Method::Bye, &[], Ending::Nothing);
            self.launch_or_close(id, written)
        });
        if sent.is_err() {
            self.stats.refused_no_room += 1;
            self.call_over(call, reason);
        }
    }

    /// Cancel an INVITE that has no final response, as soon as that is allowed, and let go of it.
    pub(super) fn cancel(&mut self, invite: Id) {
        let timing = self.timing_of(invite);
        self.transactions.update(invite, |slot| {
            slot.call = None;
            if !matches!(slot.cancel, Cancel::No) {
                return;
            }
            if let Machine::ClientInvite(machine) = &slot.machine {
                slot.cancel = Cancel::Wanted;
                if machine.is_proceeding() {
                    slot.begin_cancel(self.now, &timing);
                }
            }
        });
    }

    /// Nothing more is to come of a call: tell the application, then free it.
    pub(super) fn call_over(&mut self, call: Id, reason: Reason) {
        self.cancel_open_invite(call);
        self.calls.update(call, |slot| {
            slot.state = State::Over;
            slot.resolving = Resolving::No;
        });
        self.tell_end(call, reason);
        if self.calls.get(call).is_some_and(|slot| slot.told) {
            self.remove_call(call); // nobody will ask for it again
        }
    }

    /// An INVITE of ours that is open when its call ends would wait for ever, since only its call
    /// limits how long it may ring.
    fn cancel_open_invite(&mut self, call: Id) {
        let Some(invite) = self.calls.get(call).and_then(|slot| slot.invite) else { return };
        let is_open = self.transactions.get(invite).is_some_and(
            |slot| matches!(&slot.machine, Machine::ClientInvite(machine) if machine.is_open()),
        );
        if is_open {
            self.cancel(invite);
            self.calls.update(call, |slot| slot.invite = None);
        }
    }

    pub(super) fn tell_end(&mut self, call: Id, reason: Reason) {
        let turn = self.turn;
        self.calls.update(call, |slot| {
            if !slot.told && slot.reason.is_none() {
                slot.reason = Some(reason);
                slot.news.add(News::ENDED);
                slot.turn = turn;
                slot.deadline = Due::NEVER;
                slot.change = Change::None;
            }
        });
    }

    pub(super) fn tell_call(&mut self, call: Id, news: News) {
        let turn = self.turn;
        self.calls.update(call, |slot| {
            if slot.reason.is_none() {
                slot.news.add(news);
                slot.turn = turn;
            }
        });
    }

    pub(super) fn tell_media(&mut self, call: Id, stage: Stage) {
        self.calls.update(call, |slot| slot.stage = stage);
        self.tell_call(call, News::MEDIA);
    }

    pub(super) fn live_call(&self, id: Id) -> Result<&CallSlot, Error> {
        let slot = self.calls.get(id).ok_or(Error::Gone)?;
        if slot.state.is_live() && slot.reason.is_none() { Ok(slot) } else { Err(Error::Gone) }
    }

    /// Whether a call goes on that the application was not told the end of.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn goes_on(&self, call: Id) -> bool {
        self.calls.get(call).is_some_and(|slot| slot.reason.is_none())
    }

    pub(super) fn live_call_of(&self, account: Id) -> Option<CallId> {
        let mut live = self.calls.iter().filter(|(_, slot)| slot.account == account);
        live.find(|(id, _)| self.live_call(*id).is_ok()).map(|(id, _)| CallId(id))
    }

    /// Free a call and its dialogs; its transactions run on by themselves.
    pub(super) fn remove_call(&mut self, call: Id) {
        let Some(slot) = self.calls.get(call) else { return };
        let (dialog, invite) = (slot.dialog, slot.invite);
        self.calls.remove(call);
        self.drop_dialogs(dialog);
        if let Some(invite) = invite {
            self.stop_repeating(invite);
        }
    }

    /// Where all calls are in use, one that only waits for its BYE's response gives way.
    pub(super) fn make_room_for_call(&mut self) {
        if self.calls.free() > 0 {
            return;
        }
        // one whose BYE still waits for the peer's ACK would leave the peer in the call for ever
        let ending = |slot: &CallSlot| slot.state == State::Ending && slot.told && !slot.bye_wanted;
        let victim = self.calls.iter().find(|(_, slot)| ending(slot)).map(|(id, _)| id);
        if let Some(id) = victim {
            self.remove_call(id);
        }
    }

    pub(super) fn media_went_silent(&mut self, call: CallId) -> Result<Reply, Error> {
        let CallId(id) = call;
        let slot = self.live_call(id)?;
        let hears = slot.plan.is_some_and(|plan| plan.direction.receives());
        if slot.state == State::Established && hears {
            self.bye(id, Reason::MediaSilent);
        }
        Ok(Reply::Done)
    }
}

pub(super) const SDP: &[u8] = b"application/sdp";

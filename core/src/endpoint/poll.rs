//! What the driver is told to do.
//!
//! The order is fixed: a stateless response, then calls, accounts and transactions that have
//! something to say, each table in the order in which its slots came to it; within a slot events
//! come before what is to be sent.

use crate::buffers::BufferId;
use crate::call::State;
use crate::sip::Method;
use crate::table::Id;
use crate::time::Instant;

use super::accounts::texts_of;
use super::compose;
use super::custom;
use super::dialogs::{read_uri, transport_of};
use super::resolve::Asker;
use super::slots::{
    AccountNews, Cancel, News, RequestNews, Resolving, TransactionSlot, account_text,
    dialog_text as field,
};
use super::{AccountId, Action, CallId, Endpoint, Event, QueryId, Reason, RequestId};

/// What was picked, before it is described: picking changes slots, describing only lends them.
#[derive(Clone, Copy)]
enum Choice {
    /// The stateless response, so long.
    Reply(usize),
    /// The CANCEL of an INVITE, in the draft.
    Cancel(Id),
    Message(Id),
    Response(Id),
    Resolve(Asker),
    Call(Id, News),
    /// The call may be gone by now: with the turn that ended it.
    Ended(Id, Reason, u32),
    Account(Id, AccountNews),
    Bindings(Id, Result<(), Reason>),
    Request(Id, RequestNews),
}

impl Endpoint<'_> {
    /// The next thing to do, until there is none. Also lets deadlines that have come take effect.
    #[cfg_attr(target_os = "none", inline(never))] // for its frame
    pub fn poll_action(&mut self, now: Instant) -> Option<Action<'_>> {
        self.now = now;
        let choice = loop {
            if let Some(choice) = self.choose() {
                break choice;
            }
            if !self.fire_one() {
                return None;
            }
        };
        self.settle(); // what was chosen has nothing to say any more
        self.describe(choice)
    }

    #[inline(never)]
    fn choose(&mut self) -> Option<Choice> {
        if self.reply_len > 0 {
            return Some(Choice::Reply(core::mem::take(&mut self.reply_len)));
        }
        loop {
            self.settle();
            if let Some(id) = self.calls.first_ready() {
                let request = self.request_before_end(id);
                return Some(request.unwrap_or_else(|| self.choose_of_call(id)));
            }
            if let Some(id) = self.accounts.first_ready() {
                return Some(self.choose_of_account(id));
            }
            let id = self.transactions.first_ready()?;
            if let Some(choice) = self.choose_of_transaction(id) {
                return Some(choice);
            }
        }
    }

    /// A request inside a call is told before the call's end, also where both came undrained.
    fn request_before_end(&mut self, call: Id) -> Option<Choice> {
        let slot = self.calls.get(call)?;
        if slot.resolving == Resolving::Wanted || slot.news.first() != News::ENDED {
            return None;
        }
        let waits = |id: &Id| {
            let slot = self.transactions.get(*id);
            slot.is_some_and(|slot| slot.news.is_some() && slot.call == Some(call))
        };
        let request = self.transactions.ready().find(waits)?;
        self.choose_of_transaction(request)
    }

    fn choose_of_call(&mut self, id: Id) -> Choice {
        let chosen = self.calls.update(id, |slot| {
            if slot.resolving == Resolving::Wanted {
                slot.resolving = Resolving::Asked;
                return Choice::Resolve(Asker::Call(id));
            }
            let news = slot.news.first();
            slot.news.remove(news);
            if news == News::ENDED {
                slot.told = true;
                return Choice::Ended(id, slot.reason.unwrap_or(Reason::ProtocolError), slot.turn);
            }
            Choice::Call(id, news)
        });
        let over = self.calls.get(id).is_some_and(|slot| slot.told && slot.state == State::Over);
        if over {
            self.remove_call(id);
        }
        chosen.unwrap_or(Choice::Call(id, News::NONE))
    }

    fn choose_of_account(&mut self, id: Id) -> Choice {
        let chosen = self.accounts.update(id, |slot| {
            if let Some(news) = slot.news.take() {
                return Choice::Account(id, news);
            }
            if let Some(outcome) = slot.bindings.take() {
                return Choice::Bindings(id, outcome);
            }
            slot.resolving = Resolving::Asked;
            Choice::Resolve(Asker::Account(id))
        });
        chosen.unwrap_or(Choice::Resolve(Asker::Account(id)))
    }

    fn choose_of_transaction(&mut self, id: Id) -> Option<Choice> {
        let chosen = self.transactions.update(id, |slot| choose_of_slot(id, slot))?;
        match chosen {
            Some(Choice::Cancel(_)) => self.write_cancel(id)?,
            None if self.transactions.get(id).is_some_and(|slot| slot.doomed) => {
                self.close_transaction(id); // all is said
            }
            _ => {}
        }
        chosen
    }

    /// CANCEL is made from its INVITE at each send.
    fn write_cancel(&mut self, id: Id) -> Option<()> {
        let slot = self.transactions.get(id)?;
        let own = texts_of(&self.accounts, &self.account_text, slot.account);
        let headers = own.get(account_text::HEADERS);
        let invite = &self.buffers.message(slot.message.as_ref()?);
        let invite = invite.as_ref()?;
        if !matches!(invite.method(), Some(Method::Invite)) {
            return None;
        }
        let mut writer = self.draft.begin();
        compose::write_like_invite(&mut writer, invite, Method::Cancel, None);
        custom::write(&mut writer, &[headers], Method::Cancel);
        let written = writer.finish();
        self.draft.end(written).ok()
    }

    #[inline(never)]
    fn describe(&mut self, choice: Choice) -> Option<Action<'_>> {
        let slot = |id| self.transactions.get(id);
        let kept = |buffer: &Option<BufferId>| buffer.as_ref().map(|id| self.buffers.get(id));
        let (path, bytes) = match choice {
            Choice::Reply(len) => (self.reply_to.as_ref(), self.reply.get(..len)),
            Choice::Cancel(id) => (slot(id)?.path.as_ref(), Some(self.draft.bytes())),
            Choice::Message(id) => (slot(id)?.path.as_ref(), kept(&slot(id)?.message)),
            Choice::Response(id) => (slot(id)?.path.as_ref(), kept(&slot(id)?.response)),
            Choice::Resolve(asker) => return self.describe_resolve(asker),
            _ => return self.describe_event(choice),
        };
        self.stats.sent += 1;
        Some(Action::Transmit { path: *path?, bytes: bytes? })
    }

    fn describe_resolve(&self, asker: Asker) -> Option<Action<'_>> {
        let uri = match asker {
            Asker::Account(id) => self.server_uri(id)?,
            Asker::Call(id) => {
                let slot = self.calls.get(id)?;
                let proxy = self.account_field(slot.account, account_text::OUTBOUND_PROXY);
                if proxy.is_empty() { self.dialog_field(slot.dialog, field::TARGET) } else { proxy }
            }
            Asker::Request(id) => {
                let account = self.transactions.get(id)?.account?;
                let proxy = self.account_field(account, account_text::OUTBOUND_PROXY);
                if proxy.is_empty() { self.kept_message(id).as_ref()?.uri()? } else { proxy }
            }
        };
        let uri = read_uri(uri)?;
        let host = match uri.maddr().or(uri.host())?.as_bytes() {
            [b'[', host @ .., b']'] | host => host,
        };
        Some(Action::Resolve {
            query: QueryId::new(asker),
            host: core::str::from_utf8(host).ok()?,
            port: uri.port(),
            transport: transport_of(&uri),
        })
    }

    /// An event, and last the message that caused it: it is large, and put in place once.
    #[inline(never)]
    fn describe_event(&self, choice: Choice) -> Option<Action<'_>> {
        let of_turn = |turn| if turn == self.turn { self.inbox.as_ref() } else { None };
        let kept = |id| self.transactions.get(id).and_then(|slot| slot.message.as_ref());
        let message = None;
        let (mut event, buffer) = match choice {
            Choice::Call(id, news) => {
                let slot = self.calls.get(id)?;
                let call = CallId(id);
                let event = match news {
                    News::INCOMING => {
                        Event::Incoming { call, account: AccountId(slot.account), message }
                    }
                    News::PROGRESS => Event::Progress { call, status: slot.status, message },
                    News::MEDIA => {
                        Event::Media { call, stage: slot.stage, plan: slot.plan?, message }
                    }
                    News::ESTABLISHED => Event::Established { call, message },
                    _ => Event::HoldFailed {
                        call,
                        reason: slot.change_failure.unwrap_or(Reason::ProtocolError),
                    },
                };
                let is_new = news == News::INCOMING;
                (event, if is_new { slot.invite.and_then(kept) } else { of_turn(slot.turn) })
            }
            Choice::Ended(id, reason, turn) => {
                (Event::Ended { call: CallId(id), reason, message }, of_turn(turn))
            }
            Choice::Account(id, news) => {
                (describe_account(AccountId(id), news), of_turn(self.accounts.get(id)?.turn))
            }
            Choice::Bindings(id, outcome) => {
                let event = Event::Bindings { account: AccountId(id), outcome, message };
                (event, of_turn(self.accounts.get(id)?.turn))
            }
            Choice::Request(id, news) => {
                let slot = self.transactions.get(id)?;
                let request = RequestId(id);
                match news {
                    RequestNews::Request => {
                        let (call, account) = (slot.call.map(CallId), slot.account.map(AccountId));
                        (Event::Request { request, call, account, message }, kept(id))
                    }
                    RequestNews::Response(outcome) => {
                        (Event::Response { request, outcome, message }, of_turn(slot.turn))
                    }
                }
            }
            _ => return None,
        };
        if let (Some(place), Some(buffer)) = (event.message_mut(), buffer) {
            *place = self.buffers.message(buffer);
        }
        Some(Action::Event(event))
    }
}

/// The next thing of a transaction, if there is one.
fn choose_of_slot(id: Id, slot: &mut TransactionSlot) -> Option<Choice> {
    if slot.resolving == Resolving::Wanted {
        slot.resolving = Resolving::Asked;
        return Some(Choice::Resolve(Asker::Request(id)));
    }
    if let Some(news) = slot.news.take() {
        return Some(Choice::Request(id, news));
    }
    if core::mem::take(&mut slot.send_message) && slot.message.is_some() && slot.path.is_some() {
        return Some(Choice::Message(id));
    }
    if core::mem::take(&mut slot.send_response) && slot.response.is_some() && slot.path.is_some() {
        return Some(Choice::Response(id));
    }
    if let Cancel::Sent(_, send) = &mut slot.cancel
        && core::mem::take(send)
        && slot.path.is_some()
    {
        return Some(Choice::Cancel(id));
    }
    None
}

fn describe_account<'e>(account: AccountId, news: AccountNews) -> Event<'e> {
    let message = None;
    match news {
        AccountNews::Registered { expires_s } => Event::Registered { account, expires_s, message },
        AccountNews::Failed { reason, retry_s } => {
            Event::RegistrationFailed { account, reason, retry_s, message }
        }
        AccountNews::Unregistered => Event::Unregistered { account, message },
    }
}

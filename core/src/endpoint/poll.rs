//! What the driver is told to do.
//!
//! The order is fixed: a stateless response, then calls, accounts and transactions that have
//! something to say, each table in the order in which its slots came to it; within a slot events
//! come before what is to be sent.

use crate::call::State;
use crate::path::Path;
use crate::sip::{Message, Method, Uri, Writer};
use crate::table::Id;
use crate::time::Instant;

use super::accounts::headers_of;
use super::compose;
use super::custom;
use super::dialogs::transport_of;
use super::resolve::Asker;
use super::slots::{
    AccountNews, Cancel, News, RequestNews, Resolving, TransactionSlot, account_text,
    dialog_text as field,
};
use super::{AccountId, Action, CallId, Endpoint, Event, QueryId, Reason, RequestId};

/// What was picked, before it is described: picking changes slots, describing only lends them.
#[derive(Clone, Copy)]
enum Choice {
    Reply(Path, usize),
    Scratch(Path, usize),
    Message(Id),
    Response(Id),
    Resolve(Asker),
    Call(Id, News),
    Ended(Id, Reason, bool),
    Account(Id, AccountNews, bool),
    Bindings(Id, Result<(), Reason>, bool),
    Request(Id, RequestNews, bool),
}

impl Endpoint<'_> {
    /// The next thing to do, until there is none. Also lets deadlines that have come take effect.
    #[cfg_attr(target_os = "none", inline(never))] // for its frame
    pub fn poll_action(&mut self, now: Instant) -> Option<Action<'_>> {
        let choice = loop {
            if let Some(choice) = self.choose() {
                break choice;
            }
            if !self.fire_one(now) {
                return None;
            }
        };
        self.describe(choice)
    }

    #[inline(never)]
    fn choose(&mut self) -> Option<Choice> {
        if let Some((path, len)) = self.reply_to.take() {
            return Some(Choice::Reply(path, len));
        }
        loop {
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
        let turn = self.turn;
        let chosen = self.calls.update(id, |slot| {
            if slot.resolving == Resolving::Wanted {
                slot.resolving = Resolving::Asked;
                return Choice::Resolve(Asker::Call(id));
            }
            let news = slot.news.first();
            slot.news.remove(news);
            if news == News::ENDED {
                slot.told = true;
                let reason = slot.reason.unwrap_or(Reason::ProtocolError);
                return Choice::Ended(id, reason, slot.turn == turn);
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
        let turn = self.turn;
        let chosen = self.accounts.update(id, |slot| {
            let fresh = slot.turn == turn;
            match (slot.news.take(), slot.bindings) {
                (Some(news), _) => Choice::Account(id, news, fresh),
                (None, Some(outcome)) => {
                    slot.bindings = None;
                    Choice::Bindings(id, outcome, fresh)
                }
                (None, None) => {
                    slot.resolving = Resolving::Asked;
                    Choice::Resolve(Asker::Account(id))
                }
            }
        });
        chosen.unwrap_or(Choice::Resolve(Asker::Account(id)))
    }

    fn choose_of_transaction(&mut self, id: Id) -> Option<Choice> {
        let turn = self.turn;
        let chosen = self.transactions.update(id, |slot| choose_of_slot(id, slot, turn))?;
        if let Some(Choice::Scratch(path, _)) = chosen {
            let len = self.write_cancel(id)?;
            self.stats.sent += 1;
            return Some(Choice::Scratch(path, len));
        }
        if chosen.is_none() && self.transactions.get(id).is_some_and(|slot| slot.doomed) {
            self.close_transaction(id); // all is said
        }
        chosen
    }

    /// CANCEL is made from its INVITE at each send.
    fn write_cancel(&mut self, id: Id) -> Option<usize> {
        let slot = self.transactions.get(id)?;
        let headers = headers_of(&self.accounts, &self.account_text, slot.account);
        let invite = self.buffers.message(slot.message.as_ref()?)?;
        if invite.method() != Some(Method::Invite) {
            return None;
        }
        let mut writer = Writer::new(&mut self.scratch);
        compose::write_like_invite(&mut writer, &invite, Method::Cancel, None);
        custom::write(&mut writer, &[headers], Method::Cancel);
        writer.finish().ok()
    }

    #[inline(never)]
    fn describe(&mut self, choice: Choice) -> Option<Action<'_>> {
        if matches!(choice, Choice::Reply(..) | Choice::Message(_) | Choice::Response(_)) {
            self.stats.sent += 1;
        }
        Some(match choice {
            Choice::Reply(path, len) => {
                Action::Transmit { path, bytes: self.reply.get(..len).unwrap_or(&[]) }
            }
            Choice::Scratch(path, len) => {
                Action::Transmit { path, bytes: self.scratch.get(..len).unwrap_or(&[]) }
            }
            Choice::Message(id) => {
                let slot = self.transactions.get(id)?;
                Action::Transmit {
                    path: slot.path?,
                    bytes: self.buffers.get(slot.message.as_ref()?),
                }
            }
            Choice::Response(id) => {
                let slot = self.transactions.get(id)?;
                Action::Transmit {
                    path: slot.path?,
                    bytes: self.buffers.get(slot.response.as_ref()?),
                }
            }
            Choice::Resolve(asker) => self.describe_resolve(asker)?,
            Choice::Call(id, news) => Action::Event(self.describe_call(id, news)?),
            Choice::Ended(id, reason, fresh) => {
                let message = if fresh { self.inbox_message() } else { None };
                Action::Event(Event::Ended { call: CallId(id), reason, message })
            }
            Choice::Account(id, news, fresh) => {
                let message = if fresh { self.inbox_message() } else { None };
                Action::Event(describe_account(AccountId(id), news, message))
            }
            Choice::Bindings(id, outcome, fresh) => {
                let message = if fresh { self.inbox_message() } else { None };
                Action::Event(Event::Bindings { account: AccountId(id), outcome, message })
            }
            Choice::Request(id, news, fresh) => {
                Action::Event(self.describe_request(id, news, fresh))
            }
        })
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
                if proxy.is_empty() { self.kept_message(id)?.uri()? } else { proxy }
            }
        };
        let uri = Uri::parse(uri).ok()?;
        let host = core::str::from_utf8(uri.maddr().or(uri.host())?.as_bytes()).ok()?;
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        Some(Action::Resolve {
            query: QueryId::new(asker),
            host,
            port: uri.port(),
            transport: transport_of(&uri),
        })
    }

    #[inline(never)]
    fn describe_call(&self, id: Id, news: News) -> Option<Event<'_>> {
        let slot = self.calls.get(id)?;
        let call = CallId(id);
        let message = if slot.turn == self.turn { self.inbox_message() } else { None };
        Some(match news {
            News::INCOMING => Event::Incoming {
                call,
                account: AccountId(slot.account),
                message: slot.invite.and_then(|invite| self.kept_message(invite)),
            },
            News::PROGRESS => Event::Progress { call, status: slot.status, message },
            News::MEDIA => Event::Media { call, stage: slot.stage, plan: slot.plan?, message },
            News::ESTABLISHED => Event::Established { call, message },
            _ => Event::HoldFailed {
                call,
                reason: slot.change_failure.unwrap_or(Reason::ProtocolError),
            },
        })
    }

    fn describe_request(&self, id: Id, news: RequestNews, fresh: bool) -> Event<'_> {
        let request = RequestId(id);
        let slot = self.transactions.get(id);
        match news {
            RequestNews::Request => Event::Request {
                request,
                call: slot.and_then(|slot| slot.call).map(CallId),
                account: slot.and_then(|slot| slot.account).map(AccountId),
                message: self.kept_message(id),
            },
            RequestNews::Response(outcome) => {
                let message = if fresh { self.inbox_message() } else { None };
                Event::Response { request, outcome, message }
            }
        }
    }

    fn inbox_message(&self) -> Option<Message<'_>> {
        self.buffers.message(self.inbox.as_ref()?)
    }
}

/// The next thing of a transaction, if there is one.
fn choose_of_slot(id: Id, slot: &mut TransactionSlot, turn: u32) -> Option<Choice> {
    if slot.resolving == Resolving::Wanted {
        slot.resolving = Resolving::Asked;
        return Some(Choice::Resolve(Asker::Request(id)));
    }
    if let Some(news) = slot.news.take() {
        return Some(Choice::Request(id, news, slot.turn == turn));
    }
    if core::mem::take(&mut slot.send_message) && slot.message.is_some() && slot.path.is_some() {
        return Some(Choice::Message(id));
    }
    if core::mem::take(&mut slot.send_response) && slot.response.is_some() && slot.path.is_some() {
        return Some(Choice::Response(id));
    }
    match &mut slot.cancel {
        Cancel::Sent(_, send) => {
            let due = core::mem::take(send);
            slot.path.filter(|_| due).map(|path| Choice::Scratch(path, 0))
        }
        _ => None,
    }
}

fn describe_account<'e>(
    account: AccountId,
    news: AccountNews,
    message: Option<Message<'e>>,
) -> Event<'e> {
    match news {
        AccountNews::Registered { expires_s } => Event::Registered { account, expires_s, message },
        AccountNews::Failed { reason, retry_s } => {
            Event::RegistrationFailed { account, reason, retry_s, message }
        }
        AccountNews::Unregistered => Event::Unregistered { account, message },
    }
}

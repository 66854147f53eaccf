//! Accounts and their registrations.

use crate::bytes;
use crate::random::Purpose as Draw;
use crate::sip::{Contact, HeaderName, Message, Method, StartLine};
use crate::table::{Id, Table};
use crate::text::{Lent, Texts};
use crate::time::Duration;

use super::auth::Given;
use super::compose::{ContactKind, Party, Request, hex_text};
use super::dialogs::{Target, read_uri, user_of};
use super::receive::Received;
use super::slots::{AccountNews, AccountSlot, Purpose, Resolving, account_text as field};
use super::transactions::Opening;
use super::{Account, AccountId, Endpoint, Error, Reason, Reply};

impl Endpoint<'_> {
    pub(super) fn account_field(&self, account: Id, which: usize) -> &[u8] {
        texts_of(&self.accounts, &self.account_text, Some(account)).get(which)
    }

    /// The URI of the account's own server: outbound proxy, registrar, or the identity's domain.
    pub(super) fn server_uri(&self, account: Id) -> Option<&[u8]> {
        [field::OUTBOUND_PROXY, field::REGISTRAR, field::IDENTITY]
            .into_iter()
            .map(|which| self.account_field(account, which))
            .find(|uri| !uri.is_empty())
    }

    #[inline(never)]
    pub(super) fn insert_account(&mut self, account: &Account<'_>) -> Result<Reply, Error> {
        let is_fit = |uri: &str| uri.is_empty() || is_sip(uri);
        let servers_fit = is_fit(account.registrar) && is_fit(account.outbound_proxy);
        if !is_sip(account.identity) || !servers_fit {
            return Err(Error::Invalid);
        }
        let auth_user = match (account.auth_user, user_of(account.identity.as_bytes())) {
            ("", Some(user)) => user,
            (name, _) => name.as_bytes(),
        };
        self.draft.pack(account.headers)?;
        let id = self.accounts.insert(|slot| {
            slot.call_id = self.random.u64(Draw::CallId);
            slot.tag = self.random.u64(Draw::Tag);
            slot.cseq = self.random.u32(Draw::CSeq) >> 4;
            slot.expires_s = account.expires_s.max(1);
            slot.allow_md5 = account.allow_md5;
        });
        let id = id.ok_or(Error::NoRoom)?;
        let texts = [
            (field::IDENTITY, account.identity.as_bytes()),
            (field::DISPLAY_NAME, account.display_name.as_bytes()),
            (field::REGISTRAR, account.registrar.as_bytes()),
            (field::OUTBOUND_PROXY, account.outbound_proxy.as_bytes()),
            (field::AUTH_USER, auth_user),
            (field::PASSWORD, account.password.as_bytes()),
            (field::REALM, account.realm.as_bytes()),
            (field::USER_AGENT, account.user_agent.as_bytes()),
            (field::HEADERS, self.draft.bytes()),
        ];
        let set = texts.iter().try_for_each(|&(which, text)| {
            if which != field::HEADERS && text.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
                return Err(Error::Invalid);
            }
            set_text(&mut self.accounts, &mut self.account_text, id, which, text)
        });
        if let Err(error) = set {
            self.accounts.remove(id);
            return Err(error);
        }
        Ok(Reply::Account(AccountId(id)))
    }

    #[inline(never)]
    pub(super) fn delete_account(&mut self, account: AccountId) -> Result<Reply, Error> {
        let AccountId(id) = account;
        self.accounts.get(id).ok_or(Error::Gone)?;
        while let Some(call) = self.live_call_of(id) {
            self.end_call(call, Reason::AccountRemoved)?;
        }
        self.accounts.remove(id);
        // the text holds a password: do not leave it behind
        self.account_text.block_mut(self.accounts.place(id)).fill(0);
        Ok(Reply::Done)
    }

    pub(super) fn want_registration(
        &mut self,
        account: AccountId,
        wanted: bool,
    ) -> Result<Reply, Error> {
        let AccountId(id) = account;
        self.accounts.get(id).ok_or(Error::Gone)?;
        if self.account_field(id, field::REGISTRAR).is_empty() {
            return Err(Error::State);
        }
        self.accounts.update(id, |slot| {
            if wanted {
                slot.registration.want(self.now)
            } else {
                slot.registration.unwant(self.now)
            }
        });
        Ok(Reply::Done)
    }

    pub(super) fn want_query(&mut self, account: AccountId) -> Result<Reply, Error> {
        let AccountId(id) = account;
        self.accounts.get(id).ok_or(Error::Gone)?;
        if self.account_field(id, field::REGISTRAR).is_empty() {
            return Err(Error::State);
        }
        self.accounts.update(id, |slot| slot.query_wanted = true);
        self.next_register(id);
        Ok(Reply::Done)
    }

    /// Start what is wanted next of the registrar, unless a REGISTER is on its way: one at a time
    /// (RFC 3261 s10.2).
    pub(super) fn next_register(&mut self, account: Id) {
        let Some(slot) = self.accounts.get(account) else { return };
        if slot.transaction.is_some() || slot.resolving != Resolving::No {
            return;
        }
        let due = slot.registration.due().is_over(self.now);
        if !due && !slot.query_wanted {
            return;
        }
        if slot.server.is_none() && !self.find_server_path(account) {
            return; // comes back when the name is resolved
        }
        if due {
            let register =
                self.accounts.update(account, |slot| slot.registration.tick(self.now)).flatten();
            if let Some(register) = register {
                let life = if register {
                    self.accounts.get(account).map_or(0, |slot| slot.expires_s)
                } else {
                    0
                };
                let contact = ContactKind::Expires(life);
                if self.send_register(account, Purpose::Register, contact).is_err() {
                    self.registration_failed(account, Reason::NoRoom, true, None);
                }
            }
        } else {
            self.accounts.update(account, |slot| slot.query_wanted = false);
            if self.send_register(account, Purpose::Query, ContactKind::None).is_err() {
                self.tell_bindings(account, Err(Reason::NoRoom));
            }
        }
    }

    fn send_register(
        &mut self,
        account: Id,
        purpose: Purpose,
        contact: ContactKind,
    ) -> Result<(), Error> {
        let path = self.accounts.get(account).and_then(|slot| slot.server);
        let random = self.random.u64(Draw::Branch);
        let cseq = self.accounts.update(account, |slot| {
            slot.cseq += 1;
            slot.cseq
        });
        let cseq = cseq.ok_or(Error::Gone)?;
        let (account_of, path) = (Some(account), path.as_ref());
        let opening =
            Opening { purpose, account: account_of, path, random, cseq, ..Opening::default() };
        let id = self.open_transaction(&opening).ok_or(Error::NoRoom)?;
        let written = self.write_register(account, id, cseq, contact);
        self.launch_or_close(id, written)?;
        self.accounts.update(account, |slot| slot.transaction = Some(id));
        Ok(())
    }

    #[inline(never)]
    fn write_register(
        &mut self,
        account: Id,
        transaction: Id,
        cseq: u32,
        contact: ContactKind,
    ) -> Result<(), Error> {
        self.use_challenges(account, [true; 2]);
        let branch = self.branch(transaction);
        let cnonce = self.random.u64(Draw::Cnonce);
        let path = self.transactions.get(transaction).and_then(|slot| slot.path.as_ref());
        let slot = self.accounts.get(account).ok_or(Error::Gone)?;
        let own = texts_of(&self.accounts, &self.account_text, Some(account));
        let (mut call_id, mut tag) = ([0; 16], [0; 16]);
        hex_text(slot.call_id, &mut call_id);
        hex_text(slot.tag, &mut tag);
        let identity = own.get(field::IDENTITY);
        let uri = own.get(field::REGISTRAR);
        let mut writer = self.draft.begin();
        let request = Request {
            method: Method::Register,
            target: Target::outside(uri, own.get(field::OUTBOUND_PROXY)),
            path,
            branch,
            from: Party::identity(own.get(field::DISPLAY_NAME), identity, &tag),
            to: Party::identity(&[], identity, &[]),
            call_id: &call_id,
            cseq,
            contact,
            account: own,
            headers: &[],
            extra: &[],
            methods: self.config.methods,
        };
        request.write(&mut writer);
        let method = Method::Register.as_bytes();
        let given = Given { account: own, method, uri, cnonce };
        given.write_all(&mut writer, &slot.challenges, [true; 2]);
        let written = writer.finish();
        self.draft.end(written)
    }

    /// The account that waits for the answer to this REGISTER.
    pub(super) fn awaiting_account(&self, transaction: Id) -> Option<Id> {
        let account = self.transactions.get(transaction)?.account?;
        (self.accounts.get(account)?.transaction == Some(transaction)).then_some(account)
    }

    /// The next REGISTER of the account counts on from this one, which was sent again; any other
    /// request is none of its business.
    pub(super) fn number_register(&mut self, transaction: Id) {
        let Some(account) = self.awaiting_account(transaction) else { return };
        let cseq = self.transactions.get(transaction).map_or(0, |slot| slot.cseq);
        self.accounts.update(account, |slot| slot.cseq = cseq);
    }

    #[inline(never)]
    pub(super) fn register_over(
        &mut self,
        transaction: Id,
        received: &Received<'_>,
        outcome: Result<(), Reason>,
    ) {
        let Some(slot) = self.transactions.get(transaction) else { return };
        let (Some(account), purpose) = (slot.account, slot.purpose) else { return };
        self.accounts.update(account, |slot| slot.transaction = None);
        self.keep_inbox(received.message);
        if purpose == Purpose::Query {
            self.tell_bindings(account, outcome);
        } else {
            match outcome {
                Ok(()) => self.registered(account, transaction, received),
                Err(reason) => self.register_refused(account, received.message, reason),
            }
        }
        self.next_register(account);
    }

    #[inline(never)]
    fn registered(&mut self, account: Id, transaction: Id, received: &Received<'_>) {
        let spread = self.random.u32(Draw::Jitter);
        let Some(slot) = self.accounts.get(account) else { return };
        if slot.registration.is_removing() {
            self.accounts.update(account, |slot| slot.registration.removed());
            self.tell_account(account, AccountNews::Unregistered);
            return;
        }
        let asked = slot.expires_s;
        let life = self
            .kept_message(transaction)
            .and_then(|sent| granted_life(received.message, &sent, asked));
        match life {
            Some(life) if life > 0 => {
                let span = Duration::from_secs(life.into());
                self.accounts.update(account, |slot| {
                    slot.registration.granted(self.now, span, spread);
                    slot.raised = false;
                });
                self.tell_account(account, AccountNews::Registered { expires_s: life });
            }
            _ => self.registration_failed(account, Reason::ProtocolError, true, None),
        }
    }

    fn register_refused(&mut self, account: Id, message: &Message<'_>, reason: Reason) {
        let number = |name| message.header(name).and_then(leading_number);
        if reason == Reason::Rejected(423) {
            let least = number(HeaderName::MinExpires).filter(|s| *s <= LIFE_MAX_S);
            let raised = self.accounts.update(account, |slot| {
                let least = least.filter(|least| *least > slot.expires_s && !slot.raised)?;
                slot.raised = true; // once until it grants: a server could raise it for ever
                slot.expires_s = least;
                slot.registration.again(self.now);
                Some(())
            });
            if raised.flatten().is_some() {
                return;
            }
        }
        let may_retry = match reason {
            Reason::Rejected(status) => matches!(status, 408 | 480 | 500..=599),
            Reason::NoRoom => true,
            _ => false,
        };
        let wait = number(HeaderName::RetryAfter).map(|s| Duration::from_secs(s.into()));
        self.registration_failed(account, reason, may_retry, wait);
    }

    pub(super) fn registration_failed(
        &mut self,
        account: Id,
        reason: Reason,
        may_retry: bool,
        wait: Option<Duration>,
    ) {
        self.forget_challenges(account);
        let spread = self.random.u32(Draw::Jitter);
        let wait = self
            .accounts
            .update(account, |slot| slot.registration.failed(self.now, may_retry, wait, spread));
        let retry_s = wait.flatten().map(|wait| wait.as_secs().max(1) as u32);
        self.tell_account(account, AccountNews::Failed { reason, retry_s });
    }

    /// A REGISTER got no answer.
    pub(super) fn register_lost(&mut self, transaction: Id, reason: Reason) {
        let Some(account) = self.awaiting_account(transaction) else { return };
        let purpose = self.transactions.get(transaction).map(|slot| slot.purpose);
        // the next try looks the server up again: it may have moved
        self.accounts.update(account, |slot| {
            slot.transaction = None;
            slot.server = None;
        });
        if purpose == Some(Purpose::Query) {
            self.tell_bindings(account, Err(reason));
        } else {
            self.registration_failed(account, reason, true, None);
        }
        self.next_register(account);
    }

    pub(super) fn tell_account(&mut self, account: Id, news: AccountNews) {
        let turn = self.turn;
        self.accounts.update(account, |slot| {
            slot.news = Some(news);
            slot.turn = turn;
        });
    }

    pub(super) fn tell_bindings(&mut self, account: Id, outcome: Result<(), Reason>) {
        let turn = self.turn;
        self.accounts.update(account, |slot| {
            slot.bindings = Some(outcome);
            slot.turn = turn;
        });
    }

    /// Whom a request is for: the account with this user, or else the first where all are taken.
    pub(super) fn account_for(&self, received: &Received<'_>) -> Option<Id> {
        let StartLine::Request { .. } = received.head.start else { return None };
        let user = received.head.uri.and_then(|uri| uri.user()).unwrap_or(b"");
        let mut first = None;
        for (id, _) in self.accounts.iter() {
            if user_of(self.account_field(id, field::IDENTITY)).unwrap_or(b"") == user {
                return Some(id);
            }
            first = first.or(Some(id).filter(|_| self.config.catch_all));
        }
        first
    }
}

/// Replace one text of an account.
#[cfg_attr(target_os = "none", inline(never))]
pub(super) fn set_text(
    accounts: &mut Table<'_, AccountSlot>,
    texts: &mut Texts<'_>,
    account: Id,
    which: usize,
    text: &[u8],
) -> Result<(), Error> {
    let block = texts.block_mut(accounts.place(account));
    let set = accounts.update(account, |slot| slot.text.set(block, which, text));
    set.ok_or(Error::Gone)?.map_err(|_| Error::TooLong)
}

/// The texts of an account.
#[cfg_attr(target_os = "none", inline(never))]
pub(super) fn texts_of<'x>(
    accounts: &'x Table<'_, AccountSlot>,
    texts: &'x Texts<'_>,
    account: Option<Id>,
) -> Lent<'x> {
    let lent = |id| Some(accounts.get(id)?.text.lent(texts.block(accounts.place(id))));
    account.and_then(lent).unwrap_or_default()
}

/// The life that a 200 to REGISTER grants our binding, seconds: `expires` of our Contact, else
/// Expires, else what we asked for (RFC 3261 s10.2.4). `None` where nothing shows that we are bound.
///
/// A registrar may shorten what was asked (s10.3 step 7), and nothing says that it may lengthen it.
/// Some do all the same, to spare themselves traffic, so a longer life counts as the one we asked
/// for: to refresh too early harms nobody, to believe a damaged number makes us unreachable.
///
/// A registrar before a NAT may list the address that it saw instead of the one that we gave, or
/// name no Contact at all and only Expires. Where ours is not listed as we wrote it, a Contact with
/// our user part is therefore taken for ours; as other devices of the same user may be listed too,
/// the one that runs out first counts. One with another user is somebody else's.
#[inline(never)]
fn granted_life(message: &Message<'_>, sent: &Message<'_>, asked: u32) -> Option<u32> {
    let sent = sent.values(HeaderName::Contact).next()?;
    let sent = Contact::parse(sent).ok()?.address()?.uri();
    let default = message.header(HeaderName::Expires).and_then(leading_number);
    let (mut is_listed, mut granted) = (false, None);
    for value in message.values(HeaderName::Contact) {
        let Ok(contact) = Contact::parse(value) else { continue };
        is_listed = true;
        let life = contact.expires_seconds().or(default).unwrap_or(asked);
        let Some(address) = contact.address() else { continue };
        let uri = address.uri();
        if uri.equivalent(&sent) {
            granted = Some(life);
            break;
        }
        if uri.user() == sent.user() && life > 0 {
            granted = Some(granted.map_or(life, |least: u32| least.min(life)));
        }
    }
    let granted = if is_listed { granted } else { default };
    granted.map(|life| life.min(asked))
}

fn is_sip(text: &str) -> bool {
    read_uri(text.as_bytes()).is_some_and(|uri| uri.is_sip())
}

/// A number at the start of a value; Retry-After may have a comment and parameters behind it.
fn leading_number(value: &[u8]) -> Option<u32> {
    let len = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes::number_u32(value.get(..len)?)
}

/// Longest registration that we believe, seconds.
const LIFE_MAX_S: u32 = 7 * 24 * 3600;

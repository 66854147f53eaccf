//! The signalling machine: one endpoint with its accounts, calls and requests.
//!
//! Three verbs: something goes in ([`Endpoint::handle`], or a command that answers at once),
//! [`Endpoint::poll_action`] says what to do, [`Endpoint::poll_timeout`] says when to come back.

mod accounts;
mod action;
mod answering;
mod auth;
mod calls;
mod changes;
mod command;
mod compose;
mod config;
mod custom;
mod dialogs;
mod draft;
mod event;
mod forks;
mod incoming;
mod inside;
mod kept;
mod negotiation;
mod poll;
mod receive;
mod requests;
mod resolve;
mod responding;
mod responses;
pub(crate) mod slots;
mod stats;
mod timers;
mod transactions;
mod view;
mod wrappers;

pub use action::{Action, Input, QueryId};
pub use command::{
    Account, Body, Command, CustomHeader, Error, OutgoingCall, OutgoingRequest, Reply,
};
pub use config::{Config, Methods};
pub use event::{Event, Reason, Stage};
pub use stats::Stats;
pub use view::{AccountView, CallView, Usage};

use crate::buffers::{BufferId, Buffers};
use crate::index::Index;
use crate::path::Path;
use crate::random::{Numbers, Purpose};
use crate::sip::Message;
use crate::storage::{Slots, Storage};
use crate::table::{Id, Table};
use crate::text::Texts;
use crate::time::{Duration, Instant};

use draft::Draft;
use kept::Kept;
use slots::{AccountSlot, CallSlot, DialogSlot, TransactionSlot};

/// Names an account of one endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AccountId(pub(crate) Id);

/// Names a call of one endpoint, also after the call's end. Its place must be used 2^18 times before
/// the same name is given again where there is memory for 10,000 calls, 2^30 times where for two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CallId(pub(crate) Id);

/// Names a request outside calls, or inside one, of one endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RequestId(pub(crate) Id);

/// A SIP user agent: accounts, registrations, calls and requests, without any IO.
///
/// A driver does three things a turn: it puts one input or command in, drains
/// [`Endpoint::poll_action`], and sleeps until [`Endpoint::poll_timeout`].
///
/// ```
/// use sansip::endpoint::{Account, Action, Config, Endpoint};
/// use sansip::storage::SmallMemory;
/// use sansip::time::Instant;
///
/// let mut memory = SmallMemory::new();
/// let local = "192.0.2.4:5060".parse().ok();
/// let config = Config { local, ..Config::default() };
/// let mut endpoint = Endpoint::new(config, [7; 32], memory.storage());
///
/// let now = Instant::ZERO;
/// let account = Account {
///     identity: "sip:100@192.0.2.1",
///     registrar: "sip:192.0.2.1",
///     password: "secret",
///     ..Account::default()
/// };
/// let account = endpoint.add_account(now, account)?;
/// endpoint.register(now, account)?;
/// let mut sent = 0;
/// while let Some(action) = endpoint.poll_action(now) {
///     if let Action::Transmit { bytes, .. } = action {
///         assert!(bytes.starts_with(b"REGISTER sip:192.0.2.1 SIP/2.0\r\n"));
///         sent += 1;
///     }
/// }
/// assert_eq!(sent, 1);
/// assert!(endpoint.poll_timeout().is_some()); // it will be sent again unless an answer comes
/// # Ok::<(), sansip::endpoint::Error>(())
/// ```
pub struct Endpoint<'a> {
    config: Config,
    random: Numbers,
    /// Hides slot numbers in our identifiers.
    mask: u32,
    hash_key: [u64; 2],
    accounts: Table<'a, AccountSlot>,
    account_text: Texts<'a>,
    calls: Table<'a, CallSlot>,
    dialogs: Table<'a, DialogSlot>,
    dialog_text: Texts<'a>,
    transactions: Table<'a, TransactionSlot>,
    index: Index<'a>,
    /// Where the next transaction that gives way is looked for.
    evict_from: u32,
    buffers: Kept<'a>,
    /// The message of this turn, kept for the events that it causes.
    inbox: Option<BufferId>,
    /// The time of this turn, as the driver gave it: read by all that the turn does.
    now: Instant,
    /// Counts inputs and commands, so that an event knows whether the inbox is its message.
    turn: u32,
    draft: Draft<'a>,
    /// The one stateless response, where it goes, and its length while it waits to be sent.
    reply: Slots<'a, u8>,
    reply_to: Option<Path>,
    reply_len: usize,
    stats: Stats,
}

impl<'a> Endpoint<'a> {
    /// An endpoint without accounts.
    ///
    /// `seed` must differ at each boot: Call-IDs, branches, tags and nonces follow from it, and a
    /// server that sees them again takes a new request for an old one.
    pub fn new(config: Config, seed: [u8; 32], storage: Storage<'a>) -> Self {
        let mut random = Numbers::new(seed);
        let mask = random.u32(Purpose::Key);
        let hash_key = [random.u64(Purpose::Key), random.u64(Purpose::Key)];
        let t1 = config.t1.clamp(Duration::from_millis(10), Duration::from_secs(10));
        let t2 = config.t2.clamp(t1, Duration::from_secs(60));
        Self {
            config: Config { t1, t2, ..config },
            random,
            mask,
            hash_key,
            accounts: Table::new(storage.accounts),
            account_text: Texts::new(storage.account_text, storage.text_bytes),
            calls: Table::new(storage.calls),
            dialogs: Table::new(storage.dialogs),
            dialog_text: Texts::new(storage.dialog_text, storage.text_bytes),
            transactions: Table::new(storage.transactions),
            index: Index::new(storage.index),
            evict_from: 0,
            buffers: Kept::new(Buffers::new(
                storage.buffers,
                storage.buffer_states,
                storage.message_bytes,
            )),
            inbox: None,
            now: Instant::ZERO,
            turn: 0,
            draft: Draft::new(storage.draft),
            reply: storage.reply,
            reply_to: None,
            reply_len: 0,
            stats: Stats::default(),
        }
    }

    /// Put one input in. Never fails: what makes no sense is counted and dropped.
    #[cfg_attr(target_os = "none", inline(always))] // as `command`
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.begin_turn(now);
        match input {
            Input::Message { path, bytes } => self.receive(path, bytes),
            Input::Resolved { query, targets } => self.resolved(query, targets),
            Input::SendFailed { path } => self.send_failed(path),
            Input::Closed { flow } => self.flow_closed(flow),
            Input::Connected { .. } => {} // the driver sends what waits for the connection
            Input::LocalAddress { old, new } => self.local_address(old, new),
        }
        self.settle();
    }

    /// Carry out one command, at once or as far as it goes.
    ///
    /// # Errors
    /// [`Error`]; nothing has changed then.
    // Where flash is small, what no caller commands need not be linked.
    #[cfg_attr(target_os = "none", inline(always))]
    pub fn command(&mut self, now: Instant, command: Command<'_>) -> Result<Reply, Error> {
        self.begin_turn(now);
        let reply = match command {
            Command::AddAccount(account) => self.insert_account(&account),
            Command::RemoveAccount(account) => self.delete_account(account),
            Command::Register(account) => self.want_registration(account, true),
            Command::Unregister(account) => self.want_registration(account, false),
            Command::QueryBindings(account) => self.want_query(account),
            Command::Call(call) => self.place_call(&call),
            Command::Progress { call, status, media, headers } => {
                self.ring(call, status, media, headers)
            }
            Command::Answer { call, media, headers } => self.accept(call, media, headers),
            Command::Reject { call, status, headers } => self.decline(call, status, headers),
            Command::HangUp(call) => self.end_call(call, Reason::HungUp),
            Command::Hold(call) => self.change_hold(call, true),
            Command::Resume(call) => self.change_hold(call, false),
            Command::Request(request) => self.send_request(&request),
            Command::RequestInCall { call, method, headers, body } => {
                self.send_request_inside(call, method, headers, body)
            }
            Command::Respond { request, status, headers, body } => {
                self.answer_request(request, status, headers, body)
            }
            Command::MediaSilent(call) => self.media_went_silent(call),
        };
        self.settle();
        reply
    }

    /// When to come back at the latest, if nothing comes in before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let of_call = self.transactions.next_deadline().or_sooner(self.calls.next_deadline());
        of_call.or_sooner(self.accounts.next_deadline()).get()
    }

    /// What happened so far, counted.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    fn begin_turn(&mut self, now: Instant) {
        self.now = now;
        self.turn = self.turn.wrapping_add(1);
        self.buffers.give(self.inbox.take());
    }

    /// Let what changed have its say: at the end of all that changes slots.
    fn settle(&mut self) {
        self.calls.settle();
        self.accounts.settle();
        self.transactions.settle();
    }

    /// Keep the message of this turn for the events that it causes.
    fn keep_inbox(&mut self, message: &Message<'_>) {
        if self.inbox.is_none() {
            self.inbox = self.buffers.keep_message(message);
        }
    }
}

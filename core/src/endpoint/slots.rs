//! What one slot of each table holds.

use crate::buffers::BufferId;
use crate::call::State;
use crate::index::KEYS;
use crate::path::Path;
use crate::registration::Registration;
use crate::sdp::{Direction, LocalMedia, MediaPlan, Shape};
use crate::table::{Id, Slot};
use crate::text::Packed;
use crate::time::{Due, Duration, Instant};
use crate::transaction::{ClientInvite, ClientRequest, ServerInvite, ServerRequest, Timing};

use super::auth::Cached;
use super::{Reason, Stage};

/// Texts of an account, in the order in which they are packed.
pub(crate) mod account_text {
    pub(crate) const IDENTITY: usize = 0;
    pub(crate) const DISPLAY_NAME: usize = 1;
    pub(crate) const REGISTRAR: usize = 2;
    pub(crate) const OUTBOUND_PROXY: usize = 3;
    pub(crate) const AUTH_USER: usize = 4;
    pub(crate) const PASSWORD: usize = 5;
    pub(crate) const REALM: usize = 6;
    pub(crate) const USER_AGENT: usize = 7;
    pub(crate) const HEADERS: usize = 8;
    /// Realm, nonce and opaque of the last challenge by a server (401), then by a proxy (407).
    pub(crate) const CHALLENGES: usize = 9;
    pub(crate) const COUNT: usize = CHALLENGES + 6;
}

/// Texts of a dialog, in the order in which they are packed.
pub(crate) mod dialog_text {
    pub(crate) const CALL_ID: usize = 0;
    pub(crate) const LOCAL_TAG: usize = 1;
    pub(crate) const REMOTE_TAG: usize = 2;
    /// Our From or To value without its tag.
    pub(crate) const LOCAL: usize = 3;
    /// The peer's From or To value without its tag.
    pub(crate) const REMOTE: usize = 4;
    /// The remote target URI.
    pub(crate) const TARGET: usize = 5;
    /// The route set, as one Route value.
    pub(crate) const ROUTES: usize = 6;
    /// Custom headers of the call.
    pub(crate) const HEADERS: usize = 7;
    pub(crate) const COUNT: usize = 8;
}

/// An identity and its registration.
#[derive(Debug, Default)]
pub(crate) struct AccountSlot {
    pub(crate) text: Packed<{ account_text::COUNT }>,
    pub(crate) registration: Registration,
    /// Call-ID, From tag and CSeq of REGISTER: one line for the account's life (RFC 3261 s10.2).
    pub(crate) call_id: u64,
    pub(crate) tag: u64,
    pub(crate) cseq: u32,
    pub(crate) expires_s: u32,
    pub(crate) allow_md5: bool,
    /// A 423 raised `expires_s`, and no 200 came since.
    pub(crate) raised: bool,
    /// The bindings are to be queried as soon as no REGISTER is on its way.
    pub(crate) query_wanted: bool,
    pub(crate) challenges: [Cached; 2],
    /// The way to the registrar or outbound proxy, once it is known.
    pub(crate) server: Option<Path>,
    pub(crate) resolving: Resolving,
    /// The REGISTER that is on its way.
    pub(crate) transaction: Option<Id>,
    pub(crate) news: Option<AccountNews>,
    /// How a query of the bindings ended.
    pub(crate) bindings: Option<Result<(), Reason>>,
    pub(crate) turn: u32,
}

/// How far the look-up of a name is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Resolving {
    #[default]
    No,
    /// The driver is to be asked.
    Wanted,
    /// The driver was asked.
    Asked,
}

/// What the application is to be told of an account.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AccountNews {
    Registered { expires_s: u32 },
    Failed { reason: Reason, retry_s: Option<u32> },
    Unregistered,
}

impl Slot for AccountSlot {
    fn deadline(&self) -> Due {
        // the answer to what is on its way, or the resolver's, comes first
        let busy = self.transaction.is_some() || self.resolving != Resolving::No;
        if busy { Due::NEVER } else { self.registration.due() }
    }

    fn is_ready(&self) -> bool {
        self.news.is_some() || self.bindings.is_some() || self.resolving == Resolving::Wanted
    }
}

/// A call.
#[derive(Debug, Default)]
pub(crate) struct CallSlot {
    pub(crate) state: State,
    pub(crate) outgoing: bool,
    /// Our offer is in the 200 or comes with the ACK: the INVITE had none.
    pub(crate) late_offer: bool,
    /// Our offer is out in a 200; the answer comes with the ACK.
    pub(crate) awaits_answer: bool,
    /// `Ended` was delivered; only our BYE keeps the slot.
    pub(crate) told: bool,
    /// Send BYE as soon as the ACK comes (RFC 3261 s15).
    pub(crate) bye_wanted: bool,
    pub(crate) account: Id,
    /// The chosen dialog; those of other forks hang on it.
    pub(crate) dialog: Id,
    /// The INVITE transaction that is open or awaits its ACK, also of a re-INVITE.
    pub(crate) invite: Option<Id>,
    pub(crate) change: Change,
    /// The direction to return to where the change is refused.
    pub(crate) direction_before: Direction,
    pub(crate) local: Option<LocalMedia>,
    pub(crate) session_id: u64,
    pub(crate) session_version: u64,
    pub(crate) shape: Option<Shape>,
    pub(crate) plan: Option<MediaPlan>,
    pub(crate) news: News,
    pub(crate) stage: Stage,
    pub(crate) status: u16,
    pub(crate) reason: Option<Reason>,
    /// Why a hold or resume was refused.
    pub(crate) change_failure: Option<Reason>,
    /// The turn whose message caused the news.
    pub(crate) turn: u32,
    pub(crate) resolving: Resolving,
    /// Ring or answer limit; in an established call, when to repeat a re-INVITE after a 491.
    pub(crate) deadline: Due,
}

/// How far a hold or resume of ours is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Change {
    #[default]
    None,
    /// The re-INVITE is on its way.
    Sent,
    /// Glare: it is repeated at the call's deadline.
    Waiting,
}

/// What the application is to be told of a call, in the order of [`CallSlot::first_news`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct News(u8);

impl News {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const INCOMING: Self = Self(1);
    pub(crate) const PROGRESS: Self = Self(2);
    pub(crate) const MEDIA: Self = Self(4);
    pub(crate) const ESTABLISHED: Self = Self(8);
    pub(crate) const HOLD_FAILED: Self = Self(16);
    pub(crate) const ENDED: Self = Self(32);

    pub(crate) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(crate) fn remove(&mut self, other: Self) {
        self.0 &= !other.0;
    }

    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The one to be told next: the lowest bit.
    pub(crate) fn first(self) -> Self {
        Self(self.0 & self.0.wrapping_neg())
    }
}

impl Slot for CallSlot {
    fn deadline(&self) -> Due {
        self.deadline
    }

    fn is_ready(&self) -> bool {
        !self.news.is_none() || self.resolving == Resolving::Wanted
    }
}

/// A dialog (RFC 3261 s12).
#[derive(Debug, Default)]
pub(crate) struct DialogSlot {
    pub(crate) text: Packed<{ dialog_text::COUNT }>,
    /// The next fork of the same call.
    pub(crate) next: Option<Id>,
    pub(crate) path: Option<Path>,
    pub(crate) local_cseq: u32,
    pub(crate) remote_cseq: u32,
    /// What this fork answered before its 2xx.
    pub(crate) early: Option<MediaPlan>,
}

impl Slot for DialogSlot {
    const ACTS: bool = false;

    fn deadline(&self) -> Due {
        Due::NEVER
    }

    fn is_ready(&self) -> bool {
        false
    }
}

/// A transaction with the buffers that it holds.
#[derive(Debug, Default)]
pub(crate) struct TransactionSlot {
    pub(crate) machine: Machine,
    pub(crate) purpose: Purpose,
    pub(crate) account: Option<Id>,
    pub(crate) call: Option<Id>,
    pub(crate) path: Option<Path>,
    /// The random part of our branch, of a client.
    pub(crate) random: u64,
    /// Where a server's transaction stands in the index: by branch, and by what a fork of the same
    /// request would share. Zero for none.
    pub(crate) keys: [u64; KEYS],
    /// Our request, or the ACK that it became; a peer's request until its final response.
    pub(crate) message: Option<BufferId>,
    /// Our last response.
    pub(crate) response: Option<BufferId>,
    pub(crate) send_message: bool,
    pub(crate) send_response: bool,
    pub(crate) cancel: Cancel,
    /// Remove as soon as everything is sent.
    pub(crate) doomed: bool,
    pub(crate) resolving: Resolving,
    /// How often credentials of each kind were made for a challenge along this chain of requests.
    pub(crate) given: [u8; 2],
    /// Forks of the INVITE that got a BYE.
    pub(crate) forks: u8,
    pub(crate) cseq: u32,
    pub(crate) news: Option<RequestNews>,
    pub(crate) turn: u32,
    /// When it began: the oldest gives way first.
    pub(crate) since: Instant,
}

/// What the application is to be told of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RequestNews {
    Request,
    Response(Result<u16, Reason>),
}

/// The CANCEL of an INVITE, a second machine in the same slot; its bytes are made from the INVITE
/// at each send, so that cancelling never needs memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Cancel {
    #[default]
    No,
    /// As soon as a 1xx allows it (RFC 3261 s9.1).
    Wanted,
    /// On its way; `true` while it is to be sent.
    Sent(ClientRequest, bool),
    /// Answered or given up.
    Done,
}

/// Which machine runs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Machine {
    /// None yet: the way is being looked up.
    #[default]
    Idle,
    ClientInvite(ClientInvite),
    ClientRequest(ClientRequest),
    ServerInvite(ServerInvite),
    ServerRequest(ServerRequest),
}

/// What a transaction is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Purpose {
    /// Nobody waits for it.
    #[default]
    None,
    /// REGISTER of an account.
    Register,
    /// REGISTER without Contact.
    Query,
    /// INVITE that makes a call, either way.
    Invite,
    /// INVITE inside a call, either way.
    Reinvite,
    /// BYE of ours.
    Bye,
    /// A request of the application, or one that it must answer.
    Request,
}

impl TransactionSlot {
    /// The CANCEL goes out now; its INVITE waits no longer than it does (RFC 3261 s9.1).
    pub(crate) fn begin_cancel(&mut self, now: Instant, timing: &Timing) {
        self.cancel = Cancel::Sent(ClientRequest::start(now, timing), true);
        if let Machine::ClientInvite(machine) = &mut self.machine {
            machine.end_at(now + timing.give_up());
        }
    }

    fn cancel_deadline(&self) -> Due {
        match &self.cancel {
            Cancel::Sent(machine, _) => machine.due(),
            _ => Due::NEVER,
        }
    }
}

impl Slot for TransactionSlot {
    fn deadline(&self) -> Due {
        let machine = match &self.machine {
            // the driver owes an answer about the way; a slot must not depend on it
            Machine::Idle if self.resolving != Resolving::No => Due::at(self.since + RESOLVE_LIMIT),
            Machine::Idle => Due::NEVER,
            Machine::ClientInvite(machine) => machine.due(),
            Machine::ClientRequest(machine) => machine.due(),
            Machine::ServerInvite(machine) => machine.due(),
            Machine::ServerRequest(machine) => machine.due(),
        };
        machine.or_sooner(self.cancel_deadline())
    }

    fn is_ready(&self) -> bool {
        self.news.is_some()
            || self.send_message
            || self.send_response
            || self.doomed
            || self.resolving == Resolving::Wanted
            || matches!(self.cancel, Cancel::Sent(_, true))
    }
}

/// How long a request waits for its way: as long as it would wait for a response.
const RESOLVE_LIMIT: Duration = Duration::from_secs(32);

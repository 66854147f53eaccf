use crate::call::State;
use crate::sdp::MediaPlan;
use crate::sip::Message;
use crate::time::Instant;

use super::slots::{Machine, Purpose, account_text, dialog_text as field};
use super::{AccountId, CallId, Endpoint, RequestId};

/// What can be seen of a call.
#[derive(Clone, Copy, Debug)]
pub struct CallView<'e> {
    /// Where it stands.
    pub state: State,
    /// Whether we placed it.
    pub outgoing: bool,
    /// Whose it is.
    pub account: AccountId,
    /// Call-ID.
    pub call_id: &'e [u8],
    /// The peer's From or To value without its tag.
    pub remote: &'e [u8],
    /// The peer's Contact URI, or whom we called while there is none.
    pub target: &'e [u8],
    /// What was agreed on last.
    pub plan: Option<MediaPlan>,
}

/// What can be seen of an account.
#[derive(Clone, Copy, Debug)]
pub struct AccountView<'e> {
    /// Address of record.
    pub identity: &'e [u8],
    /// Until when the registrar holds our binding, as far as we know.
    pub registered_until: Option<Instant>,
}

impl Endpoint<'_> {
    /// A call, unless its end was told.
    pub fn view(&self, call: CallId) -> Option<CallView<'_>> {
        let slot = self.calls.get(call.0).filter(|slot| !slot.told)?;
        Some(CallView {
            state: slot.state,
            outgoing: slot.outgoing,
            account: AccountId(slot.account),
            call_id: self.dialog_field(slot.dialog, field::CALL_ID),
            remote: self.dialog_field(slot.dialog, field::REMOTE),
            target: self.dialog_field(slot.dialog, field::TARGET),
            plan: slot.plan,
        })
    }

    /// An account.
    pub fn account_view(&self, account: AccountId) -> Option<AccountView<'_>> {
        let slot = self.accounts.get(account.0)?;
        Some(AccountView {
            identity: self.account_field(account.0, account_text::IDENTITY),
            registered_until: slot.registration.expires_at(),
        })
    }

    /// The INVITE of an incoming call, until the call is answered or refused.
    pub fn invite_message(&self, call: CallId) -> Option<Message<'_>> {
        let slot = self.calls.get(call.0).filter(|slot| slot.state == State::Ringing)?;
        self.kept_message(slot.invite?)
    }

    /// A peer's request ([`Event::Request`](super::Event::Request)), until it is answered.
    pub fn request_message(&self, request: RequestId) -> Option<Message<'_>> {
        let slot = self.transactions.get(request.0)?;
        let open = matches!(&slot.machine, Machine::ServerRequest(machine) if machine.is_open());
        let wanted = open && slot.purpose == Purpose::Request;
        if wanted { self.kept_message(request.0) } else { None }
    }

    /// How many slots and buffers are in use.
    pub fn usage(&self) -> Usage {
        Usage {
            accounts: self.accounts.len(),
            calls: self.calls.len(),
            dialogs: self.dialogs.len(),
            transactions: self.transactions.len(),
            buffers: self.buffers.used() - usize::from(self.inbox.is_some()),
        }
    }
}

/// Slots and buffers in use, without the buffer of this turn's message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Accounts.
    pub accounts: usize,
    /// Calls, those that wait for their BYE's response included.
    pub calls: usize,
    /// Dialogs.
    pub dialogs: usize,
    /// Transactions, lingering ones included.
    pub transactions: usize,
    /// Message buffers.
    pub buffers: usize,
}

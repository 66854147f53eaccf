use crate::sdp::MediaPlan;
use crate::sip::Message;

use super::{AccountId, CallId, RequestId};

/// What the application is told. `message` is the whole message that caused the event, where one
/// did; it is lent until the next turn.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'e> {
    /// The registrar holds our binding for `expires_s` more seconds; again at each refresh.
    Registered {
        /// Whose.
        account: AccountId,
        /// Granted life, seconds.
        expires_s: u32,
        /// The 200.
        message: Option<Message<'e>>,
    },
    /// The binding is not, or no longer, at the registrar.
    RegistrationFailed {
        /// Whose.
        account: AccountId,
        /// Why.
        reason: Reason,
        /// When it is tried again, seconds from now; `None`: not by itself.
        retry_s: Option<u32>,
        /// The final response.
        message: Option<Message<'e>>,
    },
    /// Our binding is removed.
    Unregistered {
        /// Whose.
        account: AccountId,
        /// The 200.
        message: Option<Message<'e>>,
    },
    /// The answer to a query: all bindings of the address of record are the Contacts of `message`.
    Bindings {
        /// Whose.
        account: AccountId,
        /// Whether they are known, or why not.
        outcome: Result<(), Reason>,
        /// The final response.
        message: Option<Message<'e>>,
    },
    /// Somebody calls.
    Incoming {
        /// The new call.
        call: CallId,
        /// Whom.
        account: AccountId,
        /// The INVITE.
        message: Option<Message<'e>>,
    },
    /// An outgoing call got a provisional response; several that nobody drained merge.
    Progress {
        /// The call.
        call: CallId,
        /// 100 to 199.
        status: u16,
        /// The response.
        message: Option<Message<'e>>,
    },
    /// What the media session of the call must do now.
    Media {
        /// The call.
        call: CallId,
        /// How far the negotiation is.
        stage: Stage,
        /// The stream.
        plan: MediaPlan,
        /// The message with the SDP.
        message: Option<Message<'e>>,
    },
    /// The call is up: 2xx and ACK have passed or are on their way.
    Established {
        /// The call.
        call: CallId,
        /// The 2xx or the ACK.
        message: Option<Message<'e>>,
    },
    /// A request that the application takes; answer it with `respond`.
    Request {
        /// The request.
        request: RequestId,
        /// Inside which call, if any.
        call: Option<CallId>,
        /// For whom, if known.
        account: Option<AccountId>,
        /// The request.
        message: Option<Message<'e>>,
    },
    /// The final response to a request of ours, or why there was none.
    Response {
        /// The request.
        request: RequestId,
        /// The status, or why no response came.
        outcome: Result<u16, Reason>,
        /// The response.
        message: Option<Message<'e>>,
    },
    /// The peer refused to hold or resume; media stays as it was.
    HoldFailed {
        /// The call.
        call: CallId,
        /// Why.
        reason: Reason,
    },
    /// The call is over: the last event of a call, exactly once.
    Ended {
        /// The call; the handle names nothing any more.
        call: CallId,
        /// Why.
        reason: Reason,
        /// The final response, BYE or CANCEL.
        message: Option<Message<'e>>,
    },
}

impl<'e> Event<'e> {
    /// Where the message stands that caused it.
    pub(super) fn message_mut(&mut self) -> Option<&mut Option<Message<'e>>> {
        Some(match self {
            Self::Registered { message, .. }
            | Self::RegistrationFailed { message, .. }
            | Self::Unregistered { message, .. }
            | Self::Bindings { message, .. }
            | Self::Incoming { message, .. }
            | Self::Progress { message, .. }
            | Self::Media { message, .. }
            | Self::Established { message, .. }
            | Self::Request { message, .. }
            | Self::Response { message, .. }
            | Self::Ended { message, .. } => message,
            Self::HoldFailed { .. } => return None,
        })
    }
}

/// How far the negotiation of a stream is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Stage {
    /// We offered a change: receive both the old and this until the answer (RFC 3264 s8.3.2).
    #[default]
    Offered,
    /// Both sides agree.
    Agreed,
    /// The change was refused; this is what holds on.
    RolledBack,
}

/// Why a call, registration or request ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// We hung up an established call.
    HungUp,
    /// The peer hung up an established call.
    PeerHungUp,
    /// We gave up before the peer answered.
    Cancelled,
    /// The caller gave up before we answered.
    CallerGaveUp,
    /// The peer's final response, 300 to 699.
    Rejected(u16),
    /// We refused the call with this status.
    Declined(u16),
    /// Nobody answered within the limit.
    NoAnswer,
    /// No response at all within 64 * T1 (RFC 3261 s17.1.1.2).
    TimedOut,
    /// The transport could not reach the peer, or its name could not be resolved.
    Unreachable,
    /// Our credentials were refused, or the challenger may not have them.
    AuthenticationFailed,
    /// No media in common.
    NotAcceptable,
    /// The peer never acknowledged our 200 (RFC 3261 s13.3.1.4).
    AckMissing,
    /// Nothing was heard on the media stream for the limit.
    MediaSilent,
    /// A message did not fit into our memory.
    TooLong,
    /// No slot or buffer was free.
    NoRoom,
    /// Our address changed and the call could not follow.
    AddressLost,
    /// The account was removed.
    AccountRemoved,
    /// The peer's message broke the protocol.
    ProtocolError,
}

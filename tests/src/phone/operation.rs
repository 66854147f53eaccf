//! What a user does and is told.

use sansip::endpoint::{CallId, Reason, RequestId, Stage};
use sansip::sdp::MediaPlan;

/// What a user does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Register, and keep registered.
    Register,
    /// Remove the registration.
    Unregister,
    /// Ask for all bindings.
    Query,
    /// Call a SIP URI, or a user at the server.
    Call {
        /// Whom.
        target: String,
        /// Without an offer: the callee makes it.
        late_offer: bool,
    },
    /// Tell the caller that it rings, 180.
    Ring(CallId),
    /// Answer the offer in a 183, before the call is answered.
    EarlyMedia(CallId),
    /// Answer.
    Answer(CallId),
    /// Refuse with a status, 300 to 699.
    Reject(CallId, u16),
    /// Hang up, cancel or refuse.
    HangUp(CallId),
    /// Put on hold.
    Hold(CallId),
    /// Take off hold.
    Resume(CallId),
    /// Press digits.
    Digits(CallId, String),
    /// Send silence, or sound again.
    Mute(CallId, bool),
    /// Send a request outside calls, such as OPTIONS or MESSAGE.
    Request {
        /// Its method.
        method: &'static str,
        /// Whom to.
        target: String,
    },
    /// Report that nothing is heard, as a media driver would.
    Silent(CallId),
}

/// What a user is told: the endpoint's and the session's events without what they lend.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "named as the library's events")]
pub enum Told {
    Registered { expires_s: u32 },
    RegistrationFailed { reason: Reason, retry_s: Option<u32> },
    Unregistered,
    Bindings { contacts: Vec<String>, known: bool },
    Incoming { call: CallId },
    Progress { call: CallId, status: u16 },
    Media { call: CallId, stage: Stage, plan: MediaPlan },
    Established { call: CallId },
    HoldFailed { call: CallId, reason: Reason },
    Ended { call: CallId, reason: Reason },
    Request { request: RequestId, method: String },
    Response { request: RequestId, outcome: Result<u16, Reason> },
    Digit { call: CallId, digit: char },
    DigitsSent { call: CallId },
}

use core::fmt;

use crate::sdp::LocalMedia;

use super::{AccountId, CallId, RequestId};

/// What an application asks of the endpoint: the one door that a recorder, a fuzzer and the
/// simulator need. The typed methods of [`Endpoint`](super::Endpoint) are wrappers of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command<'c> {
    /// Add an account; nothing is sent yet. Answers [`Reply::Account`].
    AddAccount(Account<'c>),
    /// Forget an account; its calls end. Nothing is un-registered.
    RemoveAccount(AccountId),
    /// Register now and keep the registration alive.
    Register(AccountId),
    /// Remove our own binding, and only that.
    Unregister(AccountId),
    /// Ask the registrar for all bindings: `Event::Bindings`.
    QueryBindings(AccountId),
    /// Place a call. Answers [`Reply::Call`].
    Call(OutgoingCall<'c>),
    /// Send a provisional response to an incoming call: 180, or 183 with early media.
    Progress {
        /// The incoming call.
        call: CallId,
        /// 101 to 199.
        status: u16,
        /// Early media: the answer to the caller's offer goes out with this response.
        media: Option<LocalMedia>,
        /// Headers for this response.
        headers: &'c [CustomHeader<'c>],
    },
    /// Accept an incoming call with 200.
    ///
    /// Until its ACK the 200 is repeated for 32 s, and then a BYE is (RFC 3261 s13.3.1.4): about
    /// 23 bytes for each byte of an INVITE whose source was forged. An application that answers
    /// without a person should know its callers, or challenge them with `Reject` first.
    Answer {
        /// The incoming call.
        call: CallId,
        /// Our side of the audio stream; as before where early media was answered already.
        media: LocalMedia,
        /// Headers for this response.
        headers: &'c [CustomHeader<'c>],
    },
    /// Refuse an incoming call with a final response.
    Reject {
        /// The incoming call.
        call: CallId,
        /// 300 to 699.
        status: u16,
        /// Headers for this response, such as a challenge or the Contacts of a 302.
        headers: &'c [CustomHeader<'c>],
    },
    /// End a call in whatever state it is: CANCEL, 603, BYE.
    HangUp(CallId),
    /// Put the peer on hold by a re-INVITE with `sendonly` (RFC 3264 s8.4).
    Hold(CallId),
    /// Take the peer off hold.
    Resume(CallId),
    /// Send a request that belongs to no call. Answers [`Reply::Request`].
    Request(OutgoingRequest<'c>),
    /// Send a request inside a call, such as INFO or MESSAGE. Answers [`Reply::Request`].
    RequestInCall {
        /// The established call.
        call: CallId,
        /// Any method but INVITE, ACK, BYE, CANCEL, REGISTER, PRACK and UPDATE.
        method: &'c str,
        /// Headers for this request.
        headers: &'c [CustomHeader<'c>],
        /// A body with its type.
        body: Option<Body<'c>>,
    },
    /// Answer a request that came as `Event::Request`.
    Respond {
        /// The request.
        request: RequestId,
        /// 200 to 699.
        status: u16,
        /// Headers for this response.
        headers: &'c [CustomHeader<'c>],
        /// A body with its type.
        body: Option<Body<'c>>,
    },
    /// The media driver heard nothing for its limit: the call ends, unless it is on hold.
    MediaSilent(CallId),
}

/// An identity with what is needed to register it. All text is copied.
#[derive(Clone, Copy, Debug)]
pub struct Account<'c> {
    /// Address of record, `sip:100@example.com`: From of what we send.
    pub identity: &'c str,
    /// Name beside the identity; empty for none.
    pub display_name: &'c str,
    /// URI of the server for REGISTER, `sip:example.com`; empty for none.
    pub registrar: &'c str,
    /// URI that every request outside a dialog goes to first; empty for none. With `;lr` it is also
    /// their Route, as RFC 3261 s8.1.2 recommends.
    pub outbound_proxy: &'c str,
    /// Name in digest credentials; the identity's user part where empty.
    pub auth_user: &'c str,
    /// Password of the digest.
    pub password: &'c str,
    /// The only realm that gets credentials; the one of the server's first challenge where empty.
    pub realm: &'c str,
    /// User-Agent of requests and Server of responses; empty for none.
    pub user_agent: &'c str,
    /// Headers for every request of the account.
    pub headers: &'c [CustomHeader<'c>],
    /// Life of a registration that is asked for, seconds; 300 unless set.
    pub expires_s: u32,
    /// Whether a digest with MD5 may be given (RFC 8760 s2.4 has it optional).
    pub allow_md5: bool,
}

impl Default for Account<'_> {
    fn default() -> Self {
        Self {
            identity: "",
            display_name: "",
            registrar: "",
            outbound_proxy: "",
            auth_user: "",
            password: "",
            realm: "",
            user_agent: "",
            headers: &[],
            expires_s: 300,
            allow_md5: true,
        }
    }
}

/// A header that is added to what we send.
///
/// `User-Agent`, `From` and `Contact` replace ours (the tag stays); `Via`, `To`, `Call-ID`,
/// `CSeq`, `Route`, `Content-Length` and the like belong to the endpoint and are refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CustomHeader<'c> {
    /// Only on this method; `None` on every request. A CANCEL, the ACK of a failure and what ends a
    /// surplus fork outlive the call: they have those of the account.
    pub method: Option<&'c str>,
    /// Name of the header, a token.
    pub name: &'c str,
    /// Value, one line.
    pub value: &'c str,
}

impl<'c> CustomHeader<'c> {
    /// A header for every method.
    pub const fn new(name: &'c str, value: &'c str) -> Self {
        Self { method: None, name, value }
    }
}

/// A call to place.
#[derive(Clone, Debug)]
pub struct OutgoingCall<'c> {
    /// Whose call.
    pub account: AccountId,
    /// Whom to call: a `sip:` URI, or only a user part at the account's registrar.
    pub target: &'c str,
    /// Our side of the audio stream.
    pub media: LocalMedia,
    /// Send the INVITE without SDP and answer the peer's offer in the ACK (RFC 3261 s13.2.1).
    pub late_offer: bool,
    /// Headers for requests of this call.
    pub headers: &'c [CustomHeader<'c>],
}

/// A request outside calls.
#[derive(Clone, Copy, Debug)]
pub struct OutgoingRequest<'c> {
    /// Whose request.
    pub account: AccountId,
    /// Any method but INVITE, ACK, BYE, CANCEL, PRACK and UPDATE.
    pub method: &'c str,
    /// Request-URI and To: a `sip:` URI, or only a user part at the account's registrar.
    pub target: &'c str,
    /// Headers for this request.
    pub headers: &'c [CustomHeader<'c>],
    /// A body with its type.
    pub body: Option<Body<'c>>,
}

/// A message body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Body<'c> {
    /// Content-Type.
    pub content_type: &'c str,
    /// The bytes.
    pub bytes: &'c [u8],
}

/// What a command answers at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply {
    /// It is done or under way.
    Done,
    /// The new account.
    Account(AccountId),
    /// The new call.
    Call(CallId),
    /// The new request.
    Request(RequestId),
}

/// Why a command was not taken; nothing has changed then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The handle names nothing that lives.
    Gone,
    /// The call or account is in a state where this makes no sense.
    State,
    /// All slots or buffers of the kind that is needed are in use.
    NoRoom,
    /// A text or message is longer than the memory that was handed over allows.
    TooLong,
    /// A URI, header, status or method is not what the grammar or this command allows.
    Invalid,
    /// The peer's offer has nothing that we can accept.
    NotAcceptable,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "no such account, call or request",
            Self::State => "not possible in this state",
            Self::NoRoom => "all slots or buffers are in use",
            Self::TooLong => "longer than the memory allows",
            Self::Invalid => "invalid URI, header, status or method",
            Self::NotAcceptable => "no media in common with the peer's offer",
        })
    }
}

impl core::error::Error for Error {}

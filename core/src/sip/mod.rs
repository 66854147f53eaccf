//! SIP messages: bytes in, borrowed views out, and back (RFC 3261 s7, s19, s20, s25).
//!
//! Nothing here keeps state, reads a clock or copies what it reads. Two levels:
//!
//! - [`Message`] is lossless and judges nothing beyond framing: start line, headers in their order,
//!   body. Every byte can be written back by [`Writer`].
//! - [`Head`] is the validated subset that routing needs. Whoever holds one knows that top Via,
//!   From, To, Call-ID and CSeq are there, once, and well-formed.
//!
//! Between them stand the typed values ([`Uri`], [`NameAddr`], [`Contact`], [`Via`],
//! [`Challenge`], ...), each parsed from one header value on request.
//!
//! # Line ends
//! One policy, the same in datagrams and in streams: CRLF and a bare LF both end a line; a bare CR
//! or a NUL in the header section refuses the message. (A NUL that a backslash escapes is legal
//! inside a quoted string, RFC 3261 s25.1, and stays.) A line that begins with a space or a tab
//! continues the header before it. We write CRLF only.
//!
//! # Bytes first
//! Values are bytes, as they came. A host keeps its bytes, and reading it as an address is a step
//! of its own ([`Host::address`]); escapes and quoted pairs are decoded lazily.

mod address;
mod auth;
mod check;
mod framer;
mod grammar;
mod head;
mod header;
mod host;
mod message;
mod name;
mod params;
mod response;
mod start_line;
mod status;
mod uri;
mod values;
mod via;
mod writer;

pub use address::{Contact, NameAddr};
pub use auth::{AuthParams, Challenge, Credentials};
pub use framer::{Frame, FrameError, Framer};
pub(crate) use grammar::is_token;
pub use grammar::{Unquoted, ValueError, unquoted};
pub use head::{Field, Head, HeadError};
pub use header::{Header, Headers, Values};
pub use host::Host;
pub(crate) use message::Layout;
pub use message::{Message, ParseError};
pub use name::{HeaderName, Method};
pub use params::Params;
pub use response::ResponseOptions;
pub use start_line::StartLine;
pub use status::reason;
pub use uri::{Scheme, Unescaped, Uri, unescaped};
pub use values::{
    CSeq, ContentType, Event, RAck, Reason, Refresher, Replaces, SessionExpires, SubscriptionState,
};
pub use via::{TransportName, Via};
pub use writer::{WriteError, Writer};

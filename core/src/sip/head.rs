//! The validated subset of a message that routing needs.

use core::fmt;

use super::address::NameAddr;
use super::grammar::{OPAQUE, ValueError, leading_len, number};
use super::message::Message;
use super::name::{HeaderName, Method};
use super::start_line::{StartLine, is_ours};
use super::uri::Uri;
use super::values::CSeq;
use super::via::Via;

/// What every valid message has, once each and well-formed (RFC 3261 s8.1.1, s8.2).
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// Method and Request-URI, or status and reason.
    pub start: StartLine<'a>,
    /// The Request-URI, parsed; `None` in a response.
    pub uri: Option<Uri<'a>>,
    /// The topmost Via.
    pub via: Via<'a>,
    /// How many Via values there are in all; a user agent discards responses with more than one.
    pub via_count: usize,
    /// From.
    pub from: NameAddr<'a>,
    /// From's tag; `None` only from RFC 2543 peers.
    pub from_tag: Option<&'a [u8]>,
    /// To.
    pub to: NameAddr<'a>,
    /// To's tag; `None` in requests outside dialogs.
    pub to_tag: Option<&'a [u8]>,
    /// Call-ID, opaque.
    pub call_id: &'a [u8],
    /// CSeq, its method equal to the request's.
    pub cseq: CSeq<'a>,
    /// Max-Forwards; 70 when there is none.
    pub max_forwards: u8,
}

/// A header that [`Head`] reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // Each is its own name.
#[repr(u32)] // as HeadError
// in the order of `HeaderName`, whose first ones these are
pub enum Field {
    Via,
    From,
    To,
    CallId,
    CSeq,
    MaxForwards,
}

/// Why a message that frames has no valid head. All of these are the sender's fault; a response
/// with any of them is discarded, a request is answered with [`HeadError::status`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)] // With one byte, the compiler moves the value of a `Result` byte by byte around it.
pub enum HeadError {
    /// The version is not SIP/2.0.
    Version,
    /// A mandatory header is missing.
    Missing(Field),
    /// A header that may stand once stands more often.
    Repeated(Field),
    /// A header breaks its grammar.
    Malformed(Field),
    /// A number in a header is too large.
    Range(Field),
    /// The Request-URI is malformed.
    RequestUri,
    /// CSeq names another method than the request line.
    MethodMismatch,
    /// The same, and the method is unknown besides (RFC 4475 s3.1.2.18).
    UnknownMethodMismatch,
}

impl<'a> Head<'a> {
    /// Validates the head of a message.
    pub fn parse(message: &Message<'a>) -> Result<Self, HeadError> {
        let start = message.start_line();
        let version = start.version();
        if !is_ours(version) && !version.eq_ignore_ascii_case(b"SIP/2.0") {
            return Err(HeadError::Version);
        }
        let mut vias = message.values(HeaderName::Via);
        let via = vias.next().ok_or(HeadError::Missing(Field::Via))?;
        let from = required(message, Field::From)?;
        let to = required(message, Field::To)?;
        let call_id = required(message, Field::CallId)?;
        let cseq = required(message, Field::CSeq)?;
        let max_forwards = only(message, Field::MaxForwards)?;

        let via = match Via::parse(via) {
            Ok(via) => via,
            Err(error) => return Err(HeadError::value(Field::Via, error)),
        };
        let from = match NameAddr::parse(from) {
            Ok(from) => from,
            Err(error) => return Err(HeadError::value(Field::From, error)),
        };
        let from_tag = from.tag();
        let to = match NameAddr::parse(to) {
            Ok(to) => to,
            Err(error) => return Err(HeadError::value(Field::To, error)),
        };
        let to_tag = to.tag();
        let cseq = match CSeq::parse(cseq) {
            Ok(cseq) => cseq,
            Err(error) => return Err(HeadError::value(Field::CSeq, error)),
        };
        if !is_call_id(call_id) {
            return Err(HeadError::Malformed(Field::CallId));
        }
        let max_forwards = max_forwards.map_or(Ok(MAX_FORWARDS_DEFAULT), hops)?;
        let uri = request_uri(start, cseq)?;
        let mut via_count = 1;
        while vias.next().is_some() {
            via_count += 1;
        }
        Ok(Self {
            start,
            uri,
            via,
            via_count,
            from,
            from_tag,
            to,
            to_tag,
            call_id,
            cseq,
            max_forwards,
        })
    }
}

impl HeadError {
    /// The status that answers a request with this fault.
    pub const fn status(self) -> u16 {
        match self {
            Self::Version => 505,
            Self::UnknownMethodMismatch => 501,
            _ => 400,
        }
    }

    /// What went wrong, in a few words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Version => "SIP version not supported",
            Self::Missing(_) => "mandatory header missing",
            Self::Repeated(_) => "header may stand only once",
            Self::Malformed(_) => "malformed header",
            Self::Range(_) => "number out of range",
            Self::RequestUri => "malformed Request-URI",
            Self::MethodMismatch => "CSeq method differs from request method",
            Self::UnknownMethodMismatch => "unknown method, and CSeq differs",
        }
    }

    /// The header at fault, where it is one.
    pub const fn field(self) -> Option<Field> {
        match self {
            Self::Missing(field)
            | Self::Repeated(field)
            | Self::Malformed(field)
            | Self::Range(field) => Some(field),
            _ => None,
        }
    }

    fn value(field: Field, error: ValueError) -> Self {
        match error {
            ValueError::Syntax => Self::Malformed(field),
            ValueError::Range => Self::Range(field),
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        match self.field() {
            Some(field) => write!(f, ": {}", field.name()),
            None => Ok(()),
        }
    }
}

impl core::error::Error for HeadError {}

impl Field {
    /// The name of the header.
    pub const fn name(self) -> HeaderName<'static> {
        match self {
            Self::Via => HeaderName::Via,
            Self::From => HeaderName::From,
            Self::To => HeaderName::To,
            Self::CallId => HeaderName::CallId,
            Self::CSeq => HeaderName::CSeq,
            Self::MaxForwards => HeaderName::MaxForwards,
        }
    }
}

fn required<'a>(message: &Message<'a>, field: Field) -> Result<&'a [u8], HeadError> {
    only(message, field)?.ok_or(HeadError::Missing(field))
}

/// The value of a header that may stand only once.
fn only<'a>(message: &Message<'a>, field: Field) -> Result<Option<&'a [u8]>, HeadError> {
    match message.indexed(field as usize) {
        (0, _) => Ok(None),
        (1, value) => Ok(Some(value)),
        _ => Err(HeadError::Repeated(field)),
    }
}

fn hops(value: &[u8]) -> Result<u8, HeadError> {
    let value = number(value, 255).map_err(|error| HeadError::value(Field::MaxForwards, error))?;
    Ok(value as u8)
}

fn request_uri<'a>(start: StartLine<'a>, cseq: CSeq<'_>) -> Result<Option<Uri<'a>>, HeadError> {
    let StartLine::Request { method, uri, .. } = start else { return Ok(None) };
    if method != cseq.method {
        return Err(match method {
            Method::Other(_) => HeadError::UnknownMethodMismatch,
            _ => HeadError::MethodMismatch,
        });
    }
    Uri::parse(uri).map(Some).map_err(|_| HeadError::RequestUri)
}

/// Opaque to us, so more than the grammar's `word` is let through, but nothing that could split
/// or end a header.
pub(super) fn is_call_id(value: &[u8]) -> bool {
    !value.is_empty() && leading_len(value, OPAQUE) == value.len()
}

/// A request without the header was made by a peer of RFC 2543 (RFC 3261 s8.1.1.6).
const MAX_FORWARDS_DEFAULT: u8 = 70;

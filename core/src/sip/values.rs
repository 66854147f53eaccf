//! The smaller typed values.

use super::grammar::{ValueError, digits, lws, number, separator, token, trim};
use super::message::Message;
use super::name::{HeaderName, Method};
use super::params::Params;
use crate::scan::find;

/// CSeq: a number below 2^31 and a method (RFC 3261 s8.1.1.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CSeq<'a> {
    /// Below 2^31.
    pub number: u32,
    /// The method of the request that this belongs to.
    pub method: Method<'a>,
}

impl<'a> CSeq<'a> {
    /// Reads a CSeq value.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let (rest, digits) = digits(trim(value))?;
        let method = lws(rest);
        if method.len() == rest.len() {
            return Err(ValueError::Syntax);
        }
        require_token(method)?;
        Ok(Self { number: number(digits, CSEQ_MAX)?, method: Method::parse(method) })
    }
}

/// RAck: which reliable provisional response a PRACK acknowledges (RFC 3262 s7.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RAck<'a> {
    /// The RSeq of the response.
    pub response_number: u32,
    /// The CSeq of the response.
    pub cseq: CSeq<'a>,
}

impl<'a> RAck<'a> {
    /// Reads a RAck value.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let (rest, response_number) = digits(trim(value))?;
        let cseq = lws(rest);
        if cseq.len() == rest.len() {
            return Err(ValueError::Syntax);
        }
        Ok(Self { response_number: number(response_number, u32::MAX)?, cseq: CSeq::parse(cseq)? })
    }
}

/// Session-Expires (RFC 4028 s4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionExpires {
    /// The session interval, seconds.
    pub seconds: u32,
    /// Who refreshes, where it is said.
    pub refresher: Option<Refresher>,
}

/// Who refreshes a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refresher {
    /// The client of the request that carries it.
    Uac,
    /// The server of it.
    Uas,
}

impl SessionExpires {
    /// Reads a Session-Expires value.
    pub fn parse(value: &[u8]) -> Result<Self, ValueError> {
        let (params, seconds) = digits(trim(value))?;
        let params = Params::of_header(Params::validated(params)?);
        let refresher = match params.value_of(b"refresher") {
            None => None,
            Some(role) if role.eq_ignore_ascii_case(b"uac") => Some(Refresher::Uac),
            Some(role) if role.eq_ignore_ascii_case(b"uas") => Some(Refresher::Uas),
            Some(_) => return Err(ValueError::Syntax),
        };
        Ok(Self { seconds: number(seconds, u32::MAX)?, refresher })
    }
}

/// Replaces: the dialog that a new one takes the place of (RFC 3891 s6.1).
///
/// The tags are named from the receiver's side: `to_tag` is the receiver's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replaces<'a> {
    /// Call-ID of the dialog.
    pub call_id: &'a [u8],
    /// The receiver's tag.
    pub to_tag: &'a [u8],
    /// The other side's tag.
    pub from_tag: &'a [u8],
    /// Whether only a dialog that is not confirmed may be replaced.
    pub early_only: bool,
}

impl<'a> Replaces<'a> {
    /// Reads a Replaces value; both tags must be there, once each.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let (call_id, params) = split_params(value)?;
        let one = |wanted: &[u8]| {
            let mut found = Params::of_header(params)
                .filter(|(name, _)| name.eq_ignore_ascii_case(wanted))
                .filter_map(|(_, value)| value);
            found.next().filter(|_| found.next().is_none()).ok_or(ValueError::Syntax)
        };
        if call_id.is_empty() || call_id.iter().any(|byte| *byte <= b' ' || *byte == b',') {
            return Err(ValueError::Syntax);
        }
        let early_only = Params::of_header(params).value_of(b"early-only").is_some();
        Ok(Self { call_id, to_tag: one(b"to-tag")?, from_tag: one(b"from-tag")?, early_only })
    }
}

/// Event: an event package and which subscription to it (RFC 6665 s8.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event<'a> {
    /// The package with its templates, such as `presence.winfo`; compared with case.
    pub package: &'a [u8],
    /// The `id` parameter.
    pub id: Option<&'a [u8]>,
    params: &'a [u8],
}

impl<'a> Event<'a> {
    /// Reads an Event value.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let (package, params) = split_params(value)?;
        require_token(package)?;
        let id = Params::of_header(params).value_of(b"id");
        Ok(Self { package, id, params })
    }

    /// All parameters.
    pub fn params(&self) -> Params<'a> {
        Params::of_header(self.params)
    }
}

/// Subscription-State (RFC 6665 s8.2.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SubscriptionState<'a> {
    /// `active`, `pending`, `terminated` or an extension, as it came.
    pub state: &'a [u8],
    params: &'a [u8],
}

impl<'a> SubscriptionState<'a> {
    /// Reads a Subscription-State value; `expires` and `retry-after` must be numbers.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let (state, params) = split_params(value)?;
        require_token(state)?;
        let read = Self { state, params };
        for name in [&b"expires"[..], b"retry-after"] {
            if let Some(value) = read.params().value_of(name) {
                number(value, u32::MAX)?;
            }
        }
        Ok(read)
    }

    /// All parameters.
    pub fn params(&self) -> Params<'a> {
        Params::of_header(self.params)
    }

    /// Whether the state is `terminated`.
    pub fn is_terminated(&self) -> bool {
        self.state.eq_ignore_ascii_case(b"terminated")
    }

    /// Why the subscription ended.
    pub fn reason(&self) -> Option<&'a [u8]> {
        self.params().value_of(b"reason")
    }

    /// How long the subscription still lasts, seconds.
    pub fn expires_seconds(&self) -> Option<u32> {
        number(self.params().value_of(b"expires")?, u32::MAX).ok()
    }

    /// When to try again, seconds.
    pub fn retry_after_seconds(&self) -> Option<u32> {
        number(self.params().value_of(b"retry-after")?, u32::MAX).ok()
    }
}

/// Content-Type, or one value of Accept (RFC 3261 s20.15, s20.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContentType<'a> {
    /// What stands before the slash, such as `application`, or `*`.
    pub kind: &'a [u8],
    /// What stands behind it, such as `sdp`, or `*`.
    pub subtype: &'a [u8],
    params: &'a [u8],
}

impl<'a> ContentType<'a> {
    /// Reads a media type.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let (rest, kind) = token(trim(value))?;
        let (params, subtype) = token(separator(b'/', rest)?)?;
        Ok(Self { kind, subtype, params: Params::validated(params)? })
    }

    /// All parameters.
    pub fn params(&self) -> Params<'a> {
        Params::of_header(self.params)
    }

    /// Whether this is `kind/subtype`, in any case.
    pub fn is(&self, kind: &[u8], subtype: &[u8]) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// Whether this, as a value of Accept, covers `kind/subtype`.
    pub fn covers(&self, kind: &[u8], subtype: &[u8]) -> bool {
        match (self.kind, self.subtype) {
            (b"*", b"*") => true,
            (ours, b"*") => ours.eq_ignore_ascii_case(kind),
            _ => self.is(kind, subtype),
        }
    }
}

/// One value of Reason (RFC 3326 s2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reason<'a> {
    /// `SIP`, `Q.850` or another protocol, as it came.
    pub protocol: &'a [u8],
    params: &'a [u8],
}

impl<'a> Reason<'a> {
    /// Reads one value; `cause` must be a number.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let (protocol, params) = split_params(value)?;
        require_token(protocol)?;
        let read = Self { protocol, params };
        read.params().value_of(b"cause").map_or(Ok(0), |cause| number(cause, u32::MAX))?;
        Ok(read)
    }

    /// All parameters.
    pub fn params(&self) -> Params<'a> {
        Params::of_header(self.params)
    }

    /// The cause in terms of the protocol.
    pub fn cause(&self) -> Option<u32> {
        number(self.params().value_of(b"cause")?, u32::MAX).ok()
    }

    /// The text, with its quotes.
    pub fn text(&self) -> Option<&'a [u8]> {
        self.params().value_of(b"text")
    }
}

impl<'a> Message<'a> {
    /// A header whose value is one number, such as Expires, Min-Expires, RSeq, Min-SE or
    /// Retry-After (RFC 3261 s20.33: text behind the number is let be), within its range: up to
    /// 255 for Max-Forwards, 1 to 2^31-1 for RSeq, else up to 2^32-1.
    pub fn number(&self, name: HeaderName<'_>) -> Result<Option<u32>, ValueError> {
        self.header(name).map(|value| header_number(name, value)).transpose()
    }

    /// The tokens of a list such as Allow, Supported or Require, without empty elements.
    pub fn tokens<'n>(&self, name: HeaderName<'n>) -> impl Iterator<Item = &'n [u8]>
    where
        'a: 'n,
    {
        self.values(name).filter(|value| !value.is_empty())
    }

    /// Whether a list such as Supported has this token, in any case.
    pub fn has_token(&self, name: HeaderName<'_>, token: &[u8]) -> bool {
        self.values(name).any(|value| value.eq_ignore_ascii_case(token))
    }
}

/// The number in a header of this name; see [`Message::number`].
pub(super) fn header_number(name: HeaderName<'_>, value: &[u8]) -> Result<u32, ValueError> {
    let value = trim(value);
    match name {
        HeaderName::MaxForwards => number(value, u32::from(u8::MAX)),
        HeaderName::RSeq => match number(value, CSEQ_MAX)? {
            0 => Err(ValueError::Range),
            number => Ok(number),
        },
        HeaderName::RetryAfter => {
            let (rest, seconds) = digits(value)?;
            let rest = lws(rest);
            match rest {
                [] | [b';' | b'(', ..] => number(seconds, u32::MAX),
                _ => Err(ValueError::Syntax),
            }
        }
        HeaderName::MinSe | HeaderName::Expires | HeaderName::MinExpires => {
            let (params, seconds) = digits(value)?;
            Params::validated(params)?;
            number(seconds, u32::MAX)
        }
        _ => number(value, u32::MAX),
    }
}

/// What stands before the parameters, and the parameters.
fn split_params(value: &[u8]) -> Result<(&[u8], &[u8]), ValueError> {
    let value = trim(value);
    let end = find(b';', value).unwrap_or(value.len());
    let (lead, params) = value.split_at_checked(end).ok_or(ValueError::Syntax)?;
    Ok((trim(lead), Params::validated(params)?))
}

fn require_token(text: &[u8]) -> Result<(), ValueError> {
    match token(text)? {
        ([], _) => Ok(()),
        _ => Err(ValueError::Syntax),
    }
}

/// CSeq and RSeq stay below 2^31 (RFC 3261 s8.1.1.5, RFC 3262 s3).
const CSEQ_MAX: u32 = (1 << 31) - 1;

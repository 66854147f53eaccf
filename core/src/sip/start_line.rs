//! The first line of a message.

use super::grammar::{TOKEN, leading};
use super::message::ParseError;
use super::name::{Method, starts};
use crate::scan::{find, is_visible};

/// The first line of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartLine<'a> {
    /// A request.
    Request {
        /// The method.
        method: Method<'a>,
        /// The Request-URI as it came.
        uri: &'a [u8],
        /// The version as it came, such as `SIP/2.0`.
        version: &'a [u8],
    },
    /// A response.
    Response {
        /// The version as it came.
        version: &'a [u8],
        /// 100 to 699.
        status: u16,
        /// The reason phrase, perhaps empty.
        reason: &'a [u8],
    },
}

impl<'a> StartLine<'a> {
    /// The version as it came.
    pub fn version(&self) -> &'a [u8] {
        match self {
            Self::Request { version, .. } | Self::Response { version, .. } => version,
        }
    }

    pub(super) fn parse(line: &'a [u8]) -> Result<Self, ParseError> {
        let parsed = match line {
            [b'S' | b's', b'I' | b'i', b'P' | b'p', b'/', ..] => Self::parse_response(line),
            _ => Self::parse_request(line),
        };
        parsed.ok_or(ParseError::StartLine)
    }

    fn parse_request(line: &'a [u8]) -> Option<Self> {
        let (method, rest) = leading(line, TOKEN);
        let rest = rest.strip_prefix(b" ")?;
        let (uri, version) = rest.split_at_checked(find(b' ', rest)?)?;
        let version = version.strip_prefix(b" ")?;
        (!method.is_empty() && !uri.is_empty() && is_visible(uri) && is_version(version))
            .then_some(Self::Request { method: Method::parse(method), uri, version })
    }

    fn parse_response(line: &'a [u8]) -> Option<Self> {
        let (version, rest) = line.split_at_checked(find(b' ', line)?)?;
        let [b' ', a @ b'1'..=b'6', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = rest else {
            return None;
        };
        let reason = match rest {
            [] => rest,
            [b' ', reason @ ..] => reason,
            _ => return None,
        };
        let digit = |byte: &u8| u16::from(byte - b'0');
        let status = digit(a) * 100 + digit(b) * 10 + digit(c);
        is_version(version).then_some(Self::Response { version, status, reason })
    }
}

/// `SIP/2.0`, as most peers write it.
pub(super) fn is_ours(version: &[u8]) -> bool {
    version.len() == 7 && starts(version, b"SIP/2.0")
}

/// `SIP-Version`: any number, so that another version can be answered 505.
fn is_version(version: &[u8]) -> bool {
    if is_ours(version) {
        return true;
    }
    let [b'S' | b's', b'I' | b'i', b'P' | b'p', b'/', numbers @ ..] = version else {
        return false;
    };
    let Some(dot) = find(b'.', numbers) else { return false };
    let digits = |part: Option<&[u8]>| {
        part.is_some_and(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
    };
    digits(numbers.get(..dot)) && digits(numbers.get(dot + 1..))
}

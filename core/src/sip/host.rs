//! Hosts: names, IPv4 addresses and IPv6 references, kept as bytes.

use core::net::IpAddr;

use super::grammar::{HOST, Parsed, ValueError, digits, leading_len, number};
use crate::bytes::lenient_ip;
use crate::scan::find;

/// A host as it came. IPv6 addresses keep their brackets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Host<'a> {
    raw: &'a [u8],
}

impl<'a> Host<'a> {
    /// Reads a whole host; the numbers of an address in it are not judged.
    ///
    /// # Errors
    /// [`ValueError::Syntax`] where it is empty, or where another byte stands in it or behind it.
    pub fn parse(text: &'a [u8]) -> Result<Self, ValueError> {
        match host(text)? {
            ([], host) => Ok(host),
            _ => Err(ValueError::Syntax),
        }
    }

    /// The bytes as they came.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// The host as an address; `None` for a name.
    ///
    /// Takes IPv6 with and without brackets, since peers write `received` both ways
    /// (RFC 5118 s4.5), and tolerates `:::` before an embedded IPv4 address (RFC 5118 s4.10).
    pub fn address(&self) -> Option<IpAddr> {
        let inner = match self.raw {
            [b'[', inner @ .., b']'] => inner,
            raw => raw,
        };
        lenient_ip(inner)
    }

    /// Whether both name the same host: equal addresses, or equal bytes without case.
    pub fn matches(&self, other: &Host<'_>) -> bool {
        match (self.address(), other.address()) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (None, None) => self.raw.eq_ignore_ascii_case(other.raw),
            _ => false,
        }
    }

    /// A host that the grammar has not seen, such as the value of `received` or `maddr`.
    pub(super) fn unchecked(raw: &'a [u8]) -> Self {
        Self { raw }
    }
}

/// `host`: a name, an IPv4 address or an IPv6 reference. The numbers in them are not judged.
pub(super) fn host(input: &[u8]) -> Parsed<'_, Host<'_>> {
    let len = match input {
        [b'[', inner @ ..] => {
            let is_address = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
            let len = inner.iter().position(|byte| !is_address(byte)).unwrap_or(inner.len());
            let (address, rest) = inner.split_at_checked(len).unwrap_or((inner, &[]));
            match rest {
                [b']', ..] if find(b':', address).is_some() => address.len() + 2,
                _ => return Err(ValueError::Syntax),
            }
        }
        _ => leading_len(input, HOST),
    };
    match input.split_at_checked(len) {
        Some((raw, rest)) if !raw.is_empty() => Ok((rest, Host { raw })),
        _ => Err(ValueError::Syntax),
    }
}

/// `port`: 0 to 65535.
pub(super) fn port(input: &[u8]) -> Parsed<'_, u16> {
    let (rest, digits) = digits(input)?;
    // Outside the range, too, the header is malformed.
    let port = number(digits, u16::MAX.into()).map_err(|_| ValueError::Syntax)?;
    Ok((rest, port as u16))
}

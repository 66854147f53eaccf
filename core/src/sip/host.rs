//! Hosts: names, IPv4 addresses and IPv6 references, kept as bytes.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::grammar::{HOST, Parsed, ValueError, digits, leading_len, number};

/// A host as it came. IPv6 addresses keep their brackets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Host<'a> {
    raw: &'a [u8],
}

impl<'a> Host<'a> {
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
        if inner.contains(&b':') {
            ipv6(inner).map(IpAddr::V6)
        } else {
            ipv4(inner).map(IpAddr::V4)
        }
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
                [b']', ..] if address.contains(&b':') => address.len() + 2,
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
    let port = number(digits, u64::from(u16::MAX)).map_err(|_| ValueError::Syntax)?;
    Ok((rest, port as u16))
}

// Written here because core's parsers cost 3.4 KB of flash (measured on thumbv7em).
fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = text.split(|byte| *byte == b'.');
    for octet in &mut octets {
        let part = parts.next().filter(|part| part.len() <= 3)?;
        *octet = u8::try_from(number(part, 255).ok()?).ok()?;
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

fn ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    let gap = text.windows(2).position(|pair| pair == b"::");
    let (head, tail) = match gap {
        Some(at) => {
            let tail = text.get(at + 2..)?;
            (text.get(..at)?, tail.strip_prefix(b":").unwrap_or(tail))
        }
        None => (text, &[][..]),
    };
    let mut front = [0; 8];
    let mut back = [0; 8];
    let front_len = groups(head, &mut front, tail.is_empty() && gap.is_none())?;
    let back_len = groups(tail, &mut back, true)?;
    let filled = front_len + back_len;
    if filled > 8 || (gap.is_none() && filled != 8) || (gap.is_some() && filled == 8) {
        return None;
    }
    let target = front.get_mut(8 - back_len..)?;
    target.copy_from_slice(back.get(..back_len)?);
    Some(Ipv6Addr::from(front))
}

/// Reads groups of 16 bits, and an IPv4 address as the last two where that may stand.
fn groups(text: &[u8], groups: &mut [u16; 8], last: bool) -> Option<usize> {
    if text.is_empty() {
        return Some(0);
    }
    let mut len = 0;
    let mut parts = text.split(|byte| *byte == b':').peekable();
    while let Some(part) = parts.next() {
        if last && parts.peek().is_none() && part.contains(&b'.') {
            let [a, b, c, d] = ipv4(part)?.octets();
            *groups.get_mut(len)? = u16::from_be_bytes([a, b]);
            *groups.get_mut(len + 1)? = u16::from_be_bytes([c, d]);
            return Some(len + 2);
        }
        if part.is_empty() || part.len() > 4 {
            return None;
        }
        let group = groups.get_mut(len)?;
        for byte in part {
            *group = *group << 4 | hex_digit(*byte)?;
        }
        len += 1;
    }
    Some(len)
}

fn hex_digit(byte: u8) -> Option<u16> {
    char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok())
}

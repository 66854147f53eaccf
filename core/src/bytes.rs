//! Numbers and addresses as text, in and out, without `core::fmt`: formatting one address there
//! costs several kilobytes of flash.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ops::Range;

use crate::scan::find;

/// A whole text of decimal digits as a number; `None` for anything else and beyond 64 bits.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, &digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// The same within `0..=255`.
pub(crate) fn number_u8(digits: &[u8]) -> Option<u8> {
    u8::try_from(number(digits)?).ok()
}

/// The same within `0..=65535`.
pub(crate) fn number_u16(digits: &[u8]) -> Option<u16> {
    u16::try_from(number(digits)?).ok()
}

/// The same within 32 bits.
pub(crate) fn number_u32(digits: &[u8]) -> Option<u32> {
    u32::try_from(number(digits)?).ok()
}

/// What stands before the first such byte, and what follows it where it stands there at all.
#[cfg_attr(target_os = "none", inline(never))]
pub(crate) fn cut(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    let end = find(at, text).unwrap_or(text.len());
    (text.get(..end).unwrap_or_default(), text.get(end + 1..))
}

/// `value` divided by `by`, and the rest.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(crate) const fn divide(value: u64, by: u16) -> (u64, u16) {
    if cfg!(target_pointer_width = "64") {
        let by = by as u64;
        return (value / by, (value % by) as u16);
    }
    divide_by_halves(value, by)
}

/// The same in numbers of 32 bits: where registers have no more, a division of 64 bits costs
/// 0.9 KB of flash and more time.
const fn divide_by_halves(value: u64, by: u16) -> (u64, u16) {
    let (high, low, by) = ((value >> 32) as u32, value as u32, by as u32);
    if high == 0 {
        return ((low / by) as u64, (low % by) as u16);
    }
    let middle = ((high % by) << 16) | (low >> 16);
    let last = ((middle % by) << 16) | (low & 0xffff);
    let quotient = ((high / by) as u64) << 32 | ((middle / by) as u64) << 16 | (last / by) as u64;
    (quotient, (last % by) as u16)
}

/// An IPv4 address in dotted decimals. Leading zeros are refused: readers differ on octal.
pub(crate) fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    read_ipv4(text, false)
}

/// An IPv6 address (RFC 4291 s2.2) without brackets or zone.
pub(crate) fn ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    read_ipv6(text, false)
}

/// An address of either kind as SIP peers write it: leading zeros in octets, and `:::` before an
/// embedded IPv4 address (RFC 5118 s4.10).
pub(crate) fn lenient_ip(text: &[u8]) -> Option<IpAddr> {
    if find(b':', text).is_some() {
        read_ipv6(text, true).map(IpAddr::V6)
    } else {
        read_ipv4(text, true).map(IpAddr::V4)
    }
}

#[cfg_attr(target_os = "none", inline(never))]
fn read_ipv4(text: &[u8], lenient: bool) -> Option<Ipv4Addr> {
    let mut parts = text.split(|&byte| byte == b'.');
    let mut octets = [0; 4];
    for octet in &mut octets {
        let part = parts.next()?;
        if part.len() > 3 || (!lenient && part.len() > 1 && part.starts_with(b"0")) {
            return None;
        }
        *octet = number_u8(part)?;
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

/// Colon-separated groups, the last of which may be an IPv4 address, with one gap or none.
#[cfg_attr(target_os = "none", inline(never))]
fn read_ipv6(text: &[u8], lenient: bool) -> Option<Ipv6Addr> {
    let mut groups = [[0; 2]; 8];
    let (mut used, mut gap) = (0, None);
    let mut rest = text;
    while !rest.is_empty() {
        if gap.is_none()
            && let Some(after) = rest.strip_prefix(b"::")
        {
            gap = Some(used);
            rest = after.strip_prefix(b":").filter(|_| lenient).unwrap_or(after);
            continue;
        }
        if used > 0 && gap != Some(used) {
            rest = rest.strip_prefix(b":")?;
        }
        let (group, after) = cut(rest, b':');
        if after.is_none() && find(b'.', group).is_some() {
            let [a, b, c, d] = read_ipv4(group, lenient)?.octets();
            *groups.get_mut(used)? = [a, b];
            used += 1;
            *groups.get_mut(used)? = [c, d];
        } else {
            *groups.get_mut(used)? = hex_group(group)?.to_be_bytes();
        }
        used += 1;
        rest = rest.get(group.len()..)?;
    }
    // `::` stands for at least one group
    let missing = 8usize.checked_sub(used)?;
    if gap.is_none() != (missing == 0) {
        return None;
    }
    let mut octets = [0; 16];
    let places = octets.as_chunks_mut().0;
    for (at, group) in groups.iter().take(used).enumerate() {
        let moved = gap.is_some_and(|gap| at >= gap);
        *places.get_mut(if moved { at + missing } else { at })? = *group;
    }
    Some(Ipv6Addr::from(octets))
}

fn hex_group(part: &[u8]) -> Option<u16> {
    if part.is_empty() || part.len() > 4 {
        return None;
    }
    part.iter().try_fold(0u16, |value, &byte| {
        let digit = char::from(byte).to_digit(16)?;
        Some(value << 4 | digit as u16)
    })
}

/// Text being written into a caller's buffer. Once something did not fit, nothing more is
/// written and `finish` says so: a composition needs one check, at its end.
pub(crate) struct Text<'b> {
    buffer: &'b mut [u8],
    used: usize,
    full: bool,
}

impl<'b> Text<'b> {
    pub(crate) const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, used: 0, full: false }
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> &mut Self {
        let end = self.used.saturating_add(bytes.len());
        match self.buffer.get_mut(self.used..end) {
            Some(room) if !self.full => {
                room.copy_from_slice(bytes);
                self.used = end;
            }
            _ => self.full = true,
        }
        self
    }

    pub(crate) fn number(&mut self, mut value: u64) -> &mut Self {
        let mut digits = [0; 20];
        let mut count = 0;
        for digit in digits.iter_mut().rev() {
            let (tenth, rest) = divide(value, 10);
            *digit = b'0' + rest as u8;
            value = tenth;
            count += 1;
            if value == 0 {
                break;
            }
        }
        self.put(digits.get(20 - count..).unwrap_or_default())
    }

    /// An address without brackets, IPv6 as RFC 5952 recommends.
    pub(crate) fn ip(&mut self, address: IpAddr) -> &mut Self {
        match address {
            IpAddr::V4(v4) => self.ipv4(v4),
            IpAddr::V6(v6) => self.ipv6(v6),
        }
    }

    fn ipv4(&mut self, address: Ipv4Addr) -> &mut Self {
        let [a, b, c, d] = address.octets().map(u64::from);
        self.number(a).put(b".").number(b).put(b".").number(c).put(b".").number(d)
    }

    fn ipv6(&mut self, address: Ipv6Addr) -> &mut Self {
        let octets = address.octets();
        let groups = octets.as_chunks().0;
        let gap = longest_zero_run(groups);
        for (at, group) in groups.iter().enumerate() {
            if gap.contains(&at) {
                if at == gap.start {
                    self.put(b"::");
                }
                continue;
            }
            if at > 0 && at != gap.end {
                self.put(b":");
            }
            self.hex(u16::from_be_bytes(*group));
        }
        self
    }

    fn hex(&mut self, value: u16) {
        for place in [12, 8, 4, 0] {
            let rest = value >> place;
            if rest != 0 || place == 0 {
                self.put(&[hex_digit(rest as u8)]);
            }
        }
    }

    /// How many bytes were written; `None` where the buffer was too small.
    pub(crate) const fn finish(&self) -> Option<usize> {
        if self.full { None } else { Some(self.used) }
    }
}

/// One lower-case hexadecimal digit of the low four bits.
pub(crate) const fn hex_digit(value: u8) -> u8 {
    match value & 15 {
        digit @ 0..=9 => b'0' + digit,
        letter => b'a' + letter - 10,
    }
}

/// The first of the longest runs of zeros, of two or more; empty where there is none.
fn longest_zero_run(groups: &[[u8; 2]]) -> Range<usize> {
    let (mut best, mut run) = (0..0, 0..0);
    for (at, group) in groups.iter().enumerate() {
        if *group != [0; 2] {
            continue;
        }
        run = if run.end == at { run.start..at + 1 } else { at..at + 1 };
        if run.len() > best.len().max(1) {
            best = run.clone();
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    fn written(address: IpAddr) -> std::vec::Vec<u8> {
        let mut buffer = [0; 64];
        let length = Text::new(&mut buffer).ip(address).finish().unwrap();
        buffer[..length].to_vec()
    }

    #[test]
    fn numbers_are_whole_digits_within_their_range() {
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        for text in ["", "-1", "+1", "1.5", " 1", "0x10", "18446744073709551616", "1\0"] {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
        assert_eq!(number_u16(b"65536"), None);
        assert_eq!(number_u32(b"4294967296"), None);
    }

    #[test]
    fn a_buffer_that_is_too_small_stays_too_small() {
        let mut buffer = [0; 3];
        let mut text = Text::new(&mut buffer);
        text.put(b"ab").put(b"cd").put(b"e");
        assert_eq!(text.finish(), None);
    }

    proptest! {
        #[test]
        fn addresses_are_written_and_read_as_the_standard_library_does(
            v4: u32, segments in prop::array::uniform8(prop_oneof![Just(0u16), any::<u16>()]),
        ) {
            let v4 = Ipv4Addr::from(v4);
            let v6 = Ipv6Addr::from(segments);
            prop_assert_eq!(written(v4.into()), v4.to_string().into_bytes());
            prop_assert_eq!(ipv4(v4.to_string().as_bytes()), Some(v4));
            prop_assert_eq!(ipv6(v6.to_string().as_bytes()), Some(v6));
            prop_assert_eq!(ipv6(&written(v6.into())), Some(v6));
        }

        #[test]
        fn a_division_by_halves_is_one(value: u64, bits in 0..64u32, by in 1..=u16::MAX) {
            let value = value >> bits;
            let expected = (value / u64::from(by), (value % u64::from(by)) as u16);
            prop_assert_eq!(divide_by_halves(value, by), expected);
            prop_assert_eq!(divide(value, by), expected);
        }

        #[test]
        fn texts_are_read_as_addresses_exactly_where_the_standard_library_does(
            text in "[0-9a-f:.]{0,24}|([0-9a-f]{0,5}:){0,8}[0-9a-f]{0,4}|([0-9]{0,4}\\.){3}[0-9]{1,3}",
        ) {
            prop_assert_eq!(ipv4(text.as_bytes()), text.parse().ok());
            prop_assert_eq!(ipv6(text.as_bytes()), text.parse().ok());
        }
    }
}

//! Looking for bytes a word at a time: as quick as SIMD on texts as short as ours, and a few dozen
//! bytes of code where there is no SIMD.

/// Where `byte` stands first in `text`.
#[inline]
pub(crate) fn find(byte: u8, text: &[u8]) -> Option<usize> {
    first(text, byte, 1)
}

/// Where either of two bytes stands first in `text`.
pub(crate) fn find2(one: u8, other: u8, text: &[u8]) -> Option<usize> {
    text.iter().position(|byte| *byte == one || *byte == other)
}

/// Where the first control byte stands, that is one below 0x20.
#[inline]
pub(crate) fn control(text: &[u8]) -> Option<usize> {
    first(text, 0, 0x20)
}

/// Whether there is neither white space nor a control byte in it.
pub(crate) fn is_visible(text: &[u8]) -> bool {
    first(text, 0, 0x21).is_none() && find(0x7f, text).is_none()
}

/// The first byte that differs from `from` only in bits that make a number below `limit`, which is
/// at most 0x80.
#[inline(always)]
fn first(text: &[u8], from: u8, limit: u8) -> Option<usize> {
    // Bytes below the limit borrow, so that their highest bit comes to be set. It is set, too, in
    // bytes from 0x80 on; and above the first that borrowed, which does no harm.
    let bytes_of = |word: &[u8; WORD]| usize::from_le_bytes(*word) ^ repeated(from);
    let borrowed = |bytes: usize| bytes.wrapping_sub(repeated(limit)) & HIGHEST;
    let (words, rest) = text.as_chunks::<WORD>();
    let mut at = 0;
    for word in words {
        let bytes = bytes_of(word);
        if borrowed(bytes) != 0 && borrowed(bytes) & !bytes != 0 {
            return Some(at + ((borrowed(bytes) & !bytes).trailing_zeros() / 8) as usize);
        }
        at += WORD;
    }
    for byte in rest {
        if byte ^ from < limit {
            return Some(at);
        }
        at += 1;
    }
    None
}

const fn repeated(byte: u8) -> usize {
    usize::from_le_bytes([byte; WORD])
}

const WORD: usize = size_of::<usize>();
const HIGHEST: usize = repeated(0x80);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_are_found_where_a_plain_search_finds_them(
            text in prop::collection::vec(
                prop_oneof![any::<u8>(), Just(0), Just(0x1f), Just(b' '), Just(0x7f), Just(0x80)],
                0..40,
            ),
            one: u8,
            other: u8,
        ) {
            let position = |wanted: &dyn Fn(u8) -> bool| text.iter().position(|byte| wanted(*byte));
            let in_it = text.first().copied().unwrap_or(one);
            for byte in [one, in_it, in_it.wrapping_add(1)] {
                prop_assert_eq!(find(byte, &text), position(&|found| found == byte));
            }
            let either = position(&|found| found == one || found == other);
            prop_assert_eq!(find2(one, other, &text), either);
            prop_assert_eq!(control(&text), position(&|found| found < 0x20));
            let hidden = position(&|found| found <= b' ' || found == 0x7f);
            prop_assert_eq!(is_visible(&text), hidden.is_none());
        }
    }
}

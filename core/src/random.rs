//! Randomness as an argument: every random number follows from one seed.
//!
//! `SHA-256(seed, purpose, counter of that purpose)`: a draw for one purpose shifts no other, and
//! the same seed and the same inputs give the same bytes on every target.

use sha2::{Digest, Sha256};

/// What a random number is for; each has its own counter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Purpose {
    /// Via branch parameters.
    Branch,
    /// From and To tags.
    Tag,
    /// Call-IDs.
    CallId,
    /// First CSeq number of a dialog or registration.
    CSeq,
    /// Digest client nonces.
    Cnonce,
    /// Digest server nonces.
    Nonce,
    /// SSRC, first RTP sequence number and timestamp.
    Rtp,
    /// SDP session identifiers.
    Sdp,
    /// Jitter of timers (491 retry, registration back-off, RTCP interval).
    Jitter,
    /// The key that masks slots in our identifiers and orders the hash index.
    Key,
}

const PURPOSES: usize = Purpose::Key as usize + 1;

/// The deterministic random source of one machine.
///
/// Give a seed that differs at each boot: a repeated seed repeats Call-IDs and branches, and a
/// server then takes a new request for an old one.
pub struct Random {
    seed: [u8; 32],
    counters: [u32; PURPOSES],
}

impl Random {
    /// A source that follows from `seed` alone.
    pub const fn new(seed: [u8; 32]) -> Self {
        Self { seed, counters: [0; PURPOSES] }
    }

    /// The next 32 random bytes for `purpose`.
    pub fn bytes(&mut self, purpose: Purpose) -> [u8; 32] {
        let mut count = 0;
        if let Some(counter) = self.counters.get_mut(purpose as usize) {
            count = *counter;
            *counter = counter.wrapping_add(1);
        }
        let mut hash = Sha256::new();
        hash.update(self.seed);
        let [a, b, c, d] = count.to_be_bytes();
        hash.update([purpose as u8, a, b, c, d]);
        hash.finalize().into()
    }

    /// The next 64 random bits for `purpose`.
    pub fn u64(&mut self, purpose: Purpose) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.bytes(purpose);
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// The next 32 random bits for `purpose`.
    pub fn u32(&mut self, purpose: Purpose) -> u32 {
        (self.u64(purpose) >> 32) as u32
    }
}

impl core::fmt::Debug for Random {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Random(..)") // the seed is a secret: tags and branches follow from it
    }
}

/// Numbers of 64 bits from a [`Random`], four from each hash: one costs as much as a message's
/// parsing, and a call draws ten.
pub(crate) struct Numbers {
    random: Random,
    rest: [Rest; PURPOSES],
}

/// Numbers that were hashed and not drawn yet: the first `left` of `numbers`, the last one next.
#[derive(Clone, Copy)]
struct Rest {
    numbers: [[u8; 8]; 3],
    left: u8,
}

impl Numbers {
    pub(crate) const fn new(seed: [u8; 32]) -> Self {
        Self { random: Random::new(seed), rest: [Rest { numbers: [[0; 8]; 3], left: 0 }; PURPOSES] }
    }

    /// The next 64 random bits for `purpose`.
    pub(crate) fn u64(&mut self, purpose: Purpose) -> u64 {
        let rest = self.rest.get_mut(purpose as usize);
        if let Some(number) = rest.and_then(Rest::draw) {
            return number;
        }
        let hash = self.random.bytes(purpose);
        let [first, later @ ..] = hash.as_chunks::<8>().0 else { return 0 };
        if let Some(rest) = self.rest.get_mut(purpose as usize) {
            for (place, number) in rest.numbers.iter_mut().rev().zip(later) {
                *place = *number;
            }
            rest.left = rest.numbers.len() as u8;
        }
        u64::from_be_bytes(*first)
    }

    /// The next 32 random bits for `purpose`; uses up 64.
    pub(crate) fn u32(&mut self, purpose: Purpose) -> u32 {
        (self.u64(purpose) >> 32) as u32
    }
}

impl Rest {
    fn draw(&mut self) -> Option<u64> {
        self.left = self.left.checked_sub(1)?;
        let number = self.numbers.get_mut(usize::from(self.left)).map(core::mem::take);
        number.map(u64::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_numbers_are_one_hash_in_its_order_and_purposes_do_not_touch_each_other() {
        let mut random = Random::new([7; 32]);
        let mut numbers = Numbers::new([7; 32]);
        for _ in 0..3 {
            let hash = random.bytes(Purpose::Branch);
            for part in hash.as_chunks::<8>().0 {
                numbers.u64(Purpose::Tag);
                assert_eq!(numbers.u64(Purpose::Branch), u64::from_be_bytes(*part));
            }
        }
    }
}

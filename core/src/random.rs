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
        hash.update([purpose as u8]);
        hash.update(count.to_be_bytes());
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

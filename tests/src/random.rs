//! Random numbers that follow from a seed, split by stream.

use core::ops::RangeInclusive;

/// What a random number is for. Each stream has a generator of its own, so that a draw that is
/// added in one place does not shift the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stream {
    /// Which faults, features and sizes a seed has.
    Swarm,
    /// Latency, loss and the like.
    Network,
    /// When which fault strikes.
    Faults,
    /// What users do.
    Users,
    /// Seeds of endpoints and media sessions.
    Keys,
    /// What the attacker does.
    Attacker,
    /// What servers do.
    Server,
}

/// A small deterministic generator (SplitMix64): not for secrets.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The generator of one stream of a seed.
    pub fn new(seed: u64, stream: Stream) -> Self {
        let mut random = Self { state: seed ^ (stream as u64 + 1).wrapping_mul(GOLDEN) };
        random.state ^= random.next().rotate_left(17);
        random
    }

    /// The next 64 bits.
    #[expect(clippy::should_implement_trait, reason = "a generator does not end")]
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        let mut value = self.state;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// A number below `bound`; 0 where the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in a range, both ends included.
    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (start, end) = range.into_inner();
        start + self.below(end.saturating_sub(start).saturating_add(1))
    }

    /// Whether something happens that has this probability, 0.0 to 1.0. Draws nothing for 0.
    pub fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && ((self.next() >> 11) as f64) < probability * (1u64 << 53) as f64
    }

    /// One of several; `None` of none.
    pub fn pick<'t, T>(&mut self, choices: &'t [T]) -> Option<&'t T> {
        choices.get(self.below(choices.len() as u64) as usize)
    }

    /// A seed for an endpoint or a session.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        for chunk in seed.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.next().to_be_bytes());
        }
        seed
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_seed_differ_and_repeat() {
        let numbers = |seed, stream| {
            let mut random = Random::new(seed, stream);
            (0..8).map(|_| random.next()).collect::<Vec<_>>()
        };
        assert_eq!(numbers(1, Stream::Network), numbers(1, Stream::Network));
        assert_ne!(numbers(1, Stream::Network), numbers(1, Stream::Users));
        assert_ne!(numbers(1, Stream::Network), numbers(2, Stream::Network));
    }

    #[test]
    fn a_chance_is_met_about_as_often_as_it_says() {
        let mut random = Random::new(3, Stream::Faults);
        let met = (0..100_000).filter(|_| random.chance(0.2)).count();
        assert!((19_000..21_000).contains(&met), "{met}");
        assert!(!random.chance(0.0));
        assert!(random.chance(1.0));
    }

    #[test]
    fn a_range_is_met_at_both_ends_and_never_left() {
        let mut random = Random::new(4, Stream::Faults);
        let drawn: std::collections::BTreeSet<_> = (0..200).map(|_| random.within(3..=6)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [3, 4, 5, 6]);
    }
}

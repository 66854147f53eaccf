//! Microseconds out of a counter that wraps.

/// Time since start, kept from readings of a free-running counter.
///
/// Counting the interrupts of a ticking timer loses time whenever one comes late; a free-running
/// counter loses nothing as long as it is read at least once a wrap. Only 32-bit division is used:
/// a Cortex-M has it in hardware, 64-bit division is a library call.
#[derive(Debug)]
pub struct Elapsed {
    micros: u64,
    last: u32,
    rest: u32,
    ticks_per_micro: u32,
    mask: u32,
}

impl Elapsed {
    /// Starts at zero with a counter that counts up from zero `ticks_per_micro` (1 or more) times
    /// a microsecond and has `bits` bits (1 to 32).
    pub const fn new(ticks_per_micro: u32, bits: u32) -> Self {
        let mask = u32::MAX >> (32 - bits);
        Self { micros: 0, last: 0, rest: 0, ticks_per_micro, mask }
    }

    /// The time at a reading of the counter, in microseconds since start.
    pub fn at(&mut self, counter: u32) -> u64 {
        let passed = counter.wrapping_sub(self.last) & self.mask;
        self.last = counter;
        self.micros += u64::from(passed / self.ticks_per_micro);
        self.rest += passed % self.ticks_per_micro;
        if self.rest >= self.ticks_per_micro {
            self.rest -= self.ticks_per_micro;
            self.micros += 1;
        }
        self.micros
    }

    /// Counter ticks from `now_micros` until `at_micros`: at least 1, and at most half a wrap, so
    /// that an alarm set with it also keeps the time alive.
    pub fn ticks_until(&self, now_micros: u64, at_micros: u64) -> u32 {
        let longest = self.mask / 2;
        let micros = u32::try_from(at_micros.saturating_sub(now_micros)).unwrap_or(u32::MAX);
        micros.saturating_mul(self.ticks_per_micro).clamp(1, longest)
    }
}

#[cfg(test)]
mod tests {
    use super::Elapsed;

    #[test]
    fn time_goes_on_across_the_wrap_of_the_counter() {
        let mut elapsed = Elapsed::new(25, 24);
        let mut counter = 0u32;
        for step in 1..=1000u64 {
            counter = (counter + 250_000) & 0x00ff_ffff;
            assert_eq!(elapsed.at(counter), step * 10_000);
        }
    }

    #[test]
    fn fractions_of_a_microsecond_are_kept() {
        let mut elapsed = Elapsed::new(25, 32);
        let last = (1..=100u32).map(|step| elapsed.at(step * 7)).last();
        assert_eq!(last, Some(28), "700 ticks of 40 ns are 28 us");
    }

    #[test]
    fn a_full_32_bit_counter_wraps_as_well() {
        let mut elapsed = Elapsed::new(50, 32);
        assert_eq!(elapsed.at(u32::MAX - 49), 85_899_344);
        assert_eq!(elapsed.at(50), 85_899_346);
    }

    #[test]
    fn an_alarm_never_outlasts_half_a_wrap_and_never_fails_to_come() {
        let elapsed = Elapsed::new(50, 24);
        assert_eq!(elapsed.ticks_until(1000, 2000), 50_000);
        assert_eq!(elapsed.ticks_until(1000, u64::MAX), 0x007f_ffff);
        assert_eq!(elapsed.ticks_until(2000, 1000), 1);
    }
}

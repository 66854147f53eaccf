//! Time as an argument: the machines never read a clock.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};

use crate::bytes::divide;

/// A moment on a monotonic clock, in microseconds since any fixed start.
///
/// Runtimes convert at their edge; the core only adds, subtracts and compares. Arithmetic
/// saturates, so that no input can wrap time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

/// A span of time in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(u64);

impl Instant {
    /// The start of the clock.
    pub const ZERO: Self = Self(0);
    /// Later than any moment that a runtime gives.
    pub const FAR: Self = Self(u64::MAX);

    /// The moment `micros` microseconds after the start of the clock.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The moment `millis` milliseconds after the start of the clock.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// Microseconds since the start of the clock.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the start of the clock.
    pub const fn as_millis(self) -> u64 {
        divide(self.0, 1000).0
    }

    /// The span since `earlier`, zero where `earlier` is later.
    #[cfg_attr(target_os = "none", inline(never))]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of `micros` microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A span of `millis` milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// A span of `secs` seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// The span in microseconds.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The span in whole milliseconds.
    pub const fn as_millis(self) -> u64 {
        divide(self.0, 1000).0
    }

    /// The span in whole seconds.
    pub const fn as_secs(self) -> u64 {
        divide(self.as_millis(), 1000).0
    }

    /// `factor` times this span, saturating.
    #[cfg_attr(target_os = "none", inline(never))]
    pub const fn times(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }

    /// The shorter of the two.
    pub fn at_most(self, other: Self) -> Self {
        self.min(other)
    }
}

/// A deadline that may not be set: then it is zero in every byte, and half as long as an
/// `Option<Instant>`, which stands in many slots.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Due(u64);

impl Due {
    pub(crate) const NEVER: Self = Self(0);

    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) const fn at(at: Instant) -> Self {
        Self(at.0.saturating_add(1))
    }

    pub(crate) fn get(self) -> Option<Instant> {
        self.0.checked_sub(1).map(Instant)
    }

    /// Whether the time has come.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn is_over(self, now: Instant) -> bool {
        self.0 != 0 && self.0 <= now.0.saturating_add(1)
    }

    /// The sooner one of two.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn or_sooner(self, other: Self) -> Self {
        // what is not set wraps around to the far end
        Self(self.0.wrapping_sub(1).min(other.0.wrapping_sub(1)).wrapping_add(1))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    #[cfg_attr(target_os = "none", inline(never))]
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl From<core::time::Duration> for Duration {
    fn from(span: core::time::Duration) -> Self {
        let micros = span.as_secs().saturating_mul(1_000_000);
        Self(micros.saturating_add(u64::from(span.subsec_micros())))
    }
}

impl From<Duration> for core::time::Duration {
    fn from(span: Duration) -> Self {
        Self::from_micros(span.0)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us", self.0)
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us", self.0)
    }
}

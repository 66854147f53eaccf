//! The core's clock: microseconds of UNIX time at the start, then monotonic.

use std::time::SystemTime;

use sansip::time::Instant;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: tokio::time::Instant,
    start_micros: u64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let start_micros = since_epoch.map_or(0, |span| span.as_micros() as u64);
        Self { start: tokio::time::Instant::now(), start_micros }
    }

    pub(crate) fn now(&self) -> Instant {
        let micros = self.start.elapsed().as_micros() as u64;
        Instant::from_micros(self.start_micros.saturating_add(micros))
    }

    /// The same moment for tokio's timers; an hour ahead at most, which only wakes us early.
    pub(crate) fn deadline(&self, at: Instant) -> tokio::time::Instant {
        let ahead = core::time::Duration::from(at.since(self.now()));
        tokio::time::Instant::now() + ahead.min(core::time::Duration::from_secs(3600))
    }
}

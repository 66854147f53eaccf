//! When to register, refresh, retry and give up (RFC 3261 s10.2), without the bytes.

use crate::bytes::divide;
use crate::time::{Due, Duration, Instant};

/// The registration of one account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Registration {
    state: State,
    wanted: bool,
    failures: u8,
    /// When to refresh or try again.
    due_at: Due,
    /// Until when the registrar holds our binding.
    expires_at: Due,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    #[default]
    Idle,
    /// A REGISTER is on its way.
    Asking,
    /// A REGISTER that removes our binding is on its way.
    Removing,
}

impl Registration {
    /// Nothing registered and nothing wanted.
    pub const IDLE: Self = Self {
        state: State::Idle,
        wanted: false,
        failures: 0,
        due_at: Due::NEVER,
        expires_at: Due::NEVER,
    };

    /// Whether the registrar holds our binding at `now`, as far as we know.
    pub fn is_registered(&self, now: Instant) -> bool {
        self.expires_at != Due::NEVER && !self.expires_at.is_over(now)
    }

    /// Until when the registrar holds our binding.
    pub fn expires_at(&self) -> Option<Instant> {
        self.expires_at.get()
    }

    /// Whether the application wants to be registered.
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// When [`Registration::tick`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.due().get()
    }

    /// The same, as slots keep it.
    pub(crate) fn due(&self) -> Due {
        if self.state == State::Idle { self.due_at } else { Due::NEVER }
    }

    /// The application wants to be registered from now on; due at once, unless it is on its way.
    pub fn want(&mut self, now: Instant) {
        self.wanted = true;
        self.failures = 0;
        // what is on its way already is not sent twice
        self.due_at = if self.state == State::Asking { Due::NEVER } else { Due::at(now) };
    }

    /// The application wants our binding removed; due at once, unless it is on its way.
    pub fn unwant(&mut self, now: Instant) {
        self.wanted = false;
        self.failures = 0;
        self.due_at = if self.state == State::Removing { Due::NEVER } else { Due::at(now) };
    }

    /// The deadline has come: what must be sent. `Some(true)` registers, `Some(false)` removes.
    pub fn tick(&mut self, now: Instant) -> Option<bool> {
        if !self.due().is_over(now) {
            return None;
        }
        self.due_at = Due::NEVER;
        self.state = if self.wanted { State::Asking } else { State::Removing };
        Some(self.wanted)
    }

    /// Whether what is on its way removes our binding.
    pub fn is_removing(&self) -> bool {
        self.state == State::Removing
    }

    /// The registrar granted `life`. `spread` is a random number that keeps a thousand phones from
    /// refreshing together.
    pub fn granted(&mut self, now: Instant, life: Duration, spread: u32) {
        self.state = State::Idle;
        self.failures = 0;
        self.expires_at = Due::at(now + life);
        if self.wanted && self.due_at == Due::NEVER {
            self.due_at = Due::at(now + refresh_after(life, spread));
        }
    }

    /// What was sent must be sent again at once, changed.
    pub fn again(&mut self, now: Instant) {
        self.state = State::Idle;
        self.due_at = Due::at(now);
    }

    /// The registrar removed our binding.
    pub fn removed(&mut self) {
        self.state = State::Idle;
        self.failures = 0;
        self.expires_at = Due::NEVER;
    }

    /// The REGISTER failed. Answers when it is tried again, if it is: `may_retry` says whether
    /// another try can help, `retry_after` is the server's wish (RFC 3261 s20.33).
    pub fn failed(
        &mut self,
        now: Instant,
        may_retry: bool,
        retry_after: Option<Duration>,
        spread: u32,
    ) -> Option<Duration> {
        let was_removing = self.state == State::Removing;
        self.state = State::Idle;
        if was_removing {
            self.expires_at = Due::NEVER; // it runs out at the registrar by itself
        }
        if self.wanted == was_removing {
            return None; // the other wish came meanwhile and is due
        }
        if !self.wanted || !may_retry {
            self.wanted = false;
            self.due_at = Due::NEVER;
            return None;
        }
        let wait = match retry_after {
            Some(wish) => wish.max(RETRY_AFTER_MIN).at_most(RETRY_MAX),
            None => back_off(self.failures, spread),
        };
        self.failures = self.failures.saturating_add(1);
        self.due_at = Due::at(now + wait);
        Some(wait)
    }
}

/// Refresh at 80 % to 90 % of the granted life, and never sooner than after one second.
fn refresh_after(life: Duration, spread: u32) -> Duration {
    let tenth = divide(life.as_micros(), 10).0;
    let random = (tenth / 1024).saturating_mul(u64::from(spread % 1024));
    Duration::from_micros(tenth * 8 + random).max(Duration::from_secs(1))
}

/// 4 s, doubled with each failure, of it a random half to the whole (as RFC 5626 s4.5 does).
fn back_off(failures: u8, spread: u32) -> Duration {
    let base = (RETRY_MIN_MICROS << failures.min(8)).min(RETRY_MAX.as_micros() as u32);
    Duration::from_micros((base / 2 + base / 2048 * (spread % 1024)).into())
}

/// First wait after a failed registration, microseconds.
const RETRY_MIN_MICROS: u32 = 4_000_000;
/// Shortest wait, whatever the server wishes: zero would be a loop.
const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);
/// Longest wait, whatever the server wishes: a phone that is away for longer looks broken.
const RETRY_MAX: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_millis(1000);

    fn asking() -> Registration {
        let mut registration = Registration::default();
        registration.want(NOW);
        assert_eq!(registration.deadline(), Some(NOW));
        assert_eq!(registration.tick(NOW), Some(true));
        assert_eq!(registration.deadline(), None);
        registration
    }

    #[test]
    fn a_registration_is_refreshed_before_it_runs_out() {
        for life_s in [2, 60, 3600, 86_400] {
            for spread in [0, 512, 1023, u32::MAX] {
                let mut registration = asking();
                registration.granted(NOW, Duration::from_secs(life_s), spread);
                let due = registration.deadline().unwrap();
                assert!(due >= NOW + Duration::from_secs(1));
                assert!(due < NOW + Duration::from_secs(life_s), "{life_s} {spread}");
                assert!(registration.is_registered(due));
                assert_eq!(registration.tick(due), Some(true));
            }
        }
    }

    #[test]
    fn failures_back_off_to_a_bound_and_success_resets_them() {
        let mut registration = asking();
        let mut now = NOW;
        let mut last = Duration::ZERO;
        for _ in 0..30 {
            let wait = registration.failed(now, true, None, 1023).unwrap();
            assert!(wait >= last && wait <= RETRY_MAX);
            last = wait;
            now += wait;
            assert_eq!(registration.tick(now), Some(true));
        }
        assert!(last > Duration::from_secs(500));
        registration.granted(now, Duration::from_secs(60), 0);
        now = registration.deadline().unwrap();
        registration.tick(now);
        assert!(registration.failed(now, true, None, 0).unwrap() <= Duration::from_secs(4));
    }

    #[test]
    fn a_hopeless_failure_is_not_tried_again() {
        let mut registration = asking();
        assert_eq!(registration.failed(NOW, false, None, 0), None);
        assert_eq!(registration.deadline(), None);
        assert!(!registration.is_wanted());
    }

    #[test]
    fn a_wish_that_comes_meanwhile_is_carried_out_afterwards() {
        let mut registration = asking();
        registration.unwant(NOW);
        assert_eq!(registration.deadline(), None);
        registration.granted(NOW, Duration::from_secs(60), 0);
        assert_eq!(registration.tick(NOW), Some(false));
        registration.want(NOW);
        assert_eq!(registration.failed(NOW, true, None, 0), None);
        assert_eq!(registration.tick(NOW), Some(true));
    }
}

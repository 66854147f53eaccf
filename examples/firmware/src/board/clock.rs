//! The time driver of embassy-time: a free-running counter for the time, an alarm for wake-ups.
//!
//! Nothing ticks: the processor sleeps until the next deadline, or for half a wrap of the counter.

use core::cell::RefCell;
use core::task::Waker;

use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

use crate::elapsed::Elapsed;

#[cfg(feature = "lm3s6965evb")]
use super::lm3s6965evb::BoardTimer;
#[cfg(all(feature = "mps2-an386", not(feature = "lm3s6965evb")))]
use super::mps2_an386::BoardTimer;

/// What a board gives: a counter and an alarm of the same rate.
pub(super) trait Timer {
    /// Counts a microsecond.
    const TICKS_PER_MICRO: u32;
    /// Width of the counter.
    const COUNTER_BITS: u32;

    /// The counter, upwards from about 0 at start, in its lower `COUNTER_BITS`.
    fn counter() -> u32;
    /// Raises the alarm's interrupt once, `ticks` (1 or more) from now, in place of any earlier
    /// request; the handler then calls [`alarm`].
    fn set_alarm(ticks: u32);
}

/// To be called by the alarm's interrupt handler.
pub(super) fn alarm() {
    critical_section::with(|cs| CLOCK.set_next_alarm(cs));
}

struct Clock {
    state: Mutex<RefCell<State>>,
}

struct State {
    elapsed: Elapsed,
    queue: Queue,
}

impl Clock {
    /// Wakes what is due and sets the alarm for what is next.
    fn set_next_alarm(&self, cs: CriticalSection<'_>) {
        let mut state = self.state.borrow(cs).borrow_mut();
        let now = state.elapsed.at(BoardTimer::counter());
        let next = state.queue.next_expiration(now);
        BoardTimer::set_alarm(state.elapsed.ticks_until(now, next));
    }
}

impl Driver for Clock {
    fn now(&self) -> u64 {
        critical_section::with(|cs| {
            self.state.borrow(cs).borrow_mut().elapsed.at(BoardTimer::counter())
        })
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            let sooner = self.state.borrow(cs).borrow_mut().queue.schedule_wake(at, waker);
            if sooner {
                self.set_next_alarm(cs);
            }
        });
    }
}

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock {
    state: Mutex::new(RefCell::new(State {
        elapsed: Elapsed::new(BoardTimer::TICKS_PER_MICRO, BoardTimer::COUNTER_BITS),
        queue: Queue::new(),
    })),
});

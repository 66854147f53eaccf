use super::{Alarms, Effect, Event, Gone, Timing, Transmit};
use crate::time::{Due, Instant};

/// The client transaction of every other request (RFC 3261 s17.1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientRequest {
    state: State,
    alarms: Alarms,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Sent, nothing heard.
    Trying,
    /// A 1xx was heard.
    Proceeding,
    /// A final response was heard.
    Completed,
}

impl ClientRequest {
    /// The request is sent now.
    pub fn start(now: Instant, timing: &Timing) -> Self {
        Self { state: State::Trying, alarms: Alarms::repeating(now, timing) }
    }

    /// When [`Event::Tick`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.due().get()
    }

    /// The same, as slots keep it.
    pub(crate) fn due(&self) -> Due {
        self.alarms.due()
    }

    /// Whether only copies of the final response are absorbed still.
    pub fn is_completed(&self) -> bool {
        self.state == State::Completed
    }

    /// Absorb copies of the final response until `at` instead of timer K.
    pub fn linger_until(&mut self, at: Instant) {
        if self.is_completed() && self.alarms.end_at.get().is_some() {
            self.alarms.end_at = Due::at(at);
        }
    }

    /// What follows from `event`.
    pub fn on(&mut self, event: Event, now: Instant, timing: &Timing) -> Effect {
        match (self.state, event) {
            (State::Trying | State::Proceeding, Event::Tick) => {
                // timers F and E
                self.alarms.tick(now, Gone::TimedOut, Transmit::Request, timing.t2)
            }
            (State::Trying | State::Proceeding, Event::Provisional) => {
                self.state = State::Proceeding;
                self.alarms.interval = timing.t2; // of timer E from its next time on
                Effect::DELIVER
            }
            (State::Trying | State::Proceeding, Event::Success | Event::Failure) => {
                self.state = State::Completed;
                let gone = self.alarms.linger(now, timing.linger(timing.t4)); // timer K
                Effect { gone, ..Effect::DELIVER }
            }
            (State::Trying | State::Proceeding, Event::TransportError) => {
                Effect::gone(Gone::TransportError)
            }
            (State::Completed, Event::Tick) if self.alarms.ended(now) => Effect::gone(Gone::Done),
            _ => Effect::NONE,
        }
    }
}

use super::{Alarms, Effect, Event, Gone, Timing, Transmit};
use crate::time::{Due, Instant};

/// The server transaction of every other request (RFC 3261 s17.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServerRequest {
    state: State,
    alarms: Alarms,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// No response sent yet.
    Trying,
    /// A 1xx was sent.
    Proceeding,
    /// A final response was sent.
    Completed,
}

impl ServerRequest {
    /// The request came now. Its user has until the peer's timer F to answer; `Tick` asks for a
    /// 500 by `deliver` a little before.
    pub fn start(now: Instant, timing: &Timing) -> Self {
        let mut alarms = Alarms::OFF;
        alarms.end_after(now, timing.t1.times(60));
        Self { state: State::Trying, alarms }
    }

    /// When [`Event::Tick`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.due().get()
    }

    /// The same, as slots keep it.
    pub(crate) fn due(&self) -> Due {
        self.alarms.due()
    }

    /// Whether no final response was sent yet.
    pub fn is_open(&self) -> bool {
        self.state != State::Completed
    }

    /// What follows from `event`; of 1xx to 6xx those that our user sends.
    pub fn on(&mut self, event: Event, now: Instant, timing: &Timing) -> Effect {
        match (self.state, event) {
            (State::Trying | State::Proceeding, Event::Provisional) => {
                self.state = State::Proceeding;
                Effect::transmit(Transmit::Response)
            }
            (State::Trying | State::Proceeding, Event::Success | Event::Failure) => {
                self.state = State::Completed;
                let gone = self.alarms.linger(now, timing.linger(timing.give_up())); // timer J
                Effect { gone, ..Effect::transmit(Transmit::Response) }
            }
            (State::Proceeding | State::Completed, Event::Request) => {
                Effect::transmit(Transmit::Response)
            }
            (State::Trying | State::Proceeding, Event::Tick) if self.alarms.ended(now) => {
                Effect::DELIVER
            }
            (State::Completed, Event::Tick) if self.alarms.ended(now) => Effect::gone(Gone::Done),
            // a transport error changes nothing (RFC 6026 s8.8)
            _ => Effect::NONE,
        }
    }
}

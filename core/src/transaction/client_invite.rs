use super::{Alarms, Effect, Event, Gone, Timing, Transmit};
use crate::time::{Due, Duration, Instant};

/// The INVITE client transaction (RFC 3261 s17.1.1, RFC 6026 s7.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientInvite {
    state: State,
    alarms: Alarms,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Sent, nothing heard.
    Calling,
    /// A 1xx was heard.
    Proceeding,
    /// A 3xx to 6xx was heard and acknowledged by us.
    Completed,
    /// A 2xx was heard; its user acknowledges each copy, also from other forks.
    Accepted,
}

impl ClientInvite {
    /// The INVITE is sent now.
    pub fn start(now: Instant, timing: &Timing) -> Self {
        Self { state: State::Calling, alarms: Alarms::repeating(now, timing) }
    }

    /// When [`Event::Tick`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.due().get()
    }

    /// The same, as slots keep it.
    pub(crate) fn due(&self) -> Due {
        self.alarms.due()
    }

    /// Whether a 1xx was heard: only then may a CANCEL be sent (RFC 3261 s9.1).
    pub fn is_proceeding(&self) -> bool {
        self.state == State::Proceeding
    }

    /// Whether no final response was heard yet.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Calling | State::Proceeding)
    }

    /// Whether a 3xx to 6xx was heard: only copies of it are absorbed still.
    pub fn is_completed(&self) -> bool {
        self.state == State::Completed
    }

    /// End at `at` unless a final response comes before: how long to wait for it after a CANCEL
    /// (RFC 3261 s9.1).
    pub fn end_at(&mut self, at: Instant) {
        if self.is_open() {
            self.alarms.end_at = Due::at(at);
        }
    }

    /// What follows from `event`.
    pub fn on(&mut self, event: Event, now: Instant, timing: &Timing) -> Effect {
        match (self.state, event) {
            (State::Calling | State::Proceeding, Event::Tick) => {
                // timer B, or the limit after a CANCEL; timer A
                self.alarms.tick(now, Gone::TimedOut, Transmit::Request, UNBOUNDED)
            }
            (State::Calling | State::Proceeding, Event::Provisional) => {
                if self.state == State::Calling {
                    self.state = State::Proceeding;
                    self.alarms = Alarms::OFF; // neither timer A nor B runs on (s17.1.1.2)
                }
                Effect::DELIVER
            }
            (State::Calling | State::Proceeding, Event::Success) => {
                self.state = State::Accepted;
                self.alarms.end_after(now, timing.give_up()); // timer M
                Effect::DELIVER
            }
            (State::Calling | State::Proceeding, Event::Failure) => {
                self.state = State::Completed;
                let gone = self.alarms.linger(now, timing.linger(TIMER_D));
                Effect { transmit: Transmit::Ack, deliver: true, gone }
            }
            (State::Accepted, Event::Success) => Effect::DELIVER,
            (State::Completed, Event::Failure) => Effect::transmit(Transmit::Ack),
            (State::Completed | State::Accepted, Event::Tick) if self.alarms.ended(now) => {
                Effect::gone(Gone::Done)
            }
            (State::Calling | State::Proceeding | State::Completed, Event::TransportError) => {
                Effect::gone(Gone::TransportError)
            }
            _ => Effect::NONE,
        }
    }
}

/// Timer A doubles until timer B ends it (RFC 3261 s17.1.1.2).
const UNBOUNDED: Duration = Duration::from_micros(u64::MAX);
/// "at least 32 seconds" for unreliable transports (RFC 3261 s17.1.1.2).
const TIMER_D: Duration = Duration::from_secs(32);

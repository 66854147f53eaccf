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
        let alarms = Alarms::end(now, timing.give_up()).with_resend(now, timing.t1, timing);
        Self { state: State::Calling, alarms }
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
            (State::Calling, Event::Tick) => self.tick_calling(now),
            (State::Calling | State::Proceeding, Event::Provisional) => {
                if self.state == State::Calling {
                    self.state = State::Proceeding;
                    self.alarms = Alarms::OFF; // neither timer A nor B runs on (s17.1.1.2)
                }
                Effect::DELIVER
            }
            (State::Calling | State::Proceeding, Event::Success) => {
                self.state = State::Accepted;
                self.alarms = Alarms::end(now, timing.give_up()); // timer M
                Effect::DELIVER
            }
            (State::Calling | State::Proceeding, Event::Failure) => {
                self.state = State::Completed;
                let wait = timing.linger(TIMER_D);
                self.alarms = Alarms::end(now, wait);
                Effect::transmit(Transmit::Ack).and_deliver().gone_after(wait)
            }
            (State::Proceeding, Event::Tick) if self.alarms.ended(now) => {
                Effect::gone(Gone::TimedOut)
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

    fn tick_calling(&mut self, now: Instant) -> Effect {
        if self.alarms.ended(now) {
            return Effect::gone(Gone::TimedOut); // timer B
        }
        if !self.alarms.must_resend(now) {
            return Effect::NONE;
        }
        self.alarms.again(now, self.alarms.interval.times(2)); // timer A
        Effect::transmit(Transmit::Request)
    }
}

/// "at least 32 seconds" for unreliable transports (RFC 3261 s17.1.1.2).
const TIMER_D: Duration = Duration::from_secs(32);

use super::{Alarms, Effect, Event, Gone, Timing, Transmit};
use crate::time::{Due, Duration, Instant};

/// The INVITE server transaction (RFC 3261 s17.2.1, RFC 6026 s7.1).
///
/// In one respect it does more: it also repeats a 2xx until the ACK, which RFC 3261 s13.3.1.4
/// asks of the transaction's user. The bytes lie here, so the timer does as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServerInvite {
    state: State,
    alarms: Alarms,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// No response sent yet; 100 is due after 200 ms.
    Trying,
    /// A 1xx was sent.
    Proceeding,
    /// A 3xx to 6xx was sent; the ACK is awaited.
    Completed,
    /// The ACK for it came; further ones are absorbed.
    Confirmed,
    /// A 2xx was sent; the ACK is awaited.
    Accepted,
    /// The ACK for the 2xx came; repeated INVITEs are absorbed.
    Acknowledged,
}

impl ServerInvite {
    /// The INVITE came now.
    pub fn start(now: Instant) -> Self {
        let mut alarms = Alarms::OFF;
        alarms.end_after(now, TRYING_DUE);
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
        matches!(self.state, State::Trying | State::Proceeding)
    }

    /// Whether no response at all was sent yet; a `Tick` then asks for a 100 by `deliver`.
    pub fn is_trying(&self) -> bool {
        self.state == State::Trying
    }

    /// Whether a 2xx waits for its ACK.
    pub fn awaits_ack(&self) -> bool {
        self.state == State::Accepted
    }

    /// Whether nothing will be sent any more: no bytes need to be kept.
    pub fn is_silent(&self) -> bool {
        matches!(self.state, State::Confirmed | State::Acknowledged)
    }

    /// Whether a 3xx to 6xx was sent and its ACK is awaited.
    pub fn is_completed(&self) -> bool {
        self.state == State::Completed
    }

    /// What follows from `event`; of 1xx to 6xx those that our user sends.
    pub fn on(&mut self, event: Event, now: Instant, timing: &Timing) -> Effect {
        match (self.state, event) {
            (State::Trying, Event::Tick) if self.alarms.ended(now) => {
                self.alarms = Alarms::OFF;
                Effect::DELIVER
            }
            (State::Trying | State::Proceeding, Event::Provisional) => {
                self.state = State::Proceeding;
                self.alarms = Alarms::OFF;
                Effect::transmit(Transmit::Response)
            }
            (State::Proceeding | State::Completed, Event::Request) => {
                Effect::transmit(Transmit::Response)
            }
            (State::Trying | State::Proceeding, Event::Success) => {
                // a 2xx crosses hops of any kind, so it is repeated on reliable transports too
                self.state = State::Accepted;
                self.alarms.end_after(now, timing.give_up());
                self.alarms.resend_after(now, timing.t1);
                Effect::transmit(Transmit::Response)
            }
            (State::Trying | State::Proceeding, Event::Failure) => {
                self.state = State::Completed;
                self.alarms = Alarms::repeating(now, timing); // timers H and G
                Effect::transmit(Transmit::Response)
            }
            (State::Completed | State::Accepted, Event::Tick) => {
                self.alarms.tick(now, Gone::AckMissing, Transmit::Response, timing.t2)
            }
            (State::Completed, Event::Ack) => {
                self.state = State::Confirmed;
                let gone = self.alarms.linger(now, timing.linger(timing.t4)); // timer I
                Effect { gone, ..Effect::NONE }
            }
            (State::Accepted, Event::Ack) => {
                self.state = State::Acknowledged;
                self.alarms = Alarms { end_at: self.alarms.end_at, ..Alarms::OFF }; // timer L
                Effect::DELIVER
            }
            (State::Confirmed | State::Acknowledged, Event::Tick) if self.alarms.ended(now) => {
                Effect::gone(Gone::Done)
            }
            // a transport error changes nothing: repeated INVITEs must still be absorbed, and the
            // timers end it (RFC 6026 s7.1)
            _ => Effect::NONE,
        }
    }
}

/// A 100 is sent unless the user answers within 200 ms (RFC 3261 s17.2.1).
const TRYING_DUE: Duration = Duration::from_millis(200);

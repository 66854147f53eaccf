//! The four transaction machines of RFC 3261 s17 with the repairs of RFC 6026.
//!
//! Each is a small `Copy` value that holds no bytes: an [`Event`] goes in, an [`Effect`] says what
//! the owner of the bytes must do, and `deadline` says when [`Event::Tick`] is due.

mod client_invite;
mod client_request;
mod server_invite;
mod server_request;

pub use client_invite::ClientInvite;
pub use client_request::ClientRequest;
pub use server_invite::ServerInvite;
pub use server_request::ServerRequest;

use crate::time::{Due, Duration, Instant};

/// The numbers that all timers follow from (RFC 3261 s17.1.1.1, table 4), and the transport.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timing {
    /// Round-trip estimate.
    pub t1: Duration,
    /// Longest interval between retransmissions.
    pub t2: Duration,
    /// Longest life of a message in the network.
    pub t4: Duration,
    /// Whether the transport itself repeats what is lost: then we do not.
    pub reliable: bool,
}

impl Timing {
    /// 64 * T1, after which a transaction gives up: timers B, F, H, J, L and M.
    pub const fn give_up(&self) -> Duration {
        self.t1.times(64)
    }

    /// How long a client absorbs repeated responses: at least 32 s for timer D, T4 for timer K.
    const fn linger(&self, unreliable: Duration) -> Duration {
        if self.reliable { Duration::ZERO } else { unreliable }
    }
}

/// What can happen to a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A 1xx came, or our user sends one.
    Provisional,
    /// A 2xx came, or our user sends one.
    Success,
    /// A 3xx to 6xx came, or our user sends one.
    Failure,
    /// The request came again.
    Request,
    /// An ACK came.
    Ack,
    /// The deadline has come.
    Tick,
    /// The transport could not send.
    TransportError,
}

/// What the owner of a transaction's bytes must do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Effect {
    /// What to send.
    pub transmit: Transmit,
    /// Whether the message that came is news to the transaction's user.
    pub deliver: bool,
    /// Whether the transaction is over.
    pub gone: Option<Gone>,
}

/// What to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Transmit {
    /// Nothing.
    #[default]
    Nothing,
    /// The request, or in its place the ACK that it has become.
    Request,
    /// The ACK for the final response.
    Ack,
    /// The last response.
    Response,
}

/// How a transaction ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gone {
    /// As it should.
    Done,
    /// Nobody answered within 64 * T1.
    TimedOut,
    /// The transport failed.
    TransportError,
    /// Our final response was never acknowledged.
    AckMissing,
}

impl Effect {
    const NONE: Self = Self { transmit: Transmit::Nothing, deliver: false, gone: None };
    const DELIVER: Self = Self { deliver: true, ..Self::NONE };

    const fn transmit(what: Transmit) -> Self {
        Self { transmit: what, ..Self::NONE }
    }

    const fn gone(how: Gone) -> Self {
        Self { gone: Some(how), ..Self::NONE }
    }
}

/// When to send again and when to stop; all zero while off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Alarms {
    resend_at: Due,
    interval: Duration,
    end_at: Due,
}

impl Alarms {
    const OFF: Self = Self { resend_at: Due::NEVER, interval: Duration::ZERO, end_at: Due::NEVER };

    /// Send now, again where the transport does not, and give up in the end.
    fn repeating(now: Instant, timing: &Timing) -> Self {
        let mut alarms = Self::OFF;
        alarms.end_after(now, timing.give_up());
        if !timing.reliable {
            alarms.resend_after(now, timing.t1);
        }
        alarms
    }

    /// Only the end is still to come.
    #[cfg_attr(target_os = "none", inline(never))] // here and below: saturating arithmetic of 64 bits, once
    fn end_after(&mut self, now: Instant, wait: Duration) {
        *self = Self { end_at: Due::at(now + wait), ..Self::OFF };
    }

    /// Absorb copies for this long. Over at once where that is zero.
    fn linger(&mut self, now: Instant, wait: Duration) -> Option<Gone> {
        self.end_after(now, wait);
        if wait == Duration::ZERO { Some(Gone::Done) } else { None }
    }

    /// Set the next retransmission; `now` may be late, and the rhythm then starts from it.
    #[cfg_attr(target_os = "none", inline(never))]
    fn resend_after(&mut self, now: Instant, interval: Duration) {
        self.interval = interval;
        self.resend_at = Due::at(now + interval);
    }

    /// The deadline has come: the end, or the time to send again, at intervals that double up to
    /// `longest`.
    #[cfg_attr(target_os = "none", inline(never))]
    fn tick(&mut self, now: Instant, end: Gone, again: Transmit, longest: Duration) -> Effect {
        if self.end_at.is_over(now) {
            return Effect::gone(end);
        }
        if !self.resend_at.is_over(now) {
            return Effect::NONE;
        }
        self.resend_after(now, self.interval.times(2).at_most(longest));
        Effect::transmit(again)
    }

    fn due(&self) -> Due {
        self.resend_at.or_sooner(self.end_at)
    }

    #[cfg_attr(target_os = "none", inline(never))]
    fn ended(&self, now: Instant) -> bool {
        self.end_at.is_over(now)
    }
}

#[cfg(test)]
mod tests;

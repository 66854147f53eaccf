use core::net::SocketAddr;

use crate::time::Duration;

/// Settings of an endpoint that hold for all its accounts and calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// Our address as peers reach it, for Via and Contact. `None`: every new destination goes
    /// through [`Action::Resolve`](super::Action::Resolve), and the driver's answer names it.
    pub local: Option<SocketAddr>,
    /// Round-trip estimate, 500 ms (RFC 3261 s17.1.1.1). Clamped to 10 ms ..= 10 s.
    pub t1: Duration,
    /// Longest interval between retransmissions, 4 s (RFC 3261 s17.1.2.2).
    pub t2: Duration,
    /// Longest life of a message in the network, 5 s (RFC 3261 s17.1.2.2).
    pub t4: Duration,
    /// How long an outgoing call may ring, 180 s; it is cancelled then, `Ended(NoAnswer)`.
    pub ring_limit: Duration,
    /// How long an incoming call waits for the application, 180 s; 480 is answered then.
    pub answer_limit: Duration,
    /// Methods outside calls that the application takes as
    /// [`Event::Request`](super::Event::Request); all others are answered with 405.
    pub methods: Methods,
    /// Whether a request whose user matches no account goes to the first account (a doorbell, a
    /// PBX); else it is answered with 404.
    pub catch_all: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            local: None,
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            ring_limit: Duration::from_secs(180),
            answer_limit: Duration::from_secs(180),
            methods: Methods::NONE,
            catch_all: true,
        }
    }
}

/// A set of request methods that the application answers itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Methods(u8);

impl Methods {
    /// None: a plain phone.
    pub const NONE: Self = Self(0);
    /// REGISTER: a registrar.
    pub const REGISTER: Self = Self(1);
    /// MESSAGE (RFC 3428).
    pub const MESSAGE: Self = Self(2);
    /// OPTIONS outside calls, which the endpoint answers otherwise.
    pub const OPTIONS: Self = Self(4);
    /// SUBSCRIBE (RFC 6665).
    pub const SUBSCRIBE: Self = Self(8);
    /// NOTIFY (RFC 6665), such as message waiting.
    pub const NOTIFY: Self = Self(16);
    /// PUBLISH (RFC 3903).
    pub const PUBLISH: Self = Self(32);
    /// INFO (RFC 6086).
    pub const INFO: Self = Self(64);
    /// Any method that the library does not know.
    pub const OTHER: Self = Self(128);

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The set as a number, for a journal.
    #[cfg(feature = "alloc")]
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    #[cfg(feature = "alloc")]
    pub(crate) const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Whether all of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

use core::net::SocketAddr;

use crate::path::{FlowId, Path, Transport};

use super::Event;

/// What a driver feeds to the endpoint.
#[derive(Clone, Copy, Debug)]
pub enum Input<'m> {
    /// One whole message: a datagram, or one cut from a stream by `sip::Framer`.
    Message {
        /// The way that it came.
        path: Path,
        /// Every byte.
        bytes: &'m [u8],
    },
    /// The connection that [`Action::Connect`] asked for stands.
    Connected {
        /// Which.
        flow: FlowId,
    },
    /// A connection is gone.
    Closed {
        /// Which.
        flow: FlowId,
    },
    /// The transport said that a message did not reach the peer, such as an ICMP unreachable.
    SendFailed {
        /// The way that failed.
        path: Path,
    },
    /// The answer to [`Action::Resolve`], best first; empty where there is none.
    Resolved {
        /// Which question.
        query: QueryId,
        /// Ways to the host, each with our own reachable address.
        targets: &'m [Path],
    },
    /// Our address changed: registrations renew, calls move or end.
    LocalAddress {
        /// The address that is gone.
        old: SocketAddr,
        /// The address to use instead.
        new: SocketAddr,
    },
}

/// What a driver must do.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
// an event lends a message with the index of its headers; actions are looked at, never stored
#[allow(clippy::large_enum_variant)]
pub enum Action<'e> {
    /// Send these bytes, whole, along this path.
    Transmit {
        /// The way.
        path: Path,
        /// Every byte.
        bytes: &'e [u8],
    },
    /// Find ways to a host and answer with [`Input::Resolved`].
    Resolve {
        /// To be named in the answer.
        query: QueryId,
        /// A name or an address as the URI had it, an IPv6 address without brackets.
        host: &'e str,
        /// The port, where the URI named one (then no SRV look-up, RFC 3263 s4.2).
        port: Option<u16>,
        /// The transport, where the URI named one.
        transport: Option<Transport>,
    },
    /// Open a connection and answer with [`Input::Connected`] or [`Input::Closed`].
    Connect {
        /// The name that it shall have.
        flow: FlowId,
        /// The way.
        path: Path,
    },
    /// Close a connection.
    Close {
        /// Which.
        flow: FlowId,
    },
    /// Tell the application.
    Event(Event<'e>),
}

/// Names one question to the resolver.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct QueryId(pub(crate) u64);

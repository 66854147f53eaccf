//! Where a message came from or goes to.

use core::net::SocketAddr;

/// How bytes travel (RFC 3261 s18, RFC 7118 for the two WebSocket forms).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Transport {
    /// Datagrams.
    #[default]
    Udp,
    /// A plain stream.
    Tcp,
    /// A TLS stream.
    Tls,
    /// A WebSocket, one message a frame.
    Ws,
    /// A WebSocket over TLS.
    Wss,
}

impl Transport {
    /// The name in a Via (RFC 3261 s20.42).
    pub const fn via(self) -> &'static [u8] {
        match self {
            Self::Udp => b"UDP",
            Self::Tcp => b"TCP",
            Self::Tls => b"TLS",
            Self::Ws => b"WS",
            Self::Wss => b"WSS",
        }
    }

    /// The value of a URI's `transport` parameter (RFC 3261 s19.1.1).
    pub const fn uri_parameter(self) -> &'static [u8] {
        match self {
            Self::Udp => b"udp",
            Self::Tcp | Self::Tls => b"tcp",
            Self::Ws | Self::Wss => b"ws",
        }
    }

    /// Whether lost messages are sent again by the transport: then transactions do not.
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// The port where none is named (RFC 3261 s19.1.2).
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }
}

/// A connection that the runtime holds; 0 stands for datagrams.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct FlowId(pub u32);

impl FlowId {
    /// No connection: each datagram finds its own way.
    pub const DATAGRAM: Self = Self(0);
}

/// One way between us and a peer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Path {
    /// How bytes travel.
    pub transport: Transport,
    /// Over which connection.
    pub flow: FlowId,
    /// Our address as the peer can reach it: never a wildcard.
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
}

impl Path {
    /// A datagram path.
    pub const fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self { transport: Transport::Udp, flow: FlowId::DATAGRAM, local, remote }
    }

    /// Whether the other end has this address.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn leads_to(&self, address: &SocketAddr) -> bool {
        self.remote == *address
    }
}

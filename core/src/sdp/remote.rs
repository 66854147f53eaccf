use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::media::{Facts, Rtcp};

/// Where a peer wants its media.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Remote {
    pub(super) rtp: SocketAddr,
    /// Port 0 where RTCP is not to be sent.
    pub(super) rtcp: SocketAddr,
}

impl Remote {
    /// Reads the peer's address; `None` where nothing can be sent there from `local`: no `c=`, a
    /// host name, another address family, multicast, broadcast.
    pub(super) fn of(peer: &Facts<'_>, port: u16, local: SocketAddr) -> Option<Self> {
        let address = peer.connection?.ip()?;
        // The old form of hold (RFC 3264 s8.4): neither RTP nor RTCP is sent.
        if address.is_unspecified() {
            return Some(Self {
                rtp: SocketAddr::new(address, port),
                rtcp: SocketAddr::new(address, 0),
            });
        }
        let reachable =
            |address: IpAddr| is_unicast(address) && address.is_ipv4() == local.is_ipv4();
        if !reachable(address) {
            return None;
        }
        let rtcp = match (peer.rtcp, peer.rtcp.and_then(Rtcp::parse)) {
            (None, _) => {
                // RFC 3550 s11: the next port, where there is one.
                SocketAddr::new(address, port.checked_add(1).unwrap_or(0))
            }
            (_, Some(rtcp)) if reachable(rtcp.address.unwrap_or(address)) => {
                SocketAddr::new(rtcp.address.unwrap_or(address), rtcp.port)
            }
            _ => SocketAddr::new(address, 0),
        };
        Some(Self { rtp: SocketAddr::new(address, port), rtcp })
    }

    /// Whether the peer receives at all, by its address.
    pub(super) const fn is_held(&self) -> bool {
        self.rtp.ip().is_unspecified()
    }
}

/// Whether one host can be meant: not the wildcard, not multicast or broadcast, also not as an
/// IPv4 address inside an IPv6 one.
pub(super) fn is_unicast(address: IpAddr) -> bool {
    match address.to_canonical() {
        // 0/8 is "this network", 224/4 multicast, 240/4 reserved and broadcast.
        IpAddr::V4(v4) => matches!(first_octet(v4), 1..=223),
        IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_multicast(),
    }
}

const fn first_octet(address: Ipv4Addr) -> u8 {
    let [first, ..] = address.octets();
    first
}

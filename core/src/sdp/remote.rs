use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::media::{Facts, Rtcp};

/// Where a peer wants its media.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Remote {
    pub(super) rtp: SocketAddr,
    /// Port 0 where RTCP is not to be sent.
    pub(super) rtcp: SocketAddr,
    /// Whether the peer receives nothing, by its address.
    pub(super) is_held: bool,
}

impl Remote {
    /// Reads the peer's address; `None` where nothing can be sent there from `local`: no `c=`, a
    /// host name, another address family, multicast, broadcast.
    pub(super) fn of(peer: &Facts<'_>, port: u16, local: SocketAddr) -> Option<Self> {
        let address = peer.connection?.ip()?;
        let is_held = address.is_unspecified();
        let (mut rtcp_address, mut rtcp_port) = (address, 0);
        // The old form of hold (RFC 3264 s8.4): neither RTP nor RTCP is sent.
        if !is_held {
            if !is_reachable(address, local) {
                return None;
            }
            match peer.rtcp {
                // RFC 3550 s11: the next port, where there is one.
                None => rtcp_port = port.wrapping_add(1),
                Some(value) => {
                    if let Some(rtcp) = Rtcp::parse(value)
                        && is_reachable(rtcp.address.unwrap_or(address), local)
                    {
                        rtcp_address = rtcp.address.unwrap_or(address);
                        rtcp_port = rtcp.port;
                    }
                }
            }
        }
        Some(Self {
            rtp: SocketAddr::new(address, port),
            rtcp: SocketAddr::new(rtcp_address, rtcp_port),
            is_held,
        })
    }
}

/// Whether something can be sent there from `local`.
#[cfg_attr(target_os = "none", inline(never))]
fn is_reachable(address: IpAddr, local: SocketAddr) -> bool {
    is_unicast(address) && address.is_ipv4() == local.is_ipv4()
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

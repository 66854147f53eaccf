//! Between the core's types and embassy's.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use embassy_net::{IpAddress, IpEndpoint};
use sansip::time::Instant;

/// Now, on the endpoint's clock.
pub(crate) fn now() -> Instant {
    Instant::from_micros(embassy_time::Instant::now().as_micros())
}

pub(crate) fn embassy_instant(at: Instant) -> embassy_time::Instant {
    embassy_time::Instant::from_micros(at.as_micros())
}

/// `None` for IPv6, which another crate of the firmware may have switched on in embassy-net.
pub(crate) fn socket_addr(endpoint: IpEndpoint) -> Option<SocketAddr> {
    Some(SocketAddr::new(IpAddr::V4(v4(endpoint.addr)?), endpoint.port))
}

/// The address, if it is one that we speak.
#[allow(unreachable_patterns)] // as above
pub(crate) fn v4(address: IpAddress) -> Option<Ipv4Addr> {
    match address {
        IpAddress::Ipv4(address) => Some(address),
        _ => None,
    }
}

/// `None` for what this stack cannot send to: IPv6, port 0, the wildcard.
pub(crate) fn ip_endpoint(address: SocketAddr) -> Option<IpEndpoint> {
    match address {
        SocketAddr::V4(v4) if v4.port() != 0 && !v4.ip().is_unspecified() => {
            Some(IpEndpoint::new(IpAddress::Ipv4(*v4.ip()), v4.port()))
        }
        _ => None,
    }
}

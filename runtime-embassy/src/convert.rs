//! Between the core's types and embassy's.

use core::net::{IpAddr, SocketAddr};

use embassy_net::{IpAddress, IpEndpoint};
use sansip::time::Instant;

/// Now, on the endpoint's clock.
pub(crate) fn now() -> Instant {
    Instant::from_micros(embassy_time::Instant::now().as_micros())
}

pub(crate) fn embassy_instant(at: Instant) -> embassy_time::Instant {
    embassy_time::Instant::from_micros(at.as_micros())
}

pub(crate) fn socket_addr(endpoint: IpEndpoint) -> SocketAddr {
    let IpAddress::Ipv4(address) = endpoint.addr;
    SocketAddr::new(IpAddr::V4(address), endpoint.port)
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

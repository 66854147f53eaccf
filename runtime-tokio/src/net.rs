//! Sockets: binding, our address as a peer sees it, names.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::ops::RangeInclusive;
use core::time::Duration;
use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use sansip::path::{FlowId, Path, Transport};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// Where we are bound, and how peers reach us there.
pub(crate) struct Net {
    /// The bound address of SIP, perhaps a wildcard.
    bound: SocketAddr,
    advertised: Option<IpAddr>,
    /// Our address towards each peer, found by probing.
    towards: Mutex<HashMap<IpAddr, IpAddr>>,
}

impl Net {
    pub(crate) fn new(bound: SocketAddr, advertised: Option<IpAddr>) -> Self {
        Self { bound, advertised, towards: Mutex::new(HashMap::new()) }
    }

    /// Where SIP is received, as the given peer reaches it.
    pub(crate) fn local(&self, remote: IpAddr) -> SocketAddr {
        SocketAddr::new(self.local_ip(remote), self.bound.port())
    }

    /// Where SIP is received, if that is the same for every peer.
    pub(crate) fn only_address(&self) -> Option<SocketAddr> {
        let bound = Some(self.bound.ip()).filter(|ip| !ip.is_unspecified());
        self.advertised.or(bound).map(|ip| SocketAddr::new(ip, self.bound.port()))
    }

    /// The way to a host that is an address and needs no name server.
    pub(crate) fn known(
        &self,
        host: &str,
        port: Option<u16>,
        transport: Option<Transport>,
    ) -> Option<Path> {
        let transport = transport.unwrap_or_default();
        let remote = SocketAddr::new(host.parse().ok()?, port.unwrap_or(transport.default_port()));
        let reachable = transport == Transport::Udp && remote.is_ipv4() == self.bound.is_ipv4();
        reachable.then(|| Path::udp(self.local(remote.ip()), remote))
    }

    /// Our address as the given peer reaches it.
    ///
    /// A wildcard socket does not know its own address: connecting a second one asks the routing
    /// table without sending anything.
    pub(crate) fn local_ip(&self, remote: IpAddr) -> IpAddr {
        if let Some(advertised) = self.advertised {
            return advertised;
        }
        if !self.bound.ip().is_unspecified() {
            return self.bound.ip();
        }
        let mut towards = self.towards.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(local) = towards.get(&remote) {
            return *local;
        }
        let local = probe(remote).unwrap_or(match remote {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
        if towards.len() >= PEERS_MAX {
            towards.clear();
        }
        towards.insert(remote, local);
        local
    }

    /// Routes change: what was probed is forgotten now and then.
    pub(crate) fn forget(&self) {
        self.towards.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Ways to a host. Only addresses of the family that we are bound to can be reached.
    pub(crate) async fn resolve(
        &self,
        host: &str,
        port: Option<u16>,
        transport: Option<Transport>,
    ) -> Vec<Path> {
        let transport = transport.unwrap_or_default();
        let port = port.unwrap_or(transport.default_port());
        if transport != Transport::Udp {
            return Vec::new();
        }
        let addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => {
                let lookup = tokio::net::lookup_host((host, port));
                match tokio::time::timeout(LOOKUP_LIMIT, lookup).await {
                    Ok(Ok(addresses)) => addresses.take(TARGETS_MAX).collect(),
                    Ok(Err(_)) | Err(_) => Vec::new(),
                }
            }
        };
        addresses
            .into_iter()
            .filter(|address| address.is_ipv4() == self.bound.is_ipv4())
            .map(|remote| Path {
                transport,
                flow: FlowId::DATAGRAM,
                local: self.local(remote.ip()),
                remote,
            })
            .collect()
    }

    /// Two sockets for RTP on an even port and RTCP on the next (RFC 3550 s11).
    pub(crate) fn media_pair(
        &self,
        ports: &RangeInclusive<u16>,
    ) -> io::Result<(UdpSocket, UdpSocket)> {
        let ip = self.bound.ip();
        let mut failure = io::Error::from(io::ErrorKind::AddrInUse);
        for candidate in candidates(ports) {
            match pair(ip, candidate) {
                Ok(pair) => return Ok(pair),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// The socket for SIP, with room for what comes while the application is busy: the system's usual
/// 208 KiB are full after a hundred calls, and an ACK that is lost there is only sent again when
/// the 200 is.
pub(crate) fn bind_sip(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = bind(address)?;
    let buffer = socket2::SockRef::from(&socket);
    let _ = buffer.set_recv_buffer_size(SIP_BUFFER);
    let _ = buffer.set_send_buffer_size(SIP_BUFFER);
    Ok(socket)
}

/// A UDP socket; one bound to an IPv6 wildcard takes IPv6 only, so that addresses look as they are.
pub(crate) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

fn probe(remote: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match remote {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = std::net::UdpSocket::bind((any, 0))?;
    socket.connect((remote, PROBE_PORT))?;
    let local = socket.local_addr()?.ip();
    if local.is_unspecified() { Err(io::ErrorKind::AddrNotAvailable.into()) } else { Ok(local) }
}

/// Even ports to try: the system's choice many times, or each of the range from a random one.
fn candidates(ports: &RangeInclusive<u16>) -> Vec<u16> {
    if *ports.end() == 0 {
        return vec![0; SYSTEM_TRIES];
    }
    let even = |port: u16| port.is_multiple_of(2) && port > 0;
    let mut all: Vec<u16> = ports.clone().filter(|port| even(*port)).collect();
    let start = getrandom::u32().unwrap_or(0) as usize;
    let count = all.len().max(1);
    all.rotate_left(start % count);
    all
}

fn pair(ip: IpAddr, port: u16) -> io::Result<(UdpSocket, UdpSocket)> {
    let rtp = bind(SocketAddr::new(ip, port))?;
    let port = rtp.local_addr()?.port();
    let next = port.checked_add(1).filter(|_| port.is_multiple_of(2));
    let rtcp = bind(SocketAddr::new(ip, next.ok_or(io::ErrorKind::AddrInUse)?))?;
    Ok((rtp, rtcp))
}

/// Bytes; the system gives less where it allows less.
const SIP_BUFFER: usize = 4 << 20;
/// Any port does for a probe; nothing is sent.
const PROBE_PORT: u16 = 5060;
/// Peers whose probed address is remembered; then all are forgotten, so a flood costs no memory.
const PEERS_MAX: usize = 1024;
/// Addresses of one name that are tried.
const TARGETS_MAX: usize = 8;
/// How long a name server may take; a call attempt lasts 32 s (RFC 3261 timer B).
const LOOKUP_LIMIT: Duration = Duration::from_secs(10);
/// Half of the system's choices are odd, some have a taken neighbour.
const SYSTEM_TRIES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wildcard_advertises_the_address_that_the_peer_reaches() {
        let net = Net::new("0.0.0.0:5070".parse().unwrap(), None);
        let paths = net.resolve("127.0.0.9", Some(5080), None).await;
        let path = paths.first().unwrap();
        assert_eq!(path.local, "127.0.0.1:5070".parse().unwrap());
        assert_eq!(path.remote, "127.0.0.9:5080".parse().unwrap());
    }

    #[tokio::test]
    async fn a_name_resolves_to_the_family_that_we_are_bound_to() {
        let net = Net::new("127.0.0.1:5070".parse().unwrap(), None);
        let paths = net.resolve("localhost", None, None).await;
        assert!(paths.iter().all(|path| path.remote == "127.0.0.1:5060".parse().unwrap()));
        assert!(!paths.is_empty());
        assert!(net.resolve("::1", None, None).await.is_empty());
    }

    #[tokio::test]
    async fn rtp_gets_an_even_port_and_rtcp_the_next() {
        let net = Net::new("127.0.0.1:5070".parse().unwrap(), None);
        for ports in [0..=0, 41_000..=41_100] {
            let (rtp, rtcp) = net.media_pair(&ports).unwrap();
            let port = rtp.local_addr().unwrap().port();
            assert!(port.is_multiple_of(2));
            assert!(*ports.end() == 0 || ports.contains(&port));
            assert_eq!(rtcp.local_addr().unwrap().port(), port + 1);
        }
    }

    #[tokio::test]
    async fn a_range_that_is_used_up_is_an_error() {
        let net = Net::new("127.0.0.1:5070".parse().unwrap(), None);
        let first = net.media_pair(&(41_200..=41_201)).unwrap();
        assert!(net.media_pair(&(41_200..=41_201)).is_err());
        drop(first);
        assert!(net.media_pair(&(41_200..=41_201)).is_ok());
    }
}

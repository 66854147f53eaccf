//! Addresses of hosts: literal ones at once, names by DNS.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use embassy_net::Stack;
use heapless::String;
use sansip::endpoint::{Input, QueryId};
use sansip::path::{Path, Transport};
use sansip::sip::Host;

use crate::convert::now;
use crate::state::{Shared, State};

/// A question of the endpoint.
#[derive(Clone)]
pub(crate) struct Lookup {
    query: QueryId,
    /// Empty for a host that we cannot reach: too long a name, or no UDP.
    host: String<HOST_MAX>,
    port: u16,
}

impl Lookup {
    pub(crate) fn new(
        query: QueryId,
        host: &str,
        port: Option<u16>,
        transport: Option<Transport>,
    ) -> Self {
        let transport = transport.unwrap_or_default();
        let host = if transport == Transport::Udp { host } else { "" };
        Self {
            query,
            host: String::try_from(host).unwrap_or_default(),
            port: port.unwrap_or(transport.default_port()),
        }
    }
}

/// Answers lookups for ever, one at a time, while the network is up.
pub(crate) async fn answer_all(stack: Stack<'_>, shared: &Shared<'_>) -> ! {
    loop {
        let lookup = shared
            .wait(|state| if state.address.is_some() { state.lookups.pop_front() } else { None })
            .await;
        let address = match literal(&lookup.host) {
            Some(address) => Some(address),
            None => by_name(stack, &lookup.host).await,
        };
        if let Ok(mut state) = shared.step() {
            answer(&mut state, &lookup, address);
        }
    }
}

/// Tells the endpoint the way, or that there is none.
fn answer(state: &mut State<'_>, lookup: &Lookup, address: Option<Ipv4Addr>) {
    let remote = address.map(|address| SocketAddr::new(IpAddr::V4(address), lookup.port));
    let path = remote.and_then(|remote| Some(Path::udp(state.local()?, remote)));
    let targets = path.as_slice();
    state.endpoint.handle(now(), Input::Resolved { query: lookup.query, targets });
    state.runner.wake();
}

#[cfg(feature = "dns")]
async fn by_name(stack: Stack<'_>, name: &str) -> Option<Ipv4Addr> {
    use embassy_net::dns::DnsQueryType;

    if name.is_empty() {
        return None;
    }
    let found = stack.dns_query(name, DnsQueryType::A).await.ok()?;
    found.into_iter().find_map(crate::convert::v4)
}

#[cfg(not(feature = "dns"))]
async fn by_name(_: Stack<'_>, _: &str) -> Option<Ipv4Addr> {
    None
}

fn literal(host: &str) -> Option<Ipv4Addr> {
    match Host::parse(host.as_bytes()).ok()?.address()? {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None, // no way there
    }
}

/// Longest name that is looked up; servers have short ones.
const HOST_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_addresses_are_literal() {
        assert_eq!(literal("192.0.2.1"), Some(Ipv4Addr::new(192, 0, 2, 1)));
        assert_eq!(literal("255.255.255.255"), Some(Ipv4Addr::BROADCAST));
        for name in ["", "192.0.2", "192.0.2.1.5", "192.0.2.256", "192.0.2.x", "1.2.3.0004", "a"] {
            assert_eq!(literal(name), None, "{name}");
        }
    }
}

//! A router that translates addresses.

use std::collections::BTreeMap;

use core::net::{IpAddr, SocketAddr};

/// A router with one outer address; inner ports are mapped to outer ones on first use.
pub(super) struct Nat {
    pub(super) outer: IpAddr,
    pub(super) next_port: u16,
    pub(super) out: BTreeMap<u16, u16>,
    pub(super) back: BTreeMap<u16, u16>,
}

impl Nat {
    pub(super) fn outgoing(&mut self, port: u16) -> SocketAddr {
        let outer = self.out.get(&port).copied().unwrap_or_else(|| {
            let outer = self.next_port;
            self.next_port += 1;
            self.out.insert(port, outer);
            self.back.insert(outer, port);
            outer
        });
        SocketAddr::new(self.outer, outer)
    }
}

//! What a network gives to its hosts: addresses by DHCP, addresses of names by DNS.

use core::cell::Cell;
use std::rc::Rc;

use embassy_net::{Ipv4Address, Stack};

use super::World;
use super::pbx::socket;

/// A DHCP server on a host of its own, which lends the address of the cell for 20 s and refuses
/// to renew any other, and which names itself as the DNS server.
pub(crate) fn dhcp(world: &mut World, lent: Rc<Cell<Ipv4Address>>) -> Stack<'static> {
    let stack = world.host();
    world.spawn(async move {
        stack.wait_config_up().await;
        let own = stack.config_v4().unwrap().address.address();
        let socket = socket(stack, 67);
        let mut buffer = [0; 1000];
        loop {
            let (length, _) = socket.recv_from(&mut buffer).await.unwrap();
            if let Some(answer) = lend(&buffer[..length], lent.get(), own) {
                socket.send_to(&answer, (Ipv4Address::BROADCAST, 68)).await.unwrap();
            }
        }
    });
    stack
}

/// The answer to a DISCOVER or REQUEST (RFC 2131 s3): OFFER, ACK or NAK.
fn lend(request: &[u8], lent: Ipv4Address, own: Ipv4Address) -> Option<Vec<u8>> {
    let asked = |option| value(request, option);
    let renewed = Ipv4Address::from(<[u8; 4]>::try_from(&request[12..16]).unwrap());
    let wanted = match asked(50) {
        Some(address) => Ipv4Address::from(<[u8; 4]>::try_from(address).unwrap()),
        None => renewed,
    };
    let kind = match asked(53)? {
        [1] => 2,
        [3] if wanted == lent => 5,
        [3] => 6,
        _ => return None,
    };
    let mut answer = vec![0; 236];
    answer[..4].copy_from_slice(&[2, 1, 6, 0]);
    answer[4..8].copy_from_slice(&request[4..8]); // the transaction
    answer[10..12].copy_from_slice(&request[10..12]); // flags
    if kind != 6 {
        answer[16..20].copy_from_slice(&lent.octets());
    }
    answer[28..44].copy_from_slice(&request[28..44]); // the client
    answer.extend([0x63, 0x82, 0x53, 0x63]);
    answer.extend([53, 1, kind, 54, 4]);
    answer.extend(own.octets());
    if kind != 6 {
        answer.extend([51, 4, 0, 0, 0, 20, 1, 4, 255, 255, 255, 0, 6, 4]);
        answer.extend(own.octets());
    }
    answer.push(255);
    Some(answer)
}

/// The value of an option of a DHCP message.
fn value(message: &[u8], option: u8) -> Option<&[u8]> {
    let mut rest = message.get(240..)?;
    loop {
        match rest {
            [0, after @ ..] => rest = after,
            [255, ..] | [] | [_] => return None,
            [kind, length, after @ ..] => {
                let (value, after) = after.split_at_checked(usize::from(*length))?;
                if *kind == option {
                    return Some(value);
                }
                rest = after;
            }
        }
    }
}

/// A DNS server on this host, which knows one name alone.
pub(crate) fn dns(world: &mut World, stack: Stack<'static>, name: &str, address: Ipv4Address) {
    let labels: Vec<u8> = name
        .split('.')
        .flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat())
        .chain([0])
        .collect();
    world.spawn(async move {
        let socket = socket(stack, 53);
        let mut buffer = [0; 1000];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let answer = resolve(&buffer[..length], &labels, address);
            socket.send_to(&answer, from).await.unwrap();
        }
    });
}

/// The answer to a query with one question (RFC 1035 s4): the address, or that there is no such
/// name.
fn resolve(query: &[u8], labels: &[u8], address: Ipv4Address) -> Vec<u8> {
    let known = query[12..].starts_with(labels);
    let mut answer = query.to_vec();
    answer[2..4].copy_from_slice(if known { &[0x81, 0x80] } else { &[0x81, 0x83] });
    if known {
        answer[6..8].copy_from_slice(&[0, 1]);
        // The name of the question, an address of the Internet, for a minute.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(address.octets());
    }
    answer
}

//! Somebody who sends what he should not: he reads along, but cannot answer in anybody's place.
//!
//! What he forges is complete but for one thing that only the true peer knows (a tag, a branch, an
//! SSRC), so that nothing of it may have an effect. The oracle counts it as never sent.

use core::net::SocketAddr;

use crate::random::Random;
use crate::wire::{Wire, address_of, uri_of};
use crate::world::{Datagram, World};

/// One attacker with what he overheard.
#[derive(Debug)]
pub struct Attacker {
    address: SocketAddr,
    random: Random,
    /// A proxy would pass on what he forges, and nobody could tell any more.
    spared: Option<SocketAddr>,
    /// Requests inside dialogs and their INVITEs, the newest last.
    requests: Vec<Datagram>,
    /// Final responses, the newest last.
    responses: Vec<Datagram>,
    /// RTP, the newest last.
    packets: Vec<Datagram>,
}

impl Attacker {
    /// An attacker at an address of his own.
    pub fn new(address: SocketAddr, random: Random, spared: Option<SocketAddr>) -> Self {
        let (requests, responses, packets) = (Vec::new(), Vec::new(), Vec::new());
        Self { address, random, spared, requests, responses, packets }
    }

    /// Reads what passed on the wire.
    pub fn overhear(&mut self, datagrams: Vec<Datagram>) {
        for datagram in datagrams {
            let list = match datagram.bytes.first() {
                Some(byte) if byte >> 6 == 2 => &mut self.packets,
                Some(b'S') if datagram.bytes.starts_with(b"SIP/2.0 ") => &mut self.responses,
                _ => &mut self.requests,
            };
            list.push(datagram);
            let surplus = list.len().saturating_sub(REMEMBERED);
            list.drain(..surplus);
        }
    }

    /// Sends one forged thing of some kind.
    pub fn strike(&mut self, world: &mut World) {
        let forged = match self.random.below(11) {
            0..=2 => self.forge_request(),
            3 => self.forge_cancel(),
            4 => self.forge_response(),
            5 => self.forge_sound(),
            8 => self.forge_old_request(),
            6 => self.garbage(),
            9 | 10 => self.forge_ack(),
            _ => self.scan(),
        };
        if let Some(Datagram { from, to, bytes }) = forged
            && Some(to) != self.spared
        {
            world.inject(from, to, &bytes);
        }
    }

    /// BYE, re-INVITE or INFO in a true dialog, with a tag that is only guessed (ATTACKS 24).
    fn forge_request(&mut self) -> Option<Datagram> {
        let overheard = self.random.pick(&self.requests)?.clone();
        let wire = Wire::read(&overheard.bytes)?;
        let (call_id, from, to) = (wire.call_id()?, wire.header("from")?, wire.header("to")?);
        let (number, _) = wire.cseq()?;
        wire.from_tag().filter(|tag| !tag.is_empty())?;
        let guess = format!("{:024x}", self.random.next());
        let retag = |value: &str| {
            let plain = value.split(";tag=").next().unwrap_or_default();
            format!("{plain};tag={guess}")
        };
        let (from, to) = match (self.random.below(3), wire.to_tag()) {
            (0, Some(_)) => (retag(from), to.to_owned()),
            (1, Some(_)) => (from.to_owned(), retag(to)),
            _ => (retag(from), retag(to)),
        };
        let method = *self.random.pick(&["BYE", "BYE", "INVITE", "INFO", "ACK", "UPDATE"])?;
        let number = number + self.random.below(3) as u32 * 10;
        let uri = wire.uri()?;
        let address = self.address;
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bK{guess}\r\n\
             From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {number} {method}\r\n\
             Max-Forwards: 70\r\nContact: <sip:evil@{address}>\r\nContent-Length: 0\r\n\r\n"
        );
        // From his own address, or with that of the true sender.
        let from = if self.random.chance(0.5) { self.address } else { overheard.from };
        Some(Datagram { from, to: overheard.to, bytes: text.into_bytes() })
    }

    /// A request of the caller with all that is true but for its number, which is an old one
    /// (ATTACKS 24): that of the INVITE or less, as the callee may not have heard of later ones.
    fn forge_old_request(&mut self) -> Option<Datagram> {
        let overheard = self.random.pick(&self.requests)?.clone();
        let wire = Wire::read(&overheard.bytes)?;
        let (call_id, from, to) = (wire.call_id()?, wire.header("from")?, wire.header("to")?);
        wire.to_tag()?;
        let number = self.requests.iter().find_map(|first| {
            let first = Wire::read(&first.bytes)?;
            let same = first.call_id() == Some(call_id) && first.from_tag() == wire.from_tag();
            let (number, method) = first.cseq()?;
            (same && first.to_tag().is_none() && method == "INVITE").then_some(number)
        })?;
        let (uri, one, address) = (wire.uri()?, self.random.next(), self.address);
        let method = *self.random.pick(&["BYE", "INVITE"])?;
        let number = number.saturating_sub(1 + self.random.below(5) as u32);
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bK{one:x}\r\n\
             From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {number} {method}\r\n\
             Max-Forwards: 70\r\nContact: <sip:evil@{address}>\r\nContent-Length: 0\r\n\r\n"
        );
        Some(Datagram { from: self.address, to: overheard.to, bytes: text.into_bytes() })
    }

    /// The ACK of a 2xx with the branch of its INVITE, whose To tag is only guessed (ATTACKS 21):
    /// that is how an ACK for a refusal looks that a proxy answered meanwhile.
    fn forge_ack(&mut self) -> Option<Datagram> {
        let newest = self.responses.iter().rev().take(4);
        let accepts = |overheard: &&Datagram| {
            let wire = Wire::read(&overheard.bytes);
            wire.is_some_and(|wire| wire.status() == Some(200) && wire.method() == Some("INVITE"))
        };
        let overheard = newest.into_iter().find(accepts)?;
        let wire = Wire::read(&overheard.bytes)?;
        let (number, _) = wire.cseq()?;
        let (via, from, call_id) = (wire.via()?, wire.header("from")?, wire.call_id()?);
        let to = uri_of(wire.header("to")?);
        let guess = self.random.next();
        let text = format!(
            "ACK {to} SIP/2.0\r\nVia: {via}\r\nFrom: {from}\r\nTo: <{to}>;tag={guess:024x}\r\n\
             Call-ID: {call_id}\r\nCSeq: {number} ACK\r\nMax-Forwards: 70\r\n\
             Content-Length: 0\r\n\r\n"
        );
        Some(Datagram { from: self.address, to: overheard.from, bytes: text.into_bytes() })
    }

    /// CANCEL for a true INVITE, whose branch is only guessed (ATTACKS 20).
    fn forge_cancel(&mut self) -> Option<Datagram> {
        let overheard = self.random.pick(&self.requests)?.clone();
        let wire = Wire::read(&overheard.bytes)?;
        let (number, method) = wire.cseq()?;
        let branch = wire.branch()?;
        if method != "INVITE" || !wire.start.starts_with("INVITE") {
            return None;
        }
        let text = String::from_utf8_lossy(&overheard.bytes);
        let guess = format!("z9hG4bK{:024x}", self.random.next());
        let head = text.split("\r\nContent-").next()?;
        let forged = head
            .replacen("INVITE ", "CANCEL ", 1)
            .replace(branch, &guess)
            .replace(&format!("{number} INVITE"), &format!("{number} CANCEL"));
        let bytes = format!("{forged}\r\nContent-Length: 0\r\n\r\n").into_bytes();
        Some(Datagram { from: self.address, to: overheard.to, bytes })
    }

    /// A final response with a true transaction's identity but for its branch (ATTACKS 23).
    fn forge_response(&mut self) -> Option<Datagram> {
        let overheard = self.random.pick(&self.responses)?.clone();
        let wire = Wire::read(&overheard.bytes)?;
        let branch = wire.branch()?;
        let mut guess = branch.to_owned();
        let last = guess.pop()?;
        guess.push(if last == '0' { '1' } else { '0' });
        let status = *self.random.pick(&["200 OK", "486 Busy Here", "603 Decline", "401 No"])?;
        let text = String::from_utf8_lossy(&overheard.bytes).replace(branch, &guess);
        let (_, rest) = text.split_once("\r\n")?;
        let bytes = format!("SIP/2.0 {status}\r\n{rest}").into_bytes();
        Some(Datagram { from: overheard.from, to: overheard.to, bytes })
    }

    /// A digit or sound into a true stream, from elsewhere and with another SSRC (ATTACKS 43).
    fn forge_sound(&mut self) -> Option<Datagram> {
        let overheard = self.random.pick(&self.packets)?.clone();
        if overheard.to.port() % 2 == 1 {
            return None;
        }
        let mut bytes = overheard.bytes.get(..12)?.to_vec();
        for byte in bytes.iter_mut().skip(8) {
            *byte = byte.wrapping_add(77);
        }
        if self.random.chance(0.5) {
            *bytes.get_mut(1)? = 0x80 | 101;
            bytes.extend([7, 0x8a, 0x05, 0x00]); // the end of a digit 7
        } else {
            bytes.extend([0x2a; 160]);
        }
        Some(Datagram { from: self.address, to: overheard.to, bytes })
    }

    /// Bytes that are nothing, or the beginning of something.
    fn garbage(&mut self) -> Option<Datagram> {
        let overheard = self.random.pick(&self.requests)?.clone();
        let mut bytes = overheard.bytes;
        if self.random.chance(0.5) {
            bytes.truncate(self.random.below(bytes.len() as u64) as usize);
        } else {
            bytes = (0..self.random.below(400)).map(|_| self.random.next() as u8).collect();
        }
        Some(Datagram { from: self.address, to: overheard.to, bytes })
    }

    /// What scanners send to everybody (ATTACKS 33).
    fn scan(&mut self) -> Option<Datagram> {
        let overheard = self.random.pick(&self.requests)?.clone();
        let wire = Wire::read(&overheard.bytes)?;
        let target = wire.header("to").map(uri_of)?;
        address_of(target)?;
        let (one, other, address) = (self.random.next(), self.random.next(), self.address);
        let text = format!(
            "OPTIONS {target} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bK{one:x}\r\n\
             From: <sip:100@1.1.1.1>;tag={other:x}\r\nTo: <{target}>\r\nCall-ID: {one:x}\r\n\
             CSeq: 1 OPTIONS\r\nUser-Agent: friendly-scanner\r\nContent-Length: 0\r\n\r\n"
        );
        Some(Datagram { from: address, to: overheard.to, bytes: text.into_bytes() })
    }
}

const REMEMBERED: usize = 64;

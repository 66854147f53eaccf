//! RTP and digits.

use std::collections::BTreeMap;

use core::net::SocketAddr;

use sansip::time::{Duration, Instant};

use super::Failures;

/// All streams of a world.
#[derive(Debug, Default)]
pub(super) struct Media {
    streams: BTreeMap<(SocketAddr, u32), Stream>,
}

/// What one port sent with one SSRC.
#[derive(Debug)]
struct Stream {
    sequence: u16,
    timestamp: u32,
    events: Vec<Event>,
    since: Instant,
}

/// One telephone event (RFC 4733).
#[derive(Debug)]
struct Event {
    digit: char,
    timestamp: u32,
    sent_at: Instant,
    /// Packets of it that came to an open session, and when the last did.
    arrived: u32,
    arrived_at: Instant,
}

struct Packet {
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    digit: Option<char>,
}

impl Media {
    pub(super) fn sent(
        &mut self,
        now: Instant,
        node: usize,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
        failures: &mut Failures,
    ) {
        if from.port() % 2 == 1 {
            return; // RTCP
        }
        let Some(packet) = Packet::read(bytes) else {
            failures.add(now, node, 9, format!("no RTP from {from} to {to}"));
            return;
        };
        let Some(stream) = self.streams.get_mut(&(from, packet.ssrc)) else {
            let mut stream = Stream {
                sequence: packet.sequence,
                timestamp: packet.timestamp,
                events: Vec::new(),
                since: now,
            };
            stream.event(now, &packet);
            self.streams.insert((from, packet.ssrc), stream);
            return;
        };
        if packet.sequence != stream.sequence.wrapping_add(1) {
            let text = format!("sequence {} after {}", packet.sequence, stream.sequence);
            failures.add(now, node, 9, text);
        }
        // A timestamp may repeat within an event, and stay behind by its length after it.
        let step = packet.timestamp.wrapping_sub(stream.timestamp) as i32;
        if step < 0 && packet.digit.is_none() {
            failures.add(now, node, 9, format!("timestamp goes back by {}", -step));
        }
        stream.sequence = packet.sequence;
        if step > 0 {
            stream.timestamp = packet.timestamp;
        }
        stream.event(now, &packet);
    }

    pub(super) fn arrived(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let Some(packet) = Packet::read(bytes).filter(|packet| packet.digit.is_some()) else {
            return;
        };
        let Some(stream) = self.streams.get_mut(&(from, packet.ssrc)) else { return };
        let event = stream.events.iter_mut().rev();
        if let Some(event) = event.into_iter().find(|event| event.timestamp == packet.timestamp) {
            event.arrived += 1;
            event.arrived_at = now;
        }
    }

    /// RFC 4733 s2.5.1.4 and s2.5.2: what arrived of an event makes one digit.
    pub(super) fn compare_digits(
        &self,
        now: Instant,
        node: usize,
        (from, begun): (SocketAddr, Instant),
        (heard, ended): (&str, Instant),
        steady: bool,
        failures: &mut Failures,
    ) {
        let streams = self.streams.range((from, 0)..=(from, u32::MAX));
        let streams = streams.filter(|(_, stream)| stream.since >= begun);
        let events: Vec<_> = streams.flat_map(|(_, stream)| &stream.events).collect();
        let mut heard_left = heard.chars().peekable();
        for event in events {
            let matches = heard_left.peek() == Some(&event.digit);
            let sure = steady && event.arrived > 0 && event.arrived_at + RECOGNISED < ended;
            if matches && event.arrived > 0 {
                heard_left.next();
            } else if sure {
                let text = format!("digit {} was not heard, only {heard}", event.digit);
                failures.add(now, node, 10, text);
                return;
            }
        }
        if heard_left.peek().is_some() {
            failures.add(now, node, 10, format!("heard {heard}, not all of which was sent"));
        }
    }
}

impl Stream {
    fn event(&mut self, now: Instant, packet: &Packet) {
        let Some(digit) = packet.digit else { return };
        let known = self.events.last().is_some_and(|last| last.timestamp == packet.timestamp);
        if !known {
            let timestamp = packet.timestamp;
            let event = Event { digit, timestamp, sent_at: now, arrived: 0, arrived_at: now };
            self.events.push(event);
        }
        if let Some(event) = self.events.last_mut() {
            event.sent_at = now;
        }
    }
}

impl Packet {
    /// RFC 3550 s5.1, without extension and contributors, which nobody here sends.
    fn read(bytes: &[u8]) -> Option<Self> {
        let [first, second, s1, s2, t1, t2, t3, t4, c1, c2, c3, c4, payload @ ..] = bytes else {
            return None;
        };
        if first >> 6 != 2 {
            return None;
        }
        let is_event = second & 0x7f >= 96 && payload.len() == 4;
        let digit = match payload.first() {
            Some(code @ 0..=15) if is_event => "0123456789*#ABCD".chars().nth(usize::from(*code)),
            _ => None,
        };
        Some(Self {
            sequence: u16::from_be_bytes([*s1, *s2]),
            timestamp: u32::from_be_bytes([*t1, *t2, *t3, *t4]),
            ssrc: u32::from_be_bytes([*c1, *c2, *c3, *c4]),
            digit,
        })
    }
}

/// An event whose end is lost is over when nothing came for a while; ticks come up to 2 s late.
const RECOGNISED: Duration = Duration::from_secs(5);

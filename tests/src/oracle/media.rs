//! RTP: sequence, clock, directions.
//!
//! `digits` judges the telephone events in it.

mod digits;

use std::collections::BTreeMap;

use core::net::SocketAddr;

use sansip::sdp::MediaPlan;
use sansip::time::Instant;

use super::Failures;

use digits::{Event, Heard};

/// All streams of a world.
#[derive(Debug, Default)]
pub(super) struct Media {
    streams: BTreeMap<(SocketAddr, u32), Stream>,
    /// What was agreed on last for a port.
    plans: BTreeMap<SocketAddr, MediaPlan>,
    /// The events that came to a port.
    heard: BTreeMap<SocketAddr, Vec<Heard>>,
}

/// What one port sent with one SSRC.
#[derive(Debug)]
struct Stream {
    sequence: u16,
    timestamp: u32,
    /// The earliest timestamp that the next sound may have, and the length of a packet's sound.
    clock: u32,
    frame: u32,
    /// The last packet was a report of an event.
    in_event: bool,
    events: Vec<Event>,
    since: Instant,
}

struct Packet {
    marker: bool,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    payload_bytes: u32,
    report: Option<Report>,
}

/// One report of a digit (RFC 4733 s2.3).
#[derive(Clone, Copy)]
struct Report {
    digit: char,
    end: bool,
    duration: u32,
}

impl Media {
    /// A phone was told what is agreed on.
    pub(super) fn agreed(&mut self, plan: &MediaPlan) {
        self.plans.insert(plan.local, *plan);
    }

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
        // RFC 3264 s8.4, s5.1: a side that is put on hold, or agreed to receive only, is silent.
        if let Some(plan) = self.plans.get(&from)
            && !plan.direction.sends()
        {
            let text = format!("RTP from {from}, which is {:?}", plan.direction);
            failures.add(now, node, 9, text);
        }
        let stream = self.streams.entry((from, packet.ssrc)).or_insert_with(|| Stream {
            sequence: packet.sequence.wrapping_sub(1),
            timestamp: packet.timestamp,
            clock: packet.timestamp,
            frame: 0,
            in_event: false,
            events: Vec::new(),
            since: now,
        });
        if packet.sequence != stream.sequence.wrapping_add(1) {
            let text = format!("sequence {} after {}", packet.sequence, stream.sequence);
            failures.add(now, node, 9, text);
        }
        // A timestamp may repeat within an event, and stay behind by its length after it.
        let step = packet.timestamp.wrapping_sub(stream.timestamp) as i32;
        if step < 0 && packet.report.is_none() {
            failures.add(now, node, 9, format!("timestamp goes back by {}", -step));
        }
        stream.sequence = packet.sequence;
        if step > 0 {
            stream.timestamp = packet.timestamp;
        }
        let wrong = stream.tick(&packet);
        if let Some(text) = wrong {
            failures.add(now, node, 9, text);
        }
        let wrong = stream.event(now, &packet);
        if let Some(text) = wrong {
            failures.add(now, node, 10, text);
        }
    }
}

impl Stream {
    /// RFC 3550 s5.1: the clock of sound runs on, a packet's sound a packet, whatever is sent
    /// instead, such as reports of events (RFC 4733 s2.1). A marked packet follows a pause.
    fn tick(&mut self, packet: &Packet) -> Option<String> {
        let late = packet.timestamp.wrapping_sub(self.clock) as i32;
        if packet.report.is_some() {
            self.clock = self.clock.wrapping_add(self.frame);
            return None;
        }
        self.frame = packet.payload_bytes; // a byte a sample: G.711
        self.clock = packet.timestamp.wrapping_add(self.frame);
        let stood = late < 0 && !packet.marker;
        stood.then(|| format!("the clock of sound lost {} samples", -late))
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
        let report = match payload {
            [code @ 0..=15, end, d1, d2] if second & 0x7f >= 96 => {
                let digit = "0123456789*#ABCD".chars().nth(usize::from(*code))?;
                let duration = u16::from_be_bytes([*d1, *d2]).into();
                Some(Report { digit, end: end >> 7 == 1, duration })
            }
            _ => None,
        };
        Some(Self {
            marker: second >> 7 == 1,
            sequence: u16::from_be_bytes([*s1, *s2]),
            timestamp: u32::from_be_bytes([*t1, *t2, *t3, *t4]),
            ssrc: u32::from_be_bytes([*c1, *c2, *c3, *c4]),
            payload_bytes: payload.len() as u32,
            report,
        })
    }
}

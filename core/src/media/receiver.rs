//! The receiving half: from datagrams to audio and digits.

use core::net::SocketAddr;

use super::digits_in::DigitReceiver;
use super::jitter::JitterBuffer;
use super::latch::{Admission, Latch, canonical};
use super::source::{Source, Verdict};
use crate::rtp::{Codec, Header, Packet};
use crate::sdp::MediaPlan;
use crate::time::Instant;

/// The stream that we receive.
pub(super) struct Receiver {
    pub(super) latch: Latch,
    heard: bool,
    source: Source,
    /// A source behind another SSRC that must prove itself (RFC 3550 A.1).
    newcomer: Newcomer,
    pub(super) jitter: JitterBuffer,
    pub(super) digits: DigitReceiver,
    pub(super) counts: ReceiverCounts,
    /// The source's address or SSRC changed since the last look.
    pub(super) moved: bool,
}

/// What came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct ReceiverCounts {
    pub(super) packets: u32,
    pub(super) octets: u32,
    pub(super) foreign: u32,
    pub(super) invalid: u32,
    pub(super) duplicates: u32,
    /// Loss of sources that were replaced.
    lost_before: u32,
}

/// How payload types of received packets are read.
#[derive(Clone, Copy)]
pub(super) struct ReceiveTypes {
    present: bool,
    audio: u8,
    codec: Codec,
    event: Option<u8>,
}

#[derive(Clone, Copy)]
struct Newcomer {
    packets: u8,
    ssrc: u32,
    next_sequence: u16,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Audio(Codec),
    Event,
    Unknown,
}

impl Receiver {
    pub(super) const fn new() -> Self {
        Self {
            latch: Latch::new(),
            heard: false,
            source: Source::new(0, 0),
            newcomer: Newcomer { packets: 0, ssrc: 0, next_sequence: 0 },
            jitter: JitterBuffer::new(),
            digits: DigitReceiver::new(),
            counts: ReceiverCounts {
                packets: 0,
                octets: 0,
                foreign: 0,
                invalid: 0,
                duplicates: 0,
                lost_before: 0,
            },
            moved: false,
        }
    }

    /// As new, without moving a whole one over the stack.
    pub(super) fn reset(&mut self) {
        let Self { latch, heard, source, newcomer, jitter, digits, counts, moved } = self;
        *latch = Latch::new();
        *heard = false;
        *source = Source::new(0, 0);
        *newcomer = Newcomer { packets: 0, ssrc: 0, next_sequence: 0 };
        jitter.reset();
        *digits = DigitReceiver::new();
        *counts = ReceiverCounts::default();
        *moved = false;
    }

    /// The source that is received, once one is.
    pub(super) fn source(&self) -> Option<&Source> {
        self.heard.then_some(&self.source)
    }

    /// The same, to report on it.
    pub(super) fn source_mut(&mut self) -> Option<&mut Source> {
        self.heard.then_some(&mut self.source)
    }

    /// Packets lost since the start, over all sources.
    pub(super) fn lost(&self) -> u32 {
        let now = self.source().map_or(0, Source::lost);
        self.counts.lost_before.saturating_add(now)
    }

    /// Takes one datagram; whether it came from the peer.
    pub(super) fn handle(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
        types: &[ReceiveTypes; 2],
        plays: bool,
    ) -> bool {
        let Ok(packet) = Packet::parse(bytes) else {
            self.counts.invalid = self.counts.invalid.saturating_add(1);
            return false;
        };
        let kind = kind(packet.header.payload_type, types);
        let from = canonical(from);
        if kind == Kind::Unknown && self.latch.source() != Some(&from) {
            self.counts.invalid = self.counts.invalid.saturating_add(1);
            return false;
        }
        match self.latch.admit(now, &from, &packet.header) {
            Admission::Refused => {
                self.counts.foreign = self.counts.foreign.saturating_add(1);
                return false;
            }
            Admission::Accepted => {}
            Admission::Moved => self.moved = true,
        }
        match self.judge(&packet.header) {
            Verdict::Fresh => self.take(now, &packet, kind, plays),
            Verdict::Duplicate => {
                self.counts.duplicates = self.counts.duplicates.saturating_add(1);
            }
            Verdict::Implausible => {
                self.counts.invalid = self.counts.invalid.saturating_add(1);
                return false;
            }
        }
        true
    }

    /// Judges SSRC and sequence number (RFC 3550 A.1).
    fn judge(&mut self, header: &Header) -> Verdict {
        if !self.heard {
            self.heard = true;
            self.source = Source::new(header.ssrc, header.sequence);
        } else if self.source.ssrc != header.ssrc {
            let newcomer = self.newcomer;
            let follows = newcomer.packets > 0
                && newcomer.ssrc == header.ssrc
                && newcomer.next_sequence == header.sequence;
            self.newcomer = Newcomer {
                packets: if follows { newcomer.packets + 1 } else { 1 },
                ssrc: header.ssrc,
                next_sequence: header.sequence.wrapping_add(1),
            };
            if self.newcomer.packets < MIN_SEQUENTIAL {
                return Verdict::Implausible;
            }
            self.counts.lost_before = self.lost();
            self.source = Source::new(header.ssrc, header.sequence);
            self.jitter.clear();
            self.digits.restart();
            self.moved = true;
        }
        self.newcomer.packets = 0;
        self.source.accept(header.sequence)
    }

    fn take(&mut self, now: Instant, packet: &Packet<'_>, kind: Kind, plays: bool) {
        let length = packet.payload.len() as u32;
        self.counts.packets = self.counts.packets.wrapping_add(1);
        self.counts.octets = self.counts.octets.wrapping_add(length);
        let timestamp = packet.header.timestamp;
        match kind {
            Kind::Audio(codec) => {
                self.source.measure(now, timestamp.wrapping_add(length));
                if plays {
                    self.jitter.put(codec, timestamp, packet.payload);
                }
            }
            // Reports of one event share a timestamp: their arrivals say nothing of the jitter.
            Kind::Event => self.digits.take(now, &packet.header, packet.payload),
            Kind::Unknown => {}
        }
    }
}

impl ReceiveTypes {
    pub(super) const fn none() -> Self {
        Self { present: false, audio: 0, codec: Codec::Pcmu, event: None }
    }

    pub(super) fn of(plan: &MediaPlan) -> Self {
        Self {
            present: true,
            audio: plan.receive_type,
            codec: plan.codec,
            event: plan.dtmf.map(|dtmf| dtmf.receive_type),
        }
    }
}

/// What a payload type means. A peer may send any codec that was agreed on, not only the first
/// (RFC 3264 s6.1), so the static types of our codecs are always read.
fn kind(payload_type: u8, types: &[ReceiveTypes; 2]) -> Kind {
    for known in types.iter().filter(|known| known.present) {
        if payload_type == known.audio {
            return Kind::Audio(known.codec);
        }
        if Some(payload_type) == known.event {
            return Kind::Event;
        }
    }
    [Codec::Pcmu, Codec::Pcma]
        .into_iter()
        .find(|codec| codec.static_payload_type() == payload_type)
        .map_or(Kind::Unknown, Kind::Audio)
}

/// Packets in sequence that a new SSRC needs (RFC 3550 A.1).
const MIN_SEQUENTIAL: u8 = 2;

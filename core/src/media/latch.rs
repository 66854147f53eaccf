//! Where RTP may come from, and where ours goes (RFC 4961), safe against injection.
//!
//! The signalled address is believed at once and at any time. Another source is learnt only while
//! nothing was heard from there, only in a window after the start or after the peer moved, and
//! only if it sends one consistent stream for half a second with no rival; a source with the
//! signalled address and another port goes before one with another address. What is learnt is
//! never changed again, except back to the signalled address or by new signalling.

use core::net::SocketAddr;

use crate::limits::{LATCH_PROBATION_MS, LATCH_WINDOW_MS};
use crate::rtp::Header;
use crate::time::{Duration, Instant};

/// The source of the peer's RTP.
pub(super) struct Latch {
    signalled: SocketAddr,
    learnt: SocketAddr,
    latched: bool,
    window_end: Instant,
    candidate: Candidate,
}

/// What the latch says of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Admission {
    /// From someone else.
    Refused,
    /// From the peer.
    Accepted,
    /// From the peer, whose source has just become known or has moved.
    Moved,
}

#[derive(Clone, Copy)]
struct Candidate {
    /// 0 = there is no candidate.
    packets: u32,
    from: SocketAddr,
    ssrc: u32,
    next_sequence: u16,
    since: Instant,
    heard: Instant,
}

impl Latch {
    pub(super) const fn new() -> Self {
        Self {
            signalled: NOWHERE,
            learnt: NOWHERE,
            latched: false,
            window_end: Instant::ZERO,
            candidate: Candidate {
                packets: 0,
                from: NOWHERE,
                ssrc: 0,
                next_sequence: 0,
                since: Instant::ZERO,
                heard: Instant::ZERO,
            },
        }
    }

    /// The peer is said to be at `signalled`: a new place opens the window again.
    pub(super) fn expect(&mut self, now: Instant, signalled: SocketAddr) {
        let moved = signalled != self.signalled;
        if moved || !self.latched {
            self.latched = false;
            self.candidate.packets = 0;
            self.window_end = now + Duration::from_millis(LATCH_WINDOW_MS);
        }
        self.signalled = signalled;
    }

    /// Where the peer's RTP comes from, once that is known.
    pub(super) fn source(&self) -> Option<&SocketAddr> {
        self.latched.then_some(&self.learnt)
    }

    /// Judges where a packet with a known payload type came from.
    pub(super) fn admit(&mut self, now: Instant, from: &SocketAddr, header: &Header) -> Admission {
        if self.latched && *from == self.learnt {
            self.candidate.packets = 0;
            return Admission::Accepted;
        }
        if self.signalled.port() == 0 {
            return Admission::Refused;
        }
        let signalled = *from == self.signalled;
        if !signalled && (self.latched || now > self.window_end) {
            return Admission::Refused;
        }
        let proven = if signalled && !self.latched {
            true
        } else if self.note_candidate(now, from, header) {
            signalled && self.candidate.packets >= SIGNALLED_PACKETS
                || now.since(self.candidate.since) >= Duration::from_millis(LATCH_PROBATION_MS)
        } else {
            false
        };
        if !proven {
            return Admission::Refused;
        }
        let known = self.latched || !signalled;
        self.learnt = *from;
        self.latched = true;
        self.candidate.packets = 0;
        if known { Admission::Moved } else { Admission::Accepted }
    }

    /// Counts a packet of a source that wants to be learnt; false where another goes before it.
    fn note_candidate(&mut self, now: Instant, from: &SocketAddr, header: &Header) -> bool {
        let current = &self.candidate;
        let stale = now.since(current.heard) > Duration::from_millis(LATCH_PROBATION_MS);
        let lives = current.packets > 0 && !stale;
        let same = current.from == *from;
        if lives && !same && self.rank(from) < self.rank(&current.from) {
            return false;
        }
        let step = header.sequence.wrapping_sub(current.next_sequence);
        let follows = lives && same && current.ssrc == header.ssrc && step < SEQUENCE_STEP_MAX;
        let candidate = &mut self.candidate;
        if follows {
            candidate.packets += 1;
        } else {
            candidate.packets = 1;
            candidate.from = *from;
            candidate.since = now;
        }
        candidate.ssrc = header.ssrc;
        candidate.next_sequence = header.sequence.wrapping_add(1);
        candidate.heard = now;
        true
    }

    /// The signalled source goes before its address, its address before any other.
    fn rank(&self, from: &SocketAddr) -> u8 {
        u8::from(from.ip() == self.signalled.ip()) + u8::from(*from == self.signalled)
    }
}

/// An address that nobody has.
pub(super) const NOWHERE: SocketAddr =
    SocketAddr::V4(core::net::SocketAddrV4::new(core::net::Ipv4Addr::UNSPECIFIED, 0));

/// An address as it is compared: IPv4 as IPv4, without scope and flow.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Packets in sequence that prove a source at the signalled address after another was learnt.
const SIGNALLED_PACKETS: u32 = 2;
/// Lost packets that a candidate's sequence may show.
const SEQUENCE_STEP_MAX: u16 = 5;

#[cfg(test)]
#[path = "latch_tests.rs"]
mod tests;

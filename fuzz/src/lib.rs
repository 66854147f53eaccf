//! What each fuzz target checks, as plain functions, so that a finding is replayed by any test.
//!
//! The invariant of each stands at its top. A panic, an overflow or a hang is a finding anywhere.

mod endpoint;
mod machines;
mod wire;
mod world;

pub use endpoint::{endpoint, two_phones};
pub use machines::{digest, media_session, telephone_event};
pub use wire::{framer, header, message, rtcp, rtp, sdp, uri, writer};
pub use world::world;

/// Bytes as a program: choices are drawn from the front until none are left.
pub(crate) struct Program<'d> {
    data: &'d [u8],
}

impl<'d> Program<'d> {
    pub(crate) fn new(data: &'d [u8]) -> Self {
        Self { data }
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.data.split_first()?;
        self.data = rest;
        Some(*first)
    }

    /// Up to as many bytes as the next byte says.
    pub(crate) fn bytes(&mut self) -> &'d [u8] {
        let len = usize::from(self.byte().unwrap_or(0)).min(self.data.len());
        let (taken, rest) = self.data.split_at(len);
        self.data = rest;
        taken
    }

    /// As [`bytes`](Self::bytes) with two bytes of length: a whole message.
    pub(crate) fn message(&mut self) -> &'d [u8] {
        let len = usize::from(self.number()).min(self.data.len());
        let (taken, rest) = self.data.split_at(len);
        self.data = rest;
        taken
    }

    pub(crate) fn number(&mut self) -> u16 {
        u16::from(self.byte().unwrap_or(0)) << 8 | u16::from(self.byte().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests;

/// What a target does with its bytes.
pub type Target = fn(&[u8]);

/// All targets by their names.
pub const TARGETS: [(&str, Target); 14] = [
    ("message", message),
    ("uri", uri),
    ("header", header),
    ("sdp", sdp),
    ("framer", framer),
    ("rtp", rtp),
    ("rtcp", rtcp),
    ("telephone_event", telephone_event),
    ("digest", digest),
    ("writer", writer),
    ("endpoint", endpoint),
    ("media_session", media_session),
    ("two_phones", two_phones),
    ("world", world),
];

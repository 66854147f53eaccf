//! What happened in a run, as one number, and as text where somebody wants to read it.

use core::fmt;
use core::net::SocketAddr;

use sansip::time::Instant;

/// The hash of a run: of every time, node and byte. Two runs with the same hash were the same.
///
/// A fast hash for comparing, not for secrets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceHash(u64);

impl Default for TraceHash {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl TraceHash {
    /// Adds a number.
    pub fn number(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(29);
    }

    /// Adds bytes with their length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        let mut chunks = bytes.chunks_exact(8);
        for chunk in chunks.by_ref() {
            let chunk = chunk.try_into().map(u64::from_le_bytes);
            self.number(chunk.unwrap_or_default());
        }
        for byte in chunks.remainder() {
            self.number(u64::from(*byte));
        }
    }

    /// The hash so far.
    pub const fn value(self) -> u64 {
        self.0
    }
}

/// The hash of some bytes alone.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut hash = TraceHash::default();
    hash.bytes(bytes);
    hash.value()
}

/// Hashes of texts together: a key that is cheap to compare and to keep.
pub(crate) fn key(parts: &[&str]) -> u64 {
    let mut hash = TraceHash::default();
    for part in parts {
        hash.bytes(part.as_bytes());
    }
    hash.value()
}

/// One line of a printed trace for a datagram.
pub(crate) struct Line<'a> {
    pub(crate) at: Instant,
    pub(crate) what: &'a str,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: &'a [u8],
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, what, from, to, bytes } = self;
        let at_ms = at.as_micros() as f64 / 1000.0;
        write!(f, "{at_ms:12.3} {what:8} {from} > {to} ")?;
        let text = String::from_utf8_lossy(bytes.get(..bytes.len().min(4000)).unwrap_or_default());
        match text.split_once("\r\n") {
            Some((start, headers)) => {
                write!(f, "{start}")?;
                for name in ["CSeq", "Call-ID", "From", "To", "Via"] {
                    let line = headers.split("\r\n").find(|line| line.starts_with(name));
                    if let Some(line) = line {
                        write!(f, " | {line}")?;
                    }
                }
                Ok(())
            }
            None => write!(f, "{} bytes", bytes.len()),
        }
    }
}

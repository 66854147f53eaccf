//! What passes a driver's two doors, message by message.
//!
//! Tracing is the driver's: it makes a [`Record`] before each `handle` and after each
//! `poll_action`, so that refused and retransmitted messages are seen as well.

use crate::bytes::Text;
use crate::path::Path;
use crate::time::Instant;

/// Which way a message went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// From the peer to us.
    Received,
    /// From us to the peer.
    Sent,
}

/// One whole message as it was on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Record<'m> {
    /// When it passed, on the endpoint's clock.
    pub at: Instant,
    /// Which way.
    pub way: Way,
    /// Transport and both addresses.
    pub path: Path,
    /// Every byte.
    pub bytes: &'m [u8],
}

impl Record<'_> {
    /// Whole milliseconds of [`at`](Self::at) in decimal digits, written to `place`.
    pub fn millis<'p>(&self, place: &'p mut [u8; 20]) -> &'p [u8] {
        let length = Text::new(place).number(self.at.as_millis()).finish();
        place.get(..length.unwrap_or_default()).unwrap_or_default()
    }
}

//! What a session hands out: packets, events, figures.

use core::fmt;
use core::net::SocketAddr;

use crate::rtp::Digit;
use crate::time::{Duration, Instant};

/// A packet to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transmit<'a> {
    /// Where it goes.
    pub to: SocketAddr,
    /// The datagram.
    pub bytes: &'a [u8],
}

/// What the application should know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum MediaEvent {
    /// The peer sent a DTMF digit (RFC 4733); reported when it ends.
    DigitReceived {
        /// The digit.
        digit: Digit,
        /// How long it sounded, as far as that was heard.
        duration: Duration,
    },
    /// All digits given to [`send_digits`](crate::media::Session::send_digits) are sent.
    DigitsSent,
    /// The peer's media comes from another address or another SSRC.
    SourceChanged {
        /// Where it comes from, and where ours goes from now on.
        source: SocketAddr,
    },
    /// Nothing came from the peer for longer than the limit. Reported once; again only after
    /// something came in between.
    Silence {
        /// When the peer was last heard, or since when it was expected.
        since: Instant,
    },
}

/// Why digits cannot be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DigitsError {
    /// A character is no digit (`0` to `9`, `*`, `#`, `A` to `D`); nothing was queued.
    NotADigit,
    /// The queue has no room for all of them; nothing was queued.
    NoRoom,
    /// The peer did not agree to telephone-event.
    NotNegotiated,
}

/// Figures of a session so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// RTP packets sent.
    pub sent: u32,
    /// RTP packets received from the peer, without duplicates.
    pub received: u32,
    /// RTP packets that the peer's sequence numbers miss.
    pub lost: u32,
    /// RTP packets that came more than once.
    pub duplicates: u32,
    /// Audio packets that came after their time was played.
    pub late: u32,
    /// Times that the jitter buffer ran empty.
    pub underruns: u32,
    /// Frames that were partly or wholly made up for lack of audio.
    pub concealed_frames: u32,
    /// Times that the peer's timestamps jumped.
    pub jumps: u32,
    /// Packets from somebody else, RTP and RTCP: dropped.
    pub foreign: u32,
    /// Datagrams that are no RTP, no RTCP or of an unexpected type, SSRC or sequence: dropped.
    pub invalid: u32,
    /// Received digits dropped because the application did not take the earlier ones.
    pub digits_dropped: u32,
    /// Interarrival jitter of what we receive (RFC 3550 s6.4.1).
    pub jitter: Duration,
    /// How long audio waits in the jitter buffer.
    pub depth: Duration,
    /// The last measured round trip, once the peer has reported on us.
    pub round_trip: Option<Duration>,
    /// What the peer reports of our stream: packets lost, once it has reported.
    pub remote_lost: Option<i32>,
    /// What the peer reports of our stream: interarrival jitter.
    pub remote_jitter: Option<Duration>,
}

impl fmt::Display for DigitsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotADigit => "a character is no DTMF digit",
            Self::NoRoom => "too many digits wait to be sent",
            Self::NotNegotiated => "the peer takes no telephone events",
        })
    }
}

impl core::error::Error for DigitsError {}

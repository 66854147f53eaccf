use core::net::SocketAddr;

use heapless::Vec;

use crate::limits::CODECS_MAX;
use crate::rtp::Codec;

/// Which way media flows, seen from us (RFC 8866 s6.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// We only send.
    SendOnly,
    /// We only receive.
    RecvOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    const ALL: [Self; 4] = [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive];
    /// Their lines in that order, each with the end of the line before it.
    const LINES: &[[u8; 14]] = &[
        *b"\r\na=sendrecv\r\n",
        *b"\r\na=sendonly\r\n",
        *b"\r\na=recvonly\r\n",
        *b"\r\na=inactive\r\n",
    ];

    pub(super) fn named(name: &[u8]) -> Option<Self> {
        let at = Self::LINES.iter().position(|line| line.get(4..12) == Some(name))?;
        Self::ALL.get(at).copied()
    }

    pub(super) fn line(self) -> &'static [u8] {
        Self::LINES.get(self as usize).map(<[u8; 14]>::as_slice).unwrap_or_default()
    }

    /// Whether we send in this direction.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether we receive in this direction.
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same direction seen from the other side.
    pub const fn reversed(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            same => same,
        }
    }
}

/// What our side offers or accepts for the one audio stream of a call.
///
/// `address` is what the SDP advertises: reachable by the peer, never a wildcard. RTCP is expected
/// on the next port (RFC 3550 s11).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalMedia {
    /// Where we receive RTP, as the peer sees it.
    pub address: SocketAddr,
    /// Codecs in our order of preference; an empty list means PCMU and PCMA.
    pub codecs: Vec<Codec, CODECS_MAX>,
    /// Length of a packet that we wish to receive, milliseconds, 10 to 60.
    pub ptime_ms: u8,
    /// The direction that we want.
    pub direction: Direction,
    /// Whether telephone-event (RFC 4733) is offered and accepted.
    pub dtmf: bool,
}

impl LocalMedia {
    /// PCMU and PCMA with telephone-event, 20 ms, both ways, at `address`.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            codecs: Vec::new(),
            ptime_ms: 20,
            direction: Direction::SendRecv,
            dtmf: true,
        }
    }
}

/// How the telephone-event payload is numbered in each direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DtmfPlan {
    /// Payload type in packets that we send: the peer's number.
    pub send_type: u8,
    /// Payload type in packets that we receive: our number.
    pub receive_type: u8,
    /// Clock rate, hertz; equals the codec's.
    pub clock_rate_hz: u32,
}

/// All that a media session needs to know of a negotiated audio stream: the joint between the
/// signalling machine and the media machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MediaPlan {
    /// Where we receive RTP, as advertised.
    pub local: SocketAddr,
    /// Where RTP goes; the stream is not sent while the port is 0 or the address unspecified.
    pub remote: SocketAddr,
    /// Where RTCP goes: `a=rtcp` (RFC 3605), else the port after `remote`'s.
    pub remote_rtcp: SocketAddr,
    /// The codec to send.
    pub codec: Codec,
    /// Payload type in packets that we send: the peer's number.
    pub send_type: u8,
    /// Payload type in packets that we receive: our number.
    pub receive_type: u8,
    /// Telephone-event, where both sides have it at the codec's clock rate.
    pub dtmf: Option<DtmfPlan>,
    /// Length of a packet that we send, milliseconds.
    pub ptime_ms: u8,
    /// Which way media flows, seen from us.
    pub direction: Direction,
}

impl MediaPlan {
    /// Samples in one frame of this plan: the codec's clock rate times its packet length.
    pub const fn frame(&self) -> usize {
        self.codec.clock_rate_hz() as usize / 1000 * self.ptime_ms as usize
    }
}

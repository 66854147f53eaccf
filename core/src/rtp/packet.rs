use core::fmt;

use super::TooSmall;

/// One RTP packet as a borrowed view (RFC 3550 s5.1): every length in it was checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    /// The fixed part of the header.
    pub header: Header,
    /// Contributing sources, four bytes each, at most fifteen.
    pub csrc: &'a [[u8; 4]],
    /// The header extension, if there is one (RFC 3550 s5.3.1).
    pub extension: Option<Extension<'a>>,
    /// The payload without padding; may be empty.
    pub payload: &'a [u8],
    /// Bytes of padding behind the payload, including the count itself; 0 = the P bit is clear.
    pub padding: u8,
}

/// The fields of the fixed RTP header that a sender chooses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Header {
    /// The marker bit: the start of a talk spurt or of an event.
    pub marker: bool,
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The sequence number, plus one for each packet.
    pub sequence: u16,
    /// When the first sample of the payload was taken, in units of the clock rate.
    pub timestamp: u32,
    /// The synchronization source: who sends.
    pub ssrc: u32,
}

/// A header extension: a number that the profile defines and whole words of data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extension<'a> {
    /// Which extension this is.
    pub profile: u16,
    /// Its data, a multiple of four bytes long.
    pub data: &'a [[u8; 4]],
}

/// Why bytes are no RTP packet (RFC 3550 A.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PacketError {
    /// The version is not 2: STUN, DTLS and noise differ here (RFC 7983).
    Version,
    /// The second byte is that of an RTCP packet (RFC 5761 s4).
    Rtcp,
    /// The header, with its contributing sources and extension, is longer than the packet.
    Truncated,
    /// The padding count is 0 or more than what stands behind the header.
    Padding,
}

impl<'a> Packet<'a> {
    /// A packet without contributing sources, extension and padding.
    pub const fn new(header: Header, payload: &'a [u8]) -> Self {
        Self { header, csrc: &[], extension: None, payload, padding: 0 }
    }

    /// Reads one datagram.
    ///
    /// # Errors
    /// The bytes break one of the header checks of RFC 3550 A.1. Whether the payload type, the
    /// source and the sequence number are expected is for the session to judge.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PacketError> {
        let Some((fixed, rest)) = bytes.split_first_chunk::<{ Header::LEN }>() else {
            return Err(PacketError::Truncated);
        };
        let [flags, kind, s1, s0, t3, t2, t1, t0, c3, c2, c1, c0] = *fixed;
        if flags >> 6 != VERSION {
            return Err(PacketError::Version);
        }
        if (RTCP_FIRST..=RTCP_LAST).contains(&kind) {
            return Err(PacketError::Rtcp);
        }
        let header = Header {
            marker: kind & 0x80 != 0,
            payload_type: kind & 0x7f,
            sequence: u16::from_be_bytes([s1, s0]),
            timestamp: u32::from_be_bytes([t3, t2, t1, t0]),
            ssrc: u32::from_be_bytes([c3, c2, c1, c0]),
        };
        if flags == VERSION << 6 {
            return Ok(Self::new(header, rest));
        }
        let (csrc, rest) = words(rest, usize::from(flags & 0x0f))?;
        let (extension, rest) =
            if flags & EXTENSION == 0 { (None, rest) } else { Extension::split(rest)? };
        let (payload, padding) =
            if flags & PADDING == 0 { (rest, 0) } else { split_padding(rest)? };
        Ok(Self { header, csrc, extension, payload, padding })
    }

    /// The contributing sources in their order.
    pub fn contributing_sources(&self) -> impl Iterator<Item = u32> + 'a {
        self.csrc.iter().map(|source| u32::from_be_bytes(*source))
    }

    /// Bytes that the packet takes on the wire.
    pub const fn wire_len(&self) -> usize {
        let extension = match self.extension {
            Some(extension) if extension.data.len() > u16::MAX as usize => {
                4 + 4 * u16::MAX as usize
            }
            Some(extension) => 4 + extension.data.len() * 4,
            None => 0,
        };
        let csrc = if self.csrc.len() > CSRC_MAX { CSRC_MAX } else { self.csrc.len() };
        Header::LEN + csrc * 4 + extension + self.payload.len() + self.padding as usize
    }

    /// Writes the packet to the start of `out` and returns its length. More than fifteen
    /// contributing sources and more than 65,535 words of extension do not fit a header: the
    /// surplus is left out.
    ///
    /// # Errors
    /// `out` is shorter than [`wire_len`](Self::wire_len).
    pub fn write(&self, out: &mut [u8]) -> Result<usize, TooSmall> {
        if self.csrc.is_empty() && self.extension.is_none() && self.padding == 0 {
            put(self.header.write(out)?, self.payload)?;
            return Ok(Header::LEN + self.payload.len());
        }
        let room = out.len();
        let csrc = self.csrc.get(..CSRC_MAX).unwrap_or(self.csrc);
        let rest = self.header.write(out)?;
        let mut rest = put(rest, csrc.as_flattened())?;
        if let Some(extension) = self.extension {
            let words = u16::try_from(extension.data.len()).unwrap_or(u16::MAX);
            let data = extension.data.get(..usize::from(words)).unwrap_or_default();
            rest = put(rest, &extension.profile.to_be_bytes())?;
            rest = put(rest, &words.to_be_bytes())?;
            rest = put(rest, data.as_flattened())?;
        }
        rest = put(rest, self.payload)?;
        if let Some(zeros) = self.padding.checked_sub(1) {
            let (padding, tail) = rest.split_at_mut_checked(usize::from(zeros)).ok_or(TooSmall)?;
            padding.fill(0);
            rest = put(tail, &[self.padding])?;
        }
        let length = room - rest.len();
        if let Some(flags) = out.first_mut() {
            *flags |= csrc.len() as u8;
            *flags |= if self.extension.is_some() { EXTENSION } else { 0 };
            *flags |= if self.padding > 0 { PADDING } else { 0 };
        }
        Ok(length)
    }
}

impl Header {
    /// Bytes of the fixed header.
    pub const LEN: usize = 12;

    /// Writes the twelve bytes of a header without contributing sources, extension and padding,
    /// and returns what follows them: room for the payload.
    ///
    /// # Errors
    /// `out` is shorter than [`LEN`](Self::LEN).
    pub fn write<'b>(&self, out: &'b mut [u8]) -> Result<&'b mut [u8], TooSmall> {
        let (fixed, rest) = out.split_first_chunk_mut::<{ Self::LEN }>().ok_or(TooSmall)?;
        let [s1, s0] = self.sequence.to_be_bytes();
        let [t3, t2, t1, t0] = self.timestamp.to_be_bytes();
        let [c3, c2, c1, c0] = self.ssrc.to_be_bytes();
        let kind = (self.marker as u8) << 7 | self.payload_type & 0x7f;
        *fixed = [VERSION << 6, kind, s1, s0, t3, t2, t1, t0, c3, c2, c1, c0];
        Ok(rest)
    }
}

impl<'a> Extension<'a> {
    fn split(bytes: &'a [u8]) -> Result<(Option<Self>, &'a [u8]), PacketError> {
        let Some(([p1, p0, l1, l0], rest)) = bytes.split_first_chunk() else {
            return Err(PacketError::Truncated);
        };
        let (data, rest) = words(rest, usize::from(u16::from_be_bytes([*l1, *l0])))?;
        Ok((Some(Self { profile: u16::from_be_bytes([*p1, *p0]), data }), rest))
    }
}

/// Splits off `count` words of four bytes.
fn words(bytes: &[u8], count: usize) -> Result<(&[[u8; 4]], &[u8]), PacketError> {
    let (words, rest) = bytes.split_at_checked(count * 4).ok_or(PacketError::Truncated)?;
    Ok((words.as_chunks().0, rest))
}

fn split_padding(bytes: &[u8]) -> Result<(&[u8], u8), PacketError> {
    let padding = *bytes.last().ok_or(PacketError::Padding)?;
    let kept = bytes.len().checked_sub(usize::from(padding)).ok_or(PacketError::Padding)?;
    match bytes.get(..kept) {
        Some(payload) if padding > 0 => Ok((payload, padding)),
        _ => Err(PacketError::Padding),
    }
}

fn put<'b>(out: &'b mut [u8], bytes: &[u8]) -> Result<&'b mut [u8], TooSmall> {
    let (target, rest) = out.split_at_mut_checked(bytes.len()).ok_or(TooSmall)?;
    target.copy_from_slice(bytes);
    Ok(rest)
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "the version is not 2",
            Self::Rtcp => "the packet is RTCP",
            Self::Truncated => "the header is longer than the packet",
            Self::Padding => "the padding count is wrong",
        })
    }
}

impl core::error::Error for PacketError {}

const VERSION: u8 = 2;
const PADDING: u8 = 0x20;
const EXTENSION: u8 = 0x10;
const CSRC_MAX: usize = 15;
const RTCP_FIRST: u8 = 192;
const RTCP_LAST: u8 = 223;

#[cfg(test)]
#[path = "packet_tests.rs"]
mod tests;

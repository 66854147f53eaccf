//! RTCP: compound packets (RFC 3550 s6) as borrowed views, and a writer for our own.
//!
//! [`Compound::parse`] makes the checks of RFC 3550 A.2 once; the iterators over it then always
//! advance and end with the bytes.

mod write;

pub use write::Writer;

use core::fmt;

/// A compound RTCP packet whose framing was checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Compound<'a> {
    bytes: &'a [u8],
}

/// One packet of a compound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Packet<'a> {
    /// A sender report (RFC 3550 s6.4.1).
    SenderReport {
        /// Who reports.
        ssrc: u32,
        /// What it has sent.
        info: SenderInfo,
        /// What it has received.
        reports: Reports<'a>,
    },
    /// A receiver report (RFC 3550 s6.4.2).
    ReceiverReport {
        /// Who reports.
        ssrc: u32,
        /// What it has received.
        reports: Reports<'a>,
    },
    /// Source descriptions (RFC 3550 s6.5).
    SourceDescription(Chunks<'a>),
    /// Sources leave (RFC 3550 s6.6).
    Bye(Bye<'a>),
    /// A type that is not read here (APP, feedback), or one too short for its own counts.
    Unknown {
        /// The packet type, 192 to 223 in practice.
        packet_type: u8,
        /// What follows the four bytes of its header, without padding.
        body: &'a [u8],
    },
}

/// What a sender says of its own stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SenderInfo {
    /// When the report was sent: seconds since 1900 and fraction, or any clock of the sender.
    pub ntp: u64,
    /// The same moment on the clock of its RTP timestamps.
    pub timestamp: u32,
    /// Packets sent since the start.
    pub packets: u32,
    /// Payload bytes sent since the start.
    pub octets: u32,
}

/// What a receiver says of one source.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReportBlock {
    /// The source.
    pub ssrc: u32,
    /// Loss since the last report, 256ths.
    pub fraction_lost: u8,
    /// Packets lost since the start, 24 bits; negative when packets came twice.
    pub cumulative_lost: i32,
    /// The highest sequence number, with the count of its cycles above 16 bits.
    pub highest_sequence: u32,
    /// Interarrival jitter, timestamp units.
    pub jitter: u32,
    /// The middle 32 bits of the NTP time of the source's last sender report; 0 = none came.
    pub last_sr: u32,
    /// How long ago that report came, 65,536ths of a second.
    pub delay_since_last_sr: u32,
}

/// The report blocks of one packet, at most 31.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reports<'a> {
    blocks: &'a [[u8; ReportBlock::LEN]],
}

/// The chunks of a source description.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chunks<'a> {
    bytes: &'a [u8],
    count: u8,
}

/// One chunk: a source and the items that describe it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chunk<'a> {
    /// The source.
    pub ssrc: u32,
    items: &'a [u8],
}

/// One item of a source description.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Item<'a> {
    /// What it says; 1 is the CNAME.
    pub kind: u8,
    /// Its text, at most 255 bytes.
    pub text: &'a [u8],
}

/// The sources that leave, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bye<'a> {
    sources: &'a [[u8; 4]],
    /// The reason, where one is given and whole.
    pub reason: Option<&'a [u8]>,
}

/// Why bytes are no compound RTCP packet (RFC 3550 A.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompoundError {
    /// The version of one of its packets is not 2.
    Version,
    /// The first packet is neither a sender nor a receiver report.
    First,
    /// A packet is longer than what is left, or bytes are left over.
    Length,
    /// Padding on a packet that is not the last, or a padding count that cannot be.
    Padding,
}

impl<'a> Compound<'a> {
    /// Checks the framing of one datagram.
    ///
    /// # Errors
    /// One of the checks of RFC 3550 A.2 fails.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, CompoundError> {
        let mut rest = bytes;
        let mut first = true;
        while first || !rest.is_empty() {
            let (head, _, after) = split(rest)?;
            if first && !matches!(head.packet_type, SENDER_REPORT | RECEIVER_REPORT) {
                return Err(CompoundError::First);
            }
            if head.padded && !after.is_empty() {
                return Err(CompoundError::Padding);
            }
            first = false;
            rest = after;
        }
        Ok(Self { bytes })
    }

    /// The packets in their order.
    pub fn packets(&self) -> impl Iterator<Item = Packet<'a>> + use<'a> {
        let mut rest = self.bytes;
        core::iter::from_fn(move || {
            let (head, body, after) = split(rest).ok()?;
            rest = after;
            Some(Packet::read(head, body))
        })
    }
}

impl<'a> Packet<'a> {
    fn read(head: Head, body: &'a [u8]) -> Self {
        let unknown = Self::Unknown { packet_type: head.packet_type, body };
        match head.packet_type {
            SENDER_REPORT => Self::sender_report(head.count, body),
            RECEIVER_REPORT => Self::receiver_report(head.count, body),
            SOURCE_DESCRIPTION => {
                Some(Self::SourceDescription(Chunks { bytes: body, count: head.count }))
            }
            BYE => Bye::read(head.count, body).map(Self::Bye),
            _ => None,
        }
        .unwrap_or(unknown)
    }

    fn sender_report(count: u8, body: &'a [u8]) -> Option<Self> {
        let (ssrc, rest) = take_u32(body)?;
        let (info, rest) = rest.split_first_chunk()?;
        Some(Self::SenderReport {
            ssrc,
            info: SenderInfo::read(info),
            reports: Reports::read(count, rest)?,
        })
    }

    fn receiver_report(count: u8, body: &'a [u8]) -> Option<Self> {
        let (ssrc, rest) = take_u32(body)?;
        Some(Self::ReceiverReport { ssrc, reports: Reports::read(count, rest)? })
    }
}

impl SenderInfo {
    /// Bytes on the wire.
    const LEN: usize = 20;

    fn read(bytes: &[u8; Self::LEN]) -> Self {
        let [s3, s2, s1, s0, f3, f2, f1, f0, t3, t2, t1, t0, p3, p2, p1, p0, o3, o2, o1, o0] =
            *bytes;
        Self {
            ntp: u64::from_be_bytes([s3, s2, s1, s0, f3, f2, f1, f0]),
            timestamp: u32::from_be_bytes([t3, t2, t1, t0]),
            packets: u32::from_be_bytes([p3, p2, p1, p0]),
            octets: u32::from_be_bytes([o3, o2, o1, o0]),
        }
    }
}

impl ReportBlock {
    /// Bytes on the wire.
    const LEN: usize = 24;

    fn read(bytes: &[u8; Self::LEN]) -> Self {
        let [s3, s2, s1, s0, fraction, l2, l1, l0, h3, h2, h1, h0, rest @ ..] = *bytes;
        let [j3, j2, j1, j0, r3, r2, r1, r0, d3, d2, d1, d0] = rest;
        Self {
            ssrc: u32::from_be_bytes([s3, s2, s1, s0]),
            fraction_lost: fraction,
            cumulative_lost: i32::from_be_bytes([l2, l1, l0, 0]) >> 8,
            highest_sequence: u32::from_be_bytes([h3, h2, h1, h0]),
            jitter: u32::from_be_bytes([j3, j2, j1, j0]),
            last_sr: u32::from_be_bytes([r3, r2, r1, r0]),
            delay_since_last_sr: u32::from_be_bytes([d3, d2, d1, d0]),
        }
    }
}

impl<'a> Reports<'a> {
    fn read(count: u8, bytes: &'a [u8]) -> Option<Self> {
        let (blocks, _extension) = bytes.as_chunks();
        blocks.get(..usize::from(count)).map(|blocks| Self { blocks })
    }

    /// The blocks in their order.
    pub fn iter(&self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        self.blocks.iter().map(ReportBlock::read)
    }
}

impl<'a> Chunks<'a> {
    /// The chunks in their order, as far as they are whole.
    pub fn iter(&self) -> impl Iterator<Item = Chunk<'a>> + use<'a> {
        let mut rest = self.bytes;
        let mut left = self.count;
        core::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let (ssrc, items) = take_u32(rest)?;
            let length = items_len(items)?;
            let (items, _) = items.split_at_checked(length)?;
            let whole = 4 + (length + 1).next_multiple_of(4); // at least one zero ends a chunk
            rest = rest.get(whole..).unwrap_or_default();
            Some(Chunk { ssrc, items })
        })
    }
}

impl<'a> Chunk<'a> {
    /// The items in their order.
    pub fn items(&self) -> impl Iterator<Item = Item<'a>> + use<'a> {
        let mut rest = self.items;
        core::iter::from_fn(move || {
            let (item, after) = take_item(rest)?;
            rest = after;
            Some(item)
        })
    }

    /// The canonical name of the source (RFC 3550 s6.5.1).
    pub fn cname(&self) -> Option<&'a [u8]> {
        self.items().find(|item| item.kind == CNAME).map(|item| item.text)
    }
}

impl<'a> Bye<'a> {
    fn read(count: u8, body: &'a [u8]) -> Option<Self> {
        let (sources, rest) = body.split_at_checked(usize::from(count) * 4)?;
        let reason = rest.split_first().and_then(|(length, text)| text.get(..usize::from(*length)));
        Some(Self { sources: sources.as_chunks().0, reason })
    }

    /// The sources that leave.
    pub fn sources(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.sources.iter().map(|source| u32::from_be_bytes(*source))
    }
}

#[derive(Clone, Copy)]
struct Head {
    count: u8,
    padded: bool,
    packet_type: u8,
}

/// Splits off one packet: its head, its body without padding, and what follows.
fn split(bytes: &[u8]) -> Result<(Head, &[u8], &[u8]), CompoundError> {
    let Some(([flags, packet_type, l1, l0], rest)) = bytes.split_first_chunk() else {
        return Err(CompoundError::Length);
    };
    if flags >> 6 != VERSION {
        return Err(CompoundError::Version);
    }
    let length = usize::from(u16::from_be_bytes([*l1, *l0])) * 4;
    let (body, after) = rest.split_at_checked(length).ok_or(CompoundError::Length)?;
    let padded = flags & PADDING != 0;
    let padding = match body.last() {
        _ if !padded => 0,
        Some(count) if *count > 0 && count.is_multiple_of(4) => usize::from(*count),
        _ => return Err(CompoundError::Padding),
    };
    let kept = body.len().checked_sub(padding).ok_or(CompoundError::Padding)?;
    let body = body.get(..kept).unwrap_or_default();
    Ok((Head { count: flags & 0x1f, padded, packet_type: *packet_type }, body, after))
}

fn take_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*word), rest))
}

fn take_item(bytes: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    (*kind != 0).then_some((Item { kind: *kind, text }, rest))
}

/// Bytes of the items before the zero that ends a chunk; `None` where none ends it.
fn items_len(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    while *rest.first()? != 0 {
        rest = take_item(rest)?.1;
    }
    Some(bytes.len() - rest.len())
}

impl fmt::Display for CompoundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "the version is not 2",
            Self::First => "the first packet is no report",
            Self::Length => "the lengths do not add up",
            Self::Padding => "the padding is wrong",
        })
    }
}

impl core::error::Error for CompoundError {}

const VERSION: u8 = 2;
const PADDING: u8 = 0x20;
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const CNAME: u8 = 1;

#[cfg(test)]
mod tests;

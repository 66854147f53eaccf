use core::net::IpAddr;

use super::line::{Attributes, Lines, values_of};
use super::session::{Connection, is_digits, words};
use super::{Direction, SdpError};
use crate::bytes;
use crate::scan::find;

/// One media description: an `m=` line with the lines that belong to it (RFC 8866 s5.14).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Media<'a> {
    line: MediaLine<'a>,
    section: &'a [u8],
    session: &'a [u8],
    session_connection: Option<Connection<'a>>,
}

impl<'a> Media<'a> {
    /// The kind of media: `audio`, `video`, `text`, `application`, `message`, `image`.
    pub const fn kind(&self) -> &'a [u8] {
        self.line.kind
    }

    /// The port; 0 means that the stream is refused or removed (RFC 3264 s6, s8.2). `None` for a
    /// number beyond 65535: the grammar allows it and RFC 6871 s3.3.1 prints one, but the stream
    /// cannot be used.
    pub const fn port(&self) -> Option<u16> {
        self.line.port
    }

    /// How many port pairs there are: the number behind the slash, 1 without it.
    pub const fn port_count(&self) -> u16 {
        self.line.port_count
    }

    /// The transport protocol, as in `RTP/AVP`.
    pub const fn protocol(&self) -> &'a [u8] {
        self.line.protocol
    }

    /// The media formats in the sender's order of preference; payload types for RTP.
    pub fn formats(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        words(self.line.formats)
    }

    /// The formats as RTP payload types, 0 to 127; empty for other protocols.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        let formats = if self.line.is_rtp() { self.line.formats } else { &[] };
        words(formats).filter_map(payload_type)
    }

    /// The `c=` line of this media description, else the session's.
    pub fn connection(&self) -> Option<Connection<'a>> {
        let mut own = self.lines().filter(|line| line.kind == b'c');
        own.find_map(|line| Connection::from_words(words(line.value))).or(self.session_connection)
    }

    /// The attributes of this media description, without the session's.
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.section)
    }

    /// The value of the first attribute `name` of this media description; empty for a flag.
    pub fn attribute(&self, name: &[u8]) -> Option<&'a [u8]> {
        values_of(self.section, name).next()
    }

    /// The lines behind the `m=` line, with their exact bytes.
    pub const fn lines(&self) -> Lines<'a> {
        Lines::new(self.section)
    }

    /// What `a=rtpmap` says of a payload type (RFC 8866 s6.6). The first line for it counts.
    pub fn rtpmap(&self, payload_type: u8) -> Mapping<'a> {
        match self.format_attribute(b"rtpmap", payload_type) {
            Some(value) => RtpMap::parse(value).map_or(Mapping::Malformed, Mapping::Is),
            None => Mapping::Absent,
        }
    }

    /// What `a=fmtp` says of a payload type, without the payload type (RFC 8866 s6.15).
    pub fn fmtp(&self, payload_type: u8) -> Option<&'a [u8]> {
        self.format_attribute(b"fmtp", payload_type)
    }

    /// The direction as the sender of the description sees it: that of the media, else of the
    /// session, else both ways (RFC 8866 s6.7).
    pub fn direction(&self) -> Direction {
        let of = |section| Attributes::new(section).find_map(|a| Direction::named(a.name));
        of(self.section).or_else(|| of(self.session)).unwrap_or_default()
    }

    /// The packet length that the sender wishes to receive, whole milliseconds (RFC 8866 s6.4);
    /// `None` where it is absent or no number within 16 bits.
    pub fn ptime_ms(&self) -> Option<u16> {
        bytes::number_u16(self.attribute(b"ptime")?)
    }

    /// The longest packet that the sender can take, whole milliseconds (RFC 8866 s6.5).
    pub fn maxptime_ms(&self) -> Option<u16> {
        bytes::number_u16(self.attribute(b"maxptime")?)
    }

    /// Where `a=rtcp` sends RTCP (RFC 3605): the port, and the address where one is given.
    /// `None` without a well-formed `a=rtcp`.
    pub fn rtcp(&self) -> Option<Rtcp> {
        Rtcp::parse(self.attribute(b"rtcp")?)
    }

    /// Every `a=rtpmap` with a payload type: what it maps it to, `None` where that is malformed.
    /// All that an answer depends on but the formats, read in one pass.
    pub(super) fn facts(&self) -> Facts<'a> {
        let mut facts = Facts::default();
        for line in self.lines() {
            match line.kind {
                b'c' if facts.connection.is_none() => {
                    facts.connection = Connection::from_words(words(line.value));
                }
                b'a' => facts.attribute(line.value),
                _ => {}
            }
        }
        facts.connection = facts.connection.or(self.session_connection);
        if facts.direction.is_none() {
            facts.direction = Attributes::new(self.session).find_map(|a| Direction::named(a.name));
        }
        facts
    }

    pub(super) fn rtpmaps(&self) -> impl Iterator<Item = (u8, Option<RtpMap<'a>>)> + use<'a> {
        let maps = values_of(self.section, b"rtpmap").filter_map(by_format);
        maps.map(|(payload_type, value)| (payload_type, RtpMap::parse(value)))
    }

    fn format_attribute(&self, name: &'static [u8], wanted: u8) -> Option<&'a [u8]> {
        let mut values = values_of(self.section, name).filter_map(by_format);
        values.find_map(|(payload_type, value)| (payload_type == wanted).then_some(value))
    }
}

/// What a description says of a payload type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mapping<'a> {
    /// No `a=rtpmap` names it: the static assignments of RFC 3551 hold.
    Absent,
    /// An `a=rtpmap` names it, but is unreadable: the format cannot be used.
    Malformed,
    /// The encoding.
    Is(RtpMap<'a>),
}

/// The encoding of a payload type (RFC 8866 s6.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RtpMap<'a> {
    /// The encoding name; compared without case.
    pub encoding: &'a [u8],
    /// The RTP clock rate, hertz; never 0.
    pub clock_rate_hz: u32,
    /// Audio channels, 1 where the line says nothing; never 0.
    pub channels: u8,
}

impl<'a> RtpMap<'a> {
    fn parse(value: &'a [u8]) -> Option<Self> {
        let (encoding, rest) = bytes::cut(value, b'/');
        let (rate, channels) = bytes::cut(rest?, b'/');
        let clock_rate_hz = bytes::number_u32(rate)?;
        let channels = channels.map_or(Some(1), bytes::number_u8)?;
        let is_whole = !encoding.is_empty() && find(b' ', encoding).is_none();
        (is_whole && clock_rate_hz != 0 && channels != 0).then_some(Self {
            encoding,
            clock_rate_hz,
            channels,
        })
    }
}

/// The value of `a=rtcp` (RFC 3605).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rtcp {
    /// The RTCP port.
    pub port: u16,
    /// The address, where it differs from the media's.
    pub address: Option<IpAddr>,
}

impl Rtcp {
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let mut words = words(value);
        let port = words.next().and_then(bytes::number_u16)?;
        let address = match words.clone().next() {
            Some(_) => Some(Connection::from_words(words)?.ip()?),
            None => None,
        };
        Some(Self { port, address })
    }
}

/// The first of each line that an answer depends on.
#[derive(Clone, Copy, Default)]
pub(super) struct Facts<'a> {
    pub(super) connection: Option<Connection<'a>>,
    /// Of the section, or else of the session.
    pub(super) direction: Option<Direction>,
    /// Milliseconds; 0 where it is no number.
    pub(super) ptime: Option<u16>,
    pub(super) maxptime: Option<u16>,
    pub(super) rtcp: Option<&'a [u8]>,
}

impl<'a> Facts<'a> {
    fn attribute(&mut self, text: &'a [u8]) {
        if text.starts_with(b"rtp") {
            return; // most are these
        }
        let (name, value) = bytes::cut(text, b':');
        let place = match name {
            b"ptime" => &mut self.ptime,
            b"maxptime" => &mut self.maxptime,
            b"rtcp" => {
                self.rtcp.get_or_insert(value.unwrap_or_default());
                return;
            }
            _ => {
                self.direction = self.direction.or_else(|| Direction::named(name));
                return;
            }
        };
        place.get_or_insert(value.and_then(bytes::number_u16).unwrap_or(0));
    }
}

/// The media descriptions of a session.
#[derive(Clone, Debug)]
pub struct MediaIter<'a> {
    lines: Lines<'a>,
    session: &'a [u8],
    session_connection: Option<Connection<'a>>,
}

impl<'a> MediaIter<'a> {
    /// `media` begins with an `m=` line or is empty.
    pub(super) const fn new(
        media: &'a [u8],
        session: &'a [u8],
        session_connection: Option<Connection<'a>>,
    ) -> Self {
        Self { lines: Lines::new(media), session, session_connection }
    }
}

impl<'a> Iterator for MediaIter<'a> {
    type Item = Media<'a>;

    fn next(&mut self) -> Option<Media<'a>> {
        let line = MediaLine::read(self.lines.next()?.value).ok()?;
        let rest = self.lines.rest();
        let mut length = 0;
        loop {
            let ahead = rest.get(length..)?;
            if ahead.is_empty() || ahead.starts_with(b"m=") {
                self.lines = Lines::new(ahead);
                break;
            }
            length += find(b'\n', ahead).map_or(ahead.len(), |newline| newline + 1);
        }
        let section = rest.get(..length)?;
        Some(Media {
            line,
            section,
            session: self.session,
            session_connection: self.session_connection,
        })
    }
}

/// The value of an `m=` line, its numbers in range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct MediaLine<'a> {
    kind: &'a [u8],
    port: Option<u16>,
    port_count: u16,
    protocol: &'a [u8],
    formats: &'a [u8],
}

impl<'a> MediaLine<'a> {
    pub(super) fn parse(value: &'a [u8]) -> Result<Self, SdpError> {
        let line = Self::read(value)?;
        let mut formats = words(line.formats).peekable();
        formats.peek().ok_or(SdpError::Media)?;
        if line.is_rtp() && !formats.all(|format| payload_type(format).is_some()) {
            return Err(SdpError::Format);
        }
        Ok(line)
    }

    /// The line without a look at its formats.
    fn read(value: &'a [u8]) -> Result<Self, SdpError> {
        let (kind, rest) = word(value).ok_or(SdpError::Media)?;
        let (ports, rest) = word(rest).ok_or(SdpError::Media)?;
        let (protocol, formats) = word(rest).ok_or(SdpError::Media)?;
        let (port, count) = bytes::cut(ports, b'/');
        let port_count = count.map_or(1, |count| bytes::number_u16(count).unwrap_or(0));
        if !is_digits(port) || port_count == 0 {
            return Err(SdpError::Port);
        }
        Ok(Self { kind, port: bytes::number_u16(port), port_count, protocol, formats })
    }

    fn is_rtp(&self) -> bool {
        let profile = self.protocol.strip_prefix(b"UDP/TLS/").unwrap_or(self.protocol);
        profile.starts_with(b"RTP/")
    }
}

/// The first word and what follows it.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii_start();
    let end = text.iter().position(|&byte| byte == b' ').unwrap_or(text.len());
    text.split_at_checked(end).filter(|(word, _)| !word.is_empty())
}

/// Splits the value of an attribute that begins with a payload type.
fn by_format(value: &[u8]) -> Option<(u8, &[u8])> {
    let (format, rest) = bytes::cut(value, b' ');
    Some((payload_type(format)?, rest.unwrap_or_default().trim_ascii()))
}

/// An RTP payload type: 7 bits (RFC 3550 s5.1).
fn payload_type(format: &[u8]) -> Option<u8> {
    bytes::number_u8(format).filter(|&number| number < 128)
}

use core::net::IpAddr;

use super::line::{Attributes, Lines};
use super::media::{Media, MediaIter, MediaLine};
use super::{Origin, SdpError};
use crate::bytes;
use crate::scan::control;

/// A session description as borrowed views of the original bytes (RFC 8866 s5).
///
/// Parsing copies nothing and keeps everything: unknown lines, odd order and line ends are all
/// found again in [`Session::lines`]. What it promises: there are `v=0`, one `o=` and one `s=`
/// before the first `m=`, every line has the form `x=value`, no NUL and no bare CR stands
/// anywhere, and the numbers of every `o=` and `m=` line are numbers, payload types from 0 to 127. Attributes are read
/// when asked for: a malformed one makes that attribute unusable, not the call.
///
/// CRLF and a bare LF both end a line; the last line may lack its end, and empty lines are
/// skipped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Session<'a> {
    bytes: &'a [u8],
    origin: OriginLine<'a>,
    name: &'a [u8],
    connection: Option<Connection<'a>>,
    media_start: usize,
}

impl<'a> Session<'a> {
    /// Reads a session description.
    ///
    /// # Errors
    /// The first thing found wrong; see [`SdpError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, SdpError> {
        let mut found = Found::default();
        let (mut start, mut from) = (0, 0);
        loop {
            let at = control(bytes.get(from..).unwrap_or_default()).map(|at| from + at);
            let end = at.unwrap_or(bytes.len());
            let line_end = match bytes.get(end..).unwrap_or_default() {
                [] => 0,
                [b'\n', ..] => 1,
                [b'\r', b'\n', ..] => 2,
                [0, ..] | [b'\r', 0, ..] => return Err(SdpError::Nul),
                // It would end a line for some readers and not for others.
                [b'\r', ..] => return Err(SdpError::LineEnd),
                _ => {
                    from = end + 1;
                    continue;
                }
            };
            found.line(bytes.get(start..end).unwrap_or_default(), start)?;
            if line_end == 0 {
                break;
            }
            start = end + line_end;
            from = start;
        }
        Ok(Self {
            bytes,
            origin: found.origin.ok_or(SdpError::Origin)?,
            name: found.name.ok_or(SdpError::SessionName)?,
            connection: found.connection,
            media_start: found.media_start.unwrap_or(bytes.len()),
        })
    }

    /// The whole description as it came.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The `o=` line.
    pub const fn origin(&self) -> OriginLine<'a> {
        self.origin
    }

    /// The value of the `s=` line; peers also send it empty.
    pub const fn name(&self) -> &'a [u8] {
        self.name
    }

    /// The session's `c=` line, which holds for media without their own.
    pub const fn connection(&self) -> Option<Connection<'a>> {
        self.connection
    }

    /// The attributes of the session, before the first `m=` line.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.head())
    }

    /// The media descriptions in their order.
    pub fn media(&self) -> MediaIter<'a> {
        let media = self.bytes.get(self.media_start..).unwrap_or_default();
        MediaIter::new(media, self.head(), self.connection)
    }

    /// Every line in its order, with its exact bytes.
    pub const fn lines(&self) -> Lines<'a> {
        Lines::new(self.bytes)
    }

    fn head(&self) -> &'a [u8] {
        self.bytes.get(..self.media_start).unwrap_or_default()
    }
}

impl<'a> IntoIterator for &Session<'a> {
    type Item = Media<'a>;
    type IntoIter = MediaIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.media()
    }
}

/// What the pass over the lines has met so far.
#[derive(Default)]
struct Found<'a> {
    version: bool,
    origin: Option<OriginLine<'a>>,
    name: Option<&'a [u8]>,
    connection: Option<Connection<'a>>,
    media_start: Option<usize>,
}

impl<'a> Found<'a> {
    #[inline]
    fn line(&mut self, text: &'a [u8], offset: usize) -> Result<(), SdpError> {
        let [kind, b'=', value @ ..] = text else {
            return if text.is_empty() { Ok(()) } else { Err(SdpError::Line) };
        };
        if !self.version {
            self.version = *kind == b'v' && value == b"0";
            return if self.version { Ok(()) } else { Err(SdpError::Version) };
        }
        match kind {
            b'a' => {}
            b'm' => {
                MediaLine::parse(value)?;
                self.media_start.get_or_insert(offset);
            }
            b'c' => {
                let connection = Connection::parse(value).ok_or(SdpError::Connection)?;
                if self.media_start.is_none() {
                    self.connection.get_or_insert(connection);
                }
            }
            // RFC 3264 s5: exactly one session description.
            b'v' => return Err(SdpError::Version),
            b'o' if self.origin.is_some() || self.media_start.is_some() => {
                return Err(SdpError::Origin);
            }
            b'o' => self.origin = Some(OriginLine::parse(value).ok_or(SdpError::Origin)?),
            b's' if self.name.is_some() || self.media_start.is_some() => {
                return Err(SdpError::SessionName);
            }
            b's' => self.name = Some(value),
            _ => {}
        }
        Ok(())
    }
}

/// The value of an `o=` line (RFC 8866 s5.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OriginLine<'a> {
    /// The user's login, `-` where there is none.
    pub username: &'a [u8],
    /// Decimal digits that name the session; RFC 3264 wants them to fit in 63 bits.
    pub session_id: &'a [u8],
    /// Decimal digits; one more for each changed description.
    pub version: &'a [u8],
    /// Network type, address type and address of the creating machine.
    pub connection: Connection<'a>,
}

impl<'a> OriginLine<'a> {
    fn parse(value: &'a [u8]) -> Option<Self> {
        let mut words = words(value);
        let username = words.next()?;
        let session_id = words.next().filter(|word| is_digits(word))?;
        let version = words.next().filter(|word| is_digits(word))?;
        let connection = Connection::from_words(words)?;
        Some(Self { username, session_id, version, connection })
    }

    /// Session id and version as numbers, where they fit in 64 bits.
    pub fn numbers(&self) -> Option<Origin> {
        let session_id = bytes::number(self.session_id)?;
        Some(Origin { session_id, version: bytes::number(self.version)? })
    }

    /// Whether both lines name the same session; only their versions may differ (RFC 8866 s5.2).
    pub fn same_session(&self, other: &OriginLine<'_>) -> bool {
        self.username == other.username
            && self.session_id == other.session_id
            && self.connection == other.connection
    }
}

/// Network type, address type and address, as in a `c=` line (RFC 8866 s5.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Connection<'a> {
    /// The network type, in practice `IN`.
    pub network: &'a [u8],
    /// The address type, `IP4` or `IP6`.
    pub kind: &'a [u8],
    /// The address or host name, with `/ttl/count` where it is multicast.
    pub address: &'a [u8],
}

impl<'a> Connection<'a> {
    fn parse(value: &'a [u8]) -> Option<Self> {
        Self::from_words(words(value))
    }

    pub(super) fn from_words(mut words: Words<'a>) -> Option<Self> {
        let connection =
            Self { network: words.next()?, kind: words.next()?, address: words.next()? };
        words.next().is_none().then_some(connection)
    }

    /// The numeric address; `None` for host names, for an address of another type than `kind`
    /// says, and for anything with a multicast suffix.
    pub fn ip(&self) -> Option<IpAddr> {
        if !self.network.eq_ignore_ascii_case(b"IN") {
            return None;
        }
        if self.kind.eq_ignore_ascii_case(b"IP4") {
            return bytes::ipv4(self.address).map(IpAddr::V4);
        }
        let v6 = self.kind.eq_ignore_ascii_case(b"IP6");
        v6.then(|| bytes::ipv6(self.address).map(IpAddr::V6)).flatten()
    }
}

/// Words between single or, from sloppy peers, several spaces.
#[derive(Clone)]
pub(super) struct Words<'a> {
    rest: Option<&'a [u8]>,
}

pub(super) const fn words(value: &[u8]) -> Words<'_> {
    Words { rest: Some(value) }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    #[cfg_attr(target_os = "none", inline(never))]
    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let (word, rest) = bytes::cut(self.rest?, b' ');
            self.rest = rest;
            if !word.is_empty() {
                return Some(word);
            }
        }
    }
}

/// Whether a word is a number of any size.
pub(super) fn is_digits(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(u8::is_ascii_digit)
}

//! Composing messages in a caller's buffer.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

use super::grammar::is_token;
use super::header::Header;
use super::name::{HeaderName, Method};
use super::start_line::StartLine;
use crate::bytes::{Text, hex_digit};
use crate::scan::{control, find2};

/// Writes one message, piece by piece, into a caller's buffer.
///
/// Errors stick: after the first one all calls do nothing, and the finishing call reports it, so
/// that a composition needs one check at its end.
///
/// ```
/// use sansip::sip::{HeaderName, Method, Writer};
///
/// let mut buffer = [0; 200];
/// let len = Writer::new(&mut buffer)
///     .request(Method::Options, b"sip:600@192.0.2.1")
///     .open(HeaderName::CSeq)
///     .number(7)
///     .text(b" OPTIONS")
///     .close()
///     .finish()?;
/// let message = b"OPTIONS sip:600@192.0.2.1 SIP/2.0\r\nCSeq: 7 OPTIONS\r\nContent-Length: 0\r\n\r\n";
/// assert_eq!(&buffer[..len], message);
/// # Ok::<(), sansip::sip::WriteError>(())
/// ```
#[derive(Debug)]
pub struct Writer<'b> {
    buffer: &'b mut [u8],
    len: usize,
    error: Option<WriteError>,
}

/// Why a message could not be composed. All of these are ours or the application's fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteError {
    /// The buffer is too small.
    NoRoom,
    /// CR, LF or NUL in a value, or bytes in a name, method or URI that may not stand there.
    Injection,
    /// The body's own writer failed.
    Body,
}

impl<'b> Writer<'b> {
    /// An empty message in `buffer`.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, len: 0, error: None }
    }

    /// A request line; `uri` may have neither white space nor control bytes.
    pub fn request(&mut self, method: Method<'_>, uri: &[u8]) -> &mut Self {
        self.start_line(&StartLine::Request { method, uri, version: VERSION })
    }

    /// A status line; `status` 100 to 699.
    pub fn response(&mut self, status: u16, reason: &[u8]) -> &mut Self {
        self.start_line(&StartLine::Response { version: VERSION, status, reason })
    }

    /// Any start line, such as one that was read.
    pub fn start_line(&mut self, line: &StartLine<'_>) -> &mut Self {
        match *line {
            StartLine::Request { method, uri, version } => {
                let method = method.as_bytes();
                let visible = |part: &[u8]| {
                    !part.is_empty() && part.iter().all(|byte| *byte > b' ' && *byte != 0x7f)
                };
                self.require(is_name(method) && visible(uri) && visible(version));
                self.push(method).push(b" ").push(uri).push(b" ").push(version).push(CRLF)
            }
            StartLine::Response { version, status, reason } => {
                self.require((100..=699).contains(&status));
                self.text(version).push(b" ").number(u64::from(status)).push(b" ");
                self.text(reason).push(CRLF)
            }
        }
    }

    /// One whole header.
    pub fn header(&mut self, name: HeaderName<'_>, value: &[u8]) -> &mut Self {
        self.open(name).text(value).close()
    }

    /// One whole header with a number as its value.
    pub fn header_number(&mut self, name: HeaderName<'_>, value: u64) -> &mut Self {
        self.open(name).number(value).close()
    }

    /// Begins a header: its name and the colon. Pieces of the value follow, then
    /// [`close`](Self::close).
    pub fn open(&mut self, name: HeaderName<'_>) -> &mut Self {
        if let HeaderName::Other(name) = name {
            self.require(is_name(name));
        }
        self.push(name.canonical()).push(b": ")
    }

    /// A piece of a value.
    pub fn text(&mut self, text: &[u8]) -> &mut Self {
        self.require(is_one_line(text));
        self.push(text)
    }

    /// A piece of a value that was read from a message: each fold in it becomes one space.
    pub fn unfolded(&mut self, value: &[u8]) -> &mut Self {
        let mut rest = value;
        while let Some(at) = find2(b'\r', b'\n', rest) {
            let (before, fold) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            let after = match fold {
                [b'\r', b'\n', after @ ..] | [b'\n', after @ ..] => after,
                _ => &[],
            };
            self.require(matches!(after, [b' ' | b'\t', ..]));
            self.text(before).push(b" ");
            rest = after;
            while let [b' ' | b'\t', after @ ..] = rest {
                rest = after;
            }
        }
        self.text(rest)
    }

    /// A piece of a value that `fill` writes into the room it is given; `None` means no room.
    pub fn filled(&mut self, fill: impl FnOnce(&mut [u8]) -> Option<usize>) -> &mut Self {
        let room = self.room();
        let len = fill(room).filter(|len| *len <= room.len());
        let text = room.get(..len.unwrap_or(0)).unwrap_or_default();
        let clean = is_one_line(text);
        self.require(clean);
        self.take(len)
    }

    /// A number in decimal.
    pub fn number(&mut self, value: u64) -> &mut Self {
        let len = Text::new(self.room()).number(value).finish();
        self.take(len)
    }

    /// A number in lower-case hexadecimal with exactly `digits` digits, the upper ones cut off.
    pub fn hex(&mut self, value: u64, digits: usize) -> &mut Self {
        // A shift of 64 bits is a call where registers have no more than 32.
        let halves = [value as u32, (value >> 32) as u32];
        for place in (0..digits).rev() {
            let half = halves.get(place / 8).copied().unwrap_or(0);
            self.push(&[hex_digit((half >> (place % 8 * 4)) as u8)]);
        }
        self
    }

    /// `host:port`, IPv6 in brackets.
    pub fn address(&mut self, address: SocketAddr) -> &mut Self {
        self.host(address.ip()).push(b":").number(u64::from(address.port()))
    }

    /// An address as a host: IPv6 in brackets.
    pub fn host(&mut self, host: IpAddr) -> &mut Self {
        match host {
            IpAddr::V4(_) => self.ip(host),
            IpAddr::V6(_) => self.push(b"[").ip(host).push(b"]"),
        }
    }

    /// An address without brackets, as SDP and `received` have it.
    pub fn ip(&mut self, address: IpAddr) -> &mut Self {
        let len = Text::new(self.room()).ip(address).finish();
        self.take(len)
    }

    /// A quoted string: quotes around `text`, backslashes before `"` and `\` in it.
    pub fn quoted(&mut self, text: &[u8]) -> &mut Self {
        self.push(b"\"");
        let mut rest = text;
        while let Some(at) = find2(b'"', b'\\', rest) {
            let (before, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            let (special, after) = after.split_at_checked(1).unwrap_or((after, &[]));
            self.text(before).push(b"\\").push(special);
            rest = after;
        }
        self.text(rest).push(b"\"")
    }

    /// Ends the header that [`open`](Self::open) began.
    pub fn close(&mut self) -> &mut Self {
        self.push(CRLF)
    }

    /// A header that was read, byte for byte, folds and line end included.
    pub fn raw_header(&mut self, header: &Header<'_>) -> &mut Self {
        self.push(header.raw())
    }

    /// A whole header line without its line end, `Name: value`, such as an application gives it.
    pub fn raw_line(&mut self, line: &[u8]) -> &mut Self {
        let name_len = line.iter().position(|byte| !is_token(*byte)).unwrap_or(0);
        let mut rest = line.get(name_len..).unwrap_or_default();
        while let [b' ' | b'\t', after @ ..] = rest {
            rest = after;
        }
        self.require(name_len > 0 && rest.first() == Some(&b':'));
        self.text(line).push(CRLF)
    }

    /// Ends a message without a body. Gives its length.
    pub fn finish(&mut self) -> Result<usize, WriteError> {
        self.header_number(HeaderName::ContentLength, 0).push(CRLF).outcome()
    }

    /// Ends a message with a body: `write` fills the room it is given and says how much it used.
    /// Content-Length is put in afterwards. Gives the length of the whole message.
    pub fn finish_with<E>(
        &mut self,
        content_type: &[u8],
        write: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, WriteError> {
        self.header(HeaderName::ContentType, content_type);
        self.open(HeaderName::ContentLength);
        let length_at = self.len;
        // Room for the longest length; the body moves up to the digits that it turns out to need.
        self.push(LENGTH_ROOM).push(CRLF).push(CRLF);
        self.outcome()?;
        let body_at = self.len;
        let room = self.buffer.get_mut(body_at..).unwrap_or_default();
        let room_len = room.len();
        let body_len = match write(room) {
            Ok(len) if len <= room_len => len,
            _ => return self.fail(WriteError::Body).outcome(),
        };
        self.len = length_at;
        self.number(body_len as u64);
        if self.len - length_at > LENGTH_ROOM.len() {
            return self.fail(WriteError::NoRoom).outcome();
        }
        self.push(CRLF).push(CRLF);
        self.buffer.copy_within(body_at..body_at + body_len, self.len);
        self.len += body_len;
        self.outcome()
    }

    /// Ends a message with these bytes as its body. Gives the length of the whole message.
    pub fn finish_with_body(
        &mut self,
        content_type: &[u8],
        body: &[u8],
    ) -> Result<usize, WriteError> {
        self.header(HeaderName::ContentType, content_type);
        self.header_number(HeaderName::ContentLength, body.len() as u64);
        self.finish_raw(body)
    }

    /// Ends a message that repeats one that was read: the empty line and the body, without a
    /// Content-Length of our own.
    pub fn finish_raw(&mut self, body: &[u8]) -> Result<usize, WriteError> {
        self.push(CRLF).push(body).outcome()
    }

    /// The bytes written so far; nothing after an error.
    pub fn written(&self) -> &[u8] {
        let len = if self.error.is_some() { 0 } else { self.len };
        self.buffer.get(..len).unwrap_or_default()
    }

    /// The length so far, or the first error.
    pub fn outcome(&self) -> Result<usize, WriteError> {
        self.error.map_or(Ok(self.len), Err)
    }

    /// Bytes that are known to be safe.
    pub(super) fn push(&mut self, bytes: &[u8]) -> &mut Self {
        if self.error.is_some() {
            return self;
        }
        let end = self.len + bytes.len();
        match self.buffer.get_mut(self.len..end) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.len = end;
                self
            }
            None => self.fail(WriteError::NoRoom),
        }
    }

    /// What is left of the buffer; nothing after an error.
    fn room(&mut self) -> &mut [u8] {
        let from = if self.error.is_some() { self.buffer.len() } else { self.len };
        self.buffer.get_mut(from..).unwrap_or_default()
    }

    /// Goes on behind the `len` bytes that were written to the room; `None` means too little room.
    fn take(&mut self, len: Option<usize>) -> &mut Self {
        match len {
            Some(len) => self.len += len,
            None => _ = self.fail(WriteError::NoRoom),
        }
        self
    }

    fn require(&mut self, safe: bool) {
        if !safe {
            self.fail(WriteError::Injection);
        }
    }

    fn fail(&mut self, error: WriteError) -> &mut Self {
        self.error.get_or_insert(error);
        self
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRoom => "buffer too small",
            Self::Injection => "forbidden byte in a value",
            Self::Body => "the body could not be written",
        })
    }
}

impl core::error::Error for WriteError {}

/// Whether nothing in it could end the line or the message.
fn is_one_line(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = control(rest) {
        match rest.get(at..) {
            Some([b'\r' | b'\n' | 0, ..]) | None => return false,
            Some([_, after @ ..]) => rest = after,
            Some([]) => break,
        }
    }
    true
}

fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| is_token(*byte))
}

const VERSION: &[u8] = b"SIP/2.0";
const CRLF: &[u8] = b"\r\n";
const LENGTH_ROOM: &[u8] = b"00000";

//! Cutting messages from a stream (RFC 3261 s18.3, s7.5; RFC 5626 s3.5.1).

use core::fmt;

use super::grammar::{ValueError, number};
use super::header::{Span, line_end};
use super::message::ParseError;
use super::name::HeaderName;
use crate::limits::MESSAGE_MAX;

/// Says how long the first message in the bytes of a stream is.
///
/// Give it all bytes that the stream has brought and that were not yet taken; take what it names,
/// and ask again. It remembers how far it has looked, so that bytes which arrive one by one are
/// not looked through again, and comes to the same messages as with all bytes at once.
///
/// ```
/// use sansip::sip::{Frame, Framer};
///
/// let mut framer = Framer::new(4096);
/// let mut stream: &[u8] = b"\r\nACK sip:a@b SIP/2.0\r\nContent-Length: 2\r\n\r\nhiBYE";
/// assert_eq!(framer.next(stream), Frame::KeepAlive { len: 2, ping: false });
/// stream = &stream[2..];
/// assert_eq!(framer.next(stream), Frame::Message(44));
/// stream = &stream[44..];
/// assert_eq!(framer.next(stream), Frame::Incomplete);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Framer {
    limit_bytes: usize,
    /// Everything before this is known not to hold the end of the header section.
    scanned: usize,
    /// The length of the message, once its header section has been read; else 0.
    message_len: usize,
    /// Whether the last thing taken was the first line end of what may become a ping.
    half_ping: bool,
}

/// What the first bytes of a stream are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frame {
    /// Not a whole message yet: read more.
    Incomplete,
    /// `len` bytes of line end between messages, to be dropped. `ping` at the second one in a row,
    /// which asks for a CRLF in answer (RFC 5626 s3.5.1).
    KeepAlive {
        /// How many bytes to drop.
        len: usize,
        /// Whether this completes a double CRLF.
        ping: bool,
    },
    /// A whole message of so many bytes.
    Message(usize),
    /// The stream can not be cut any more and has to be closed.
    Error(FrameError),
}

/// Why a stream can not be cut any more. All of these are the sender's fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameError {
    /// The message would be longer than the limit.
    TooLong,
    /// No Content-Length, which a stream needs (RFC 3261 s20.14).
    NoContentLength,
    /// Content-Length is not a number, or two of them differ.
    ContentLength,
    /// The header section is malformed.
    Malformed,
}

impl Framer {
    /// A framer that refuses messages of more than `limit_bytes`, before anything is reserved for
    /// them. Header sections never exceed [`MESSAGE_MAX`].
    pub const fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, scanned: 0, message_len: 0, half_ping: false }
    }

    /// Looks at the bytes that are there, from the first one that was not taken yet.
    pub fn next(&mut self, bytes: &[u8]) -> Frame {
        if self.scanned == 0 {
            match bytes {
                [] | [b'\r'] => return Frame::Incomplete,
                [b'\n', ..] => return self.line_end(1),
                [b'\r', b'\n', ..] => return self.line_end(2),
                [b'\r', ..] => return Frame::Error(FrameError::Malformed),
                _ => self.half_ping = false,
            }
        }
        if self.message_len == 0 {
            match self.read_head(bytes) {
                Ok(Some(message_len)) => self.message_len = message_len,
                Ok(None) => return Frame::Incomplete,
                Err(error) => return Frame::Error(error),
            }
        }
        if bytes.len() < self.message_len {
            return Frame::Incomplete;
        }
        let message_len = self.message_len;
        *self = Self::new(self.limit_bytes);
        Frame::Message(message_len)
    }

    fn line_end(&mut self, len: usize) -> Frame {
        let ping = self.half_ping;
        self.half_ping = !ping;
        Frame::KeepAlive { len, ping }
    }

    fn read_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, FrameError> {
        let limit = self.limit_bytes.min(MESSAGE_MAX);
        let Some(head_len) = self.head_len(bytes) else {
            return if bytes.len() > limit { Err(FrameError::TooLong) } else { Ok(None) };
        };
        if head_len > limit {
            return Err(FrameError::TooLong);
        }
        let head = bytes.get(..head_len).unwrap_or_default();
        let body_len = content_length(head)?.ok_or(FrameError::NoContentLength)?;
        let room = self.limit_bytes - head_len;
        match usize::try_from(body_len) {
            Ok(body_len) if body_len <= room => Ok(Some(head_len + body_len)),
            _ => Err(FrameError::TooLong),
        }
    }

    /// The length of the header section with the empty line that ends it.
    fn head_len(&mut self, bytes: &[u8]) -> Option<usize> {
        loop {
            let unseen = bytes.get(self.scanned..)?;
            let Some(found) = memchr::memchr(b'\n', unseen) else {
                self.scanned = bytes.len();
                return None;
            };
            let at = self.scanned + found;
            match bytes.get(at + 1..) {
                Some([b'\n', ..]) => return Some(at + 2),
                Some([b'\r', b'\n', ..]) => return Some(at + 3),
                // The next byte decides, so this line end has to be looked at again.
                Some([] | [b'\r']) | None => {
                    self.scanned = at;
                    return None;
                }
                Some(_) => self.scanned = at + 1,
            }
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "message longer than the limit",
            Self::NoContentLength => "no Content-Length in a stream",
            Self::ContentLength => "malformed or contradictory Content-Length",
            Self::Malformed => "malformed header section",
        })
    }
}

impl core::error::Error for FrameError {}

fn content_length(head: &[u8]) -> Result<Option<u32>, FrameError> {
    let malformed = |_: ParseError| FrameError::Malformed;
    let (_, mut at) = line_end(head, 0).map_err(malformed)?;
    let mut length = None;
    while let Some(span) = Span::scan(head, at).map_err(malformed)? {
        at = span.end;
        if span.index == HeaderName::ContentLength.index() {
            let value = number(span.value(head), u32::MAX).map_err(|error| match error {
                ValueError::Range => FrameError::TooLong,
                ValueError::Syntax => FrameError::ContentLength,
            })?;
            if *length.get_or_insert(value) != value {
                return Err(FrameError::ContentLength);
            }
        }
    }
    Ok(length)
}

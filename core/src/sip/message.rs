//! The lossless view of a whole message.

use core::fmt;

use super::grammar::{TOKEN, leading, number};
use super::header::{Headers, Lines, Span, Values, line_end};
use super::name::{HeaderName, Method};
use super::start_line::StartLine;

/// One SIP message, borrowed from the bytes that hold it. Cheap to copy, judges only framing.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    bytes: &'a [u8],
    start_line: StartLine<'a>,
    /// Where the headers begin and where the body begins.
    headers_start: u16,
    body_start: u16,
    index: Index,
}

/// Where the parts of a message stand in its bytes, so that a copy of them is not read anew.
#[derive(Clone, Copy, Default)]
pub(crate) struct Layout {
    headers_start: u16,
    body_start: u16,
    index: Index,
}

impl Layout {
    /// The message of which `bytes` are a copy.
    pub(crate) fn of_copy<'b>(&self, bytes: &'b [u8]) -> Option<Message<'b>> {
        let line = bytes.get(..usize::from(self.headers_start))?;
        let (text_end, _) = line_end(line, 0).ok()?;
        let start_line = StartLine::parse(line.get(..text_end)?).ok()?;
        let Self { headers_start, body_start, index } = *self;
        Some(Message { bytes, start_line, headers_start, body_start, index })
    }
}

/// Why bytes are no message. All of these are the sender's fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)] // With one byte, the compiler moves the value of a `Result` byte by byte around it.
pub enum ParseError {
    /// Nothing but line ends: a keep-alive (RFC 5626 s4.4.1), not a message.
    Empty,
    /// The bytes end before the empty line after the headers.
    Truncated,
    /// The first line is neither a request line nor a status line.
    StartLine,
    /// A line has no header name, or bytes in it that no name may have.
    HeaderName,
    /// A bare CR or a NUL in the header section.
    ControlByte,
    /// Content-Length is not a number, or two of them differ.
    ContentLength,
    /// Content-Length promises more bytes than there are.
    BodyTooShort,
    /// The header section is longer than 65,535 bytes.
    TooLong,
}

impl<'a> Message<'a> {
    /// Reads one whole message: a datagram, or what [`Framer`](super::Framer) cut from a stream.
    ///
    /// Bytes after Content-Length are ignored (RFC 3261 s18.3); without Content-Length the body
    /// reaches to the end. Line ends before the start line are skipped (RFC 3261 s7.5).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let bytes = without_leading_line_ends(bytes)?;
        let (text_end, headers_start) = line_end(bytes, 0)?;
        let start_line = StartLine::parse(bytes.get(..text_end).unwrap_or_default())?;
        let mut message = Self::unread(bytes, start_line);
        message.scan(headers_start)?;
        if let Some(length) = message.content_length()? {
            let end = usize::from(message.body_start).checked_add(length);
            let end = end.ok_or(ParseError::BodyTooShort)?;
            message.bytes = bytes.get(..end).ok_or(ParseError::BodyTooShort)?;
        }
        Ok(message)
    }

    /// What can be read of a request that [`Message::parse`] refused: enough to answer it 400.
    ///
    /// The start line may be malformed and the body missing; the header section must be whole and
    /// its lines must have names. A refused response gives `None`, since nobody answers those.
    #[inline(never)]
    pub fn salvage(bytes: &'a [u8]) -> Option<Self> {
        let bytes = without_leading_line_ends(bytes).ok()?;
        let (text_end, headers_start) = line_end(bytes, 0).ok()?;
        let line = bytes.get(..text_end)?;
        if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")) {
            return None;
        }
        let (method, uri) = leading(line, TOKEN);
        let start_line = StartLine::Request { method: Method::parse(method), uri, version: b"" };
        let mut message = Self::unread(bytes, start_line);
        message.scan(headers_start).ok()?;
        message.bytes = bytes.get(..usize::from(message.body_start))?;
        Some(message)
    }

    /// The view before its header lines are found and its body is cut.
    #[inline(always)]
    fn unread(bytes: &'a [u8], start_line: StartLine<'a>) -> Self {
        Self { bytes, start_line, headers_start: 0, body_start: 0, index: Index::EMPTY }
    }

    /// Walks all header lines, for the index and to find where the body begins.
    fn scan(&mut self, headers_start: usize) -> Result<(), ParseError> {
        let (bytes, index) = (self.bytes, &mut self.index);
        self.headers_start = u16::try_from(headers_start).map_err(|_| ParseError::TooLong)?;
        let mut at = headers_start;
        while let Some(span) = Span::scan(bytes, at)? {
            at = span.end;
            if at > usize::from(u16::MAX) {
                return Err(ParseError::TooLong);
            }
            index.note(&span);
        }
        let end_len = if bytes.get(at) == Some(&b'\n') { 1 } else { 2 };
        self.body_start = u16::try_from(at + end_len).map_err(|_| ParseError::TooLong)?;
        Ok(())
    }

    /// Where its parts stand, for a copy of [`Message::bytes`].
    pub(crate) fn layout(&self) -> Layout {
        let Self { headers_start, body_start, index, .. } = *self;
        Layout { headers_start, body_start, index }
    }

    /// The first line.
    pub fn start_line(&self) -> StartLine<'a> {
        self.start_line
    }

    /// Whether this is a request.
    pub fn is_request(&self) -> bool {
        matches!(self.start_line, StartLine::Request { .. })
    }

    /// The method of a request.
    pub fn method(&self) -> Option<Method<'a>> {
        match self.start_line {
            StartLine::Request { method, .. } => Some(method),
            StartLine::Response { .. } => None,
        }
    }

    /// The Request-URI of a request, as it came.
    pub fn uri(&self) -> Option<&'a [u8]> {
        match self.start_line {
            StartLine::Request { uri, .. } => Some(uri),
            StartLine::Response { .. } => None,
        }
    }

    /// The status of a response, 100 to 699.
    pub fn status(&self) -> Option<u16> {
        match self.start_line {
            StartLine::Response { status, .. } => Some(status),
            StartLine::Request { .. } => None,
        }
    }

    /// All headers in their order.
    pub fn headers(&self) -> Headers<'a> {
        Headers::new(self.bytes, usize::from(self.headers_start))
    }

    /// The value of the first header with this name.
    pub fn header(&self, name: HeaderName<'_>) -> Option<&'a [u8]> {
        match self.index.entry(name) {
            Some(entry) if entry.lines == 0 => None,
            Some(entry) => self.bytes.get(entry.value()),
            None => self.headers().find(|header| header.name == name).map(|header| header.value),
        }
    }

    /// Every comma-separated value of this name, over all its lines.
    pub fn values<'n>(&self, name: HeaderName<'n>) -> Values<'n>
    where
        'a: 'n,
    {
        match self.index.entry(name) {
            Some(Entry { lines: 0, .. }) => Values::none(name),
            Some(entry) => Values::of_lines(
                self.bytes.get(entry.value()).unwrap_or_default(),
                Lines {
                    name,
                    headers: self.headers_from(entry),
                    left: usize::from(entry.lines).saturating_sub(1),
                },
            ),
            None => Values::sought(Lines { name, headers: self.headers(), left: usize::MAX }),
        }
    }

    /// How many header lines have this name.
    pub fn count(&self, name: HeaderName<'_>) -> usize {
        match self.index.entry(name) {
            Some(entry) => usize::from(entry.lines),
            None => self.headers().filter(|header| header.name == name).count(),
        }
    }

    /// The body; empty when there is none.
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(usize::from(self.body_start)..).unwrap_or_default()
    }

    /// The exact bytes of the message, without any that follow it or stand before it.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How many lines an indexed header has, by its place, and the value of the first.
    pub(super) fn indexed(&self, place: usize) -> (u16, &'a [u8]) {
        match self.index.entries.get(place) {
            Some(entry) => (entry.lines, self.bytes.get(entry.value()).unwrap_or_default()),
            None => (0, &[]),
        }
    }

    fn headers_from(&self, entry: Entry) -> Headers<'a> {
        Headers::new(self.bytes, usize::from(entry.line_start))
    }

    /// The first line of an indexed header: the field without what follows its value, and the
    /// value.
    pub(super) fn first_line(&self, name: HeaderName<'static>) -> Option<(&'a [u8], &'a [u8])> {
        let entry = self.index.entry(name).filter(|entry| entry.lines > 0)?;
        let field = usize::from(entry.line_start)..usize::from(entry.value_end);
        Some((self.bytes.get(field)?, self.bytes.get(entry.value())?))
    }

    /// The lines of an indexed header after its first.
    pub(super) fn further_lines(&self, name: HeaderName<'static>) -> Lines<'a> {
        let entry = self.index.entry(name).unwrap_or(Entry::NONE);
        let left = usize::from(entry.lines).saturating_sub(1);
        let mut headers = self.headers_from(entry);
        if left > 0 {
            headers.next();
        }
        Lines { name, headers, left }
    }

    /// Content-Length, which all its lines must agree on.
    fn content_length(&self) -> Result<Option<usize>, ParseError> {
        let (lines, first) = self.indexed(usize::from(HeaderName::ContentLength.index()));
        let read = |value: &[u8]| number(value, u32::MAX).map_err(|_| ParseError::ContentLength);
        let length = match lines {
            0 => return Ok(None),
            _ => read(first)?,
        };
        if lines > 1 {
            for header in self.further_lines(HeaderName::ContentLength) {
                if read(header.value)? != length {
                    return Err(ParseError::ContentLength);
                }
            }
        }
        usize::try_from(length).map(Some).map_err(|_| ParseError::TooLong)
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("start_line", &self.start_line)
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl ParseError {
    /// What went wrong, in a few words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "nothing but line ends",
            Self::Truncated => "no end of the header section",
            Self::StartLine => "malformed start line",
            Self::HeaderName => "header line without a valid name",
            Self::ControlByte => "bare CR or NUL in the header section",
            Self::ContentLength => "malformed or contradictory Content-Length",
            Self::BodyTooShort => "body shorter than Content-Length",
            Self::TooLong => "header section too long",
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for ParseError {}

/// Where the headers that everybody asks for stand, and which of the known ones there are at all,
/// found in the one pass over the lines.
#[derive(Clone, Copy, Default)]
struct Index {
    entries: [Entry; INDEXED],
    /// A bit a known name, by its place, so that nobody walks for what is not there.
    seen: [u32; 3],
}

/// The first line of one header name, and how many there are.
#[derive(Clone, Copy, Default)]
struct Entry {
    line_start: u16,
    value_start: u16,
    value_end: u16,
    lines: u16,
}

impl Entry {
    const NONE: Self = Self { line_start: 0, value_start: 0, value_end: 0, lines: 0 };

    fn value(self) -> core::ops::Range<usize> {
        usize::from(self.value_start)..usize::from(self.value_end)
    }
}

impl Index {
    const EMPTY: Self = Self { entries: [Entry::NONE; INDEXED], seen: [0; 3] };

    /// A line whose positions are all within 16 bits.
    #[inline(always)]
    fn note(&mut self, span: &Span) {
        if let Some(entry) = self.entries.get_mut(usize::from(span.index)) {
            if entry.lines == 0 {
                entry.line_start = span.start as u16;
                entry.value_start = span.value_start as u16;
                entry.value_end = span.value_end as u16;
            }
            entry.lines += 1;
        } else if let Some(word) = self.seen.get_mut(usize::from(span.index / 32)) {
            *word |= 1 << (span.index % 32);
        }
    }

    /// What is known of this name; `None` where the lines have to be walked.
    #[inline]
    fn entry(&self, name: HeaderName<'_>) -> Option<Entry> {
        let index = name.index();
        match self.entries.get(usize::from(index)) {
            Some(entry) => Some(*entry),
            None => match self.seen.get(usize::from(index / 32)) {
                Some(word) if word >> (index % 32) & 1 == 0 => Some(Entry::NONE),
                _ => None,
            },
        }
    }
}

/// The first so many of the known names.
const INDEXED: usize = 16;

fn without_leading_line_ends(mut bytes: &[u8]) -> Result<&[u8], ParseError> {
    while let [b'\r', b'\n', rest @ ..] | [b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    if bytes.is_empty() { Err(ParseError::Empty) } else { Ok(bytes) }
}

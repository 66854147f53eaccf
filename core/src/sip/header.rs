//! Header lines and the values in them.

use super::grammar::{TOKEN, leading, trim};
use super::message::ParseError;
use super::name::{HeaderName, index_of, usual};
use crate::scan::{control, find};

/// One header field of a message.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// Which header it is.
    pub name: HeaderName<'a>,
    /// The value without white space around it; folds inside stay as they came.
    pub value: &'a [u8],
    raw: &'a [u8],
    name_len: u16,
    value_start: u16,
}

impl<'a> Header<'a> {
    /// The whole field as it came: name, colon, value, folds and line end.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The name as it came, compact or not, in its own case.
    pub fn raw_name(&self) -> &'a [u8] {
        self.raw.get(..usize::from(self.name_len)).unwrap_or_default()
    }

    /// What stands between name and value: the colon and white space.
    pub fn separator(&self) -> &'a [u8] {
        let range = usize::from(self.name_len)..usize::from(self.value_start);
        self.raw.get(range).unwrap_or_default()
    }

    /// What follows the value: white space and the line end.
    pub fn tail(&self) -> &'a [u8] {
        self.raw.get(usize::from(self.value_start) + self.value.len()..).unwrap_or_default()
    }

    /// The comma-separated values of this field.
    pub fn values(&self) -> Values<'a> {
        Values::of_line(self.name, self.value)
    }
}

/// The headers of a message, in their order; unbounded.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    section: &'a [u8],
    at: usize,
}

impl<'a> Headers<'a> {
    /// Over a header section that has been scanned, from `at` on.
    pub(super) fn new(section: &'a [u8], at: usize) -> Self {
        Self { section, at }
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        let span = Span::scan(self.section, self.at).ok()??;
        self.at = span.end;
        span.header(self.section)
    }
}

/// Lines of one name: so many of them, to be sought among the headers of a message.
#[derive(Clone, Debug)]
pub(super) struct Lines<'a> {
    pub(super) name: HeaderName<'a>,
    pub(super) headers: Headers<'a>,
    pub(super) left: usize,
}

impl<'a> Lines<'a> {
    fn none(name: HeaderName<'a>) -> Self {
        Self { name, headers: Headers::new(&[], 0), left: 0 }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        self.left = self.left.checked_sub(1)?;
        loop {
            let header = self.headers.next()?;
            if header.name == self.name {
                return Some(header);
            }
        }
    }
}

/// Every comma-separated value of one header name, over all its lines, each trimmed.
///
/// Commas in quoted strings and in angle brackets do not separate. Authentication headers are
/// never split: their commas separate parameters (RFC 3261 s7.3.1).
#[derive(Clone, Debug)]
pub struct Values<'a> {
    line: Option<&'a [u8]>,
    more: Lines<'a>,
    /// Whether `more` begins with the line that `line` is from. It is passed over only when a
    /// second line is wanted, since most callers want the first value alone.
    at_first: bool,
}

impl<'a> Values<'a> {
    /// The values of one line.
    pub(super) fn of_line(name: HeaderName<'a>, value: &'a [u8]) -> Self {
        Self::of_lines(value, Lines::none(name))
    }

    /// No values at all.
    pub(super) fn none(name: HeaderName<'a>) -> Self {
        Self::sought(Lines::none(name))
    }

    /// The values of a line with this value and of those behind it; `more` begins with itself.
    pub(super) fn of_lines(first: &'a [u8], more: Lines<'a>) -> Self {
        Self { line: Some(first), more, at_first: true }
    }

    /// The values of lines all of which have to be sought.
    pub(super) fn sought(more: Lines<'a>) -> Self {
        Self { line: None, more, at_first: false }
    }

    fn splits(&self) -> bool {
        !matches!(
            self.more.name,
            HeaderName::WwwAuthenticate
                | HeaderName::ProxyAuthenticate
                | HeaderName::Authorization
                | HeaderName::ProxyAuthorization
                | HeaderName::AuthenticationInfo
                | HeaderName::Date
        )
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let line = match self.line.take() {
            Some(line) => line,
            None => {
                if self.at_first && self.more.left > 0 {
                    self.more.headers.next();
                }
                self.at_first = false;
                self.more.next()?.value
            }
        };
        if !self.splits() {
            return Some(line);
        }
        let (value, rest) = split_comma(line);
        self.line = rest;
        Some(trim(value))
    }
}

/// The bytes before the first comma outside quotes and angle brackets, and those after it.
pub(super) fn split_comma(line: &[u8]) -> (&[u8], Option<&[u8]>) {
    if find(b',', line).is_none() {
        return (line, None);
    }
    let mut quoted = false;
    let mut bracketed = false;
    let mut escaped = false;
    for (at, byte) in line.iter().enumerate() {
        if escaped {
            escaped = false;
            continue;
        }
        match byte {
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'<' if !quoted => bracketed = true,
            b'>' if !quoted => bracketed = false,
            b',' if !quoted && !bracketed => {
                return (line.get(..at).unwrap_or_default(), line.get(at + 1..));
            }
            _ => {}
        }
    }
    (line, None)
}

/// Where the parts of one header field stand in the bytes it was found in.
#[derive(Clone, Copy)]
pub(super) struct Span {
    /// The place of its name in the order of [`HeaderName`]s.
    pub(super) index: u8,
    pub(super) start: usize,
    name_len: usize,
    pub(super) value_start: usize,
    pub(super) value_end: usize,
    pub(super) end: usize,
}

impl Span {
    /// The field that begins at `start`; `None` at the empty line that ends the section.
    // It is all that reading costs where instructions are many, and a kilobyte where flash is small.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(super) fn scan(bytes: &[u8], start: usize) -> Result<Option<Self>, ParseError> {
        let field = match bytes.get(start..) {
            None | Some([]) => return Err(ParseError::Truncated),
            Some([b'\n', ..] | [b'\r', b'\n', ..]) => return Ok(None),
            Some(field) => field,
        };
        let (index, name_len, colon) = match usual(field) {
            Some((index, colon)) => (index, colon, colon),
            // What is wrong with the line is looked for before what is wrong with its name.
            None => match field_name(field) {
                Some(name) => name,
                None => return Err(line_end(bytes, start).err().unwrap_or(ParseError::HeaderName)),
            },
        };
        let text_start = start + colon + 1;
        let mut from = text_start;
        let (text_end, end) = loop {
            let ends = find_line_end(bytes, from)?;
            match bytes.get(ends.1) {
                Some(b' ' | b'\t') => from = ends.1, // continued
                _ => break ends,
            }
        };
        let is_text = |at: usize| bytes.get(at).is_some_and(|byte| *byte > b' ');
        let (mut value_start, mut value_end) = (text_start + 1, text_end);
        // As most peers write it there is one space, and nothing to look for.
        let usual = bytes.get(text_start) == Some(&b' ')
            && is_text(value_start)
            && value_start < text_end
            && is_text(text_end - 1);
        if !usual {
            let text = trim_start(bytes.get(text_start..text_end).unwrap_or_default());
            value_start = text_end - text.len();
            value_end = value_start + trim_end(text).len();
        }
        Ok(Some(Self { index, start, name_len, value_start, value_end, end }))
    }

    pub(super) fn value<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.value_start..self.value_end).unwrap_or_default()
    }

    fn header<'a>(&self, bytes: &'a [u8]) -> Option<Header<'a>> {
        let raw = bytes.get(self.start..self.end)?;
        Some(Header {
            name: HeaderName::at(self.index, raw.get(..self.name_len)?),
            value: self.value(bytes),
            raw,
            name_len: u16::try_from(self.name_len).ok()?,
            value_start: u16::try_from(self.value_start - self.start).ok()?,
        })
    }
}

/// The name that a field begins with, its length, and where its colon stands.
#[inline(never)]
fn field_name(field: &[u8]) -> Option<(u8, usize, usize)> {
    let (name, mut rest) = leading(field, TOKEN);
    while let [b' ' | b'\t', after @ ..] = rest {
        rest = after;
    }
    let named = !name.is_empty() && rest.first() == Some(&b':');
    named.then(|| (index_of(name), name.len(), field.len() - rest.len()))
}

/// Where the line that begins at `start` ends: before its line end, and after it.
pub(super) fn line_end(bytes: &[u8], start: usize) -> Result<(usize, usize), ParseError> {
    find_line_end(bytes, start)
}

#[inline(always)]
fn find_line_end(bytes: &[u8], start: usize) -> Result<(usize, usize), ParseError> {
    let mut from = start;
    loop {
        let rest = bytes.get(from..).ok_or(ParseError::Truncated)?;
        let at = from + control(rest).ok_or(ParseError::Truncated)?;
        match bytes.get(at..) {
            Some([b'\r', b'\n', ..]) => return Ok((at, at + 2)),
            Some([b'\n', ..]) => return Ok((at, at + 1)),
            Some([b'\r']) => return Err(ParseError::Truncated),
            Some([b'\r', ..]) => return Err(ParseError::ControlByte),
            // A quoted pair may hold NUL (RFC 3261 s25.1, RFC 4475 s3.1.1.2).
            Some([0, ..]) if at == start || bytes.get(at - 1) != Some(&b'\\') => {
                return Err(ParseError::ControlByte);
            }
            _ => from = at + 1,
        }
    }
}

fn trim_start(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = value {
        value = rest;
    }
    value
}

fn trim_end(mut value: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t' | b'\r' | b'\n'] = value {
        value = rest;
    }
    value
}

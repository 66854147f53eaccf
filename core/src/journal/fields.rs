//! The fields of a line: written one after the other, and read back.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{Display, Write as _};
use core::str::FromStr;

use crate::path::{FlowId, Path, Transport};
use crate::time::Instant;

/// A line as it is put together.
pub(super) struct Line(String);

impl Line {
    /// A line about a moment.
    pub(super) fn at(now: Instant, kind: &str) -> Self {
        Self::new("").word(now.as_micros()).word(kind)
    }

    pub(super) fn new(kind: &str) -> Self {
        Self(String::from(kind))
    }

    pub(super) fn word(mut self, word: impl Display) -> Self {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        let _ = write!(self.0, "{word}"); // a String never fails
        self
    }

    pub(super) fn quoted(mut self, bytes: &[u8]) -> Self {
        self.0.push_str(" \"");
        for byte in bytes {
            match byte {
                b'\r' => self.0.push_str("\\r"),
                b'\n' => self.0.push_str("\\n"),
                b'\t' => self.0.push_str("\\t"),
                b'"' => self.0.push_str("\\\""),
                b'\\' => self.0.push_str("\\\\"),
                b' '..=b'~' => self.0.push(char::from(*byte)),
                other => {
                    let _ = write!(self.0, "\\x{other:02x}");
                }
            }
        }
        self.0.push('"');
        self
    }

    /// The field, or `-` for none.
    pub(super) fn maybe<T>(self, value: Option<T>, some: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => some(self, value),
            None => self.word('-'),
        }
    }

    pub(super) fn path(self, path: &Path) -> Self {
        let Path { transport, flow, local, remote } = path;
        self.word(transport_word(*transport)).word(flow.0).word(local).word(remote)
    }

    pub(super) fn end(mut self) -> String {
        self.0.push('\n');
        self.0
    }
}

pub(super) const fn transport_word(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
        Transport::Tls => "tls",
        Transport::Ws => "ws",
        Transport::Wss => "wss",
    }
}

/// A field as it stands in a line.
pub(super) enum Field<'t> {
    Word(&'t str),
    Quoted(Vec<u8>),
}

/// The fields of a line; `None` where a quote does not end or an escape is unknown.
pub(super) fn split(line: &str) -> Option<Vec<Field<'_>>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (bytes, after) = unquote(quoted)?;
            fields.push(Field::Quoted(bytes));
            rest = after;
        } else {
            let end = rest.find(' ').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            fields.push(Field::Word(word));
            rest = after;
        }
        match rest.strip_prefix(' ') {
            Some(after) => rest = after,
            None => return rest.is_empty().then_some(fields),
        }
    }
}

/// The bytes up to the closing quote, and what follows it.
fn unquote(text: &str) -> Option<(Vec<u8>, &str)> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    loop {
        match rest.next()? {
            b'"' => {
                let after = text.len() - rest.len();
                return Some((bytes, text.get(after..)?));
            }
            b'\\' => bytes.push(match rest.next()? {
                b'r' => b'\r',
                b'n' => b'\n',
                b't' => b'\t',
                b'x' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
                same @ (b'"' | b'\\') => same,
                _ => return None,
            }),
            byte => bytes.push(byte),
        }
    }
}

pub(super) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// Reads one field after the other.
pub(super) struct Fields<'f> {
    rest: core::slice::Iter<'f, Field<'f>>,
}

impl<'f> Fields<'f> {
    pub(super) fn new(fields: &'f [Field<'f>]) -> Self {
        Self { rest: fields.iter() }
    }

    pub(super) fn word(&mut self) -> Option<&'f str> {
        match self.rest.next()? {
            Field::Word(word) => Some(word),
            Field::Quoted(_) => None,
        }
    }

    pub(super) fn value<T: FromStr>(&mut self) -> Option<T> {
        self.word()?.parse().ok()
    }

    pub(super) fn bytes(&mut self) -> Option<&'f [u8]> {
        match self.rest.next()? {
            Field::Quoted(bytes) => Some(bytes),
            Field::Word(_) => None,
        }
    }

    pub(super) fn text(&mut self) -> Option<&'f str> {
        str::from_utf8(self.bytes()?).ok()
    }

    /// `None` within for a `-`, which is taken.
    pub(super) fn maybe<T>(
        &mut self,
        some: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<Option<T>> {
        if let Some(Field::Word("-")) = self.rest.as_slice().first() {
            self.rest.next();
            return Some(None);
        }
        some(self).map(Some)
    }

    pub(super) fn path(&mut self) -> Option<Path> {
        let transport = match self.word()? {
            "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            "tls" => Transport::Tls,
            "ws" => Transport::Ws,
            "wss" => Transport::Wss,
            _ => return None,
        };
        let flow = FlowId(self.value()?);
        Some(Path { transport, flow, local: self.value()?, remote: self.value()? })
    }

    /// `Some` at the end of the line only.
    pub(super) fn end(&self) -> Option<()> {
        self.rest.as_slice().is_empty().then_some(())
    }
}

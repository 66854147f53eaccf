//! The pieces of grammar that all headers share (RFC 3261 s25.1), as nom parsers over bytes.

use core::fmt;

use nom::Parser;
use nom::bytes::complete::{take_while, take_while1};
use nom::character::complete::char;
use nom::sequence::delimited;

/// Why a header value was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueError {
    /// The bytes break the grammar of the field.
    Syntax,
    /// A number is outside the range of its field.
    Range,
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "malformed value",
            Self::Range => "number out of range",
        })
    }
}

impl core::error::Error for ValueError {}

/// The content of a quoted string with its quoted pairs resolved, byte for byte.
///
/// Total: a backslash at the end yields itself. `value` may stand in quotes or not.
pub fn unquoted(value: &[u8]) -> Unquoted<'_> {
    Unquoted { rest: strip_quotes(value).unwrap_or(value) }
}

/// Iterator of [`unquoted`].
#[derive(Clone, Debug)]
pub struct Unquoted<'a> {
    rest: &'a [u8],
}

impl Iterator for Unquoted<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = match self.rest {
            [b'\\', escaped, rest @ ..] => (*escaped, rest),
            [byte, rest @ ..] => (*byte, rest),
            [] => return None,
        };
        self.rest = rest;
        Some(byte)
    }
}

pub(super) type Parsed<'a, T> = nom::IResult<&'a [u8], T, ()>;

impl From<nom::Err<()>> for ValueError {
    fn from(_: nom::Err<()>) -> Self {
        Self::Syntax
    }
}

/// `token`: one byte or more.
pub(super) fn token(input: &[u8]) -> Parsed<'_, &[u8]> {
    take_while1(is_token)(input)
}

/// Optional white space, folds included.
pub(super) fn lws(input: &[u8]) -> Parsed<'_, ()> {
    let mut rest = input;
    loop {
        rest = match rest {
            [b' ' | b'\t', rest @ ..]
            | [b'\r', b'\n', b' ' | b'\t', rest @ ..]
            | [b'\n', b' ' | b'\t', rest @ ..] => rest,
            _ => return Ok((rest, ())),
        };
    }
}

/// A separator with optional white space on both sides: SEMI, EQUAL, SLASH, COLON, COMMA.
pub(super) fn separator<'a>(separator: char) -> impl Parser<&'a [u8], Output = char, Error = ()> {
    delimited(lws, char(separator), lws)
}

/// `quoted-string` with its quotes. Raw control bytes are refused, other than tab and fold; a
/// quoted pair may hold any byte but CR and LF.
pub(super) fn quoted_string(input: &[u8]) -> Parsed<'_, &[u8]> {
    let refused = Err(nom::Err::Error(()));
    let Some(mut rest) = input.strip_prefix(b"\"") else { return refused };
    loop {
        rest = match rest {
            [b'"', rest @ ..] => return Ok((rest, before(input, rest))),
            [byte, rest @ ..] if is_quotable(*byte) => rest,
            [b'\\', b'\r' | b'\n', ..] => return refused,
            [b'\\', _, rest @ ..]
            | [b'\r', b'\n', b' ' | b'\t', rest @ ..]
            | [b'\n', b' ' | b'\t', rest @ ..] => rest,
            _ => return refused,
        };
    }
}

/// What a parameter may hold unquoted: token, host, and whatever else peers send that cannot be
/// mistaken for a delimiter.
pub(super) fn plain_value(input: &[u8]) -> Parsed<'_, &[u8]> {
    take_while1(is_plain)(input)
}

/// Digits, read with a bound: more than `maximum` is [`ValueError::Range`], whatever its length.
pub(super) fn number(digits: &[u8], maximum: u64) -> Result<u64, ValueError> {
    if digits.is_empty() {
        return Err(ValueError::Syntax);
    }
    let mut value = Some(0_u64);
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(ValueError::Syntax);
        }
        let shifted = value.and_then(|value| value.checked_mul(10));
        value = shifted.and_then(|value| value.checked_add(u64::from(digit - b'0')));
    }
    value.filter(|value| *value <= maximum).ok_or(ValueError::Range)
}

/// Digits at the start of the input.
pub(super) fn digits(input: &[u8]) -> Parsed<'_, &[u8]> {
    take_while1(|byte: u8| byte.is_ascii_digit())(input)
}

/// As many bytes as `class` allows, perhaps none.
pub(super) fn run(input: &[u8], class: fn(u8) -> bool) -> (&[u8], &[u8]) {
    match take_while::<_, _, ()>(class)(input) {
        Ok((rest, taken)) => (taken, rest),
        Err(_) => (&[], input),
    }
}

/// The value without white space and folds around it.
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t' | b'\r' | b'\n'] = value {
        value = rest;
    }
    value
}

/// What stands between the quotes, when the value is a quoted string.
pub(super) fn strip_quotes(value: &[u8]) -> Option<&[u8]> {
    match value {
        [b'"', content @ .., b'"'] => Some(content),
        _ => None,
    }
}

/// `part` as a slice of what came before `rest` in `whole`, where `rest` ends `whole`.
pub(super) fn before<'a>(whole: &'a [u8], rest: &[u8]) -> &'a [u8] {
    whole.get(..whole.len().saturating_sub(rest.len())).unwrap_or(whole)
}

pub(super) fn is_token(byte: u8) -> bool {
    class(byte) & TOKEN != 0
}

/// Bytes of a user part that need no escape: unreserved, user-unreserved.
pub(super) fn is_user(byte: u8) -> bool {
    class(byte) & USER != 0
}

/// Bytes of URI parameters that need no escape, delimiters included. More than the grammar has,
/// but for `@` and `,`, which readers of other URIs take for delimiters.
pub(super) fn is_uri_param(byte: u8) -> bool {
    class(byte) & URI_PARAM != 0
}

/// The same of the headers of a URI.
pub(super) fn is_uri_header(byte: u8) -> bool {
    class(byte) & URI_PARAM != 0 && byte != b';'
}

/// Bytes of a URI that are neither control, space, quote nor angle bracket.
pub(super) const fn is_uri(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f && !matches!(byte, b'"' | b'<' | b'>')
}

/// Bytes of a host name. The underscore is no host name character, but peers have it.
pub(super) fn is_host(byte: u8) -> bool {
    class(byte) & HOST != 0
}

fn is_plain(byte: u8) -> bool {
    class(byte) & PLAIN != 0
}

fn is_quotable(byte: u8) -> bool {
    class(byte) & QUOTABLE != 0
}

fn class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

const TOKEN: u8 = 1;
const USER: u8 = 2;
const HOST: u8 = 4;
const PLAIN: u8 = 8;
const URI_PARAM: u8 = 16;
const QUOTABLE: u8 = 32;

static CLASSES: [u8; 256] = classes();

// The loop runs in the compiler, where a wrong index is a build error.
#[allow(clippy::indexing_slicing)]
const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        let alphanumeric = byte.is_ascii_alphanumeric();
        if alphanumeric
            || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
        {
            table[at] |= TOKEN;
        }
        if alphanumeric
            || matches!(byte, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')')
            || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/')
        {
            table[at] |= USER;
        }
        if alphanumeric || matches!(byte, b'-' | b'.' | b'_') {
            table[at] |= HOST;
        }
        if byte > b' ' && byte != 0x7f && !matches!(byte, b';' | b',' | b'"' | b'<' | b'>') {
            table[at] |= PLAIN;
        }
        if (byte >= b' ' && !matches!(byte, b'"' | b'\\' | 0x7f)) || byte == b'\t' {
            table[at] |= QUOTABLE;
        }
        if is_uri(byte) && !matches!(byte, b'@' | b',' | b'%') {
            table[at] |= URI_PARAM;
        }
        at += 1;
    }
    table
}

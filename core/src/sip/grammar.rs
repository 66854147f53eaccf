//! The pieces of grammar that all headers share (RFC 3261 s25.1), as nom parsers over bytes.

use core::fmt;

use nom::Parser;
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
    some(input, TOKEN)
}

/// Optional white space, folds included.
#[inline]
pub(super) fn lws(input: &[u8]) -> Parsed<'_, ()> {
    match input {
        [] => Ok((input, ())),
        [first, ..] if *first > b' ' => Ok((input, ())),
        _ => Ok((after_lws(input), ())),
    }
}

#[inline(never)]
fn after_lws(input: &[u8]) -> &[u8] {
    let mut rest = input;
    loop {
        rest = match rest {
            [b' ' | b'\t', rest @ ..]
            | [b'\r', b'\n', b' ' | b'\t', rest @ ..]
            | [b'\n', b' ' | b'\t', rest @ ..] => rest,
            _ => return rest,
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
        rest = match leading(rest, QUOTABLE).1 {
            [b'"', rest @ ..] => return Ok((rest, before(input, rest))),
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
    // Tags and branches are long: eight bytes a step take half the time.
    let (chunks, _) = input.as_chunks::<8>();
    let common = |chunk: &[u8; 8]| chunk.iter().fold(PLAIN, |all, byte| all & classes(*byte));
    let whole = chunks.iter().take_while(|chunk| common(chunk) != 0).count() * 8;
    let (_, rest) = leading(input.get(whole..).unwrap_or_default(), PLAIN);
    match before(input, rest) {
        [] => Err(nom::Err::Error(())),
        value => Ok((rest, value)),
    }
}

/// Digits, read with a bound: more than `maximum` is [`ValueError::Range`], whatever its length.
pub(super) fn number(digits: &[u8], maximum: u64) -> Result<u64, ValueError> {
    if digits.is_empty() {
        return Err(ValueError::Syntax);
    }
    let mut value: u64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(ValueError::Syntax);
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
    }
    // Of 19 digits none overflows 64 bits; no field of SIP has numbers with more.
    let zeros = || digits.iter().take_while(|digit| **digit == b'0').count();
    let fits = digits.len() <= 19 || digits.len() - zeros() <= 19;
    if fits && value <= maximum { Ok(value) } else { Err(ValueError::Range) }
}

/// Digits at the start of the input.
pub(super) fn digits(input: &[u8]) -> Parsed<'_, &[u8]> {
    some(input, DIGIT)
}

/// The leading bytes of these classes, at least one.
fn some(input: &[u8], classes: u8) -> Parsed<'_, &[u8]> {
    match leading(input, classes) {
        ([], _) => Err(nom::Err::Error(())),
        (taken, rest) => Ok((rest, taken)),
    }
}

/// The leading bytes of one class, perhaps none, and what follows them.
#[inline]
pub(super) fn leading(input: &[u8], class: u8) -> (&[u8], &[u8]) {
    let len = input.iter().position(|byte| classes(*byte) & class == 0).unwrap_or(input.len());
    input.split_at_checked(len).unwrap_or((input, &[]))
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

/// Whether there is neither white space nor a control byte in it.
pub(super) fn is_visible(text: &[u8]) -> bool {
    // Without a branch a byte, so that it compiles to vector instructions where there are any.
    let count = |hidden: usize, byte: &u8| hidden + usize::from(*byte <= b' ' || *byte == 0x7f);
    let (chunks, rest) = text.as_chunks::<16>();
    let hidden = |part: &[u8]| part.iter().fold(0, count) > 0;
    !chunks.iter().any(|chunk| hidden(chunk)) && !hidden(rest)
}

pub(super) fn is_token(byte: u8) -> bool {
    classes(byte) & TOKEN != 0
}

/// Bytes of a URI that are neither control, space, quote nor angle bracket.
pub(super) const fn is_uri(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f && !matches!(byte, b'"' | b'<' | b'>')
}

fn classes(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Bytes of a token.
pub(super) const TOKEN: u8 = 1;
/// Bytes of a user part that need no escape: unreserved, user-unreserved.
pub(super) const USER: u8 = 2;
/// Bytes of a host name. The underscore is no host name character, but peers have it.
pub(super) const HOST: u8 = 4;
/// Bytes of an unquoted parameter value.
const PLAIN: u8 = 8;
/// Bytes of URI parameters that need no escape, delimiters included. More than the grammar has,
/// but for `@` and `,`, which some readers take for delimiters.
pub(super) const URI_PARAM: u8 = 16;
/// The same of the headers of a URI.
pub(super) const URI_HEADER: u8 = 32;
/// Bytes of a quoted string that stand for themselves.
const QUOTABLE: u8 = 64;
/// Decimal digits.
pub(super) const DIGIT: u8 = 128;

static CLASSES: [u8; 256] = class_table();

// The loop runs in the compiler, where a wrong index is a build error.
#[allow(clippy::indexing_slicing)]
const fn class_table() -> [u8; 256] {
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
            table[at] |= match byte {
                b';' => URI_PARAM,
                b'?' => URI_HEADER,
                _ => URI_PARAM | URI_HEADER,
            };
        }
        if byte.is_ascii_digit() {
            table[at] |= DIGIT;
        }
        at += 1;
    }
    table
}

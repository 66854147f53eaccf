//! The pieces of grammar that all headers share (RFC 3261 s25.1), each a function from the input to
//! what follows and what was read.
//!
//! What every message has is read by these loops; rarer forms are put together from them by nom
//! (see [`by`]), which costs several times the instructions.

use core::fmt;

/// Why a header value was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)] // With one byte, the compiler moves the value of a `Result` byte by byte around it.
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

/// What follows, and what was read.
pub(super) type Parsed<'a, T> = Result<(&'a [u8], T), ValueError>;

/// One of these functions as a parser of nom's.
pub(super) fn by<'a, T>(
    mut parse: impl FnMut(&'a [u8]) -> Parsed<'a, T>,
) -> impl nom::Parser<&'a [u8], Output = T, Error = ValueError> {
    move |input| parse(input).map_err(nom::Err::Error)
}

impl<'a> nom::error::ParseError<&'a [u8]> for ValueError {
    fn from_error_kind(_: &'a [u8], _: nom::error::ErrorKind) -> Self {
        Self::Syntax
    }

    fn append(_: &'a [u8], _: nom::error::ErrorKind, first: Self) -> Self {
        first
    }
}

impl From<nom::Err<Self>> for ValueError {
    fn from(error: nom::Err<Self>) -> Self {
        match error {
            nom::Err::Error(error) | nom::Err::Failure(error) => error,
            nom::Err::Incomplete(_) => Self::Syntax,
        }
    }
}

/// A stretch of a text, by its first byte and the one behind its last. Two bytes a position keep
/// the typed values small, since they are moved a lot. What begins at 0 is not there at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Part {
    start: u16,
    end: u16,
}

impl Part {
    pub(super) const NONE: Self = Self { start: 0, end: 0 };

    /// Where `part`, a slice of `whole`, stands in it.
    pub(super) fn within(whole: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
        Self { start: start as u16, end: (start + part.len()) as u16 }
    }

    pub(super) fn of(self, whole: &[u8]) -> Option<&[u8]> {
        if self.start == 0 { None } else { whole.get(self.start.into()..self.end.into()) }
    }

    pub(super) fn is_there(self) -> bool {
        self.start != 0
    }

    pub(super) fn end(self) -> usize {
        self.end.into()
    }
}

/// Whether all of its positions fit in a [`Part`].
pub(super) fn require_short(whole: &[u8]) -> Result<(), ValueError> {
    if whole.len() <= usize::from(u16::MAX) { Ok(()) } else { Err(ValueError::Syntax) }
}

/// `token`: one byte or more.
pub(super) fn token(input: &[u8]) -> Parsed<'_, &[u8]> {
    some(input, TOKEN)
}

/// What follows optional white space, folds included.
#[inline(always)]
pub(super) fn lws(input: &[u8]) -> &[u8] {
    match input {
        [first, ..] if *first <= b' ' => after_lws(input),
        _ => input,
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

/// What follows a separator with optional white space on both sides: SEMI, EQUAL, SLASH, COLON,
/// COMMA.
pub(super) fn separator(separator: u8, input: &[u8]) -> Result<&[u8], ValueError> {
    match lws(input).split_first() {
        Some((first, rest)) if *first == separator => Ok(lws(rest)),
        _ => Err(ValueError::Syntax),
    }
}

/// `quoted-string` with its quotes. Raw control bytes are refused, other than tab and fold; a
/// quoted pair may hold any byte but CR and LF.
pub(super) fn quoted_string(input: &[u8]) -> Parsed<'_, &[u8]> {
    let [b'"', rest @ ..] = input else { return Err(ValueError::Syntax) };
    let mut rest = rest;
    loop {
        rest = match rest.get(leading_len(rest, QUOTABLE)..).unwrap_or_default() {
            [b'"', rest @ ..] => return Ok((rest, before(input, rest))),
            [b'\\', b'\r' | b'\n', ..] => return Err(ValueError::Syntax),
            [b'\\', _, rest @ ..]
            | [b'\r', b'\n', b' ' | b'\t', rest @ ..]
            | [b'\n', b' ' | b'\t', rest @ ..] => rest,
            _ => return Err(ValueError::Syntax),
        };
    }
}

/// What a parameter may hold unquoted: token, host, and whatever else peers send that cannot be
/// mistaken for a delimiter.
pub(super) fn plain_value(input: &[u8]) -> Parsed<'_, &[u8]> {
    some(input, PLAIN)
}

/// What a parameter of a challenge may hold unquoted: all that is visible but comma and quote.
pub(super) fn auth_value(input: &[u8]) -> Parsed<'_, &[u8]> {
    let is_value = |byte: &u8| *byte > b' ' && !matches!(byte, b',' | b'"' | 0x7f);
    let len = input.iter().position(|byte| !is_value(byte)).unwrap_or(input.len());
    match input.split_at_checked(len) {
        Some((value @ [_, ..], rest)) => Ok((rest, value)),
        _ => Err(ValueError::Syntax),
    }
}

/// Digits, read with a bound: more than `maximum` is [`ValueError::Range`], whatever its length.
pub(super) fn number(digits: &[u8], maximum: u32) -> Result<u32, ValueError> {
    if digits.is_empty() {
        return Err(ValueError::Syntax);
    }
    let mut value: u64 = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return Err(ValueError::Syntax);
        }
        // What is too large stays so.
        if value <= u64::from(maximum) {
            value = value * 10 + u64::from(digit);
        }
    }
    if value <= u64::from(maximum) { Ok(value as u32) } else { Err(ValueError::Range) }
}

/// Digits at the start of the input.
pub(super) fn digits(input: &[u8]) -> Parsed<'_, &[u8]> {
    let len = input.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match input.split_at_checked(len) {
        Some((digits @ [_, ..], rest)) => Ok((rest, digits)),
        _ => Err(ValueError::Syntax),
    }
}

/// The leading bytes of this class, at least one.
#[inline(always)]
fn some(input: &[u8], class: u8) -> Parsed<'_, &[u8]> {
    match input.split_at_checked(leading_len(input, class)) {
        Some((taken @ [_, ..], rest)) => Ok((rest, taken)),
        _ => Err(ValueError::Syntax),
    }
}

/// The leading bytes of one class, perhaps none, and what follows them.
#[inline]
pub(super) fn leading(input: &[u8], class: u8) -> (&[u8], &[u8]) {
    let len = leading_len(input, class);
    (input.get(..len).unwrap_or_default(), input.get(len..).unwrap_or_default())
}

/// How many bytes of one class the input begins with.
#[inline(never)]
pub(super) fn leading_len(input: &[u8], class: u8) -> usize {
    let outside = |byte: &u8| classes(*byte) & class == 0;
    // Four bytes a step: tags and branches are long.
    let (chunks, rest) = input.as_chunks::<4>();
    let mut len = 0;
    for [a, b, c, d] in chunks {
        if outside(a) {
            return len;
        }
        if outside(b) {
            return len + 1;
        }
        if outside(c) {
            return len + 2;
        }
        if outside(d) {
            return len + 3;
        }
        len += 4;
    }
    for byte in rest {
        if outside(byte) {
            break;
        }
        len += 1;
    }
    len
}

/// Whether a token is this one, whose letters are small, in any case.
pub(super) fn is(token: &[u8], small: &[u8]) -> bool {
    // Setting the one bit makes letters small and changes no other byte that a token may have.
    token.len() == small.len() && token.iter().zip(small).all(|(byte, small)| byte | 0x20 == *small)
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

pub(crate) fn is_token(byte: u8) -> bool {
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
/// What is visible, but for the comma: the bytes of a Call-ID.
pub(super) const OPAQUE: u8 = 128;

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
        if byte > b' ' && !matches!(byte, b',' | 0x7f) {
            table[at] |= OPAQUE;
        }
        at += 1;
    }
    table
}

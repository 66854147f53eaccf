//! URIs: sip, sips and tel in parts, any other scheme as a whole (RFC 3261 s19.1, RFC 3966).

use super::grammar::{URI_HEADER, URI_PARAM, USER, ValueError, before, is_uri, leading};
use super::host::{Host, host, port};
use super::params::Params;
use super::via::TransportName;
use crate::limits::URI_PARAMS_COMPARED_MAX;

/// A URI, borrowed. Escapes stay as they came; [`unescaped`] resolves them.
#[derive(Clone, Copy, Debug)]
pub struct Uri<'a> {
    raw: &'a [u8],
    scheme: Scheme<'a>,
    user: Option<&'a [u8]>,
    password: Option<&'a [u8]>,
    host: Option<Host<'a>>,
    port: Option<u16>,
    params: &'a [u8],
    headers: Option<&'a [u8]>,
}

/// The scheme of a URI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme<'a> {
    /// `sip`
    Sip,
    /// `sips`
    Sips,
    /// `tel`
    Tel,
    /// Any other, as it came.
    Other(&'a [u8]),
}

impl<'a> Uri<'a> {
    /// Reads a URI that stands alone: no angle brackets, no white space.
    ///
    /// Of schemes other than sip, sips and tel only the characters are checked.
    pub fn parse(raw: &'a [u8]) -> Result<Self, ValueError> {
        let (scheme, rest) = split_scheme(raw).ok_or(ValueError::Syntax)?;
        let mut uri = Self {
            raw,
            scheme,
            user: None,
            password: None,
            host: None,
            port: None,
            params: &[],
            headers: None,
        };
        match scheme {
            Scheme::Sip | Scheme::Sips => uri.read_sip(rest)?,
            Scheme::Tel => uri.read_tel(rest)?,
            Scheme::Other(_) if !rest.is_empty() && rest.iter().all(|byte| is_uri(*byte)) => {}
            Scheme::Other(_) => return Err(ValueError::Syntax),
        }
        Ok(uri)
    }

    /// The bytes as they came.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme<'a> {
        self.scheme
    }

    /// The user part, escaped; of a tel URI the number.
    pub fn user(&self) -> Option<&'a [u8]> {
        self.user
    }

    /// The password, escaped.
    pub fn password(&self) -> Option<&'a [u8]> {
        self.password
    }

    /// The host; sip and sips always have one.
    pub fn host(&self) -> Option<Host<'a>> {
        self.host
    }

    /// The port, where one is written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The URI's own parameters, escaped.
    pub fn params(&self) -> Params<'a> {
        Params::of_uri(self.params)
    }

    /// The value of a parameter, in any case; empty for one without a value.
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.params().value_of(name)
    }

    /// The part after the question mark: headers for a request made from this URI, escaped.
    pub fn headers(&self) -> Option<&'a [u8]> {
        self.headers
    }

    /// The value of the header of this name in [`Uri::headers`], in any case, escaped; a Refer-To
    /// carries its Replaces so (RFC 3891 s4).
    pub fn header(&self, name: &[u8]) -> Option<&'a [u8]> {
        let fields = self.headers?.split(|byte| *byte == b'&');
        let mut pairs = fields.map(split_field);
        pairs.find(|(known, _)| same_text(known, name)).map(|(_, value)| value)
    }

    /// The `transport` parameter.
    pub fn transport(&self) -> Option<TransportName<'a>> {
        self.param(b"transport").map(TransportName::parse)
    }

    /// Whether the URI has `lr`: a loose router (RFC 3261 s19.1.1).
    pub fn lr(&self) -> bool {
        self.param(b"lr").is_some()
    }

    /// The `maddr` parameter.
    pub fn maddr(&self) -> Option<Host<'a>> {
        self.param(b"maddr").map(Host::unchecked)
    }

    /// Whether the scheme is sip or sips.
    pub fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// Whether both are equivalent (RFC 3261 s19.1.4; tel by RFC 3966 s4; others byte for byte).
    ///
    /// More than [`URI_PARAMS_COMPARED_MAX`] parameters or headers in one of them are never equal.
    pub fn equivalent(&self, other: &Uri<'_>) -> bool {
        if self.raw == other.raw {
            return true; // also where there are more parameters than are compared
        }
        match (self.scheme, other.scheme) {
            (Scheme::Sip, Scheme::Sip) | (Scheme::Sips, Scheme::Sips) => self.equals_sip(other),
            (Scheme::Tel, Scheme::Tel) => {
                same_number(self.user.unwrap_or_default(), other.user.unwrap_or_default())
                    && params_match(self, other, |_| true)
            }
            (Scheme::Other(_), Scheme::Other(_)) => self.raw == other.raw,
            _ => false,
        }
    }

    fn equals_sip(&self, other: &Uri<'_>) -> bool {
        let same_host = match (self.host, other.host) {
            (Some(ours), Some(theirs)) => ours.matches(&theirs),
            _ => false,
        };
        // These matter even when only one side has them; all other parameters then do not.
        let decisive = |name: &[u8]| {
            [&b"user"[..], b"ttl", b"method", b"maddr", b"transport"]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
        };
        same_host
            && self.port == other.port
            && same_part(self.user, other.user)
            && same_part(self.password, other.password)
            && params_match(self, other, decisive)
            && headers_match(self.headers, other.headers)
    }

    fn read_sip(&mut self, rest: &'a [u8]) -> Result<(), ValueError> {
        let mut rest = rest;
        if let Some(at) = memchr::memchr(b'@', rest) {
            let userinfo = rest.get(..at).unwrap_or_default();
            rest = rest.get(at + 1..).unwrap_or_default();
            let after_user = after_escaped(userinfo, USER);
            self.user = Some(before(userinfo, after_user));
            self.password = match after_user {
                [] => None,
                [b':', password @ ..] if after_escaped(password, USER).is_empty() => Some(password),
                _ => return Err(ValueError::Syntax),
            };
            if self.user == Some(&[]) {
                return Err(ValueError::Syntax);
            }
        }
        let (mut rest, host) = host(rest)?;
        self.host = Some(host);
        if let [b':', after @ ..] = rest {
            let (after, port) = port(after)?;
            self.port = Some(port);
            rest = after;
        }
        self.read_params_and_headers(rest)
    }

    fn read_tel(&mut self, rest: &'a [u8]) -> Result<(), ValueError> {
        let is_digit = |byte: u8| {
            byte.is_ascii_hexdigit() || matches!(byte, b'+' | b'*' | b'#') || is_separator(byte)
        };
        let len = rest.iter().position(|byte| !is_digit(*byte)).unwrap_or(rest.len());
        let (number, rest) = rest.split_at_checked(len).ok_or(ValueError::Syntax)?;
        if number.iter().all(|byte| is_separator(*byte)) {
            return Err(ValueError::Syntax);
        }
        self.user = Some(number);
        self.read_params_and_headers(rest)
    }

    fn read_params_and_headers(&mut self, rest: &'a [u8]) -> Result<(), ValueError> {
        if let [b';', ..] = rest {
            let after = after_escaped(rest, URI_PARAM);
            self.params = before(rest, after);
            if !are_named(self.params) {
                return Err(ValueError::Syntax);
            }
        }
        match rest.get(self.params.len()..).unwrap_or_default() {
            [] => Ok(()),
            [b'?', headers @ ..]
                if !headers.is_empty() && after_escaped(headers, URI_HEADER).is_empty() =>
            {
                self.headers = Some(headers);
                Ok(())
            }
            _ => Err(ValueError::Syntax),
        }
    }
}

/// The bytes of an escaped part with `%HH` resolved. Total: a `%` without two hex digits is itself.
pub fn unescaped(part: &[u8]) -> Unescaped<'_> {
    Unescaped { rest: part }
}

/// Iterator of [`unescaped`].
#[derive(Clone, Debug)]
pub struct Unescaped<'a> {
    rest: &'a [u8],
}

impl Iterator for Unescaped<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if let [b'%', high, low, rest @ ..] = self.rest
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            self.rest = rest;
            return Some(high << 4 | low);
        }
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }
}

fn split_scheme(raw: &[u8]) -> Option<(Scheme<'_>, &[u8])> {
    match raw {
        [b's' | b'S', b'i' | b'I', b'p' | b'P', b':', rest @ ..] => {
            return Some((Scheme::Sip, rest));
        }
        [b's' | b'S', b'i' | b'I', b'p' | b'P', b's' | b'S', b':', rest @ ..] => {
            return Some((Scheme::Sips, rest));
        }
        [b't' | b'T', b'e' | b'E', b'l' | b'L', b':', rest @ ..] => {
            return Some((Scheme::Tel, rest));
        }
        _ => {}
    }
    let colon = memchr::memchr(b':', raw)?;
    let (scheme, rest) = (raw.get(..colon)?, raw.get(colon + 1..)?);
    let is_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let named = scheme.first()?.is_ascii_alphabetic() && scheme.iter().all(is_scheme);
    named.then_some((Scheme::Other(scheme), rest))
}

/// What follows the leading bytes of this class and escapes of two hex digits.
fn after_escaped(part: &[u8], class: u8) -> &[u8] {
    let mut rest = part;
    loop {
        rest = match leading(rest, class).1 {
            [b'%', high, low, rest @ ..] if hex(*high).is_some() && hex(*low).is_some() => rest,
            rest => return rest,
        };
    }
}

/// Whether a name stands behind each semicolon.
fn are_named(params: &[u8]) -> bool {
    let mut rest = params;
    while let [b';', after @ ..] = rest {
        if matches!(after, [] | [b';' | b'=', ..]) {
            return false;
        }
        let len = after.iter().position(|byte| *byte == b';').unwrap_or(after.len());
        rest = after.get(len..).unwrap_or_default();
    }
    true
}

fn same_part(ours: Option<&[u8]>, theirs: Option<&[u8]>) -> bool {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => unescaped(ours).eq(unescaped(theirs)),
        (None, None) => true,
        _ => false,
    }
}

fn same_text(ours: &[u8], theirs: &[u8]) -> bool {
    let lower = |part| unescaped(part).map(|byte: u8| byte.to_ascii_lowercase());
    lower(ours).eq(lower(theirs))
}

fn same_number(ours: &[u8], theirs: &[u8]) -> bool {
    let digits = |part: &[u8]| {
        let kept = part.iter().filter(|byte| !is_separator(**byte));
        kept.map(u8::to_ascii_lowercase).collect::<heapless::Vec<u8, 64>>()
    };
    ours.len() <= 64 && theirs.len() <= 64 && digits(ours) == digits(theirs)
}

fn params_match(ours: &Uri<'_>, theirs: &Uri<'_>, decisive: impl Fn(&[u8]) -> bool) -> bool {
    // A name may stand only once (RFC 3261 s19.1.1); where it does not, one equal value is enough.
    let one_way = |from: &Uri<'_>, to: &Uri<'_>| {
        from.params().all(|(name, value)| {
            let value = value.unwrap_or_default();
            let mut namesakes = to.params().filter(|(other, _)| same_text(name, other)).peekable();
            match namesakes.peek() {
                Some(_) => namesakes.any(|(_, other)| same_text(value, other.unwrap_or_default())),
                None => !decisive(name),
            }
        })
    };
    let few = |uri: &Uri<'_>| uri.params().nth(URI_PARAMS_COMPARED_MAX).is_none();
    few(ours) && few(theirs) && one_way(ours, theirs) && one_way(theirs, ours)
}

/// Header components are never ignored; their order does not matter.
fn headers_match(ours: Option<&[u8]>, theirs: Option<&[u8]>) -> bool {
    let (ours, theirs) = match (ours, theirs) {
        (None, None) => return true,
        (Some(ours), Some(theirs)) => (ours, theirs),
        _ => return false,
    };
    fn fields(headers: &[u8]) -> impl Iterator<Item = &[u8]> {
        headers.split(|byte| *byte == b'&')
    }
    let few = |headers| fields(headers).nth(URI_PARAMS_COMPARED_MAX).is_none();
    let one_way =
        |from, to| fields(from).all(|field| fields(to).any(|other| same_header(field, other)));
    few(ours)
        && few(theirs)
        && fields(ours).count() == fields(theirs).count()
        && one_way(ours, theirs)
        && one_way(theirs, ours)
}

/// Names compare without case, values with it.
fn same_header(ours: &[u8], theirs: &[u8]) -> bool {
    let ((our_name, our_value), (their_name, their_value)) =
        (split_field(ours), split_field(theirs));
    same_text(our_name, their_name) && unescaped(our_value).eq(unescaped(their_value))
}

fn split_field(field: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'=', field) {
        Some(at) => (field.get(..at).unwrap_or_default(), field.get(at + 1..).unwrap_or_default()),
        None => (field, &[]),
    }
}

/// Visual separators of a telephone number (RFC 3966 s3).
fn is_separator(byte: u8) -> bool {
    matches!(byte, b'-' | b'.' | b'(' | b')')
}

fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

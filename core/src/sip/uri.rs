//! URIs: sip, sips and tel in parts, any other scheme as a whole (RFC 3261 s19.1, RFC 3966).

use super::grammar::require_short;
use super::grammar::{Part, URI_HEADER, URI_PARAM, USER, ValueError, before, is_uri, leading};
use super::host::{Host, host, port};
use super::params::Params;
use super::via::TransportName;
use crate::bytes::cut;
use crate::limits::URI_PARAMS_COMPARED_MAX;
use crate::scan::find;

/// A URI, borrowed. Escapes stay as they came; [`unescaped`] resolves them.
#[derive(Clone, Copy, Debug)]
pub struct Uri<'a> {
    raw: &'a [u8],
    user: Part,
    password: Part,
    host: Part,
    params: Part,
    headers: Part,
    // what the host is followed by
    port: u16,
    scheme: u16,
}

// Which scheme it is. Numbers rather than an `enum`: the compiler would put the discriminant of a
// `Result` into its one byte, and then move the other bytes of a URI one by one.
const SIP: u16 = 0;
const SIPS: u16 = 1;
const TEL: u16 = 2;
const OTHER: u16 = 3;

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
    /// Of schemes other than sip, sips and tel only the characters are checked. Of more than 65,535
    /// bytes it is refused.
    pub fn parse(raw: &'a [u8]) -> Result<Self, ValueError> {
        require_short(raw)?;
        let (scheme, rest) = split_scheme(raw).ok_or(ValueError::Syntax)?;
        let (user, password, host, params, headers) = Default::default();
        let mut uri = Self { raw, user, password, host, params, headers, port: 0, scheme };
        match scheme {
            SIP | SIPS => uri.read_sip(rest)?,
            TEL => uri.read_tel(rest)?,
            _ if !rest.is_empty() && rest.iter().all(|byte| is_uri(*byte)) => {}
            _ => return Err(ValueError::Syntax),
        }
        Ok(uri)
    }

    /// The bytes as they came.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme<'a> {
        match self.scheme {
            SIP => Scheme::Sip,
            SIPS => Scheme::Sips,
            TEL => Scheme::Tel,
            _ => Scheme::Other(cut(self.raw, b':').0),
        }
    }

    /// The user part, escaped; of a tel URI the number.
    pub fn user(&self) -> Option<&'a [u8]> {
        self.user.of(self.raw)
    }

    /// The password, escaped.
    pub fn password(&self) -> Option<&'a [u8]> {
        self.password.of(self.raw)
    }

    /// The host; sip and sips always have one.
    pub fn host(&self) -> Option<Host<'a>> {
        self.host.of(self.raw).map(Host::unchecked)
    }

    /// The port, where one is written.
    pub fn port(&self) -> Option<u16> {
        let behind_host = self.raw.get(self.host.end());
        (self.host.is_there() && behind_host == Some(&b':')).then_some(self.port)
    }

    /// The URI's own parameters, escaped.
    pub fn params(&self) -> Params<'a> {
        Params::of_uri(self.params.of(self.raw).unwrap_or_default())
    }

    /// The value of a parameter, in any case; empty for one without a value.
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.params().value_of(name)
    }

    /// The part after the question mark: headers for a request made from this URI, escaped.
    pub fn headers(&self) -> Option<&'a [u8]> {
        self.headers.of(self.raw)
    }

    /// The value of the header of this name in [`Uri::headers`], in any case, escaped; a Refer-To
    /// carries its Replaces so (RFC 3891 s4).
    pub fn header(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.header_fields().find(|(known, _)| same(known, name, true)).map(|(_, value)| value)
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
        self.scheme <= SIPS
    }

    /// Whether both are equivalent (RFC 3261 s19.1.4; tel by RFC 3966 s4; others byte for byte).
    ///
    /// More than [`URI_PARAMS_COMPARED_MAX`] parameters or headers in one of them are never equal.
    pub fn equivalent(&self, other: &Uri<'_>) -> bool {
        if self.raw == other.raw {
            return true; // also where there are more parameters than are compared
        }
        match self.scheme {
            _ if self.scheme != other.scheme => false,
            SIP | SIPS => self.equals_sip(other),
            TEL => {
                same_number(self.user().unwrap_or_default(), other.user().unwrap_or_default())
                    && self.param_fields().match_all(&other.param_fields(), true, |_| true)
            }
            _ => false, // others byte for byte, which they were not
        }
    }

    fn equals_sip(&self, other: &Uri<'_>) -> bool {
        let same_host = match (self.host(), other.host()) {
            (Some(ours), Some(theirs)) => ours.matches(&theirs),
            _ => false,
        };
        same_host
            && self.port() == other.port()
            && same_part(self.user(), other.user())
            && same_part(self.password(), other.password())
            && self.param_fields().match_all(&other.param_fields(), true, is_decisive)
            && self.header_fields().match_all(&other.header_fields(), false, |_| true)
            && self.header_fields().count() == other.header_fields().count()
    }

    fn param_fields(&self) -> Fields<'a> {
        let params = self.params.of(self.raw);
        Fields { rest: params.and_then(|params| params.get(1..)), separator: b';' }
    }

    fn header_fields(&self) -> Fields<'a> {
        Fields { rest: self.headers(), separator: b'&' }
    }

    fn read_sip(&mut self, rest: &'a [u8]) -> Result<(), ValueError> {
        let mut rest = rest;
        if let Some(at) = find(b'@', rest) {
            let userinfo = rest.get(..at).unwrap_or_default();
            rest = rest.get(at + 1..).unwrap_or_default();
            let after_user = after_escaped(userinfo, USER);
            let user = before(userinfo, after_user);
            self.user = self.part(user);
            match after_user {
                [] => {}
                [b':', password @ ..] if after_escaped(password, USER).is_empty() => {
                    self.password = self.part(password);
                }
                _ => return Err(ValueError::Syntax),
            }
            if user.is_empty() {
                return Err(ValueError::Syntax);
            }
        }
        let (mut rest, host) = host(rest)?;
        self.host = self.part(host.as_bytes());
        if let [b':', after @ ..] = rest {
            (rest, self.port) = port(after)?;
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
        self.user = self.part(number);
        self.read_params_and_headers(rest)
    }

    fn read_params_and_headers(&mut self, rest: &'a [u8]) -> Result<(), ValueError> {
        let mut rest = rest;
        if let [b';', ..] = rest {
            let after = after_escaped(rest, URI_PARAM);
            let params = before(rest, after);
            if !are_named(params) {
                return Err(ValueError::Syntax);
            }
            self.params = self.part(params);
            rest = after;
        }
        match rest {
            [] => Ok(()),
            [b'?', headers @ ..]
                if !headers.is_empty() && after_escaped(headers, URI_HEADER).is_empty() =>
            {
                self.headers = self.part(headers);
                Ok(())
            }
            _ => Err(ValueError::Syntax),
        }
    }

    /// Of a slice of the URI, none of which begins it.
    fn part(&self, part: &[u8]) -> Part {
        Part::within(self.raw, part)
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

fn split_scheme(raw: &[u8]) -> Option<(u16, &[u8])> {
    match raw {
        [b's' | b'S', b'i' | b'I', b'p' | b'P', rest @ ..] => match rest {
            [b':', rest @ ..] => return Some((SIP, rest)),
            [b's' | b'S', b':', rest @ ..] => return Some((SIPS, rest)),
            _ => {}
        },
        [b't' | b'T', b'e' | b'E', b'l' | b'L', b':', rest @ ..] => return Some((TEL, rest)),
        _ => {}
    }
    let colon = find(b':', raw)?;
    let (scheme, rest) = (raw.get(..colon)?, raw.get(colon + 1..)?);
    let is_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let named = scheme.first()?.is_ascii_alphabetic() && scheme.iter().all(is_scheme);
    named.then_some((OTHER, rest))
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
        rest = after.get(find(b';', after).unwrap_or(after.len())..).unwrap_or_default();
    }
    true
}

fn same_part(ours: Option<&[u8]>, theirs: Option<&[u8]>) -> bool {
    ours.is_some() == theirs.is_some()
        && same(ours.unwrap_or_default(), theirs.unwrap_or_default(), false)
}

/// Whether two parts are the same once their escapes are resolved.
fn same(ours: &[u8], theirs: &[u8], in_any_case: bool) -> bool {
    let (mut ours, mut theirs) = (unescaped(ours), unescaped(theirs));
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if a == b || (in_any_case && a.eq_ignore_ascii_case(&b)) => {}
            _ => return false,
        }
    }
}

/// Whether two telephone numbers are the same without their separators.
fn same_number(mut ours: &[u8], mut theirs: &[u8]) -> bool {
    fn next(number: &mut &[u8]) -> Option<u8> {
        loop {
            let (digit, rest) = number.split_first()?;
            *number = rest;
            if !is_separator(*digit) {
                return Some(digit.to_ascii_lowercase());
            }
        }
    }
    loop {
        match (next(&mut ours), next(&mut theirs)) {
            (None, None) => return true,
            (ours, theirs) if ours == theirs => {}
            _ => return false,
        }
    }
}

/// The parameters or the headers of a URI: names and values, empty where there is none.
#[derive(Clone)]
struct Fields<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (field, rest) = cut(self.rest?, self.separator);
        self.rest = rest;
        let (name, value) = cut(field, b'=');
        Some((name, value.unwrap_or_default()))
    }
}

impl Fields<'_> {
    /// Whether all are there on both sides with the same value; their order does not matter.
    /// `decisive` says of a name whether it matters even when only one side has it.
    fn match_all(
        &self,
        other: &Fields<'_>,
        in_any_case: bool,
        decisive: fn(&[u8]) -> bool,
    ) -> bool {
        let few = |fields: &Fields<'_>| fields.clone().count() <= URI_PARAMS_COMPARED_MAX;
        few(self)
            && few(other)
            && self.are_in(other, in_any_case, decisive)
            && other.are_in(self, in_any_case, decisive)
    }

    fn are_in(&self, other: &Fields<'_>, in_any_case: bool, decisive: fn(&[u8]) -> bool) -> bool {
        for (name, value) in self.clone() {
            // A name may stand only once (RFC 3261 s19.1.1); where it does not, one equal value is
            // enough.
            let (mut has_namesake, mut has_equal) = (false, false);
            for (its_name, its_value) in other.clone() {
                if same(name, its_name, true) {
                    has_namesake = true;
                    has_equal |= same(value, its_value, in_any_case);
                }
            }
            if !has_equal && (has_namesake || decisive(name)) {
                return false;
            }
        }
        true
    }
}

/// The parameters of sip URIs that matter even when only one side has them; all others then do not.
fn is_decisive(name: &[u8]) -> bool {
    let known = [&b"user"[..], b"ttl", b"method", b"maddr", b"transport"];
    known.iter().any(|known| known.eq_ignore_ascii_case(name))
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

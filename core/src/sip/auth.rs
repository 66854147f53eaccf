//! Challenges and credentials (RFC 3261 s20.7, s20.44; RFC 7616, RFC 8760).
//!
//! Values are what stands between the quotes, still escaped, which is how digest hashes them;
//! [`unquoted`](super::unquoted) gives them for people.

use super::grammar::{Parsed, Part, ValueError, auth_value, before, is, lws, quoted_string};
use super::grammar::{require_short, separator, strip_quotes, token, trim};
use super::message::Message;
use super::name::HeaderName;

/// One challenge of WWW-Authenticate or Proxy-Authenticate.
#[derive(Clone, Copy, Debug)]
pub struct Challenge<'a> {
    raw: Scheme<'a>,
    // what is asked for, seen while the parameters were checked
    known: [Part; CHALLENGE.len()],
}

/// The parameters of a challenge that have a name here.
const CHALLENGE: [&[u8]; 7] =
    [b"realm", b"nonce", b"opaque", b"algorithm", b"qop", b"stale", b"domain"];

impl<'a> Challenge<'a> {
    /// Reads the first challenge of a header value, and gives what follows it: further
    /// challenges, which some peers write behind a comma. More than 65,535 bytes are refused.
    pub fn parse(value: &'a [u8]) -> Result<(Self, &'a [u8]), ValueError> {
        let mut known = [Part::NONE; CHALLENGE.len()];
        let (raw, rest) = Scheme::read(value, &CHALLENGE, &mut known)?;
        Ok((Self { raw, known }, rest))
    }

    /// The scheme as it came, such as `Digest`.
    pub fn scheme(&self) -> &'a [u8] {
        self.raw.name()
    }

    /// Whether the scheme is Digest, in any case.
    pub fn is_digest(&self) -> bool {
        self.raw.is_digest()
    }

    /// All parameters.
    pub fn params(&self) -> AuthParams<'a> {
        self.raw.params()
    }

    /// The protection space.
    pub fn realm(&self) -> Option<&'a [u8]> {
        self.at(0)
    }

    /// The nonce.
    pub fn nonce(&self) -> Option<&'a [u8]> {
        self.at(1)
    }

    /// To be returned as it is.
    pub fn opaque(&self) -> Option<&'a [u8]> {
        self.at(2)
    }

    /// The algorithm; MD5 where there is none.
    pub fn algorithm(&self) -> Option<&'a [u8]> {
        self.at(3)
    }

    /// The list of protections on offer, such as `auth,auth-int`; `None` from RFC 2069 peers.
    pub fn qop(&self) -> Option<&'a [u8]> {
        self.at(4)
    }

    /// Whether `qop` lists this protection, in any case.
    pub fn offers_qop(&self, wanted: &[u8]) -> bool {
        let mut offered = self.qop().unwrap_or_default().split(|byte| *byte == b',');
        offered.any(|qop| trim(qop).eq_ignore_ascii_case(wanted))
    }

    /// Whether the peer says that only the nonce was too old.
    pub fn stale(&self) -> bool {
        self.at(5).is_some_and(|stale| stale.eq_ignore_ascii_case(b"true"))
    }

    /// The URIs that share the credentials.
    pub fn domain(&self) -> Option<&'a [u8]> {
        self.at(6)
    }

    fn at(&self, place: usize) -> Option<&'a [u8]> {
        self.known.get(place)?.of(self.raw.bytes)
    }
}

/// The value of Authorization or Proxy-Authorization.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    raw: Scheme<'a>,
    // what is asked for, seen while the parameters were checked
    known: [Part; CREDENTIALS.len()],
}

/// The parameters of credentials that have a name here.
const CREDENTIALS: [&[u8]; 10] = [
    b"username",
    b"realm",
    b"nonce",
    b"uri",
    b"response",
    b"algorithm",
    b"cnonce",
    b"opaque",
    b"qop",
    b"nc",
];

impl<'a> Credentials<'a> {
    /// Reads one header value. More than 65,535 bytes are refused.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let mut known = [Part::NONE; CREDENTIALS.len()];
        match Scheme::read(value, &CREDENTIALS, &mut known)? {
            (raw, []) => Ok(Self { raw, known }),
            _ => Err(ValueError::Syntax),
        }
    }

    /// The scheme as it came, such as `Digest`.
    pub fn scheme(&self) -> &'a [u8] {
        self.raw.name()
    }

    /// Whether the scheme is Digest, in any case.
    pub fn is_digest(&self) -> bool {
        self.raw.is_digest()
    }

    /// All parameters.
    pub fn params(&self) -> AuthParams<'a> {
        self.raw.params()
    }

    /// The user name.
    pub fn username(&self) -> Option<&'a [u8]> {
        self.at(0)
    }

    /// The protection space.
    pub fn realm(&self) -> Option<&'a [u8]> {
        self.at(1)
    }

    /// The nonce that is answered.
    pub fn nonce(&self) -> Option<&'a [u8]> {
        self.at(2)
    }

    /// The URI that was hashed.
    pub fn uri(&self) -> Option<&'a [u8]> {
        self.at(3)
    }

    /// The hash, in hexadecimal.
    pub fn response(&self) -> Option<&'a [u8]> {
        self.at(4)
    }

    /// The algorithm; MD5 where there is none.
    pub fn algorithm(&self) -> Option<&'a [u8]> {
        self.at(5)
    }

    /// The client's own nonce.
    pub fn cnonce(&self) -> Option<&'a [u8]> {
        self.at(6)
    }

    /// What the challenge asked to have returned.
    pub fn opaque(&self) -> Option<&'a [u8]> {
        self.at(7)
    }

    /// The protection chosen.
    pub fn qop(&self) -> Option<&'a [u8]> {
        self.at(8)
    }

    /// The nonce count as it came, since its digits are hashed.
    pub fn nc(&self) -> Option<&'a [u8]> {
        self.at(9)
    }

    /// The nonce count as a number: eight hexadecimal digits.
    pub fn nonce_count(&self) -> Option<u32> {
        let digits = self.nc().filter(|digits| digits.len() == 8)?;
        digits
            .iter()
            .try_fold(0, |count: u32, digit| Some(count << 4 | char::from(*digit).to_digit(16)?))
    }

    fn at(&self, place: usize) -> Option<&'a [u8]> {
        self.known.get(place)?.of(self.raw.bytes)
    }
}

/// Comma-separated parameters: names as they came, values with their quotes.
#[derive(Clone, Copy, Debug)]
pub struct AuthParams<'a> {
    rest: &'a [u8],
}

impl<'a> AuthParams<'a> {
    /// Parameters that stand alone, as in Authentication-Info.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let value = trim(value);
        let mut params = value;
        match read_params(value, &mut params, &[], &mut [])? {
            [] => Ok(Self { rest: value }),
            _ => Err(ValueError::Syntax),
        }
    }

    /// The value of the first parameter of this name, in any case, without its quotes.
    pub fn find(self, name: &[u8]) -> Option<&'a [u8]> {
        let mut rest = self.rest;
        loop {
            let (after, (known, value)) = auth_param(rest).ok()?;
            if known.eq_ignore_ascii_case(name) {
                return Some(strip_quotes(value).unwrap_or(value));
            }
            rest = separator(b',', after).ok()?;
        }
    }

    /// All parameters in their order: name, and value with its quotes.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let mut rest = self.rest;
        core::iter::from_fn(move || {
            let (after, param) = auth_param(rest).ok()?;
            rest = separator(b',', after).unwrap_or_default();
            Some(param)
        })
    }
}

impl<'a> Message<'a> {
    /// The challenges in this header, over all its lines. A malformed line gives none.
    pub fn challenges(&self, name: HeaderName<'static>) -> impl Iterator<Item = Challenge<'a>> {
        let mut lines = self.values(name); // which are not split
        let mut rest: &'a [u8] = &[];
        core::iter::from_fn(move || {
            loop {
                if rest.is_empty() {
                    rest = lines.next()?;
                }
                match Challenge::parse(rest) {
                    Ok((challenge, after)) => {
                        rest = after;
                        return Some(challenge);
                    }
                    Err(_) => rest = &[],
                }
            }
        })
    }
}

/// A scheme and its parameters.
#[derive(Clone, Copy, Debug)]
struct Scheme<'a> {
    bytes: &'a [u8],
    name_len: u16,
    params: Part,
}

impl<'a> Scheme<'a> {
    /// Reads a scheme and notes the parameters with these names; gives what follows behind a comma.
    fn read(
        value: &'a [u8],
        names: &[&[u8]],
        known: &mut [Part],
    ) -> Result<(Self, &'a [u8]), ValueError> {
        let bytes = trim(value);
        require_short(bytes)?;
        let (rest, name) = token(bytes)?;
        let start = lws(rest);
        if start.len() == rest.len() || start.is_empty() {
            return Err(ValueError::Syntax);
        }
        let mut params = start;
        let rest = match read_params(bytes, &mut params, names, known) {
            Ok(rest) => rest,
            // Other schemes have other forms, such as one word in base 64.
            Err(_) if !is(name, DIGEST) => {
                params = start;
                &[]
            }
            Err(error) => return Err(error),
        };
        let params = Part::within(bytes, params);
        Ok((Self { bytes, name_len: name.len() as u16, params }, rest))
    }

    fn name(&self) -> &'a [u8] {
        self.bytes.get(..self.name_len.into()).unwrap_or_default()
    }

    fn is_digest(&self) -> bool {
        is(self.name(), DIGEST)
    }

    fn params(&self) -> AuthParams<'a> {
        AuthParams { rest: self.params.of(self.bytes).unwrap_or_default() }
    }
}

const DIGEST: &[u8] = b"digest";

/// Reads parameters up to the end, or up to a comma behind which another challenge begins. Gives
/// what follows, and takes that off `params`; notes where in `whole` those with these names stand.
fn read_params<'a>(
    whole: &[u8],
    params: &mut &'a [u8],
    names: &[&[u8]],
    known: &mut [Part],
) -> Result<&'a [u8], ValueError> {
    let start = *params;
    let mut next = start;
    let mut rest = start;
    loop {
        match auth_param(next) {
            Ok((after, (name, value))) => {
                let mut known = names.iter().zip(known.iter_mut());
                let is_it = |known: &[u8]| known.len() == name.len() && is(name, known);
                if let Some((_, part)) = known.find(|(known, _)| is_it(known))
                    && !part.is_there()
                {
                    *part = Part::within(whole, strip_quotes(value).unwrap_or(value));
                }
                rest = after;
            }
            Err(error) if rest.len() == start.len() => return Err(error),
            Err(_) => {
                // Not `name=value`: a further challenge, which the caller reads and judges.
                *params = before(start, rest);
                return Ok(next);
            }
        }
        if rest.is_empty() {
            return Ok(rest);
        }
        next = separator(b',', rest)?;
    }
}

fn auth_param(input: &[u8]) -> Parsed<'_, (&[u8], &[u8])> {
    let (rest, name) = token(input)?;
    let value = separator(b'=', rest)?;
    let (rest, value) = match value {
        [b'"', ..] => quoted_string(value)?,
        _ => auth_value(value)?,
    };
    // A value must end where the next parameter or the header does.
    match lws(rest) {
        [] | [b',', ..] => Ok((rest, (name, value))),
        _ => Err(ValueError::Syntax),
    }
}

//! Challenges and credentials (RFC 3261 s20.7, s20.44; RFC 7616, RFC 8760).
//!
//! Values are what stands between the quotes, still escaped, which is how digest hashes them;
//! [`unquoted`](super::unquoted) gives them for people.

use super::grammar::{Parsed, ValueError, auth_value, before, lws, quoted_string, separator};
use super::grammar::{strip_quotes, token, trim};
use super::message::Message;
use super::name::HeaderName;

/// One challenge of WWW-Authenticate or Proxy-Authenticate.
#[derive(Clone, Copy, Debug)]
pub struct Challenge<'a> {
    scheme: &'a [u8],
    params: AuthParams<'a>,
}

impl<'a> Challenge<'a> {
    /// Reads the first challenge of a header value, and gives what follows it: further
    /// challenges, which some peers write behind a comma.
    pub fn parse(value: &'a [u8]) -> Result<(Self, &'a [u8]), ValueError> {
        let (scheme, params, rest) = split(value)?;
        Ok((Self { scheme, params }, rest))
    }

    /// The scheme as it came, such as `Digest`.
    pub fn scheme(&self) -> &'a [u8] {
        self.scheme
    }

    /// Whether the scheme is Digest, in any case.
    pub fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case(DIGEST)
    }

    /// All parameters.
    pub fn params(&self) -> AuthParams<'a> {
        self.params
    }

    /// The protection space.
    pub fn realm(&self) -> Option<&'a [u8]> {
        self.params.find(b"realm")
    }

    /// The nonce.
    pub fn nonce(&self) -> Option<&'a [u8]> {
        self.params.find(b"nonce")
    }

    /// To be returned as it is.
    pub fn opaque(&self) -> Option<&'a [u8]> {
        self.params.find(b"opaque")
    }

    /// The algorithm; MD5 where there is none.
    pub fn algorithm(&self) -> Option<&'a [u8]> {
        self.params.find(b"algorithm")
    }

    /// The list of protections on offer, such as `auth,auth-int`; `None` from RFC 2069 peers.
    pub fn qop(&self) -> Option<&'a [u8]> {
        self.params.find(b"qop")
    }

    /// Whether `qop` lists this protection, in any case.
    pub fn offers_qop(&self, wanted: &[u8]) -> bool {
        let mut offered = self.qop().unwrap_or_default().split(|byte| *byte == b',');
        offered.any(|qop| trim(qop).eq_ignore_ascii_case(wanted))
    }

    /// Whether the peer says that only the nonce was too old.
    pub fn stale(&self) -> bool {
        self.params.find(b"stale").is_some_and(|stale| stale.eq_ignore_ascii_case(b"true"))
    }

    /// The URIs that share the credentials.
    pub fn domain(&self) -> Option<&'a [u8]> {
        self.params.find(b"domain")
    }
}

/// The value of Authorization or Proxy-Authorization.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    scheme: &'a [u8],
    params: AuthParams<'a>,
}

impl<'a> Credentials<'a> {
    /// Reads one header value.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        match split(value)? {
            (scheme, params, []) => Ok(Self { scheme, params }),
            _ => Err(ValueError::Syntax),
        }
    }

    /// The scheme as it came, such as `Digest`.
    pub fn scheme(&self) -> &'a [u8] {
        self.scheme
    }

    /// Whether the scheme is Digest, in any case.
    pub fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case(DIGEST)
    }

    /// All parameters.
    pub fn params(&self) -> AuthParams<'a> {
        self.params
    }

    /// The user name.
    pub fn username(&self) -> Option<&'a [u8]> {
        self.params.find(b"username")
    }

    /// The protection space.
    pub fn realm(&self) -> Option<&'a [u8]> {
        self.params.find(b"realm")
    }

    /// The nonce that is answered.
    pub fn nonce(&self) -> Option<&'a [u8]> {
        self.params.find(b"nonce")
    }

    /// The URI that was hashed.
    pub fn uri(&self) -> Option<&'a [u8]> {
        self.params.find(b"uri")
    }

    /// The hash, in hexadecimal.
    pub fn response(&self) -> Option<&'a [u8]> {
        self.params.find(b"response")
    }

    /// The algorithm; MD5 where there is none.
    pub fn algorithm(&self) -> Option<&'a [u8]> {
        self.params.find(b"algorithm")
    }

    /// The client's own nonce.
    pub fn cnonce(&self) -> Option<&'a [u8]> {
        self.params.find(b"cnonce")
    }

    /// What the challenge asked to have returned.
    pub fn opaque(&self) -> Option<&'a [u8]> {
        self.params.find(b"opaque")
    }

    /// The protection chosen.
    pub fn qop(&self) -> Option<&'a [u8]> {
        self.params.find(b"qop")
    }

    /// The nonce count as it came, since its digits are hashed.
    pub fn nc(&self) -> Option<&'a [u8]> {
        self.params.find(b"nc")
    }

    /// The nonce count as a number: eight hexadecimal digits.
    pub fn nonce_count(&self) -> Option<u32> {
        let digits = self.nc().filter(|digits| digits.len() == 8)?;
        digits
            .iter()
            .try_fold(0, |count: u32, digit| Some(count << 4 | char::from(*digit).to_digit(16)?))
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
        match auth_params(trim(value))? {
            ([], params) => Ok(params),
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
        let mut lines = self.lines(name);
        let mut rest: &'a [u8] = &[];
        core::iter::from_fn(move || {
            loop {
                if rest.is_empty() {
                    rest = lines.next()?.value;
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

const DIGEST: &[u8] = b"Digest";

/// Scheme, its parameters, and what follows behind a comma.
fn split(value: &[u8]) -> Result<(&[u8], AuthParams<'_>, &[u8]), ValueError> {
    let value = trim(value);
    let (rest, scheme) = token(value)?;
    let after = lws(rest);
    if after.len() == rest.len() || after.is_empty() {
        return Err(ValueError::Syntax);
    }
    match auth_params(after) {
        Ok((rest, params)) => Ok((scheme, params, rest)),
        // Other schemes have other forms, such as one word in base 64.
        Err(_) if !scheme.eq_ignore_ascii_case(DIGEST) => {
            Ok((scheme, AuthParams { rest: after }, &[]))
        }
        Err(error) => Err(error),
    }
}

/// Parameters up to the end, or up to a comma behind which another challenge begins.
fn auth_params(input: &[u8]) -> Result<(&[u8], AuthParams<'_>), ValueError> {
    let (mut rest, _) = auth_param(input)?;
    loop {
        if rest.is_empty() {
            return Ok((rest, AuthParams { rest: input }));
        }
        let next = separator(b',', rest)?;
        match auth_param(next) {
            Ok((after, _)) => rest = after,
            Err(_) => {
                // Not `name=value`: a further challenge, which the caller reads and judges.
                let params = AuthParams { rest: before(input, rest) };
                return Ok((next, params));
            }
        }
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

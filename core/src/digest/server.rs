use sha2::{Digest, Sha256};

use super::hash::{Algorithm, Hex, Parameters, Qop, Secret};
use crate::bytes::Text;
use crate::sip::Credentials;
use crate::time::{Duration, Instant};

/// Length of a nonce that we make, bytes: time, count and check value in hexadecimal.
pub const NONCE_LENGTH: usize = 2 * (8 + 4 + CHECK_LENGTH);
/// 128 bits, so that nobody guesses one.
const CHECK_LENGTH: usize = 16;

/// A server's side of digest: makes challenges and verifies what comes back.
///
/// A nonce carries its time and a keyed hash, so that unanswered challenges cost no memory. Only
/// nonces that a user has proven a password with take a place in the table of [`Seen`], which
/// the caller lends; when it is full, the oldest nonce goes, and is then answered as stale.
#[derive(Clone)]
pub struct Challenger {
    key: [u8; 32],
    lifetime: Duration,
    count: u32,
    /// Nonces up to here are no longer remembered, so that only the table's own are still good.
    forgotten: Mark,
}

/// When a nonce was made and which of that moment it is.
type Mark = (u64, u32);

/// A nonce that we made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Nonce([u8; NONCE_LENGTH]);

impl Nonce {
    /// The characters.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A nonce in use: the replay table's entry. The default is a free one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    mark: Mark,
    /// The highest nc that was accepted; 0 when free.
    nc: u32,
}

/// The credentials of a request, as its header says.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The `realm` parameter.
    pub realm: &'a [u8],
    /// The `nonce` parameter.
    pub nonce: &'a [u8],
    /// The `uri` parameter.
    pub uri: &'a [u8],
    /// The `response` parameter.
    pub response: &'a [u8],
    /// The `algorithm` parameter; absent means MD5.
    pub algorithm: Option<&'a [u8]>,
    /// The `qop` parameter.
    pub qop: Option<&'a [u8]>,
    /// The `nc` parameter.
    pub nc: Option<&'a [u8]>,
    /// The `cnonce` parameter.
    pub cnonce: Option<&'a [u8]>,
}

impl<'a> Answer<'a> {
    /// Reads the credentials of a header; `None` where they are not digest or lack a parameter
    /// that digest cannot do without.
    pub fn of(credentials: &Credentials<'a>) -> Option<Self> {
        credentials.is_digest().then_some(())?;
        Some(Self {
            realm: credentials.realm()?,
            nonce: credentials.nonce()?,
            uri: credentials.uri()?,
            response: credentials.response()?,
            algorithm: credentials.algorithm(),
            qop: credentials.qop(),
            nc: credentials.nc(),
            cnonce: credentials.cnonce(),
        })
    }
}

/// What the request must be for which credentials are verified.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The user's name, under which the caller knows the `username` parameter: without the
    /// escapes of a quoted string, and in clear where the parameter is a userhash.
    pub username: &'a [u8],
    /// The realm that we challenge for.
    pub realm: &'a [u8],
    /// The algorithms that we challenge with.
    pub algorithms: &'a [Algorithm],
    /// The user's password.
    pub secret: Secret<'a>,
    /// The request's method.
    pub method: &'a [u8],
    /// The Request-URI; the `uri` parameter must be the same bytes (RFC 7616 s3.4.6).
    pub uri: &'a [u8],
    /// The request's body, for `auth-int`.
    pub body: &'a [u8],
    /// The same bytes as when the nonce was made.
    pub client: &'a [u8],
}

/// Whether a request is its user's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is.
    Verified,
    /// The password is right, but the nonce is old, foreign or used: challenge again with
    /// `stale=true`, and the client retries without asking its user.
    Stale,
    /// It is not: challenge again without `stale`, or refuse.
    Denied,
}

impl Challenger {
    /// `key` is secret and differs at each boot; `lifetime` is how long a nonce is good for.
    pub const fn new(key: [u8; 32], lifetime: Duration) -> Self {
        Self { key, lifetime, count: 0, forgotten: (0, 0) }
    }

    /// A fresh nonce, good for who gives the same `client` again when it is verified: the peer's
    /// address, or nothing.
    pub fn nonce(&mut self, now: Instant, client: &[u8]) -> Nonce {
        self.count = self.count.wrapping_add(1);
        self.nonce_at((now.as_micros(), self.count), client)
    }

    /// Verifies credentials. `seen` is the replay table; 16 entries serve as many users at once.
    pub fn verify(
        &mut self,
        now: Instant,
        answer: &Answer<'_>,
        expected: &Expected<'_>,
        seen: &mut [Seen],
    ) -> Verdict {
        let Some((parameters, nc)) = parameters(answer, expected) else {
            return Verdict::Denied;
        };
        if !parameters.response_for(answer.nc.unwrap_or_default()).matches(answer.response) {
            return Verdict::Denied;
        }
        match self.mark(now, answer.nonce, expected.client) {
            Some(mark) if self.take(mark, nc, seen) => Verdict::Verified,
            _ => Verdict::Stale,
        }
    }

    fn nonce_at(&self, mark: Mark, client: &[u8]) -> Nonce {
        let (time, count) = mark;
        let inner = Sha256::new()
            .chain_update(self.key)
            .chain_update(time.to_be_bytes())
            .chain_update(count.to_be_bytes())
            .chain_update(client)
            .finalize();
        // Hashed twice, so that no one can lengthen `client`.
        let check = Sha256::new().chain_update(self.key).chain_update(inner).finalize();
        let mut nonce = [0; NONCE_LENGTH];
        let time = Hex::of(&time.to_be_bytes());
        let count = Hex::of(&count.to_be_bytes());
        let check = Hex::of(check.get(..CHECK_LENGTH).unwrap_or_default());
        let mut text = Text::new(&mut nonce);
        text.put(time.as_bytes()).put(count.as_bytes()).put(check.as_bytes());
        Nonce(nonce)
    }

    /// The mark of a nonce that is ours, of this client, and not too old.
    fn mark(&self, now: Instant, nonce: &[u8], client: &[u8]) -> Option<Mark> {
        let time = hex_number(nonce.get(..16)?)?;
        let count = u32::try_from(hex_number(nonce.get(16..24)?)?).ok()?;
        let made = Instant::from_micros(time);
        let good = made <= now && now.since(made) <= self.lifetime;
        let ours = self.nonce_at((time, count), client);
        (good && ours.as_bytes() == nonce).then_some((time, count))
    }

    /// Notes that `nc` is used; false where it, or a later one, was used before.
    fn take(&mut self, mark: Mark, nc: u32, seen: &mut [Seen]) -> bool {
        if let Some(known) = seen.iter_mut().find(|seen| seen.nc != 0 && seen.mark == mark) {
            let fresh = nc > known.nc;
            known.nc = known.nc.max(nc);
            return fresh;
        }
        if mark <= self.forgotten {
            return false;
        }
        // The oldest gives way; a free one is older than any.
        let Some(place) = seen.iter_mut().min_by_key(|seen| (seen.nc != 0, seen.mark)) else {
            return false;
        };
        if place.nc != 0 {
            if mark < place.mark {
                return false; // older than all that are remembered
            }
            self.forgotten = self.forgotten.max(place.mark);
        }
        *place = Seen { mark, nc };
        true
    }
}

impl core::fmt::Debug for Challenger {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Challenger(..)") // the key is a secret
    }
}

/// What the response must have been computed from, and the nc to note. Without `qop` nothing
/// counts the requests, so that a nonce serves once.
fn parameters<'a>(answer: &Answer<'a>, expected: &Expected<'a>) -> Option<(Parameters<'a>, u32)> {
    let algorithm = Algorithm::parse(answer.algorithm.unwrap_or(b"MD5"))?;
    let same = answer.realm == expected.realm && answer.uri == expected.uri;
    if !same || !expected.algorithms.contains(&algorithm) {
        return None;
    }
    let qop = match answer.qop {
        None => Qop::None,
        Some(qop) if qop.eq_ignore_ascii_case(b"auth") => Qop::Auth,
        Some(qop) if qop.eq_ignore_ascii_case(b"auth-int") => Qop::AuthInt(expected.body),
        Some(_) => return None,
    };
    let nc = match (qop, answer.nc) {
        (Qop::None, _) => u32::MAX,
        (_, Some(nc)) if nc.len() == 8 => u32::try_from(hex_number(nc)?).ok()?,
        _ => return None,
    };
    let parameters = Parameters {
        algorithm,
        username: expected.username,
        realm: answer.realm,
        secret: expected.secret,
        nonce: answer.nonce,
        method: expected.method,
        uri: answer.uri,
        qop,
        nc,
        cnonce: answer.cnonce.unwrap_or_default(),
    };
    (nc != 0).then_some((parameters, nc))
}

fn hex_number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |value, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        value.checked_mul(16)?.checked_add(digit.into())
    })
}

/// Writes the value of a WWW-Authenticate or Proxy-Authenticate header field for one algorithm;
/// servers with several send one field each, the strongest first (RFC 8760 s2.3). Returns the
/// length in bytes, `None` where the buffer is too small. `realm` must not need escapes.
pub fn write_challenge(
    buf: &mut [u8],
    realm: &[u8],
    nonce: &Nonce,
    algorithm: Algorithm,
    stale: bool,
) -> Option<usize> {
    let mut text = Text::new(buf);
    text.put(b"Digest realm=\"").put(realm).put(b"\", nonce=\"").put(nonce.as_bytes());
    text.put(b"\", algorithm=").put(algorithm.name().as_bytes()).put(b", qop=\"auth\"");
    if stale {
        text.put(b", stale=true");
    }
    text.finish()
}

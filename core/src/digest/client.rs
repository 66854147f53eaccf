use super::hash::{Algorithm, Hex, Parameters, Qop};
use crate::bytes::Text;
use crate::sip::Challenge;

/// What a challenge asks for, as far as it decides whether we can answer it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offered<'a> {
    /// The `algorithm` parameter.
    pub algorithm: Option<&'a [u8]>,
    /// The content of the `qop` parameter: a list of tokens.
    pub qop: Option<&'a [u8]>,
}

impl<'a> From<&Challenge<'a>> for Offered<'a> {
    fn from(challenge: &Challenge<'a>) -> Self {
        Self { algorithm: challenge.algorithm(), qop: challenge.qop() }
    }
}

/// How a challenge can be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choice {
    /// Which of the challenges it is, counted from 0.
    pub index: usize,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Whether qop is `auth`; otherwise the challenge has none.
    pub auth: bool,
}

/// The strongest challenge that can be answered; of equal ones the first. Unknown algorithms,
/// challenges with `auth-int` alone and, unless `md5_allowed`, MD5 are passed over. `None` where
/// none is left: the failure is then the user's to know, and there is nothing to retry.
pub fn choose<'a>(
    challenges: impl IntoIterator<Item = Offered<'a>>,
    md5_allowed: bool,
) -> Option<Choice> {
    let mut best: Option<Choice> = None;
    for (index, offered) in challenges.into_iter().enumerate() {
        let Some(algorithm) = answerable(&offered, md5_allowed) else { continue };
        if best.is_none_or(|best| best.algorithm < algorithm) {
            best = Some(Choice { index, algorithm, auth: offered.qop.is_some() });
        }
    }
    best
}

/// The algorithm of a challenge that can and may be answered.
#[cfg_attr(target_os = "none", inline(never))]
pub(crate) fn answerable(offered: &Offered<'_>, md5_allowed: bool) -> Option<Algorithm> {
    let algorithm = Algorithm::parse(offered.algorithm.unwrap_or(b"MD5"))?;
    let fits = offered.qop.is_none_or(has_auth) && (md5_allowed || !algorithm.is_md5());
    fits.then_some(algorithm)
}

fn has_auth(list: &[u8]) -> bool {
    let mut tokens = list.split(|&byte| byte == b',');
    tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"auth"))
}

/// The value of an Authorization or Proxy-Authorization header field.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// What the response is computed from.
    pub parameters: Parameters<'a>,
    /// The `algorithm` parameter as the challenge had it; an absent one stays absent, because
    /// some servers compare.
    pub algorithm: Option<&'a [u8]>,
    /// The `opaque` parameter of the challenge, as given.
    pub opaque: Option<&'a [u8]>,
}

impl Credentials<'_> {
    /// Writes the value, `Digest username=...`, and returns its length in bytes; `None` where
    /// the buffer is too small. A quote or backslash in the user's name is escaped; what the
    /// challenge gave goes back as it came.
    pub fn write(&self, buf: &mut [u8]) -> Option<usize> {
        let given = &self.parameters;
        let response = given.response();
        let mut text = Text::new(buf);
        text.put(b"Digest username=\"");
        for byte in given.username {
            if matches!(byte, b'"' | b'\\') {
                text.put(b"\\");
            }
            text.put(&[*byte]);
        }
        text.put(b"\"");
        quoted(&mut text, b"realm", given.realm);
        quoted(&mut text, b"nonce", given.nonce);
        quoted(&mut text, b"uri", given.uri);
        quoted(&mut text, b"response", response.as_bytes());
        if let Some(algorithm) = self.algorithm {
            text.put(b", algorithm=").put(algorithm);
        }
        if let Some(opaque) = self.opaque {
            quoted(&mut text, b"opaque", opaque);
        }
        let qop: &[u8] = match given.qop {
            Qop::None => b"",
            Qop::Auth => b"auth",
            Qop::AuthInt(_) => b"auth-int",
        };
        if !qop.is_empty() {
            let count = Hex::of(&given.nc.to_be_bytes());
            text.put(b", qop=").put(qop).put(b", nc=").put(count.as_bytes());
        }
        if !qop.is_empty() || given.algorithm.is_session() {
            quoted(&mut text, b"cnonce", given.cnonce);
        }
        text.finish()
    }
}

fn quoted(text: &mut Text<'_>, name: &[u8], value: &[u8]) {
    text.put(b", ").put(name).put(b"=\"").put(value).put(b"\"");
}

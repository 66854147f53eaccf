use super::{Record, Trace};

/// A sink that gets messages without credentials.
pub fn redact<T: Trace>(sink: T) -> Redacted<T> {
    Redacted(sink)
}

/// See [`redact`].
#[derive(Clone, Debug)]
pub struct Redacted<T>(T);

impl<T: Trace> Trace for Redacted<T> {
    fn record(&mut self, record: &Record<'_>) {
        let bytes = redacted(record.bytes);
        self.0.record(&Record { bytes: &bytes, ..*record });
    }
}

/// A message of the same length with its credentials overwritten by `x`: what follows the scheme in
/// `Authorization`, `Proxy-Authorization` and `Authentication-Info` save for user and realm,
/// passwords in URIs, and keys in SDP (`a=crypto`, `a=ice-pwd`, `k=`).
///
/// It reads lines, not SIP, so that malformed messages are covered too.
pub fn redacted(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let mut kind = Kind::Plain;
    for line in out.split_mut(|byte| *byte == b'\n') {
        let mut value = 0;
        if !matches!(line.first(), Some(b' ' | b'\t')) {
            (kind, value) = Kind::of(line);
        }
        match kind {
            Kind::Plain => hide_keys(line),
            Kind::Parameters => hide_parameters(line.get_mut(value..).unwrap_or_default()),
            Kind::Opaque => hide(line.get_mut(value..).unwrap_or_default()),
        }
        hide_passwords(line);
    }
    out
}

/// What a header line holds, its continuation lines included.
#[derive(Clone, Copy)]
enum Kind {
    Plain,
    /// `name=value` of a digest.
    Parameters,
    /// A token of another scheme, such as `Bearer`.
    Opaque,
}

impl Kind {
    /// The kind of a line, and where its secret part begins.
    fn of(line: &[u8]) -> (Self, usize) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return (Self::Plain, 0);
        };
        let name = line.get(..colon).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"Authentication-Info") {
            return (Self::Parameters, colon + 1);
        }
        if !CREDENTIAL_HEADERS.iter().any(|header| name.eq_ignore_ascii_case(header)) {
            return (Self::Plain, 0);
        }
        let value = line.get(colon + 1..).unwrap_or_default();
        let indent = value.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let word = value.get(indent..).unwrap_or_default();
        let length = word.iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
        let start = colon + 1 + indent + length;
        match word.get(..length) {
            Some(scheme) if scheme.eq_ignore_ascii_case(b"Digest") => (Self::Parameters, start),
            _ => (Self::Opaque, start),
        }
    }
}

/// Hides every parameter but those that name whose credentials they are.
fn hide_parameters(value: &mut [u8]) {
    let mut quoted = false;
    for parameter in value.split_mut(move |byte| {
        quoted ^= *byte == b'"';
        *byte == b',' && !quoted
    }) {
        let equals = parameter.iter().position(|byte| *byte == b'=');
        let (name, secret) = parameter.split_at_mut(equals.unwrap_or(0));
        if !names_the_owner(name) {
            hide(secret.get_mut(usize::from(equals.is_some())..).unwrap_or_default());
        }
    }
}

fn hide_keys(line: &mut [u8]) {
    if let Some(start) = SDP_KEYS.iter().find(|key| line.starts_with(key)).map(|key| key.len()) {
        hide(line.get_mut(start..).unwrap_or_default());
    }
}

fn names_the_owner(name: &[u8]) -> bool {
    let name = name.trim_ascii();
    OWNER_PARAMETERS.iter().any(|parameter| name.eq_ignore_ascii_case(parameter))
}

/// `sip:user:password@host`.
fn hide_passwords(line: &mut [u8]) {
    let mut from = 0;
    while let Some(rest) = line.get(from..) {
        let Some(colon) = SCHEMES.iter().filter_map(|scheme| after(rest, scheme)).min() else {
            return;
        };
        from += colon;
        let Some(uri) = line.get_mut(from..) else { return };
        let end = uri
            .iter()
            .position(|byte| byte.is_ascii_whitespace() || b"<>\"@,".contains(byte))
            .unwrap_or(uri.len());
        if uri.get(end) == Some(&b'@')
            && let Some(start) =
                uri.get(..end).and_then(|user| user.iter().position(|b| *b == b':'))
        {
            hide(uri.get_mut(start + 1..end).unwrap_or_default());
        }
        from += end;
    }
}

/// Where the text after the first `word`, in any case, begins.
fn after(line: &[u8], word: &[u8]) -> Option<usize> {
    let at = line.windows(word.len()).position(|part| part.eq_ignore_ascii_case(word))?;
    Some(at + word.len())
}

fn hide(secret: &mut [u8]) {
    for byte in secret {
        if !byte.is_ascii_whitespace() && *byte != b'"' {
            *byte = b'x';
        }
    }
}

const CREDENTIAL_HEADERS: [&[u8]; 2] = [b"Authorization", b"Proxy-Authorization"];
/// Whose credentials they are, and how they were made: what one debugs with.
const OWNER_PARAMETERS: [&[u8]; 7] =
    [b"username", b"realm", b"uri", b"algorithm", b"qop", b"nc", b"opaque"];
const SDP_KEYS: [&[u8]; 3] = [b"a=crypto:", b"a=ice-pwd:", b"k="];
const SCHEMES: [&[u8]; 2] = [b"sip:", b"sips:"];

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(message: &str) -> String {
        let out = redacted(message.as_bytes());
        assert_eq!(out.len(), message.len());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn digest_responses_are_hidden_and_their_owner_stays() {
        assert_eq!(
            shown(
                "authorization:Digest username=\"100\", realm=\"r\",response=\"ab,12\", nc=1\r\n"
            ),
            "authorization:Digest username=\"100\", realm=\"r\",response=\"xxxxx\", nc=1\r\n"
        );
    }

    #[test]
    fn folded_credentials_are_hidden() {
        assert_eq!(
            shown(
                "Proxy-Authorization: Digest realm=\"r\",\r\n response=\"0123\"\r\nTo: <sip:a>\r\n"
            ),
            "Proxy-Authorization: Digest realm=\"r\",\r\n response=\"xxxx\"\r\nTo: <sip:a>\r\n"
        );
    }

    #[test]
    fn tokens_of_other_schemes_are_hidden() {
        assert_eq!(shown("Authorization: Bearer ey.J1\r\n"), "Authorization: Bearer xxxxx\r\n");
        assert_eq!(shown("Authorization: Basic YTpi==\r\n"), "Authorization: Basic xxxxxx\r\n");
    }

    #[test]
    fn passwords_in_uris_and_keys_in_sdp_are_hidden() {
        assert_eq!(shown("INVITE sip:bob:pass@h SIP/2.0\r\n"), "INVITE sip:bob:xxxx@h SIP/2.0\r\n");
        assert_eq!(shown("To: <sip:a@h:5060>, <sips:c:p@h>"), "To: <sip:a@h:5060>, <sips:c:x@h>");
        assert_eq!(shown("a=crypto:1 AES inline:zz\r\n"), "a=crypto:x xxx xxxxxxxxx\r\n");
    }

    #[test]
    fn other_messages_stay_as_they_are() {
        let message = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h:1;branch=z9hG4bK1\r\n\
             WWW-Authenticate: Digest nonce=\"n\", realm=\"r\"\r\n\r\nv=0\r\n";
        assert_eq!(shown(message), message);
    }
}

//! A second reading of SIP messages, for the oracle and the server model.
//!
//! It shares no code with the library, so that a misreading there is not shared here. It reads
//! what well-behaved peers write: unfolded text with CRLF lines; all else is `None`, which the
//! callers treat as noise.

/// A message as text.
#[derive(Clone, Debug)]
pub struct Wire<'a> {
    /// The first line.
    pub start: &'a str,
    /// Names in lower case and written out, values trimmed.
    headers: Vec<(&'static str, &'a str)>,
    /// What follows the empty line.
    pub body: &'a [u8],
}

impl<'a> Wire<'a> {
    /// Reads a whole datagram.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let text = core::str::from_utf8(bytes.get(..end)?).ok()?;
        let mut lines = text.split("\r\n");
        let start = lines.next()?;
        let mut headers = Vec::with_capacity(16);
        for line in lines {
            let (name, value) = line.split_once(':')?;
            if let Some(name) = known(name.trim_end()) {
                headers.push((name, value.trim()));
            }
        }
        let wire = Self { start, headers, body: bytes.get(end + 4..)? };
        let length = wire.header("content-length").map_or(Some(wire.body.len()), number)?;
        let body = wire.body.get(..length)?;
        let whole = start.starts_with("SIP/2.0 ") || start.ends_with(" SIP/2.0");
        whole.then_some(Self { body, ..wire })
    }

    /// The first value of a header that is named in lower case.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// All lines of a header that is named in lower case.
    pub fn lines(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// All values of a header, those that stand in one line split at commas outside quotes and
    /// angle brackets.
    pub fn values(&self, name: &str) -> Vec<&'a str> {
        self.lines(name).flat_map(split_values).collect()
    }

    /// Whether it is a request.
    pub fn is_request(&self) -> bool {
        !self.start.starts_with("SIP/2.0 ")
    }

    /// The method of a request, or of the request that a response answers.
    pub fn method(&self) -> Option<&'a str> {
        self.cseq().map(|(_, method)| method)
    }

    /// The Request-URI.
    pub fn uri(&self) -> Option<&'a str> {
        self.start.split(' ').nth(1)
    }

    /// The status of a response.
    pub fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// Number and method.
    pub fn cseq(&self) -> Option<(u32, &'a str)> {
        let (number, method) = self.header("cseq")?.split_once(' ')?;
        Some((number.parse().ok()?, method.trim()))
    }

    /// The topmost Via.
    pub fn via(&self) -> Option<&'a str> {
        split_values(self.header("via")?).next()
    }

    /// Branch of the topmost Via.
    pub fn branch(&self) -> Option<&'a str> {
        parameter(self.via()?, "branch")
    }

    /// Tag of From.
    pub fn from_tag(&self) -> Option<&'a str> {
        parameter(self.header("from")?, "tag")
    }

    /// Tag of To.
    pub fn to_tag(&self) -> Option<&'a str> {
        parameter(self.header("to")?, "tag")
    }

    /// Call-ID.
    pub fn call_id(&self) -> Option<&'a str> {
        self.header("call-id")
    }

    /// Whether there is a session description.
    pub fn has_sdp(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("application/sdp"))
    }
}

/// A parameter of a header value, looked for behind the angle brackets.
pub fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let after = value.rfind('>').map_or(value, |end| value.get(end + 1..).unwrap_or_default());
    after.split(';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        key.trim().eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// The URI of a name-addr or addr-spec value.
pub fn uri_of(value: &str) -> &str {
    match (value.find('<'), value.rfind('>')) {
        (Some(start), Some(end)) => value.get(start + 1..end).unwrap_or_default(),
        _ => value.split(';').next().unwrap_or_default().trim(),
    }
}

/// The user part of a SIP URI.
pub fn user_of(uri: &str) -> Option<&str> {
    let (user, _) = uri.strip_prefix("sip:")?.split_once('@')?;
    user.split(':').next()
}

/// Host and port of a SIP URI, where the host is an address.
pub fn address_of(uri: &str) -> Option<core::net::SocketAddr> {
    let rest = uri.strip_prefix("sip:")?;
    let rest = rest.split_once('@').map_or(rest, |(_, host)| host);
    let host = rest.split([';', '?']).next()?;
    host.parse().ok().or_else(|| format!("{host}:5060").parse().ok())
}

/// A quoted or plain value of a digest header's parameter.
pub fn digest_value<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let (_, list) = value.split_once(' ')?;
    split_values(list).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

/// Splits at commas that stand outside quotes and angle brackets.
pub fn split_values(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut bracketed = false;
    line.split(move |character| {
        match character {
            '"' => quoted = !quoted,
            '<' if !quoted => bracketed = true,
            '>' if !quoted => bracketed = false,
            _ => {}
        }
        character == ',' && !quoted && !bracketed
    })
    .map(str::trim)
}

fn number(value: &str) -> Option<usize> {
    value.parse().ok()
}

/// The names that matter here, compact forms written out.
fn known(name: &str) -> Option<&'static str> {
    const NAMES: [&str; 29] = [
        "via",
        "from",
        "to",
        "call-id",
        "cseq",
        "contact",
        "route",
        "record-route",
        "expires",
        "min-expires",
        "max-forwards",
        "content-length",
        "content-type",
        "authorization",
        "proxy-authorization",
        "www-authenticate",
        "proxy-authenticate",
        "user-agent",
        "server",
        "allow",
        "supported",
        "require",
        "retry-after",
        "date",
        "reason",
        "warning",
        "event",
        "subject",
        "unsupported",
    ];
    const COMPACT: [(&str, &str); 8] = [
        ("v", "via"),
        ("f", "from"),
        ("t", "to"),
        ("i", "call-id"),
        ("m", "contact"),
        ("l", "content-length"),
        ("c", "content-type"),
        ("k", "supported"),
    ];
    if let [_] = name.as_bytes() {
        return COMPACT
            .iter()
            .find(|(short, _)| name.eq_ignore_ascii_case(short))
            .map(|(_, long)| *long);
    }
    NAMES.into_iter().find(|known| name.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:101@10.0.0.2 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKabc;rport\r\n\
        v: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKlast\r\n\
        From: \"A, B\" <sip:100@10.0.0.2;x=1>;tag=left\r\n\
        To: <sip:101@10.0.0.2>\r\n\
        Call-ID: one\r\n\
        CSeq: 7 INVITE\r\n\
        Content-Type: application/sdp\r\n\
        Content-Length: 4\r\n\r\nv=0\n and more";

    #[test]
    fn a_request_is_read_as_a_person_would() {
        let wire = Wire::read(INVITE.as_bytes()).unwrap();
        assert!(wire.is_request() && wire.has_sdp());
        assert_eq!(wire.cseq(), Some((7, "INVITE")));
        assert_eq!(wire.branch(), Some("z9hG4bKabc"));
        assert_eq!(wire.values("via").len(), 2);
        assert_eq!((wire.from_tag(), wire.to_tag()), (Some("left"), None));
        assert_eq!(wire.body, b"v=0\n");
        assert_eq!(wire.values("from"), [wire.header("from").unwrap()]);
        assert_eq!(user_of(uri_of(wire.header("from").unwrap())), Some("100"));
        assert_eq!(address_of(wire.uri().unwrap()), "10.0.0.2:5060".parse().ok());
    }

    #[test]
    fn damaged_messages_are_noise() {
        assert!(Wire::read(b"INVITE sip:a SIP/2.0\r\nVia").is_none());
        assert!(Wire::read(&INVITE.as_bytes()[..INVITE.len() - 12]).is_none());
        assert!(
            Wire::read(&INVITE.replace("SIP/2.0\r\nVia", "SIP/3\r\nVia").into_bytes()).is_none()
        );
    }

    #[test]
    fn digest_values_lose_their_quotes() {
        let value = "Digest realm=\"a, b\", qop=auth,nonce=\"n\"";
        assert_eq!(digest_value(value, "realm"), Some("a, b"));
        assert_eq!(digest_value(value, "qop"), Some("auth"));
        assert_eq!(digest_value(value, "opaque"), None);
    }
}

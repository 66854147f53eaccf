//! Accounts, their bindings, and who may register or call.

use std::collections::BTreeMap;

use sansip::digest::{
    Algorithm, Answer, Challenger, Expected, Secret, Seen, Verdict, write_challenge,
};
use sansip::path::Path;
use sansip::sip::{Contact, Credentials, Head, HeaderName, Message, NameAddr, Uri};
use sansip::time::{Duration, Instant};

use super::switch::Options;

pub(super) struct Registrar {
    challenger: Challenger,
    seen: [Seen; 64],
    bindings: BTreeMap<String, Vec<Binding>>,
    expires_max_s: u32,
    expires_min_s: u32,
}

struct Binding {
    uri: String,
    path: Path,
    expires_at: Instant,
    call_id: Vec<u8>,
    cseq: u32,
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub(super) struct Ruling {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) report: Option<String>,
}

impl Ruling {
    pub(super) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), report: None }
    }
}

impl Registrar {
    pub(super) fn new(options: &Options) -> Self {
        let mut key = options.seed;
        key.reverse(); // another key than the endpoint's
        Self {
            challenger: Challenger::new(key, NONCE_LIFE),
            seen: [Seen::default(); 64],
            bindings: BTreeMap::new(),
            expires_max_s: options.expires_max_s,
            expires_min_s: options.expires_min_s,
        }
    }

    /// Whether there is such an account: 100 to 110.
    pub(super) fn knows(account: &str) -> bool {
        account.len() == 3 && matches!(account.parse(), Ok(100u16..=110))
    }

    /// The newest contact of an account, and the way that its REGISTER came.
    pub(super) fn newest(&mut self, now: Instant, account: &str) -> Option<(String, Path)> {
        self.lapse(now);
        self.bindings.get(account)?.last().map(|binding| (binding.uri.clone(), binding.path))
    }

    pub(super) fn contacts(&mut self, now: Instant, account: &str) -> Vec<String> {
        self.lapse(now);
        let bindings = self.bindings.get(account).into_iter().flatten();
        bindings.map(|binding| binding.uri.clone()).collect()
    }

    /// RFC 3261 s10.3.
    pub(super) fn register(
        &mut self,
        now: Instant,
        path: Option<Path>,
        message: &Message<'_>,
    ) -> Ruling {
        self.lapse(now);
        let account = message.header(HeaderName::To).and_then(uri_user).unwrap_or_default();
        if !Self::knows(&account) {
            return Ruling::status(404);
        }
        match self.judge(now, &account, message) {
            Verdict::Verified => {}
            verdict => {
                let stale = verdict == Verdict::Stale;
                let headers = self.challenges(now, stale);
                return Ruling { status: 401, headers, report: None };
            }
        }
        let Some(path) = path else { return Ruling::status(500) };
        match self.bind(now, path, &account, message) {
            Ok(report) => Ruling { status: 200, headers: self.list(now, &account), report },
            Err(423) => {
                let headers = vec![("Min-Expires", self.expires_min_s.to_string())];
                Ruling { status: 423, headers, report: None }
            }
            Err(status) => Ruling::status(status),
        }
    }

    /// Whether a request outside dialogs carries the account's digest.
    pub(super) fn proves(&mut self, now: Instant, account: &str, message: &Message<'_>) -> bool {
        self.judge(now, account, message) == Verdict::Verified
    }

    /// The stronger algorithm first (RFC 8760 s2.3).
    pub(super) fn challenges(&mut self, now: Instant, stale: bool) -> Vec<(&'static str, String)> {
        let nonce = self.challenger.nonce(now, b"");
        let mut buffer = [0; 256];
        ALGORITHMS
            .iter()
            .filter_map(|algorithm| {
                let length = write_challenge(&mut buffer, REALM, &nonce, *algorithm, stale)?;
                let text = String::from_utf8_lossy(buffer.get(..length)?).into_owned();
                Some(("WWW-Authenticate", text))
            })
            .collect()
    }

    fn judge(&mut self, now: Instant, account: &str, message: &Message<'_>) -> Verdict {
        let password = format!("test{account}");
        let (Some(method), Some(uri)) = (message.method(), message.uri()) else {
            return Verdict::Denied;
        };
        // A phone may send credentials for several realms; ours is one of them.
        let lines = message.headers().filter(|header| header.name == HeaderName::Authorization);
        let credentials = lines
            .filter_map(|header| Credentials::parse(header.value).ok())
            .find(|credentials| credentials.realm() == Some(REALM));
        let Some(credentials) = credentials else { return Verdict::Denied };
        let Some(answer) = Answer::of(&credentials) else { return Verdict::Denied };
        if credentials.username() != Some(account.as_bytes()) {
            return Verdict::Denied;
        }
        let expected = Expected {
            username: account.as_bytes(),
            realm: REALM,
            algorithms: &ALGORITHMS,
            secret: Secret::Password(password.as_bytes()),
            method: method.as_bytes(),
            uri,
            body: message.body(),
            client: b"",
        };
        self.challenger.verify(now, &answer, &expected, &mut self.seen)
    }

    /// RFC 3261 s10.3 steps 6 and 7: all of the request's changes, or none.
    fn bind(
        &mut self,
        now: Instant,
        path: Path,
        account: &str,
        message: &Message<'_>,
    ) -> Result<Option<String>, u16> {
        let head = Head::parse(message).map_err(|error| error.status())?;
        let (call_id, cseq) = (head.call_id, head.cseq.number);
        let asked = message.number(HeaderName::Expires).ok().flatten();
        let bindings = self.bindings.entry(account.to_owned()).or_default();
        let late = |binding: &Binding| binding.call_id == call_id && binding.cseq >= cseq;
        let mut wanted = Vec::new();
        for value in message.values(HeaderName::Contact) {
            let contact = Contact::parse(value).map_err(|_| 400u16)?;
            let Some(address) = contact.address() else {
                if asked != Some(0) || message.values(HeaderName::Contact).count() != 1 {
                    return Err(400);
                }
                if bindings.iter().any(late) {
                    return Err(500);
                }
                bindings.clear();
                return Ok(Some(format!("unregistered {account}, every contact")));
            };
            let expires_s = contact.expires_seconds().or(asked).unwrap_or(3600);
            if expires_s > 0 && expires_s < self.expires_min_s {
                return Err(423); // RFC 3261 s21.4.17
            }
            let uri = address.uri();
            if bindings.iter().any(|binding| binding.is(&uri) && late(binding)) {
                return Err(500);
            }
            wanted.push((uri, expires_s.min(self.expires_max_s)));
        }
        if wanted.len() + bindings.len() > BINDINGS_MAX + 1 {
            return Err(503);
        }
        let mut report = None;
        for (uri, expires_s) in wanted {
            bindings.retain(|binding| !binding.is(&uri));
            let text = String::from_utf8_lossy(uri.as_bytes()).into_owned();
            if expires_s == 0 {
                report = Some(format!("unregistered {account} {text}"));
                continue;
            }
            report = Some(format!("registered {account} {text} for {expires_s} s"));
            bindings.push(Binding {
                uri: text,
                path,
                expires_at: now + Duration::from_secs(u64::from(expires_s)),
                call_id: call_id.to_vec(),
                cseq,
            });
        }
        Ok(report)
    }

    fn list(&self, now: Instant, account: &str) -> Vec<(&'static str, String)> {
        let bindings = self.bindings.get(account).into_iter().flatten();
        bindings
            .map(|binding| {
                let left_s = binding.expires_at.since(now).as_secs();
                ("Contact", format!("<{}>;expires={left_s}", binding.uri))
            })
            .collect()
    }

    fn lapse(&mut self, now: Instant) {
        for bindings in self.bindings.values_mut() {
            bindings.retain(|binding| binding.expires_at > now);
        }
    }
}

impl Binding {
    fn is(&self, uri: &Uri<'_>) -> bool {
        Uri::parse(self.uri.as_bytes()).is_ok_and(|own| own.equivalent(uri))
    }
}

/// The user part of a URI or of the URI in a name-addr.
pub(super) fn uri_user(value: &[u8]) -> Option<String> {
    let uri = match NameAddr::parse(value) {
        Ok(address) => address.uri(),
        Err(_) => Uri::parse(value).ok()?,
    };
    uri.user().map(|user| String::from_utf8_lossy(user).into_owned())
}

const REALM: &[u8] = b"sansip";
const ALGORITHMS: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Md5];
const NONCE_LIFE: Duration = Duration::from_secs(300);
const BINDINGS_MAX: usize = 10;

use super::*;
use crate::sip;
use crate::time::{Duration, Instant};

const KEY: [u8; 32] = [7; 32];
const LIFETIME: Duration = Duration::from_secs(300);

/// A server with its table, and a client that knows alice's password.
struct Pair {
    server: Challenger,
    seen: [Seen; 2],
}

impl Pair {
    fn new() -> Self {
        Self { server: Challenger::new(KEY, LIFETIME), seen: [Seen::default(); 2] }
    }

    fn nonce(&mut self, seconds: u64) -> Nonce {
        self.server.nonce(at(seconds), b"198.51.100.7")
    }

    /// What the server says of a request with this nonce and nc, after `change` was done to it.
    fn verdict(
        &mut self,
        seconds: u64,
        nonce: &[u8],
        nc: u32,
        change: impl FnOnce(&mut Answer<'_>, &mut Expected<'_>),
    ) -> Verdict {
        let parameters = alice(nonce, nc);
        let response = parameters.response();
        let count = Hex::of(&nc.to_be_bytes());
        let mut answer = Answer {
            realm: parameters.realm,
            nonce,
            uri: parameters.uri,
            response: response.as_bytes(),
            algorithm: Some(b"sha-256"),
            qop: Some(b"auth"),
            nc: Some(count.as_bytes()),
            cnonce: Some(parameters.cnonce),
        };
        let mut expected = expected();
        change(&mut answer, &mut expected);
        self.server.verify(at(seconds), &answer, &expected, &mut self.seen)
    }

    fn plain(&mut self, seconds: u64, nonce: &Nonce, nc: u32) -> Verdict {
        self.verdict(seconds, nonce.as_bytes(), nc, |_, _| {})
    }
}

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

fn alice(nonce: &[u8], nc: u32) -> Parameters<'_> {
    Parameters {
        algorithm: Algorithm::Sha256,
        username: b"alice",
        realm: b"example.com",
        secret: Secret::Password(b"zanzibar"),
        nonce,
        method: b"REGISTER",
        uri: b"sip:example.com",
        qop: Qop::Auth,
        nc,
        cnonce: b"0a4f113b",
    }
}

fn expected() -> Expected<'static> {
    Expected {
        username: b"alice",
        realm: b"example.com",
        algorithms: &[Algorithm::Sha256, Algorithm::Md5],
        secret: Secret::Password(b"zanzibar"),
        method: b"REGISTER",
        uri: b"sip:example.com",
        body: b"",
        client: b"198.51.100.7",
    }
}

fn offered(algorithm: &'static str, qop: Option<&'static str>) -> Offered<'static> {
    let algorithm = (!algorithm.is_empty()).then_some(algorithm.as_bytes());
    Offered { algorithm, qop: qop.map(str::as_bytes) }
}

#[test]
fn the_right_password_is_verified_and_the_wrong_one_is_not() {
    let mut pair = Pair::new();
    let nonce = pair.nonce(10);
    let wrong = |_: &mut Answer<'_>, expected: &mut Expected<'_>| {
        expected.secret = Secret::Password(b"other");
    };
    assert_eq!(pair.verdict(11, nonce.as_bytes(), 1, wrong), Verdict::Denied);
    assert_eq!(pair.plain(11, &nonce, 1), Verdict::Verified);
}

#[test]
fn a_server_that_keeps_hashes_needs_no_password() {
    let mut pair = Pair::new();
    let nonce = pair.nonce(10);
    // SHA-256("alice:example.com:zanzibar")
    let key = b"b52422f14970d7fcb37826496d8bb78cf465af3ff8e68e81b3a36eaa1ae8d56a";
    let hashed = |_: &mut Answer<'_>, expected: &mut Expected<'_>| {
        expected.secret = Secret::Hashed(key);
    };
    assert_eq!(pair.verdict(11, nonce.as_bytes(), 1, hashed), Verdict::Verified);
}

#[test]
fn a_request_that_is_replayed_is_stale() {
    let mut pair = Pair::new();
    let nonce = pair.nonce(10);
    assert_eq!(pair.plain(11, &nonce, 1), Verdict::Verified);
    assert_eq!(pair.plain(12, &nonce, 1), Verdict::Stale, "same nonce and nc");
    assert_eq!(pair.plain(12, &nonce, 5), Verdict::Verified, "gaps are allowed");
    assert_eq!(pair.plain(13, &nonce, 4), Verdict::Stale, "nc going back");
    assert_eq!(pair.plain(13, &nonce, 6), Verdict::Verified);
}

#[test]
fn a_nonce_that_is_old_early_foreign_or_forged_is_stale() {
    let mut pair = Pair::new();
    let nonce = pair.nonce(10);
    assert_eq!(pair.plain(311, &nonce, 1), Verdict::Stale, "older than its lifetime");
    assert_eq!(pair.plain(9, &nonce, 1), Verdict::Stale, "from before it was made");
    let elsewhere = |_: &mut Answer<'_>, expected: &mut Expected<'_>| {
        expected.client = b"203.0.113.9";
    };
    assert_eq!(pair.verdict(11, nonce.as_bytes(), 1, elsewhere), Verdict::Stale);
    let other = Challenger::new([8; 32], LIFETIME).nonce(at(10), b"198.51.100.7");
    assert_eq!(pair.plain(11, &other, 1), Verdict::Stale, "another server's");
    for index in 0..NONCE_LENGTH {
        let mut forged = nonce.as_bytes().to_vec();
        forged[index] = if forged[index] == b'0' { b'1' } else { b'0' };
        assert_eq!(pair.verdict(11, &forged, 1, |_, _| {}), Verdict::Stale, "byte {index}");
    }
    for text in [&b""[..], b"0", b"zz", &nonce.as_bytes()[..NONCE_LENGTH - 1], &[0xff; 80]] {
        assert_eq!(pair.verdict(11, text, 1, |_, _| {}), Verdict::Stale);
    }
    assert_eq!(pair.plain(310, &nonce, 1), Verdict::Verified, "within its lifetime");
}

#[test]
fn credentials_for_another_request_are_denied() {
    let mut pair = Pair::new();
    let nonce = pair.nonce(10);
    let changes: [fn(&mut Answer<'_>, &mut Expected<'_>); 11] = [
        |_, expected| expected.uri = b"sip:victim@example.com",
        |_, expected| expected.method = b"INVITE",
        |_, expected| expected.realm = b"elsewhere.example",
        |_, expected| expected.algorithms = &[Algorithm::Md5],
        |answer, _| answer.algorithm = None,
        |answer, _| answer.algorithm = Some(b"SHA-1"),
        |answer, _| answer.qop = Some(b"auth-conf"),
        |answer, _| answer.nc = None,
        |answer, _| answer.nc = Some(b"1"),
        |answer, _| answer.nc = Some(b"0000000g"),
        |answer, _| answer.response = b"",
    ];
    for (index, change) in changes.into_iter().enumerate() {
        assert_eq!(pair.verdict(11, nonce.as_bytes(), 1, change), Verdict::Denied, "{index}");
    }
    assert_eq!(pair.plain(11, &nonce, 0), Verdict::Denied, "nc begins at 1");
}

#[test]
fn a_nonce_without_qop_serves_once() {
    let mut pair = Pair::new();
    let nonce = pair.nonce(10);
    let nonce = nonce.as_bytes();
    let response = Parameters { qop: Qop::None, ..alice(nonce, 0) }.response();
    let mut verdict = || {
        let answer = Answer {
            realm: b"example.com",
            nonce,
            uri: b"sip:example.com",
            response: response.as_bytes(),
            algorithm: Some(b"SHA-256"),
            qop: None,
            nc: None,
            cnonce: None,
        };
        pair.server.verify(at(11), &answer, &expected(), &mut pair.seen)
    };
    assert_eq!([verdict(), verdict()], [Verdict::Verified, Verdict::Stale]);
}

#[test]
fn a_full_table_forgets_the_oldest_nonce_and_replays_none() {
    let mut pair = Pair::new();
    let nonces = [10, 20, 30].map(|seconds| pair.nonce(seconds));
    let late = pair.nonce(5);
    for nonce in &nonces {
        assert_eq!(pair.plain(40, nonce, 1), Verdict::Verified);
    }
    assert_eq!(pair.plain(41, &nonces[0], 1), Verdict::Stale, "forgotten is not unused");
    assert_eq!(pair.plain(41, &nonces[0], 2), Verdict::Stale);
    assert_eq!(pair.plain(41, &late, 1), Verdict::Stale, "older than what was forgotten");
    assert_eq!(pair.plain(41, &nonces[1], 2), Verdict::Verified);
    assert_eq!(pair.plain(41, &nonces[2], 2), Verdict::Verified);
}

#[test]
fn nonces_of_one_moment_differ() {
    let mut pair = Pair::new();
    assert_ne!(pair.nonce(10), pair.nonce(10));
}

#[test]
fn algorithm_names_are_read_in_any_case() {
    assert_eq!(Algorithm::parse(b"md5"), Some(Algorithm::Md5));
    assert_eq!(Algorithm::parse(b"Sha-256-SESS"), Some(Algorithm::Sha256Sess));
    assert_eq!(Algorithm::parse(b"SHA-1"), None);
    assert_eq!(Algorithm::parse(b""), None);
    let sha512 = Algorithm::parse(b"SHA-512-256").is_some();
    assert_eq!(sha512, cfg!(feature = "sha512"));
}

#[test]
fn the_strongest_challenge_that_can_be_answered_is_chosen() {
    let chosen = |challenges: &[Offered<'static>], md5_allowed| {
        let choice = choose(challenges.iter().copied(), md5_allowed);
        choice.map(|choice| (choice.index, choice.algorithm, choice.auth))
    };
    let md5 = offered("MD5", Some("auth"));
    let sha = offered("sha-256", Some("auth,auth-int"));
    assert_eq!(chosen(&[md5, sha], true), Some((1, Algorithm::Sha256, true)));
    assert_eq!(chosen(&[sha, md5, sha], true), Some((0, Algorithm::Sha256, true)));
    assert_eq!(chosen(&[offered("", None)], true), Some((0, Algorithm::Md5, false)));
    assert_eq!(chosen(&[md5, offered("", None)], false), None);
    assert_eq!(chosen(&[offered("SHA-256", Some("auth-int"))], true), None);
    assert_eq!(chosen(&[offered("AKAv1-MD5", Some("auth"))], true), None);
    assert_eq!(
        chosen(&[offered("SHA-256", Some("auth-int")), md5], true),
        Some((1, Algorithm::Md5, true))
    );
    assert_eq!(chosen(&[], true), None);
}

#[test]
fn credentials_are_written_as_the_header_wants_them() {
    let mut parameters = alice(b"abc", 1);
    parameters.username = b"al\"ice";
    let credentials =
        Credentials { parameters, algorithm: Some(b"SHA-256"), opaque: Some(b"\\\"x") };
    let mut buffer = [0; 512];
    let length = credentials.write(&mut buffer).unwrap();
    let response = parameters.response();
    let response = core::str::from_utf8(response.as_bytes()).unwrap();
    let expected = std::format!(
        "Digest username=\"al\\\"ice\", realm=\"example.com\", nonce=\"abc\", \
         uri=\"sip:example.com\", response=\"{response}\", algorithm=SHA-256, opaque=\"\\\"x\", \
         qop=auth, nc=00000001, cnonce=\"0a4f113b\""
    );
    assert_eq!(core::str::from_utf8(&buffer[..length]).unwrap(), expected);
    for size in 0..length {
        assert_eq!(credentials.write(&mut buffer[..size]), None);
    }
}

#[test]
fn challenges_are_written_as_the_header_wants_them() {
    let nonce = Pair::new().nonce(10);
    let mut buffer = [0; 256];
    let length =
        write_challenge(&mut buffer, b"example.com", &nonce, Algorithm::Sha256, true).unwrap();
    let nonce = core::str::from_utf8(nonce.as_bytes()).unwrap();
    let expected = std::format!(
        "Digest realm=\"example.com\", nonce=\"{nonce}\", algorithm=SHA-256, qop=\"auth\", stale=true"
    );
    assert_eq!(core::str::from_utf8(&buffer[..length]).unwrap(), expected);
}

#[test]
fn what_a_client_writes_a_server_verifies() {
    let mut server = Challenger::new(KEY, LIFETIME);
    let mut seen = [Seen::default(); 4];
    let nonce = server.nonce(at(10), b"");
    let headers = [Algorithm::Sha256, Algorithm::Md5].map(|algorithm| {
        let mut buffer = [0; 256];
        let length =
            write_challenge(&mut buffer, b"example.com", &nonce, algorithm, false).unwrap();
        buffer[..length].to_vec()
    });
    let challenges = headers.each_ref().map(|header| sip::Challenge::parse(header).unwrap().0);
    let chosen = choose(challenges.iter().map(Offered::from), true).unwrap();
    assert_eq!((chosen.index, chosen.algorithm), (0, Algorithm::Sha256));
    let challenge = challenges[chosen.index];
    for nc in [1, 2, 10, 0xabc] {
        let mut parameters = alice(challenge.nonce().unwrap(), nc);
        parameters.username = b"al\"ice\\";
        let written = Credentials {
            parameters,
            algorithm: challenge.algorithm(),
            opaque: challenge.opaque(),
        };
        let mut buffer = [0; 512];
        let length = written.write(&mut buffer).unwrap();
        let read = sip::Credentials::parse(&buffer[..length]).unwrap();
        assert_eq!(read.username(), Some(&b"al\\\"ice\\\\"[..]));
        let answer = Answer::of(&read).unwrap();
        let expected = Expected { username: parameters.username, client: b"", ..expected() };
        let verdict = server.verify(at(11), &answer, &expected, &mut seen);
        assert_eq!(verdict, Verdict::Verified, "{nc}");
        let again = server.verify(at(11), &answer, &expected, &mut seen);
        assert_eq!(again, Verdict::Stale, "{nc}");
    }
}

#[test]
fn the_digits_of_nc_are_hashed_as_they_came() {
    let mut pair = Pair::new();
    let nonce = pair.nonce(10);
    let response = alice(nonce.as_bytes(), 10).response_for(b"0000000A");
    let mut verdict = |digits| {
        let answer = Answer {
            realm: b"example.com",
            nonce: nonce.as_bytes(),
            uri: b"sip:example.com",
            response: response.as_bytes(),
            algorithm: Some(b"SHA-256"),
            qop: Some(b"auth"),
            nc: Some(digits),
            cnonce: Some(b"0a4f113b"),
        };
        pair.server.verify(at(11), &answer, &expected(), &mut pair.seen)
    };
    assert_eq!(verdict(b"0000000a"), Verdict::Denied);
    assert_eq!(verdict(b"0000000A"), Verdict::Verified);
}

//! Bindings (RFC 3261 s10.3).

use core::net::SocketAddr;

use sansip::time::{Duration, Instant};

use super::{Sent, Server};
use crate::random::Random;
use crate::wire::{Wire, parameter, uri_of, user_of};

/// A binding of an address of record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// The contact's URI.
    pub contact: String,
    /// Where the REGISTER came from: the way back through a NAT.
    pub source: SocketAddr,
    /// When it lapses.
    pub expires_at: Instant,
    call_id: String,
    cseq: u32,
}

impl Server {
    pub(super) fn register(
        &mut self,
        now: Instant,
        random: &mut Random,
        source: SocketAddr,
        wire: &Wire<'_>,
        key: String,
    ) -> Sent {
        let user = wire.header("to").map(uri_of).and_then(user_of).unwrap_or_default().to_owned();
        if !self.passwords.contains_key(&user) {
            return self.answer(now, source, wire, key, 404, &[]);
        }
        if let Err(stale) = self.verify(now, &user, "authorization", wire) {
            let extra = self.challenges(now, random, "WWW-Authenticate", stale);
            return self.answer(now, source, wire, key, 401, &extra);
        }
        if now < self.negligent_until {
            return self.answer(now, source, wire, key, 200, &[]);
        }
        match self.bind(now, source, &user, wire) {
            Ok(()) => {
                let list: Vec<_> = self
                    .bindings(now, &user)
                    .iter()
                    .map(|binding| {
                        let left_s = binding.expires_at.since(now).as_secs();
                        let seen = format!("sip:{user}@{}", binding.source);
                        let rewrites = self.options.rewrites_contacts;
                        let contact = if rewrites { &seen } else { &binding.contact };
                        ("Contact", format!("<{contact}>;expires={left_s}"))
                    })
                    .collect();
                self.answer(now, source, wire, key, 200, &list)
            }
            Err(423) => {
                let extra = [("Min-Expires", self.options.expires_min_s.to_string())];
                self.answer(now, source, wire, key, 423, &extra)
            }
            Err(status) => self.answer(now, source, wire, key, status, &[]),
        }
    }

    /// RFC 3261 s10.3, steps 6 and 7.
    fn bind(
        &mut self,
        now: Instant,
        source: SocketAddr,
        user: &str,
        wire: &Wire<'_>,
    ) -> Result<(), u16> {
        let (cseq, _) = wire.cseq().ok_or(400u16)?;
        let call_id = wire.call_id().ok_or(400u16)?.to_owned();
        let asked = wire.header("expires").and_then(|value| value.parse::<u32>().ok());
        let bindings = self.bindings.entry(user.to_owned()).or_default();
        bindings.retain(|binding| binding.expires_at > now);
        let late = |binding: &Binding| binding.call_id == call_id && cseq <= binding.cseq;
        let contacts = wire.values("contact");
        if contacts == ["*"] {
            if asked != Some(0) || bindings.iter().any(late) {
                return Err(400);
            }
            bindings.clear();
            return Ok(());
        }
        for contact in contacts {
            let uri = uri_of(contact).to_owned();
            let own = parameter(contact, "expires").and_then(|value| value.parse().ok());
            let expires_s = own.or(asked).unwrap_or(3600).min(self.options.expires_max_s);
            if expires_s > 0 && expires_s < self.options.expires_min_s {
                return Err(423);
            }
            if bindings.iter().any(|binding| binding.contact == uri && late(binding)) {
                return Err(500);
            }
            bindings.retain(|binding| binding.contact != uri);
            if expires_s > 0 {
                let expires_at = now + Duration::from_secs(u64::from(expires_s));
                let call_id = call_id.clone();
                bindings.push(Binding { contact: uri, source, expires_at, call_id, cseq });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::digest::hex;
    use super::super::tests::{register, server, status};
    use super::*;
    use crate::random::Stream;
    use crate::wire::digest_value;
    use sha2::{Digest, Sha256};

    #[test]
    fn a_binding_needs_the_password_and_lapses() {
        let mut server = server();
        let mut random = Random::new(1, Stream::Server);
        let source = "192.0.2.1:7000".parse().unwrap();
        let now = Instant::ZERO;
        let request = register("z9hG4bK1", 1, "");
        let sent = server.handle(now, &mut random, source, request.as_bytes());
        assert_eq!((sent[0].0, status(&sent)), (source, 401));
        let wire = Wire::read(&sent[0].1).unwrap();
        assert_eq!(parameter(wire.via().unwrap(), "rport"), Some("7000"));
        let nonce = digest_value(wire.header("www-authenticate").unwrap(), "nonce").unwrap();
        let credentials = |password: &str| {
            let hash = |text: String| hex(&Sha256::digest(text));
            let (a1, a2) =
                (hash(format!("100:sim:{password}")), hash("REGISTER:sip:10.0.0.9".to_owned()));
            let response = hash(format!("{a1}:{nonce}:00000001:c:auth:{a2}"));
            format!(
                "Authorization: Digest username=\"100\", realm=\"sim\", nonce=\"{nonce}\", \
                 uri=\"sip:10.0.0.9\", algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"c\", \
                 response=\"{response}\"\r\n"
            )
        };
        let wrong = register("z9hG4bK2", 2, &credentials("guess"));
        assert_eq!(status(&server.handle(now, &mut random, source, wrong.as_bytes())), 401);
        let right = register("z9hG4bK3", 3, &credentials("secret"));
        assert_eq!(status(&server.handle(now, &mut random, source, right.as_bytes())), 200);
        let replayed = register("z9hG4bK4", 4, &credentials("secret"));
        assert_eq!(status(&server.handle(now, &mut random, source, replayed.as_bytes())), 401);
        assert_eq!(server.bindings(now, "100").len(), 1);
        assert_eq!(server.bindings(Instant::from_millis(60_000), "100").len(), 0);
    }
}

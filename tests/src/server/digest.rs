//! Challenges, and the credentials that answer them (RFC 7616, RFC 2617, RFC 2069).

use core::fmt::Write as _;

use md5::Md5;
use sansip::time::Instant;
use sha2::{Digest, Sha256};

use super::Server;
use crate::random::Random;
use crate::wire::{Wire, digest_value};

/// Which digest a server asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// MD5 alone.
    Md5,
    /// SHA-256 alone.
    Sha256,
    /// Both, the stronger one first (RFC 8760 s2.3).
    Both,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Nonce {
    born: Instant,
    count: u32,
}

impl Server {
    /// RFC 7616 s3.4; `Err(true)` where only the nonce is too old.
    pub(super) fn verify(
        &mut self,
        now: Instant,
        user: &str,
        header: &str,
        wire: &Wire<'_>,
    ) -> Result<(), bool> {
        let ours = |line: &&str| digest_value(line, "realm") == Some(self.options.realm.as_str());
        let line = wire.lines(header).find(ours).ok_or(false)?;
        let value = |name| digest_value(line, name);
        let password = self.passwords.get(user).ok_or(false)?;
        let algorithm = value("algorithm").unwrap_or("MD5");
        let acceptable = match self.options.asked {
            Asked::Md5 => algorithm == "MD5",
            Asked::Sha256 => algorithm == "SHA-256",
            Asked::Both => matches!(algorithm, "MD5" | "SHA-256"),
        };
        let method = wire.start.split(' ').next().unwrap_or_default();
        let uri = value("uri").ok_or(false)?;
        let nonce = value("nonce").ok_or(false)?;
        if !acceptable || value("username") != Some(user) || Some(uri) != wire.uri() {
            return Err(false);
        }
        let hash = |text: String| match algorithm {
            "MD5" => hex(&Md5::digest(text)),
            _ => hex(&Sha256::digest(text)),
        };
        let secret = hash(format!("{user}:{}:{password}", self.options.realm));
        let request = hash(format!("{method}:{uri}"));
        let count = value("nc").and_then(|count| u32::from_str_radix(count, 16).ok());
        let expected = if self.options.qop {
            let (nc, cnonce) = (value("nc").ok_or(false)?, value("cnonce").ok_or(false)?);
            if value("qop") != Some("auth") {
                return Err(false);
            }
            hash(format!("{secret}:{nonce}:{nc}:{cnonce}:auth:{request}"))
        } else {
            hash(format!("{secret}:{nonce}:{request}"))
        };
        if value("response") != Some(expected.as_str()) {
            return Err(false);
        }
        let known = self.nonces.get_mut(nonce).ok_or(true)?;
        if now.since(known.born) > self.options.nonce_life {
            return Err(true);
        }
        if self.options.qop {
            let count = count.ok_or(false)?;
            if count <= known.count {
                return Err(true); // a replay, or a request that was overtaken
            }
            known.count = count;
        }
        Ok(())
    }

    pub(super) fn challenges(
        &mut self,
        now: Instant,
        random: &mut Random,
        header: &'static str,
        stale: bool,
    ) -> Vec<(&'static str, String)> {
        let life = self.options.nonce_life;
        self.nonces.retain(|_, nonce| now.since(nonce.born) <= life);
        let nonce = format!("{:016x}{:016x}", random.next(), random.next());
        self.nonces.insert(nonce.clone(), Nonce { born: now, count: 0 });
        let algorithms: &[&str] = match self.options.asked {
            Asked::Md5 => &["MD5"],
            Asked::Sha256 => &["SHA-256"],
            Asked::Both => &["SHA-256", "MD5"],
        };
        let qop = if self.options.qop { ", qop=\"auth\"" } else { "" };
        let stale = if stale { ", stale=true" } else { "" };
        let realm = &self.options.realm;
        algorithms
            .iter()
            .map(|algorithm| {
                let text = format!(
                    "Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={algorithm}{qop}{stale}"
                );
                (header, text)
            })
            .collect()
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

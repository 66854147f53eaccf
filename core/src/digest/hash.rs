use core::fmt;

use md5::Md5;
use sha2::{Digest, Sha256};

use crate::bytes::hex_digit;

/// A digest algorithm that we can compute (RFC 7616 s3.3). The order is that of strength.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Algorithm {
    /// MD5: what a challenge without `algorithm` means.
    Md5,
    /// MD5-sess: the key also covers nonce and cnonce.
    Md5Sess,
    /// SHA-256.
    Sha256,
    /// SHA-256-sess.
    Sha256Sess,
    /// SHA-512-256.
    #[cfg(feature = "sha512")]
    Sha512_256,
    /// SHA-512-256-sess.
    #[cfg(feature = "sha512")]
    Sha512_256Sess,
}

impl Algorithm {
    const ALL: &[Self] = &[
        Self::Md5,
        Self::Md5Sess,
        Self::Sha256,
        Self::Sha256Sess,
        #[cfg(feature = "sha512")]
        Self::Sha512_256,
        #[cfg(feature = "sha512")]
        Self::Sha512_256Sess,
    ];

    /// Reads the value of the `algorithm` parameter, in any case; `None` for an unknown one.
    pub fn parse(name: &[u8]) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|algorithm| algorithm.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The name as RFC 7616 writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
            #[cfg(feature = "sha512")]
            Self::Sha512_256 => "SHA-512-256",
            #[cfg(feature = "sha512")]
            Self::Sha512_256Sess => "SHA-512-256-sess",
        }
    }

    /// Whether the hash is MD5, which is broken and which RFC 8760 only keeps for old peers.
    pub const fn is_md5(self) -> bool {
        matches!(self, Self::Md5 | Self::Md5Sess)
    }

    pub(super) const fn is_session(self) -> bool {
        match self {
            Self::Md5Sess | Self::Sha256Sess => true,
            #[cfg(feature = "sha512")]
            Self::Sha512_256Sess => true,
            _ => false,
        }
    }

    /// The hash of `parts` with a colon between each two, in hexadecimal.
    fn hash(self, parts: &[&[u8]]) -> Hex {
        match self {
            Self::Md5 | Self::Md5Sess => hash::<Md5>(parts),
            Self::Sha256 | Self::Sha256Sess => hash::<Sha256>(parts),
            #[cfg(feature = "sha512")]
            Self::Sha512_256 | Self::Sha512_256Sess => hash::<sha2::Sha512_256>(parts),
        }
    }
}

/// A hash in lower-case hexadecimal: 32 or 64 characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hex {
    digits: [u8; 64],
    length: u8,
}

impl Hex {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
            pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(*byte)]);
        }
        Self { digits, length: (bytes.len() * 2).min(64) as u8 }
    }

    /// The characters.
    #[cfg_attr(target_os = "none", inline(never))]
    pub fn as_bytes(&self) -> &[u8] {
        self.digits.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// Whether `text` is this hash, in a time that does not depend on where they differ.
    pub fn matches(&self, text: &[u8]) -> bool {
        let ours = self.as_bytes();
        let differences = ours.iter().zip(text).fold(0, |sum, (a, b)| sum | (a ^ b));
        core::hint::black_box(differences) == 0 && ours.len() == text.len()
    }
}

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hex(..)") // a response hash lets a reader guess passwords offline
    }
}

/// What proves that a user is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Secret<'a> {
    /// The password itself.
    Password(&'a [u8]),
    /// `H(username:realm:password)` in lower-case hexadecimal, made with the same hash: what a
    /// server can keep instead of passwords.
    Hashed(&'a [u8]),
}

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The quality of protection (RFC 7616 s3.4.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Qop<'a> {
    /// No `qop` at all, as in RFC 2069: neither nc nor cnonce count.
    None,
    /// `auth`.
    Auth,
    /// `auth-int` over this message body.
    AuthInt(&'a [u8]),
}

/// All that a response is computed from (RFC 7616 s3.4.1).
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a> {
    /// The algorithm of the challenge.
    pub algorithm: Algorithm,
    /// The user's name.
    pub username: &'a [u8],
    /// The realm of the challenge.
    pub realm: &'a [u8],
    /// The password or its hash.
    pub secret: Secret<'a>,
    /// The nonce of the challenge.
    pub nonce: &'a [u8],
    /// The request's method.
    pub method: &'a [u8],
    /// The `uri` parameter, which is the Request-URI.
    pub uri: &'a [u8],
    /// The quality of protection chosen.
    pub qop: Qop<'a>,
    /// How many requests used this nonce, this one included; counts where there is a `qop`.
    pub nc: u32,
    /// The client's nonce; counts where there is a `qop`, and for the -sess algorithms.
    pub cnonce: &'a [u8],
}

impl Parameters<'_> {
    /// The value of the `response` parameter.
    pub fn response(&self) -> Hex {
        self.response_for(Hex::of(&self.nc.to_be_bytes()).as_bytes())
    }

    /// The same with the digits of nc as a client wrote them, since these are hashed.
    pub(super) fn response_for(&self, nc: &[u8]) -> Hex {
        let algorithm = self.algorithm;
        let hashed;
        let mut key = match self.secret {
            Secret::Hashed(hashed) => hashed,
            Secret::Password(password) => {
                hashed = algorithm.hash(&[self.username, self.realm, password]);
                hashed.as_bytes()
            }
        };
        let session;
        if algorithm.is_session() {
            session = algorithm.hash(&[key, self.nonce, self.cnonce]);
            key = session.as_bytes();
        }
        let (request, qop) = match self.qop {
            Qop::None => {
                let request = algorithm.hash(&[self.method, self.uri]);
                return algorithm.hash(&[key, self.nonce, request.as_bytes()]);
            }
            Qop::Auth => (algorithm.hash(&[self.method, self.uri]), b"auth".as_slice()),
            Qop::AuthInt(body) => {
                let body = algorithm.hash(&[body]);
                let request = algorithm.hash(&[self.method, self.uri, body.as_bytes()]);
                (request, b"auth-int".as_slice())
            }
        };
        algorithm.hash(&[key, self.nonce, nc, self.cnonce, qop, request.as_bytes()])
    }
}

/// The name that stands for `username` where a challenge asks to hide it (RFC 7616 s3.4.4).
pub fn userhash(algorithm: Algorithm, username: &[u8], realm: &[u8]) -> Hex {
    algorithm.hash(&[username, realm])
}

fn hash<D: Digest>(parts: &[&[u8]]) -> Hex {
    let mut hash = D::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hash.update(b":");
        }
        hash.update(part);
    }
    Hex::of(&hash.finalize())
}

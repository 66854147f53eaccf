//! How a recorded endpoint was set up, and what a journal may hold of its secrets.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec;
use core::fmt::Write as _;

use crate::endpoint::{Config, Methods};
use crate::storage::Limits;
use crate::time::Duration;

use super::fields::{Fields, Line, hex, split};

/// All that an endpoint begins with.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'s> {
    /// Its timers and limits.
    pub config: Config,
    /// Its random numbers. Whoever reads the journal can foresee the identifiers of this endpoint,
    /// for as long as it lives.
    pub seed: [u8; 32],
    /// Its memory on the heap.
    pub limits: Limits,
    /// What is written of passwords.
    pub secrets: Secrets,
    /// Who records: the runtime's name and version.
    pub build: &'s str,
}

/// What a journal holds of the passwords of accounts.
///
/// Whatever is chosen, it holds what the application gives in headers and bodies, and messages from
/// peers as they came, as a trace does; of a registrar these have digests of other people.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Secrets {
    /// `x` for every byte of a password, and for every digit of the digest responses that we send,
    /// from which a bad password could be guessed. Such a journal replays all the same: both sides
    /// of the comparison are written so.
    #[default]
    Hidden,
    /// All of it: for test accounts, and where the digest itself is in question.
    Kept,
}

impl Secrets {
    pub(super) fn password(self, password: &str) -> Cow<'_, [u8]> {
        match self {
            Self::Hidden => Cow::Owned(vec![b'x'; password.len()]),
            Self::Kept => Cow::Borrowed(password.as_bytes()),
        }
    }

    /// A message that we send.
    pub(super) fn message(self, bytes: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Hidden if starts(bytes).next().is_some() => {
                let mut hidden = bytes.to_vec();
                for start in starts(bytes) {
                    let digits = hidden.iter_mut().skip(start);
                    digits.take_while(|byte| **byte != b'"').for_each(|byte| *byte = b'x');
                }
                Cow::Owned(hidden)
            }
            Self::Hidden | Self::Kept => Cow::Borrowed(bytes),
        }
    }
}

/// Where the digest responses of a message begin. Nothing else that we send has such a parameter;
/// a body that has is hidden too, on both sides of the comparison.
fn starts(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let hits = bytes.windows(RESPONSE.len()).enumerate();
    hits.filter(|(_, part)| *part == RESPONSE).map(|(at, _)| at + RESPONSE.len())
}

impl Setup<'_> {
    /// The lines that a journal begins with.
    pub(super) fn lines(&self) -> String {
        let mut lines = Line::new(MAGIC).word(VERSION).end();
        lines += &Line::new("build").quoted(self.full_build().as_bytes()).end();
        lines += &Line::new("secrets").word(word_of(self.secrets)).end();
        let mut seed = String::new();
        for byte in self.seed {
            let _ = write!(seed, "{byte:02x}"); // a String never fails
        }
        lines += &Line::new("seed").word(seed).end();
        let Limits { accounts, calls, transactions, buffers, text_bytes, message_bytes } =
            self.limits;
        let numbers = [accounts, calls, transactions, buffers, text_bytes, message_bytes];
        lines += &numbers.into_iter().fold(Line::new("limits"), Line::word).end();
        let Config { local, t1, t2, t4, ring_limit, answer_limit, methods, catch_all } =
            self.config;
        let line = Line::new("config").maybe(local, Line::word);
        let spans = [t1, t2, t4, ring_limit, answer_limit].map(Duration::as_micros);
        let line = spans.into_iter().fold(line, Line::word);
        lines + &line.word(methods.bits()).word(catch_all).end()
    }

    fn full_build(&self) -> String {
        let mut build = String::from(CORE_BUILD);
        if !self.build.is_empty() {
            build += ", ";
            build += self.build;
        }
        build
    }
}

/// The first lines, read one after the other.
pub(super) struct Head {
    pub(super) config: Config,
    pub(super) seed: [u8; 32],
    pub(super) limits: Limits,
    pub(super) secrets: Secrets,
    pub(super) build: String,
}

/// How many lines stand before the first of time.
pub(super) const HEAD_LINES: usize = 6;

impl Head {
    /// From the lines after the first; the number of the line that is wrong otherwise.
    pub(super) fn read(lines: &[&str]) -> Result<Self, usize> {
        let line = |number: usize| lines.get(number - 2).copied().ok_or(number);
        Ok(Self {
            build: field(line(2)?, "build", |f| f.text_owned()).ok_or(2_usize)?,
            secrets: field(line(3)?, "secrets", |f| f.secrets()).ok_or(3_usize)?,
            seed: field(line(4)?, "seed", |f| f.seed()).ok_or(4_usize)?,
            limits: field(line(5)?, "limits", |f| f.limits()).ok_or(5_usize)?,
            config: field(line(6)?, "config", |f| f.config()).ok_or(6_usize)?,
        })
    }
}

/// The whole of a line that begins with `name`.
fn field<T>(line: &str, name: &str, read: impl FnOnce(&mut Fields<'_>) -> Option<T>) -> Option<T> {
    let list = split(line)?;
    let mut fields = Fields::new(&list);
    (fields.word()? == name).then_some(())?;
    let value = read(&mut fields)?;
    fields.end().map(|()| value)
}

impl Fields<'_> {
    fn text_owned(&mut self) -> Option<String> {
        self.text().map(String::from)
    }

    fn secrets(&mut self) -> Option<Secrets> {
        let word = self.word()?;
        [Secrets::Hidden, Secrets::Kept].into_iter().find(|secrets| word_of(*secrets) == word)
    }

    fn seed(&mut self) -> Option<[u8; 32]> {
        let digits = self.word()?.as_bytes();
        let mut seed = [0; 32];
        (digits.len() == seed.len() * 2).then_some(())?;
        for (byte, pair) in seed.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = *pair else { return None };
            *byte = hex(high)? << 4 | hex(low)?;
        }
        Some(seed)
    }

    fn limits(&mut self) -> Option<Limits> {
        let limits = Limits {
            accounts: self.value()?,
            calls: self.value()?,
            transactions: self.value()?,
            buffers: self.value()?,
            text_bytes: self.value()?,
            message_bytes: self.value()?,
        };
        let Limits { accounts, calls, transactions, buffers, text_bytes, message_bytes } = limits;
        let slots = [accounts, calls, transactions, buffers].into_iter().max()?;
        let sizes = [text_bytes, message_bytes].into_iter().max()?;
        // A damaged file must not ask for more memory than there is.
        let fits = slots <= SLOTS_MAX && sizes <= SIZE_MAX && slots * text_bytes <= TEXT_MAX;
        fits.then_some(limits)
    }

    fn config(&mut self) -> Option<Config> {
        let local = self.maybe(Self::value)?;
        let mut span = || self.value().map(Duration::from_micros);
        let (t1, t2, t4) = (span()?, span()?, span()?);
        let (ring_limit, answer_limit) = (span()?, span()?);
        let methods = Methods::from_bits(self.value()?);
        let catch_all = self.value()?;
        Some(Config { local, t1, t2, t4, ring_limit, answer_limit, methods, catch_all })
    }
}

const fn word_of(secrets: Secrets) -> &'static str {
    match secrets {
        Secrets::Hidden => "hidden",
        Secrets::Kept => "kept",
    }
}

pub(super) const MAGIC: &str = "sansip-journal";
pub(super) const VERSION: u32 = 1;
const RESPONSE: &[u8] = b", response=\"";
/// What decides about bytes: the version and the features that change what is sent.
pub(super) const CORE_BUILD: &str = if cfg!(feature = "sha512") {
    concat!("sansip ", env!("CARGO_PKG_VERSION"), " +sha512")
} else {
    concat!("sansip ", env!("CARGO_PKG_VERSION"))
};
const SLOTS_MAX: usize = 1 << 20;
const SIZE_MAX: usize = 1 << 20;
const TEXT_MAX: usize = 1 << 31;

use core::fmt;
use std::io;

use sansip::endpoint::{self, Reason};
use sansip::media::DigitsError;

use crate::wav::WavError;

/// Why something on a phone, line or call failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Error {
    /// A socket or file failed.
    Io(io::ErrorKind),
    /// The endpoint refused the command.
    Refused(endpoint::Error),
    /// The call, registration or request failed for this reason.
    Failed(Reason),
    /// A WAV file could not be read or written.
    Wav(WavError),
    /// Digits could not be sent.
    Digits(DigitsError),
    /// The host has no address of the kind that the phone is bound to.
    UnknownHost,
    /// The phone was shut down.
    Closed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(kind) => write!(f, "{kind}"),
            Self::Refused(error) => write!(f, "{error}"),
            Self::Failed(Reason::Rejected(status)) => {
                let phrase = String::from_utf8_lossy(sansip::sip::reason(*status).as_bytes());
                write!(f, "the peer answered {status} {phrase}")
            }
            Self::Failed(reason) => write!(f, "it ended: {reason:?}"),
            Self::Wav(error) => write!(f, "{error}"),
            Self::Digits(error) => write!(f, "{error}"),
            Self::UnknownHost => f.write_str("no address for the host"),
            Self::Closed => f.write_str("the phone is shut down"),
        }
    }
}

impl core::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

impl From<endpoint::Error> for Error {
    fn from(error: endpoint::Error) -> Self {
        Self::Refused(error)
    }
}

impl From<WavError> for Error {
    fn from(error: WavError) -> Self {
        Self::Wav(error)
    }
}

impl From<DigitsError> for Error {
    fn from(error: DigitsError) -> Self {
        Self::Digits(error)
    }
}

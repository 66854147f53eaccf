use core::fmt;

use sansip::endpoint::{self, Reason};
use sansip::media::{DigitsError, WavError};

/// Why something on a phone, line or call failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The endpoint refused the command.
    Refused(endpoint::Error),
    /// The call or registration failed for this reason.
    Failed(Reason),
    /// A WAV cannot be played.
    Wav(WavError),
    /// Digits could not be sent.
    Digits(DigitsError),
    /// The phone was called from within its own trace sink.
    Busy,
    /// The phone was shut down.
    Closed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => write!(f, "{error}"),
            Self::Failed(Reason::Rejected(status)) => write!(f, "the peer answered {status}"),
            Self::Failed(reason) => write!(f, "it ended: {reason:?}"),
            Self::Wav(error) => write!(f, "{error}"),
            Self::Digits(error) => write!(f, "{error}"),
            Self::Busy => f.write_str("the phone was called from its trace sink"),
            Self::Closed => f.write_str("the phone is shut down"),
        }
    }
}

impl core::error::Error for Error {}

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

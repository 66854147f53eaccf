use core::fmt;

/// Why bytes are no session description.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)] // With one byte, the compiler moves the value of a `Result` byte by byte around it.
pub enum SdpError {
    /// A NUL byte (RFC 8866 s9, byte-string).
    Nul,
    /// A CR that no LF follows.
    LineEnd,
    /// A line that is not a letter, an equals sign and a value.
    Line,
    /// The first line is not `v=0`, or a second description follows.
    Version,
    /// No `o=` line, a second one, or a malformed one.
    Origin,
    /// No `s=` line or a second one.
    SessionName,
    /// A `c=` line without its three words.
    Connection,
    /// An `m=` line without its four parts.
    Media,
    /// A port that is no number, or a port count that is none from 1 to 65535.
    Port,
    /// An RTP payload type that is no number from 0 to 127.
    Format,
}

impl fmt::Display for SdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nul => "NUL byte in SDP",
            Self::LineEnd => "bare CR in SDP",
            Self::Line => "malformed SDP line",
            Self::Version => "SDP does not begin with one v=0",
            Self::Origin => "missing, second or malformed o= line",
            Self::SessionName => "missing or second s= line",
            Self::Connection => "malformed c= line",
            Self::Media => "malformed m= line",
            Self::Port => "malformed port in m= line",
            Self::Format => "payload type out of range in m= line",
        })
    }
}

impl core::error::Error for SdpError {}

/// Why a description of ours could not be written; never the peer's fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteError {
    /// The buffer is too small.
    NoRoom,
    /// The local address is a wildcard, multicast or broadcast address, or its port is 0:
    /// nobody could send there.
    LocalAddress,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRoom => "no room for the SDP",
            Self::LocalAddress => "the local media address is not one to send to",
        })
    }
}

impl core::error::Error for WriteError {}

/// Why an offer was not answered, or why an answer is of no use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnswerError {
    /// The peer's description is malformed.
    Malformed(SdpError),
    /// No stream that both sides can use: kind, protocol, codec or address.
    NotAcceptable,
    /// The answer has another number of `m=` lines than our offer, or another order.
    Mismatch,
    /// The answer refuses our stream with port 0.
    Refused,
    /// Our answer could not be written.
    Write(WriteError),
}

impl AnswerError {
    /// The status that answers a request with such an offer: 488, or 500 where the fault is ours.
    pub const fn status(self) -> u16 {
        match self {
            Self::Write(_) => 500,
            _ => 488,
        }
    }
}

impl From<SdpError> for AnswerError {
    fn from(error: SdpError) -> Self {
        Self::Malformed(error)
    }
}

impl From<WriteError> for AnswerError {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::NotAcceptable => f.write_str("no media stream that both sides can use"),
            Self::Mismatch => f.write_str("the answer's m= lines do not match the offer's"),
            Self::Refused => f.write_str("the peer refused the media stream"),
            Self::Write(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for AnswerError {}

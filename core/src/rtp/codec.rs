/// An audio codec that the library can encode and decode itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Codec {
    /// G.711 mu-law at 8 kHz, static payload type 0 (RFC 3551 s4.5.14).
    Pcmu,
    /// G.711 A-law at 8 kHz, static payload type 8 (RFC 3551 s4.5.14).
    Pcma,
}

impl Codec {
    /// The encoding name as rtpmap writes it; compare without case (RFC 8866 s6.6).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// The RTP clock rate, hertz.
    pub const fn clock_rate_hz(self) -> u32 {
        8000
    }

    /// The static payload type (RFC 3551 s6).
    pub const fn static_payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }
}

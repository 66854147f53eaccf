//! Every number that bounds anything, each with its reason.
//!
//! Units stand last in the names. The table in the README is made from this page.

/// Longest message that the stateless scratch and the parser's offsets can describe, bytes.
/// A UDP datagram cannot be longer (RFC 768), and offsets fit in 16 bits.
pub const MESSAGE_MAX: usize = 65_535;
/// Audio codecs that one media description offers or accepts; we implement fewer.
pub const CODECS_MAX: usize = 4;
/// Media descriptions of one SDP that an answer can mirror; the answer needs one for each
/// (RFC 3264 s6). More are answered with 488.
pub const MEDIA_MAX: usize = 8;
/// Ring of DTMF digits waiting to be sent by one media session.
pub const DIGITS_OUT_MAX: usize = 32;
/// DTMF digits received and not yet taken by the application, a media session.
pub const DIGITS_IN_MAX: usize = 32;
/// Longest frame that a session ticks, samples: 60 ms at 16 kHz.
pub const FRAME_MAX: usize = 960;
/// Longest RTP packet that a session builds: 12 header bytes and one frame of 16-bit samples.
pub const RTP_PACKET_MAX: usize = 12 + FRAME_MAX * 2;
/// Parameters, or headers, of a URI that a comparison looks at: each is sought in the other URI,
/// and the work must not grow with the square of what a peer sends (RFC 3261 s19.1.4).
pub const URI_PARAMS_COMPARED_MAX: usize = 32;

//! Every number that bounds anything, each with its reason.
//!
//! Units stand last in the names. The table in the README is made from this page.

/// Longest message that the draft and the parser's offsets can describe, bytes.
/// A UDP datagram cannot be longer (RFC 768), and offsets fit in 16 bits.
pub const MESSAGE_MAX: usize = 65_535;
/// Audio codecs that one media description offers or accepts; we implement fewer.
pub const CODECS_MAX: usize = 4;
/// Media descriptions of one SDP that an answer can mirror; the answer needs one for each
/// (RFC 3264 s6). More are answered with 488.
pub const MEDIA_MAX: usize = 8;
/// Formats of one media description that are looked at. Browsers offer about fifteen; without a
/// bound, thousands of formats times thousands of attributes would cost seconds.
pub const FORMATS_MAX: usize = 32;
/// Ring of DTMF digits waiting to be sent by one media session.
pub const DIGITS_OUT_MAX: usize = 32;
/// DTMF digits received and not yet taken by the application, a media session.
pub const DIGITS_IN_MAX: usize = 32;
/// Longest frame that a session ticks, samples: 60 ms at 8 kHz, the longest packet we offer.
pub const FRAME_MAX: usize = 480;
/// Longest RTP packet that a session builds, bytes: 12 of header and one byte a sample.
pub const RTP_PACKET_MAX: usize = 12 + FRAME_MAX;
/// Ring of the jitter buffer, bytes, a power of two: one encoded byte a timestamp unit, so 256 ms
/// at 8 kHz. It bounds how far packets may run ahead of what is played.
pub const JITTER_RING: usize = 2048;
/// Samples already played that the jitter buffer's ring keeps, to repeat them over a loss: 20 ms,
/// at least one pitch period of any voice.
pub const JITTER_HISTORY: usize = 160;
/// Depth of the jitter buffer at the start, samples: 40 ms, two packets of the usual length.
pub const JITTER_DEPTH_START: u32 = 320;
/// Least depth of the jitter buffer, samples: 20 ms, because a packet may arrive right after a
/// tick and then waits for the next.
pub const JITTER_DEPTH_MIN: u32 = 160;
/// Greatest depth of the jitter buffer, samples: 160 ms; a longer delay spoils conversation
/// (ITU-T G.114), and the ring must hold a packet of 60 ms on top.
pub const JITTER_DEPTH_MAX: u32 = 1280;
/// Shortest DTMF digit that we send, milliseconds (40 is the least a receiver must recognise,
/// RFC 4733 s3.2; slow equipment wants more).
pub const DIGIT_MIN_MS: u64 = 100;
/// Duration of a DTMF digit unless the caller sets one, milliseconds.
pub const DIGIT_DURATION_MS: u64 = 160;
/// Longest DTMF digit that we send, milliseconds; a key held for a minute was forgotten.
pub const DIGIT_MAX_MS: u64 = 60_000;
/// Least pause between two DTMF digits that we send, milliseconds. Regulators ask for up to 70
/// (ITU-T Q.24 table A-1); the repeated end packets take 40 of it, and the rest is audio that
/// separates the digits for gateways that look at packets only.
pub const DIGIT_PAUSE_MS: u64 = 100;
/// A received digit without an end closes after this silence, milliseconds: three intervals of
/// the 50 ms that RFC 4733 s2.5.1.2 recommends, the most by which s2.5.2.2 lets a tone be extended.
pub const DIGIT_TIMEOUT_MS: u64 = 150;
/// Reports that one telephone-event packet may pack (RFC 4733 s2.5.1.5); more are ignored, so that
/// a packet costs bounded work.
pub const DIGIT_REPORTS_MAX: usize = 8;
/// How much longer than two frames a gap between two ticks must be for the media clock to follow
/// the wall clock, milliseconds: the device slept, and its driver skips the missed frames. Shorter
/// gaps are scheduling, and the driver catches up.
pub const TICK_GAP_MS: u64 = 100;
/// Silence of the peer's media after which the session says so, milliseconds.
pub const MEDIA_SILENCE_MS: u64 = 30_000;
/// The same after an RTCP BYE of the peer, milliseconds: time for packets on their way and for the
/// SIP BYE, which is what ends a call.
pub const MEDIA_SILENCE_BYE_MS: u64 = 5_000;
/// How long after the start or a moved peer the source of RTP may be learnt, milliseconds
/// (the attack is known as RTP Bleed). A peer behind a NAT sends at once after its answer.
pub const LATCH_WINDOW_MS: u64 = 5_000;
/// How long a source other than the signalled one must be alone and consistent to be learnt,
/// milliseconds: the true source, where it is reachable, is heard before.
pub const LATCH_PROBATION_MS: u64 = 500;
/// Mean interval of RTCP reports, milliseconds (RFC 3550 s6.2); the first comes after half of it.
pub const RTCP_INTERVAL_MS: u64 = 5_000;
/// Parameters, or headers, of a URI that a comparison looks at: each is sought in the other URI,
/// and the work must not grow with the square of what a peer sends (RFC 3261 s19.1.4).
pub const URI_PARAMS_COMPARED_MAX: usize = 32;
/// Routes of one dialog: far more proxies than any call passes, and the text of a dialog bounds
/// their bytes (RFC 3261 sets no limit; Max-Forwards starts at 70).
pub const ROUTES_MAX: usize = 32;
/// Credentials of one kind given along one chain of requests: for a challenge, and once more where
/// its nonce was stale.
pub const CREDENTIALS_MAX: u8 = 2;
/// Surplus forks of one INVITE that get a BYE of ours (RFC 3261 s13.2.2.4); a thousand of them are
/// an attack, and their calls end at their own side when no media comes.
pub const FORKS_ACKED_MAX: u8 = 8;

//! The media machine: one RTP stream pair with G.711, DTMF, RTCP and a jitter buffer, sans IO.
//!
//! A driver owns the sockets and the audio device and turns the machine once a frame:
//!
//! ```
//! use sansip::media::Session;
//! use sansip::sdp::MediaPlan;
//! use sansip::time::Instant;
//! # fn show(plan: &MediaPlan, seed: [u8; 32], mut now: Instant, datagram: &[u8]) {
//! let mut session = Session::new(plan, seed, now);
//! let captured = [0i16; 160]; // from the microphone; an empty slice is silence
//! let mut playout = [0i16; 160]; // to the loudspeaker
//! loop {
//!     // 1. every datagram that came since the last tick
//!     session.handle(now, plan.remote, datagram);
//!     // 2. one tick: a frame in, a frame out, at most one RTP packet
//!     if let Some(packet) = session.tick(now, &captured, &mut playout) {
//!         // send packet.bytes to packet.to from the RTP socket
//! #       let _ = packet.to;
//!     }
//!     // 3. at most one RTCP packet, every few seconds
//!     if let Some(packet) = session.poll_rtcp(now) {
//!         // send packet.bytes to packet.to from the RTCP socket
//! #       let _ = packet.to;
//!     }
//!     // 4. digits, silence and source changes
//!     while let Some(event) = session.poll_event() {
//! #       let _ = event;
//!     }
//!     // 5. wait for the audio clock: session.frame() samples later
//! #   break;
//! }
//! # }
//! ```

mod audio;
mod codec;
mod control;
mod digits_in;
mod digits_out;
mod jitter;
mod latch;
mod receiver;
mod report;
mod sender;
mod session;
mod source;
mod tone;
mod wav;

pub use audio::{Recorder, Silence, Sink, Source};
pub use report::{DigitsError, MediaEvent, Report, Transmit};
pub use session::Session;
pub use tone::{Tone, tone_share};
pub use wav::{Wav, WavError};

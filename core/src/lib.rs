//! A SIP, RTP and DTMF user agent as a pure state machine.
#![no_std]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod bytes;
pub mod digest;
pub mod limits;
pub mod media;
pub mod random;
pub mod rtp;
pub mod sdp;
pub mod sip;
pub mod time;

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

mod buffers;
mod bytes;
pub mod call;
pub mod digest;
pub mod endpoint;
mod index;
#[cfg(feature = "alloc")]
pub mod journal;
pub mod limits;
pub mod media;
pub mod path;
pub mod random;
pub mod registration;
pub mod rtp;
mod scan;
pub mod sdp;
pub mod sip;
pub mod storage;
mod table;
mod text;
pub mod time;
pub mod trace;
pub mod transaction;

//! RTP and RTCP packets and the telephone-event payload: bytes to borrowed views and back.
//!
//! Nothing here holds state or knows a clock: [`Packet`] and [`rtcp::Compound`] judge one
//! datagram as RFC 3550 appendices A.1 and A.2 ask, [`TelephoneEvent`] reads RFC 4733 payloads.

mod codec;
mod digit;
mod event;
mod packet;
pub mod rtcp;

pub use codec::Codec;
pub use digit::Digit;
pub use event::TelephoneEvent;
pub use packet::{Extension, Header, Packet, PacketError};

use core::fmt;

/// The buffer that the caller gave is too small; nothing useful was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooSmall;

impl fmt::Display for TooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the buffer is too small")
    }
}

impl core::error::Error for TooSmall {}

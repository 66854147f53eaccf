//! RTP and RTCP packets and the telephone-event payload: bytes to borrowed views and back.

mod codec;

pub use codec::Codec;

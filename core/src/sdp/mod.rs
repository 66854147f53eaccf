//! SDP (RFC 8866) and the offer/answer model (RFC 3264) for one audio stream.

mod plan;

pub use plan::{Direction, DtmfPlan, LocalMedia, MediaPlan};

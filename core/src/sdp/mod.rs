//! SDP (RFC 8866) and the offer/answer model (RFC 3264) for one audio stream.
//!
//! [`Session`] reads a description without judgement of what we can do with it. [`write_offer`],
//! [`answer`] and [`accept_answer`] negotiate the one audio stream of a call; what both sides
//! agreed on is a [`MediaPlan`].

mod answer;
mod error;
mod formats;
mod line;
mod media;
mod offer;
mod plan;
mod remote;
mod session;

#[cfg(test)]
mod tests;

pub use answer::{accept_answer, answer};
pub(crate) use answer::{accept_first_answer, answer_with_shape, check_offer};
pub use error::{AnswerError, SdpError, WriteError};
pub use line::{Attribute, Attributes, Line, Lines};
pub use media::{Mapping, Media, MediaIter, Rtcp, RtpMap};
pub use offer::{Origin, Shape, write_offer, write_reoffer};
pub use plan::{Direction, DtmfPlan, LocalMedia, MediaPlan};
pub use session::{Connection, OriginLine, Session};

//! Our part of an offer and answer (RFC 3264), written as the body of a message.

use crate::sdp::{self, AnswerError, LocalMedia, MediaPlan, Origin, Shape};
use crate::sip::{WriteError, Writer};

use super::calls::SDP;

/// What is offered or answered, and what comes of it.
pub(super) struct Negotiation<'x> {
    local: &'x LocalMedia,
    origin: Origin,
    /// What a later offer starts from; a first one has nothing before it.
    before: Option<&'x (Shape, MediaPlan)>,
    /// What our answer agreed to.
    pub(super) plan: Option<MediaPlan>,
    /// The shape of our answer.
    pub(super) shape: Option<Shape>,
    /// Why the offer cannot be answered.
    pub(super) refused: Option<AnswerError>,
}

impl<'x> Negotiation<'x> {
    pub(super) fn new(
        local: &'x LocalMedia,
        origin: Origin,
        before: Option<&'x (Shape, MediaPlan)>,
    ) -> Self {
        Self { local, origin, before, plan: None, shape: None, refused: None }
    }

    /// End a message with our answer to the peer's offer, or else with our own offer.
    #[inline(never)]
    pub(super) fn finish(
        &mut self,
        writer: &mut Writer<'_>,
        offer: Option<&[u8]>,
    ) -> Result<usize, WriteError> {
        writer.finish_with(SDP, |room| match (offer, self.before) {
            (Some(offer), _) => {
                let answered = sdp::answer_with_shape(offer, self.local, self.origin, room);
                let (len, plan, shape) = answered.map_err(|error| self.refused = Some(error))?;
                (self.plan, self.shape) = (Some(plan), Some(shape));
                Ok(len)
            }
            (None, Some((shape, plan))) => {
                sdp::write_reoffer(room, self.local, self.origin, shape, plan).map_err(|_| ())
            }
            (None, None) => sdp::write_offer(room, self.local, self.origin).map_err(|_| ()),
        })
    }
}

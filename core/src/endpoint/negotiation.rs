//! Our part of an offer and answer (RFC 3264), written as the body of a message.

use crate::sdp::{self, AnswerError, LocalMedia, MediaPlan, Origin, Shape};
use crate::sip::{WriteError, Writer};
use crate::table::Id;

use super::Endpoint;
use super::calls::SDP;
use super::slots::CallSlot;

/// What is offered or answered, and what comes of it.
pub(super) struct Negotiation {
    local: LocalMedia,
    pub(super) origin: Origin,
    /// What a later offer starts from; a first one has nothing before it.
    before: Option<(Shape, MediaPlan)>,
    /// What our answer agreed to.
    pub(super) plan: Option<MediaPlan>,
    /// The shape of our answer.
    pub(super) shape: Option<Shape>,
    /// Why the offer cannot be answered.
    pub(super) refused: Option<AnswerError>,
}

impl Negotiation {
    /// With media of ours in a call.
    #[inline(never)]
    pub(super) fn new(call: &CallSlot, local: &LocalMedia) -> Self {
        Self {
            local: local.clone(),
            origin: Origin { session_id: call.session_id, version: call.session_version },
            before: call.shape.zip(call.plan),
            plan: None,
            shape: None,
            refused: None,
        }
    }

    /// With the media that the call has.
    pub(super) fn of(call: &CallSlot) -> Option<Self> {
        call.local.as_ref().map(|local| Self::new(call, local))
    }

    /// End a message with our answer to the peer's offer, or else with our own offer.
    #[inline(never)]
    pub(super) fn finish(
        &mut self,
        writer: &mut Writer<'_>,
        offer: Option<&[u8]>,
    ) -> Result<usize, WriteError> {
        writer.finish_with(SDP, |room| match (offer, &self.before) {
            (Some(offer), _) => {
                let shape = self.shape.insert(Shape::default());
                let (local, origin, plan) = (&self.local, self.origin, &mut self.plan);
                let answered = sdp::answer_with_shape(offer, local, origin, room, plan, shape);
                answered.map_err(|error| self.refused = Some(error))
            }
            (None, Some((shape, plan))) => {
                sdp::write_reoffer(room, &self.local, self.origin, shape, plan).map_err(|_| ())
            }
            (None, None) => sdp::write_offer(room, &self.local, self.origin).map_err(|_| ()),
        })
    }
}

impl Endpoint<'_> {
    /// Our answer or late offer goes out in a 2xx or 1xx. Answers whether another plan is agreed
    /// than before.
    pub(super) fn describe_session(&mut self, call: Id, session: &Negotiation, late: bool) -> bool {
        self.calls.update(call, |slot| {
            slot.local = Some(session.local.clone());
            slot.session_version = session.origin.version;
            match session.shape {
                Some(_) => slot.shape = session.shape,
                None => _ = slot.shape.get_or_insert(Shape::OFFER),
            }
            slot.awaits_answer = late;
        });
        session.plan.as_ref().is_some_and(|plan| self.set_plan(call, plan))
    }

    /// Take an agreed plan over. Answers whether it is another than before.
    #[inline(never)]
    pub(super) fn set_plan(&mut self, call: Id, plan: &MediaPlan) -> bool {
        let changed = self.calls.update(call, |slot| {
            let changed = slot.plan.as_ref() != Some(plan);
            slot.plan = Some(*plan);
            changed
        });
        changed == Some(true)
    }
}

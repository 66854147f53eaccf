//! Where messages are put together before they are kept or sent.

use crate::sip::{HeaderName, WriteError, Writer};
use crate::storage::Slots;

use super::calls::SDP;
use super::compose::write_allow;
use super::negotiation::Negotiation;
use super::{Body, CustomHeader, Error, Methods, custom};

/// What a message ends with.
pub(super) enum Ending<'e> {
    /// No body.
    Nothing,
    /// What we are able to do, and no body.
    Abilities(Methods),
    Body(Body<'e>),
    /// Our offer.
    Offer(&'e mut Negotiation),
    /// Our answer to this offer, or else to the one in the request that is answered.
    Answer(&'e mut Negotiation, Option<&'e [u8]>),
}

/// One buffer for whatever is written next, and how long the last of it became.
pub(super) struct Draft<'a> {
    pub(super) room: Slots<'a, u8>,
    len: usize,
}

impl<'a> Draft<'a> {
    pub(super) fn new(room: Slots<'a, u8>) -> Self {
        Self { room, len: 0 }
    }

    /// Begin anew; [`Draft::end`] must follow.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn begin(&mut self) -> Writer<'_> {
        Writer::new(&mut self.room)
    }

    /// What was begun is that long, or did not fit.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn end(&mut self, written: Result<usize, WriteError>) -> Result<(), Error> {
        self.len = written.map_err(|_| Error::TooLong)?;
        Ok(())
    }

    /// Custom headers, packed.
    pub(super) fn pack(&mut self, headers: &[CustomHeader<'_>]) -> Result<(), Error> {
        self.len = custom::pack(headers, &mut self.room)?;
        Ok(())
    }

    /// What was written last.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn bytes(&self) -> &[u8] {
        self.room.get(..self.len).unwrap_or(&[])
    }
}

impl<'e> From<Option<Body<'e>>> for Ending<'e> {
    fn from(body: Option<Body<'e>>) -> Self {
        body.map_or(Self::Nothing, Self::Body)
    }
}

impl<'e> Ending<'e> {
    /// A response with our part of a session: the answer, or a late offer.
    pub(super) fn of_response(session: &'e mut Negotiation, late: bool) -> Self {
        if late { Self::Offer(session) } else { Self::Answer(session, None) }
    }

    /// End a message; `request` is the body of the request that it answers.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn write(
        self,
        writer: &mut Writer<'_>,
        request: &[u8],
    ) -> Result<usize, WriteError> {
        match self {
            Self::Nothing => writer.finish(),
            Self::Abilities(methods) => {
                write_allow(writer, methods);
                writer.header(HeaderName::Accept, SDP).finish()
            }
            Self::Body(body) => writer.finish_with_body(body.content_type.as_bytes(), body.bytes),
            Self::Offer(session) => session.finish(writer, None),
            Self::Answer(session, offer) => session.finish(writer, offer.or(Some(request))),
        }
    }
}

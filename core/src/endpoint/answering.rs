//! How the application answers the INVITE of an incoming call.

use crate::call::State;
use crate::sdp::LocalMedia;
use crate::table::Id;
use crate::time::Due;

use super::draft::Ending;
use super::negotiation::Negotiation;
use super::responding::Response;
use super::{CallId, CustomHeader, Endpoint, Error, Reason, Reply, Stage, custom};

impl Endpoint<'_> {
    #[inline(never)]
    pub(super) fn ring(
        &mut self,
        call: CallId,
        status: u16,
        media: Option<LocalMedia>,
        headers: &[CustomHeader<'_>],
    ) -> Result<Reply, Error> {
        let CallId(id) = call;
        if !(101..=199).contains(&status) {
            return Err(Error::Invalid);
        }
        custom::check_all(headers)?;
        self.incoming_transaction(id)?;
        self.respond_invite(id, status, media.as_ref(), headers)?;
        Ok(Reply::Done)
    }

    #[inline(never)]
    pub(super) fn accept(
        &mut self,
        call: CallId,
        media: LocalMedia,
        headers: &[CustomHeader<'_>],
    ) -> Result<Reply, Error> {
        let CallId(id) = call;
        custom::check_all(headers)?;
        self.incoming_transaction(id)?;
        self.respond_invite(id, 200, Some(&media), headers)?;
        self.calls.update(id, |slot| {
            slot.state = State::Answered;
            slot.deadline = Due::NEVER;
        });
        Ok(Reply::Done)
    }

    #[inline(never)]
    pub(super) fn decline(
        &mut self,
        call: CallId,
        status: u16,
        headers: &[CustomHeader<'_>],
    ) -> Result<Reply, Error> {
        let CallId(id) = call;
        if !(300..=699).contains(&status) {
            return Err(Error::Invalid);
        }
        custom::check_all(headers)?; // the Contacts of a redirection are the application's
        self.incoming_transaction(id)?;
        self.refuse_call(id, status, headers);
        self.call_over(id, Reason::Declined(status));
        Ok(Reply::Done)
    }

    fn incoming_transaction(&self, call: Id) -> Result<Id, Error> {
        let slot = self.live_call(call)?;
        if slot.state != State::Ringing {
            return Err(Error::State);
        }
        slot.invite.ok_or(Error::State)
    }

    /// Answer the INVITE of an incoming call with a final failure.
    pub(super) fn refuse_call(&mut self, call: Id, status: u16, headers: &[CustomHeader<'_>]) {
        let Some(invite) = self.calls.get(call).and_then(|slot| slot.invite) else { return };
        let dialog = self.calls.get(call).map(|slot| slot.dialog);
        let response = Response { dialog, headers, ..Response::later(invite, status) };
        self.respond_or_close(&response, Ending::Nothing);
    }

    /// Answer the INVITE of an incoming call with 1xx or 200, with SDP where media is given.
    fn respond_invite(
        &mut self,
        call: Id,
        status: u16,
        media: Option<&LocalMedia>,
        headers: &[CustomHeader<'_>],
    ) -> Result<(), Error> {
        let slot = self.calls.get(call).ok_or(Error::Gone)?;
        let (invite, dialog) = (slot.invite.ok_or(Error::State)?, slot.dialog);
        let late = slot.late_offer;
        // what was answered early holds (RFC 3261 s13.3.1.4): the 200 repeats it
        let media = if slot.plan.is_some() { slot.local.as_ref() } else { media };
        let media = media.filter(|_| !(late && status < 200)); // no offer in an unreliable 1xx
        let session = &mut media.map(|media| Negotiation::new(slot, media));
        let response =
            Response { dialog: Some(dialog), headers, ..Response::later(invite, status) };
        let Some(session) = session else {
            self.write_response(&response, Ending::Nothing)?;
            self.send_response(invite, status);
            return Ok(());
        };
        let written = self.write_response(&response, Ending::of_response(session, late));
        if session.refused.is_some() {
            return Err(Error::NotAcceptable);
        }
        written?;
        let is_new = self.describe_session(call, session, late);
        self.send_response(invite, status);
        if is_new {
            self.tell_media(call, Stage::Agreed);
        }
        Ok(())
    }
}

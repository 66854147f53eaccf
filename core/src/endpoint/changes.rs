//! Changes of a call that we ask for by a re-INVITE: hold and resume.

use crate::random::Purpose as Draw;
use crate::sdp::Direction;
use crate::table::Id;
use crate::time::{Due, Duration};

use crate::call::State;

use super::receive::Received;
use super::slots::{Change, News, Purpose};
use super::transactions::Need;
use super::{CallId, Endpoint, Error, Reason, Reply, Stage};

impl Endpoint<'_> {
    #[inline(never)]
    pub(super) fn change_hold(&mut self, call: CallId, hold: bool) -> Result<Reply, Error> {
        let CallId(id) = call;
        let slot = self.live_call(id)?;
        let busy = slot.change != Change::None || slot.invite.is_some();
        if slot.state != State::Established || busy {
            return Err(Error::State);
        }
        let direction = if hold { Direction::SendOnly } else { Direction::SendRecv };
        let before = slot.local.as_ref().map_or(Direction::SendRecv, |local| local.direction);
        self.set_direction(id, direction);
        self.calls.update(id, |slot| slot.session_version += 1);
        if let Err(error) = self.send_invite(id, Purpose::Reinvite, Need::Reserved) {
            self.set_direction(id, before);
            return Err(error);
        }
        self.calls.update(id, |slot| {
            slot.change = Change::Sent;
            slot.direction_before = before;
        });
        self.tell_media(id, Stage::Offered);
        Ok(Reply::Done)
    }

    pub(super) fn set_direction(&mut self, call: Id, direction: Direction) {
        self.calls.update(call, |slot| {
            if let Some(local) = &mut slot.local {
                local.direction = direction;
            }
        });
    }

    /// The answer to our re-INVITE.
    pub(super) fn change_accepted(&mut self, id: Id, call: Id, received: &Received<'_>) {
        self.keep_inbox(received.message);
        if let Some(dialog) = self.calls.get(call).map(|slot| slot.dialog) {
            let _ = self.refresh_target(dialog, received);
        }
        let acknowledged = self.acknowledge_2xx(id, call, received);
        self.calls.update(call, |slot| {
            slot.change = Change::None;
            slot.invite = None;
        });
        match acknowledged {
            Ok(_) => self.tell_media(call, Stage::Agreed),
            Err(_) => self.change_refused(call, Reason::NotAcceptable),
        }
    }

    /// Both sides changed the call at once: wait and repeat (RFC 3261 s14.1).
    pub(super) fn glare(&mut self, call: Id) {
        let random = u64::from(self.random.u32(Draw::Jitter));
        let Some(slot) = self.calls.get(call) else { return };
        // the owner of the Call-ID waits 2.1 to 4 s, the other 0 to 2 s, in steps of 10 ms
        let wait_ms = if slot.outgoing { 2100 + random % 191 * 10 } else { random % 201 * 10 };
        self.calls.update(call, |slot| {
            slot.change = Change::Waiting;
            slot.deadline = Due::at(self.now + Duration::from_millis(wait_ms));
        });
    }

    /// The peer does not want our hold or resume: what was agreed before holds on.
    pub(super) fn change_refused(&mut self, call: Id, reason: Reason) {
        let Some(before) = self.calls.get(call).map(|slot| slot.direction_before) else { return };
        self.set_direction(call, before);
        self.calls.update(call, |slot| {
            slot.change = Change::None;
            slot.change_failure = Some(reason);
        });
        self.tell_media(call, Stage::RolledBack);
        self.tell_call(call, News::HOLD_FAILED);
    }
}

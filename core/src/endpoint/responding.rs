//! How a request is answered that has a transaction.

use crate::sip::{HeaderName, Message, Method, WriteError, Writer};
use crate::table::Id;
use crate::time::Instant;

use super::compose::{self, write_allow};
use super::receive::Received;
use super::slots::{Purpose, account_text, dialog_text as field};
use super::transactions::Need;
use super::{CustomHeader, Endpoint, Error, custom};

/// Where the request is that a response answers.
#[derive(Clone, Copy)]
pub(super) enum Source<'m> {
    /// In the buffer of its transaction.
    Kept(Id),
    /// In the driver's hands, for this turn.
    Given(Id, &'m Message<'m>),
}

impl Endpoint<'_> {
    /// Put a response into the scratch buffer. `finish` ends it and may read the request.
    pub(super) fn write_response(
        &mut self,
        source: Source<'_>,
        dialog: Option<Id>,
        status: u16,
        headers: &[CustomHeader<'_>],
        finish: impl FnOnce(&mut Writer<'_>, &Message<'_>) -> Result<usize, WriteError>,
    ) -> Result<usize, Error> {
        let mut finish = Some(finish);
        self.write_response_then(source, dialog, status, headers, &mut |writer, request| {
            finish.take().map_or(Err(WriteError::NoRoom), |finish| finish(writer, request))
        })
    }

    /// The same, once for all callers: each copy would cost half a kilobyte of flash.
    fn write_response_then(
        &mut self,
        source: Source<'_>,
        dialog: Option<Id>,
        status: u16,
        headers: &[CustomHeader<'_>],
        finish: &mut dyn FnMut(&mut Writer<'_>, &Message<'_>) -> Result<usize, WriteError>,
    ) -> Result<usize, Error> {
        let (id, request) = match source {
            Source::Given(id, request) => (id, *request),
            Source::Kept(id) => {
                let slot = self.transactions.get(id).ok_or(Error::Gone)?;
                let buffer = slot.message.as_ref().ok_or(Error::State)?;
                (id, self.buffers.message(buffer).ok_or(Error::State)?)
            }
        };
        let slot = self.transactions.get(id).ok_or(Error::Gone)?;
        let path = slot.path.ok_or(Error::State)?;
        let dialog = dialog.and_then(|id| Some((id, self.dialogs.get(id)?)));
        let of_dialog = |which| match dialog {
            Some((id, slot)) => slot.text.get(self.dialog_text.block(id.index), which),
            None => &[],
        };
        let of_call = of_dialog(field::HEADERS);
        let stateless;
        let tag = if dialog.is_some() {
            of_dialog(field::LOCAL_TAG)
        } else {
            stateless = self.stateless_tag(&request);
            &stateless
        };
        let account = slot.account.and_then(|id| Some((id, self.accounts.get(id)?)));
        let own = |which| match account {
            Some((id, slot)) => slot.text.get(self.account_text.block(id.index), which),
            None => &[],
        };
        let is_invite = request.method() == Some(Method::Invite);
        let makes_dialog = is_invite && (101..300).contains(&status);
        let tag = (status > 100).then_some(tag);
        let mut writer = Writer::new(&mut self.scratch);
        // `received` names where the request came from; the response goes where `reply_path` says
        compose::begin_response(&mut writer, &request, path.remote, status, tag, makes_dialog);
        let method = request.method().map_or(&b""[..], |method| method.as_bytes());
        let chosen = |wanted| {
            compose::for_method(headers, method)
                .any(|header| HeaderName::parse(header.name.as_bytes()) == wanted)
        };
        if makes_dialog && !chosen(HeaderName::Contact) {
            let packed = [own(account_text::HEADERS), of_call];
            let replacement = custom::replacement(&packed, method, HeaderName::Contact);
            writer.open(HeaderName::Contact);
            match replacement {
                Some(value) => writer.text(value),
                None => compose::write_contact_uri(&mut writer, own(account_text::IDENTITY), &path),
            };
            writer.close();
        }
        if is_invite && (200..300).contains(&status) || status == 405 {
            write_allow(&mut writer, self.config.methods);
        }
        let names_us = !own(account_text::USER_AGENT).is_empty() && !chosen(HeaderName::Server);
        if status > 100 && names_us {
            writer.header(HeaderName::Server, own(account_text::USER_AGENT));
        }
        for header in compose::for_method(headers, method) {
            writer.header(HeaderName::parse(header.name.as_bytes()), header.value.as_bytes());
        }
        finish(&mut writer, &request).map_err(|_| Error::TooLong)
    }

    /// Answer a request inside a dialog at once, remembering the response for its repetitions.
    pub(super) fn answer_inside(
        &mut self,
        now: Instant,
        received: &Received<'_>,
        status: u16,
    ) -> Option<Id> {
        let path = received.reply_path();
        let opened = self.open_server(now, path, received.head, Need::Reserved, Purpose::None);
        let Ok(id) = opened else {
            self.refuse(received, status); // without a memory; a repetition may get 481
            return None;
        };
        self.answer_given(now, received, id, status);
        Some(id)
    }

    /// Answer the request of a new transaction at once, with nothing but a status.
    pub(super) fn answer_given(
        &mut self,
        now: Instant,
        received: &Received<'_>,
        id: Id,
        status: u16,
    ) {
        let source = Source::Given(id, received.message);
        match self.write_response(source, None, status, &[], |writer, _| writer.finish()) {
            Ok(len) => self.send_response(now, id, status, len),
            Err(_) => self.close_transaction(id),
        }
    }
}

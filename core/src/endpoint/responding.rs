//! How a request is answered that has a transaction.

use crate::sip::{HeaderName, Message, Method};
use crate::table::Id;

use super::accounts::texts_of;
use super::compose::{self, write_allow};
use super::dialogs::texts_of_dialog;
use super::draft::Ending;
use super::receive::Received;
use super::slots::{Purpose, account_text, dialog_text as field};
use super::transactions::Need;
use super::{CustomHeader, Endpoint, Error, custom};

/// A response that has a transaction.
#[derive(Clone, Copy)]
pub(super) struct Response<'x> {
    pub(super) id: Id,
    /// The request, where it is in the driver's hands; else it is in the buffer of its transaction.
    pub(super) request: Option<&'x Message<'x>>,
    /// The dialog whose tag and headers it has.
    pub(super) dialog: Option<Id>,
    pub(super) status: u16,
    pub(super) headers: &'x [CustomHeader<'x>],
}

impl<'x> Response<'x> {
    /// To a request that came in this turn.
    pub(super) fn at_once(id: Id, received: &Received<'x>, status: u16) -> Self {
        Self { id, request: Some(received.message), dialog: None, status, headers: &[] }
    }

    /// To a request that its transaction keeps.
    pub(super) fn later(id: Id, status: u16) -> Self {
        Self { id, request: None, dialog: None, status, headers: &[] }
    }
}

impl Endpoint<'_> {
    /// Put a response into the draft.
    #[inline(never)]
    pub(super) fn write_response(
        &mut self,
        response: &Response<'_>,
        ending: Ending<'_>,
    ) -> Result<(), Error> {
        let Response { id, request, dialog, status, headers } = *response;
        let slot = self.transactions.get(id).ok_or(Error::Gone)?;
        let kept;
        let request = match request {
            Some(request) => request,
            None => {
                let buffer = slot.message.as_ref().ok_or(Error::State)?;
                kept = self.buffers.message(buffer);
                kept.as_ref().ok_or(Error::State)?
            }
        };
        let path = slot.path.as_ref().ok_or(Error::State)?;
        let of_call = texts_of_dialog(&self.dialogs, &self.dialog_text, dialog);
        let stateless;
        let tag = if of_call.is_there() {
            of_call.get(field::LOCAL_TAG)
        } else {
            stateless = self.stateless_tag(request);
            &stateless
        };
        let own = texts_of(&self.accounts, &self.account_text, slot.account);
        let method = compose::method_of(request);
        let is_invite = method == Method::Invite.as_bytes();
        let makes_dialog = is_invite && (101..300).contains(&status);
        let tag = (status > 100).then_some(tag);
        let mut writer = self.draft.begin();
        // `received` names where the request came from; the response goes where `reply_path` says
        compose::begin_response(&mut writer, request, path.remote, status, tag, makes_dialog);
        let chosen = |wanted| {
            compose::for_method(headers, method)
                .any(|header| HeaderName::parse(header.name.as_bytes()) == wanted)
        };
        if makes_dialog && !chosen(HeaderName::Contact) {
            let packed = [own.get(account_text::HEADERS), of_call.get(field::HEADERS)];
            let replacement = custom::replacement(&packed, method, HeaderName::Contact);
            writer.open(HeaderName::Contact);
            match replacement {
                Some(value) => writer.text(value),
                None => {
                    let identity = own.get(account_text::IDENTITY);
                    compose::write_contact_uri(&mut writer, identity, path)
                }
            };
            writer.close();
        }
        if is_invite && (200..300).contains(&status) || status == 405 {
            write_allow(&mut writer, self.config.methods);
        }
        let agent = own.get(account_text::USER_AGENT);
        if status > 100 && !agent.is_empty() && !chosen(HeaderName::Server) {
            writer.header(HeaderName::Server, agent);
        }
        for header in compose::for_method(headers, method) {
            writer.header(HeaderName::parse(header.name.as_bytes()), header.value.as_bytes());
        }
        let written = ending.write(&mut writer, request.body());
        self.draft.end(written)
    }

    /// Answer a request inside a dialog at once, remembering the response for its repetitions.
    pub(super) fn answer_inside(&mut self, received: &Received<'_>, status: u16) -> Option<Id> {
        let opened = self.open_server(received, Need::Reserved, Purpose::None);
        let Some(id) = opened else {
            self.refuse(received, status); // without a memory; a repetition may get 481
            return None;
        };
        self.answer_given(received, id, status);
        Some(id)
    }

    /// Answer the request of a new transaction at once, with nothing but a status.
    pub(super) fn answer_given(&mut self, received: &Received<'_>, id: Id, status: u16) {
        self.respond_or_close(&Response::at_once(id, received, status), Ending::Nothing);
    }

    /// Write and send a response; a transaction whose response cannot be written ends.
    pub(super) fn respond_or_close(&mut self, response: &Response<'_>, ending: Ending<'_>) {
        match self.write_response(response, ending) {
            Ok(()) => self.send_response(response.id, response.status),
            Err(_) => self.close_transaction(response.id),
        }
    }
}

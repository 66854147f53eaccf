//! Requests that the application sends and answers itself.

use crate::call::State;
use crate::path::Path;
use crate::random::Purpose as Draw;
use crate::sip::{Message, Method, Uri, WriteError};
use crate::table::Id;

use super::accounts::texts_of;
use super::compose::{self, ContactKind, Party, Request, hex_text};
use super::dialogs::Target;
use super::draft::Ending;
use super::receive::Received;
use super::responding::Response;
use super::slots::{Machine, Purpose, RequestNews, Resolving, account_text};
use super::transactions::{Need, Opening};
use super::{
    AccountId, Body, CallId, CustomHeader, Endpoint, Error, OutgoingRequest, Reason, Reply,
    RequestId, custom,
};

impl Endpoint<'_> {
    #[inline(never)]
    pub(super) fn send_request(&mut self, request: &OutgoingRequest<'_>) -> Result<Reply, Error> {
        let AccountId(account) = request.account;
        self.accounts.get(account).ok_or(Error::Gone)?;
        check(request.method, request.headers)?;
        self.write_target(account, request.target)?;
        let target = self.draft.bytes();
        let proxy = self.account_field(account, account_text::OUTBOUND_PROXY);
        let server = self.accounts.get(account).and_then(|slot| slot.server);
        let path = match Uri::parse(if proxy.is_empty() { target } else { proxy }) {
            Ok(_) if !proxy.is_empty() && server.is_some() => server,
            Ok(uri) => self.known_path(&uri),
            Err(_) => return Err(Error::Invalid),
        };
        let opening = Opening {
            need: Need::New,
            purpose: Purpose::Request,
            account: Some(account),
            path: path.as_ref(),
            random: self.random.u64(Draw::Branch),
            cseq: self.random.u32(Draw::CSeq) >> 4,
            ..Opening::default()
        };
        let id = self.open_transaction(&opening).ok_or(Error::NoRoom)?;
        if path.is_none() {
            self.transactions.update(id, |slot| slot.resolving = Resolving::Wanted);
        }
        let written = self.write_outside(account, id, request);
        self.launch_or_close(id, written)?;
        Ok(Reply::Request(RequestId(id)))
    }

    /// Put a request outside dialogs into the draft; without Via and Contact where the way
    /// is not known.
    fn write_outside(
        &mut self,
        account: Id,
        id: Id,
        request: &OutgoingRequest<'_>,
    ) -> Result<(), Error> {
        let (mut call_id, mut tag) = ([0; 16], [0; 16]);
        hex_text(self.random.u64(Draw::CallId), &mut call_id);
        hex_text(self.random.u64(Draw::Tag), &mut tag);
        self.write_target(account, request.target)?;
        let target: heapless::Vec<u8, TARGET_MAX> =
            heapless::Vec::from_slice(self.draft.bytes()).map_err(|_| Error::TooLong)?;
        let slot = self.transactions.get(id).ok_or(Error::Gone)?;
        let own = texts_of(&self.accounts, &self.account_text, Some(account));
        let method = Method::parse(request.method.as_bytes());
        let identity = own.get(account_text::IDENTITY);
        let written = Request {
            method,
            target: Target::outside(&target, own.get(account_text::OUTBOUND_PROXY)),
            path: slot.path.as_ref(),
            branch: self.branch_with(id, slot.random),
            from: Party::identity(own.get(account_text::DISPLAY_NAME), identity, &tag),
            to: Party::identity(&[], &target, &[]),
            call_id: &call_id,
            cseq: slot.cseq,
            contact: ContactKind::for_method(method),
            account: own,
            headers: &[],
            extra: request.headers,
            methods: self.config.methods,
        };
        let mut writer = self.draft.begin();
        written.write(&mut writer);
        let finished = Ending::from(request.body).write(&mut writer, &[]);
        let is_ours = matches!(finished, Err(error) if error != WriteError::NoRoom);
        self.draft.end(finished).map_err(|error| if is_ours { Error::Invalid } else { error })
    }

    /// The way is known now: add what depends on it, and send.
    pub(super) fn complete_request(&mut self, id: Id, path: Path) -> Result<(), Reason> {
        let branch = self.branch(id);
        let slot = self.transactions.get(id).ok_or(Reason::NoRoom)?;
        let buffer = slot.message.as_ref().ok_or(Reason::NoRoom)?;
        let own = texts_of(&self.accounts, &self.account_text, slot.account);
        let identity = own.get(account_text::IDENTITY);
        let old = &Message::parse(self.buffers.get(buffer));
        let old = old.as_ref().map_err(|_| Reason::ProtocolError)?;
        let mut writer = self.draft.begin();
        compose::complete(&mut writer, old, &path, branch, slot.cseq, identity);
        let kind = old.header(crate::sip::HeaderName::ContentType);
        let written = match kind {
            Some(kind) if !old.body().is_empty() => writer.finish_with_body(kind, old.body()),
            _ => writer.finish(),
        };
        self.draft.end(written).map_err(|_| Reason::TooLong)?;
        self.launch(id).map_err(|_| Reason::NoRoom)
    }

    #[inline(never)]
    pub(super) fn send_request_inside(
        &mut self,
        call: CallId,
        method: &str,
        headers: &[CustomHeader<'_>],
        body: Option<Body<'_>>,
    ) -> Result<Reply, Error> {
        let CallId(call) = call;
        if self.live_call(call)?.state != State::Established {
            return Err(Error::State);
        }
        check(method, headers)?;
        let method = Method::parse(method.as_bytes());
        if matches!(method, Method::Register) {
            return Err(Error::Invalid);
        }
        let id = self.open_request(call, Purpose::Request, Need::New)?;
        let written = self.write_in_dialog(call, id, method, headers, body.into());
        self.launch_or_close(id, written)?;
        Ok(Reply::Request(RequestId(id)))
    }

    /// A request of the application has its final response; `retried` says what hindered another
    /// try with credentials, where one was asked for.
    pub(super) fn tell_response(
        &mut self,
        id: Id,
        received: &Received<'_>,
        status: u16,
        retried: Result<(), Reason>,
    ) {
        match retried {
            Ok(()) | Err(Reason::AuthenticationFailed) => {
                self.keep_inbox(received.message);
                self.request_over(id, Ok(status));
                self.forget_request(id);
            }
            Err(reason) => self.request_over(id, Err(reason)),
        }
    }

    /// The bytes of a request are not needed any more: it was answered, or another takes its place.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn forget_request(&mut self, id: Id) {
        let message = self.transactions.update(id, |slot| slot.message.take()).flatten();
        self.buffers.give(message);
    }

    pub(super) fn request_over(&mut self, id: Id, outcome: Result<u16, Reason>) {
        let turn = self.turn;
        self.transactions.update(id, |slot| {
            slot.news = Some(RequestNews::Response(outcome));
            slot.turn = turn;
            slot.resolving = Resolving::No;
            // a machine that is done is removed once the application knows
            slot.doomed |= outcome.is_err();
            slot.purpose = Purpose::None;
        });
    }

    #[inline(never)]
    pub(super) fn answer_request(
        &mut self,
        request: RequestId,
        status: u16,
        headers: &[CustomHeader<'_>],
        body: Option<Body<'_>>,
    ) -> Result<Reply, Error> {
        let RequestId(id) = request;
        let slot = self.transactions.get(id).ok_or(Error::Gone)?;
        let open = matches!(&slot.machine, Machine::ServerRequest(machine) if machine.is_open());
        if !open || slot.purpose != Purpose::Request {
            return Err(Error::Gone); // it was answered before, or for the application
        }
        if !(200..=699).contains(&status) {
            return Err(Error::Invalid);
        }
        custom::check_all(headers)?;
        let dialog = slot.call.and_then(|call| self.calls.get(call)).map(|slot| slot.dialog);
        let response = Response { dialog, headers, ..Response::later(id, status) };
        self.write_response(&response, body.into())?;
        self.send_response(id, status);
        Ok(Reply::Done)
    }
}

fn check(method: &str, headers: &[CustomHeader<'_>]) -> Result<(), Error> {
    let known = Method::parse(method.as_bytes());
    let ours = matches!(
        known,
        Method::Invite
            | Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Prack
            | Method::Update
    );
    if ours || method.is_empty() { Err(Error::Invalid) } else { custom::check_all(headers) }
}

/// Longest Request-URI of a request outside calls, bytes.
const TARGET_MAX: usize = 256;

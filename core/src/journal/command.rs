//! Commands as lines.

use alloc::string::String;
use alloc::vec::Vec;

use crate::endpoint::{
    Account, AccountId, Body, CallId, Command, CustomHeader, OutgoingCall, OutgoingRequest,
    RequestId,
};
use crate::rtp::Codec;
use crate::sdp::{Direction, LocalMedia};
use crate::table::Id;
use crate::time::Instant;

use super::Secrets;
use super::fields::{Fields, Line};

pub(super) fn line(now: Instant, command: &Command<'_>, secrets: Secrets) -> String {
    let line = Line::at(now, kind(command));
    match command {
        Command::AddAccount(account) => write_account(line, account, secrets),
        Command::RemoveAccount(account)
        | Command::Register(account)
        | Command::Unregister(account)
        | Command::QueryBindings(account) => line.id(account.0),
        Command::Call(OutgoingCall { account, target, media, late_offer, headers }) => {
            let line = line.id(account.0).quoted(target.as_bytes()).word(late_offer);
            write_headers(write_media(line, media), headers)
        }
        Command::Progress { call, status, media, headers } => {
            let line = line.id(call.0).word(status).maybe(media.as_ref(), write_media);
            write_headers(line, headers)
        }
        Command::Answer { call, media, headers } => {
            write_headers(write_media(line.id(call.0), media), headers)
        }
        Command::Reject { call, status, headers } => {
            write_headers(line.id(call.0).word(status), headers)
        }
        Command::HangUp(call)
        | Command::Hold(call)
        | Command::Resume(call)
        | Command::MediaSilent(call) => line.id(call.0),
        Command::Request(OutgoingRequest { account, method, target, headers, body }) => {
            let line = line.id(account.0).quoted(method.as_bytes()).quoted(target.as_bytes());
            write_headers(line.maybe(*body, write_body), headers)
        }
        Command::RequestInCall { call, method, headers, body } => {
            let line = line.id(call.0).quoted(method.as_bytes());
            write_headers(line.maybe(*body, write_body), headers)
        }
        Command::Respond { request, status, headers, body } => {
            let line = line.id(request.0).word(status);
            write_headers(line.maybe(*body, write_body), headers)
        }
    }
    .end()
}

pub(super) fn kind(command: &Command<'_>) -> &'static str {
    match command {
        Command::AddAccount(_) => "add-account",
        Command::RemoveAccount(_) => "remove-account",
        Command::Register(_) => "register",
        Command::Unregister(_) => "unregister",
        Command::QueryBindings(_) => "query-bindings",
        Command::Call(_) => "call",
        Command::Progress { .. } => "progress",
        Command::Answer { .. } => "answer",
        Command::Reject { .. } => "reject",
        Command::HangUp(_) => "hang-up",
        Command::Hold(_) => "hold",
        Command::Resume(_) => "resume",
        Command::Request(_) => "request",
        Command::RequestInCall { .. } => "request-in-call",
        Command::Respond { .. } => "respond",
        Command::MediaSilent(_) => "media-silent",
    }
}

/// The command of a line; `headers` is where its list is kept.
pub(super) fn read<'s, 'f: 's>(
    kind: &str,
    fields: &mut Fields<'f>,
    headers: &'s mut Vec<CustomHeader<'f>>,
) -> Option<Command<'s>> {
    let list = headers;
    Some(match kind {
        "add-account" => Command::AddAccount(read_account(fields, list)?),
        "remove-account" => Command::RemoveAccount(AccountId(fields.id()?)),
        "register" => Command::Register(AccountId(fields.id()?)),
        "unregister" => Command::Unregister(AccountId(fields.id()?)),
        "query-bindings" => Command::QueryBindings(AccountId(fields.id()?)),
        "call" => {
            let account = AccountId(fields.id()?);
            let (target, late_offer) = (fields.text()?, fields.value()?);
            let (media, headers) = (fields.media()?, fields.headers(list)?);
            Command::Call(OutgoingCall { account, target, media, late_offer, headers })
        }
        "progress" => Command::Progress {
            call: CallId(fields.id()?),
            status: fields.value()?,
            media: fields.maybe(Fields::media)?,
            headers: fields.headers(list)?,
        },
        "answer" => Command::Answer {
            call: CallId(fields.id()?),
            media: fields.media()?,
            headers: fields.headers(list)?,
        },
        "reject" => Command::Reject {
            call: CallId(fields.id()?),
            status: fields.value()?,
            headers: fields.headers(list)?,
        },
        "hang-up" => Command::HangUp(CallId(fields.id()?)),
        "hold" => Command::Hold(CallId(fields.id()?)),
        "resume" => Command::Resume(CallId(fields.id()?)),
        "media-silent" => Command::MediaSilent(CallId(fields.id()?)),
        "request" => {
            let account = AccountId(fields.id()?);
            let (method, target) = (fields.text()?, fields.text()?);
            let (body, headers) = (fields.maybe(Fields::body)?, fields.headers(list)?);
            Command::Request(OutgoingRequest { account, method, target, headers, body })
        }
        "request-in-call" => {
            let (call, method) = (CallId(fields.id()?), fields.text()?);
            let (body, headers) = (fields.maybe(Fields::body)?, fields.headers(list)?);
            Command::RequestInCall { call, method, headers, body }
        }
        "respond" => {
            let (request, status) = (RequestId(fields.id()?), fields.value()?);
            let (body, headers) = (fields.maybe(Fields::body)?, fields.headers(list)?);
            Command::Respond { request, status, headers, body }
        }
        _ => return None,
    })
}

fn write_account(line: Line, account: &Account<'_>, secrets: Secrets) -> Line {
    let Account {
        identity,
        display_name,
        registrar,
        outbound_proxy,
        auth_user,
        password,
        realm,
        user_agent,
        headers,
        expires_s,
        allow_md5,
    } = account;
    let texts = [identity, display_name, registrar, outbound_proxy, auth_user];
    let line = texts.iter().fold(line, |line, text| line.quoted(text.as_bytes()));
    let line = line.quoted(&secrets.password(password));
    let line = line.quoted(realm.as_bytes()).quoted(user_agent.as_bytes());
    write_headers(line.word(expires_s).word(allow_md5), headers)
}

fn read_account<'s, 'f: 's>(
    fields: &mut Fields<'f>,
    list: &'s mut Vec<CustomHeader<'f>>,
) -> Option<Account<'s>> {
    Some(Account {
        identity: fields.text()?,
        display_name: fields.text()?,
        registrar: fields.text()?,
        outbound_proxy: fields.text()?,
        auth_user: fields.text()?,
        password: fields.text()?,
        realm: fields.text()?,
        user_agent: fields.text()?,
        expires_s: fields.value()?,
        allow_md5: fields.value()?,
        headers: fields.headers(list)?,
    })
}

fn write_media(line: Line, media: &LocalMedia) -> Line {
    let LocalMedia { address, codecs, ptime_ms, direction, dtmf } = media;
    let direction = match direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    };
    let line = line.word(address).word(ptime_ms).word(direction).word(dtmf).word(codecs.len());
    codecs.iter().fold(line, |line, codec| line.word(codec.name()))
}

/// Names, values and methods; how many there are stands before them.
fn write_headers(line: Line, headers: &[CustomHeader<'_>]) -> Line {
    headers.iter().fold(line.word(headers.len()), |line, header| {
        let CustomHeader { method, name, value } = header;
        let line = line.maybe(*method, |line, method| line.quoted(method.as_bytes()));
        line.quoted(name.as_bytes()).quoted(value.as_bytes())
    })
}

fn write_body(line: Line, Body { content_type, bytes }: Body<'_>) -> Line {
    line.quoted(content_type.as_bytes()).quoted(bytes)
}

impl<'f> Fields<'f> {
    pub(super) fn id(&mut self) -> Option<Id> {
        Id::from_number(self.value()?)
    }

    fn media(&mut self) -> Option<LocalMedia> {
        let mut media = LocalMedia::new(self.value()?);
        media.ptime_ms = self.value()?;
        media.direction = match self.word()? {
            "sendrecv" => Direction::SendRecv,
            "sendonly" => Direction::SendOnly,
            "recvonly" => Direction::RecvOnly,
            "inactive" => Direction::Inactive,
            _ => return None,
        };
        media.dtmf = self.value()?;
        for _ in 0..self.value::<usize>()? {
            let name = self.word()?;
            let codec = [Codec::Pcmu, Codec::Pcma].into_iter().find(|codec| codec.name() == name);
            media.codecs.push(codec?).ok()?;
        }
        Some(media)
    }

    fn headers<'s>(
        &mut self,
        list: &'s mut Vec<CustomHeader<'f>>,
    ) -> Option<&'s [CustomHeader<'f>]> {
        for _ in 0..self.value::<usize>()? {
            let method = self.maybe(Self::text)?;
            list.push(CustomHeader { method, name: self.text()?, value: self.text()? });
        }
        Some(list)
    }

    fn body(&mut self) -> Option<Body<'f>> {
        Some(Body { content_type: self.text()?, bytes: self.bytes()? })
    }
}

//! What comes out as lines. These are only compared, never read back.

use alloc::format;
use alloc::string::String;
use core::fmt;

use crate::endpoint::{Action, Error, Event, Reply};
use crate::sip::Message;
use crate::table::Id;
use crate::time::Instant;

use super::Secrets;
use super::fields::{Line, transport_word};

pub(super) fn reply(now: Instant, reply: Result<Reply, Error>) -> String {
    let line = Line::at(now, "reply");
    match reply {
        Ok(Reply::Done) => line.word("done"),
        Ok(Reply::Account(account)) => line.word("account").id(account.0),
        Ok(Reply::Call(call)) => line.word("call").id(call.0),
        Ok(Reply::Request(request)) => line.word("request").id(request.0),
        Err(error) => line.word("error").word(format!("{error:?}")),
    }
    .end()
}

pub(super) fn line(now: Instant, action: Option<&Action<'_>>, secrets: Secrets) -> String {
    let Some(action) = action else { return Line::at(now, "idle").end() };
    match action {
        Action::Transmit { path, bytes } => {
            Line::at(now, "transmit").path(path).quoted(&secrets.message(bytes))
        }
        Action::Resolve { query, host, port, transport } => Line::at(now, "resolve")
            .word(query.0)
            .quoted(host.as_bytes())
            .maybe(*port, Line::word)
            .maybe(transport.map(transport_word), Line::word),
        Action::Connect { flow, path } => Line::at(now, "connect").word(flow.0).path(path),
        Action::Close { flow } => Line::at(now, "close").word(flow.0),
        Action::Event(event) => write_event(Line::at(now, "event"), event),
    }
    .end()
}

/// Everything but the message, which is one that came in: of it the length.
fn write_event(line: Line, event: &Event<'_>) -> Line {
    let (line, message) = match event {
        Event::Registered { account, expires_s, message } => {
            (line.word("registered").id(account.0).word(expires_s), message)
        }
        Event::RegistrationFailed { account, reason, retry_s, message } => {
            let line = line.word("registration-failed").id(account.0).debug(reason);
            (line.maybe(*retry_s, Line::word), message)
        }
        Event::Unregistered { account, message } => {
            (line.word("unregistered").id(account.0), message)
        }
        Event::Bindings { account, outcome, message } => {
            (line.word("bindings").id(account.0).debug(outcome), message)
        }
        Event::Incoming { call, account, message } => {
            (line.word("incoming").id(call.0).id(account.0), message)
        }
        Event::Progress { call, status, message } => {
            (line.word("progress").id(call.0).word(status), message)
        }
        Event::Media { call, stage, plan, message } => {
            (line.word("media").id(call.0).debug(stage).debug(plan), message)
        }
        Event::Established { call, message } => (line.word("established").id(call.0), message),
        Event::Request { request, call, account, message } => {
            let line =
                line.word("request").id(request.0).maybe(*call, |line, call| line.id(call.0));
            (line.maybe(*account, |line, account| line.id(account.0)), message)
        }
        Event::Response { request, outcome, message } => {
            (line.word("response").id(request.0).debug(outcome), message)
        }
        Event::HoldFailed { call, reason } => {
            (line.word("hold-failed").id(call.0).debug(reason), &None)
        }
        Event::Ended { call, reason, message } => {
            (line.word("ended").id(call.0).debug(reason), message)
        }
    };
    line.word("message").maybe(message.as_ref(), |line: Line, message: &Message<'_>| {
        line.word(message.bytes().len())
    })
}

impl Line {
    pub(super) fn id(self, id: Id) -> Self {
        self.word(id.number())
    }

    fn debug(self, value: &impl fmt::Debug) -> Self {
        self.word(format_args!("{value:?}"))
    }
}

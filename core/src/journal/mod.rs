//! A journal of an endpoint: all that went in and came out, to run again bit for bit.
//!
//! [`Recorded`] is an [`Endpoint`] that writes a journal where one is wished, and [`Replay`] runs a
//! journal again and compares. As the machine gets time, randomness and memory as arguments, nothing
//! else is needed: a bug in the field becomes a test.
//!
//! # The file
//!
//! Text, one line a thing, so that a person can read it, `grep` finds a Call-ID in it and a version
//! control shows what changed in it; it is about a tenth longer than the messages in it. Fields are
//! separated by one space. Texts and bytes stand in double quotes with `\r`, `\n`, `\t`, `\"`, `\\`
//! and `\xNN` for what is not printable ASCII; `-` stands for nothing.
//!
//! ```text
//! sansip-journal 1                                   the format's version
//! build "sansip 0.1.0 +sha512, sansip-tokio 0.1.0"   who wrote it
//! secrets hidden                                     or `kept`, see Secrets
//! seed 0707..                                        32 bytes
//! limits 16 32 80 80 2048 4096                       the fields of Limits
//! config - 500000 4000000 5000000 180000000 180000000 0 true
//! 1000000 register 16                              microseconds, what, its fields
//! 1000000 reply done                                 what a command answered
//! 1000000 transmit udp 0 192.0.2.4:5060 192.0.2.1:5060 "REGISTER sip:192.0.2.1 SIP/2.0\r\n.."
//! 1000000 idle                                       nothing more to do
//! 1020000 message udp 0 192.0.2.4:5060 192.0.2.1:5060 "SIP/2.0 200 OK\r\n.."
//! 1020000 event registered 16 300 message 320
//! 1020000 idle
//! end
//! ```
//!
//! Each line is given to the writer before the input that it tells of is worked on: one that kills
//! the process is in the file. A journal without `end` was cut, and [`Replay`] says so.
//!
//! Media is not recorded: a session of [`media`](crate::media) is a machine of its own.

mod command;
mod fields;
mod input;
mod output;
mod replay;
mod setup;
#[cfg(test)]
mod tests;

use alloc::string::String;
use core::fmt;
use core::ops::Deref;

use crate::endpoint::{Action, Command, Endpoint, Error, Input, Reply};
use crate::storage::Storage;
use crate::time::Instant;

pub use replay::{Fault, Replay, Step};
pub use setup::{Secrets, Setup};

/// An endpoint, and where it is wished the journal of all that goes in and comes out.
///
/// It has the endpoint's own verbs; what only looks is reached through [`Deref`].
pub struct Recorded<'a, W: fmt::Write = String> {
    endpoint: Endpoint<'a>,
    journal: Option<Journal<W>>,
}

struct Journal<W> {
    writer: W,
    secrets: Secrets,
}

impl<'a, W: fmt::Write> Recorded<'a, W> {
    /// An endpoint without a journal.
    pub fn plain(endpoint: Endpoint<'a>) -> Self {
        Self { endpoint, journal: None }
    }

    /// See [`Endpoint::handle`].
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.write(|_| input::line(now, &input));
        self.endpoint.handle(now, input);
    }

    /// See [`Endpoint::command`].
    ///
    /// # Errors
    /// As there.
    pub fn command(&mut self, now: Instant, command: Command<'_>) -> Result<Reply, Error> {
        self.write(|secrets| command::line(now, &command, secrets));
        let reply = self.endpoint.command(now, command);
        self.write(|_| output::reply(now, reply));
        reply
    }

    /// See [`Endpoint::poll_action`].
    pub fn poll_action(&mut self, now: Instant) -> Option<Action<'_>> {
        let action = self.endpoint.poll_action(now);
        if let Some(journal) = &mut self.journal {
            let line = output::line(now, action.as_ref(), journal.secrets);
            if journal.writer.write_str(&line).is_err() {
                self.journal = None;
            }
        }
        action
    }

    /// What was written so far; `None` without a journal, or once the writer failed.
    pub fn journal(&self) -> Option<&W> {
        self.journal.as_ref().map(|journal| &journal.writer)
    }

    /// Writes the last line and gives the writer back. Otherwise that happens when this is dropped.
    pub fn end_journal(&mut self) -> Option<W> {
        self.write(|_| String::from("end\n"));
        self.journal.take().map(|journal| journal.writer)
    }

    /// A writer that fails is not asked again: a full disk must not disturb the calls.
    fn write(&mut self, line: impl FnOnce(Secrets) -> String) {
        if let Some(journal) = &mut self.journal
            && journal.writer.write_str(&line(journal.secrets)).is_err()
        {
            self.journal = None;
        }
    }
}

impl<W: fmt::Write> Recorded<'static, W> {
    /// An endpoint on the heap that is recorded from its first command on.
    pub fn begin(setup: &Setup<'_>, writer: W) -> Self {
        let storage = Storage::heap(setup.limits);
        let endpoint = Endpoint::new(setup.config, setup.seed, storage);
        let journal = Some(Journal { writer, secrets: setup.secrets });
        let mut recorded = Self { endpoint, journal };
        recorded.write(|_| setup.lines());
        recorded
    }
}

impl Recorded<'_> {
    /// What was written since the last time.
    fn take_written(&mut self) -> String {
        self.journal
            .as_mut()
            .map(|journal| core::mem::take(&mut journal.writer))
            .unwrap_or_default()
    }
}

impl<'a, W: fmt::Write> Deref for Recorded<'a, W> {
    type Target = Endpoint<'a>;

    fn deref(&self) -> &Endpoint<'a> {
        &self.endpoint
    }
}

impl<W: fmt::Write> Drop for Recorded<'_, W> {
    fn drop(&mut self) {
        self.end_journal();
    }
}

//! Running a journal again.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::path::Path;
use crate::time::Instant;

use super::fields::{Fields, split};
use super::setup::{CORE_BUILD, HEAD_LINES, Head, MAGIC, Setup, VERSION};
use super::{Recorded, command, input};

/// An endpoint that does again what a journal says, line by line.
///
/// ```
/// use sansip::endpoint::{Account, Command, Config};
/// use sansip::journal::{Fault, Recorded, Replay, Secrets, Setup};
/// use sansip::storage::Limits;
/// use sansip::time::Instant;
///
/// let setup = Setup {
///     config: Config { local: "192.0.2.4:5060".parse().ok(), ..Config::default() },
///     seed: [7; 32],
///     limits: Limits::calls(1),
///     secrets: Secrets::Hidden,
///     build: "",
/// };
/// let mut endpoint = Recorded::begin(&setup, String::new());
/// let account = Account { identity: "sip:100@192.0.2.1", ..Account::default() };
/// let _ = endpoint.command(Instant::ZERO, Command::AddAccount(account));
/// while endpoint.poll_action(Instant::ZERO).is_some() {}
/// let text = endpoint.end_journal().unwrap_or_default();
///
/// let replay = Replay::new(&text)?;
/// assert_eq!(replay.filter(Result::is_err).count(), 0);
///
/// let cut = text.strip_suffix("end\n").unwrap_or_default();
/// assert_eq!(Replay::new(cut)?.last(), Some(Err(Fault::Cut { line: 9 })));
/// # Ok::<(), Fault>(())
/// ```
pub struct Replay<'t> {
    lines: core::str::Split<'t, char>,
    /// The line that was given last, from 1.
    number: usize,
    build: String,
    endpoint: Recorded<'static, String>,
    /// Lines that the endpoint wrote and that are not compared yet.
    ahead: VecDeque<String>,
    over: bool,
}

/// A line that came out as it was recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step<'t> {
    /// Its number, from 1.
    pub number: usize,
    /// When it was.
    pub at: Instant,
    /// What it tells: the first word after the time.
    pub kind: &'t str,
    /// The whole line.
    pub text: &'t str,
}

impl Step<'_> {
    /// The message of this line and its way, where it tells of one that came in or went out.
    pub fn message(&self) -> Option<(Path, Vec<u8>)> {
        let list = split(self.text)?;
        let mut fields = Fields::new(&list);
        let (_, kind) = (fields.word()?, fields.word()?);
        let is_message = matches!(kind, "message" | "transmit");
        is_message.then_some(())?;
        Some((fields.path()?, fields.bytes()?.to_vec()))
    }
}

/// Why a journal did not run to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The text is no journal.
    NoJournal,
    /// A journal of another version of the format.
    Version,
    /// A line is not what a journal has there.
    Malformed {
        /// Its number, from 1.
        line: usize,
    },
    /// The text ends before its `end`: the process was killed, or the file damaged.
    Cut {
        /// The last whole line, from 1.
        line: usize,
    },
    /// The endpoint did something else than it did when it was recorded.
    Different {
        /// The number of the line, from 1.
        line: usize,
        /// What the journal has.
        recorded: String,
        /// What the replay gave.
        replayed: String,
    },
}

impl<'t> Replay<'t> {
    /// Reads how the endpoint was set up and makes another one like it.
    ///
    /// # Errors
    /// The text is no journal that this build can read.
    pub fn new(text: &'t str) -> Result<Self, Fault> {
        let mut lines = text.split('\n');
        let first = lines.next().and_then(|first| first.strip_prefix(MAGIC));
        let version = first.and_then(|rest| rest.strip_prefix(' ')).ok_or(Fault::NoJournal)?;
        if version.parse() != Ok(VERSION) {
            return Err(Fault::Version);
        }
        let whole = text.split('\n').take(HEAD_LINES + 1).count() - 1;
        if whole < HEAD_LINES {
            return Err(Fault::Cut { line: whole });
        }
        let rest: Vec<_> = lines.by_ref().take(HEAD_LINES - 1).collect();
        let head = Head::read(&rest).map_err(|line| Fault::Malformed { line })?;
        let Head { config, seed, limits, secrets, build } = head;
        let setup = Setup { config, seed, limits, secrets, build: "" };
        let mut endpoint = Recorded::begin(&setup, String::new());
        endpoint.take_written();
        let ahead = VecDeque::new();
        Ok(Self { lines, number: HEAD_LINES, build, endpoint, ahead, over: false })
    }

    /// Who recorded it.
    pub fn build(&self) -> &str {
        &self.build
    }

    /// Whether another version of the library recorded it, or one with other features: then it may
    /// well differ.
    pub fn is_of_another_build(&self) -> bool {
        self.build.split(',').next() != Some(CORE_BUILD)
    }

    fn step(&mut self, text: &'t str) -> Result<Step<'t>, Fault> {
        let line = self.number;
        let malformed = Fault::Malformed { line };
        let (at, rest) = text.split_once(' ').ok_or(malformed.clone())?;
        let at = Instant::from_micros(at.parse().map_err(|_| malformed.clone())?);
        let kind = rest.split(' ').next().unwrap_or_default();
        if self.ahead.is_empty() {
            self.run(at, kind, rest).ok_or(malformed.clone())?;
            self.ahead.extend(self.endpoint.take_written().lines().map(String::from));
        }
        match self.ahead.pop_front() {
            Some(replayed) if replayed == text => Ok(Step { number: line, at, kind, text }),
            Some(replayed) => Err(Fault::Different { line, recorded: text.to_string(), replayed }),
            None => Err(malformed),
        }
    }

    /// After the last line nothing may be left, on neither side.
    fn end(&mut self) -> Result<(), Fault> {
        if let Some(replayed) = self.ahead.pop_front() {
            return Err(Fault::Different { line: self.number, recorded: "end".into(), replayed });
        }
        let ends = self.lines.next() == Some("") && self.lines.next().is_none();
        if ends { Ok(()) } else { Err(Fault::Malformed { line: self.number + 1 }) }
    }

    /// Does what a line says: an input, a command, or a look for what comes out.
    fn run(&mut self, now: Instant, kind: &str, rest: &str) -> Option<()> {
        if OUTPUTS.contains(&kind) {
            self.endpoint.poll_action(now);
            return Some(());
        }
        let list = split(rest)?;
        let mut fields = Fields::new(&list);
        fields.word()?;
        let (mut targets, mut headers) = (Vec::new(), Vec::new());
        if let Some(input) = input::read(kind, &mut fields, &mut targets) {
            fields.end()?;
            self.endpoint.handle(now, input);
        } else {
            let command = command::read(kind, &mut fields, &mut headers)?;
            fields.end()?;
            let _ = self.endpoint.command(now, command); // the answer is in its journal
        }
        Some(())
    }
}

impl<'t> Iterator for Replay<'t> {
    type Item = Result<Step<'t>, Fault>;

    /// The next line, or what went wrong: then nothing follows.
    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let text = self.lines.next().unwrap_or_default();
        self.number += 1;
        // What stands behind the last line end is no line; without one, the line was cut.
        let is_last = self.lines.clone().next().is_none();
        let step = match text {
            _ if is_last => Err(Fault::Cut { line: self.number - 1 }),
            "end" => {
                self.over = true;
                return self.end().err().map(Err);
            }
            text => self.step(text),
        };
        self.over = step.is_err();
        Some(step)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoJournal => f.write_str("this is no journal"),
            Self::Version => write!(f, "a journal of another version than {VERSION}"),
            Self::Malformed { line } => write!(f, "line {line} is damaged"),
            Self::Cut { line } => write!(f, "it is cut off after line {line}"),
            Self::Different { line, recorded, replayed } => {
                write!(f, "line {line} differs\n  recorded: {recorded}\n  replayed: {replayed}")
            }
        }
    }
}

impl core::error::Error for Fault {}

const OUTPUTS: [&str; 6] = ["transmit", "resolve", "connect", "close", "event", "idle"];

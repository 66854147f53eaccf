//! Runs a journal again and compares all that comes out: a bug in the field becomes a test.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use sansip::journal::{Fault, Replay, Step};
use sansip::time::Instant;

/// Runs a journal of an endpoint again, prints what happens and compares every byte that is sent.
///
/// `Settings::journal` of sansip-tokio and `sim --journal` write journals.
#[derive(Parser)]
#[command(after_help = "Exit status: 0 if all is as it was recorded, 1 if it differs, 2 on wrong \
                        usage or a file that is damaged or cut.")]
struct Arguments {
    /// The journal.
    file: PathBuf,
    /// Print the messages whole.
    #[arg(long, short)]
    full: bool,
    /// Print only the result.
    #[arg(long, short, conflicts_with = "full")]
    quiet: bool,
    /// A journal that is cut is no failure: the process was killed.
    #[arg(long)]
    unfinished: bool,
}

#[derive(Default)]
struct Counts {
    lines: u64,
    received: u64,
    sent: u64,
    events: u64,
    begun: Option<Instant>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let text = match std::fs::read_to_string(&arguments.file) {
        Ok(text) => text,
        Err(error) => return refuse(&arguments, &error),
    };
    match run(&arguments, &text) {
        Ok(code) => code,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(2),
        Err(error) => refuse(&arguments, &error),
    }
}

fn refuse(arguments: &Arguments, error: &dyn core::error::Error) -> ExitCode {
    eprintln!("replay: {}: {error}", arguments.file.display());
    ExitCode::from(2)
}

fn run(arguments: &Arguments, text: &str) -> io::Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    let replay = match Replay::new(text) {
        Ok(replay) => replay,
        Err(fault) => return Ok(refuse(arguments, &fault)),
    };
    if replay.is_of_another_build() {
        eprintln!("replay: recorded by another build, {}: it may well differ", replay.build());
    }
    let mut counts = Counts::default();
    let mut fault = None;
    for step in replay {
        match step {
            Ok(step) => {
                counts.count(&step);
                if !arguments.quiet {
                    print(&mut out, arguments.full, &step, counts.begun.unwrap_or(step.at))?;
                }
            }
            Err(found) => fault = Some(found),
        }
    }
    let Counts { lines, received, sent, events, .. } = counts;
    let (code, word) = match &fault {
        None => (0, "equal"),
        Some(Fault::Cut { .. }) if arguments.unfinished => (0, "equal as far as it goes"),
        Some(Fault::Different { .. }) => (1, "different"),
        Some(_) => (2, "damaged"),
    };
    out.flush()?; // before the reason, which goes elsewhere
    if let Some(fault) = &fault {
        eprintln!("replay: {}: {fault}", arguments.file.display());
    }
    writeln!(out, "lines {lines} received {received} sent {sent} events {events}: {word}")?;
    out.flush()?;
    Ok(ExitCode::from(code))
}

impl Counts {
    fn count(&mut self, step: &Step<'_>) {
        self.begun.get_or_insert(step.at);
        self.lines += 1;
        match step.kind {
            "message" => self.received += 1,
            "transmit" => self.sent += 1,
            "event" => self.events += 1,
            _ => {}
        }
    }
}

/// One line a thing: milliseconds since the first, and of a message its way and first line.
fn print(out: &mut impl Write, full: bool, step: &Step<'_>, begun: Instant) -> io::Result<()> {
    if step.kind == "idle" {
        return Ok(());
    }
    let at_ms = step.at.since(begun).as_micros() as f64 / 1000.0;
    write!(out, "{at_ms:12.3} ")?;
    let Some((path, bytes)) = step.message() else {
        let what = step.text.split_once(' ').map_or("", |(_, what)| what);
        return writeln!(out, "{what}");
    };
    let (way, arrow) = if step.kind == "message" { ("recv", "<-") } else { ("send", "->") };
    let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
    let first = text.lines().next().unwrap_or_default();
    let (local, remote) = (path.local, path.remote);
    writeln!(out, "{way} {local} {arrow} {remote} {} bytes: {}", bytes.len(), printable(first))?;
    if full {
        for line in text.lines() {
            writeln!(out, "             | {}", printable(line))?;
        }
    }
    Ok(())
}

/// Without what could steer a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

//! Runs the simulator over many seeds; the last line is `seeds N calls N packets N faults N
//! failures N`.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

use clap::Parser;
use sansip_sim::swarm::{FAULTS, Fault, Outcome, Profile, run, run_recorded, shrink};

/// Simulates phones, servers and a hostile network, one run a seed.
#[derive(Parser, Clone)]
struct Arguments {
    /// Which seeds, `A..B`, without B; or a single one.
    #[arg(long, value_name = "A..B", value_parser = parse_seeds)]
    seeds: Range<u64>,
    /// Calls a seed.
    #[arg(long, default_value_t = 50)]
    calls: u32,
    /// With sound and digits, not only signalling.
    #[arg(long)]
    media: bool,
    /// These faults instead of the drawn ones, such as `Loss,Delay`, or `none`: how a failure that
    /// was shrunk is run again.
    #[arg(long, value_name = "LIST", value_parser = parse_faults)]
    faults: Option<Faults>,
    /// Print every message and event.
    #[arg(long)]
    trace: bool,
    /// Run each seed twice and compare all bytes and events.
    #[arg(long)]
    twice: bool,
    /// Do not shrink what fails, and begin no further seed then.
    #[arg(long)]
    first: bool,
    /// Print the hash of each seed's run, to compare with another build.
    #[arg(long)]
    hashes: bool,
    /// Print the figures as one line of JSON before the last line.
    #[arg(long)]
    json: bool,
    /// Run each seed once more and write the journals of its phones to this folder, for `replay`.
    #[arg(long, value_name = "FOLDER")]
    journal: Option<PathBuf>,
    /// Threads; all cores unless given, one with --trace.
    #[arg(long)]
    threads: Option<usize>,
}

#[derive(Clone)]
struct Faults(Vec<Fault>);

#[derive(Default)]
struct Totals {
    seeds: u64,
    calls: u64,
    established: u64,
    packets: u64,
    faults: u64,
    failures: u64,
    hashes: Vec<(u64, u64)>,
    shown: Option<(Instant, Instant)>,
}

impl Totals {
    /// The progress bar, a few times a second.
    fn show(&mut self, count: u64) {
        let now = Instant::now();
        let (begun, last) = *self.shown.get_or_insert((now, now));
        if now - last < BAR_EVERY && self.seeds < count {
            return;
        }
        self.shown = Some((begun, now));
        let Self { seeds, calls, packets, faults, failures, .. } = self;
        let filled = (*seeds * BAR_WIDTH as u64 / count.max(1)) as usize;
        let bar = "#".repeat(filled) + &".".repeat(BAR_WIDTH - filled.min(BAR_WIDTH));
        let rate = *calls as f64 / (now - begun).as_secs_f64().max(0.001);
        eprint!(
            "\r[{bar}] {seeds} of {count} seeds, {rate:.0} calls a second, {packets} packets, \
             {faults} faults, {failures} failures "
        );
        if *seeds == count {
            eprintln!();
        }
        let _ = std::io::stderr().flush();
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if arguments.trace { 1 } else { arguments.threads.unwrap_or(cores) };
    std::panic::set_hook(Box::new(|_| {})); // a panic is reported as a failure of its seed
    let next = AtomicU64::new(arguments.seeds.start);
    let totals = Mutex::new(Totals::default());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&arguments, &next, &totals));
        }
    });
    let seconds = begun.elapsed().as_secs_f64();
    let Ok(mut totals) = totals.into_inner() else { return ExitCode::FAILURE };
    report(&arguments, &mut totals, seconds, threads);
    if totals.failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn work(arguments: &Arguments, next: &AtomicU64, totals: &Mutex<Totals>) {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        let enough = arguments.first && totals.lock().is_ok_and(|totals| totals.failures > 0);
        if seed >= arguments.seeds.end || enough {
            return;
        }
        let mut profile = Profile::draw(seed, arguments.calls, arguments.media);
        if let Some(Faults(faults)) = &arguments.faults {
            profile.faults.clone_from(faults);
        }
        let outcome = run(&profile, arguments.trace);
        let mut failed = !outcome.failures.is_empty();
        if arguments.twice && run(&profile, false).hash != outcome.hash {
            println!("seed {seed}: two runs differ");
            failed = true;
        }
        if let Some(folder) = &arguments.journal
            && let Err(error) = write_journals(folder, &profile)
        {
            println!("seed {seed}: no journal in {}: {error}", folder.display());
            failed = true;
        }
        if !outcome.failures.is_empty() {
            explain(arguments, &outcome);
        }
        let Ok(mut totals) = totals.lock() else { return };
        totals.seeds += 1;
        totals.calls += outcome.calls;
        totals.established += outcome.established;
        totals.packets += outcome.packets;
        totals.faults += outcome.faults;
        totals.failures += u64::from(failed);
        if arguments.hashes {
            totals.hashes.push((seed, outcome.hash));
        }
        if std::io::stderr().is_terminal() && !arguments.trace {
            totals.show(arguments.seeds.end - arguments.seeds.start);
        }
    }
}

/// `SEED-NUMBER.journal`, numbered in the order in which phones began.
fn write_journals(folder: &Path, profile: &Profile) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let (_, journals) = run_recorded(profile);
    for (number, (_, text)) in journals.iter().enumerate() {
        std::fs::write(folder.join(format!("{}-{number}.journal", profile.seed)), text)?;
    }
    Ok(())
}

fn explain(arguments: &Arguments, outcome: &Outcome) {
    let seed = outcome.profile.seed;
    let short = if arguments.trace || arguments.first { outcome.clone() } else { shrink(outcome) };
    let mut text = format!("seed {seed} failed");
    if let Some(commit) = commit() {
        text.push_str(&format!(" at commit {commit}"));
    }
    text.push_str(&format!("\n  as drawn: {:?}", outcome.profile));
    for failure in outcome.failures.iter().take(5) {
        text.push_str(&format!("\n    {failure}"));
    }
    text.push_str(&format!("\n  shortest: {:?}", short.profile));
    for failure in short.failures.iter().take(3) {
        text.push_str(&format!("\n    {failure}"));
    }
    let media = if arguments.media { " --media" } else { "" };
    let calls = short.profile.calls;
    let mut faults: Vec<_> =
        short.profile.faults.iter().map(|fault| format!("{fault:?}")).collect();
    if faults.is_empty() {
        faults.push("none".to_owned());
    }
    let faults = faults.join(",");
    text.push_str(&format!(
        "\n  again: sim --seeds {seed} --calls {calls} --faults {faults}{media} --trace"
    ));
    println!("{text}");
}

fn report(arguments: &Arguments, totals: &mut Totals, seconds: f64, threads: usize) {
    let Totals { seeds, calls, established, packets, faults, failures, hashes, .. } = totals;
    hashes.sort_unstable();
    for (seed, hash) in hashes.iter() {
        println!("hash {seed} {hash:016x}");
    }
    let rate = *calls as f64 / seconds;
    let a_core = rate / threads as f64;
    println!(
        "{rate:.0} calls a second, {a_core:.0} a core, {:.0} packets a second, \
         {established} sides answered, {seconds:.1} s",
        *packets as f64 / seconds
    );
    if arguments.json {
        println!(
            "{{\"seeds\":{seeds},\"calls\":{calls},\"packets\":{packets},\"faults\":{faults},\
             \"failures\":{failures},\"established\":{established},\"seconds\":{seconds:.3},\
             \"calls_per_second_per_core\":{a_core:.1}}}"
        );
    }
    println!("seeds {seeds} calls {calls} packets {packets} faults {faults} failures {failures}");
}

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
    match text.split_once("..") {
        Some((start, end)) => Ok(number(start)?..number(end)?),
        None => number(text).map(|seed| seed..seed + 1),
    }
}

fn parse_faults(text: &str) -> Result<Faults, String> {
    let names = text.split(',').map(str::trim).filter(|name| *name != "none");
    let known = |name: &str| FAULTS.into_iter().find(|fault| format!("{fault:?}") == name);
    let faults = names.map(|name| known(name).ok_or_else(|| format!("no fault {name}")));
    faults.collect::<Result<_, _>>().map(Faults)
}

const BAR_WIDTH: usize = 30;
const BAR_EVERY: core::time::Duration = core::time::Duration::from_millis(200);

fn commit() -> Option<String> {
    let output =
        std::process::Command::new("git").args(["rev-parse", "--short", "HEAD"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

//! Load for a SIP peer, or a peer to be loaded: how many calls a second, how fast, at what cost.
//!
//! Start `load uas` in one terminal and `load uac` in another. Both go through `sansip-tokio`, as an
//! application would, on one thread; with `--core` they drive the bare core on one socket, so that
//! what they measure is the machine itself.

mod agent;
mod audio;
mod callee;
mod caller;
mod figures;
mod phones;
mod streams;

use core::net::SocketAddr;
use core::time::Duration;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Load for SIP and RTP: calls a second, set-up times, failures by reason, CPU a call, memory.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    mode: Mode,
    /// The result as one line of JSON on standard output; progress stays on standard error.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Mode {
    /// Answer every call at once.
    Uas(Callee),
    /// Place calls at a steady rate.
    Uac(Caller),
    /// Run N G.711 calls in both directions between two groups of sockets, one thread, one clock.
    Streams(Streams),
}

#[derive(Args)]
struct Callee {
    /// Where SIP is received, UDP.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:5070")]
    bind: SocketAddr,
    /// Calls at once that there is room for.
    #[arg(long, default_value_t = 10_000)]
    room: usize,
    /// Transactions that there is room for; they linger for up to 32 s, and the oldest give way.
    #[arg(long, default_value_t = 100_000)]
    transactions: usize,
    /// End after so many calls; 0 for any number.
    #[arg(long, default_value_t = 0)]
    calls: u64,
    /// End after so long at the latest, seconds.
    #[arg(long, default_value_t = 3600)]
    seconds: u64,
    /// Send and receive G.711 in each call, on two sockets of its own.
    #[arg(long)]
    media: bool,
    /// Threads, each with a phone on a port of its own: the one of --bind and those after it.
    #[arg(long, default_value_t = 1, conflicts_with = "core")]
    threads: u16,
    /// Drive the core's turn directly, without sansip-tokio and without a task for each call.
    #[arg(long)]
    core: bool,
}

#[derive(Args)]
struct Caller {
    /// Whom to call: the address of a UAS, such as 127.0.0.1:5070; several take turns.
    #[arg(required = true, value_name = "ADDR:PORT")]
    targets: Vec<SocketAddr>,
    /// Where SIP is received, UDP; port 0 for any.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    bind: SocketAddr,
    /// New calls a second.
    #[arg(long, default_value_t = 100)]
    rate: u64,
    /// Calls in all.
    #[arg(long, default_value_t = 1000)]
    calls: u64,
    /// How long a call is up, milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    hold: u64,
    /// Calls at once that there is room for.
    #[arg(long, default_value_t = 10_000)]
    room: usize,
    /// Transactions that there is room for.
    #[arg(long, default_value_t = 100_000)]
    transactions: usize,
    /// End after so long at the latest, seconds.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Send and receive G.711 in each call, on two sockets of its own.
    #[arg(long)]
    media: bool,
    /// Drive the core's turn directly, without sansip-tokio and without a task for each call.
    #[arg(long)]
    core: bool,
}

#[derive(Args)]
struct Streams {
    /// Calls, each 50 packets a second both ways.
    calls: usize,
    /// How long, seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Calls that share a socket.
    #[arg(long, default_value_t = 100)]
    shared: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Arguments { mode, json } = Arguments::parse();
    let done = match mode {
        Mode::Uas(arguments) if arguments.core => callee::run(&arguments).await,
        Mode::Uac(arguments) if arguments.core => caller::run(&arguments).await,
        Mode::Uas(arguments) => phones::answer(&arguments).await,
        Mode::Uac(arguments) => phones::place(&arguments).await,
        Mode::Streams(arguments) => streams::run(&arguments),
    };
    match done {
        Ok(figures) => {
            figures.print(json);
            if figures.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The URIs that are called in turn.
fn targets(arguments: &Caller) -> impl Iterator<Item = String> + '_ {
    arguments.targets.iter().map(|address| format!("sip:load@{address}"))
}

/// How often progress is shown.
const PROGRESS: Duration = Duration::from_secs(1);

//! A small PBX for trying and testing phones; see `sansip_sim::pbx` for its numbers.

use core::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use sansip_sim::pbx::driver::{Settings, spawn};

/// A small PBX: accounts 100 to 110 with the password `test` and their number.
///
/// 600 echo, 601 tone, 602 reads four digits, 603 answers and waits, 604 records, 605 sends 1234#,
/// 606 busy, 607 rings for ever, 608 hangs up after two seconds, 609 early media, 622 reads sixteen
/// digits, 100 to 110 call the registered phone. One line an event on standard output.
#[derive(Parser)]
struct Arguments {
    /// Where SIP is received, UDP.
    #[arg(long, value_name = "ADDR:PORT", default_value = "0.0.0.0:5060")]
    bind: SocketAddr,
    /// Folder for what callers of 604 say; nothing is recorded without it.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let settings = Settings { record: arguments.record, ..Settings::new(arguments.bind) };
    let mut pbx = match spawn(settings).await {
        Ok(pbx) => pbx,
        Err(error) => {
            eprintln!("cannot listen on {}: {error}", arguments.bind);
            return ExitCode::FAILURE;
        }
    };
    println!("listening on {}", pbx.address());
    loop {
        tokio::select! {
            line = pbx.next_line() => match line {
                Some(line) => println!("{line}"),
                None => return ExitCode::FAILURE,
            },
            _ = tokio::signal::ctrl_c() => return ExitCode::SUCCESS,
        }
    }
}

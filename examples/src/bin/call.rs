//! Calls a number, plays a file, sends digits, records what it hears.

use core::time::Duration;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use sansip_tokio::trace::{Pcap, Text, redact};
use sansip_tokio::{Error, Phase, Phone};

/// Calls a number: plays, sends digits, records, prints the digits that come, hangs up.
#[derive(Parser)]
#[command(after_help = "Exit status: 0 on success, 1 on failure, 2 on wrong usage.")]
struct Arguments {
    /// Server, host or host:port.
    server: String,
    /// User of the account.
    user: String,
    /// Its password.
    password: String,
    /// Whom to call: a number at the server, or a SIP URI.
    number: String,
    /// Our address.
    #[arg(long, default_value = "0.0.0.0:0")]
    bind: String,
    /// A WAV file to play.
    #[arg(long)]
    play: Option<PathBuf>,
    /// Digits to send after that.
    #[arg(long)]
    digits: Option<String>,
    /// A WAV file to record to.
    #[arg(long)]
    record: Option<PathBuf>,
    /// How long to stay after that; the other side may hang up before.
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    stay: u64,
    /// Write every message to a capture file.
    #[arg(long)]
    pcap: Option<PathBuf>,
    /// Show every message on standard error, without credentials.
    #[arg(long, short)]
    verbose: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("call: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Error> {
    let phone = Phone::bind(arguments.bind).await?;
    if arguments.verbose {
        phone.trace(redact(Text::stderr()));
    }
    if let Some(path) = arguments.pcap {
        phone.trace(Pcap::create(path)?);
    }
    let identity = format!("sip:{}@{}", arguments.user, arguments.server);
    let line = phone.line(&identity, &arguments.password)?;

    let call = line.dial(&arguments.number).await?;
    while let Phase::Progress(status) = call.next_phase().await? {
        println!("{status} {}", sansip_tokio::sansip::sip::reason(status));
    }
    call.established().await?;
    println!("the call is up");
    let recording = match arguments.record {
        Some(path) => Some(call.record(path).await?),
        None => None,
    };
    if let Some(path) = arguments.play {
        call.play(path).await?;
    }
    if let Some(digits) = arguments.digits {
        call.send_digits(&digits).await?;
    }
    let stay = tokio::time::sleep(Duration::from_secs(arguments.stay));
    tokio::pin!(stay);
    loop {
        tokio::select! {
            Some(digit) = call.digit() => println!("digit {}", digit.as_char()),
            reason = call.ended() => break println!("ended: {:?}", reason?),
            () = &mut stay => break println!("ended: {:?}", call.hang_up().await?),
        }
    }
    if let Some(recording) = recording {
        println!("recorded {:.1} s", recording.finished().await?.as_secs_f32());
    }
    phone.shutdown().await;
    Ok(())
}

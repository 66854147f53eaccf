//! Registers and answers calls: plays, records, prints digits.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use sansip_tokio::trace::{Text, redact};
use sansip_tokio::{Call, Error, Phone};

/// Registers and answers every call until Ctrl-C: plays a file, records, prints digits.
#[derive(Parser)]
#[command(after_help = "Exit status: 0 on success, 1 on failure, 2 on wrong usage.")]
struct Arguments {
    /// Server, host or host:port.
    server: String,
    /// User of the account.
    user: String,
    /// Its password.
    password: String,
    /// Our address.
    #[arg(long, default_value = "0.0.0.0:0")]
    bind: String,
    /// A WAV file to play to each caller.
    #[arg(long)]
    play: Option<PathBuf>,
    /// A folder to record each call to.
    #[arg(long)]
    record: Option<PathBuf>,
    /// End after so many calls.
    #[arg(long)]
    calls: Option<usize>,
    /// Show every message on standard error, without credentials.
    #[arg(long, short)]
    verbose: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("answer: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Error> {
    let phone = Phone::bind(&arguments.bind).await?;
    if arguments.verbose {
        phone.trace(redact(Text::stderr()));
    }
    let identity = format!("sip:{}@{}", arguments.user, arguments.server);
    let line = phone.line(&identity, &arguments.password)?;
    line.register().await?;
    println!("registered");
    let mut count = 0;
    while arguments.calls.is_none_or(|calls| count < calls) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            call = phone.incoming() => match call {
                Some(call) => {
                    count += 1;
                    if let Err(error) = serve(call, &arguments, count).await {
                        println!("call {count}: {error}");
                    }
                }
                None => break,
            },
        }
    }
    phone.shutdown().await;
    Ok(())
}

/// One call at a time; a server would spawn a task for each.
async fn serve(call: Call, arguments: &Arguments, count: usize) -> Result<(), Error> {
    let from = call.invite().and_then(|invite| invite.header("From")).unwrap_or_default();
    println!("call {count} from {from}");
    call.ring()?;
    call.answer().await?;
    if let Some(folder) = &arguments.record {
        call.record(folder.join(format!("call-{count}.wav"))).await?;
    }
    let play = async {
        match &arguments.play {
            Some(path) => call.play(path).await,
            None => Ok(()),
        }
    };
    let digits = async {
        while let Some(digit) = call.digit().await {
            println!("call {count}: digit {}", digit.as_char());
        }
    };
    let (played, ()) = tokio::join!(play, digits); // the digits end with the call
    println!("call {count} ended: {:?}", call.ended().await?);
    match played {
        Err(Error::Failed(_)) => Ok(()), // the caller did not wait for the end of the file
        other => other,
    }
}

//! Registers, says which devices are registered, and stays registered until Ctrl-C.

use std::process::ExitCode;

use clap::Parser;
use sansip_tokio::trace::{Text, redact};
use sansip_tokio::{Error, Event, Phone};

/// Registers an account and stays registered until Ctrl-C.
#[derive(Parser)]
#[command(after_help = "Exit status: 0 on success, 1 on failure, 2 on wrong usage.")]
struct Arguments {
    /// Registrar, host or host:port.
    server: String,
    /// User of the account.
    user: String,
    /// Its password.
    password: String,
    /// Our address.
    #[arg(long, default_value = "0.0.0.0:0")]
    bind: String,
    /// List the devices, remove our binding and end.
    #[arg(long)]
    once: bool,
    /// Show every message on standard error, without credentials.
    #[arg(long, short)]
    verbose: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("register: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Error> {
    let phone = Phone::bind(arguments.bind).await?;
    if arguments.verbose {
        phone.trace(redact(Text::stderr()));
    }
    let identity = format!("sip:{}@{}", arguments.user, arguments.server);
    let line = phone.line(&identity, &arguments.password)?;
    line.register().await?;
    for binding in line.bindings().await? {
        println!("{} for {} s", binding.uri, binding.expires_s.unwrap_or(0));
    }
    if !arguments.once {
        stay(&phone).await;
    }
    line.unregister().await?;
    phone.shutdown().await;
    Ok(())
}

/// Shows each refresh until Ctrl-C.
async fn stay(phone: &Phone) {
    let mut events = phone.events();
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return,
            Some(event) = events.next() => match event {
                Event::Registered { expires_s, .. } => println!("registered for {expires_s} s"),
                Event::RegistrationFailed { reason, .. } => println!("failed: {reason:?}"),
                _ => {}
            },
        }
    }
}

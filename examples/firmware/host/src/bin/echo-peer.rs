//! Echoes UDP for `netcheck`, then sends it datagrams of its own.
//!
//! `echo-peer LISTEN GUEST`: echoes 100 datagrams that come to LISTEN; then sends 100 to GUEST
//! and waits for each echo. Gives up after ten seconds without a datagram. Exit status 0 for 100
//! of 100 both ways, 1 for fewer, 2 for wrong usage.

use core::time::Duration;
use std::net::UdpSocket;
use std::process::ExitCode;

const ROUNDS: usize = 100;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, guest] = arguments.as_slice() else {
        eprintln!("usage: echo-peer LISTEN GUEST   (both ADDRESS:PORT)");
        return ExitCode::from(2);
    };
    match run(listen, guest) {
        Ok((echoed, answered)) => {
            println!("peer: echoed {echoed} of {ROUNDS}, answered {answered} of {ROUNDS}");
            ExitCode::from(u8::from(echoed != ROUNDS || answered != ROUNDS))
        }
        Err(error) => {
            eprintln!("echo-peer: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How many datagrams were echoed here, and how many of ours there.
fn run(listen: &str, guest: &str) -> std::io::Result<(usize, usize)> {
    let socket = UdpSocket::bind(listen)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    println!("peer: listening");
    let mut buffer = [0; 2048];
    let mut echoed = 0;
    while echoed < ROUNDS
        && let Ok((length, from)) = socket.recv_from(&mut buffer)
    {
        socket.send_to(buffer.get(..length).unwrap_or_default(), from)?;
        echoed += 1;
    }
    let asking = UdpSocket::bind("127.0.0.1:0")?;
    asking.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut answered = 0;
    for round in 0..ROUNDS {
        let message: Vec<u8> = (0..1000).map(|at| (at * 3 + round) as u8).collect();
        asking.send_to(&message, guest)?;
        let answer = asking.recv_from(&mut buffer).map(|(length, _)| length);
        if answer.is_ok_and(|length| buffer.get(..length) == Some(message.as_slice())) {
            answered += 1;
        } else {
            println!("peer: no answer to datagram {round}");
        }
    }
    Ok((echoed, answered))
}

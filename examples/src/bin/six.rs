//! The six capabilities in one program: registration, a call, digits, a WAV file, mute, a capture.
//! Usage: six SERVER USER PASSWORD NUMBER FILE.wav

use core::time::Duration;
use sansip_tokio::{Phone, trace::Pcap};

#[tokio::main]
async fn main() -> Result<(), Box<dyn core::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, user, password, number, file] = arguments.as_slice() else {
        eprintln!("Usage: six SERVER USER PASSWORD NUMBER FILE.wav");
        std::process::exit(2);
    };
    let phone = Phone::bind("0.0.0.0:0").await?;
    phone.trace(Pcap::create("six.pcap")?); // every message, for Wireshark or sngrep
    let line = phone.line(&format!("sip:{user}@{server}"), password)?;
    line.register().await?;

    let call = line.call(number).await?;
    let recording = call.record("six.wav").await?; // what we hear
    call.play(file).await?;
    call.send_digits("1234#").await?;
    println!("digits that came back: {}", call.digits(5, Duration::from_secs(1)).await);
    call.mute()?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    call.unmute()?;
    call.hang_up().await?;
    println!("recorded {:?} to six.wav", recording.finished().await?);

    phone.shutdown().await; // which removes our registration, too
    Ok(())
}

//! A phone that proves itself against a server: registers, calls, plays, mutes, sends digits,
//! hangs up, un-registers.
//!
//! Settings: `identity=sip:USER@HOST:PORT password=...`, and those of the boot module. It calls 622
//! with sixteen digits, 604 with the prompt, silence, and the prompt again, and 600, which must
//! return the prompt. Exit status 0 if all of that went well; what 622 and 604 got is for the
//! server's side to say.
#![no_std]
#![no_main]

use embassy_futures::select::{Either, select};
use embassy_time::Timer;
use sansip_embassy::sansip::media::{Recorder, tone_share};
use sansip_embassy::{Call, Error, Line, Phone, Reason};
use sansip_firmware::board::host::{self, Decimal};
use sansip_firmware::settings::Settings;
use sansip_firmware::{PROMPT, PROMPT_HZ, boot};
use static_cell::ConstStaticCell;

#[cortex_m_rt::entry]
fn main() -> ! {
    boot::run(task)
}

#[embassy_executor::task]
async fn task(phone: Phone<'static>, settings: Settings<'static>) {
    let result = program(phone, settings).await;
    phone.shutdown().await;
    host::print(&["shut down"]);
    boot::finish(result);
}

type Step = (&'static str, Error);

fn at(step: &'static str) -> impl Fn(Error) -> Step {
    move |error| (step, error)
}

async fn program(phone: Phone<'static>, settings: Settings<'static>) -> Result<(), Step> {
    let identity = settings.text("identity").unwrap_or("sip:100@10.0.2.2");
    let password = settings.text("password").unwrap_or("test100");
    let line = phone.line(identity, password).map_err(at("line"))?;
    line.register().await.map_err(at("register"))?;
    host::print(&["registered"]);
    digits(line).await.map_err(at("digits to 622"))?;
    recording(line).await.map_err(at("recording at 604"))?;
    echo(line).await.map_err(at("echo of 600"))
}

/// Sixteen digits to 622, which reads and reports them and hangs up.
async fn digits(line: Line<'static>) -> Result<(), Error> {
    let call = line.call("622").await?;
    Timer::after_millis(300).await; // 622 begins to read after its answer
    match call.send_digits("1234567890*#ABCD").await {
        // It needs no more than the first half of the last digit.
        Ok(()) | Err(Error::Failed(Reason::PeerHungUp)) => {}
        Err(error) => return Err(error),
    }
    host::print(&["digits sent"]);
    call.ended().await.map(drop)
}

/// Three seconds of prompts, two muted seconds, and a second of prompts to 604, which records.
async fn recording(line: Line<'static>) -> Result<(), Error> {
    let call = line.call("604").await?;
    Timer::after_millis(300).await;
    for round in 0..24 {
        if (12..20).contains(&round) {
            call.mute()?
        } else {
            call.unmute()?
        }
        call.play(PROMPT).await?;
    }
    Timer::after_millis(300).await;
    report(&call)?;
    call.hang_up().await.map(drop)
}

/// The prompt comes back from 600.
async fn echo(line: Line<'static>) -> Result<(), Error> {
    static HEARD: ConstStaticCell<[i16; 160]> = ConstStaticCell::new([0; 160]);
    let mut heard = Recorder::new(HEARD.take());
    let call = line.call("600").await?;
    let play = async {
        for _ in 0..4 {
            call.play(PROMPT).await?;
        }
        Ok::<(), Error>(())
    };
    // Half a second later the first echo is surely there.
    let listen = async {
        Timer::after_millis(500).await;
        call.listen(&mut heard).await
    };
    match select(play, listen).await {
        Either::First(played) => played?,
        Either::Second(ended) => return ended,
    }
    let share = tone_share(heard.recorded(), PROMPT_HZ);
    host::print(&["echo: ", Decimal::new(share).text(), " of 1000 is the prompt's tone"]);
    report(&call)?;
    call.hang_up().await?;
    if share > 900 { Ok(()) } else { Err(Error::Closed) }
}

fn report(call: &Call<'static>) -> Result<(), Error> {
    let report = call.report()?;
    let number = |value: u32| Decimal::new(value);
    let (sent, received, lost) =
        (number(report.sent), number(report.received), number(report.lost));
    let jitter = number(report.jitter.as_micros() as u32);
    host::print(&[
        "rtp: sent ",
        sent.text(),
        ", received ",
        received.text(),
        ", lost ",
        lost.text(),
        ", jitter ",
        jitter.text(),
        " us",
    ]);
    Ok(())
}

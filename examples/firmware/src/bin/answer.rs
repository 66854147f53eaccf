//! A phone that is called: registers, answers, plays the prompt, sends digits, and says which
//! digits and how much of a tone it heard.
//!
//! Settings: `identity=`, `password=`, `calls=` how many to answer before it ends (1), `send=`
//! digits to send in each, `tone=` hertz of the tone to listen for (440). Exit status 0 once all
//! calls were answered and ended.
#![no_std]
#![no_main]

use embassy_futures::join::join3;
use sansip_embassy::sansip::media::{Sink, tone_share};
use sansip_embassy::{Call, Digits, Error, Phone};
use sansip_firmware::board::host::{self, Decimal};
use sansip_firmware::settings::Settings;
use sansip_firmware::{PROMPT, boot};

#[cortex_m_rt::entry]
fn main() -> ! {
    boot::run(task)
}

#[embassy_executor::task]
async fn task(phone: Phone<'static>, settings: Settings<'static>) {
    let result = program(phone, settings).await;
    phone.shutdown().await;
    boot::finish(result);
}

async fn program(
    phone: Phone<'static>,
    settings: Settings<'static>,
) -> Result<(), (&'static str, Error)> {
    let identity = settings.text("identity").unwrap_or("sip:101@10.0.2.2");
    let password = settings.text("password").unwrap_or("test101");
    let line = phone.line(identity, password).map_err(|error| ("line", error))?;
    line.register().await.map_err(|error| ("register", error))?;
    host::print(&["ready"]);
    for _ in 0..settings.number("calls").unwrap_or(1) {
        let call = phone.incoming().await.ok_or(("incoming", Error::Closed))?;
        serve(&call, &settings).await.map_err(|error| ("call", error))?;
    }
    Ok(())
}

async fn serve(call: &Call<'static>, settings: &Settings<'static>) -> Result<(), Error> {
    call.ring()?;
    call.answer().await?;
    host::print(&["answered"]);
    let mut ear = Ear { tone_hz: settings.number("tone").unwrap_or(440), heard: 0 };
    let talk = async {
        call.play(PROMPT).await?;
        call.send_digits(settings.text("send").unwrap_or_default()).await
    };
    // All three end with the call; what is said before that is done by then or never.
    let (_, _, digits) = join3(talk, call.listen(&mut ear), all_digits(call)).await;
    let heard = Decimal::new(ear.heard * 20);
    host::print(&["call over: digits ", digits.as_str(), " tone ", heard.text(), " ms"]);
    Ok(())
}

/// What is heard, frame by frame.
struct Ear {
    tone_hz: u32,
    /// Frames that were the tone.
    heard: u32,
}

impl Sink for Ear {
    fn write(&mut self, frame: &[i16]) {
        self.heard += u32::from(tone_share(frame, self.tone_hz) > 900);
    }
}

async fn all_digits(call: &Call<'static>) -> Digits {
    let mut digits = Digits::new();
    while let Some(digit) = call.digit().await {
        let _ = digits.push(digit.as_char());
    }
    digits
}

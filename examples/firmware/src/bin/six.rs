//! The six capabilities on a microcontroller: registration, a call, digits, a WAV, mute, a trace.
//! Settings: identity=sip:USER@SERVER password=PASSWORD number=NUMBER trace=1
#![no_std]
#![no_main]

use core::time::Duration;
use embassy_time::Timer;
use sansip_embassy::{Error, Phone};
use sansip_firmware::{PROMPT, board::host, boot, settings::Settings};
use static_cell::ConstStaticCell;

static MEMORY: ConstStaticCell<[i16; 400]> = ConstStaticCell::new([0; 400]);

#[cortex_m_rt::entry]
fn main() -> ! {
    boot::run(task)
}

#[embassy_executor::task]
async fn task(phone: Phone<'static>, settings: Settings<'static>) {
    boot::finish(six(phone, settings).await.map_err(|error| ("six", error)));
}

async fn six(phone: Phone<'static>, settings: Settings<'static>) -> Result<(), Error> {
    let [identity, password, number] =
        ["identity", "password", "number"].map(|name| settings.text(name).unwrap_or_default());
    let line = phone.line(identity, password)?;
    line.register().await?;

    let call = line.call(number).await?;
    let recording = call.record(MEMORY.take())?; // what we hear
    call.play(PROMPT).await?;
    call.send_digits("1234#").await?;
    host::print(&["digits that came back: ", &call.digits(5, Duration::from_secs(1)).await]);
    call.mute()?;
    Timer::after_secs(1).await;
    call.unmute()?;
    call.hang_up().await?;
    let _samples = recording.finished().await?;

    phone.shutdown().await; // which removes our registration, too
    Ok(())
}

//! Audio of the board at 8 kHz: two tasks serve the hardware by DMA, a queue of frames each stands
//! between them and the calls. Where a queue is empty, silence fills in; where it is full, a frame
//! is lost. So neither side ever waits for the other.

use embassy_rp::adc::{self, Adc};
use embassy_rp::peripherals::{DMA_CH2, PIO0};
use embassy_rp::pio::{Pio, PioPin};
use embassy_rp::pio_programs::i2s::{PioI2sOut, PioI2sOutProgram};
use embassy_rp::{Peri, dma};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use sansip_embassy::sansip::media::{Sink, Source};

use crate::Irqs;

/// 20 ms.
type Frame = [i16; 160];
type Queue = Channel<CriticalSectionRawMutex, Frame, 3>;
type Speaker = PioI2sOut<'static, PIO0, 0>;

static HEARD: Queue = Channel::new();
static SPOKEN: Queue = Channel::new();

/// What a call hears.
pub(crate) struct Loudspeaker;

impl Sink for Loudspeaker {
    fn write(&mut self, samples: &[i16]) {
        let mut frame = [0; 160];
        frame.iter_mut().zip(samples).for_each(|(to, from)| *to = *from);
        let _ = HEARD.try_send(frame);
    }
}

/// What a call says.
pub(crate) struct Microphone;

impl Source for Microphone {
    fn read(&mut self, samples: &mut [i16]) -> usize {
        let frame = SPOKEN.try_receive().unwrap_or([0; 160]);
        samples.fill(0);
        samples.iter_mut().zip(frame).for_each(|(to, from)| *to = from);
        samples.len() // fewer would mean that the source has ended
    }
}

/// Plays what is heard, for ever: one frame by DMA while the next is made ready.
#[embassy_executor::task]
pub(crate) async fn play(mut speaker: Speaker) -> ! {
    let (mut now, mut next) = ([0; 160], [0; 160]);
    speaker.start();
    loop {
        let transfer = speaker.write(&now);
        let frame = HEARD.try_receive().unwrap_or([0; 160]);
        // Left and right say the same.
        let words = frame.map(|sample| u32::from(sample.cast_unsigned()) * 0x0001_0001);
        next.copy_from_slice(&words);
        transfer.await;
        core::mem::swap(&mut now, &mut next);
    }
}

/// Samples the microphone, for ever.
#[embassy_executor::task]
pub(crate) async fn capture(
    mut adc: Adc<'static, adc::Async>,
    mut pin: adc::Channel<'static>,
    mut dma: dma::Channel<'static>,
) -> ! {
    let mut samples = [0u16; 160];
    loop {
        // 48 MHz by 6000 is 8 kHz.
        if adc.read_many(&mut pin, &mut samples, 5999, &mut dma).await.is_ok() {
            // Twelve bits about half the supply.
            let frame = samples.map(|sample| (sample.cast_signed() - 2048) << 4);
            let _ = SPOKEN.try_send(frame);
        }
    }
}

/// The I2S transmitter: data, bit clock, word clock.
pub(crate) fn i2s(
    pio: Peri<'static, PIO0>,
    dma: Peri<'static, DMA_CH2>,
    data: Peri<'static, impl PioPin>,
    bit_clock: Peri<'static, impl PioPin>,
    word_clock: Peri<'static, impl PioPin>,
) -> Speaker {
    let Pio { mut common, sm0, .. } = Pio::new(pio, Irqs);
    let program = PioI2sOutProgram::new(&mut common);
    PioI2sOut::new(&mut common, sm0, dma, Irqs, data, bit_clock, word_clock, 8000, 16, &program)
}

//! A door phone: press the button, talk to 600, and `#` from there opens the door.
//!
//! Board: WIZnet W5500-EVB-Pico2 (RP2350 and a W5500 on SPI 0). Button at GPIO 14 against ground,
//! door opener at GPIO 15, I2S amplifier (MAX98357A) at GPIO 9 to 11, microphone amplifier
//! (MAX4466) at GPIO 26. Server, user and password are constants below.
//!
//! What is the board's stands in `start` and `audio`; `doorphone` is the same on every board.
#![no_std]
#![no_main]

mod audio;

use audio::{Loudspeaker, Microphone};
use defmt::{info, warn};
use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_futures::join::join3;
use embassy_net::StackResources;
use embassy_net_wiznet::chip::W5500;
use embassy_rp::gpio::{Input, Level, Output, Pull};
use embassy_rp::peripherals::{DMA_CH0, DMA_CH1, DMA_CH2, DMA_CH3, PIO0, SPI0, TRNG};
use embassy_rp::spi::{self, Spi};
use embassy_rp::trng::Trng;
use embassy_rp::{adc, bind_interrupts, dma, pio, trng};
use embassy_time::Delay;
use embedded_hal_bus::spi::ExclusiveDevice;
use panic_probe as _;
use sansip_embassy::trace::Defmt;
use sansip_embassy::{Error, Phone, Resources, Runner, Settings};
use static_cell::{ConstStaticCell, StaticCell};

const IDENTITY: &str = "sip:100@192.0.2.1";
const PASSWORD: &str = "test100";
const TO_CALL: &str = "600";

bind_interrupts!(struct Irqs {
    DMA_IRQ_0 => dma::InterruptHandler<DMA_CH0>, dma::InterruptHandler<DMA_CH1>,
        dma::InterruptHandler<DMA_CH2>, dma::InterruptHandler<DMA_CH3>;
    PIO0_IRQ_0 => pio::InterruptHandler<PIO0>;
    ADC_IRQ_FIFO => adc::InterruptHandler;
    TRNG_IRQ => trng::InterruptHandler<TRNG>;
});

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let (phone, button, door) = start(spawner).await;
    if let Err(error) = doorphone(phone, button, door).await {
        warn!("over: {}", defmt::Debug2Format(&error));
    }
}

/// The program, the same on every board.
async fn doorphone(
    phone: Phone<'static>,
    mut button: Input<'static>,
    mut door: Output<'static>,
) -> Result<(), Error> {
    let line = phone.line(IDENTITY, PASSWORD)?;
    line.register().await?;
    info!("registered");
    loop {
        button.wait_for_falling_edge().await;
        let call = match line.call(TO_CALL).await {
            Ok(call) => call,
            Err(error) => {
                warn!("no call: {}", defmt::Debug2Format(&error));
                continue;
            }
        };
        let digits = async {
            while let Some(digit) = call.digit().await {
                door.set_level(Level::from(digit.as_char() == '#'));
            }
        };
        // All three end with the call.
        let _ = join3(call.play_source(Microphone), call.listen(&mut Loudspeaker), digits).await;
        door.set_low();
    }
}

/// Starts what the board has: entropy, network, audio, and the tasks that run them.
async fn start(spawner: Spawner) -> (Phone<'static>, Input<'static>, Output<'static>) {
    static CHIP: ConstStaticCell<embassy_net_wiznet::State<4, 4>> =
        ConstStaticCell::new(embassy_net_wiznet::State::new());
    // Sockets of the network itself (DHCP, DNS), and of a phone with two calls.
    static NETWORK: StaticCell<StackResources<{ 2 + 1 + 2 * 2 }>> = StaticCell::new();
    static PHONE: ConstStaticCell<Resources<'static>> = ConstStaticCell::new(Resources::new());
    static TRACE: ConstStaticCell<Defmt> = ConstStaticCell::new(Defmt);

    let board = embassy_rp::init(Default::default());
    // Without fresh entropy at each boot a server takes the first REGISTER for an old one.
    let mut entropy = [0; 40];
    Trng::new(board.TRNG, Irqs, Default::default()).fill_bytes(&mut entropy).await;
    let (entropy, seed) = entropy.split_first_chunk::<32>().unwrap_or((&[0; 32], &[]));
    let seed = seed.iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte));

    let mut config = spi::Config::default();
    config.frequency = 50_000_000;
    let spi = Spi::new(
        board.SPI0,
        board.PIN_18,
        board.PIN_19,
        board.PIN_16,
        board.DMA_CH0,
        board.DMA_CH1,
        Irqs,
        config,
    );
    let select = Output::new(board.PIN_17, Level::High);
    let Ok(spi) = ExclusiveDevice::new(spi, select, Delay);
    let interrupt = Input::new(board.PIN_21, Pull::Up);
    let reset = Output::new(board.PIN_20, Level::High);
    let mac = [0x02, 0, 0, 0, 0, 1]; // one of its own for each device
    let chip =
        embassy_net_wiznet::new::<_, _, W5500, _, _, _>(mac, CHIP.take(), spi, interrupt, reset);
    let (device, chip) = defmt::unwrap!(chip.await.map_err(|_| "no W5500"));

    let config = embassy_net::Config::dhcpv4(Default::default());
    let resources = NETWORK.init_with(StackResources::new);
    let (stack, network) = embassy_net::new(device, config, resources, seed);
    let (phone, runner) = Phone::bind(stack, PHONE.take(), Settings::default(), *entropy);
    let runner = runner.with_trace(TRACE.take());

    let speaker = audio::i2s(board.PIO0, board.DMA_CH2, board.PIN_9, board.PIN_10, board.PIN_11);
    let microphone = adc::Adc::new(board.ADC, Irqs, adc::Config::default());
    let pin = adc::Channel::new_pin(board.PIN_26, Pull::None);
    let channel = dma::Channel::new(board.DMA_CH3, Irqs);
    spawner.spawn(defmt::unwrap!(run_chip(chip)));
    spawner.spawn(defmt::unwrap!(run_network(network)));
    spawner.spawn(defmt::unwrap!(run_phone(runner)));
    spawner.spawn(defmt::unwrap!(audio::play(speaker)));
    spawner.spawn(defmt::unwrap!(audio::capture(microphone, pin, channel)));
    (phone, Input::new(board.PIN_14, Pull::Up), Output::new(board.PIN_15, Level::Low))
}

type Spi0 = ExclusiveDevice<Spi<'static, SPI0, spi::Async>, Output<'static>, Delay>;
type Chip = embassy_net_wiznet::Runner<'static, W5500, Spi0, Input<'static>, Output<'static>>;

#[embassy_executor::task]
async fn run_chip(runner: Chip) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn run_network(
    mut runner: embassy_net::Runner<'static, embassy_net_wiznet::Device<'static>>,
) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn run_phone(mut runner: Runner<'static>) -> ! {
    runner.run().await
}

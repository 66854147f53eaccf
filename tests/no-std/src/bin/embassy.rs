//! The same for the embassy runtime: a whole phone over embassy-net with DHCP and DNS links for a
//! microcontroller only if nothing asks for std or an allocator. It is built, never run; its
//! network, clock and critical sections are holes.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    use core::hint::black_box;
    use core::panic::PanicInfo;
    use core::task::{Context, Waker};

    use embassy_futures::{block_on, join::join3};
    use embassy_net::StackResources;
    use embassy_net::driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
    use sansip_embassy::trace::Lines;
    use sansip_embassy::{Error, Phone, Resources, Settings};
    use static_cell::{ConstStaticCell, StaticCell};

    static PHONE: ConstStaticCell<Resources<'static>> = ConstStaticCell::new(Resources::new());
    static NETWORK: StaticCell<StackResources<7>> = StaticCell::new();
    static TRACE: ConstStaticCell<Lines<fn(&[u8])>> = ConstStaticCell::new(Lines(hole));
    static HEARD: ConstStaticCell<[i16; 800]> = ConstStaticCell::new([0; 800]);

    // The linker's default entry point: no board support, since nothing runs.
    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        let resources = NETWORK.init_with(StackResources::new);
        let config = embassy_net::Config::dhcpv4(Default::default());
        let (stack, mut network) = embassy_net::new(Hole, config, resources, black_box(0));
        let (phone, runner) =
            Phone::bind(stack, PHONE.take(), Settings::default(), black_box([0; 32]));
        let mut runner = runner.with_trace(TRACE.take());
        block_on(join3(network.run(), runner.run(), program(phone)));
        loop {}
    }

    async fn program(phone: Phone<'static>) -> Result<(), Error> {
        let line = phone.line("sip:100@pbx.example", "secret")?;
        line.register().await?;
        let call = line.call("600").await?;
        let recording = call.record(HEARD.take())?;
        call.play(black_box(&[0; 100])).await?;
        call.send_digits("1234#").await?;
        black_box(call.digits(5, core::time::Duration::from_secs(1)).await);
        call.mute()?;
        call.hold().await?;
        call.hang_up().await?;
        black_box(recording.finished().await?);
        black_box(line.request("OPTIONS", "600", &[], None).await?);
        let call = phone.incoming().await.ok_or(Error::Closed)?;
        call.answer().await?;
        phone.shutdown().await;
        Ok(())
    }

    fn hole(bytes: &[u8]) {
        black_box(bytes);
    }

    /// A network in which anything can happen, for all that the compiler knows.
    struct Hole;

    impl RxToken for Hole {
        fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, read: F) -> R {
            read(black_box(&mut [0; 1514]))
        }
    }

    impl TxToken for Hole {
        fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
            let mut frame = [0; 1514];
            let result = fill(frame.get_mut(..length).unwrap_or_default());
            black_box(&frame);
            result
        }
    }

    impl Driver for Hole {
        type RxToken<'a> = Hole;
        type TxToken<'a> = Hole;

        fn receive(&mut self, _: &mut Context<'_>) -> Option<(Hole, Hole)> {
            black_box(Some((Hole, Hole)))
        }

        fn transmit(&mut self, _: &mut Context<'_>) -> Option<Hole> {
            black_box(Some(Hole))
        }

        fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
            black_box(LinkState::Up)
        }

        fn capabilities(&self) -> Capabilities {
            let mut capabilities = Capabilities::default();
            capabilities.max_transmission_unit = 1514;
            capabilities
        }

        fn hardware_address(&self) -> HardwareAddress {
            HardwareAddress::Ethernet(black_box([2, 0, 0, 0, 0, 1]))
        }
    }

    struct Clock;

    embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock);

    impl embassy_time_driver::Driver for Clock {
        fn now(&self) -> u64 {
            black_box(0)
        }

        fn schedule_wake(&self, at: u64, waker: &Waker) {
            black_box((at, waker));
        }
    }

    struct NoSection;

    critical_section::set_impl!(NoSection);

    // SAFETY: nothing runs.
    unsafe impl critical_section::Impl for NoSection {
        unsafe fn acquire() -> critical_section::RawRestoreState {
            black_box(())
        }

        unsafe fn release(_: critical_section::RawRestoreState) {}
    }

    #[panic_handler]
    fn panic(_: &PanicInfo<'_>) -> ! {
        loop {}
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}

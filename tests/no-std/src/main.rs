//! A phone for a microcontroller that has no `std` and no allocator: it links only if the core
//! asks for neither. It is built, never run, and its network and audio are hidden holes; on a
//! host it is empty.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    use core::hint::black_box;
    use core::net::{Ipv4Addr, SocketAddr};
    use core::panic::PanicInfo;

    use sansip::endpoint::{Account, Action, Config, Endpoint, Error, Event, Input, Stage};
    use sansip::media::Session;
    use sansip::path::Path;
    use sansip::sdp::LocalMedia;
    use sansip::storage::SmallMemory;
    use sansip::time::{Duration, Instant};

    // The largest frame of the narrow-band codecs: 60 ms of 8 kHz.
    const FRAME: usize = 480;

    static mut MEMORY: SmallMemory = SmallMemory::new();
    static mut MEDIA: Session = Session::idle();

    #[cfg(feature = "planted-allocation")]
    extern crate alloc;

    // The linker's default entry point: no board support, since nothing runs.
    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        // SAFETY: nothing else names these statics, and `_start` is entered once.
        let (memory, media) = unsafe { (&mut *(&raw mut MEMORY), &mut *(&raw mut MEDIA)) };
        let _ = phone(memory, media);
        #[cfg(feature = "planted-allocation")]
        black_box(alloc::boxed::Box::new(0));
        loop {}
    }

    fn phone(memory: &mut SmallMemory, media: &mut Session) -> Result<(), Error> {
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 5060));
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 5061));
        let config = Config { local: Some(local), ..Config::default() };
        let mut endpoint = Endpoint::new(config, black_box([0; 32]), memory.storage());
        let mut now = Instant::ZERO;
        let account = Account {
            identity: "sip:100@127.0.0.1",
            registrar: "sip:127.0.0.1",
            password: "secret",
            ..Account::default()
        };
        let account = endpoint.add_account(now, account)?;
        endpoint.register(now, account)?;
        let (mut datagram, mut playout) = ([0; 1500], [0; FRAME]);
        loop {
            now = black_box(now);
            let bytes = black_box(&mut datagram);
            endpoint.handle(now, Input::Message { path: Path::udp(local, peer), bytes });
            let mut ringing = None;
            while let Some(action) = endpoint.poll_action(now) {
                match action {
                    Action::Transmit { path, bytes } => drop(black_box((path, bytes))),
                    Action::Event(Event::Incoming { call, .. }) => ringing = Some(call),
                    Action::Event(Event::Media { stage: Stage::Agreed, plan, .. }) => {
                        media.start(&plan, black_box([0; 32]), now);
                    }
                    _ => {}
                }
            }
            if let Some(call) = ringing {
                endpoint.answer(now, call, LocalMedia::new(local))?;
            }
            black_box(endpoint.poll_timeout());

            media.handle(now, peer, black_box(&datagram));
            media.handle_rtcp(now, peer, black_box(&datagram));
            black_box(media.tick(now, black_box(&[0; FRAME]), &mut playout));
            black_box(&playout);
            black_box(media.poll_rtcp(now));
            black_box(media.send_digits("1", Duration::from_millis(160)).is_ok());
        }
    }

    #[panic_handler]
    fn panic(_: &PanicInfo<'_>) -> ! {
        loop {}
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}

//! The core and nothing else, to measure what it costs: a minimal loop that registers, calls, is
//! called, sends and hears audio and digits. No network stack and no board; it is linked, and its
//! flash and memory are measured, but it is never run.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::net::{Ipv4Addr, SocketAddr};

use sansip_embassy::sansip::endpoint::{
    Account, Action, Config, Endpoint, Error, Event, Input, OutgoingCall, Stage,
};
use sansip_embassy::sansip::media::Session;
use sansip_embassy::sansip::path::Path;
use sansip_embassy::sansip::sdp::LocalMedia;
use sansip_embassy::sansip::storage::SmallMemory;
use sansip_embassy::sansip::time::{Duration, Instant};
use sansip_firmware as _; // its panic handler
use static_cell::ConstStaticCell;

static MEMORY: ConstStaticCell<SmallMemory> = ConstStaticCell::new(SmallMemory::new());
static MEDIA: ConstStaticCell<Session> = ConstStaticCell::new(Session::idle());

#[cortex_m_rt::entry]
fn main() -> ! {
    let _ = phone(MEMORY.take(), MEDIA.take());
    loop {
        cortex_m::asm::wfi();
    }
}

/// Everything that comes from outside is hidden from the optimiser.
fn phone(memory: &'static mut SmallMemory, media: &'static mut Session) -> Result<(), Error> {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 5060));
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 5061));
    let config = Config { local: Some(local), ..Config::default() };
    let mut endpoint = Endpoint::new(config, black_box([0; 32]), memory.storage());
    let account = Account {
        identity: "sip:100@127.0.0.1",
        registrar: "sip:127.0.0.1",
        password: "secret",
        ..Account::default()
    };
    let now = black_box(Instant::ZERO);
    let account = endpoint.add_account(now, account)?;
    endpoint.register(now, account)?;
    let call = OutgoingCall {
        account,
        target: black_box("600"),
        media: LocalMedia::new(local),
        late_offer: false,
        headers: &[],
    };
    let mut placed = Some(endpoint.call(now, call)?);
    let (mut datagram, mut playout) = ([0; 1500], [0; 160]);
    loop {
        let now = black_box(Instant::ZERO);
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
        if black_box(false)
            && let Some(call) = placed.take()
        {
            endpoint.hang_up(now, call)?;
        }
        black_box(endpoint.poll_timeout());

        media.handle(now, peer, black_box(&datagram));
        media.handle_rtcp(now, peer, black_box(&datagram));
        black_box(media.tick(now, black_box(&[0; 160]), &mut playout));
        black_box(&playout);
        black_box(media.poll_rtcp(now));
        black_box(media.poll_event());
        black_box(media.send_digits("1", Duration::from_millis(160)).is_ok());
    }
}

//! Proves the board: UDP both ways with `sansip-firmware-host`'s `echo-peer`.
//!
//! Sends 100 datagrams to `peer=ADDR:PORT` and counts the echoes; then echoes what comes to port
//! 5060 until 100 were echoed or forty seconds have passed. Exit status 0 for 100 of 100 both ways.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{IpEndpoint, Runner, Stack, StackResources};
use embassy_time::{Duration, Instant, with_timeout};
use sansip_firmware::board::host::{self, Decimal};
use sansip_firmware::board::{self, Nic, executor, stack};
use sansip_firmware::boot;
use sansip_firmware::settings::Settings;
use static_cell::{ConstStaticCell, StaticCell};

const ROUNDS: u32 = 100;

#[cortex_m_rt::entry]
fn main() -> ! {
    static RESOURCES: StaticCell<StackResources<3>> = StaticCell::new();
    let nic = board::start();
    let settings = host::settings();
    let [seed @ .., _, _, _, _, _, _, _, _] = host::entropy(&settings);
    let seed = seed.as_chunks().0.iter().fold(0, |all, part| all ^ u64::from_le_bytes(*part));
    let config = boot::network();
    let resources = RESOURCES.init_with(StackResources::new);
    let (stack, runner) = embassy_net::new(nic, config, resources, seed);
    executor::run(|spawner| start(spawner, stack, runner, settings))
}

fn start(
    spawner: Spawner,
    stack: Stack<'static>,
    runner: Runner<'static, Nic>,
    settings: Settings<'static>,
) {
    match (network(runner), check(stack, settings)) {
        (Ok(network), Ok(check)) => {
            spawner.spawn(network);
            spawner.spawn(check);
        }
        _ => host::exit(false),
    }
}

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Nic>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn check(stack: Stack<'static>, settings: Settings<'static>) {
    // Two datagrams each way: the peer's first may come together with its last echo.
    static BUFFERS: ConstStaticCell<[[u8; 3000]; 2]> = ConstStaticCell::new([[0; 3000]; 2]);
    static MESSAGE: ConstStaticCell<[u8; 1024]> = ConstStaticCell::new([0; 1024]);
    stack.wait_config_up().await;
    host::print(&[board::NAME, " up after ", millis().text(), " ms"]);
    let [receive, send] = BUFFERS.take();
    let mut meta = [PacketMetadata::EMPTY; 4];
    let (meta_in, meta_out) = meta.split_at_mut(2);
    let mut socket = UdpSocket::new(stack, meta_in, receive, meta_out, send);
    let peer = settings.address("peer");
    let (Some(peer), Ok(())) = (peer, socket.bind(5060)) else {
        host::exit(false);
    };
    let peer = IpEndpoint::new((*peer.ip()).into(), peer.port());
    let message = MESSAGE.take();
    let out = ask(&mut socket, peer, message).await;
    let into = with_timeout(Duration::from_secs(40), answer(&mut socket, message)).await;
    let stack = stack::measure();
    host::print(&["out ", Decimal::new(out).text(), " of 100"]);
    host::print(&["in ", if into.is_ok() { "100" } else { "fewer than 100" }, " of 100"]);
    let (used, available) = (Decimal::new(stack.used as u32), Decimal::new(stack.available as u32));
    host::print(&["stack ", used.text(), " of ", available.text(), " bytes"]);
    host::print(&["uptime ", millis().text(), " ms"]);
    host::exit(out == ROUNDS && into.is_ok())
}

/// Sends `ROUNDS` numbered datagrams and counts the ones that come back unchanged.
async fn ask(socket: &mut UdpSocket<'_>, peer: IpEndpoint, message: &mut [u8]) -> u32 {
    let mut echoed = 0;
    for round in 0..ROUNDS {
        message.iter_mut().zip(0u32..).for_each(|(byte, at)| *byte = (at * 7 + round) as u8);
        if socket.send_to(message, peer).await.is_err() {
            continue;
        }
        let same = socket.recv_from_with(|bytes, _| bytes == message);
        let answer = with_timeout(Duration::from_secs(5), same).await;
        echoed += u32::from(answer.is_ok_and(|same| same));
    }
    echoed
}

/// Echoes `ROUNDS` datagrams.
async fn answer(socket: &mut UdpSocket<'_>, buffer: &mut [u8]) {
    for _ in 0..ROUNDS {
        if let Ok((length, meta)) = socket.recv_from(buffer).await {
            let echo = buffer.get(..length).unwrap_or_default();
            let _ = socket.send_to(echo, meta.endpoint).await;
        }
    }
    socket.flush().await;
}

fn millis() -> Decimal {
    Decimal::new(Instant::now().as_millis() as u32)
}

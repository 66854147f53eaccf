//! The test bench itself: datagrams between two stacks, on a clean and on a bad Ethernet.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Weather, World};
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{IpEndpoint, Ipv4Address, Stack};
use embassy_time::{Duration, Instant, Timer, with_timeout};

fn socket(stack: Stack<'static>, port: u16) -> UdpSocket<'static> {
    let metas = || Box::leak(Box::new([PacketMetadata::EMPTY; 8]));
    let bytes = || Box::leak(Box::new([0; 4000]));
    let mut socket = UdpSocket::new(stack, metas(), bytes(), metas(), bytes());
    socket.bind(port).unwrap();
    socket
}

/// Sends 200 numbered datagrams from host 1 to host 2, one every 5 ms; which ones came.
fn numbers_received(seed: u64, weather: Weather) -> Vec<u8> {
    let mut world = World::new(seed, weather);
    let (first, second) = (world.host(), world.host());
    let (sender, receiver) = (socket(first, 5060), socket(second, 5060));
    world.spawn(async move {
        let to = IpEndpoint::new(Ipv4Address::new(10, 0, 0, 2).into(), 5060);
        for number in 0..200 {
            sender.send_to(&[number; 100], to).await.unwrap();
            Timer::after_millis(5).await;
        }
    });
    world.run(Duration::from_secs(10), async move {
        let (mut numbers, mut buffer) = (Vec::new(), [0; 200]);
        let quiet = Duration::from_secs(1);
        while let Ok(Ok((length, _))) = with_timeout(quiet, receiver.recv_from(&mut buffer)).await {
            assert_eq!(length, 100);
            numbers.push(buffer[0]);
        }
        numbers
    })
}

#[test]
fn a_clean_link_loses_and_reorders_nothing() {
    let all: Vec<u8> = (0..200).collect();
    assert_eq!(numbers_received(1, Weather::default()), all);
}

#[test]
fn a_bad_link_loses_and_reorders_the_same_at_each_run() {
    let weather = Weather { loss_permille: 200, jitter_ms: 30 };
    let numbers = numbers_received(7, weather);
    assert!((120..190).contains(&numbers.len()), "{} of 200", numbers.len());
    assert!(!numbers.is_sorted());
    assert_eq!(numbers_received(7, weather), numbers);
    assert_ne!(numbers_received(8, weather), numbers);
}

#[test]
fn waiting_costs_virtual_time_only() {
    let mut world = World::new(1, Weather::default());
    let started = world.run(Duration::from_secs(3700), async {
        let started = Instant::now();
        Timer::after_secs(3600).await;
        started
    });
    assert_eq!((Instant::now() - started).as_secs(), 3600);
}

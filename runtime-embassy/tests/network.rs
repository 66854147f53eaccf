//! How a phone gets its address and finds its server, and how peers reach it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use core::cell::Cell;
use std::rc::Rc;

use common::{Weather, World, pbx::pbx, phone, phone_on, servers};
use embassy_net::Ipv4Address;
use embassy_time::{Duration, Timer};
#[cfg(feature = "dns")]
use sansip_embassy::Error;
use sansip_embassy::{Advertised, Reason, Settings};

const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn the_phone_waits_for_dhcp_and_follows_it_to_another_address() {
    let mut world = World::new(1, Weather::default());
    pbx(&mut world);
    let first = Ipv4Address::new(10, 0, 0, 60);
    let lent = Rc::new(Cell::new(first));
    servers::dhcp(&mut world, lent.clone());
    let stack = world.host_with(embassy_net::Config::dhcpv4(Default::default()));
    let (phone, _) = phone_on(&mut world, stack, Settings::default());
    assert!(!phone.is_online());
    world.run(LIMIT, async move {
        let line = phone.line("sip:100@10.0.0.1", "test100").unwrap();
        line.register().await.unwrap();
        assert_eq!(phone.local_address(), Some((first, 5060).into()));
        let call = line.call("603").await.unwrap();
        let second = Ipv4Address::new(10, 0, 0, 61);
        lent.set(second); // the next renewal is refused
        assert_eq!(call.ended().await, Ok(Reason::AddressLost));
        Timer::after_secs(3).await;
        assert_eq!(phone.local_address(), Some((second, 5060).into()));
        assert!(line.is_registered());
        line.call("601").await.unwrap();
    });
}

#[cfg(feature = "dns")]
#[test]
fn a_server_is_found_by_its_name_and_an_unknown_one_is_told() {
    let mut world = World::new(1, Weather { loss_permille: 100, jitter_ms: 5 });
    pbx(&mut world);
    let lent = Rc::new(Cell::new(Ipv4Address::new(10, 0, 0, 60)));
    let server = servers::dhcp(&mut world, lent);
    servers::dns(&mut world, server, "pbx.example", Ipv4Address::new(10, 0, 0, 1));
    let stack = world.host_with(embassy_net::Config::dhcpv4(Default::default()));
    let (phone, _) = phone_on(&mut world, stack, Settings::default());
    world.run(LIMIT, async move {
        let line = phone.line("sip:100@pbx.example", "test100").unwrap();
        line.register().await.unwrap();
        let unknown = line.call("sip:600@nowhere.example").await;
        assert_eq!(unknown.err(), Some(Error::Failed(Reason::Unreachable)));
        line.call("600").await.unwrap();
    });
}

#[test]
fn peers_are_told_the_advertised_address_and_ports() {
    let mut world = World::new(1, Weather::default());
    let stack = world.host();
    let advertised =
        Advertised { address: "192.0.2.9".parse().unwrap(), sip_port: 6060, rtp_port: 7000 };
    let settings = Settings { advertised: Some(advertised), ..Settings::default() };
    let (alice, _) = phone_on(&mut world, stack, settings);
    let bob = phone(&mut world);
    bob.line("sip:bob@10.0.0.2", "").unwrap();
    let invite = world.run(LIMIT, async move {
        let line = alice.line("sip:alice@10.0.0.1", "").unwrap();
        let _call = line.dial("sip:bob@10.0.0.2").await.unwrap();
        assert_eq!(alice.local_address(), "192.0.2.9:6060".parse().ok());
        let call = bob.incoming().await.unwrap();
        call.invite(|message| String::from_utf8(message.bytes().to_vec()).unwrap()).unwrap()
    });
    for part in [
        "Via: SIP/2.0/UDP 192.0.2.9:6060",
        "Contact: <sip:alice@192.0.2.9:6060>",
        "c=IN IP4 192.0.2.9",
        "m=audio 7000 ",
    ] {
        assert!(invite.contains(part), "{part} in {invite}");
    }
    assert!(!invite.contains(":5060;") && !invite.contains("4000"), "{invite}");
}

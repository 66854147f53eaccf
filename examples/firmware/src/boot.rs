//! Starts network and phone: the few lines that a program for another board writes anew.

use embassy_executor::{SpawnError, SpawnToken, Spawner};
use embassy_net::StackResources;
use sansip_embassy::{Advertised, Error, Phone, Reason, Resources, Runner};
use static_cell::{ConstStaticCell, StaticCell};

use crate::board::host::{self, Decimal};
use crate::board::{self, Nic, executor, stack};
use crate::settings::Settings;

/// Boots the board, joins the network by DHCP and hands the phone to `program`, a task.
///
/// Settings of a run: `address=`, `sip-port=` and `rtp-port=` say how peers reach the phone behind
/// port forwarding; `trace=1` shows every SIP message.
pub fn run<S>(
    program: impl FnOnce(Phone<'static>, Settings<'static>) -> Result<SpawnToken<S>, SpawnError>,
) -> ! {
    executor::run(|spawner| start(spawner, program))
}

#[inline(never)] // what it needs of the stack is free again when the tasks run
fn start<S>(
    spawner: Spawner,
    program: impl FnOnce(Phone<'static>, Settings<'static>) -> Result<SpawnToken<S>, SpawnError>,
) {
    // Sockets of the network itself (DHCP, DNS), and of a phone with two calls.
    static NETWORK: StaticCell<StackResources<{ 2 + 1 + 2 * 2 }>> = StaticCell::new();
    static PHONE: ConstStaticCell<Resources<'static>> = ConstStaticCell::new(Resources::new());

    let nic = board::start();
    let settings = host::settings();
    let entropy = host::entropy(&settings);
    let config = network();
    let resources = NETWORK.init_with(StackResources::new);
    // The network draws ports and identifiers from it, nothing secret; it is divided,
    // and the code to divide more than 32 bits would stand here.
    let seed = u32::from_le_bytes(*entropy.first_chunk().unwrap_or(&[0; 4]));
    let (stack, network) = embassy_net::new(nic, config, resources, seed.into());
    let (phone, mut runner) = Phone::bind(stack, PHONE.take(), phone_settings(&settings), entropy);
    if settings.text("trace").is_some() {
        static TRACE: StaticCell<Console> = StaticCell::new(); // not all zero, so not a constant
        runner = runner.with_trace(TRACE.init(CONSOLE));
    }
    match (run_network(network), run_phone(runner), program(phone, settings)) {
        (Ok(network), Ok(runner), Ok(program)) => {
            spawner.spawn(network);
            spawner.spawn(runner);
            spawner.spawn(program);
        }
        _ => host::exit(false),
    }
}

/// How the board gets its address.
#[cfg(feature = "dhcp")]
pub fn network() -> embassy_net::Config {
    embassy_net::Config::dhcpv4(Default::default())
}

/// The address that QEMU would give.
#[cfg(not(feature = "dhcp"))]
pub fn network() -> embassy_net::Config {
    use embassy_net::{Ipv4Address, Ipv4Cidr, StaticConfigV4};
    embassy_net::Config::ipv4_static(StaticConfigV4 {
        address: Ipv4Cidr::new(Ipv4Address::new(10, 0, 2, 15), 24),
        gateway: Some(Ipv4Address::new(10, 0, 2, 2)),
        dns_servers: Default::default(),
    })
}

/// A trace sink that writes to the host.
#[cfg(not(feature = "defmt"))]
type Console = sansip_embassy::trace::Lines<fn(&[u8])>;
#[cfg(not(feature = "defmt"))]
const CONSOLE: Console = sansip_embassy::trace::Lines(host::write);
#[cfg(feature = "defmt")]
use {defmt_semihosting as _, sansip_embassy::trace::Defmt as Console};
#[cfg(feature = "defmt")]
const CONSOLE: Console = sansip_embassy::trace::Defmt;

fn phone_settings(words: &Settings<'_>) -> sansip_embassy::Settings {
    let port = |name, usual| words.number(name).and_then(|n| n.try_into().ok()).unwrap_or(usual);
    let mut settings = sansip_embassy::Settings::default();
    settings.advertised = words.ipv4("address").map(|address| Advertised {
        address: address.into(),
        sip_port: port("sip-port", settings.sip_port),
        rtp_port: port("rtp-port", settings.rtp_port),
    });
    settings
}

#[embassy_executor::task]
async fn run_network(mut runner: embassy_net::Runner<'static, Nic>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn run_phone(mut runner: Runner<'static>) -> ! {
    runner.run().await
}

/// Ends the program: says which step failed and why, prints how deep the stack was, and gives the
/// host its exit status.
pub fn finish(result: Result<(), (&'static str, Error)>) -> ! {
    if let Err((step, error)) = result {
        let status = match error {
            Error::Failed(Reason::Rejected(status)) => status,
            _ => 0,
        };
        host::print(&[
            "FAILED ",
            step,
            ": ",
            reason(error),
            " ",
            Decimal::new(status.into()).text(),
        ]);
    }
    let stack = stack::measure();
    let (used, available) = (Decimal::new(stack.used as u32), Decimal::new(stack.available as u32));
    host::print(&["stack ", used.text(), " of ", available.text(), " bytes"]);
    host::exit(result.is_ok())
}

/// A short word; `Display` would bring the formatting code.
fn reason(error: Error) -> &'static str {
    match error {
        Error::Refused(_) => "refused",
        Error::Failed(Reason::Rejected(_)) => "rejected",
        Error::Failed(Reason::TimedOut | Reason::NoAnswer) => "no answer",
        Error::Failed(Reason::Unreachable) => "unreachable",
        Error::Failed(Reason::AuthenticationFailed) => "authentication failed",
        Error::Failed(Reason::MediaSilent) => "no media",
        Error::Failed(_) => "ended",
        Error::Wav(_) => "not a WAV",
        Error::Digits(_) => "digits",
        _ => "closed",
    }
}

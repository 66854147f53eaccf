//! The simulator's PBX as a host on the Ethernet.

use core::cell::RefCell;
use core::future::poll_fn;
use core::net::{IpAddr, SocketAddr};
use core::task::Poll;
use std::rc::Rc;

use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{IpAddress, IpEndpoint, Stack};
use embassy_time::Timer;
use sansip_embassy::sansip::endpoint;
use sansip_embassy::sansip::path::Path;
use sansip_embassy::sansip::time::Instant;
use sansip_sim::pbx::{Action, Input, Options, Pbx};

use super::World;

/// A PBX at the next address of the world, and the lines that it reports.
pub(crate) fn pbx(world: &mut World) -> Rc<RefCell<Vec<String>>> {
    let stack = world.host();
    let lines = Rc::new(RefCell::new(Vec::new()));
    world.spawn(run(stack, lines.clone()));
    lines
}

const PORTS: [u16; 4] = [10_000, 10_002, 10_004, 10_006];

async fn run(stack: Stack<'static>, lines: Rc<RefCell<Vec<String>>>) {
    stack.wait_config_up().await;
    let address = stack.config_v4().unwrap().address.address();
    let local = SocketAddr::from((address, 5060));
    let mut pbx = Pbx::new(Options::new(local, PORTS.to_vec(), [9; 32]));
    let sip = socket(stack, 5060);
    let media: Vec<(u16, bool, UdpSocket<'static>)> = PORTS
        .iter()
        .flat_map(|port| [(*port, false), (*port, true)])
        .map(|(port, rtcp)| (port, rtcp, socket(stack, port + u16::from(rtcp))))
        .collect();
    loop {
        let now = Instant::from_micros(embassy_time::Instant::now().as_micros());
        while let Some((remote, bytes)) = receive(&sip).await {
            let path = Path::udp(local, remote);
            let message = endpoint::Input::Message { path, bytes: &bytes };
            pbx.handle(now, Input::Sip(message));
            act(&mut pbx, now, local, &sip, &media, &lines).await;
        }
        for (port, rtcp, socket) in &media {
            while let Some((remote, bytes)) = receive(socket).await {
                pbx.handle(now, Input::Media { port: *port, rtcp: *rtcp, remote, bytes: &bytes });
            }
        }
        act(&mut pbx, now, local, &sip, &media, &lines).await;
        Timer::after_millis(1).await;
    }
}

async fn act(
    pbx: &mut Pbx,
    now: Instant,
    local: SocketAddr,
    sip: &UdpSocket<'static>,
    media: &[(u16, bool, UdpSocket<'static>)],
    lines: &Rc<RefCell<Vec<String>>>,
) {
    while let Some(action) = pbx.poll_action(now) {
        match action {
            Action::Sip { path, bytes } => send(sip, path.remote, &bytes).await,
            Action::Media { port, rtcp, remote, bytes } => {
                let of_port = media.iter().find(|(p, r, _)| (*p, *r) == (port, rtcp));
                send(&of_port.unwrap().2, remote, &bytes).await;
            }
            Action::Resolve { query, host, port, .. } => {
                let address = host.parse::<IpAddr>().unwrap();
                let path = Path::udp(local, SocketAddr::new(address, port.unwrap_or(5060)));
                let resolved = endpoint::Input::Resolved { query, targets: &[path] };
                pbx.handle(now, Input::Sip(resolved));
            }
            Action::Report(line) => lines.borrow_mut().push(line),
            Action::Record { .. } => {}
        }
    }
}

pub(crate) fn socket(stack: Stack<'static>, port: u16) -> UdpSocket<'static> {
    let metas = || Box::leak(Box::new([PacketMetadata::EMPTY; 16]));
    let bytes = || Box::leak(Box::new([0; 8000]));
    let mut socket = UdpSocket::new(stack, metas(), bytes(), metas(), bytes());
    socket.bind(port).unwrap();
    socket
}

async fn receive(socket: &UdpSocket<'static>) -> Option<(SocketAddr, Vec<u8>)> {
    let mut buffer = vec![0; 2000];
    let (length, meta) = poll_fn(|cx| {
        Poll::Ready(match socket.poll_recv_from(&mut buffer, cx) {
            Poll::Ready(Ok(received)) => Some(received),
            _ => None,
        })
    })
    .await?;
    buffer.truncate(length);
    let IpAddress::Ipv4(address) = meta.endpoint.addr;
    Some((SocketAddr::from((address, meta.endpoint.port)), buffer))
}

async fn send(socket: &UdpSocket<'static>, to: SocketAddr, bytes: &[u8]) {
    let IpAddr::V4(address) = to.ip() else { return };
    let to = IpEndpoint::new(IpAddress::Ipv4(address), to.port());
    // A full queue is loss, as on any network.
    let _ = poll_fn(|cx| Poll::Ready(socket.poll_send_to(bytes, to, cx))).await;
}

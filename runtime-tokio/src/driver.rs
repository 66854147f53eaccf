//! The loop that owns the SIP sockets.

use core::pin::pin;
use std::sync::Arc;

use sansip::endpoint::Input;
use sansip::path::{Path, Transport};
use sansip::trace::{Record, Way};
use tokio::net::UdpSocket;
use tokio::sync::watch;

use crate::shared::Shared;
use crate::state::{Alarm, Order};

/// Runs a phone's signalling until it is told to stop.
///
/// It takes datagrams, waits for the endpoint's deadlines, and does what handles could not do at
/// once on their own tasks: names to look up, sends that would have blocked, and traces.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    udp: Arc<UdpSocket>,
    stop: watch::Receiver<bool>,
}

impl Driver {
    pub(crate) fn new(
        shared: Arc<Shared>,
        udp: Arc<UdpSocket>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self { shared, udp, stop }
    }

    pub(crate) async fn run(self) {
        let Self { shared, udp, mut stop } = self;
        let _end = End(Arc::clone(&shared));
        let mut buffer = vec![0; DATAGRAM_MAX];
        let mut failures = 0_u32;
        // made once, as each turn would have to enter them into tokio's lists anew
        let mut timer = pin!(tokio::time::sleep(core::time::Duration::ZERO));
        let mut bell = pin!(shared.bell.notified());
        let mut stopped = pin!(stop.changed());
        loop {
            carry_out(&shared, &udp).await;
            let alarm = shared.lock().set_alarm();
            if let Alarm::Moved(at) = alarm {
                timer.as_mut().reset(shared.clock.deadline(at));
            }
            tokio::select! {
                received = udp.recv_from(&mut buffer) => match received {
                    Ok((length, remote)) => {
                        failures = 0;
                        receive(&shared, remote, buffer.get(..length).unwrap_or_default());
                        receive_waiting(&shared, &udp, &mut buffer).await;
                    }
                    Err(_) => {
                        // Some systems report a peer's ICMP here; a broken socket must not spin.
                        failures += 1;
                        let pause = core::time::Duration::from_millis(u64::from(failures.min(100)));
                        tokio::time::sleep(pause).await;
                    }
                },
                () = &mut bell => bell.set(shared.bell.notified()),
                () = &mut timer, if !matches!(alarm, Alarm::None) => {
                    shared.lock().alarm = None;
                    shared.input(None);
                }
                _ = &mut stopped => break,
            }
        }
        carry_out(&shared, &udp).await;
    }
}

/// Takes more datagrams that are there already, in their order, each in a turn of its own.
async fn receive_waiting(shared: &Arc<Shared>, udp: &UdpSocket, buffer: &mut [u8]) {
    for _ in 0..BATCH {
        carry_out(shared, udp).await;
        let Ok((length, remote)) = udp.try_recv_from(buffer) else { return };
        receive(shared, remote, buffer.get(..length).unwrap_or_default());
    }
    // The application's turn: while datagrams keep coming, a call that nobody gets to take is
    // refused as busy.
    tokio::task::yield_now().await;
}

fn receive(shared: &Shared, remote: core::net::SocketAddr, bytes: &[u8]) {
    let path = Path::udp(shared.net.local(remote.ip()), remote);
    let at = shared.clock.now();
    shared.trace(&Record { at, way: Way::Received, path, bytes });
    shared.input(Some(Input::Message { path, bytes }));
}

/// Carries out what is left to the driver, outside the lock, until nothing is left.
async fn carry_out(shared: &Arc<Shared>, udp: &UdpSocket) {
    while let Some(order) = shared.next_order() {
        match order {
            Order::Transmit { path, bytes } => transmit(shared, udp, path, &bytes).await,
            Order::SendFailed { path } => send_failed(shared, path),
            Order::Resolve { query, host, port, transport } => {
                let shared = Arc::clone(shared);
                tokio::spawn(async move {
                    let targets = shared.net.resolve(&host, port, transport).await;
                    shared.input(Some(Input::Resolved { query, targets: &targets }));
                    shared.bell.notify_one();
                });
            }
            Order::Connect { flow } => {
                // Only datagrams so far.
                shared.input(Some(Input::Closed { flow }));
            }
        }
    }
}

async fn transmit(shared: &Shared, udp: &UdpSocket, path: Path, bytes: &[u8]) {
    let at = shared.clock.now();
    shared.trace(&Record { at, way: Way::Sent, path, bytes });
    let sent = match path.transport {
        // Awaited: a fresh socket says `WouldBlock` to `try_send_to`.
        Transport::Udp => udp.send_to(bytes, path.remote).await.is_ok(),
        _ => false,
    };
    if !sent {
        send_failed(shared, path);
    }
}

fn send_failed(shared: &Shared, path: Path) {
    shared.net.forget();
    shared.input(Some(Input::SendFailed { path }));
}

/// Ends every wait when the driver ends, also by a panic of a sink or with its runtime.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.lock().close();
    }
}

/// The longest datagram (RFC 768).
const DATAGRAM_MAX: usize = 65_535;
/// Datagrams taken before timers and commands have their turn.
const BATCH: usize = 64;

//! The loop that owns the SIP sockets.

use std::sync::Arc;

use sansip::endpoint::{Input, QueryId};
use sansip::path::{Path, Transport};
use sansip::trace::{Record, Way};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};

use crate::shared::Shared;
use crate::state::Order;

/// Runs a phone's signalling until it is told to stop.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    udp: UdpSocket,
    resolved: (mpsc::UnboundedSender<Resolved>, mpsc::UnboundedReceiver<Resolved>),
    stop: watch::Receiver<bool>,
}

type Resolved = (QueryId, Vec<Path>);

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>, udp: UdpSocket, stop: watch::Receiver<bool>) -> Self {
        Self { shared, udp, resolved: mpsc::unbounded_channel(), stop }
    }

    pub(crate) async fn run(mut self) {
        let _end = End(Arc::clone(&self.shared));
        let mut buffer = vec![0; DATAGRAM_MAX];
        let mut failures = 0_u32;
        loop {
            self.carry_out().await;
            if *self.stop.borrow() {
                break;
            }
            let soonest = self.shared.lock().endpoint.poll_timeout();
            let timer = async {
                match soonest {
                    Some(at) => tokio::time::sleep_until(self.shared.clock.deadline(at)).await,
                    None => core::future::pending().await,
                }
            };
            tokio::select! {
                received = self.udp.recv_from(&mut buffer) => match received {
                    Ok((length, remote)) => {
                        failures = 0;
                        self.receive(remote, buffer.get(..length).unwrap_or_default());
                        self.receive_waiting(&mut buffer).await;
                    }
                    Err(_) => {
                        // Some systems report a peer's ICMP here; a broken socket must not spin.
                        failures += 1;
                        let pause = core::time::Duration::from_millis(u64::from(failures.min(100)));
                        tokio::time::sleep(pause).await;
                    }
                },
                Some((query, targets)) = self.resolved.1.recv() => {
                    self.shared.input(Some(Input::Resolved { query, targets: &targets }));
                }
                () = self.shared.bell.notified() => {}
                () = timer => self.shared.input(None),
                changed = self.stop.changed() => if changed.is_err() { break },
            }
        }
    }

    /// Takes more datagrams that are there already, in their order, each in a turn of its own.
    async fn receive_waiting(&self, buffer: &mut [u8]) {
        for _ in 0..BATCH {
            self.carry_out().await;
            let Ok((length, remote)) = self.udp.try_recv_from(buffer) else { return };
            self.receive(remote, buffer.get(..length).unwrap_or_default());
        }
    }

    fn receive(&self, remote: core::net::SocketAddr, bytes: &[u8]) {
        let path = Path::udp(self.shared.net.local(remote.ip()), remote);
        let at = self.shared.clock.now();
        self.shared.trace(&Record { at, way: Way::Received, path, bytes });
        self.shared.input(Some(Input::Message { path, bytes }));
    }

    /// Carries out what the endpoint wants, outside the lock, until nothing is left.
    async fn carry_out(&self) {
        loop {
            let orders = core::mem::take(&mut self.shared.lock().orders);
            if orders.is_empty() {
                return;
            }
            for order in orders {
                match order {
                    Order::Transmit { path, bytes } => self.transmit(path, &bytes).await,
                    Order::Resolve { query, host, port, transport } => {
                        let shared = Arc::clone(&self.shared);
                        let answer = self.resolved.0.clone();
                        tokio::spawn(async move {
                            let paths = shared.net.resolve(&host, port, transport).await;
                            let _ = answer.send((query, paths));
                        });
                    }
                    Order::Connect { flow } => {
                        // Only datagrams so far.
                        self.shared.input(Some(Input::Closed { flow }));
                    }
                }
            }
        }
    }

    async fn transmit(&self, path: Path, bytes: &[u8]) {
        let at = self.shared.clock.now();
        self.shared.trace(&Record { at, way: Way::Sent, path, bytes });
        let sent = match path.transport {
            // Awaited: a fresh socket says `WouldBlock` to `try_send_to`.
            Transport::Udp => self.udp.send_to(bytes, path.remote).await.is_ok(),
            _ => false,
        };
        if !sent {
            self.shared.net.forget();
            self.shared.input(Some(Input::SendFailed { path }));
        }
    }
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

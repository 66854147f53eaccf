//! The PBX on UDP sockets.
//!
//! ```no_run
//! # async fn show() -> std::io::Result<()> {
//! let pbx = sansip_sim::pbx::driver::Settings::new("127.0.0.1:0".parse().unwrap());
//! let mut pbx = sansip_sim::pbx::driver::spawn(pbx).await?;
//! println!("listening on {}", pbx.address());
//! while let Some(line) = pbx.next_line().await {
//!     println!("{line}");
//! }
//! # Ok(())
//! # }
//! ```

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::sync::Arc;

use hound::{SampleFormat, WavSpec, WavWriter};
use sansip::endpoint;
use sansip::path::{Path, Transport};
use sansip::time::Instant;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::{Action, Input, Options, Pbx};

/// How a PBX on sockets is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where SIP is received; port 0 takes any, a wildcard address takes all.
    pub bind: SocketAddr,
    /// Where 604 records to; nothing is recorded without it.
    pub record: Option<PathBuf>,
    /// Calls at once; each has two sockets from the start.
    pub calls: usize,
    /// Different at each start; drawn from the system unless set.
    pub seed: Option<[u8; 32]>,
}

impl Settings {
    /// 32 calls, no recordings.
    pub const fn new(bind: SocketAddr) -> Self {
        Self { bind, record: None, calls: 32, seed: None }
    }
}

/// A PBX that runs as a task; dropping it ends it.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    lines: mpsc::Receiver<String>,
    task: JoinHandle<()>,
}

impl Running {
    /// Where it receives SIP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What happened next, one line; `None` once it has ended. Lines that nobody takes are dropped
    /// when a thousand wait.
    pub async fn next_line(&mut self) -> Option<String> {
        self.lines.recv().await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Binds the sockets and starts the PBX as a task.
///
/// # Errors
/// A socket cannot be bound, or the folder for recordings cannot be made.
pub async fn spawn(settings: Settings) -> io::Result<Running> {
    if let Some(folder) = &settings.record {
        std::fs::create_dir_all(folder)?;
    }
    let socket = UdpSocket::bind(settings.bind).await?;
    let address = socket.local_addr()?;
    let (media, packets) = Media::bind(settings.bind.ip(), settings.calls).await?;
    let ports = media.sockets.keys().copied().collect();
    let seed = settings.seed.unwrap_or_else(fresh_seed);
    let (reports, lines) = mpsc::channel(1000);
    let driver = Driver {
        pbx: Pbx::new(Options::new(address, ports, seed)),
        socket,
        bound: address,
        media,
        packets,
        reports,
        record: settings.record,
        recordings: BTreeMap::new(),
        start: tokio::time::Instant::now(),
    };
    let task = tokio::spawn(driver.run());
    Ok(Running { address, lines, task })
}

struct Driver {
    pbx: Pbx,
    socket: UdpSocket,
    bound: SocketAddr,
    media: Media,
    packets: mpsc::Receiver<Packet>,
    reports: mpsc::Sender<String>,
    record: Option<PathBuf>,
    recordings: BTreeMap<String, Option<WavWriter<BufWriter<File>>>>,
    start: tokio::time::Instant,
}

impl Driver {
    async fn run(mut self) {
        let mut buffer = vec![0; 65_536];
        loop {
            // One turn: one input, drain, sleep.
            while let Some(action) = self.pbx.poll_action(self.now()) {
                self.carry_out(action).await;
            }
            let due = self.pbx.poll_timeout();
            let due = due.map(|due| self.start + core::time::Duration::from(due.since(ZERO)));
            tokio::select! {
                received = self.socket.recv_from(&mut buffer) => {
                    // An error here is an ICMP answer to an earlier datagram: timers cover it.
                    if let Ok((length, remote)) = received
                        && let Some(path) = self.path_to(remote)
                        && let Some(bytes) = buffer.get(..length)
                    {
                        let input = endpoint::Input::Message { path, bytes };
                        self.pbx.handle(self.now(), Input::Sip(input));
                    }
                }
                Some(packet) = self.packets.recv() => {
                    let Packet { port, rtcp, remote, bytes } = packet;
                    let input = Input::Media { port, rtcp, remote, bytes: &bytes };
                    self.pbx.handle(self.now(), input);
                }
                () = sleep_until(due) => {}
            }
        }
    }

    fn now(&self) -> Instant {
        ZERO + self.start.elapsed().into()
    }

    async fn carry_out(&mut self, action: Action) {
        match action {
            Action::Sip { path, bytes } => {
                if self.socket.send_to(&bytes, path.remote).await.is_err() {
                    let input = endpoint::Input::SendFailed { path };
                    self.pbx.handle(self.now(), Input::Sip(input));
                }
            }
            Action::Resolve { query, host, port, transport } => {
                let target = self.resolve(&host, port, transport).await;
                let targets = target.as_slice();
                let input = endpoint::Input::Resolved { query, targets };
                self.pbx.handle(self.now(), Input::Sip(input));
            }
            Action::Media { port, rtcp, remote, bytes } => {
                if let Some((rtp_socket, rtcp_socket)) = self.media.sockets.get(&port) {
                    let socket = if rtcp { rtcp_socket } else { rtp_socket };
                    let _ = socket.send_to(&bytes, remote).await; // lost like any packet
                }
            }
            Action::Report(line) => {
                let _ = self.reports.try_send(line);
            }
            Action::Record { name, rate_hz, samples } => self.record(&name, rate_hz, &samples),
        }
    }

    async fn resolve(
        &self,
        host: &str,
        port: Option<u16>,
        transport: Option<Transport>,
    ) -> Option<Path> {
        if !matches!(transport, None | Some(Transport::Udp)) {
            return None;
        }
        let port = port.unwrap_or(Transport::Udp.default_port());
        let mut found = tokio::net::lookup_host((host, port)).await.ok()?;
        let remote = found.find(|remote| remote.is_ipv4() == self.bound.is_ipv4())?;
        self.path_to(remote)
    }

    /// A wildcard socket does not know which of our addresses a peer sees; a connected one does.
    fn path_to(&self, remote: SocketAddr) -> Option<Path> {
        let mut local = self.bound;
        if local.ip().is_unspecified() {
            let probe = std::net::UdpSocket::bind(SocketAddr::new(local.ip(), 0)).ok()?;
            probe.connect(remote).ok()?;
            local.set_ip(probe.local_addr().ok()?.ip());
        }
        Some(Path::udp(local, remote))
    }

    fn record(&mut self, name: &str, rate_hz: u32, samples: &[i16]) {
        let Some(folder) = &self.record else { return };
        let writer = self.recordings.entry(name.to_owned()).or_insert_with(|| {
            let spec = WavSpec {
                channels: 1,
                sample_rate: rate_hz,
                bits_per_sample: 16,
                sample_format: SampleFormat::Int,
            };
            WavWriter::create(folder.join(format!("{name}.wav")), spec).ok()
        });
        if samples.is_empty() {
            let finished = writer.take().map(WavWriter::finalize);
            self.recordings.remove(name);
            if let Some(Ok(())) = finished {
                let _ = self.reports.try_send(format!("recorded {name}.wav"));
            }
            return;
        }
        let full = writer.as_mut().is_some_and(|writer| {
            samples.iter().any(|sample| writer.write_sample(*sample).is_err())
        });
        if full {
            *writer = None;
        }
    }
}

/// The sockets of all calls, each pair read by a task.
struct Media {
    sockets: BTreeMap<u16, (Arc<UdpSocket>, Arc<UdpSocket>)>,
    _readers: JoinSet<()>,
}

struct Packet {
    port: u16,
    rtcp: bool,
    remote: SocketAddr,
    bytes: Vec<u8>,
}

impl Media {
    async fn bind(ip: IpAddr, calls: usize) -> io::Result<(Self, mpsc::Receiver<Packet>)> {
        let (sender, receiver) = mpsc::channel(1024);
        let mut media = Self { sockets: BTreeMap::new(), _readers: JoinSet::new() };
        for _ in 0..calls {
            let (port, rtp, rtcp) = pair(ip).await?;
            for (socket, is_rtcp) in [(&rtp, false), (&rtcp, true)] {
                media._readers.spawn(read(Arc::clone(socket), port, is_rtcp, sender.clone()));
            }
            media.sockets.insert(port, (rtp, rtcp));
        }
        Ok((media, receiver))
    }
}

async fn read(socket: Arc<UdpSocket>, port: u16, rtcp: bool, sender: mpsc::Sender<Packet>) {
    let mut buffer = vec![0; 2048];
    loop {
        let Ok((length, remote)) = socket.recv_from(&mut buffer).await else { continue };
        let bytes = buffer.get(..length).unwrap_or_default().to_vec();
        if sender.send(Packet { port, rtcp, remote, bytes }).await.is_err() {
            return;
        }
    }
}

/// An even port for RTP with the next one for RTCP (RFC 3550 s11).
async fn pair(ip: IpAddr) -> io::Result<(u16, Arc<UdpSocket>, Arc<UdpSocket>)> {
    let mut refused = Vec::new(); // kept until the end, so that the system gives other ones
    for _ in 0..PAIR_TRIES {
        let first = UdpSocket::bind(SocketAddr::new(ip, 0)).await?;
        let port = first.local_addr()?.port();
        let second = SocketAddr::new(ip, port | 1);
        if port % 2 == 0
            && let Ok(second) = UdpSocket::bind(second).await
        {
            return Ok((port, Arc::new(first), Arc::new(second)));
        }
        refused.push(first);
    }
    Err(io::ErrorKind::AddrInUse.into())
}

async fn sleep_until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => core::future::pending().await,
    }
}

/// The system's random hash keys: good for a PBX on a desk, and no dependency.
fn fresh_seed() -> [u8; 32] {
    use core::hash::BuildHasher as _;
    use std::hash::RandomState;
    let mut seed = [0; 32];
    for (index, chunk) in seed.chunks_exact_mut(8).enumerate() {
        chunk.copy_from_slice(&RandomState::new().hash_one(index).to_be_bytes());
    }
    seed
}

const ZERO: Instant = Instant::ZERO;
const PAIR_TRIES: usize = 100;

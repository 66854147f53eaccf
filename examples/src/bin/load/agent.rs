//! One endpoint on one UDP socket: the turn of the core, its socket drained on each wake.

use core::net::SocketAddr;
use std::collections::VecDeque;
use std::io;
use std::time::Instant as Clock;

use sansip::endpoint::{
    Account, AccountId, Action, CallId, Config, Endpoint, Event, Input, Reason,
};
use sansip::path::Path;
use sansip::sdp::MediaPlan;
use sansip::storage::{Limits, Storage};
use sansip::time::Instant;
use tokio::net::UdpSocket;

/// What happened to a call.
pub(crate) enum News {
    Incoming(CallId),
    Established(CallId),
    Agreed(CallId, MediaPlan),
    Ended(CallId, Reason),
}

pub(crate) struct Agent {
    pub(crate) endpoint: Endpoint<'static>,
    pub(crate) account: AccountId,
    pub(crate) local: SocketAddr,
    socket: UdpSocket,
    start: Clock,
    buffer: Vec<u8>,
    news: VecDeque<News>,
    /// What the socket had no room for.
    unsent: VecDeque<(SocketAddr, Vec<u8>)>,
}

impl Agent {
    pub(crate) async fn bind(
        bind: SocketAddr,
        room: usize,
        transactions: usize,
    ) -> io::Result<Self> {
        let socket = UdpSocket::from_std(bound(bind)?)?;
        // a fresh socket says `WouldBlock` to the first send otherwise
        socket.writable().await?;
        let local = socket.local_addr()?;
        let config = Config { local: Some(local), ..Config::default() };
        let mut endpoint = Endpoint::new(config, seed(), Storage::heap(limits(room, transactions)));
        let identity = format!("sip:load@{local}");
        let account = Account { identity: &identity, user_agent: "load", ..Account::default() };
        let account = endpoint.add_account(Instant::ZERO, account).map_err(io::Error::other)?;
        Ok(Self {
            endpoint,
            account,
            local,
            socket,
            start: Clock::now(),
            buffer: vec![0; 65_536],
            news: VecDeque::new(),
            unsent: VecDeque::new(),
        })
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// The next thing that happened to a call.
    pub(crate) fn next_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// Carry out what the endpoint wants.
    pub(crate) fn drain(&mut self, now: Instant) {
        while let Some(action) = self.endpoint.poll_action(now) {
            match action {
                Action::Transmit { path, bytes } => {
                    let waits = !self.unsent.is_empty();
                    let sent = if waits {
                        Err(io::ErrorKind::WouldBlock.into())
                    } else {
                        self.socket.try_send_to(bytes, path.remote)
                    };
                    if sent.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                        self.unsent.push_back((path.remote, bytes.to_vec()));
                    }
                }
                Action::Event(Event::Incoming { call, .. }) => {
                    self.news.push_back(News::Incoming(call));
                }
                Action::Event(Event::Established { call, .. }) => {
                    self.news.push_back(News::Established(call));
                }
                Action::Event(Event::Media { call, plan, .. }) => {
                    self.news.push_back(News::Agreed(call, plan));
                }
                Action::Event(Event::Ended { call, reason, .. }) => {
                    self.news.push_back(News::Ended(call, reason));
                }
                _ => {}
            }
        }
    }

    /// Take one datagram that is there already; `false` where none is.
    pub(crate) fn take_one(&mut self) -> bool {
        let Ok((len, remote)) = self.socket.try_recv_from(&mut self.buffer) else { return false };
        let now = self.now();
        let bytes = self.buffer.get(..len).unwrap_or_default();
        let path = Path::udp(self.local, remote);
        self.endpoint.handle(now, Input::Message { path, bytes });
        self.drain(now);
        true
    }

    /// Wait for a datagram, the endpoint's next deadline or `until`, whichever comes first.
    pub(crate) async fn wait(&mut self, until: Instant) -> io::Result<()> {
        while let Some((remote, bytes)) = self.unsent.pop_front() {
            self.socket.send_to(&bytes, remote).await?;
        }
        let deadline = self.endpoint.poll_timeout().map_or(until, |at| at.min(until));
        let pause = deadline.since(self.now());
        if pause.as_micros() > 0 {
            let pause = core::time::Duration::from_micros(pause.as_micros());
            let _ = tokio::time::timeout(pause, self.socket.readable()).await;
        }
        let now = self.now();
        self.drain(now); // lets deadlines that have come take effect
        Ok(())
    }
}

/// Room for so many calls and transactions.
pub(crate) fn limits(room: usize, transactions: usize) -> Limits {
    Limits {
        transactions,
        buffers: transactions,
        text_bytes: 512,
        message_bytes: 2048,
        ..Limits::calls(room)
    }
}

/// A non-blocking socket with room for a burst.
pub(crate) fn bound(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, None)?;
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Identifiers need not be secret here, only new.
pub(crate) fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let unique = now.map_or(0, |now| now.as_nanos()) ^ u128::from(std::process::id()) << 64;
    for (place, byte) in seed.iter_mut().zip(unique.to_le_bytes()) {
        *place = byte;
    }
    seed
}

/// As much as the system allows; a call is four datagrams of less than a kilobyte.
const SOCKET_BUFFER: usize = 4 << 20;

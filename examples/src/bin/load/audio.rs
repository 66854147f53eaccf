//! The audio of calls on the bare core: two sockets a call, one clock for all of them.

use core::net::{IpAddr, SocketAddr};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::UdpSocket;

use sansip::endpoint::CallId;
use sansip::media::{Session, Source, Tone};
use sansip::sdp::MediaPlan;
use sansip::time::{Duration, Instant};

use super::figures::{Rtp, Spread};
use super::streams::seed_of;

/// Without `--media` no socket is bound, and the SDP names the discard port.
pub(crate) struct CallMedia {
    is_on: bool,
    address: IpAddr,
    reserved: Option<Sockets>,
    streams: HashMap<CallId, Stream>,
    /// Whose frame is due when. All frames are of one length, so that who had a turn comes last,
    /// and calls stay spread over the frame as they began.
    turns: VecDeque<(Instant, CallId)>,
    captured: [i16; FRAME],
    count: usize,
    done: Rtp,
    delays_us: Vec<u32>,
}

struct Sockets {
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

struct Stream {
    sockets: Sockets,
    session: Option<Box<Session>>,
    ticks: u32,
}

impl CallMedia {
    pub(crate) fn new(is_on: bool, address: IpAddr) -> Self {
        let mut captured = [0; FRAME];
        Tone::new(440, 8000).read(&mut captured);
        Self {
            is_on,
            address,
            reserved: None,
            streams: HashMap::new(),
            turns: VecDeque::new(),
            captured,
            count: 0,
            done: Rtp::default(),
            delays_us: Vec::new(),
        }
    }

    /// Sockets for a call that does not exist yet; where it receives.
    pub(crate) fn reserve(&mut self) -> io::Result<SocketAddr> {
        if !self.is_on {
            return Ok(SocketAddr::new(self.address, DISCARD));
        }
        let sockets = Sockets::bind(self.address)?;
        let address = sockets.rtp.local_addr()?;
        self.reserved = Some(sockets);
        Ok(address)
    }

    pub(crate) fn take_reserved(&mut self, call: CallId) {
        if let Some(sockets) = self.reserved.take() {
            self.streams.insert(call, Stream { sockets, session: None, ticks: 0 });
        }
    }

    pub(crate) fn open(&mut self, call: CallId) -> io::Result<SocketAddr> {
        let address = self.reserve()?;
        self.take_reserved(call);
        Ok(address)
    }

    pub(crate) fn agreed(&mut self, now: Instant, call: CallId, plan: &MediaPlan) {
        let Some(stream) = self.streams.get_mut(&call) else { return };
        match &mut stream.session {
            Some(session) => session.set_plan(now, plan),
            None => {
                self.count += 1;
                let session = Session::new(plan, seed_of(self.count), now);
                stream.session = Some(Box::new(session));
                self.turns.push_back((now + FRAME_LENGTH, call));
            }
        }
    }

    pub(crate) fn close(&mut self, now: Instant, call: CallId) {
        if let Some(Stream { sockets, session: Some(mut session), .. }) = self.streams.remove(&call)
        {
            sockets.receive_rtp(&mut session, now);
            sockets.receive_rtcp(&mut session, now);
            session.stop();
            if let Some(packet) = session.poll_rtcp(now) {
                let _ = sockets.rtcp.send_to(packet.bytes, packet.to);
            }
            self.done.count(&session.statistics());
        }
    }

    /// When the next frame is due.
    pub(crate) fn next_tick(&self) -> Option<Instant> {
        self.turns.front().map(|(due, _)| *due)
    }

    /// The frames that are due.
    pub(crate) fn tick(&mut self, now: Instant) {
        let mut playout = [0; FRAME];
        while let Some((due, call)) = self.turns.front().copied()
            && due <= now
        {
            self.turns.pop_front();
            let Some(Stream { sockets, session: Some(session), ticks }) =
                self.streams.get_mut(&call)
            else {
                continue;
            };
            // after a stop of ours the stream goes on from now, as a burst would help nobody
            let stopped = now.since(due) > FRAME_LENGTH.times(5);
            self.turns.push_back((if stopped { now } else { due } + FRAME_LENGTH, call));
            *ticks += 1;
            sockets.receive_rtp(session, now);
            if ticks.is_multiple_of(RTCP_TICKS) {
                sockets.receive_rtcp(session, now);
            }
            if let Some(packet) = session.tick(now, &self.captured, &mut playout) {
                let _ = sockets.rtp.send_to(packet.bytes, packet.to);
                let late = now.since(due).as_micros();
                self.delays_us.push(u32::try_from(late).unwrap_or(u32::MAX));
            }
            if let Some(packet) = session.poll_rtcp(now) {
                let _ = sockets.rtcp.send_to(packet.bytes, packet.to);
            }
            while session.poll_event().is_some() {}
        }
    }

    pub(crate) fn figures(&mut self, now: Instant) -> Option<Rtp> {
        let left: Vec<CallId> = self.streams.keys().copied().collect();
        for call in left {
            self.close(now, call);
        }
        let send_delay_ms = Some(Spread::of_us(&mut self.delays_us));
        self.is_on.then(|| Rtp { send_delay_ms, ..self.done.clone() })
    }
}

impl Sockets {
    /// RTP on an even port and RTCP on the next (RFC 3550 s11).
    fn bind(ip: IpAddr) -> io::Result<Self> {
        for _ in 0..TRIES {
            let rtp = UdpSocket::bind((ip, 0))?;
            let port = rtp.local_addr()?.port();
            if port.is_multiple_of(2)
                && let Ok(rtcp) = UdpSocket::bind((ip, port + 1))
            {
                rtp.set_nonblocking(true)?;
                rtcp.set_nonblocking(true)?;
                return Ok(Self { rtp, rtcp });
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    fn receive_rtp(&self, session: &mut Session, now: Instant) {
        let mut buffer = [0; 2048];
        while let Ok((len, from)) = self.rtp.recv_from(&mut buffer) {
            session.handle(now, from, buffer.get(..len).unwrap_or_default());
        }
    }

    fn receive_rtcp(&self, session: &mut Session, now: Instant) {
        let mut buffer = [0; 2048];
        while let Ok((len, from)) = self.rtcp.recv_from(&mut buffer) {
            session.handle_rtcp(now, from, buffer.get(..len).unwrap_or_default());
        }
    }
}

/// Samples of 20 ms.
const FRAME: usize = 160;
const FRAME_LENGTH: Duration = Duration::from_millis(20);
/// How often RTCP is looked for: a report comes every five seconds.
const RTCP_TICKS: u32 = 25;
/// Half of the system's choices are odd, some have a taken neighbour.
const TRIES: usize = 64;
/// Nothing is sent there (RFC 863).
const DISCARD: u16 = 9;

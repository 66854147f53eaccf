//! Media under load: one clock for all streams, sends spread over the frame's 20 ms.

use core::net::{IpAddr, SocketAddr};
use std::collections::HashMap;
use std::io;
use std::time::Instant as Clock;

use sansip::endpoint::CallId;
use sansip::media::{Session, Source, Tone};
use sansip::rtp::Codec;
use sansip::sdp::{Direction, MediaPlan};
use sansip::time::{Duration, Instant};
use tokio::net::UdpSocket;

use super::agent::{bound, seed};
use super::figures::{Figures, Rtp, Spread, cpu_used};
use super::{PROGRESS, Streams};

/// `load streams N`: ends that talk in pairs, two and two sockets carrying the same calls.
pub(crate) async fn run(arguments: &Streams) -> io::Result<Figures> {
    let start = Clock::now();
    let now = move || Instant::from_micros(start.elapsed().as_micros() as u64);
    let mut field = Field::new(arguments.calls.next_multiple_of(2), arguments.shared, now())?;
    let cpu = cpu_used();
    let begin = Clock::now();
    let steps = arguments.seconds * 1000;
    let mut shown = Clock::now();
    let first = now();
    for step in 0..steps {
        let due = first + Duration::from_millis(step);
        let pause = due.since(now()).as_micros();
        if pause > 0 {
            tokio::time::sleep(core::time::Duration::from_micros(pause)).await;
        } else {
            // behind: still look at the sockets, as the runtime notes only here which are ready
            tokio::task::yield_now().await;
        }
        field.receive(now());
        field.send(step, due, &now);
        if shown.elapsed() >= PROGRESS {
            shown = Clock::now();
            eprintln!("{} s, {} packets sent", step / 1000, field.sent);
        }
    }
    let (elapsed, cpu) = (begin.elapsed(), cpu_used().saturating_sub(cpu));
    tokio::time::sleep(core::time::Duration::from_millis(20)).await;
    field.receive(now());
    let mut figures = Figures::default();
    figures.finish(elapsed, cpu);
    let ticks = field.sent.max(1);
    let mut rtp = field.figures();
    rtp.cpu_us_per_tick = cpu.as_secs_f64() * 1e6 / ticks as f64;
    figures.cpu_us_per_call = 0.0;
    figures.rtp = Some(rtp);
    Ok(figures)
}

/// All ends and their sockets.
struct Field {
    sockets: Vec<UdpSocket>,
    ends: Vec<End>,
    /// Which end hears a source.
    by_ssrc: HashMap<u32, usize>,
    captured: [i16; FRAME],
    playout: [i16; FRAME],
    buffer: [u8; 2048],
    sent: u64,
    received: u64,
    delays_us: Vec<u32>,
}

struct End {
    session: Box<Session>,
    socket: usize,
}

impl Field {
    fn new(count: usize, shared: usize, now: Instant) -> io::Result<Self> {
        let mut sockets = Vec::new();
        let mut addresses = Vec::new();
        for _ in 0..count.div_ceil(2 * shared.max(1)) * 2 {
            let socket = bound(SocketAddr::new(LOOPBACK, 0))?;
            addresses.push(socket.local_addr()?);
            sockets.push(UdpSocket::from_std(socket)?);
        }
        let mut ends = Vec::with_capacity(count);
        let mut by_ssrc = HashMap::new();
        for index in 0..count {
            let socket = index / (2 * shared.max(1)) * 2 + index % 2;
            let at = |socket: usize| addresses.get(socket).copied();
            let (Some(local), Some(remote)) = (at(socket), at(socket ^ 1)) else { continue };
            let session = Box::new(Session::new(&plan(local, remote), seed_of(index), now));
            by_ssrc.insert(session.ssrc(), index ^ 1);
            ends.push(End { session, socket });
        }
        let mut captured = [0; FRAME];
        Tone::new(440, 8000).read(&mut captured);
        Ok(Self {
            sockets,
            ends,
            by_ssrc,
            captured,
            playout: [0; FRAME],
            buffer: [0; 2048],
            sent: 0,
            received: 0,
            delays_us: Vec::new(),
        })
    }

    /// Take all that has come.
    fn receive(&mut self, now: Instant) {
        for socket in &self.sockets {
            while let Ok((len, from)) = socket.try_recv_from(&mut self.buffer) {
                let Some(bytes) = self.buffer.get(..len) else { continue };
                let [_, kind, ..] = bytes else { continue };
                // RTCP shares the socket (RFC 5761 s4): its types stand where RTP has 72 to 76
                let is_rtcp = (200..=204).contains(kind);
                let at = if is_rtcp { 4 } else { 8 };
                let source = bytes.get(at..at + 4).and_then(|ssrc| ssrc.try_into().ok());
                let end = source.and_then(|ssrc| self.by_ssrc.get(&u32::from_be_bytes(ssrc)));
                let Some(end) = end.and_then(|end| self.ends.get_mut(*end)) else { continue };
                if is_rtcp {
                    end.session.handle_rtcp(now, from, bytes);
                } else {
                    self.received += 1;
                    end.session.handle(now, from, bytes);
                }
            }
        }
    }

    /// The ends whose turn this millisecond of the frame is.
    fn send(&mut self, step: u64, due: Instant, now: &impl Fn() -> Instant) {
        let slot = step as usize % SLOTS;
        for end in self.ends.iter_mut().skip(slot).step_by(SLOTS) {
            let at = now();
            let Some(socket) = self.sockets.get(end.socket) else { continue };
            if let Some(packet) = end.session.tick(at, &self.captured, &mut self.playout) {
                if socket.try_send_to(packet.bytes, packet.to).is_ok() {
                    self.sent += 1;
                }
                let late = at.since(due).as_micros();
                self.delays_us.push(u32::try_from(late).unwrap_or(u32::MAX));
            }
            if let Some(packet) = end.session.poll_rtcp(at) {
                let _ = socket.try_send_to(packet.bytes, packet.to);
            }
            while end.session.poll_event().is_some() {}
        }
    }

    fn figures(&mut self) -> Rtp {
        let reports = self.ends.iter().map(|end| end.session.statistics());
        let jitter = reports.map(|report| report.jitter.as_micros()).max().unwrap_or(0);
        Rtp {
            sent: self.sent,
            received: self.received,
            lost: self.sent.saturating_sub(self.received),
            jitter_ms: jitter as f64 / 1000.0,
            send_delay_ms: Spread::of_us(&mut self.delays_us),
            cpu_us_per_tick: 0.0,
        }
    }
}

/// The media of signalled calls: a socket a call, the same clock. Without `--media` no socket is
/// bound, and the SDP names the discard port.
pub(crate) struct CallMedia {
    is_on: bool,
    address: IpAddr,
    reserved: Option<std::net::UdpSocket>,
    streams: HashMap<CallId, Stream>,
    captured: [i16; FRAME],
    next: Option<Instant>,
    done: Rtp,
    worst_jitter_us: u64,
}

struct Stream {
    socket: std::net::UdpSocket,
    session: Option<Box<Session>>,
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
            captured,
            next: None,
            done: Rtp::default(),
            worst_jitter_us: 0,
        }
    }

    /// A socket for a call that does not exist yet; its address.
    pub(crate) fn reserve(&mut self) -> io::Result<SocketAddr> {
        if !self.is_on {
            return Ok(SocketAddr::new(self.address, DISCARD));
        }
        let socket = bound(SocketAddr::new(self.address, 0))?;
        let address = socket.local_addr()?;
        self.reserved = Some(socket);
        Ok(address)
    }

    pub(crate) fn take_reserved(&mut self, call: CallId) {
        if let Some(socket) = self.reserved.take() {
            self.streams.insert(call, Stream { socket, session: None });
        }
    }

    pub(crate) fn open(&mut self, call: CallId) -> io::Result<SocketAddr> {
        let address = self.reserve()?;
        self.take_reserved(call);
        Ok(address)
    }

    pub(crate) fn agreed(&mut self, now: Instant, call: CallId, plan: &MediaPlan) {
        if let Some(stream) = self.streams.get_mut(&call) {
            let session = Session::new(plan, seed_of(self.done.sent as usize), now);
            stream.session = Some(Box::new(session));
            self.next.get_or_insert(now);
        }
    }

    pub(crate) fn close(&mut self, call: CallId) {
        if let Some(Stream { session: Some(session), .. }) = self.streams.remove(&call) {
            self.count(&session);
        }
        if self.streams.is_empty() {
            self.next = None;
        }
    }

    pub(crate) fn next_tick(&self) -> Option<Instant> {
        self.next
    }

    /// One frame of every call, where it is due.
    pub(crate) fn tick(&mut self, now: Instant) {
        let Some(due) = self.next.filter(|due| *due <= now) else { return };
        self.next = Some(due + Duration::from_millis(20));
        let mut buffer = [0; 2048];
        let mut playout = [0; FRAME];
        for stream in self.streams.values_mut() {
            let Some(session) = &mut stream.session else { continue };
            while let Ok((len, from)) = stream.socket.recv_from(&mut buffer) {
                session.handle(now, from, buffer.get(..len).unwrap_or_default());
            }
            if let Some(packet) = session.tick(now, &self.captured, &mut playout) {
                let _ = stream.socket.send_to(packet.bytes, packet.to);
            }
            while session.poll_event().is_some() {}
        }
    }

    fn count(&mut self, session: &Session) {
        let report = session.statistics();
        self.done.sent += u64::from(report.sent);
        self.done.received += u64::from(report.received);
        self.done.lost += u64::from(report.lost);
        self.worst_jitter_us = self.worst_jitter_us.max(report.jitter.as_micros());
    }

    pub(crate) fn figures(&mut self) -> Option<Rtp> {
        for (_, stream) in core::mem::take(&mut self.streams) {
            if let Some(session) = &stream.session {
                self.count(session);
            }
        }
        let jitter_ms = self.worst_jitter_us as f64 / 1000.0;
        self.is_on.then_some(Rtp { jitter_ms, ..self.done })
    }
}

fn plan(local: SocketAddr, remote: SocketAddr) -> MediaPlan {
    MediaPlan {
        local,
        remote,
        remote_rtcp: remote,
        codec: Codec::Pcmu,
        send_type: 0,
        receive_type: 0,
        dtmf: None,
        ptime_ms: 20,
        direction: Direction::SendRecv,
    }
}

fn seed_of(index: usize) -> [u8; 32] {
    let mut seed = seed();
    for (place, byte) in seed.iter_mut().rev().zip(index.to_le_bytes()) {
        *place ^= byte;
    }
    seed
}

const LOOPBACK: IpAddr = IpAddr::V4(core::net::Ipv4Addr::LOCALHOST);
/// Samples of 20 ms.
const FRAME: usize = 160;
/// Milliseconds of a frame, over which the ends are spread.
const SLOTS: usize = 20;
/// Nothing is sent there (RFC 863).
const DISCARD: u16 = 9;

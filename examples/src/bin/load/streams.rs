//! Media without signalling: one clock for all streams, sends spread over the frame's 20 ms.

use core::net::{IpAddr, SocketAddr};
use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;
use std::time::Instant as Clock;

use sansip::media::{Session, Source, Tone};
use sansip::rtp::Codec;
use sansip::sdp::{Direction, MediaPlan};
use sansip::time::{Duration, Instant};

use super::agent::{bound, seed};
use super::figures::{Figures, Rtp, Spread, cpu_used};
use super::{PROGRESS, Streams};

/// `load streams N`: ends that talk in pairs, two and two sockets carrying the same calls.
pub(crate) fn run(arguments: &Streams) -> io::Result<Figures> {
    let start = Clock::now();
    let now = move || Instant::from_micros(start.elapsed().as_micros() as u64);
    let mut field = Field::new(arguments.calls.next_multiple_of(2), arguments.shared, now())?;
    let cpu = cpu_used();
    let begin = Clock::now();
    let (first, mut shown) = (now(), Clock::now());
    let end = first + Duration::from_secs(arguments.seconds);
    while now() < end {
        field.receive(now());
        field.send(first, end, &now);
        if shown.elapsed() >= PROGRESS {
            shown = Clock::now();
            eprintln!("{} s, {} packets sent", begin.elapsed().as_secs(), field.sent);
        }
        std::thread::sleep(PAUSE);
    }
    let (elapsed, cpu) = (begin.elapsed(), cpu_used().saturating_sub(cpu));
    std::thread::sleep(core::time::Duration::from_millis(20));
    field.receive(now());
    let mut figures = Figures::default();
    figures.finish(elapsed, cpu);
    figures.cpu_us_per_call = 0.0;
    let mut rtp = field.figures();
    rtp.cpu_us_per_tick = Some(cpu.as_secs_f64() * 1e6 / field.sent.max(1) as f64);
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
    /// How many ticks are done, over all ends.
    ticks: u64,
    sent: u64,
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
            sockets.push(socket);
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
            ticks: 0,
            sent: 0,
            delays_us: Vec::new(),
        })
    }

    /// Take all that has come.
    fn receive(&mut self, now: Instant) {
        for socket in &self.sockets {
            while let Ok((len, from)) = socket.recv_from(&mut self.buffer) {
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
                    end.session.handle(now, from, bytes);
                }
            }
        }
    }

    /// Sends from the ends whose turn has come: their ticks are spread evenly over the frame.
    fn send(&mut self, first: Instant, end: Instant, now: &impl Fn() -> Instant) {
        let count = self.ends.len().max(1) as u64;
        loop {
            let due = first + Duration::from_micros(self.ticks * FRAME_US / count);
            let at = now();
            if due > at || at >= end {
                return;
            }
            let place = (self.ticks % count) as usize;
            self.ticks += 1;
            let Some(end) = self.ends.get_mut(place) else { continue };
            let Some(socket) = self.sockets.get(end.socket) else { continue };
            if let Some(packet) = end.session.tick(at, &self.captured, &mut self.playout) {
                if socket.send_to(packet.bytes, packet.to).is_ok() {
                    self.sent += 1;
                }
                let late = at.since(due).as_micros();
                self.delays_us.push(u32::try_from(late).unwrap_or(u32::MAX));
            }
            if let Some(packet) = end.session.poll_rtcp(at) {
                let _ = socket.send_to(packet.bytes, packet.to);
            }
            while end.session.poll_event().is_some() {}
            if self.ticks.is_multiple_of(BATCH) {
                self.receive(at); // also in a turn that is long because we are late
            }
        }
    }

    fn figures(&mut self) -> Rtp {
        let mut rtp = Rtp::default();
        for end in &self.ends {
            rtp.count(&end.session.statistics());
        }
        // a packet that was the last of its stream is missed by no sequence number
        rtp.lost = rtp.sent.saturating_sub(rtp.received);
        rtp.send_delay_ms = Some(Spread::of_us(&mut self.delays_us));
        rtp
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

pub(crate) fn seed_of(index: usize) -> [u8; 32] {
    let mut seed = seed();
    for (place, byte) in seed.iter_mut().rev().zip(index.to_le_bytes()) {
        *place ^= byte;
    }
    seed
}

const LOOPBACK: IpAddr = IpAddr::V4(core::net::Ipv4Addr::LOCALHOST);
/// Samples of 20 ms, and its microseconds.
const FRAME: usize = 160;
const FRAME_US: u64 = 20_000;
/// Between looks at the sockets and the clock: as many packets as come together cost one wake-up.
const PAUSE: core::time::Duration = core::time::Duration::from_micros(300);
/// Packets sent before the sockets are looked at.
const BATCH: u64 = 64;

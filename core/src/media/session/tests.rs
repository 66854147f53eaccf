use super::*;
use crate::media::Source as _;
use crate::media::{Tone, tone_share};
use crate::rtp::rtcp::{self, ReportBlock, SenderInfo};
use crate::rtp::{Header, Packet, TelephoneEvent};
use crate::sdp::DtmfPlan;
use proptest::prelude::*;
use std::string::String;
use std::vec;
use std::vec::Vec;

const HERE: &str = "192.0.2.1:4000";
const THERE: &str = "192.0.2.2:5000";
const STRANGER: &str = "203.0.113.66:6666";
const START: Instant = Instant::from_millis(10_000);
const FRAME: Duration = Duration::from_millis(20);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn plan_between(local: &str, remote: &str) -> MediaPlan {
    let remote = address(remote);
    MediaPlan {
        local: address(local),
        remote,
        remote_rtcp: SocketAddr::new(remote.ip(), remote.port() + 1),
        codec: Codec::Pcmu,
        send_type: 0,
        receive_type: 0,
        dtmf: Some(DtmfPlan { send_type: 101, receive_type: 96, clock_rate_hz: 8000 }),
        ptime_ms: 20,
        direction: Direction::SendRecv,
    }
}

/// Our plan; the peer numbers telephone-event 101, we number it 96.
fn plan() -> MediaPlan {
    plan_between(HERE, THERE)
}

fn peer_plan() -> MediaPlan {
    let dtmf = DtmfPlan { send_type: 96, receive_type: 101, clock_rate_hz: 8000 };
    MediaPlan { dtmf: Some(dtmf), ..plan_between(THERE, HERE) }
}

/// A session on virtual time whose packets are looked at one by one.
struct Bench {
    session: Session,
    now: Instant,
}

/// What one tick sent, owned.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Sent {
    to: SocketAddr,
    header: Header,
    payload: Vec<u8>,
}

impl Bench {
    fn new(plan: &MediaPlan) -> Self {
        Self { session: Session::new(plan, [7; 32], START), now: START }
    }

    fn tick_with(&mut self, captured: &[i16], playout: &mut [i16]) -> Option<Sent> {
        let sent = self.session.tick(self.now, captured, playout).map(|transmit| {
            let packet = Packet::parse(transmit.bytes).unwrap();
            Sent { to: transmit.to, header: packet.header, payload: packet.payload.to_vec() }
        });
        self.now += FRAME;
        sent
    }

    fn tick(&mut self) -> Option<Sent> {
        self.tick_with(&[], &mut [0; 160])
    }

    fn ticks(&mut self, count: usize) -> Vec<Sent> {
        (0..count).filter_map(|_| self.tick()).collect()
    }

    fn receive(&mut self, from: &str, header: Header, payload: &[u8]) {
        let mut bytes = [0; 600];
        let length = Packet::new(header, payload).write(&mut bytes).unwrap();
        self.session.handle(self.now, address(from), &bytes[..length]);
    }

    fn events(&mut self) -> Vec<MediaEvent> {
        core::iter::from_fn(|| self.session.poll_event()).collect()
    }

    fn report(&self) -> Report {
        self.session.statistics()
    }
}

fn header(sequence: u16, timestamp: u32) -> Header {
    Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 77 }
}

fn digits_of(events: &[MediaEvent]) -> String {
    let digit = |event: &MediaEvent| match event {
        MediaEvent::DigitReceived { digit, .. } => Some(digit.as_char()),
        _ => None,
    };
    events.iter().filter_map(digit).collect()
}

mod control;
mod digits;
mod link;
mod receiving;
mod sending;

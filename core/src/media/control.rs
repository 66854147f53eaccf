//! RTCP (RFC 3550 s6): when to report, what, and what the peer reports.

use super::source::Source;
use crate::bytes::{divide, hex_digit};
use crate::limits::RTCP_INTERVAL_MS;
use crate::random::{Purpose, Random};
use crate::rtp::TooSmall;
use crate::rtp::rtcp::{Packet, ReportBlock, SenderInfo, Writer};
use crate::time::{Duration, Instant};

/// The RTCP side of a session.
pub(super) struct Control {
    due: Instant,
    cname: [u8; CNAME_LEN],
    /// Something was sent, so that a BYE is owed at the end (RFC 3550 s6.3.7).
    pub(super) sent: bool,
    /// RTP packets sent at the two reports before: a sender is who sent since then (s6.3.8).
    packets_before: [u32; 2],
    /// The middle of the NTP times of our last two sender reports.
    reports_sent: [u32; 2],
    /// The peer's last sender report: the middle of its NTP time, and when it came.
    peer_report: u32,
    peer_report_at: Instant,
    round_trip_micros: Option<u32>,
    /// What the peer says of our stream.
    peer_view: Option<ReportBlock>,
}

/// What we say of ourselves in a report.
#[derive(Clone, Copy)]
pub(super) struct Own {
    pub(super) ssrc: u32,
    pub(super) info: SenderInfo,
    /// We leave.
    pub(super) bye: bool,
}

/// What a received compound means for the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Heard {
    /// The source that we receive has left.
    pub(super) bye: bool,
}

impl Control {
    pub(super) const fn new() -> Self {
        Self {
            due: Instant::ZERO,
            cname: [0; CNAME_LEN],
            sent: false,
            packets_before: [0; 2],
            reports_sent: [0; 2],
            peer_report: 0,
            peer_report_at: Instant::ZERO,
            round_trip_micros: None,
            peer_view: None,
        }
    }

    /// Schedules the first report after half an interval (s6.3.1) and takes a name of 96 random
    /// bits (RFC 7022 s4.2).
    pub(super) fn start(&mut self, now: Instant, name: [u8; 12], random: &mut Random) {
        for (pair, byte) in self.cname.as_chunks_mut().0.iter_mut().zip(name) {
            *pair = [hex_digit(byte >> 4), hex_digit(byte)];
        }
        self.schedule(now, Duration::from_millis(RTCP_INTERVAL_MS / 2), random);
    }

    /// Whether a report is due.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.due
    }

    /// Writes the report that is due and schedules the next.
    pub(super) fn report(
        &mut self,
        now: Instant,
        own: &Own,
        source: Option<&mut Source>,
        random: &mut Random,
        out: &mut [u8],
    ) -> Result<usize, TooSmall> {
        let block = source.map(|source| self.block(now, source));
        let mut writer = Writer::new(out);
        let [older, old] = self.packets_before;
        if own.info.packets != older {
            writer.sender_report(own.ssrc, &own.info, block.as_slice())?;
            let [_, last] = self.reports_sent;
            self.reports_sent = [last, middle(own.info.ntp)];
        } else {
            writer.receiver_report(own.ssrc, block.as_slice())?;
        }
        self.packets_before = [old, own.info.packets];
        writer.cname(own.ssrc, &self.cname)?;
        if own.bye {
            writer.bye(own.ssrc, &[])?;
        }
        self.sent = true;
        let length = writer.len();
        self.schedule(now, Duration::from_millis(RTCP_INTERVAL_MS), random);
        Ok(length)
    }

    /// Takes one packet of the peer; `ours` is our SSRC.
    pub(super) fn take(
        &mut self,
        now: Instant,
        packet: Packet<'_>,
        ours: u32,
        source: Option<u32>,
    ) -> Heard {
        let reports = match packet {
            Packet::SenderReport { ssrc, info, reports } => {
                if source.is_none_or(|known| known == ssrc) {
                    self.peer_report = middle(info.ntp);
                    self.peer_report_at = now;
                }
                reports
            }
            Packet::ReceiverReport { reports, .. } => reports,
            Packet::Bye(bye) => {
                let left = source.is_some_and(|known| bye.sources().any(|ssrc| ssrc == known));
                return Heard { bye: left };
            }
            _ => return Heard::default(),
        };
        if let Some(block) = reports.iter().find(|block| block.ssrc == ours) {
            self.measure(now, &block);
            self.peer_view = Some(block);
        }
        Heard::default()
    }

    /// The last measured round trip.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip_micros.map(|micros| Duration::from_micros(u64::from(micros)))
    }

    /// What the peer last said of our stream.
    pub(super) fn peer_view(&self) -> Option<&ReportBlock> {
        self.peer_view.as_ref()
    }

    fn block(&self, now: Instant, source: &mut Source) -> ReportBlock {
        let mut block = source.report();
        if self.peer_report != 0 {
            block.last_sr = self.peer_report;
            block.delay_since_last_sr = units(now.since(self.peer_report_at));
        }
        block
    }

    /// The round trip from a report block (s6.4.1): only of a sender report that was ours.
    fn measure(&mut self, now: Instant, block: &ReportBlock) {
        if block.last_sr == 0 || !self.reports_sent.contains(&block.last_sr) {
            return;
        }
        let passed = middle(ntp(now)).wrapping_sub(block.last_sr);
        if let Some(round_trip) = passed.checked_sub(block.delay_since_last_sr) {
            let micros = u64::from(round_trip) * 15_625 / 1_024;
            self.round_trip_micros = u32::try_from(micros).ok();
        }
    }

    /// The next report comes after half to one and a half times `interval` (s6.3.1). Two parties
    /// may leave out timer reconsideration (s6.3), and with it the compensation for it.
    fn schedule(&mut self, now: Instant, interval: Duration, random: &mut Random) {
        let micros = interval.as_micros();
        let drawn = (u64::from(random.u32(Purpose::Jitter)) * micros) >> 32;
        self.due = now + Duration::from_micros(micros / 2 + drawn);
    }
}

/// The NTP format of the machine's own clock, which RFC 3550 s6.4.1 allows where nobody knows the
/// wall-clock time: seconds since the start of that clock.
pub(super) fn ntp(now: Instant) -> u64 {
    let (millis, micros) = divide(now.as_micros(), 1_000);
    let (seconds, millis) = divide(millis, 1_000);
    let micros = u64::from(millis) * 1_000 + u64::from(micros);
    seconds << 32 | divide(micros << 26, 15_625).0 // a millionth is a 64th of a 15,625th
}

/// The middle 32 bits: 65,536ths of a second.
fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

fn units(span: Duration) -> u32 {
    let micros = span.as_micros().min(u64::from(u32::MAX));
    divide(micros * 1_024, 15_625).0 as u32
}

const CNAME_LEN: usize = 24;

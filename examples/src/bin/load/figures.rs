//! What was measured, and how it is shown.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use sansip::media::Report;
use serde::Serialize;

/// The result of one run.
#[derive(Default, Serialize)]
pub(crate) struct Figures {
    pub(crate) seconds: f64,
    /// Calls that were placed or came in.
    pub(crate) calls: u64,
    pub(crate) established: u64,
    pub(crate) calls_per_second: f64,
    /// Most calls alive at once.
    pub(crate) most_at_once: usize,
    /// INVITE to 200, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) setup_ms: Option<Spread>,
    /// How many calls ended otherwise than they should, by reason.
    pub(crate) failures: BTreeMap<String, u64>,
    /// Requests and responses that came again: what the network or the peer lost.
    pub(crate) repeated: u64,
    /// Datagrams that found the SIP socket's buffer full, as the system counts them.
    pub(crate) dropped: u64,
    pub(crate) cpu_seconds: f64,
    /// CPU of this side, user and system.
    pub(crate) cpu_us_per_call: f64,
    pub(crate) memory_peak_mb: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rtp: Option<Rtp>,
}

/// How a quantity is spread.
#[derive(Clone, Copy, Default, Serialize)]
pub(crate) struct Spread {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

/// What media showed, at this end.
#[derive(Clone, Default, Serialize)]
pub(crate) struct Rtp {
    pub(crate) streams: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// What the peers' sequence numbers miss.
    pub(crate) lost: u64,
    /// What came after its time was played.
    pub(crate) late: u64,
    /// Of the worst stream, as its receiver counts it (RFC 3550 s6.4.1).
    pub(crate) jitter_ms: f64,
    /// Streams on which the peer has reported by RTCP, and what it lost of them.
    pub(crate) reported: u64,
    pub(crate) lost_at_peers: i64,
    /// How late packets were sent after their time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) send_delay_ms: Option<Spread>,
    /// CPU for one call's tick: a packet in, a packet out, both ways of coding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_us_per_tick: Option<f64>,
}

impl Rtp {
    /// Adds a stream.
    pub(crate) fn count(&mut self, report: &Report) {
        self.streams += 1;
        self.sent += u64::from(report.sent);
        self.received += u64::from(report.received);
        self.lost += u64::from(report.lost);
        self.late += u64::from(report.late);
        self.jitter_ms = self.jitter_ms.max(report.jitter.as_micros() as f64 / 1000.0);
        self.reported += u64::from(report.remote_lost.is_some());
        self.lost_at_peers += i64::from(report.remote_lost.unwrap_or(0));
    }

    fn print(&self) {
        println!("packets     {} sent, {} received", self.sent, self.received);
        println!("            {} lost, {} too late", self.lost, self.late);
        println!("jitter      {:.2} ms at the worst receiver", self.jitter_ms);
        println!(
            "RTCP        peers of {} streams of {} report {} lost",
            self.reported, self.streams, self.lost_at_peers
        );
        if let Some(delay) = self.send_delay_ms {
            println!("send delay  {}", delay.text());
        }
        if let Some(cpu) = self.cpu_us_per_tick {
            println!("CPU         {cpu:.2} us for a call's tick");
        }
    }
}

impl Figures {
    /// Whether nothing failed.
    pub(crate) fn is_clean(&self) -> bool {
        self.failures.is_empty()
    }

    pub(crate) fn failed(&mut self, reason: impl core::fmt::Debug) {
        *self.failures.entry(format!("{reason:?}")).or_default() += 1;
    }

    /// Fills in what follows from time and calls.
    pub(crate) fn finish(&mut self, elapsed: Duration, cpu: Duration) {
        self.seconds = elapsed.as_secs_f64();
        self.calls_per_second = self.established as f64 / self.seconds.max(0.001);
        self.cpu_seconds = cpu.as_secs_f64();
        self.cpu_us_per_call = self.cpu_seconds * 1e6 / self.established.max(1) as f64;
        self.memory_peak_mb = memory_peak_mb();
    }

    pub(crate) fn print(&self, json: bool) {
        if json {
            println!("{}", serde_json::to_string(self).unwrap_or_default());
            return;
        }
        println!("time        {:.1} s", self.seconds);
        if let Some(rtp) = &self.rtp {
            rtp.print();
        }
        if self.calls > 0 {
            println!("calls       {} of {} up", self.established, self.calls);
            println!("rate        {:.0} calls/s", self.calls_per_second);
            println!("at once     {}", self.most_at_once);
            println!("CPU         {:.1} us a call", self.cpu_us_per_call);
            println!("repeated    {} messages", self.repeated);
            println!("dropped     {} datagrams by our socket", self.dropped);
        }
        if let Some(setup) = &self.setup_ms {
            println!("set-up      {}", setup.text());
        }
        println!("CPU         {:.2} s in all", self.cpu_seconds);
        println!("memory      {:.1} MB at most", self.memory_peak_mb);
        for (reason, count) in &self.failures {
            println!("failed      {count} {reason}");
        }
    }
}

impl Spread {
    /// Of microseconds, in milliseconds.
    pub(crate) fn of_us(values: &mut [u32]) -> Self {
        values.sort_unstable();
        let at = |share: f64| {
            let place = (values.len() as f64 * share) as usize;
            let value = values.get(place.min(values.len().saturating_sub(1)));
            value.map_or(0.0, |us| f64::from(*us) / 1000.0)
        };
        Self { p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }

    fn text(&self) -> String {
        let Self { p50, p99, max } = self;
        format!("{p50:.2} ms p50, {p99:.2} ms p99, {max:.2} ms at most")
    }
}

/// CPU that this process used so far, user and system.
pub(crate) fn cpu_used() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanoseconds = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// Datagrams that the socket bound there had no room for.
pub(crate) fn dropped_at(local: SocketAddr) -> u64 {
    let SocketAddr::V4(local) = local else { return 0 };
    let address = u32::from_le_bytes(local.ip().octets());
    let wanted = format!("{address:08X}:{:04X}", local.port());
    let table = std::fs::read_to_string("/proc/net/udp").unwrap_or_default();
    let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let line = lines.find(|line| line.get(1) == Some(&wanted.as_str()));
    line.and_then(|line| line.last()?.parse().ok()).unwrap_or(0)
}

fn memory_peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}

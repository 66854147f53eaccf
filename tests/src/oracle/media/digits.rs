//! Telephone events (RFC 4733): as they are sent, and what becomes of them at the other side.

use core::net::SocketAddr;

use sansip::time::{Duration, Instant};

use super::{Failures, Media, Packet, Stream};

/// One telephone event as it was sent.
#[derive(Debug)]
pub(super) struct Event {
    digit: char,
    timestamp: u32,
    /// The longest duration that was told, and how many reports of the end there were.
    duration: u32,
    ends: u32,
    /// Packets of it that came to an open session, and when the last did.
    arrived: u32,
    arrived_at: Instant,
}

/// One telephone event that came to a port, from whoever sent it.
#[derive(Debug)]
pub(super) struct Heard {
    from: SocketAddr,
    ssrc: u32,
    timestamp: u32,
    digit: char,
    /// The user was told.
    told: bool,
    /// When the last packet came that the session had to take: from the agreed source, while it
    /// was to listen.
    due_at: Option<Instant>,
}

impl Media {
    /// A genuine packet came to an open session.
    pub(in crate::oracle) fn arrived(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) {
        let Some(packet) = Packet::read(bytes) else { return };
        let Some(report) = packet.report else { return };
        if let Some(stream) = self.streams.get_mut(&(from, packet.ssrc)) {
            let event = stream.events.iter_mut().rev();
            if let Some(event) = event.into_iter().find(|event| event.timestamp == packet.timestamp)
            {
                event.arrived += 1;
                event.arrived_at = now;
            }
        }
        let plan = self.plans.get(&to);
        let due = plan.is_some_and(|plan| plan.remote == from && plan.direction.receives());
        let name = (from, packet.ssrc, packet.timestamp);
        let list = self.heard.entry(to).or_default();
        let known =
            list.iter_mut().rev().find(|heard| (heard.from, heard.ssrc, heard.timestamp) == name);
        match known {
            Some(known) if due => known.due_at = Some(now),
            Some(_) => {}
            None => list.push(Heard {
                from,
                ssrc: packet.ssrc,
                timestamp: packet.timestamp,
                digit: report.digit,
                told: false,
                due_at: due.then_some(now),
            }),
        }
    }

    /// A user was told a digit: some event that came is that digit, and was not told before. What
    /// a third party makes up is no part of the session (RFC 3550 s8.2, RFC 4733 s6).
    pub(in crate::oracle) fn told(
        &mut self,
        now: Instant,
        node: usize,
        local: Option<SocketAddr>,
        digit: char,
        failures: &mut Failures,
    ) {
        let list = local.and_then(|local| self.heard.get_mut(&local));
        let mut list = list.into_iter().flatten();
        match list.find(|heard| !heard.told && heard.digit == digit) {
            Some(heard) => heard.told = true,
            None => failures.add(now, node, 10, format!("digit {digit}, which nobody sent")),
        }
    }

    /// A call is over: what came of a digit some time ago was told, also where its end was lost
    /// (RFC 4733 s2.5.2.2: a tone must not get stuck).
    pub(in crate::oracle) fn ended(
        &mut self,
        now: Instant,
        node: usize,
        local: SocketAddr,
        steady: bool,
        failures: &mut Failures,
    ) {
        self.plans.remove(&local);
        let list = self.heard.remove(&local).unwrap_or_default();
        let missed = |heard: &&Heard| {
            !heard.told && heard.due_at.is_some_and(|at| at + RECOGNISED < now) && steady
        };
        if let Some(heard) = list.iter().find(missed) {
            failures.add(now, node, 10, format!("digit {} came and was not told", heard.digit));
        }
    }

    /// RFC 4733 s2.5.1.4 and s2.5.2: what arrived of an event makes one digit.
    pub(in crate::oracle) fn compare_digits(
        &self,
        now: Instant,
        node: usize,
        (from, begun): (SocketAddr, Instant),
        (heard, ended): (&str, Instant),
        steady: bool,
        failures: &mut Failures,
    ) {
        let streams = self.streams.range((from, 0)..=(from, u32::MAX));
        let streams = streams.filter(|(_, stream)| stream.since >= begun);
        let events: Vec<_> = streams.flat_map(|(_, stream)| &stream.events).collect();
        let mut heard_left = heard.chars().peekable();
        for event in events {
            let matches = heard_left.peek() == Some(&event.digit);
            let sure = steady && event.arrived > 0 && event.arrived_at + RECOGNISED < ended;
            if matches && event.arrived > 0 {
                heard_left.next();
            } else if sure {
                let text = format!("digit {} was not heard, only {heard}", event.digit);
                failures.add(now, node, 10, text);
                return;
            }
        }
        if heard_left.peek().is_some() {
            failures.add(now, node, 10, format!("heard {heard}, not all of which was sent"));
        }
    }
}

impl Stream {
    /// What is wrong with the events of the stream, now that it goes on with this packet.
    pub(super) fn event(&mut self, now: Instant, packet: &Packet) -> Option<String> {
        let goes_on = core::mem::replace(&mut self.in_event, packet.report.is_some());
        let last = self.events.last_mut();
        let Some(report) = packet.report else {
            // RFC 4733 s2.5.1.4. After a pause, which a marker ends, the rest may be missing.
            let last = last.filter(|last| goes_on && last.ends < ENDS && !packet.marker)?;
            return Some(format!("{} reports of the end of digit {}", last.ends, last.digit));
        };
        if let Some(last) = last {
            let since = packet.timestamp.wrapping_sub(last.timestamp);
            if since == 0 {
                return last.repeat(packet);
            }
            let segment = since == SEGMENT && last.digit == report.digit && !packet.marker;
            // Of an event that was cut off the end is not known, but it was after its last report.
            let pause = since.wrapping_sub(last.duration) as i32;
            if !segment && pause < PAUSE_MIN {
                return Some(format!("digit {} {pause} samples after another", report.digit));
            }
        }
        self.events.push(Event {
            digit: report.digit,
            timestamp: packet.timestamp,
            duration: report.duration,
            ends: report.end.into(),
            arrived: 0,
            arrived_at: now,
        });
        None
    }
}

impl Event {
    /// RFC 4733 s2.5.1.2: each report tells how long the event has lasted by then; s2.5.1.4: the
    /// last one is sent again, and nothing after it.
    fn repeat(&mut self, packet: &Packet) -> Option<String> {
        let report = packet.report?;
        let ended = self.ends > 0;
        self.ends += u32::from(report.end);
        let before = core::mem::replace(&mut self.duration, report.duration);
        let digit = self.digit;
        let same = before == report.duration;
        // the end of an event, or of a segment, is told again as it was
        let right = if report.end || before == SEGMENT { same } else { false };
        let right = right || !ended && before < report.duration;
        if report.digit != digit {
            return Some(format!("{} and {digit} at one time", report.digit));
        }
        if ended && !report.end {
            return Some(format!("digit {digit} goes on after its end"));
        }
        (!right).then(|| format!("digit {digit} lasts {} after {before}", report.duration))
    }
}

/// An event whose end is lost is over when nothing came for a while; ticks come up to 2 s late.
const RECOGNISED: Duration = Duration::from_secs(5);
/// How often an end is reported.
const ENDS: u32 = 3;
/// The least pause that a sender leaves, 50 ms at 8 kHz (RFC 4733 s3.2, V.18 Annex B).
const PAUSE_MIN: i32 = 400;
/// The longest duration that a report can tell (RFC 4733 s2.5.1.3).
const SEGMENT: u32 = 0xffff;

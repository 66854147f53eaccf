//! `load uac`: place calls at a steady rate, hold them, hang up.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::time::Instant as Clock;

use sansip::endpoint::{CallId, OutgoingCall, Reason};
use sansip::sdp::LocalMedia;
use sansip::time::{Duration, Instant};

use super::agent::{Agent, News};
use super::audio::CallMedia;
use super::figures::{Figures, Spread, cpu_used, dropped_at};
use super::{Caller, PROGRESS, targets};

struct Load<'x> {
    arguments: &'x Caller,
    agent: Agent,
    media: CallMedia,
    targets: Vec<String>,
    figures: Figures,
    /// When the INVITE of a call that is not up yet was sent.
    calling: HashMap<CallId, Instant>,
    /// Calls that are up and when they are to end, in that order.
    up: VecDeque<(Instant, CallId)>,
    setup_us: Vec<u32>,
    ended: u64,
}

pub(crate) async fn run(arguments: &Caller) -> io::Result<Figures> {
    let agent = Agent::bind(arguments.bind, arguments.room, arguments.transactions).await?;
    let mut load = Load {
        arguments,
        media: CallMedia::new(arguments.media, agent.local.ip()),
        targets: targets(arguments).collect(),
        agent,
        figures: Figures::default(),
        calling: HashMap::new(),
        up: VecDeque::new(),
        setup_us: Vec::new(),
        ended: 0,
    };
    let (start, cpu) = (Clock::now(), cpu_used());
    load.run().await?;
    let mut figures = load.figures;
    figures.setup_ms = Some(Spread::of_us(&mut load.setup_us));
    figures.repeated = load.agent.endpoint.stats().repeated;
    figures.dropped = dropped_at(load.agent.local);
    figures.rtp = load.media.figures(load.agent.now());
    figures.finish(start.elapsed(), cpu_used().saturating_sub(cpu));
    Ok(figures)
}

impl Load<'_> {
    async fn run(&mut self) -> io::Result<()> {
        let begin = self.agent.now();
        let end = begin + Duration::from_secs(self.arguments.seconds);
        let mut shown = Clock::now();
        loop {
            for _ in 0..BATCH {
                if !self.agent.take_one() {
                    break;
                }
                self.hear();
            }
            let now = self.agent.now();
            self.hear();
            self.place(now, begin);
            self.hang_up(now);
            self.hear();
            self.media.tick(now);
            let alive = self.agent.endpoint.usage().calls;
            self.figures.most_at_once = self.figures.most_at_once.max(alive);
            if shown.elapsed() >= PROGRESS {
                shown = Clock::now();
                eprintln!("{} placed, {} up, {alive} alive", self.figures.calls, self.up.len());
            }
            if self.ended >= self.arguments.calls {
                // the responses to the last BYEs
                let quiet = self.agent.endpoint.usage().calls == 0;
                if quiet {
                    return Ok(());
                }
            }
            if now >= end {
                self.figures.failed("OutOfTime");
                return Ok(());
            }
            let next = [self.next_call(begin), self.up.front().map(|(at, _)| *at)];
            let soonest = next.into_iter().chain([self.media.next_tick()]).flatten().min();
            let until = soonest.unwrap_or(end).min(now + Duration::from_millis(100));
            self.agent.wait(until).await?;
        }
    }

    /// When the next call is due; `None` after the last.
    fn next_call(&self, begin: Instant) -> Option<Instant> {
        let (placed, rate) = (self.figures.calls, self.arguments.rate.max(1));
        let due = Duration::from_micros(placed * 1_000_000 / rate);
        (placed < self.arguments.calls).then(|| begin + due)
    }

    /// Place the calls that are due, a few at a time, so that a late turn makes no burst.
    fn place(&mut self, now: Instant, begin: Instant) {
        for _ in 0..BURST {
            if self.next_call(begin).is_none_or(|due| due > now) {
                return;
            }
            self.figures.calls += 1;
            if let Err(error) = self.place_one() {
                self.ended += 1;
                self.figures.failed(error.to_string());
            }
        }
    }

    fn place_one(&mut self) -> io::Result<()> {
        let now = self.agent.now();
        let address = self.media.reserve()?;
        let place = self.figures.calls as usize % self.targets.len().max(1);
        let target = self.targets.get(place).map_or("", String::as_str);
        let call = OutgoingCall {
            account: self.agent.account,
            target,
            media: LocalMedia::new(address),
            late_offer: false,
            headers: &[],
        };
        let call = self.agent.endpoint.call(now, call).map_err(io::Error::other)?;
        self.media.take_reserved(call);
        self.calling.insert(call, now);
        self.agent.drain(now);
        Ok(())
    }

    fn hang_up(&mut self, now: Instant) {
        while let Some((due, call)) = self.up.front().copied()
            && due <= now
        {
            self.up.pop_front();
            if let Err(error) = self.agent.endpoint.hang_up(now, call)
                && error != sansip::endpoint::Error::Gone
            {
                self.figures.failed(error);
            }
            self.agent.drain(now);
        }
    }

    fn hear(&mut self) {
        while let Some(news) = self.agent.next_news() {
            match news {
                News::Incoming(_) => {}
                News::Established(call) => {
                    let now = self.agent.now();
                    if let Some(begun) = self.calling.remove(&call) {
                        let us = now.since(begun).as_micros();
                        self.setup_us.push(u32::try_from(us).unwrap_or(u32::MAX));
                    }
                    self.figures.established += 1;
                    self.up.push_back((now + Duration::from_millis(self.arguments.hold), call));
                }
                News::Agreed(call, plan) => self.media.agreed(self.agent.now(), call, &plan),
                News::Ended(call, reason) => {
                    self.calling.remove(&call);
                    self.media.close(self.agent.now(), call);
                    self.ended += 1;
                    if reason != Reason::HungUp {
                        self.figures.failed(reason);
                    }
                }
            }
        }
    }
}

/// Datagrams taken before calls are placed and ended.
const BATCH: usize = 64;
/// Calls placed in one turn.
const BURST: usize = 32;

//! `load uas`: answer every call at once.

use std::io;
use std::time::Instant as Clock;

use sansip::endpoint::Reason;
use sansip::sdp::LocalMedia;
use sansip::time::Duration;

use super::agent::{Agent, News};
use super::audio::CallMedia;
use super::figures::{Figures, cpu_used, dropped_at};
use super::{Callee, PROGRESS};

pub(crate) async fn run(arguments: &Callee) -> io::Result<Figures> {
    let mut agent = Agent::bind(arguments.bind, arguments.room, arguments.transactions).await?;
    let mut media = CallMedia::new(arguments.media, agent.local.ip());
    eprintln!("listening on {}", agent.local);
    let mut figures = Figures::default();
    let end = agent.now() + Duration::from_secs(arguments.seconds);
    // time and CPU count from the first call to the last
    let mut first: Option<(Clock, core::time::Duration)> = None;
    let mut last = Clock::now();
    let mut shown = Clock::now();
    let mut ended = 0;
    loop {
        for _ in 0..BATCH {
            if !agent.take_one() {
                break;
            }
        }
        while let Some(news) = agent.next_news() {
            match news {
                News::Incoming(call) => {
                    first.get_or_insert_with(|| (Clock::now(), cpu_used()));
                    figures.calls += 1;
                    let now = agent.now();
                    let answered = media.open(call).and_then(|address| {
                        let local = LocalMedia::new(address);
                        agent.endpoint.answer(now, call, local).map_err(io::Error::other)
                    });
                    if let Err(error) = answered {
                        figures.failed(error.to_string());
                    }
                    agent.drain(now);
                }
                News::Established(_) => figures.established += 1,
                News::Agreed(call, plan) => media.agreed(agent.now(), call, &plan),
                News::Ended(call, reason) => {
                    media.close(agent.now(), call);
                    (ended, last) = (ended + 1, Clock::now());
                    if reason != Reason::PeerHungUp {
                        figures.failed(reason);
                    }
                }
            }
        }
        let now = agent.now();
        media.tick(now);
        figures.most_at_once = figures.most_at_once.max(agent.endpoint.usage().calls);
        if shown.elapsed() >= PROGRESS && first.is_some() {
            shown = Clock::now();
            let usage = agent.endpoint.usage();
            eprintln!("{} calls, {} alive, {usage:?}", figures.calls, usage.calls);
        }
        let all = arguments.calls > 0 && ended >= arguments.calls;
        if all || now >= end {
            break;
        }
        let until = media.next_tick().unwrap_or(now + Duration::from_millis(200));
        agent.wait(until.min(end)).await?;
    }
    let (start, cpu) = first.unwrap_or((last, cpu_used()));
    figures.repeated = agent.endpoint.stats().repeated;
    figures.dropped = dropped_at(agent.local);
    figures.rtp = media.figures(agent.now());
    figures.finish(last.duration_since(start), cpu_used().saturating_sub(cpu));
    Ok(figures)
}

/// Datagrams taken before calls are answered.
const BATCH: usize = 64;

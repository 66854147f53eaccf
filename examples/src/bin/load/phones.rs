//! Calls through `sansip-tokio`: a phone, and a task for each call, as an application has them.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sansip_tokio::sansip::media::Tone;
use sansip_tokio::{Account, Audio, Call, Error, Line, Phone, Reason, Settings};
use tokio::sync::oneshot;

use super::agent::limits;
use super::figures::{Figures, Rtp, Spread, cpu_used, dropped_at};
use super::{Callee, Caller, PROGRESS, targets};

/// What the calls' tasks write down.
#[derive(Default)]
struct Tally {
    figures: Figures,
    alive: usize,
    ended: u64,
    setup_us: Vec<u32>,
    rtp: Option<Rtp>,
    /// When the first call came and what had been used by then.
    first: Option<(Instant, Duration)>,
    last: Option<Instant>,
}

#[derive(Clone, Default)]
struct Tallies(Arc<Mutex<Tally>>);

/// `load uas`: a phone for each thread, each on a port of its own.
pub(crate) async fn answer(arguments: &Callee) -> io::Result<Figures> {
    let settings = settings(arguments.room, arguments.transactions, arguments.media);
    let tallies = Tallies::default();
    let mut phones = Vec::new();
    for thread in 0..arguments.threads.max(1) {
        let port = match arguments.bind.port() {
            0 => 0,
            port => port.checked_add(thread).ok_or(io::ErrorKind::InvalidInput)?,
        };
        let bind = SocketAddr::new(arguments.bind.ip(), port);
        let phone = if thread == 0 {
            let (phone, _line) = phone(bind, settings.clone()).await?;
            tokio::spawn(tallies.clone().serve(phone.clone()));
            phone
        } else {
            elsewhere(bind, settings.clone(), tallies.clone()).await?
        };
        eprintln!("listening on {}", phone.local_address());
        phones.push(phone);
    }
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    loop {
        tokio::time::sleep(PROGRESS).await;
        let tally = tallies.lock();
        if tally.first.is_some() {
            eprintln!("{} calls, {} alive", tally.figures.calls, tally.alive);
        }
        let all = arguments.calls > 0 && tally.ended >= arguments.calls;
        if all || Instant::now() >= end {
            break;
        }
    }
    let (start, cpu) = tallies.lock().first.unwrap_or((Instant::now(), cpu_used()));
    let last = tallies.lock().last.unwrap_or(start);
    Ok(tallies.finish(&phones, last.duration_since(start), cpu))
}

/// A phone on a thread of its own, which lasts as long as the process.
async fn elsewhere(bind: SocketAddr, settings: Settings, tallies: Tallies) -> io::Result<Phone> {
    let (sender, bound) = oneshot::channel();
    std::thread::Builder::new().spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let bound = phone(bind, settings).await;
            let served = bound.as_ref().ok().map(|(phone, _line)| phone.clone());
            let _ = sender.send(bound.map(|(phone, _line)| phone));
            if let Some(phone) = served {
                tallies.serve(phone).await;
            }
        });
        Ok::<_, io::Error>(())
    })?;
    bound.await.map_err(io::Error::other)?
}

/// `load uac`
pub(crate) async fn place(arguments: &Caller) -> io::Result<Figures> {
    let settings = settings(arguments.room, arguments.transactions, arguments.media);
    let (phone, line) = phone(arguments.bind, settings).await?;
    let targets: Vec<Arc<str>> = targets(arguments).map(Into::into).collect();
    let mut targets = targets.iter().cycle();
    let tallies = Tallies::default();
    let (begin, cpu) = (Instant::now(), cpu_used());
    let end = begin + Duration::from_secs(arguments.seconds);
    let hold = Duration::from_millis(arguments.hold);
    let (mut placed, mut shown) = (0, Instant::now());
    loop {
        let due =
            |placed| begin + Duration::from_micros(placed * 1_000_000 / arguments.rate.max(1));
        // a few at a time, so that a late turn makes no burst
        for _ in 0..BURST {
            if placed >= arguments.calls || due(placed) > Instant::now() {
                break;
            }
            let Some(target) = targets.next() else { break };
            placed += 1;
            tokio::spawn(tallies.clone().placed(line.clone(), Arc::clone(target), hold));
        }
        if shown.elapsed() >= PROGRESS {
            shown = Instant::now();
            let tally = tallies.lock();
            eprintln!("{placed} placed, {} up, {} alive", tally.figures.established, tally.alive);
        }
        if tallies.lock().ended >= arguments.calls {
            break;
        }
        if Instant::now() >= end {
            tallies.lock().figures.failed("OutOfTime");
            break;
        }
        let pause = Instant::now() + Duration::from_millis(10);
        let next = if placed < arguments.calls { due(placed).min(pause) } else { pause };
        tokio::time::sleep_until(next.into()).await;
    }
    Ok(tallies.finish(&[phone], begin.elapsed(), cpu))
}

impl Tallies {
    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(self, phone: Phone) {
        while let Some(call) = phone.incoming().await {
            tokio::spawn(self.clone().answered(call));
        }
    }

    async fn answered(self, call: Call) {
        self.lock().began();
        if let Err(error) = call.answer().await {
            return self.lock().over(Some(format!("{error}")));
        }
        self.lock().figures.established += 1;
        talk(&call);
        let end = call.ended().await;
        self.count(&call).await;
        self.lock().over(failure(end, Reason::PeerHungUp));
    }

    async fn placed(self, line: Line, target: Arc<str>, hold: Duration) {
        self.lock().began();
        let begun = Instant::now();
        let call = match line.call(&target).await {
            Ok(call) => call,
            Err(error) => return self.lock().over(Some(format!("{error}"))),
        };
        {
            let mut tally = self.lock();
            tally.figures.established += 1;
            tally.setup_us.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
        talk(&call);
        if !hold.is_zero() {
            tokio::time::sleep(hold).await;
        }
        let end = call.hang_up().await;
        self.count(&call).await;
        self.lock().over(failure(end, Reason::HungUp));
    }

    /// The figures of a call's audio, if there was any.
    async fn count(&self, call: &Call) {
        if let Ok(report) = call.report().await {
            self.lock().rtp.get_or_insert_default().count(&report);
        }
    }

    fn finish(&self, phones: &[Phone], elapsed: Duration, cpu: Duration) -> Figures {
        let mut tally = self.lock();
        let mut figures = core::mem::take(&mut tally.figures);
        if !tally.setup_us.is_empty() {
            figures.setup_ms = Some(Spread::of_us(&mut tally.setup_us));
        }
        figures.rtp = tally.rtp.take();
        figures.repeated = phones.iter().map(|phone| phone.stats().repeated).sum();
        figures.dropped = phones.iter().map(|phone| dropped_at(phone.local_address())).sum();
        figures.finish(elapsed, cpu_used().saturating_sub(cpu));
        figures
    }
}

impl Tally {
    fn began(&mut self) {
        self.first.get_or_insert_with(|| (Instant::now(), cpu_used()));
        self.figures.calls += 1;
        self.alive += 1;
        self.figures.most_at_once = self.figures.most_at_once.max(self.alive);
    }

    fn over(&mut self, failure: Option<String>) {
        self.alive -= 1;
        self.ended += 1;
        self.last = Some(Instant::now());
        if let Some(failure) = failure {
            self.figures.failed(failure);
        }
    }
}

/// Say something where the phone has audio.
fn talk(call: &Call) {
    if call.plan().is_some_and(|plan| plan.local.port() == DISCARD) {
        return;
    }
    let _ = call.start_playing(Tone::new(440, 8000));
}

fn failure(end: Result<Reason, Error>, wanted: Reason) -> Option<String> {
    match end {
        Ok(reason) if reason == wanted => None,
        Ok(reason) => Some(format!("{reason:?}")),
        Err(error) => Some(format!("{error}")),
    }
}

fn settings(room: usize, transactions: usize, media: bool) -> Settings {
    let nowhere = SocketAddr::new(IpAddr::from([127, 0, 0, 1]), DISCARD);
    let audio = if media { Audio::Phone } else { Audio::Elsewhere(nowhere) };
    Settings { limits: limits(room, transactions), audio, ..Settings::default() }
}

async fn phone(bind: SocketAddr, settings: Settings) -> io::Result<(Phone, Line)> {
    let phone = Phone::bind_with(bind, settings).await.map_err(io::Error::other)?;
    let identity = format!("sip:load@{}", phone.local_address());
    let account = Account { identity: &identity, user_agent: "load", ..Account::default() };
    let line = phone.add_line(account).map_err(io::Error::other)?;
    Ok((phone, line))
}

/// Calls placed in one turn.
const BURST: usize = 32;
/// Nothing is sent there (RFC 863).
const DISCARD: u16 = 9;

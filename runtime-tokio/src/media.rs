//! One task a call: its RTP and RTCP sockets, the media session and the audio clock.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use sansip::endpoint::{CallId, Command, Stage};
use sansip::limits::{FRAME_MAX, TICK_GAP_MS};
use sansip::media::{DigitsError, MediaEvent, Report, Session, Sink, Source};
use sansip::path::Path;
use sansip::rtp::Digit;
use sansip::sdp::MediaPlan;
use sansip::time::Instant as Moment;
use sansip::trace::{Record, Way};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::event::Event;
use crate::shared::Shared;
use crate::trace::Trace;

/// What a media task is told.
pub(crate) enum Control {
    End,
    Plan { stage: Stage, plan: MediaPlan },
    Play { source: Box<dyn Source + Send>, done: oneshot::Sender<()> },
    StopPlaying,
    Listen { id: u64, sink: Box<dyn Sink + Send> },
    StopListening(u64),
    Digits(DigitsJob),
    Mute(bool),
    Report(oneshot::Sender<Report>),
    Trace(Box<dyn Trace>),
}

/// Digits to send, and who waits until they are out.
pub(crate) struct DigitsJob {
    pub(crate) digits: VecDeque<char>,
    pub(crate) duration: Duration,
    pub(crate) done: oneshot::Sender<Result<(), DigitsError>>,
}

/// The way to a call's media task.
#[derive(Clone)]
pub(crate) struct MediaControl {
    task: mpsc::UnboundedSender<Control>,
    last_report: Arc<OnceLock<Report>>,
}

/// The task's end of the way.
pub(crate) struct Controlled {
    control: mpsc::UnboundedReceiver<Control>,
    last_report: Arc<OnceLock<Report>>,
}

impl MediaControl {
    pub(crate) fn new() -> (Self, Controlled) {
        let (task, control) = mpsc::unbounded_channel();
        let last_report = Arc::default();
        (Self { task, last_report: Arc::clone(&last_report) }, Controlled { control, last_report })
    }

    pub(crate) fn send(&self, control: Control) {
        let _ = self.task.send(control); // a task that is gone has nothing to do
    }

    /// The figures of a stream that runs, or those that it ended with.
    pub(crate) async fn report(&self) -> Option<Report> {
        let (done, report) = oneshot::channel();
        self.send(Control::Report(done));
        report.await.ok().or_else(|| self.last_report.get().copied())
    }
}

/// The task. All of it belongs to one call.
pub(crate) struct MediaTask {
    pub(crate) shared: Arc<Shared>,
    pub(crate) call: CallId,
    pub(crate) rtp: UdpSocket,
    pub(crate) rtcp: UdpSocket,
    pub(crate) control: Controlled,
    pub(crate) digits: mpsc::Sender<Digit>,
}

impl MediaTask {
    pub(crate) async fn run(self) {
        let Self { shared, call, rtp, rtcp, control, digits } = self;
        let Controlled { mut control, last_report } = control;
        let mut stream = Stream {
            shared,
            call,
            rtp,
            rtcp,
            digits,
            session: Box::new(Session::idle()),
            started: false,
            source: None,
            sinks: Vec::new(),
            traces: Vec::new(),
            jobs: VecDeque::new(),
            next_tick: Instant::now(),
            last_tick: Moment::ZERO,
        };
        loop {
            tokio::select! {
                biased; // the clock first, so that a flood cannot hold it up
                () = tokio::time::sleep_until(stream.next_tick), if stream.started => {
                    stream.tick().await;
                }
                told = control.recv() => match told {
                    Some(Control::End) | None => break,
                    Some(told) => stream.take(told),
                },
                ready = stream.rtp.readable() => match ready {
                    Ok(()) => stream.receive(false),
                    Err(_) => break,
                },
                ready = stream.rtcp.readable() => match ready {
                    Ok(()) => stream.receive(true),
                    Err(_) => break,
                },
            }
        }
        let _ = last_report.set(stream.session.statistics());
        stream.end().await;
    }
}

struct Stream {
    shared: Arc<Shared>,
    call: CallId,
    rtp: UdpSocket,
    rtcp: UdpSocket,
    digits: mpsc::Sender<Digit>,
    session: Box<Session>,
    started: bool,
    source: Option<(Box<dyn Source + Send>, oneshot::Sender<()>)>,
    sinks: Vec<(u64, Box<dyn Sink + Send>)>,
    traces: Vec<Box<dyn Trace>>,
    jobs: VecDeque<DigitsJob>,
    /// When the next frame is due: counted on from the last due time, so that nothing drifts.
    next_tick: Instant,
    last_tick: Moment,
}

impl Stream {
    fn take(&mut self, control: Control) {
        match control {
            Control::End => {}
            Control::Plan { stage, plan } => self.plan(stage, &plan),
            Control::Play { source, done } => self.source = Some((source, done)),
            Control::StopPlaying => self.source = None,
            Control::Listen { id, sink } => self.sinks.push((id, sink)),
            Control::StopListening(id) => self.sinks.retain(|(other, _)| *other != id),
            Control::Digits(job) => self.jobs.push_back(job),
            Control::Mute(muted) => self.session.mute(muted),
            Control::Report(done) => drop(done.send(self.session.statistics())),
            Control::Trace(sink) => self.traces.push(sink),
        }
    }

    fn plan(&mut self, stage: Stage, plan: &MediaPlan) {
        let now = self.shared.clock.now();
        match (stage, self.started) {
            (Stage::Offered, true) => self.session.offer_plan(plan),
            (Stage::Offered, false) => {}
            (_, true) => self.session.set_plan(now, plan),
            (_, false) => {
                let mut seed = [0; 32];
                if getrandom::fill(&mut seed).is_err() {
                    return; // no call without an unguessable SSRC
                }
                let muted = self.session.is_muted();
                self.session.start(plan, seed, now);
                self.session.mute(muted);
                self.session.set_silence_limit(self.shared.media_silence);
                self.started = true;
                self.next_tick = Instant::now();
                self.last_tick = now;
            }
        }
    }

    /// Takes all that has arrived, up to a bound, so that a flood leaves the clock its turn.
    fn receive(&mut self, rtcp: bool) {
        let mut buffer = [0; PACKET_MAX];
        let now = self.shared.clock.now();
        for _ in 0..BATCH {
            let socket = if rtcp { &self.rtcp } else { &self.rtp };
            match socket.try_recv_from(&mut buffer) {
                Ok((length, from)) if self.started => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    let local = port(self.session.plan().local, rtcp);
                    show(&mut self.traces, now, Way::Received, Path::udp(local, from), bytes);
                    if rtcp {
                        self.session.handle_rtcp(now, from, bytes);
                    } else {
                        self.session.handle(now, from, bytes);
                    }
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }

    async fn tick(&mut self) {
        self.receive(false); // what came until now may still play
        let frame = self.session.frame();
        let mut captured = [0; FRAME_MAX];
        let mut playout = [0; FRAME_MAX];
        let captured = captured.get_mut(..frame).unwrap_or_default();
        let playout = playout.get_mut(..frame).unwrap_or_default();
        self.feed_digits();
        let length = self.capture(captured);
        let now = self.shared.clock.now();
        let captured = captured.get(..length).unwrap_or_default();
        let local = self.session.plan().local;
        if let Some(packet) = self.session.tick(now, captured, playout) {
            let path = Path::udp(local, packet.to);
            show(&mut self.traces, now, Way::Sent, path, packet.bytes);
            send(&self.rtp, packet.bytes, packet.to).await;
        }
        if let Some(packet) = self.session.poll_rtcp(now) {
            let path = Path::udp(port(local, true), packet.to);
            show(&mut self.traces, now, Way::Sent, path, packet.bytes);
            send(&self.rtcp, packet.bytes, packet.to).await;
        }
        for (_, sink) in &mut self.sinks {
            sink.write(playout);
        }
        while let Some(event) = self.session.poll_event() {
            self.tell(event);
        }
        self.finish_digits();
        self.schedule(now, frame);
    }

    /// The next frame is due one frame after this one was, so that nothing drifts and short delays
    /// are made up for; after a stop over which the session moves its timestamps, from now on.
    fn schedule(&mut self, now: Moment, frame: usize) {
        let length = Duration::from_micros(frame.max(FRAME_MIN) as u64 * 125);
        let gap = Duration::from(now.since(self.last_tick));
        let stalled = gap > Duration::from_millis(TICK_GAP_MS) + 2 * length;
        self.next_tick = if stalled { Instant::now() } else { self.next_tick } + length;
        self.last_tick = now;
    }

    /// The next samples of the source; it waits while the plan lets nothing be sent.
    fn capture(&mut self, samples: &mut [i16]) -> usize {
        if !self.session.plan().direction.sends() {
            return 0;
        }
        let Some((source, _)) = &mut self.source else { return 0 };
        let length = source.read(samples).min(samples.len());
        if length < samples.len()
            && let Some((_, done)) = self.source.take()
        {
            let _ = done.send(());
        }
        length
    }

    /// Keeps the session's queue filled from the first job.
    fn feed_digits(&mut self) {
        while let Some(job) = self.jobs.front_mut() {
            let mut failure = None;
            while let Some(digit) = job.digits.front().copied() {
                let text = digit.to_string();
                match self.session.send_digits(&text, job.duration.into()) {
                    Ok(()) => drop(job.digits.pop_front()),
                    Err(DigitsError::NoRoom) => return,
                    Err(error) => {
                        failure = Some(error);
                        break;
                    }
                }
            }
            match failure {
                Some(error) => {
                    if let Some(job) = self.jobs.pop_front() {
                        let _ = job.done.send(Err(error));
                    }
                }
                None => return,
            }
        }
    }

    fn finish_digits(&mut self) {
        let done = self.jobs.front().is_some_and(|job| job.digits.is_empty());
        if done
            && self.session.digits_pending() == 0
            && let Some(job) = self.jobs.pop_front()
        {
            let _ = job.done.send(Ok(()));
        }
    }

    fn tell(&self, event: MediaEvent) {
        match event {
            MediaEvent::DigitReceived { digit, .. } => {
                let _ = self.digits.try_send(digit); // the bound is in the docs of `Call::digit`
                let call = self.call;
                self.shared.lock().listeners.tell(&Event::Digit { call, digit });
            }
            MediaEvent::Silence { .. } => {
                let _ = self.shared.command(Command::MediaSilent(self.call));
            }
            _ => {}
        }
    }

    async fn end(mut self) {
        self.session.stop();
        if let Some(packet) = self.session.poll_rtcp(self.shared.clock.now()) {
            send(&self.rtcp, packet.bytes, packet.to).await;
        }
    }
}

/// Where RTP is received, or RTCP: on the next port.
fn port(rtp: SocketAddr, rtcp: bool) -> SocketAddr {
    SocketAddr::new(rtp.ip(), rtp.port().saturating_add(u16::from(rtcp)))
}

fn show(traces: &mut [Box<dyn Trace>], at: Moment, way: Way, path: Path, bytes: &[u8]) {
    for sink in traces {
        sink.record(&Record { at, way, path, bytes });
    }
}

/// A lost packet is no news for RTP.
async fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) {
    let _ = socket.send_to(bytes, to).await;
}

/// Longer packets are no audio that we know.
const PACKET_MAX: usize = 2048;
/// Packets taken at once.
const BATCH: usize = 64;
/// Samples of ten milliseconds, so that no plan can make the clock spin.
const FRAME_MIN: usize = 80;

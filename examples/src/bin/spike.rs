//! Proves the six capabilities by what the far end saw.
//!
//! One line for each begins with its verdict and has the evidence and the time.

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Parser;
use sansip_sim::pbx::driver as pbx;
use sansip_tokio::sansip::rtp::Packet;
use sansip_tokio::sound::{Tone, tone_share};
use sansip_tokio::trace::{Pcap, Record, Way};
use sansip_tokio::{Binding, Call, Line, Phase, Phone, Reason, wav};
use tokio::time::{Instant, sleep, timeout};

/// Tries registration, call, DTMF, WAV playback, mute and raw capture against a PBX, and says of
/// each whether the far end saw it.
#[derive(Parser)]
#[command(after_help = "\
Without settings it starts a small PBX of its own on loopback and calls that.
Environment:
  SPIKE_ASTERISK_HOST  host:port of an Asterisk to call instead
  SPIKE_BIND_HOST      our address there (default 0.0.0.0)
  SPIKE_USER           account (default 100)
  SPIKE_PASSWORD       its password (default test100)
  SPIKE_ECHO           number that echoes audio and digits (default 600)
Exit status: 0 if all six passed, 1 if not, 2 on wrong usage.")]
struct Arguments {
    /// Where the capture is written; a file of the temporary folder unless given.
    #[arg(long)]
    pcap: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("spike: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The phone under test, and a second one of the same user.
struct Scene {
    phone: Phone,
    line: Line,
    other: Line,
    echo: String,
    folder: PathBuf,
    pcap: PathBuf,
    captured: Arc<Mutex<Vec<(Way, String)>>>,
}

/// What the far end showed, or why there is no such evidence.
type Evidence = Result<String, String>;

async fn run(arguments: Arguments) -> Result<bool, Box<dyn core::error::Error>> {
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or(default.to_owned());
    let (server, bind, _pbx) = match std::env::var("SPIKE_ASTERISK_HOST") {
        Ok(server) => (server, setting("SPIKE_BIND_HOST", "0.0.0.0"), None),
        Err(_) => {
            let running = pbx::spawn(pbx::Settings::new(([127, 0, 0, 1], 0).into())).await?;
            (running.address().to_string(), "127.0.0.1".to_owned(), Some(running))
        }
    };
    let user = setting("SPIKE_USER", "100");
    let password = setting("SPIKE_PASSWORD", "test100");
    let identity = format!("sip:{user}@{server}");
    let folder = std::env::temp_dir().join(format!("sansip-spike-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let pcap = arguments.pcap.unwrap_or_else(|| folder.with_extension("pcap"));

    let phone = Phone::bind((bind.as_str(), 0)).await?;
    let other_phone = Phone::bind((bind.as_str(), 0)).await?;
    let captured = Arc::new(Mutex::new(Vec::new()));
    phone.trace(Pcap::create(&pcap)?);
    phone.trace(counter(&captured));
    let line = phone.line(&identity, &password)?;
    let other = other_phone.line(&identity, &password)?;
    let echo = setting("SPIKE_ECHO", "600");
    let scene = Scene { phone, line, other, echo, folder, pcap, captured };

    let mut passed = prove("register", scene.register()).await;
    passed &= prove("call", scene.call()).await;
    passed &= prove("dtmf", scene.digits()).await;
    passed &= prove("wav", scene.wav()).await;
    passed &= prove("mute", scene.mute()).await;
    scene.phone.shutdown().await;
    passed &= prove("capture", scene.capture()).await;
    let _ = timeout(LIMIT, scene.other.unregister()).await;
    other_phone.shutdown().await;
    println!("trace: {} messages in {}", scene.lock().len(), scene.pcap.display());
    std::fs::remove_dir_all(&scene.folder)?;
    Ok(passed)
}

/// Prints one line with the verdict.
async fn prove(name: &str, evidence: impl Future<Output = Evidence>) -> bool {
    let start = Instant::now();
    let evidence = timeout(LIMIT, evidence).await.unwrap_or(Err("it took too long".to_owned()));
    let (verdict, text) = match &evidence {
        Ok(text) => ("PASS", text),
        Err(text) => ("FAIL", text),
    };
    println!("{verdict} {name}: {text} ({} ms)", start.elapsed().as_millis());
    evidence.is_ok()
}

/// A sink that notes each message's direction and first line.
fn counter(captured: &Arc<Mutex<Vec<(Way, String)>>>) -> impl FnMut(&Record<'_>) + Send + 'static {
    let captured = Arc::clone(captured);
    move |record| {
        let line = record.bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line).into_owned();
        captured.lock().unwrap_or_else(PoisonError::into_inner).push((record.way, line));
    }
}

impl Scene {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Way, String)>> {
        self.captured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another device registers first. Ours must then be listed beside it, and its removal must
    /// leave the other alone.
    async fn register(&self) -> Evidence {
        self.other.register().await.map_err(text)?;
        self.line.register().await.map_err(text)?;
        let with = self.line.bindings().await.map_err(text)?;
        let ours = self.phone.local_address().port();
        let has = |bindings: &[Binding], port: u16| {
            bindings.iter().any(|binding| binding.uri.contains(&format!(":{port}")))
        };
        check(has(&with, ours), || format!("the registrar lists {with:?}, which lacks ours"))?;
        self.line.unregister().await.map_err(text)?;
        let without = self.other.bindings().await.map_err(text)?;
        check(!has(&without, ours), || format!("{without:?} still has ours after its removal"))?;
        check(with.len() > without.len() && !without.is_empty(), || {
            format!("{} bindings became {}: the other one is gone", with.len(), without.len())
        })?;
        self.line.register().await.map_err(text)?; // as a phone that is called would be
        Ok(format!(
            "the registrar listed {} bindings with ours, {} after our un-REGISTER: {}",
            with.len(),
            without.len(),
            without.iter().map(|binding| binding.uri.as_str()).collect::<Vec<_>>().join(" ")
        ))
    }

    /// A tone that we send comes back.
    async fn call(&self) -> Evidence {
        let call = self.dial().await?;
        call.start_playing(Tone::new(1000, 8000)).map_err(text)?;
        sleep(SETTLE).await;
        let heard = call.hear(Duration::from_millis(500)).await.map_err(text)?;
        let share = tone_share(&heard, 1000);
        check(share > 800, || format!("only {share} of 1000 parts of the echo are our tone"))?;
        let reason = call.hang_up().await.map_err(text)?;
        check(reason == Reason::HungUp, || format!("it ended: {reason:?}"))?;
        Ok(format!("1000 Hz sent, {share} of 1000 parts of the echo are 1000 Hz; hung up"))
    }

    /// All sixteen digits come back in order, with audio playing and without. `#` comes last, since
    /// Asterisk's echo takes it as its end.
    async fn digits(&self) -> Evidence {
        let call = self.dial().await?;
        let silent = send_and_read(&call).await?;
        call.start_playing(Tone::new(440, 6000)).map_err(text)?;
        let playing = send_and_read(&call).await?;
        check(silent == DIGITS && playing == DIGITS, || {
            format!("sent {DIGITS}, back came {silent} and with audio {playing}")
        })?;
        let (_, hash) = tokio::join!(call.send_digits("#"), call.digits(1, PAUSE));
        let hash = match hash.as_str() {
            "#" => "# came back",
            _ if call.phase() == Phase::Ended(Reason::PeerHungUp) => "# ended the echo",
            other => return Err(format!("sent #, back came {other}")),
        };
        hang_up(&call).await?;
        Ok(format!("sent {DIGITS}, back came {silent} in silence and {playing} with audio; {hash}"))
    }

    /// The tones of a stereo file at 44.1 kHz come back in their order.
    async fn wav(&self) -> Evidence {
        let (sent, heard) = (self.folder.join("sent.wav"), self.folder.join("heard.wav"));
        write_tones(&sent, &[700, 1500]).map_err(text)?;
        let call = self.dial().await?;
        let recording = call.record(&heard).await.map_err(text)?;
        call.play(&sent).await.map_err(text)?;
        sleep(SETTLE).await;
        let length = recording.stop().await.map_err(text)?;
        hang_up(&call).await?;
        let samples = wav::read(&heard, 8000).map_err(text)?;
        let [low, high] = [700, 1500].map(|hz| windows_with(&samples, hz));
        check(low.len() >= 8 && high.len() >= 8 && low.last() < high.first(), || {
            format!("700 Hz in {} tenths of a second, 1500 Hz in {}", low.len(), high.len())
        })?;
        Ok(format!(
            "44.1 kHz stereo file played; in {:.1} s of echo {} tenths of a second are 700 Hz, \
             then {} are 1500 Hz",
            length.as_secs_f32(),
            low.len(),
            high.len()
        ))
    }

    /// While muted, our packets go on and hold encoded silence, and silence comes back.
    async fn mute(&self) -> Evidence {
        let call = self.dial().await?;
        let codec = call.plan().ok_or("no audio stream")?.codec;
        let loud = Arc::new(Mutex::new((0_usize, 0_usize)));
        let count = Arc::clone(&loud);
        call.trace(move |record: &Record<'_>| {
            if record.way == Way::Sent
                && let Ok(packet) = Packet::parse(record.bytes)
            {
                let silent = packet.payload.iter().all(|byte| *byte == codec.silence());
                let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
                if silent { count.0 += 1 } else { count.1 += 1 }
            }
        })
        .map_err(text)?;
        let taken = || core::mem::take(&mut *loud.lock().unwrap_or_else(PoisonError::into_inner));
        call.start_playing(Tone::new(1000, 8000)).map_err(text)?;
        sleep(SETTLE).await;
        let before = tone_share(&call.hear(SETTLE).await.map_err(text)?, 1000);
        call.mute().map_err(text)?;
        sleep(SETTLE).await;
        taken();
        let heard = call.hear(SETTLE).await.map_err(text)?;
        let (silent, noisy) = taken();
        call.unmute().map_err(text)?;
        sleep(SETTLE).await;
        let after = tone_share(&call.hear(SETTLE).await.map_err(text)?, 1000);
        hang_up(&call).await?;
        let peak = heard.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(u16::MAX);
        check(before > 800 && after > 800, || {
            format!("of the echo, our tone has {before} of 1000 parts before, {after} after")
        })?;
        check(noisy == 0 && silent > 10, || {
            format!("{noisy} packets with sound and {silent} silent ones were sent while muted")
        })?;
        check(peak <= 8, || format!("while muted the echo has peaks of {peak}"))?;
        Ok(format!(
            "{silent} packets of {:#04x} sent while muted, peak of the echo {peak}; our tone had \
             {before} of 1000 parts before and {after} after",
            codec.silence()
        ))
    }

    /// Both doors of the endpoint counted as many messages as the capture and its file hold.
    async fn capture(&self) -> Evidence {
        let stats = self.phone.stats();
        let file = packets_in(&self.pcap).map_err(text)?;
        let captured = self.lock();
        let of = |way| captured.iter().filter(|(other, _)| *other == way).count();
        let (sent, received) = (of(Way::Sent), of(Way::Received));
        check(stats.sent == sent as u64 && stats.received == received as u64, || {
            format!("{sent} sent and {received} received are captured, but {stats:?}")
        })?;
        check(file == captured.len(), || format!("the file holds {file} packets"))?;
        for (way, start) in EXPECTED {
            let seen =
                captured.iter().any(|(other, line)| *other == way && line.starts_with(start));
            check(seen, || format!("{way:?} {start} is missing"))?;
        }
        Ok(format!(
            "{sent} sent and {received} received, as the endpoint counted; {file} packets in {}",
            self.pcap.display()
        ))
    }

    async fn dial(&self) -> Result<Call, String> {
        self.line.call(&self.echo).await.map_err(text)
    }
}

async fn hang_up(call: &Call) -> Result<(), String> {
    call.hang_up().await.map(drop).map_err(text)
}

async fn send_and_read(call: &Call) -> Result<String, String> {
    let read = call.digits(DIGITS.len(), PAUSE);
    let (sent, read) = tokio::join!(call.send_digits(DIGITS), read);
    sent.map_err(text)?;
    Ok(read)
}

/// Tenths of a second in which this tone is nearly all that is heard.
fn windows_with(samples: &[i16], hz: u32) -> Vec<usize> {
    let windows = samples.chunks_exact(800).enumerate();
    windows.filter(|(_, window)| tone_share(window, hz) > 800).map(|(at, _)| at).collect()
}

/// A stereo file at 44.1 kHz: each tone for a second.
fn write_tones(path: &Path, tones_hz: &[u32]) -> Result<(), hound::Error> {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 44_100,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec)?;
    for hz in tones_hz {
        for n in 0..44_100 {
            let phase = f64::from(n) * f64::from(*hz) / 44_100.0 * core::f64::consts::TAU;
            for _ in 0..2 {
                writer.write_sample((phase.sin() * 10_000.0) as i16)?;
            }
        }
    }
    writer.finalize()
}

/// How many packets a capture file holds: 24 bytes, then a header of 16 before each.
fn packets_in(path: &Path) -> std::io::Result<usize> {
    let bytes = std::fs::read(path)?;
    let mut rest = bytes.get(24..).unwrap_or_default();
    let mut count = 0;
    while let Some(([_, _, _, _, _, _, _, _, a, b, c, d, _, _, _, _], after)) =
        rest.split_first_chunk()
    {
        let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
        rest = after.get(length..).ok_or(std::io::ErrorKind::UnexpectedEof)?;
        count += 1;
    }
    Ok(count)
}

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn text(error: impl core::fmt::Display) -> String {
    error.to_string()
}

/// All digits that telephone events have (RFC 4733 s3.2), but `#`.
const DIGITS: &str = "1234567890*ABCD";
/// How long the next digit may keep us waiting.
const PAUSE: Duration = Duration::from_secs(2);
/// What the capture of a whole run cannot lack.
const EXPECTED: [(Way, &str); 6] = [
    (Way::Sent, "REGISTER "),
    (Way::Received, "SIP/2.0 401"),
    (Way::Received, "SIP/2.0 200"),
    (Way::Sent, "INVITE "),
    (Way::Sent, "ACK "),
    (Way::Sent, "BYE "),
];
/// Round trip, jitter buffers at both ends and the PBX.
const SETTLE: Duration = Duration::from_millis(400);
/// No capability takes longer, the digits being the slowest.
const LIMIT: Duration = Duration::from_secs(30);

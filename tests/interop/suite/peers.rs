//! The peers' scripts, their logs, and phones to test with.

use core::future::Future;
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Instant;

use sansip::media::tone_share;
use sansip_tokio::{Account, Call, Line, Phone, wav};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// No single wait for a peer is longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Address of the suite's own Asterisk.
pub(crate) fn address() -> String {
    std::env::var("INTEROP_IP").unwrap_or_else(|_| "127.0.0.40".to_owned())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop")
}

/// One of the scripts, with the suite's Asterisk as its peer.
pub(crate) fn script(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(folder().join(name));
    command.args(arguments).env("INTEROP_IP", address()).kill_on_drop(true);
    command
}

/// Run a script to its end; its standard output.
pub(crate) async fn run(name: &str, arguments: &[&str]) -> String {
    let mut command = script(name, arguments);
    let output = tokio::time::timeout(Duration::from_secs(120), command.output());
    let output = output.await.expect("the script ends in time").expect("the script starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {text}{errors}");
    text
}

/// Where the suite's Asterisk keeps its state. Starts it at the first use.
pub(crate) fn asterisk() -> &'static Path {
    static STARTED: OnceLock<PathBuf> = OnceLock::new();
    STARTED.get_or_init(|| {
        let up = std::process::Command::new(folder().join("asterisk-up.sh"))
            .env("INTEROP_IP", address())
            .output()
            .expect("asterisk-up.sh starts");
        assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
        let place = std::process::Command::new("bash")
            .arg("-c")
            .arg(". ./lib.sh; echo $INTEROP_INSTANCE")
            .current_dir(folder())
            .env("INTEROP_IP", address())
            .output()
            .expect("bash runs");
        PathBuf::from(String::from_utf8_lossy(&place.stdout).trim())
    })
}

/// The peers' folder for state, beside Asterisk's.
pub(crate) fn state(name: &str) -> PathBuf {
    asterisk().parent().expect("a folder of state").join(name)
}

pub(crate) async fn cli(command: &str) -> String {
    asterisk();
    run("asterisk-cli.sh", &[command]).await
}

/// The lines that Asterisk's dialplan reported about a call so far.
pub(crate) fn reports(call_id: &str) -> Vec<String> {
    let log = asterisk().join("results/events.log");
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let wanted = format!("callid={call_id} ");
    text.lines().filter(|line| line.contains(&wanted)).map(str::to_owned).collect()
}

/// Wait for a report of this kind about a call; the whole line.
pub(crate) async fn report(call_id: &str, kind: &str) -> String {
    let kind = format!(" {kind} ");
    let find = || reports(call_id).into_iter().find(|line| line.contains(&kind));
    until(&format!("report{kind}about {call_id}"), find).await
}

/// Ask again and again, at most for [`PATIENCE`].
pub(crate) async fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: waited in vain");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Bound a wait.
pub(crate) async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, wait).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: waited in vain"),
    }
}

/// A phone on loopback with one of Asterisk's accounts, not registered.
pub(crate) async fn phone(user: &str) -> (Phone, Line) {
    asterisk();
    let phone = Phone::bind("127.0.0.1:0").await.expect("a free port");
    let line = line(&phone, user, &format!("test{user}"));
    (phone, line)
}

pub(crate) fn line(phone: &Phone, user: &str, password: &str) -> Line {
    let address = address();
    let account = Account {
        identity: &format!("sip:{user}@{address}"),
        registrar: &format!("sip:{address}"),
        password,
        user_agent: "sansip-interop",
        ..Account::default()
    };
    phone.add_line(account).expect("a valid account")
}

/// A registered phone.
pub(crate) async fn registered(user: &str) -> (Phone, Line) {
    let (phone, line) = phone(user).await;
    soon("register", line.register()).await.expect("registered");
    (phone, line)
}

/// Call an extension of Asterisk, wait for its answer.
pub(crate) async fn call(line: &Line, extension: &str) -> Call {
    soon(extension, line.call(extension)).await.expect("answered")
}

pub(crate) fn call_id(call: &Call) -> String {
    call.call_id().expect("a call that lives")
}

/// Assert that most of what was heard is this tone.
#[track_caller]
pub(crate) fn assert_tone(samples: &[i16], hz: u32) {
    let share = tone_share(samples, hz);
    assert!(share > 800, "{hz} Hz is {share} of 1000 in {} samples", samples.len());
}

/// Assert that a whole second of this tone is heard, at the third attempt at the latest: a second in
/// which a busy machine stood still tells nothing about the phone.
pub(crate) async fn assert_hears(call: &Call, hz: u32) {
    let mut shares = Vec::new();
    for _ in 0..3 {
        let heard = soon("a second of sound", call.hear(Duration::from_secs(1))).await;
        shares.push(tone_share(&heard.expect("a call that lives"), hz));
        if shares.last() > Some(&800) {
            return;
        }
    }
    panic!("{hz} Hz is {shares:?} of 1000 in as many seconds");
}

/// Root mean square.
pub(crate) fn level(samples: &[i16]) -> u32 {
    let sum: u64 = samples.iter().map(|sample| u64::from(sample.unsigned_abs()).pow(2)).sum();
    (sum / samples.len().max(1) as u64).isqrt() as u32
}

/// The recording that an extension reported, once the call is over.
pub(crate) async fn recording(call_id: &str) -> Vec<i16> {
    let line = report(call_id, "record").await;
    report(call_id, "hangup").await;
    let file = line.rsplit_once("value=").expect("a file name").1.trim().to_owned();
    wav::read(file, 8000).expect("a recording")
}

/// A SIPp that waits for us at `address`, as a child of ours.
pub(crate) struct Sipp(Child);

impl Sipp {
    pub(crate) async fn serve(scenario: &str, address: &str) -> Self {
        let mut command = script("sipp.sh", &["serve", scenario, address]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("SIPp starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let ready = soon("SIPp's port", lines.next_line()).await.expect("a line");
        assert_eq!(ready.as_deref(), Some("ready"));
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self(child)
    }

    /// Every step of the scenario went as written.
    pub(crate) async fn content(mut self) {
        let status = tokio::time::timeout(Duration::from_secs(60), self.0.wait()).await;
        let status = status.expect("SIPp ends").expect("SIPp's status");
        assert!(status.success(), "SIPp saw something else than its scenario");
    }
}

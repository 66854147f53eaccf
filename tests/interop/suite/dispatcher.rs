//! Many instances behind Kamailio's dispatcher.

use core::time::Duration;
use std::process::Stdio;
use std::time::Instant;

use sansip::media::Tone;
use sansip_tokio::{Account, Call, Line, Phase, Phone, Reason, Settings};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::peers::{PATIENCE, address, asterisk, run, script, soon};

/// Tells the test below that it is to be an instance.
const ROLE: &str = "SANSIP_INTEROP_INSTANCE";
/// What an instance's line with its address begins with.
const BOUND: &str = "bound to ";
/// Far more than what it takes until each of two instances had a call.
const CALLS_MAX: usize = 20;

/// An instance as a process of its own, since only a process can be killed.
#[tokio::test]
#[ignore = "the process that calls_go_on_when_one_of_two_instances_is_killed starts and kills"]
async fn instance() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    let phone = Phone::bind("127.0.0.1:0").await.unwrap();
    let identity = format!("sip:bob@{}", phone.local_address());
    let _line = phone.add_line(Account { identity: &identity, ..Account::default() }).unwrap();
    println!("{BOUND}{}", phone.local_address());
    while let Some(call) = phone.incoming().await {
        tokio::spawn(async move {
            if call.answer().await.is_ok() && call.start_playing(Tone::new(440, 8000)).is_ok() {
                let _ = call.ended().await;
            }
        });
    }
}

struct Instance {
    process: Child,
    address: String,
}

impl Instance {
    async fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "dispatcher::instance", "--ignored", "--nocapture"]);
        command.env(ROLE, "1").stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = loop {
            let line = soon("an instance's address", lines.next_line()).await.unwrap();
            // behind what the test harness writes on the same line
            if let Some((_, address)) = line.expect("an address").split_once(BOUND) {
                break address.to_owned();
            }
        };
        Self { process, address }
    }

    /// Whether a call was answered by this instance, which its 200 names.
    fn has(&self, call: &Call) -> bool {
        let message = call.last_message().unwrap();
        message.header("Contact").unwrap().contains(&self.address)
    }
}

/// Ends the dispatcher, whatever becomes of the test.
struct Dispatcher;

impl Drop for Dispatcher {
    fn drop(&mut self) {
        let mut down = script("dispatcher-down.sh", &[]);
        let _ = down.as_std_mut().stdout(Stdio::null()).status();
    }
}

/// A call that is up. One that is refused or not answered is tried again for a while, as a machine
/// that stands still for seconds makes the dispatcher think that all instances are gone.
async fn connected(line: &Line, target: &str) -> Call {
    let start = Instant::now();
    loop {
        match tokio::time::timeout(PATIENCE, line.call(target)).await.expect("an answer in time") {
            Ok(call) => return call,
            Err(error) => assert!(start.elapsed() < PATIENCE, "no call: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn calls_go_on_when_one_of_two_instances_is_killed() {
    asterisk(); // the peers' programs are unpacked by now
    let (mut killed, lives) = (Instance::start().await, Instance::start().await);
    let _dispatcher = Dispatcher;
    run("dispatcher-up.sh", &[&killed.address, &lives.address]).await;

    let settings = Settings { media_silence: Some(Duration::from_secs(4)), ..Settings::default() };
    let phone = Phone::bind_with("127.0.0.1:0", settings).await.unwrap();
    let identity = "sip:alice@127.0.0.1";
    let line = phone.add_line(Account { identity, ..Account::default() }).unwrap();
    let target = format!("sip:bob@{}:5080", address());

    // calls are spread over both
    let mut calls = Vec::new();
    while !calls.iter().any(|call| killed.has(call)) || !calls.iter().any(|call| lives.has(call)) {
        assert!(calls.len() < CALLS_MAX, "all calls went to one instance");
        calls.push(connected(&line, &target).await);
    }
    let (lost, kept): (Vec<_>, Vec<_>) = calls.into_iter().partition(|call| killed.has(call));

    soon("the end of the process", killed.process.kill()).await.unwrap();

    // new calls go on, at the other instance
    for _ in 0..4 {
        let call = connected(&line, &target).await;
        assert!(lives.has(&call));
        assert_eq!(soon("BYE", call.hang_up()).await, Ok(Reason::HungUp));
    }
    // calls of the dead instance end by their timer: nothing was heard for four seconds
    for call in &lost {
        assert_eq!(soon("the end of a lost call", call.ended()).await, Ok(Reason::MediaSilent));
    }
    // and the others know nothing of it
    for call in &kept {
        assert_eq!(call.phase(), Phase::Established);
        assert_eq!(soon("BYE", call.hang_up()).await, Ok(Reason::HungUp));
    }
}

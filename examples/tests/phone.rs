//! The programs for phones, run against the small PBX.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::PathBuf;
use std::process::{Output, Stdio};

use sansip_sim::pbx::driver as pbx;
use sansip_tokio::Phone;
use tokio::process::Command;

async fn run(program: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let command = Command::new(program).args(arguments).env_clear().kill_on_drop(true).output();
    told(tokio::time::timeout(core::time::Duration::from_secs(60), command).await.unwrap().unwrap())
}

fn told(output: Output) -> (Option<i32>, String) {
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

async fn start_pbx() -> (pbx::Running, String) {
    let running = pbx::spawn(pbx::Settings::new("127.0.0.1:0".parse().unwrap())).await.unwrap();
    let server = running.address().to_string();
    (running, server)
}

fn tone_file(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("sansip-{}-{name}.wav", std::process::id()));
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(&path, spec).unwrap();
    for n in 0..8000 {
        file.write_sample(if n / 10 % 2 == 0 { 5000_i16 } else { -5000 }).unwrap();
    }
    file.finalize().unwrap();
    path
}

#[tokio::test]
async fn the_spike_proves_six_capabilities_on_its_own_pbx() {
    let (status, text) = run(env!("CARGO_BIN_EXE_spike"), &[]).await;
    assert_eq!(status, Some(0), "{text}");
    let verdicts: Vec<&str> = text.lines().filter(|line| line.starts_with("PASS")).collect();
    let names = verdicts.iter().map(|line| line.split([' ', ':']).nth(1).unwrap());
    let expected = ["register", "call", "dtmf", "wav", "mute", "capture"];
    assert!(names.eq(expected), "{text}");
    assert!(!text.contains("FAIL"), "{text}");
    assert_eq!(text.matches("PASS").count(), 6, "{text}");
}

#[tokio::test]
async fn the_spike_fails_where_nobody_answers_for_the_account() {
    let (_pbx, server) = start_pbx().await;
    let environment = [
        ("SPIKE_ASTERISK_HOST", server.as_str()),
        ("SPIKE_BIND_HOST", "127.0.0.1"),
        ("SPIKE_PASSWORD", "wrong"),
    ];
    let command = Command::new(env!("CARGO_BIN_EXE_spike")).envs(environment).output();
    let (status, text) = told(command.await.unwrap());
    assert_eq!(status, Some(1), "{text}");
    assert!(text.lines().filter(|line| line.starts_with("FAIL")).count() >= 5, "{text}");
}

#[tokio::test]
async fn the_newcomers_program_runs_and_is_short() {
    let (_pbx, server) = start_pbx().await;
    let file = tone_file("six");
    let folder = std::env::temp_dir().join(format!("sansip-six-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let command = Command::new(env!("CARGO_BIN_EXE_six"))
        .args([&server, "101", "test101", "600", file.to_str().unwrap()])
        .current_dir(&folder)
        .output();
    let (status, text) = told(command.await.unwrap());
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("digits that came back: 1234#"), "{text}");
    assert!(folder.join("six.pcap").exists() && folder.join("six.wav").exists());
    let source = include_str!("../src/bin/six.rs");
    assert!(source.lines().count() <= 35, "the README promises 35 lines");
    std::fs::remove_dir_all(folder).unwrap();
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn a_phone_that_shuts_down_is_no_longer_registered() {
    let (_pbx, server) = start_pbx().await;
    let identity = format!("sip:106@{server}");
    let gone = Phone::bind("127.0.0.1:0").await.unwrap();
    let stays = Phone::bind("127.0.0.1:0").await.unwrap();
    gone.line(&identity, "test106").unwrap().register().await.unwrap();
    let line = stays.line(&identity, "test106").unwrap();
    line.register().await.unwrap();
    assert_eq!(line.bindings().await.unwrap().len(), 2);
    gone.shutdown().await;
    let left = line.bindings().await.unwrap();
    let port = stays.local_address().port().to_string();
    assert!(left.len() == 1 && left[0].uri.ends_with(&port), "{left:?}");
}

#[tokio::test]
async fn register_lists_the_devices() {
    let (_pbx, server) = start_pbx().await;
    let arguments = [&server, "102", "test102", "--once", "--verbose"];
    let (status, text) = run(env!("CARGO_BIN_EXE_register"), &arguments).await;
    assert_eq!(status, Some(0), "{text}");
    assert!(text.lines().any(|line| line.starts_with("sip:102@127.0.0.1:")), "{text}");
    assert!(text.contains("response=\"xxxx"), "{text}");
    let wrong = [server.as_str(), "102", "wrong", "--once"];
    let (status, text) = run(env!("CARGO_BIN_EXE_register"), &wrong).await;
    assert_eq!(status, Some(1), "{text}");
}

#[tokio::test]
async fn call_and_answer_talk_through_the_pbx() {
    let (_pbx, server) = start_pbx().await;
    let file = tone_file("answer");
    let mut answering = Command::new(env!("CARGO_BIN_EXE_answer"))
        .args([&server, "103", "test103", "--calls", "1", "--play", file.to_str().unwrap()])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = tokio::io::BufReader::new(answering.stdout.take().unwrap());
    let mut first = String::new();
    tokio::io::AsyncBufReadExt::read_line(&mut lines, &mut first).await.unwrap();
    assert_eq!(first, "registered\n");

    let arguments = [&server, "104", "test104", "103", "--digits", "42", "--stay", "1"];
    let (status, text) = run(env!("CARGO_BIN_EXE_call"), &arguments).await;
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("the call is up") && text.contains("ended: HungUp"), "{text}");
    let mut rest = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut lines, &mut rest).await.unwrap();
    assert!(answering.wait().await.unwrap().success(), "{rest}");
    assert!(rest.contains("call 1: digit 4\ncall 1: digit 2\n"), "{rest}");
    assert!(rest.contains("call 1 ended: PeerHungUp"), "{rest}");
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn a_refused_call_and_wrong_usage_have_their_exit_status() {
    let (_pbx, server) = start_pbx().await;
    let arguments = [&server, "105", "test105", "606"];
    let (status, text) = run(env!("CARGO_BIN_EXE_call"), &arguments).await;
    assert_eq!((status, text.as_str()), (Some(1), "call: the peer answered 486 Busy Here\n"));
    for program in [
        env!("CARGO_BIN_EXE_call"),
        env!("CARGO_BIN_EXE_answer"),
        env!("CARGO_BIN_EXE_register"),
        env!("CARGO_BIN_EXE_spike"),
        env!("CARGO_BIN_EXE_six"),
    ] {
        assert_eq!(run(program, &["--nonsense"]).await.0, Some(2), "{program}");
    }
}

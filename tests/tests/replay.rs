//! What was recorded runs again bit for bit: of simulated phones, and of a real one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sansip::journal::Replay;
use sansip_sim::swarm::{Fault, Profile, run, run_recorded};

/// Some without faults, some in which phones begin anew.
const SEEDS: core::ops::Range<u64> = 0..8;

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("sansip-replay-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn replay(arguments: &[&str], file: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_replay")).args(arguments).arg(file).output().unwrap()
}

/// Exit status and last line of what it prints.
fn verdict(file: &Path) -> (i32, String) {
    let output = replay(&["--quiet"], file);
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text.lines().last().unwrap_or_default().to_owned())
}

/// The text with one byte of the last message that was sent changed.
fn with_a_wrong_byte(text: &str) -> String {
    let transmit = text.rfind(" transmit ").unwrap();
    let at = transmit + text[transmit..].find("Call-ID: ").unwrap() + "Call-ID: ".len();
    let other = if text.as_bytes()[at] == b'0' { "1" } else { "0" };
    let mut changed = text.to_owned();
    changed.replace_range(at..=at, other);
    changed
}

#[test]
fn every_phone_of_a_simulated_run_replays_as_it_was() {
    let (mut phones, mut begun, mut sent, mut restarts) = (0, 0, 0, 0);
    for seed in SEEDS {
        let profile = Profile::draw(seed, 4, false);
        let (outcome, journals) = run_recorded(&profile);
        assert_eq!(outcome.hash, run(&profile, false).hash, "recording changes nothing");
        phones += usize::from(profile.phones);
        begun += journals.len();
        restarts += usize::from(profile.faults.contains(&Fault::Restarts));
        for (node, text) in journals {
            for step in Replay::new(&text).unwrap() {
                let step = step.unwrap_or_else(|fault| panic!("seed {seed}, {node:?}: {fault}"));
                sent += usize::from(step.kind == "transmit");
            }
        }
    }
    assert!(restarts > 0 && begun > phones, "a phone that begins anew has a journal of its own");
    assert!(sent > 300, "{sent}");
}

#[test]
fn the_program_says_equal_different_or_damaged_by_its_status() {
    let folder = Folder::new("status");
    let (_, journals) = run_recorded(&Profile::draw(3, 5, false));
    let text = &journals[0].1;

    let (code, line) = verdict(&folder.file("equal", text));
    assert!(code == 0 && line.ends_with(": equal"), "{code} {line}");
    let (code, line) = verdict(&folder.file("different", &with_a_wrong_byte(text)));
    assert!(code == 1 && line.ends_with(": different"), "{code} {line}");

    let cut = folder.file("cut", &text[..text.len() / 2]);
    let output = replay(&["--quiet"], &cut);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("it is cut off after line "), "{error}");
    let (code, line) = {
        let output = replay(&["--quiet", "--unfinished"], &cut);
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert!(code == 0 && line.ends_with(": equal as far as it goes\n"), "{code} {line}");

    assert_eq!(verdict(&folder.file("other", "something else\n")).0, 2);
    assert_eq!(verdict(&folder.0.join("missing")).0, 2);
    assert_eq!(replay(&["--bananas"], &folder.0).status.code(), Some(2));
    let help = Command::new(env!("CARGO_BIN_EXE_replay")).arg("--help").output().unwrap();
    assert!(help.status.success() && !help.stdout.is_empty());
}

#[test]
fn the_trace_has_what_went_in_and_out() {
    let folder = Folder::new("trace");
    let (_, journals) = run_recorded(&Profile::draw(3, 5, false));
    let file = folder.file("journal", &journals[0].1);
    let short = String::from_utf8(replay(&[], &file).stdout).unwrap();
    let full = String::from_utf8(replay(&["--full"], &file).stdout).unwrap();
    for part in ["send 10.0.", " bytes: INVITE sip:", "recv 10.0.", "bytes: SIP/2.0 200 OK"] {
        assert!(short.contains(part), "no {part} in {short}");
    }
    assert!(!short.contains("Call-ID: ") && full.contains("| Call-ID: "));
}

#[cfg(feature = "tokio")]
mod real {
    use core::time::Duration;

    use sansip_sim::pbx::driver;
    use sansip_tokio::{Dial, Phone, Secrets, Settings};

    use super::{Folder, verdict, with_a_wrong_byte};

    /// A phone registers at the PBX, calls, sends digits, is put on hold, hangs up and leaves.
    async fn session(journal: std::path::PathBuf, secrets: Secrets) {
        let settings = driver::Settings::new("127.0.0.1:0".parse().unwrap());
        let mut pbx = driver::spawn(settings).await.unwrap();
        let settings =
            Settings { journal: Some(journal), journal_secrets: secrets, ..Settings::default() };
        let phone = Phone::bind_with("127.0.0.1:0", settings).await.unwrap();
        let identity = format!("sip:100@{}", pbx.address());
        let line = phone.line(&identity, "test100").unwrap();
        line.register().await.unwrap();
        let call = line.dial_with("602", Dial::default()).await.unwrap();
        call.established().await.unwrap();
        call.hold().await.unwrap();
        call.resume().await.unwrap();
        call.send_digits("1234").await.unwrap();
        call.ended().await.unwrap();
        let call = line.call("600").await.unwrap();
        call.hang_up().await.unwrap();
        assert!(line.call("606").await.is_err(), "it is busy");
        phone.shutdown().await;
        let mut lines = Vec::new();
        while let Ok(Some(line)) =
            tokio::time::timeout(Duration::from_millis(1), pbx.next_line()).await
        {
            lines.push(line);
        }
        assert!(lines.iter().any(|line| line.contains("1234")), "{lines:?}");
    }

    #[tokio::test]
    async fn a_real_session_replays_and_a_wrong_byte_is_found() {
        let folder = Folder::new("real");
        for secrets in [Secrets::Hidden, Secrets::Kept] {
            let file = folder.0.join("journal");
            let whole =
                tokio::time::timeout(Duration::from_secs(30), session(file.clone(), secrets));
            whole.await.expect("the session takes too long");
            let text = std::fs::read_to_string(&file).unwrap();
            assert_eq!(text.contains("test100"), secrets == Secrets::Kept);
            for method in ["REGISTER ", "INVITE ", "ACK ", "BYE "] {
                assert!(text.contains(&format!(" \"{method}")), "no {method}in {text}");
            }
            let (code, line) = verdict(&file);
            assert!(code == 0 && line.ends_with(": equal"), "{code} {line}");
            let (code, line) = verdict(&folder.file("different", &with_a_wrong_byte(&text)));
            assert!(code == 1 && line.ends_with(": different"), "{code} {line}");
        }
    }
}

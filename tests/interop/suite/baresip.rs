//! baresip 1.1, registered at Asterisk.

use core::time::Duration;

use sansip_tokio::{Reason, wav};

use crate::peers::{
    address, assert_hears, assert_tone, asterisk, call, registered, script, soon, state, until,
};

/// A baresip that goes with the test.
struct Baresip {
    name: &'static str,
    control: &'static str,
}

impl Baresip {
    async fn start(name: &'static str, account: &str, control: &'static str, rtp: &str) -> Self {
        asterisk();
        let mut up = script("baresip-up.sh", &[name, account]);
        up.env("B_CTRL", control).env("B_RTP", rtp);
        let up = tokio::time::timeout(Duration::from_secs(60), up.output()).await;
        let up = up.expect("in time").expect("baresip-up.sh starts");
        assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
        Self { name, control }
    }

    async fn command(&self, command: &[&str]) -> String {
        let address = address();
        let mut arguments = vec![address.as_str(), self.control, "1"];
        arguments.extend(command);
        crate::peers::run("baresip-ctl.pl", &arguments).await
    }

    /// What it heard: the recording with the most in it.
    async fn heard(&self) -> Vec<i16> {
        let folder = state(&format!("baresip-{}", self.name));
        until("baresip's recording", || {
            std::fs::read_dir(&folder)
                .ok()?
                .flatten()
                .filter(|entry| entry.file_name().to_string_lossy().ends_with("-dec.wav"))
                .filter_map(|entry| wav::read(entry.path(), 8000).ok())
                .max_by_key(Vec::len)
                .filter(|samples| samples.len() > 16_000)
        })
        .await
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/interop/baresip-down.sh");
        let down = std::process::Command::new(script).arg(self.name).status();
        assert!(down.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[tokio::test]
async fn we_call_baresip() {
    let baresip = Baresip::start("answers", "102", "4461", "31000").await;
    let (_phone, line) = registered("100").await;
    let call = call(&line, "102").await;
    call.start_playing(sansip::media::Tone::new(1000, 8000)).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_hears(&call, 600).await;
    assert_eq!(call.hang_up().await, Ok(Reason::HungUp));
    let theirs = baresip.heard().await;
    assert_tone(&theirs[8000..16_000], 1000);
}

#[tokio::test]
async fn baresip_calls_us() {
    let baresip = Baresip::start("calls", "114", "4462", "31400").await;
    let (phone, line) = registered("112").await;
    let dialled = baresip.command(&["dial", &format!("sip:112@{}", address())]).await;
    let call = soon(&format!("the call, after {dialled}"), phone.incoming()).await.unwrap();
    soon("answer", call.answer()).await.unwrap();
    call.start_playing(sansip::media::Tone::new(1000, 8000)).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_hears(&call, 600).await;
    baresip.command(&["hangup"]).await;
    assert_eq!(soon("BYE", call.ended()).await, Ok(Reason::PeerHungUp));
    let theirs = baresip.heard().await;
    assert_tone(&theirs[8000..16_000], 1000);
    soon("unregister", line.unregister()).await.unwrap();
}

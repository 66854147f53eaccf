//! SIPp with scenarios that a phone must survive.

use sansip_tokio::{Account, Error, Line, Phone, Reason};

use crate::peers::{Sipp, asterisk, script, soon};

async fn at(host: &str) -> (Phone, Line) {
    asterisk(); // the peers' programs are unpacked by now
    let phone = Phone::bind("127.0.0.1:0").await.unwrap();
    let account = Account {
        identity: &format!("sip:100@{host}"),
        registrar: &format!("sip:{host}"),
        password: "test100",
        ..Account::default()
    };
    let line = phone.add_line(account).unwrap();
    (phone, line)
}

#[tokio::test]
async fn an_interval_too_brief_is_raised_once() {
    let sipp = Sipp::serve("serve_423", "127.0.0.51:5060").await;
    let (_phone, line) = at("127.0.0.51").await;
    soon("register", line.register()).await.unwrap();
    soon("unregister", line.unregister()).await.unwrap();
    sipp.content().await;
}

#[tokio::test]
async fn a_forked_call_is_one_call() {
    let sipp = Sipp::serve("serve_forked", "127.0.0.52:5060").await;
    let (_phone, line) = at("127.0.0.52").await;
    let call = soon("call", line.call("600")).await.unwrap();
    tokio::time::sleep(core::time::Duration::from_secs(1)).await;
    assert_eq!(soon("BYE", call.hang_up()).await, Ok(Reason::HungUp));
    sipp.content().await;
}

#[tokio::test]
async fn twelve_provisional_responses_are_no_trouble() {
    let sipp = Sipp::serve("serve_twelve_provisionals", "127.0.0.53:5060").await;
    let (_phone, line) = at("127.0.0.53").await;
    let call = soon("call", line.call("600")).await.unwrap();
    assert_eq!(soon("BYE", call.hang_up()).await, Ok(Reason::HungUp));
    sipp.content().await;
}

#[tokio::test]
async fn a_registrar_that_challenges_for_ever_is_left() {
    let sipp = Sipp::serve("serve_401_register", "127.0.0.54:5060").await;
    let (_phone, line) = at("127.0.0.54").await;
    let refused = soon("register", line.register()).await;
    assert_eq!(refused, Err(Error::Failed(Reason::AuthenticationFailed)));
    sipp.content().await;
}

#[tokio::test]
async fn a_peer_that_challenges_for_ever_is_left() {
    let sipp = Sipp::serve("serve_401_invite", "127.0.0.55:5060").await;
    let (_phone, line) = at("127.0.0.55").await;
    let refused = soon("call", line.call("600")).await.err();
    assert_eq!(refused, Some(Error::Failed(Reason::AuthenticationFailed)));
    sipp.content().await;
}

async fn calls_us(scenario: &str, host: &str, answer: bool) -> Reason {
    asterisk();
    let phone = Phone::bind(format!("{host}:5060")).await.unwrap();
    let _line = phone.line(&format!("sip:100@{host}"), "").unwrap();
    let mut sipp = script("sipp.sh", &["call", scenario, "100", "100"]);
    let sipp = sipp.env("SIPP_TARGET", format!("{host}:5060")).stdout(std::process::Stdio::null());
    let mut sipp = sipp.spawn().unwrap();
    let call = soon("the call", phone.incoming()).await.unwrap();
    call.ring().unwrap();
    if answer {
        soon("answer", call.answer()).await.unwrap();
    }
    let reason = soon("the end", call.ended()).await.unwrap();
    let status = tokio::time::timeout(core::time::Duration::from_secs(60), sipp.wait()).await;
    assert!(status.unwrap().unwrap().success(), "SIPp saw something else than its scenario");
    reason
}

#[tokio::test]
async fn a_bye_right_behind_the_ack_ends_the_call() {
    assert_eq!(calls_us("call_bye_behind_ack", "127.0.0.56", true).await, Reason::PeerHungUp);
}

#[tokio::test]
async fn a_caller_gives_up() {
    assert_eq!(calls_us("call_cancel", "127.0.0.57", false).await, Reason::CallerGaveUp);
}

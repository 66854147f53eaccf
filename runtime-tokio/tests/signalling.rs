//! Phones whose audio somebody else carries, and a peer that is faster than the application.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use core::net::SocketAddr;
use core::time::Duration;

use sansip_tokio::sound::Tone;
use sansip_tokio::{Account, Audio, Error, Line, Phone, Reason, Settings};
use tokio::net::UdpSocket;

const MEDIA_SERVER: &str = "192.0.2.9:40000";

async fn phone(name: &str) -> (Phone, Line) {
    let audio = Audio::Elsewhere(MEDIA_SERVER.parse().unwrap());
    let settings = Settings { audio, ..Settings::default() };
    let phone = Phone::bind_with("127.0.0.1:0", settings).await.unwrap();
    let identity = format!("sip:{name}@127.0.0.1");
    let line = phone.add_line(Account { identity: &identity, ..Account::default() }).unwrap();
    (phone, line)
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it takes too long")
}

#[tokio::test]
async fn audio_that_is_carried_elsewhere_is_agreed_on_and_not_opened_here() {
    let ((_alice, line), (bob, _)) = (phone("alice").await, phone("bob").await);
    let target = format!("sip:bob@{}", bob.local_address());
    let answered = async {
        let call = bob.incoming().await.unwrap();
        call.answer().await.unwrap();
        call
    };
    let (ours, theirs) = soon(async { tokio::join!(line.call(&target), answered) }).await;
    let ours = ours.unwrap();
    for call in [&ours, &theirs] {
        let plan = call.plan().unwrap();
        let address: SocketAddr = MEDIA_SERVER.parse().unwrap();
        assert_eq!((plan.local, plan.remote), (address, address));
        let refused = call.start_playing(Tone::new(440, 8000)).unwrap_err();
        assert_eq!(refused, Error::Refused(sansip_tokio::sansip::endpoint::Error::State));
        assert_eq!(soon(call.digit()).await, None);
    }
    assert_eq!(soon(ours.hang_up()).await, Ok(Reason::HungUp));
    assert_eq!(soon(theirs.ended()).await, Ok(Reason::PeerHungUp));
}

#[tokio::test]
async fn a_call_whose_end_comes_right_behind_was_answered_all_the_same() {
    let (bob, _line) = phone("bob").await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    peer.connect(bob.local_address()).await.unwrap();
    peer.send(&request(&peer, "INVITE", 1, "")).await.unwrap();
    let call = soon(bob.incoming()).await.unwrap();
    let hangs_up = async {
        let tag = loop {
            let mut buffer = [0; 2048];
            let length = peer.recv(&mut buffer).await.unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with("SIP/2.0 200") {
                let to = text.lines().find(|line| line.starts_with("To:")).unwrap();
                break to.split_once(";tag=").unwrap().1.to_owned();
            }
        };
        // both before the phone has its turn
        peer.try_send(&request(&peer, "ACK", 1, &tag)).unwrap();
        peer.try_send(&request(&peer, "BYE", 2, &tag)).unwrap();
    };
    let (answered, ()) = soon(async { tokio::join!(call.answer(), hangs_up) }).await;
    assert_eq!(answered, Ok(()));
    assert_eq!(soon(call.ended()).await, Ok(Reason::PeerHungUp));
}

fn request(peer: &UdpSocket, method: &str, number: u32, to_tag: &str) -> Vec<u8> {
    let (local, remote) = (peer.local_addr().unwrap(), peer.peer_addr().unwrap());
    let body = match method {
        "INVITE" => {
            "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
                     m=audio 4000 RTP/AVP 0\r\n"
        }
        _ => "",
    };
    let length = body.len();
    let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    format!(
        "{method} sip:bob@{remote} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {local};branch=z9hG4bK-{method}\r\n\
         From: <sip:alice@{local}>;tag=1\r\n\
         To: <sip:bob@{remote}>{tag}\r\n\
         Call-ID: hasty\r\n\
         CSeq: {number} {method}\r\n\
         Contact: <sip:alice@{local}>\r\n\
         Max-Forwards: 70\r\n\
         Content-Type: application/sdp\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

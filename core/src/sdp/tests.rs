use super::*;
use crate::rtp::Codec;

fn local() -> LocalMedia {
    LocalMedia::new("192.0.2.1:4000".parse().unwrap())
}

#[test]
fn an_offer_is_answered_and_the_answer_accepted() {
    let mut offer = [0; 512];
    let length = write_offer(&mut offer, &local(), Origin { session_id: 7, version: 1 }).unwrap();
    let mut reply = [0; 512];
    let peer = LocalMedia::new("192.0.2.2:5000".parse().unwrap());
    let (n, plan) =
        answer(&offer[..length], &peer, Origin { session_id: 8, version: 1 }, &mut reply).unwrap();
    assert_eq!(plan.remote, local().address);
    let plan = accept_answer(&offer[..length], &reply[..n], &local()).unwrap();
    assert_eq!(plan.remote, peer.address);
    assert_eq!(plan.codec, Codec::Pcmu);
    assert_eq!(plan.dtmf.unwrap().send_type, 101);
}

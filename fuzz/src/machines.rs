//! Digest, DTMF and the media session.

use core::net::SocketAddr;

use sansip::digest::{Algorithm, Answer, Challenger, Expected, Secret, Seen, Verdict};
use sansip::media::{MediaEvent, Session};
use sansip::rtp::{Codec, TelephoneEvent};
use sansip::sdp::{Direction, DtmfPlan, MediaPlan};
use sansip::sip::Credentials;
use sansip::time::{Duration, Instant};

use crate::Program;

/// Credentials made of any bytes are never verified: nobody guesses a response.
pub fn digest(data: &[u8]) {
    let Ok(credentials) = Credentials::parse(data) else { return };
    let Some(answer) = Answer::of(&credentials) else { return };
    let mut challenger = Challenger::new([3; 32], Duration::from_secs(60));
    let mut seen = [Seen::default(); 4];
    let expected = Expected {
        realm: b"sansip",
        username: b"100",
        secret: Secret::Password(b"test100"),
        method: b"REGISTER",
        uri: b"sip:192.0.2.1",
        body: b"",
        algorithms: &[Algorithm::Md5, Algorithm::Sha256],
        client: b"",
    };
    let now = Instant::from_millis(5000);
    let verdict = challenger.verify(now, &answer, &expected, &mut seen);
    assert_ne!(verdict, Verdict::Verified);
}

/// Reports of any payload are bounded, and each writes back what it read.
pub fn telephone_event(data: &[u8]) {
    for report in TelephoneEvent::reports(data) {
        let bytes = report.to_bytes();
        assert_eq!(TelephoneEvent::parse(bytes), report);
        for size in 0..6 {
            let mut room = vec![0; size];
            assert_eq!(report.write(&mut room).is_ok(), size >= TelephoneEvent::LEN);
        }
    }
}

/// Whatever packets come, from wherever and whenever: what we send is one line of sequence numbers
/// with one SSRC to an address that was signalled or latched, events are bounded, and ticks give
/// frames.
pub fn media_session(data: &[u8]) {
    let mut program = Program::new(data);
    let peer: SocketAddr = "192.0.2.2:4000".parse().expect("an address");
    let stranger: SocketAddr = "198.51.100.3:666".parse().expect("an address");
    let mut plan = plan(peer);
    let mut now = Instant::from_millis(1000);
    let mut session = Session::new(&plan, [9; 32], now);
    let mut last: Option<(u16, u32)> = None;
    let mut sequence = 0_u16;
    while let Some(choice) = program.byte() {
        match choice % 12 {
            0 => {
                let from = if choice & 0x80 == 0 { peer } else { stranger };
                session.handle(now, from, program.bytes());
            }
            1 => session.handle_rtcp(now, peer, program.bytes()),
            2 => now += Duration::from_millis(u64::from(program.number())),
            3 => {
                let digits = ["1", "#", "1234", "ABCD*0", "x"];
                let digits = digits[usize::from(choice / 12) % digits.len()];
                let _ = session.send_digits(digits, Duration::from_millis(program.number().into()));
            }
            4 => session.mute(choice & 0x80 != 0),
            5 => {
                plan.direction = [
                    Direction::SendRecv,
                    Direction::SendOnly,
                    Direction::RecvOnly,
                    Direction::Inactive,
                ][usize::from(choice >> 6)];
                session.set_plan(now, &plan);
            }
            6 => {
                // a well-formed packet of the peer
                sequence = sequence.wrapping_add(u16::from(program.byte().unwrap_or(1)));
                let mut packet = vec![0x80, if choice & 0x80 == 0 { 0 } else { 101 }];
                packet.extend(sequence.to_be_bytes());
                packet.extend((u32::from(sequence) * 160).to_be_bytes());
                packet.extend([0, 0, 0, 7]);
                packet.extend(program.bytes());
                session.handle(now, peer, &packet);
            }
            _ => {
                now += Duration::from_millis(20);
                let mut playout = vec![0; session.frame()];
                let captured = vec![100; session.frame()];
                if let Some(sent) = session.tick(now, &captured, &mut playout) {
                    check_line(sent.bytes, &mut last);
                    assert!([peer, stranger].contains(&sent.to));
                }
                let _ = session.poll_rtcp(now);
            }
        }
        let mut events = 0;
        while let Some(event) = session.poll_event() {
            events += 1;
            assert!(events < 200, "an event storm");
            if let MediaEvent::DigitReceived { .. } = event {
                assert!(events <= sansip::limits::DIGITS_IN_MAX + 4);
            }
        }
    }
}

fn check_line(bytes: &[u8], last: &mut Option<(u16, u32)>) {
    let packet = sansip::rtp::Packet::parse(bytes).expect("what we send parses");
    let (sequence, ssrc) = (packet.header.sequence, packet.header.ssrc);
    if let Some((before, same)) = *last {
        assert_eq!(sequence, before.wrapping_add(1), "sequence numbers have no gap");
        assert_eq!(ssrc, same, "one SSRC");
    }
    *last = Some((sequence, ssrc));
}

fn plan(peer: SocketAddr) -> MediaPlan {
    MediaPlan {
        local: "192.0.2.1:4000".parse().expect("an address"),
        remote: peer,
        remote_rtcp: SocketAddr::new(peer.ip(), peer.port() + 1),
        codec: Codec::Pcmu,
        send_type: 0,
        receive_type: 0,
        dtmf: Some(DtmfPlan { send_type: 101, receive_type: 101, clock_rate_hz: 8000 }),
        ptime_ms: 20,
        direction: Direction::SendRecv,
    }
}

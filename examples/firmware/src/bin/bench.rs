//! Counts instructions: under `-icount shift=0` one of them takes a nanosecond of the guest's
//! clock, so the counts are the same at every run, whatever else the host does.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::net::{Ipv4Addr, SocketAddr};

use embassy_executor::Spawner;
use embassy_time::Instant as Clock;
use sansip_embassy::sansip::endpoint::{Account, Action, Config, Endpoint, Input};
use sansip_embassy::sansip::media::{Session, Source, Tone};
use sansip_embassy::sansip::path::Path;
use sansip_embassy::sansip::rtp::Codec;
use sansip_embassy::sansip::sdp::{Direction, MediaPlan};
use sansip_embassy::sansip::sip::{Head, HeaderName, Message};
use sansip_embassy::sansip::storage::SmallMemory;
use sansip_embassy::sansip::time::{Duration, Instant};
use sansip_firmware::board::{self, executor, host};
use static_cell::ConstStaticCell;

#[cortex_m_rt::entry]
fn main() -> ! {
    // The clock comes with the board; its network stays silent.
    let _nic = board::start();
    executor::run(start)
}

fn start(_: Spawner) {
    parse();
    register();
    media();
    host::exit(true)
}

/// Prints how many instructions one of `rounds` calls of `work` takes.
fn count(name: &str, rounds: u32, mut work: impl FnMut(u32)) {
    let started = Clock::now();
    for round in 0..rounds {
        work(round);
    }
    let micros = (Clock::now() - started).as_micros() as u32;
    let instructions = host::Decimal::new(micros * 1000 / rounds);
    host::print(&[name, " ", instructions.text(), " instructions"]);
}

fn parse() {
    count("parse-401", 200, |_| {
        let Ok(message) = Message::parse(black_box(CHALLENGE)) else { return };
        black_box(Head::parse(&message).is_ok());
        for challenge in message.challenges(HeaderName::WwwAuthenticate) {
            black_box((challenge.realm(), challenge.nonce(), challenge.algorithm()));
        }
    });
}

/// A REGISTER, the 401, the REGISTER with credentials: through the whole endpoint.
fn register() {
    static MEMORY: ConstStaticCell<SmallMemory> = ConstStaticCell::new(SmallMemory::new());
    static ANSWER: ConstStaticCell<[u8; 1024]> = ConstStaticCell::new([0; 1024]);
    let local = SocketAddr::from((Ipv4Addr::new(10, 0, 2, 15), 5060));
    let remote = SocketAddr::from((Ipv4Addr::new(10, 0, 2, 2), 5060));
    let path = Path::udp(local, remote);
    let config = Config { local: Some(local), ..Config::default() };
    let mut endpoint = Endpoint::new(config, [7; 32], MEMORY.take().storage());
    let answer = ANSWER.take();
    let account = Account {
        identity: "sip:100@10.0.2.2",
        registrar: "sip:10.0.2.2",
        password: "test100",
        ..Account::default()
    };
    let Ok(account) = endpoint.add_account(Instant::ZERO, account) else { return };
    let mut length = 0;
    count("register-first", 1, |_| {
        let _ = endpoint.register(Instant::ZERO, account);
        while let Some(action) = endpoint.poll_action(Instant::ZERO) {
            if let Action::Transmit { bytes, .. } = action {
                length = challenge(bytes, answer);
            }
        }
    });
    let answer = answer.get(..length).unwrap_or_default();
    let mut sent = 0;
    count("register-challenged", 1, |_| {
        endpoint.handle(Instant::ZERO, Input::Message { path, bytes: black_box(answer) });
        while let Some(action) = endpoint.poll_action(Instant::ZERO) {
            sent += usize::from(matches!(action, Action::Transmit { .. }));
        }
    });
    if sent != 1 {
        host::print(&["the challenge was not answered"]);
        host::exit(false);
    }
}

/// The 401 to a request: its Via, From, To, Call-ID and CSeq, and a challenge.
fn challenge(request: &[u8], into: &mut [u8]) -> usize {
    let kept = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
    let mut length = 0;
    let mut append = |bytes: &[u8]| {
        if let Some(place) = into.get_mut(length..length + bytes.len()) {
            place.copy_from_slice(bytes);
            length += bytes.len();
        }
    };
    append(b"SIP/2.0 401 Unauthorized\r\n");
    for line in request.split_inclusive(|byte| *byte == b'\n') {
        if kept.iter().any(|name| line.starts_with(name.as_bytes())) {
            append(line);
        }
    }
    append(b"WWW-Authenticate: Digest realm=\"asterisk\", nonce=\"1728036000/0123456789abcdef\", ");
    append(
        b"opaque=\"5ccc069c403ebaf9\", algorithm=MD5, qop=\"auth\"\r\nContent-Length: 0\r\n\r\n",
    );
    length
}

/// A second of a tone from one session to the other, and back: encode, build, parse, jitter
/// buffer, decode.
fn media() {
    static SESSIONS: ConstStaticCell<[Session; 2]> =
        ConstStaticCell::new([const { Session::idle() }; 2]);
    let [first, second] = SESSIONS.take();
    let addresses = [4000, 4002].map(|port| SocketAddr::from((Ipv4Addr::new(10, 0, 2, 2), port)));
    let [here, there] = addresses;
    first.start(&plan(here, there), [1; 32], Instant::ZERO);
    second.start(&plan(there, here), [2; 32], Instant::ZERO);
    let mut tone = Tone::new(440, 8000);
    let (mut captured, mut playout) = ([0; 160], [0; 160]);
    tone.read(&mut captured);
    // One way in, one way out: what one side does for each 20 ms.
    let mut round = |at: u32| {
        let now = Instant::ZERO + Duration::from_millis(20).times(at.into());
        if let Some(packet) = first.tick(now, black_box(&captured), &mut playout) {
            second.handle(now, here, packet.bytes);
        }
        if let Some(packet) = second.tick(now, black_box(&captured), &mut playout) {
            first.handle(now, there, packet.bytes);
        }
        black_box(&playout);
    };
    (0..50).for_each(&mut round);
    count("media-frame-pair", 100, |at| round(50 + at));
}

fn plan(local: SocketAddr, remote: SocketAddr) -> MediaPlan {
    MediaPlan {
        local,
        remote,
        remote_rtcp: SocketAddr::new(remote.ip(), remote.port() + 1),
        codec: Codec::Pcmu,
        send_type: 0,
        receive_type: 0,
        dtmf: None,
        ptime_ms: 20,
        direction: Direction::SendRecv,
    }
}

const CHALLENGE: &[u8] = b"SIP/2.0 401 Unauthorized\r\n\
    Via: SIP/2.0/UDP 10.0.2.15:5060;rport=5060;received=10.0.2.15;branch=z9hG4bK0123456789abcdef\r\n\
    Call-ID: 0123456789abcdef0123456789abcdef\r\n\
    From: <sip:100@10.0.2.2>;tag=0123456789abcdef\r\n\
    To: <sip:100@10.0.2.2>;tag=z9hG4bKfedcba98\r\n\
    CSeq: 1 REGISTER\r\n\
    WWW-Authenticate: Digest realm=\"asterisk\",nonce=\"1728036000/0123456789abcdef0123456789abcdef\",\
    opaque=\"5ccc069c403ebaf9\",algorithm=MD5,qop=\"auth\"\r\n\
    Server: Asterisk PBX 22\r\n\
    Content-Length: 0\r\n\r\n";

use super::*;
use Admission::{Accepted, Moved, Refused};

const SIGNALLED: &str = "192.0.2.1:4000";
const SAME_HOST: &str = "192.0.2.1:5000";
const NAT: &str = "198.51.100.7:6000";
const RIVAL: &str = "203.0.113.66:7000";

struct Network {
    latch: Latch,
    now: Instant,
    sequence: u16,
}

impl Network {
    fn new() -> Self {
        let mut latch = Latch::new();
        let now = Instant::from_millis(1000);
        latch.expect(now, SIGNALLED.parse().unwrap());
        Self { latch, now, sequence: 65_530 }
    }

    fn packet(&mut self, from: &str) -> Admission {
        let ssrc = from.len() as u32 + from.as_bytes()[0] as u32;
        self.packet_of(from, ssrc)
    }

    fn packet_of(&mut self, from: &str, ssrc: u32) -> Admission {
        self.sequence = self.sequence.wrapping_add(1);
        let header = Header { ssrc, sequence: self.sequence, ..Header::default() };
        self.latch.admit(self.now, &from.parse().unwrap(), &header)
    }

    fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    /// Packets every 20 ms; how many were refused before the first was let in.
    fn until_admitted(&mut self, from: &str, limit: usize) -> Option<usize> {
        for count in 0..limit {
            if self.packet(from) != Refused {
                return Some(count);
            }
            self.wait(20);
        }
        None
    }

    fn source(&self) -> Option<SocketAddr> {
        self.latch.source().copied()
    }
}

#[test]
fn the_signalled_source_is_believed_at_once_and_at_any_time() {
    let mut network = Network::new();
    network.wait(3_600_000);
    assert_eq!(network.packet(SIGNALLED), Accepted);
    assert_eq!(network.source(), SIGNALLED.parse().ok());
}

#[test]
fn nobody_else_is_heard_once_the_signalled_source_was() {
    let mut network = Network::new();
    assert_eq!(network.packet(SIGNALLED), Accepted);
    for from in [SAME_HOST, NAT] {
        assert_eq!(network.until_admitted(from, 100), None, "{from}");
    }
    assert_eq!(network.packet(SIGNALLED), Accepted);
}

#[test]
fn a_peer_behind_a_nat_is_learnt_after_half_a_second() {
    for from in [SAME_HOST, NAT] {
        let mut network = Network::new();
        assert_eq!(network.until_admitted(from, 100), Some(25), "{from}");
        assert_eq!(network.source(), from.parse().ok());
        assert_eq!(network.packet(from), Accepted);
        assert_eq!(network.until_admitted(RIVAL, 100), None);
    }
}

#[test]
fn nobody_is_learnt_after_the_window() {
    let mut network = Network::new();
    network.wait(LATCH_WINDOW_MS - 400);
    assert_eq!(network.until_admitted(NAT, 100), None);
    assert_eq!(network.source(), None);
}

#[test]
fn two_rivals_of_the_same_kind_are_both_refused() {
    let mut network = Network::new();
    for _ in 0..150 {
        assert_eq!(network.packet(NAT), Refused);
        assert_eq!(network.packet(RIVAL), Refused);
        network.wait(20);
    }
}

#[test]
fn the_signalled_host_goes_before_another_host() {
    let mut network = Network::new();
    for _ in 0..24 {
        assert_eq!(network.packet(RIVAL), Refused);
        network.wait(20);
    }
    let mut admitted = None;
    for count in 0..40 {
        assert_eq!(network.packet(RIVAL), Refused, "{count}");
        if network.packet(SAME_HOST) == Moved {
            admitted = Some(count);
            break;
        }
        network.wait(20);
    }
    // Two interleaved streams share one counter here, so that each skips one number a time.
    assert_eq!(admitted, Some(25));
}

#[test]
fn an_injector_before_the_first_good_packet_gains_nothing() {
    let mut network = Network::new();
    for _ in 0..24 {
        assert_eq!(network.packet(RIVAL), Refused);
        network.wait(20);
    }
    assert_eq!(network.packet(SIGNALLED), Accepted);
    assert_eq!(network.until_admitted(RIVAL, 100), None);
}

#[test]
fn the_signalled_source_takes_over_from_a_learnt_one_with_two_packets() {
    let mut network = Network::new();
    network.until_admitted(NAT, 100).unwrap();
    network.wait(60_000);
    assert_eq!(network.packet(SIGNALLED), Refused);
    assert_eq!(network.packet(NAT), Accepted);
    assert_eq!(network.packet(SIGNALLED), Refused, "the learnt one is still there");
    assert_eq!(network.packet(SIGNALLED), Moved);
    assert_eq!(network.packet(NAT), Refused);
}

#[test]
fn a_candidate_must_keep_its_ssrc_and_its_sequence() {
    let mut network = Network::new();
    for ssrc in 0..100 {
        assert_eq!(network.packet_of(NAT, ssrc), Refused);
        network.wait(20);
    }
    let mut network = Network::new();
    for _ in 0..100 {
        network.sequence = network.sequence.wrapping_add(1000);
        assert_eq!(network.packet_of(NAT, 1), Refused);
        network.wait(20);
    }
}

#[test]
fn one_packet_an_hour_is_no_consistent_stream() {
    let mut network = Network::new();
    network.latch.window_end = Instant::FAR;
    for _ in 0..20 {
        assert_eq!(network.packet(NAT), Refused);
        network.wait(3_600_000);
    }
}

#[test]
fn a_moved_peer_is_learnt_anew_and_an_unmoved_one_is_kept() {
    let mut network = Network::new();
    network.until_admitted(NAT, 100).unwrap();
    let now = network.now;
    network.latch.expect(now, SIGNALLED.parse().unwrap());
    assert_eq!(network.packet(NAT), Accepted);
    network.latch.expect(now, RIVAL.parse().unwrap());
    assert_eq!(network.source(), None);
    assert_eq!(network.packet(NAT), Refused);
    assert_eq!(network.packet(RIVAL), Accepted);
}

#[test]
fn nobody_is_learnt_while_there_is_no_remote_port() {
    let mut network = Network::new();
    let now = network.now;
    network.latch.expect(now, "192.0.2.1:0".parse().unwrap());
    assert_eq!(network.until_admitted(SAME_HOST, 100), None);
}

#[test]
fn mapped_addresses_are_compared_as_ipv4() {
    assert_eq!(canonical("[::ffff:192.0.2.1]:4000".parse().unwrap()), SIGNALLED.parse().unwrap());
}

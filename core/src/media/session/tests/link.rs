//! Two sessions over a bad network on virtual time.

use super::*;

/// What the network does to a packet, drawn from a simple generator.
struct Faults {
    state: u64,
    loss_percent: u64,
    duplicate_percent: u64,
    delay_ms: u64,
}

impl Faults {
    fn draw(&mut self, below: u64) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.state >> 33) % below
    }
}

struct Link {
    faults: Faults,
    /// Arrival, whether from A, whether RTCP, datagram.
    flying: Vec<(Instant, bool, bool, Vec<u8>)>,
}

impl Link {
    fn send(&mut self, now: Instant, from_a: bool, rtcp: bool, bytes: &[u8]) {
        let faults = &mut self.faults;
        if faults.draw(100) < faults.loss_percent {
            return;
        }
        let copies = 1 + u64::from(faults.draw(100) < faults.duplicate_percent);
        for _ in 0..copies {
            let delay = faults.draw(faults.delay_ms.max(1));
            self.flying.push((now + Duration::from_millis(delay), from_a, rtcp, bytes.to_vec()));
        }
    }

    fn arrived(&mut self, now: Instant) -> Vec<(Instant, bool, bool, Vec<u8>)> {
        self.flying.sort_by_key(|(at, ..)| *at);
        let count = self.flying.iter().take_while(|(at, ..)| *at <= now).count();
        self.flying.drain(..count).collect()
    }
}

struct Call {
    a: Session,
    b: Session,
    link: Link,
    now: Instant,
    heard_by_b: Vec<i16>,
    events: [Vec<MediaEvent>; 2],
}

impl Call {
    fn new(seed: u64, loss_percent: u64, duplicate_percent: u64, delay_ms: u64) -> Self {
        let mut seed_b = [0; 32];
        seed_b[..8].copy_from_slice(&seed.to_be_bytes());
        let faults = Faults { state: seed ^ 0x5eed, loss_percent, duplicate_percent, delay_ms };
        Self {
            a: Session::new(&plan(), [seed as u8 ^ 0x55; 32], START),
            b: Session::new(&peer_plan(), seed_b, START),
            link: Link { faults, flying: Vec::new() },
            now: START,
            heard_by_b: Vec::new(),
            events: [Vec::new(), Vec::new()],
        }
    }

    fn tick(&mut self, captured: &[i16]) {
        for (at, from_a, rtcp, bytes) in self.link.arrived(self.now) {
            let (to, from) = if from_a { (&mut self.b, HERE) } else { (&mut self.a, THERE) };
            let mut from = address(from);
            if rtcp {
                from.set_port(from.port() + 1);
                to.handle_rtcp(at, from, &bytes);
            } else {
                to.handle(at, from, &bytes);
            }
        }
        let mut playout = [0; 160];
        if let Some(sent) = self.a.tick(self.now, captured, &mut []) {
            self.link.send(self.now, true, false, sent.bytes);
        }
        if let Some(sent) = self.b.tick(self.now, &[], &mut playout) {
            self.link.send(self.now, false, false, sent.bytes);
        }
        self.heard_by_b.extend(playout);
        if let Some(sent) = self.a.poll_rtcp(self.now) {
            self.link.send(self.now, true, true, sent.bytes);
        }
        if let Some(sent) = self.b.poll_rtcp(self.now) {
            self.link.send(self.now, false, true, sent.bytes);
        }
        self.events[0].extend(core::iter::from_fn(|| self.a.poll_event()));
        self.events[1].extend(core::iter::from_fn(|| self.b.poll_event()));
        self.now += FRAME;
    }
}

#[test]
fn a_tone_comes_through_a_good_network_unharmed() {
    let mut call = Call::new(1, 0, 0, 15);
    let mut tone = Tone::new(1000, 8000);
    let mut captured = [0; 160];
    for _ in 0..500 {
        tone.read(&mut captured);
        call.tick(&captured);
    }
    let report = call.b.statistics();
    assert_eq!((report.lost, report.late, report.concealed_frames), (0, 0, 0));
    assert!(tone_share(&call.heard_by_b[8000..12_000], 1000) > 990);
    assert!(tone_share(&call.heard_by_b[60_000..64_000], 1000) > 990);
}

#[test]
fn a_tone_is_still_a_tone_with_five_percent_loss_and_jitter() {
    let mut call = Call::new(2, 5, 5, 60);
    let mut tone = Tone::new(1000, 8000);
    let mut captured = [0; 160];
    for _ in 0..1500 {
        tone.read(&mut captured);
        call.tick(&captured);
    }
    let report = call.b.statistics();
    assert!((40..120).contains(&report.lost), "{report:?}");
    assert!(report.late < 20, "{report:?}");
    assert!(report.duplicates > 20, "{report:?}");
    assert!((5_000..40_000).contains(&report.jitter.as_micros()), "{report:?}");
    let good = call.heard_by_b[160_000..].chunks(800).filter(|part| tone_share(part, 1000) > 700);
    assert!(good.count() > 80);
}

#[test]
fn both_sides_measure_the_round_trip_and_see_the_others_report() {
    let mut call = Call::new(3, 0, 0, 1);
    for _ in 0..1500 {
        call.tick(&[]);
    }
    for session in [&call.a, &call.b] {
        let report = session.statistics();
        assert!(report.round_trip.unwrap().as_millis() <= 1, "{report:?}");
        assert_eq!(report.remote_lost, Some(0));
        assert!(report.remote_jitter.is_some());
    }
}

fn digits_arrive(seed: u64, loss_percent: u64, duplicate_percent: u64, delay_ms: u64) {
    let mut call = Call::new(seed, loss_percent, duplicate_percent, delay_ms);
    let digits = "1234567890*#ABCD11#";
    call.a.send_digits(digits, Duration::from_millis(160)).unwrap();
    for _ in 0..digits.len() * 14 + 60 {
        call.tick(&[]);
    }
    let received = digits_of(&call.events[1]);
    assert_eq!(received, digits, "seed {seed} loss {loss_percent} delay {delay_ms}");
}

#[test]
fn digits_arrive_once_and_in_order_over_a_bad_network() {
    for seed in 0..40 {
        digits_arrive(seed, 0, 0, 1);
        digits_arrive(seed, 20, 20, 100);
        digits_arrive(seed, 10, 50, 140);
    }
}

#[test]
fn nothing_that_was_not_sent_is_received_on_the_worst_network() {
    for seed in 0..40 {
        let mut call = Call::new(seed, 60, 20, 400);
        let digits = "1234567890*#ABCD";
        call.a.send_digits(digits, Duration::from_millis(160)).unwrap();
        for _ in 0..300 {
            call.tick(&[]);
        }
        let received = digits_of(&call.events[1]);
        let mut sent = digits.chars();
        assert!(
            received.chars().all(|digit| sent.any(|other| other == digit)),
            "{seed}: {received}"
        );
    }
}

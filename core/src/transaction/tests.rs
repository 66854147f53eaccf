//! Every state times every event against tables written from RFC 3261 s17 and RFC 6026, and every
//! timer to the microsecond.

use core::fmt::Debug;
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use super::*;

const START: Instant = Instant::from_millis(77_777);

const EVENTS: [Event; 7] = [
    Event::Provisional,
    Event::Success,
    Event::Failure,
    Event::Request,
    Event::Ack,
    Event::Tick,
    Event::TransportError,
];

const NONE: Effect = Effect { transmit: Transmit::Nothing, deliver: false, gone: None };
const DELIVER: Effect = Effect { deliver: true, ..NONE };
const RESPOND: Effect = Effect { transmit: Transmit::Response, ..NONE };
const SEND_ACK: Effect = Effect { transmit: Transmit::Ack, ..NONE };
const ACK_AND_DELIVER: Effect = Effect { transmit: Transmit::Ack, deliver: true, gone: None };

const fn gone(how: Gone) -> Effect {
    Effect { gone: Some(how), ..NONE }
}

/// The timings that every table is tried with: usual, fast, odd, with T1 over T2.
fn timings() -> Vec<Timing> {
    let mut all = vec![];
    for (t1, t2, t4) in [(500, 4000, 5000), (10, 60, 70), (333, 1000, 2500), (2000, 1500, 900)] {
        for reliable in [false, true] {
            let [t1, t2, t4] = [t1, t2, t4].map(Duration::from_millis);
            all.push(Timing { t1, t2, t4, reliable });
        }
    }
    all
}

/// What the four machines have in common.
trait Machine: Copy + Debug + PartialEq {
    fn begin(now: Instant, timing: &Timing) -> Self;
    fn event(&mut self, event: Event, now: Instant, timing: &Timing) -> Effect;
    fn due(&self) -> Option<Instant>;
    /// Whether what can be seen of a machine fits the state with this name.
    fn looks_like(&self, state: &str) -> bool;
}

macro_rules! machine {
    ($name:ty, |$now:ident, $timing:ident| $start:expr, $looks:expr) => {
        impl Machine for $name {
            fn begin($now: Instant, $timing: &Timing) -> Self {
                $start
            }

            fn event(&mut self, event: Event, now: Instant, timing: &Timing) -> Effect {
                self.on(event, now, timing)
            }

            fn due(&self) -> Option<Instant> {
                self.deadline()
            }

            fn looks_like(&self, state: &str) -> bool {
                let looks: fn(&Self) -> String = $looks;
                looks(self) == state || looks(self).split('|').any(|name| name == state)
            }
        }
    };
}

machine!(ClientInvite, |now, timing| ClientInvite::start(now, timing), |machine| {
    let flags = (machine.is_open(), machine.is_proceeding(), machine.is_completed());
    String::from(match flags {
        (true, false, false) => "Calling",
        (true, true, false) => "Proceeding",
        (false, false, true) => "Completed",
        (false, false, false) => "Accepted",
        _ => "no state",
    })
});
machine!(ClientRequest, |now, timing| ClientRequest::start(now, timing), |machine| {
    String::from(if machine.is_completed() { "Completed" } else { "Trying|Proceeding" })
});
machine!(ServerInvite, |now, _timing| ServerInvite::start(now), |machine| {
    let flags = (machine.is_open(), machine.is_trying(), machine.is_completed());
    String::from(match (flags, machine.is_silent(), machine.awaits_ack()) {
        ((true, true, false), false, false) => "Trying",
        ((true, false, false), false, false) => "Proceeding",
        ((false, false, true), false, false) => "Completed",
        ((false, false, false), false, true) => "Accepted",
        ((false, false, false), true, false) => "Confirmed|Acknowledged",
        _ => "no state",
    })
});
machine!(ServerRequest, |now, timing| ServerRequest::start(now, timing), |machine| {
    String::from(if machine.is_open() { "Trying|Proceeding" } else { "Completed" })
});

fn assert_state<M: Machine>(machine: &M, state: &str, what: &str) {
    assert!(machine.looks_like(state), "{what}: {machine:?} does not look like {state}");
    assert!(format!("{machine:?}").contains(&format!("state: {state},")), "{what}: {machine:?}");
}

/// One row: in a state, at an event, the effect and the next state.
type Row = (&'static str, Event, Effect, &'static str);

/// Try every state with every event: rows say what happens, and whatever no row names changes
/// nothing at all, not even a timer.
fn check_table<M: Machine>(states: &[(&'static str, &[Event])], rows: &[Row]) {
    for timing in timings() {
        for (state, way) in states {
            let mut reached = M::begin(START, &timing);
            for event in *way {
                reached.event(*event, START, &timing);
            }
            assert_state(&reached, state, "reached");
            for event in EVENTS {
                let mut machine = reached;
                // a Tick before anything is due; what it does then is told by the lives below
                let early = START - Duration::from_micros(1);
                let now = if event == Event::Tick { early } else { START };
                let effect = machine.event(event, now, &timing);
                let row = rows.iter().find(|row| row.0 == *state && row.1 == event);
                let what = format!("{state} at {event:?} with {timing:?}");
                let Some((.., expected, next)) = row else {
                    assert_eq!((machine, effect), (reached, NONE), "{what}");
                    continue;
                };
                assert_eq!(
                    Effect { gone: None, ..effect },
                    Effect { gone: None, ..*expected },
                    "{what}"
                );
                let lingers = matches!(*next, "Completed" | "Confirmed") && next != state;
                let zero = lingers && timing.reliable && machine.due() == Some(START);
                let done = zero.then_some(Gone::Done);
                assert_eq!(effect.gone, expected.gone.or(done), "{what}");
                assert_state(&machine, next, &what);
            }
        }
    }
}

#[test]
fn an_invite_client_follows_its_table() {
    use Event::*;
    check_table::<ClientInvite>(
        &[
            ("Calling", &[]),
            ("Proceeding", &[Provisional]),
            ("Completed", &[Failure]),
            ("Completed", &[Provisional, Failure]),
            ("Accepted", &[Success]),
            ("Accepted", &[Provisional, Success]),
        ],
        &[
            ("Calling", Provisional, DELIVER, "Proceeding"),
            ("Calling", Success, DELIVER, "Accepted"),
            ("Calling", Failure, ACK_AND_DELIVER, "Completed"),
            ("Calling", TransportError, gone(Gone::TransportError), "Calling"),
            ("Proceeding", Provisional, DELIVER, "Proceeding"),
            ("Proceeding", Success, DELIVER, "Accepted"),
            ("Proceeding", Failure, ACK_AND_DELIVER, "Completed"),
            // not in the RFC's figure: the connection that the response would come by is gone
            ("Proceeding", TransportError, gone(Gone::TransportError), "Proceeding"),
            ("Completed", Failure, SEND_ACK, "Completed"),
            ("Completed", TransportError, gone(Gone::TransportError), "Completed"),
            ("Accepted", Success, DELIVER, "Accepted"),
        ],
    );
}

#[test]
fn a_client_of_another_request_follows_its_table() {
    use Event::*;
    check_table::<ClientRequest>(
        &[
            ("Trying", &[]),
            ("Proceeding", &[Provisional]),
            ("Completed", &[Success]),
            ("Completed", &[Provisional, Failure]),
        ],
        &[
            ("Trying", Provisional, DELIVER, "Proceeding"),
            ("Trying", Success, DELIVER, "Completed"),
            ("Trying", Failure, DELIVER, "Completed"),
            ("Trying", TransportError, gone(Gone::TransportError), "Trying"),
            ("Proceeding", Provisional, DELIVER, "Proceeding"),
            ("Proceeding", Success, DELIVER, "Completed"),
            ("Proceeding", Failure, DELIVER, "Completed"),
            ("Proceeding", TransportError, gone(Gone::TransportError), "Proceeding"),
        ],
    );
}

#[test]
fn an_invite_server_follows_its_table() {
    use Event::*;
    check_table::<ServerInvite>(
        &[
            ("Trying", &[]),
            ("Proceeding", &[Provisional]),
            ("Completed", &[Failure]),
            ("Completed", &[Provisional, Failure]),
            ("Confirmed", &[Failure, Ack]),
            ("Accepted", &[Success]),
            ("Accepted", &[Provisional, Success]),
            ("Acknowledged", &[Success, Ack]),
        ],
        &[
            ("Trying", Provisional, RESPOND, "Proceeding"),
            ("Trying", Success, RESPOND, "Accepted"),
            ("Trying", Failure, RESPOND, "Completed"),
            ("Proceeding", Provisional, RESPOND, "Proceeding"),
            ("Proceeding", Success, RESPOND, "Accepted"),
            ("Proceeding", Failure, RESPOND, "Completed"),
            ("Proceeding", Request, RESPOND, "Proceeding"),
            ("Completed", Request, RESPOND, "Completed"),
            ("Completed", Ack, NONE, "Confirmed"),
            ("Accepted", Ack, DELIVER, "Acknowledged"),
        ],
    );
}

#[test]
fn a_server_of_another_request_follows_its_table() {
    use Event::*;
    check_table::<ServerRequest>(
        &[
            ("Trying", &[]),
            ("Proceeding", &[Provisional]),
            ("Completed", &[Success]),
            ("Completed", &[Provisional, Failure]),
        ],
        &[
            ("Trying", Provisional, RESPOND, "Proceeding"),
            ("Trying", Success, RESPOND, "Completed"),
            ("Trying", Failure, RESPOND, "Completed"),
            ("Proceeding", Provisional, RESPOND, "Proceeding"),
            ("Proceeding", Success, RESPOND, "Completed"),
            ("Proceeding", Failure, RESPOND, "Completed"),
            ("Proceeding", Request, RESPOND, "Proceeding"),
            ("Completed", Request, RESPOND, "Completed"),
        ],
    );
}

/// What a machine did at each of its deadlines, offsets in milliseconds from the last event that
/// led to it, until it was gone or had no deadline any more.
fn life<M: Machine>(timing: &Timing, way: &[Event]) -> (Vec<u64>, Option<(u64, Effect)>) {
    let mut machine = M::begin(START, timing);
    for event in way {
        machine.event(*event, START, timing);
    }
    let mut sent = vec![];
    let mut steps = 0;
    while let Some(due) = machine.due() {
        steps += 1;
        assert!(steps < 1000, "{machine:?} does not end");
        let before = due - Duration::from_micros(1);
        if before >= START && before != due {
            let mut early = machine;
            assert_eq!(early.event(Event::Tick, before, timing), NONE);
            assert_eq!(early, machine, "a Tick too early changed something");
        }
        let effect = machine.event(Event::Tick, due, timing);
        let at = due.since(START);
        assert_eq!(at.as_micros() % 1000, 0);
        if effect.gone.is_some() || effect.deliver {
            return (sent, Some((at.as_millis(), effect)));
        }
        assert_ne!(effect.transmit, Transmit::Nothing, "{machine:?} woke for nothing");
        sent.push(at.as_millis());
    }
    (sent, None)
}

/// Sums of `first`, doubled each time up to `most`, below `end`.
fn doubling(first: u64, most: u64, end: u64) -> Vec<u64> {
    let (mut at, mut step, mut times) = (first, first, vec![]);
    while at < end {
        times.push(at);
        step = (step * 2).min(most);
        at += step;
    }
    times
}

#[test]
fn the_usual_timers_are_those_of_table_4() {
    let timing = Timing {
        t1: Duration::from_millis(500),
        t2: Duration::from_secs(4),
        t4: Duration::from_secs(5),
        reliable: false,
    };
    let timed_out = Some((32_000, gone(Gone::TimedOut)));
    let timer_a = vec![500, 1500, 3500, 7500, 15_500, 31_500];
    assert_eq!(life::<ClientInvite>(&timing, &[]), (timer_a, timed_out));
    let timer_e = vec![500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(life::<ClientRequest>(&timing, &[]), (timer_e.clone(), timed_out));
    let ack_missing = Some((32_000, gone(Gone::AckMissing)));
    assert_eq!(life::<ServerInvite>(&timing, &[Event::Failure]), (timer_e.clone(), ack_missing));
    assert_eq!(life::<ServerInvite>(&timing, &[Event::Success]), (timer_e, ack_missing));
}

#[test]
fn every_timer_follows_from_t1_t2_and_t4() {
    use Event::*;
    for timing in timings() {
        let [t1, t2, t4] = [timing.t1, timing.t2, timing.t4].map(Duration::as_millis);
        let end = 64 * t1;
        let unreliable = |times: Vec<u64>| if timing.reliable { vec![] } else { times };
        let linger = |ms: u64| if timing.reliable { 0 } else { ms };
        let done = |at: u64| Some((at, gone(Gone::Done)));
        let timed_out = Some((end, gone(Gone::TimedOut)));
        let ack_missing = Some((end, gone(Gone::AckMissing)));
        let never = || (vec![], None);
        // A, B; D; M
        let timer_a = unreliable(doubling(t1, u64::MAX, end));
        assert_eq!(life::<ClientInvite>(&timing, &[]), (timer_a, timed_out), "{timing:?}");
        assert_eq!(life::<ClientInvite>(&timing, &[Provisional]), never());
        let timer_d = done(linger(32_000));
        assert_eq!(life::<ClientInvite>(&timing, &[Failure]), (vec![], timer_d));
        assert_eq!(life::<ClientInvite>(&timing, &[Success]), (vec![], done(end)));
        // E, F; K
        let timer_e = unreliable(doubling(t1, t2, end));
        assert_eq!(life::<ClientRequest>(&timing, &[]), (timer_e, timed_out), "{timing:?}");
        let slow = (0..).map(|n| t1 + n * t2).take_while(|at| *at < end).collect();
        let slow = (unreliable(slow), timed_out);
        assert_eq!(life::<ClientRequest>(&timing, &[Provisional]), slow, "{timing:?}");
        for response in [Success, Failure] {
            let timer_k = done(linger(t4));
            assert_eq!(life::<ClientRequest>(&timing, &[response]), (vec![], timer_k));
        }
        // 100; G, H; I; L, and the 2xx on any transport
        assert_eq!(life::<ServerInvite>(&timing, &[]), (vec![], Some((200, DELIVER))));
        assert_eq!(life::<ServerInvite>(&timing, &[Provisional]), never());
        let timer_g = doubling(t1, t2, end);
        let failed = (unreliable(timer_g.clone()), ack_missing);
        assert_eq!(life::<ServerInvite>(&timing, &[Failure]), failed, "{timing:?}");
        let confirmed = (vec![], done(linger(t4)));
        assert_eq!(life::<ServerInvite>(&timing, &[Failure, Ack]), confirmed);
        assert_eq!(life::<ServerInvite>(&timing, &[Success]), (timer_g, ack_missing));
        assert_eq!(life::<ServerInvite>(&timing, &[Success, Ack]), (vec![], done(end)));
        // 500 for a user that says nothing; J
        let asked = Some((60 * t1, DELIVER));
        assert_eq!(life::<ServerRequest>(&timing, &[]), (vec![], asked));
        assert_eq!(life::<ServerRequest>(&timing, &[Provisional]), (vec![], asked));
        for response in [Success, Failure] {
            let timer_j = done(linger(end));
            assert_eq!(life::<ServerRequest>(&timing, &[response]), (vec![], timer_j));
        }
    }
}

#[test]
fn a_driver_that_comes_late_sends_once_and_goes_on_from_there() {
    let [timing, ..] = timings()[..] else { panic!() };
    let mut machine = ClientInvite::start(START, &timing);
    let late = START + Duration::from_secs(5);
    assert_eq!(machine.on(Event::Tick, late, &timing).transmit, Transmit::Request);
    assert_eq!(machine.on(Event::Tick, late, &timing), NONE);
    assert_eq!(machine.deadline(), Some(late + Duration::from_secs(1)));
    let over = START + Duration::from_secs(3600);
    assert_eq!(machine.on(Event::Tick, over, &timing), gone(Gone::TimedOut));
}

#[test]
fn a_cancelled_invite_ends_by_the_time_that_is_set() {
    for timing in timings() {
        for way in [&[][..], &[Event::Provisional]] {
            let mut machine = ClientInvite::start(START, &timing);
            for event in way {
                machine.on(*event, START, &timing);
            }
            let end = START + Duration::from_millis(5);
            machine.end_at(end);
            assert_eq!(machine.deadline(), Some(end));
            assert_eq!(machine.on(Event::Tick, end, &timing), gone(Gone::TimedOut));
        }
        let mut machine = ClientInvite::start(START, &timing);
        machine.on(Event::Success, START, &timing);
        let accepted = machine;
        machine.end_at(START);
        assert_eq!(machine, accepted, "its final response came already");
    }
}

#[test]
fn time_never_wraps() {
    let longest = Duration::from_micros(u64::MAX);
    let timing = Timing { t1: longest, t2: longest, t4: longest, reliable: false };
    for event in EVENTS {
        let mut client = ClientInvite::start(Instant::FAR, &timing);
        client.on(event, Instant::FAR, &timing);
        let mut client = ClientRequest::start(Instant::FAR, &timing);
        client.on(event, Instant::FAR, &timing);
        let mut server = ServerInvite::start(Instant::FAR);
        server.on(event, Instant::FAR, &timing);
        let mut server = ServerRequest::start(Instant::FAR, &timing);
        server.on(event, Instant::FAR, &timing);
    }
}

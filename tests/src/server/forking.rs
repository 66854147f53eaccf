//! INVITEs that a proxy passes on to several phones at once: stateful, as RFC 3261 s16 has it, and
//! written a second time from the RFC like the rest of the server.

use core::fmt::Write as _;
use core::net::SocketAddr;

use sansip::time::{Duration, Instant};

use super::Sent;
use crate::wire::Wire;

/// One INVITE and the branches that it became.
#[derive(Clone, Debug)]
pub(super) struct Fork {
    /// Where it came from.
    source: SocketAddr,
    branches: Vec<Branch>,
    /// What was last answered: 100, a later provisional response, or the final one.
    answer: Vec<u8>,
    /// Our own 408, for branches that nobody answers.
    timeout: Vec<u8>,
    /// The final response is repeated until its ACK (timers G and H).
    repeat: Option<Repeat>,
    accepted: bool,
    refused: bool,
    /// When nothing is under way any more and copies have died out.
    forget_at: Instant,
}

#[derive(Clone, Debug)]
struct Branch {
    name: String,
    target: SocketAddr,
    invite: Vec<u8>,
    state: State,
    /// Its final response.
    response: Option<(u16, Vec<u8>)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Repeated until a response comes (timers A and B).
    Calling(Repeat),
    /// A provisional response came; given up at that time (timer C).
    Ringing(Instant),
    /// To be cancelled as soon as a provisional response comes (s9.1).
    Unwanted(Repeat),
    /// CANCEL is on its way (timers E and F).
    Cancelling(Repeat),
    Over,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Repeat {
    at: Instant,
    gap: Duration,
    until: Instant,
}

impl Fork {
    /// Passes an INVITE on; `branches` are names, next hops and bytes.
    pub(super) fn begin(
        now: Instant,
        source: SocketAddr,
        [trying, timeout]: [Vec<u8>; 2],
        branches: Vec<(String, SocketAddr, Vec<u8>)>,
    ) -> (Self, Vec<Sent>) {
        let mut sent = vec![(source, trying.clone())];
        sent.extend(branches.iter().map(|(_, target, invite)| (*target, invite.clone())));
        let state = State::Calling(Repeat::new(now));
        let branches = branches.into_iter().map(|(name, target, invite)| Branch {
            name,
            target,
            invite,
            state,
            response: None,
        });
        let fork = Self {
            source,
            branches: branches.collect(),
            answer: trying,
            timeout,
            repeat: None,
            accepted: false,
            refused: false,
            forget_at: Instant::FAR,
        };
        (fork, sent)
    }

    pub(super) fn has(&self, branch: &str) -> bool {
        self.branches.iter().any(|known| known.name == branch)
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.forget_at <= now
    }

    /// A copy of the INVITE, its CANCEL or its ACK; `ok` answers a CANCEL.
    pub(super) fn request(&mut self, now: Instant, method: &str, ok: Vec<u8>) -> Vec<Sent> {
        match method {
            "INVITE" if !self.accepted => vec![(self.source, self.answer.clone())],
            "ACK" => {
                self.repeat = None;
                Vec::new()
            }
            "CANCEL" => {
                let mut sent = vec![(self.source, ok)];
                sent.extend(self.cancel(now));
                sent
            }
            _ => Vec::new(),
        }
    }

    /// A response of one branch; `above` is it without our Via, and where it goes.
    pub(super) fn response(&mut self, now: Instant, wire: &Wire<'_>, above: Sent) -> Vec<Sent> {
        let (Some(status), Some(name), Some(method)) =
            (wire.status(), wire.branch(), wire.method())
        else {
            return Vec::new();
        };
        let Some(branch) = self.branches.iter_mut().find(|branch| branch.name == name) else {
            return Vec::new();
        };
        if method == "CANCEL" {
            return Vec::new(); // the INVITE's own response tells
        }
        let mut sent = Vec::new();
        match status {
            100..=199 => {
                sent.extend(branch.provisional(now));
                if status > 100 && !self.accepted && !self.refused {
                    self.answer.clone_from(&above.1);
                    sent.push(above);
                }
            }
            200..=299 => {
                // every 2xx passes, at once (s16.7 step 5)
                branch.state = State::Over;
                branch.response.get_or_insert((status, Vec::new()));
                self.accepted = true;
                sent.push(above);
                sent.extend(self.cancel(now));
            }
            _ => {
                sent.extend(branch.ack(wire));
                let fresh = branch.response.is_none();
                branch.state = State::Over;
                branch.response.get_or_insert((status, above.1));
                if fresh && status >= 600 {
                    sent.extend(self.cancel(now));
                }
            }
        }
        sent.extend(self.conclude(now));
        sent
    }

    /// When [`Self::tick`] is due.
    pub(super) fn deadline(&self) -> Instant {
        let branches = self.branches.iter().map(|branch| match branch.state {
            State::Calling(repeat) | State::Unwanted(repeat) | State::Cancelling(repeat) => {
                repeat.at.min(repeat.until)
            }
            State::Ringing(until) => until,
            State::Over => Instant::FAR,
        });
        let own = self.repeat.map_or(Instant::FAR, |repeat| repeat.at.min(repeat.until));
        branches.chain([own, self.forget_at]).min().unwrap_or(Instant::FAR)
    }

    /// What is due: repetitions, and the end of what nobody answers.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<Sent> {
        let mut sent = Vec::new();
        for branch in &mut self.branches {
            match &mut branch.state {
                State::Calling(repeat) | State::Unwanted(repeat) if repeat.until > now => {
                    if repeat.is_due(now, MAX) {
                        sent.push((branch.target, branch.invite.clone()));
                    }
                }
                State::Cancelling(repeat) if repeat.until > now => {
                    if repeat.is_due(now, T2) {
                        sent.extend(branch.like_invite("CANCEL", None));
                    }
                }
                State::Ringing(until) if *until > now => {}
                State::Over => {}
                _ => {
                    branch.state = State::Over;
                    branch.response.get_or_insert_with(|| (408, self.timeout.clone()));
                }
            }
        }
        if let Some(repeat) = &mut self.repeat {
            if repeat.until <= now {
                self.repeat = None;
            } else if repeat.is_due(now, T2) {
                sent.push((self.source, self.answer.clone()));
            }
        }
        sent.extend(self.conclude(now));
        sent
    }

    fn cancel(&mut self, now: Instant) -> Vec<Sent> {
        let branches = self.branches.iter_mut();
        branches.filter_map(|branch| branch.cancel(now)).collect()
    }

    /// All branches are over: the best of their refusals, where none accepted (s16.7 step 6).
    fn conclude(&mut self, now: Instant) -> Vec<Sent> {
        if self.branches.iter().any(|branch| branch.state != State::Over) {
            return Vec::new();
        }
        if self.forget_at == Instant::FAR {
            self.forget_at = now + LIFE;
        }
        if self.accepted || self.refused {
            return Vec::new();
        }
        let refusals = self.branches.iter().filter_map(|branch| branch.response.as_ref());
        let rank = |status: u16| (status < 600, status);
        let Some((_, best)) = refusals.min_by_key(|(status, _)| rank(*status)) else {
            return Vec::new();
        };
        self.answer.clone_from(best);
        self.refused = true;
        self.repeat = Some(Repeat::new(now));
        vec![(self.source, self.answer.clone())]
    }
}

impl Branch {
    fn provisional(&mut self, now: Instant) -> Option<Sent> {
        match self.state {
            State::Calling(_) => {
                self.state = State::Ringing(now + TIMER_C);
                None
            }
            State::Unwanted(_) => {
                self.state = State::Ringing(now + TIMER_C);
                self.cancel(now)
            }
            _ => None,
        }
    }

    fn cancel(&mut self, now: Instant) -> Option<Sent> {
        match self.state {
            State::Calling(repeat) => {
                self.state = State::Unwanted(repeat);
                None
            }
            State::Ringing(_) => {
                self.state = State::Cancelling(Repeat::new(now));
                self.like_invite("CANCEL", None)
            }
            _ => None,
        }
    }

    fn ack(&self, refusal: &Wire<'_>) -> Option<Sent> {
        self.like_invite("ACK", refusal.header("to"))
    }

    /// A request with the branch of the INVITE (s9.1, s17.1.1.3).
    fn like_invite(&self, method: &str, to: Option<&str>) -> Option<Sent> {
        let wire = Wire::read(&self.invite)?;
        let (number, _) = wire.cseq()?;
        let to = to.or(wire.header("to"))?;
        let mut text = format!("{method} {} SIP/2.0\r\nVia: {}\r\n", wire.uri()?, wire.via()?);
        for route in wire.lines("route") {
            let _ = write!(text, "Route: {route}\r\n");
        }
        let (from, call_id) = (wire.header("from")?, wire.call_id()?);
        let _ = write!(
            text,
            "Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {number} {method}\r\nContent-Length: 0\r\n\r\n"
        );
        Some((self.target, text.into_bytes()))
    }
}

impl Repeat {
    fn new(now: Instant) -> Self {
        Self { at: now + T1, gap: T1, until: now + LIFE }
    }

    fn is_due(&mut self, now: Instant, most: Duration) -> bool {
        if self.at > now {
            return false;
        }
        self.gap = Duration::from_micros(self.gap.as_micros() * 2).at_most(most);
        self.at = now + self.gap;
        true
    }
}

const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
/// INVITEs are repeated ever more slowly.
const MAX: Duration = Duration::from_secs(64);
/// 64 * T1.
const LIFE: Duration = Duration::from_secs(32);
/// More than three minutes (s16.6 step 11).
const TIMER_C: Duration = Duration::from_secs(181);

//! The sound of one call: a media session with its clock.

use core::net::SocketAddr;
use std::collections::VecDeque;

use sansip::limits::{DIGIT_DURATION_MS, FRAME_MAX};
use sansip::media::{MediaEvent, Session};
use sansip::sdp::MediaPlan;
use sansip::time::{Duration, Instant};

use super::line::Deed;

pub(super) struct Stream {
    session: Session,
    next_tick: Instant,
    /// Sound to be sent, bounded: what is older than a quarter of a second is too late.
    speech: VecDeque<i16>,
    /// Digits that found no room in the session yet.
    digits: VecDeque<u8>,
    /// Plays a tone; where in it we are, samples.
    tone: Option<u32>,
}

/// What came from the peer.
pub(super) enum Heard {
    Sound(Vec<i16>),
    Digit(char),
    Silence,
}

impl Stream {
    /// `salt` makes seeds of streams differ: the call's place in the order of all calls.
    pub(super) fn new(
        now: Instant,
        plan: &MediaPlan,
        mut seed: [u8; 32],
        salt: u64,
        tone: bool,
    ) -> Self {
        for (byte, salt) in seed.iter_mut().zip(salt.to_be_bytes()) {
            *byte ^= salt;
        }
        if let Some(last) = seed.last_mut() {
            *last ^= 0x5a; // another seed than that of the endpoint
        }
        Self {
            session: Session::new(plan, seed, now),
            next_tick: now,
            speech: VecDeque::new(),
            digits: VecDeque::new(),
            tone: tone.then_some(0),
        }
    }

    pub(super) fn change(&mut self, now: Instant, plan: &MediaPlan) {
        self.session.set_plan(now, plan);
    }

    pub(super) fn receive(&mut self, now: Instant, remote: SocketAddr, rtcp: bool, bytes: &[u8]) {
        if rtcp {
            self.session.handle_rtcp(now, remote, bytes);
        } else {
            self.session.handle(now, remote, bytes);
        }
    }

    pub(super) fn speak(&mut self, samples: &[i16]) {
        self.speech.extend(samples);
        let surplus = self.speech.len().saturating_sub(SPEECH_MAX);
        self.speech.drain(..surplus);
    }

    pub(super) fn send_digit(&mut self, digit: char) {
        if digit.is_ascii() && self.digits.len() < DIGITS_MAX {
            self.digits.push_back(digit as u8);
        }
    }

    pub(super) fn next_tick(&self) -> Instant {
        self.next_tick
    }

    /// One frame, if it is due.
    pub(super) fn run(&mut self, now: Instant, heard: &mut Vec<Heard>, deeds: &mut Vec<Deed>) {
        if now < self.next_tick {
            return;
        }
        let frame = self.session.frame();
        let span = Duration::from_micros(frame.max(1) as u64 * MICROS_A_SAMPLE);
        self.next_tick += span;
        if self.next_tick <= now {
            self.next_tick = now + span; // after a stall, missed ticks are skipped
        }
        self.push_digits();
        let mut captured = Vec::with_capacity(frame);
        match &mut self.tone {
            Some(at) => {
                for _ in 0..frame {
                    captured.push(tone(*at));
                    *at = (*at + 1) % TONE_PERIOD;
                }
            }
            None => captured.extend(self.speech.drain(..frame.min(self.speech.len()))),
        }
        let mut playout = vec![0; frame.min(FRAME_MAX)];
        if let Some(packet) = self.session.tick(now, &captured, &mut playout) {
            let (remote, bytes) = (packet.to, packet.bytes.to_vec());
            deeds.push(Deed::Send { rtcp: false, remote, bytes });
        }
        if let Some(packet) = self.session.poll_rtcp(now) {
            let (remote, bytes) = (packet.to, packet.bytes.to_vec());
            deeds.push(Deed::Send { rtcp: true, remote, bytes });
        }
        while let Some(event) = self.session.poll_event() {
            match event {
                MediaEvent::DigitReceived { digit, .. } => {
                    heard.push(Heard::Digit(digit.as_char()))
                }
                MediaEvent::Silence { .. } => heard.push(Heard::Silence),
                _ => {}
            }
        }
        heard.push(Heard::Sound(playout));
    }

    fn push_digits(&mut self) {
        while let Some(digit) = self.digits.front() {
            let digit = char::from(*digit).to_string();
            let duration = Duration::from_millis(DIGIT_DURATION_MS);
            match self.session.send_digits(&digit, duration) {
                Err(sansip::media::DigitsError::NoRoom) => return, // goes with a later frame
                _ => self.digits.pop_front(),
            };
        }
    }
}

/// 440 Hz at 8 kHz: 11 periods are 200 samples.
fn tone(at: u32) -> i16 {
    let phase = f64::from(at) * 11.0 / f64::from(TONE_PERIOD) * core::f64::consts::TAU;
    (phase.sin() * 8000.0) as i16
}

const TONE_PERIOD: u32 = 200;
/// Every codec of the library runs at 8 kHz.
const MICROS_A_SAMPLE: u64 = 125;
const SPEECH_MAX: usize = 2000;
const DIGITS_MAX: usize = 64;

//! One call at the PBX: what its number does.

use core::net::SocketAddr;

use sansip::endpoint::CallId;
use sansip::sdp::{LocalMedia, MediaPlan};
use sansip::time::{Duration, Instant};

use super::registrar::Registrar;
use super::stream::{Heard, Stream};

/// A call.
pub(super) struct Line {
    pub(super) call: CallId,
    pub(super) number: String,
    pub(super) caller: String,
    pub(super) role: Role,
    pub(super) media: LocalMedia,
    pub(super) port: u16,
    /// We called: the second half of a call from phone to phone.
    pub(super) outgoing: bool,
    pub(super) partner: Option<CallId>,
    pub(super) recording: Option<String>,
    established: bool,
    /// When `role` does its next step.
    alarm: Option<Instant>,
    digits: String,
    reported: bool,
    stream: Option<Stream>,
}

/// What a number does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Echo,
    Tone,
    Read { digits: usize },
    Wait,
    Record,
    Send,
    Busy,
    Ring,
    Brief,
    Early,
    Through,
    Unknown,
}

/// What the endpoint is to do with the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    Nothing,
    Ring,
    EarlyMedia,
    Answer,
    Refuse(u16),
    HangUp,
    Silent,
}

/// What a line wants done.
pub(super) enum Deed {
    Order(Order),
    Send {
        rtcp: bool,
        remote: SocketAddr,
        bytes: Vec<u8>,
    },
    Report(String),
    Record {
        name: String,
        rate_hz: u32,
        samples: Vec<i16>,
    },
    /// Sound for the other half.
    Relay(Vec<i16>),
    /// A digit for the other half.
    Digit(char),
}

impl Role {
    fn of(number: &str) -> Self {
        match number {
            "600" => Self::Echo,
            "601" => Self::Tone,
            "602" => Self::Read { digits: 4 },
            "603" => Self::Wait,
            "604" => Self::Record,
            "605" => Self::Send,
            "606" => Self::Busy,
            "607" => Self::Ring,
            "608" => Self::Brief,
            "609" => Self::Early,
            "622" => Self::Read { digits: 16 },
            _ if Registrar::knows(number) => Self::Through,
            _ => Self::Unknown,
        }
    }
}

impl Line {
    pub(super) fn new(
        call: CallId,
        number: String,
        caller: String,
        media: LocalMedia,
        port: u16,
    ) -> Self {
        Self {
            role: Role::of(&number),
            call,
            number,
            caller,
            media,
            port,
            outgoing: false,
            partner: None,
            recording: None,
            established: false,
            alarm: None,
            digits: String::new(),
            reported: false,
            stream: None,
        }
    }

    /// The first answer to an incoming call.
    pub(super) fn begin(&mut self, now: Instant) -> Order {
        match self.role {
            Role::Busy => Order::Refuse(486),
            Role::Unknown => Order::Refuse(404),
            Role::Ring | Role::Through => Order::Ring,
            Role::Early => {
                self.alarm = Some(now + EARLY_MEDIA);
                Order::EarlyMedia
            }
            _ => Order::Answer,
        }
    }

    pub(super) fn established(&mut self, now: Instant) -> Order {
        self.established = true;
        self.alarm = match self.role {
            Role::Brief => Some(now + BRIEF),
            Role::Send => Some(now + BEFORE_DIGITS),
            Role::Read { .. } => Some(now + FIRST_DIGIT),
            _ => None,
        };
        Order::Nothing
    }

    pub(super) fn is_established(&self) -> bool {
        self.established
    }

    pub(super) fn start_media(
        &mut self,
        now: Instant,
        plan: &MediaPlan,
        seed: [u8; 32],
        salt: u64,
    ) {
        match &mut self.stream {
            Some(stream) => stream.change(now, plan),
            None => {
                let tone = matches!(self.role, Role::Tone | Role::Early);
                self.stream = Some(Stream::new(now, plan, seed, salt, tone));
            }
        }
    }

    pub(super) fn receive(&mut self, now: Instant, remote: SocketAddr, rtcp: bool, bytes: &[u8]) {
        if let Some(stream) = &mut self.stream {
            stream.receive(now, remote, rtcp, bytes);
        }
    }

    /// Sound to be sent.
    pub(super) fn speak(&mut self, samples: &[i16]) {
        if let Some(stream) = &mut self.stream {
            stream.speak(samples);
        }
    }

    pub(super) fn send_digit(&mut self, digit: char) {
        if let Some(stream) = &mut self.stream {
            stream.send_digit(digit);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.alarm.into_iter().chain(self.stream.as_ref().map(Stream::next_tick)).min()
    }

    /// Does what is due: one frame of sound, one step of the role.
    pub(super) fn run(&mut self, now: Instant, deeds: &mut Vec<Deed>) {
        let mut heard = Vec::new();
        if let Some(stream) = &mut self.stream {
            stream.run(now, &mut heard, deeds);
        }
        for heard in heard {
            self.hear(now, heard, deeds);
        }
        if self.alarm.is_some_and(|alarm| alarm <= now) {
            self.alarm = None;
            self.step(deeds);
        }
    }

    fn step(&mut self, deeds: &mut Vec<Deed>) {
        match self.role {
            Role::Early if !self.established => deeds.push(Deed::Order(Order::Answer)),
            Role::Send => {
                for digit in "1234#".chars() {
                    self.send_digit(digit);
                }
            }
            Role::Brief => deeds.push(Deed::Order(Order::HangUp)),
            Role::Read { .. } => {
                deeds.extend(self.last_report().map(Deed::Report));
                deeds.push(Deed::Order(Order::HangUp));
            }
            _ => {}
        }
    }

    fn hear(&mut self, now: Instant, heard: Heard, deeds: &mut Vec<Deed>) {
        match heard {
            Heard::Silence => deeds.push(Deed::Order(Order::Silent)),
            Heard::Sound(samples) => match self.role {
                Role::Echo => self.speak(&samples),
                Role::Through => deeds.push(Deed::Relay(samples)),
                Role::Record => {
                    if let Some(name) = &self.recording {
                        deeds.push(Deed::Record { name: name.clone(), rate_hz: 8000, samples });
                    }
                }
                _ => {}
            },
            Heard::Digit(digit) => {
                let text = format!("digit {digit} at {} from {}", self.number, self.caller);
                deeds.push(Deed::Report(text));
                match self.role {
                    Role::Echo => self.send_digit(digit),
                    Role::Through => deeds.push(Deed::Digit(digit)),
                    Role::Read { digits } => self.read(now, digit, digits),
                    _ => {}
                }
            }
        }
    }

    /// One digit more for a number that reads; when all are there they are reported at once.
    fn read(&mut self, now: Instant, digit: char, wanted: usize) {
        if self.digits.len() < wanted {
            self.digits.push(digit);
        }
        let silence = if self.digits.len() == wanted { ALL_READ } else { NEXT_DIGIT };
        self.alarm = Some(now + silence);
    }

    /// The digits that were read, unless they were reported already.
    pub(super) fn last_report(&mut self) -> Option<String> {
        if !matches!(self.role, Role::Read { .. }) || self.reported || !self.established {
            return None;
        }
        self.reported = true;
        Some(format!("digits {} at {} from {}", self.digits, self.number, self.caller))
    }
}

const EARLY_MEDIA: Duration = Duration::from_secs(2);
const BRIEF: Duration = Duration::from_secs(2);
const BEFORE_DIGITS: Duration = Duration::from_secs(1);
/// A caller may think before the first digit.
const FIRST_DIGIT: Duration = Duration::from_secs(15);
const NEXT_DIGIT: Duration = Duration::from_secs(5);
/// The report and the BYE follow the last digit so closely that no further one is awaited.
const ALL_READ: Duration = Duration::from_millis(200);

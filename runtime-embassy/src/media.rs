//! The audio of a call, between the application's task and the runner's.

use heapless::Deque;
use sansip::media::{Recorder, Session};
use sansip::rtp::Digit;
use sansip::time::Instant;

/// The audio of a call. All zero while idle.
pub(crate) struct Media<'d> {
    pub(crate) runs: bool,
    pub(crate) session: Session,
    /// When the next frame is due.
    pub(crate) due: Instant,
    /// The next frame to send.
    pub(crate) captured: Frame,
    /// The last frame that was heard.
    pub(crate) heard: Frame,
    /// Where what is heard is recorded.
    pub(crate) tape: Option<Recorder<'d>>,
    pub(crate) digits: Deque<Digit, DIGITS_MAX>,
}

/// Samples on their way between the application and the session.
pub(crate) struct Frame {
    samples: [i16; FRAME_MAX],
    length: usize,
}

impl Media<'_> {
    pub(crate) const fn idle() -> Self {
        Self {
            runs: false,
            session: Session::idle(),
            due: Instant::ZERO,
            captured: Frame::new(),
            heard: Frame::new(),
            tape: None,
            digits: Deque::new(),
        }
    }
}

impl Frame {
    const fn new() -> Self {
        Self { samples: [0; FRAME_MAX], length: 0 }
    }

    pub(crate) fn clear(&mut self) {
        self.length = 0;
    }

    pub(crate) fn samples(&self) -> &[i16] {
        self.samples.get(..self.length).unwrap_or_default()
    }

    /// Takes the first `count` samples away.
    pub(crate) fn drop_front(&mut self, count: usize) {
        let count = count.min(self.length);
        self.samples.copy_within(count..self.length, 0);
        self.length -= count;
    }

    /// Puts samples behind those that stand here, as far as there is room.
    pub(crate) fn append(&mut self, samples: &[i16]) {
        for sample in samples {
            if let Some(place) = self.samples.get_mut(self.length) {
                *place = *sample;
                self.length += 1;
            }
        }
    }

    /// All of the first `length` samples, to be written.
    pub(crate) fn fill(&mut self, length: usize) -> &mut [i16] {
        self.length = length.min(FRAME_MAX);
        self.samples.get_mut(..self.length).unwrap_or_default()
    }
}

/// Length of the longest frame that is sent and heard at a time, and its samples at 8 kHz. A peer may
/// wish for longer packets, which is only a wish (RFC 8866 s6.4); those that it sends may be longer.
pub(crate) const FRAME_MAX_MS: u8 = 20;
const FRAME_MAX: usize = FRAME_MAX_MS as usize * 8;
/// Digits of one call that wait for the application.
pub(crate) const DIGITS_MAX: usize = 32;

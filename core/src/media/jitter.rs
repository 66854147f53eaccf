//! The jitter buffer: encoded bytes at their timestamps, played a fixed depth behind arrival.
//!
//! G.711 has one byte a timestamp unit, so the buffer is a ring of bytes indexed by timestamp with
//! one bit that says "present". Packets of any length, reordered, repeated or overlapping, cost a
//! copy and a few words of bits; nothing is searched or sorted.

use crate::limits::{
    JITTER_DEPTH_MAX, JITTER_DEPTH_MIN, JITTER_DEPTH_START, JITTER_HISTORY, JITTER_RING,
};
use crate::rtp::Codec;

/// Encoded audio between the network and the loudspeaker.
pub(super) struct JitterBuffer {
    ring: [u8; JITTER_RING],
    /// One bit a byte of the ring: it holds a sample that was not played yet.
    present: [u32; WORDS],
    /// How the ring's bytes are encoded.
    codec: Codec,
    /// Whether `next` means anything: false until a packet comes, and again after a long pause.
    running: bool,
    /// Timestamp of the next sample to play.
    next: u32,
    /// Timestamp behind the newest sample.
    end: u32,
    /// Samples that a packet which the network did not delay waits before it is played.
    depth: u32,
    /// Samples played since one was present.
    gap: u32,
    /// How far ahead of `next` the tightest packet of this window arrived; negative = late.
    margin: i32,
    /// The same of the packet that waits longest.
    lead: i32,
    /// Late packets and samples played in this window.
    window_late: u32,
    window_played: u32,
    /// Packets in a row that fit nowhere but follow one another: a jumped timeline.
    strays: u32,
    stray_end: u32,
    /// What happened, for the report.
    pub(super) counts: JitterCounts,
}

/// What the jitter buffer did to packets and frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct JitterCounts {
    pub(super) duplicates: u32,
    pub(super) late: u32,
    pub(super) underruns: u32,
    pub(super) concealed_frames: u32,
    pub(super) jumps: u32,
}

impl JitterBuffer {
    pub(super) const fn new() -> Self {
        Self {
            ring: [0; JITTER_RING],
            present: [0; WORDS],
            codec: Codec::Pcmu,
            running: false,
            next: 0,
            end: 0,
            depth: 0,
            gap: 0,
            margin: 0,
            lead: 0,
            window_late: 0,
            window_played: 0,
            strays: 0,
            stray_end: 0,
            counts: JitterCounts {
                duplicates: 0,
                late: 0,
                underruns: 0,
                concealed_frames: 0,
                jumps: 0,
            },
        }
    }

    /// As new. What is not present in the ring is never read, so its bytes may stay.
    pub(super) fn reset(&mut self) {
        let Self {
            ring: _,
            present,
            codec,
            running,
            next,
            end,
            depth,
            gap,
            margin,
            lead,
            window_late,
            window_played,
            strays,
            stray_end,
            counts,
        } = self;
        *present = [0; WORDS];
        *codec = Codec::Pcmu;
        *running = false;
        (*next, *end, *depth, *gap) = (0, 0, 0, 0);
        (*margin, *lead) = (0, 0);
        (*window_late, *window_played) = (0, 0);
        (*strays, *stray_end) = (0, 0);
        *counts = JitterCounts::default();
    }

    /// Forgets the audio of an ended stream; what was learnt of the network stays.
    pub(super) fn clear(&mut self) {
        self.present = [0; WORDS];
        self.running = false;
    }

    /// Samples that a packet in time waits before it is played.
    pub(super) fn depth(&self) -> u32 {
        if self.depth == 0 { JITTER_DEPTH_START } else { self.depth }
    }

    /// Takes the payload of one audio packet.
    pub(super) fn put(&mut self, codec: Codec, timestamp: u32, payload: &[u8]) {
        let length = payload.len() as u32;
        if length == 0 || length > AHEAD_MAX {
            return;
        }
        if !self.running {
            self.start(codec, timestamp);
        }
        let mut ahead = timestamp.wrapping_sub(self.next).cast_signed();
        if ahead < 0 && ahead > -STRAY_FROM {
            self.note_late(ahead);
            ahead = timestamp.wrapping_sub(self.next).cast_signed();
        }
        let reach = i64::from(ahead) + i64::from(length);
        if reach <= 0 || reach > i64::from(AHEAD_MAX) {
            self.note_stray(codec, timestamp, payload);
            return;
        }
        self.strays = 0;
        self.margin = self.margin.min(ahead);
        self.lead = self.lead.max(ahead);
        let played = ahead.min(0).unsigned_abs();
        let fresh = payload.get(played as usize..).unwrap_or_default();
        self.store(codec, timestamp.wrapping_add(played), fresh);
    }

    /// Plays the next `frame` samples: decodes what is present, hides what is not. With `expected`
    /// false a gap is no underrun: the peer sends digits instead of audio.
    pub(super) fn take(&mut self, frame: usize, expected: bool, playout: &mut [i16]) {
        if !self.running {
            silence(playout);
            return;
        }
        let (heard, surplus) = playout.split_at_mut(frame.min(playout.len()));
        silence(surplus);
        let from = self.next;
        let found = self.count_present(from, frame, Then::Keep);
        if found == frame {
            self.decode(from, heard);
            self.count_present(from, frame, Then::Clear);
            self.gap = 0;
        } else {
            self.note_gap(found, frame as u32, expected);
            self.conceal(from, frame, heard);
        }
        self.next = from.wrapping_add(frame as u32);
        self.adapt(frame as u32);
    }

    fn start(&mut self, codec: Codec, timestamp: u32) {
        self.present = [0; WORDS];
        self.codec = codec;
        self.ring = [codec.silence(); JITTER_RING];
        self.depth = self.depth();
        self.next = timestamp.wrapping_sub(self.depth);
        self.end = timestamp;
        self.gap = STARTING;
        self.strays = 0;
        self.open_window();
        self.running = true;
    }

    fn store(&mut self, codec: Codec, timestamp: u32, bytes: &[u8]) {
        let length = bytes.len();
        if self.count_present(timestamp, length, Then::Mark) == length {
            self.counts.duplicates = self.counts.duplicates.saturating_add(1);
            return;
        }
        let first = position(timestamp);
        let whole = bytes.len().min(JITTER_RING - first);
        let (head, tail) = bytes.split_at_checked(whole).unwrap_or((bytes, &[]));
        if let Some(target) = self.ring.get_mut(first..first + head.len()) {
            write(self.codec, target, codec, head);
        }
        if let Some(target) = self.ring.get_mut(..tail.len()) {
            write(self.codec, target, codec, tail);
        }
        let end = timestamp.wrapping_add(length as u32);
        if end.wrapping_sub(self.end).cast_signed() > 0 {
            self.end = end;
        }
    }

    /// A packet came after its time. A second one in the same window says that the depth is too
    /// small (a single one is bad luck): play later from now on.
    fn note_late(&mut self, ahead: i32) {
        self.counts.late = self.counts.late.saturating_add(1);
        self.window_late += 1;
        self.margin = self.margin.min(ahead);
        if self.window_late < 2 {
            return;
        }
        let held = self.end.wrapping_sub(self.next).cast_signed().max(0).unsigned_abs();
        let waits = if self.lead == i32::MIN { self.depth.cast_signed() } else { self.lead };
        let wanted = (ahead.unsigned_abs() + DEPTH_STEP).next_multiple_of(DEPTH_STEP);
        let shift = wanted
            .min(DEPTH_MAX.saturating_sub(waits).max(0).unsigned_abs())
            .min(AHEAD_MAX.saturating_sub(held));
        self.next = self.next.wrapping_sub(shift);
        self.set_depth(waits.saturating_add_unsigned(shift));
        self.open_window();
    }

    /// A packet fits nowhere. Several that follow one another are a timeline that jumped (another
    /// source behind the same SSRC, a sender that slept): begin again there, within 500 ms.
    fn note_stray(&mut self, codec: Codec, timestamp: u32, payload: &[u8]) {
        let follows = timestamp.wrapping_sub(self.stray_end) < AHEAD_MAX;
        self.strays = if follows { self.strays + 1 } else { 1 };
        self.stray_end = timestamp.wrapping_add(payload.len() as u32);
        if self.strays < STRAYS_MAX {
            return;
        }
        self.counts.jumps = self.counts.jumps.saturating_add(1);
        self.start(codec, timestamp);
        self.store(codec, timestamp, payload);
    }

    fn note_gap(&mut self, found: usize, frame: u32, expected: bool) {
        if self.gap == STARTING {
            if found > 0 {
                self.gap = 0;
            }
            return;
        }
        self.gap = if found > 0 { 0 } else { self.gap.saturating_add(frame) };
        if expected {
            self.counts.concealed_frames = self.counts.concealed_frames.saturating_add(1);
            if self.end.wrapping_sub(self.next).cast_signed() <= 0 && self.gap == frame {
                self.counts.underruns = self.counts.underruns.saturating_add(1);
            }
        }
        if self.gap >= IDLE_FROM {
            self.running = false; // a pause: the next packet starts anew at the right depth
        }
    }

    /// Every two seconds: packets that all arrive far ahead of their time are delayed for nothing,
    /// so some of the audio is left out. This also follows a sender whose clock is faster.
    fn adapt(&mut self, frame: u32) {
        self.window_played += frame;
        if self.window_played < WINDOW {
            return;
        }
        if self.margin != i32::MAX {
            let spare = self.margin.saturating_sub(MARGIN_MAX).clamp(0, SHRINK_MAX).unsigned_abs();
            let shrink = spare / DEPTH_STEP * DEPTH_STEP;
            self.count_present(self.next, shrink as usize, Then::Clear);
            self.next = self.next.wrapping_add(shrink);
            self.set_depth(self.lead.saturating_sub_unsigned(shrink));
        }
        self.open_window();
    }

    fn set_depth(&mut self, waits: i32) {
        self.depth = waits.max(0).unsigned_abs().clamp(JITTER_DEPTH_MIN, JITTER_DEPTH_MAX);
    }

    fn open_window(&mut self) {
        self.margin = i32::MAX;
        self.lead = i32::MIN;
        self.window_late = 0;
        self.window_played = 0;
    }

    fn decode(&self, timestamp: u32, playout: &mut [i16]) {
        let first = position(timestamp);
        let whole = playout.len().min(JITTER_RING - first);
        if let Some((head, tail)) = playout.split_at_mut_checked(whole) {
            self.codec.decode(self.ring.get(first..).unwrap_or_default(), head);
            self.codec.decode(&self.ring, tail);
        }
    }

    /// Fills the samples that are missing with those of 20 ms before at less than half their
    /// loudness, again and again: the repetition fades out within some 100 ms.
    fn conceal(&mut self, timestamp: u32, frame: usize, playout: &mut [i16]) {
        let mut targets = playout.iter_mut();
        for offset in 0..frame as u32 {
            let at = timestamp.wrapping_add(offset);
            if !self.take_present(at) {
                let before = self.ring.get(position(at.wrapping_sub(HISTORY))).copied();
                let before = self.codec.decode_sample(before.unwrap_or_default());
                let faded = ((i32::from(before) * 7) / 16) as i16;
                let code = self.codec.encode_sample(faded);
                if let Some(target) = self.ring.get_mut(position(at)) {
                    *target = code;
                }
            }
            if let (Some(target), Some(code)) = (targets.next(), self.ring.get(position(at))) {
                *target = self.codec.decode_sample(*code);
            }
        }
    }

    /// How many samples of a span are present; what becomes of them then.
    #[cfg_attr(target_os = "none", inline(never))]
    fn count_present(&mut self, timestamp: u32, length: usize, then: Then) -> usize {
        let mut place = position(timestamp);
        let mut left = length.min(JITTER_RING);
        let mut found = 0;
        while left > 0 {
            let bit = place % 32;
            let count = left.min(32 - bit);
            let mask = (u32::MAX >> (32 - count)) << bit;
            if let Some(bits) = self.present.get_mut(place / 32) {
                match *bits & mask {
                    0 => {} // most words, and a core without an instruction for it takes many
                    present if present == mask => found += count,
                    present => found += present.count_ones() as usize,
                }
                match then {
                    Then::Keep => {}
                    Then::Mark => *bits |= mask,
                    Then::Clear => *bits &= !mask,
                }
            }
            left -= count;
            place = (place + count) % JITTER_RING;
        }
        found
    }

    fn take_present(&mut self, timestamp: u32) -> bool {
        let place = position(timestamp);
        let mask = 1 << (place % 32);
        let Some(bits) = self.present.get_mut(place / 32) else {
            return false;
        };
        let present = *bits & mask != 0;
        *bits &= !mask;
        present
    }
}

/// Copies bytes into the ring; where a call changed its codec, in the ring's encoding.
fn write(ring_codec: Codec, target: &mut [u8], codec: Codec, bytes: &[u8]) {
    if ring_codec == codec && target.len() == bytes.len() {
        target.copy_from_slice(bytes);
    } else {
        transcode(ring_codec, target, codec, bytes);
    }
}

/// Kept apart, because it is rare and would stand in flash once for each place that writes.
#[cold]
#[inline(never)]
fn transcode(ring_codec: Codec, target: &mut [u8], codec: Codec, bytes: &[u8]) {
    for (place, byte) in target.iter_mut().zip(bytes) {
        *place = ring_codec.encode_sample(codec.decode_sample(*byte));
    }
}

/// `fill` of nothing still calls memset, which takes 100 ns on the address of an empty slice.
fn silence(samples: &mut [i16]) {
    if !samples.is_empty() {
        samples.fill(0);
    }
}

/// What becomes of samples that were counted.
#[derive(Clone, Copy)]
enum Then {
    Keep,
    Mark,
    Clear,
}

const fn position(timestamp: u32) -> usize {
    timestamp as usize % JITTER_RING
}

const WORDS: usize = JITTER_RING / 32;
const HISTORY: u32 = JITTER_HISTORY as u32;
/// How far ahead of what is played a sample may lie: the rest of the ring is history.
const AHEAD_MAX: u32 = (JITTER_RING - JITTER_HISTORY) as u32;
/// Step by which the depth changes, samples.
const DEPTH_STEP: u32 = 80;
/// The tightest packet of a window may come this much ahead before the depth shrinks: a packet
/// comes up to one frame before the tick that could play it, and one frame is the reserve.
const MARGIN_MAX: i32 = 320;
/// Most that is left out at once, samples: 40 ms.
const SHRINK_MAX: i32 = 320;
const DEPTH_MAX: i32 = JITTER_DEPTH_MAX as i32;
/// Samples over which arrival is watched: two seconds.
const WINDOW: u32 = 16_000;
/// Samples without any audio after which the stream has paused: 500 ms.
const IDLE_FROM: u32 = 4_000;
/// A packet further behind than this is not late but of another timeline: 250 ms.
const STRAY_FROM: i32 = 2_000;
/// Strays that follow one another until the buffer follows them.
const STRAYS_MAX: u32 = 4;
/// `gap` before the first sample: silence there is no loss.
const STARTING: u32 = u32::MAX;

#[cfg(test)]
#[path = "jitter_tests.rs"]
mod tests;

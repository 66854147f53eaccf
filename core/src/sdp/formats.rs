use heapless::Vec;

use super::media::{Media, RtpMap};
use super::{DtmfPlan, LocalMedia, MediaPlan};
use crate::bytes::Text;
use crate::limits::{CODECS_MAX, FORMATS_MAX};
use crate::rtp::Codec;

/// The events that we send and understand: the sixteen DTMF digits (RFC 4733 s3.2).
const EVENTS: &[u8] = b" 0-15";
/// Where our numbers for telephone-event begin; peers with fixed habits expect 101.
const EVENT_TYPE_FIRST: u8 = 101;

/// The payload types of one audio stream of ours, in the order in which they are written.
#[derive(Clone, Debug, Default)]
pub(super) struct Formats(Vec<(u8, Format), { 2 * CODECS_MAX }>);

impl Formats {
    /// What an offer lists: every codec and a telephone-event for each clock rate. Numbers that
    /// `current` already uses stay, because a mapping must not change during a session
    /// (RFC 3264 s8.3.2).
    pub(super) fn offered(local: &LocalMedia, current: Option<&MediaPlan>) -> Self {
        let mut formats = Self::default();
        for &codec in codecs(local) {
            let known = current.filter(|plan| plan.codec == codec);
            let number = known.map_or(codec.static_payload_type(), |plan| plan.receive_type);
            formats.push(number, Format::Codec(codec));
        }
        if local.dtmf {
            for codec in codecs(local) {
                formats.add_event(codec.clock_rate_hz(), current.and_then(|plan| plan.dtmf));
            }
        }
        formats
    }

    /// What an answer lists: the one codec and its telephone-event, under the offer's numbers.
    pub(super) fn agreed(plan: &MediaPlan) -> Self {
        let mut formats = Self::default();
        formats.push(plan.receive_type, Format::Codec(plan.codec));
        if let Some(dtmf) = plan.dtmf {
            formats.push(dtmf.receive_type, Format::Event(dtmf.clock_rate_hz));
        }
        formats
    }

    /// The same, as what a description that we wrote says.
    pub(super) fn tell(&self, known: &mut Known) {
        known.0.clear();
        for &(number, format) in &self.0 {
            known.add(number, Some(format));
        }
    }

    fn push(&mut self, number: u8, format: Format) {
        let _ = self.0.push((number, format)); // as many of each as there are codecs at most
    }

    fn add_event(&mut self, clock_rate_hz: u32, current: Option<DtmfPlan>) {
        let event = Format::Event(clock_rate_hz);
        if self.0.iter().any(|&(_, format)| format == event) {
            return;
        }
        let reserved = current.map(|dtmf| dtmf.receive_type);
        let number = match current {
            Some(dtmf) if dtmf.clock_rate_hz == clock_rate_hz => Some(dtmf.receive_type),
            _ => (EVENT_TYPE_FIRST..=127)
                .find(|&number| Some(number) != reserved && !self.uses(number)),
        };
        if let Some(number) = number {
            self.push(number, event);
        }
    }

    fn uses(&self, number: u8) -> bool {
        self.0.iter().any(|&(used, _)| used == number)
    }

    /// Writes the numbers behind the protocol of an `m=` line.
    pub(super) fn write_numbers(&self, text: &mut Text<'_>) {
        for &(number, _) in &self.0 {
            text.put(b" ").number(number.into());
        }
    }

    /// Writes the rtpmap and fmtp lines, each with the end of the line before it.
    pub(super) fn write_attributes(&self, text: &mut Text<'_>) {
        for &(number, format) in &self.0 {
            text.put(b"\r\na=rtpmap:").number(number.into());
            match format {
                Format::Codec(codec) => {
                    text.put(b" ").put(codec.name().as_bytes()).put(b"/");
                    text.number(codec.clock_rate_hz().into());
                }
                Format::Event(rate) => {
                    text.put(b" telephone-event/").number(rate.into());
                    text.put(b"\r\na=fmtp:").number(number.into()).put(EVENTS);
                }
            }
        }
    }
}

/// Our codecs in our order; PCMU and PCMA where none are named.
fn codecs(local: &LocalMedia) -> &[Codec] {
    if local.codecs.is_empty() { &[Codec::Pcmu, Codec::Pcma] } else { &local.codecs }
}

/// What a payload type of a description means to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    /// One of our codecs.
    Codec(Codec),
    /// telephone-event with its clock rate, hertz.
    Event(u32),
}

/// What each payload type of a described stream means to us, in the order of its `m=` line.
#[derive(Clone, Debug)]
pub(super) struct Known(Vec<Entry, FORMATS_MAX>);

#[derive(Clone, Copy, Debug)]
struct Entry {
    number: u8,
    /// A line of the description says what it is.
    is_mapped: bool,
    format: Option<Format>,
}

impl Known {
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Reads the formats of a stream in one pass over its lines. Where an answer does not map a
    /// number again, it means what it means in our offer, `ours`.
    ///
    /// The list is filled in place: it is long, and the stack of a microcontroller is not.
    #[inline(never)]
    pub(super) fn read(&mut self, media: &Media<'_>, ours: Option<&Self>, local: &LocalMedia) {
        self.0.clear();
        for number in media.payload_types().take(FORMATS_MAX) {
            self.add(number, None);
        }
        for (number, map) in media.rtpmaps() {
            // The first line for a number counts, and so does a malformed one.
            let format = map.as_ref().and_then(|map| Format::of(map, local));
            for entry in &mut self.0 {
                if entry.number == number && !entry.is_mapped {
                    (entry.is_mapped, entry.format) = (true, format);
                }
            }
        }
        for entry in &mut self.0 {
            if !entry.is_mapped {
                entry.format = match ours {
                    Some(ours) => ours.format(entry.number),
                    None => ours_where(local, |codec| codec.static_payload_type() == entry.number),
                };
            }
        }
    }

    fn add(&mut self, number: u8, format: Option<Format>) {
        let _ = self.0.push(Entry { number, is_mapped: false, format });
    }

    /// The formats that mean something to us.
    pub(super) fn usable(&self) -> impl Iterator<Item = (u8, Format)> {
        self.0.iter().filter_map(|entry| Some((entry.number, entry.format?)))
    }

    /// The payload type of a format.
    pub(super) fn number(&self, wanted: Format) -> Option<u8> {
        self.usable().find_map(|(number, format)| (format == wanted).then_some(number))
    }

    fn format(&self, wanted: u8) -> Option<Format> {
        self.usable().find_map(|(number, format)| (number == wanted).then_some(format))
    }
}

impl Format {
    fn of(map: &RtpMap<'_>, local: &LocalMedia) -> Option<Self> {
        if map.channels != 1 {
            return None;
        }
        if map.encoding.eq_ignore_ascii_case(b"telephone-event") {
            return Some(Self::Event(map.clock_rate_hz));
        }
        let same = |codec: Codec| {
            map.clock_rate_hz == codec.clock_rate_hz()
                && map.encoding.eq_ignore_ascii_case(codec.name().as_bytes())
        };
        ours_where(local, same)
    }
}

/// The first of our codecs of which that holds.
fn ours_where(local: &LocalMedia, holds: impl Fn(Codec) -> bool) -> Option<Format> {
    codecs(local).iter().copied().find(|codec| holds(*codec)).map(Format::Codec)
}

//! WAV files in memory, such as prompts in flash, as a source of audio.

use core::fmt;

use super::audio::Source;
use crate::rtp::Codec;

/// A WAV file in a byte slice: mono, 8 kHz, PCM of 8 or 16 bits, mu-law or A-law.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wav<'a> {
    encoding: Encoding,
    samples: &'a [u8],
    rest: &'a [u8],
}

/// Why bytes are no WAV file that can be played.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WavError {
    /// No RIFF file of type WAVE, or one without a format before its data.
    NotWav,
    /// Another encoding than PCM of 8 or 16 bits, mu-law and A-law.
    Encoding,
    /// More than one channel.
    Channels,
    /// Another rate than 8000 samples a second.
    SampleRate,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Encoding {
    Pcm8,
    Pcm16,
    Law(Codec),
}

impl<'a> Wav<'a> {
    /// Reads the head of a file. A data chunk that is cut short, or whose length was never filled
    /// in, ends with the bytes.
    ///
    /// # Errors
    /// The bytes are no WAV file, or one that would have to be converted first.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WavError> {
        let (riff, mut chunks) = bytes.split_first_chunk::<12>().ok_or(WavError::NotWav)?;
        let [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E'] = riff else {
            return Err(WavError::NotWav);
        };
        let mut encoding = None;
        while let Some((head, rest)) = chunks.split_first_chunk::<8>() {
            let [name @ .., l0, l1, l2, l3] = head;
            let length = usize::try_from(u32::from_le_bytes([*l0, *l1, *l2, *l3]));
            let length = length.unwrap_or(usize::MAX).min(rest.len());
            let (body, _) = rest.split_at_checked(length).ok_or(WavError::NotWav)?;
            match (name, encoding) {
                (b"fmt ", _) => encoding = Some(Encoding::read(body)?),
                (b"data", Some(encoding)) => {
                    return Ok(Self { encoding, samples: body, rest: body });
                }
                _ => {}
            }
            chunks = rest.get(length.next_multiple_of(2)..).unwrap_or_default();
        }
        Err(WavError::NotWav)
    }

    /// Samples that are left to read.
    pub fn remaining(&self) -> usize {
        self.rest.len() / self.encoding.sample_len()
    }

    /// Begins again, for a prompt that repeats.
    pub fn rewind(&mut self) {
        self.rest = self.samples;
    }
}

impl Source for Wav<'_> {
    fn read(&mut self, frame: &mut [i16]) -> usize {
        let count = self.remaining().min(frame.len());
        let bytes = count * self.encoding.sample_len();
        let (now, later) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, &[]));
        self.rest = later;
        match self.encoding {
            Encoding::Pcm8 => {
                for (sample, byte) in frame.iter_mut().zip(now) {
                    *sample = (i16::from(*byte) - 128) << 8;
                }
            }
            Encoding::Pcm16 => {
                for (sample, pair) in frame.iter_mut().zip(now.as_chunks().0) {
                    *sample = i16::from_le_bytes(*pair);
                }
            }
            Encoding::Law(codec) => codec.decode(now, frame),
        }
        count
    }
}

impl Encoding {
    fn read(format: &[u8]) -> Result<Self, WavError> {
        let (basic, more) = format.split_first_chunk::<16>().ok_or(WavError::NotWav)?;
        let [t0, t1, c0, c1, r0, r1, r2, r3, _, _, _, _, _, _, b0, b1] = *basic;
        let tag = match u16::from_le_bytes([t0, t1]) {
            EXTENSIBLE => match more {
                [_, _, _, _, _, _, _, _, s0, s1, ..] => u16::from_le_bytes([*s0, *s1]),
                _ => return Err(WavError::Encoding),
            },
            tag => tag,
        };
        if u16::from_le_bytes([c0, c1]) != 1 {
            return Err(WavError::Channels);
        }
        if u32::from_le_bytes([r0, r1, r2, r3]) != 8000 {
            return Err(WavError::SampleRate);
        }
        match (tag, u16::from_le_bytes([b0, b1])) {
            (PCM, 8) => Ok(Self::Pcm8),
            (PCM, 16) => Ok(Self::Pcm16),
            (ALAW, 8) => Ok(Self::Law(Codec::Pcma)),
            (MULAW, 8) => Ok(Self::Law(Codec::Pcmu)),
            _ => Err(WavError::Encoding),
        }
    }

    const fn sample_len(self) -> usize {
        match self {
            Self::Pcm16 => 2,
            Self::Pcm8 | Self::Law(_) => 1,
        }
    }
}

impl fmt::Display for WavError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotWav => "no WAV file",
            Self::Encoding => "neither PCM of 8 or 16 bits nor G.711",
            Self::Channels => "not mono",
            Self::SampleRate => "not 8000 samples a second",
        })
    }
}

impl core::error::Error for WavError {}

const PCM: u16 = 1;
const ALAW: u16 = 6;
const MULAW: u16 = 7;
const EXTENSIBLE: u16 = 0xfffe;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn file(tag: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt ".to_vec();
        bytes.extend(16u32.to_le_bytes());
        bytes.extend(tag.to_le_bytes());
        bytes.extend(channels.to_le_bytes());
        bytes.extend(rate.to_le_bytes());
        bytes.extend([0; 6]);
        bytes.extend(bits.to_le_bytes());
        bytes.extend(b"data");
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
        bytes
    }

    fn samples(bytes: &[u8]) -> Vec<i16> {
        let mut wav = Wav::parse(bytes).unwrap();
        let mut read = Vec::new();
        let mut frame = [0; 2];
        loop {
            let count = wav.read(&mut frame);
            read.extend(&frame[..count]);
            if count < frame.len() {
                return read;
            }
        }
    }

    #[test]
    fn the_four_encodings_are_read() {
        assert_eq!(
            samples(&file(1, 1, 8000, 16, &[1, 0, 0xff, 0x7f, 0, 0x80])),
            [1, 32767, -32768]
        );
        assert_eq!(samples(&file(1, 1, 8000, 8, &[128, 255, 0])), [0, 32512, -32768]);
        assert_eq!(samples(&file(7, 1, 8000, 8, &[0xff, 0x00, 0x80])), [0, -32124, 32124]);
        assert_eq!(samples(&file(6, 1, 8000, 8, &[0xd5, 0xaa])), [8, 32256]);
    }

    #[test]
    fn an_extensible_format_names_its_encoding_later() {
        let mut bytes = file(0xfffe, 1, 8000, 16, &[2, 0]);
        let format = 12 + 8 + 4 + 4;
        bytes[format..format + 4].copy_from_slice(&40u32.to_le_bytes());
        bytes.splice(
            format + 20..format + 20,
            [22, 0, 16, 0, 4, 0, 0, 0, 1, 0].into_iter().chain([0; 14]),
        );
        assert_eq!(samples(&bytes), [2]);
    }

    #[test]
    fn files_that_need_conversion_are_refused() {
        assert_eq!(Wav::parse(&file(3, 1, 8000, 32, &[])), Err(WavError::Encoding));
        assert_eq!(Wav::parse(&file(1, 1, 8000, 24, &[])), Err(WavError::Encoding));
        assert_eq!(Wav::parse(&file(1, 2, 8000, 16, &[])), Err(WavError::Channels));
        assert_eq!(Wav::parse(&file(1, 1, 44100, 16, &[])), Err(WavError::SampleRate));
        assert_eq!(Wav::parse(b"RIFF\0\0\0\0WAVE"), Err(WavError::NotWav));
    }

    #[test]
    fn a_file_that_is_cut_short_plays_what_is_there() {
        let bytes = file(1, 1, 8000, 16, &[1, 0, 2, 0, 3, 0]);
        assert_eq!(samples(&bytes[..bytes.len() - 1]), [1, 2]);
    }

    #[test]
    fn a_rewound_file_plays_again() {
        let bytes = file(1, 1, 8000, 16, &[1, 0, 2, 0]);
        let mut wav = Wav::parse(&bytes).unwrap();
        let mut frame = [0; 8];
        assert_eq!((wav.read(&mut frame), wav.remaining()), (2, 0));
        wav.rewind();
        assert_eq!((wav.remaining(), wav.read(&mut frame)), (2, 2));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(tail in prop::collection::vec(any::<u8>(), 0..80), cut: u8) {
            let mut bytes = file(1, 1, 8000, 16, &tail);
            bytes.truncate(usize::from(cut));
            if Wav::parse(&bytes).is_ok() {
                prop_assert!(samples(&bytes).len() <= tail.len() / 2);
            }
            let bytes = [&b"RIFF\0\0\0\0WAVE"[..], &tail].concat();
            let _any = Wav::parse(&bytes);
        }
    }
}

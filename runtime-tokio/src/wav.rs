//! WAV files: any common form in, 16-bit mono out.

use core::fmt;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read};
use std::path::Path;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};

/// Reads a WAV file and converts it to mono at `rate_hz`.
///
/// Taken are 8, 16, 24 and 32-bit integer and 32-bit float samples, one or more channels (their
/// mean is heard), 1 to 384 kHz. A file that ends before the length in its header gives what it
/// has: recorders that were killed leave such files.
///
/// # Errors
/// The file cannot be read, is no WAV, or has a form that is not taken.
pub fn read(path: impl AsRef<Path>, rate_hz: u32) -> Result<Vec<i16>, WavError> {
    decode(BufReader::new(File::open(path)?), rate_hz)
}

/// Reads a WAV from any reader, as [`read`] does from a file.
///
/// # Errors
/// As [`read`].
pub fn decode(reader: impl Read, rate_hz: u32) -> Result<Vec<i16>, WavError> {
    let mut reader = WavReader::new(reader)?;
    let spec = reader.spec();
    let rates = RATE_MIN_HZ..=RATE_MAX_HZ;
    if spec.channels == 0 || !rates.contains(&spec.sample_rate) || !rates.contains(&rate_hz) {
        return Err(WavError::Unsupported);
    }
    let samples = match (spec.sample_format, spec.bits_per_sample) {
        (SampleFormat::Int, bits @ 1..=32) => {
            let scale = (1_u64 << (bits - 1)) as f32;
            mono(reader.samples::<i32>().map(|s| s.map(|s| s as f32 / scale)), spec.channels)?
        }
        (SampleFormat::Float, 32) => mono(reader.samples::<f32>(), spec.channels)?,
        _ => return Err(WavError::Unsupported),
    };
    let samples = resample(samples, spec.sample_rate, rate_hz)?;
    Ok(samples.into_iter().map(|sample| (sample * 32_768.0).round() as i16).collect())
}

/// Writes 16-bit mono samples to a WAV file as they come.
pub struct Writer {
    writer: WavWriter<BufWriter<File>>,
}

impl Writer {
    /// Creates the file, over an old one where there is one.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create(path: impl AsRef<Path>, rate_hz: u32) -> Result<Self, WavError> {
        let spec = WavSpec {
            channels: 1,
            sample_rate: rate_hz,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        Ok(Self { writer: WavWriter::create(path, spec)? })
    }

    /// Appends samples.
    ///
    /// # Errors
    /// The file cannot be written, or would pass 4 GiB.
    pub fn write(&mut self, samples: &[i16]) -> Result<(), WavError> {
        for sample in samples {
            self.writer.write_sample(*sample)?;
        }
        Ok(())
    }

    /// Writes the lengths into the header and closes the file. Dropping does so too, without
    /// telling of an error.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(self) -> Result<(), WavError> {
        Ok(self.writer.finalize()?)
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("samples", &self.writer.len()).finish()
    }
}

/// Why a WAV file could not be read or written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum WavError {
    /// Reading or writing failed.
    Io(io::ErrorKind),
    /// It is no WAV file.
    Malformed,
    /// A sample format or rate that is not taken.
    Unsupported,
    /// The file would be longer than a WAV file can be.
    TooLong,
}

impl fmt::Display for WavError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(kind) => write!(f, "WAV file: {kind}"),
            Self::Malformed => f.write_str("not a WAV file"),
            Self::Unsupported => f.write_str("WAV format or sample rate not supported"),
            Self::TooLong => f.write_str("WAV file would pass 4 GiB"),
        }
    }
}

impl core::error::Error for WavError {}

impl From<io::Error> for WavError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

impl From<hound::Error> for WavError {
    fn from(error: hound::Error) -> Self {
        match error {
            hound::Error::IoError(error) => Self::Io(error.kind()),
            hound::Error::Unsupported | hound::Error::InvalidSampleFormat => Self::Unsupported,
            hound::Error::TooWide => Self::TooLong,
            _ => Self::Malformed,
        }
    }
}

/// The mean of the channels, -1 to 1. Nothing is reserved by the length in the header.
fn mono(
    samples: impl Iterator<Item = hound::Result<f32>>,
    channels: u16,
) -> Result<Vec<f32>, WavError> {
    let mut mixed = Vec::new();
    let (mut sum, mut count) = (0.0, 0);
    for sample in samples {
        match sample {
            Ok(sample) => sum += if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 },
            Err(hound::Error::IoError(error)) if is_end(&error) => break,
            Err(error) => return Err(error.into()),
        }
        count += 1;
        if count == channels {
            mixed.push(sum / f32::from(channels));
            (sum, count) = (0.0, 0);
        }
    }
    Ok(mixed)
}

/// Hound reports an early end with a text of its own as well as with the usual kind.
fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::Other)
}

fn resample(samples: Vec<f32>, from_hz: u32, to_hz: u32) -> Result<Vec<f32>, WavError> {
    if from_hz == to_hz || samples.is_empty() {
        return Ok(samples);
    }
    let mut resampler =
        Fft::<f32>::new(from_hz as usize, to_hz as usize, CHUNK_FRAMES, 1, FixedSync::Both)
            .map_err(|_| WavError::Unsupported)?;
    let frames = samples.len();
    let input = InterleavedSlice::new(&samples, 1, frames).map_err(|_| WavError::Unsupported)?;
    let output = resampler.process_all(&input, frames, None).map_err(|_| WavError::Unsupported)?;
    Ok(output.take_data())
}

/// Below this a WAV is no audio, and its samples would multiply without end.
const RATE_MIN_HZ: u32 = 1000;
/// The highest rate in use by recorders.
const RATE_MAX_HZ: u32 = 384_000;
/// Frames that the resampler takes at once: its filter has this length.
const CHUNK_FRAMES: usize = 1024;

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;
    use sansip::media::tone_share;

    fn tone(hz: f64, rate_hz: u32, count: usize) -> impl Iterator<Item = i16> {
        let step = core::f64::consts::TAU * hz / f64::from(rate_hz);
        (0..count).map(move |n| ((step * n as f64).sin() * 16_384.0).round() as i16)
    }

    fn wav(rate_hz: u32, bits: u16, format: SampleFormat, channels: u16, hz: f64) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        let spec = WavSpec {
            channels,
            sample_rate: rate_hz,
            bits_per_sample: bits,
            sample_format: format,
        };
        let mut writer = WavWriter::new(&mut file, spec).unwrap();
        for sample in tone(hz, rate_hz, rate_hz as usize) {
            for _ in 0..channels {
                match format {
                    SampleFormat::Float => {
                        writer.write_sample(f32::from(sample) / 32_768.0).unwrap();
                    }
                    SampleFormat::Int => {
                        let wide = i64::from(sample) << 16 >> (32 - bits);
                        writer.write_sample(wide as i32).unwrap();
                    }
                }
            }
        }
        writer.finalize().unwrap();
        file.into_inner()
    }

    #[test]
    fn every_rate_depth_and_channel_count_keeps_its_tone() {
        for rate_hz in [8000, 11_025, 16_000, 22_050, 44_100, 48_000] {
            for (bits, format) in [
                (8, SampleFormat::Int),
                (16, SampleFormat::Int),
                (24, SampleFormat::Int),
                (32, SampleFormat::Int),
                (32, SampleFormat::Float),
            ] {
                for channels in [1, 2] {
                    let samples =
                        decode(Cursor::new(wav(rate_hz, bits, format, channels, 1000.0)), 8000)
                            .unwrap();
                    let what = format!("{rate_hz} Hz, {bits} bits {format:?}, {channels}");
                    assert!(samples.len().abs_diff(8000) <= 1, "{what}: {}", samples.len());
                    let heard = samples.get(500..7500).unwrap();
                    assert!(tone_share(heard, 1000) > 950, "{what}");
                }
            }
        }
    }

    #[test]
    fn a_tone_above_half_the_rate_is_gone_rather_than_mirrored() {
        let samples =
            decode(Cursor::new(wav(44_100, 16, SampleFormat::Int, 1, 5000.0)), 8000).unwrap();
        let loudest = samples.iter().skip(500).take(7000).map(|s| s.unsigned_abs()).max();
        assert!(loudest.unwrap() < 200, "{loudest:?}");
    }

    #[test]
    fn sixteen_bits_at_the_right_rate_pass_unchanged() {
        let samples =
            decode(Cursor::new(wav(8000, 16, SampleFormat::Int, 1, 440.0)), 8000).unwrap();
        assert_eq!(samples, tone(440.0, 8000, 8000).collect::<Vec<_>>());
    }

    #[test]
    fn a_file_that_ends_early_gives_what_it_has() {
        let mut bytes = wav(8000, 16, SampleFormat::Int, 1, 440.0);
        bytes.truncate(44 + 2000);
        assert_eq!(decode(Cursor::new(bytes), 8000).unwrap().len(), 1000);
    }

    #[test]
    fn what_is_no_wav_is_refused() {
        assert_eq!(decode(&b"INVITE sip:"[..], 8000), Err(WavError::Malformed));
        assert!(matches!(read("/nowhere/x.wav", 8000), Err(WavError::Io(_))));
        let mut changed = wav(8000, 16, SampleFormat::Int, 1, 440.0);
        changed.splice(24..28, 11_u32.to_le_bytes());
        changed.splice(28..32, 22_u32.to_le_bytes());
        assert_eq!(decode(Cursor::new(changed), 8000), Err(WavError::Unsupported));
    }

    #[test]
    fn what_the_writer_wrote_is_read_back() {
        let path = std::env::temp_dir().join(format!("sansip-wav-{}.wav", std::process::id()));
        let samples: Vec<i16> = tone(700.0, 8000, 4000).collect();
        let mut writer = Writer::create(&path, 8000).unwrap();
        writer.write(&samples).unwrap();
        writer.finish().unwrap();
        assert_eq!(read(&path, 8000).unwrap(), samples);
        std::fs::remove_file(path).unwrap();
    }

    proptest! {
        #[test]
        fn a_damaged_header_never_panics(
            changes in proptest::collection::vec((0_usize..64, any::<u8>()), 1..6)
        ) {
            let mut bytes = wav(8000, 16, SampleFormat::Int, 2, 440.0);
            bytes.truncate(4000);
            for (at, value) in changes {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            let _ = decode(Cursor::new(bytes), 8000);
        }
    }
}

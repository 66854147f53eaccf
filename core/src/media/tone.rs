//! Sine tones and their detection in integer arithmetic, for devices without a floating-point
//! unit: test signals, ring-back, and the question whether a tone came back.

use super::audio::Source;

/// An endless sine tone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tone {
    phase: u32,
    step: u32,
    amplitude: i16,
}

impl Tone {
    /// A tone of `frequency_hz` (below 4000) at 8 kHz whose peaks are `amplitude`, 0 to 32,767.
    pub const fn new(frequency_hz: u32, amplitude: i16) -> Self {
        Self { phase: 0, step: step(frequency_hz), amplitude }
    }
}

impl Source for Tone {
    fn read(&mut self, frame: &mut [i16]) -> usize {
        for sample in &mut *frame {
            *sample = ((sine(self.phase) * i64::from(self.amplitude)) >> 30) as i16;
            self.phase = self.phase.wrapping_add(self.step);
        }
        frame.len()
    }
}

/// How much of the energy of `samples` (8 kHz) lies in a tone of `frequency_hz` (300 to 3400),
/// thousandths: near 1000 for a pure tone, near 0 for silence and other sounds. Uses Goertzel's
/// algorithm; the resolution is 8000 / length Hz, and only the first 4000 samples are looked at.
pub fn tone_share(samples: &[i16], frequency_hz: u32) -> u32 {
    let samples = samples.get(..SAMPLES_MAX).unwrap_or(samples);
    let frequency_hz = frequency_hz.clamp(100, 3900); // beyond, the sums could overflow
    // Twice the cosine, with 20 fractional bits.
    let coefficient = sine(step(frequency_hz).wrapping_add(QUARTER)) >> 9;
    let (mut last, mut before, mut energy) = (0i64, 0i64, 0i64);
    for sample in samples {
        let sample = i64::from(*sample);
        energy += sample * sample;
        let next = sample + ((coefficient * last) >> 20) - before;
        (before, last) = (last, next);
    }
    // |X|^2 = last^2 + before^2 - coefficient * last * before
    let power = last * last + before * before - ((coefficient * last) >> 20) * before;
    let whole = energy.saturating_mul(samples.len() as i64) >> 1;
    // Their first 21 bits are more than enough, and thousands of them divide in 32.
    let shift = (i64::BITS - whole.leading_zeros()).saturating_sub(21);
    let share = 1000 * (power.clamp(0, whole) >> shift) as u32;
    share.checked_div((whole >> shift) as u32).unwrap_or(0)
}

/// The phase that a tone advances a sample: a turn is 2^32.
const fn step(frequency_hz: u32) -> u32 {
    (((frequency_hz as u64) << 32) / SAMPLE_RATE_HZ) as u32
}

/// The sine of a phase (a turn is 2^32) with 30 fractional bits: its series on a quarter turn, five
/// terms long, which errs by less than 2^-17.
fn sine(phase: u32) -> i64 {
    let turned = phase.cast_signed();
    let folded =
        if turned.unsigned_abs() > QUARTER { i32::MIN.wrapping_sub(turned) } else { turned };
    let x = i64::from(folded);
    let square = (x * x) >> 30;
    let sum = SERIES.iter().fold(0, |sum, term| term - ((sum * square) >> 30));
    (x * sum) >> 30
}

const SAMPLE_RATE_HZ: u64 = 8000;
const SAMPLES_MAX: usize = 4000;
const QUARTER: u32 = 1 << 30;
/// (pi/2)^n / n! for n = 9, 7, 5, 3, 1 with 30 fractional bits.
const SERIES: [i64; 5] = [172_272, 5_026_995, 85_569_306, 693_598_668, 1_686_629_713];

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn the_sine_is_the_sine() {
        for phase in (0..=u32::MAX).step_by(999_983) {
            let exact = (f64::from(phase) / 4_294_967_296.0 * core::f64::consts::TAU).sin();
            let error = sine(phase) as f64 / 1_073_741_824.0 - exact;
            assert!(error.abs() < 0.000_008, "{phase}: {error}");
        }
    }

    #[test]
    fn a_tone_is_found_at_its_frequency_and_nowhere_else() {
        for frequency_hz in [350, 440, 697, 1000, 1633, 3000, 3400] {
            let mut samples = vec![0; 1600];
            Tone::new(frequency_hz, 8000).read(&mut samples);
            assert!(tone_share(&samples, frequency_hz) > 980, "{frequency_hz}");
            assert!(tone_share(&samples, frequency_hz.abs_diff(300)) < 20, "{frequency_hz}");
        }
    }

    #[test]
    fn a_tone_keeps_its_phase_from_frame_to_frame() {
        let mut whole = [0; 320];
        Tone::new(440, 10_000).read(&mut whole);
        let mut parts = [0; 320];
        let mut tone = Tone::new(440, 10_000);
        for part in parts.chunks_mut(33) {
            tone.read(part);
        }
        assert_eq!(whole, parts);
    }

    #[test]
    fn silence_noise_and_full_scale_are_no_tone() {
        assert_eq!(tone_share(&[], 1000), 0);
        assert_eq!(tone_share(&[0; 800], 1000), 0);
        assert!(tone_share(&[i16::MIN; 8000], 1000) < 10);
        for (period, frequency_hz) in [(80, 0), (80, 100), (2, 4000), (2, u32::MAX)] {
            let square: vec::Vec<i16> = (0..8000)
                .map(|at| if at % period < period / 2 { i16::MAX } else { i16::MIN })
                .collect();
            assert!(tone_share(&square, frequency_hz) <= 1000);
        }
        let mut state = 1u32;
        let noise: vec::Vec<i16> = (0..8000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) as i16
            })
            .collect();
        assert!(tone_share(&noise, 1000) < 20);
    }
}

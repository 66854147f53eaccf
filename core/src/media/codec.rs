//! G.711, exact against the ITU-T tables for every sample and code.
//!
//! Samples are 16-bit linear; mu-law uses their upper 14 bits and A-law their upper 13, as ITU-T
//! G.191 does: a negative sample falls into the interval of its one's complement.

use crate::rtp::Codec;

impl Codec {
    /// The code of a silent sample: what mute and gaps are made of.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Pcmu => 0xff,
            Self::Pcma => 0xd5,
        }
    }

    /// Encodes samples, one code each, as many as both slices hold.
    pub fn encode(self, samples: &[i16], codes: &mut [u8]) {
        match self {
            Self::Pcmu => each(samples, codes, mulaw_code),
            Self::Pcma => each(samples, codes, alaw_code),
        }
    }

    /// Decodes codes, one sample each, as many as both slices hold.
    pub fn decode(self, codes: &[u8], samples: &mut [i16]) {
        let table = self.samples();
        let count = samples.len().min(codes.len());
        if SAMPLES < 256 {
            for (sample, code) in samples.iter_mut().zip(codes) {
                *sample = look_up(table, *code);
            }
            return;
        }
        let (fours, rest) = samples.get_mut(..count).unwrap_or_default().as_chunks_mut();
        let (code_fours, codes) = codes.get(..count).unwrap_or_default().as_chunks();
        // four at a time: the loop would cost as much as the look-up
        for (four, [a, b, c, d]) in fours.iter_mut().zip(code_fours) {
            *four =
                [look_up(table, *a), look_up(table, *b), look_up(table, *c), look_up(table, *d)];
        }
        for (sample, code) in rest.iter_mut().zip(codes) {
            *sample = look_up(table, *code);
        }
    }

    /// The code of one sample.
    pub fn encode_sample(self, sample: i16) -> u8 {
        match self {
            Self::Pcmu => mulaw_code(sample),
            Self::Pcma => alaw_code(sample),
        }
    }

    /// The sample of one code.
    pub fn decode_sample(self, code: u8) -> i16 {
        look_up(self.samples(), code)
    }

    const fn samples(self) -> &'static [i16; SAMPLES] {
        match self {
            Self::Pcmu => &MULAW_SAMPLES,
            Self::Pcma => &ALAW_SAMPLES,
        }
    }
}

#[inline(always)]
fn each(samples: &[i16], codes: &mut [u8], code: impl Fn(i16) -> u8) {
    for (target, sample) in codes.iter_mut().zip(samples) {
        *target = code(*sample);
    }
}

#[inline(always)]
fn look_up(table: &[i16; SAMPLES], code: u8) -> i16 {
    let sample = table.get(usize::from(code) % SAMPLES).copied().unwrap_or_default();
    if SAMPLES == 256 {
        return sample;
    }
    let turned = i16::from(code.cast_signed() >> 7);
    (sample ^ turned) - turned // the opposite where the highest bit is set
}

#[inline(always)]
fn mulaw_code(sample: i16) -> u8 {
    if VECTORS { mulaw_by_minimum(sample) } else { mulaw_by_zeros(sample) }
}

#[inline(always)]
fn alaw_code(sample: i16) -> u8 {
    if VECTORS { alaw_by_minimum(sample) } else { alaw_by_zeros(sample) }
}

/// The companding curve is concave, so a code is the least over the lines of all segments: eight
/// shifts and minima without a branch, which vectorise everywhere. With the bias every segment
/// begins at a power of two; the sum saturates where G.711 does.
#[inline(always)]
fn mulaw_by_minimum(sample: i16) -> u8 {
    let sign = sample >> 15;
    let magnitude = (sample ^ sign).saturating_add(MULAW_BIAS);
    let low = ((magnitude >> 3) - 16).min(magnitude >> 4);
    let middle = ((magnitude >> 5) + 16).min((magnitude >> 6) + 32);
    let high = ((magnitude >> 7) + 48).min((magnitude >> 8) + 64);
    let top = ((magnitude >> 9) + 80).min((magnitude >> 10) + 96);
    let code = low.min(middle).min(high.min(top));
    !(code as u8 | sign as u8 & 0x80)
}

/// The same with a count of leading zeros, one instruction on a microcontroller, in the width of
/// its registers: the leading one moves to the top, and the four bits below it are the interval.
#[inline(always)]
fn mulaw_by_zeros(sample: i16) -> u8 {
    let biased = u32::from((sample ^ (sample >> 15)).saturating_add(MULAW_BIAS).cast_unsigned());
    let zeros = biased.leading_zeros();
    let interval = (biased << zeros) >> 27; // 16 to 31
    let segment = 24u32.wrapping_sub(zeros);
    let code = (segment << 4).wrapping_add(interval).wrapping_sub(16);
    let sign = (sample >> 8) as u8 & 0x80;
    255u32.wrapping_sub(code) as u8 ^ sign
}

/// The first two segments of A-law lie on one line; see [`mulaw_by_minimum`].
#[inline(always)]
fn alaw_by_minimum(sample: i16) -> u8 {
    let sign = sample >> 15;
    let magnitude = (sample ^ sign) >> 4;
    let low = magnitude.min((magnitude >> 1) + 16);
    let middle = ((magnitude >> 2) + 32).min((magnitude >> 3) + 48);
    let high = ((magnitude >> 4) + 64).min((magnitude >> 5) + 80);
    let code = low.min(middle).min(high.min((magnitude >> 6) + 96));
    (code as u8 | !sign as u8 & 0x80) ^ 0x55
}

#[inline(always)]
fn alaw_by_zeros(sample: i16) -> u8 {
    let wide = i32::from(sample);
    let sign = wide >> 31;
    let magnitude = wide ^ sign;
    let segment = 23 - (magnitude | 0x100).leading_zeros();
    let code = (segment << 4) + (magnitude >> (segment + 4)).cast_unsigned();
    (code as u8 | !sign as u8 & 0x80) ^ 0x55
}

/// The bias of mu-law, 33 in 14 bits, in 16 bits.
const MULAW_BIAS: i16 = 33 << 2;
/// Whether the target has vectors of 16-bit integers.
const VECTORS: bool = cfg!(any(target_feature = "sse2", target_feature = "neon"));

/// Codes whose samples stand in a table: where flash is small, only those without the highest bit,
/// the samples below zero.
const SAMPLES: usize = if cfg!(target_os = "none") { 128 } else { 256 };

/// The sample of each mu-law code (G.711 table 2), left-justified in 16 bits.
static MULAW_SAMPLES: [i16; SAMPLES] = {
    let mut table = [0; SAMPLES];
    let mut codes: &mut [i16] = &mut table;
    let mut code: u16 = 0;
    while let Some((sample, rest)) = codes.split_first_mut() {
        let inverted = !code;
        let segment = inverted >> 4 & 7;
        let magnitude = ((((inverted & 15) << 1) + 33) << segment) - 33;
        let linear = (magnitude << 2) as i16;
        *sample = if inverted & 0x80 != 0 { -linear } else { linear };
        codes = rest;
        code += 1;
    }
    table
};

/// The sample of each A-law code (G.711 table 1), left-justified in 16 bits.
static ALAW_SAMPLES: [i16; SAMPLES] = {
    let mut table = [0; SAMPLES];
    let mut codes: &mut [i16] = &mut table;
    let mut code: u16 = 0;
    while let Some((sample, rest)) = codes.split_first_mut() {
        let plain = code ^ 0x55;
        let segment = plain >> 4 & 7;
        let interval = ((plain & 15) << 1) + 1;
        let magnitude = if segment == 0 { interval } else { (interval + 32) << (segment - 1) };
        let linear = (magnitude << 3) as i16;
        *sample = if plain & 0x80 != 0 { linear } else { -linear };
        codes = rest;
        code += 1;
    }
    table
};

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;

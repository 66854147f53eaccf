use super::*;
use std::vec::Vec;

/// The positive half of a G.711 table: decision values x(n) between the codes and the quantized
/// values y(n), in the units of the recommendation.
struct Table {
    decisions: Vec<u32>,
    values: Vec<u32>,
}

/// Table 2 of G.711: segments of 16 intervals whose widths double, the first interval half as
/// wide (its quantized value is 0), the first decision value 1, ends at 8159.
fn mulaw_table() -> Table {
    let mut decisions = std::vec![0u32, 1];
    for segment in 0..8 {
        let intervals = if segment == 0 { 15 } else { 16 };
        for _ in 0..intervals {
            decisions.push(decisions.last().unwrap() + (2 << segment));
        }
    }
    let values = decisions.windows(2).map(|pair| (pair[0] + pair[1]) / 2).collect();
    Table { decisions, values }
}

/// Table 1 of G.711: 32 intervals of width 2, then segments of 16 whose widths double, to 4096.
fn alaw_table() -> Table {
    let mut decisions = std::vec![0u32];
    for segment in 0..8u32 {
        let width = if segment == 0 { 2 } else { 2 << (segment - 1) };
        for _ in 0..16 {
            decisions.push(decisions.last().unwrap() + width);
        }
    }
    let values = decisions.windows(2).map(|pair| (pair[0] + pair[1]) / 2).collect();
    Table { decisions, values }
}

impl Table {
    /// The number of the interval that holds a magnitude in units of 1/scale.
    fn interval(&self, magnitude: u32, scale: u32) -> usize {
        let above = self.decisions.iter().filter(|limit| **limit * scale <= magnitude).count();
        above.clamp(1, 128) - 1
    }
}

/// What G.711 says for a sample; a negative one counts as its one's complement (ITU-T G.191).
fn expected_code(codec: Codec, table: &Table, sample: i16) -> u8 {
    let negative = sample < 0;
    let magnitude = if negative { -(i32::from(sample) + 1) as u32 } else { sample as u32 };
    match codec {
        // Character signal of table 2a: 1111 1111 for interval 0, counting down.
        Codec::Pcmu => (if negative { 127 } else { 255 }) - table.interval(magnitude, 4) as u8,
        // Table 1a counts up from 1000 0000; even bits are inverted on the line.
        Codec::Pcma => {
            (table.interval(magnitude, 8) as u8 | if negative { 0 } else { 0x80 }) ^ 0x55
        }
    }
}

#[test]
fn the_reference_tables_end_where_g711_ends() {
    let (mulaw, alaw) = (mulaw_table(), alaw_table());
    assert_eq!((mulaw.decisions.len(), *mulaw.decisions.last().unwrap()), (129, 8159));
    assert_eq!((mulaw.values[0], mulaw.values[127]), (0, 8031));
    assert_eq!((alaw.decisions.len(), *alaw.decisions.last().unwrap()), (129, 4096));
    assert_eq!((alaw.values[0], alaw.values[127]), (1, 4032));
}

#[test]
fn every_sample_encodes_as_the_tables_say() {
    for (codec, table) in [(Codec::Pcmu, mulaw_table()), (Codec::Pcma, alaw_table())] {
        let samples: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let mut codes = std::vec![0; samples.len()];
        codec.encode(&samples, &mut codes);
        for (sample, code) in samples.iter().zip(&codes) {
            assert_eq!(*code, expected_code(codec, &table, *sample), "{codec:?} {sample}");
            assert_eq!(*code, codec.encode_sample(*sample));
        }
    }
}

#[test]
fn every_code_decodes_as_the_tables_say() {
    let (mulaw, alaw) = (mulaw_table(), alaw_table());
    let codes: Vec<u8> = (0..=255).collect();
    for interval in 0..128u8 {
        let linear = (mulaw.values[usize::from(interval)] * 4) as i16;
        assert_eq!(Codec::Pcmu.decode_sample(255 - interval), linear);
        assert_eq!(Codec::Pcmu.decode_sample(127 - interval), -linear);
        let linear = (alaw.values[usize::from(interval)] * 8) as i16;
        assert_eq!(Codec::Pcma.decode_sample((interval | 0x80) ^ 0x55), linear);
        assert_eq!(Codec::Pcma.decode_sample(interval ^ 0x55), -linear);
    }
    for codec in [Codec::Pcmu, Codec::Pcma] {
        let mut samples = [0; 256];
        codec.decode(&codes, &mut samples);
        for (code, sample) in codes.iter().zip(&samples) {
            assert_eq!(*sample, codec.decode_sample(*code));
        }
    }
}

#[test]
fn both_ways_to_find_a_segment_agree() {
    for sample in i16::MIN..=i16::MAX {
        assert_eq!(mulaw_by_minimum(sample), mulaw_by_zeros(sample), "{sample}");
        assert_eq!(alaw_by_minimum(sample), alaw_by_zeros(sample), "{sample}");
    }
}

#[test]
fn silence_is_the_code_of_a_zero_sample() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        assert_eq!(codec.silence(), codec.encode_sample(0));
        assert!(codec.decode_sample(codec.silence()).abs() <= 8);
    }
}

#[test]
fn slices_of_different_length_are_encoded_as_far_as_both_go() {
    let mut codes = [0; 3];
    Codec::Pcmu.encode(&[0; 2], &mut codes);
    assert_eq!(codes, [0xff, 0xff, 0]);
    let mut samples = [9; 1];
    Codec::Pcma.decode(&[0xd5; 4], &mut samples);
    assert_eq!(samples, [8]);
}

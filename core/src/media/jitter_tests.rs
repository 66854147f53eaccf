use super::*;
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

/// A stream whose every frame of 20 ms carries its own code, so that what is played tells which
/// packet it was. Codes stay loud: the high bit and the two below are fixed.
fn payload(frame: u32) -> [u8; 160] {
    [0x80 | (frame % 32) as u8; 160]
}

fn played(buffer: &mut JitterBuffer) -> Vec<i16> {
    let mut playout = [0; 160];
    buffer.take(160, true, &mut playout);
    playout.to_vec()
}

fn frame_of(samples: &[i16]) -> Option<u32> {
    (0..32)
        .find(|frame| samples.iter().all(|s| *s == Codec::Pcmu.decode_sample(payload(*frame)[0])))
}

fn put(buffer: &mut JitterBuffer, start: u32, frame: u32) {
    buffer.put(Codec::Pcmu, start.wrapping_add(frame.wrapping_mul(160)), &payload(frame));
}

#[test]
fn nothing_is_played_before_the_first_packet() {
    let mut buffer = JitterBuffer::new();
    assert_eq!(played(&mut buffer), [0; 160]);
    assert_eq!(buffer.counts, JitterCounts::default());
}

#[test]
fn a_steady_stream_is_played_whole_after_40_ms_across_the_wrap() {
    let start = u32::MAX - 1000;
    let mut buffer = JitterBuffer::new();
    for frame in 0..2000 {
        put(&mut buffer, start, frame);
        let samples = played(&mut buffer);
        if frame < 2 {
            assert!(samples.iter().all(|sample| *sample == 0));
        } else {
            assert_eq!(frame_of(&samples), Some((frame - 2) % 32), "{frame}");
        }
    }
    assert_eq!(buffer.counts, JitterCounts::default());
}

#[test]
fn packets_of_any_length_fill_frames_of_any_length() {
    for (packet, frame) in [(80, 160), (160, 80), (240, 160), (480, 160), (160, 480), (97, 160)] {
        let mut buffer = JitterBuffer::new();
        let stream: Vec<u8> = (0..48_000u32).map(|at| 0x80 | (at / 7 % 64) as u8).collect();
        let expected: Vec<i16> = stream.iter().map(|c| Codec::Pcmu.decode_sample(*c)).collect();
        let mut heard = Vec::new();
        let mut sent = 0;
        while sent + 1000 < stream.len() {
            while sent < heard.len() + frame {
                buffer.put(Codec::Pcmu, sent as u32, &stream[sent..sent + packet]);
                sent += packet;
            }
            let mut playout = vec![0; frame];
            buffer.take(frame, true, &mut playout);
            heard.extend(playout);
        }
        let silence = JITTER_DEPTH_START as usize;
        assert_eq!(heard[silence..], expected[..heard.len() - silence], "{packet} {frame}");
        assert_eq!(buffer.counts.concealed_frames, 0);
    }
}

#[test]
fn reordered_packets_are_played_in_order() {
    let mut buffer = JitterBuffer::new();
    put(&mut buffer, 0, 0);
    let mut heard = Vec::new();
    for pair in 0..50 {
        put(&mut buffer, 0, pair * 2 + 2);
        heard.push(frame_of(&played(&mut buffer)));
        put(&mut buffer, 0, pair * 2 + 1);
        heard.push(frame_of(&played(&mut buffer)));
    }
    let expected: Vec<_> = (0..98).map(|frame| Some(frame % 32)).collect();
    assert_eq!(heard[2..], expected);
    assert_eq!((buffer.counts.late, buffer.counts.concealed_frames), (0, 0));
}

#[test]
fn a_lost_frame_is_repeated_fading_and_then_silent() {
    let mut buffer = JitterBuffer::new();
    for frame in 0..5 {
        buffer.put(Codec::Pcmu, frame * 160, &payload(31));
        played(&mut buffer);
    }
    for _ in 0..2 {
        played(&mut buffer);
    }
    let loud = i32::from(Codec::Pcmu.decode_sample(payload(31)[0]));
    let mut level = loud;
    for lost in 0..12 {
        let samples = played(&mut buffer);
        let now = i32::from(samples[0]).abs();
        assert!(now * 19 <= level.abs() * 10, "{lost}: {now} after {level}");
        level = now;
    }
    assert_eq!(level, 0);
    assert_eq!((buffer.counts.underruns, buffer.counts.concealed_frames), (1, 12));
}

#[test]
fn a_pause_is_one_underrun_and_the_next_packet_starts_anew() {
    let mut buffer = JitterBuffer::new();
    put(&mut buffer, 0, 0);
    for _ in 0..3 {
        played(&mut buffer);
    }
    for _ in 0..1000 {
        played(&mut buffer);
    }
    assert_eq!((buffer.counts.underruns, buffer.counts.concealed_frames), (1, 25));
    put(&mut buffer, 77_777, 5);
    let heard: Vec<_> = (0..3).map(|_| frame_of(&played(&mut buffer))).collect();
    assert_eq!(heard[2], Some(5));
    assert_eq!(buffer.counts.jumps, 0);
}

#[test]
fn a_gap_that_is_expected_is_no_underrun() {
    let mut buffer = JitterBuffer::new();
    put(&mut buffer, 0, 0);
    for _ in 0..20 {
        buffer.take(160, false, &mut [0; 160]);
    }
    assert_eq!(buffer.counts, JitterCounts::default());
}

#[test]
fn one_late_packet_changes_nothing_a_second_deepens_the_buffer() {
    let mut buffer = JitterBuffer::new();
    let late_by = 5;
    for frame in 0..100 {
        if frame != 30 && frame != 40 {
            put(&mut buffer, 0, frame);
        }
        if frame == 30 + late_by {
            put(&mut buffer, 0, 30);
            assert_eq!((buffer.counts.late, buffer.depth()), (1, JITTER_DEPTH_START));
        }
        if frame == 40 + late_by {
            put(&mut buffer, 0, 40);
            assert!(buffer.depth() >= JITTER_DEPTH_START + 2 * 160, "{}", buffer.depth());
        }
        played(&mut buffer);
    }
    assert_eq!(buffer.counts.late, 2);
}

#[test]
fn the_depth_follows_the_network_up_and_down_within_its_bounds() {
    let mut buffer = JitterBuffer::new();
    let arrivals = |frame: u32| frame + if frame.is_multiple_of(3) { 6 } else { 0 };
    for tick in 0..500u32 {
        for frame in (tick.saturating_sub(8)..=tick).filter(|frame| arrivals(*frame) == tick) {
            put(&mut buffer, 0, frame);
        }
        played(&mut buffer);
    }
    let deep = buffer.depth();
    assert!((6 * 160..=JITTER_DEPTH_MAX).contains(&deep), "{deep}");
    let late = buffer.counts.late;
    assert!(late < 20, "{late}");
    for tick in 500..6000u32 {
        put(&mut buffer, 0, tick);
        played(&mut buffer);
    }
    assert!(buffer.depth() <= deep - 320, "{}", buffer.depth());
    assert!(buffer.depth() >= JITTER_DEPTH_MIN);
    assert_eq!(buffer.counts.late, late);
}

#[test]
fn a_faster_and_a_slower_sender_are_followed() {
    for (numerator, denominator) in [(1001u64, 1000u64), (999, 1000)] {
        let mut buffer = JitterBuffer::new();
        let mut sent = 0;
        for tick in 0..50_000u64 {
            while sent * denominator < (tick + 1) * numerator {
                put(&mut buffer, 0, sent as u32);
                sent += 1;
            }
            played(&mut buffer);
        }
        assert_eq!(buffer.counts.jumps, 0);
        assert!(buffer.counts.concealed_frames < 500, "{:?}", buffer.counts);
    }
}

#[test]
fn a_jumped_timeline_is_followed_within_500_ms() {
    for jump in [1 << 31, 5_000_000, 4_000_000_000, u32::MAX - 20_000] {
        let mut buffer = JitterBuffer::new();
        for frame in 0..100 {
            put(&mut buffer, 0, frame);
            played(&mut buffer);
        }
        let recovered = (100..125).position(|frame| {
            put(&mut buffer, jump, frame);
            // What the buffer still held of the old timeline does not count.
            frame_of(&played(&mut buffer)) == Some((frame - 2) % 32) && frame > 103
        });
        assert!(recovered.is_some(), "{jump}");
        assert_eq!(buffer.counts.jumps, 1);
    }
}

#[test]
fn wild_timestamps_between_good_packets_disturb_nothing() {
    let mut buffer = JitterBuffer::new();
    let mut wild = 1u32;
    for frame in 0..500 {
        put(&mut buffer, 0, frame);
        for _ in 0..10 {
            wild = wild.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) | 0x4000_0000;
            buffer.put(Codec::Pcmu, wild, &[0; 160]);
        }
        let samples = played(&mut buffer);
        assert!(frame < 2 || frame_of(&samples) == Some((frame - 2) % 32), "{frame}");
    }
    assert_eq!(buffer.counts.jumps, 0);
}

#[test]
fn after_a_flood_at_ten_times_the_rate_the_stream_recovers() {
    let mut buffer = JitterBuffer::new();
    let mut frame = 0;
    for _ in 0..100 {
        for _ in 0..10 {
            put(&mut buffer, 0, frame);
            frame += 1;
        }
        played(&mut buffer);
    }
    for _ in 0..25 {
        put(&mut buffer, 0, frame);
        frame += 1;
        played(&mut buffer);
    }
    let counts = buffer.counts;
    for _ in 0..500 {
        put(&mut buffer, 0, frame);
        frame += 1;
        played(&mut buffer);
    }
    assert_eq!(buffer.counts, counts, "nothing is late, lost or made up after 500 ms");
    assert!(buffer.depth() <= 3 * JITTER_DEPTH_START, "{}", buffer.depth());
}

#[test]
fn empty_and_enormous_payloads_are_ignored() {
    let mut buffer = JitterBuffer::new();
    buffer.put(Codec::Pcmu, 0, &[]);
    buffer.put(Codec::Pcmu, 0, &vec![0; 65_000]);
    assert_eq!(played(&mut buffer), [0; 160]);
    for frame in 0..50 {
        put(&mut buffer, 0, frame);
        buffer.put(Codec::Pcmu, frame * 160, &[0; 1889]);
        let samples = played(&mut buffer);
        assert!(frame < 2 || frame_of(&samples).is_some());
    }
}

#[test]
fn a_codec_that_changes_in_the_stream_is_decoded_as_itself() {
    let mut buffer = JitterBuffer::new();
    for frame in 0..20u32 {
        let codec = if frame < 10 { Codec::Pcmu } else { Codec::Pcma };
        buffer.put(codec, frame * 160, &[codec.encode_sample(8000); 160]);
        let samples = played(&mut buffer);
        assert!(frame < 2 || samples.iter().all(|s| (7600..8400).contains(s)), "{frame}");
    }
}

#[test]
fn frames_nobody_listens_to_are_passed_over() {
    let mut buffer = JitterBuffer::new();
    for frame in 0..20u32 {
        put(&mut buffer, 0, frame);
        if frame < 10 {
            buffer.take(160, true, &mut []);
        } else {
            let mut long = [7; 200];
            buffer.take(160, true, &mut long);
            assert_eq!(frame_of(&long[..160]), Some(frame - 2));
            assert_eq!(long[160..], [0; 40]);
        }
    }
}

proptest! {
    #[test]
    fn any_packets_keep_the_counts_sane(
        start: u32,
        steps in prop::collection::vec(
            (prop_oneof![-4000i32..4000, any::<i32>()], 0usize..700, 0u32..3, any::<bool>()),
            0..200,
        ),
    ) {
        let mut buffer = JitterBuffer::new();
        let mut timestamp = start;
        for (offset, length, takes, other) in steps {
            timestamp = timestamp.wrapping_add(160);
            let codec = if other { Codec::Pcma } else { Codec::Pcmu };
            buffer.put(codec, timestamp.wrapping_add_signed(offset), &vec![0x80; length]);
            for _ in 0..takes {
                played(&mut buffer);
                timestamp = timestamp.wrapping_add(160);
            }
            prop_assert!(buffer.depth() <= JITTER_DEPTH_MAX);
            prop_assert!(buffer.depth() >= JITTER_DEPTH_MIN);
        }
    }

    #[test]
    fn a_shuffled_stream_within_the_depth_is_played_whole(
        start: u32,
        delays in prop::collection::vec((0u32..2, any::<bool>()), 40..200),
    ) {
        let mut buffer = JitterBuffer::new();
        put(&mut buffer, start, 0);
        for tick in 0..delays.len() as u32 {
            for frame in tick.saturating_sub(1)..=tick {
                let (delay, twice) = delays[frame as usize];
                if frame > 0 && frame + delay == tick {
                    put(&mut buffer, start, frame);
                    if twice {
                        put(&mut buffer, start, frame);
                    }
                }
            }
            let samples = played(&mut buffer);
            prop_assert!(tick < 2 || frame_of(&samples) == Some((tick - 2) % 32), "{}", tick);
        }
        prop_assert_eq!(buffer.counts.late, 0);
    }
}

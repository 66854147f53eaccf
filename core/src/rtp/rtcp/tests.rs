use super::*;
use proptest::prelude::*;
use std::vec::Vec;

const RECEIVER: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 7];

fn packets(bytes: &[u8]) -> Vec<Packet<'_>> {
    Compound::parse(bytes).unwrap().packets().collect()
}

fn after_a_report(tail: &[u8]) -> Vec<u8> {
    [&RECEIVER, tail].concat()
}

#[test]
fn a_length_of_zero_advances_by_one_word() {
    let bytes = after_a_report(&[0x80, 204, 0, 0].repeat(3));
    let unknown = Packet::Unknown { packet_type: 204, body: &[] };
    assert_eq!(packets(&bytes)[1..], [unknown; 3]);
}

#[test]
fn ten_thousand_tiny_packets_are_read_one_by_one() {
    let bytes = after_a_report(&[0x80, 210, 0, 0].repeat(10_000));
    assert_eq!(packets(&bytes).len(), 10_001);
}

#[test]
fn the_first_packet_must_be_a_report() {
    for packet_type in [192, 202, 203, 204, 205, 206, 207, 223] {
        let bytes = [0x80, packet_type, 0, 1, 0, 0, 0, 7];
        assert_eq!(Compound::parse(&bytes), Err(CompoundError::First));
    }
    assert_eq!(Compound::parse(&[]), Err(CompoundError::Length));
}

#[test]
fn lengths_must_add_up() {
    assert_eq!(Compound::parse(&RECEIVER[..7]), Err(CompoundError::Length));
    assert_eq!(Compound::parse(&after_a_report(&[0x80])), Err(CompoundError::Length));
    let beyond = [0x80, 201, 0xff, 0xff, 0, 0, 0, 7];
    assert_eq!(Compound::parse(&beyond), Err(CompoundError::Length));
    let version = after_a_report(&[0x40, 202, 0, 0]);
    assert_eq!(Compound::parse(&version), Err(CompoundError::Version));
}

#[test]
fn padding_may_stand_on_the_last_packet_only() {
    let last = after_a_report(&[0xa0, 204, 0, 2, 1, 2, 3, 4, 0, 0, 0, 4]);
    assert_eq!(packets(&last)[1], Packet::Unknown { packet_type: 204, body: &[1, 2, 3, 4] });
    let mut first = last.clone();
    first.splice(0..8, [0xa0, 201, 0, 2, 0, 0, 0, 7, 0, 0, 0, 4]);
    assert_eq!(Compound::parse(&first), Err(CompoundError::Padding));
    for count in [0, 1, 3, 12, 255] {
        let mut wrong = last.clone();
        *wrong.last_mut().unwrap() = count;
        assert_eq!(Compound::parse(&wrong), Err(CompoundError::Padding), "{count}");
    }
}

#[test]
fn more_report_blocks_than_bytes_are_not_read() {
    let mut bytes = RECEIVER;
    bytes[0] = 0x80 | 31;
    assert!(matches!(packets(&bytes)[..], [Packet::Unknown { packet_type: 201, .. }]));
    let short_sender = [0x80, 200, 0, 1, 0, 0, 0, 7];
    assert!(matches!(packets(&short_sender)[..], [Packet::Unknown { packet_type: 200, .. }]));
}

#[test]
fn a_description_without_end_yields_no_chunk() {
    for tail in [&[0x81, 202, 0, 1, 0, 0, 0, 7][..], &[0x81, 202, 0, 2, 0, 0, 0, 7, 1, 2, 65, 66]] {
        let bytes = after_a_report(tail);
        let Packet::SourceDescription(chunks) = packets(&bytes)[1] else { panic!() };
        assert_eq!(chunks.iter().count(), 0);
    }
}

#[test]
fn two_chunks_are_read_across_their_padding() {
    let chunk =
        [0, 0, 0, 7, 1, 1, b'a', 0, 0, 0, 0, 8, 8, 2, 1, 2, 1, 3, b'x', b'y', b'z', 0, 0, 0];
    let bytes = after_a_report(&[&[0x82, 202, 0, 6][..], &chunk].concat());
    let Packet::SourceDescription(chunks) = packets(&bytes)[1] else { panic!() };
    let read: Vec<_> = chunks.iter().map(|chunk| (chunk.ssrc, chunk.cname())).collect();
    assert_eq!(read, [(7, Some(&b"a"[..])), (8, Some(&b"xyz"[..]))]);
}

#[test]
fn a_bye_with_a_reason_beyond_its_end_has_none() {
    let bytes = after_a_report(&[0x81, 203, 0, 2, 0, 0, 0, 7, 255, b'a', b'b', b'c']);
    let Packet::Bye(bye) = packets(&bytes)[1] else { panic!() };
    assert_eq!((bye.sources().collect::<Vec<_>>(), bye.reason), (std::vec![7], None));
    let bytes = after_a_report(&[0x9f, 203, 0, 2, 0, 0, 0, 7, 0, 0, 0, 8]);
    assert!(matches!(packets(&bytes)[1], Packet::Unknown { packet_type: 203, .. }));
}

fn block() -> impl Strategy<Value = ReportBlock> {
    (any::<(u32, u8, u32, u32, u32, u32)>(), -0x80_0000i32..0x80_0000).prop_map(
        |((ssrc, fraction_lost, highest_sequence, jitter, last_sr, delay), cumulative_lost)| {
            ReportBlock {
                ssrc,
                fraction_lost,
                cumulative_lost,
                highest_sequence,
                jitter,
                last_sr,
                delay_since_last_sr: delay,
            }
        },
    )
}

type Step<'s> = &'s dyn Fn(&mut Writer<'_>) -> Result<(), crate::rtp::TooSmall>;

proptest! {
    #[test]
    fn what_is_written_is_read_back_and_every_smaller_buffer_refused(
        blocks in prop::collection::vec(block(), 0..32),
        (ntp, timestamp, packets_sent, octets) in any::<(u64, u32, u32, u32)>(),
        name in prop::collection::vec(1u8.., 0..40),
        reason in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let info = SenderInfo { ntp, timestamp, packets: packets_sent, octets };
        let steps: [Step<'_>; 4] = [
            &|writer| writer.sender_report(9, &info, &blocks),
            &|writer| writer.receiver_report(9, &blocks),
            &|writer| writer.cname(9, &name),
            &|writer| writer.bye(9, &reason),
        ];
        let mut out = [0; 2048];
        let mut writer = Writer::new(&mut out);
        let mut ends = Vec::new();
        for step in steps {
            step(&mut writer).unwrap();
            ends.push(writer.len());
        }
        let length = *ends.last().unwrap();
        for room in 0..length {
            let mut small = [0; 2048];
            let mut writer = Writer::new(&mut small[..room]);
            let fit = steps.iter().take_while(|step| step(&mut writer).is_ok()).count();
            prop_assert_eq!(fit, ends.iter().filter(|end| **end <= room).count());
            prop_assert_eq!(writer.len(), if fit == 0 { 0 } else { ends[fit - 1] });
        }
        let read = packets(&out[..length]);
        prop_assert_eq!(read.len(), 4);
        let Packet::SenderReport { ssrc: 9, info: read_info, reports } = read[0] else { panic!() };
        prop_assert_eq!((read_info, reports.iter().collect::<Vec<_>>()), (info, blocks.clone()));
        let Packet::ReceiverReport { ssrc: 9, reports } = read[1] else { panic!() };
        prop_assert_eq!(reports.iter().collect::<Vec<_>>(), blocks);
        let Packet::SourceDescription(chunks) = read[2] else { panic!() };
        let chunks: Vec<_> = chunks.iter().map(|chunk| (chunk.ssrc, chunk.cname())).collect();
        prop_assert_eq!(chunks, [(9, Some(&name[..]))]);
        let Packet::Bye(bye) = read[3] else { panic!() };
        prop_assert_eq!(bye.sources().collect::<Vec<_>>(), [9]);
        prop_assert_eq!(bye.reason, Some(&reason[..]));
    }

    #[test]
    fn any_bytes_are_read_or_refused(words in prop::collection::vec(any::<[u8; 4]>(), 0..40)) {
        let mut bytes = RECEIVER.to_vec();
        for [a, b, c, d] in words {
            // a plausible head, so that the bodies behind it are read
            bytes.extend([a & 0x1f | 0x80, b | 0xc0, 0, d & 7, a, b, c, d]);
        }
        if let Ok(compound) = Compound::parse(&bytes) {
            for packet in compound.packets() {
                match packet {
                    Packet::SourceDescription(chunks) => {
                        prop_assert!(chunks.iter().flat_map(|chunk| chunk.items()).count() < 400);
                    }
                    Packet::Bye(bye) => prop_assert!(bye.sources().count() < 32),
                    _ => {}
                }
            }
        }
    }
}

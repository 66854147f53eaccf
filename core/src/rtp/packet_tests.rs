use super::*;
use proptest::prelude::*;
use std::vec;

const HEADER: Header = Header {
    marker: true,
    payload_type: 8,
    sequence: 0x0102,
    timestamp: 0x03040506,
    ssrc: 0x0708090a,
};

#[test]
fn the_header_stands_where_rfc_3550_draws_it() {
    let mut out = [0; 16];
    let packet = Packet::new(HEADER, &[0xd5, 0xd5]);
    assert_eq!(packet.write(&mut out), Ok(14));
    assert_eq!(out, [0x80, 0x88, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0xd5, 0xd5, 0, 0]);
}

#[test]
fn only_version_2_is_accepted() {
    for version in [0, 1, 3] {
        let mut bytes = [0; 12];
        bytes[0] = version << 6;
        assert_eq!(Packet::parse(&bytes), Err(PacketError::Version));
    }
}

#[test]
fn rtcp_types_are_told_apart() {
    let mut bytes = [0; 12];
    bytes[0] = 0x80;
    for kind in 0..=255 {
        bytes[1] = kind;
        let expected_rtcp = (192..=223).contains(&kind);
        assert_eq!(Packet::parse(&bytes) == Err(PacketError::Rtcp), expected_rtcp, "{kind}");
    }
}

#[test]
fn an_empty_payload_is_a_packet() {
    let mut bytes = [0; 12];
    bytes[0] = 0x80;
    assert_eq!(Packet::parse(&bytes).unwrap().payload, b"");
}

#[test]
fn contributing_sources_beyond_the_end_are_refused() {
    let mut bytes = [0; 12 + 60];
    bytes[0] = 0x8f;
    for length in 12..72 {
        assert_eq!(Packet::parse(&bytes[..length]), Err(PacketError::Truncated), "{length}");
    }
    assert_eq!(Packet::parse(&bytes).unwrap().csrc.len(), 15);
}

#[test]
fn an_extension_beyond_the_end_is_refused() {
    let mut bytes = [0; 20];
    bytes[0] = 0x90;
    bytes[14] = 0xff;
    bytes[15] = 0xff;
    assert_eq!(Packet::parse(&bytes), Err(PacketError::Truncated));
    for length in 12..16 {
        assert_eq!(Packet::parse(&bytes[..length]), Err(PacketError::Truncated), "{length}");
    }
}

#[test]
fn padding_is_checked_against_what_follows_the_header() {
    let mut bytes = [0; 15];
    bytes[0] = 0xa0;
    assert_eq!(Packet::parse(&bytes[..12]), Err(PacketError::Padding));
    for (padding, payload) in [(0, None), (1, Some(2)), (3, Some(0)), (4, None), (255, None)] {
        bytes[14] = padding;
        let read = Packet::parse(&bytes).map(|packet| packet.payload.len());
        assert_eq!(read, payload.ok_or(PacketError::Padding), "{padding}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_and_every_smaller_buffer_refused(
        (marker, payload_type, sequence) in (any::<bool>(), 0u8..64, any::<u16>()),
        (timestamp, ssrc) in any::<(u32, u32)>(),
        csrc in prop::collection::vec(any::<[u8; 4]>(), 0..16),
        extension in prop::option::of((any::<u16>(), prop::collection::vec(any::<[u8; 4]>(), 0..5))),
        payload in prop::collection::vec(any::<u8>(), 0..200),
        padding: u8,
    ) {
        let packet = Packet {
            header: Header { marker, payload_type, sequence, timestamp, ssrc },
            csrc: &csrc,
            extension: extension.as_ref().map(|(profile, data)| Extension { profile: *profile, data }),
            payload: &payload,
            padding,
        };
        let length = packet.wire_len();
        for short in 0..length {
            prop_assert_eq!(packet.write(&mut vec![0xee; short]), Err(TooSmall));
        }
        let mut out = vec![0xee; length + 3];
        prop_assert_eq!(packet.write(&mut out), Ok(length));
        prop_assert_eq!(Packet::parse(&out[..length]), Ok(packet));
        prop_assert_eq!(&out[length..], &[0xee; 3]);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100), first: u8) {
        let mut bytes = bytes;
        if let Some(flags) = bytes.first_mut() {
            *flags = first & 0x3f | 0x80;
        }
        if let Ok(packet) = Packet::parse(&bytes) {
            prop_assert_eq!(packet.wire_len(), bytes.len());
        }
    }
}

use core::net::{IpAddr, SocketAddr};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::{Record, Trace, Way};

/// Writes messages as a capture file that Wireshark and sngrep open.
///
/// The link type is raw IP; the IP and UDP headers are made up from the addresses, also for
/// messages that came over a stream, since those passed whole. Every message is on disk before the
/// next one.
#[derive(Debug)]
pub struct Pcap<W: Write> {
    writer: W,
    identification: u16,
}

impl Pcap<BufWriter<File>> {
    /// Creates the file, over an old one where there is one.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::new(BufWriter::new(File::create(path)?))
    }
}

impl<W: Write> Pcap<W> {
    /// Writes a capture to any writer.
    ///
    /// # Errors
    /// The file header cannot be written.
    pub fn new(mut writer: W) -> io::Result<Self> {
        let mut header = Vec::with_capacity(24);
        header.extend_from_slice(&MAGIC_MICROS.to_le_bytes());
        header.extend_from_slice(&2_u16.to_le_bytes()); // version 2.4
        header.extend_from_slice(&4_u16.to_le_bytes());
        header.extend_from_slice(&[0; 8]); // UTC, no accuracy stated
        header.extend_from_slice(&PACKET_MAX.to_le_bytes());
        header.extend_from_slice(&LINKTYPE_RAW.to_le_bytes());
        writer.write_all(&header)?;
        writer.flush()?;
        Ok(Self { writer, identification: 0 })
    }

    fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        let (from, to) = match record.way {
            Way::Sent => (record.path.local, record.path.remote),
            Way::Received => (record.path.remote, record.path.local),
        };
        let payload = record.bytes.get(..PAYLOAD_MAX).unwrap_or(record.bytes);
        let headers = self.headers(from, to, payload);
        let captured = (headers.len() + payload.len()) as u32;
        let original = (headers.len() + record.bytes.len()) as u32;
        let micros = record.at.as_micros();
        let seconds = u32::try_from(micros / 1_000_000).unwrap_or(u32::MAX);
        for field in [seconds, (micros % 1_000_000) as u32, captured, original] {
            self.writer.write_all(&field.to_le_bytes())?;
        }
        self.writer.write_all(&headers)?;
        self.writer.write_all(payload)?;
        self.writer.flush()
    }

    fn headers(&mut self, from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
        let udp_length = (payload.len() + 8) as u16;
        let mut udp = Vec::with_capacity(8);
        for field in [from.port(), to.port(), udp_length, 0] {
            udp.extend_from_slice(&field.to_be_bytes());
        }
        let mut headers = Vec::with_capacity(48);
        let addresses = match (from.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                self.identification = self.identification.wrapping_add(1);
                headers.extend_from_slice(&[0x45, 0]);
                headers.extend_from_slice(&(udp_length + 20).to_be_bytes());
                headers.extend_from_slice(&self.identification.to_be_bytes());
                headers.extend_from_slice(&[0x40, 0, 64, UDP, 0, 0]);
                headers.extend_from_slice(&from.octets());
                headers.extend_from_slice(&to.octets());
                let sum = checksum(&[&headers]);
                headers.splice(10..12, sum.to_be_bytes());
                [from.octets().to_vec(), to.octets().to_vec()]
            }
            (from, to) => {
                let [from, to] = [from, to].map(|ip| match ip {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                    IpAddr::V6(ip) => ip.octets(),
                });
                headers.extend_from_slice(&[0x60, 0, 0, 0]);
                headers.extend_from_slice(&udp_length.to_be_bytes());
                headers.extend_from_slice(&[UDP, 64]);
                headers.extend_from_slice(&from);
                headers.extend_from_slice(&to);
                [from.to_vec(), to.to_vec()]
            }
        };
        let [from, to] = &addresses;
        let [high, low] = udp_length.to_be_bytes();
        // Zero stands for "no checksum" (RFC 768), so a sum of zero is sent as its complement.
        let sum = match checksum(&[from, to, &[0, UDP, high, low], &udp, payload]) {
            0 => u16::MAX,
            sum => sum,
        };
        udp.splice(6..8, sum.to_be_bytes());
        headers.extend_from_slice(&udp);
        headers
    }
}

impl<W: Write + Send> Trace for Pcap<W> {
    fn record(&mut self, record: &Record<'_>) {
        // A full disk must not disturb the calls.
        let _ = self.write(record);
    }
}

/// The Internet checksum (RFC 1071) over parts, all but the last of even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u32 = 0;
    for part in parts {
        for pair in part.chunks(2) {
            let high = u32::from(pair.first().copied().unwrap_or(0));
            let low = u32::from(pair.get(1).copied().unwrap_or(0));
            sum += high << 8 | low;
            sum = (sum & 0xffff) + (sum >> 16);
        }
    }
    !(sum as u16)
}

/// Time stamps in microseconds, in the byte order of what follows.
const MAGIC_MICROS: u32 = 0xa1b2_c3d4;
/// The packets begin with the IP header.
const LINKTYPE_RAW: u32 = 101;
const PACKET_MAX: u32 = 262_144;
/// What an IPv4 packet has room for beside its own and the UDP header.
const PAYLOAD_MAX: usize = 65_535 - 28;
const UDP: u8 = 17;

#[cfg(test)]
mod tests {
    use super::super::tests::record;
    use super::*;

    fn packet(bytes: &[u8], v6: bool) -> Vec<u8> {
        let mut pcap = Pcap::new(Vec::new()).unwrap();
        pcap.record(&record(bytes, v6));
        pcap.writer
    }

    #[test]
    fn the_file_begins_as_libpcap_wants_it() {
        let file = packet(b"x", false);
        let mut expected = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        expected.extend([0, 0, 4, 0, 101, 0, 0, 0]);
        assert_eq!(file.get(..24).unwrap(), expected);
        let times = file.get(24..32).unwrap();
        assert_eq!(times, [1_700_000_000_u32.to_le_bytes(), 123_456_u32.to_le_bytes()].concat());
    }

    #[test]
    fn ipv4_headers_have_lengths_ports_and_checksums() {
        let file = packet(b"BYE", false);
        let packet = file.get(40..).unwrap();
        assert_eq!(packet.len(), 31);
        assert_eq!(packet.get(2..4).unwrap(), [0, 31]);
        assert_eq!(packet.get(12..20).unwrap(), [192, 0, 2, 1, 192, 0, 2, 2]);
        assert_eq!(packet.get(20..26).unwrap(), [0x13, 0xc4, 0x13, 0xce, 0, 11]);
        assert_eq!(packet.get(28..).unwrap(), b"BYE");
        assert_eq!(checksum(&[packet.get(..20).unwrap()]), 0);
        let pseudo = [packet.get(12..20).unwrap(), &[0, UDP, 0, 11]].concat();
        assert_eq!(checksum(&[&pseudo, packet.get(20..).unwrap()]), 0);
    }

    #[test]
    fn ipv6_headers_have_lengths_and_checksums() {
        let file = packet(b"BYE!", true);
        let packet = file.get(40..).unwrap();
        assert_eq!(packet.len(), 40 + 8 + 4);
        assert_eq!(packet.get(..8).unwrap(), [0x60, 0, 0, 0, 0, 12, UDP, 64]);
        let pseudo = [packet.get(8..40).unwrap(), &[0, UDP, 0, 12]].concat();
        assert_eq!(checksum(&[&pseudo, packet.get(40..).unwrap()]), 0);
    }

    #[test]
    fn a_message_longer_than_a_datagram_is_cut_and_says_so() {
        let file = packet(&vec![b'a'; 70_000], false);
        assert_eq!(file.get(32..36).unwrap(), 65_535_u32.to_le_bytes());
        assert_eq!(file.get(36..40).unwrap(), 70_028_u32.to_le_bytes());
        assert_eq!(file.len(), 24 + 16 + 65_535);
    }
}

use super::{
    BYE, CNAME, RECEIVER_REPORT, ReportBlock, SENDER_REPORT, SOURCE_DESCRIPTION, SenderInfo,
    VERSION,
};
use crate::rtp::TooSmall;

/// Writes a compound packet into a caller's buffer, packet after packet. A packet that does not
/// fit is refused whole and leaves the ones before it as they are.
#[derive(Debug)]
pub struct Writer<'b> {
    out: &'b mut [u8],
    length: usize,
}

impl<'b> Writer<'b> {
    /// A compound packet at the start of `out`.
    pub fn new(out: &'b mut [u8]) -> Self {
        Self { out, length: 0 }
    }

    /// Adds a sender report (RFC 3550 s6.4.1); blocks after the 31st are left out.
    ///
    /// # Errors
    /// The buffer is full.
    pub fn sender_report(
        &mut self,
        ssrc: u32,
        info: &SenderInfo,
        blocks: &[ReportBlock],
    ) -> Result<(), TooSmall> {
        let blocks = blocks.get(..COUNT_MAX).unwrap_or(blocks);
        let mut packet = self.packet(SENDER_REPORT, blocks.len() as u8);
        packet.u32(ssrc);
        packet.u32((info.ntp >> 32) as u32);
        packet.u32(info.ntp as u32);
        packet.u32(info.timestamp);
        packet.u32(info.packets);
        packet.u32(info.octets);
        packet.blocks(blocks);
        packet.end()
    }

    /// Adds a receiver report (RFC 3550 s6.4.2); blocks after the 31st are left out.
    ///
    /// # Errors
    /// The buffer is full.
    pub fn receiver_report(&mut self, ssrc: u32, blocks: &[ReportBlock]) -> Result<(), TooSmall> {
        let blocks = blocks.get(..COUNT_MAX).unwrap_or(blocks);
        let mut packet = self.packet(RECEIVER_REPORT, blocks.len() as u8);
        packet.u32(ssrc);
        packet.blocks(blocks);
        packet.end()
    }

    /// Adds a source description that holds a canonical name, cut at 255 bytes (RFC 3550 s6.5.1).
    ///
    /// # Errors
    /// The buffer is full.
    pub fn cname(&mut self, ssrc: u32, name: &[u8]) -> Result<(), TooSmall> {
        let name = name.get(..TEXT_MAX).unwrap_or(name);
        let mut packet = self.packet(SOURCE_DESCRIPTION, 1);
        packet.u32(ssrc);
        packet.bytes(&[CNAME, name.len() as u8]);
        packet.bytes(name);
        packet.bytes(&[0]);
        packet.end()
    }

    /// Adds a BYE of one source, with a reason unless it is empty, cut at 255 bytes (RFC 3550
    /// s6.6).
    ///
    /// # Errors
    /// The buffer is full.
    pub fn bye(&mut self, ssrc: u32, reason: &[u8]) -> Result<(), TooSmall> {
        let reason = reason.get(..TEXT_MAX).unwrap_or(reason);
        let mut packet = self.packet(BYE, 1);
        packet.u32(ssrc);
        if !reason.is_empty() {
            packet.bytes(&[reason.len() as u8]);
            packet.bytes(reason);
        }
        packet.end()
    }

    /// Length of the compound so far, bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    fn packet(&mut self, packet_type: u8, count: u8) -> PacketWriter<'_, 'b> {
        let mut packet = PacketWriter { at: self.length, full: false, writer: self };
        packet.bytes(&[VERSION << 6 | count, packet_type, 0, 0]);
        packet
    }
}

/// One packet in the making; its length is filled in at the end.
struct PacketWriter<'w, 'b> {
    writer: &'w mut Writer<'b>,
    at: usize,
    full: bool,
}

impl PacketWriter<'_, '_> {
    fn bytes(&mut self, bytes: &[u8]) {
        match self.writer.out.get_mut(self.at..self.at + bytes.len()) {
            Some(target) => target.copy_from_slice(bytes),
            None => self.full = true,
        }
        self.at += bytes.len();
    }

    fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    fn blocks(&mut self, blocks: &[ReportBlock]) {
        for block in blocks {
            let [_, l2, l1, l0] = block.cumulative_lost.to_be_bytes();
            self.u32(block.ssrc);
            self.bytes(&[block.fraction_lost, l2, l1, l0]);
            self.u32(block.highest_sequence);
            self.u32(block.jitter);
            self.u32(block.last_sr);
            self.u32(block.delay_since_last_sr);
        }
    }

    fn end(mut self) -> Result<(), TooSmall> {
        let start = self.writer.length;
        let odd = (self.at - start) % 4;
        if let Some(zeros) = [0; 4].get(odd..).filter(|_| odd > 0) {
            self.bytes(zeros);
        }
        let words = ((self.at - start) / 4).saturating_sub(1) as u16;
        if self.full {
            return Err(TooSmall);
        }
        if let Some(length) = self.writer.out.get_mut(start + 2..start + 4) {
            length.copy_from_slice(&words.to_be_bytes());
        }
        self.writer.length = self.at;
        Ok(())
    }
}

const COUNT_MAX: usize = 31;
const TEXT_MAX: usize = 255;

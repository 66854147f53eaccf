//! Ethernet drivers for embassy-net, one file a chip.
//!
//! A driver needs three things of its board: the chip's registers as a [`Bus`], two frame buffers
//! ([`Buffers`]), and a call of its `interrupt` function when the chip asks for attention.

mod lan9118;
mod stellaris;

pub use lan9118::Lan9118;
pub use stellaris::Stellaris;

/// The registers of one chip.
///
/// Reading and writing have effects (a read takes a word out of a FIFO), hence `&mut self`.
pub trait Bus {
    /// Reads the 32-bit register `offset` bytes into the chip's window.
    fn read(&mut self, offset: usize) -> u32;
    /// Writes the 32-bit register `offset` bytes into the chip's window.
    fn write(&mut self, offset: usize, value: u32);
}

/// Longest frame with its checksum, rounded up to words: 14 + 1500 + 4, and a word to spare for
/// the length that some chips put in front.
const FRAME_MAX: usize = 1524;

/// One frame in, one frame out.
///
/// embassy-net takes a received frame together with the right to answer it, so two buffers are the
/// least that works; the rest of a burst waits in the chip. All zero, so that a static of this
/// type costs no flash.
#[derive(Debug)]
pub struct Buffers {
    receive: [u8; FRAME_MAX],
    transmit: [u8; FRAME_MAX],
}

impl Buffers {
    /// Empty buffers.
    pub const fn new() -> Self {
        Self { receive: [0; FRAME_MAX], transmit: [0; FRAME_MAX] }
    }
}

impl Default for Buffers {
    fn default() -> Self {
        Self::new()
    }
}

/// What a driver of this module tells embassy-net: whole frames, one at a time.
fn capabilities() -> embassy_net_driver::Capabilities {
    let mut capabilities = embassy_net_driver::Capabilities::default();
    capabilities.max_transmission_unit = 1514;
    capabilities.max_burst_size = Some(1);
    capabilities
}

/// Takes `length` bytes as little-endian words out of a FIFO into `into`; what does not fit is
/// taken out as well and dropped, since the next frame stands behind it.
fn take_words(mut next: impl FnMut() -> u32, length: usize, into: &mut [u8]) {
    let mut places = into.chunks_mut(4);
    for _ in 0..length.div_ceil(4) {
        let word = next().to_le_bytes();
        if let Some(place) = places.next() {
            place.iter_mut().zip(word).for_each(|(to, byte)| *to = byte);
        }
    }
}

/// Puts `bytes` as little-endian words into a FIFO, the last one padded with zeros.
fn put_words(mut put: impl FnMut(u32), bytes: &[u8]) {
    for part in bytes.chunks(4) {
        let mut word = [0; 4];
        word.iter_mut().zip(part).for_each(|(to, byte)| *to = *byte);
        put(u32::from_le_bytes(word));
    }
}

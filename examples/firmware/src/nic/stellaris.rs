//! The Ethernet controller of TI's Stellaris LM3S6965 and its family.
//!
//! One data register is the end of two small FIFOs, and there are no rings:
//!
//! - **Receive.** `NP` counts whole frames. The first word of a frame holds in its lower half the
//!   length of everything (these two bytes, the frame, four checksum bytes) and in its upper half
//!   the frame's first two bytes: as a byte stream, a 16-bit length and then the frame.
//! - **Transmit.** The same form, but the length is that of the payload behind the 14 bytes of the
//!   Ethernet header. Writing 1 to `TR` starts sending; it reads 1 until the frame is out.
//!
//! The interrupt is "frame received". The handler masks it and wakes the driver, which drains the
//! FIFO and unmasks it when nothing is left.

use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState};
use embassy_sync::waitqueue::AtomicWaker;

use super::{Buffers, Bus, capabilities, put_words, take_words};

/// The driver; `B` reaches the controller's registers.
pub struct Stellaris<'a, B: Bus> {
    bus: B,
    buffers: &'a mut Buffers,
    waker: &'a AtomicWaker,
    address: [u8; 6],
}

impl<'a, B: Bus> Stellaris<'a, B> {
    /// Starts both directions; the board has given the controller its clock. `waker` is the one
    /// given to [`interrupt`](Self::interrupt).
    pub fn new(mut bus: B, buffers: &'a mut Buffers, waker: &'a AtomicWaker) -> Self {
        bus.write(INTERRUPT_MASK, 0);
        bus.write(INTERRUPT_STATUS, INTERRUPT_ALL);
        bus.write(RECEIVE_CONTROL, RECEIVE_RESET_FIFO);
        bus.write(RECEIVE_CONTROL, 0);
        bus.write(
            TRANSMIT_CONTROL,
            TRANSMIT_ENABLE | TRANSMIT_PAD | TRANSMIT_CHECKSUM | TRANSMIT_DUPLEX,
        );
        bus.write(RECEIVE_CONTROL, RECEIVE_ENABLE | RECEIVE_MULTICAST);
        let [low0, low1, low2, low3] = bus.read(ADDRESS_LOW).to_le_bytes();
        let [high0, high1, ..] = bus.read(ADDRESS_HIGH).to_le_bytes();
        bus.write(INTERRUPT_MASK, INTERRUPT_RECEIVED);
        Self { bus, buffers, waker, address: [low0, low1, low2, low3, high0, high1] }
    }

    /// To be called when the controller's interrupt fires: masks it and wakes the driver.
    pub fn interrupt(bus: &mut B, waker: &AtomicWaker) {
        bus.write(INTERRUPT_MASK, 0);
        bus.write(INTERRUPT_STATUS, INTERRUPT_ALL);
        waker.wake();
    }

    /// Takes frames out of the controller until one is good; where it stands in the buffer.
    fn next_frame(&mut self) -> Option<core::ops::Range<usize>> {
        while self.bus.read(PACKET_COUNT) & 0x3f != 0 {
            let first = self.bus.read(DATA);
            let length = (first & 0xffff) as usize;
            let bus = &mut self.bus;
            let mut word = Some(first);
            let next = || word.take().unwrap_or_else(|| bus.read(DATA));
            take_words(next, length, &mut self.buffers.receive);
            if (FRAME_MIN..=self.buffers.receive.len()).contains(&length) {
                return Some(LENGTH..length - CHECKSUM);
            }
        }
        None
    }
}

impl<B: Bus> Driver for Stellaris<'_, B> {
    type RxToken<'t>
        = RxToken<'t>
    where
        Self: 't;
    type TxToken<'t>
        = TxToken<'t, B>
    where
        Self: 't;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(RxToken<'_>, TxToken<'_, B>)> {
        let place = match self.next_frame() {
            Some(place) => place,
            None => {
                // A frame may come between the last look and the unmasking, and the handler may
                // have run before the waker was there: look once more after both.
                self.waker.register(cx.waker());
                self.bus.write(INTERRUPT_MASK, INTERRUPT_RECEIVED);
                self.next_frame()?
            }
        };
        let frame = self.buffers.receive.get_mut(place)?;
        let transmit = TxToken { bus: &mut self.bus, buffer: &mut self.buffers.transmit };
        Some((RxToken(frame), transmit))
    }

    fn transmit(&mut self, cx: &mut Context<'_>) -> Option<TxToken<'_, B>> {
        if self.bus.read(TRANSMIT_REQUEST) & 1 != 0 {
            // The last frame leaves at wire speed, 0.1 ms: ask again rather than add a second
            // interrupt source.
            cx.waker().wake_by_ref();
            return None;
        }
        Some(TxToken { bus: &mut self.bus, buffer: &mut self.buffers.transmit })
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        capabilities()
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.address)
    }
}

/// One received frame.
#[derive(Debug)]
pub struct RxToken<'t>(&'t mut [u8]);

impl embassy_net_driver::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

/// The right to send one frame.
#[derive(Debug)]
pub struct TxToken<'t, B: Bus> {
    bus: &'t mut B,
    buffer: &'t mut [u8],
}

impl<B: Bus> embassy_net_driver::TxToken for TxToken<'_, B> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let end = (length + LENGTH).min(self.buffer.len());
        let (stream, _) = self.buffer.split_at_mut(end);
        let (size, frame) = stream.split_at_mut(LENGTH);
        let filled = fill(frame);
        let payload = frame.len().saturating_sub(HEADER) as u16;
        size.copy_from_slice(&payload.to_le_bytes());
        put_words(|word| self.bus.write(DATA, word), stream);
        self.bus.write(TRANSMIT_REQUEST, 1);
        filled
    }
}

const LENGTH: usize = 2;
const HEADER: usize = 14;
const CHECKSUM: usize = 4;
const FRAME_MIN: usize = LENGTH + HEADER + CHECKSUM;

const INTERRUPT_STATUS: usize = 0x00;
const INTERRUPT_ALL: u32 = 0x7f;
const INTERRUPT_MASK: usize = 0x04;
const INTERRUPT_RECEIVED: u32 = 1;
const RECEIVE_CONTROL: usize = 0x08;
const RECEIVE_ENABLE: u32 = 1;
const RECEIVE_MULTICAST: u32 = 1 << 1;
const RECEIVE_RESET_FIFO: u32 = 1 << 4;
const TRANSMIT_CONTROL: usize = 0x0c;
const TRANSMIT_ENABLE: u32 = 1;
const TRANSMIT_PAD: u32 = 1 << 1;
const TRANSMIT_CHECKSUM: u32 = 1 << 2;
const TRANSMIT_DUPLEX: u32 = 1 << 4;
const DATA: usize = 0x10;
const ADDRESS_LOW: usize = 0x14;
const ADDRESS_HIGH: usize = 0x18;
const PACKET_COUNT: usize = 0x34;
const TRANSMIT_REQUEST: usize = 0x38;

#[cfg(test)]
#[path = "stellaris_tests.rs"]
mod tests;

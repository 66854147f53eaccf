//! SMSC LAN9118 (and LAN9220): the Ethernet chip on Arm's MPS2 boards.
//!
//! The chip holds its frames in four FIFOs of its own and has no rings in memory:
//!
//! - **Receive data and receive status.** For each frame that arrived whole, one word stands in the
//!   status FIFO: the length with the four checksum bytes (bits 29..16) and an error bit (15). Its
//!   bytes stand in the data FIFO, padded to whole words. Reading `RX_STATUS` takes the status;
//!   from then on exactly `ceil(length / 4)` words have to be taken out of `RX_DATA`, or every
//!   later frame is read shifted.
//! - **Transmit data and transmit status.** A frame is written as command word A (buffer size,
//!   first and last segment), command word B (frame length), then its words. It needs free space
//!   for all of that beforehand; the chip sends it by itself once the last word is in. The status
//!   of a sent frame is of no use here, so the chip is told to let that FIFO overrun (`TXSAO`).
//!
//! The interrupt is the level "receive status FIFO not empty". The handler masks it and wakes the
//! driver, which drains the FIFO and unmasks it when nothing is left.

use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState};
use embassy_sync::waitqueue::AtomicWaker;

use super::{Buffers, Bus, capabilities, put_words, take_words};

/// The driver; `B` reaches the chip's registers.
pub struct Lan9118<'a, B: Bus> {
    bus: B,
    buffers: &'a mut Buffers,
    waker: &'a AtomicWaker,
    address: [u8; 6],
}

/// The chip did not show its signature: nothing there, or the bus swaps bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotFound;

impl<'a, B: Bus> Lan9118<'a, B> {
    /// Resets the chip and starts both directions; `waker` is the one given to
    /// [`interrupt`](Self::interrupt).
    pub fn new(
        mut bus: B,
        buffers: &'a mut Buffers,
        waker: &'a AtomicWaker,
    ) -> Result<Self, NotFound> {
        if bus.read(BYTE_TEST) != BYTE_TEST_VALUE {
            return Err(NotFound);
        }
        bus.write(HW_CFG, HW_CFG_RESET);
        while bus.read(HW_CFG) & HW_CFG_RESET != 0 {}
        bus.write(HW_CFG, HW_CFG_MUST_BE_ONE | HW_CFG_TX_FIFO_5_KB);
        bus.write(RX_CFG, 0);
        bus.write(FIFO_INT, 0); // a receive status level above 0 raises the interrupt
        bus.write(INT_STS, u32::MAX);
        bus.write(IRQ_CFG, IRQ_CFG_ENABLE | IRQ_CFG_ACTIVE_HIGH | IRQ_CFG_PUSH_PULL);
        bus.write(TX_CFG, TX_CFG_ON | TX_CFG_STATUS_MAY_OVERRUN);
        let mac = read_mac(&mut bus, MAC_CR);
        write_mac(&mut bus, MAC_CR, mac | MAC_CR_RECEIVE | MAC_CR_TRANSMIT | MAC_CR_FULL_DUPLEX);
        let low = read_mac(&mut bus, MAC_ADDRESS_LOW).to_le_bytes();
        let [high0, high1, ..] = read_mac(&mut bus, MAC_ADDRESS_HIGH).to_le_bytes();
        let [low0, low1, low2, low3] = low;
        let address = [low0, low1, low2, low3, high0, high1];
        bus.write(INT_EN, INT_RECEIVE_STATUS);
        Ok(Self { bus, buffers, waker, address })
    }

    /// To be called when the chip's interrupt fires: masks it and wakes the driver.
    pub fn interrupt(bus: &mut B, waker: &AtomicWaker) {
        bus.write(INT_EN, 0);
        bus.write(INT_STS, u32::MAX);
        waker.wake();
    }

    /// Takes frames out of the chip until one is good; its length without the checksum.
    fn next_frame(&mut self) -> Option<usize> {
        while receive_status_count(&mut self.bus) != 0 {
            let status = self.bus.read(RX_STATUS);
            let length = (status >> 16 & 0x3fff) as usize;
            let bus = &mut self.bus;
            take_words(|| bus.read(RX_DATA), length, &mut self.buffers.receive);
            let good = status & RX_STATUS_ERROR == 0;
            let fits = (FRAME_MIN..=self.buffers.receive.len()).contains(&length);
            if good && fits {
                return Some(length - CHECKSUM);
            }
        }
        None
    }
}

impl<B: Bus> Driver for Lan9118<'_, B> {
    type RxToken<'t>
        = RxToken<'t>
    where
        Self: 't;
    type TxToken<'t>
        = TxToken<'t, B>
    where
        Self: 't;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(RxToken<'_>, TxToken<'_, B>)> {
        let length = match self.next_frame() {
            Some(length) => length,
            None => {
                // A frame may come between the last look and the unmasking, and the handler may
                // have run before the waker was there: look once more after both.
                self.waker.register(cx.waker());
                self.bus.write(INT_EN, INT_RECEIVE_STATUS);
                self.next_frame()?
            }
        };
        let frame = self.buffers.receive.get_mut(..length)?;
        let transmit = TxToken { bus: &mut self.bus, buffer: &mut self.buffers.transmit };
        Some((RxToken(frame), transmit))
    }

    fn transmit(&mut self, cx: &mut Context<'_>) -> Option<TxToken<'_, B>> {
        let buffer = &mut self.buffers.transmit;
        if (self.bus.read(TX_FIFO_INF) & 0xffff) < (buffer.len() + TX_COMMANDS) as u32 {
            // The FIFO empties at wire speed, 0.1 ms a frame: ask again rather than add a second
            // interrupt source.
            cx.waker().wake_by_ref();
            return None;
        }
        Some(TxToken { bus: &mut self.bus, buffer })
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
        let length = length.min(self.buffer.len());
        let (frame, _) = self.buffer.split_at_mut(length);
        let filled = fill(frame);
        self.bus.write(TX_DATA, TX_FIRST_SEGMENT | TX_LAST_SEGMENT | length as u32);
        self.bus.write(TX_DATA, length as u32);
        put_words(|word| self.bus.write(TX_DATA, word), frame);
        filled
    }
}

fn receive_status_count(bus: &mut impl Bus) -> u32 {
    bus.read(RX_FIFO_INF) >> 16 & 0xff
}

/// The MAC's registers stand behind a command and a data register.
fn read_mac(bus: &mut impl Bus, register: u32) -> u32 {
    bus.write(MAC_CSR_CMD, MAC_CSR_BUSY | MAC_CSR_READ | register);
    while bus.read(MAC_CSR_CMD) & MAC_CSR_BUSY != 0 {}
    bus.read(MAC_CSR_DATA)
}

fn write_mac(bus: &mut impl Bus, register: u32, value: u32) {
    bus.write(MAC_CSR_DATA, value);
    bus.write(MAC_CSR_CMD, MAC_CSR_BUSY | register);
    while bus.read(MAC_CSR_CMD) & MAC_CSR_BUSY != 0 {}
}

const CHECKSUM: usize = 4;
const FRAME_MIN: usize = 14 + CHECKSUM;
/// Command words A and B before each frame.
const TX_COMMANDS: usize = 8;

const RX_DATA: usize = 0x00;
const TX_DATA: usize = 0x20;
const TX_FIRST_SEGMENT: u32 = 1 << 13;
const TX_LAST_SEGMENT: u32 = 1 << 12;
const RX_STATUS: usize = 0x40;
const RX_STATUS_ERROR: u32 = 1 << 15;
const IRQ_CFG: usize = 0x54;
const IRQ_CFG_ENABLE: u32 = 1 << 8;
const IRQ_CFG_ACTIVE_HIGH: u32 = 1 << 4;
const IRQ_CFG_PUSH_PULL: u32 = 1;
const INT_STS: usize = 0x58;
const INT_EN: usize = 0x5c;
const INT_RECEIVE_STATUS: u32 = 1 << 3;
const BYTE_TEST: usize = 0x64;
const BYTE_TEST_VALUE: u32 = 0x8765_4321;
const FIFO_INT: usize = 0x68;
const RX_CFG: usize = 0x6c;
const TX_CFG: usize = 0x70;
const TX_CFG_ON: u32 = 1 << 1;
const TX_CFG_STATUS_MAY_OVERRUN: u32 = 1 << 2;
const HW_CFG: usize = 0x74;
const HW_CFG_RESET: u32 = 1;
const HW_CFG_MUST_BE_ONE: u32 = 1 << 20;
const HW_CFG_TX_FIFO_5_KB: u32 = 5 << 16;
const RX_FIFO_INF: usize = 0x7c;
const TX_FIFO_INF: usize = 0x80;
const MAC_CSR_CMD: usize = 0xa4;
const MAC_CSR_BUSY: u32 = 1 << 31;
const MAC_CSR_READ: u32 = 1 << 30;
const MAC_CSR_DATA: usize = 0xa8;
const MAC_CR: u32 = 1;
const MAC_CR_RECEIVE: u32 = 1 << 2;
const MAC_CR_TRANSMIT: u32 = 1 << 3;
const MAC_CR_FULL_DUPLEX: u32 = 1 << 20;
const MAC_ADDRESS_HIGH: u32 = 2;
const MAC_ADDRESS_LOW: u32 = 3;

#[cfg(test)]
#[path = "lan9118_tests.rs"]
mod tests;

//! The driver against a model of the chip's FIFOs that refuses what the chip would not survive.

use core::task::{Context, Waker};
use std::collections::VecDeque;

use embassy_net_driver::{Driver, HardwareAddress, RxToken as _, TxToken as _};
use embassy_sync::waitqueue::AtomicWaker;

use super::super::{Buffers, Bus};
use super::*;

#[derive(Default)]
struct Chip {
    present: bool,
    status: VecDeque<u32>,
    data: VecDeque<u32>,
    /// Words of the frame whose status was taken that are still to be read.
    frame_words_left: usize,
    sent: Vec<Vec<u8>>,
    transmit: Vec<u32>,
    transmit_room: u32,
    interrupts: u32,
    mac: [u32; 4],
    mac_data: u32,
}

impl Chip {
    fn new() -> Self {
        let mac = [0, 0, 0x0000_6655, 0x4433_2211];
        Self { present: true, transmit_room: 5000, mac, ..Self::default() }
    }

    /// A frame arrives; `noise` is what stands for its checksum.
    fn arrives(&mut self, frame: &[u8], error: bool) {
        let mut stored = frame.to_vec();
        stored.extend([0xee; 4]);
        self.status.push_back((stored.len() as u32) << 16 | u32::from(error) << 15);
        for part in stored.chunks(4) {
            let mut word = [0xdd; 4];
            word[..part.len()].copy_from_slice(part);
            self.data.push_back(u32::from_le_bytes(word));
        }
    }
}

impl Bus for Chip {
    fn read(&mut self, offset: usize) -> u32 {
        match offset {
            BYTE_TEST if self.present => 0x8765_4321,
            BYTE_TEST => u32::MAX,
            HW_CFG | MAC_CSR_CMD => 0,
            MAC_CSR_DATA => self.mac_data,
            RX_FIFO_INF => (self.status.len() as u32) << 16,
            TX_FIFO_INF => self.transmit_room,
            RX_STATUS => {
                assert_eq!(self.frame_words_left, 0, "a status is taken with the frame unread");
                let status = self.status.pop_front().expect("no status to read");
                self.frame_words_left = (status >> 16 & 0x3fff).div_ceil(4) as usize;
                status
            }
            RX_DATA => {
                assert!(self.frame_words_left > 0, "reads into the next frame");
                self.frame_words_left -= 1;
                self.data.pop_front().expect("no data to read")
            }
            other => panic!("read of {other:#x}"),
        }
    }

    fn write(&mut self, offset: usize, value: u32) {
        match offset {
            MAC_CSR_DATA => self.mac_data = value,
            MAC_CSR_CMD => {
                let register = (value & 0xff) as usize;
                if value & MAC_CSR_READ != 0 {
                    self.mac_data = self.mac[register];
                } else {
                    self.mac[register] = self.mac_data;
                }
            }
            INT_EN => self.interrupts = value,
            TX_DATA => {
                self.transmit.push(value);
                let length = (self.transmit[0] & 0x7ff) as usize;
                if self.transmit.len() == 2 {
                    assert_eq!(value & 0x7ff, length as u32, "commands A and B disagree");
                    assert_eq!(self.transmit[0] >> 12 & 3, 3, "one buffer is the whole frame");
                    let needed = (length + TX_COMMANDS) as u32;
                    assert!(self.transmit_room >= needed, "the transmit FIFO overflows");
                }
                if self.transmit.len() == 2 + length.div_ceil(4) {
                    let words = self.transmit.drain(..).skip(2);
                    let mut bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
                    bytes.truncate(length);
                    self.sent.push(bytes);
                }
            }
            HW_CFG | RX_CFG | FIFO_INT | INT_STS | IRQ_CFG | TX_CFG => {}
            other => panic!("write of {other:#x}"),
        }
    }
}

fn frame(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

fn receive(nic: &mut Lan9118<'_, Chip>) -> Option<Vec<u8>> {
    let mut cx = Context::from_waker(Waker::noop());
    let (token, _) = nic.receive(&mut cx)?;
    Some(token.consume(|bytes| bytes.to_vec()))
}

#[test]
fn every_length_of_frame_is_received_whole_and_without_its_checksum() {
    let (mut buffers, waker) = (Buffers::new(), AtomicWaker::new());
    let mut nic = Lan9118::new(Chip::new(), &mut buffers, &waker).unwrap();
    let lengths = || (14..=80).chain([576, 1500, 1511, 1512, 1513, 1514]);
    lengths().for_each(|length| nic.bus.arrives(&frame(length), false));
    for length in lengths() {
        assert_eq!(receive(&mut nic), Some(frame(length)));
    }
    assert_eq!(receive(&mut nic), None);
}

#[test]
fn a_bad_a_short_and_an_overlong_frame_do_not_shift_the_next_one() {
    let (mut buffers, waker) = (Buffers::new(), AtomicWaker::new());
    let mut nic = Lan9118::new(Chip::new(), &mut buffers, &waker).unwrap();
    nic.bus.arrives(&frame(99), true);
    nic.bus.arrives(&frame(3), false);
    nic.bus.arrives(&frame(9000), false);
    nic.bus.arrives(&frame(61), false);
    assert_eq!(receive(&mut nic), Some(frame(61)));
    assert_eq!(nic.bus.frame_words_left, 0);
}

#[test]
fn the_interrupt_is_masked_until_the_fifo_was_found_empty() {
    let (mut buffers, waker) = (Buffers::new(), AtomicWaker::new());
    let mut nic = Lan9118::new(Chip::new(), &mut buffers, &waker).unwrap();
    assert_eq!(nic.bus.interrupts, INT_RECEIVE_STATUS);
    nic.bus.arrives(&frame(60), false);
    Lan9118::interrupt(&mut nic.bus, &waker);
    assert_eq!(nic.bus.interrupts, 0);
    assert!(receive(&mut nic).is_some());
    assert_eq!(nic.bus.interrupts, 0, "more may wait");
    assert!(receive(&mut nic).is_none());
    assert_eq!(nic.bus.interrupts, INT_RECEIVE_STATUS);
}

#[test]
fn frames_go_out_with_their_commands_and_padding() {
    let (mut buffers, waker) = (Buffers::new(), AtomicWaker::new());
    let mut nic = Lan9118::new(Chip::new(), &mut buffers, &waker).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    for length in [14, 60, 61, 62, 63, 1514] {
        let token = nic.transmit(&mut cx).unwrap();
        token.consume(length, |bytes| bytes.copy_from_slice(&frame(length)));
        assert_eq!(nic.bus.sent.pop(), Some(frame(length)));
        assert!(nic.bus.transmit.is_empty());
    }
}

#[test]
fn nothing_is_sent_into_a_full_fifo() {
    let (mut buffers, waker) = (Buffers::new(), AtomicWaker::new());
    let mut nic = Lan9118::new(Chip::new(), &mut buffers, &waker).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    nic.bus.transmit_room = 1500;
    assert!(nic.transmit(&mut cx).is_none());
    nic.bus.transmit_room = 1532;
    assert!(nic.transmit(&mut cx).is_some());
}

#[test]
fn the_address_is_the_chips_and_a_missing_chip_is_reported() {
    let (mut buffers, waker) = (Buffers::new(), AtomicWaker::new());
    let nic = Lan9118::new(Chip::new(), &mut buffers, &waker).unwrap();
    let expected = HardwareAddress::Ethernet([0x11, 0x22, 0x33, 0x44, 0x55, 0x66]);
    assert_eq!(nic.hardware_address(), expected);
    assert_eq!(nic.bus.mac[1], MAC_CR_RECEIVE | MAC_CR_TRANSMIT | MAC_CR_FULL_DUPLEX);
    let absent = Lan9118::new(Chip::default(), &mut buffers, &waker);
    assert_eq!(absent.err(), Some(NotFound));
}

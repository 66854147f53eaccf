//! The driver against a model of the controller's FIFOs.

use core::task::{Context, Waker};
use std::collections::VecDeque;

use embassy_net_driver::{Driver, HardwareAddress, RxToken as _, TxToken as _};
use embassy_sync::waitqueue::AtomicWaker;

use super::super::{Buffers, Bus};
use super::*;

#[derive(Default)]
struct Controller {
    frames: VecDeque<VecDeque<u32>>,
    sent: Vec<Vec<u8>>,
    transmit: Vec<u32>,
    busy: bool,
    interrupts: u32,
}

impl Controller {
    fn arrives(&mut self, frame: &[u8]) {
        let mut stream = ((frame.len() + 6) as u16).to_le_bytes().to_vec();
        stream.extend(frame);
        stream.extend([0xee; 4]);
        let words = stream.chunks(4).map(|part| {
            let mut word = [0xdd; 4];
            word[..part.len()].copy_from_slice(part);
            u32::from_le_bytes(word)
        });
        self.frames.push_back(words.collect());
    }
}

impl Bus for Controller {
    fn read(&mut self, offset: usize) -> u32 {
        match offset {
            PACKET_COUNT => self.frames.len() as u32,
            TRANSMIT_REQUEST => u32::from(self.busy),
            ADDRESS_LOW => 0x4433_2211,
            ADDRESS_HIGH => 0x6655,
            DATA => {
                let frame = self.frames.front_mut().expect("no frame to read");
                let word = frame.pop_front().expect("a frame in the FIFO has words");
                if frame.is_empty() {
                    self.frames.pop_front();
                }
                word
            }
            other => panic!("read of {other:#x}"),
        }
    }

    fn write(&mut self, offset: usize, value: u32) {
        match offset {
            DATA => self.transmit.push(value),
            INTERRUPT_MASK => self.interrupts = value,
            TRANSMIT_REQUEST => {
                let length = (self.transmit[0] & 0xffff) as usize + 14;
                let bytes: Vec<u8> = self.transmit.drain(..).flat_map(u32::to_le_bytes).collect();
                assert_eq!(bytes.len(), (length + 2).next_multiple_of(4));
                self.sent.push(bytes[2..2 + length].to_vec());
            }
            INTERRUPT_STATUS | RECEIVE_CONTROL | TRANSMIT_CONTROL => {}
            other => panic!("write of {other:#x}"),
        }
    }
}

fn frame(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

fn receive(nic: &mut Stellaris<'_, Controller>) -> Option<Vec<u8>> {
    let mut cx = Context::from_waker(Waker::noop());
    let (token, _) = nic.receive(&mut cx)?;
    Some(token.consume(|bytes| bytes.to_vec()))
}

#[test]
fn every_length_of_frame_is_received_whole_and_without_length_and_checksum() {
    let (mut buffers, waker) = (Buffers::new(), AtomicWaker::new());
    let mut nic = Stellaris::new(Controller::default(), &mut buffers, &waker);
    for length in (14..=80).chain([576, 1500, 1511, 1512, 1513, 1514]) {
        nic.bus.arrives(&frame(length));
        nic.bus.arrives(&frame(60));
        assert_eq!(receive(&mut nic), Some(frame(length)));
        assert_eq!(receive(&mut nic), Some(frame(60)));
    }
    assert_eq!(receive(&mut nic), None);
}

#[test]
fn an_overlong_frame_does_not_shift_the_next_one() {
    let (mut buffers, waker) = (Buffers::new(), AtomicWaker::new());
    let mut nic = Stellaris::new(Controller::default(), &mut buffers, &waker);
    nic.bus.arrives(&frame(2000));
    nic.bus.arrives(&frame(61));
    assert_eq!(receive(&mut nic), Some(frame(61)));
    assert!(nic.bus.frames.is_empty());
}

#[test]
fn the_interrupt_is_masked_until_the_fifo_was_found_empty() {
    let (mut buffers, waker) = (Buffers::new(), AtomicWaker::new());
    let mut nic = Stellaris::new(Controller::default(), &mut buffers, &waker);
    nic.bus.arrives(&frame(60));
    Stellaris::interrupt(&mut nic.bus, &waker);
    assert_eq!(nic.bus.interrupts, 0);
    assert!(receive(&mut nic).is_some());
    assert_eq!(nic.bus.interrupts, 0, "more may wait");
    assert!(receive(&mut nic).is_none());
    assert_eq!(nic.bus.interrupts, INTERRUPT_RECEIVED);
}

#[test]
fn frames_go_out_behind_the_length_of_their_payload() {
    let (mut buffers, waker) = (Buffers::new(), AtomicWaker::new());
    let mut nic = Stellaris::new(Controller::default(), &mut buffers, &waker);
    let mut cx = Context::from_waker(Waker::noop());
    for length in [14, 60, 61, 62, 63, 1514] {
        let token = nic.transmit(&mut cx).unwrap();
        token.consume(length, |bytes| bytes.copy_from_slice(&frame(length)));
        assert_eq!(nic.bus.sent.pop(), Some(frame(length)));
    }
    nic.bus.busy = true;
    assert!(nic.transmit(&mut cx).is_none(), "one frame at a time");
}

#[test]
fn the_address_is_the_controllers() {
    let (mut buffers, waker) = (Buffers::new(), AtomicWaker::new());
    let nic = Stellaris::new(Controller::default(), &mut buffers, &waker);
    let expected = HardwareAddress::Ethernet([0x11, 0x22, 0x33, 0x44, 0x55, 0x66]);
    assert_eq!(nic.hardware_address(), expected);
}

//! The board: registers, interrupts, clock, executor and the host's console.
//!
//! This is the one module with `unsafe`; each use says why it is sound. A board file gives `NAME`,
//! the `Nic` type with `start` and the vector table, and a [`clock::Timer`]; all else is shared.
#![allow(unsafe_code)]

pub mod clock;
pub mod executor;
pub mod host;
mod memory;
pub mod stack;

#[cfg(feature = "lm3s6965evb")]
mod lm3s6965evb;
#[cfg(feature = "lm3s6965evb")]
pub use lm3s6965evb::{NAME, Nic, start};

#[cfg(all(feature = "mps2-an386", not(feature = "lm3s6965evb")))]
mod mps2_an386;
#[cfg(all(feature = "mps2-an386", not(feature = "lm3s6965evb")))]
pub use mps2_an386::{NAME, Nic, start};

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use embassy_sync::waitqueue::AtomicWaker;
use static_cell::ConstStaticCell;

use crate::nic::{Buffers, Bus};

/// The registers of one device, by its base address.
#[derive(Debug)]
pub struct Mmio {
    base: usize,
}

impl Mmio {
    /// Registers from `base` on.
    ///
    /// # Safety
    /// All that is read or written through it must be a device register in which no access can
    /// break the memory safety of the program (no DMA).
    const unsafe fn new(base: usize) -> Self {
        Self { base }
    }
}

impl Bus for Mmio {
    fn read(&mut self, offset: usize) -> u32 {
        // SAFETY: `new` promised registers of a device without DMA, and each access is a word.
        unsafe { core::ptr::with_exposed_provenance::<u32>(self.base + offset).read_volatile() }
    }

    fn write(&mut self, offset: usize, value: u32) {
        let register = core::ptr::with_exposed_provenance_mut::<u32>(self.base + offset);
        // SAFETY: as for `read`.
        unsafe { register.write_volatile(value) }
    }
}

/// A line of the interrupt controller.
#[derive(Clone, Copy)]
struct Line(u16);

// SAFETY: a `Line` is only made of the constants in the board files, which are lines that the
// chip has, and it never changes.
unsafe impl InterruptNumber for Line {
    fn number(self) -> u16 {
        self.0
    }
}

/// Lets `line` interrupt from now on.
fn unmask(line: Line) {
    // SAFETY: unmasking breaks critical sections that mask single lines; here they mask all
    // (`critical-section-single-core`), and `start` runs before any of them.
    unsafe { NVIC::unmask(line) }
}

/// An entry of the vector table; `None` where nothing is ever unmasked.
type Vector = Option<unsafe extern "C" fn()>;

/// Wakes the network driver.
static NIC_WAKER: AtomicWaker = AtomicWaker::new();
/// The network driver's frames, all zero and so without cost in flash.
static NIC_BUFFERS: ConstStaticCell<Buffers> = ConstStaticCell::new(Buffers::new());

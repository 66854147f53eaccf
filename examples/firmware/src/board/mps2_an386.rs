//! Arm MPS2 with the AN386 image: Cortex-M4F at 25 MHz, LAN9118, CMSDK timers.

use super::{Line, Mmio, NIC_BUFFERS, NIC_WAKER, Vector, clock, unmask};
use crate::nic::{Bus, Lan9118};

/// The board's name, as QEMU has it.
pub const NAME: &str = "mps2-an386";

/// The board's network driver.
pub type Nic = Lan9118<'static, Mmio>;

/// Starts timers, interrupts and the network chip. To be called once, first.
///
/// # Panics
/// On a second call, and where no network chip answers.
pub fn start() -> Nic {
    BoardTimer::start();
    // The chip's own reset leaves it silent until `new` has finished.
    let nic = Lan9118::new(network(), NIC_BUFFERS.take(), &NIC_WAKER);
    unmask(ALARM);
    unmask(NETWORK);
    match nic {
        Ok(nic) => nic,
        Err(_) => super::host::exit(false),
    }
}

/// CMSDK timer 0 counts freely, timer 1 is the alarm; both count down at the system clock.
pub(super) struct BoardTimer;

impl BoardTimer {
    fn start() {
        let mut free = counter();
        free.write(TIMER_RELOAD, u32::MAX);
        free.write(TIMER_VALUE, u32::MAX);
        free.write(TIMER_CONTROL, TIMER_ENABLE);
        let mut alarm = alarm_timer();
        // Reload 0: the timer stops after it has fired. A first value, because it starts now.
        alarm.write(TIMER_RELOAD, 0);
        alarm.write(TIMER_VALUE, u32::MAX);
        alarm.write(TIMER_CONTROL, TIMER_ENABLE | TIMER_INTERRUPT);
    }
}

impl clock::Timer for BoardTimer {
    const TICKS_PER_MICRO: u32 = 25;
    const COUNTER_BITS: u32 = 32;

    fn counter() -> u32 {
        counter().read(TIMER_VALUE).wrapping_neg()
    }

    fn set_alarm(ticks: u32) {
        alarm_timer().write(TIMER_VALUE, ticks);
    }
}

extern "C" fn on_alarm() {
    alarm_timer().write(TIMER_INTERRUPT_CLEAR, 1);
    clock::alarm();
}

extern "C" fn on_network() {
    Nic::interrupt(&mut network(), &NIC_WAKER);
}

fn counter() -> Mmio {
    // SAFETY: CMSDK timer 0, a counter without DMA.
    unsafe { Mmio::new(0x4000_0000) }
}

fn alarm_timer() -> Mmio {
    // SAFETY: CMSDK timer 1, a counter without DMA.
    unsafe { Mmio::new(0x4000_1000) }
}

fn network() -> Mmio {
    // SAFETY: the LAN9118, which moves its data through registers only.
    unsafe { Mmio::new(0x4020_0000) }
}

const ALARM: Line = Line(9);
const NETWORK: Line = Line(13);

const TIMER_CONTROL: usize = 0x0;
const TIMER_ENABLE: u32 = 1;
const TIMER_INTERRUPT: u32 = 1 << 3;
const TIMER_VALUE: usize = 0x4;
const TIMER_RELOAD: usize = 0x8;
const TIMER_INTERRUPT_CLEAR: usize = 0xc;

#[allow(clippy::indexing_slicing)] // evaluated by the compiler
const fn vectors() -> [Vector; 14] {
    let mut table: [Vector; 14] = [None; 14];
    table[ALARM.0 as usize] = Some(on_alarm);
    table[NETWORK.0 as usize] = Some(on_network);
    table
}

// SAFETY: this is the table that the start-up code expects under this name in this section, and
// it is long enough for every line that is ever unmasked.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [Vector; 14] = vectors();

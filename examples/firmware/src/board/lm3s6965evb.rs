//! TI LM3S6965 evaluation board: Cortex-M3 at 50 MHz, Stellaris Ethernet, 256 KB of flash and
//! 64 KB of RAM in silicon.

use super::{Line, Mmio, NIC_BUFFERS, NIC_WAKER, Vector, clock, unmask};
use crate::nic::{Bus, Stellaris};

/// The board's name, as QEMU has it.
pub const NAME: &str = "lm3s6965evb";

/// The board's network driver.
pub type Nic = Stellaris<'static, Mmio>;

/// Starts clocks, timers, interrupts and the network controller. To be called once, first.
///
/// # Panics
/// On a second call.
pub fn start() -> Nic {
    let mut system = system();
    let clock = system.read(RUN_MODE_CLOCK) & !DIVISOR_MASK;
    system.write(RUN_MODE_CLOCK, clock | DIVISOR_4);
    let gates = system.read(CLOCK_GATES_1);
    system.write(CLOCK_GATES_1, gates | GATE_TIMER_0);
    let gates = system.read(CLOCK_GATES_2);
    system.write(CLOCK_GATES_2, gates | GATE_ETHERNET | GATE_ETHERNET_PHY);
    BoardTimer::start();
    let nic = Stellaris::new(network(), NIC_BUFFERS.take(), &NIC_WAKER);
    unmask(ALARM);
    unmask(NETWORK);
    nic
}

/// SysTick counts freely (24 bits, downwards, no interrupt), timer 0 is the alarm.
pub(super) struct BoardTimer;

impl BoardTimer {
    fn start() {
        let mut systick = systick();
        systick.write(SYSTICK_RELOAD, SYSTICK_MASK);
        systick.write(SYSTICK_CURRENT, 0);
        systick.write(SYSTICK_CONTROL, SYSTICK_ENABLE | SYSTICK_CORE_CLOCK);
        let mut alarm = alarm_timer();
        alarm.write(TIMER_CONTROL, 0);
        alarm.write(TIMER_CONFIG, 0); // one 32-bit timer
        alarm.write(TIMER_MODE, TIMER_ONE_SHOT);
        alarm.write(TIMER_LOAD, u32::MAX);
        alarm.write(TIMER_INTERRUPT_MASK, TIMER_TIMEOUT);
    }
}

impl clock::Timer for BoardTimer {
    const TICKS_PER_MICRO: u32 = 50;
    const COUNTER_BITS: u32 = 24;

    fn counter() -> u32 {
        systick().read(SYSTICK_CURRENT).wrapping_neg() & SYSTICK_MASK
    }

    fn set_alarm(ticks: u32) {
        let mut alarm = alarm_timer();
        alarm.write(TIMER_CONTROL, 0);
        alarm.write(TIMER_LOAD, ticks);
        alarm.write(TIMER_CONTROL, TIMER_ENABLE);
    }
}

extern "C" fn on_alarm() {
    alarm_timer().write(TIMER_INTERRUPT_CLEAR, TIMER_TIMEOUT);
    clock::alarm();
}

extern "C" fn on_network() {
    Nic::interrupt(&mut network(), &NIC_WAKER);
}

fn system() -> Mmio {
    // SAFETY: the system control block; only clock bits are changed, before anything runs on them.
    unsafe { Mmio::new(0x400f_e000) }
}

fn systick() -> Mmio {
    // SAFETY: SysTick of the core, used by this module alone.
    unsafe { Mmio::new(0xe000_e010) }
}

fn alarm_timer() -> Mmio {
    // SAFETY: general-purpose timer 0, a counter without DMA.
    unsafe { Mmio::new(0x4003_0000) }
}

fn network() -> Mmio {
    // SAFETY: the Ethernet controller, which moves its data through registers only.
    unsafe { Mmio::new(0x4004_8000) }
}

const ALARM: Line = Line(19);
const NETWORK: Line = Line(42);

const RUN_MODE_CLOCK: usize = 0x060;
const DIVISOR_MASK: u32 = 0xf << 23;
const DIVISOR_4: u32 = 3 << 23;
const CLOCK_GATES_1: usize = 0x104;
const GATE_TIMER_0: u32 = 1 << 16;
const CLOCK_GATES_2: usize = 0x108;
const GATE_ETHERNET: u32 = 1 << 28;
const GATE_ETHERNET_PHY: u32 = 1 << 30;

const SYSTICK_CONTROL: usize = 0x0;
const SYSTICK_ENABLE: u32 = 1;
const SYSTICK_CORE_CLOCK: u32 = 1 << 2;
const SYSTICK_RELOAD: usize = 0x4;
const SYSTICK_CURRENT: usize = 0x8;
const SYSTICK_MASK: u32 = 0x00ff_ffff;

const TIMER_CONFIG: usize = 0x00;
const TIMER_MODE: usize = 0x04;
const TIMER_ONE_SHOT: u32 = 1;
const TIMER_CONTROL: usize = 0x0c;
const TIMER_ENABLE: u32 = 1;
const TIMER_INTERRUPT_MASK: usize = 0x18;
const TIMER_TIMEOUT: u32 = 1;
const TIMER_INTERRUPT_CLEAR: usize = 0x24;
const TIMER_LOAD: usize = 0x28;

#[allow(clippy::indexing_slicing)] // evaluated by the compiler
const fn vectors() -> [Vector; 43] {
    let mut table: [Vector; 43] = [None; 43];
    table[ALARM.0 as usize] = Some(on_alarm);
    table[NETWORK.0 as usize] = Some(on_network);
    table
}

// SAFETY: this is the table that the start-up code expects under this name in this section, and
// it is long enough for every line that is ever unmasked.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [Vector; 43] = vectors();

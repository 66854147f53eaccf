//! The executor: polls what is woken and sleeps with WFI in between.
//!
//! embassy's own thread executor sleeps with WFE, which QEMU takes for a yield: the emulator then
//! burns a whole processor. WFI really sleeps, here and on silicon.

use core::sync::atomic::{AtomicBool, Ordering};

use embassy_executor::{Spawner, raw};
use static_cell::StaticCell;

/// Runs tasks for ever; `start` spawns the first ones. To be called once.
pub fn run(start: impl FnOnce(Spawner)) -> ! {
    static EXECUTOR: StaticCell<raw::Executor> = StaticCell::new();
    let executor: &'static raw::Executor =
        EXECUTOR.init_with(|| raw::Executor::new(core::ptr::null_mut()));
    start(executor.spawner());
    loop {
        WOKEN.store(false, Ordering::Relaxed);
        // SAFETY: `poll` is only called here, on one thread and never from itself, and the
        // executor is initialised because its spawner was taken.
        unsafe { executor.poll() };
        // With interrupts masked none can slip in between the look and the sleep; a pending one
        // still ends WFI, and its handler runs when `free` unmasks.
        cortex_m::interrupt::free(|_| {
            if !WOKEN.load(Ordering::Relaxed) {
                cortex_m::asm::wfi();
            }
        });
    }
}

/// Set by a waker, from a task or an interrupt handler: poll again before sleeping.
static WOKEN: AtomicBool = AtomicBool::new(false);

// SAFETY: this is the one definition of the symbol that embassy-executor expects, with its
// signature; the context is not used.
#[unsafe(export_name = "__pender")]
fn pender(_context: *mut ()) {
    WOKEN.store(true, Ordering::Relaxed);
}

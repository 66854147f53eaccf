//! How deep the stack ever was, by the paint that the start-up code filled it with.

/// Bytes of the stack.
#[derive(Clone, Copy, Debug)]
pub struct Stack {
    /// Bytes that were ever used.
    pub used: usize,
    /// Bytes that there are: all RAM behind the statics.
    pub available: usize,
}

/// Measures the stack; as slow as it is large.
pub fn measure() -> Stack {
    unsafe extern "C" {
        static _stack_end: u32;
        static _stack_start: u32;
    }
    let lowest = &raw const _stack_end;
    let highest = &raw const _stack_start;
    let available = highest.addr() - lowest.addr();
    let painted = (0..available / 4)
        // SAFETY: every word from `_stack_end` to below `_stack_start` is RAM of the stack, and
        // words below the stack pointer are only read, as volatile.
        .take_while(|&word| unsafe { lowest.add(word).read_volatile() } == PAINT)
        .count();
    Stack { used: available - painted * 4, available }
}

/// What cortex-m-rt paints with.
const PAINT: u32 = 0xcccc_cccc;

//! The host behind the debugger or emulator, by semihosting: console, settings, entropy, exit.

use core::panic::PanicInfo;

use cortex_m_semihosting::{debug, hio, nr, syscall1};
use static_cell::ConstStaticCell;

use crate::settings::Settings;

/// Ends the program: the host sees status 0 for success, 1 for failure.
pub fn exit(success: bool) -> ! {
    debug::exit(if success { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}

/// Writes one line from parts, cut off after 159 bytes:
/// `print(&["up after ", Decimal::new(3).text(), " ms"])`.
pub fn print(parts: &[&str]) {
    // One write a line, so that nothing else on the host's terminal gets between.
    let mut line = [b'\n'; 160];
    let mut length = 0;
    for byte in parts.iter().flat_map(|part| part.as_bytes()).take(line.len() - 1) {
        if let Some(place) = line.get_mut(length) {
            *place = *byte;
            length += 1;
        }
    }
    write(line.get(..=length).unwrap_or_default());
}

/// Writes bytes as they are.
pub fn write(bytes: &[u8]) {
    // A console that is gone is no reason to stop a phone.
    if let Ok(mut console) = hio::hstdout() {
        let _ = console.write_all(bytes);
    }
}

/// A number as decimal text, without the formatting code of the standard library.
#[derive(Debug)]
pub struct Decimal {
    digits: [u8; 10],
    first: usize,
}

impl Decimal {
    /// The decimal digits of `value`.
    pub fn new(mut value: u32) -> Self {
        let mut decimal = Self { digits: [b'0'; 10], first: 9 };
        for (place, digit) in decimal.digits.iter_mut().enumerate().rev() {
            decimal.first = place;
            *digit = b'0' + (value % 10) as u8;
            value /= 10;
            if value == 0 {
                break;
            }
        }
        decimal
    }

    /// The digits as text.
    pub fn text(&self) -> &str {
        let digits = self.digits.get(self.first..).unwrap_or_default();
        core::str::from_utf8(digits).unwrap_or_default()
    }
}

/// The words that the run was started with (`-semihosting-config arg=..`), at most 511 bytes.
/// Empty when asked for a second time, or when the host gives none.
pub fn settings() -> Settings<'static> {
    static WORDS: ConstStaticCell<[u8; 256]> = ConstStaticCell::new([0; 256]);
    let Some(words) = WORDS.try_take() else {
        return Settings::new("");
    };
    let mut block = [words.as_mut_ptr().expose_provenance(), words.len()];
    // SAFETY: the block is the two words that GET_CMDLINE takes, the address of a buffer and its
    // size. The host writes no further, and both are exclusively ours.
    let status = unsafe { syscall1(nr::GET_CMDLINE, (&raw mut block).expose_provenance()) };
    let length = if status == 0 { block[1] } else { 0 };
    let text = words.get(..length).unwrap_or_default();
    Settings::new(core::str::from_utf8(text).unwrap_or_default())
}

/// Thirty-two bytes that differ at each start, for the seed of everything that must not repeat.
///
/// An emulated board has no source of noise, so this mixes what the host gives: the word
/// `entropy=` of the settings, which the scripts fill from the host's generator, its clock in
/// seconds and in hundredths, and the `SANSIP_SEED` of the build. A real board takes its hardware
/// generator instead. A constant here would repeat Call-IDs and branches after a restart, and a
/// registrar would take the new requests for retransmissions of the old.
pub fn entropy(settings: &Settings<'_>) -> [u8; 32] {
    // SAFETY: both calls take no argument block and write nothing.
    let (seconds, hundredths) = unsafe { (syscall1(nr::TIME, 0), syscall1(nr::CLOCK, 0)) };
    let clock = [seconds.to_le_bytes(), hundredths.to_le_bytes()];
    let parts = [
        settings.text("entropy").unwrap_or_default().as_bytes(),
        option_env!("SANSIP_SEED").unwrap_or_default().as_bytes(),
        clock.as_flattened(),
    ];
    let mut pool = [0u8; 32];
    for (at, byte) in parts.into_iter().flatten().enumerate() {
        if let Some(place) = pool.get_mut(at % 32) {
            // The seed goes through SHA-256 before use: it is enough that no input cancels out.
            *place = place.rotate_left(3) ^ byte;
        }
    }
    pool
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    cortex_m::interrupt::disable();
    // The place of the panic keeps the names of all source files, 8 KB of flash; the message
    // would keep the formatting code as well.
    match info.location().filter(|_| cfg!(feature = "panic-place")) {
        Some(place) => print(&["panic: ", place.file(), ":", Decimal::new(place.line()).text()]),
        None => print(&["panic"]),
    }
    exit(false)
}

// SAFETY: the handler never returns, so the state of the interrupted code does not matter.
#[cortex_m_rt::exception]
unsafe fn HardFault(_: &cortex_m_rt::ExceptionFrame) -> ! {
    print(&["hard fault"]);
    exit(false)
}

// SAFETY: the handler never returns.
#[cortex_m_rt::exception]
unsafe fn DefaultHandler(_line: i16) -> ! {
    print(&["unexpected exception"]);
    exit(false)
}

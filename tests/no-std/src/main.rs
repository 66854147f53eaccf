//! A program for a microcontroller that has no `std` and no allocator: it links only if the core
//! asks for neither. It is built, never run; on a host it is empty.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    use core::hint::black_box;
    use core::panic::PanicInfo;
    use sansip::random::{Purpose, Random};

    // The linker's default entry point: no board support, since nothing runs.
    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        // Hidden from the optimiser, so that the work is not done while it builds.
        let mut random = Random::new(black_box([0; 32]));
        loop {
            black_box(random.u64(Purpose::Rtp));
        }
    }

    #[panic_handler]
    fn panic(_: &PanicInfo<'_>) -> ! {
        loop {}
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}

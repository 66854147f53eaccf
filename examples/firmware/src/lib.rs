//! What stands below the firmware programs: one board each feature, two network drivers, a clock.
//!
//! - [`nic`] holds the Ethernet drivers. They reach their registers through [`nic::Bus`], so they
//!   hold no `unsafe` and are tested on the host against models of the chips.
//! - [`elapsed`] turns a wrapping counter into microseconds.
//! - [`settings`] reads `name=value` words: server, user, password.
//! - `boot` (bare-metal targets only) starts network and phone: what every program begins with.
//! - `board` (bare-metal targets only) is the one module with `unsafe`: registers, interrupts,
//!   executor, semihosting. Porting to another board means one more file there.
#![cfg_attr(not(test), no_std)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]
#![deny(unsafe_code)]

#[cfg(target_os = "none")]
pub mod board;
#[cfg(target_os = "none")]
pub mod boot;
pub mod elapsed;
pub mod nic;
pub mod settings;

/// A quarter of a second of 700 Hz, a WAV in flash.
pub const PROMPT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/prompt.wav"));
/// The frequency of [`PROMPT`], hertz.
pub const PROMPT_HZ: u32 = 700;

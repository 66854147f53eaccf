//! Writes the linker's view of the board (memory of a small real microcontroller, whatever more
//! the emulated board has) and the prompt that the programs play.

use core::error::Error;
use core::f64::consts::TAU;
use std::path::PathBuf;
use std::{env, fs};

const MEMORY: &str = "MEMORY
{
  FLASH : ORIGIN = 0x00000000, LENGTH = 256K
  RAM : ORIGIN = 0x20000000, LENGTH = 64K
}
";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("prompt.wav"), prompt())?;
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return Ok(());
    }
    fs::write(out.join("memory.x"), MEMORY)?;
    // The vector table in the board module names its handlers itself, so there are no aliases.
    fs::write(out.join("device.x"), "")?;
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    if env::var_os("CARGO_FEATURE_DEFMT").is_some() {
        println!("cargo:rustc-link-arg-bins=-Tdefmt.x");
    }
    // No padding to page size: the image holds what flash holds.
    println!("cargo:rustc-link-arg-bins=--nmagic");
    Ok(())
}

/// A quarter of a second of 700 Hz as a WAV of 8-bit PCM, 8 kHz: 2 KB of flash.
fn prompt() -> Vec<u8> {
    let sample = |at: u32| 128.0 + 60.0 * (TAU * 700.0 * f64::from(at) / 8000.0).sin();
    let samples: Vec<u8> = (0..2000).map(|at| sample(at).round() as u8).collect();
    let length = samples.len() as u32;
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + length).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(8000u32.to_le_bytes()); // samples a second
    wav.extend(8000u32.to_le_bytes()); // bytes a second
    wav.extend(b"\x01\0\x08\0data"); // bytes a frame, bits a sample
    wav.extend(length.to_le_bytes());
    wav.extend(samples);
    wav
}

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sansip_fuzz::world(data));

//! Every RFC message through every target, on any toolchain: `cargo test` here needs no fuzzer.

use std::fs;
use std::path::Path;

fn files(folder: &Path, all: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), all);
        } else {
            all.push(fs::read(entry.path()).unwrap());
        }
    }
}

#[test]
fn the_corpus_passes_every_target() {
    let mut all = vec![];
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors"), &mut all);
    assert!(all.len() > 1000);
    for data in &all {
        for target in crate::TARGETS {
            target.1(data);
        }
    }
}

#[test]
fn random_programs_pass_the_machines() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..300 {
        let program: Vec<u8> = (0..300)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state as u8
            })
            .collect();
        crate::endpoint(&program);
        crate::two_phones(&program);
        crate::media_session(&program);
        crate::world(&program);
    }
}

//! The README says what the code says.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

#[test]
fn the_program_in_the_readme_is_the_one_that_is_built() {
    let program = read("examples/src/bin/six.rs");
    assert!(read("README.md").contains(program.trim_end()), "six.rs and the README differ");
    let lines = program.lines().count();
    assert!(lines <= 35, "a newcomer's program has at most 35 lines, not {lines}");
}

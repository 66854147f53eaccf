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

#[test]
fn the_microcontroller_s_program_is_the_same_with_other_first_lines() {
    let embassy = read("examples/firmware/src/bin/six.rs");
    assert!(read("README.md").contains(embassy.trim_end()), "six.rs and the README differ");
    let verbs = |program: &str| -> Vec<String> {
        let body = &program[program.find("phone.line(").unwrap()..];
        let steps = body.split(|c: char| c.is_whitespace() || "(&!".contains(c));
        let owners = ["phone.", "line.", "call.", "recording."];
        let verbs = steps.filter(|step| owners.iter().any(|owner| step.starts_with(owner)));
        verbs.map(str::to_owned).collect()
    };
    assert_eq!(verbs(&embassy).len(), 12, "{:?}", verbs(&embassy));
    assert_eq!(verbs(&embassy), verbs(&read("examples/src/bin/six.rs")));
    assert!(embassy.lines().count() <= 45);
}

//! Which module may know which: bytes at the bottom, handles at the top. Wire code holds no state,
//! machines hold no bytes, and nothing below the endpoint reaches up to it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Plain values and number texts: known to all, and knowing only each other.
const GROUND: &[&str] = &["bytes", "limits", "path", "scan", "time"];
/// Bytes to borrowed views and back: no state, no clock, no randomness.
const WIRE: &[&str] = &["rtp", "sdp", "sip"];
/// What the machines stand on.
const BASE: &[&str] = &["buffers", "index", "random", "storage", "table", "text", "trace"];
/// State machines: each knows wire code and the base, none another one.
const MACHINES: &[&str] = &["call", "digest", "media", "registration", "transaction"];
/// The one place where everything meets, and the memory that holds everybody's slots.
const TOP: &[&str] = &["endpoint", "storage"];

/// What stands around the endpoint, as a runtime does.
const AROUND: &[&str] = &["journal"];

/// The modules that `module` may name; `None` if nobody has decided it yet.
fn may_know(module: &str) -> Option<BTreeSet<&'static str>> {
    let groups: &[&[&'static str]] = if TOP.contains(&module) || AROUND.contains(&module) {
        &[GROUND, WIRE, BASE, MACHINES, TOP]
    } else if MACHINES.contains(&module) {
        &[GROUND, WIRE, BASE]
    } else if BASE.contains(&module) {
        &[GROUND, BASE]
    } else if WIRE.contains(&module) {
        &[GROUND, WIRE]
    } else if GROUND.contains(&module) {
        &[GROUND]
    } else {
        return None;
    };
    Some(groups.concat().into_iter().collect())
}

#[test]
fn modules_know_only_what_stands_below_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let exports = exports(&std::fs::read_to_string(root.join("lib.rs")).unwrap());
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 20, "the sources are not where this test looks");
    let mut broken = Vec::new();
    for file in files.iter().filter(|file| **file != root.join("lib.rs")) {
        let place = file.strip_prefix(&root).unwrap().with_extension("");
        let source = std::fs::read_to_string(file).unwrap();
        for breach in breaches(&place, &source, &exports) {
            broken.push(format!("{}: {breach}", place.display()));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn wire_code_that_reaches_up_is_refused_in_every_spelling() {
    let exports = exports("pub use endpoint::{Endpoint, Event as Notice};\npub use time::Instant;");
    for source in [
        "use crate::endpoint::Endpoint;",
        "use crate::{limits, endpoint::Endpoint};",
        "use crate::{\n    limits::{self, LINES},\n    endpoint,\n};",
        "use super::super::endpoint;",
        "fn f() { crate::endpoint::f() }",
        "const TEXT: &str = \"//\"; use crate::endpoint::Endpoint;",
        "use crate::Endpoint;",
        "use crate::{Instant, Notice};",
        "use crate::random::Random;",
        "use crate::*;",
    ] {
        assert_eq!(breaches(Path::new("sip/head"), source, &exports).len(), 1, "{source}");
    }
}

#[test]
fn what_stands_below_may_be_named_and_comments_name_anything() {
    let exports = exports("pub use endpoint::Endpoint;\npub use time::Instant;");
    for source in [
        "use crate::{limits, sdp::Session, Instant};",
        "pub(crate) fn f() {}",
        "use super::endpoint;", // a module of its own folder
        "/// See [`crate::endpoint`].\nfn f() {}",
        "fn f() {} // crate::endpoint",
        "/* crate::endpoint */",
        "const URI: &str = \"crate::endpoint\";",
    ] {
        assert_eq!(breaches(Path::new("sip/head"), source, &exports), Vec::<String>::new());
    }
}

#[test]
fn a_module_without_a_place_in_the_order_is_refused() {
    assert_eq!(breaches(Path::new("gossip/mod"), "", &BTreeMap::new()).len(), 1);
    assert_eq!(breaches(Path::new("sip/uri"), "use crate::gossip;", &BTreeMap::new()).len(), 1);
}

/// How the file at `place` (`sip/head`) breaks the rule.
fn breaches(place: &Path, source: &str, exports: &BTreeMap<String, String>) -> Vec<String> {
    let parts: Vec<&str> = place.iter().map(|part| part.to_str().unwrap()).collect();
    let module = parts[0];
    let Some(allowed) = may_know(module) else {
        return vec![format!("`{module}` has no place in the order that this test states")];
    };
    let depth = parts.len() - usize::from(parts.last() == Some(&"mod"));
    let known = |name: &String| exports.contains_key(name) || may_know(name).is_some();
    let code = code(source);
    let mut named = roots(&code, "crate::");
    // Within a nested `mod tests` a `super::` less leads out, so only names of the root count here.
    named.extend(roots(&code, &"super::".repeat(depth)).into_iter().filter(known));
    named
        .into_iter()
        .filter_map(|name| {
            let target = exports.get(&name).unwrap_or(&name);
            let fine = target == module || allowed.contains(target.as_str());
            (!fine).then(|| format!("`{module}` may not know `{target}` (as `crate::{name}`)"))
        })
        .collect()
}

/// The names that follow `prefix` in `code`.
fn roots(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (start, _) in code.match_indices(prefix) {
        if !code[..start].ends_with(in_word) {
            names(&code[start + prefix.len()..], &mut found);
        }
    }
    found
}

/// The first name of a path, or of each path in a group.
fn names(path: &str, found: &mut BTreeSet<String>) {
    let Some(group) = path.trim_start().strip_prefix('{') else {
        found.insert(word(path));
        return;
    };
    let (mut level, mut start) = (0, 0);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => level += 1,
            ',' | '}' if level == 0 => {
                found.insert(word(&group[start..at]));
                start = at + 1;
                if letter == '}' {
                    break;
                }
            }
            '}' => level -= 1,
            _ => {}
        }
    }
    found.remove("self");
    found.remove(""); // behind a trailing comma
}

fn word(text: &str) -> String {
    text.trim_start().chars().take_while(|&letter| in_word(letter)).collect()
}

fn in_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The source without comments and the insides of strings.
fn code(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some(letter) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("'\"'") || rest.starts_with("b'\"'") {
            rest.find("\"'").unwrap() + 2
        } else if letter == '"' {
            string_length(rest)
        } else {
            code.push(letter);
            letter.len_utf8()
        };
        rest = &rest[skipped..];
    }
    code
}

/// The length of the string literal that `text` begins with, quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Which module the names come from that `lib.rs` exports again.
fn exports(lib: &str) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for statement in code(lib).split(';') {
        let Some((_, path)) = statement.split_once("pub use ") else { continue };
        let module = word(path.trim_start().trim_start_matches("crate::"));
        for name in path.rsplit([' ', ',', '{', '}', '\n']) {
            let last = name.rsplit("::").next().unwrap_or_default();
            exports.insert(last.to_owned(), module.clone());
        }
    }
    exports.remove("");
    exports.retain(|name, module| name != module);
    exports
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

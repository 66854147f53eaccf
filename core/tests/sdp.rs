//! The session descriptions that RFCs print, by their verdicts: those within the grammar are
//! read, and every one that is read is found again in its lines, byte for byte.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;

use sansip::sdp::Session;

#[test]
fn descriptions_of_the_rfcs_are_read_and_rebuilt() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors");
    let rows = std::fs::read_to_string(vectors.join("sdp.tsv")).unwrap();
    let mut accepted = 0;
    let mut wrong = Vec::new();
    for row in rows.lines().skip(1) {
        let [file, _, "sdp", verdict, layer, _] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{row}");
        };
        assert!(matches!(verdict, "accept" | "reject" | "either"), "{row}");
        let bytes = std::fs::read(vectors.join(file)).unwrap();
        let session = Session::parse(&bytes);
        match verdict {
            "accept" if session.is_err() => wrong.push(format!("{file}: {session:?}")),
            "reject" if session.is_ok() || layer != "sdp" => wrong.push(file.to_owned()),
            _ => {}
        }
        let Ok(session) = session else { continue };
        accepted += 1;
        let mut rebuilt = Vec::new();
        for line in session.lines() {
            rebuilt.extend_from_slice(line.raw);
            let end = line.raw.len() - line.raw.trim_ascii_end().len();
            assert_eq!(line.raw.len(), 2 + line.value.trim_ascii_end().len() + end, "{file}");
        }
        assert_eq!(rebuilt, bytes, "{file}");
        let media = session.lines().filter(|line| line.kind == b'm').count();
        assert_eq!(session.media().count(), media, "{file}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    println!("{accepted}");
    assert!(accepted >= 141);
}

//! The messages of RFC 4475, RFC 5118 and the example messages of 53 RFCs, by their verdicts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::PathBuf;

use sansip::sip::{Head, HeadError, Message, Writer};

/// One line of the manifest and the bytes that it is about.
struct Vector {
    file: String,
    verdict: String,
    layer: String,
    bytes: Vec<u8>,
}

/// At which layer a message was refused, in the words of the manifest.
fn judge(bytes: &[u8]) -> Result<(), (&'static str, String)> {
    let message = Message::parse(bytes).map_err(|error| {
        let layer = match error {
            sansip::sip::ParseError::StartLine => "start-line",
            _ => "framing",
        };
        (layer, error.to_string())
    })?;
    Head::parse(&message).map_err(|error| {
        let layer = match error {
            HeadError::Malformed(_) | HeadError::Range(_) => "header",
            _ => "semantic",
        };
        (layer, error.to_string())
    })?;
    message
        .check_headers()
        .map_err(|(header, error)| ("header", format!("{}: {error}", header.name)))
}

fn vectors() -> Vec<Vector> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors"));
    let manifest = std::fs::read_to_string(folder.join("manifest.tsv")).expect("manifest");
    let row = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [file, _, "sip", verdict, layer, _] = columns[..] else { return None };
        Some(Vector {
            file: file.to_owned(),
            verdict: verdict.to_owned(),
            layer: layer.to_owned(),
            bytes: std::fs::read(folder.join(file)).expect(file),
        })
    };
    manifest.lines().skip(1).filter_map(row).collect()
}

#[test]
fn every_definite_verdict_is_right() {
    let mut wrong = Vec::new();
    for vector in vectors() {
        match (vector.verdict.as_str(), judge(&vector.bytes)) {
            ("accept", Err((layer, reason))) => {
                wrong.push(format!("{} refused at {layer}: {reason}", vector.file));
            }
            ("reject", Ok(())) => wrong.push(format!("{} accepted", vector.file)),
            ("reject", Err((layer, _))) if vector.layer != "-" && layer != vector.layer => {
                wrong.push(format!("{} refused at {layer}, not {}", vector.file, vector.layer));
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn accepted_messages_are_rebuilt_byte_for_byte() {
    let mut rebuilt = 0;
    for vector in vectors().iter().filter(|vector| vector.verdict == "accept") {
        let message = Message::parse(&vector.bytes).expect(&vector.file);
        let mut buffer = vec![0; vector.bytes.len()];
        let mut writer = Writer::new(&mut buffer);
        writer.start_line(&message.start_line());
        for header in message.headers() {
            writer.raw_header(&header);
        }
        let len = writer.finish_raw(message.body()).expect(&vector.file);
        assert!(buffer[..len] == *message.bytes(), "{} differs", vector.file);
        rebuilt += 1;
    }
    assert!(rebuilt > 500, "only {rebuilt}");
}

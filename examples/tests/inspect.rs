//! `inspect` over the test vectors, over streams, and its exit status.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors");
const MESSAGE: &str = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\n\
    From: <sip:c@d>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nl: 2\r\n\r\nhi";

fn inspect(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_inspect"))
        .args(arguments)
        .current_dir(VECTORS)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    // A program that ends on a usage error does not read its input.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().expect("ends")
}

fn reports(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// File, verdict and layer of every definite row.
fn rows(manifest: &str) -> Vec<[String; 3]> {
    let text = std::fs::read_to_string(Path::new(VECTORS).join(manifest)).expect(manifest);
    let row = |line: &str| match line.split('\t').collect::<Vec<_>>()[..] {
        [file, _, _, verdict @ ("accept" | "reject"), layer, _] => {
            Some([file, verdict, layer].map(str::to_owned))
        }
        _ => None,
    };
    text.lines().skip(1).filter_map(row).collect()
}

#[test]
fn every_definite_verdict_of_the_vectors_is_right() {
    let mut wrong = Vec::new();
    for (manifest, least) in [("manifest.tsv", 590), ("sdp.tsv", 100)] {
        let rows = rows(manifest);
        assert!(rows.len() >= least, "{manifest}: {}", rows.len());
        let files: Vec<&str> = rows.iter().map(|[file, ..]| file.as_str()).collect();
        let output = inspect(&files, b"");
        let reports = reports(&output);
        assert_eq!(reports.len(), rows.len());
        for ([file, verdict, layer], report) in rows.iter().zip(&reports) {
            assert_eq!(report["file"], **file);
            let expected = match layer.as_str() {
                "framing" | "start-line" => Some("frame"),
                "semantic" => Some("head"),
                "header" => Some("header"),
                _ => None,
            };
            let is_right = report["verdict"] == **verdict
                && (verdict == "accept" || expected.is_none_or(|layer| report["layer"] == layer));
            if !is_right {
                wrong.push(format!("{verdict} {layer}: {report}"));
            }
        }
        let any_rejected = rows.iter().any(|[_, verdict, _]| verdict == "reject");
        assert_eq!(output.status.code(), Some(i32::from(any_rejected)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_report_has_all_its_fields() {
    let output = inspect(&["-"], MESSAGE.as_bytes());
    assert_eq!(output.status.code(), Some(0));
    let expected = "{\"file\":\"-\",\"verdict\":\"accept\",\"layer\":null,\"reason\":null,\
        \"kind\":\"request\",\"start\":\"OPTIONS sip:a@b SIP/2.0\",\"headers\":6,\"body\":2}\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn bytes_behind_a_message_are_ignored_unless_it_is_a_stream() {
    let broken = MESSAGE.replacen("CSeq: 1 OPTIONS", "CSeq: 1 BYE", 1);
    let input = format!("{MESSAGE}\r\n\r\n{broken}{MESSAGE}garbage");
    assert_eq!(inspect(&["-"], input.as_bytes()).status.code(), Some(0));
    let output = inspect(&["--stream", "-"], input.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    let reports = reports(&output);
    let column = |name: &str| reports.iter().map(|report| report[name].clone()).collect::<Vec<_>>();
    assert_eq!(column("index"), [0, 1, 2, 3]);
    assert_eq!(column("verdict"), ["accept", "reject", "accept", "reject"]);
    assert_eq!(column("layer"), [Value::Null, "head".into(), Value::Null, "frame".into()]);
    let whole = format!("{MESSAGE}{MESSAGE}\r\n");
    assert_eq!(inspect(&["--stream", "-"], whole.as_bytes()).status.code(), Some(0));
    let unframed = MESSAGE.replacen("l: 2\r\n", "", 1);
    assert_eq!(inspect(&["--stream", "-"], unframed.as_bytes()).status.code(), Some(1));
}

#[test]
fn a_broken_sdp_body_and_a_broken_known_header_are_told_apart() {
    let with = |lines: &str| MESSAGE.replacen("l: 2\r\n\r\nhi", lines, 1);
    for (lines, layer) in [
        ("c: application/SDP\r\nl: 2\r\n\r\nhi", "sdp"),
        ("Session-Expires: soon\r\nl: 2\r\n\r\nhi", "header"),
        ("Max-Forwards: 256\r\nl: 2\r\n\r\nhi", "header"),
        ("To: <sip:x@y>\r\nl: 2\r\n\r\nhi", "head"),
        ("l: 3\r\n\r\nhi", "frame"),
    ] {
        let output = inspect(&["-"], with(lines).as_bytes());
        assert_eq!(output.status.code(), Some(1), "{lines}");
        assert_eq!(reports(&output)[0]["layer"], layer, "{lines}");
    }
    assert_eq!(
        inspect(&["--sdp", "-"], b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n")
            .status
            .code(),
        Some(0)
    );
    let output = inspect(&["--sdp", "-"], b"v=1\r\n");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        (&reports(&output)[0]["kind"], &reports(&output)[0]["layer"]),
        (&"sdp".into(), &"sdp".into())
    );
}

#[test]
fn bytes_that_are_no_utf_8_are_replaced() {
    let input = [b"OPTIONS sip:\xff SIP/2.0\r\n", &MESSAGE.as_bytes()[25..]].concat();
    let output = inspect(&["-"], &input);
    assert_eq!(reports(&output)[0]["start"], "OPTIONS sip:\u{fffd} SIP/2.0");
}

#[test]
fn empty_input_is_rejected_and_never_breaks() {
    for input in ["", "\r\n", "\n\n", "\r", "x", "SIP/2.0"] {
        for arguments in [&["-"][..], &["--stream", "-"], &["--sdp", "-"]] {
            let output = inspect(arguments, input.as_bytes());
            assert_eq!(output.status.code(), Some(1), "{input:?} {arguments:?}");
            assert_eq!(reports(&output).len(), 1);
        }
    }
}

#[test]
fn usage_and_file_errors_are_status_2() {
    assert_eq!(inspect(&[], b"").status.code(), Some(2));
    assert_eq!(inspect(&["--nonsense", "-"], b"").status.code(), Some(2));
    assert_eq!(inspect(&["--stream", "--sdp", "-"], b"").status.code(), Some(2));
    let output = inspect(&["no-such-file", "-"], MESSAGE.as_bytes());
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(reports(&output).len(), 1);
    assert_eq!(inspect(&["--help"], b"").status.code(), Some(0));
}

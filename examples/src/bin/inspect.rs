//! Says of SIP messages and session descriptions whether the library takes them, and why not.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use clap::Parser;
use sansip::sdp::Session;
use sansip::sip::{
    ContentType, Frame, Framer, Head, HeadError, HeaderName, Message, ParseError, StartLine,
};
use serde::Serialize;

/// Why did it refuse this message? One JSON line a file, or a message of a stream.
///
/// A message is accepted if it frames, its head is valid, every header that the library knows
/// parses, and an SDP body parses. Bytes after Content-Length are ignored, as in a datagram.
///
/// Exit status: 0 if all were accepted, 1 if any was rejected, 2 on usage or file errors.
#[derive(Parser)]
struct Arguments {
    /// Read each file as a stream of messages, one after another; adds `index`, from 0.
    #[arg(long, conflicts_with = "sdp")]
    stream: bool,
    /// Read each file as SDP. Files whose name ends in .sdp are always read so.
    #[arg(long)]
    sdp: bool,
    /// Files to inspect; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<OsString>,
}

/// What is printed about one message. Bytes that are no UTF-8 become U+FFFD.
#[derive(Serialize)]
struct Report {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    verdict: Verdict,
    layer: Option<Layer>,
    reason: Option<String>,
    kind: Option<Kind>,
    /// The first line.
    start: Option<String>,
    /// How many header fields there are; 0 for SDP.
    headers: usize,
    /// The length of the body, bytes.
    body: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Accept,
    Reject,
}

/// Where a message was refused.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Layer {
    /// The bytes are no message: start line, header lines, Content-Length.
    Frame,
    /// A mandatory header is missing or repeated, or does not agree with the start line.
    Head,
    /// The value of a header breaks its grammar or its range.
    Header,
    /// The body says that it is SDP and is not.
    Sdp,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Request,
    Response,
    Sdp,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut output = io::stdout().lock();
    let mut all_accepted = true;
    let mut all_read = true;
    for name in &arguments.files {
        let file = name.to_string_lossy().into_owned();
        let bytes = match read(name) {
            Ok(bytes) => bytes,
            Err(error) => {
                eprintln!("{file}: {error}");
                all_read = false;
                continue;
            }
        };
        let reports = if arguments.sdp || file.ends_with(".sdp") {
            vec![description(file, &bytes)]
        } else if arguments.stream {
            stream(&file, &bytes)
        } else {
            vec![message(file, &bytes)]
        };
        for report in reports {
            all_accepted &= report.verdict == Verdict::Accept;
            if let Err(error) = print(&mut output, &report) {
                eprintln!("standard output: {error}");
                return ExitCode::from(2);
            }
        }
    }
    match (all_read, all_accepted) {
        (false, _) => ExitCode::from(2),
        (true, false) => ExitCode::FAILURE,
        (true, true) => ExitCode::SUCCESS,
    }
}

fn read(name: &OsString) -> io::Result<Vec<u8>> {
    if name != "-" {
        return std::fs::read(name);
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn print(output: &mut impl Write, report: &Report) -> io::Result<()> {
    serde_json::to_writer(&mut *output, report)?;
    output.write_all(b"\n")
}

fn description(file: String, bytes: &[u8]) -> Report {
    let refusal = Session::parse(bytes).err().map(|error| (Layer::Sdp, error.to_string()));
    let report = Report { kind: Some(Kind::Sdp), body: bytes.len(), ..Report::new(file, bytes) };
    report.judged(refusal)
}

/// All messages of a stream, up to the first place where it can not be cut.
fn stream(file: &str, bytes: &[u8]) -> Vec<Report> {
    let mut framer = Framer::new(usize::MAX);
    let mut reports = Vec::new();
    let mut rest = bytes;
    loop {
        let index = Some(reports.len());
        let taken = match framer.next(rest) {
            Frame::KeepAlive { len, .. } => len,
            Frame::Message(len) => {
                let one = rest.get(..len).unwrap_or_default();
                reports.push(Report { index, ..message(file.to_owned(), one) });
                len
            }
            Frame::Incomplete if rest.is_empty() && !reports.is_empty() => return reports,
            Frame::Incomplete => {
                let reason = "the stream ends before the message does";
                reports.push(Report { index, ..unframed(file.to_owned(), rest, reason) });
                return reports;
            }
            Frame::Error(error) => {
                let reason = error.to_string();
                reports.push(Report { index, ..unframed(file.to_owned(), rest, &reason) });
                return reports;
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
}

fn message(file: String, bytes: &[u8]) -> Report {
    match Message::parse(bytes) {
        Ok(message) => {
            let report = Report {
                kind: Some(match message.start_line() {
                    StartLine::Request { .. } => Kind::Request,
                    StartLine::Response { .. } => Kind::Response,
                }),
                headers: message.headers().count(),
                body: message.body().len(),
                ..Report::new(file, message.bytes())
            };
            report.judged(judge(&message))
        }
        Err(ParseError::Empty) => {
            let refusal = (Layer::Frame, ParseError::Empty.to_string());
            Report::new(file, b"").judged(Some(refusal))
        }
        Err(error) => unframed(file, bytes, &error.to_string()),
    }
}

/// The first thing that is wrong with a message that frames.
fn judge(message: &Message<'_>) -> Option<(Layer, String)> {
    if let Err(error) = Head::parse(message) {
        let layer = match error {
            HeadError::Malformed(_) | HeadError::Range(_) => Layer::Header,
            _ => Layer::Head,
        };
        return Some((layer, error.to_string()));
    }
    if let Err((header, error)) = message.check_headers() {
        return Some((Layer::Header, format!("{error}: {}", header.name)));
    }
    let content_type = message.header(HeaderName::ContentType).map(ContentType::parse);
    let is_sdp = matches!(content_type, Some(Ok(kind)) if kind.is(b"application", b"sdp"));
    let is_plain = message.header(HeaderName::ContentEncoding).is_none();
    if is_sdp && is_plain && !message.body().is_empty() {
        return Session::parse(message.body()).err().map(|error| (Layer::Sdp, error.to_string()));
    }
    None
}

/// A message that does not frame, with as much about it as can be told.
fn unframed(file: String, bytes: &[u8], reason: &str) -> Report {
    let is_response = bytes.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"));
    let salvaged = Message::salvage(bytes);
    let report = Report {
        kind: match bytes {
            [] => None,
            _ if is_response => Some(Kind::Response),
            _ => Some(Kind::Request),
        },
        headers: salvaged.map_or(0, |message| message.headers().count()),
        body: salvaged.map_or(0, |message| bytes.len().saturating_sub(message.bytes().len())),
        ..Report::new(file, bytes)
    };
    report.judged(Some((Layer::Frame, reason.to_owned())))
}

impl Report {
    /// Nothing judged yet; `bytes` begin with the first line.
    fn new(file: String, bytes: &[u8]) -> Self {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let start = (!line.is_empty()).then(|| String::from_utf8_lossy(line).into_owned());
        Self {
            file,
            index: None,
            verdict: Verdict::Accept,
            layer: None,
            reason: None,
            kind: None,
            start,
            headers: 0,
            body: 0,
        }
    }

    fn judged(self, refusal: Option<(Layer, String)>) -> Self {
        match refusal {
            None => self,
            Some((layer, reason)) => {
                Self { verdict: Verdict::Reject, layer: Some(layer), reason: Some(reason), ..self }
            }
        }
    }
}

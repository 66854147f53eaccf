use core::time::Duration;
use std::io::{self, Write};
use std::time::SystemTime;

use super::{Record, Trace, Way};

/// Writes messages as text, one line of time, direction and addresses before each.
///
/// Control bytes other than line ends and tabs are escaped, so that a peer cannot steer a
/// terminal.
#[derive(Debug)]
pub struct Text<W> {
    writer: W,
}

impl Text<io::Stderr> {
    /// Writes to standard error.
    pub fn stderr() -> Self {
        Self::new(io::stderr())
    }
}

impl<W: Write + Send> Text<W> {
    /// Writes to any writer; what it refuses is lost.
    pub fn new(writer: W) -> Self {
        Self { writer }
    }

    fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        let at = SystemTime::UNIX_EPOCH + Duration::from_micros(record.at.as_micros());
        let (way, arrow) = match record.way {
            Way::Sent => ("sent", "->"),
            Way::Received => ("received", "<-"),
        };
        let transport = String::from_utf8_lossy(record.path.transport.via());
        writeln!(
            self.writer,
            "{} {way} {transport} {} {arrow} {} ({} bytes)",
            humantime::format_rfc3339_micros(at),
            record.path.local,
            record.path.remote,
            record.bytes.len()
        )?;
        self.writer.write_all(printable(record.bytes).as_bytes())?;
        writeln!(self.writer)?;
        self.writer.flush()
    }
}

impl<W: Write + Send> Trace for Text<W> {
    fn record(&mut self, record: &Record<'_>) {
        // A full disk or closed terminal must not disturb the calls.
        let _ = self.write(record);
    }
}

fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for character in String::from_utf8_lossy(bytes).replace("\r\n", "\n").chars() {
        match character {
            '\n' | '\t' => text.push(character),
            control if control.is_control() => text.extend(control.escape_default()),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::record;
    use super::*;

    #[test]
    fn a_message_is_written_with_time_direction_and_addresses() {
        let mut text = Text::new(Vec::new());
        text.record(&record(b"OPTIONS sip:a SIP/2.0\r\n\r\n", false));
        assert_eq!(
            String::from_utf8(text.writer).unwrap(),
            "2023-11-14T22:13:20.123456Z sent UDP 192.0.2.1:5060 -> 192.0.2.2:5070 (25 bytes)\n\
             OPTIONS sip:a SIP/2.0\n\n\n"
        );
    }

    #[test]
    fn a_peer_cannot_steer_the_terminal() {
        assert_eq!(printable(b"a\x1b[2J\x00\xff\r\n"), "a\\u{1b}[2J\\u{0}\u{fffd}\n");
    }
}

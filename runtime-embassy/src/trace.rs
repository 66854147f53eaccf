//! Shows every SIP message on the wire: at the two doors of the endpoint, with all bytes.

pub use sansip::trace::{Record, Way};

/// Takes every message that is received or sent, refused and repeated ones included.
///
/// It is called inside the runner, so it must neither wait nor call the phone: that answers
/// [`Error::Busy`](crate::Error::Busy). Messages hold credentials.
pub trait Trace {
    /// One message.
    fn record(&mut self, record: &Record<'_>);
}

impl<F: FnMut(&Record<'_>)> Trace for F {
    fn record(&mut self, record: &Record<'_>) {
        self(record);
    }
}

/// Writes each message as plain lines: an arrow with the time in milliseconds, then the bytes.
///
/// `write` gets pieces; a serial port, a semihosting console or a buffer does.
#[derive(Clone, Copy, Debug)]
pub struct Lines<W>(pub W);

impl<W: FnMut(&[u8])> Trace for Lines<W> {
    fn record(&mut self, record: &Record<'_>) {
        let arrow: &[u8] = match record.way {
            Way::Received => b"<<< ",
            Way::Sent => b">>> ",
        };
        (self.0)(arrow);
        let mut digits = [0; 20];
        (self.0)(record.millis(&mut digits));
        (self.0)(b" ms\n");
        (self.0)(record.bytes);
        (self.0)(b"\n");
    }
}

/// Sends each message to defmt, at the level `debug`.
#[cfg(feature = "defmt")]
#[derive(Clone, Copy, Debug)]
pub struct Defmt;

#[cfg(feature = "defmt")]
impl Trace for Defmt {
    fn record(&mut self, record: &Record<'_>) {
        match record.way {
            Way::Received => defmt::debug!("<<< {=[u8]:a}", record.bytes),
            Way::Sent => defmt::debug!(">>> {=[u8]:a}", record.bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::String;
    use std::vec::Vec;

    use sansip::path::Path;
    use sansip::time::Instant;

    use super::*;

    #[test]
    fn a_message_is_written_whole_behind_its_time() {
        let address = "192.0.2.1:5060".parse().unwrap();
        let record = Record {
            at: Instant::from_millis(1203),
            way: Way::Sent,
            path: Path::udp(address, address),
            bytes: b"BYE sip:a SIP/2.0\r\n\r\n",
        };
        let mut written = Vec::new();
        Lines(|piece: &[u8]| written.extend_from_slice(piece)).record(&record);
        assert_eq!(String::from_utf8(written).unwrap(), ">>> 1203 ms\nBYE sip:a SIP/2.0\r\n\r\n\n");
    }
}

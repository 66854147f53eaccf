//! Seeing every message: complete bytes, direction, transport, both addresses and time.
//!
//! Give a sink to [`Phone::trace`](crate::Phone::trace): [`Text`], [`Pcap`], or a closure. Refused
//! and retransmitted messages pass there too. [`redact`] hides credentials from a sink.

mod pcap;
mod redact;
mod text;

pub use pcap::Pcap;
pub use redact::{Redacted, redact, redacted};
pub use sansip::trace::{Record, Way};
pub use text::Text;

/// Takes every message that a phone sends or receives.
///
/// It runs on the phone's driver, between two messages, so it must not block for long. `at` of a
/// record counts microseconds of UNIX time.
pub trait Trace: Send {
    /// Takes one message.
    fn record(&mut self, record: &Record<'_>);
}

impl<F: FnMut(&Record<'_>) + Send> Trace for F {
    fn record(&mut self, record: &Record<'_>) {
        self(record);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use sansip::path::Path;
    use sansip::time::Instant;

    use super::{Record, Way};

    pub(crate) fn record(bytes: &[u8], v6: bool) -> Record<'_> {
        let (local, remote) = if v6 {
            ("[2001:db8::1]:5060", "[2001:db8::2]:5070")
        } else {
            ("192.0.2.1:5060", "192.0.2.2:5070")
        };
        let path = Path::udp(local.parse().unwrap(), remote.parse().unwrap());
        let at = Instant::from_micros(1_700_000_000_123_456);
        Record { at, way: Way::Sent, path, bytes }
    }
}

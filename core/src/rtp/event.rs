use super::TooSmall;

/// One report of a named telephone event: the four bytes of RFC 4733 s2.3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TelephoneEvent {
    /// The event code; 0 to 15 are DTMF digits.
    pub event: u8,
    /// This report is the last one or a repetition of it (the E bit).
    pub end: bool,
    /// Power of the tone below 0 dBm0, 0 to 63 dB; only meaningful for tones.
    pub volume_dbm0: u8,
    /// How long the event has lasted so far, in RTP timestamp units.
    pub duration: u16,
}

impl TelephoneEvent {
    /// Bytes of one report.
    pub const LEN: usize = 4;

    /// Reads one report; the reserved bit is ignored as RFC 4733 s2.3.4 asks.
    pub const fn parse(bytes: [u8; Self::LEN]) -> Self {
        let [event, flags, high, low] = bytes;
        Self {
            event,
            end: flags & 0x80 != 0,
            volume_dbm0: flags & 0x3f,
            duration: u16::from_be_bytes([high, low]),
        }
    }

    /// Reads a payload: one report, or several packed ones (RFC 4733 s2.5.1.5). A payload that is
    /// empty or no multiple of four bytes holds none.
    pub fn reports(payload: &[u8]) -> impl Iterator<Item = Self> + '_ {
        let (reports, rest) = payload.as_chunks();
        let whole = if rest.is_empty() { reports } else { &[] };
        whole.iter().map(|bytes| Self::parse(*bytes))
    }

    /// The four bytes of this report; a volume over 63 is written as 63.
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        let volume = if self.volume_dbm0 > 63 { 63 } else { self.volume_dbm0 };
        let [high, low] = self.duration.to_be_bytes();
        [self.event, (self.end as u8) << 7 | volume, high, low]
    }

    /// Writes the report to the start of `out` and returns its length.
    ///
    /// # Errors
    /// `out` has fewer than four bytes.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, TooSmall> {
        let target = out.first_chunk_mut().ok_or(TooSmall)?;
        *target = self.to_bytes();
        Ok(Self::LEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[test]
    fn the_fields_stand_where_rfc_4733_figure_1_draws_them() {
        let report = TelephoneEvent { event: 11, end: true, volume_dbm0: 10, duration: 1280 };
        assert_eq!(report.to_bytes(), [11, 0x8a, 0x05, 0x00]);
    }

    #[test]
    fn the_reserved_bit_is_ignored() {
        assert_eq!(
            TelephoneEvent::parse([1, 0x40, 0, 160]),
            TelephoneEvent { event: 1, end: false, volume_dbm0: 0, duration: 160 }
        );
    }

    #[test]
    fn a_payload_of_another_length_holds_no_report() {
        for length in [0, 1, 2, 3, 5, 6, 7, 9] {
            assert_eq!(TelephoneEvent::reports(&[0; 9][..length]).count(), 0, "{length}");
        }
        assert_eq!(TelephoneEvent::reports(&[0; 8]).count(), 2);
    }

    #[test]
    fn a_buffer_that_is_too_small_is_refused() {
        let report = TelephoneEvent { event: 1, end: false, volume_dbm0: 10, duration: 160 };
        for length in 0..4 {
            assert_eq!(report.write(&mut [0; 4][..length]), Err(TooSmall));
        }
        let mut out = [0xee; 6];
        assert_eq!(report.write(&mut out), Ok(4));
        assert_eq!(out, [1, 10, 0, 160, 0xee, 0xee]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(event: u8, end: bool, volume in 0u8..64, duration: u16) {
            let report = TelephoneEvent { event, end, volume_dbm0: volume, duration };
            prop_assert_eq!(TelephoneEvent::parse(report.to_bytes()), report);
            let packed = [report.to_bytes(), report.to_bytes()].concat();
            let read: Vec<_> = TelephoneEvent::reports(&packed).collect();
            prop_assert_eq!(read, [report, report]);
        }
    }
}

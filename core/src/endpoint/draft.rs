//! Where messages are put together before they are kept or sent.

use crate::sip::{WriteError, Writer};
use crate::storage::Slots;

use super::{CustomHeader, Error, custom};

/// One buffer for whatever is written next, and how long the last of it became.
pub(super) struct Draft<'a> {
    pub(super) room: Slots<'a, u8>,
    len: usize,
}

impl<'a> Draft<'a> {
    pub(super) fn new(room: Slots<'a, u8>) -> Self {
        Self { room, len: 0 }
    }

    /// Begin anew; [`Draft::end`] must follow.
    pub(super) fn begin(&mut self) -> Writer<'_> {
        Writer::new(&mut self.room)
    }

    /// What was begun is that long, or did not fit.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn end(&mut self, written: Result<usize, WriteError>) -> Result<(), Error> {
        self.len = written.map_err(|_| Error::TooLong)?;
        Ok(())
    }

    /// Custom headers, packed.
    pub(super) fn pack(&mut self, headers: &[CustomHeader<'_>]) -> Result<(), Error> {
        self.len = custom::pack(headers, &mut self.room)?;
        Ok(())
    }

    /// What was written last.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn bytes(&self) -> &[u8] {
        self.room.get(..self.len).unwrap_or(&[])
    }
}

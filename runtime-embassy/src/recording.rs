use sansip::endpoint::CallId;

use crate::error::Error;
use crate::phone::Phone;
use crate::state::{CallEntry, Phase};

/// A recording that runs, into the memory that [`Call::record`](crate::Call::record) got. Dropping
/// it stops it.
pub struct Recording<'d> {
    phone: Phone<'d>,
    place: usize,
    id: CallId,
}

impl<'d> Recording<'d> {
    pub(crate) const fn new(phone: Phone<'d>, place: usize, id: CallId) -> Self {
        Self { phone, place, id }
    }

    /// Stops and gives the memory back as far as it was written: samples at 8 kHz.
    ///
    /// # Errors
    /// [`Error::Busy`].
    pub fn stop(self) -> Result<&'d mut [i16], Error> {
        self.take()
    }

    /// Waits until the call has ended and gives the memory back as far as it was written.
    ///
    /// # Errors
    /// The phone was shut down before.
    pub async fn finished(self) -> Result<&'d mut [i16], Error> {
        let over = self.phone.0.wait(|state| {
            let call = state.calls.get(self.place).filter(|call| call.id == Some(self.id));
            let over = call.is_none_or(|call| matches!(call.phase, Phase::Ended(_)));
            (over || state.closed).then_some(())
        });
        over.await;
        self.take()
    }

    fn take(&self) -> Result<&'d mut [i16], Error> {
        let mut state = self.phone.0.step()?;
        let call = state.calls.get_mut(self.place).filter(|call| call.id == Some(self.id));
        let tape = call.and_then(|call: &mut CallEntry<'d>| {
            let tape = call.media.tape.take();
            call.release();
            tape
        });
        Ok(tape.ok_or(Error::Closed)?.into_recorded())
    }
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        let _ = self.take();
    }
}

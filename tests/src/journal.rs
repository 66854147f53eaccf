//! Where simulated phones write their journals.

use core::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A text that is still there when its phone has gone, or has panicked.
#[derive(Clone, Debug, Default)]
pub(crate) struct JournalText(Arc<Mutex<String>>);

impl JournalText {
    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Write for JournalText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
        Ok(())
    }
}

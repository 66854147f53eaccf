//! The messages that the endpoint keeps, and where the parts of the latest stand.

use core::num::NonZeroU32;

use crate::buffers::{BufferId, Buffers};
use crate::sip::{Layout, Message};

/// The pool of buffers. A message that came is looked at again at once, for the events that it
/// causes and for its answer; it is not read anew for that.
pub(super) struct Kept<'a> {
    pool: Buffers<'a>,
    latest: Option<(NonZeroU32, Layout)>,
}

impl<'a> Kept<'a> {
    pub(super) fn new(pool: Buffers<'a>) -> Self {
        Self { pool, latest: None }
    }

    pub(super) fn free(&self) -> usize {
        self.pool.free()
    }

    pub(super) fn used(&self) -> usize {
        self.pool.used()
    }

    /// Keep bytes; `None` where no buffer is free or they are too long.
    pub(super) fn keep(&mut self, bytes: &[u8]) -> Option<BufferId> {
        self.pool.keep(bytes)
    }

    /// Keep a message that was read.
    pub(super) fn keep_message(&mut self, message: &Message<'_>) -> Option<BufferId> {
        let id = self.pool.keep(message.bytes())?;
        self.latest = Some((id.number(), message.layout()));
        Some(id)
    }

    /// Put other bytes into a buffer that is held; `false` where they are too long.
    pub(super) fn set(&mut self, id: &BufferId, bytes: &[u8]) -> bool {
        self.forget(id);
        self.pool.set(id, bytes)
    }

    /// Give back what is held, if something is.
    pub(super) fn give(&mut self, held: Option<BufferId>) {
        let Some(id) = held else { return };
        self.forget(&id);
        self.pool.give(id);
    }

    pub(super) fn get(&self, id: &BufferId) -> &[u8] {
        self.pool.get(id)
    }

    /// The message in a buffer.
    pub(super) fn message(&self, id: &BufferId) -> Option<Message<'_>> {
        match &self.latest {
            Some((latest, layout)) if *latest == id.number() => layout.of_copy(self.get(id)),
            _ => Message::parse(self.get(id)).ok(),
        }
    }

    fn forget(&mut self, id: &BufferId) {
        if self.latest.is_some_and(|(latest, _)| latest == id.number()) {
            self.latest = None;
        }
    }
}

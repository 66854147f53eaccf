//! The pool of message buffers.

use core::num::NonZeroU32;

use crate::storage::Slots;

#[cfg(feature = "alloc")]
use alloc::boxed::Box;

/// Names a buffer that is taken. Whoever holds it gives it back; it is not `Clone`, so that
/// nobody gives it back twice.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct BufferId(NonZeroU32);

impl BufferId {
    /// Tells it from all others that are held.
    pub(crate) fn number(&self) -> NonZeroU32 {
        self.0
    }

    fn index(&self) -> usize {
        self.0.get() as usize - 1
    }
}

/// Length and link of one buffer; all zero while it was never used.
#[derive(Default, Debug)]
pub(crate) struct BufferState {
    len: u32,
    /// Next free buffer plus one.
    next_free: u32,
}

impl BufferState {
    pub(crate) const IDLE: Self = Self { len: 0, next_free: 0 };
}

/// Where the bytes of buffers stand.
pub(crate) enum Room<'a> {
    /// One block for each, of the greatest length.
    Lent(&'a mut [u8]),
    /// Each message at its own length, because thousands of them linger until their timers end.
    #[cfg(feature = "alloc")]
    Heap(Box<[Box<[u8]>]>),
}

pub(crate) struct Buffers<'a> {
    bytes: Room<'a>,
    states: Slots<'a, BufferState>,
    stride: usize,
    fresh: u32,
    free_first: u32,
    used: u32,
}

impl<'a> Buffers<'a> {
    pub(crate) fn new(bytes: Room<'a>, states: Slots<'a, BufferState>, stride: usize) -> Self {
        Self { bytes, states, stride, fresh: 0, free_first: 0, used: 0 }
    }

    pub(crate) fn free(&self) -> usize {
        self.states.len() - self.used as usize
    }

    pub(crate) fn used(&self) -> usize {
        self.used as usize
    }

    /// Take a buffer and put `message` into it; `None` where none is free or it is too long.
    pub(crate) fn keep(&mut self, message: &[u8]) -> Option<BufferId> {
        if message.len() > self.stride {
            return None;
        }
        // one that was used before first: its memory is at hand
        let index = match self.free_first.checked_sub(1) {
            Some(index) => {
                self.free_first = self.states.get(index as usize)?.next_free;
                index
            }
            None if (self.fresh as usize) < self.states.len() => {
                self.fresh += 1;
                self.fresh - 1
            }
            None => return None,
        };
        self.used += 1;
        let id = BufferId(NonZeroU32::new(index + 1)?);
        self.set(&id, message);
        Some(id)
    }

    /// Put another message into a buffer that is held; `false` where it is too long.
    pub(crate) fn set(&mut self, id: &BufferId, message: &[u8]) -> bool {
        if message.len() > self.stride {
            return false;
        }
        match &mut self.bytes {
            Room::Lent(bytes) => {
                let start = id.index() * self.stride;
                let Some(room) = bytes.get_mut(start..start + message.len()) else { return false };
                room.copy_from_slice(message);
            }
            #[cfg(feature = "alloc")]
            Room::Heap(messages) => {
                let Some(kept) = messages.get_mut(id.index()) else { return false };
                *kept = Box::from(message);
            }
        }
        if let Some(state) = self.states.get_mut(id.index()) {
            state.len = message.len() as u32;
        }
        true
    }

    pub(crate) fn get(&self, id: &BufferId) -> &[u8] {
        let len = self.states.get(id.index()).map_or(0, |state| state.len as usize);
        match &self.bytes {
            Room::Lent(bytes) => {
                let start = id.index() * self.stride;
                bytes.get(start..start + len).unwrap_or(&[])
            }
            #[cfg(feature = "alloc")]
            Room::Heap(messages) => messages.get(id.index()).map_or(&[], |kept| kept),
        }
    }

    pub(crate) fn give(&mut self, id: BufferId) {
        #[cfg(feature = "alloc")]
        if let Room::Heap(messages) = &mut self.bytes
            && let Some(kept) = messages.get_mut(id.index())
        {
            *kept = Box::default();
        }
        if let Some(state) = self.states.get_mut(id.index()) {
            state.next_free = self.free_first;
            self.free_first = id.0.get();
            self.used -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Keep(Vec<u8>),
        Set(usize, Vec<u8>),
        Give(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let message = || prop::collection::vec(any::<u8>(), 0..12);
        prop_oneof![
            message().prop_map(Step::Keep),
            (0..100usize, message()).prop_map(|(nth, message)| Step::Set(nth, message)),
            (0..100usize).prop_map(Step::Give),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn every_holder_reads_what_it_put_in(
            count in 0..5usize,
            on_heap in any::<bool>(),
            steps in prop::collection::vec(step(), 1..80),
        ) {
            const STRIDE: usize = 9;
            let mut bytes = vec![0; count * STRIDE];
            let mut states = Vec::new();
            states.resize_with(count, BufferState::default);
            let room = match on_heap {
                #[cfg(feature = "alloc")]
                true => Room::Heap((0..count).map(|_| Box::default()).collect()),
                _ => Room::Lent(&mut bytes),
            };
            let mut pool = Buffers::new(room, Slots::Lent(&mut states), STRIDE);
            let mut held: Vec<(BufferId, Vec<u8>)> = vec![];
            for step in steps {
                match step {
                    Step::Keep(message) => match pool.keep(&message) {
                        Some(id) => {
                            prop_assert!(held.iter().all(|(other, _)| *other != id));
                            held.push((id, message));
                        }
                        None => prop_assert!(held.len() == count || message.len() > STRIDE),
                    },
                    Step::Set(nth, message) if !held.is_empty() => {
                        let nth = nth % held.len();
                        let fits = message.len() <= STRIDE;
                        prop_assert_eq!(pool.set(&held[nth].0, &message), fits);
                        if fits {
                            held[nth].1 = message;
                        }
                    }
                    Step::Give(nth) if !held.is_empty() => {
                        let (id, _) = held.swap_remove(nth % held.len());
                        pool.give(id);
                    }
                    _ => {}
                }
                prop_assert_eq!(pool.used(), held.len());
                prop_assert_eq!(pool.free(), count - held.len());
                for (id, message) in &held {
                    prop_assert_eq!(pool.get(id), &message[..]);
                }
            }
        }
    }
}

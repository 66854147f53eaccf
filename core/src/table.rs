//! The one data structure of the endpoint: slots with generational handles, a heap of deadlines
//! and a queue of slots that have something to say.
//!
//! A slot changes only through [`Table::update`], which reads its deadline and its readiness
//! again, so that nobody can forget to. Everything is found without scanning, and an idle table
//! is all zero.

use crate::storage::Slots;
use crate::time::{Due, Instant};

/// What a table must know of the values in it.
pub(crate) trait Slot {
    /// Whether it ever has a deadline or an action; a table of others needs no code for them.
    const ACTS: bool = true;
    /// When this slot wants to be called next.
    fn deadline(&self) -> Due;
    /// Whether this slot has an action to give.
    fn is_ready(&self) -> bool;
}

/// Names one value of one table; never names another, also when the slot is used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Id {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// A slot with its links; all zero while it was never used.
#[derive(Debug)]
pub(crate) struct Entry<T> {
    value: Value<T>,
    generation: u32,
    queued: bool,
    deadline: Due,
    /// Next free slot plus one.
    next_free: u32,
    /// Where this slot stands in the heap, plus one.
    heap_position: u32,
    /// Which slot stands at this position of the heap.
    heap: u32,
    /// Which slot stands at this position of the ready queue.
    queue: u32,
}

/// An option whose empty case is zero in every byte. `None` of an `Option` may be any impossible
/// value of what is inside, which would put a static table into `.data` and thus into flash twice.
#[derive(Debug)]
#[repr(u8)]
enum Value<T> {
    None = 0,
    Some(T) = 1,
}

impl<T> Value<T> {
    fn as_ref(&self) -> Option<&T> {
        match self {
            Self::Some(value) => Some(value),
            Self::None => None,
        }
    }

    fn as_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Some(value) => Some(value),
            Self::None => None,
        }
    }

    fn take(&mut self) -> Option<T> {
        match core::mem::replace(self, Self::None) {
            Self::Some(value) => Some(value),
            Self::None => None,
        }
    }
}

impl<T> Entry<T> {
    /// A slot that was never used.
    pub(crate) const IDLE: Self = Self {
        value: Value::None,
        generation: 0,
        queued: false,
        deadline: Due::NEVER,
        next_free: 0,
        heap_position: 0,
        heap: 0,
        queue: 0,
    };

    fn live(&self) -> Option<&T> {
        self.value.as_ref()
    }
}

impl<T> Default for Entry<T> {
    fn default() -> Self {
        Self::IDLE
    }
}

pub(crate) struct Table<'a, T> {
    entries: Slots<'a, Entry<T>>,
    /// Slots from here on were never used.
    fresh: u32,
    free_first: u32,
    free_last: u32,
    used: u32,
    heap_len: u32,
    queue_first: u32,
    queue_len: u32,
}

impl<'a, T: Slot> Table<'a, T> {
    pub(crate) fn new(entries: Slots<'a, Entry<T>>) -> Self {
        Self {
            entries,
            fresh: 0,
            free_first: 0,
            free_last: 0,
            used: 0,
            heap_len: 0,
            queue_first: 0,
            queue_len: 0,
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.used as usize
    }

    pub(crate) fn free(&self) -> usize {
        self.capacity() - self.len()
    }

    /// Put a value into a free slot: the one that has been free for longest, so that an old
    /// handle meets its index again as late as possible.
    pub(crate) fn insert(&mut self, value: T) -> Option<Id> {
        let index = if (self.fresh as usize) < self.entries.len() {
            self.fresh += 1;
            self.fresh - 1
        } else {
            let index = self.free_first.checked_sub(1)?;
            self.free_first = self.entries.get(index as usize)?.next_free;
            if self.free_first == 0 {
                self.free_last = 0;
            }
            index
        };
        let entry = self.entries.get_mut(index as usize)?;
        entry.value = Value::Some(value);
        entry.generation = entry.generation.wrapping_add(1);
        entry.next_free = 0;
        let id = Id { index, generation: entry.generation };
        self.used += 1;
        self.refresh(index);
        Some(id)
    }

    /// Take a value out and free its slot.
    pub(crate) fn remove(&mut self, id: Id) -> Option<T> {
        let entry = self.entries.get_mut(id.index as usize)?;
        if entry.generation != id.generation {
            return None;
        }
        let value = entry.value.take()?;
        entry.deadline = Due::NEVER;
        self.used -= 1;
        self.heap_remove(id.index);
        match self.free_last.checked_sub(1) {
            Some(last) => {
                if let Some(entry) = self.entries.get_mut(last as usize) {
                    entry.next_free = id.index + 1;
                }
            }
            None => self.free_first = id.index + 1,
        }
        self.free_last = id.index + 1;
        Some(value)
    }

    // Used in some hundred places: where flash is small, a call is shorter than the look-up.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn get(&self, id: Id) -> Option<&T> {
        let entry = self.entries.get(id.index as usize)?;
        entry.live().filter(|_| entry.generation == id.generation)
    }

    /// Change a value; its deadline and readiness are read again afterwards.
    pub(crate) fn update<R>(&mut self, id: Id, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        let result = change(self.get_mut(id)?);
        self.refresh(id.index);
        Some(result)
    }

    #[cfg_attr(target_os = "none", inline(never))] // as `get`
    fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        let entry = self.entries.get_mut(id.index as usize)?;
        entry.value.as_mut().filter(|_| entry.generation == id.generation)
    }

    /// The handle of whatever lives at `index` now.
    pub(crate) fn at(&self, index: u32) -> Option<Id> {
        let entry = self.entries.get(index as usize)?;
        entry.live().map(|_| Id { index, generation: entry.generation })
    }

    /// All that lives, by index. Scans: for rare work only.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        let used = self.entries.iter().take(self.fresh as usize).enumerate();
        used.filter_map(|(index, entry)| {
            let id = Id { index: index as u32, generation: entry.generation };
            Some((id, entry.live()?))
        })
    }

    /// What lives in up to `count` slots from `first` on, around the end.
    pub(crate) fn window(&self, first: u32, count: u32) -> impl Iterator<Item = (Id, &T)> {
        let places = (0..count.min(self.fresh)).map(move |step| (first + step) % self.fresh);
        places.filter_map(|index| {
            let id = self.at(index)?;
            Some((id, self.get(id)?))
        })
    }

    /// The soonest deadline of all.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        if self.heap_len == 0 { None } else { self.deadline_at(0).get() }
    }

    /// A slot whose deadline has come, the soonest first.
    pub(crate) fn expired(&self, now: Instant) -> Option<Id> {
        self.next_deadline().filter(|deadline| *deadline <= now)?;
        self.at(self.heap_slot(0))
    }

    /// The slot that has waited longest with something to say.
    pub(crate) fn first_ready(&mut self) -> Option<Id> {
        while self.queue_len > 0 {
            let index = self.entries.get(self.queue_first as usize)?.queue;
            let entry = self.entries.get_mut(index as usize)?;
            if entry.live().is_some_and(Slot::is_ready) {
                return Some(Id { index, generation: entry.generation });
            }
            entry.queued = false;
            self.queue_first = (self.queue_first + 1) % self.entries.len() as u32;
            self.queue_len -= 1;
        }
        None
    }

    /// The slots that have something to say, those that have waited longest first.
    pub(crate) fn ready(&self) -> impl Iterator<Item = Id> {
        let capacity = self.entries.len().max(1);
        (0..self.queue_len).filter_map(move |place| {
            let place = (self.queue_first as usize + place as usize) % capacity;
            let id = self.at(self.entries.get(place)?.queue)?;
            self.get(id).filter(|slot| slot.is_ready()).map(|_| id)
        })
    }

    /// Queue the slot at the end, if it is ready and not queued.
    fn queue(&mut self, index: u32) {
        let capacity = self.entries.len() as u32;
        let Some(entry) = self.entries.get_mut(index as usize) else { return };
        if entry.queued || !entry.live().is_some_and(Slot::is_ready) {
            return;
        }
        entry.queued = true;
        let place = (self.queue_first + self.queue_len) % capacity;
        if let Some(place) = self.entries.get_mut(place as usize) {
            place.queue = index;
        }
        self.queue_len += 1;
    }

    fn refresh(&mut self, index: u32) {
        if !T::ACTS {
            return;
        }
        self.queue(index);
        let Some(entry) = self.entries.get_mut(index as usize) else { return };
        let deadline = entry.live().map_or(Due::NEVER, Slot::deadline);
        if deadline == entry.deadline {
            return;
        }
        entry.deadline = deadline;
        match (deadline, entry.heap_position.checked_sub(1)) {
            (Due::NEVER, _) => self.heap_remove(index),
            (_, Some(position)) => self.heap_settle(position),
            (_, None) => {
                let position = self.heap_len;
                self.heap_len += 1;
                self.heap_put(position, index);
                self.heap_settle(position);
            }
        }
    }

    fn heap_slot(&self, position: u32) -> u32 {
        self.entries.get(position as usize).map_or(0, |entry| entry.heap)
    }

    fn deadline_at(&self, position: u32) -> Due {
        let slot = self.entries.get(self.heap_slot(position) as usize);
        slot.map_or(Due::NEVER, |entry| entry.deadline)
    }

    fn heap_put(&mut self, position: u32, index: u32) {
        if let Some(place) = self.entries.get_mut(position as usize) {
            place.heap = index;
        }
        if let Some(entry) = self.entries.get_mut(index as usize) {
            entry.heap_position = position + 1;
        }
    }

    fn heap_remove(&mut self, index: u32) {
        if !T::ACTS {
            return;
        }
        let Some(entry) = self.entries.get_mut(index as usize) else { return };
        let Some(position) = entry.heap_position.checked_sub(1) else { return };
        entry.heap_position = 0;
        self.heap_len -= 1;
        if position != self.heap_len {
            let last = self.heap_slot(self.heap_len);
            self.heap_put(position, last);
            self.heap_settle(position);
        }
    }

    /// Move the slot at `position` up or down until the heap is in order again.
    fn heap_settle(&mut self, mut position: u32) {
        while position > 0 {
            let parent = (position - 1) / 2;
            if !self.heap_less(position, parent) {
                break;
            }
            self.heap_swap(position, parent);
            position = parent;
        }
        loop {
            let left = position * 2 + 1;
            let right = left + 1;
            let mut least = position;
            if left < self.heap_len && self.heap_less(left, least) {
                least = left;
            }
            if right < self.heap_len && self.heap_less(right, least) {
                least = right;
            }
            if least == position {
                return;
            }
            self.heap_swap(position, least);
            position = least;
        }
    }

    fn heap_less(&self, a: u32, b: u32) -> bool {
        // the index breaks ties, so that the order follows from the inputs alone
        (self.deadline_at(a), self.heap_slot(a)) < (self.deadline_at(b), self.heap_slot(b))
    }

    fn heap_swap(&mut self, a: u32, b: u32) {
        let (at_a, at_b) = (self.heap_slot(a), self.heap_slot(b));
        self.heap_put(a, at_b);
        self.heap_put(b, at_a);
    }
}

#[cfg(test)]
mod tests;

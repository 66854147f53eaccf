//! The one data structure of the endpoint: slots with generational handles, a heap of deadlines
//! and a queue of slots that have something to say.
//!
//! A slot changes only through [`Table::update`], which notes it down; [`Table::settle`], once a turn,
//! reads the deadline and the readiness of those again, so that no change can be forgotten.
//! Everything is found without scanning, and an idle table is all zero.

mod lists;

use core::num::NonZeroU32;

use crate::storage::Slots;
use crate::time::{Due, Instant};

use lists::{Linked, Links, Lists};

/// What a table must know of the values in it.
pub(crate) trait Slot: Default {
    /// Whether it ever has a deadline or an action; a table of others needs no code for them.
    const ACTS: bool = true;
    /// When this slot wants to be called next.
    fn deadline(&self) -> Due;
    /// Whether this slot has an action to give.
    fn is_ready(&self) -> bool;
}

/// Names one value of one table. The low bits, as many as the table's capacity needs, are its slot;
/// the rest counts how often that slot was taken, from one, so that it is never zero.
///
/// An old name meets a new value only once its slot has been taken as often as that count can tell:
/// 2^30 times where a phone has two calls, 2^18 times in a table of 10,000. Slots are taken in turn,
/// so in a table of which half is free that is after a billion insertions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Id(NonZeroU32);

impl Default for Id {
    fn default() -> Self {
        Self::NOTHING
    }
}

impl Id {
    /// Names nothing in any table: a slot that is taken counts one at least.
    pub(crate) const NOTHING: Self = Self(NonZeroU32::MIN);

    pub(crate) fn from_number(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    pub(crate) fn number(self) -> u32 {
        self.0.get()
    }
}

/// A slot with its links; all zero while it was never used.
#[derive(Debug)]
pub(crate) struct Entry<T> {
    value: Value<T>,
    links: Links,
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
}

impl<T> Entry<T> {
    /// A slot that was never used.
    pub(crate) const IDLE: Self = Self {
        value: Value::None,
        links: Links {
            id: None,
            ready: false,
            queued: false,
            changed: false,
            deadline: Due::NEVER,
            next_changed: 0,
            position: 0,
            heap: 0,
            queue: 0,
        },
    };
}

impl<T> Default for Entry<T> {
    fn default() -> Self {
        Self::IDLE
    }
}

pub(crate) struct Table<'a, T> {
    entries: Slots<'a, Entry<T>>,
    lists: Lists,
}

impl<'a, T: Slot> Table<'a, T> {
    pub(crate) fn new(entries: Slots<'a, Entry<T>>) -> Self {
        // of two slots at least, so that all tables know one name that names nothing
        let mask = entries.len().next_power_of_two().max(2) - 1;
        Self { entries, lists: Lists::new(mask as u32) }
    }

    /// The slot that a name is of; texts of the same capacity stand in the same order.
    pub(crate) fn place(&self, id: Id) -> u32 {
        id.number() & self.lists.mask
    }

    pub(crate) fn capacity(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.lists.used as usize
    }

    pub(crate) fn free(&self) -> usize {
        self.capacity() - self.len()
    }

    /// Fill in a value where it will stand, in a free slot: the one that has been free for longest,
    /// so that an old handle meets its index again as late as possible.
    pub(crate) fn insert(&mut self, fill: impl FnOnce(&mut T)) -> Option<Id> {
        let id = self.take_free()?;
        self.update(id, fill)?;
        Some(id)
    }

    #[cfg_attr(target_os = "none", inline(never))] // so that `insert` is small
    fn take_free(&mut self) -> Option<Id> {
        let id = self.lists.take_free(erased_mut(&mut self.entries))?;
        let index = self.place(id);
        self.entries.get_mut(index as usize)?.value = Value::Some(T::default());
        Some(id)
    }

    /// Free the slot of a value; `false` where it is gone already.
    pub(crate) fn remove(&mut self, id: Id) -> bool {
        if self.get(id).is_none() {
            return false;
        }
        let index = self.place(id);
        if let Some(entry) = self.entries.get_mut(index as usize) {
            entry.value = Value::None;
        }
        self.lists.give_back(erased_mut(&mut self.entries), index);
        true
    }

    // Used in some hundred places: where flash is small, a call is shorter than the look-up.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn get(&self, id: Id) -> Option<&T> {
        let entry = self.entries.get(self.place(id) as usize)?;
        entry.value.as_ref().filter(|_| entry.links.id == Some(id))
    }

    /// Change a value; its deadline and readiness are read again when the table is settled.
    pub(crate) fn update<R>(&mut self, id: Id, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        Some(change(self.get_mut(id)?))
    }

    #[cfg_attr(target_os = "none", inline(never))] // as `get`
    fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        self.get(id)?;
        let index = self.place(id);
        if T::ACTS {
            self.lists.note_change(erased_mut(&mut self.entries), index);
        }
        self.entries.get_mut(index as usize)?.value.as_mut()
    }

    /// Read the deadline and readiness of all that changed again, in the order in which they did. The
    /// deadlines and what is ready are those of the last time until then.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn settle(&mut self) {
        while let Some(index) = self.lists.next_changed(erased_mut(&mut self.entries)) {
            let entry = self.entries.get(index as usize);
            if let Some(Entry { value: Value::Some(value), .. }) = entry {
                let (deadline, ready) = (value.deadline(), value.is_ready());
                self.lists.refresh(erased_mut(&mut self.entries), index, deadline, ready);
            }
        }
    }

    /// Whatever lives at `index` now.
    #[cfg_attr(target_os = "none", inline(never))] // as `get`
    pub(crate) fn at(&self, index: u32) -> Option<(Id, &T)> {
        let entry = self.entries.get(index as usize)?;
        entry.links.id.zip(entry.value.as_ref())
    }

    /// All that lives, by index. Scans: for rare work only.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        (0..self.lists.fresh).filter_map(|index| self.at(index))
    }

    /// What lives at `from` or first behind it; `from` is moved behind that.
    pub(crate) fn next_from(&self, from: &mut u32) -> Option<Id> {
        while *from < self.lists.fresh {
            let found = self.at(*from);
            *from += 1;
            if let Some((id, _)) = found {
                return Some(id);
            }
        }
        None
    }

    /// What lives in each slot from `first` on, around the end.
    pub(crate) fn around(&self, first: u32) -> impl Iterator<Item = Option<(Id, &T)>> {
        let fresh = self.lists.fresh;
        (0..fresh).map(move |step| self.at((first + step) % fresh))
    }

    /// The soonest deadline of all.
    pub(crate) fn next_deadline(&self) -> Due {
        self.lists.soonest(erased(&self.entries)).0
    }

    /// A slot whose deadline has come, the soonest first.
    pub(crate) fn expired(&self, now: Instant) -> Option<Id> {
        self.lists.expired(erased(&self.entries), now)
    }

    /// The slot that has waited longest with something to say.
    pub(crate) fn first_ready(&mut self) -> Option<Id> {
        self.lists.first_ready(erased_mut(&mut self.entries))
    }

    /// The slots that have something to say, those that have waited longest first.
    pub(crate) fn ready(&self) -> impl Iterator<Item = Id> {
        let capacity = self.entries.len().max(1);
        (0..self.lists.queue_len).filter_map(move |place| {
            let place = (self.lists.queue_first as usize + place as usize) % capacity;
            let index = self.entries.get(place)?.links.queue;
            let links = &self.entries.get(index as usize)?.links;
            links.id.filter(|_| links.ready)
        })
    }
}

impl<T: Slot> Linked for Slots<'_, Entry<T>> {
    fn capacity(&self) -> u32 {
        self.len() as u32
    }

    fn links(&self, index: u32) -> Option<&Links> {
        self.get(index as usize).map(|entry| &entry.links)
    }

    fn links_mut(&mut self, index: u32) -> Option<&mut Links> {
        self.get_mut(index as usize).map(|entry| &mut entry.links)
    }
}

#[cfg(target_os = "none")]
use self::erase::{erased, erased_mut};
#[cfg(not(target_os = "none"))]
use core::convert::{identity as erased, identity as erased_mut};

#[cfg(target_os = "none")]
mod erase {
    use super::Linked;

    pub(super) fn erased<'s>(slots: &'s (impl Linked + 's)) -> &'s (dyn Linked + 's) {
        slots
    }

    pub(super) fn erased_mut<'s>(slots: &'s mut (impl Linked + 's)) -> &'s mut (dyn Linked + 's) {
        slots
    }
}

#[cfg(test)]
mod tests;

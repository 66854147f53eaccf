//! The one data structure of the endpoint: slots with generational handles, a heap of deadlines
//! and a queue of slots that have something to say.
//!
//! A slot changes only through [`Table::update`], which notes it down; [`Table::settle`], once a turn,
//! reads the deadline and the readiness of those again, so that no change can be forgotten.
//! Everything is found without scanning, and an idle table is all zero.

use core::num::NonZeroU32;

use crate::storage::Slots;
use crate::time::{Due, Instant};

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

/// What the lists of a table keep in its slots.
#[derive(Debug)]
struct Links {
    /// Who lives here, or did until it was removed.
    id: Option<Id>,
    /// Has something to say.
    ready: bool,
    /// Stands in the ready queue.
    queued: bool,
    /// Was changed since the table was settled.
    changed: bool,
    deadline: Due,
    /// Next changed slot plus one.
    next_changed: u32,
    /// Where this slot stands in the heap, plus one; while it is free, the next free slot plus one.
    position: u32,
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
        Self { entries, lists: Lists { mask: mask as u32, ..Lists::default() } }
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

/// Slots as the lists see them. Where flash is small they are seen without their type, so that one
/// copy of the code below serves every table; elsewhere each has its own, which is faster.
trait Linked {
    fn capacity(&self) -> u32;
    fn links(&self, index: u32) -> Option<&Links>;
    fn links_mut(&mut self, index: u32) -> Option<&mut Links>;
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

/// The free slots, those that changed, the heap of deadlines and the queue of what is ready.
#[derive(Default)]
struct Lists {
    /// The bits of a name that are its slot.
    mask: u32,
    /// Slots from here on were never used.
    fresh: u32,
    free_first: u32,
    free_last: u32,
    changed_first: u32,
    changed_last: u32,
    used: u32,
    heap_len: u32,
    queue_first: u32,
    queue_len: u32,
}

impl Lists {
    fn take_free(&mut self, slots: &mut (impl Linked + ?Sized)) -> Option<Id> {
        let index = if self.fresh < slots.capacity() {
            self.fresh += 1;
            self.fresh - 1
        } else {
            self.free_first.checked_sub(1)?
        };
        let links = slots.links_mut(index)?;
        if self.free_first == index + 1 {
            self.free_first = core::mem::take(&mut links.position);
        }
        let first = (self.mask + 1) | index;
        let next = |last: Id| last.number().wrapping_add(self.mask + 1);
        // behind the last name of all comes the first again
        links.id = Id::from_number(links.id.map_or(first, next).max(first));
        self.used += 1;
        links.id
    }

    fn give_back(&mut self, slots: &mut (impl Linked + ?Sized), index: u32) {
        self.used -= 1;
        if let Some(links) = slots.links_mut(index) {
            (links.deadline, links.ready) = (Due::NEVER, false);
        }
        self.heap_remove(slots, index);
        if self.free_first == 0 {
            self.free_first = index + 1;
        } else if let Some(last) = slots.links_mut(self.free_last) {
            last.position = index + 1;
        }
        self.free_last = index;
    }

    fn note_change(&mut self, slots: &mut (impl Linked + ?Sized), index: u32) {
        let Some(links) = slots.links_mut(index) else { return };
        if core::mem::replace(&mut links.changed, true) {
            return;
        }
        if self.changed_first == 0 {
            self.changed_first = index + 1;
        } else if let Some(last) = slots.links_mut(self.changed_last) {
            last.next_changed = index + 1;
        }
        self.changed_last = index;
    }

    fn next_changed(&mut self, slots: &mut (impl Linked + ?Sized)) -> Option<u32> {
        let index = self.changed_first.checked_sub(1)?;
        let links = slots.links_mut(index)?;
        links.changed = false;
        self.changed_first = core::mem::take(&mut links.next_changed);
        Some(index)
    }

    fn refresh(
        &mut self,
        slots: &mut (impl Linked + ?Sized),
        index: u32,
        deadline: Due,
        ready: bool,
    ) {
        let Some(links) = slots.links_mut(index) else { return };
        let (moved, position) = (deadline != links.deadline, links.position);
        (links.deadline, links.ready) = (deadline, ready);
        if ready && !core::mem::replace(&mut links.queued, true) {
            let place = (self.queue_first + self.queue_len) % slots.capacity();
            if let Some(place) = slots.links_mut(place) {
                place.queue = index;
            }
            self.queue_len += 1;
        }
        if !moved {
            return;
        }
        if deadline == Due::NEVER {
            self.heap_remove(slots, index);
        } else if let Some(position) = position.checked_sub(1) {
            self.heap_settle(slots, position);
        } else {
            let position = self.heap_len;
            self.heap_len += 1;
            heap_put(slots, position, index);
            self.heap_settle(slots, position);
        }
    }

    fn first_ready(&mut self, slots: &mut (impl Linked + ?Sized)) -> Option<Id> {
        while self.queue_len > 0 {
            let index = slots.links(self.queue_first)?.queue;
            let links = slots.links_mut(index)?;
            if links.ready {
                return links.id;
            }
            links.queued = false;
            self.queue_first = (self.queue_first + 1) % slots.capacity();
            self.queue_len -= 1;
        }
        None
    }

    /// The soonest deadline, and whose it is.
    fn soonest(&self, slots: &(impl Linked + ?Sized)) -> (Due, u32) {
        if self.heap_len == 0 { (Due::NEVER, 0) } else { heap_at(slots, 0) }
    }

    fn expired(&self, slots: &(impl Linked + ?Sized), now: Instant) -> Option<Id> {
        let (deadline, index) = self.soonest(slots);
        slots.links(index).filter(|_| deadline.is_over(now))?.id
    }

    fn heap_remove(&mut self, slots: &mut (impl Linked + ?Sized), index: u32) {
        let Some(links) = slots.links_mut(index) else { return };
        let Some(position) = core::mem::take(&mut links.position).checked_sub(1) else {
            return;
        };
        self.heap_len -= 1;
        if position != self.heap_len {
            let (_, last) = heap_at(slots, self.heap_len);
            heap_put(slots, position, last);
            self.heap_settle(slots, position);
        }
    }

    /// Move the slot at `position` up or down until the heap is in order again.
    fn heap_settle(&mut self, slots: &mut (impl Linked + ?Sized), mut position: u32) {
        while position > 0 && heap_rise(slots, position) {
            position = heap_parent(position);
        }
        loop {
            let (left, right) = (position * 2 + 1, position * 2 + 2);
            let right_is_sooner =
                right < self.heap_len && heap_at(slots, right) < heap_at(slots, left);
            let child = if right_is_sooner { right } else { left };
            if child >= self.heap_len || !heap_rise(slots, child) {
                return;
            }
            position = child;
        }
    }
}

fn heap_parent(position: u32) -> u32 {
    (position - 1) / 2
}

/// Let what stands at `position` change places with its parent, if it is due sooner.
fn heap_rise(slots: &mut (impl Linked + ?Sized), position: u32) -> bool {
    let parent = heap_parent(position);
    let (below, above) = (heap_at(slots, position), heap_at(slots, parent));
    let rises = below < above;
    if rises {
        heap_put(slots, parent, below.1);
        heap_put(slots, position, above.1);
    }
    rises
}

/// The deadline at `position` and whose it is, which breaks ties, so that the order follows from
/// the inputs alone.
fn heap_at(slots: &(impl Linked + ?Sized), position: u32) -> (Due, u32) {
    let index = slots.links(position).map_or(0, |links| links.heap);
    (slots.links(index).map_or(Due::NEVER, |links| links.deadline), index)
}

fn heap_put(slots: &mut (impl Linked + ?Sized), position: u32, index: u32) {
    if let Some(place) = slots.links_mut(position) {
        place.heap = index;
    }
    if let Some(links) = slots.links_mut(index) {
        links.position = position + 1;
    }
}

#[cfg(test)]
mod tests;

//! What a table knows of its slots without their values: who is free, who changed, who is due and who
//! has something to say.

use crate::time::{Due, Instant};

use super::Id;

/// What the lists of a table keep in its slots.
#[derive(Debug)]
pub(super) struct Links {
    /// Who lives here, or did until it was removed.
    pub(super) id: Option<Id>,
    /// Has something to say.
    pub(super) ready: bool,
    /// Stands in the ready queue.
    pub(super) queued: bool,
    /// Was changed since the table was settled.
    pub(super) changed: bool,
    pub(super) deadline: Due,
    /// Next changed slot plus one.
    pub(super) next_changed: u32,
    /// Where this slot stands in the heap, plus one; while it is free, the next free slot plus one.
    pub(super) position: u32,
    /// Which slot stands at this position of the heap.
    pub(super) heap: u32,
    /// Which slot stands at this position of the ready queue.
    pub(super) queue: u32,
}

/// Slots as the lists see them. Where flash is small they are seen without their type, so that one
/// copy of the code below serves every table; elsewhere each has its own, which is faster.
pub(super) trait Linked {
    fn capacity(&self) -> u32;
    fn links(&self, index: u32) -> Option<&Links>;
    fn links_mut(&mut self, index: u32) -> Option<&mut Links>;
}

/// The free slots, those that changed, the heap of deadlines and the queue of what is ready.
#[derive(Default)]
pub(super) struct Lists {
    /// The bits of a name that are its slot.
    pub(super) mask: u32,
    /// Slots from here on were never used.
    pub(super) fresh: u32,
    free_first: u32,
    free_last: u32,
    changed_first: u32,
    changed_last: u32,
    pub(super) used: u32,
    heap_len: u32,
    pub(super) queue_first: u32,
    pub(super) queue_len: u32,
}

impl Lists {
    /// For slots whose names have their place in these bits.
    pub(super) fn new(mask: u32) -> Self {
        Self { mask, ..Self::default() }
    }

    pub(super) fn take_free(&mut self, slots: &mut (impl Linked + ?Sized)) -> Option<Id> {
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

    pub(super) fn give_back(&mut self, slots: &mut (impl Linked + ?Sized), index: u32) {
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

    pub(super) fn note_change(&mut self, slots: &mut (impl Linked + ?Sized), index: u32) {
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

    pub(super) fn next_changed(&mut self, slots: &mut (impl Linked + ?Sized)) -> Option<u32> {
        let index = self.changed_first.checked_sub(1)?;
        let links = slots.links_mut(index)?;
        links.changed = false;
        self.changed_first = core::mem::take(&mut links.next_changed);
        Some(index)
    }

    pub(super) fn refresh(
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

    pub(super) fn first_ready(&mut self, slots: &mut (impl Linked + ?Sized)) -> Option<Id> {
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
    pub(super) fn soonest(&self, slots: &(impl Linked + ?Sized)) -> (Due, u32) {
        if self.heap_len == 0 { (Due::NEVER, 0) } else { heap_at(slots, 0) }
    }

    pub(super) fn expired(&self, slots: &(impl Linked + ?Sized), now: Instant) -> Option<Id> {
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

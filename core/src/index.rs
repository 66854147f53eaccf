//! An open-addressed index from 64-bit keys to slots of a table, without scanning.
//!
//! It holds slots plus one; the keys stand in the slots themselves. Keys come from a keyed hash,
//! so that a peer cannot choose where they land.

use crate::storage::Slots;

pub(crate) struct Index<'a> {
    cells: Slots<'a, u32>,
}

impl<'a> Index<'a> {
    pub(crate) fn new(cells: Slots<'a, u32>) -> Self {
        Self { cells }
    }

    /// The slot that `is_hit` confirms among those that may have this key.
    pub(crate) fn find(&self, key: u64, mut is_hit: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut place = self.home(key);
        for _ in 0..self.cells.len() {
            let slot = self.cell(place).checked_sub(1)?;
            if is_hit(slot) {
                return Some(slot);
            }
            place = self.after(place);
        }
        None
    }

    /// Add a slot; the index is made so large that there is always room.
    pub(crate) fn insert(&mut self, key: u64, slot: u32) {
        let mut place = self.home(key);
        for _ in 0..self.cells.len() {
            if self.cell(place) == 0 {
                self.set(place, slot + 1);
                return;
            }
            place = self.after(place);
        }
    }

    /// Remove the slot that stands under `key`, and close the gap: `key_of` tells, for a slot and
    /// the place it stands at, where its search starts.
    pub(crate) fn remove(&mut self, key: u64, slot: u32, keys_of: impl Fn(u32) -> [u64; 2]) {
        let mut gap = self.home(key);
        for _ in 0..self.cells.len() {
            match self.cell(gap).checked_sub(1) {
                None => return,
                Some(found) if found == slot => break,
                Some(_) => gap = self.after(gap),
            }
        }
        self.set(gap, 0);
        let mut place = self.after(gap);
        while let Some(found) = self.cell(place).checked_sub(1) {
            // it may stand here under either key: it can move if no search for it would miss it
            let [a, b] = keys_of(found);
            if self.reaches(self.home(a), gap, place) && self.reaches(self.home(b), gap, place) {
                self.set(gap, found + 1);
                self.set(place, 0);
                gap = place;
            }
            place = self.after(place);
        }
    }

    /// Whether a search that starts at `home` passes `gap` before it comes to `place`.
    fn reaches(&self, home: usize, gap: usize, place: usize) -> bool {
        let len = self.cells.len();
        (gap + len - home) % len <= (place + len - home) % len
    }

    fn home(&self, key: u64) -> usize {
        ((u128::from(key) * self.cells.len() as u128) >> 64) as usize
    }

    fn after(&self, place: usize) -> usize {
        if place + 1 >= self.cells.len() { 0 } else { place + 1 }
    }

    fn cell(&self, place: usize) -> u32 {
        self.cells.get(place).copied().unwrap_or(0)
    }

    fn set(&mut self, place: usize, value: u32) {
        if let Some(cell) = self.cells.get_mut(place) {
            *cell = value;
        }
    }
}

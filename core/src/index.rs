//! An open-addressed index from 64-bit keys to slots of a table, without scanning.
//!
//! A slot has up to two keys and stands in one cell for each; the keys themselves stand in the
//! slots. Keys come from a keyed hash, so that a peer cannot choose where they land.

use crate::storage::Slots;

/// Keys that a slot may have.
pub(crate) const KEYS: usize = 2;

pub(crate) struct Index<'a> {
    cells: Slots<'a, u32>,
}

impl<'a> Index<'a> {
    pub(crate) fn new(cells: Slots<'a, u32>) -> Self {
        Self { cells }
    }

    /// The slot that `is_hit` confirms among those that may have this key as their `which`th.
    pub(crate) fn find(
        &self,
        key: u64,
        which: usize,
        mut is_hit: impl FnMut(u32) -> bool,
    ) -> Option<u32> {
        let mut place = self.home(key);
        for _ in 0..self.cells.len() {
            let (slot, stands_for) = self.cell(place)?;
            if stands_for == which && is_hit(slot) {
                return Some(slot);
            }
            place = self.after(place);
        }
        None
    }

    /// Add a slot under its `which`th key; the index is made so large that there is always room.
    pub(crate) fn insert(&mut self, key: u64, which: usize, slot: u32) {
        let mut place = self.home(key);
        for _ in 0..self.cells.len() {
            if self.cell(place).is_none() {
                self.set(place, Some((slot, which)));
                return;
            }
            place = self.after(place);
        }
    }

    /// Remove the cell of a slot's `which`th key, and close the gap: `key_of` tells the key that
    /// another cell stands for.
    pub(crate) fn remove(
        &mut self,
        key: u64,
        which: usize,
        slot: u32,
        key_of: impl Fn(u32, usize) -> u64,
    ) {
        let mut gap = self.home(key);
        for _ in 0..self.cells.len() {
            match self.cell(gap) {
                None => return,
                Some(found) if found == (slot, which) => break,
                Some(_) => gap = self.after(gap),
            }
        }
        self.set(gap, None);
        // what stands behind the gap may have been put there past it: each is put in anew
        let mut place = self.after(gap);
        while let Some((found, stands_for)) = self.cell(place) {
            self.set(place, None);
            self.insert(key_of(found, stands_for), stands_for, found);
            place = self.after(place);
        }
    }

    fn home(&self, key: u64) -> usize {
        (((key >> 32) * self.cells.len() as u64) >> 32) as usize
    }

    fn after(&self, place: usize) -> usize {
        if place + 1 >= self.cells.len() { 0 } else { place + 1 }
    }

    /// A slot, and which of its keys the cell stands for.
    fn cell(&self, place: usize) -> Option<(u32, usize)> {
        let cell = self.cells.get(place)?.checked_sub(1)?;
        Some((cell / KEYS as u32, cell as usize % KEYS))
    }

    fn set(&mut self, place: usize, value: Option<(u32, usize)>) {
        if let Some(cell) = self.cells.get_mut(place) {
            *cell = value.map_or(0, |(slot, which)| slot * KEYS as u32 + which as u32 + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// Slots with their keys, as a table would hold them; 0 stands for no key.
    struct Model {
        keys: Vec<[u64; KEYS]>,
    }

    impl Model {
        fn find(&self, key: u64, which: usize) -> Vec<u32> {
            let slots = 0..self.keys.len() as u32;
            slots.filter(|slot| self.keys[*slot as usize][which] == key).collect()
        }
    }

    fn check(index: &Index<'_>, model: &Model) {
        for (slot, keys) in model.keys.iter().enumerate() {
            for (which, key) in keys.iter().enumerate().filter(|(_, key)| **key != 0) {
                let found = index.find(*key, which, |found| found == slot as u32);
                assert_eq!(found, Some(slot as u32), "slot {slot} is lost under key {which}");
            }
        }
        let used = index.cells.iter().filter(|cell| **cell != 0).count();
        let keys = model.keys.iter().flatten().filter(|key| **key != 0).count();
        assert_eq!(used, keys, "cells and keys");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        /// Keys from a small set of homes, so that they collide, cluster and wrap around.
        #[test]
        fn what_is_in_the_index_is_found_and_nothing_else(
            steps in prop::collection::vec((0..8usize, 0..12u64, 0..12u64, any::<bool>()), 1..80),
        ) {
            const SLOTS: usize = 8;
            let mut cells = [0; SLOTS * 2];
            let mut index = Index::new(Slots::Lent(&mut cells));
            let mut model = Model { keys: vec![[0; KEYS]; SLOTS] };
            let spread = |key: u64| (key * (u64::MAX / 12)).max(1);
            for (slot, a, b, both) in steps {
                let keys = model.keys[slot];
                if keys == [0; KEYS] {
                    let keys = [spread(a), if both { spread(b) } else { 0 }];
                    for (which, key) in keys.into_iter().enumerate().filter(|(_, key)| *key != 0) {
                        index.insert(key, which, slot as u32);
                    }
                    model.keys[slot] = keys;
                } else {
                    for (which, key) in keys.into_iter().enumerate().filter(|(_, key)| *key != 0) {
                        let of = |slot: u32, which: usize| model.keys[slot as usize][which];
                        index.remove(key, which, slot as u32, of);
                        model.keys[slot][which] = 0;
                        check(&index, &model);
                    }
                }
                check(&index, &model);
                for key in (0..12).map(spread) {
                    for which in 0..KEYS {
                        let hit = |slot: u32| model.keys[slot as usize][which] == key;
                        let found = index.find(key, which, hit);
                        let fits = model.find(key, which);
                        prop_assert_eq!(found.is_some(), !fits.is_empty());
                        prop_assert!(found.is_none_or(|slot| fits.contains(&slot)));
                    }
                }
            }
        }
    }
}

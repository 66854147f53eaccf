use std::collections::VecDeque;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Item {
    name: u32,
    deadline: Option<Instant>,
    ready: bool,
}

impl Slot for Item {
    fn deadline(&self) -> Due {
        self.deadline.map_or(Due::NEVER, Due::at)
    }

    fn is_ready(&self) -> bool {
        self.ready
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert {
        deadline: Option<u64>,
        ready: bool,
    },
    Remove {
        nth: usize,
    },
    Update {
        nth: usize,
        deadline: Option<u64>,
        ready: bool,
    },
    /// A handle of before, of something that may be gone.
    UseOld {
        nth: usize,
    },
    /// Take the first that is ready and quieten it, or leave it.
    TakeReady {
        quieten: bool,
    },
    /// Move the soonest deadline, as a timer that fires does.
    Fire {
        again: Option<u64>,
    },
}

fn step() -> impl Strategy<Value = Step> {
    // few moments, so that deadlines collide
    let moment = || prop::option::weighted(0.8, 0..12u64);
    prop_oneof![
        4 => (moment(), any::<bool>())
            .prop_map(|(deadline, ready)| Step::Insert { deadline, ready }),
        2 => any::<prop::sample::Index>().prop_map(|nth| Step::Remove { nth: nth.index(1000) }),
        4 => (0..1000usize, moment(), any::<bool>())
            .prop_map(|(nth, deadline, ready)| Step::Update { nth, deadline, ready }),
        1 => (0..1000usize).prop_map(|nth| Step::UseOld { nth }),
        2 => any::<bool>().prop_map(|quieten| Step::TakeReady { quieten }),
        2 => moment().prop_map(|again| Step::Fire { again }),
    ]
}

/// The same as the table, without its cleverness.
#[derive(Default)]
struct Model {
    live: Vec<(Id, Item)>,
    /// Every handle that ever was.
    all: Vec<Id>,
    /// Slots in the order in which they became ready; a slot keeps its place until it is seen
    /// unready, also when another value has taken it over meanwhile.
    queue: VecDeque<u32>,
    /// Slots that changed since the table was settled.
    changed: Vec<u32>,
    /// Slots in the order in which they became free.
    free: VecDeque<u32>,
    fresh: u32,
    /// What a name less a multiple of this is, is its slot.
    step: u32,
}

impl Model {
    fn index(&self, id: Id) -> u32 {
        id.number() % self.step
    }

    fn at(&self, index: u32) -> Option<&(Id, Item)> {
        self.live.iter().find(|(id, _)| self.index(*id) == index)
    }

    fn note_change(&mut self, id: Id) {
        let index = self.index(id);
        if !self.changed.contains(&index) {
            self.changed.push(index);
        }
    }

    fn settle(&mut self) {
        for index in core::mem::take(&mut self.changed) {
            let is_ready = self.at(index).is_some_and(|(_, item)| item.ready);
            if is_ready && !self.queue.contains(&index) {
                self.queue.push_back(index);
            }
        }
    }

    fn first_ready(&mut self) -> Option<Id> {
        while let Some(index) = self.queue.front() {
            match self.at(*index) {
                Some((id, item)) if item.ready => return Some(*id),
                _ => {
                    self.queue.pop_front();
                }
            }
        }
        None
    }

    fn next_deadline(&self) -> Option<(Instant, u32)> {
        self.live.iter().filter_map(|(id, item)| Some((item.deadline?, self.index(*id)))).min()
    }
}

fn at(moment: Option<u64>) -> Option<Instant> {
    moment.map(Instant::from_micros)
}

fn apply(table: &mut Table<'_, Item>, model: &mut Model, name: u32, step: Step) {
    match step {
        Step::Insert { deadline, ready } => {
            let item = Item { name, deadline: at(deadline), ready };
            let id = table.insert(|slot| *slot = item);
            let expected = if (model.fresh as usize) < table.capacity() {
                model.fresh += 1;
                Some(model.fresh - 1)
            } else {
                model.free.pop_front()
            };
            assert_eq!(
                id.map(|id| model.index(id)),
                expected,
                "the slot that was free for longest"
            );
            let Some(id) = id else { return };
            assert!(!model.all.contains(&id), "{id:?} named something before");
            model.all.push(id);
            model.live.push((id, item));
            model.note_change(id);
        }
        Step::Remove { nth } if !model.live.is_empty() => {
            let (id, item) = model.live.remove(nth % model.live.len());
            assert_eq!(table.get(id), Some(&item));
            assert!(table.remove(id));
            assert!(!table.remove(id));
            model.free.push_back(model.index(id));
        }
        Step::Update { nth, deadline, ready } if !model.live.is_empty() => {
            let place = nth % model.live.len();
            let (id, item) = &mut model.live[place];
            (item.deadline, item.ready) = (at(deadline), ready);
            let (id, item) = (*id, *item);
            assert_eq!(
                table.update(id, |slot| core::mem::replace(slot, item).name),
                Some(item.name)
            );
            model.note_change(id);
        }
        Step::UseOld { nth } if !model.all.is_empty() => {
            let id = model.all[nth % model.all.len()];
            let known = model.live.iter().find(|(live, _)| *live == id).map(|(_, item)| item);
            assert_eq!(table.get(id), known);
            if known.is_none() {
                assert_eq!(table.update(id, |_| ()), None);
                assert!(!table.remove(id));
            }
        }
        Step::TakeReady { quieten } => {
            let id = table.first_ready();
            assert_eq!(id, model.first_ready());
            if let (Some(id), true) = (id, quieten) {
                table.update(id, |slot| slot.ready = false);
                model.note_change(id);
                model.live.iter_mut().for_each(|(live, item)| item.ready &= *live != id);
            }
        }
        Step::Fire { again } => {
            let expected = model.next_deadline();
            let now = expected.map_or(Instant::ZERO, |(at, _)| at);
            let id = table.expired(now);
            assert_eq!(id.map(|id| model.index(id)), expected.map(|(_, index)| index));
            let Some(id) = id else { return };
            table.update(id, |slot| slot.deadline = at(again));
            model.note_change(id);
            let (_, item) = model.live.iter_mut().find(|(live, _)| *live == id).unwrap();
            item.deadline = at(again);
        }
        _ => {}
    }
}

fn settle(table: &mut Table<'_, Item>, model: &mut Model) {
    table.settle();
    model.settle();
    assert_eq!(table.next_deadline().get(), model.next_deadline().map(|(at, _)| at));
    if let Some((soonest, _)) = model.next_deadline() {
        let before = soonest - crate::time::Duration::from_micros(1);
        assert!(before == soonest || table.expired(before).is_none());
    }
}

fn compare(table: &Table<'_, Item>, model: &Model) {
    assert_eq!(table.len(), model.live.len());
    assert_eq!(table.free(), table.capacity() - model.live.len());
    for (id, item) in &model.live {
        assert_eq!(table.get(*id), Some(item));
        assert_eq!(table.place(*id), model.index(*id));
        assert_eq!(table.at(model.index(*id)), Some((*id, item)));
    }
    let mut live: Vec<_> = model.live.clone();
    live.sort_by_key(|(id, _)| model.index(*id));
    let mut from = 0;
    for (id, _) in &live {
        assert_eq!(table.next_from(&mut from), Some(*id));
    }
    assert_eq!(table.next_from(&mut from), None);
    assert_eq!(table.get(Id::NOTHING), None);
    let listed: Vec<_> = table.iter().map(|(id, item)| (id, *item)).collect();
    assert_eq!(listed, live);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn it_agrees_with_a_simple_model(
        capacity in 0..7usize, steps in prop::collection::vec((any::<bool>(), step()), 1..120),
    ) {
        let mut entries: Vec<Entry<Item>> = vec![];
        entries.resize_with(capacity, Entry::default);
        let mut table = Table::new(Slots::Lent(&mut entries));
        let step = [2, 2, 2, 4, 4, 8, 8][capacity];
        let mut model = Model { step, ..Model::default() };
        for (name, (settled, step)) in steps.into_iter().enumerate() {
            if settled || matches!(step, Step::TakeReady { .. } | Step::Fire { .. }) {
                settle(&mut table, &mut model);
            }
            apply(&mut table, &mut model, name as u32, step);
            compare(&table, &model);
        }
        // drained in the end, in the order of the queue, and of time
        settle(&mut table, &mut model);
        while let Some(id) = model.first_ready() {
            prop_assert_eq!(table.first_ready(), Some(id));
            table.update(id, |slot| slot.ready = false);
            table.settle();
            model.live.iter_mut().for_each(|(live, item)| item.ready &= *live != id);
        }
        prop_assert_eq!(table.first_ready(), None);
        let mut last = Instant::ZERO;
        while let Some(id) = table.expired(Instant::FAR) {
            let deadline = table.get(id).unwrap().deadline.unwrap();
            prop_assert!(deadline >= last);
            last = deadline;
            table.update(id, |slot| slot.deadline = None);
            table.settle();
        }
        prop_assert_eq!(table.next_deadline(), Due::NEVER);
    }
}

#[test]
fn behind_the_last_name_of_a_slot_comes_its_first_again() {
    let mut entries: Vec<Entry<Item>> = vec![];
    entries.resize_with(3, Entry::default);
    let mut table = Table::new(Slots::Lent(&mut entries));
    let ids: Vec<_> = (0..3).map(|_| table.insert(|_| ()).unwrap().number()).collect();
    assert_eq!(ids, [4, 5, 6]);
    table.entries[2].links.id = Id::from_number(u32::MAX - 1);
    let last = Id::from_number(u32::MAX - 1).unwrap();
    assert!(table.remove(last));
    assert_eq!(table.insert(|_| ()), Id::from_number(6));
    assert_eq!(table.get(last), None);
}

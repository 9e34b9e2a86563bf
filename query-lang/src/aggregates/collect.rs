//! `collect`: the distinct values of fields, those first seen in the oldest rows kept and listed first.

mod coding;

use std::sync::Arc;

use hashbrown::HashTable;

use super::Input;
use super::slots::{SlotTable, Slots, gather, grow, merge_slots};
use super::spec::CollectSpec;
use crate::record::{Column, ColumnBuilder, OrderKey};

/// Distinct values, a slot each.
#[derive(Clone, Debug)]
pub(super) struct Collect {
    spec: CollectSpec,
    slots: Vec<Slot>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    /// For each field its values; or, for rows of combinations, one set of them.
    sets: Vec<FirstSeen>,
}

/// A value, or one of each field.
type Combination = Box<[Option<Box<str>>]>;

/// Values with the first place each was seen at, those with the least places kept.
///
/// A value that was turned away because enough others came before it comes back if it is seen earlier than they
/// were; what is kept depends on the rows alone, not on their order.
#[derive(Clone, Debug, Default)]
struct FirstSeen {
    places: HashTable<(Combination, OrderKey)>,
    text_bytes: usize,
    /// Values were dropped: there have been more than the limit, though no more may be left.
    is_cut: bool,
}

impl FirstSeen {
    fn see(&mut self, values: &[Option<&str>], place: OrderKey, limit: usize) {
        let hash = hash_of(values.iter().copied());
        let same = |have: &(Combination, OrderKey)| {
            have.0.iter().map(|value| value.as_deref()).eq(values.iter().copied())
        };
        if let Some((_, first)) = self.places.find_mut(hash, same) {
            *first = (*first).min(place);
            return;
        }
        self.text_bytes +=
            values.iter().flatten().map(|text| text.len() + size_of::<Box<str>>()).sum::<usize>();
        let owned: Combination = values.iter().map(|value| value.map(Box::from)).collect();
        self.places.insert_unique(hash, (owned, place), hash_entry);
        if self.places.len() > limit.saturating_mul(2) {
            self.is_cut = true;
            let mut all: Vec<(Combination, OrderKey)> = self.places.drain().collect();
            all.sort_unstable_by(|a, b| a.1.cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
            for entry in all.into_iter().take(limit) {
                self.places.insert_unique(hash_entry(&entry), entry, hash_entry);
            }
        }
    }

    fn merge(&mut self, other: &FirstSeen, limit: usize) {
        for (values, place) in &other.places {
            let borrowed: Vec<Option<&str>> = values.iter().map(|value| value.as_deref()).collect();
            self.see(&borrowed, *place, limit);
        }
        self.is_cut |= other.is_cut;
    }

    /// The values seen first, at most `limit`.
    fn first(&self, limit: usize) -> Vec<&(Combination, OrderKey)> {
        let mut all: Vec<_> = self.places.iter().collect();
        all.sort_unstable_by(|a, b| a.1.cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
        all.truncate(limit);
        all
    }

    fn bytes(&self) -> usize {
        self.places.allocation_size() + self.text_bytes
    }
}

fn hash_entry((values, _): &(Combination, OrderKey)) -> u64 {
    hash_of(values.iter().map(|value| value.as_deref()))
}

fn hash_of<'a>(values: impl Iterator<Item = Option<&'a str>>) -> u64 {
    values.fold(0, |hash: u64, value| {
        let one = value.map_or(1, super::read::hash_text);
        (hash.rotate_left(23) ^ one).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

impl Collect {
    pub(super) fn new(spec: &CollectSpec) -> Collect {
        Collect { spec: spec.clone(), slots: Vec::new() }
    }

    pub(super) fn step(&mut self, input: &Input<'_>, slots: &Slots<'_>) {
        grow(&mut self.slots, slots.count);
        let columns: Vec<Column> = self.spec.fields.iter().map(|field| input.column(field)).collect();
        let mut scratch: Vec<String> = vec![String::new(); columns.len()];
        for row in input.within.iter() {
            let (Some(slot), Some(place)) =
                (self.slots.get_mut(slots.of(row) as usize), input.order.get(row))
            else {
                continue;
            };
            let values: Vec<Option<&str>> = columns
                .iter()
                .zip(&mut scratch)
                .map(|(column, scratch)| column.get(row).map(|value| value.text_in(scratch)))
                .collect();
            if self.spec.separator.is_none() {
                grow(&mut slot.sets, 1);
                if let (Some(set), true) = (slot.sets.first_mut(), values.iter().any(Option::is_some)) {
                    set.see(&values, *place, self.spec.limit);
                }
                continue;
            }
            grow(&mut slot.sets, values.len());
            for (set, value) in slot.sets.iter_mut().zip(&values) {
                if value.is_some() {
                    set.see(&[*value], *place, self.spec.limit);
                }
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Collect, map: &[u32], count: usize) {
        let limit = self.spec.limit;
        merge_slots(&mut self.slots, &other.slots, map, count, |mine, theirs| {
            grow(&mut mine.sets, theirs.sets.len());
            for (mine, theirs) in mine.sets.iter_mut().zip(&theirs.sets) {
                mine.merge(theirs, limit);
            }
        });
    }

    pub(super) fn gather(&mut self, keep: &[u32]) {
        gather(&mut self.slots, keep);
    }

    pub(super) fn output(&self, count: usize, warnings: &mut Vec<String>) -> SlotTable {
        let limit = self.spec.limit;
        let over = |slot: &Slot| slot.sets.iter().any(|set| set.is_cut || set.places.len() > limit);
        if self.slots.iter().any(over) {
            warnings.push(format!(
                "collect of {}: only {limit} distinct values kept",
                self.spec.fields.join(", ")
            ));
        }
        let mut columns: Vec<ColumnBuilder> =
            self.spec.fields.iter().map(|_| ColumnBuilder::default()).collect();
        let mut rows = Vec::new();
        for (slot, state) in (0_u32..).zip(self.slots.iter().take(count)) {
            match (&self.spec.separator, state.sets.first()) {
                (Some(separator), Some(_)) if state.sets.iter().any(|set| !set.places.is_empty()) => {
                    rows.push(slot);
                    for (column, set) in columns.iter_mut().zip(&state.sets) {
                        write_joined(column, set, separator, limit);
                    }
                }
                (None, Some(set)) => {
                    for (values, _) in set.first(limit) {
                        rows.push(slot);
                        for (column, value) in columns.iter_mut().zip(values) {
                            match value {
                                Some(text) => column.text(text),
                                None => column.missing(),
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        let columns = columns.into_iter().map(ColumnBuilder::finish);
        let columns: Vec<(Arc<str>, Column)> = self.spec.fields.iter().cloned().zip(columns).collect();
        SlotTable { slots: rows, columns, order: Vec::new() }
    }

    pub(super) fn bytes(&self) -> usize {
        let set_bytes =
            |slot: &Slot| slot.sets.iter().map(|set| size_of::<FirstSeen>() + set.bytes()).sum::<usize>();
        self.slots.iter().map(|slot| size_of::<Slot>() + set_bytes(slot)).sum()
    }
}

fn write_joined(column: &mut ColumnBuilder, set: &FirstSeen, separator: &str, limit: usize) {
    let first = set.first(limit);
    if first.is_empty() {
        return column.missing();
    }
    let texts: Vec<&str> = first.iter().filter_map(|(values, _)| values.first()?.as_deref()).collect();
    column.text(&texts.join(separator));
}

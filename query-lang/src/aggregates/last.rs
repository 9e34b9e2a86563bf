//! `selectLast`, `selectFromMin` and `selectFromMax`: values from one row.

mod coding;

use std::sync::Arc;

use super::Input;
use super::slots::{SlotTable, Slots, gather, grow, merge_slots};
use super::spec::SelectFromSpec;
use crate::record::{Column, ColumnBuilder, OrderKey};
use crate::value::{Number, ValueRef};

/// For each slot and field, the value of the newest row that has it.
#[derive(Clone, Debug)]
pub(super) struct SelectLast {
    fields: Vec<Arc<str>>,
    slots: Vec<Vec<Option<Seen>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    place: OrderKey,
    text: Box<str>,
}

impl SelectLast {
    pub(super) fn new(fields: &[Arc<str>]) -> SelectLast {
        SelectLast { fields: fields.to_vec(), slots: Vec::new() }
    }

    pub(super) fn step(&mut self, input: &Input<'_>, slots: &Slots<'_>) {
        grow(&mut self.slots, slots.count);
        let mut scratch = String::new();
        for (at, field) in self.fields.iter().enumerate() {
            let column = input.column(field);
            for row in column.present(input.within).iter() {
                let (Some(slot), Some(place)) =
                    (self.slots.get_mut(slots.of(row) as usize), input.order.get(row))
                else {
                    continue;
                };
                slot.resize(self.fields.len(), None);
                let Some(kept) = slot.get_mut(at) else { continue };
                if kept.as_ref().is_some_and(|kept| kept.place > *place) {
                    continue;
                }
                let Some(text) = column.get(row).map(|value| value.text_in(&mut scratch)) else { continue };
                // Several rows may share a place (copies of one event): the greatest text wins, in any order.
                if kept.as_ref().is_none_or(|kept| (kept.place, &*kept.text) < (*place, text)) {
                    *kept = Some(Seen { place: *place, text: text.into() });
                }
            }
        }
    }

    pub(super) fn merge(&mut self, other: &SelectLast, map: &[u32], count: usize) {
        merge_slots(&mut self.slots, &other.slots, map, count, |mine, theirs| {
            grow(mine, theirs.len());
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                if *mine < *theirs {
                    mine.clone_from(theirs);
                }
            }
        });
    }

    pub(super) fn gather(&mut self, keep: &[u32]) {
        gather(&mut self.slots, keep);
    }

    pub(super) fn output(&self, count: usize) -> SlotTable {
        let mut columns: Vec<ColumnBuilder> = self.fields.iter().map(|_| ColumnBuilder::default()).collect();
        let mut rows = Vec::new();
        for (slot, state) in
            (0_u32..).zip(self.slots.iter().take(count)).filter(|(_, state)| !state.is_empty())
        {
            rows.push(slot);
            for (column, seen) in columns.iter_mut().zip(state) {
                column.push(seen.as_ref().map(|seen| ValueRef::Text(&seen.text)));
            }
        }
        let columns = columns.into_iter().map(ColumnBuilder::finish);
        SlotTable {
            slots: rows,
            columns: self.fields.iter().cloned().zip(columns).collect(),
            order: Vec::new(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let text =
            |seen: &Option<Seen>| size_of::<Option<Seen>>() + seen.as_ref().map_or(0, |seen| seen.text.len());
        self.slots.iter().map(|slot| size_of::<Vec<Seen>>() + slot.iter().map(text).sum::<usize>()).sum()
    }
}

/// For each slot, the fields of the row with the least or greatest number.
#[derive(Clone, Debug)]
pub(super) struct SelectFrom {
    spec: SelectFromSpec,
    slots: Vec<Option<Best>>,
}

#[derive(Clone, Debug)]
struct Best {
    number: Number,
    place: OrderKey,
    values: Box<[Option<Box<str>>]>,
}

impl Best {
    /// Whether `other` is to be preferred: by number, then the older, then by its values.
    fn yields_to(&self, other: &Best, max: bool) -> bool {
        let by_number = if max { other.number.cmp(&self.number) } else { self.number.cmp(&other.number) };
        let order =
            by_number.then_with(|| self.place.cmp(&other.place)).then_with(|| self.values.cmp(&other.values));
        order.is_gt()
    }
}

impl SelectFrom {
    pub(super) fn new(spec: &SelectFromSpec) -> SelectFrom {
        SelectFrom { spec: spec.clone(), slots: Vec::new() }
    }

    pub(super) fn step(&mut self, input: &Input<'_>, slots: &Slots<'_>) {
        grow(&mut self.slots, slots.count);
        let columns: Vec<Column> = self.spec.include.iter().map(|field| input.column(field)).collect();
        let max = self.spec.max;
        super::read::each_number(&input.column(&self.spec.field), input.within, |row, number| {
            let (Some(slot), Some(place)) =
                (self.slots.get_mut(slots.of(row) as usize), input.order.get(row))
            else {
                return;
            };
            if slot.as_ref().is_some_and(|best| if max { best.number > number } else { best.number < number })
            {
                return;
            }
            let values =
                columns.iter().map(|column| column.get(row).map(|value| Box::from(&*value.text()))).collect();
            let found = Best { number, place: *place, values };
            if slot.as_ref().is_none_or(|best| best.yields_to(&found, max)) {
                *slot = Some(found);
            }
        });
    }

    pub(super) fn merge(&mut self, other: &SelectFrom, map: &[u32], count: usize) {
        let max = self.spec.max;
        merge_slots(&mut self.slots, &other.slots, map, count, |mine, theirs| {
            if let Some(theirs) = theirs
                && mine.as_ref().is_none_or(|mine| mine.yields_to(theirs, max))
            {
                *mine = Some(theirs.clone());
            }
        });
    }

    pub(super) fn gather(&mut self, keep: &[u32]) {
        gather(&mut self.slots, keep);
    }

    pub(super) fn output(&self, count: usize) -> SlotTable {
        let mut columns: Vec<ColumnBuilder> =
            self.spec.include.iter().map(|_| ColumnBuilder::default()).collect();
        let mut rows = Vec::new();
        for (slot, best) in (0_u32..).zip(self.slots.iter().take(count)) {
            let Some(best) = best else { continue };
            rows.push(slot);
            for (column, value) in columns.iter_mut().zip(&best.values) {
                column.push(value.as_deref().map(ValueRef::Text));
            }
        }
        let columns = columns.into_iter().map(ColumnBuilder::finish);
        SlotTable {
            slots: rows,
            columns: self.spec.include.iter().cloned().zip(columns).collect(),
            order: Vec::new(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let of = |best: &Option<Best>| {
            let texts = best.iter().flat_map(|best| best.values.iter());
            size_of::<Option<Best>>()
                + texts.map(|text| 24 + text.as_ref().map_or(0, |text| text.len())).sum::<usize>()
        };
        self.slots.iter().map(of).sum()
    }
}

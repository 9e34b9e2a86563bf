//! `head`, `tail`, `sort` and `table`: rows kept whole, the best of them.
//!
//! Rows are ranked by their sort keys, then by their places, then by their contents, so that which rows are kept
//! depends on the rows alone. A step ranks row numbers first and copies only rows that get in.

mod coding;
mod shortlist;

use std::cmp::Ordering;
use std::sync::Arc;

use hashbrown::HashMap;

use super::slots::{NO_SLOT, SlotTable, Slots, gather, grow, merge_slots};
use super::spec::{RowOrder, RowsSpec, SortField};
use super::{Input, Source, TIMESTAMP};
use crate::record::{Column, ColumnBuilder, OrderKey, Selection};
use crate::value::{SortKey, SortType};

/// Rows, a list a slot.
#[derive(Clone, Debug)]
pub(super) struct RowStore {
    spec: RowsSpec,
    source: Source,
    names: Names,
    slots: Vec<Slot>,
}

/// The fields of kept rows, and where in its input each stood first.
#[derive(Clone, Debug, Default)]
struct Names {
    list: Vec<(Arc<str>, u32)>,
    index: HashMap<Arc<str>, u32, foldhash::fast::FixedState>,
}

impl Names {
    fn number(&mut self, name: &Arc<str>, position: u32) -> u32 {
        if let Some(number) = self.index.get(name) {
            if let Some((_, first)) = self.list.get_mut(*number as usize) {
                *first = position.min(*first);
            }
            return *number;
        }
        let number = u32::try_from(self.list.len()).unwrap_or(NO_SLOT);
        self.list.push((Arc::clone(name), position));
        self.index.insert(Arc::clone(name), number);
        number
    }
}

#[derive(Clone, Debug, Default)]
struct Slot {
    rows: Vec<Kept>,
    /// The last of the rows that got in at the latest cut: rows that rank behind it stay out.
    bound: Option<(Keys, OrderKey)>,
    bytes: usize,
}

type Keys = Box<[SortKey<Box<str>>]>;

/// A row kept: its rank and its fields, texts end to end.
#[derive(Clone, Debug, Default)]
struct Kept {
    keys: Keys,
    place: OrderKey,
    /// Field number and end of its text; it starts where the one before ends. In the order of the fields' names, so
    /// that contents compare alike whatever the numbers are.
    fields: Box<[(u32, u32)]>,
    text: Box<str>,
}

impl Kept {
    fn values(&self) -> impl Iterator<Item = (u32, &str)> {
        let mut at = 0;
        self.fields.iter().map(move |(name, end)| {
            let text = self.text.get(at..*end as usize).unwrap_or_default();
            at = *end as usize;
            (*name, text)
        })
    }

    fn bytes(&self) -> usize {
        size_of::<Kept>()
            + self.keys.len() * size_of::<SortKey<Box<str>>>()
            + self.fields.len() * 8
            + self.text.len()
    }
}

/// Which of two rows comes first, by keys and places.
fn compare<'a, A: AsRef<str> + 'a, B: AsRef<str> + 'a>(
    order: &RowOrder,
    (a_keys, a): (impl Iterator<Item = &'a SortKey<A>>, OrderKey),
    (b_keys, b): (impl Iterator<Item = &'a SortKey<B>>, OrderKey),
) -> Ordering {
    match order {
        RowOrder::Oldest => a.cmp(&b),
        RowOrder::Newest | RowOrder::NewestFirst => b.cmp(&a),
        RowOrder::By(fields) => {
            let mut keys = a_keys.zip(b_keys).zip(fields);
            let by_keys = keys.find_map(|((x, y), field)| by_key(field, (x, a), (y, b)));
            by_keys.unwrap_or_else(|| a.cmp(&b))
        }
    }
}

/// Compares by one field; none when it does not decide. Where events are sorted by their time, their places
/// decide within a millisecond.
fn by_key<A: AsRef<str>, B: AsRef<str>>(
    field: &SortField,
    (x, a): (&SortKey<A>, OrderKey),
    (y, b): (&SortKey<B>, OrderKey),
) -> Option<Ordering> {
    let mut order = x.compare(y, field.descending);
    if order.is_eq() && *field.field == *TIMESTAMP && matches!(x, SortKey::Number(_)) {
        order = if field.descending { b.cmp(&a) } else { a.cmp(&b) };
    }
    order.is_ne().then_some(order)
}

impl RowStore {
    pub(super) fn new(spec: &RowsSpec, source: Source) -> RowStore {
        let mut names = Names::default();
        for (at, field) in (0..).zip(spec.fields.iter().flatten()) {
            names.number(field, at);
        }
        RowStore { spec: spec.clone(), source, names, slots: Vec::new() }
    }

    pub(super) fn step(&mut self, input: &Input<'_>, slots: &Slots<'_>) {
        grow(&mut self.slots, slots.count);
        let keys = self.sort_columns(input);
        let mut rows = self.candidates(input, slots, &keys);
        let order = self.spec.order.clone();
        let rank = |a: &u32, b: &u32| {
            let of = |row: u32| (row_keys(&keys, row), place(input, row));
            compare(&order, of(*a), of(*b)).then(a.cmp(b))
        };
        // Rows that tie to the last are told apart by content only once copied: keep all that tie with the bound.
        let ties = |a: &u32, b: &u32| {
            let of = |row: u32| (row_keys(&keys, row), place(input, row));
            compare(&order, of(*a), of(*b)).is_eq()
        };
        let limit = self.spec.limit;
        let slot = |row: &u32| slots.of(*row as usize);
        if rows.len() > limit {
            rows.sort_unstable_by(|a, b| slot(a).cmp(&slot(b)).then_with(|| rank(a, b)));
        }
        let columns = self.numbered_columns(input);
        let (mut last_slot, mut taken, mut bound) = (NO_SLOT, 0, NO_SLOT);
        for row in rows {
            let to = slot(&row);
            if to != last_slot {
                (last_slot, taken) = (to, 0);
            }
            taken += 1;
            if taken <= limit {
                bound = row;
            } else if !ties(&bound, &row) {
                continue;
            }
            let kept = copy(input, &keys, &columns, row);
            if let Some(slot) = self.slots.get_mut(to as usize) {
                slot.bytes += kept.bytes();
                slot.rows.push(kept);
                slot.cut(&self.spec, &self.names, false);
            }
        }
    }

    /// The rows that may get in: all that do not rank behind the bound of their slot.
    fn candidates(&self, input: &Input<'_>, slots: &Slots<'_>, keys: &[KeyColumn]) -> Vec<u32> {
        let order = &self.spec.order;
        let may = |row: &u32| {
            let Some(slot) = self.slots.get(slots.of(*row as usize) as usize) else { return false };
            let Some((bound_keys, bound)) = &slot.bound else { return true };
            compare(order, (row_keys(keys, *row), place(input, *row)), (bound_keys.iter(), *bound)).is_le()
        };
        input.within.iter().filter_map(|row| u32::try_from(row).ok()).filter(may).collect()
    }

    fn sort_columns<'i>(&self, input: &Input<'i>) -> Vec<KeyColumn> {
        let RowOrder::By(fields) = &self.spec.order else { return Vec::new() };
        fields.iter().map(|field| key_column(&input.column(&field.field), input.within, field.kind)).collect()
    }

    /// The columns to copy from, in the order of their names.
    fn numbered_columns(&mut self, input: &Input<'_>) -> Vec<(u32, Column)> {
        let mut columns: Vec<(Arc<str>, u32, Column)> = match &self.spec.fields {
            Some(fields) => {
                let column = |(at, name): (u32, &Arc<str>)| (Arc::clone(name), at, input.column(name));
                (0..).zip(fields).map(column).collect()
            }
            None => (0..)
                .zip(input.columns)
                .map(|(at, (name, column))| (name.clone(), at, column.clone()))
                .collect(),
        };
        columns.sort_by(|a, b| a.0.cmp(&b.0));
        columns.dedup_by(|a, b| a.0 == b.0);
        columns.into_iter().map(|(name, at, column)| (self.names.number(&name, at), column)).collect()
    }

    pub(super) fn merge(&mut self, other: &RowStore, map: &[u32], count: usize) {
        let numbers: Vec<u32> =
            other.names.list.iter().map(|(name, at)| self.names.number(name, *at)).collect();
        let (spec, names) = (&self.spec, &self.names);
        merge_slots(&mut self.slots, &other.slots, map, count, |mine, theirs| {
            for row in &theirs.rows {
                let mut row = row.clone();
                for (name, _) in &mut row.fields {
                    *name = numbers.get(*name as usize).copied().unwrap_or(NO_SLOT);
                }
                mine.bytes += row.bytes();
                mine.rows.push(row);
            }
            mine.cut(spec, names, false);
        });
    }

    pub(super) fn gather(&mut self, keep: &[u32]) {
        gather(&mut self.slots, keep);
    }

    pub(super) fn output(&self, count: usize) -> SlotTable {
        let mut slots = Vec::new();
        let mut rows = Vec::new();
        let sorted: Vec<Slot> = self
            .slots
            .iter()
            .take(count)
            .map(|slot| {
                let mut slot = slot.clone();
                slot.cut(&self.spec, &self.names, true);
                if self.spec.order == RowOrder::Newest {
                    slot.rows.reverse();
                }
                slot
            })
            .collect();
        for (number, slot) in (0_u32..).zip(&sorted) {
            slots.resize(slots.len() + slot.rows.len(), number);
            rows.extend(&slot.rows);
        }
        let columns = self.columns(&rows);
        let order = match self.source {
            Source::Events => rows.iter().map(|row| row.place).collect(),
            Source::Table => Vec::new(),
        };
        SlotTable { slots, columns, order }
    }

    fn columns(&self, rows: &[&Kept]) -> Vec<(Arc<str>, Column)> {
        let mut columns: Vec<ColumnBuilder> =
            self.names.list.iter().map(|_| ColumnBuilder::default()).collect();
        for (at, row) in rows.iter().enumerate() {
            for (name, text) in row.values() {
                if let Some(column) = columns.get_mut(name as usize) {
                    column.pad(at);
                    column.text(text);
                }
            }
        }
        let mut named: Vec<(u32, Arc<str>, Column)> = self
            .names
            .list
            .iter()
            .zip(columns)
            .map(|((name, at), mut column)| {
                column.pad(rows.len());
                (*at, Arc::clone(name), column.finish())
            })
            .collect();
        // The fields of events have no order of their own; those of a table, and those asked for, do.
        match (&self.spec.fields, self.source) {
            (None, Source::Events) => named.sort_by(|a, b| a.1.cmp(&b.1)),
            _ => named.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(&b.1))),
        }
        named.retain(|(_, _, column)| self.spec.fields.is_some() || !is_missing(column));
        named.into_iter().map(|(_, name, column)| (name, column)).collect()
    }

    /// The place that bounds what may still get in, when rows are ranked by place and enough are kept. Fields may be
    /// written by steps, `@timestamp` too: rows ranked by fields have no such place.
    pub(super) fn horizon(&self) -> Option<OrderKey> {
        let slot = self.slots.first().filter(|_| self.is_by_place())?;
        match &slot.bound {
            Some((_, place)) => Some(*place),
            None if slot.rows.len() >= self.spec.limit => {
                let mut slot = slot.clone();
                slot.cut(&self.spec, &self.names, true);
                slot.rows.last().map(|row| row.place)
            }
            None => None,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots.iter().map(|slot| size_of::<Slot>() + slot.bytes).sum()
    }
}

impl Slot {
    /// Ranks the rows and drops those beyond the limit: when there are twice as many, or `now`.
    fn cut(&mut self, spec: &RowsSpec, names: &Names, now: bool) {
        let limit = spec.limit.max(1);
        if !now && self.rows.len() < limit.saturating_mul(2) {
            return;
        }
        self.rows.sort_unstable_by(|a, b| {
            compare(&spec.order, (a.keys.iter(), a.place), (b.keys.iter(), b.place))
                .then_with(|| compare_contents(a, b, names))
        });
        self.rows.truncate(limit);
        self.bytes = self.rows.iter().map(Kept::bytes).sum();
        if self.rows.len() == limit {
            self.bound = self.rows.last().map(|row| (row.keys.clone(), row.place));
        }
    }
}

fn compare_contents(a: &Kept, b: &Kept, names: &Names) -> Ordering {
    let named = |(number, text)| (names.list.get(number as usize).map(|(name, _)| name), text);
    a.values().map(named).cmp(b.values().map(named))
}

/// The sort keys of a column, for the rows in play.
type KeyColumn = Vec<SortKey<Box<str>>>;

fn key_column(column: &Column, within: &Selection, kind: SortType) -> KeyColumn {
    let mut keys: KeyColumn = vec![SortKey::Missing; column.len()];
    let mut scratch = String::new();
    for row in within.iter() {
        let key = kind.key(column.get(row), &mut scratch).to_owned();
        if let Some(slot) = keys.get_mut(row) {
            *slot = key;
        }
    }
    keys
}

fn row_keys(keys: &[KeyColumn], row: u32) -> impl Iterator<Item = &SortKey<Box<str>>> {
    keys.iter().filter_map(move |column| column.get(row as usize))
}

fn place(input: &Input<'_>, row: u32) -> OrderKey {
    input.order.get(row as usize).copied().unwrap_or_default()
}

fn copy(input: &Input<'_>, keys: &[KeyColumn], columns: &[(u32, Column)], row: u32) -> Kept {
    let mut text = String::new();
    let mut fields = Vec::new();
    for (number, column) in columns {
        if let Some(value) = column.get(row as usize) {
            value.write_text(&mut text);
            fields.push((*number, u32::try_from(text.len()).unwrap_or(u32::MAX)));
        }
    }
    Kept {
        keys: row_keys(keys, row).map(SortKey::to_owned).collect(),
        place: place(input, row),
        fields: fields.into(),
        text: text.into(),
    }
}

fn is_missing(column: &Column) -> bool {
    matches!(column, Column::Missing { .. })
}

//! `series`: the values of fields in the order of time, end to end, cut into series where one begins or ends.
//!
//! Rows are kept by their places until the result is asked for, as where a series begins hangs on the rows before it. Of a
//! slot the oldest rows are kept whose values fit into its memory. The first that does not is remembered by its place, and
//! nothing from there on is taken: which rows are kept depends on the rows alone, whatever the order they came in.

mod coding;

use std::sync::Arc;

use super::slots::{SlotTable, Slots, gather, grow, merge_slots};
use super::spec::SeriesSpec;
use super::{Input, TIMESTAMP};
use crate::record::{Column, ColumnBuilder, OrderKey};
use crate::value::{Number, ValueRef};

/// Bytes that the values of one slot may take, unless the query says otherwise.
pub const SERIES_BYTES_DEFAULT: usize = 1 << 10;
/// Bytes that the values of one slot may take at most.
pub const SERIES_BYTES_MAX: usize = 1 << 20;
/// The column with the time from the first row of a series to its last, milliseconds.
pub const DURATION: &str = "_duration";

/// Rows to be cut into series, a list a slot.
#[derive(Clone, Debug)]
pub(super) struct Series {
    spec: SeriesSpec,
    slots: Vec<Slot>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    rows: Vec<Kept>,
    /// What the rows take of the slot's memory.
    taken: usize,
    /// Rows from this place on have no room.
    bound: Option<OrderKey>,
}

/// A row: its place, what it says of series, and its values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    place: OrderKey,
    millis: Option<i64>,
    starts: bool,
    ends: bool,
    values: Box<[Option<Box<str>>]>,
}

impl Kept {
    /// What it takes of its slot's memory: its values with what stands between them.
    fn size(&self, separator: usize) -> usize {
        self.values.iter().flatten().map(|value| value.len() + separator).sum::<usize>().max(1)
    }
}

impl Slot {
    /// Drops what has no room: when that is half, or `now`.
    fn cut(&mut self, spec: &SeriesSpec, now: bool) {
        if !now && self.taken <= spec.max_bytes.saturating_mul(2) {
            return;
        }
        self.rows.sort_unstable();
        let mut taken = 0;
        let over = self.rows.iter().find(|row| {
            taken += row.size(spec.separator.len());
            taken > spec.max_bytes
        });
        // Rows of one place stay or go together, so that copies of one event need not be told apart.
        self.bound = self.bound.into_iter().chain(over.map(|row| row.place)).min();
        if let Some(bound) = self.bound {
            self.rows.retain(|row| row.place < bound);
        }
        self.taken = self.rows.iter().map(|row| row.size(spec.separator.len())).sum();
    }

    fn put(&mut self, row: Kept, spec: &SeriesSpec) {
        if self.bound.is_some_and(|bound| row.place >= bound) {
            return;
        }
        self.taken += row.size(spec.separator.len());
        self.rows.push(row);
        self.cut(spec, false);
    }
}

impl Series {
    pub(super) fn new(spec: &SeriesSpec) -> Series {
        Series { spec: spec.clone(), slots: Vec::new() }
    }

    pub(super) fn step(&mut self, input: &Input<'_>, slots: &Slots<'_>) {
        grow(&mut self.slots, slots.count);
        let spec = &self.spec;
        let columns: Vec<Column> = spec.fields.iter().map(|field| input.column(field)).collect();
        let times = input.column(TIMESTAMP);
        let mark = |name: &Option<Arc<str>>| name.as_ref().map(|name| input.column(name));
        let (start, end) = (mark(&spec.start), mark(&spec.end));
        let is_marked = |column: &Option<Column>, row: usize| {
            let value = column.as_ref().and_then(|column| column.get(row));
            value.is_some_and(|value| *value.text() == *"true")
        };
        for row in input.within.iter() {
            let (Some(slot), Some(place)) =
                (self.slots.get_mut(slots.of(row) as usize), input.order.get(row))
            else {
                continue;
            };
            if slot.bound.is_some_and(|bound| *place >= bound) {
                continue;
            }
            let value = |column: &Column| column.get(row).map(|value| Box::from(&*value.text()));
            let kept = Kept {
                place: *place,
                millis: times.get(row).and_then(ValueRef::number).and_then(Number::truncate),
                starts: is_marked(&start, row),
                ends: is_marked(&end, row),
                values: columns.iter().map(value).collect(),
            };
            slot.put(kept, spec);
        }
    }

    pub(super) fn merge(&mut self, other: &Series, map: &[u32], count: usize) {
        let spec = &self.spec;
        merge_slots(&mut self.slots, &other.slots, map, count, |mine, theirs| {
            if let Some(bound) = theirs.bound.filter(|bound| mine.bound.is_none_or(|own| *bound < own)) {
                mine.bound = Some(bound);
                mine.cut(spec, true);
            }
            theirs.rows.iter().for_each(|row| mine.put(row.clone(), spec));
        });
    }

    pub(super) fn gather(&mut self, keep: &[u32]) {
        gather(&mut self.slots, keep);
    }

    pub(super) fn output(&self, count: usize, warnings: &mut Vec<String>) -> SlotTable {
        let (mut slots, mut is_cut) = (Vec::new(), false);
        let (mut times, mut durations) = (ColumnBuilder::default(), ColumnBuilder::default());
        let mut columns: Vec<ColumnBuilder> =
            self.spec.fields.iter().map(|_| ColumnBuilder::default()).collect();
        for (number, slot) in (0_u32..).zip(self.slots.iter().take(count)) {
            let mut slot = slot.clone();
            slot.cut(&self.spec, true);
            is_cut |= slot.bound.is_some();
            for series in parts(&slot.rows, &self.spec) {
                slots.push(number);
                let mut known = series.iter().filter_map(|row| row.millis);
                let first = known.next();
                let last = known.next_back().or(first);
                times.push(first.map(ValueRef::Int));
                let duration = first.zip(last).map_or(0, |(first, last)| last.saturating_sub(first));
                durations.int(duration);
                for (at, column) in columns.iter_mut().enumerate() {
                    let values: Vec<&str> =
                        series.iter().filter_map(|row| row.values.get(at)?.as_deref()).collect();
                    match values.is_empty() {
                        true => column.missing(),
                        false => column.text(&values.join(&self.spec.separator)),
                    }
                }
            }
        }
        if is_cut {
            let bytes = self.spec.max_bytes;
            warnings
                .push(format!("series: values beyond {bytes} bytes are left out: `memlimit` says how many"));
        }
        let mut all: Vec<(Arc<str>, Column)> =
            vec![(Arc::from(TIMESTAMP), times.finish()), (Arc::from(DURATION), durations.finish())];
        // A field that is collected counts over what is told of the series.
        all.retain(|(name, _)| !self.spec.fields.contains(name));
        all.extend(self.spec.fields.iter().cloned().zip(columns.into_iter().map(ColumnBuilder::finish)));
        SlotTable { slots, columns: all, order: Vec::new() }
    }

    pub(super) fn bytes(&self) -> usize {
        let row = |row: &Kept| {
            let values = row.values.iter().map(|value| value.as_ref().map_or(0, |text| text.len()));
            size_of::<Kept>() + row.values.len() * size_of::<Option<Box<str>>>() + values.sum::<usize>()
        };
        self.slots.iter().map(|slot| size_of::<Slot>() + slot.rows.iter().map(row).sum::<usize>()).sum()
    }
}

/// The series in `rows`, which are in order.
fn parts<'r>(rows: &'r [Kept], spec: &SeriesSpec) -> Vec<&'r [Kept]> {
    let mut parts = Vec::new();
    let mut open: Option<usize> = None;
    // The times of the first and of the last row of the open series.
    let mut times: Option<(i64, i64)> = None;
    for (at, row) in rows.iter().enumerate() {
        let is_apart = times.zip(row.millis).is_some_and(|((first, last), now)| {
            let over =
                |most: Option<i64>, since: i64| most.is_some_and(|most| now.saturating_sub(since) > most);
            over(spec.max_pause_millis, last) || over(spec.max_duration_millis, first)
        });
        if let Some(start) = open.filter(|_| is_apart || row.starts) {
            parts.extend(rows.get(start..at));
            open = None;
        }
        if open.is_none() {
            if spec.start.is_some() && !row.starts {
                continue;
            }
            (open, times) = (Some(at), None);
        }
        if let Some(now) = row.millis {
            times = Some((times.map_or(now, |(first, _)| first), now));
        }
        if let Some(start) = open.filter(|_| row.ends) {
            parts.extend(rows.get(start..=at));
            open = None;
        }
    }
    parts.extend(open.and_then(|start| rows.get(start..)));
    parts
}

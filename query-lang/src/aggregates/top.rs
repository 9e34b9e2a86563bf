//! `top`: the keys with the greatest counts, sums or maxima, all keys being held exactly.

use std::sync::Arc;

use super::Input;
use super::body::Run;
use super::counts::all_slots;
use super::keys::KeyTable;
use super::numbers::Numbers;
use super::slots::{NO_SLOT, SlotTable, Slots};
use super::spec::{GROUP_LIMIT_MAX, Measure, NumberKind, NumberSpec, TopSpec};
use crate::record::ColumnBuilder;
use crate::value::{ExactSum, Number};

/// Keys and what they are ranked by.
#[derive(Clone, Debug)]
pub(super) struct Top {
    spec: TopSpec,
    keys: KeyTable,
    /// Sums or maxima; counts are the table's own.
    numbers: Option<Numbers>,
    scratch: Vec<u32>,
}

impl Top {
    pub(super) fn new(spec: &TopSpec) -> Top {
        let measured = |kind, field: &Arc<str>| {
            Some(Numbers::new(&NumberSpec {
                kind,
                field: Arc::clone(field),
                output: Arc::clone(&spec.output),
            }))
        };
        let numbers = match &spec.measure {
            Measure::Count => None,
            Measure::Sum(field) => measured(NumberKind::Sum, field),
            Measure::Max(field) => measured(NumberKind::Max, field),
        };
        Top {
            spec: spec.clone(),
            keys: KeyTable::new(&spec.keys, GROUP_LIMIT_MAX),
            numbers,
            scratch: Vec::new(),
        }
    }

    pub(super) fn step(&mut self, input: &Input<'_>, slots: &Slots<'_>) {
        match &mut self.numbers {
            None => self.keys.count(input, slots),
            Some(numbers) => {
                self.keys.step(input, slots, &mut self.scratch);
                numbers.step(input, &Slots::each(&self.scratch, self.keys.groups().len()));
            }
        }
        self.evict();
    }

    pub(super) fn merge(&mut self, other: &Top, map: &[u32]) {
        let groups = self.keys.merge(&other.keys, map);
        if let (Some(mine), Some(theirs)) = (&mut self.numbers, &other.numbers) {
            mine.merge(theirs, &groups, self.keys.groups().len());
        }
        self.evict();
    }

    pub(super) fn gather(&mut self, keep: &[u32]) {
        let groups = self.keys.follow(keep);
        if let Some(numbers) = &mut self.numbers {
            numbers.gather(&groups);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.keys.bytes() + self.numbers.as_ref().map_or(0, Numbers::bytes)
    }

    fn evict(&mut self) {
        if let (Some(keep), Some(numbers)) = (self.keys.evict(), &mut self.numbers) {
            numbers.gather(&keep);
        }
    }

    fn measure(&self, group: usize) -> Option<Number> {
        match &self.numbers {
            Some(numbers) => numbers.number(group),
            None => {
                self.keys.groups().get(group).map(|group| Number::from_decimal(i128::from(group.rows), 0))
            }
        }
    }

    pub(super) fn output(&self, count: usize, run: &mut Run<'_>) -> SlotTable {
        let mut ranked: Vec<(u32, u32, Number)> = self
            .keys
            .kept()
            .map_or_else(|| all_slots(self.keys.groups().len()), |(keep, _)| keep)
            .into_iter()
            .filter_map(|group| {
                let parent = self.keys.groups().get(group as usize)?.parent;
                Some((parent, group, self.measure(group as usize)?))
            })
            .filter(|(parent, _, _)| (*parent as usize) < count)
            .collect();
        if count > 1 {
            ranked.sort_unstable_by_key(|(parent, _, _)| *parent);
        }
        if self.keys.overflowed() {
            run.warnings.push(format!(
                "top of {}: more than {GROUP_LIMIT_MAX} keys; values shown are exact, but other keys may be greater",
                self.keys.names().join(", ")
            ));
        }
        let mut table = Lines::new(&self.spec);
        for of_slot in ranked.chunk_by_mut(|a, b| a.0 == b.0) {
            self.rank(of_slot);
            self.write_slot(of_slot, &mut table);
        }
        table.finish(&self.spec)
    }

    /// Puts the greatest of a slot in front, in order, and then the greatest of the others.
    fn rank(&self, of_slot: &mut [(u32, u32, Number)]) {
        let order = |a: &(u32, u32, Number), b: &(u32, u32, Number)| {
            b.2.cmp(&a.2).then_with(|| self.keys.compare(a.1 as usize, b.1 as usize))
        };
        let limit = self.spec.limit;
        let shown = match of_slot.len() > limit {
            true => of_slot.select_nth_unstable_by(limit, order).0,
            false => of_slot,
        };
        shown.sort_unstable_by(order);
    }

    fn write_slot(&self, ranked: &[(u32, u32, Number)], table: &mut Lines) {
        let (shown, others) = ranked.split_at(self.spec.limit.min(ranked.len()));
        let total = {
            let mut sum = ExactSum::default();
            match self.spec.measure {
                // Rows of keys turned away count too.
                Measure::Count if self.keys.overflowed() => {
                    sum.add(Number::from_decimal(self.keys.rows().into(), 0))
                }
                _ => ranked.iter().for_each(|(_, _, number)| sum.add(*number)),
            }
            sum.number()
        };
        for (slot, group, number) in shown {
            table.push(*slot, self.keys.texts(*group as usize), *number, total);
        }
        let (Some(label), Some((slot, _, greatest))) = (&self.spec.rest, others.first()) else { return };
        let rest = match self.spec.measure {
            Measure::Max(_) => Some(*greatest),
            _ => {
                let mut left = ExactSum::default();
                others.iter().for_each(|(_, _, number)| left.add(*number));
                left.number()
            }
        };
        if let Some(rest) = rest {
            table.push(*slot, std::iter::once(&**label), rest, total);
        }
    }
}

/// The table being written.
struct Lines {
    slots: Vec<u32>,
    keys: Vec<ColumnBuilder>,
    numbers: ColumnBuilder,
    percent: ColumnBuilder,
}

impl Lines {
    fn new(spec: &TopSpec) -> Lines {
        let keys = spec.keys.iter().map(|_| ColumnBuilder::default()).collect();
        Lines {
            slots: Vec::new(),
            keys,
            numbers: ColumnBuilder::default(),
            percent: ColumnBuilder::default(),
        }
    }

    fn push<'a>(
        &mut self,
        slot: u32,
        texts: impl Iterator<Item = &'a str>,
        number: Number,
        total: Option<Number>,
    ) {
        let mut texts = texts;
        self.slots.push(slot);
        for column in &mut self.keys {
            match texts.next() {
                Some(text) => column.text(text),
                None => column.missing(),
            }
        }
        self.numbers.push(Some(number.to_value().borrow()));
        let share = total.and_then(|total| number.multiply(Number::Int(100))?.divide(total));
        self.percent.push(share.map(Number::to_value).as_ref().map(|value| value.borrow()));
    }

    fn finish(self, spec: &TopSpec) -> SlotTable {
        let keys = self.keys.into_iter().map(ColumnBuilder::finish);
        let mut columns: Vec<_> = spec.keys.iter().cloned().zip(keys).collect();
        columns.push((Arc::clone(&spec.output), self.numbers.finish()));
        if spec.percent {
            columns.push((Arc::from("percent"), self.percent.finish()));
        }
        debug_assert!(!self.slots.contains(&NO_SLOT), "every row has a slot");
        SlotTable { slots: self.slots, columns, order: Vec::new() }
    }
}

//! `top`: the keys with the greatest counts, sums or maxima, all keys being held exactly.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use super::Input;
use super::body::Run;
use super::coding::SlotCoding;
use super::direct::Direct;
use super::keys::{Evicted, KeyTable};
use super::leaders::Leaders;
use super::numbers::Numbers;
use super::slots::{NO_SLOT, SlotTable, Slots};
use super::spec::{GROUP_LIMIT_MAX, Measure, NumberKind, NumberSpec, TopSpec};
use crate::coding::{DecodeError, Reader};
use crate::record::{ColumnBuilder, Selection};
use crate::value::order::{natural, natural_prefix};
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

    /// As [`super::body::Body::clear`].
    pub(super) fn clear(&mut self) {
        self.keys = self.keys.emptied();
        if let Some(numbers) = &mut self.numbers {
            numbers.gather(&[]);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.keys.bytes() + self.numbers.as_ref().map_or(0, Numbers::bytes)
    }

    fn evict(&mut self) {
        // It has no group of the others.
        if let (Some(Evicted::Kept(keep)), Some(numbers)) = (self.keys.evict(), &mut self.numbers) {
            numbers.gather(&keep);
        }
    }

    pub(super) fn output(&self, count: usize, run: &mut Run<'_>) -> SlotTable {
        if self.keys.overflowed() {
            run.warnings.push(format!(
                "top of {}: more than {GROUP_LIMIT_MAX} keys; values shown are exact, but other keys may be greater",
                self.keys.names().join(", ")
            ));
        }
        let number = |rows| Number::from_decimal(i128::from(rows), 0);
        if let Some(unmade) = self.keys.unmade() {
            return self.table(count, &Mixed { unmade, keys: &self.keys }, number);
        }
        let kept = self.keys.kept().map(|(keep, _)| keep);
        let (keys, kept) = (&self.keys, kept.as_deref());
        match &self.numbers {
            None => {
                let rows = |group: usize| keys.counts().get(group).copied();
                self.table(count, &Made { keys, kept, measure: rows }, number)
            }
            Some(numbers) => {
                let measure = |group: usize| numbers.number(group);
                self.table(count, &Made { keys, kept, measure }, |number| number)
            }
        }
    }

    /// The table of `groups`, the measures of which `number` makes the numbers that are shown.
    fn table<G: Measured>(
        &self,
        count: usize,
        groups: &G,
        number: impl Fn(G::Measure) -> Number,
    ) -> SlotTable {
        let by_key = |a: u32, b: u32| groups.compare(a, b);
        // One more than is shown: for a maximum it is what the rest has.
        let mut slots = vec![Leaders::new(self.spec.limit.saturating_add(1)); count];
        let mut totals = vec![ExactSum::default(); if self.spec.percent { count } else { 0 }];
        groups.each(|parent, group, measure| {
            if let Some(leaders) = slots.get_mut(parent as usize) {
                leaders.offer(measure, group, by_key, |group| groups.prefix(group));
            }
            if let Some(total) = totals.get_mut(parent as usize) {
                total.add(number(measure));
            }
        });
        let mut ranked = Vec::with_capacity(count);
        for leaders in slots {
            let (mut leaders, offered) = leaders.finish(by_key);
            let next = if offered > self.spec.limit { leaders.pop().map(|(next, _)| next) } else { None };
            ranked.push(Ranked { shown: leaders, next });
        }
        let left = self.left(groups, &number, &ranked);
        let mut table = Lines::new(&self.spec);
        for ((slot, Ranked { shown, next }), left) in (0_u32..).zip(&ranked).zip(left) {
            let total = totals.get(slot as usize).and_then(|total| self.total(total));
            for (measure, group) in shown {
                let texts = groups.texts(*group);
                table.push(slot, texts.iter().map(|text| &**text), number(*measure), total);
            }
            let (Some(label), Some(next)) = (&self.spec.rest, next) else { continue };
            let rest = match self.spec.measure {
                Measure::Max(_) => Some(number(*next)),
                _ => left.number(),
            };
            if let Some(rest) = rest {
                table.push(slot, std::iter::once(&**label), rest, total);
            }
        }
        table.finish(&self.spec)
    }

    /// For each slot the sum of the groups that are not shown, where that is asked for.
    fn left<G: Measured>(
        &self,
        groups: &G,
        number: impl Fn(G::Measure) -> Number,
        ranked: &[Ranked<G::Measure>],
    ) -> Vec<ExactSum> {
        let mut sums = vec![ExactSum::default(); ranked.len()];
        if self.spec.rest.is_none() || matches!(self.spec.measure, Measure::Max(_)) {
            return sums;
        }
        let mut shown = Selection::none(groups.size());
        ranked.iter().flat_map(|ranked| &ranked.shown).for_each(|(_, group)| shown.insert(*group as usize));
        groups.each(|parent, group, measure| {
            if let Some(sum) = sums.get_mut(parent as usize).filter(|_| !shown.contains(group as usize)) {
                sum.add(number(measure));
            }
        });
        sums
    }

    /// What the shares are of.
    fn total(&self, sum: &ExactSum) -> Option<Number> {
        match self.spec.measure {
            // Rows of keys turned away count too.
            Measure::Count if self.keys.overflowed() => {
                Some(Number::from_decimal(self.keys.rows().into(), 0))
            }
            _ => sum.number(),
        }
    }
}

/// The keys, and the sums or maxima unless the keys count by themselves.
impl SlotCoding for Top {
    fn write(&self, slots: &[u32], out: &mut Vec<u8>) {
        let groups = self.keys.made().write(slots, out);
        if let Some(numbers) = &self.numbers {
            numbers.write(&groups, out);
        }
    }

    fn read(&mut self, count: usize, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.keys.read(count, from)?;
        match &mut self.numbers {
            None => Ok(()),
            Some(numbers) => numbers.read(self.keys.groups().len(), from),
        }
    }
}

/// Groups that are ranked.
trait Measured {
    /// What they are ranked by.
    type Measure: Ord + Copy;

    /// Calls `each` with parent, number and measure of every group that has one.
    fn each(&self, each: impl FnMut(u32, u32, Self::Measure));
    /// Numbers are below.
    fn size(&self) -> usize;
    /// As [`KeyTable::compare`].
    fn compare(&self, a: u32, b: u32) -> Ordering;
    /// As [`KeyTable::prefix`].
    fn prefix(&self, group: u32) -> u64;
    /// The texts of a group's key.
    fn texts(&self, group: u32) -> Vec<Cow<'_, str>>;
}

/// The groups of a table, of them those of `kept`, or all.
struct Made<'a, F> {
    keys: &'a KeyTable,
    kept: Option<&'a [u32]>,
    measure: F,
}

impl<M: Ord + Copy, F: Fn(usize) -> Option<M>> Measured for Made<'_, F> {
    type Measure = M;

    fn each(&self, mut each: impl FnMut(u32, u32, M)) {
        let mut take = |group: u32, parent: u32| {
            if let Some(measure) = (self.measure)(group as usize) {
                each(parent, group, measure);
            }
        };
        let groups = self.keys.groups();
        match self.kept {
            None => (0..).zip(groups).for_each(|(group, held)| take(group, held.parent)),
            Some(kept) => {
                let held = |group: &u32| Some((*group, groups.get(*group as usize)?.parent));
                kept.iter().filter_map(held).for_each(|(group, parent)| take(group, parent));
            }
        }
    }

    fn size(&self) -> usize {
        self.keys.groups().len()
    }

    fn compare(&self, a: u32, b: u32) -> Ordering {
        self.keys.compare(a as usize, b as usize)
    }

    fn prefix(&self, group: u32) -> u64 {
        self.keys.prefix(group as usize)
    }

    fn texts(&self, group: u32) -> Vec<Cow<'_, str>> {
        self.keys.texts(group as usize).map(Cow::Borrowed).collect()
    }
}

/// Groups ranked by their rows, most of which are not made: these by the number in their key, and after them the others.
struct Mixed<'a> {
    unmade: &'a Direct<u64>,
    keys: &'a KeyTable,
}

impl Mixed<'_> {
    fn text(&self, group: u32) -> Cow<'_, str> {
        match (group as usize).checked_sub(self.unmade.places().len()) {
            None => Cow::Owned(self.unmade.key(group)),
            Some(made) => Cow::Borrowed(self.keys.only_text(made).unwrap_or_default()),
        }
    }
}

impl Measured for Mixed<'_> {
    type Measure = u64;

    fn each(&self, mut each: impl FnMut(u32, u32, u64)) {
        let unmade = (0..).zip(self.unmade.places()).filter(|(_, rows)| **rows > 0);
        unmade.for_each(|(number, rows)| each(self.unmade.parent(), number, *rows));
        let made = self.keys.groups().iter().zip(self.keys.counts());
        // There is room for no more numbers than `NUMBERED_BELOW`.
        let first = self.unmade.places().len() as u32;
        (first..).zip(made).for_each(|(number, (group, rows))| each(group.parent, number, *rows));
    }

    fn size(&self) -> usize {
        self.unmade.places().len() + self.keys.groups().len()
    }

    fn compare(&self, a: u32, b: u32) -> Ordering {
        natural(&self.text(a), &self.text(b))
    }

    fn prefix(&self, group: u32) -> u64 {
        natural_prefix(&self.text(group))
    }

    fn texts(&self, group: u32) -> Vec<Cow<'_, str>> {
        vec![self.text(group)]
    }
}

/// The groups of a slot that are shown, and what the next has.
struct Ranked<M> {
    shown: Vec<(M, u32)>,
    next: Option<M>,
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

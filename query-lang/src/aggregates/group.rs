//! `groupBy`: a slot of the function inside for each key.

use std::cmp::Ordering;

use super::body::{Body, Run};
use super::counts::count_table;
use super::keys::KeyTable;
use super::slots::{NO_SLOT, SlotTable, Slots};
use super::spec::{AggregateSpec, CountSpec, GROUP_LIMIT_MAX, GroupBySpec};
use super::{Input, Pipelines};
use crate::machine::{Context, StepError};
use crate::record::ColumnBuilder;

/// Groups held at least, however small the limit, so that the greatest can be told from the others.
const CAPACITY_MIN: usize = 262_144;

/// Parent, [`KeyTable::prefix`] and number of a group.
type Place = (u32, u64, u32);

/// Groups, a function's state each.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    limit: usize,
    keys: KeyTable,
    function: Function,
    scratch: Vec<u32>,
}

#[derive(Clone, Debug)]
enum Function {
    /// `count()`: the table of keys counts by itself.
    Count(CountSpec),
    Other(Box<Body>),
}

impl Groups {
    pub(super) fn new(spec: &GroupBySpec, context: &Context, source: super::Source) -> Groups {
        let function = match &*spec.function {
            AggregateSpec::Count(count) if count.field.is_none() && !count.distinct => {
                Function::Count(count.clone())
            }
            other => Function::Other(Box::new(Body::new(other, context, source))),
        };
        let limit = spec.limit.clamp(1, GROUP_LIMIT_MAX);
        Groups {
            limit,
            keys: KeyTable::new(&spec.keys, limit.max(CAPACITY_MIN)),
            function,
            scratch: Vec::new(),
        }
    }

    pub(super) fn step(
        &mut self,
        input: &Input<'_>,
        slots: &Slots<'_>,
        pipelines: &mut dyn Pipelines,
    ) -> Result<(), StepError> {
        match &mut self.function {
            Function::Count(_) => self.keys.count(input, slots),
            Function::Other(body) => {
                self.keys.step(input, slots, &mut self.scratch);
                body.step(input, &Slots::each(&self.scratch, self.keys.groups().len()), pipelines)?;
            }
        }
        self.evict();
        Ok(())
    }

    pub(super) fn merge(&mut self, other: &Groups, map: &[u32]) {
        let groups = self.keys.merge(&other.keys, map);
        if let (Function::Other(mine), Function::Other(theirs)) = (&mut self.function, &other.function) {
            mine.merge(theirs, &groups, self.keys.groups().len());
        }
        self.evict();
    }

    pub(super) fn gather(&mut self, keep: &[u32]) {
        let groups = self.keys.follow(keep);
        if let Function::Other(body) = &mut self.function {
            body.gather(&groups);
        }
    }

    pub(super) fn output(&self, count: usize, run: &mut Run<'_>) -> Result<SlotTable, StepError> {
        let shown = self.shown(count, run);
        let inner = match &self.function {
            Function::Count(spec) => count_table(spec, self.keys.groups().len(), |group| {
                self.keys.groups().get(group).map_or(0, |g| g.rows)
            }),
            Function::Other(body) => body.output(self.keys.groups().len(), run)?,
        };
        Ok(with_keys(&self.keys, &shown, &inner))
    }

    pub(super) fn bytes(&self) -> usize {
        let function = match &self.function {
            Function::Count(_) => 0,
            Function::Other(body) => body.bytes(),
        };
        self.keys.bytes() + function
    }

    fn evict(&mut self) {
        if let Some(keep) = self.keys.evict()
            && let Function::Other(body) = &mut self.function
        {
            body.gather(&keep);
        }
    }

    /// The groups of the result: of each slot those with the most rows, listed by key.
    fn shown(&self, count: usize, run: &mut Run<'_>) -> Vec<u32> {
        let groups = self.keys.groups();
        let shown = match self.keys.kept() {
            Some((keep, _)) => keep,
            None => super::counts::all_slots(groups.len()),
        };
        let rows = |group: &u32| groups.get(*group as usize).map_or(0, |group| group.rows);
        let place = |group: u32| {
            let parent = groups.get(group as usize)?.parent;
            ((parent as usize) < count).then(|| (parent, self.keys.prefix(group as usize), group))
        };
        let mut places: Vec<Place> = shown.into_iter().filter_map(place).collect();
        let by_key =
            |a: &Place, b: &Place| a.1.cmp(&b.1).then_with(|| self.keys.compare(a.2 as usize, b.2 as usize));
        let all = places.len();
        if all > self.limit {
            places.sort_unstable_by_key(|place| place.0);
            let by_rows = |a: &Place, b: &Place| rows(&b.2).cmp(&rows(&a.2)).then_with(|| by_key(a, b));
            let slots = places.chunk_by_mut(|a, b| a.0 == b.0);
            places = slots.flat_map(|slot| first(slot, self.limit, by_rows).iter().copied()).collect();
        }
        places.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| by_key(a, b)));
        let shown: Vec<u32> = places.into_iter().map(|place| place.2).collect();
        if self.keys.overflowed() || shown.len() < all {
            let kept: u64 = shown.iter().map(rows).sum();
            let more = if self.keys.overflowed() || all < groups.len() { "more than " } else { "" };
            run.warnings.push(format!(
                "groupBy of {}: {} of {more}{all} groups shown, with exact values; {} of {} rows are in other groups",
                self.keys.names().join(", "),
                shown.len(),
                self.keys.rows().saturating_sub(kept),
                self.keys.rows(),
            ));
        }
        shown
    }
}

/// The `limit` of `all` that come first by `order`, in any order: found without sorting what is left out, which may be
/// millions.
fn first<T>(all: &mut [T], limit: usize, order: impl FnMut(&T, &T) -> Ordering) -> &[T] {
    if all.len() > limit {
        all.select_nth_unstable_by(limit, order);
    }
    all.get(..limit).unwrap_or(all)
}

/// The rows of `inner`, whose slots are the groups of `keys`, with the keys before them, for the groups `shown` in
/// that order. A group without a row has one with its key only.
pub(super) fn with_keys(keys: &KeyTable, shown: &[u32], inner: &SlotTable) -> SlotTable {
    let starts = inner.starts(keys.groups().len());
    let mut picks = Vec::with_capacity(inner.rows());
    let mut slots = Vec::with_capacity(inner.rows());
    let mut columns: Vec<ColumnBuilder> =
        keys.names().iter().map(|_| ColumnBuilder::with_capacity(inner.rows())).collect();
    for group in shown {
        let at = *group as usize;
        let parent = keys.groups().get(at).map_or(NO_SLOT, |group| group.parent);
        let mut add = |pick: u32| {
            picks.push(pick);
            slots.push(parent);
            for (column, text) in columns.iter_mut().zip(keys.texts(at)) {
                column.text(text);
            }
        };
        match (starts.get(at), starts.get(at + 1)) {
            (Some(start), Some(end)) if start < end => (*start..*end).for_each(add),
            _ => add(NO_SLOT),
        }
    }
    let mut table = inner.gather(&picks, slots);
    let mut named: Vec<_> =
        keys.names().iter().cloned().zip(columns.into_iter().map(ColumnBuilder::finish)).collect();
    // A function that writes a field named as a key has the last word.
    named.retain(|(name, _)| table.columns.iter().all(|(other, _)| other != name));
    named.append(&mut table.columns);
    // Groups are no events, even where the function gives such.
    SlotTable { columns: named, order: Vec::new(), ..table }
}

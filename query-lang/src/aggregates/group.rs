//! `groupBy`: a slot of the function inside for each key, and one for the keys beyond the limit where a row of the others
//! is asked for.

mod others;

use std::cmp::Ordering;
use std::sync::Arc;

use super::body::{Body, Run};
use super::coding::SlotCoding;
use super::counts::count_table;
use super::keys::{Evicted, KeyTable};
use super::percentile::Percentiles;
use super::read::{Integers, Range};
use super::slots::{NO_SLOT, SlotTable, Slots};
use super::spec::{AggregateSpec, CountSpec, GROUP_LIMIT_MAX, GroupBySpec};
use super::tally::{Coded, Tally};
use super::{Input, Pipelines};
use crate::coding::{DecodeError, Reader};
use crate::machine::{Context, StepError};
use crate::record::{Column, ColumnBuilder};

/// Groups held at least, however small the limit, so that the greatest can be told from the others.
const CAPACITY_MIN: usize = 262_144;

/// Parent, [`KeyTable::prefix`] and number of a group.
type Place = (u32, u64, u32);

/// Groups, a function's state each.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    limit: usize,
    /// What stands for the keys of the row of the others, where there is one.
    other: Option<Arc<str>>,
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
        let keys = KeyTable::new(&spec.keys, limit.max(CAPACITY_MIN));
        Groups {
            limit,
            keys: if spec.other.is_some() { keys.with_others() } else { keys },
            other: spec.other.clone(),
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
                if step_by_code(&mut self.keys, body, input, slots) {
                    self.evict();
                    return Ok(());
                }
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
        let keys = self.keys.made();
        let shown = shown(&keys, self.limit, count, run);
        if let Some(other) = &self.other
            && let Some(listed) = others::Listed::of(&keys, &shown, count)
        {
            return self.output_others(&keys, &listed, other, run);
        }
        let inner = match &self.function {
            Function::Count(spec) => {
                count_table(spec, keys.groups().len(), |group| keys.counts().get(group).copied().unwrap_or(0))
            }
            Function::Other(body) => body.output(keys.groups().len(), run)?,
        };
        Ok(with_keys(&keys, &shown, &inner))
    }

    pub(super) fn bytes(&self) -> usize {
        let function = match &self.function {
            Function::Count(_) => 0,
            Function::Other(body) => body.bytes(),
        };
        self.keys.bytes() + function
    }

    fn evict(&mut self) {
        let evicted = self.keys.evict();
        self.follow(evicted);
    }

    /// Turns away groups whose keys have a greater hash than `threshold`, from now on.
    pub(super) fn narrow(&mut self, threshold: u64) {
        let evicted = self.keys.narrow(threshold);
        self.follow(evicted);
        if let Function::Other(body) = &mut self.function {
            body.narrow(threshold);
        }
    }

    /// As [`Body::clear`].
    pub(super) fn clear(&mut self) {
        self.keys = self.keys.emptied();
        if let Function::Other(body) = &mut self.function {
            body.clear();
        }
    }

    /// As [`Body::threshold`].
    pub(super) fn threshold(&self) -> u64 {
        let inside = match &self.function {
            Function::Count(_) => None,
            Function::Other(body) => body.threshold(),
        };
        inside.unwrap_or(0).max(self.keys.threshold())
    }

    fn follow(&mut self, evicted: Option<Evicted>) {
        let Function::Other(body) = &mut self.function else { return };
        match evicted {
            Some(Evicted::Kept(keep)) => body.gather(&keep),
            Some(Evicted::Joined(map)) => body.regroup(&map, self.keys.groups().len()),
            None => {}
        }
    }
}

/// The keys, and the states of the function inside unless the keys count by themselves.
impl SlotCoding for Groups {
    fn write(&self, slots: &[u32], out: &mut Vec<u8>) {
        if self.other.is_some() && self.keys.made().kept().is_some() {
            // What is left out is in the others.
            let mut whole = self.clone();
            whole.keys.make_groups();
            let evicted = whole.keys.cut();
            whole.follow(evicted);
            return whole.write_kept(slots, out);
        }
        self.write_kept(slots, out);
    }

    fn read(&mut self, count: usize, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.keys.read(count, from)?;
        match &mut self.function {
            Function::Count(_) => Ok(()),
            Function::Other(body) => body.read(self.keys.groups().len(), from),
        }
    }
}

impl Groups {
    fn write_kept(&self, slots: &[u32], out: &mut Vec<u8>) {
        let groups = self.keys.made().write(slots, out);
        if let Function::Other(body) = &self.function {
            body.write(&groups, out);
        }
    }
}

/// The groups of the result: of each slot those with the most rows, listed by key.
fn shown(keys: &KeyTable, limit: usize, count: usize, run: &mut Run<'_>) -> Vec<u32> {
    let groups = keys.groups();
    let shown = match keys.kept() {
        Some((keep, _)) => keep,
        None => super::counts::all_slots(groups.len()),
    };
    let rows = |group: &u32| keys.counts().get(*group as usize).copied().unwrap_or(0);
    let place = |group: u32| {
        let parent = groups.get(group as usize)?.parent;
        ((parent as usize) < count).then(|| (parent, keys.prefix(group as usize), group))
    };
    let of_keys = shown.into_iter().filter(|group| !keys.is_of_others(*group));
    let mut places: Vec<Place> = of_keys.filter_map(place).collect();
    let by_key = |a: &Place, b: &Place| a.1.cmp(&b.1).then_with(|| keys.compare(a.2 as usize, b.2 as usize));
    let all = places.len();
    if all > limit {
        places.sort_unstable_by_key(|place| place.0);
        let by_rows = |a: &Place, b: &Place| rows(&b.2).cmp(&rows(&a.2)).then_with(|| by_key(a, b));
        let slots = places.chunk_by_mut(|a, b| a.0 == b.0);
        places = slots.flat_map(|slot| first(slot, limit, by_rows).iter().copied()).collect();
    }
    places.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| by_key(a, b)));
    let shown: Vec<u32> = places.into_iter().map(|place| place.2).collect();
    let kept: u64 = match keys.overflowed() || shown.len() < all {
        true => shown.iter().map(rows).sum(),
        false => keys.rows(),
    };
    // Where no more came than what is shown, nothing is missing.
    if kept < keys.rows() {
        let more =
            if keys.overflowed() || all + keys.others().count() < groups.len() { "more than " } else { "" };
        run.warnings.push(format!(
            "groupBy of {}: {} of {more}{all} groups shown, with exact values; {} of {} rows are in other groups",
            keys.names().join(", "),
            shown.len(),
            keys.rows().saturating_sub(kept),
            keys.rows(),
        ));
    }
    shown
}

/// The `limit` of `all` that come first by `order`, in any order: found without sorting what is left out, which may be
/// millions.
fn first<T>(all: &mut [T], limit: usize, order: impl FnMut(&T, &T) -> Ordering) -> &[T] {
    if all.len() > limit {
        all.select_nth_unstable_by(limit, order);
    }
    all.get(..limit).unwrap_or(all)
}

/// Where keys have few codes and `body` learns from integers by adding them up: they are added up by code, and the sums
/// told to the groups after that. False, and nothing done, where that does not serve.
fn step_by_code(keys: &mut KeyTable, body: &mut Body, input: &Input<'_>, slots: &Slots<'_>) -> bool {
    match body {
        Body::Percentiles(states) => count_by_code(keys, states, input, slots),
        _ => tally_by_code(keys, body, input, slots),
    }
}

fn count_by_code(
    keys: &mut KeyTable,
    states: &mut Percentiles,
    input: &Input<'_>,
    slots: &Slots<'_>,
) -> bool {
    let learnt = keys.step_by_code(input, slots, |codes, known| {
        let column = input.column(states.field());
        let integers = Integers::of(&column)?;
        let known = known();
        let sketch_of = |code: usize| known.get(code).map_or(usize::MAX, |group| *group as usize);
        let counted = states.count(&integers, input.within, codes, sketch_of)?;
        let rows = integers.are_everywhere().then(|| counted.rows());
        Some((counted, rows))
    });
    let Some((counted, _, map)) = learnt else { return false };
    states.absorb(&counted, Some(&map), keys.groups().len());
    true
}

fn tally_by_code(keys: &mut KeyTable, body: &mut Body, input: &Input<'_>, slots: &Slots<'_>) -> bool {
    let Some(wanted) = body.wanted() else { return false };
    let learnt = keys.step_by_code(input, slots, |codes, known| {
        let column = input.column(wanted.field);
        let integers = Integers::of(&column)?;
        let known = if wanted.ranges { known() } else { &[] };
        let seen = |code: usize| known.get(code).map_or(Range::NONE, |group| body.seen(*group as usize));
        let tally = Tally::of(&integers, input.within, codes, wanted, seen)?;
        let rows = integers.are_everywhere().then(|| tally.counts());
        Some((tally, rows))
    });
    let Some((tally, rows, map)) = learnt else { return false };
    body.absorb(&Coded { tally: &tally, rows: &rows, map: &map, count: keys.groups().len() });
    true
}

/// The rows of `inner`, whose slots are the groups of `keys`, with the keys before them, for the groups `shown` in
/// that order. A group without a row has one with its key only.
fn with_keys(keys: &KeyTable, shown: &[u32], inner: &SlotTable) -> SlotTable {
    let parent_of = |group: u32| keys.groups().get(group as usize).map_or(NO_SLOT, |group| group.parent);
    let rows = shown.iter().map(|group| (*group, parent_of(*group), *group));
    with_texts(keys, rows, inner, keys.groups().len(), "")
}

/// The rows of `inner`, which has `count` slots, with keys before them: for each of `rows` a slot of it, the slot it goes
/// to, and the group whose texts are its keys; `other` stands for those of [`NO_SLOT`].
fn with_texts(
    keys: &KeyTable,
    rows: impl Iterator<Item = (u32, u32, u32)>,
    inner: &SlotTable,
    count: usize,
    other: &str,
) -> SlotTable {
    let starts = inner.starts(count);
    let mut picks = Vec::with_capacity(inner.rows());
    let mut slots = Vec::with_capacity(inner.rows());
    let mut columns: Vec<ColumnBuilder> =
        keys.names().iter().map(|_| ColumnBuilder::with_capacity(inner.rows())).collect();
    for (from, to, group) in rows {
        let mut add = |pick: u32| {
            picks.push(pick);
            slots.push(to);
            match group {
                NO_SLOT => columns.iter_mut().for_each(|column| column.text(other)),
                _ => columns
                    .iter_mut()
                    .zip(keys.texts(group as usize))
                    .for_each(|(column, text)| column.text(text)),
            }
        };
        match (starts.get(from as usize), starts.get(from as usize + 1)) {
            (Some(start), Some(end)) if start < end => (*start..*end).for_each(add),
            _ => add(NO_SLOT),
        }
    }
    let mut table = inner.gather(&picks, slots);
    let mut named = Vec::with_capacity(columns.len() + table.columns.len());
    for (name, column) in keys.names().iter().zip(columns) {
        let key = column.finish();
        match table.columns.iter_mut().find(|(other, _)| other == name) {
            None => named.push((Arc::clone(name), key)),
            // A function that writes a field named as a key has the last word, in rows for which it has one.
            Some((_, written)) => {
                let lacks = |row: usize| written.get(row).is_none();
                if (0..picks.len()).any(lacks) {
                    let parts = [written.clone(), key];
                    *written = Column::weave(&parts, picks.len(), |row| Some((usize::from(lacks(row)), row)));
                }
            }
        }
    }
    named.append(&mut table.columns);
    // Groups are no events, even where the function gives such.
    SlotTable { columns: named, order: Vec::new(), ..table }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::spec::{NumberKind, NumberSpec, PercentileSpec};
    use super::super::{AggregateState, NoPipelines, Source};
    use super::*;
    use crate::record::{Column, Dictionary, Selection};

    /// A row: codes of two keys, a number, and whether it is stepped over.
    type Row = (u32, u32, Option<i64>, bool);

    /// Texts by code: as codes, which may have gaps, or row by row.
    fn keys(codes: Vec<u32>, name: &str, coded: bool) -> Column {
        let mut dictionary = Dictionary::default();
        (0..4).for_each(|code| _ = dictionary.push(&format!("{name}{code}")));
        let column = Column::Dictionary { codes: codes.into(), dictionary: dictionary.into() };
        if coded { column } else { rebuilt(&column) }
    }

    fn rebuilt(column: &Column) -> Column {
        let mut built = ColumnBuilder::default();
        (0..column.len()).for_each(|row| match column.get(row) {
            Some(value) => built.text(&value.text()),
            None => built.missing(),
        });
        built.finish()
    }

    fn numbers(rows: &[Row], coded: bool) -> Column {
        let present = Selection::from_fn(rows.len(), |row| rows[row].2.is_some());
        let values = rows.iter().map(|row| row.2.unwrap_or(-7)).collect();
        let present = if present.is_all() { None } else { Some(Arc::new(present)) };
        let column = Column::Ints { values, present };
        if coded { column } else { rebuilt(&column) }
    }

    fn told(spec: &GroupBySpec, batches: &[Vec<Row>], coded: bool) -> String {
        let context = Arc::new(Context::default());
        let mut state = AggregateState::new(&AggregateSpec::GroupBy(spec.clone()), &context, Source::Events);
        for rows in batches {
            let columns = [
                (Arc::from("k"), keys(rows.iter().map(|row| row.0).collect(), "k", coded)),
                (Arc::from("g"), keys(rows.iter().map(|row| row.1).collect(), "g", coded)),
                (Arc::from("n"), numbers(rows, coded)),
            ];
            let within = Selection::from_fn(rows.len(), |row| rows[row].3);
            let input =
                Input { rows: rows.len(), order: &[], columns: &columns, within: &within, weights: None };
            state.step(&input, &mut NoPipelines).unwrap();
        }
        let table = state.result(&mut NoPipelines).unwrap();
        let column = |(name, column): &(Arc<str>, Column)| {
            let values: Vec<_> =
                (0..table.rows).map(|row| column.get(row).map(|value| value.text().into_owned())).collect();
            format!("{name}: {values:?}")
        };
        table.columns.iter().map(column).collect::<Vec<_>>().join("\n")
    }

    fn specs() -> Vec<GroupBySpec> {
        let number = |kind: NumberKind, field: &str| {
            AggregateSpec::Number(NumberSpec {
                kind,
                field: field.into(),
                output: format!("{kind:?}").into(),
            })
        };
        let outputs =
            vec![(50.0, PercentileSpec::column(None, 50.0)), (99.0, PercentileSpec::column(None, 99.0))];
        let functions = [
            number(NumberKind::Avg, "n"),
            number(NumberKind::Max, "n"),
            AggregateSpec::Product(
                [NumberKind::Sum, NumberKind::Min, NumberKind::Range].map(|kind| number(kind, "n")).to_vec(),
            ),
            AggregateSpec::Product(vec![
                AggregateSpec::count(),
                number(NumberKind::Avg, "n"),
                number(NumberKind::Max, "n"),
            ]),
            AggregateSpec::Product(vec![number(NumberKind::Avg, "n"), number(NumberKind::Max, "absent")]),
            AggregateSpec::Percentile(PercentileSpec { field: "n".into(), outputs, accuracy: 0.01 }),
        ];
        let keys = [&["k"][..], &["k", "g"]];
        let spec = |keys: &[&str], function: &AggregateSpec| GroupBySpec {
            keys: keys.iter().map(|key| Arc::from(*key)).collect(),
            function: Box::new(function.clone()),
            limit: 100,
            other: None,
        };
        keys.iter().flat_map(|keys| functions.iter().map(|function| spec(keys, function))).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn by_code_groups_learn_what_they_do_row_by_row(
            batches in prop::collection::vec(
                (
                    prop::collection::vec((0_u32..6, 0_u32..5, any::<u32>(), any::<i64>(), prop::bool::weighted(0.8)), 0..200),
                    0_u32..4,
                ),
                1..5,
            ),
        ) {
            let batches: Vec<Vec<Row>> = batches
                .into_iter()
                .map(|(rows, form)| {
                    let number = |small: u32, large: i64| match form {
                        // Short ones, short ones with gaps, of which the least are longer, of any length.
                        0 => Some(i64::from(small % 5_000)),
                        1 => Some(i64::from(small)).filter(|n| n % 3 != 0),
                        2 => Some(i64::from(small) << (small % 19)),
                        _ => Some(large),
                    };
                    rows.into_iter().map(|(k, g, small, large, within)| (k, g, number(small, large), within)).collect()
                })
                .collect();
            for spec in specs() {
                prop_assert_eq!(told(&spec, &batches, true), told(&spec, &batches, false), "{:?}", spec);
            }
        }
    }
}

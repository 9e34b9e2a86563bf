//! `bucket` and `timeChart`: a slot of the function inside for each time bucket, and for each series in it.

mod coding;
mod windows;

use std::sync::Arc;

use hashbrown::HashMap;

use super::body::{Body, Run};
use super::read::each_number;
use super::slots::{NO_SLOT, SlotTable, Slots};
use super::spec::{AggregateSpec, BUCKETS_MAX, BucketSpec, GROUP_LIMIT_MAX, GroupBySpec, SpanSpec};
use super::{Input, Pipelines, Source, TIMESTAMP};
use crate::machine::{Context, StepError};
use crate::record::{Column, ColumnBuilder, Selection};
use crate::value::{ExactSum, Number, ValueRef};
use crate::windows::bucket::{Buckets, auto_span};
use crate::windows::zone::Zone;
use windows::Windowed;

/// The column of bucket starts.
pub const BUCKET: &str = "_bucket";
/// Buckets kept at most, the newest: more only arise from rows outside the queried range.
const KEPT_MAX: usize = 10_000;
const NANOS_PER_MILLI: i64 = 1_000_000;

/// A series: its parent slot and the texts of its key.
type Series = (u32, Vec<String>);

/// Buckets, a function's state each.
#[derive(Clone, Debug)]
pub(super) struct BucketStates {
    spec: BucketSpec,
    buckets: Buckets,
    index: HashMap<(u32, i64), u32, foldhash::fast::FixedState>,
    /// Parent slot and start of each bucket.
    list: Vec<(u32, i64)>,
    /// Buckets that begin earlier were let go.
    oldest: i64,
    body: Box<Body>,
    windows: Vec<Windowed>,
    scratch: Vec<u32>,
}

/// The span of `spec` over the queried range, milliseconds.
pub(super) fn span_of(spec: &BucketSpec, context: &Context) -> i64 {
    let range = context.end_nanos.saturating_sub(context.start_nanos) / NANOS_PER_MILLI;
    let span = match spec.span {
        SpanSpec::Millis(span) => span.max(1),
        SpanSpec::Buckets(count) => auto_span(range, count.clamp(1, BUCKETS_MAX)),
    };
    let span = span.max(spec.min_span_millis.unwrap_or(1));
    let most = i64::try_from(BUCKETS_MAX).unwrap_or(i64::MAX);
    // A span too short for the range is raised, not refused: a chart of 1,500 buckets answers the question.
    if range / span > most { auto_span(range, BUCKETS_MAX).max(span) } else { span }
}

/// The state of `function` for each bucket, and for each series in it.
fn series_body(function: &AggregateSpec, spec: &BucketSpec, context: &Context, source: Source) -> Body {
    match spec.keys.is_empty() {
        true => Body::new(function, context, source),
        false => {
            let (keys, function) = (spec.keys.clone(), Box::new(function.clone()));
            let series = GroupBySpec { keys, function, limit: GROUP_LIMIT_MAX, other: None };
            Body::new(&AggregateSpec::GroupBy(series), context, source)
        }
    }
}

impl BucketStates {
    pub(super) fn new(spec: &BucketSpec, context: &Context, source: Source) -> BucketStates {
        let named = spec.timezone.as_deref().unwrap_or(&context.timezone);
        let zone = Zone::parse(named).unwrap_or(Zone::UTC);
        let span = span_of(spec, context);
        let windowed = |window| Windowed::new(window, spec, span, context, source);
        BucketStates {
            buckets: Buckets::new(span, zone),
            windows: spec.windows.iter().map(windowed).collect(),
            spec: spec.clone(),
            index: HashMap::default(),
            list: Vec::new(),
            oldest: i64::MIN,
            body: Box::new(series_body(&spec.function, spec, context, source)),
            scratch: Vec::new(),
        }
    }

    pub(super) fn step(
        &mut self,
        input: &Input<'_>,
        slots: &Slots<'_>,
        pipelines: &mut dyn Pipelines,
    ) -> Result<(), StepError> {
        let times = input.column(TIMESTAMP);
        if let (Column::Constant { value, .. }, Some(parent)) = (&times, slots.single()) {
            return match value.borrow().number().and_then(Number::truncate) {
                Some(millis) => self.step_bucket(millis, parent, input, pipelines),
                None => Ok(()),
            };
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.resize(input.rows, NO_SLOT);
        let (mut last, mut last_bucket) = ((NO_SLOT, 0), NO_SLOT);
        each_number(&times, input.within, |row, number| {
            let parent = slots.of(row);
            let (Some(millis), true) = (number.truncate(), parent != NO_SLOT) else { return };
            let key = (parent, self.buckets.start(millis));
            if key != last {
                (last, last_bucket) = (key, self.find(key));
            }
            if let Some(slot) = scratch.get_mut(row) {
                *slot = last_bucket;
            }
        });
        let mut within = input.within.clone();
        within.retain(|row| scratch.get(row).is_some_and(|slot| *slot != NO_SLOT));
        let input = Input { within: &within, ..*input };
        let stepped = self.learn(&input, &Slots::each(&scratch, self.list.len()), pipelines);
        self.scratch = scratch;
        self.cut(KEPT_MAX * 2);
        stepped
    }

    /// All rows of `input` are of one time.
    fn step_bucket(
        &mut self,
        millis: i64,
        parent: u32,
        input: &Input<'_>,
        pipelines: &mut dyn Pipelines,
    ) -> Result<(), StepError> {
        let start = self.buckets.start(millis);
        if parent == NO_SLOT || input.within.is_empty() {
            return Ok(());
        }
        let slot = self.find((parent, start));
        if slot != NO_SLOT {
            self.learn(input, &Slots::all_to(slot, self.list.len()), pipelines)?;
            self.cut(KEPT_MAX * 2);
        }
        Ok(())
    }

    fn learn(
        &mut self,
        input: &Input<'_>,
        slots: &Slots<'_>,
        pipelines: &mut dyn Pipelines,
    ) -> Result<(), StepError> {
        self.body.step(input, slots, pipelines)?;
        self.windows.iter_mut().try_for_each(|window| window.body.step(input, slots, pipelines))
    }

    /// The end of a stretch of time from `millis` on that lies in one bucket, milliseconds, exclusive.
    pub(super) fn until(&mut self, millis: i64) -> i64 {
        self.buckets.until(millis)
    }

    /// The number of a bucket, made if there is none; [`NO_SLOT`] if it was let go.
    fn find(&mut self, key: (u32, i64)) -> u32 {
        if key.1 < self.oldest {
            return NO_SLOT;
        }
        let next = u32::try_from(self.list.len()).unwrap_or(NO_SLOT);
        let number = *self.index.entry(key).or_insert(next);
        if number == next {
            self.list.push(key);
        }
        number
    }

    pub(super) fn merge(&mut self, other: &BucketStates, map: &[u32]) {
        self.oldest = self.oldest.max(other.oldest);
        let numbers: Vec<u32> = other
            .list
            .iter()
            .map(|(parent, start)| match map.get(*parent as usize) {
                Some(parent) if *parent != NO_SLOT => self.find((*parent, *start)),
                _ => NO_SLOT,
            })
            .collect();
        self.body.merge(&other.body, &numbers, self.list.len());
        for (mine, theirs) in self.windows.iter_mut().zip(&other.windows) {
            mine.body.merge(&theirs.body, &numbers, self.list.len());
        }
        self.cut(KEPT_MAX * 2);
    }

    pub(super) fn gather(&mut self, keep: &[u32]) {
        let mut to: HashMap<u32, u32, foldhash::fast::FixedState> = HashMap::default();
        for (new, old) in (0_u32..).zip(keep) {
            to.insert(*old, new);
        }
        let kept: Vec<u32> = (0_u32..)
            .zip(&self.list)
            .filter(|(_, (parent, _))| to.contains_key(parent))
            .map(|(number, _)| number)
            .collect();
        for (parent, _) in &mut self.list {
            *parent = to.get(parent).copied().unwrap_or(NO_SLOT);
        }
        self.keep(&kept);
    }

    /// Keeps the buckets of `keep`, in that order.
    fn keep(&mut self, keep: &[u32]) {
        self.list = keep.iter().filter_map(|number| self.list.get(*number as usize).copied()).collect();
        self.index = self.list.iter().copied().zip(0..).collect();
        self.body.gather(keep);
        self.windows.iter_mut().for_each(|window| window.body.gather(keep));
    }

    /// As [`Body::clear`].
    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.index.clear();
        self.bodies().for_each(Body::clear);
    }

    fn bodies(&mut self) -> impl Iterator<Item = &mut Body> {
        std::iter::once(&mut *self.body).chain(self.windows.iter_mut().map(|window| &mut *window.body))
    }

    /// As [`Body::narrow`].
    pub(super) fn narrow(&mut self, threshold: u64) {
        self.bodies().for_each(|body| body.narrow(threshold));
    }

    /// As [`Body::threshold`].
    pub(super) fn threshold(&self) -> Option<u64> {
        let windows = self.windows.iter().filter_map(|window| window.body.threshold());
        windows.chain(self.body.threshold()).max()
    }

    /// The start below which buckets are let go.
    fn bound(&self) -> i64 {
        let mut starts: Vec<i64> = self.list.iter().map(|(_, start)| *start).collect();
        match starts.len().checked_sub(KEPT_MAX).filter(|at| *at > 0) {
            Some(at) => (*starts.select_nth_unstable(at).1).max(self.oldest),
            None => self.oldest,
        }
    }

    fn cut(&mut self, above: usize) {
        if self.list.len() <= above {
            return;
        }
        self.oldest = self.bound();
        let keep: Vec<u32> = (0_u32..)
            .zip(&self.list)
            .filter(|(_, (_, start))| *start >= self.oldest)
            .map(|(number, _)| number)
            .collect();
        self.keep(&keep);
    }

    pub(super) fn output(&self, count: usize, run: &mut Run<'_>) -> Result<SlotTable, StepError> {
        let mut inner = self.body.output(self.list.len(), run)?;
        for window in &self.windows {
            window.add(&mut inner, &self.list, (&self.spec, self.buckets.span()), run)?;
        }
        let bound = self.bound();
        let place = |row: usize| inner.slots.get(row).and_then(|slot| self.list.get(*slot as usize)).copied();
        let mut rows: Vec<u32> = (0_u32..).take(inner.rows()).collect();
        let shown = |row: &u32| {
            place(*row as usize).is_some_and(|(parent, start)| (parent as usize) < count && start >= bound)
        };
        rows.retain(shown);
        if bound != i64::MIN {
            run.warnings.push(format!("only the newest {KEPT_MAX} time buckets are kept"));
        }
        if !self.spec.keys.is_empty() {
            self.keep_series(&inner, &mut rows, &place, run);
        }
        // Sorting is stable, and rows of one bucket come in the order of their keys.
        rows.sort_by_key(|row| place(*row as usize));
        let mut starts = ColumnBuilder::with_capacity(rows.len());
        let mut slots = Vec::with_capacity(rows.len());
        for row in &rows {
            let (parent, start) = place(*row as usize).unwrap_or((NO_SLOT, 0));
            starts.int(start);
            slots.push(parent);
        }
        let mut table = inner.gather(&rows, slots);
        table.order.clear();
        table.columns.retain(|(name, _)| **name != *BUCKET);
        table.columns.insert(0, (Arc::from(BUCKET), starts.finish()));
        self.note(run);
        Ok(table)
    }

    fn note(&self, run: &mut Run<'_>) {
        let mut note = |name: &str, value: String| {
            if run.notes.iter().all(|(have, _)| have != name) {
                run.notes.push((name.to_owned(), value));
            }
        };
        note("bucket_span_millis", self.buckets.span().to_string());
        if self.spec.chart {
            note("timechart", "true".to_owned());
            if !self.spec.keys.is_empty() {
                note("series", self.spec.keys.join(","));
            }
        }
    }

    /// Keeps the rows of the series with the greatest totals of the function's first numeric column, each parent
    /// slot by itself.
    fn keep_series(
        &self,
        inner: &SlotTable,
        rows: &mut Vec<u32>,
        place: &impl Fn(usize) -> Option<(u32, i64)>,
        run: &mut Run<'_>,
    ) {
        let is_key = |name: &Arc<str>| self.spec.keys.contains(name);
        let keys: Vec<&Column> =
            inner.columns.iter().filter(|(name, _)| is_key(name)).map(|(_, column)| column).collect();
        let series = |row: u32| -> Series {
            let text =
                |column: &&Column| column.get(row as usize).map_or(String::new(), |v| v.text().into_owned());
            (place(row as usize).map_or(NO_SLOT, |(parent, _)| parent), keys.iter().map(text).collect())
        };
        let all = Selection::all(inner.rows());
        let mut numbers = inner.columns.iter().filter(|(name, _)| !is_key(name)).map(|(_, column)| column);
        let numeric =
            numbers.find(|column| all.iter().any(|row| column.get(row).and_then(ValueRef::number).is_some()));
        let mut totals: HashMap<Series, ExactSum> = HashMap::new();
        for row in rows.iter() {
            let total = totals.entry(series(*row)).or_default();
            if let Some(number) =
                numeric.and_then(|column| column.get(*row as usize)).and_then(ValueRef::number)
            {
                total.add(number);
            }
        }
        let mut ranked: Vec<(Series, Option<Number>)> =
            totals.into_iter().map(|(series, total)| (series, total.number())).collect();
        ranked.sort_by(|a, b| a.0.0.cmp(&b.0.0).then_with(|| b.1.cmp(&a.1)).then_with(|| a.0.1.cmp(&b.0.1)));
        let before = ranked.len();
        let (mut last, mut taken) = (NO_SLOT, 0);
        ranked.retain(|((parent, _), _)| {
            taken = if *parent == last { taken + 1 } else { 1 };
            last = *parent;
            taken <= self.spec.limit
        });
        if ranked.len() < before {
            run.warnings
                .push(format!("{} of {before} series shown: those with the greatest totals", ranked.len()));
            let kept: hashbrown::HashSet<Series> = ranked.into_iter().map(|(series, _)| series).collect();
            rows.retain(|row| kept.contains(&series(*row)));
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let windows: usize = self.windows.iter().map(|window| window.body.bytes()).sum();
        let index = self.index.allocation_size() + self.list.capacity() * size_of::<(u32, i64)>();
        index + self.body.bytes() + windows
    }
}

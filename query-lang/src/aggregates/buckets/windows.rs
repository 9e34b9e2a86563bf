//! `window`: of each bucket and those before it an aggregate.
//!
//! What a window tells is merged from the states of its buckets when the result is asked for: what is learnt of a bucket is
//! learnt once, however many windows it is in.

use std::sync::Arc;

use hashbrown::HashMap;

use super::series_body;
use crate::aggregates::Source;
use crate::aggregates::body::{Body, Run};
use crate::aggregates::slots::{NO_SLOT, SlotTable};
use crate::aggregates::spec::{BUCKETS_MAX, BucketSpec, WindowLength, WindowSpec};
use crate::machine::{Context, StepError};
use crate::record::Column;

const NANOS_PER_MILLI: i64 = 1_000_000;

/// What a function has learnt of each bucket, to be told of windows of them.
#[derive(Clone, Debug)]
pub(super) struct Windowed {
    pub(super) body: Box<Body>,
    /// What it has learnt of nothing.
    empty: Box<Body>,
    outputs: Vec<Arc<str>>,
    /// Buckets in a window.
    buckets: i64,
    /// The queried range is as long as a window.
    fits: bool,
}

impl Windowed {
    pub(super) fn new(
        window: &WindowSpec,
        spec: &BucketSpec,
        span: i64,
        context: &Context,
        source: Source,
    ) -> Windowed {
        let most = i64::try_from(BUCKETS_MAX).unwrap_or(i64::MAX);
        let buckets = match window.length {
            WindowLength::Buckets(buckets) => i64::try_from(buckets).unwrap_or(most),
            WindowLength::Millis(millis) => millis.saturating_add(span / 2) / span.max(1),
        };
        let buckets = buckets.clamp(1, most);
        let range = context.end_nanos.saturating_sub(context.start_nanos) / NANOS_PER_MILLI;
        let body = Box::new(series_body(&window.function, spec, context, source));
        Windowed {
            empty: body.clone(),
            body,
            outputs: window.function.outputs(),
            buckets,
            // A range that does not begin with a bucket reaches into one more.
            fits: buckets.saturating_mul(span) <= range.saturating_add(span),
        }
    }

    /// Adds what is told of the windows that end with the buckets of `list` to the rows of `inner`, which are of these buckets.
    pub(super) fn add(
        &self,
        inner: &mut SlotTable,
        list: &[(u32, i64)],
        (spec, span): (&BucketSpec, i64),
        run: &mut Run<'_>,
    ) -> Result<(), StepError> {
        let told = if self.fits { self.told(list, span, run)? } else { SlotTable::default() };
        let mut found: HashMap<(u32, Vec<String>), u32> = HashMap::new();
        let keys = |table: &SlotTable, row: usize| -> (u32, Vec<String>) {
            let key = |name: &Arc<str>| {
                let column = table.columns.iter().find(|(have, _)| have == name).map(|(_, column)| column);
                column
                    .and_then(|column| column.get(row))
                    .map_or(String::new(), |value| value.text().into_owned())
            };
            (table.slots.get(row).copied().unwrap_or(NO_SLOT), spec.keys.iter().map(key).collect())
        };
        for row in 0..told.rows() {
            found.entry(keys(&told, row)).or_insert(row as u32);
        }
        let row = |at: usize| found.get(&keys(inner, at)).map(|row| (0, *row as usize));
        let columns: Vec<(Arc<str>, Column)> = self
            .outputs
            .iter()
            .map(|name| {
                let column = told.columns.iter().find(|(have, _)| have == name).map(|(_, column)| column);
                let missing = Column::Missing { rows: told.rows() };
                let source = std::slice::from_ref(column.unwrap_or(&missing));
                (Arc::clone(name), Column::weave(source, inner.rows(), row))
            })
            .collect();
        inner.columns.extend(columns);
        Ok(())
    }

    fn told(&self, list: &[(u32, i64)], span: i64, run: &mut Run<'_>) -> Result<SlotTable, StepError> {
        // Days of a zone need not be equally long: the nearest whole number of spans is theirs.
        let place = |start: i64| start.saturating_add(span / 2).div_euclid(span.max(1));
        let numbers: HashMap<(u32, i64), u32> =
            list.iter().map(|(parent, start)| (*parent, place(*start))).zip(0_u32..).collect();
        let mut merged = self.empty.clone();
        for later in 0..self.buckets {
            let to = |(parent, start): &(u32, i64)| {
                numbers.get(&(*parent, place(*start).saturating_add(later))).copied().unwrap_or(NO_SLOT)
            };
            let map: Vec<u32> = list.iter().map(to).collect();
            if map.iter().any(|to| *to != NO_SLOT) {
                merged.merge(&self.body, &map, list.len());
            }
            // Each bucket more may bring groups of its own to all windows.
            let (bytes, limit) = (merged.bytes(), run.context.state_limit());
            if bytes > limit {
                return Err(StepError::StateTooLarge { bytes, limit });
            }
        }
        merged.output(list.len(), run)
    }
}

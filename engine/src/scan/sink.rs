//! Where the rows that passed go: into one state, or into one state a bucket of time.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use weir_query::machine::{Frame, Machine, State, StepError};
use weir_query::record::{Column, OrderKey, Rows, Selection, Summary};
use weir_query::value::ValueRef;

/// The meta field that says when an event arrived, milliseconds.
const INGEST_FIELD: &str = "@ingesttimestamp";
const NANOS_A_MILLI: i64 = 1_000_000;

/// How rows are laid out over states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// All in one.
    One,
    /// By event time: bucket `n` holds `[n * granule, (n + 1) * granule)`.
    ByEventTime {
        /// Span of a bucket, nanoseconds, positive.
        granule_nanos: i64,
    },
    /// By time of arrival.
    ByIngestTime {
        /// Span of a bucket, nanoseconds, positive.
        granule_nanos: i64,
        /// Earlier buckets are left out.
        first_bucket: i64,
        /// Later buckets are left out.
        last_bucket: i64,
    },
}

/// States, one or one a bucket.
#[derive(Clone, Debug)]
pub(crate) enum Sums {
    /// [`Layout::One`].
    One(Box<State>),
    /// The state and how many rows went into it, by bucket.
    Buckets(BTreeMap<i64, Sum>),
}

/// The state of one bucket.
#[derive(Clone, Debug)]
pub(crate) struct Sum {
    /// What was learnt.
    pub(crate) state: State,
    /// From so many rows.
    pub(crate) rows: u64,
    /// The least of their event times, nanoseconds.
    pub(crate) first_nanos: i64,
    /// The greatest of their event times, nanoseconds.
    pub(crate) last_nanos: i64,
}

impl Layout {
    /// Times of arrival that count, nanoseconds.
    pub(super) fn ingest_range(self) -> Range<i64> {
        match self {
            Layout::One | Layout::ByEventTime { .. } => i64::MIN..i64::MAX,
            Layout::ByIngestTime { granule_nanos, first_bucket, last_bucket } => {
                first_bucket.saturating_mul(granule_nanos)
                    ..last_bucket.saturating_add(1).saturating_mul(granule_nanos)
            }
        }
    }

    /// No states yet.
    pub(super) fn empty(self, machine: &Machine) -> Sums {
        match self {
            Layout::One => Sums::One(Box::new(machine.new_state())),
            Layout::ByEventTime { .. } | Layout::ByIngestTime { .. } => Sums::Buckets(BTreeMap::new()),
        }
    }
}

fn ingest_nanos(arrived: &Column, row: usize) -> Option<i64> {
    match arrived.get(row)? {
        ValueRef::Int(millis) => Some(millis.saturating_mul(NANOS_A_MILLI)),
        ValueRef::Text(text) => text.parse::<i64>().ok().map(|millis| millis.saturating_mul(NANOS_A_MILLI)),
        ValueRef::Float(_) => None,
    }
}

impl Sums {
    /// Steps `machine` over the rows of `within`.
    pub(super) fn step(
        &mut self,
        layout: Layout,
        machine: &mut Machine,
        rows: &dyn Rows,
        within: Selection,
    ) -> Result<(), StepError> {
        match (self, layout) {
            (Sums::One(state), _) => machine.step(rows, within, state),
            (Sums::Buckets(buckets), Layout::ByIngestTime { granule_nanos, first_bucket, last_bucket }) => {
                split_by_arrival(
                    rows,
                    &within,
                    granule_nanos,
                    first_bucket..=last_bucket,
                    |bucket, chosen| {
                        let frame = machine.select(rows, chosen)?;
                        let all = Selection::all(frame.order().len());
                        absorb_into(buckets, bucket, machine, &frame, &all)
                    },
                )
            }
            (Sums::Buckets(buckets), Layout::ByEventTime { granule_nanos }) => {
                let frame = machine.select(rows, within)?;
                split(frame.order(), granule_nanos, |bucket, within| {
                    absorb_into(buckets, bucket, machine, &frame, within)
                })
            }
            // One scan has one layout.
            (Sums::Buckets(_), Layout::One) => Ok(()),
        }
    }

    /// Does what [`Sums::step`] would do over all rows that `summary` tells about; false, and nothing done, when the
    /// rows have to be read.
    pub(super) fn absorb(&mut self, machine: &mut Machine, summary: &dyn Summary) -> Result<bool, StepError> {
        match self {
            Sums::One(state) => machine.absorb_summary(summary, state),
            Sums::Buckets(_) => Ok(false),
        }
    }

    /// Adds what `state` learnt of one block.
    pub(super) fn merge_state(&mut self, state: &State) -> Result<(), StepError> {
        match self {
            Sums::One(own) => own.merge(state),
            Sums::Buckets(_) => Ok(()),
        }
    }

    /// Adds what `other` learnt, the smaller of the two to the larger; and be it over the limit of a state: what is held
    /// in all is watched by the scan.
    pub(super) fn take_in(&mut self, mut other: Sums) {
        if other.bytes() > self.bytes() {
            std::mem::swap(self, &mut other);
        }
        self.add(&other);
    }

    /// Adds what `other` learnt, and be it over the limit.
    pub(super) fn add(&mut self, other: &Sums) {
        // The sum then holds what both learnt all the same.
        let _over = self.merge(other);
    }

    /// Adds what `other` learnt.
    ///
    /// # Errors
    /// When the sum outgrows its limit; it then holds what both learnt all the same.
    pub(super) fn merge(&mut self, other: &Sums) -> Result<(), StepError> {
        match (self, other) {
            (Sums::One(state), Sums::One(other)) => state.merge(other),
            (Sums::Buckets(buckets), Sums::Buckets(others)) => {
                let mut end = Ok(());
                for (bucket, other) in others {
                    match buckets.get_mut(bucket) {
                        Some(sum) => {
                            end = end.and(sum.state.merge(&other.state));
                            sum.rows += other.rows;
                            sum.first_nanos = sum.first_nanos.min(other.first_nanos);
                            sum.last_nanos = sum.last_nanos.max(other.last_nanos);
                        }
                        None => drop(buckets.insert(*bucket, other.clone())),
                    }
                }
                end
            }
            // One scan has one layout.
            (Sums::One(_), Sums::Buckets(_)) | (Sums::Buckets(_), Sums::One(_)) => Ok(()),
        }
    }

    /// Bytes of memory held.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Sums::One(state) => state.bytes(),
            Sums::Buckets(buckets) => buckets.values().map(|sum| sum.state.bytes()).sum(),
        }
    }

    /// See [`State::horizon`]; states by bucket have none.
    pub(super) fn horizon(&self) -> Option<OrderKey> {
        match self {
            Sums::One(state) => state.horizon(),
            Sums::Buckets(_) => None,
        }
    }
}

/// Calls `each` once a bucket of arrival with the rows of `within` that fall into it.
fn split_by_arrival(
    rows: &dyn Rows,
    within: &Selection,
    granule_nanos: i64,
    counted: RangeInclusive<i64>,
    mut each: impl FnMut(i64, Selection) -> Result<(), StepError>,
) -> Result<(), StepError> {
    let arrived = rows.column(INGEST_FIELD, within)?;
    let mut keyed: Vec<(i64, usize)> = within
        .iter()
        .filter_map(|row| Some((ingest_nanos(&arrived, row)?.div_euclid(granule_nanos), row)))
        .filter(|(bucket, _)| counted.contains(bucket))
        .collect();
    keyed.sort_unstable();
    for run in keyed.chunk_by(|one, next| one.0 == next.0) {
        let mut chosen = Selection::none(rows.len());
        run.iter().for_each(|(_, row)| chosen.insert(*row));
        if let Some((bucket, _)) = run.first() {
            each(*bucket, chosen)?;
        }
    }
    Ok(())
}

fn absorb_into(
    buckets: &mut BTreeMap<i64, Sum>,
    bucket: i64,
    machine: &mut Machine,
    frame: &Frame,
    within: &Selection,
) -> Result<(), StepError> {
    if within.is_empty() {
        return Ok(());
    }
    let sum = buckets.entry(bucket).or_insert_with(|| Sum {
        state: machine.new_state(),
        rows: 0,
        first_nanos: i64::MAX,
        last_nanos: i64::MIN,
    });
    machine.absorb(frame, within, &mut sum.state)?;
    sum.rows += within.count() as u64;
    for key in within.iter().filter_map(|row| frame.order().get(row)) {
        sum.first_nanos = sum.first_nanos.min(key.nanos);
        sum.last_nanos = sum.last_nanos.max(key.nanos);
    }
    Ok(())
}

/// So many buckets are told apart row by row; rows of more are sorted by their buckets.
const FEW_BUCKETS: usize = 8;

/// Calls `each` once a bucket of event time with the rows of `order` that fall into it, ascending.
pub(crate) fn split<E>(
    order: &[OrderKey],
    granule_nanos: i64,
    mut each: impl FnMut(i64, &Selection) -> Result<(), E>,
) -> Result<(), E> {
    let granule_nanos = granule_nanos.max(1);
    match few_buckets(order, granule_nanos) {
        Some(buckets) => buckets.iter().try_for_each(|(bucket, within)| each(*bucket, within)),
        None => split_sorted(order, granule_nanos, each),
    }
}

/// The rows of each bucket, by bucket; `None`: there are more than [`FEW_BUCKETS`]. Rows next to each other are mostly of
/// one bucket, and then nothing is divided.
fn few_buckets(order: &[OrderKey], granule_nanos: i64) -> Option<Vec<(i64, Selection)>> {
    let mut buckets: Vec<(i64, Selection)> = Vec::with_capacity(2);
    // Where the bucket of the row before starts, and which it is; no start: before the first time there is.
    let (mut start, mut at) = (None, 0);
    let is_in = |start: i64, nanos: i64| nanos >= start && nanos.abs_diff(start) < granule_nanos as u64;
    for (row, key) in order.iter().enumerate() {
        if !start.is_some_and(|start| is_in(start, key.nanos)) {
            let bucket = key.nanos.div_euclid(granule_nanos);
            start = bucket.checked_mul(granule_nanos);
            at = match buckets.iter().position(|(own, _)| *own == bucket) {
                Some(at) => at,
                None if buckets.len() == FEW_BUCKETS => return None,
                None => {
                    buckets.push((bucket, Selection::none(order.len())));
                    buckets.len() - 1
                }
            };
        }
        if let Some((_, within)) = buckets.get_mut(at) {
            within.insert(row);
        }
    }
    buckets.sort_unstable_by_key(|(bucket, _)| *bucket);
    Some(buckets)
}

/// As [`split`], of any number of buckets: one selection is used for all, so that many cost no memory.
fn split_sorted<E>(
    order: &[OrderKey],
    granule_nanos: i64,
    mut each: impl FnMut(i64, &Selection) -> Result<(), E>,
) -> Result<(), E> {
    let bucket_of = |key: &OrderKey| key.nanos.div_euclid(granule_nanos);
    let mut keyed: Vec<(i64, usize)> =
        order.iter().enumerate().map(|(row, key)| (bucket_of(key), row)).collect();
    if !keyed.is_sorted() {
        keyed.sort_unstable();
    }
    let mut within = Selection::none(order.len());
    for run in keyed.chunk_by(|one, next| one.0 == next.0) {
        run.iter().for_each(|(_, row)| within.insert(*row));
        if let Some((bucket, _)) = run.first() {
            each(*bucket, &within)?;
        }
        run.iter().for_each(|(_, row)| within.remove(*row));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use weir_query::compile::Options;
    use weir_query::machine::Context;
    use weir_query::program::Program;

    use super::*;
    use crate::scan::testing::Places;

    #[test]
    fn rows_are_split_by_bucket_before_and_after_the_epoch() {
        let order: Vec<OrderKey> =
            [5, -1, 12, 0, -10, 9].into_iter().map(|nanos| OrderKey { nanos, sequence: 0 }).collect();
        let mut found = Vec::new();
        split(&order, 10, |bucket, within| {
            found.push((bucket, within.iter().collect::<Vec<_>>()));
            Ok::<(), ()>(())
        })
        .unwrap();
        assert_eq!(found, [(-1, vec![1, 4]), (0, vec![0, 3, 5]), (1, vec![2])]);
    }

    proptest! {
        #[test]
        fn few_buckets_are_told_apart_as_many_are(
            times in prop::collection::vec(prop_oneof![-40..60_i64, i64::MIN..i64::MAX, Just(i64::MIN), Just(i64::MAX)], 0..200),
            near in any::<bool>(),
            granule in prop_oneof![1..50_i64, 1..i64::MAX],
        ) {
            let order: Vec<OrderKey> = times
                .iter()
                .map(|nanos| OrderKey { nanos: if near { nanos % 100 } else { *nanos }, sequence: 0 })
                .collect();
            let (mut sorted, mut found) = (Vec::new(), Vec::new());
            let push = |to: &mut Vec<(i64, Selection)>, bucket: i64, within: &Selection| {
                to.push((bucket, within.clone()));
                Ok::<(), ()>(())
            };
            split_sorted(&order, granule, |bucket, within| push(&mut sorted, bucket, within)).unwrap();
            split(&order, granule, |bucket, within| push(&mut found, bucket, within)).unwrap();
            prop_assert_eq!(few_buckets(&order, granule).is_some(), sorted.len() <= FEW_BUCKETS);
            prop_assert_eq!(found, sorted);
        }
    }

    #[test]
    fn what_is_over_the_limit_is_merged_all_the_same() {
        let program = Program::compile("groupBy(@id)", &Options::default()).unwrap();
        let sums = |buckets: Range<i64>, max_state_bytes: usize| {
            let context = Context { max_state_bytes, ..Context::default() };
            let mut machine = Machine::new(Arc::clone(&program), context);
            let order = |bucket: i64| OrderKey { nanos: bucket * 10, sequence: 0 };
            let rows = Places { order: buckets.map(order).collect() };
            let mut sums = Layout::ByEventTime { granule_nanos: 10 }.empty(&machine);
            let within = Selection::all(rows.len());
            let learnt = sums.step(Layout::ByEventTime { granule_nanos: 10 }, &mut machine, &rows, within);
            (sums, learnt.is_ok())
        };
        // A state that is over its limit from the beginning says so, and its rows are not counted.
        let mut one = Sums::Buckets(BTreeMap::new());
        for bucket in 0..3 {
            let (tight, is_within) = sums(bucket..bucket + 1, 1);
            assert!(!is_within);
            one.add(&tight);
        }
        let (other, is_within) = sums(0..5, 1 << 20);
        assert!(is_within);
        assert!(one.merge(&other).is_err());
        let Sums::Buckets(buckets) = &one else { panic!("one scan has one layout") };
        let rows: Vec<(i64, u64)> = buckets.iter().map(|(bucket, sum)| (*bucket, sum.rows)).collect();
        assert_eq!(rows, [(0, 1), (1, 1), (2, 1), (3, 1), (4, 1)]);
    }
}

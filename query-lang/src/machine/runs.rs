//! Rows cut where one time bucket ends and the next begins: a time for each run of rows instead of each row.

use std::ops::Range;

use crate::aggregates::AggregateState;
use crate::record::{RowsError, Selection, Timeline};

/// Runs are not worth it when they have fewer rows on average: what an aggregate does once a step it does once a run,
/// and some of that is as long as the block.
const ROWS_PER_RUN: usize = 2_048;
/// But so many may always be tried.
const RUNS_LEAST: usize = 4;

/// Rows, and a time that stands for all of theirs, milliseconds.
pub(super) type Run = (Range<usize>, i64);

/// The rows of `within` cut into runs between whose rows time makes no difference to `aggregate`, each with a time
/// that stands for all of it, milliseconds. `None`: there is no such cut, or it has too many runs.
pub(super) fn of(
    timeline: &dyn Timeline,
    within: &Selection,
    aggregate: &mut AggregateState,
) -> Result<Option<Vec<Run>>, RowsError> {
    let most = RUNS_LEAST + within.count() / ROWS_PER_RUN;
    let mut runs = Vec::new();
    let mut next = within.first_from(0);
    while let Some(first) = next {
        let millis = timeline.time(first)?.div_euclid(super::NANOS_PER_MILLI);
        let Some(until) = aggregate.until(millis).filter(|_| runs.len() < most) else {
            return Ok(None);
        };
        let end =
            timeline.first_at(until.saturating_mul(super::NANOS_PER_MILLI), first + 1..within.rows())?;
        runs.push((first..end, millis));
        next = within.first_from(end);
    }
    Ok(Some(runs))
}

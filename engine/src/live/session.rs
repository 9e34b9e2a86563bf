//! Sessions: runs of events with no long silence between them.
//!
//! A granule is no longer than the gap, so the events of one bucket are always of one session, and a session is a run
//! of buckets. Whether two buckets are of one session depends on the last event of the one and the first of the
//! other. Nothing is remembered about sessions themselves: a late event that bridges two of them changes an extent,
//! and the next time they are one.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use weir_query::machine::{Machine, StepError};
use weir_query::record::{Column, ColumnBuilder};
use weir_query::result::ResultTable;

use super::standing::Standing;

/// The most sessions of one result; the newest ones are kept.
pub const MAX_SESSIONS: usize = 1_000;
/// The column of a session's first event time, milliseconds.
pub const SESSION_START: &str = "_session_start";
/// The column of a session's last event time, milliseconds.
pub const SESSION_END: &str = "_session_end";

/// Between which times the events of each bucket lie.
#[derive(Debug, Default)]
pub(super) struct Extents {
    by_bucket: BTreeMap<i64, (i64, i64)>,
}

/// Events without a long silence between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) buckets: Range<i64>,
    first_nanos: i64,
    last_nanos: i64,
}

impl Extents {
    /// Events of `bucket` lie between these times, both inclusive.
    pub(super) fn add(&mut self, bucket: i64, first_nanos: i64, last_nanos: i64) {
        let extent = self.by_bucket.entry(bucket).or_insert((first_nanos, last_nanos));
        *extent = (extent.0.min(first_nanos), extent.1.max(last_nanos));
    }

    pub(super) fn forget_before(&mut self, bucket: i64) {
        while let Some(first) = self.by_bucket.first_entry().filter(|first| *first.key() < bucket) {
            first.remove();
        }
    }

    pub(super) fn forget(&mut self, buckets: &Range<i64>) {
        self.by_bucket.retain(|bucket, _| !buckets.contains(bucket));
    }

    /// Each bucket with the first and the last time of its events, in order.
    pub(super) fn cut(&self) -> Vec<(i64, i64, i64)> {
        self.by_bucket.iter().map(|(bucket, (first, last))| (*bucket, *first, *last)).collect()
    }

    /// Bytes of memory held.
    pub(super) fn bytes(&self) -> usize {
        self.by_bucket.len() * size_of::<(i64, (i64, i64))>()
    }

    /// The sessions of `buckets`, oldest first: between two of them it was silent for longer than `gap_nanos`.
    pub(super) fn sessions(&self, buckets: &Range<i64>, gap_nanos: i64) -> Vec<Session> {
        let mut sessions: Vec<Session> = Vec::new();
        for (&bucket, &(first_nanos, last_nanos)) in self.by_bucket.range(buckets.clone()) {
            match sessions.last_mut() {
                Some(open) if first_nanos.saturating_sub(open.last_nanos) <= gap_nanos => {
                    open.buckets.end = bucket + 1;
                    open.last_nanos = last_nanos;
                }
                _ => sessions.push(Session { buckets: bucket..bucket + 1, first_nanos, last_nanos }),
            }
        }
        sessions
    }
}

/// The program's answer to each session in `buckets`, oldest first, one table.
pub(super) fn answer(
    machine: &mut Machine,
    standing: &mut Standing,
    buckets: &Range<i64>,
    gap_nanos: i64,
    now_nanos: i64,
) -> Result<ResultTable, StepError> {
    let sessions = standing.sessions(buckets, gap_nanos);
    let left_out = sessions.len().saturating_sub(MAX_SESSIONS);
    let mut tables = Vec::with_capacity(sessions.len() - left_out);
    for session in sessions.get(left_out..).unwrap_or_default() {
        let total = standing.total(None, &session.buckets, machine.new_state(), now_nanos)?;
        let mut table = machine.finish(&total.state)?;
        for (name, nanos) in [(SESSION_END, session.last_nanos), (SESSION_START, session.first_nanos)] {
            table.columns.retain(|(have, _)| **have != *name);
            table.columns.insert(0, (Arc::from(name), millis_column(nanos, table.rows)));
        }
        tables.push(table);
    }
    let mut joined = join(tables);
    if left_out > 0 {
        joined
            .warnings
            .push(format!("only the newest {MAX_SESSIONS} sessions are shown, {left_out} are not"));
    }
    Ok(joined)
}

fn millis_column(nanos: i64, rows: usize) -> Column {
    let mut built = ColumnBuilder::with_capacity(rows);
    (0..rows).for_each(|_| built.int(nanos.div_euclid(1_000_000)));
    built.finish()
}

/// The rows of all `tables`, one after another.
fn join(mut tables: Vec<ResultTable>) -> ResultTable {
    let picks: Vec<(usize, usize)> =
        tables.iter().enumerate().flat_map(|(at, table)| (0..table.rows).map(move |row| (at, row))).collect();
    let ordered = tables.iter().all(|table| table.order.len() == table.rows);
    let mut joined = ResultTable::pick(&tables, &picks);
    if !ordered {
        joined.order.clear();
    }
    for warning in tables.iter_mut().flat_map(|table| std::mem::take(&mut table.warnings)) {
        if !joined.warnings.contains(&warning) {
            joined.warnings.push(warning);
        }
    }
    joined.notes = tables.pop().map(|newest| newest.notes).unwrap_or_default();
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRANULE: i64 = 10;

    fn extents(times: &[i64]) -> Extents {
        let mut extents = Extents::default();
        times.iter().for_each(|time| extents.add(time.div_euclid(GRANULE), *time, *time));
        extents
    }

    #[test]
    fn sessions_are_told_apart_by_their_events() {
        let all = i64::MIN..i64::MAX;
        for (times, gap, expected) in [
            (&[][..], 10, &[][..]),
            (&[5], 10, &[(5, 5)]),
            (&[9, 19], 10, &[(9, 19)]),
            (&[9, 20], 10, &[(9, 9), (20, 20)]),
            // What lies between them bridges them, whenever it comes.
            (&[9, 27, 18], 10, &[(9, 27)]),
            (&[0, 9, 40, 49, 60], 11, &[(0, 9), (40, 60)]),
            (&[-5, 4, -15], 10, &[(-15, 4)]),
            (&[0, 100], 100, &[(0, 100)]),
        ] {
            let found: Vec<(i64, i64)> = extents(times)
                .sessions(&all, gap)
                .iter()
                .map(|session| (session.first_nanos, session.last_nanos))
                .collect();
            assert_eq!(found, expected, "{times:?} with a gap of {gap}");
        }
        let cut = extents(&[5, 15, 25, 35]).sessions(&(1..3), 10);
        assert_eq!(cut, [Session { buckets: 1..3, first_nanos: 15, last_nanos: 25 }]);
    }

    #[test]
    fn what_left_the_ring_is_forgotten() {
        let mut extents = extents(&[5, 15, 25]);
        let before = extents.bytes();
        extents.forget_before(2);
        assert_eq!(extents.sessions(&(0..9), 100).len(), 1);
        assert!(extents.bytes() < before);
    }
}

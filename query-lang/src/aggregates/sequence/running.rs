//! `accumulate`, `slidingWindow`, `slidingTimeWindow`: for each row an aggregate of a window that ends there.
//!
//! Windows move on only, so they are aggregated with two stacks: rows that have come since the stacks were turned are one
//! state, and of those before there is a state of every suffix. A row is stepped over twice at most, however long
//! windows are.

use std::ops::Range;
use std::sync::Arc;

use super::{Columns, RunningSpec, SequenceError, SlotTable, TIME_WINDOW_ROWS_MAX, Window, put, ranges};
use crate::aggregates::body::{Body, Run};
use crate::aggregates::slots::Slots;
use crate::aggregates::{Input, Source};
use crate::machine::StepError;
use crate::machine::state::DEFAULT_STATE_BYTES;
use crate::record::{Column, OrderKey, Selection};

pub(super) fn output(
    spec: &RunningSpec,
    mut table: SlotTable,
    count: usize,
    run: &mut Run<'_>,
) -> Result<SlotTable, StepError> {
    let needs = spec.function.needs();
    let all = needs.all || !needs.pipelines.is_empty();
    let read: Vec<(Arc<str>, Column)> =
        table.columns.iter().filter(|(name, _)| all || needs.fields.contains(name)).cloned().collect();
    let mut columns = Columns::default();
    // A function that has no row, as the mean of nothing, leaves no value of an earlier step.
    let mut outputs = spec.function.outputs();
    outputs.dedup();
    let missing = |name| (name, Column::Missing { rows: table.rows() });
    let mut written: Vec<(Arc<str>, Column)> = outputs.into_iter().map(missing).collect();
    let empty = Body::new(&spec.function, run.context, Source::Table);
    for range in ranges(&table, count) {
        let windows = windows(spec, &table, range.clone())?;
        let mut stacks = Stacks::new(&empty, range.start, &windows);
        for (row, window) in range.zip(&windows) {
            let Some(window) = window else { continue };
            stacks.advance(window, &read, run)?;
            let result = stacks.result(run)?;
            for (name, column) in &result.columns {
                if let Some(value) = column.get(0) {
                    columns.write(name, row, value);
                }
            }
        }
    }
    written.extend(columns.finish(table.rows()));
    put(&mut table, written);
    Ok(table)
}

/// The rows of the window of each row of `rows`; both ends never go back. None: the row has no time, and is in no
/// window.
fn windows(
    spec: &RunningSpec,
    table: &SlotTable,
    rows: Range<usize>,
) -> Result<Vec<Option<Range<usize>>>, SequenceError> {
    let end = |row: usize| if spec.is_inclusive { row + 1 } else { row };
    let first = rows.start;
    match &spec.window {
        Window::All => Ok(rows.map(|row| Some(first..end(row))).collect()),
        Window::Rows(most) => {
            Ok(rows.map(|row| Some(end(row).saturating_sub(*most).max(first)..end(row))).collect())
        }
        Window::Time { field, span_millis } => {
            let column = table.columns.iter().find(|(name, _)| name == field).map(|(_, column)| column);
            let time = |row: usize| column?.get(row)?.number()?.truncate();
            let mut windows = Vec::with_capacity(rows.len());
            let (mut start, mut last) = (first, i64::MIN);
            for row in rows {
                let Some(now) = time(row) else {
                    windows.push(None);
                    continue;
                };
                if now < last {
                    return Err(SequenceError::Unsorted { field: Arc::clone(field), row: row - first + 1 });
                }
                last = now;
                while start < row && time(start).is_none_or(|then| now.saturating_sub(then) >= *span_millis) {
                    start += 1;
                }
                if end(row) - start > TIME_WINDOW_ROWS_MAX {
                    return Err(SequenceError::WindowTooLarge);
                }
                windows.push(Some(start..end(row)));
            }
            Ok(windows)
        }
    }
}

/// The state of a window that moves on.
struct Stacks<'w> {
    empty: Body,
    /// The window of each row from `first` on; rows without one are left out of all.
    windows: &'w [Option<Range<usize>>],
    first: usize,
    /// States of the rows from some row to `middle`; the last is that of the longest suffix, from `start`.
    front: Vec<Body>,
    front_bytes: usize,
    start: usize,
    middle: usize,
    /// The state of the rows from `middle` to `end`.
    back: Body,
    end: usize,
}

impl<'w> Stacks<'w> {
    fn new(empty: &Body, first: usize, windows: &'w [Option<Range<usize>>]) -> Stacks<'w> {
        Stacks {
            empty: empty.clone(),
            windows,
            first,
            front: Vec::new(),
            front_bytes: 0,
            start: first,
            middle: first,
            back: empty.clone(),
            end: first,
        }
    }

    fn advance(
        &mut self,
        window: &Range<usize>,
        columns: &[(Arc<str>, Column)],
        run: &mut Run<'_>,
    ) -> Result<(), StepError> {
        while self.end < window.end {
            if self.takes(self.end) {
                step(&mut self.back, self.end, columns, run)?;
            }
            self.end += 1;
        }
        if window.start > self.start && window.start >= self.middle {
            self.turn(window.start, columns, run)?;
        }
        self.start = window.start;
        self.front.truncate(self.middle.saturating_sub(self.start));
        check(self.front_bytes.saturating_add(self.back.bytes()), run)
    }

    /// Makes a state of every suffix of the rows from `start` on.
    fn turn(
        &mut self,
        start: usize,
        columns: &[(Arc<str>, Column)],
        run: &mut Run<'_>,
    ) -> Result<(), StepError> {
        self.front.clear();
        self.front_bytes = 0;
        self.middle = self.end;
        self.back = self.empty.clone();
        let mut suffix = self.empty.clone();
        for row in (start..self.end).rev() {
            if self.takes(row) {
                step(&mut suffix, row, columns, run)?;
            }
            self.front_bytes = self.front_bytes.saturating_add(suffix.bytes());
            check(self.front_bytes, run)?;
            self.front.push(suffix.clone());
        }
        Ok(())
    }

    fn takes(&self, row: usize) -> bool {
        self.windows.get(row - self.first).is_some_and(Option::is_some)
    }

    /// What is told of the window.
    fn result(&self, run: &mut Run<'_>) -> Result<SlotTable, StepError> {
        let Some(front) = self.front.last() else { return self.back.output(1, run) };
        let mut state = front.clone();
        state.merge(&self.back, &[0], 1);
        state.output(1, run)
    }
}

/// Puts one row into `body`.
fn step(
    body: &mut Body,
    row: usize,
    columns: &[(Arc<str>, Column)],
    run: &mut Run<'_>,
) -> Result<(), StepError> {
    let Ok(pick) = u32::try_from(row) else { return Ok(()) };
    // A table of one row: nothing that goes over whole columns or dictionaries is then dearer than the row.
    let cells: Vec<(Arc<str>, Column)> = columns
        .iter()
        .filter_map(|(name, column)| column.copied(&[pick]).map(|column| (Arc::clone(name), column)))
        .collect();
    let order = [OrderKey { nanos: 0, sequence: row as u64 }];
    let within = Selection::all(1);
    let input = Input { rows: 1, order: &order, columns: &cells, within: &within, weights: None };
    body.step(&input, &Slots::ONE, run.pipelines)
}

/// Whether a state of so many bytes may be held.
pub(super) fn check(bytes: usize, run: &Run<'_>) -> Result<(), StepError> {
    let limit = match run.context.max_state_bytes {
        0 => DEFAULT_STATE_BYTES,
        limit => limit,
    };
    if bytes > limit { Err(StepError::StateTooLarge { bytes, limit }) } else { Ok(()) }
}

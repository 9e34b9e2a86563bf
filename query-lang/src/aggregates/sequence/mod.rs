//! Functions over a finished table, in the order of its rows: `neighbor`, `accumulate`, `partition` ...
//!
//! They are no aggregates: what they make of a row hangs on the rows around it, so they run once the aggregate before
//! them has told its table, and have nothing to merge. Inside a composite argument each slot has a sequence of its own.

mod append;
mod gather;
mod neighbor;
mod partition;
mod running;
mod transpose;

use std::sync::Arc;

use super::body::Run;
use super::slots::SlotTable;
use super::spec::AggregateSpec;
use super::{PipelineId, Pipelines};
use crate::machine::{Context, StepError};
use crate::record::{Column, ColumnBuilder};
use crate::result::ResultTable;
use crate::value::ValueRef;

/// Rows that `transpose` makes columns of, at most.
pub const TRANSPOSED_MAX: usize = 1_000;
/// How far away the row may be that `neighbor` looks at, in rows.
pub const DISTANCE_MAX: usize = 10_000;
/// Rows in a window of `slidingWindow` at most.
pub const WINDOW_ROWS_MAX: usize = 1_000;
/// Rows in a window of `slidingTimeWindow` at most.
pub const TIME_WINDOW_ROWS_MAX: usize = 10_000;

/// One function over a table.
#[derive(Clone, Debug, PartialEq)]
pub enum SequenceSpec {
    /// `transpose`
    Transpose(TransposeSpec),
    /// `neighbor`
    Neighbor(NeighborSpec),
    /// `accumulate`, `slidingWindow`, `slidingTimeWindow`
    Running(RunningSpec),
    /// `partition`
    Partition(PartitionSpec),
    /// `appendAggregation`: what is computed of all rows.
    Append(AggregateSpec),
    /// Rows into arrays, behind an aggregate of array elements.
    Gather(GatherSpec),
}

/// `transpose(pivot, header, column, limit)`
#[derive(Clone, Debug, PartialEq)]
pub struct TransposeSpec {
    /// The field whose values name the columns; none: `row[1]` and so on.
    pub header: Option<Arc<str>>,
    /// The column with the names of the fields.
    pub column: Arc<str>,
    /// Rows that become columns, at most.
    pub limit: usize,
}

/// `neighbor(include, distance, direction, prefix)`
#[derive(Clone, Debug, PartialEq)]
pub struct NeighborSpec {
    /// The fields taken, and what they are called then.
    pub fields: Vec<(Arc<str>, Arc<str>)>,
    /// How many rows away.
    pub distance: usize,
    /// Behind the row, not before it.
    pub is_behind: bool,
}

/// `accumulate(function, current)` and the sliding windows.
#[derive(Clone, Debug, PartialEq)]
pub struct RunningSpec {
    /// What is computed of each window; it has one row at most.
    pub function: AggregateSpec,
    /// The rows of the window.
    pub window: Window,
    /// The window ends with the row itself, not before it.
    pub is_inclusive: bool,
}

/// Where a row's window begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Window {
    /// With the first row.
    All,
    /// So many rows before its end.
    Rows(usize),
    /// With the first row that is less than so long ago.
    Time {
        /// The field that says when a row was, milliseconds.
        field: Arc<str>,
        /// How long, milliseconds.
        span_millis: i64,
    },
}

/// `partition(function, condition, split)`
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionSpec {
    /// What is computed of each part.
    pub function: AggregateSpec,
    /// The rows that pass these steps split.
    pub condition: PipelineId,
    /// The row that splits is the last of its part, not the first of the next.
    pub splits_behind: bool,
}

/// What rows become an array of.
#[derive(Clone, Debug, PartialEq)]
pub struct GatherSpec {
    /// The field that says which element a row is of; none: they are in their order, and have one column.
    pub index: Option<Arc<str>>,
    /// The name of the array.
    pub output: Arc<str>,
}

/// Rows that a function cannot take in the order they stand in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SequenceError {
    /// Time goes back.
    #[error(
        "`slidingTimeWindow` needs rows in the order of `{field}`, least first: row {row} is before the row above it; sort them before"
    )]
    Unsorted {
        /// The field.
        field: Arc<str>,
        /// Which row, from 1.
        row: usize,
    },
    /// Too many rows in one window.
    #[error(
        "a window of `slidingTimeWindow` has more than {TIME_WINDOW_ROWS_MAX} rows: take a shorter span or fewer rows"
    )]
    WindowTooLarge,
}

impl SequenceSpec {
    /// Its rows are those that it was given, with more fields.
    #[must_use]
    pub fn keeps_rows(&self) -> bool {
        matches!(self, SequenceSpec::Neighbor(_) | SequenceSpec::Running(_))
    }

    /// The aggregate it computes.
    #[must_use]
    pub fn function(&self) -> Option<&AggregateSpec> {
        match self {
            SequenceSpec::Transpose(_) | SequenceSpec::Neighbor(_) | SequenceSpec::Gather(_) => None,
            SequenceSpec::Running(spec) => Some(&spec.function),
            SequenceSpec::Partition(spec) => Some(&spec.function),
            SequenceSpec::Append(function) => Some(function),
        }
    }

    /// Runs over all rows of `table`.
    ///
    /// # Errors
    /// When the rows cannot be taken in this order, or a state outgrows its limit.
    pub(crate) fn run(
        &self,
        table: ResultTable,
        context: &Context,
        pipelines: &mut dyn Pipelines,
    ) -> Result<ResultTable, StepError> {
        let (mut warnings, mut notes) = (table.warnings, table.notes);
        let whole = SlotTable { slots: vec![0; table.rows], columns: table.columns, order: table.order };
        let mut run = Run { pipelines, context, warnings: &mut warnings, notes: &mut notes };
        let after = self.output(whole, 1, &mut run)?;
        Ok(ResultTable { rows: after.rows(), columns: after.columns, order: after.order, warnings, notes })
    }

    /// As [`SequenceSpec::run`], over the rows of each of `count` slots.
    pub(super) fn output(
        &self,
        table: SlotTable,
        count: usize,
        run: &mut Run<'_>,
    ) -> Result<SlotTable, StepError> {
        match self {
            SequenceSpec::Transpose(spec) => Ok(transpose::output(spec, &table, count, run.warnings)),
            SequenceSpec::Neighbor(spec) => Ok(neighbor::output(spec, table, count)),
            SequenceSpec::Running(spec) => running::output(spec, table, count, run),
            SequenceSpec::Partition(spec) => partition::output(spec, &table, run),
            SequenceSpec::Append(function) => append::output(function, table, count, run),
            SequenceSpec::Gather(spec) => Ok(gather::output(spec, &table, count)),
        }
    }
}

/// The rows of each slot of `table`.
fn ranges(table: &SlotTable, count: usize) -> Vec<std::ops::Range<usize>> {
    let starts = table.starts(count);
    starts.iter().zip(starts.iter().skip(1)).map(|(from, to)| *from as usize..*to as usize).collect()
}

/// Columns that are written cell by cell, by name.
#[derive(Debug, Default)]
struct Columns {
    list: Vec<(Arc<str>, ColumnBuilder)>,
}

impl Columns {
    /// Writes `value` to `row` of column `name`. A column's rows come in ascending order.
    fn write(&mut self, name: &Arc<str>, row: usize, value: ValueRef<'_>) {
        let at = match self.list.iter().position(|(have, _)| have == name) {
            Some(at) => at,
            None => {
                self.list.push((Arc::clone(name), ColumnBuilder::default()));
                self.list.len() - 1
            }
        };
        if let Some((_, column)) = self.list.get_mut(at) {
            column.pad(row);
            column.push(Some(value));
        }
    }

    /// The columns, of `rows` rows.
    fn finish(self, rows: usize) -> Vec<(Arc<str>, Column)> {
        let finish = |(name, mut column): (Arc<str>, ColumnBuilder)| {
            column.pad(rows);
            (name, column.finish())
        };
        self.list.into_iter().map(finish).collect()
    }
}

/// Puts `columns` into `table`, in the place of those of the same name.
fn put(table: &mut SlotTable, columns: Vec<(Arc<str>, Column)>) {
    for (name, column) in columns {
        match table.columns.iter_mut().find(|(have, _)| *have == name) {
            Some((_, old)) => *old = column,
            None => table.columns.push((name, column)),
        }
    }
}

//! Aggregates: what is learnt from rows, merged in any order, and told as a table.
//!
//! An [`AggregateState`] steps over whole batches ([`Input`]). Inside, every aggregate keeps one state for each
//! *slot*: the outermost has a single slot, and a `groupBy` gives each of its groups a slot of the function inside
//! it, so that nesting costs an array of slot numbers a batch and no call a row.
//!
//! Laws, each tested: `merge` is associative and commutative; any split of the rows into states, merged in any
//! order, gives the same table; nothing depends on the numbering of slots, on hash seeds or on the order of rows
//! except through their [`OrderKey`].

mod body;
pub mod buckets;
mod chain;
mod coding;
mod collect;
mod counts;
mod direct;
pub mod distinct;
pub(crate) mod elements;
mod fieldstats;
mod group;
mod keys;
mod last;
mod leaders;
mod learn;
mod linreg;
mod numbers;
mod packed;
pub mod percentile;
mod product;
mod rate;
mod read;
mod rows;
pub mod sequence;
pub mod series;
mod session;
mod sketch;
mod slots;
pub mod spec;
mod steps;
mod stretch;
mod tally;
#[cfg(test)]
mod tests;
mod top;
mod unmade;

use std::sync::Arc;

pub use spec::{AggregateSpec, Needs, PipelineId, Stage};

use body::{Body, Run};
pub(crate) use chain::row_order;
use coding::SlotCoding;
use slots::Slots;

use crate::coding::{DecodeError, Reader};
use crate::machine::{Context, StepError};
use crate::record::{Column, OrderKey, RowsError, Selection};
use crate::result::ResultTable;

/// The field that says when an event happened, milliseconds.
pub const TIMESTAMP: &str = "@timestamp";

/// The rows of one step: some of those of a frame, with the columns [`AggregateSpec::needs`] names.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// How many rows there are, stepped over or not.
    pub rows: usize,
    /// The place of every row; empty for an aggregate that does not ask for it ([`Needs::order`]).
    pub order: &'a [OrderKey],
    /// Columns by name, as long as there are rows; a name not among them is a field no row has.
    pub columns: &'a [(Arc<str>, Column)],
    /// The rows stepped over.
    pub within: &'a Selection,
    /// How many equal rows each row stands for; none: one. Only for aggregates that can tell
    /// ([`AggregateSpec::takes_weights`]).
    pub weights: Option<&'a [u64]>,
}

impl Input<'_> {
    /// How many rows `row` stands for.
    #[inline]
    #[must_use]
    pub fn weight(&self, row: usize) -> u64 {
        self.weights.map_or(1, |weights| weights.get(row).copied().unwrap_or(0))
    }

    /// The column called `name`. Cheap: columns share their data.
    #[must_use]
    pub fn column(&self, name: &str) -> Column {
        let found = self.columns.iter().find(|(have, _)| **have == *name);
        found.map_or(Column::Missing { rows: self.rows }, |(_, column)| column.clone())
    }
}

/// What row steps made of an [`Input`].
#[derive(Clone, Debug)]
pub struct Derived {
    /// How many rows there are, passed or not.
    pub rows: usize,
    /// The place of every row; empty where that of the input is.
    pub order: Arc<[OrderKey]>,
    /// Columns by name.
    pub columns: Vec<(Arc<str>, Column)>,
    /// The rows that passed.
    pub within: Selection,
    /// The input row that each row was made from; none: the row of the same number.
    pub parents: Option<Arc<[u32]>>,
}

/// Runs the row steps of composite arguments; the machine does.
pub trait Pipelines {
    /// Runs the steps called `id` over the rows of `input`.
    ///
    /// # Errors
    /// When rows cannot be read.
    fn run(&mut self, id: PipelineId, input: &Input<'_>) -> Result<Derived, StepError>;
}

/// For programs without composite arguments: passes rows on as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPipelines;

impl Pipelines for NoPipelines {
    fn run(&mut self, _: PipelineId, input: &Input<'_>) -> Result<Derived, StepError> {
        Ok(Derived {
            rows: input.rows,
            order: input.order.into(),
            columns: input.columns.to_vec(),
            within: input.within.clone(),
            parents: None,
        })
    }
}

/// What the rows of an aggregate are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Events: their fields have no order of their own, and rows kept keep their places.
    Events,
    /// Rows of an earlier aggregate's table: their columns are in order, and a row's place is its number.
    Table,
}

/// What one aggregate has learnt from rows so far.
#[derive(Clone, Debug)]
pub struct AggregateState {
    context: Arc<Context>,
    body: Body,
}

impl AggregateState {
    /// Nothing learnt. States that are to be merged are made from the same `spec` and `context`.
    #[must_use]
    pub fn new(spec: &AggregateSpec, context: &Arc<Context>, source: Source) -> AggregateState {
        AggregateState { context: Arc::clone(context), body: Body::new(spec, context, source) }
    }

    /// Learns from the rows of `input`. Limits are for the caller to keep, by [`AggregateState::bytes`].
    ///
    /// # Errors
    /// When a composite argument's row steps fail.
    pub fn step(&mut self, input: &Input<'_>, pipelines: &mut dyn Pipelines) -> Result<(), StepError> {
        self.body.step(input, &Slots::ONE, pipelines)
    }

    /// Adds what `other` learnt. Associative and commutative.
    pub fn merge(&mut self, other: &AggregateState) {
        self.body.merge(&other.body, &[0], 1);
    }

    /// The table of what was learnt. The state stays as it is.
    ///
    /// # Errors
    /// When a composite argument's row steps fail.
    pub fn result(&self, pipelines: &mut dyn Pipelines) -> Result<ResultTable, StepError> {
        let (mut warnings, mut notes) = (Vec::new(), Vec::new());
        let mut run = Run { pipelines, context: &self.context, warnings: &mut warnings, notes: &mut notes };
        let table = self.body.output(1, &mut run)?;
        warnings.sort_unstable();
        warnings.dedup();
        Ok(ResultTable { rows: table.rows(), columns: table.columns, order: table.order, warnings, notes })
    }

    /// Groups of a `groupBy` whose keys have a greater hash than `threshold` are turned away from now on: into the row of
    /// the others where there is one, else they are counted. The groups that stay are the same in every state narrowed so.
    pub(crate) fn narrow(&mut self, threshold: u64) {
        self.body.narrow(threshold);
    }

    /// What it was narrowed to: the greatest hash of a key that stays; `None`: it has no groups to give up.
    pub(crate) fn threshold(&self) -> Option<u64> {
        self.body.threshold()
    }

    /// Bytes of memory held, an upper estimate.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<AggregateState>() + self.body.bytes()
    }

    /// Appends what was learnt to `out`. What the spec and the context tell is left out. Equal things learnt are equal
    /// bytes, however the rows came.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.body.write(&[0], out);
    }

    /// Reads what was learnt, from the bytes of a state that was made of an equal spec and context.
    ///
    /// # Errors
    /// When the bytes end early or say what cannot be.
    pub(crate) fn read(
        spec: &AggregateSpec,
        context: &Arc<Context>,
        source: Source,
        from: &mut Reader<'_>,
    ) -> Result<AggregateState, DecodeError> {
        let mut state = AggregateState::new(spec, context, source);
        state.body.read(1, from)?;
        Ok(state)
    }

    /// The end of a stretch of event time from `millis` on within which it does not matter when a row is, as far as
    /// buckets go; milliseconds, exclusive. None where `@timestamp` is no more than a field.
    pub fn until(&mut self, millis: i64) -> Option<i64> {
        self.body.until(millis)
    }

    /// The fields of events that tell which of them it keeps whole, of those in [`AggregateState::leaders`]; `None` where
    /// fields do not.
    #[must_use]
    pub fn ranked_by(&self) -> Option<Vec<Arc<str>>> {
        self.body.ranked_by()
    }

    /// Which rows of `within` can still change the result, ascending, and their places, which `places` looks up. The
    /// columns are those [`AggregateState::ranked_by`] names.
    ///
    /// # Errors
    /// Those of `places`.
    pub fn leaders(
        &self,
        columns: &[Column],
        within: &Selection,
        places: impl FnOnce(&[u32]) -> Result<Vec<OrderKey>, RowsError>,
    ) -> Result<(Vec<u32>, Vec<OrderKey>), RowsError> {
        self.body.leaders(columns, within, places)
    }

    /// [`AggregateState::shortlist`] has an answer.
    #[must_use]
    pub fn has_shortlist(&self) -> bool {
        self.body.has_shortlist()
    }

    /// Which of the rows at `places` can still change the result, as numbers into `places`, ascending. Only they need
    /// be stepped over. `None`: the places do not tell.
    #[must_use]
    pub fn shortlist(&self, places: &[OrderKey]) -> Option<Vec<u32>> {
        self.body.shortlist(places)
    }

    /// No row at or beyond this place can change the result: at or below it for aggregates that want the newest
    /// rows, at or above it for those that want the oldest. `None` while any row may. Where rows are sorted by
    /// `@timestamp`, it holds as long as no row step writes that field.
    #[must_use]
    pub fn horizon(&self) -> Option<OrderKey> {
        self.body.horizon()
    }
}

//! Aggregates: what is learnt from rows, merged in any order, and told as a table.
//!
//! An [`AggregateState`] steps over whole batches ([`Input`]). Inside, every aggregate keeps one state for each
//! *slot*: the outermost has a single slot, and a `groupBy` gives each of its groups a slot of the function inside
//! it, so that nesting costs an array of slot numbers a batch and no call a row.
//!
//! Laws, each tested: `merge` is associative and commutative; any split of the rows into states, merged in any
//! order, gives the same table; nothing depends on the numbering of slots, on hash seeds or on the order of rows
//! except through their [`OrderKey`].

pub mod spec;

use std::sync::Arc;

pub use spec::{AggregateSpec, Needs, PipelineId, Stage};

use crate::machine::StepError;
use crate::record::{Column, OrderKey, Selection};

/// The field that says when an event happened, milliseconds.
pub const TIMESTAMP: &str = "@timestamp";

/// The rows of one step: some of those of a frame, with the columns [`AggregateSpec::needs`] names.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The place of every row.
    pub order: &'a [OrderKey],
    /// Columns by name, as long as `order`; a name not among them is a field no row has.
    pub columns: &'a [(Arc<str>, Column)],
    /// The rows stepped over.
    pub within: &'a Selection,
}

impl Input<'_> {
    /// How many rows there are, stepped over or not.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.order.len()
    }

    /// The column called `name`. Cheap: columns share their data.
    #[must_use]
    pub fn column(&self, name: &str) -> Column {
        let found = self.columns.iter().find(|(have, _)| **have == *name);
        found.map_or(Column::Missing { rows: self.rows() }, |(_, column)| column.clone())
    }
}

/// What row steps made of an [`Input`].
#[derive(Clone, Debug)]
pub struct Derived {
    /// The place of every row.
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
            order: input.order.into(),
            columns: input.columns.to_vec(),
            within: input.within.clone(),
            parents: None,
        })
    }
}

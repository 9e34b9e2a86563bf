//! Runs a program over rows, a batch at a time.

pub mod expression;
pub mod predicate;
pub mod step;
pub mod view;

use std::sync::Arc;

pub use view::View;

use crate::program::Program;
use crate::record::{OrderKey, Rows, RowsError, Selection};
use crate::result::ResultTable;

/// What a run knows besides its program and its rows. The language never reads a clock: whoever runs it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// What `now()` answers, milliseconds since the epoch.
    pub now_millis: i64,
    /// The queried time range, nanoseconds, start inclusive.
    pub start_nanos: i64,
    /// The queried time range, nanoseconds, end exclusive.
    pub end_nanos: i64,
    /// The zone for time functions and charts that name none: an IANA name or offset; empty is UTC.
    pub timezone: String,
    /// The most bytes one [`State`] may hold.
    pub max_state_bytes: usize,
}

/// Why a step stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// The rows could not be read; the state is as before the step.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// The state would outgrow [`Context::max_state_bytes`].
    #[error("query state of {bytes} bytes is over its limit of {limit}")]
    StateTooLarge {
        /// Bytes it would hold.
        bytes: usize,
        /// Bytes it may hold.
        limit: usize,
    },
}

/// A program with its scratch space. One a thread; states may move between machines of the same program.
#[derive(Debug)]
pub struct Machine {
    program: Arc<Program>,
    context: Context,
}

/// What a program has learnt from rows so far: small, mergeable in any order.
#[derive(Clone, Debug, Default)]
pub struct State {
    rows: usize,
}

/// Rows that have been through a program's row steps and wait to be absorbed.
#[derive(Debug)]
pub struct Frame {
    order: Arc<[OrderKey]>,
}

impl Machine {
    /// A machine for `program`.
    #[must_use]
    pub fn new(program: Arc<Program>, context: Context) -> Machine {
        Machine { program, context }
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The context it runs in.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// An empty state.
    #[must_use]
    pub fn new_state(&self) -> State {
        State::default()
    }

    /// Feeds the rows of `within` to the program: [`Machine::select`], then [`Machine::absorb`] of all of it.
    ///
    /// # Errors
    /// When the rows cannot be read or the state outgrows its limit.
    pub fn step(&mut self, rows: &dyn Rows, within: Selection, state: &mut State) -> Result<(), StepError> {
        let frame = self.select(rows, within)?;
        let all = Selection::all(frame.order().len());
        self.absorb(&frame, &all, state)
    }

    /// Runs the row steps (filters, transforms) up to the first aggregate over the rows of `within`.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn select(&mut self, rows: &dyn Rows, within: Selection) -> Result<Frame, StepError> {
        let _ = within;
        Ok(Frame { order: rows.order()? })
    }

    /// Puts rows of `frame` into `state`. `within` is over the frame's rows, as [`Frame::order`] numbers them; the
    /// live path calls it once a bucket.
    ///
    /// # Errors
    /// When the state outgrows its limit.
    pub fn absorb(&mut self, frame: &Frame, within: &Selection, state: &mut State) -> Result<(), StepError> {
        let _ = frame;
        state.rows += within.count();
        Ok(())
    }

    /// The result of `state`: the rest of the pipeline runs over the table of the first aggregate. The state stays
    /// as it was, so partial results cost nothing but time.
    ///
    /// # Errors
    /// When a later aggregate outgrows its limit.
    pub fn finish(&mut self, state: &State) -> Result<ResultTable, StepError> {
        let _ = state;
        Ok(ResultTable::default())
    }
}

impl Frame {
    /// The place of every row that passed, in the order of events.
    #[must_use]
    pub fn order(&self) -> &[OrderKey] {
        &self.order
    }
}

impl State {
    /// Adds what `other` learnt. Associative and commutative.
    ///
    /// # Errors
    /// When the sum outgrows its limit.
    pub fn merge(&mut self, other: &State) -> Result<(), StepError> {
        self.rows += other.rows;
        Ok(())
    }

    /// Bytes of memory held, an upper estimate.
    #[must_use]
    pub fn bytes(&self) -> usize {
        std::mem::size_of::<State>()
    }

    /// No row at or beyond this place can change the result any more: below it when scanning newest first, above
    /// it when oldest first. `None` while any row may.
    #[must_use]
    pub fn horizon(&self) -> Option<OrderKey> {
        None
    }

    /// Takes the rows found so far out of a program that ends in [`crate::compile::Ending::Stream`]; empty for all
    /// others.
    pub fn take_rows(&mut self) -> Vec<ResultTable> {
        Vec::new()
    }
}

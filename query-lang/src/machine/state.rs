//! What a program has learnt so far.

mod coding;

use crate::aggregates::AggregateState;
use crate::machine::{StepError, tail::Tail};
use crate::record::OrderKey;
use crate::result::ResultTable;

/// Bytes a state may hold where [`crate::machine::Context::max_state_bytes`] is 0.
pub const DEFAULT_STATE_BYTES: usize = 512 << 20;

/// What a program has learnt from rows so far: small, mergeable in any order.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub(super) learnt: Learnt,
    /// The most bytes it may hold.
    pub(super) limit: usize,
}

#[derive(Clone, Debug, Default)]
pub(super) enum Learnt {
    /// Nothing, of no program yet.
    #[default]
    Nothing,
    /// What the first aggregate learnt.
    Aggregate(Box<AggregateState>),
    /// The newest rows.
    Tail(Tail),
    /// Rows not handed out yet.
    Stream(Vec<ResultTable>),
}

impl State {
    /// Adds what `other` learnt. Associative and commutative.
    ///
    /// # Errors
    /// When the sum outgrows its limit; it then holds what both learnt all the same.
    pub fn merge(&mut self, other: &State) -> Result<(), StepError> {
        match (&mut self.learnt, &other.learnt) {
            (_, Learnt::Nothing) => {}
            (Learnt::Aggregate(mine), Learnt::Aggregate(theirs)) => mine.merge(theirs),
            (Learnt::Tail(mine), Learnt::Tail(theirs)) => mine.merge(theirs),
            (Learnt::Stream(mine), Learnt::Stream(theirs)) => mine.extend(theirs.iter().cloned()),
            // A state of nothing takes over; states of different programs never meet.
            (mine, theirs) => {
                *mine = theirs.clone();
                self.limit = other.limit;
            }
        }
        self.check()
    }

    /// Gives up groups of a `groupBy`: those whose keys have a greater hash than `threshold`, from now on. What is merged of
    /// states narrowed differently is as narrow as the narrowest. The rows of the others are in the row that
    /// `groupBy(other=…)` asks for, or counted.
    pub fn narrow(&mut self, threshold: u64) {
        if let Learnt::Aggregate(state) = &mut self.learnt {
            state.narrow(threshold);
        }
    }

    /// What it was narrowed to: the greatest hash of a key whose group stays; `None`: it has no groups to give up.
    #[must_use]
    pub fn threshold(&self) -> Option<u64> {
        match &self.learnt {
            Learnt::Aggregate(state) => state.threshold(),
            Learnt::Nothing | Learnt::Tail(_) | Learnt::Stream(_) => None,
        }
    }

    /// Bytes of memory held, an upper estimate.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let learnt = match &self.learnt {
            Learnt::Nothing => 0,
            Learnt::Aggregate(state) => state.bytes(),
            Learnt::Tail(tail) => tail.bytes(),
            Learnt::Stream(tables) => tables.iter().map(ResultTable::bytes).sum(),
        };
        std::mem::size_of::<State>() + learnt
    }

    /// No row at or beyond this place can change the result any more: below it when scanning newest first, above
    /// it when oldest first. `None` while any row may.
    #[must_use]
    pub fn horizon(&self) -> Option<OrderKey> {
        match &self.learnt {
            Learnt::Aggregate(state) => state.horizon(),
            Learnt::Tail(tail) => tail.floor(),
            Learnt::Nothing | Learnt::Stream(_) => None,
        }
    }

    /// Takes the rows found so far out of a program that ends in [`crate::compile::Ending::Stream`]; empty for all
    /// others. A table has its rows newest first, and their places in `order`.
    pub fn take_rows(&mut self) -> Vec<ResultTable> {
        match &mut self.learnt {
            Learnt::Stream(tables) => std::mem::take(tables),
            _ => Vec::new(),
        }
    }

    pub(super) fn check(&self) -> Result<(), StepError> {
        let (bytes, limit) = (self.bytes(), self.limit);
        if bytes > limit { Err(StepError::StateTooLarge { bytes, limit }) } else { Ok(()) }
    }
}

//! A compiled query: immutable, shared by every machine that runs it.

use std::sync::Arc;

use crate::compile::{Options, Required};
use crate::error::Diagnostics;

/// A compiled query. Immutable; the scratch space is the [`crate::machine::Machine`]'s.
#[derive(Debug)]
pub struct Program {
    required: Required,
}

/// The order in which a program wants its rows, so that a scan can stop early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanOrder {
    /// Any order gives the same result at the same cost.
    Any,
    /// Newest first: the program may be satisfied early (`tail`, an implicit tail, streams of events).
    NewestFirst,
    /// Oldest first (`head`).
    OldestFirst,
}

/// Whether a result's rows are events or computed rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// Rows are events, with their `@id` and `@timestamp`.
    Events,
    /// Rows are computed.
    Aggregate,
}

impl Program {
    /// Compiles `text`.
    ///
    /// # Errors
    /// Every fault found, each with its span.
    pub fn compile(text: &str, options: &Options) -> Result<Arc<Program>, Diagnostics> {
        let _ = (text, options);
        Ok(Arc::new(Program { required: Required::Anything }))
    }

    /// What every event must have to matter to this program.
    #[must_use]
    pub fn required(&self) -> &Required {
        &self.required
    }

    /// The order in which it wants its rows.
    #[must_use]
    pub fn scan_order(&self) -> ScanOrder {
        ScanOrder::Any
    }

    /// What its result rows are.
    #[must_use]
    pub fn output_kind(&self) -> OutputKind {
        OutputKind::Events
    }

    /// A hash of what the program does: equal programs have equal fingerprints across processes and versions of
    /// the text's layout. Kept beside snapshots of live state.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        0
    }
}

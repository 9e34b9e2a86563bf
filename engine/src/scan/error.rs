//! Why a scan gave no table.

use weir_query::error::Diagnostics;
use weir_query::machine::StepError;

/// Why a scan could not start or could not finish. Damage, budgets and cancellation are not errors: they make an
/// answer partial (see [`super::ScanEnd`]).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// More scans wait for a turn than the pool lets wait.
    #[error("{waiting} searches are already waiting; try again in {retry_after_millis} ms")]
    Busy {
        /// Scans in the queue.
        waiting: usize,
        /// When a retry is worth it, milliseconds.
        retry_after_millis: u64,
    },
    /// The pool has no thread to run on: the system refused to start one, or the pool was shut down.
    #[error("no thread to scan on: {0}")]
    NoThreads(String),
    /// A query inside the query does not do what the one around it wants of it; spans are those of the whole text.
    #[error("{0}")]
    Query(Diagnostics),
    /// A query inside the query gave no table.
    #[error("{0}")]
    Table(String),
    /// The later steps of the query could not run over what was found.
    #[error(transparent)]
    Finish(#[from] StepError),
}

//! Search of history: prune, step, merge, finish.
//!
//! A [`Scan`] runs one [`weir_query::program::Program`] over one immutable [`Source`] (a snapshot of a repository,
//! or the batches of a file): blocks that time, facts and the index rule out are not opened, the rest is stepped
//! newest first on the threads of a [`ScanPool`], one state a thread, and the states are merged. Partial results
//! can be had at any time, matches can be streamed in order, and damage costs only what is damaged.
//!
//! It never sees a writer, never writes, and knows nothing of live queries.

mod answer;
mod error;
mod explain;
mod fold;
mod gathered;
mod handle;
#[cfg(test)]
mod laws;
mod options;
mod plan;
mod pool;
mod running;
pub(crate) mod sink;
mod slot;
mod snapshot;
mod source;
mod states;
mod stats;
mod stream;
mod tables;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod unit;

pub use error::ScanError;
pub use explain::Explanation;
pub use fold::{Fold, Folded};
pub use handle::{Matches, NextRows, Scan, ScanEnd, ScanHandle, ScanResult};
pub use options::{DEFAULT_HELD_BYTES, DEFAULT_OUTPUT_ROWS, DEFAULT_STATE_BYTES, ScanOptions};
pub use pool::{MAX_RUNNING_SCANS, MAX_WAITING_SCANS, ScanPool};
pub use source::{BlockFacts, Candidates, GRANULE_ROWS, Part, Source};
pub use states::{KEPT_STATE_BYTES, STATE_CACHE_BYTES, StateCache, StateCacheStats};
pub use stats::{ScanProgress, ScanStats};
pub use tables::{Sources, query_context, with_tables};

//! Why a live query could not be defined, found or kept.

use std::time::Duration;

use weir_query::error::Diagnostics;
use weir_query::machine::StepError;

use super::TriggerError;

/// What can go wrong with live queries.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// The query does not compile.
    #[error("{0}")]
    Query(Diagnostics),
    /// The name of a metric is empty, too long, or has characters outside `A-Z a-z 0-9 . _ - ~`.
    #[error("a metric name has 1 to {limit} characters out of A-Z a-z 0-9 . _ - ~")]
    Name {
        /// Most characters.
        limit: usize,
    },
    /// The window or the granule is out of bounds.
    #[error("{what} of {} s must be between {} s and {} s", got.as_secs_f64(), least.as_secs_f64(), most.as_secs_f64())]
    Duration {
        /// `window`, `granule`, `lateness`, `idle timeout`.
        what: &'static str,
        /// What was asked for.
        got: Duration,
        /// Least.
        least: Duration,
        /// Most.
        most: Duration,
    },
    /// Window, granule, gap and zone do not go together.
    #[error("{0}")]
    Window(&'static str),
    /// The trigger cannot be read.
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    /// A condition of the trigger is no condition.
    #[error("trigger, in when({condition}): {reason}")]
    Condition {
        /// The condition.
        condition: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such refinement.
    #[error("`{name}` is no refinement: expected accumulating, discarding or retracting")]
    Refinement {
        /// What was asked for.
        name: String,
    },
    /// Window and lateness need more buckets than a ring may have.
    #[error("window and lateness are {buckets} granules long, the most is {limit}; take a longer granule")]
    TooManyBuckets {
        /// Buckets needed.
        buckets: u64,
        /// Buckets allowed.
        limit: u64,
    },
    /// The bound on the states is too low for any state.
    #[error("a metric needs at least {least} bytes, not {bytes}")]
    TooFewBytes {
        /// What was asked for.
        bytes: usize,
        /// Least.
        least: usize,
    },
    /// There are as many metrics, subscriptions or follows as there may be.
    #[error("there are already {limit} {what}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// No metric has this name.
    #[error("no metric is named `{0}`")]
    Unknown(String),
    /// A query that ends in an aggregate has no single events to follow.
    #[error("a live tail needs a query without an aggregate; define a metric instead")]
    Aggregate,
    /// The result could not be computed.
    #[error(transparent)]
    Finish(#[from] StepError),
    /// The definitions could not be kept on disk.
    #[error("the metric definitions could not be written: {0}")]
    Write(String),
    /// The definitions on disk could not be read.
    #[error("the metric definitions could not be read: {0}")]
    Read(String),
    /// What queries may name could not be read.
    #[error("lookup tables and saved queries could not be read: {0}")]
    Known(String),
    /// More of the past is asked for than is computed at once.
    #[error("the range is {asked} {what} long, the most is {limit}: take a shorter range or a longer step")]
    TooMuchHistory {
        /// `steps`, `granules`.
        what: &'static str,
        /// How many there would be.
        asked: u64,
        /// How many there may be.
        limit: u64,
    },
    /// Events of the past could not be read, or not all of them.
    #[error("history could not be read: {0}")]
    History(String),
    /// The live thread could not be started, or the engine is shutting down.
    #[error("the live path is not running: {0}")]
    Stopped(String),
}

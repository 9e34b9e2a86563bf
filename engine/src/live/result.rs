//! What a live query answers.

use std::sync::Arc;
use std::time::Duration;

use weir_query::program::Keys;
use weir_query::result::ResultTable;

use super::{MetricDefinition, Refinement};

/// How much to trust a live result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveStatus {
    /// History is still being read, a bound was reached, or event time has not come to the newest bucket of the
    /// window: the buckets before it may be incomplete.
    Partial,
    /// Event time has come to the newest bucket of the window: the buckets before it are complete, unless late
    /// events revise them.
    Final,
    /// Since the last result, events came into buckets that were complete.
    Revised,
}

impl LiveStatus {
    /// `partial`, `final` or `revised`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            LiveStatus::Partial => "partial",
            LiveStatus::Final => "final",
            LiveStatus::Revised => "revised",
        }
    }
}

/// The result of a standing metric over its window, at one revision. Immutable.
#[derive(Clone, Debug)]
pub struct LiveResult {
    /// The rows. Warnings are in it.
    pub table: ResultTable,
    /// Those rows of the result given out before this one that it no longer has; empty unless the refinement is
    /// [`Refinement::Retracting`].
    pub retracted: ResultTable,
    /// How it relates to the one given out before it.
    pub refinement: Refinement,
    /// Grows with every result of the metric, across restarts too; equal revisions are equal results.
    pub revision: u64,
    /// How much to trust it.
    pub status: LiveStatus,
    /// The window has ended and nothing more is expected of it: the next result is of the window after it. Windows
    /// that move on with time never end.
    pub closed: bool,
    /// Start of the window, nanoseconds since the epoch, inclusive.
    pub start_nanos: i64,
    /// End of the window, nanoseconds since the epoch, exclusive.
    pub end_nanos: i64,
    /// No event before this time is expected any more, nanoseconds since the epoch; `None`: no event yet.
    pub watermark_nanos: Option<i64>,
    /// From the arrival of the newest event in it to its being applied, nanoseconds.
    pub lag_nanos: i64,
    /// Every event up to this sequence was looked at.
    pub up_to_sequence: u64,
    /// Events in the window's buckets.
    pub events: u64,
    /// Events that came behind the watermark. They are in the result while their bucket is.
    pub late: u64,
    /// Events that are not in the result although they passed: their bucket had left the ring, or a bound was
    /// reached.
    pub dropped: u64,
    /// Events that carried a time in the future. They count when the window reaches them, and do not move the
    /// watermark past now.
    pub future: u64,
    /// Events of those that were too far in the future to be kept, and were read from history when their time came.
    pub repaired: u64,
    /// History is still being read.
    pub backfilling: bool,
    /// It is of a while ago.
    pub degraded: Option<Degraded>,
    /// Bytes the states hold.
    pub state_bytes: usize,
}

/// The live path fell behind: what a metric lacks is read from history now and then, and its results are of the last time
/// that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Degraded {
    /// Since when, nanoseconds since the epoch.
    pub since_nanos: i64,
    /// Of which time its results are, nanoseconds since the epoch.
    pub as_of_nanos: i64,
    /// Why.
    pub reason: Arc<str>,
}

/// A metric and how it does.
#[derive(Clone, Debug)]
pub struct MetricInfo {
    /// Its name.
    pub name: String,
    /// What it measures.
    pub definition: MetricDefinition,
    /// What tells the rows of its result apart, as far as its query says.
    pub keys: Option<Keys>,
    /// It is kept on disk and comes back after a restart.
    pub kept: bool,
    /// Of the latest result.
    pub revision: u64,
    /// Bytes its states hold, shared ones in full.
    pub state_bytes: usize,
    /// Metrics that share these states with it, itself included.
    pub shared_by: usize,
    /// How events come to it: `level = "ERROR" by hash`, `literal "timeout"`, `status from 500 by range`, `always a
    /// candidate`.
    pub access: String,
    /// What it costs to step over an event of the repository, whether or not it is brought to this metric: nanoseconds of
    /// the live thread, of late; shared ones in full.
    pub nanos_per_event: f64,
    /// Events that were brought to it.
    pub events_seen: u64,
    /// It is of a while ago.
    pub degraded: Option<Degraded>,
    /// Subscriptions to it.
    pub subscriptions: usize,
    /// Of the latest result: what is wrong with it, empty when nothing is.
    pub problem: String,
    /// What it has learnt came out of a snapshot at the start, and only what came since out of history; else all of it
    /// came out of history.
    pub is_restored: bool,
    /// How long that took; `None`: it is still being read.
    pub filled_after: Option<Duration>,
}

/// What a query that is not defined yet would have in common with those that are.
#[derive(Clone, Debug, PartialEq)]
pub struct Sharing {
    /// Metrics whose states would be its own too.
    pub metrics: usize,
    /// The bytes these states hold, which it would not hold again.
    pub state_bytes: usize,
    /// How events would come to it, as [`MetricInfo::access`].
    pub access: String,
    /// What these states cost, as [`MetricInfo::nanos_per_event`]; `None`: there are none.
    pub nanos_per_event: Option<f64>,
}

/// What is live in a repository, and what it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveStats {
    /// Metrics.
    pub metrics: usize,
    /// States that they share.
    pub standings: usize,
    /// Subscriptions to them.
    pub subscriptions: usize,
    /// Live tails.
    pub tails: usize,
    /// Bytes the states of all metrics hold.
    pub state_bytes: usize,
    /// Batches stepped over.
    pub batches: u64,
    /// Events stepped over.
    pub events: u64,
    /// How often batches came faster than they could be stepped over, and were read from history instead.
    pub catch_ups: u64,
    /// Nanoseconds that the live thread worked.
    pub busy_nanos: u64,
    /// What it costs to step all states over an event, nanoseconds of the live thread, of late.
    pub nanos_per_event: u64,
    /// What the costliest of them does.
    pub costliest_nanos_per_event: u64,
    /// From the arrival of the newest events to their being stepped over, nanoseconds.
    pub lag_nanos: u64,
    /// States that are read from history, as the live path fell behind.
    pub deferred: usize,
    /// How often one was put off so.
    pub deferrals: u64,
    /// How often one of them was read.
    pub deferred_reads: u64,
    /// States that came out of a snapshot at the start.
    pub restored: usize,
    /// Nanoseconds from the start until the last of them had what came since.
    pub restore_nanos: u64,
    /// States that have been read from history, or are.
    pub rebuilt: usize,
    /// Nanoseconds that the one that took longest was read for.
    pub rebuild_nanos: u64,
    /// Snapshots written.
    pub snapshots: u64,
    /// Snapshots that could not be written.
    pub snapshot_failures: u64,
    /// Nanoseconds that was worked on them.
    pub snapshot_nanos: u64,
    /// Nanoseconds that one of them was held for at most: so long a batch may have waited.
    pub snapshot_held_nanos: u64,
    /// Bytes of the last one.
    pub snapshot_bytes: u64,
    /// States that had no room in the last one.
    pub snapshot_left_out: u64,
}

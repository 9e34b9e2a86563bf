//! Live queries: standing metrics in rings of buckets, subscriptions to them, and live tails.
//!
//! ```text
//! acknowledged batch --> Feed (bounded) --live thread--> Machine.select once a standing
//!                                                           | rows split by bucket
//! history (scan up to cut C, same Program and buckets) --> Ring of State --merge, finish--> LiveResult
//!                                                          (a standing)        (a metric)     |
//!                                                                   read, Subscription <------+
//! ```
//!
//! Nothing here is on the way of an acknowledgement: the pipeline leaves batches in a [`crate::feed::Feed`] and goes
//! on. Metrics whose queries are equal up to the first aggregate share one standing. One that missed batches reads
//! them from history. What standings have learnt is saved now and then, so that a start reads only what came since. It never writes events, and never sees the store:
//! batches are handed to it, and history is a closure that gives a [`crate::scan::Source`].

mod backfill;
mod calendar;
mod cost;
mod deferral;
mod definition;
mod due;
mod emission;
mod error;
mod follow;
mod history;
mod keep;
mod load;
mod matching;
mod metric;
mod options;
mod pane;
mod priority;
mod progress;
mod refill;
mod refinement;
mod registry;
mod renewal;
mod result;
mod ring;
mod saving;
mod session;
mod shared;
mod snapshot;
mod sources;
mod standing;
mod standing_key;
mod standings;
mod stepper;
mod stepping;
mod subscription;
#[cfg(test)]
mod tests;
mod trigger;
mod trigger_text;
mod window;

pub use calendar::CalendarUnit;
pub use definition::{
    DEFAULT_IDLE_TIMEOUT, DEFAULT_METRIC_BYTES, MAX_BUCKETS, MAX_NAME_CHARACTERS, MAX_WINDOW, MIN_GRANULE,
    MIN_METRIC_BYTES, MetricDefinition, TimeBasis, WindowKind, check_name,
};
pub use error::LiveError;
pub use follow::{DEFAULT_FOLLOW_ROWS, Dropped, Follow, Followed, MAX_FOLLOW_BYTES};
pub use history::{HistoryPoint, HistoryRange, MAX_HISTORY_BUCKETS, MAX_HISTORY_STEPS};
pub use options::{
    Clock, DEFAULT_DEFERRED_INTERVAL, DEFAULT_MAX_LAG, DEFAULT_SNAPSHOT_BYTES, DEFAULT_SNAPSHOT_INTERVAL,
    DEFAULT_TICK, DegradingOptions, Following, History, Knowing, Lasting, LiveOptions, SnapshotOptions,
};
pub use priority::Priority;
pub use refinement::Refinement;
pub use registry::{Live, MAX_FOLLOWS, MAX_METRICS, MAX_SUBSCRIPTIONS};
pub use renewal::Again;
pub use result::{Degraded, LiveResult, LiveStats, LiveStatus, MetricInfo, Sharing};
pub use session::{MAX_SESSIONS, SESSION_END, SESSION_START};
pub use snapshot::read_snapshot;
pub use sources::MAX_SOURCES;
pub use standing::MAX_FUTURE_BUCKETS;
pub use subscription::{MAX_WAITING_RESULTS, Received, Subscription};
pub use trigger_text::{MAX_CONDITIONS, MAX_TRIGGER_CHARACTERS, MAX_TRIGGER_DEPTH, TriggerError};

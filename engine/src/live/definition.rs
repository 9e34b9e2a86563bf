//! What a standing metric is: a query, a window and a granule.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_query::compile::{Ending, Options};
use weir_query::program::Program;

use super::LiveError;

/// The most characters of a metric's name.
pub const MAX_NAME_CHARACTERS: usize = 128;
/// The shortest granule.
pub const MIN_GRANULE: Duration = Duration::from_millis(100);
/// The longest window.
pub const MAX_WINDOW: Duration = Duration::from_secs(366 * 24 * 3600);
/// The most granules that window and lateness may have together.
pub const MAX_BUCKETS: u64 = 100_000;
/// The least bound on the states of one metric, bytes.
pub const MIN_METRIC_BYTES: usize = 64 << 10;
/// The most bytes the states of one metric may hold, by default.
pub const DEFAULT_METRIC_BYTES: usize = 256 << 20;

/// Which clock sorts events into buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimeBasis {
    /// The time in the event.
    #[default]
    Event,
    /// The time of arrival.
    Ingest,
}

/// A standing metric: what is measured, over which window, how fine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricDefinition {
    /// CQL.
    pub query: String,
    /// Values for `?param`.
    pub arguments: BTreeMap<String, Vec<String>>,
    /// The zone for time functions; empty is UTC.
    pub timezone: String,
    /// How far back the result reaches from now.
    pub window: Duration,
    /// The step in which the window slides, and the span of one bucket.
    pub granule: Duration,
    /// Which clock counts.
    pub time: TimeBasis,
    /// How long after its bucket closed an event may come before it counts as late.
    pub lateness: Duration,
    /// The most bytes its states may hold.
    pub max_bytes: usize,
}

impl MetricDefinition {
    /// A metric over `query` in event time, with a granule of a sixtieth of the window (a second at least) and as
    /// much lateness as a granule.
    #[must_use]
    pub fn new(query: &str, window: Duration) -> MetricDefinition {
        let granule = Duration::from_secs((window.as_secs() / 60).max(1)).min(window.max(MIN_GRANULE));
        MetricDefinition {
            query: query.to_owned(),
            arguments: BTreeMap::new(),
            timezone: String::new(),
            window,
            granule,
            time: TimeBasis::Event,
            lateness: granule,
            max_bytes: DEFAULT_METRIC_BYTES,
        }
    }

    /// Checks the bounds and compiles the query.
    ///
    /// # Errors
    /// What is out of bounds, or the faults of the query.
    pub fn compile(&self) -> Result<Arc<Program>, LiveError> {
        self.check_bounds()?;
        let options =
            Options { arguments: self.arguments.clone(), ending: Ending::Tail, ..Options::default() };
        Program::compile(&self.query, &options).map_err(LiveError::Query)
    }

    fn check_bounds(&self) -> Result<(), LiveError> {
        let within = |what, got, least, most| {
            let fits = least <= got && got <= most;
            fits.then_some(()).ok_or(LiveError::Duration { what, got, least, most })
        };
        within("window", self.window, MIN_GRANULE, MAX_WINDOW)?;
        within("granule", self.granule, MIN_GRANULE, self.window)?;
        within("lateness", self.lateness, Duration::ZERO, MAX_WINDOW)?;
        if self.max_bytes < MIN_METRIC_BYTES {
            return Err(LiveError::TooFewBytes { bytes: self.max_bytes, least: MIN_METRIC_BYTES });
        }
        let buckets = (self.window + self.lateness).as_nanos().div_ceil(self.granule.as_nanos());
        let buckets = u64::try_from(buckets).unwrap_or(u64::MAX);
        if buckets > MAX_BUCKETS {
            return Err(LiveError::TooManyBuckets { buckets, limit: MAX_BUCKETS });
        }
        Ok(())
    }
}

/// Whether `name` can name a metric.
///
/// # Errors
/// [`LiveError::Name`] when it cannot.
pub fn check_name(name: &str) -> Result<(), LiveError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-~".contains(&byte);
    let fits = !name.is_empty() && name.len() <= MAX_NAME_CHARACTERS && name.bytes().all(plain);
    fits.then_some(()).ok_or(LiveError::Name { limit: MAX_NAME_CHARACTERS })
}

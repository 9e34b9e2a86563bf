//! What a standing metric is: a query, a window and a granule.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_query::compile::{Ending, Known, Options};
use weir_query::program::Program;
use weir_query::windows::Zone;

use super::calendar::{CalendarUnit, OFFSET_STEP};
use super::emission::Giving;
use super::{LiveError, Priority, Refinement};

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
/// How long a source may be silent, beyond the lateness, before it is no longer waited for, by default.
pub const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(2);
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

/// Which events a result is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WindowKind {
    /// Those of the last `window`, in steps of the granule.
    #[default]
    Sliding,
    /// Those of the present span `[n * window, (n + 1) * window)` since the epoch. When nothing more is expected of a
    /// span its last result is pushed, and the next span begins.
    Tumbling,
    /// Those of the present span of the calendar, in the metric's zone; else like `Tumbling`. `window` does not count.
    Calendar(CalendarUnit),
    /// All that history holds and all that come. Nothing ever expires. `window` and `granule` do not count.
    Global,
    /// The sessions in the last `window`: events no farther apart than the gap are in one session. The query is
    /// answered for each session on its own. Event time only.
    Session {
        /// The longest silence within a session.
        gap: Duration,
    },
}

/// A standing metric: what is measured, over which window, how fine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricDefinition {
    /// CQL.
    pub query: String,
    /// Values for `?param`.
    pub arguments: BTreeMap<String, Vec<String>>,
    /// The zone for time functions and for the calendar; empty is UTC.
    pub timezone: String,
    /// Which events the result is over.
    pub kind: WindowKind,
    /// How far back the result reaches from now; the length of a tumbling span, a whole number of granules.
    pub window: Duration,
    /// The step in which the window slides, and the span of one bucket. It divides a quarter of an hour where the
    /// window is of the calendar, and is no longer than the gap of sessions.
    pub granule: Duration,
    /// Which clock counts.
    pub time: TimeBasis,
    /// How far behind the newest event of its source an event may come before it counts as late.
    pub lateness: Duration,
    /// How long a source may be silent, beyond the lateness, before it is no longer waited for.
    pub idle_timeout: Duration,
    /// When results are pushed, such as `any(count(100), every(10s))`; empty: whenever they change, but not more
    /// often than a tick. The query may say so itself: `| emit(trigger="…")`. Readers who ask get the present result
    /// whenever they do.
    pub trigger: String,
    /// How a pushed result relates to the one before it. The query may say so itself: `| emit(refinement="…")`.
    pub refinement: Refinement,
    /// The most bytes its states may hold. Groups that do not fit are given up, into the row of `groupBy(other=…)` where there is one.
    pub max_bytes: usize,
    /// How much it matters that it is up to date, when not all can be.
    pub priority: Priority,
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
            kind: WindowKind::Sliding,
            window,
            granule,
            time: TimeBasis::Event,
            lateness: granule,
            idle_timeout: DEFAULT_IDLE_TIMEOUT,
            trigger: String::new(),
            refinement: Refinement::Accumulating,
            max_bytes: DEFAULT_METRIC_BYTES,
            priority: Priority::Normal,
        }
    }

    /// The same over another kind of window, with the granule and the lateness that are usual for it: a quarter of
    /// an hour for the calendar (a minute for its hours), at most the gap for sessions.
    #[must_use]
    pub fn over(mut self, kind: WindowKind) -> MetricDefinition {
        self.granule = match kind {
            WindowKind::Calendar(CalendarUnit::Hour) => Duration::from_secs(60),
            WindowKind::Calendar(_) => OFFSET_STEP,
            WindowKind::Session { gap } => self.granule.min(gap),
            WindowKind::Tumbling => whole_part(self.granule, self.window),
            WindowKind::Sliding | WindowKind::Global => self.granule,
        };
        self.lateness = self.granule;
        self.kind = kind;
        self
    }

    /// Checks the bounds and compiles the query, which may name what is `known`.
    ///
    /// # Errors
    /// What is out of bounds, or the faults of the query or the trigger.
    pub fn compile(&self, known: &Known) -> Result<Arc<Program>, LiveError> {
        self.check_bounds()?;
        let options = Options { ending: Ending::Tail, is_standing: true, ..known.options(&self.arguments) };
        let program = Program::compile(&self.query, &options).map_err(LiveError::Query)?;
        Giving::of(self, &program)?;
        Ok(program)
    }

    fn check_bounds(&self) -> Result<(), LiveError> {
        let within = |what, got, least, most| {
            let fits = least <= got && got <= most;
            fits.then_some(()).ok_or(LiveError::Duration { what, got, least, most })
        };
        within("lateness", self.lateness, Duration::ZERO, MAX_WINDOW)?;
        within("idle timeout", self.idle_timeout, Duration::ZERO, MAX_WINDOW)?;
        if self.max_bytes < MIN_METRIC_BYTES {
            return Err(LiveError::TooFewBytes { bytes: self.max_bytes, least: MIN_METRIC_BYTES });
        }
        let length = match self.kind {
            WindowKind::Global => return Ok(()),
            WindowKind::Calendar(unit) => unit.longest(),
            WindowKind::Sliding | WindowKind::Tumbling | WindowKind::Session { .. } => self.window,
        };
        within("window", length, MIN_GRANULE, MAX_WINDOW)?;
        within("granule", self.granule, MIN_GRANULE, length)?;
        self.check_kind()?;
        let buckets = (length + self.lateness).as_nanos().div_ceil(self.granule.as_nanos());
        let buckets = u64::try_from(buckets).unwrap_or(u64::MAX);
        if buckets > MAX_BUCKETS {
            return Err(LiveError::TooManyBuckets { buckets, limit: MAX_BUCKETS });
        }
        Ok(())
    }

    /// Whether the granule fits the kind of window.
    fn check_kind(&self) -> Result<(), LiveError> {
        let divides = |span: Duration| span.as_nanos().is_multiple_of(self.granule.as_nanos());
        let fits = match self.kind {
            WindowKind::Sliding | WindowKind::Global => Ok(()),
            WindowKind::Tumbling => divides(self.window)
                .then_some(())
                .ok_or("a tumbling window must be a whole number of granules long"),
            WindowKind::Calendar(_) => match Zone::parse(&self.timezone) {
                None => Err("the time zone of a calendar window is not known"),
                Some(_) if !divides(OFFSET_STEP) => {
                    Err("the granule of a calendar window must divide 15 minutes")
                }
                // The offset of a place is a multiple of that; one that is given as a number need not be.
                Some(zone) if zone.offset_range(0).1 == (i64::MIN..i64::MAX) => {
                    let offset = Duration::from_millis(zone.offset(0).unsigned_abs());
                    let fits = divides(offset).then_some(());
                    fits.ok_or("the granule of a calendar window must divide the offset of its zone")
                }
                Some(_) => Ok(()),
            },
            WindowKind::Session { .. } if self.time == TimeBasis::Ingest => {
                Err("sessions are of event time, not of ingest time")
            }
            WindowKind::Session { gap } => (self.granule <= gap && gap <= self.window)
                .then_some(())
                .ok_or("the gap of sessions must be at least a granule and at most the window long"),
        };
        fits.map_err(LiveError::Window)
    }
}

/// The longest span, no longer than `granule`, that `window` is a whole number of in milliseconds; `granule` itself
/// when there is none.
fn whole_part(granule: Duration, window: Duration) -> Duration {
    let (granule_millis, window_millis) = (granule.as_millis(), window.as_millis());
    let parts = window_millis.checked_div(granule_millis).unwrap_or(1).max(1);
    let fits =
        (parts..parts.saturating_mul(2)).take(1_000).find(|parts| window_millis.is_multiple_of(*parts));
    let part = fits.map_or(granule_millis, |parts| window_millis / parts);
    if part == 0 { granule } else { Duration::from_millis(u64::try_from(part).unwrap_or(u64::MAX)) }
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

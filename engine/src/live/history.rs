//! What a metric would have shown at times of the past: one scan into buckets of its granule, then windows over them.
//!
//! Windows of neighbouring steps have most of their buckets in common. Between two borders of windows buckets are merged
//! once, to panes (Li et al., "No Pane, No Gain", 2005); windows slide over panes with two stacks, so that each pane is
//! merged a constant number of times, whatever the state, and nothing is ever subtracted (Tangwongsan et al., "General
//! Incremental Sliding-Window Aggregation", 2015).

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use weir_query::machine::{Context, Machine, State, StepError};
use weir_query::program::Program;
use weir_query::result::ResultTable;

use super::window::Window;
use super::{Live, LiveError, MetricDefinition, TimeBasis};
use crate::scan::sink::{Layout, Sum};
use crate::scan::{Scan, ScanOptions};

/// The most steps of one history.
pub const MAX_HISTORY_STEPS: usize = 11_000;
/// The most granules that the windows of all steps may reach over.
pub const MAX_HISTORY_BUCKETS: u64 = 500_000;

/// Which times of the past are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryRange {
    /// The first, nanoseconds since the epoch.
    pub start_nanos: i64,
    /// None is later than this.
    pub end_nanos: i64,
    /// Between two, nanoseconds, positive.
    pub step_nanos: i64,
}

/// A metric at one time of the past.
#[derive(Clone, Debug)]
pub struct HistoryPoint {
    /// When, nanoseconds since the epoch.
    pub nanos: i64,
    /// What the metric came to once the granule of that time was complete.
    pub table: ResultTable,
}

impl HistoryRange {
    fn times(self) -> impl Iterator<Item = i64> {
        let (step, end) = (self.step_nanos.max(1), self.end_nanos);
        std::iter::successors(Some(self.start_nanos), move |at| at.checked_add(step))
            .take_while(move |at| *at <= end)
    }

    fn steps(self) -> u64 {
        match self.start_nanos <= self.end_nanos {
            true => self.end_nanos.abs_diff(self.start_nanos) / self.step_nanos.max(1).unsigned_abs() + 1,
            false => 0,
        }
    }
}

impl Live {
    /// What the metric `name` came to at each time of `range`, as its definition is now: over the window that ends with
    /// the granule of that time. For times past that is what [`Live::read`] gave then, late events included. Takes at
    /// most about `time_budget` to read.
    ///
    /// # Errors
    /// When there is no such metric, too much is asked for, or history cannot be read whole within the time and the
    /// metric's bytes.
    pub fn history(
        &self,
        name: &str,
        range: HistoryRange,
        time_budget: Duration,
    ) -> Result<Vec<HistoryPoint>, LiveError> {
        let metric = self.shared.find(name).ok_or_else(|| LiveError::Unknown(name.to_owned()))?;
        let (definition, program) = {
            let metric = metric.lock();
            (metric.definition.clone(), Arc::clone(&metric.program))
        };
        let windows = windows(&definition, range)?;
        let (Some((_, first)), Some((_, last))) = (windows.first(), windows.last()) else {
            return Ok(Vec::new());
        };
        let buckets = self.buckets(&definition, &program, first.start..last.end, last, time_budget)?;
        slide(&definition, &program, &windows, buckets)
    }

    /// The states of `buckets`, as one window, such as `window_buckets`, would have them: how long the buckets of a time
    /// chart are depends on how long the window is.
    fn buckets(
        &self,
        definition: &MetricDefinition,
        program: &Arc<Program>,
        buckets: Range<i64>,
        window_buckets: &Range<i64>,
        time_budget: Duration,
    ) -> Result<BTreeMap<i64, Sum>, LiveError> {
        let window = Window::new(definition);
        let granule_nanos = window.granule_nanos;
        let nanos = window.nanos_of(&buckets);
        let (layout, time_range) = match definition.time {
            TimeBasis::Event => (Layout::ByEventTime { granule_nanos }, nanos),
            TimeBasis::Ingest => {
                let (first_bucket, last_bucket) = (buckets.start, buckets.end - 1);
                (Layout::ByIngestTime { granule_nanos, first_bucket, last_bucket }, i64::MIN..i64::MAX)
            }
        };
        let options = ScanOptions {
            time_range: Some(time_range),
            pool: self.shared.options.pool.clone(),
            max_state_bytes: definition.max_bytes,
            time_budget: Some(time_budget),
            ..ScanOptions::new(context(definition, window.nanos_of(window_buckets)))
        };
        let source = (self.shared.options.history)();
        let unread = |why: String| LiveError::History(why);
        let scan = Scan::start_laid_out(&*source, Arc::clone(program), &options, layout)
            .map_err(|fault| unread(fault.to_string()))?;
        let result = scan.wait().map_err(|fault| unread(fault.to_string()))?;
        if result.partial {
            return Err(unread(result.table.warnings.join("; ")));
        }
        Ok(scan.take_buckets())
    }
}

/// Each time with the buckets of its window.
fn windows(definition: &MetricDefinition, range: HistoryRange) -> Result<Vec<(i64, Range<i64>)>, LiveError> {
    if range.steps() > MAX_HISTORY_STEPS as u64 {
        return Err(LiveError::TooMuchHistory {
            what: "steps",
            asked: range.steps(),
            limit: MAX_HISTORY_STEPS as u64,
        });
    }
    let window = Window::new(definition);
    let windows: Vec<(i64, Range<i64>)> = range.times().map(|at| (at, window.at(at))).collect();
    if let (Some((_, first)), Some((_, last))) = (windows.first(), windows.last()) {
        let asked = last.end.abs_diff(first.start);
        if asked > MAX_HISTORY_BUCKETS {
            return Err(LiveError::TooMuchHistory { what: "granules", asked, limit: MAX_HISTORY_BUCKETS });
        }
    }
    Ok(windows)
}

fn context(definition: &MetricDefinition, nanos: Range<i64>) -> Context {
    Context {
        now_millis: nanos.end.div_euclid(1_000_000),
        start_nanos: nanos.start,
        end_nanos: nanos.end,
        timezone: definition.timezone.clone(),
        max_state_bytes: definition.max_bytes,
        ..Context::default()
    }
}

/// The result of each window.
fn slide(
    definition: &MetricDefinition,
    program: &Arc<Program>,
    windows: &[(i64, Range<i64>)],
    buckets: BTreeMap<i64, Sum>,
) -> Result<Vec<HistoryPoint>, LiveError> {
    let window = Window::new(definition);
    let Some((_, last)) = windows.last() else { return Ok(Vec::new()) };
    let empty = Machine::new(Arc::clone(program), context(definition, window.nanos_of(last))).new_state();
    let borders = borders(windows);
    let panes = panes(&borders, buckets)?;
    let mut sliding = Sliding::new(&panes, empty, definition.max_bytes);
    let mut points = Vec::with_capacity(windows.len());
    for (at, buckets) in windows {
        let place = |bucket: i64| borders.partition_point(|border| *border < bucket);
        let total = sliding.total(place(buckets.start)..place(buckets.end))?;
        let mut machine = Machine::new(Arc::clone(program), context(definition, window.nanos_of(buckets)));
        points.push(HistoryPoint { nanos: *at, table: machine.finish(&total)? });
    }
    Ok(points)
}

/// Where windows begin and end, ascending.
fn borders(windows: &[(i64, Range<i64>)]) -> Vec<i64> {
    let mut borders: Vec<i64> =
        windows.iter().flat_map(|(_, buckets)| [buckets.start, buckets.end]).collect();
    borders.sort_unstable();
    borders.dedup();
    borders
}

/// What lies between each border and the next; `None`: nothing.
fn panes(borders: &[i64], buckets: BTreeMap<i64, Sum>) -> Result<Vec<Option<State>>, StepError> {
    let mut panes: Vec<Option<State>> = Vec::new();
    panes.resize_with(borders.len(), || None);
    for (bucket, sum) in buckets {
        let place = borders.partition_point(|border| *border <= bucket);
        let Some(pane) = place.checked_sub(1).and_then(|place| panes.get_mut(place)) else { continue };
        match pane {
            Some(state) => state.merge(&sum.state)?,
            None => *pane = Some(sum.state),
        }
    }
    Ok(panes)
}

/// A window over panes that only moves forward.
struct Sliding<'a> {
    panes: &'a [Option<State>],
    /// For panes from the window's start to `middle`: each with all that follow it, the earliest last.
    older: Vec<State>,
    /// Panes from `middle` to `end` together.
    newer: State,
    middle: usize,
    end: usize,
    empty: State,
    max_bytes: usize,
}

impl<'a> Sliding<'a> {
    fn new(panes: &'a [Option<State>], empty: State, max_bytes: usize) -> Sliding<'a> {
        Sliding { panes, older: Vec::new(), newer: empty.clone(), middle: 0, end: 0, empty, max_bytes }
    }

    /// The panes of `range`, whose ends are not before those of the last call.
    fn total(&mut self, range: Range<usize>) -> Result<State, LiveError> {
        let gone = range.start.saturating_sub(self.middle.saturating_sub(self.older.len()));
        self.older.truncate(self.older.len().saturating_sub(gone));
        if self.older.is_empty() {
            // The stack of older panes is used up: what is in the window becomes the next one.
            self.newer = self.empty.clone();
            (self.middle, self.end) = (range.end, range.end);
            let (mut sum, mut bytes) = (self.empty.clone(), 0);
            for pane in range.clone().rev() {
                if let Some(Some(state)) = self.panes.get(pane) {
                    sum.merge(state)?;
                }
                bytes += sum.bytes();
                if bytes > self.max_bytes {
                    let limit = self.max_bytes;
                    return Err(LiveError::History(format!(
                        "its states are over the metric's bound of {limit} bytes"
                    )));
                }
                self.older.push(sum.clone());
            }
        }
        for pane in self.end..range.end {
            if let Some(Some(state)) = self.panes.get(pane) {
                self.newer.merge(state)?;
            }
        }
        self.end = self.end.max(range.end);
        let mut total = self.older.last().unwrap_or(&self.empty).clone();
        total.merge(&self.newer)?;
        Ok(total)
    }
}

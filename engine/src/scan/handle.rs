//! Starts scans, and what their owner holds.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_query::program::Program;
use weir_query::result::ResultTable;

use super::running::Running;
use super::sink::{Layout, Sum, Sums};
use super::{ScanError, ScanOptions, ScanPool, ScanProgress, ScanStats, Source};

/// A search of history.
#[derive(Debug)]
pub struct Scan;

/// A running scan. Dropping it cancels the scan. All methods can be called from any thread.
pub struct ScanHandle {
    running: Arc<Running>,
    pool: ScanPool,
}

/// How a scan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanEnd {
    /// Everything that can matter was read.
    Complete,
    /// Its owner cancelled it or went away.
    Cancelled,
    /// It ran into [`ScanOptions::time_budget`].
    TimeBudget,
    /// It ran into a memory budget.
    MemoryBudget,
    /// A fault in the code of the query's functions.
    Failed,
}

/// What a scan found.
#[derive(Clone, Debug)]
pub struct ScanResult {
    /// The table; warnings about damage and budgets are in it.
    pub table: ResultTable,
    /// What it cost.
    pub stats: ScanStats,
    /// How it ended.
    pub end: ScanEnd,
    /// Something that may have mattered was not read: a damaged block, a budget, cancellation.
    pub partial: bool,
    /// From start to end.
    pub elapsed: Duration,
}

/// Matches of a streaming scan: rows of one table, in the order in which they should be shown.
#[derive(Clone, Debug)]
pub struct Matches {
    /// The values.
    pub table: Arc<ResultTable>,
    /// Rows of `table`, newest event first; for an aggregate as its query sorts them.
    pub rows: Vec<u32>,
}

/// What [`ScanHandle::next_rows`] has.
#[derive(Clone, Debug)]
pub enum NextRows {
    /// The next matches.
    Rows(Matches),
    /// Nothing yet: ask again, or wait for the waker.
    Waiting,
    /// There are no more: see [`ScanHandle::wait`].
    Done,
}

impl Scan {
    /// Starts to run `program` over `source`. A chart over a time range without a start is drawn over the time there
    /// are events from.
    ///
    /// # Errors
    /// When too many scans are waiting, or there is no thread to run on.
    pub fn start(
        source: Arc<dyn Source>,
        program: Arc<Program>,
        mut options: ScanOptions,
    ) -> Result<ScanHandle, ScanError> {
        if program.charts_time() && options.context.start_nanos == i64::MIN {
            let context = &mut options.context;
            if let Some(held) = held_range(&*source, context.start_nanos..context.end_nanos) {
                (context.start_nanos, context.end_nanos) = (held.start, held.end);
            }
        }
        Scan::start_laid_out(&*source, program, &options, Layout::One)
    }

    /// As [`Scan::start`], into one state a bucket where `layout` says so.
    pub(crate) fn start_laid_out(
        source: &dyn Source,
        program: Arc<Program>,
        options: &ScanOptions,
        layout: Layout,
    ) -> Result<ScanHandle, ScanError> {
        let pool = options.pool.clone().unwrap_or_else(ScanPool::shared);
        let running = Arc::new(Running::new(source, program, options, layout, pool.threads()));
        if !running.is_ended() && !options.head_start.is_zero() {
            pool.check_room()?;
            running.give_head_start(options.head_start);
        }
        if !running.is_ended() {
            pool.start(&running)?;
        }
        Ok(ScanHandle { running, pool })
    }
}

/// From the earliest to the latest event of `source` inside `range`; as near as the facts of blocks tell.
fn held_range(source: &dyn Source, range: Range<i64>) -> Option<Range<i64>> {
    let blocks = source.parts().into_iter().flat_map(|part| part.blocks());
    let inside = blocks.filter(|block| block.min_nanos < range.end && block.max_nanos >= range.start);
    let (first, last) = inside.fold((i64::MAX, i64::MIN), |(first, last), block| {
        (first.min(block.min_nanos), last.max(block.max_nanos))
    });
    (first <= last).then(|| first.max(range.start)..last.saturating_add(1).min(range.end))
}

impl ScanHandle {
    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> ScanProgress {
        self.running.progress()
    }

    /// The result of what was read so far; the whole result once the scan has ended.
    ///
    /// # Errors
    /// When the later steps of the query cannot run over it.
    pub fn partial(&self) -> Result<ResultTable, ScanError> {
        self.running.partial()
    }

    /// Stops the scan within 100 ms; what was found stays readable, but for streamed matches that were not
    /// fetched. Returns at once.
    pub fn cancel(&self) {
        self.running.stop(ScanEnd::Cancelled);
        self.pool.turns().look_again();
    }

    /// Waits for the end and gives the result.
    ///
    /// # Errors
    /// When the later steps of the query cannot run over what was found.
    pub fn wait(&self) -> Result<ScanResult, ScanError> {
        self.running.wait_for_end(None);
        self.running.result()
    }

    /// Waits for the end, but not longer than `limit`; `None` when it has not come.
    ///
    /// # Errors
    /// As [`ScanHandle::wait`].
    pub fn wait_for(&self, limit: Duration) -> Result<Option<ScanResult>, ScanError> {
        let ended = self.running.wait_for_end(Some(Instant::now() + limit));
        ended.then(|| self.running.result()).transpose()
    }

    /// The next matches of a streaming scan, newest first; waits at most `limit` (zero: does not wait). While the
    /// reader does not come for them, the scan waits.
    ///
    /// # Errors
    /// For an aggregate, when the later steps of the query cannot run.
    pub fn next_rows(&self, limit: Duration) -> Result<NextRows, ScanError> {
        let (next, go_on) = self.running.next_rows(Instant::now() + limit)?;
        if go_on {
            self.pool.turns().look_again();
        }
        Ok(next)
    }

    /// `waker` is called, on a scan thread, whenever [`ScanHandle::next_rows`] has something new and when the
    /// scan ends; at once if that is so already. It must be quick and must not call the handle.
    pub fn set_waker(&self, waker: impl Fn() + Send + Sync + 'static) {
        self.running.set_waker(Arc::new(waker));
    }

    /// Takes the states by bucket, of a scan that was laid out so. Only to be asked for after the end.
    pub(crate) fn take_buckets(&self) -> BTreeMap<i64, Sum> {
        match self.running.take_sums() {
            Some(Sums::Buckets(buckets)) => buckets,
            Some(Sums::One(_)) | None => BTreeMap::new(),
        }
    }
}

impl Drop for ScanHandle {
    fn drop(&mut self) {
        // To cancel wakes threads; those of a scan that has ended have let go of it by themselves.
        if !self.running.is_ended() {
            self.cancel();
        }
    }
}

impl std::fmt::Debug for ScanHandle {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ScanHandle").field("progress", &self.progress()).finish_non_exhaustive()
    }
}

impl ScanEnd {
    /// What the reader of a result should be told.
    pub(super) fn warning(self, time_budget: Option<Duration>) -> Option<String> {
        match self {
            // The reason of a memory budget and of a fault is a warning of its own.
            ScanEnd::Complete | ScanEnd::MemoryBudget | ScanEnd::Failed => None,
            ScanEnd::Cancelled => Some("the search was cancelled before its end".to_owned()),
            ScanEnd::TimeBudget => {
                let seconds = time_budget.unwrap_or_default().as_secs_f64();
                Some(format!("the search was ended by its time budget of {seconds} s"))
            }
        }
    }
}

//! Starts scans, and what their owner holds.

use std::sync::Arc;
use std::time::Duration;

use weir_query::program::Program;
use weir_query::result::ResultTable;

use super::{ScanError, ScanOptions, ScanProgress, ScanStats, Source};

/// A search of history.
#[derive(Debug)]
pub struct Scan;

/// A running scan. Dropping it cancels the scan. All methods can be called from any thread.
pub struct ScanHandle {
    progress: ScanProgress,
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
    /// Starts to run `program` over `source`.
    ///
    /// # Errors
    /// When too many scans are waiting, or there is no thread to run on.
    pub fn start(
        source: Arc<dyn Source>,
        program: Arc<Program>,
        options: ScanOptions,
    ) -> Result<ScanHandle, ScanError> {
        let _ = (source, program, options);
        Ok(ScanHandle { progress: ScanProgress { done: true, ..ScanProgress::default() } })
    }
}

impl ScanHandle {
    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> ScanProgress {
        self.progress
    }

    /// The result of what was read so far; the whole result once the scan has ended.
    ///
    /// # Errors
    /// When the later steps of the query cannot run over it.
    pub fn partial(&self) -> Result<ResultTable, ScanError> {
        Ok(ResultTable::default())
    }

    /// Stops the scan within 100 ms; what was found stays readable. Returns at once.
    pub fn cancel(&self) {}

    /// Waits for the end and gives the result.
    ///
    /// # Errors
    /// When the later steps of the query cannot run over what was found.
    pub fn wait(&self) -> Result<ScanResult, ScanError> {
        Ok(ScanResult {
            table: ResultTable::default(),
            stats: ScanStats::default(),
            end: ScanEnd::Complete,
            partial: false,
            elapsed: Duration::ZERO,
        })
    }

    /// Waits for the end, but not longer than `limit`; `None` when it has not come.
    ///
    /// # Errors
    /// As [`ScanHandle::wait`].
    pub fn wait_for(&self, limit: Duration) -> Result<Option<ScanResult>, ScanError> {
        let _ = limit;
        self.wait().map(Some)
    }

    /// The next matches of a streaming scan, newest first; waits at most `limit` (zero: does not wait). While the
    /// reader does not come for them, the scan waits.
    ///
    /// # Errors
    /// For an aggregate, when the later steps of the query cannot run.
    pub fn next_rows(&self, limit: Duration) -> Result<NextRows, ScanError> {
        let _ = limit;
        Ok(NextRows::Done)
    }

    /// `waker` is called, on a scan thread, whenever [`ScanHandle::next_rows`] has something new and when the
    /// scan ends; at once if that is so already. It must be quick and must not call the handle.
    pub fn set_waker(&self, waker: impl Fn() + Send + Sync + 'static) {
        waker();
    }
}

//! The end of a scan, and what its handle asks: progress, partial and whole results, the next matches.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use weir_query::machine::Machine;
use weir_query::result::ResultTable;

use super::running::Running;
use super::sink::{Layout, Sums};
use super::{NextRows, ScanEnd, ScanError, ScanProgress, ScanResult};

/// How and when a scan ended, and who wants to know.
#[derive(Default)]
pub(super) struct End {
    how: Option<ScanEnd>,
    at: Option<Instant>,
    pub(super) first_turn: Option<Instant>,
    table_appended: bool,
    waker: Option<Arc<dyn Fn() + Send + Sync>>,
}

/// A partial result is given again for so many times as long as it took to make: merging and finishing hundreds of
/// thousands of groups, during which the threads that learn them wait, then takes a ninth of the scan at most.
const PARTIAL_KEPT_FOR: u32 = 8;

/// The last partial result.
pub(super) struct Partial {
    table: ResultTable,
    made: Instant,
    took: Duration,
}

impl Running {
    pub(super) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub(super) fn is_over_time(&self) -> bool {
        self.time_budget.is_some_and(|budget| self.started.elapsed() > budget)
    }

    /// Ends the scan; the first reason stays.
    pub(super) fn stop(&self, how: ScanEnd) {
        for slot in &self.slots {
            // A slot that is being worked on lets go by itself.
            if let Some(mut work) = slot.work.try_lock() {
                work.close(slot);
            }
        }
        {
            let mut end = self.end.lock();
            if end.how.is_some() {
                return;
            }
            end.how = Some(how);
            end.at = Some(Instant::now());
        }
        self.ended.store(true, Ordering::Release);
        let mut output = self.output.lock();
        match how {
            ScanEnd::Cancelled => output.close(),
            _ => output.release(None),
        }
        drop(output);
        self.tell();
    }

    /// Wakes whoever waits for rows or for the end.
    pub(super) fn tell(&self) {
        let waker = self.end.lock().waker.clone();
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker();
        }
    }

    pub(super) fn set_waker(&self, waker: Arc<dyn Fn() + Send + Sync>) {
        self.end.lock().waker = Some(Arc::clone(&waker));
        if self.is_ended() || self.output.lock().has_ready() {
            waker();
        }
    }

    // What the handle asks.

    /// Waits for the end; false: it did not come in time.
    pub(super) fn wait_for_end(&self, until: Option<Instant>) -> bool {
        let mut end = self.end.lock();
        while end.how.is_none() {
            match until {
                Some(until) if self.changed.wait_until(&mut end, until).timed_out() => {
                    return end.how.is_some();
                }
                Some(_) => {}
                None => self.changed.wait(&mut end),
            }
        }
        true
    }

    pub(super) fn progress(&self) -> ScanProgress {
        let total = self.plan.units().len() as u64;
        let left = self.cursor.lock().left as u64;
        let mut stats = *self.stats.lock();
        stats.rows_unordered = self.output.lock().unordered();
        let end = self.end.lock();
        let elapsed = end.at.unwrap_or_else(Instant::now).duration_since(self.started);
        let queued = end.first_turn.map_or(elapsed, |turn| turn.duration_since(self.started));
        ScanProgress {
            work_done: total - left.min(total),
            work_total: total,
            done: end.how.is_some(),
            elapsed,
            queued,
            stats,
        }
    }

    /// A machine for its program.
    pub(super) fn machine(&self) -> Machine {
        Machine::new(Arc::clone(&self.program), self.context.clone())
    }

    /// A machine that may hold what all threads hold together, and as much again for the later steps: a scan that
    /// went over its budget, by a group of granules at most, still has an answer.
    fn finisher(&self) -> Machine {
        let held = self.bytes();
        let mut context = self.context.clone();
        context.max_state_bytes = context.max_state_bytes.max(held).saturating_mul(2);
        Machine::new(Arc::clone(&self.program), context)
    }

    /// The states of all threads, merged; they are not held any more.
    pub(super) fn take_sums(&self) -> Option<Sums> {
        self.gathered.gather(&self.slots, self.layout, &self.machine()).into_sums()
    }

    fn finish(&self) -> Result<ResultTable, ScanError> {
        let gathering = self.gathered.gather(&self.slots, self.layout, &self.machine());
        let mut machine = self.finisher();
        let mut table = gathering.with(|sums| match sums {
            Some(Sums::One(state)) => machine.finish(state),
            _ => Ok(ResultTable::default()),
        })?;
        drop(gathering);
        let warnings = self.warnings.lock();
        table.warnings.extend(warnings.0.iter().cloned());
        if warnings.1 > 0 {
            table.warnings.push(format!("and {} more warnings", warnings.1));
        }
        Ok(table)
    }

    pub(super) fn partial(&self) -> Result<ResultTable, ScanError> {
        if self.is_ended() {
            return self.result().map(|result| result.table);
        }
        let mut last = self.partial.lock();
        if let Some(last) = &*last
            && last.made.elapsed() < last.took * PARTIAL_KEPT_FOR
        {
            return Ok(last.table.clone());
        }
        let begun = Instant::now();
        let table = self.finish()?;
        if self.is_ended() {
            // The states may have been let go while they were merged.
            drop(last);
            return self.result().map(|result| result.table);
        }
        *last = Some(Partial { table: table.clone(), made: Instant::now(), took: begun.elapsed() });
        Ok(table)
    }

    /// The result; only to be asked for after the end. Computed once; the states are let go then.
    pub(super) fn result(&self) -> Result<ScanResult, ScanError> {
        let mut cached = self.result.lock();
        if let Some(result) = &*cached {
            return result.clone();
        }
        let result = self.finish().map(|mut table| {
            let progress = self.progress();
            let end = self.end.lock().how.unwrap_or(ScanEnd::Cancelled);
            if let Some(warning) = end.warning(self.time_budget) {
                table.warnings.push(warning);
            }
            if progress.stats.rows_unordered > 0 {
                let rows = progress.stats.rows_unordered;
                table
                    .warnings
                    .push(format!("{rows} matches are not in strict order: too many blocks overlap in time"));
            }
            let partial = end != ScanEnd::Complete || self.missing || progress.stats.blocks_damaged > 0;
            ScanResult { table, stats: progress.stats, end, partial, elapsed: progress.elapsed }
        });
        if self.layout == Layout::One {
            self.gathered.clear();
        }
        *self.partial.lock() = None;
        *cached = Some(result.clone());
        result
    }

    /// The next matches, waiting for them until `until`. The second says that the scan was waiting for the reader
    /// and can go on.
    pub(super) fn next_rows(&self, until: Instant) -> Result<(NextRows, bool), ScanError> {
        loop {
            {
                let mut output = self.output.lock();
                let waited = output.is_full() || output.is_holding_much();
                if let Some(matches) = output.next() {
                    return Ok((NextRows::Rows(matches), waited));
                }
            }
            let mut end = self.end.lock();
            if end.how.is_some() {
                if std::mem::replace(&mut end.table_appended, true) || end.how == Some(ScanEnd::Cancelled) {
                    // Matches may have been released between the two looks.
                    drop(end);
                    let last = self.output.lock().next();
                    return Ok((last.map_or(NextRows::Done, NextRows::Rows), false));
                }
                drop(end);
                let table = self.result()?.table;
                self.output.lock().append(table);
                continue;
            }
            if self.output.lock().has_ready() {
                continue;
            }
            if self.changed.wait_until(&mut end, until).timed_out() {
                return Ok((NextRows::Waiting, false));
            }
        }
    }
}

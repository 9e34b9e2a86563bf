//! Fills buckets from history: at definition, after a restart from where a snapshot was taken, for a longer window, where batches were missed, and for
//! events that came before their time, when it comes.
//!
//! At definition the standing first is where every batch from then on reaches it; then the snapshot is taken, whose
//! cut C says where live begins: batches up to C are skipped, those beyond it are absorbed at once, and the scan of
//! the events up to C is merged into the same buckets when it is done. States merge in any order, so there is no
//! gap, no double count, and nothing to queue.

use std::ops::Range;
use std::sync::Arc;

use super::History;
use super::standing::{Reading, Standing, StandingCut};
use super::window::Window;
use crate::scan::{Scan, ScanEnd, ScanError, ScanHandle, ScanOptions, ScanPool};

/// Scans of one standing that run at a time: each may hold as much as its ring.
const MAX_RUNNING: usize = 2;

/// A scan for a standing: of the events from `first_sequence` to `last_sequence` that belong into `buckets`.
pub(super) struct Backfill {
    first_sequence: u64,
    last_sequence: u64,
    /// What it may fill. Those that another backfill reads are taken away from it.
    pub(super) buckets: Range<i64>,
    /// `None`: there was no room; it is tried again.
    scan: Option<ScanHandle>,
}

impl Backfill {
    /// What it reads.
    pub(super) fn reading(&self) -> Reading {
        let (first_sequence, last_sequence) = (self.first_sequence, self.last_sequence);
        Reading { first_sequence, last_sequence, buckets: self.buckets.clone() }
    }

    /// It reads what would have come had it not been missed, and not what was there before. That is no news, but to those
    /// who are given each event once.
    fn is_of_missed(&self) -> bool {
        self.first_sequence > 0
    }
}

/// Where backfills read, and on what.
pub(super) struct Reader<'a> {
    pub(super) history: &'a History,
    pub(super) pool: &'a Option<ScanPool>,
    pub(super) now_nanos: i64,
}

impl Reader<'_> {
    /// Starts the first backfill of `standing`: everything there is; live begins where it ends.
    pub(super) fn begin(&self, standing: &mut Standing) {
        let cut = (self.history)().up_to_sequence();
        standing.skip_to(cut.saturating_add(1));
        self.read(standing, 0, cut, i64::MIN..i64::MAX);
    }

    /// Lets `standing`, which is empty, go on from `cut`, and starts to read what came since. `coming`: the windows of all
    /// metrics that are about to share it.
    pub(super) fn resume(&self, standing: &mut Standing, mut cut: StandingCut, coming: &[Window]) {
        let last_sequence = (self.history)().up_to_sequence();
        let (next_sequence, readings) = (cut.next_sequence, std::mem::take(&mut cut.readings));
        let lacking = standing.resume(cut, coming, last_sequence, self.now_nanos);
        standing.skip_to(last_sequence.saturating_add(1));
        let there = lacking.as_ref().map_or(i64::MIN, |lacking| lacking.end);
        for Reading { first_sequence, last_sequence, buckets } in readings {
            self.read(standing, first_sequence, last_sequence, buckets.start.max(there)..buckets.end);
        }
        if let Some(buckets) = lacking {
            self.read(standing, 0, last_sequence, buckets);
        }
        self.read_missed(standing, next_sequence.max(1), last_sequence);
    }

    /// Another metric, over `window`, shares `standing`: starts to read what it lacks for that.
    pub(super) fn join(&self, standing: &mut Standing, window: Window) {
        let cut = (self.history)().up_to_sequence();
        if let Some(buckets) = standing.join(window, cut, standing.shown_at(self.now_nanos)) {
            self.read(standing, 0, cut, buckets);
        }
    }

    /// Starts to read what the feed left out: `after < sequence <= up_to`. One that is put off is not fed anyway.
    pub(super) fn catch_up(&self, standing: &mut Standing, after: u64, up_to: u64) {
        if standing.is_deferred() {
            return;
        }
        let first = standing.next_sequence().max(after.saturating_add(1));
        standing.skip_to(up_to.saturating_add(1));
        self.read_missed(standing, first, up_to);
    }

    /// Starts to read what came since `standing` was put off, or since it was read last.
    pub(super) fn read_deferred(&self, standing: &mut Standing) {
        let up_to = (self.history)().up_to_sequence();
        if let Some(missed) = standing.begin_reading(up_to, self.now_nanos) {
            self.read_missed(standing, missed.start, missed.end.saturating_sub(1));
        }
    }

    /// Starts to read the events from `first` to `up_to`, but for those that another backfill brings.
    fn read_missed(&self, standing: &mut Standing, mut first: u64, up_to: u64) {
        while first <= up_to {
            let (last, start) = standing.reserved_at(first).unwrap_or((up_to, i64::MIN));
            let last = last.min(up_to);
            self.read(standing, first, last, start..i64::MAX);
            first = last.saturating_add(1);
        }
    }

    fn read(&self, standing: &mut Standing, first_sequence: u64, last_sequence: u64, buckets: Range<i64>) {
        self.start(standing, Backfill { first_sequence, last_sequence, buckets, scan: None });
    }

    fn start(&self, standing: &mut Standing, mut backfill: Backfill) {
        let now_nanos = standing.read_at(self.now_nanos);
        let Some((layout, range)) = standing.layout(&backfill.buckets, now_nanos) else { return };
        if standing.backfills.iter().filter(|backfill| backfill.scan.is_some()).count() >= MAX_RUNNING {
            return standing.backfills.push(backfill);
        }
        let options = ScanOptions {
            time_range: Some(range),
            first_sequence: backfill.first_sequence,
            last_sequence: backfill.last_sequence,
            pool: self.pool.clone(),
            max_state_bytes: standing.max_bytes(),
            ..ScanOptions::new(standing.context(now_nanos))
        };
        let source = (self.history)();
        match Scan::start_laid_out(&*source, Arc::clone(&standing.program), &options, layout) {
            Ok(scan) => backfill.scan = Some(scan),
            Err(ScanError::Busy { .. }) => {}
            Err(fault) => {
                return standing.fault(format!("history could not be read: {fault}"), self.now_nanos);
            }
        }
        standing.backfills.push(backfill);
    }

    /// Merges the backfills that are done, starts to read what is due, and reads back what is wanted.
    pub(super) fn collect(&self, standing: &mut Standing) {
        let (waiting, running): (Vec<_>, Vec<_>) =
            std::mem::take(&mut standing.backfills).into_iter().partition(|backfill| backfill.scan.is_none());
        for backfill in running {
            match &backfill.scan {
                Some(scan) if scan.progress().done => self.merge(standing, scan, &backfill),
                _ => standing.backfills.push(backfill),
            }
        }
        waiting.into_iter().for_each(|backfill| self.start(standing, backfill));
        if let Some((buckets, cut)) = standing.take_repair(self.now_nanos) {
            self.read(standing, 0, cut, buckets);
        }
        self.refill(standing);
        standing.note_read();
    }

    fn merge(&self, standing: &mut Standing, scan: &ScanHandle, backfill: &Backfill) {
        let is_too_much = scan.wait().is_ok_and(|result| result.end == ScanEnd::MemoryBudget);
        if is_too_much && self.halve(standing, backfill) {
            return;
        }
        let (sums, now_nanos) = (scan.take_buckets(), standing.read_at(self.now_nanos));
        for (bucket, sum) in sums.iter().filter(|(bucket, _)| backfill.buckets.contains(bucket)) {
            if standing.put_sum(*bucket, sum, now_nanos) && (backfill.is_of_missed() || standing.has_pane()) {
                standing.taken += sum.rows;
            }
        }
        match scan.wait() {
            Ok(result) if result.partial => {
                standing.fault(
                    format!("history was not read whole: {}", result.table.warnings.join("; ")),
                    self.now_nanos,
                );
            }
            Ok(_) => standing.touch(),
            Err(fault) => standing.fault(format!("history could not be read: {fault}"), self.now_nanos),
        }
    }

    /// Reads in two halves what was too much to be read at once. False: it is a single bucket.
    fn halve(&self, standing: &mut Standing, backfill: &Backfill) -> bool {
        let now_nanos = standing.read_at(self.now_nanos);
        let Some(middle) = standing.middle_of(&backfill.buckets, now_nanos) else { return false };
        let Range { start, end } = backfill.buckets;
        for buckets in [start..middle, middle..end] {
            let (first_sequence, last_sequence) = (backfill.first_sequence, backfill.last_sequence);
            standing.backfills.push(Backfill { first_sequence, last_sequence, buckets, scan: None });
        }
        true
    }
}

//! Fills a metric's buckets from history: at definition, after a restart, and where batches were missed.
//!
//! At definition the metric first stands in the registry, so that every batch from then on reaches it; then the
//! snapshot is taken, whose cut C says where live begins: batches up to C are skipped, those beyond it are
//! absorbed at once, and the scan of the events up to C is merged into the same buckets when it is done. States
//! merge in any order, so there is no gap, no double count, and nothing to queue.

use std::sync::Arc;

use super::History;
use super::metric::Metric;
use crate::scan::{Scan, ScanError, ScanHandle, ScanOptions, ScanPool};

/// A scan for a metric: of the events from `first_sequence` to `last_sequence`.
pub(super) struct Backfill {
    first_sequence: u64,
    last_sequence: u64,
    /// `None`: the pool had no room; it is tried again.
    scan: Option<ScanHandle>,
}

/// Where backfills read, and on what.
pub(super) struct Reader<'a> {
    pub(super) history: &'a History,
    pub(super) pool: &'a Option<ScanPool>,
    pub(super) now_nanos: i64,
}

impl Reader<'_> {
    /// Starts the first backfill of `metric`: everything there is; live begins where it ends.
    pub(super) fn begin(&self, metric: &mut Metric) {
        let cut = (self.history)().up_to_sequence();
        metric.next_sequence = cut.saturating_add(1);
        self.start(metric, Backfill { first_sequence: 0, last_sequence: cut, scan: None });
    }

    /// Starts to read what the feed left out: `after < sequence <= up_to`.
    pub(super) fn catch_up(&self, metric: &mut Metric, after: u64, up_to: u64) {
        let first_sequence = metric.next_sequence.max(after.saturating_add(1));
        if first_sequence > up_to {
            return;
        }
        metric.next_sequence = up_to.saturating_add(1);
        self.start(metric, Backfill { first_sequence, last_sequence: up_to, scan: None });
    }

    fn start(&self, metric: &mut Metric, mut backfill: Backfill) {
        let (layout, range) = metric.layout(self.now_nanos);
        let options = ScanOptions {
            time_range: Some(range),
            first_sequence: backfill.first_sequence,
            last_sequence: backfill.last_sequence,
            pool: self.pool.clone(),
            max_state_bytes: metric.definition.max_bytes,
            ..ScanOptions::new(metric.context(self.now_nanos))
        };
        let source = (self.history)();
        match Scan::start_laid_out(&*source, Arc::clone(&metric.program), &options, layout) {
            Ok(scan) => backfill.scan = Some(scan),
            Err(ScanError::Busy { .. }) => {}
            Err(fault) => return metric.fault(format!("history could not be read: {fault}"), self.now_nanos),
        }
        metric.backfills.push(backfill);
    }

    /// Merges the backfills that are done.
    pub(super) fn collect(&self, metric: &mut Metric) {
        for backfill in std::mem::take(&mut metric.backfills) {
            match &backfill.scan {
                None => self.start(metric, backfill),
                Some(scan) if !scan.progress().done => metric.backfills.push(backfill),
                Some(scan) => self.merge(metric, scan),
            }
        }
    }

    fn merge(&self, metric: &mut Metric, scan: &ScanHandle) {
        match scan.buckets() {
            Ok(buckets) => {
                for (bucket, sum) in &buckets {
                    metric.put_sum(*bucket, sum, self.now_nanos);
                }
            }
            Err(fault) => metric.fault(format!("history could not be read: {fault}"), self.now_nanos),
        }
        match scan.wait() {
            Ok(result) if result.partial => {
                metric.fault(
                    format!("history was not read whole: {}", result.table.warnings.join("; ")),
                    self.now_nanos,
                );
            }
            Ok(_) => metric.touch(),
            Err(fault) => metric.fault(format!("history could not be read: {fault}"), self.now_nanos),
        }
    }
}

//! Reads back what a ring gave up: as fine as it was, of the range where a window begins soon.
//!
//! As with a backfill there is a cut: the scan reads events up to it, and those beyond it are kept aside by the ring
//! until the scan is done.

use std::ops::Range;
use std::sync::Arc;

use super::backfill::Reader;
use super::ring::Want;
use super::standing::Standing;
use crate::scan::sink::Layout;
use crate::scan::{Scan, ScanError, ScanHandle, ScanOptions};

/// How many ranges are read back at a time for one standing.
const MAX_REFILLS: usize = 4;

/// A scan for what a ring wants back.
pub(super) struct Refill {
    want: Want,
    layout: Layout,
    options: ScanOptions,
    /// `None`: the pool had no room; it is tried again.
    scan: Option<ScanHandle>,
}

impl Refill {
    /// It reads some of `buckets`.
    pub(super) fn is_of(&self, buckets: &Range<i64>) -> bool {
        self.want.buckets.start < buckets.end && buckets.start < self.want.buckets.end
    }
}

impl Reader<'_> {
    /// Takes what has been read back, and starts to read what else is wanted.
    pub(super) fn refill(&self, standing: &mut Standing) {
        for refill in std::mem::take(&mut standing.refills) {
            match &refill.scan {
                None => self.start_refill(standing, refill),
                Some(scan) if !scan.progress().done => standing.refills.push(refill),
                Some(scan) => {
                    let is_whole = scan.wait().is_ok_and(|result| !result.partial);
                    let read = scan.take_buckets();
                    standing.refill(&refill.want, Some(&read).filter(|_| is_whole));
                }
            }
        }
        while standing.refills.len() < MAX_REFILLS
            && let Some((want, layout, range)) = standing.wanted()
        {
            let options = ScanOptions {
                time_range: Some(range),
                last_sequence: standing.next_sequence().saturating_sub(1),
                pool: self.pool.clone(),
                max_state_bytes: standing.max_bytes(),
                ..ScanOptions::new(standing.context(self.now_nanos))
            };
            self.start_refill(standing, Refill { want, layout, options, scan: None });
        }
    }

    fn start_refill(&self, standing: &mut Standing, mut refill: Refill) {
        let source = (self.history)();
        let program = Arc::clone(&standing.program);
        match Scan::start_laid_out(&*source, program, &refill.options, refill.layout) {
            Ok(scan) => refill.scan = Some(scan),
            Err(ScanError::Busy { .. }) => {}
            Err(_) => return standing.refill(&refill.want, None),
        }
        standing.refills.push(refill);
    }
}

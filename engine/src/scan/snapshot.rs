//! A snapshot of a repository as the source of a scan.

use std::ops::Range;
use std::sync::Arc;

use super::{Part, Source};
use crate::store::snapshot::Snapshot;

impl Source for Snapshot {
    fn up_to_sequence(&self) -> u64 {
        self.up_to_sequence
    }

    fn parts(&self) -> Vec<Arc<dyn Part>> {
        Vec::new()
    }

    fn missing(&self, range: Range<i64>) -> Vec<String> {
        let overlaps = |min: i64, max: i64| min < range.end && max >= range.start;
        let missing = self.missing.iter().filter(|gone| overlaps(gone.min_timestamp, gone.max_timestamp));
        missing
            .map(|gone| {
                format!("segment {} with {} events is missing: {}", gone.segment, gone.rows, gone.reason)
            })
            .collect()
    }
}

//! Merges small segments into larger ones, and removes files nobody reads any more.
//!
//! Neighbours in time are merged, smallest level first: the levels are fan-in apart in raw bytes, and a run is merged
//! when it has as many segments of its highest level as the fan-in. Each byte is thus written about once a level
//! (size-tiered compaction, as Bigtable's descendants have it). A merged segment is never larger than the limit.

use std::sync::Arc;

use crate::error::StoreError;
use crate::store::catalog::{Edit, SegmentEntry};
use crate::store::repository::{OpenSegment, StoredRepository};
use crate::store::segment::Segment;
use crate::store::{Store, segment_file};

/// Segments smaller than this are all of the lowest level.
const LOWEST_LEVEL_BYTES: u64 = 64 << 10;
/// A run is merged whatever its levels when it has this many times the fan-in of segments.
const CROWD: usize = 8;
const LEVELS: u32 = 24;

fn level(segment: &SegmentEntry, fan_in: usize) -> u32 {
    let mut bytes = LOWEST_LEVEL_BYTES;
    let mut level = 0;
    while segment.raw_bytes >= bytes && level < LEVELS {
        bytes = bytes.saturating_mul(fan_in as u64);
        level += 1;
    }
    level
}

/// The segments to merge next, given all ordered by time: neighbours of at most some level, the lowest that will do.
fn next_run(segments: &[SegmentEntry], fan_in: usize, raw_bytes_max: u64) -> Option<Vec<u64>> {
    let fan_in = fan_in.max(2);
    let levels: Vec<u32> = segments.iter().map(|segment| level(segment, fan_in)).collect();
    (0..=LEVELS).filter(|highest| levels.contains(highest)).find_map(|highest| {
        let (mut run, mut bytes, mut of_highest) = (Vec::new(), 0_u64, 0);
        for (segment, level) in segments.iter().zip(&levels) {
            let sum = bytes.saturating_add(segment.raw_bytes);
            if *level > highest || sum > raw_bytes_max {
                (bytes, of_highest) = (0, 0);
                run.clear();
            }
            if *level > highest || segment.raw_bytes > raw_bytes_max {
                continue;
            }
            run.push(segment.id);
            bytes += segment.raw_bytes;
            of_highest += usize::from(*level == highest);
            if of_highest >= fan_in || run.len() >= fan_in * CROWD {
                return Some(run);
            }
        }
        None
    })
}

impl Store {
    /// Merges one run of a repository's segments, if there is one worth it. Readers keep what they have.
    ///
    /// # Errors
    /// When a segment cannot be read, or the new one or the catalog cannot be written.
    pub(crate) fn merge_next(&self, repository: &StoredRepository) -> Result<bool, StoreError> {
        let _alone = repository.removing.lock();
        let mut segments = repository.segments();
        {
            let unmergeable = self.unmergeable.lock();
            segments.retain(|open| !unmergeable.contains(&open.entry.id));
        }
        let entries: Vec<SegmentEntry> = segments.iter().map(|open| open.entry.clone()).collect();
        let limit = self.config.merge_segment_bytes;
        let Some(run) = next_run(&entries, self.config.merge_fan_in, limit) else { return Ok(false) };
        self.health.check_store()?;
        let inputs: Vec<OpenSegment> =
            segments.into_iter().filter(|open| run.contains(&open.entry.id)).collect();
        let merged = self.counters.merge_cpu_nanos.time(|| self.merge(repository, &inputs));
        merged.inspect_err(|error| {
            // What is damaged stays so: merging it again every second helps nobody.
            if matches!(error, StoreError::Damaged { .. }) {
                self.unmergeable.lock().extend(inputs.iter().map(|open| open.entry.id));
            }
        })?;
        self.counters.merges.add(1);
        self.counters.segments_merged.add(inputs.len() as u64);
        Ok(true)
    }

    fn merge(&self, repository: &StoredRepository, inputs: &[OpenSegment]) -> Result<(), StoreError> {
        let id = self.catalog.lock().take_segment_id();
        let sources: Vec<Arc<Segment>> = inputs.iter().map(|open| Arc::clone(&open.segment)).collect();
        let merged = segment_file::write(self, id, |writer| Segment::merge(&sources, writer))?;
        let rows: u64 = inputs.iter().map(|open| open.entry.rows).sum();
        if merged.entry.rows != rows {
            let reason = format!("{} rows merged of {rows}", merged.entry.rows);
            return Err(StoreError::Damaged { path: segment_file::name(id), offset: 0, reason });
        }
        let removed: Vec<u64> = inputs.iter().map(|open| open.entry.id).collect();
        self.catalog.lock().commit(&Edit::Segments {
            repository: repository.id(),
            sealed_to: 0,
            removed: removed.clone(),
            added: vec![merged.entry.clone()],
        })?;
        let gone = repository.swap_segments(&removed, Some(merged));
        self.retire(gone);
        Ok(())
    }

    /// Hands over segments that are in no new snapshot.
    pub(crate) fn retire(&self, segments: Vec<OpenSegment>) {
        self.retired.lock().extend(segments);
    }

    /// Removes the files of retired segments that no snapshot holds any more; how many went. One that cannot be
    /// removed now is removed at the next start.
    pub(crate) fn remove_retired(&self) -> usize {
        let mut retired = self.retired.lock();
        let before = retired.len();
        let (held, free): (Vec<OpenSegment>, Vec<OpenSegment>) =
            std::mem::take(&mut *retired).into_iter().partition(|open| Arc::strong_count(&open.segment) > 1);
        *retired = held;
        let left = retired.len();
        drop(retired);
        for open in free {
            if let Err(error) = self.files.remove(&segment_file::name(open.entry.id)) {
                tracing::warn!(%error, "a merged or expired segment stays until the next start");
            }
        }
        before - left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::block::BLOCK_RAW_BYTES_MAX;

    const BLOCK: u64 = BLOCK_RAW_BYTES_MAX as u64;

    fn run(sizes: &[u64], fan_in: usize) -> Option<Vec<u64>> {
        let segments: Vec<SegmentEntry> = (0..)
            .zip(sizes)
            .map(|(id, size)| SegmentEntry { id, raw_bytes: *size, ..SegmentEntry::default() })
            .collect();
        next_run(&segments, fan_in, 16 * BLOCK)
    }

    #[test]
    fn neighbours_of_one_level_are_merged_smallest_first() {
        let tiny = BLOCK / 100;
        for (sizes, expect) in [
            (vec![], None),
            (vec![BLOCK; 3], None),
            (vec![BLOCK; 4], Some(vec![0, 1, 2, 3])),
            (vec![16 * BLOCK; 9], None),
            (vec![16 * BLOCK, tiny, tiny, tiny, tiny, 16 * BLOCK], Some(vec![1, 2, 3, 4])),
            (vec![BLOCK, BLOCK, BLOCK, BLOCK, tiny, tiny, tiny, tiny], Some(vec![4, 5, 6, 7])),
            (vec![4 * BLOCK; 4], Some(vec![0, 1, 2, 3])),
            (vec![5 * BLOCK; 4], None),
            (vec![BLOCK, tiny, BLOCK, tiny, BLOCK, BLOCK], Some(vec![0, 1, 2, 3, 4, 5])),
        ] {
            assert_eq!(run(&sizes, 4), expect, "{sizes:?}");
        }
    }

    #[test]
    fn merging_ends_and_leaves_few_segments() {
        let mut sizes = vec![BLOCK; 200];
        sizes.extend(vec![BLOCK / 1_000; 300]);
        let mut written = 0;
        for round in 0.. {
            assert!(round < 1_000, "merging ends");
            let Some(ids) = run(&sizes, 4) else { break };
            let first = ids[0] as usize;
            let sum = sizes[first..first + ids.len()].iter().sum();
            assert!(sum <= 16 * BLOCK);
            written += sum;
            sizes.splice(first..first + ids.len(), [sum]);
        }
        assert!(sizes.len() <= 40, "{} are left: {sizes:?}", sizes.len());
        assert!(written <= 4 * 200 * BLOCK, "every byte is written a few times: {}", written / BLOCK);
    }
}

//! Removes what is too old or too much: whole segments, oldest first.

use crate::config::Retention;
use crate::error::StoreError;
use crate::store::Store;
use crate::store::catalog::{Edit, SegmentEntry};
use crate::store::repository::StoredRepository;

/// The segments to remove, given all of a repository in any order. A segment that is partly too old stays until it
/// wholly is; by size the ones whose newest event is oldest go first.
fn expired(segments: &[SegmentEntry], retention: Retention, now_nanos: i64) -> Vec<u64> {
    let mut oldest_first: Vec<&SegmentEntry> = segments.iter().collect();
    oldest_first.sort_by_key(|segment| (segment.max_timestamp, segment.id));
    let mut bytes: u64 = segments.iter().map(|segment| segment.file_bytes).sum();
    let age_nanos = |secs: u64| i64::try_from(secs.saturating_mul(1_000_000_000)).unwrap_or(i64::MAX);
    let cut = retention.age_secs.map(|secs| now_nanos.saturating_sub(age_nanos(secs)));
    let mut expired = Vec::new();
    for segment in oldest_first {
        let too_old = cut.is_some_and(|cut| segment.max_timestamp < cut);
        let too_much = retention.bytes.is_some_and(|limit| bytes > limit);
        if !too_old && !too_much {
            break;
        }
        bytes -= segment.file_bytes;
        expired.push(segment.id);
    }
    expired
}

impl Store {
    /// Removes what is beyond the retention of a repository at `now_nanos`; how many segments went.
    ///
    /// # Errors
    /// When the catalog cannot be written.
    pub(crate) fn expire(&self, repository: &StoredRepository, now_nanos: i64) -> Result<usize, StoreError> {
        let retention = repository.retention().unwrap_or(self.config.retention);
        if retention == Retention::default() {
            return Ok(0);
        }
        let _alone = repository.removing.lock();
        // From the catalog, so that segments whose file is missing go as well.
        let entries: Vec<SegmentEntry> = {
            let catalog = self.catalog.lock();
            let entry = catalog.contents().repositories.get(&repository.id());
            entry.map(|entry| entry.segments.values().cloned().collect()).unwrap_or_default()
        };
        let mut removed = expired(&entries, retention, now_nanos);
        // One that is in the catalog and not yet swapped in would be swapped in after it was removed.
        let held = repository.segment_ids();
        removed.retain(|id| held.contains(id));
        if removed.is_empty() {
            return Ok(0);
        }
        self.catalog.lock().commit(&Edit::Segments {
            repository: repository.id(),
            sealed_to: 0,
            removed: removed.clone(),
            added: Vec::new(),
        })?;
        let gone = repository.swap_segments(&removed, None);
        self.retire(gone);
        self.counters.segments_expired.add(removed.len() as u64);
        Ok(removed.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_segments_go_oldest_first() {
        let second = 1_000_000_000;
        let segment = |id: u64, min: i64, max: i64| SegmentEntry {
            id,
            min_timestamp: min * second,
            max_timestamp: max * second,
            file_bytes: 100,
            ..SegmentEntry::default()
        };
        let segments = [segment(3, 20, 30), segment(1, 0, 10), segment(2, 5, 50), segment(4, 40, 60)];
        let by = |age_secs, bytes| expired(&segments, Retention { age_secs, bytes }, 60 * second);
        assert_eq!(by(None, None), [0; 0]);
        assert_eq!(by(Some(50), None), [0; 0], "the newest event is exactly at the limit");
        assert_eq!(by(Some(49), None), [1]);
        assert_eq!(by(Some(15), None), [1, 3], "2 is partly too old");
        assert_eq!(by(None, Some(400)), [0; 0]);
        assert_eq!(by(None, Some(399)), [1]);
        assert_eq!(by(None, Some(0)), [1, 3, 2, 4]);
        assert_eq!(by(Some(49), Some(200)), [1, 3]);
        assert_eq!(by(Some(u64::MAX), None), [0; 0]);
    }
}

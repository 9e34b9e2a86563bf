//! What the store and its repositories tell of themselves.

use std::sync::atomic::Ordering;

use crate::stats::{EngineStats, RepositoryStats};
use crate::store::Store;
use crate::store::repository::StoredRepository;

impl Store {
    /// Everything counted, but for the queue in front of the log.
    pub(crate) fn stats(&self) -> EngineStats {
        let counters = &self.counters;
        let mut stats = EngineStats {
            events_appended: counters.events_appended.get(),
            raw_bytes_appended: counters.raw_bytes_appended.get(),
            batches_appended: counters.batches_appended.get(),
            duplicates: counters.duplicates.get(),
            refused_busy: counters.refused_busy.get(),
            refused_disk_full: counters.refused_disk_full.get(),
            refused_other: counters.refused_other.get(),
            log_bytes_written: counters.log_bytes_written.get(),
            log_syncs: counters.log_syncs.get(),
            log_sync_nanos: counters.log_sync_nanos.get(),
            log_files: self.shelf.kept() as u64,
            head_bytes: self.head_bytes.load(Ordering::Relaxed) as u64,
            events_replayed: counters.events_replayed.get(),
            damaged: counters.damaged.get(),
            blocks_sealed: counters.blocks_sealed.get(),
            raw_bytes_sealed: counters.raw_bytes_sealed.get(),
            seal_failures: counters.seal_failures.get(),
            seal_cpu_nanos: counters.seal_cpu_nanos.get(),
            merge_cpu_nanos: counters.merge_cpu_nanos.get(),
            index_cpu_nanos: counters.index_cpu_nanos.get(),
            merges: counters.merges.get(),
            segments_merged: counters.segments_merged.get(),
            segments_expired: counters.segments_expired.get(),
            free_bytes: self.files.free_bytes().unwrap_or(0),
            poisoned: self.health.reason(),
            seal_failing: self.seal_failing.lock().values().map(|failure| failure.reason.clone()).next(),
            ..EngineStats::default()
        };
        for repository in self.repositories() {
            for open in repository.segments() {
                stats.segments += 1;
                stats.segment_bytes += open.entry.file_bytes;
                stats.index_bytes += open.segment.facts().index_bytes;
            }
            stats.feed_missed_batches += repository.held().missed_batches;
        }
        stats
    }
}

impl StoredRepository {
    /// What it holds, counted.
    pub(crate) fn stats(&self) -> RepositoryStats {
        let (held, snapshot) = (self.held(), self.snapshot());
        let mut stats = RepositoryStats {
            events: held.head_events,
            raw_bytes: held.head_bytes,
            head_events: held.head_events,
            head_bytes: held.head_bytes,
            segments_missing: snapshot.missing.len() as u64,
            up_to_sequence: snapshot.up_to_sequence,
            ..RepositoryStats::default()
        };
        let mut times: Option<(i64, i64)> = None;
        let mut widen = |first: i64, last: i64| {
            let (least, most) = times.get_or_insert((first, last));
            *least = first.min(*least);
            *most = last.max(*most);
        };
        for open in self.segments() {
            let entry = &open.entry;
            stats.segments += 1;
            stats.events += entry.rows;
            stats.raw_bytes += entry.raw_bytes;
            stats.segment_bytes += entry.file_bytes;
            widen(entry.min_timestamp, entry.max_timestamp);
        }
        for batch in &snapshot.batches {
            (0..batch.len()).map(|row| batch.timestamp(row)).for_each(|at| widen(at, at));
        }
        stats.min_timestamp = times.map(|times| times.0);
        stats.max_timestamp = times.map(|times| times.1);
        stats
    }
}

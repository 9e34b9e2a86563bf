//! What the engine counts about itself. Counters only ever grow; gauges say what is now.

/// The whole engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// Events taken and acknowledged.
    pub events_appended: u64,
    /// Raw bytes of those events.
    pub raw_bytes_appended: u64,
    /// Batches acknowledged, duplicates not counted.
    pub batches_appended: u64,
    /// Batches answered with the receipt of an earlier one.
    pub duplicates: u64,
    /// Batches refused because a queue was full.
    pub refused_busy: u64,
    /// Batches refused because the disk was nearly full.
    pub refused_disk_full: u64,
    /// Batches refused for any other reason.
    pub refused_other: u64,
    /// Bytes written to the log.
    pub log_bytes_written: u64,
    /// Syncs of the log.
    pub log_syncs: u64,
    /// Time spent in those syncs, in nanoseconds.
    pub log_sync_nanos: u64,
    /// Gauge: log files in use.
    pub log_files: u64,
    /// Gauge: batches waiting for the log.
    pub queue_batches: u64,
    /// Gauge: bytes waiting for the log.
    pub queue_bytes: u64,
    /// Gauge: raw bytes in heads, not yet in segments.
    pub head_bytes: u64,
    /// Events replayed from the log at start.
    pub events_replayed: u64,
    /// Damage found at start: frames, catalog edits and segments.
    pub damaged: u64,
    /// Blocks sealed.
    pub blocks_sealed: u64,
    /// Raw bytes sealed.
    pub raw_bytes_sealed: u64,
    /// Seals that failed and will be tried again.
    pub seal_failures: u64,
    /// CPU time taken by sealing, in nanoseconds, indexes included.
    pub seal_cpu_nanos: u64,
    /// CPU time taken by merging, in nanoseconds, indexes included.
    pub merge_cpu_nanos: u64,
    /// CPU time taken by the facts and indexes of segments sealed and merged, in nanoseconds.
    pub index_cpu_nanos: u64,
    /// Merges finished.
    pub merges: u64,
    /// Segments merged away.
    pub segments_merged: u64,
    /// Segments removed by retention.
    pub segments_expired: u64,
    /// Gauge: segments.
    pub segments: u64,
    /// Gauge: bytes of all segments on disk.
    pub segment_bytes: u64,
    /// Batches a follower missed in its queue and must reread.
    pub feed_missed_batches: u64,
    /// Gauge: bytes of the gram indexes of all segments.
    pub index_bytes: u64,
    /// Gauge: blocks kept open between queries.
    pub block_cache_blocks: u64,
    /// Gauge: bytes of memory they take.
    pub block_cache_bytes: u64,
    /// Blocks answered from states that earlier queries left.
    pub state_cache_hits: u64,
    /// Blocks looked for among those states and not found.
    pub state_cache_misses: u64,
    /// Gauge: states kept.
    pub state_cache_entries: u64,
    /// Gauge: bytes of memory they take.
    pub state_cache_bytes: u64,
    /// Gauge: bytes free on the file system.
    pub free_bytes: u64,
    /// Why the log takes nothing more; `None` while it does.
    pub poisoned: Option<String>,
    /// Why a head cannot be sealed; `None` while all can. It stays in memory and in the log, and is tried again.
    pub seal_failing: Option<String>,
}

/// One repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryStats {
    /// Events held, in segments and head.
    pub events: u64,
    /// Their raw bytes.
    pub raw_bytes: u64,
    /// Events in the head.
    pub head_events: u64,
    /// Raw bytes in the head.
    pub head_bytes: u64,
    /// Segments.
    pub segments: u64,
    /// Bytes of its segments on disk.
    pub segment_bytes: u64,
    /// Segments that are missing or damaged.
    pub segments_missing: u64,
    /// Oldest event time, ns since the epoch; `None` when empty.
    pub min_timestamp: Option<i64>,
    /// Newest event time.
    pub max_timestamp: Option<i64>,
    /// The newest sequence visible.
    pub up_to_sequence: u64,
}

/// One field of a repository's catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSummary {
    /// The field's name.
    pub name: String,
    /// Events that have it, as far as known.
    pub events: u64,
    /// Events in which it reads as a number.
    pub numbers: u64,
    /// Event time of the first event known to have it, ns since the epoch.
    pub since: i64,
    /// Event time of the last.
    pub until: i64,
}

//! Facts of a repository.

use serde::Serialize;
use weir_engine::Repository;

/// Nanoseconds in a millisecond.
const NANOS_PER_MILLI: i64 = 1_000_000;

/// What a repository holds.
#[derive(Clone, Debug, Serialize)]
pub struct RepositoryFacts {
    /// Its name, also as id for clients that look for one.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Events held.
    pub events: u64,
    /// Their raw bytes.
    pub raw_bytes: u64,
    /// Events not yet in segments.
    pub head_events: u64,
    /// Their raw bytes.
    pub head_bytes: u64,
    /// Segments.
    pub segments: u64,
    /// Bytes of segments on disk.
    pub segment_bytes: u64,
    /// Segments that cannot be read.
    pub segments_missing: u64,
    /// Oldest event time, ms since the epoch.
    pub first_timestamp: Option<i64>,
    /// Newest event time, ms since the epoch.
    pub last_timestamp: Option<i64>,
    /// The newest sequence visible.
    pub up_to_sequence: u64,
}

impl RepositoryFacts {
    /// The facts of `repository` now.
    #[must_use]
    pub fn of(repository: &Repository) -> RepositoryFacts {
        let stats = repository.stats();
        let millis = |nanos: i64| nanos.div_euclid(NANOS_PER_MILLI);
        RepositoryFacts {
            id: repository.name().to_string(),
            name: repository.name().to_string(),
            events: stats.events,
            raw_bytes: stats.raw_bytes,
            head_events: stats.head_events,
            head_bytes: stats.head_bytes,
            segments: stats.segments,
            segment_bytes: stats.segment_bytes,
            segments_missing: stats.segments_missing,
            first_timestamp: stats.min_timestamp.map(millis),
            last_timestamp: stats.max_timestamp.map(millis),
            up_to_sequence: stats.up_to_sequence,
        }
    }
}

//! How far the live queries of a repository have come.
//!
//! It is kept once: a batch with nothing for a standing changes nothing there, and this is what the standing then asks.

use crate::event::EventBatch;

/// What has been stepped over, whoever it was for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// The first sequence that has not been stepped over.
    pub(super) next_sequence: u64,
    /// From the arrival of the newest event to its being stepped over, nanoseconds.
    pub(super) lag_nanos: i64,
    /// Events in batches that were timed.
    pub(super) timed_events: u64,
}

/// A batch, as every standing sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// The sequence of its first event, and the one behind its last.
    pub(super) first_sequence: u64,
    pub(super) end_sequence: u64,
    /// When it arrived, earliest and latest of the batches it was joined of, nanoseconds.
    pub(super) ingest_nanos: (i64, i64),
    /// The time it is now, nanoseconds.
    pub(super) now_nanos: i64,
    /// How far all had come before it.
    pub(super) before: Progress,
    /// What it costs is taken.
    pub(super) is_timed: bool,
    events: u64,
}

impl Progress {
    /// What comes before `sequence` is read from history.
    pub(super) fn skip_to(&mut self, sequence: u64) {
        self.next_sequence = self.next_sequence.max(sequence);
    }
}

impl Arrival {
    pub(super) fn new(batch: &EventBatch, before: Progress, is_timed: bool, now_nanos: i64) -> Arrival {
        Arrival {
            first_sequence: batch.base_sequence(),
            end_sequence: batch.last_sequence().saturating_add(1),
            ingest_nanos: batch.ingest_range(),
            now_nanos,
            before,
            is_timed,
            events: batch.len() as u64,
        }
    }

    /// From its arrival to now, nanoseconds.
    pub(super) fn lag_nanos(&self) -> i64 {
        self.now_nanos.saturating_sub(self.ingest_nanos.0).max(0)
    }

    /// How far all have come with it.
    pub(super) fn after(&self) -> Progress {
        let mut after = self.before;
        after.next_sequence = after.next_sequence.max(self.end_sequence);
        after.lag_nanos = self.lag_nanos();
        after.timed_events += if self.is_timed { self.events } else { 0 };
        after
    }
}

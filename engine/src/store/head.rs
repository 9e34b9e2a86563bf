//! The newest events of a repository, in memory until they are sealed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::event::EventBatch;

/// When a head is full; see [`crate::config::EngineConfig`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    pub(crate) raw_bytes: usize,
    pub(crate) rows: usize,
    pub(crate) batches: usize,
}

/// Batches still being added to.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) batches: Vec<Arc<EventBatch>>,
    pub(crate) raw_bytes: usize,
    pub(crate) rows: usize,
    pub(crate) memory_bytes: usize,
    since: Option<Instant>,
}

/// Batches that wait for being sealed. They stay visible until their segment is.
#[derive(Debug)]
pub(crate) struct Frozen {
    pub(crate) batches: Vec<Arc<EventBatch>>,
    pub(crate) raw_bytes: usize,
    pub(crate) rows: usize,
    pub(crate) memory_bytes: usize,
    pub(crate) last_sequence: u64,
}

/// Batches are joined while what they take together is at most this: what is copied under the repository's lock, and
/// what a scan takes as one piece.
const JOINED_BYTES_MAX: usize = 128 << 10;

/// Whether the last two batches of a head, that take so many bytes to copy, are to be one. They are when the older is not
/// much larger: then the sizes in a head fall geometrically, as in a binary counter, and an event is copied a logarithm of
/// times. What becomes one with the next older in turn is copied once for all of them.
fn are_joined(older: usize, newer: usize) -> bool {
    older <= newer.saturating_mul(2) && older.saturating_add(newer) <= JOINED_BYTES_MAX
}

/// A head is also full when it takes so many times more memory than it may have raw bytes: events of ever new
/// structure are sealed before they keep others out.
const MEMORY_PER_RAW_BYTE: usize = 8;

/// A head that takes less memory than this is never full because of it.
const LEAST_MEMORY_BYTES: usize = 64 << 20;

impl Head {
    /// Whether the batch would make the head larger than a block. The head is then frozen before it: blocks
    /// come out full, not full and a rest.
    pub(crate) fn is_full_for(&self, batch: &EventBatch, limits: &HeadLimits) -> bool {
        !self.batches.is_empty()
            && (self.raw_bytes + batch.raw_bytes() > limits.raw_bytes
                || self.rows + batch.len() > limits.rows)
    }

    /// Whether nothing more fits.
    pub(crate) fn is_full(&self, limits: &HeadLimits) -> bool {
        let memory_bytes = limits.raw_bytes.saturating_mul(MEMORY_PER_RAW_BYTE).max(LEAST_MEMORY_BYTES);
        self.memory_bytes >= memory_bytes
            || self.raw_bytes >= limits.raw_bytes
            || self.rows >= limits.rows
            || self.batches.len() >= limits.batches
    }

    /// How long its oldest batch has been here.
    pub(crate) fn age(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Adds a batch, joined with those before it while they are small.
    pub(crate) fn push(&mut self, batch: Arc<EventBatch>) {
        self.raw_bytes += batch.raw_bytes();
        self.rows += batch.len();
        self.since.get_or_insert_with(Instant::now);
        let (mut first, mut bytes) = (self.batches.len(), batch.copied_bytes());
        while let Some(older) = first.checked_sub(1).and_then(|at| self.batches.get(at))
            && are_joined(older.copied_bytes(), bytes)
        {
            first -= 1;
            bytes += older.copied_bytes();
            self.memory_bytes = self.memory_bytes.saturating_sub(older.memory_bytes());
        }
        let newest = if first == self.batches.len() {
            batch
        } else {
            let all: Vec<Arc<EventBatch>> = self.batches.drain(first..).chain([batch]).collect();
            Arc::new(EventBatch::join(&all))
        };
        self.memory_bytes += newest.memory_bytes();
        self.batches.push(newest);
    }

    /// Takes everything, to be sealed; `None` when there is nothing.
    pub(crate) fn freeze(&mut self) -> Option<Frozen> {
        let head = std::mem::take(self);
        let last_sequence = head.batches.last()?.last_sequence();
        Some(Frozen {
            batches: head.batches,
            raw_bytes: head.raw_bytes,
            rows: head.rows,
            memory_bytes: head.memory_bytes,
            last_sequence,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventBatchBuilder, EventLimits, TagSet};

    #[test]
    fn a_head_is_full_of_memory_too() {
        let limits = |raw_bytes| HeadLimits { raw_bytes, rows: usize::MAX, batches: usize::MAX };
        let full =
            |memory_bytes, raw_bytes| Head { memory_bytes, ..Head::default() }.is_full(&limits(raw_bytes));
        assert!(full(LEAST_MEMORY_BYTES, 1) && !full(LEAST_MEMORY_BYTES - 1, 1));
        let raw_bytes = LEAST_MEMORY_BYTES;
        assert!(full(raw_bytes * 8, raw_bytes) && !full(raw_bytes * 8 - 1, raw_bytes));
        assert!(!full(usize::MAX - 1, usize::MAX));
    }

    fn batch(bytes: usize, base: u64) -> Arc<EventBatch> {
        let mut builder = EventBatchBuilder::new(EventLimits::default());
        builder.push_text(&vec![b'x'; bytes], None, &TagSet::none(), None).unwrap();
        Arc::new(builder.finish(base as i64).with_sequence(base))
    }

    #[test]
    fn small_batches_are_joined_up_to_a_limit() {
        let overhead = batch(0, 1).copied_bytes();
        let half = JOINED_BYTES_MAX / 2 - overhead;
        for (older, newer, expect) in [
            (half, half, true),
            (half, half + 1, false),
            (2 * overhead, overhead, true),
            (3 * overhead, overhead, true),
            (3 * overhead + 1, overhead, false),
            (0, JOINED_BYTES_MAX - 2 * overhead, true),
            (0, JOINED_BYTES_MAX, false),
        ] {
            let bytes = |bytes| batch(bytes, 1).copied_bytes();
            assert_eq!(are_joined(bytes(older), bytes(newer)), expect, "{older} {newer}");
        }
    }

    #[test]
    fn thousands_of_tiny_batches_are_a_few() {
        let mut head = Head::default();
        // Another repository takes every other sequence.
        let sequences: Vec<u64> = (1..=5_000).map(|at| at * 2).collect();
        for base in &sequences {
            head.push(batch(100, *base));
        }
        let bytes: usize = head.batches.iter().map(|batch| batch.copied_bytes()).sum();
        assert!(head.batches.len() < 2 * bytes / JOINED_BYTES_MAX + 20, "{}", head.batches.len());
        let memory_bytes: usize = head.batches.iter().map(|batch| batch.memory_bytes()).sum();
        assert_eq!((head.rows, head.memory_bytes), (5_000, memory_bytes));
        let found = head.batches.iter().flat_map(|batch| (0..batch.len()).map(|row| batch.sequence(row)));
        assert_eq!(found.collect::<Vec<_>>(), sequences);
        assert_eq!(head.freeze().unwrap().last_sequence, 10_000);
    }
}

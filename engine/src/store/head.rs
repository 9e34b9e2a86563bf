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

/// The sequence of the last event of a batch.
pub(crate) fn last_sequence(batch: &EventBatch) -> u64 {
    (batch.base_sequence() + batch.len() as u64).saturating_sub(1)
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

    /// Adds a batch; the bytes of memory it takes.
    pub(crate) fn push(&mut self, batch: Arc<EventBatch>) -> usize {
        let memory_bytes = batch.memory_bytes();
        self.raw_bytes += batch.raw_bytes();
        self.rows += batch.len();
        self.memory_bytes += memory_bytes;
        self.since.get_or_insert_with(Instant::now);
        self.batches.push(batch);
        memory_bytes
    }

    /// Takes everything, to be sealed; `None` when there is nothing.
    pub(crate) fn freeze(&mut self) -> Option<Frozen> {
        let head = std::mem::take(self);
        let last_sequence = last_sequence(head.batches.last()?);
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
}

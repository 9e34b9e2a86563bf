//! Buckets of state, by time; chunks of closed buckets are merged once and kept.
//!
//! ```text
//! buckets   | 0 1 2 ... 31 | 32 ... 63 | 64 65 66 (filling)
//! chunks    |    merged    |  merged   |  none yet
//! ```
//!
//! A window of a day in seconds is so a few thousand merges the first time, and later those of the chunks and of
//! the ragged ends. An event that comes late changes its bucket and undoes its chunk.

use std::collections::BTreeMap;
use std::ops::Range;

use weir_query::machine::{Machine, State, StepError};

/// Buckets merged into one chunk.
const CHUNK_BUCKETS: i64 = 32;

/// The state of one span of time.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// What was learnt; `None` when all of it was dropped.
    pub(super) state: Option<State>,
    /// From so many events.
    pub(super) events: u64,
    /// Events that would have belonged here but had no room.
    pub(super) dropped: u64,
    bytes: usize,
}

/// The buckets of a standing.
#[derive(Debug, Default)]
pub(super) struct Ring {
    buckets: BTreeMap<i64, Bucket>,
    chunks: BTreeMap<i64, State>,
    bucket_bytes: usize,
    chunk_bytes: usize,
}

/// What a range of a ring comes to.
#[derive(Debug)]
pub(super) struct Total {
    pub(super) state: State,
    pub(super) events: u64,
    pub(super) dropped: u64,
}

impl Ring {
    /// Changes bucket `number` through `change`, which gets `machine` and the bucket's state, and tells how many events
    /// that brought it.
    pub(super) fn change(
        &mut self,
        number: i64,
        machine: &mut Machine,
        change: impl FnOnce(&mut Machine, &mut State) -> Result<u64, StepError>,
    ) -> Result<(), StepError> {
        let bucket = self.buckets.entry(number).or_default();
        let state = bucket.state.get_or_insert_with(|| machine.new_state());
        let changed = change(machine, state);
        self.bucket_bytes -= bucket.bytes.min(self.bucket_bytes);
        bucket.bytes = state.bytes() + size_of::<Bucket>();
        self.bucket_bytes += bucket.bytes;
        if let Some(chunk) = self.chunks.remove(&number.div_euclid(CHUNK_BUCKETS)) {
            self.chunk_bytes -= chunk.bytes().min(self.chunk_bytes);
        }
        bucket.events += changed?;
        Ok(())
    }

    /// Counts `events` that belong into bucket `number` and found no room.
    pub(super) fn count_dropped(&mut self, number: i64, events: u64) {
        self.buckets.entry(number).or_default().dropped += events;
    }

    /// Forgets the buckets before `number`.
    pub(super) fn forget_before(&mut self, number: i64) {
        while let Some(first) = self.buckets.first_entry().filter(|first| *first.key() < number) {
            self.bucket_bytes -= first.remove().bytes.min(self.bucket_bytes);
        }
        let chunk = number.div_euclid(CHUNK_BUCKETS);
        while let Some(first) = self.chunks.first_entry().filter(|first| *first.key() < chunk) {
            self.chunk_bytes -= first.remove().bytes().min(self.chunk_bytes);
        }
        // The chunk that lost some of its buckets is no longer asked for as a whole: a total starts behind it.
    }

    /// Forgets the buckets of `range`.
    pub(super) fn forget(&mut self, range: &Range<i64>) {
        for bucket in self.buckets.extract_if(range.clone(), |_, _| true) {
            self.bucket_bytes -= bucket.1.bytes.min(self.bucket_bytes);
        }
        let chunks = range.start.div_euclid(CHUNK_BUCKETS)..(range.end - 1).div_euclid(CHUNK_BUCKETS) + 1;
        for (_, chunk) in self.chunks.extract_if(chunks, |_, _| true) {
            self.chunk_bytes -= chunk.bytes().min(self.chunk_bytes);
        }
    }

    /// Everything in the buckets of `range`. Those before `closed` are not expected to change: whole chunks of
    /// them are merged once and kept.
    pub(super) fn total(&mut self, range: Range<i64>, closed: i64, empty: State) -> Result<Total, StepError> {
        let mut total = Total { state: empty.clone(), events: 0, dropped: 0 };
        for bucket in self.buckets.range(range.clone()).map(|(_, bucket)| bucket) {
            total.events += bucket.events;
            total.dropped += bucket.dropped;
        }
        let first = (range.start + CHUNK_BUCKETS - 1).div_euclid(CHUNK_BUCKETS);
        let last = range.end.min(closed).div_euclid(CHUNK_BUCKETS);
        if first >= last {
            merge_all(&mut total.state, self.buckets.range(range))?;
            return Ok(total);
        }
        merge_all(&mut total.state, self.buckets.range(range.start..first * CHUNK_BUCKETS))?;
        for chunk in first..last {
            let span = chunk * CHUNK_BUCKETS..(chunk + 1) * CHUNK_BUCKETS;
            if let Some(state) = self.chunks.get(&chunk) {
                total.state.merge(state)?;
                continue;
            }
            if self.buckets.range(span.clone()).nth(1).is_none() {
                merge_all(&mut total.state, self.buckets.range(span))?;
                continue;
            }
            let mut state = empty.clone();
            merge_all(&mut state, self.buckets.range(span))?;
            total.state.merge(&state)?;
            self.chunk_bytes += state.bytes();
            self.chunks.insert(chunk, state);
        }
        merge_all(&mut total.state, self.buckets.range(last * CHUNK_BUCKETS..range.end))?;
        Ok(total)
    }

    /// Bytes the states hold.
    pub(super) fn bytes(&self) -> usize {
        self.bucket_bytes + self.chunk_bytes
    }

    /// Gives the memory of merged chunks back; they are merged again when asked for.
    pub(super) fn forget_chunks(&mut self) {
        self.chunks.clear();
        self.chunk_bytes = 0;
    }
}

fn merge_all<'a>(
    into: &mut State,
    buckets: impl Iterator<Item = (&'a i64, &'a Bucket)>,
) -> Result<(), StepError> {
    for state in buckets.filter_map(|(_, bucket)| bucket.state.as_ref()) {
        into.merge(state)?;
    }
    Ok(())
}

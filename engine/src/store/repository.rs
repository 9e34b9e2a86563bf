//! One repository's events: segments, frozen heads, the head; and who follows them.
//!
//! Everything that decides what is visible changes under one lock, so that an event is never invisible and never
//! doubled: a published batch, a sealed head, merged and expired segments. The lock is held for a few list
//! operations, and to join small batches; nothing is read, written or encoded under it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::config::Retention;
use crate::event::EventBatch;
use crate::feed::{Feed, FeedSender, feed};
use crate::store::catalog::SegmentEntry;
use crate::store::head::{Frozen, Head, HeadLimits};
use crate::store::segment::Segment;
use crate::store::snapshot::{MissingSegment, Snapshot};

/// Most followers of one repository.
const FEEDS_MAX: usize = 64;

/// A segment and what the catalog says of it.
#[derive(Clone, Debug)]
pub(crate) struct OpenSegment {
    pub(crate) entry: SegmentEntry,
    pub(crate) segment: Arc<Segment>,
}

/// One repository, as the store has it.
#[derive(Debug)]
pub(crate) struct StoredRepository {
    id: u32,
    name: Arc<str>,
    limits: HeadLimits,
    feed_batches: usize,
    /// Memory of all heads of the data directory.
    head_bytes: Arc<AtomicUsize>,
    inside: Mutex<Inside>,
    /// Held while heads are sealed, one at a time and in order.
    pub(crate) sealing: Mutex<()>,
    /// Held while segments are taken out: merging and retention never meet. Sealing only adds, and does not wait.
    pub(crate) removing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Inside {
    /// By id.
    segments: BTreeMap<u64, OpenSegment>,
    missing: Vec<Arc<MissingSegment>>,
    frozen: VecDeque<Arc<Frozen>>,
    head: Head,
    up_to_sequence: u64,
    sealed_to: u64,
    /// The first and the last sequence of events that are in memory alone until they are sealed.
    unlogged: Option<(u64, u64)>,
    retention: Option<Retention>,
    feeds: Vec<FeedSender>,
    /// Of followers that left.
    missed_before: u64,
    /// The snapshot of all this, until it changes.
    snapshot: Option<Arc<Snapshot>>,
}

/// What a repository holds, counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    pub(crate) head_events: u64,
    pub(crate) head_bytes: u64,
    pub(crate) missed_batches: u64,
}

impl StoredRepository {
    /// An empty repository.
    pub(crate) fn new(
        id: u32,
        name: Arc<str>,
        limits: HeadLimits,
        feed_batches: usize,
        head_bytes: Arc<AtomicUsize>,
    ) -> StoredRepository {
        let (inside, sealing, removing) = (Mutex::new(Inside::default()), Mutex::new(()), Mutex::new(()));
        StoredRepository { id, name, limits, feed_batches, head_bytes, inside, sealing, removing }
    }

    /// Its number, by which files and frames know it.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Its name.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Puts in what the catalog says was sealed. Before anything is published.
    pub(crate) fn restore(
        &self,
        sealed_to: u64,
        retention: Option<Retention>,
        segments: Vec<OpenSegment>,
        missing: Vec<MissingSegment>,
    ) {
        let mut inside = self.inside.lock();
        inside.sealed_to = sealed_to;
        inside.up_to_sequence = inside.up_to_sequence.max(sealed_to);
        inside.retention = retention;
        inside.segments = segments.into_iter().map(|open| (open.entry.id, open)).collect();
        inside.missing = missing.into_iter().map(Arc::new).collect();
        inside.snapshot = None;
    }

    /// Says that events are missing that no segment stands for.
    pub(crate) fn add_missing(&self, missing: MissingSegment) {
        let mut inside = self.inside.lock();
        inside.missing.push(Arc::new(missing));
        inside.snapshot = None;
    }

    /// Makes a batch visible and hands it to the followers. Batches come in order of sequence. `true` when there is
    /// something to seal.
    pub(crate) fn publish(&self, batch: Arc<EventBatch>) -> bool {
        let last = batch.last_sequence();
        let mut inside = self.inside.lock();
        let inside = &mut *inside;
        if inside.head.is_full_for(&batch, &self.limits) {
            inside.freeze();
        }
        let previous = std::mem::replace(&mut inside.up_to_sequence, last);
        let mut missed = 0;
        inside.feeds.retain(|feed| {
            let stays = feed.publish(&batch, previous, last);
            missed += if stays { 0 } else { feed.missed_batches() };
            stays
        });
        inside.missed_before += missed;
        let before = inside.head.memory_bytes;
        inside.head.push(batch);
        self.head_bytes.fetch_add(inside.head.memory_bytes, Ordering::Relaxed);
        self.head_bytes.fetch_sub(before, Ordering::Relaxed);
        if inside.head.is_full(&self.limits) {
            inside.freeze();
        }
        inside.snapshot = None;
        !inside.frozen.is_empty()
    }

    /// The batch to be published next, with events from `first` to `last`, is in no log.
    pub(crate) fn note_unlogged(&self, first: u64, last: u64) {
        let mut inside = self.inside.lock();
        inside.unlogged = Some((inside.unlogged.map_or(first, |(first, _)| first), last));
    }

    /// Every event up to this sequence outlives the process.
    pub(crate) fn lasting_sequence(&self) -> u64 {
        let inside = self.inside.lock();
        inside.unlogged.map_or(inside.up_to_sequence, |(first, _)| first.saturating_sub(1))
    }

    /// Freezes the head when it is older than `age`; `true` when there is something to seal.
    pub(crate) fn freeze_older(&self, age: Duration) -> bool {
        let mut inside = self.inside.lock();
        if inside.head.age() >= age {
            inside.freeze();
        }
        !inside.frozen.is_empty()
    }

    /// The batches that have no grams yet and are worth some, of a head whose oldest batch has been there for `age`.
    pub(crate) fn without_grams(&self, age: Duration) -> Vec<Arc<EventBatch>> {
        let inside = self.inside.lock();
        if inside.head.age() < age {
            return Vec::new();
        }
        inside.head.batches.iter().filter(|batch| batch.wants_grams()).cloned().collect()
    }

    /// Memory of the head that is still added to.
    pub(crate) fn open_bytes(&self) -> usize {
        self.inside.lock().head.memory_bytes
    }

    /// The next heads to seal, oldest first, at most `count`.
    pub(crate) fn oldest_frozen(&self, count: usize) -> Vec<Arc<Frozen>> {
        self.inside.lock().frozen.iter().take(count).cloned().collect()
    }

    /// Every event up to this sequence is in a segment.
    pub(crate) fn sealed_to(&self) -> u64 {
        self.inside.lock().sealed_to
    }

    /// Exchanges the oldest frozen head for its segment, in one step.
    pub(crate) fn swap_sealed(&self, frozen: &Arc<Frozen>, segment: OpenSegment) {
        let mut inside = self.inside.lock();
        if inside.frozen.front().is_some_and(|front| Arc::ptr_eq(front, frozen)) {
            inside.frozen.pop_front();
            self.head_bytes.fetch_sub(frozen.memory_bytes, Ordering::Relaxed);
            inside.sealed_to = inside.sealed_to.max(frozen.last_sequence);
            let sealed_to = inside.sealed_to;
            inside.unlogged = inside.unlogged.filter(|(_, last)| *last > sealed_to);
            inside.segments.insert(segment.entry.id, segment);
            inside.snapshot = None;
        }
    }

    /// Exchanges segments, in one step; those taken out.
    pub(crate) fn swap_segments(&self, removed: &[u64], added: Option<OpenSegment>) -> Vec<OpenSegment> {
        let mut inside = self.inside.lock();
        let gone = removed.iter().filter_map(|id| inside.segments.remove(id)).collect();
        inside.missing.retain(|missing| !removed.contains(&missing.segment));
        inside.segments.extend(added.map(|open| (open.entry.id, open)));
        inside.snapshot = None;
        gone
    }

    /// Its segments, oldest events first.
    pub(crate) fn segments(&self) -> Vec<OpenSegment> {
        let mut segments: Vec<OpenSegment> = self.inside.lock().segments.values().cloned().collect();
        segments.sort_by_key(|open| (open.entry.min_timestamp, open.entry.id));
        segments
    }

    /// The segments that can be taken out: those swapped in, and those known to be missing.
    pub(crate) fn segment_ids(&self) -> BTreeSet<u64> {
        let inside = self.inside.lock();
        let missing = inside.missing.iter().map(|missing| missing.segment);
        inside.segments.keys().copied().chain(missing).collect()
    }

    /// All it holds, as one immutable value; made once for all who ask until something changes.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.inside.lock().snapshot()
    }

    /// All it holds, and a feed of everything that follows.
    pub(crate) fn follow(&self) -> (Arc<Snapshot>, Feed) {
        let mut inside = self.inside.lock();
        let snapshot = inside.snapshot();
        let (sender, feed) = feed(self.feed_batches, snapshot.up_to_sequence);
        // Followers that left show at the next batch; a repository without batches must not collect them.
        inside.feeds.retain(FeedSender::is_followed);
        if inside.feeds.len() < FEEDS_MAX {
            inside.feeds.push(sender);
        }
        (snapshot, feed)
    }

    /// Lets all followers go: nothing will come.
    pub(crate) fn close_feeds(&self) {
        self.inside.lock().feeds.clear();
    }

    /// Its own retention.
    pub(crate) fn retention(&self) -> Option<Retention> {
        self.inside.lock().retention
    }

    /// Changes its own retention.
    pub(crate) fn set_retention(&self, retention: Option<Retention>) {
        self.inside.lock().retention = retention;
    }

    /// Counts what is in memory.
    pub(crate) fn held(&self) -> Held {
        let inside = self.inside.lock();
        let frozen = inside.frozen.iter();
        let (rows, bytes) =
            frozen.fold((0, 0), |(rows, bytes), head| (rows + head.rows, bytes + head.raw_bytes));
        Held {
            head_events: (inside.head.rows + rows) as u64,
            head_bytes: (inside.head.raw_bytes + bytes) as u64,
            missed_batches: inside.missed_before
                + inside.feeds.iter().map(FeedSender::missed_batches).sum::<u64>(),
        }
    }
}

impl Inside {
    fn freeze(&mut self) {
        self.frozen.extend(self.head.freeze().map(Arc::new));
    }

    fn snapshot(&mut self) -> Arc<Snapshot> {
        if let Some(snapshot) = &self.snapshot {
            return Arc::clone(snapshot);
        }
        let mut segments: Vec<&OpenSegment> = self.segments.values().collect();
        segments.sort_by_key(|open| (open.entry.min_timestamp, open.entry.id));
        let frozen = self.frozen.iter().flat_map(|frozen| &frozen.batches);
        let snapshot = Arc::new(Snapshot {
            segments: segments.into_iter().map(|open| Arc::clone(&open.segment)).collect(),
            batches: frozen.chain(&self.head.batches).cloned().collect(),
            up_to_sequence: self.up_to_sequence,
            missing: self.missing.clone(),
        });
        self.snapshot = Some(Arc::clone(&snapshot));
        snapshot
    }
}

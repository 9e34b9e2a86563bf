//! What programs learnt from closed blocks, kept for whoever asks the same again.
//!
//! A dashboard asks the same every few seconds over a window that moves a little. Blocks that lie wholly inside it
//! are the same each time, and what a program learns from a block is a [`State`] that merges with any other: so it is
//! kept, a block and a program each, and only blocks at the edges and new ones are read. States are kept, not results:
//! what is kept of a block is right in any window that covers it.
//!
//! An entry is found by all that its state depends on: the block, which never changes, and
//! [`weir_query::program::Program::state_key`]. When a segment is closed (merged away, expired) its entries go.

use std::any::Any;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use weir_query::machine::State;

use super::Part;

/// Most bytes of kept states, unless a limit is set.
pub const STATE_CACHE_BYTES: usize = 64 << 20;
/// A state that takes more bytes is not kept: learning it apart and merging it costs more than it spares.
pub const KEPT_STATE_BYTES: usize = 512 << 10;
/// Nor is one that takes more than this part of the limit.
const LARGEST_SHARE: usize = 64;
/// What an entry takes besides its state, bytes: its places in the tables, what allocations are rounded up to.
const ENTRY_BYTES: usize = 512;

/// States of blocks, within a limit; the one asked for longest ago goes first.
#[derive(Debug)]
pub struct StateCache {
    kept: Mutex<Kept>,
}

/// What a cache of states holds and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateCacheStats {
    /// Blocks answered from it.
    pub hits: u64,
    /// Blocks that were looked for and not found.
    pub misses: u64,
    /// Gauge: states held.
    pub entries: u64,
    /// Gauge: bytes of memory they take, an upper estimate.
    pub bytes: u64,
}

/// A block of a part, and the program that learnt from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct StateKey {
    pub(super) part: u64,
    pub(super) block: usize,
    pub(super) program: u64,
}

/// What a program learnt from one block.
#[derive(Debug)]
pub(super) struct Learnt {
    pub(super) state: State,
    /// Events that passed its filters.
    pub(super) matched: u64,
}

#[derive(Debug)]
struct Kept {
    entries: HashMap<StateKey, Entry>,
    /// The entries by when they were last asked for.
    by_use: BTreeMap<u64, StateKey>,
    uses: u64,
    /// Parts that will say when they go.
    parts: HashSet<u64>,
    bytes: usize,
    bytes_max: usize,
    hits: u64,
    misses: u64,
}

#[derive(Debug)]
struct Entry {
    learnt: Arc<Learnt>,
    bytes: usize,
    used: u64,
}

/// Lives as long as a part is open.
struct Companion {
    part: u64,
    cache: Weak<StateCache>,
}

impl Drop for Companion {
    fn drop(&mut self) {
        if let Some(cache) = self.cache.upgrade() {
            cache.forget(self.part);
        }
    }
}

impl StateCache {
    /// Keeps up to `bytes_max` bytes; with 0 it keeps nothing.
    #[must_use]
    pub fn new(bytes_max: usize) -> Arc<StateCache> {
        let kept = Kept {
            entries: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            parts: HashSet::new(),
            bytes: 0,
            bytes_max,
            hits: 0,
            misses: 0,
        };
        Arc::new(StateCache { kept: Mutex::new(kept) })
    }

    /// The cache that scans use which are given no other: one for the process, so that its limit holds however many
    /// engines there are.
    #[must_use]
    pub fn shared() -> Arc<StateCache> {
        static SHARED: OnceLock<Arc<StateCache>> = OnceLock::new();
        Arc::clone(SHARED.get_or_init(|| StateCache::new(STATE_CACHE_BYTES)))
    }

    /// Sets the most bytes it may keep; 0 turns it off.
    pub fn set_limit(&self, bytes_max: usize) {
        let mut kept = self.kept.lock();
        kept.bytes_max = bytes_max;
        kept.shrink();
    }

    /// It keeps nothing.
    pub(super) fn is_off(&self) -> bool {
        self.kept.lock().bytes_max == 0
    }

    /// A state of `bytes` bytes would not be kept.
    pub(super) fn is_too_large(&self, bytes: usize) -> bool {
        let share = self.kept.lock().bytes_max / LARGEST_SHARE;
        bytes > KEPT_STATE_BYTES || bytes + ENTRY_BYTES > share
    }

    /// Forgets all states. To be called when stored events change without being in a new segment: when some were redacted.
    /// What live metrics have learnt of them, and their snapshots, have to go then too. A lookup table or saved query that is
    /// replaced needs no such call: with it a query is another program, whose states have other keys.
    pub fn clear(&self) {
        let mut kept = self.kept.lock();
        kept.entries.clear();
        kept.by_use.clear();
        kept.bytes = 0;
    }

    /// What it holds and did.
    #[must_use]
    pub fn stats(&self) -> StateCacheStats {
        let kept = self.kept.lock();
        StateCacheStats {
            hits: kept.hits,
            misses: kept.misses,
            entries: kept.entries.len() as u64,
            bytes: kept.bytes as u64,
        }
    }

    /// What was learnt of a block.
    pub(super) fn get(&self, key: StateKey) -> Option<Arc<Learnt>> {
        let mut kept = self.kept.lock();
        let kept = &mut *kept;
        let Some(entry) = kept.entries.get_mut(&key) else {
            kept.misses += 1;
            return None;
        };
        kept.hits += 1;
        kept.uses += 1;
        kept.by_use.remove(&entry.used);
        kept.by_use.insert(kept.uses, key);
        entry.used = kept.uses;
        Some(Arc::clone(&entry.learnt))
    }

    /// Keeps what was learnt of a block of `part`; false: it is too large for that.
    pub(super) fn keep(self: &Arc<Self>, part: &dyn Part, key: StateKey, learnt: Learnt) -> bool {
        let bytes = learnt.state.bytes() + ENTRY_BYTES;
        if self.is_too_large(learnt.state.bytes()) {
            return false;
        }
        let is_new = self.kept.lock().parts.insert(key.part);
        if is_new {
            // Not while the lock is held: a part may let go of what is attached to it at once.
            let companion: Box<dyn Any + Send + Sync> =
                Box::new(Companion { part: key.part, cache: Arc::downgrade(self) });
            part.attach(companion);
        }
        let mut kept = self.kept.lock();
        kept.uses += 1;
        let entry = Entry { learnt: Arc::new(learnt), bytes, used: kept.uses };
        kept.by_use.insert(entry.used, key);
        kept.bytes += bytes;
        if let Some(before) = kept.entries.insert(key, entry) {
            kept.by_use.remove(&before.used);
            kept.bytes -= before.bytes;
        }
        kept.shrink();
        true
    }

    /// Forgets what was learnt of a part that is closed.
    fn forget(&self, part: u64) {
        let mut kept = self.kept.lock();
        let kept = &mut *kept;
        kept.parts.remove(&part);
        kept.entries.retain(|key, entry| {
            let stays = key.part != part;
            if !stays {
                kept.by_use.remove(&entry.used);
                kept.bytes -= entry.bytes;
            }
            stays
        });
    }
}

impl Kept {
    fn shrink(&mut self) {
        while self.bytes > self.bytes_max {
            let Some((_, key)) = self.by_use.pop_first() else { break };
            if let Some(entry) = self.entries.remove(&key) {
                self.bytes -= entry.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_query::compile::Options;
    use weir_query::machine::{Context, Machine};
    use weir_query::program::Program;

    use super::*;
    use crate::scan::testing::TestPart;

    fn learnt() -> Learnt {
        let program = Program::compile("count()", &Options::default()).unwrap();
        Learnt { state: Machine::new(program, Context::default()).new_state(), matched: 0 }
    }

    fn key(block: usize) -> StateKey {
        StateKey { part: 1, block, program: 1 }
    }

    #[test]
    fn the_limit_holds_at_its_edge_and_the_longest_unused_goes() {
        let part = TestPart::default();
        let one = learnt().state.bytes() + ENTRY_BYTES;
        let cache = StateCache::new(one * LARGEST_SHARE);
        assert!((0..LARGEST_SHARE).all(|block| cache.keep(&part, key(block), learnt())));
        let stats = cache.stats();
        assert_eq!((stats.entries, stats.bytes), (LARGEST_SHARE as u64, (one * LARGEST_SHARE) as u64));
        assert!(cache.get(key(0)).is_some());
        assert!(cache.keep(&part, key(LARGEST_SHARE), learnt()));
        assert_eq!(cache.stats().entries, LARGEST_SHARE as u64);
        assert!(cache.get(key(0)).is_some() && cache.get(key(1)).is_none());
        assert!(cache.keep(&part, key(0), learnt()));
        assert_eq!(cache.stats().bytes, (one * LARGEST_SHARE) as u64, "a state takes the place of its like");
        cache.set_limit(one * LARGEST_SHARE - 1);
        assert_eq!(cache.stats().entries, LARGEST_SHARE as u64 - 1);
        assert!(!cache.keep(&part, key(500), learnt()), "larger than its share");
        cache.set_limit(0);
        assert_eq!((cache.stats().entries, cache.stats().bytes), (0, 0));
    }

    #[test]
    fn a_state_is_too_large_beyond_its_limit_and_beyond_its_share() {
        for (limit, largest) in [
            (STATE_CACHE_BYTES, KEPT_STATE_BYTES),
            (KEPT_STATE_BYTES * LARGEST_SHARE, KEPT_STATE_BYTES - ENTRY_BYTES),
            (LARGEST_SHARE * (ENTRY_BYTES + 9), 9),
        ] {
            let cache = StateCache::new(limit);
            assert_eq!(
                (cache.is_too_large(largest), cache.is_too_large(largest + 1)),
                (false, true),
                "{limit}"
            );
        }
    }

    #[test]
    fn what_is_cleared_is_gone() {
        let cache = StateCache::new(STATE_CACHE_BYTES);
        assert!(cache.keep(&TestPart::default(), key(0), learnt()));
        cache.clear();
        assert!(cache.get(key(0)).is_none());
        assert_eq!(cache.stats(), StateCacheStats { misses: 1, ..StateCacheStats::default() });
    }
}

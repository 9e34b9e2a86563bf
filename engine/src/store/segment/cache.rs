//! The blocks that were used last, kept open for who asks next.
//!
//! Opening a block costs more than looking at one of its granules: its directory is taken apart, dictionaries and
//! lists of skeletons are decoded. One cache serves all segments of the process, so that its limit holds however
//! many there are. It keeps blocks, never results, and may let go of any of them at any time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::store::block::Block;

/// Most bytes of memory of the blocks that are kept, unless the engine is told otherwise.
pub const BLOCK_CACHE_BYTES: usize = 256 << 20;
/// Blocks that are counted anew whenever one is used: a block grows while it is read.
const RECOUNTED: usize = 8;

/// The cache of this process.
pub(crate) fn shared() -> &'static BlockCache {
    static SHARED: std::sync::LazyLock<BlockCache> =
        std::sync::LazyLock::new(|| BlockCache::new(BLOCK_CACHE_BYTES));
    &SHARED
}

/// Open blocks, within a limit.
#[derive(Debug)]
pub(crate) struct BlockCache {
    bytes_max: AtomicUsize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Blocks, and what was counted of each.
    blocks: Vec<(Arc<Block>, usize)>,
    /// Where each is among them, by its address: it stays while the block is kept.
    places: HashMap<usize, usize, foldhash::fast::FixedState>,
    bytes: usize,
    /// State of the choice of whom to let go.
    random: u64,
    /// Who is counted anew next.
    next: usize,
}

fn address(block: &Arc<Block>) -> usize {
    Arc::as_ptr(block) as usize
}

impl BlockCache {
    fn new(bytes_max: usize) -> BlockCache {
        let kept = Kept { random: 0x9e37_79b9_7f4a_7c15, ..Kept::default() };
        BlockCache { bytes_max: AtomicUsize::new(bytes_max), kept: Mutex::new(kept) }
    }

    /// Sets how many bytes may be kept; what is over it goes.
    pub(crate) fn set_limit(&self, bytes_max: usize) {
        self.bytes_max.store(bytes_max, Ordering::Relaxed);
        drop(self.kept.lock().trim(bytes_max));
    }

    /// Keeps `block`, and lets others go until the limit holds.
    pub(super) fn keep(&self, block: &Arc<Block>) {
        let mut kept = self.kept.lock();
        let at = kept.place(block);
        kept.recount(at);
        for _ in 0..RECOUNTED {
            let next = kept.next % kept.blocks.len().max(1);
            kept.recount(next);
            kept.next = next + 1;
        }
        let gone = kept.trim(self.bytes_max.load(Ordering::Relaxed));
        drop(kept);
        drop(gone);
    }

    /// Lets `blocks` go, whose segment is closed.
    pub(super) fn forget(&self, blocks: &[Arc<Block>]) {
        let mut kept = self.kept.lock();
        let places = blocks.iter().map(address);
        let gone: Vec<Arc<Block>> = places.filter_map(|address| kept.take(address)).collect();
        drop(kept);
        drop(gone);
    }

    /// How many blocks are kept, and their bytes of memory as they were last counted.
    pub(crate) fn load(&self) -> (usize, usize) {
        let kept = self.kept.lock();
        (kept.blocks.len(), kept.bytes)
    }
}

impl Kept {
    /// Where `block` is; it is added when it is not there.
    fn place(&mut self, block: &Arc<Block>) -> usize {
        let next = self.blocks.len();
        let at = *self.places.entry(address(block)).or_insert(next);
        if at == next {
            self.blocks.push((Arc::clone(block), 0));
        }
        at
    }

    /// Counts a block anew.
    fn recount(&mut self, at: usize) {
        if let Some((block, counted)) = self.blocks.get_mut(at) {
            let now = block.memory_bytes();
            self.bytes = self.bytes - *counted + now;
            *counted = now;
        }
    }

    fn take(&mut self, address: usize) -> Option<Arc<Block>> {
        let at = self.places.remove(&address)?;
        let (block, counted) = self.blocks.swap_remove(at);
        self.bytes -= counted;
        if let Some((moved, _)) = self.blocks.get(at) {
            self.places.insert(self::address(moved), at);
        }
        Some(block)
    }

    /// Takes out blocks at random until `bytes_max` holds: searches go through blocks in turn, and whoever lets the
    /// oldest go keeps nothing of a row that is longer than the cache. The generator is xorshift (Marsaglia 2003).
    fn trim(&mut self, bytes_max: usize) -> Vec<Arc<Block>> {
        let mut gone = Vec::new();
        while self.bytes > bytes_max && !self.blocks.is_empty() {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            let at = (self.random % self.blocks.len() as u64) as usize;
            let address = self.blocks.get(at).map(|(block, _)| address(block));
            gone.extend(address.and_then(|address| self.take(address)));
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weir_query::record::{Rows, Selection};

    use super::*;
    use crate::store::segment::tests::one_block;

    #[test]
    fn limits_hold_at_their_edge() {
        let blocks: Vec<Arc<Block>> = (0..4).map(|salt| Arc::new(one_block(salt))).collect();
        let bytes: usize = blocks.iter().take(3).map(|block| block.memory_bytes()).sum();
        let cache = BlockCache::new(bytes);
        blocks.iter().take(3).for_each(|block| cache.keep(block));
        assert_eq!(cache.load(), (3, bytes));
        cache.keep(blocks.first().unwrap());
        assert_eq!(cache.load(), (3, bytes));
        cache.keep(blocks.last().unwrap());
        assert!(cache.load().0 <= 3 && cache.load().1 <= bytes);
        cache.forget(&blocks);
        assert_eq!(cache.load(), (0, 0));
        blocks.iter().take(3).for_each(|block| cache.keep(block));
        cache.set_limit(bytes - 1);
        assert_eq!(cache.load().0, 2);
        cache.set_limit(0);
        assert_eq!(cache.load(), (0, 0));
    }

    #[test]
    fn what_is_decoded_later_counts() {
        let block = Arc::new(one_block(7));
        let before = block.memory_bytes();
        let cache = BlockCache::new(before);
        cache.keep(&block);
        assert_eq!(cache.load().0, 1);
        block.column("@rawstring", &Selection::all(block.rows())).unwrap();
        assert!(block.memory_bytes() > before);
        cache.keep(&Arc::new(one_block(8)));
        assert!(cache.load().1 <= before, "it was counted anew when another came");
    }
}

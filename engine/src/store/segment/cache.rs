//! The blocks that were used last, kept open for who asks next.
//!
//! Opening a block costs more than looking at one of its granules: its directory is taken apart, dictionaries and
//! lists of skeletons are decoded. One cache serves all segments of the process, so that its limit holds however
//! many there are. It keeps blocks, never results, and may let go of any of them at any time.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::store::block::Block;

/// Most bytes of memory of the blocks that are kept, as far as nobody uses them.
pub(crate) const BLOCK_CACHE_BYTES_MAX: usize = 64 << 20;
/// Most blocks that are kept.
pub(crate) const BLOCK_CACHE_BLOCKS_MAX: usize = 256;

/// The cache of this process.
pub(super) fn shared() -> &'static BlockCache {
    static SHARED: BlockCache = BlockCache::new(BLOCK_CACHE_BYTES_MAX, BLOCK_CACHE_BLOCKS_MAX);
    &SHARED
}

/// Open blocks, within limits.
#[derive(Debug)]
pub(super) struct BlockCache {
    bytes_max: usize,
    blocks_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    blocks: Vec<Arc<Block>>,
    /// State of the choice of whom to let go.
    random: u64,
}

impl BlockCache {
    const fn new(bytes_max: usize, blocks_max: usize) -> BlockCache {
        let kept = Kept { blocks: Vec::new(), random: 0x9e37_79b9_7f4a_7c15 };
        BlockCache { bytes_max, blocks_max, kept: Mutex::new(kept) }
    }

    /// Keeps `block`, and lets others go until the limits hold. A block grows while it is read, so all are counted
    /// anew each time; what grew since the last call is not seen before the next.
    pub(super) fn keep(&self, block: &Arc<Block>) {
        let mut gone = Vec::new();
        let mut kept = self.kept.lock();
        if !kept.blocks.iter().any(|own| Arc::ptr_eq(own, block)) {
            kept.blocks.push(Arc::clone(block));
        }
        let mut bytes: usize = kept.blocks.iter().map(|block| block.memory_bytes()).sum();
        while !kept.blocks.is_empty() && (bytes > self.bytes_max || kept.blocks.len() > self.blocks_max) {
            let one = kept.let_go();
            bytes -= one.memory_bytes().min(bytes);
            gone.push(one);
        }
        drop(kept);
        drop(gone);
    }

    /// Lets `blocks` go, whose segment is closed.
    pub(super) fn forget(&self, blocks: &[Arc<Block>]) {
        let mut gone = Vec::new();
        let mut kept = self.kept.lock();
        for block in blocks {
            if let Some(at) = kept.blocks.iter().position(|own| Arc::ptr_eq(own, block)) {
                gone.push(kept.blocks.swap_remove(at));
            }
        }
        drop(kept);
        drop(gone);
    }

    /// Blocks and bytes that are kept.
    #[cfg(test)]
    fn load(&self) -> (usize, usize) {
        let kept = self.kept.lock();
        (kept.blocks.len(), kept.blocks.iter().map(|block| block.memory_bytes()).sum())
    }
}

impl Kept {
    /// Takes out one at random: searches go through blocks in turn, and whoever lets the oldest go keeps nothing
    /// of a row that is longer than the cache. The generator is xorshift (Marsaglia 2003).
    fn let_go(&mut self) -> Arc<Block> {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let at = (self.random % self.blocks.len() as u64) as usize;
        self.blocks.swap_remove(at)
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
        let cache = BlockCache::new(bytes, 10);
        blocks.iter().take(3).for_each(|block| cache.keep(block));
        assert_eq!(cache.load(), (3, bytes));
        cache.keep(blocks.first().unwrap());
        assert_eq!(cache.load(), (3, bytes));
        cache.keep(blocks.last().unwrap());
        assert!(cache.load().0 <= 3 && cache.load().1 <= bytes);
        let cache = BlockCache::new(usize::MAX, 2);
        blocks.iter().for_each(|block| cache.keep(block));
        assert_eq!(cache.load().0, 2);
        cache.forget(&blocks);
        assert_eq!(cache.load(), (0, 0));
    }

    #[test]
    fn what_is_decoded_later_counts() {
        let block = Arc::new(one_block(7));
        let before = block.memory_bytes();
        let cache = BlockCache::new(before, 10);
        cache.keep(&block);
        assert_eq!(cache.load().0, 1);
        block.column("@rawstring", &Selection::all(block.rows())).unwrap();
        assert!(block.memory_bytes() > before);
        cache.keep(&block);
        assert_eq!(cache.load(), (0, 0));
    }
}

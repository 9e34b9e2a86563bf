//! One immutable file of sealed blocks: blocks, their facts, a gram index, a footer, a checksum for every part.
//!
//! Hard constraints:
//! * A segment file is written once, front to back, and never changed.
//! * Header, footer and facts are verified when the file is opened; the index and a block when they are first used. A
//!   damaged block costs that block, a damaged index the pruning.
//! * A checksum covers the bytes of its part, the segment's id and the part's number, so that parts cannot stand in
//!   for one another.
//! * Whatever the bytes are, reading them ends in an error or in what was written; never in a panic or in memory
//!   that the file's length does not justify.
//!
//! ```text
//! | header | block 0 | block 1 | .. | facts | gram index | footer: places and checksums | trailer |
//! ```
//!
//! The bytes are drawn in `engine/FORMAT.md`.

mod cache;
pub mod candidates;
pub mod facts;
mod footer;
mod merge;
mod prune;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

use std::any::Any;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use weir_query::compile::Required;
use weir_query::record::RowsError;

pub use cache::BLOCK_CACHE_BYTES;
pub(crate) use cache::shared as block_cache;
pub use candidates::{Candidates, PruneCounters};
pub use facts::{FieldSummaryFacts, SegmentFacts};
pub use verify::Report;
pub use writer::SegmentWriter;

use crate::error::StoreError;
use crate::index::keys::{self, Keys};
use crate::index::table::GramTable;
use crate::store::block::Block;
use crate::store::block::bytes::Bytes;
use crate::store::block::wire::Corrupt;
use crate::store::files::{File, Mapped};
use footer::Footer;

/// The version of the format that is written; older ones are read.
pub const FORMAT_VERSION: u32 = 3;

/// A sealed segment, open for reading. Cheap to share; blocks are verified when first used.
#[derive(Debug)]
pub struct Segment {
    id: u64,
    serial: u64,
    bytes: Bytes,
    footer: Footer,
    facts: SegmentFacts,
    /// The gram index, taken apart when a query first needs it.
    index: OnceLock<Result<Arc<GramTable>, Corrupt>>,
    blocks: Vec<Slot>,
    companions: Companions,
}

/// Things that live as long as a segment is open.
#[derive(Default)]
struct Companions(Mutex<Vec<Box<dyn Any + Send + Sync>>>);

impl std::fmt::Debug for Companions {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} companions", self.0.lock().len())
    }
}

/// A block as far as it is known.
#[derive(Debug, Default)]
struct Slot {
    /// Whether its bytes are what was written.
    sound: OnceLock<bool>,
    /// Whether its keys are, which may be looked at before all of it.
    keys_sound: OnceLock<bool>,
    /// The block, while somebody uses it or the cache of blocks keeps it.
    open: Mutex<Weak<Block>>,
}

impl Segment {
    /// Opens the segment `id` at `path`, mapped.
    ///
    /// # Errors
    /// When the file cannot be read, is of a newer version, or its header, footer or facts are damaged.
    pub fn open(path: &Path, id: u64) -> Result<Segment, StoreError> {
        let name = path.display().to_string();
        let failed = |source| StoreError::Io { action: "map", path: name.clone(), source };
        let file = std::fs::File::open(path).map_err(failed)?;
        Segment::read(Bytes::new(Mapped::of(&file).map_err(failed)?), id, &name)
    }

    /// Opens the segment `id` in `file`, mapped where that is possible and read otherwise.
    ///
    /// # Errors
    /// As [`Segment::open`].
    pub fn in_file(file: &File, id: u64) -> Result<Segment, StoreError> {
        Segment::read(Bytes::new(file.map()?), id, file.name())
    }

    /// Opens the segment `id` whose whole file is `bytes`.
    ///
    /// # Errors
    /// As [`Segment::open`].
    pub fn from_bytes(bytes: Arc<[u8]>, id: u64) -> Result<Segment, StoreError> {
        Segment::read(Bytes::new(bytes), id, "segment in memory")
    }

    fn read(bytes: Bytes, id: u64, name: &str) -> Result<Segment, StoreError> {
        let damaged = |(offset, reason): (u64, Corrupt)| StoreError::Damaged {
            path: name.to_owned(),
            offset,
            reason: reason.0.to_owned(),
        };
        let version = footer::version(&bytes).map_err(damaged)?;
        if version > FORMAT_VERSION {
            return Err(StoreError::Version {
                path: name.to_owned(),
                found: version,
                supported: FORMAT_VERSION,
            });
        }
        let footer = Footer::read(&bytes, id).map_err(damaged)?;
        let part = |place: &footer::Place| -> Result<&[u8], StoreError> {
            place
                .verified(&bytes, id)
                .ok_or_else(|| damaged((place.offset, Corrupt("checksum does not fit"))))
        };
        let mut facts =
            SegmentFacts::read(part(&footer.facts)?).map_err(|c| damaged((footer.facts.offset, c)))?;
        facts.file_bytes = bytes.len() as u64;
        facts.index_bytes = footer.index.len;
        if facts.blocks.len() != footer.blocks.len() {
            return Err(damaged((footer.facts.offset, Corrupt("facts of other blocks"))));
        }
        let blocks = footer.blocks.iter().map(|_| Slot::default()).collect();
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let serial = OPENED.fetch_add(1, Ordering::Relaxed);
        let (index, companions) = (OnceLock::new(), Companions::default());
        Ok(Segment { id, serial, bytes, footer, facts, index, blocks, companions })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// A number that no other segment has or had in this process, nor this one when it is opened again.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// Keeps `companion` until the segment is closed.
    pub fn attach(&self, companion: Box<dyn Any + Send + Sync>) {
        self.companions.0.lock().push(companion);
    }

    /// What is known about all its rows.
    #[must_use]
    pub fn facts(&self) -> &SegmentFacts {
        &self.facts
    }

    /// How many blocks it has.
    #[must_use]
    pub fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// The granules that may hold an event that meets `required` with a timestamp in `from..=to` (ns).
    #[must_use]
    pub fn prune(&self, required: &Required, from: i64, to: i64) -> Candidates {
        prune::prune(self, required, from, to)
    }

    /// The gram index, verified and taken apart on its first use.
    pub(super) fn index(&self) -> Result<&Arc<GramTable>, Corrupt> {
        let open = || {
            let place = &self.footer.index;
            let sound = place.verified(&self.bytes, self.id).is_some();
            let bytes = place.range().filter(|_| sound).and_then(|range| self.bytes.part(range));
            let table = GramTable::parse(&bytes.ok_or(Corrupt("checksum of the gram index does not fit"))?)?;
            let granules: usize = self.facts.blocks.iter().map(|block| block.granules()).sum();
            if table.granules() != granules {
                return Err(Corrupt("gram index of other blocks"));
            }
            Ok(Arc::new(table))
        };
        self.index.get_or_init(open).as_ref().map_err(|corrupt| *corrupt)
    }

    /// Block `index`, verified on its first use, shared while somebody holds it, and kept a while after that.
    ///
    /// # Errors
    /// When its bytes are damaged; the other blocks are not touched by that.
    pub fn block(&self, index: usize) -> Result<Arc<Block>, RowsError> {
        let damaged =
            |reason: &str| RowsError::Damaged(format!("block {index} of segment {:016x}: {reason}", self.id));
        let slot = self.blocks.get(index).ok_or_else(|| damaged("there is none"))?;
        let mut open = slot.open.lock();
        if let Some(block) = open.upgrade() {
            cache::shared().keep(&block);
            return Ok(block);
        }
        let bytes = self.block_bytes(index).ok_or_else(|| damaged("checksum does not fit"))?;
        let block = Arc::new(Block::parse(bytes).map_err(|corrupt| damaged(corrupt.0))?);
        let rows = self.facts.blocks.get(index).map_or(0, |facts| facts.rows as usize);
        if block.rows() != rows {
            return Err(damaged("rows are not as many as the facts say"));
        }
        *open = Arc::downgrade(&block);
        drop(open);
        cache::shared().keep(&block);
        Ok(block)
    }

    /// The bytes of a block; `None` when they are damaged.
    fn block_bytes(&self, index: usize) -> Option<Bytes> {
        let place = self.footer.blocks.get(index)?;
        let sound =
            self.blocks.get(index)?.sound.get_or_init(|| place.verified(&self.bytes, self.id).is_some());
        if *sound { self.bytes.part(place.range()?) } else { None }
    }

    /// The keys of the tags of a block whose values its facts do not list; `None` where it has none, or they are damaged.
    fn keys(&self, index: usize) -> Option<Keys<'_>> {
        let (place, facts) = (self.footer.blocks.get(index)?, self.facts.blocks.get(index)?);
        let range = place.range().filter(|_| facts.key_bytes > 0)?;
        let bytes =
            self.bytes.get(range.end.checked_sub(facts.key_bytes as usize)?.max(range.start)..range.end)?;
        let sound = &self.blocks.get(index)?.keys_sound;
        // Their own checksum does not tell whose they are: the facts, which are those of this segment, do.
        let is_own = || facts.key_checksum.is_none_or(|own| keys::checksum_of(bytes) == Some(own));
        let is_sound = *sound.get_or_init(|| is_own() && Keys::read(bytes, false).is_some());
        Keys::read(bytes, is_sound).filter(|_| is_sound)
    }

    /// Bytes that a block takes in the file.
    #[must_use]
    pub fn block_len(&self, index: usize) -> u64 {
        self.footer.blocks.get(index).map_or(0, |place| place.len)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let blocks: Vec<Arc<Block>> =
            self.blocks.iter().filter_map(|slot| slot.open.lock().upgrade()).collect();
        cache::shared().forget(&blocks);
    }
}

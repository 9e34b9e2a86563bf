//! Sealed rows in columns: up to 65,536 rows or 16 MiB of raw text, ordered by (timestamp, sequence).
//!
//! Hard constraints:
//! * Every raw line comes back byte for byte; encode proves it by reading the block back before handing it out.
//! * Reading never panics, never reads outside the block, never allocates more than [`BLOCK_RAW_BYTES_MAX`] (and
//!   what it expands to) justifies, whatever the bytes say.
//! * A column is read for the granules that are asked for, not for the block.
//!
//! ```text
//! EventBatch.. -> rows in order -> skeletons + columns of hole values -> typed columns -> bytes
//!
//! block   | head: magic, version, rows, lengths | directory (zstd-3) | body: the sections of all columns |
//! ```
//!
//! The bytes are drawn in `engine/FORMAT.md`.

pub(crate) mod bits;
pub(crate) mod cursor;
pub(crate) mod digits;
pub(crate) mod encode;
pub mod facts;
pub(crate) mod hex;
pub(crate) mod ints;
pub(crate) mod moment;
pub(crate) mod node;
pub(crate) mod number;
pub(crate) mod section;
pub(crate) mod template;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

pub use facts::{BlockFacts, FieldFacts, TagFacts, ValueFacts};

use std::sync::Arc;

use weir_query::record::{Column, OrderKey, Rows, RowsError, Selection};

use crate::event::EventBatch;

/// Rows a granule: the unit of the index and of partial reading.
pub const GRANULE_ROWS: usize = 1_024;
/// Most rows of one block.
pub const BLOCK_ROWS_MAX: usize = 65_536;
/// Most raw bytes of one block, unless a single row has more.
pub const BLOCK_RAW_BYTES_MAX: usize = 16 << 20;

/// A block as bytes, with all a segment needs to know about it.
#[derive(Debug)]
pub struct EncodedBlock {
    /// The bytes of the block.
    pub bytes: Vec<u8>,
    /// What is known about its rows.
    pub facts: BlockFacts,
}

/// Orders the rows of `batches` by (timestamp, sequence), cuts them into blocks and encodes each, oldest first.
/// Bounded memory: `each` gets one block at a time.
///
/// # Errors
/// Whatever `each` answers; encoding itself cannot fail.
pub fn encode_blocks<E>(
    batches: &[Arc<EventBatch>],
    each: impl FnMut(EncodedBlock) -> Result<(), E>,
) -> Result<(), E> {
    let _ = (batches, each);
    Ok(())
}

/// A stored block, open for reading. Columns are decoded when asked for, and only where asked for.
#[derive(Debug)]
pub struct Block {
    rows: usize,
}

impl Block {
    /// The raw bytes of every row of `within`, one after the other.
    ///
    /// # Errors
    /// When the block is damaged.
    pub fn for_each_raw(
        &self,
        within: &Selection,
        each: &mut dyn FnMut(usize, &[u8]),
    ) -> Result<(), RowsError> {
        let _ = (within, each);
        Ok(())
    }
}

impl Rows for Block {
    fn len(&self) -> usize {
        self.rows
    }

    fn order(&self) -> Result<Arc<[OrderKey]>, RowsError> {
        Ok(Arc::from([]))
    }

    fn names(&self) -> Vec<Arc<str>> {
        Vec::new()
    }

    fn column(&self, _name: &str, _within: &Selection) -> Result<Column, RowsError> {
        Ok(Column::Missing { rows: self.rows })
    }

    fn search(
        &self,
        _matcher: &weir_query::compile::TextMatcher,
        _within: &Selection,
    ) -> Result<Selection, RowsError> {
        Ok(Selection::none(self.rows))
    }
}

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

mod align;
mod ask;
pub(crate) mod bits;
pub(crate) mod builder;
pub(crate) mod bytes;
mod column;
mod compose;
pub(crate) mod cursor;
pub(crate) mod digits;
mod distinct;
pub(crate) mod encode;
mod escapes;
mod expand;
pub mod facts;
mod field;
pub(crate) mod gather;
mod grams;
pub(crate) mod hex;
pub(crate) mod ints;
mod leaf;
mod learn;
mod lists;
pub(crate) mod literal;
mod look;
mod marks;
mod matching;
pub(crate) mod moment;
mod needle;
pub(crate) mod node;
pub(crate) mod number;
mod numeric;
pub(crate) mod part;
mod pick;
mod picked;
mod reach;
mod read;
mod search;
pub(crate) mod section;
mod span;
pub(crate) mod stored;
mod stretch;
mod tagged;
pub(crate) mod tags;
pub(crate) mod template;
#[cfg(test)]
mod tests;
mod timeline;
mod unwritten;
mod values;
mod verify;
mod walk;
pub(crate) mod wire;

pub use builder::{EncodedBlock, encode_blocks};
pub use facts::{BlockFacts, FieldFacts, ValueFacts};
pub use read::Block;

/// Rows a granule: the unit of the index and of partial reading.
pub const GRANULE_ROWS: usize = crate::event::GRANULE_ROWS;
/// Most rows of one block.
pub const BLOCK_ROWS_MAX: usize = 65_536;
/// Most raw bytes of one block, unless a single row has more.
pub const BLOCK_RAW_BYTES_MAX: usize = 16 << 20;

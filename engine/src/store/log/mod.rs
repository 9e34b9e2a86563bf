//! The write-ahead log of a data directory: what is in it survives.
//!
//! Hard constraints:
//! * One writer. A frame is acknowledged at level `fsync` only after the sync that covers it returned well. A failed
//!   write or sync poisons the log; it is not tried again.
//! * A file's header and name are synced before a frame in it is acknowledged.
//! * Frame numbers and sequences only grow, and are not used twice, not even after a crash.
//! * Reading never fails for what the bytes say: a tail that is torn, reordered or garbage ends the log quietly; damage
//!   before frames that were known to be safe is reported, stepped over, and everything behind it is read.
//! * A file goes only when every event in it stands in a published segment.
//!
//! ```text
//! log/000000000000002a.wlog
//!
//! | file header, 64 bytes | frame | frame | frame | .. | zeros, or frames of an earlier use (another salt) |
//!
//! frame: | header, 72 bytes, own checksum | key | payload (one batch) | zeros to a multiple of 8 |
//! ```
//!
//! Files are written full of zeros before use, or used again: a sync then has no file size to write.
//! The bytes are drawn in `engine/FORMAT.md`.

pub(crate) mod file;
pub(crate) mod frame;
pub(crate) mod keys;
pub(crate) mod reader;
pub(crate) mod spare;
#[cfg(test)]
mod tests;
pub(crate) mod writer;

/// The directory of log files.
pub(crate) const DIRECTORY: &str = "log";

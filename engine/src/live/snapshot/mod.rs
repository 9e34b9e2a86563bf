//! What the metrics of a repository have learnt, in one file, so that a start need not read their windows again.
//!
//! ```text
//! file     | header | sources | standing | parts | parts | .. | metric | .. | standing | .. | end |
//!
//! header    0  magic "WEIRLIVE"
//!           8  version, u32: 1
//!          12  checksum of the bytes before it
//! frame     0  kind, u8: 0 end, 1 sources, 2 standing, 3 parts, 4 metric
//!           1  bytes of the body, u32
//!           5  body
//!           .  checksum of all bytes of the file before it but for checksums
//! ```
//!
//! A standing is followed by the parts of its ring and of its pane, and by what metrics over it remember. `engine/FORMAT.md`
//! says what stands in the bodies.
//!
//! Hard constraints:
//! * It is a copy: the store has every event. A snapshot that is not there, damaged, of another version, or ahead of the
//!   log costs a backfill, never a start, and never a wrong result.
//! * The file is never changed in place (written aside, synced, renamed, directory synced), and believed as a whole or not
//!   at all. What is not believed is put aside and told.
//! * Standings are known by what their states hang on, not by the names of metrics: those change hands.
//! * One moment: what it says of one standing, and of the metrics over it, was so at once. Who takes it up goes on with the
//!   next sequence, and sees to it that the log has come so far: one that was restored from before has not.
//! * Only of events that a start finds again: see [`super::Lasting`].

mod bytes;
mod form;
mod frames;
mod restoring;
mod saved;
mod writer;

pub(super) use restoring::Restoring;
pub(super) use saved::Saved;
pub use saved::read_snapshot;
pub(super) use writer::{SnapshotWriter, Written};

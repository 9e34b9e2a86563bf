//! Results of standing metrics pushed to any number of readers.
//!
//! ```text
//! live thread -> Subscription -> Channel (one a metric) -> Revision, written once -> Body, one a base
//!                                   |                                                     |
//!                                   +--> Mailbox of each Reader: "something is new" --> Reader -> socket
//! ```
//!
//! Everything that takes a core is done on one thread of its own, once, however many read: results are written, deltas
//! made, readers woken. A reader is no task and holds no queue: when its socket has room it asks each channel that has
//! something new for what leads from what it knows to the newest. So a reader that stalls misses revisions, is told how
//! many, and costs what one piece costs.

mod body;
mod channel;
mod channels;
mod cursor;
mod mailbox;
mod reader;
mod revision;

pub use channels::{Channels, Watch};
pub use cursor::Cursor;
pub use reader::{Form, Reader};

/// The most metrics of one stream.
pub const MAX_STREAM_METRICS: usize = 256;

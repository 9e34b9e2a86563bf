//! Time: spans, relative and anchored times, zones, and the buckets that rows fall into.
//!
//! Instants are milliseconds since the epoch, UTC. Nothing here reads a clock.

pub mod bucket;
pub mod relative;
pub mod span;
pub mod zone;

pub use bucket::Buckets;
pub use relative::resolve;
pub use span::{Unit, parse_span};
pub use zone::Zone;

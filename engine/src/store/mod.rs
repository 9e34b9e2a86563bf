//! Where events are kept: an append-only log, a head in memory, and compressed immutable segments.
//!
//! Knows of the language only `Required` and `record`; never imports `live`.

pub mod block;
pub mod files;
pub(crate) mod health;
pub(crate) mod log;
pub mod segment;
pub mod snapshot;

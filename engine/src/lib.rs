//! The event store and the live rings: append, seal, index, scan, measure.
//!
//! ```text
//! EventBatch -> pipeline -+-> store: log (durable) -> head (visible) -> seal -> segments (compressed, indexed)
//!                         |                             |                          |
//!                         |                             +------- Snapshot ---------+--> scan
//!                         +-> feed -> live: standing queries, rings, follow
//! ```
//!
//! [`Engine`] is the door: it opens a data directory, hands out [`Repository`]s, and each takes batches
//! ([`Repository::append`]) and shows all it holds as one immutable [`Snapshot`]. An acknowledged batch is as safe
//! as its [`Level`] says and visible in the next snapshot.
//!
//! This crate never speaks HTTP, knows no wire format and brings no async runtime.

mod background;
pub mod config;
mod equal;
pub mod error;
pub mod event;
pub mod feed;
pub mod index;
pub mod live;
pub mod lookups;
pub mod named;
pub mod parsers;
pub mod pipeline;
pub mod saved;
pub mod scan;
pub mod stats;
pub mod store;

pub use config::{AppendOptions, EngineConfig, IdempotencyKey, Level, Retention};
pub use error::{AppendError, EngineError, StoreError};
pub use event::EventBatch;
pub use pipeline::{Engine, Receipt, Repository, Turn};
pub use stats::{EngineStats, FieldSummary, RepositoryStats};
pub use store::snapshot::Snapshot;

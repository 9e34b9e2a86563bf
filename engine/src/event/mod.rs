//! What an event is: raw bytes kept as they came, a time, tags, and fields found in the bytes or given beside them.
//!
//! Events live in an [`EventBatch`]: one arena, spans, and the [`Shape`]s of their JSON. It never writes to disk
//! and knows nothing of queries but the rows it shows them.

mod batch;
mod builder;
pub(crate) mod coder;
mod codes;
mod columns;
mod error;
mod event_time;
pub(crate) mod glance;
mod grams;
mod incoming;
mod join;
pub mod json;
mod lent;
mod limits;
mod numbers;
mod opaque;
mod parsed;
mod payload;
mod predict;
mod search;
mod shape;
mod tags;
pub mod timestamp;

pub use batch::{EventBatch, Part};
pub use builder::EventBatchBuilder;
pub(crate) use columns::Places;
pub use columns::{META_FIELDS, parse_event_id, push_event_id};
pub use error::{JsonError, JsonErrorKind, PushError, Pushed};
pub use event_time::TIMESTAMP_FIELDS;
pub use grams::GRANULE_ROWS;
pub use incoming::Incoming;
pub use limits::EventLimits;
pub use parsed::EventTime;
pub use payload::{LogPayload, PayloadError};
pub use shape::{Shape, ShapeError};
pub use tags::TagSet;

#[cfg(test)]
mod tests;

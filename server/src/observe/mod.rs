//! What the server says about itself: counters for Prometheus, logs with request ids.

mod counters;
mod engine;
mod live;
mod memory;
mod request;
mod tracing_setup;

pub use counters::{Counters, IngestCounters, ParserLabels, RequestLabels};
pub(crate) use engine::EngineMetrics;
pub(crate) use live::LiveMetrics;
pub(crate) use request::Seen;
pub use request::observe;
pub use tracing_setup::start_tracing;

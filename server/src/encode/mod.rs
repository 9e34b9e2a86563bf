//! Result tables as bytes: NDJSON, JSON, CSV, text. Never sees HTTP.
//!
//! Every value is a JSON string, except `@timestamp`, an integer: that is what Humio's clients expect, and the
//! language's own view of values. Missing fields are left out.

mod csv;
mod encoder;
mod escape;
mod job;
mod json;
mod keyed;
mod metric;
mod pen;
mod text;

pub use encoder::{Form, RowEncoder};
pub use escape::write_string;
pub use job::{JobFrame, encode_job};
pub use json::write_events;
pub use keyed::{Change, KeyedRows};
pub use metric::{encode_metric, encode_metric_state};

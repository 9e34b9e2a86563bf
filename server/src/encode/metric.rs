//! A standing metric's answer: `{"rows": […], "revision", "status", "watermark", …}`, with the rows that are
//! `retracted` where the metric retracts.

use weir_engine::live::{LiveResult, Refinement};

use crate::wire::MetricState;

/// The JSON of a live result, on one line.
#[must_use]
pub fn encode_metric(result: &LiveResult) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(b"{\"rows\":");
    super::write_events(&result.table, 0..result.table.rows, &mut out);
    if result.refinement == Refinement::Retracting {
        out.extend_from_slice(b",\"retracted\":");
        super::write_events(&result.retracted, 0..result.retracted.rows, &mut out);
    }
    out.push(b',');
    out.extend_from_slice(&encode_metric_state(result));
    out.push(b'}');
    out
}

/// What a live result says besides its rows: the inside of a JSON object.
#[must_use]
pub fn encode_metric_state(result: &LiveResult) -> Vec<u8> {
    // Types of our own with text keys always serialize, to an object with at least one key.
    let state = serde_json::to_vec(&MetricState::of(result)).unwrap_or_else(|_| b"{\"revision\":0}".to_vec());
    state.get(1..state.len().saturating_sub(1)).unwrap_or_default().to_vec()
}

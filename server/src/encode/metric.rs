//! A standing metric's answer: `{"rows": […], "revision", "status", "watermark", …}`.

use weir_engine::live::LiveResult;

use crate::wire::MetricState;

/// The JSON of a live result, on one line.
#[must_use]
pub fn encode_metric(result: &LiveResult, skipped: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(b"{\"rows\":");
    super::write_events(&result.table, 0..result.table.rows, &mut out);
    // Types of our own with text keys always serialize, to an object with at least one key.
    let state = serde_json::to_vec(&MetricState::of(result)).unwrap_or_else(|_| b"{\"revision\":0}".to_vec());
    out.push(b',');
    out.extend_from_slice(state.get(1..state.len().saturating_sub(1)).unwrap_or_default());
    if skipped > 0 {
        out.extend_from_slice(format!(",\"skipped\":{skipped}").as_bytes());
    }
    out.push(b'}');
    out
}

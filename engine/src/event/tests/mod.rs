//! Laws of batches: nothing of the raw bytes is lost, fields are what serde_json says, and rows are what the machine
//! expects.

mod batch;
mod bounds;
mod join;
mod json;
mod lent;
mod payload;
mod real;

use super::{EventBatch, EventBatchBuilder, EventLimits, TagSet};

/// 2026-11-20T00:00:00Z
pub(super) const NOW: i64 = 1_795_132_800_000_000_000;

pub(super) fn builder() -> EventBatchBuilder {
    EventBatchBuilder::new(EventLimits::default()).with_reference(NOW)
}

pub(super) fn batch_of<T: AsRef<[u8]>>(lines: &[T]) -> EventBatch {
    let (mut builder, tags) = (builder(), TagSet::none());
    for line in lines {
        builder.push_json(line.as_ref(), None, &tags, None).unwrap();
    }
    builder.finish(NOW)
}

//! How much a body may ask for.

use weir_engine::event::EventLimits;

/// Limits on one body, enforced while it is decompressed and split, not after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// The most bytes of a body as it came.
    pub max_wire_bytes: usize,
    /// The most bytes of a body once decompressed.
    pub max_decoded_bytes: usize,
    /// The most times larger a body may be decompressed than as it came, at any point of it.
    pub max_ratio: usize,
    /// A body that decompresses to no more than this may have any ratio: short repetitive ones reach high ones
    /// honestly.
    pub ratio_free_bytes: usize,
    /// The largest window of a zstd frame, as a power of two: the memory it takes to decompress. RFC 9659 says 23 for
    /// bodies sent over HTTP.
    pub max_zstd_window_log: u32,
    /// The most bytes of one event, and of its attributes.
    pub max_event_bytes: usize,
    /// An event with more bytes is stored without looking for fields in it.
    pub max_column_bytes: usize,
    /// The most fields of one event.
    pub max_fields_per_event: usize,
    /// The most objects and arrays inside one another.
    pub max_json_depth: usize,
    /// How many rejected events are described; all are counted.
    pub max_rejected_listed: usize,
    /// The bytes a batch of a stream is emitted at. Bodies are one batch whatever their size.
    pub target_batch_bytes: usize,
}

impl Default for DecodeLimits {
    fn default() -> DecodeLimits {
        let event = EventLimits::default();
        DecodeLimits {
            max_wire_bytes: 64 << 20,
            max_decoded_bytes: 256 << 20,
            max_ratio: 200,
            ratio_free_bytes: 8 << 20,
            max_zstd_window_log: 23,
            max_event_bytes: event.max_event_bytes,
            max_column_bytes: event.max_column_bytes,
            max_fields_per_event: event.max_fields_per_event,
            max_json_depth: event.max_json_depth,
            max_rejected_listed: 100,
            target_batch_bytes: 8 << 20,
        }
    }
}

impl DecodeLimits {
    /// For files somebody reads on their own machine: any length and any ratio, as batches are emitted on the way.
    #[must_use]
    pub fn for_files() -> DecodeLimits {
        DecodeLimits {
            max_wire_bytes: usize::MAX,
            max_decoded_bytes: usize::MAX,
            max_ratio: usize::MAX,
            max_zstd_window_log: 27,
            ..DecodeLimits::default()
        }
    }

    /// Those on one event and one batch.
    #[must_use]
    pub fn event(&self) -> EventLimits {
        EventLimits {
            max_event_bytes: self.max_event_bytes,
            max_column_bytes: self.max_column_bytes,
            max_fields_per_event: self.max_fields_per_event,
            max_json_depth: self.max_json_depth,
            ..EventLimits::default()
        }
    }
}

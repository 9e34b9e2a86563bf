//! How large an event and a batch may grow.

/// Limits on one event and on one batch. Over [`EventLimits::max_event_bytes`] or
/// [`EventLimits::max_tags_per_event`] an event is refused; over the others
/// it is stored whole, with fewer fields or none, and an `@error` attribute that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventLimits {
    /// The most bytes of raw text, and again of attributes, an event may have.
    pub max_event_bytes: usize,
    /// An event with more raw bytes than this is stored without looking for fields in it.
    pub max_column_bytes: usize,
    /// The most tags an event may be sent with. Every tag of a block is a column.
    pub max_tags_per_event: usize,
    /// The most fields taken from one JSON text, duplicates counted.
    pub max_fields_per_event: usize,
    /// The most objects and arrays inside one another.
    pub max_json_depth: usize,
    /// The longest field name, as a flattened path, in bytes.
    pub max_field_name_bytes: usize,
    /// The most bytes all field names of one JSON text have together, as flattened paths: a long key over many
    /// elements repeats in each of them, so that few bytes of text may name many of paths.
    pub max_event_path_bytes: usize,
    /// The most bytes of memory the shapes of a batch take together. An event that needs another one is kept as
    /// text, and so are its attributes; events of the shapes there are go on as before.
    pub max_batch_shape_bytes: usize,
    /// The most bytes a batch holds: raw text, attributes and unescaped values together.
    pub max_batch_bytes: usize,
}

impl EventLimits {
    /// Spans in a batch are 32 bits wide; a batch never holds more bytes than this, whatever its limits say.
    pub const MAX_ARENA_BYTES: usize = u32::MAX as usize / 2;

    /// What a batch that was accepted once is read back with: it must not be refused the second time because a
    /// limit was lowered in between. What was over a limit then is in the log as the text it became, so the shapes
    /// read back are those that were within the limits.
    pub(super) const REPLAY: EventLimits = EventLimits {
        max_event_bytes: usize::MAX,
        max_column_bytes: usize::MAX,
        max_tags_per_event: usize::MAX,
        max_fields_per_event: usize::MAX,
        max_json_depth: usize::MAX,
        max_field_name_bytes: usize::MAX,
        max_event_path_bytes: usize::MAX,
        max_batch_shape_bytes: usize::MAX,
        max_batch_bytes: EventLimits::MAX_ARENA_BYTES,
    };
}

impl Default for EventLimits {
    fn default() -> EventLimits {
        EventLimits {
            max_event_bytes: 16 << 20,
            max_column_bytes: 1 << 20,
            max_tags_per_event: 1_024,
            max_fields_per_event: 2_048,
            max_json_depth: 64,
            max_field_name_bytes: 4_096,
            max_event_path_bytes: 512 << 10,
            max_batch_shape_bytes: 64 << 20,
            max_batch_bytes: 512 << 20,
        }
    }
}

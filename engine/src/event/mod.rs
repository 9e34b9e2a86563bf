//! Events and batches of them.

/// A batch of events, immutable. (Skeleton: its builder replaces it.)
#[derive(Clone, Debug, Default)]
pub struct EventBatch {
    base: u64,
}

impl EventBatch {
    /// How many events.
    #[must_use]
    pub fn len(&self) -> usize {
        0
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sequence of the first event.
    #[must_use]
    pub fn base_sequence(&self) -> u64 {
        self.base
    }
}

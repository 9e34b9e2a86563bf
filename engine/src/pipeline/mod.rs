//! The way of a batch: queue, log, head and live feed; and the [`Engine`] that joins them.

mod engine;
mod repository;

pub use engine::Engine;
pub use repository::Repository;

/// What an acknowledged append got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Sequence of the first event.
    pub first_sequence: u64,
    /// Sequence of the last event.
    pub last_sequence: u64,
    /// How many events.
    pub events: u64,
    /// The idempotency key was known: this is the receipt of the batch that brought it first.
    pub duplicate: bool,
}

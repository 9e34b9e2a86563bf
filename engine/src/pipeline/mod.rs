//! The way of a batch: queue, log, head and feed; and the [`Engine`] that joins them and owns the threads.
//!
//! ```text
//! append (any thread) --encode--> queue (bounded) --commit: one write, one sync a group--> publish --> done
//!                                                                                           |
//!                                     seal thread <----- a head is full --------------------+--> feeds
//!                                     upkeep thread: spare log files, merging, retention
//! ```
//!
//! A group is committed by the log thread, or by the sender who finds the log free and few bytes waiting.
//!
//! Nothing here waits for a follower. Nothing is lost by being full: an append that finds no room is refused at once.

mod commit;
mod engine;
mod intake;
mod queue;
mod repository;
mod seal;
#[cfg(test)]
mod tests;
mod upkeep;

pub use engine::Engine;
pub use intake::Turn;
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

//! What can go wrong in the engine, as a caller has to tell it apart.

use std::path::PathBuf;

/// Why a batch was not taken. Nothing of a refused batch is stored, but see [`AppendError::Poisoned`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// A queue is full.
    #[error("busy: try again in {retry_after_millis} ms")]
    Busy {
        /// When it is worth trying again.
        retry_after_millis: u64,
    },
    /// The disk is nearly full.
    #[error("disk full: {free_bytes} bytes free, {needed_bytes} needed")]
    DiskFull {
        /// Bytes free when last looked.
        free_bytes: u64,
        /// Bytes that must be free.
        needed_bytes: u64,
    },
    /// The batch is larger than the limit.
    #[error("batch of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit, `max_batch_bytes`.
        limit: usize,
    },
    /// The batch has no events.
    #[error("empty batch")]
    Empty,
    /// The idempotency key is empty or too long.
    #[error("idempotency key of {bytes} bytes, allowed are 1 to {limit}")]
    InvalidKey {
        /// Its length.
        bytes: usize,
        /// The longest allowed.
        limit: usize,
    },
    /// The idempotency key is remembered, and came with another batch: this one would be lost if it were taken for that.
    #[error(
        "the idempotency key was used for another batch, of {events} events from sequence {first_sequence} on"
    )]
    KeyReused {
        /// The first sequence of the batch that has the key.
        first_sequence: u64,
        /// Its events.
        events: u32,
    },
    /// A write or sync of the log failed: nothing more is taken until a restart has verified the files. Whether
    /// a batch that was under way is stored is unknown until then; an idempotency key makes sending it again safe.
    #[error("log failed, restart to verify it: {0}")]
    Poisoned(String),
    /// The engine is shutting down.
    #[error("shutting down")]
    Closed,
}

/// Why the engine or a repository could not be opened or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Another process has the data directory open.
    #[error("data directory {0} is in use by another process")]
    InUse(PathBuf),
    /// The repository name is not one.
    #[error("repository name {name:?}: {reason}")]
    InvalidName {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There are already as many repositories as allowed.
    #[error("{0} repositories exist, no more are allowed")]
    TooManyRepositories(usize),
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What can go wrong with the files of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system said no.
    #[error("{action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: String,
        /// The answer.
        source: std::io::Error,
    },
    /// Bytes are not what was written.
    #[error("damaged {path} at byte {offset}: {reason}")]
    Damaged {
        /// The file.
        path: String,
        /// Where.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The files were written by a newer version.
    #[error("{path} has format version {found}, this program reads up to {supported}")]
    Version {
        /// The file.
        path: String,
        /// Its version.
        found: u32,
        /// The newest known.
        supported: u32,
    },
    /// A bug: the thread that did this did not come to its end.
    #[error("{what} panicked")]
    Panicked {
        /// What was being done.
        what: String,
    },
    /// An earlier failure of which nobody knows what it left makes further writing unsafe.
    #[error("store stopped: {0}")]
    Poisoned(String),
}

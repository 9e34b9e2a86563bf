//! Every limit of the engine, in one place, with its unit in its name.
//!
//! Never reads a file or the environment: whoever starts the engine fills it in.

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::AppendError;
use crate::scan::STATE_CACHE_BYTES;
use crate::store::segment::BLOCK_CACHE_BYTES;

/// How safe a batch is when its append is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Visible in memory; lost with the process.
    Memory,
    /// Handed to the operating system; survives the process, lost with the machine.
    Os,
    /// On disk: survives the machine.
    #[default]
    Fsync,
}

/// A name the sender gives a batch, so that sending it again does not store it again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Arc<str>);

impl IdempotencyKey {
    /// Longest key, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// A key of 1 to [`IdempotencyKey::MAX_BYTES`] bytes.
    ///
    /// # Errors
    /// [`AppendError::InvalidKey`] when it is empty or longer.
    pub fn new(key: &str) -> Result<IdempotencyKey, AppendError> {
        match key.len() {
            1..=Self::MAX_BYTES => Ok(IdempotencyKey(key.into())),
            bytes => Err(AppendError::InvalidKey { bytes, limit: Self::MAX_BYTES }),
        }
    }

    /// The key itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How one batch is to be appended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppendOptions {
    /// How safe it is to be before it is acknowledged.
    pub level: Level,
    /// Its name, if it may be sent again.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// What is kept of a repository; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Segments whose newest event is older than this are removed.
    pub age_secs: Option<u64>,
    /// The oldest segments are removed while the repository is larger than this on disk.
    pub bytes: Option<u64>,
}

/// Where the engine keeps its data and how much of everything it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// The data directory; made when absent.
    pub data_dir: PathBuf,
    /// Largest batch taken, in bytes of its log payload.
    pub max_batch_bytes: usize,
    /// Appends waiting for the log, in bytes of frames; past it an append is answered `Busy`.
    pub queue_bytes: usize,
    /// Appends waiting for the log, in batches.
    pub queue_batches: usize,
    /// Most bytes written before one sync; a batch larger than this is written alone.
    pub group_bytes: usize,
    /// Size of one log file; a frame larger than it gets a file of its own.
    pub log_file_bytes: u64,
    /// Log files kept before the heads that pin the oldest are sealed early.
    pub max_log_files: usize,
    /// Longest time between syncs while batches of level `os` or `memory` are waiting for one.
    pub sync_interval_millis: u64,
    /// While to write and sync a group usually takes less than this, a sender of few bytes may do it itself instead of
    /// waking the log thread; 0 leaves everything to that thread. The price: the first write or sync that stalls holds the
    /// thread of its sender until it is over; from then on the log thread has them, until they are short again.
    pub brief_sync_micros: u64,
    /// Appends are refused when the file system has less free than this.
    pub min_free_bytes: u64,
    /// Idempotency keys remembered, the youngest first.
    pub idempotency_keys: usize,
    /// How long an idempotency key is remembered.
    pub idempotency_age_secs: u64,
    /// A head is sealed when it holds this many raw bytes.
    pub seal_bytes: usize,
    /// A head is sealed when it holds this many events.
    pub seal_rows: usize,
    /// A head is sealed when it holds this many batches.
    pub seal_batches: usize,
    /// A head is sealed when its oldest batch is older than this.
    pub seal_age_secs: u64,
    /// Full heads of one repository that are sealed at once, a thread each; one while no more are waiting.
    pub seal_threads: usize,
    /// Raw bytes in all heads, waiting to be sealed included; past it an append is answered `Busy`.
    pub max_head_bytes: usize,
    /// Merging stops growing a segment at this many raw bytes.
    pub merge_segment_bytes: u64,
    /// Small segments next to each other before they are merged.
    pub merge_fan_in: usize,
    /// Share of one core that merging may take.
    pub merge_cpu_percent: u8,
    /// How often merging and retention look around.
    pub upkeep_interval_millis: u64,
    /// Retention of repositories that have none of their own.
    pub retention: Retention,
    /// Batches queued towards one follower of a repository before it falls behind.
    pub feed_batches: usize,
    /// Most repositories in one data directory.
    pub max_repositories: usize,
    /// Blocks kept open between queries, in bytes of memory; 0 keeps none. One cache serves the whole process: the
    /// engine opened last says how large it is.
    pub block_cache_bytes: usize,
    /// What queries learnt of sealed blocks, kept for those who ask the same again, in bytes of memory; 0 keeps
    /// nothing. One cache serves the whole process: the engine opened last says how large it is.
    pub state_cache_bytes: usize,
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

impl EngineConfig {
    /// The defaults, in `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>) -> EngineConfig {
        EngineConfig {
            data_dir: data_dir.into(),
            max_batch_bytes: 64 * MIB,
            queue_bytes: 128 * MIB,
            queue_batches: 8 * KIB,
            group_bytes: 32 * MIB,
            log_file_bytes: 64 << 20,
            max_log_files: 8,
            sync_interval_millis: 1_000,
            brief_sync_micros: 1_000,
            min_free_bytes: 256 << 20,
            idempotency_keys: 64 * KIB,
            idempotency_age_secs: 24 * 3_600,
            seal_bytes: 16 * MIB,
            seal_rows: 64 * KIB,
            seal_batches: 16 * KIB,
            seal_age_secs: 300,
            seal_threads: 2,
            max_head_bytes: 512 * MIB,
            merge_segment_bytes: 256 << 20,
            merge_fan_in: 8,
            merge_cpu_percent: 25,
            upkeep_interval_millis: 1_000,
            retention: Retention::default(),
            feed_batches: 1_024,
            max_repositories: 1_024,
            block_cache_bytes: BLOCK_CACHE_BYTES,
            state_cache_bytes: STATE_CACHE_BYTES,
        }
    }
}

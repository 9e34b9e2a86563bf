//! The way of a batch to the queue in front of the log, and its sender's turn there.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::RwLock;

use crate::config::{AppendOptions, EngineConfig, Level};
use crate::error::AppendError;
use crate::event::{EventBatch, LogPayload};
use crate::pipeline::Receipt;
use crate::pipeline::commit::Commit;
use crate::pipeline::queue::{Refused, Weighed};
use crate::store::Store;
use crate::store::log::writer::Append;
use crate::store::repository::StoredRepository;

/// What a sender that finds the queue or the heads full is told to wait.
const RETRY_AFTER_MILLIS: u64 = 100;
/// How often the free space of the file system is looked at: once in this many payload bytes taken.
const FREE_SPACE_EVERY_BYTES: usize = 4 << 20;

/// Told what became of a batch.
pub(super) type Done = Box<dyn FnOnce(Result<Receipt, AppendError>) + Send>;

/// A batch on its way to the log.
pub(super) struct Pending {
    /// What it takes of the queue: its frame, or its events where they are more.
    pub(super) bytes: usize,
    pub(super) append: Append,
    pub(super) batch: EventBatch,
    pub(super) repository: Arc<StoredRepository>,
    pub(super) done: Done,
}

impl Weighed for Pending {
    fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The way to the log; closed by [`Intake::close`].
#[derive(Debug)]
pub(crate) struct Intake {
    store: Arc<Store>,
    commit: RwLock<Option<Arc<Commit>>>,
    free_bytes_unseen: AtomicUsize,
}

/// A batch of the caller's is queued: [`Turn::commit`] commits it here if that is brief. Dropped, it is left to the
/// log thread. It does not keep the engine: one that is held over a shutdown has nothing left to do.
#[derive(Debug)]
#[must_use = "until it is taken or dropped the batch waits"]
pub struct Turn {
    commit: Weak<Commit>,
}

impl Turn {
    /// Commits this batch, and all that wait with it, on the caller's thread when the log is free and writing there
    /// usually takes no longer than [`brief_sync_micros`](EngineConfig::brief_sync_micros); leaves it to the log thread
    /// otherwise.
    pub fn commit(mut self) {
        if self.commit.upgrade().is_some_and(|commit| commit.commit_here()) {
            self.commit = Weak::new();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(commit) = self.commit.upgrade() {
            commit.queue.wake();
        }
    }
}

impl Intake {
    /// The way to `commit`.
    pub(super) fn new(store: Arc<Store>, commit: Arc<Commit>) -> Intake {
        let free_bytes_unseen = AtomicUsize::new(FREE_SPACE_EVERY_BYTES);
        Intake { store, commit: RwLock::new(Some(commit)), free_bytes_unseen }
    }

    fn config(&self) -> &EngineConfig {
        &self.store.config
    }

    /// Encodes a batch on the caller's thread and queues it. Nobody knows of it until the turn is taken or dropped.
    ///
    /// # Errors
    /// When it is not queued; `done` is then not called.
    pub(super) fn append(
        &self,
        repository: &Arc<StoredRepository>,
        batch: EventBatch,
        options: AppendOptions,
        done: Done,
    ) -> Result<Turn, AppendError> {
        let queued = self.queue(repository, batch, options, done);
        let counters = &self.store.counters;
        match &queued {
            Ok(_) => {}
            Err(AppendError::Busy { .. }) => counters.refused_busy.add(1),
            Err(AppendError::DiskFull { .. }) => counters.refused_disk_full.add(1),
            Err(_) => counters.refused_other.add(1),
        }
        queued
    }

    fn queue(
        &self,
        repository: &Arc<StoredRepository>,
        batch: EventBatch,
        options: AppendOptions,
        done: Done,
    ) -> Result<Turn, AppendError> {
        let busy = AppendError::Busy { retry_after_millis: RETRY_AFTER_MILLIS };
        self.store.health.check()?;
        if batch.is_empty() {
            return Err(AppendError::Empty);
        }
        let Some(commit) = self.commit.read().clone() else { return Err(AppendError::Closed) };
        if self.store.is_head_full() {
            commit.wake_seal();
            return Err(busy);
        }
        if commit.queue.is_full() {
            return Err(busy);
        }
        let is_logged = options.level != Level::Memory || options.idempotency_key.is_some();
        let payload = if is_logged { batch.log_payload() } else { LogPayload::default() };
        let (bytes, limit) = (payload.len().max(batch.raw_bytes()), self.config().max_batch_bytes);
        let events = u32::try_from(batch.len()).ok().filter(|_| bytes <= limit);
        let Some(events) = events else { return Err(AppendError::TooLarge { bytes, limit }) };
        self.check_free_space(bytes)?;
        let append = Append {
            repository: repository.id(),
            payload_crc: payload.crc(),
            content_crc: options.idempotency_key.as_ref().map_or(0, |_| batch.content_crc()),
            payload,
            events,
            key: options.idempotency_key,
            level: options.level,
        };
        let bytes = append.frame_bytes().max(bytes);
        let pending = Pending { bytes, append, batch, repository: Arc::clone(repository), done };
        match commit.queue.push(pending) {
            Ok(()) => Ok(Turn { commit: Arc::downgrade(&commit) }),
            Err(Refused::Full) => Err(busy),
            Err(Refused::Closed) => Err(AppendError::Closed),
        }
    }

    /// Refuses while less is free than must be. A full disk is then met with room to seal and merge left.
    fn check_free_space(&self, bytes: usize) -> Result<(), AppendError> {
        let needed_bytes = self.config().min_free_bytes;
        let unseen = self.free_bytes_unseen.fetch_add(bytes, Ordering::Relaxed);
        if unseen + bytes < FREE_SPACE_EVERY_BYTES {
            return Ok(());
        }
        match self.store.files.free_bytes() {
            // The count stays where it is, so that the next append looks again.
            Ok(free_bytes) if free_bytes < needed_bytes => {
                Err(AppendError::DiskFull { free_bytes, needed_bytes })
            }
            _ => {
                self.free_bytes_unseen.store(0, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Batches and bytes waiting.
    pub(super) fn waiting(&self) -> (usize, usize) {
        self.commit.read().as_ref().map_or((0, 0), |commit| (commit.queue.len(), commit.queue.bytes()))
    }

    /// Takes nothing more. The log thread ends when what waits is answered.
    pub(super) fn close(&self) {
        if let Some(commit) = self.commit.write().take() {
            commit.queue.close();
        }
    }
}

//! The bounded queue in front of the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam::channel::Sender;
use parking_lot::RwLock;

use crate::config::{AppendOptions, EngineConfig, Level};
use crate::error::AppendError;
use crate::event::EventBatch;
use crate::pipeline::Receipt;
use crate::pipeline::queue::{QueueReader, QueueSender, Refused, Weighed, queue};
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
    /// What it takes of the queue.
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

/// Where batches and wake-ups go.
#[derive(Debug)]
struct Door {
    sender: QueueSender<Pending>,
    /// Tells the seal thread that heads are in the way.
    seal: Sender<()>,
}

/// The way to the log thread; closed by [`Intake::close`].
#[derive(Debug)]
pub(crate) struct Intake {
    store: Arc<Store>,
    door: RwLock<Option<Door>>,
    queued_bytes: AtomicUsize,
    free_bytes_unseen: AtomicUsize,
}

impl Intake {
    /// The way, and the end the log thread reads. `seal` wakes the seal thread.
    pub(super) fn new(store: Arc<Store>, seal: Sender<()>) -> (Intake, QueueReader<Pending>) {
        let (sender, reader) = queue(store.config.queue_batches);
        let intake = Intake {
            store,
            door: RwLock::new(Some(Door { sender, seal })),
            queued_bytes: AtomicUsize::new(0),
            free_bytes_unseen: AtomicUsize::new(FREE_SPACE_EVERY_BYTES),
        };
        (intake, reader)
    }

    fn config(&self) -> &EngineConfig {
        &self.store.config
    }

    /// Encodes a batch on the caller's thread and queues it.
    ///
    /// # Errors
    /// When it is not queued; `done` is then not called.
    pub(super) fn append(
        &self,
        repository: &Arc<StoredRepository>,
        batch: EventBatch,
        options: AppendOptions,
        done: Done,
    ) -> Result<(), AppendError> {
        let queued = self.queue(repository, batch, options, done);
        let counters = &self.store.counters;
        match &queued {
            Ok(()) => {}
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
    ) -> Result<(), AppendError> {
        let busy = AppendError::Busy { retry_after_millis: RETRY_AFTER_MILLIS };
        self.store.health.check()?;
        if batch.is_empty() {
            return Err(AppendError::Empty);
        }
        if self.store.is_head_full() {
            if let Some(door) = self.door.read().as_ref() {
                let _ = door.seal.try_send(());
            }
            return Err(busy);
        }
        if self.queued_bytes.load(Ordering::Relaxed) >= self.config().queue_bytes {
            return Err(busy);
        }
        let mut payload = Vec::new();
        if options.level != Level::Memory || options.idempotency_key.is_some() {
            batch.encode_log(&mut payload);
        }
        let (bytes, limit) = (payload.len().max(batch.raw_bytes()), self.config().max_batch_bytes);
        let events = u32::try_from(batch.len()).ok().filter(|_| bytes <= limit);
        let Some(events) = events else { return Err(AppendError::TooLarge { bytes, limit }) };
        self.check_free_space(bytes)?;
        let append = Append {
            repository: repository.id(),
            payload_crc: crc32c::crc32c(&payload),
            payload,
            events,
            key: options.idempotency_key,
            level: options.level,
        };
        let pending = Pending { bytes, append, batch, repository: Arc::clone(repository), done };
        let door = self.door.read();
        let Some(door) = door.as_ref() else { return Err(AppendError::Closed) };
        // Counted before it is sent: the log thread takes it off again.
        self.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        door.sender.send(pending).map_err(|refused| {
            self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            match refused {
                Refused::Full => busy,
                Refused::Closed => AppendError::Closed,
            }
        })
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

    /// A batch was taken from the queue.
    pub(super) fn taken(&self, bytes: usize) {
        self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Batches and bytes waiting.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let batches = self.door.read().as_ref().map_or(0, |door| door.sender.len());
        (batches, self.queued_bytes.load(Ordering::Relaxed))
    }

    /// Takes nothing more. The log thread ends when it has answered what is waiting.
    pub(super) fn close(&self) {
        if let Some(door) = self.door.write().take() {
            door.sender.close();
        }
    }
}

//! One repository, as its users see it.

use std::sync::Arc;

use crossbeam::channel::bounded;

use crate::config::{AppendOptions, Retention};
use crate::error::{AppendError, StoreError};
use crate::event::EventBatch;
use crate::feed::Feed;
use crate::pipeline::Receipt;
use crate::pipeline::intake::{Intake, Turn};
use crate::stats::{FieldSummary, RepositoryStats};
use crate::store::Store;
use crate::store::repository::StoredRepository;
use crate::store::snapshot::Snapshot;

/// A named set of events: appended to, searched, followed.
#[derive(Debug)]
pub struct Repository {
    store: Arc<Store>,
    intake: Arc<Intake>,
    stored: Arc<StoredRepository>,
}

impl Repository {
    pub(super) fn new(store: Arc<Store>, intake: Arc<Intake>, stored: Arc<StoredRepository>) -> Repository {
        Repository { store, intake, stored }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        self.stored.name()
    }

    /// Queues a batch and returns at once; `done` is called, on the thread that commits it, when the batch is as safe
    /// as asked and visible, or failed. `done` must not block. With the turn the caller may be that thread
    /// ([`Turn::commit`]); dropped, the turn leaves the batch to the log thread.
    ///
    /// # Errors
    /// When the batch is not even queued; `done` is then never called.
    pub fn append(
        &self,
        batch: EventBatch,
        options: AppendOptions,
        done: impl FnOnce(Result<Receipt, AppendError>) + Send + 'static,
    ) -> Result<Turn, AppendError> {
        self.intake.append(&self.stored, batch, options, Box::new(done))
    }

    /// Appends a batch and waits until it is as safe as asked, and visible.
    ///
    /// # Errors
    /// When the batch was not taken.
    pub fn append_wait(&self, batch: EventBatch, options: AppendOptions) -> Result<Receipt, AppendError> {
        let (sender, receiver) = bounded(1);
        self.append(batch, options, move |answer| drop(sender.send(answer)))?.commit();
        receiver.recv().unwrap_or(Err(AppendError::Closed))
    }

    /// All it holds now. Cheap; the snapshot stays as it is.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.stored.snapshot()
    }

    /// All it holds now, and a feed of everything that follows: no gap, no double.
    #[must_use]
    pub fn follow(&self) -> (Arc<Snapshot>, Feed) {
        self.stored.follow()
    }

    /// Every event up to this sequence outlives the process. Events of level `memory` do once they are sealed; of several
    /// that are not, the first counts until the last is.
    #[must_use]
    pub fn lasting_sequence(&self) -> u64 {
        self.stored.lasting_sequence()
    }

    /// Seals what is in the head, and waits for it.
    ///
    /// # Errors
    /// When sealing failed; the events stay where they are.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.stored.freeze_older(std::time::Duration::ZERO);
        self.store.seal_frozen(&self.stored)?;
        self.store.release_log()
    }

    /// Its own retention; `None` when that of the engine holds.
    #[must_use]
    pub fn retention(&self) -> Option<Retention> {
        self.stored.retention()
    }

    /// Gives it its own retention, or with `None` that of the engine.
    ///
    /// # Errors
    /// When the catalog cannot be written.
    pub fn set_retention(&self, retention: Option<Retention>) -> Result<(), StoreError> {
        self.store.set_retention(&self.stored, retention)
    }

    /// The catalogue of fields, by name.
    #[must_use]
    pub fn fields(&self) -> Vec<FieldSummary> {
        self.snapshot().fields()
    }

    /// Every tag, with its `#`, and how many events are known to have it.
    #[must_use]
    pub fn tags(&self) -> Vec<(String, u64)> {
        self.snapshot().tags()
    }

    /// Values of `field` with how many events are known to have each, the most frequent first.
    #[must_use]
    pub fn values(&self, field: &str) -> Vec<(String, u64)> {
        self.snapshot().values(field)
    }

    /// What it holds, counted.
    #[must_use]
    pub fn stats(&self) -> RepositoryStats {
        self.stored.stats()
    }
}

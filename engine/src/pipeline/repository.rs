//! One repository, as its users see it.

use std::sync::Arc;

use crate::config::AppendOptions;
use crate::error::AppendError;
use crate::event::EventBatch;
use crate::feed::Feed;
use crate::pipeline::Receipt;
use crate::stats::{FieldSummary, RepositoryStats};
use crate::store::snapshot::Snapshot;

/// A named set of events: appended to, searched, followed.
#[derive(Debug)]
pub struct Repository {
    name: Arc<str>,
}

impl Repository {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Queues a batch and returns at once; `done` is called, on the log's thread, when the batch is as safe as
    /// asked and visible, or failed. `done` must not block.
    ///
    /// # Errors
    /// When the batch is not even queued; `done` is then never called.
    pub fn append(
        &self,
        _batch: EventBatch,
        _options: AppendOptions,
        _done: impl FnOnce(Result<Receipt, AppendError>) + Send + 'static,
    ) -> Result<(), AppendError> {
        Err(AppendError::Closed)
    }

    /// Appends a batch and waits until it is as safe as asked, and visible.
    ///
    /// # Errors
    /// When the batch was not taken.
    pub fn append_wait(&self, _batch: EventBatch, _options: AppendOptions) -> Result<Receipt, AppendError> {
        Err(AppendError::Closed)
    }

    /// All it holds now. Cheap; the snapshot stays as it is.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::new(Snapshot::default())
    }

    /// All it holds now, and a feed of everything that follows: no gap, no double.
    #[must_use]
    pub fn follow(&self) -> (Arc<Snapshot>, Feed) {
        (Arc::new(Snapshot::default()), crate::feed::feed(1, 0).1)
    }

    /// Seals what is in the head, and waits for it.
    ///
    /// # Errors
    /// When sealing failed; the events stay where they are.
    pub fn flush(&self) -> Result<(), crate::error::StoreError> {
        Ok(())
    }

    /// The catalogue of fields, by name.
    #[must_use]
    pub fn fields(&self) -> Vec<FieldSummary> {
        Vec::new()
    }

    /// What it holds, counted.
    #[must_use]
    pub fn stats(&self) -> RepositoryStats {
        RepositoryStats::default()
    }
}

//! Where events are kept: an append-only log, a head in memory, and compressed immutable segments.
//!
//! ```text
//! batch -> log frame (durable) -> head (visible) -> frozen head -> segment file -> catalog edit -> swap in snapshot
//!                                                                      |                             |
//!                                              merge, retention -------+        log file released ---+
//! ```
//!
//! Hard constraints:
//! * An event is visible exactly once from its acknowledgement on, whatever is sealed, merged or restarted meanwhile.
//! * What the catalog does not name does not exist; what it names is synced, under its final name, before it does.
//! * A damaged or missing file costs what is in it, is reported, and never keeps the store from starting.
//! * Files are named by number; the way to the disk is [`files`].
//!
//! Everything here runs on the thread that calls it; threads and queues are the pipeline's. It knows of the
//! language only `Required` and `record`, and never imports `live`.

pub mod block;
pub(crate) mod catalog;
pub mod check;
pub(crate) mod compaction;
mod fields;
pub mod files;
pub(crate) mod head;
pub(crate) mod health;
pub(crate) mod log;
pub(crate) mod recovery;
pub(crate) mod repository;
pub(crate) mod retention;
pub(crate) mod seal;
pub mod segment;
pub(crate) mod segment_file;
pub mod snapshot;
mod stats;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::{Mutex, RwLock};

use crate::config::{EngineConfig, Retention};
use crate::error::{EngineError, StoreError};
use crate::store::catalog::{Catalog, Edit};
use crate::store::files::Files;
use crate::store::head::HeadLimits;
use crate::store::health::{Counters, Health};
use crate::store::log::keys::KeyWindow;
use crate::store::log::spare::Shelf;
use crate::store::repository::{OpenSegment, StoredRepository};
use crate::store::seal::SealFailure;

/// An open data directory, without threads.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) config: EngineConfig,
    pub(crate) files: Files,
    pub(crate) health: Arc<Health>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) keys: Arc<Mutex<KeyWindow>>,
    pub(crate) head_bytes: Arc<AtomicUsize>,
    catalog: Mutex<Catalog>,
    /// Segments that could not be merged, left alone until the next start.
    unmergeable: Mutex<BTreeSet<u64>>,
    /// Repositories whose oldest head could not be sealed, by id.
    seal_failing: Mutex<BTreeMap<u32, SealFailure>>,
    /// Keys of batches up to this sequence are in the catalog.
    keys_saved_to: AtomicU64,
    repositories: RwLock<BTreeMap<Arc<str>, Arc<StoredRepository>>>,
    /// Segments that no new snapshot has; their files go with the last old one.
    retired: Mutex<Vec<OpenSegment>>,
}

/// The time, in nanoseconds since the epoch.
pub(crate) fn now_nanos() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

impl Store {
    /// The repository of that name.
    pub(crate) fn repository(&self, name: &str) -> Option<Arc<StoredRepository>> {
        self.repositories.read().get(name).cloned()
    }

    /// All repositories, by name.
    pub(crate) fn repositories(&self) -> Vec<Arc<StoredRepository>> {
        self.repositories.read().values().cloned().collect()
    }

    /// Makes a repository, or gives back the one of that name.
    ///
    /// # Errors
    /// When the name is not valid, there are too many, or the catalog cannot be written.
    pub(crate) fn create_repository(&self, name: &str) -> Result<Arc<StoredRepository>, EngineError> {
        catalog::name::check(name)?;
        if let Some(found) = self.repository(name) {
            return Ok(found);
        }
        let mut catalog = self.catalog.lock();
        if let Some(found) = self.repository(name) {
            return Ok(found);
        }
        let count = catalog.contents().repositories.len();
        if count >= self.config.max_repositories {
            return Err(EngineError::TooManyRepositories(count));
        }
        let (id, name) = (catalog.contents().free_repository_id(), Arc::from(name));
        catalog.commit(&Edit::Repository { repository: id, name: Arc::clone(&name) })?;
        Ok(self.add_repository(id, name))
    }

    fn add_repository(&self, id: u32, name: Arc<str>) -> Arc<StoredRepository> {
        let config = &self.config;
        let limits =
            HeadLimits { raw_bytes: config.seal_bytes, rows: config.seal_rows, batches: config.seal_batches };
        let head_bytes = Arc::clone(&self.head_bytes);
        let repository =
            Arc::new(StoredRepository::new(id, Arc::clone(&name), limits, config.feed_batches, head_bytes));
        self.repositories.write().insert(name, Arc::clone(&repository));
        repository
    }

    /// Gives a repository its own retention, or takes it away.
    ///
    /// # Errors
    /// When the catalog cannot be written.
    pub(crate) fn set_retention(
        &self,
        repository: &StoredRepository,
        retention: Option<Retention>,
    ) -> Result<(), StoreError> {
        let edit = Edit::Retention { repository: repository.id(), retention };
        self.catalog.lock().commit(&edit)?;
        repository.set_retention(retention);
        Ok(())
    }

    /// Heads take more memory than they may.
    pub(crate) fn is_head_full(&self) -> bool {
        self.head_bytes.load(Ordering::Relaxed) >= self.config.max_head_bytes
    }

    /// The sequence up to which each repository is sealed, by id.
    fn sealed(&self) -> impl Fn(u32) -> u64 + use<> {
        let sealed: BTreeMap<u32, u64> = self
            .repositories
            .read()
            .values()
            .map(|repository| (repository.id(), repository.sealed_to()))
            .collect();
        // A repository that the catalog does not know pins nothing: it has no events anywhere.
        move |id| sealed.get(&id).copied().unwrap_or(u64::MAX)
    }
}

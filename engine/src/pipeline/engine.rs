//! The open data directory, its threads, and its repositories.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam::channel::{Sender, bounded};
use parking_lot::Mutex;

use crate::config::EngineConfig;
use crate::error::{EngineError, StoreError};
use crate::pipeline::commit::Commit;
use crate::pipeline::intake::Intake;
use crate::pipeline::{Repository, seal, upkeep};
use crate::scan::StateCache;
use crate::stats::EngineStats;
use crate::store::Store;
use crate::store::files::{Files, Lock};
use crate::store::segment::block_cache;

/// An open data directory and the threads that serve it. Dropping it shuts it down.
#[derive(Debug)]
pub struct Engine {
    store: Arc<Store>,
    intake: Arc<Intake>,
    repositories: Mutex<BTreeMap<Arc<str>, Arc<Repository>>>,
    threads: Mutex<Option<Threads>>,
}

#[derive(Debug)]
struct Threads {
    log: JoinHandle<()>,
    seal: JoinHandle<()>,
    upkeep: JoinHandle<()>,
    stop_seal: Sender<()>,
    stop_upkeep: Sender<()>,
    _lock: Lock,
}

impl Engine {
    /// Opens the data directory, replays what was not sealed, and starts taking batches.
    ///
    /// # Errors
    /// When the directory is in use, was written by a newer version, or cannot be read. Damage inside its files
    /// is not an error: it is counted, and answers over it are partial.
    pub fn open(config: EngineConfig) -> Result<Engine, EngineError> {
        let files = Files::real(&config.data_dir)?;
        Engine::open_in(files, config)
    }

    /// Opens an engine that keeps everything in memory: for reading files without a server, and for tests.
    ///
    /// # Errors
    /// When its threads cannot be started.
    pub fn in_memory(config: EngineConfig) -> Result<Engine, EngineError> {
        Engine::open_in(Files::memory(), config)
    }

    /// Opens the data directory in `files`.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn open_in(files: Files, config: EngineConfig) -> Result<Engine, EngineError> {
        let Some(lock) = files.lock()? else { return Err(EngineError::InUse(config.data_dir)) };
        StateCache::shared().set_limit(config.state_cache_bytes);
        block_cache().set_limit(config.block_cache_bytes);
        let (store, writer) = Store::open(files, config)?;
        let store = Arc::new(store);
        let (seal, wake) = bounded(1);
        let commit = Arc::new(Commit::new(Arc::clone(&store), writer, seal.clone()));
        let intake = Arc::new(Intake::new(Arc::clone(&store), Arc::clone(&commit)));
        let (stop_upkeep, stopped) = bounded(1);
        let (sealer, keeper) = (Arc::clone(&store), Arc::clone(&store));
        let threads = Threads {
            log: spawn("weir-log", move || commit.run())?,
            seal: spawn("weir-seal", move || seal::run(&sealer, &wake))?,
            upkeep: spawn("weir-upkeep", move || upkeep::run(&keeper, &stopped))?,
            stop_seal: seal,
            stop_upkeep,
            _lock: lock,
        };
        let engine = Engine {
            repositories: Mutex::new(BTreeMap::new()),
            threads: Mutex::new(Some(threads)),
            store,
            intake,
        };
        for stored in engine.store.repositories() {
            let repository = Repository::new(Arc::clone(&engine.store), Arc::clone(&engine.intake), stored);
            engine.repositories.lock().insert(Arc::clone(repository.name()), Arc::new(repository));
        }
        Ok(engine)
    }

    /// The settings it was opened with.
    #[must_use]
    pub fn config(&self) -> &EngineConfig {
        &self.store.config
    }

    #[cfg(test)]
    pub(super) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Makes a repository, or gives back the one of that name.
    ///
    /// # Errors
    /// When the name is not valid, there are too many, or the catalog cannot be written.
    pub fn create_repository(&self, name: &str) -> Result<Arc<Repository>, EngineError> {
        let stored = self.store.create_repository(name)?;
        let mut repositories = self.repositories.lock();
        if let Some(found) = repositories.get(name) {
            return Ok(Arc::clone(found));
        }
        let repository = Arc::new(Repository::new(Arc::clone(&self.store), Arc::clone(&self.intake), stored));
        repositories.insert(Arc::clone(repository.name()), Arc::clone(&repository));
        Ok(repository)
    }

    /// The repository of that name.
    #[must_use]
    pub fn repository(&self, name: &str) -> Option<Arc<Repository>> {
        self.repositories.lock().get(name).cloned()
    }

    /// All repositories, by name.
    #[must_use]
    pub fn repositories(&self) -> Vec<Arc<Repository>> {
        self.repositories.lock().values().cloned().collect()
    }

    /// What the engine counted so far.
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        let mut stats = self.store.stats();
        let (batches, bytes) = self.intake.waiting();
        (stats.queue_batches, stats.queue_bytes) = (batches as u64, bytes as u64);
        let (blocks, bytes) = block_cache().load();
        (stats.block_cache_blocks, stats.block_cache_bytes) = (blocks as u64, bytes as u64);
        let states = StateCache::shared().stats();
        (stats.state_cache_hits, stats.state_cache_misses) = (states.hits, states.misses);
        (stats.state_cache_entries, stats.state_cache_bytes) = (states.entries, states.bytes);
        stats
    }

    /// Takes nothing more, answers what is waiting, syncs the log and stops the threads. Loses nothing: what is not
    /// sealed is in the log. Waits until it is done; a second call does nothing.
    pub fn shutdown(&self) {
        let Some(threads) = self.threads.lock().take() else { return };
        self.intake.close();
        let log = threads.log.join();
        drop((threads.stop_seal, threads.stop_upkeep));
        let others = threads.seal.join().and(threads.upkeep.join());
        if log.and(others).is_err() {
            tracing::error!("a thread of the engine panicked");
        }
        for repository in self.store.repositories() {
            repository.close_feeds();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shutdown();
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, EngineError> {
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    let failed = |source| StoreError::Io { action: "start thread", path: name.to_owned(), source };
    Ok(spawned.map_err(failed)?)
}

//! The open data directory.

use std::sync::Arc;

use crate::config::EngineConfig;
use crate::error::EngineError;
use crate::pipeline::Repository;
use crate::stats::EngineStats;

/// An open data directory and the threads that serve it. Dropping it shuts it down.
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
}

impl Engine {
    /// Opens the data directory, replays what was not sealed, and starts taking batches.
    ///
    /// # Errors
    /// When the directory is in use, was written by a newer version, or cannot be read. Damage inside its files
    /// is not an error: it is counted, and answers over it are partial.
    pub fn open(config: EngineConfig) -> Result<Engine, EngineError> {
        Ok(Engine { config })
    }

    /// The settings it was opened with.
    #[must_use]
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// Makes a repository, or gives back the one of that name.
    ///
    /// # Errors
    /// When the name is not valid, there are too many, or the catalog cannot be written.
    pub fn create_repository(&self, name: &str) -> Result<Arc<Repository>, EngineError> {
        Err(EngineError::InvalidName { name: name.to_owned(), reason: "not there yet" })
    }

    /// The repository of that name.
    #[must_use]
    pub fn repository(&self, _name: &str) -> Option<Arc<Repository>> {
        None
    }

    /// All repositories, by name.
    #[must_use]
    pub fn repositories(&self) -> Vec<Arc<Repository>> {
        Vec::new()
    }

    /// What the engine counted so far.
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        EngineStats::default()
    }

    /// Takes nothing more, answers what is waiting, syncs the log and stops the threads. Loses nothing.
    pub fn shutdown(&self) {}
}

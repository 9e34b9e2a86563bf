//! The live queries of every repository, opened once each.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use weir_engine::live::{DegradingOptions, Live, LiveError, LiveOptions, LiveStats, SnapshotOptions};
use weir_engine::lookups::Lookups;
use weir_engine::saved::SavedQueries;
use weir_engine::scan::{ScanPool, Source};
use weir_engine::{Repository, StoreError};
use weir_query::compile::Known;

use super::kept::Kept;
use crate::settings::Standing;

/// The live queries of every repository.
pub(crate) struct Lives {
    open: Mutex<HashMap<String, Arc<Live>>>,
    folder: PathBuf,
    /// What queries may name.
    lookups: Arc<Kept<Lookups>>,
    saved: Arc<Kept<SavedQueries>>,
    pool: ScanPool,
    settings: Standing,
}

impl Lives {
    /// None open yet; definitions, and what metrics have learnt, are kept in `folder`.
    pub(super) fn new(
        folder: PathBuf,
        (lookups, saved): (Arc<Kept<Lookups>>, Arc<Kept<SavedQueries>>),
        pool: ScanPool,
        settings: Standing,
    ) -> Lives {
        Lives { open: Mutex::default(), folder, lookups, saved, pool, settings }
    }

    /// The live queries of `repository`; opens them at the first call.
    ///
    /// # Errors
    /// When the definitions cannot be read.
    pub(super) fn of(&self, repository: &Arc<Repository>) -> Result<Arc<Live>, LiveError> {
        let mut open = self.open.lock();
        if let Some(live) = open.get(&**repository.name()) {
            return Ok(Arc::clone(live));
        }
        std::fs::create_dir_all(&self.folder).map_err(|error| LiveError::Write(error.to_string()))?;
        // Names never become paths: a repository's file is named by the hash of its name.
        let hash = xxhash_rust::xxh3::xxh3_128(repository.name().as_bytes());
        let file = self.folder.join(format!("{hash:032x}.metrics"));
        let snapshots = self.snapshots(repository, self.folder.join(format!("{hash:032x}.snapshot")));
        let (past, coming) = (Arc::clone(repository), Arc::clone(repository));
        let history = Arc::new(move || past.snapshot() as Arc<dyn Source>);
        let follow = Arc::new(move || coming.follow().1);
        let unreadable = |error: StoreError| LiveError::Known(error.to_string());
        let lookups = self.lookups.of(repository.name()).map_err(unreadable)?;
        let saved = self.saved.of(repository.name()).map_err(unreadable)?;
        let options = LiveOptions {
            known: Arc::new(move || Known { tables: lookups.tables(), saved: saved.texts() }),
            pool: Some(self.pool.clone()),
            snapshots,
            degrading: DegradingOptions {
                max_lag: Duration::from_millis(self.settings.max_lag_millis),
                interval: Duration::from_millis(self.settings.degraded_interval_millis),
            },
            ..LiveOptions::new(history, follow, Some(file))
        };
        let live = Live::open(options)?;
        open.insert(repository.name().to_string(), Arc::clone(&live));
        Ok(live)
    }

    fn snapshots(&self, repository: &Arc<Repository>, path: PathBuf) -> Option<SnapshotOptions> {
        let interval = Duration::from_millis(self.settings.snapshot_interval_millis);
        let own = Arc::clone(repository);
        (!interval.is_zero()).then(|| SnapshotOptions {
            path,
            interval,
            max_bytes: self.settings.max_snapshot_bytes,
            lasting: Arc::new(move || own.lasting_sequence()),
        })
    }

    /// What is live in each repository.
    pub(crate) fn stats(&self) -> Vec<LiveStats> {
        let open: Vec<Arc<Live>> = self.open.lock().values().map(Arc::clone).collect();
        open.iter().map(|live| live.stats()).collect()
    }

    /// Ends all of them. Metrics stay defined on disk.
    pub(super) fn close(&self) {
        for live in std::mem::take(&mut *self.open.lock()).into_values() {
            live.close();
        }
    }
}

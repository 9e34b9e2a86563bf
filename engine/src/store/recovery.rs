//! Opens a data directory, whatever state it was left in.
//!
//! A clean stop and a crash take the same way: the catalog is read, segments are opened, and every frame of the log
//! behind a repository's sealed mark is replayed into its head. What was replayed is synced before it is shown: a
//! process may have died between a write and its sync, and what is visible and answered as known must not be lost
//! with the machine later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};

use crate::config::EngineConfig;
use crate::error::{EngineError, StoreError};
use crate::event::EventBatch;
use crate::store::catalog::{Catalog, CatalogReport, Edit, RepositoryEntry, SegmentEntry};
use crate::store::files::Files;
use crate::store::health::{Counters, Health};
use crate::store::log::keys::{KeyWindow, Remembered};
use crate::store::log::reader::{Frame, LogDamage, Replayed, replay};
use crate::store::log::spare::Shelf;
use crate::store::log::writer::{EXPOSED_EVENTS_MAX, LogWriter};
use crate::store::log::{self, file};
use crate::store::repository::{OpenSegment, StoredRepository};
use crate::store::segment_file;
use crate::store::snapshot::MissingSegment;
use crate::store::{Store, now_nanos};

/// Where `live` keeps its definitions.
pub(crate) const LIVE_DIRECTORY: &str = "live";

impl Store {
    /// Opens the data directory in `files`.
    ///
    /// # Errors
    /// When it cannot be read or written at all, or is of a newer version.
    pub(crate) fn open(files: Files, config: EngineConfig) -> Result<(Store, LogWriter), EngineError> {
        for directory in [log::DIRECTORY, segment_file::DIRECTORY, LIVE_DIRECTORY] {
            files.create_dir(directory)?;
        }
        files.sync_dir("")?;
        let (health, counters) = (Arc::new(Health::default()), Arc::new(Counters::default()));
        let (catalog, report) = Catalog::open(files.clone(), Arc::clone(&health))?;
        let keys = Arc::new(Mutex::new(KeyWindow::new(config.idempotency_keys, config.idempotency_age_secs)));
        let mut store = Store {
            shelf: Arc::new(Shelf::new(files.clone(), config.log_file_bytes, Vec::new())?),
            config,
            files,
            health,
            counters,
            keys,
            head_bytes: Arc::new(AtomicUsize::new(0)),
            catalog: Mutex::new(catalog),
            unmergeable: Mutex::new(BTreeSet::new()),
            seal_failing: Mutex::new(BTreeMap::new()),
            keys_saved_to: AtomicU64::new(0),
            repositories: RwLock::new(BTreeMap::new()),
            retired: Mutex::new(Vec::new()),
        };
        store.report_catalog(&report);
        store.clear_orphans(&report)?;
        store.restore_repositories();
        let replayed = store.replay_log()?;
        store.shelf =
            Arc::new(Shelf::new(store.files.clone(), store.config.log_file_bytes, replayed.kept.clone())?);
        let next_sequence = store.next_sequence(&replayed);
        let writer = LogWriter::new(
            store.files.clone(),
            Arc::clone(&store.shelf),
            Arc::clone(&store.keys),
            Arc::clone(&store.health),
            Arc::clone(&store.counters),
            &replayed,
            next_sequence,
        );
        Ok((store, writer))
    }

    fn report_catalog(&self, report: &CatalogReport) {
        for damage in &report.damage {
            self.counters.damaged.add(1);
            tracing::error!(%damage, "damage in the catalog");
        }
    }

    /// Removes what a crash left behind: temporary files, and segments that the catalog does not name. When the catalog
    /// is damaged a segment it does not name may be one it named: such are only put aside.
    fn clear_orphans(&self, report: &CatalogReport) -> Result<(), StoreError> {
        let mut catalog = self.catalog.lock();
        let known: Vec<u64> = {
            let repositories = catalog.contents().repositories.values();
            repositories.flat_map(|entry| entry.segments.keys()).copied().collect()
        };
        for entry in self.files.list(segment_file::DIRECTORY)? {
            let name = format!("{}/{}", segment_file::DIRECTORY, entry.name);
            match segment_file::id(&entry.name) {
                Some(id) if known.contains(&id) => {}
                Some(id) => {
                    catalog.skip_segment_id(id);
                    if report.is_clean() {
                        self.files.remove(&name)?;
                    } else {
                        tracing::warn!(%name, "a segment that the catalog does not name is put aside");
                        self.files.rename(&name, &format!("{name}{}", segment_file::ORPHAN))?;
                    }
                }
                None if entry.name.ends_with(".tmp") => self.files.remove(&name)?,
                None => {}
            }
        }
        Ok(())
    }

    fn restore_repositories(&self) {
        let entries: Vec<(u32, RepositoryEntry)> = {
            let catalog = self.catalog.lock();
            let repositories = catalog.contents().repositories.iter();
            repositories.map(|(id, entry)| (*id, entry.clone())).collect()
        };
        for (id, entry) in entries {
            // Only the edit that named it is lost: its events are there, under a name that says so.
            let name = if entry.name.is_empty() { recovered_name(id) } else { Arc::clone(&entry.name) };
            let repository = self.add_repository(id, name);
            let (mut segments, mut missing) = (Vec::new(), Vec::new());
            for entry in entry.segments.into_values() {
                match segment_file::open(&self.files, &entry) {
                    Ok(segment) => segments.push(OpenSegment { entry, segment: Arc::new(segment) }),
                    Err(error) => {
                        self.counters.damaged.add(1);
                        tracing::error!(%error, repository = %repository.name(), "a segment cannot be opened");
                        missing.push(missing_segment(&entry, &error));
                    }
                }
            }
            repository.restore(entry.sealed_to, entry.retention, segments, missing);
        }
    }

    fn replay_log(&self) -> Result<Replayed, EngineError> {
        let saved = self.catalog.lock().contents().keys.clone();
        let now = now_nanos();
        let saved_to = saved.iter().map(|batch| batch.first_sequence).max().unwrap_or(0);
        self.keys_saved_to.store(saved_to, Ordering::Release);
        saved.into_iter().for_each(|batch| self.keys.lock().insert(batch, now));
        self.sync_log();
        let mut by_id: BTreeMap<u32, Arc<StoredRepository>> =
            self.repositories().into_iter().map(|repository| (repository.id(), repository)).collect();
        let mut undecodable = Vec::new();
        let mut replayed = replay(&self.files, &mut |frame| {
            let id = frame.header.repository;
            let repository = by_id.entry(id).or_insert_with(|| self.recover_repository(id));
            if !self.replay_frame(&frame, repository, now) {
                undecodable.push(file::name(frame.file));
            }
        })?;
        let mut damaged = undecodable;
        for damage in &replayed.damage {
            self.counters.damaged.add(1);
            tracing::error!(?damage, "damage in the log");
            match damage.batch.and_then(|(id, first, events)| Some((by_id.get(&id)?, first, events))) {
                Some((repository, first, _)) if first <= repository.sealed_to() => continue,
                Some((repository, _, events)) => repository.add_missing(missing_batch(damage, events)),
                None if damage.is_lost => {
                    by_id.values().for_each(|repository| repository.add_missing(missing_batch(damage, 0)));
                }
                None => {}
            }
            if damage.is_lost {
                damaged.push(damage.path.clone());
            }
        }
        for kept in &mut replayed.kept {
            kept.is_damaged = damaged.contains(&file::name(kept.number));
        }
        self.report_put_aside(&by_id)?;
        Ok(replayed)
    }

    /// Log files that an earlier start could not read in full and that were put aside since: what they hold is missing,
    /// from nobody knows which repository.
    fn report_put_aside(&self, by_id: &BTreeMap<u32, Arc<StoredRepository>>) -> Result<(), EngineError> {
        for entry in self.files.list(log::DIRECTORY)? {
            if entry.name.ends_with(file::DAMAGED) {
                self.counters.damaged.add(1);
                tracing::error!(name = %entry.name, "a damaged log file was put aside");
                let reason = "a file of it is damaged and was put aside".to_owned();
                let path = format!("{}/{}", log::DIRECTORY, entry.name);
                let damage = LogDamage { path, is_lost: true, offset: 0, reason, batch: None };
                by_id.values().for_each(|repository| repository.add_missing(missing_batch(&damage, 0)));
            }
        }
        Ok(())
    }

    /// Syncs every log file there is. When that fails nothing more is taken, but what is there can be read.
    fn sync_log(&self) {
        let synced = self.files.list(log::DIRECTORY).and_then(|entries| {
            let numbers = entries.iter().filter_map(|entry| file::number(&entry.name));
            numbers
                .map(|number| self.files.open_write(&file::name(number))?.sync_data())
                .collect::<Result<Vec<()>, _>>()
        });
        if let Err(error) = synced.and_then(|_| self.files.sync_dir(log::DIRECTORY)) {
            self.health.poison(&error);
        }
    }

    /// `false` when the batch cannot be read.
    fn replay_frame(&self, frame: &Frame<'_>, repository: &StoredRepository, now_nanos: i64) -> bool {
        let header = &frame.header;
        if let Ok(key) = std::str::from_utf8(frame.key)
            && !key.is_empty()
        {
            let batch = Remembered {
                repository: header.repository,
                key: key.into(),
                first_sequence: header.base,
                events: header.events,
                content_crc: header.content_crc,
                written_nanos: header.written_nanos,
            };
            self.keys.lock().insert(batch, now_nanos);
        }
        if header.base <= repository.sealed_to() {
            return true;
        }
        match EventBatch::decode_log(frame.payload) {
            Ok(batch) => {
                self.counters.events_replayed.add(batch.len() as u64);
                let batch = batch.with_sequence(header.base).with_repository(repository.name());
                repository.publish(Arc::new(batch));
                true
            }
            Err(error) => {
                self.counters.damaged.add(1);
                tracing::error!(%error, sequence = header.base, "a batch in the log cannot be read");
                let reason = error.to_string();
                let damage = LogDamage { path: String::new(), is_lost: true, offset: 0, reason, batch: None };
                repository.add_missing(missing_batch(&damage, header.events));
                false
            }
        }
    }

    /// A repository whose edit in the catalog is lost.
    fn recover_repository(&self, id: u32) -> Arc<StoredRepository> {
        let name = recovered_name(id);
        self.counters.damaged.add(1);
        tracing::error!(%name, "the log has events of a repository that the catalog does not name");
        let edit = Edit::Repository { repository: id, name: Arc::clone(&name) };
        if let Err(error) = self.catalog.lock().commit(&edit) {
            tracing::error!(%error, "the catalog cannot be written");
        }
        self.add_repository(id, name)
    }

    /// The first sequence to give. Behind the last one found as many are left out as may have been seen without being
    /// safe.
    fn next_sequence(&self, replayed: &Replayed) -> u64 {
        let catalog = self.catalog.lock();
        let entries = catalog.contents().repositories.values();
        let sealed = entries.map(|entry| {
            let segments = entry.segments.values().map(|segment| segment.max_sequence);
            segments.max().unwrap_or(0).max(entry.sealed_to) + 1
        });
        let seen = sealed.max().unwrap_or(0).max(replayed.next_sequence);
        if seen <= 1 { 1 } else { seen + EXPOSED_EVENTS_MAX }
    }
}

fn recovered_name(id: u32) -> Arc<str> {
    format!("recovered-{id}").into()
}

fn missing_segment(entry: &SegmentEntry, error: &StoreError) -> MissingSegment {
    MissingSegment {
        segment: entry.id,
        min_timestamp: entry.min_timestamp,
        max_timestamp: entry.max_timestamp,
        rows: entry.rows,
        reason: error.to_string(),
    }
}

/// A batch lost from the log; nobody knows its times.
fn missing_batch(damage: &LogDamage, events: u32) -> MissingSegment {
    MissingSegment {
        segment: 0,
        min_timestamp: i64::MIN,
        max_timestamp: i64::MAX,
        rows: u64::from(events),
        reason: format!("log: {}", damage.reason),
    }
}

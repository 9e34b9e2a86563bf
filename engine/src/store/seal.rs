//! Turns frozen heads into segments, and lets go of log files whose events all stand in segments.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::error::StoreError;
use crate::store::block::encode_blocks;
use crate::store::catalog::Edit;
use crate::store::head::Frozen;
use crate::store::repository::{OpenSegment, StoredRepository};
use crate::store::{Store, segment_file};

/// The pause before a head that could not be sealed is tried again; it doubles up to the longest.
const RETRY_AFTER: Duration = Duration::from_secs(1);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// How long the oldest batch of a head is there before its batches are given grams.
const GRAMS_AGE: Duration = Duration::from_secs(1);

/// A repository whose oldest head could not be sealed.
#[derive(Debug)]
pub(crate) struct SealFailure {
    retry_at: Instant,
    pause: Duration,
    /// Why, for whoever looks after the server.
    pub(crate) reason: String,
}

/// Keys the catalog may hold beyond twice those remembered before it forgets the others.
const KEYS_SLACK: usize = 64;

fn panicked(repository: &StoredRepository) -> StoreError {
    StoreError::Panicked { what: format!("sealing a head of {}", repository.name()) }
}

/// A panic is a failure to seal like any other: it is told, and tried again after a pause.
fn unless_panicked<T>(
    repository: &StoredRepository,
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(panicked(repository)))
}

impl Store {
    /// Seals every frozen head of a repository, several at once, and puts them into the catalog oldest first. What
    /// fails stays visible, and safe in the log; the heads behind it wait, for the sealed mark says that everything
    /// before it is in segments. It is tried again alone: those behind it would be written in vain. Other repositories go
    /// on.
    ///
    /// # Errors
    /// When a segment or the catalog cannot be written.
    pub(crate) fn seal_frozen(&self, repository: &StoredRepository) -> Result<(), StoreError> {
        let _alone = repository.sealing.lock();
        loop {
            let is_failing = self.seal_failing.lock().contains_key(&repository.id());
            let at_once = if is_failing { 1 } else { self.config.seal_threads.max(1) };
            let heads = repository.oldest_frozen(at_once);
            if heads.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.seal_heads(repository, &heads) {
                self.counters.seal_failures.add(1);
                self.note_failure(repository, &error);
                return Err(error);
            }
            self.seal_failing.lock().remove(&repository.id());
        }
    }

    /// Seals heads, all at once; the first that fails and those behind it stay as they are.
    fn seal_heads(&self, repository: &StoredRepository, heads: &[Arc<Frozen>]) -> Result<(), StoreError> {
        let mut written = self.write_segments(repository, heads).into_iter();
        let swap = |(frozen, segment): (_, Result<_, _>)| self.swap(repository, frozen, segment?);
        let swapped = unless_panicked(repository, || heads.iter().zip(written.by_ref()).try_for_each(swap));
        // The one that failed may be in the catalog for all that anybody knows: its file is left to the next start.
        if swapped.is_err() {
            written.flatten().for_each(|segment| segment_file::discard(self, &segment));
        }
        swapped
    }

    /// Writes a segment of each head: the first on this thread, the others on threads of their own meanwhile.
    fn write_segments(
        &self,
        repository: &StoredRepository,
        heads: &[Arc<Frozen>],
    ) -> Vec<Result<OpenSegment, StoreError>> {
        let write = |frozen: &Frozen| self.counters.seal_cpu_nanos.time(|| self.write_segment(frozen));
        let write_here = |frozen: &Frozen| unless_panicked(repository, || write(frozen));
        let Some((first, others)) = heads.split_first() else { return Vec::new() };
        std::thread::scope(|scope| {
            let spawn = |frozen| {
                let named = std::thread::Builder::new().name("weir-seal".to_owned());
                (frozen, named.spawn_scoped(scope, move || write(frozen)))
            };
            let others: Vec<_> = others.iter().map(|frozen| spawn(&**frozen)).collect();
            let mut written = vec![write_here(first)];
            written.extend(others.into_iter().map(|(frozen, other)| match other {
                Ok(other) => other.join().unwrap_or_else(|_| Err(panicked(repository))),
                // No thread could be started for it.
                Err(_) => write_here(frozen),
            }));
            written
        })
    }

    fn note_failure(&self, repository: &StoredRepository, error: &StoreError) {
        tracing::warn!(%error, repository = %repository.name(), "a head was not sealed, and is tried again");
        let mut failing = self.seal_failing.lock();
        let before = failing.get(&repository.id()).map(|failure| failure.pause * 2);
        let pause = before.unwrap_or(RETRY_AFTER).min(RETRY_AFTER_MAX);
        let reason = format!("repository {}: {error}", repository.name());
        let failure = SealFailure { retry_at: Instant::now() + pause, pause, reason };
        failing.insert(repository.id(), failure);
    }

    /// It failed a moment ago and is left alone for now.
    fn is_resting(&self, repository: &StoredRepository) -> bool {
        let failing = self.seal_failing.lock();
        failing.get(&repository.id()).is_some_and(|failure| Instant::now() < failure.retry_at)
    }

    /// Freezes the largest head while heads hold more than half of what they may: many that are not full must not
    /// together refuse what comes.
    fn freeze_largest(&self) {
        if self.head_bytes.load(Ordering::Relaxed) <= self.config.max_head_bytes / 2 {
            return;
        }
        let largest = self.repositories().into_iter().max_by_key(|repository| repository.open_bytes());
        if let Some(repository) = largest {
            repository.freeze_older(Duration::ZERO);
        }
    }

    fn write_segment(&self, frozen: &Frozen) -> Result<OpenSegment, StoreError> {
        self.health.check_store()?;
        let id = self.catalog.lock().take_segment_id();
        let failed = |source| StoreError::Io { action: "write", path: segment_file::name(id), source };
        let segment = segment_file::write(self, id, |writer| {
            encode_blocks(&frozen.batches, |block| writer.push(block)).map_err(failed)
        })?;
        if segment.entry.rows != frozen.rows as u64 {
            let reason = format!("{} rows written of {}", segment.entry.rows, frozen.rows);
            return Err(StoreError::Damaged { path: segment_file::name(id), offset: 0, reason });
        }
        Ok(segment)
    }

    /// Puts the segment of the oldest frozen head into the catalog and in the head's place.
    fn swap(
        &self,
        repository: &StoredRepository,
        frozen: &Arc<Frozen>,
        segment: OpenSegment,
    ) -> Result<(), StoreError> {
        self.catalog.lock().commit(&Edit::Segments {
            repository: repository.id(),
            sealed_to: frozen.last_sequence,
            removed: Vec::new(),
            added: vec![segment.entry.clone()],
        })?;
        self.counters.blocks_sealed.add(segment.segment.facts().blocks.len() as u64);
        repository.swap_sealed(frozen, segment);
        self.counters.raw_bytes_sealed.add(frozen.raw_bytes as u64);
        Ok(())
    }

    /// Freezes what is due: heads older than the limit, and heads that pin the oldest log file while there are too
    /// many. Seals whatever is frozen, then lets go of log files.
    ///
    /// # Errors
    /// The first failure; the other repositories are sealed nevertheless.
    pub(crate) fn seal_due(&self) -> Result<(), StoreError> {
        let age = Duration::from_secs(self.config.seal_age_secs);
        let pinning = if self.shelf.kept() > self.config.max_log_files {
            self.shelf.pinning(self.sealed())
        } else {
            Vec::new()
        };
        self.freeze_largest();
        let mut answer = Ok(());
        for repository in self.repositories() {
            let is_pinning = pinning.contains(&repository.id());
            let is_frozen = repository.freeze_older(if is_pinning { Duration::ZERO } else { age });
            if is_frozen && !self.is_resting(&repository) {
                answer = answer.and(self.seal_frozen(&repository));
            }
        }
        self.make_grams();
        answer.and(self.release_log())
    }

    /// Gives grams to batches that stay: a head that fills in less time is sealed, with an index, before that.
    fn make_grams(&self) {
        for repository in self.repositories() {
            repository.without_grams(GRAMS_AGE).iter().for_each(|batch| batch.make_grams());
        }
    }

    /// Lets go of log files whose events are all sealed. Their idempotency keys go to the catalog first.
    ///
    /// # Errors
    /// When the catalog or the directory cannot be written.
    pub(crate) fn release_log(&self) -> Result<(), StoreError> {
        let sealed = self.sealed();
        // No further than what was looked at: the keys of a file that came to be free since are not saved.
        let Some((number, last)) = self.shelf.releasable(&sealed) else { return Ok(()) };
        self.save_keys(last)?;
        match self.shelf.release(number, sealed) {
            Ok(_) => Ok(()),
            Err(error) => {
                // The directory is that of the files still written to: its next sync would not tell the truth.
                if matches!(error, StoreError::Io { action: "sync directory", .. }) {
                    self.health.poison(&error);
                }
                Err(error)
            }
        }
    }

    /// Puts the keys of batches up to sequence `last` into the catalog, and forgets those that are too old.
    fn save_keys(&self, last: u64) -> Result<(), StoreError> {
        let saved_to = self.keys_saved_to.load(Ordering::Acquire);
        let keys = self.keys.lock();
        let unsaved = |first: u64| first > saved_to && first <= last;
        let batches: Vec<_> = keys.iter().filter(|batch| unsaved(batch.first_sequence)).cloned().collect();
        let remembered = keys.iter().count();
        let before_nanos = keys.iter().next().map(|batch| batch.written_nanos);
        drop(keys);
        if !batches.is_empty() {
            let mut catalog = self.catalog.lock();
            catalog.commit(&Edit::Keys(batches))?;
            if let Some(before_nanos) = before_nanos
                && catalog.contents().keys.len() > 2 * remembered + KEYS_SLACK
            {
                catalog.commit(&Edit::ForgetKeys { before_nanos })?;
            }
        }
        self.keys_saved_to.fetch_max(last, Ordering::AcqRel);
        Ok(())
    }
}

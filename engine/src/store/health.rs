//! Whether the store may still be written to, and what it counted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::error::{AppendError, StoreError};

/// Set once, when a write or sync failed, or a commit panicked, whose outcome nobody knows. Everything is refused from then on: only reading
/// the files again, after a restart, tells what is safe.
#[derive(Debug, Default)]
pub(crate) struct Health {
    is_poisoned: AtomicBool,
    reason: Mutex<Option<String>>,
}

impl Health {
    /// Refuses when poisoned.
    ///
    /// # Errors
    /// [`AppendError::Poisoned`].
    pub(crate) fn check(&self) -> Result<(), AppendError> {
        match self.reason() {
            Some(reason) => Err(AppendError::Poisoned(reason)),
            None => Ok(()),
        }
    }

    /// As [`Health::check`], for the store's own writing.
    ///
    /// # Errors
    /// [`StoreError::Poisoned`].
    pub(crate) fn check_store(&self) -> Result<(), StoreError> {
        self.reason().map_or(Ok(()), |reason| Err(StoreError::Poisoned(reason)))
    }

    /// Poisons, for the first reason given; gives the refusal.
    pub(crate) fn poison(&self, error: &StoreError) -> AppendError {
        let mut reason = self.reason.lock();
        let reason = reason.get_or_insert_with(|| {
            tracing::error!(%error, "the store takes nothing more until a restart");
            error.to_string()
        });
        self.is_poisoned.store(true, Ordering::Release);
        AppendError::Poisoned(reason.clone())
    }

    /// Why it is poisoned, if it is.
    pub(crate) fn reason(&self) -> Option<String> {
        if self.is_poisoned.load(Ordering::Acquire) { self.reason.lock().clone() } else { None }
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counter {
    /// Does `work` and counts the CPU time that this thread takes for it, in nanoseconds.
    pub(crate) fn time<T>(&self, work: impl FnOnce() -> T) -> T {
        let begun = thread_cpu_nanos();
        let done = work();
        self.add(thread_cpu_nanos().saturating_sub(begun));
        done
    }
}

/// CPU time that this thread has taken, in nanoseconds.
fn thread_cpu_nanos() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// What the store counts; see [`crate::stats::EngineStats`] for what each means.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) events_appended: Counter,
    pub(crate) raw_bytes_appended: Counter,
    pub(crate) batches_appended: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) refused_busy: Counter,
    pub(crate) refused_disk_full: Counter,
    pub(crate) refused_other: Counter,
    pub(crate) log_bytes_written: Counter,
    pub(crate) log_syncs: Counter,
    pub(crate) log_sync_nanos: Counter,
    pub(crate) events_replayed: Counter,
    pub(crate) damaged: Counter,
    pub(crate) blocks_sealed: Counter,
    pub(crate) raw_bytes_sealed: Counter,
    pub(crate) seal_failures: Counter,
    pub(crate) seal_cpu_nanos: Counter,
    pub(crate) merge_cpu_nanos: Counter,
    pub(crate) index_cpu_nanos: Counter,
    pub(crate) merges: Counter,
    pub(crate) segments_merged: Counter,
    pub(crate) segments_expired: Counter,
}

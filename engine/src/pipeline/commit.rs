//! Groups of batches into the log, out to the heads and feeds, and the answers.
//!
//! Whoever holds the writer commits all that waits (group commit with a leader). That is the sender of a batch itself
//! while it is brief: few bytes, a log file with room, a disk that is quick. One request at a time then wakes
//! no thread at all. Everything else is left to the log thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::Sender;
use parking_lot::Mutex;

use crate::config::Level;
use crate::error::{AppendError, StoreError};
use crate::event::EventBatch;
use crate::pipeline::Receipt;
use crate::pipeline::intake::Pending;
use crate::pipeline::queue::{Queue, Waited};
use crate::store::health::Health;
use crate::store::log::keys::Remembered;
use crate::store::log::writer::{Append, LogWriter, Outcome};
use crate::store::repository::StoredRepository;
use crate::store::{Store, now_nanos};

/// Most batches in one group.
const GROUP_BATCHES_MAX: usize = 1_024;
/// Groups that the usual time of one looks back to.
const PACE_MEMORY: u32 = 8;
/// A sender commits what waits while it is no more bytes than this.
pub(super) const BRIEF_GROUP_BYTES_MAX: usize = 256 << 10;

/// What waits for the log, and the log.
#[derive(Debug)]
pub(super) struct Commit {
    store: Arc<Store>,
    pub(super) queue: Queue<Pending>,
    /// Batches are taken from the queue by who holds it, so that they are written in order.
    log: Mutex<Log>,
    /// Tells the seal thread that there is work.
    seal: Sender<()>,
}

/// The log, and how long a group took there lately.
#[derive(Debug)]
struct Log {
    writer: LogWriter,
    pace: Pace,
}

/// The usual time of a group, from its first byte written to its sync. One that takes longer is believed at once, so
/// that a disk that stalls holds one sender; shorter ones count an eighth, so that it has to be quick for a while.
#[derive(Clone, Copy, Debug, Default)]
struct Pace(Duration);

impl Pace {
    fn note(&mut self, took: Duration) {
        self.0 = took.max((self.0 * (PACE_MEMORY - 1) + took) / PACE_MEMORY);
    }
}

/// Stops the store when a commit panics: what is half done can only be made out by a restart.
struct Unfinished<'a> {
    queue: &'a Queue<Pending>,
    health: &'a Health,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.health.poison(&StoreError::Panicked { what: "a commit to the log".to_owned() });
            self.queue.abandon();
        }
    }
}

impl Commit {
    pub(super) fn new(store: Arc<Store>, writer: LogWriter, seal: Sender<()>) -> Commit {
        let queue = Queue::new(store.config.queue_batches, store.config.queue_bytes);
        let log = Mutex::new(Log { writer, pace: Pace::default() });
        Commit { store, queue, log, seal }
    }

    /// The log thread: commits what it is woken for until the queue is closed and empty, then syncs what is left.
    pub(super) fn run(&self) {
        let interval = Duration::from_millis(self.store.config.sync_interval_millis);
        let mut synced = Instant::now();
        loop {
            let waited = self.queue.wait(interval);
            if waited == Waited::Closed {
                break;
            }
            let mut log = self.log.lock();
            if waited == Waited::Ready {
                let mut group = self.queue.take(GROUP_BATCHES_MAX, self.store.config.group_bytes);
                if group.is_empty() {
                    // One that is larger than a group goes alone.
                    group = self.queue.take(1, usize::MAX);
                }
                self.commit(&mut log, group);
            }
            let writer = &mut log.writer;
            if !writer.is_exposed() {
                synced = Instant::now();
            } else if synced.elapsed() >= interval {
                // What levels `os` and `memory` leave open is made safe soon, though nobody waits for it.
                let _ = writer.sync(now_nanos());
                synced = Instant::now();
            }
        }
        let _ = self.log.lock().writer.sync(now_nanos());
    }

    /// Commits what waits on the caller's thread, if nobody else does and it is brief; whether nothing waits any more.
    pub(super) fn commit_here(&self) -> bool {
        let Some(mut log) = self.log.try_lock() else { return false };
        let bytes_max = self.brief_bytes(&log);
        if self.queue.bytes() > bytes_max {
            return false;
        }
        // What came in since is weighed as well.
        let group = self.queue.take(GROUP_BATCHES_MAX, bytes_max);
        self.commit(&mut log, group);
        self.queue.len() == 0
    }

    /// How many bytes can be committed so soon that the caller can do nothing better meanwhile: they fit into the file at
    /// hand, and the disk was quick lately. That is a guess: who is here when the disk stalls waits for it.
    fn brief_bytes(&self, log: &Log) -> usize {
        match log.pace.0 < Duration::from_micros(self.store.config.brief_sync_micros) {
            true => BRIEF_GROUP_BYTES_MAX.min(log.writer.room()),
            false => 0,
        }
    }

    /// Tells the seal thread that heads are in the way, or full.
    pub(super) fn wake_seal(&self) {
        // A wake-up that finds one waiting already is one and the same.
        let _ = self.seal.try_send(());
    }

    /// Commits a group taken from the queue, with the log in hand.
    fn commit(&self, log: &mut Log, group: Vec<Pending>) {
        if group.is_empty() {
            return;
        }
        let _unfinished = Unfinished { queue: &self.queue, health: &self.store.health };
        let begun = Instant::now();
        let outcomes = write(&mut log.writer, &group);
        log.pace.note(begun.elapsed());
        let mut full = false;
        let answers: Vec<_> = group
            .into_iter()
            .zip(outcomes)
            .map(|(pending, outcome)| {
                let Pending { append, batch, repository, done, .. } = pending;
                let is_unlogged = append.is_unlogged();
                (done, self.publish(batch, &repository, is_unlogged, outcome, &mut full))
            })
            .collect();
        if full {
            self.wake_seal();
        }
        for (done, answer) in answers {
            if catch_unwind(AssertUnwindSafe(|| done(answer))).is_err() {
                tracing::error!("the answer to an append panicked");
            }
        }
    }

    /// Makes a batch visible, before anybody is told that it is safe.
    fn publish(
        &self,
        batch: EventBatch,
        repository: &StoredRepository,
        is_unlogged: bool,
        outcome: Outcome,
        full: &mut bool,
    ) -> Result<Receipt, AppendError> {
        let counters = &self.store.counters;
        match outcome {
            Outcome::Taken { base } => {
                let batch = batch.numbered(base, repository.name());
                let events = batch.len() as u64;
                counters.events_appended.add(events);
                counters.raw_bytes_appended.add(batch.raw_bytes() as u64);
                counters.batches_appended.add(1);
                if is_unlogged {
                    repository.note_unlogged(base, batch.last_sequence());
                }
                *full |= repository.publish(Arc::new(batch));
                Ok(Receipt {
                    first_sequence: base,
                    last_sequence: base + events - 1,
                    events,
                    duplicate: false,
                })
            }
            Outcome::Known(known) => {
                counters.duplicates.add(1);
                Ok(known_receipt(&known))
            }
            Outcome::Refused(error) => {
                match error {
                    AppendError::DiskFull { .. } => counters.refused_disk_full.add(1),
                    _ => counters.refused_other.add(1),
                }
                Err(error)
            }
        }
    }
}

/// Writes a group, and syncs it if one of it asks for that.
fn write(writer: &mut LogWriter, group: &[Pending]) -> Vec<Outcome> {
    let now = now_nanos();
    let appends: Vec<&Append> = group.iter().map(|pending| &pending.append).collect();
    let mut outcomes = writer.append(&appends, now);
    let is_taken = |outcome: &Outcome| !matches!(outcome, Outcome::Refused(_));
    let wants_sync = appends
        .iter()
        .zip(&outcomes)
        .any(|(append, outcome)| append.level == Level::Fsync && is_taken(outcome));
    if wants_sync && let Err(error) = writer.sync(now) {
        for outcome in outcomes.iter_mut().filter(|outcome| is_taken(outcome)) {
            *outcome = Outcome::Refused(error.clone());
        }
    }
    outcomes
}

fn known_receipt(known: &Remembered) -> Receipt {
    Receipt {
        first_sequence: known.first_sequence,
        last_sequence: known.last_sequence(),
        events: u64::from(known.events),
        duplicate: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_believed_at_once_and_forgotten_slowly() {
        let mut pace = Pace::default();
        let mut note = |micros| {
            pace.note(Duration::from_micros(micros));
            pace.0.as_micros()
        };
        for (took, usual) in [(80, 80), (80, 80), (0, 70), (8_000, 8_000), (0, 7_000), (7_000, 7_000)] {
            assert_eq!(note(took), usual, "{took}");
        }
        assert_eq!((0..).take_while(|_| note(0) >= 1_000).count(), 14, "short ones until it is brief again");
    }
}

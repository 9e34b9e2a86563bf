//! Groups of batches into the log, out to the heads and feeds, and the answers.
//!
//! Whoever holds the writer commits all that waits (group commit with a leader). That is the sender of a batch itself
//! while it is brief: few bytes, a log file with room, a disk whose syncs are short. One request at a time then wakes
//! no thread at all. Everything else is left to the log thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::Sender;
use parking_lot::Mutex;

use crate::config::Level;
use crate::error::AppendError;
use crate::pipeline::Receipt;
use crate::pipeline::intake::Pending;
use crate::pipeline::queue::{Queue, Waited};
use crate::store::log::keys::Remembered;
use crate::store::log::writer::{Append, LogWriter, Outcome};
use crate::store::{Store, now_nanos};

/// Most batches in one group.
const GROUP_BATCHES_MAX: usize = 1_024;
/// A sender commits for others while no more bytes than this wait.
pub(super) const BRIEF_GROUP_BYTES_MAX: usize = 256 << 10;

/// What waits for the log, and the log.
#[derive(Debug)]
pub(super) struct Commit {
    store: Arc<Store>,
    pub(super) queue: Queue<Pending>,
    /// Batches are taken from the queue by who holds it, so that they are written in order.
    writer: Mutex<LogWriter>,
    /// Tells the seal thread that there is work.
    seal: Sender<()>,
}

/// Closes the queue when a commit panics: what is half done can only be made out by a restart.
struct Unfinished<'a>(&'a Queue<Pending>);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.abandon();
        }
    }
}

impl Commit {
    pub(super) fn new(store: Arc<Store>, writer: LogWriter, seal: Sender<()>) -> Commit {
        let queue = Queue::new(store.config.queue_batches, store.config.queue_bytes);
        Commit { store, queue, writer: Mutex::new(writer), seal }
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
            let mut writer = self.writer.lock();
            if waited == Waited::Ready {
                self.commit(&mut writer);
            }
            if !writer.is_exposed() {
                synced = Instant::now();
            } else if synced.elapsed() >= interval {
                // What levels `os` and `memory` leave open is made safe soon, though nobody waits for it.
                let _ = writer.sync(now_nanos());
                synced = Instant::now();
            }
        }
        let _ = self.writer.lock().sync(now_nanos());
    }

    /// Commits what waits on the caller's thread, if nobody else does and it is brief; whether nothing waits any more.
    pub(super) fn commit_here(&self) -> bool {
        let Some(mut writer) = self.writer.try_lock() else { return false };
        if !self.is_brief(&writer) {
            return false;
        }
        self.commit(&mut writer);
        self.queue.len() == 0
    }

    /// Whether committing what waits is over so soon that the caller can do nothing better meanwhile.
    fn is_brief(&self, writer: &LogWriter) -> bool {
        let (bytes, limit) = (self.queue.bytes(), self.store.config.brief_sync_micros);
        bytes <= BRIEF_GROUP_BYTES_MAX
            && writer.usual_sync() < Duration::from_micros(limit)
            // Twice: what frames add to batches of a few bytes.
            && writer.fits(2 * bytes)
    }

    /// Tells the seal thread that heads are in the way, or full.
    pub(super) fn wake_seal(&self) {
        // A wake-up that finds one waiting already is one and the same.
        let _ = self.seal.try_send(());
    }

    /// Commits one group of what waits, with the writer in hand.
    fn commit(&self, writer: &mut LogWriter) {
        let group = self.queue.take(GROUP_BATCHES_MAX, self.store.config.group_bytes);
        if group.is_empty() {
            return;
        }
        let _unfinished = Unfinished(&self.queue);
        let now = now_nanos();
        let appends: Vec<&Append> = group.iter().map(|pending| &pending.append).collect();
        let mut outcomes = writer.append(&appends, now);
        let is_taken = |outcome: &Outcome| !matches!(outcome, Outcome::Refused(_));
        let wants_sync = group
            .iter()
            .zip(&outcomes)
            .any(|(pending, outcome)| pending.append.level == Level::Fsync && is_taken(outcome));
        if wants_sync && let Err(error) = writer.sync(now) {
            for outcome in outcomes.iter_mut().filter(|outcome| is_taken(outcome)) {
                *outcome = Outcome::Refused(error.clone());
            }
        }
        let mut full = false;
        let answers: Vec<_> = group
            .into_iter()
            .zip(outcomes)
            .map(|(pending, outcome)| {
                let answer = self.publish(&pending, outcome, &mut full);
                (pending.done, answer)
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
    fn publish(&self, pending: &Pending, outcome: Outcome, full: &mut bool) -> Result<Receipt, AppendError> {
        let counters = &self.store.counters;
        match outcome {
            Outcome::Taken { base } => {
                let batch = pending.batch.with_sequence(base).with_repository(pending.repository.name());
                let events = batch.len() as u64;
                counters.events_appended.add(events);
                counters.raw_bytes_appended.add(batch.raw_bytes() as u64);
                counters.batches_appended.add(1);
                *full |= pending.repository.publish(Arc::new(batch));
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

fn known_receipt(known: &Remembered) -> Receipt {
    Receipt {
        first_sequence: known.first_sequence,
        last_sequence: known.last_sequence(),
        events: u64::from(known.events),
        duplicate: true,
    }
}

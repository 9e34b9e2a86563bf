//! The log thread: groups of batches into the log, out to the heads and feeds, and the answers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::Sender;

use crate::config::Level;
use crate::error::AppendError;
use crate::pipeline::Receipt;
use crate::pipeline::intake::{Intake, Pending};
use crate::pipeline::queue::{QueueReader, Taken};
use crate::store::log::keys::Remembered;
use crate::store::log::writer::{Append, LogWriter, Outcome};
use crate::store::{Store, now_nanos};

/// Most batches in one group.
const GROUP_BATCHES_MAX: usize = 1_024;

/// What the log thread works with.
pub(super) struct Commit {
    pub(super) store: Arc<Store>,
    pub(super) writer: LogWriter,
    pub(super) intake: Arc<Intake>,
    pub(super) waiting: QueueReader<Pending>,
    /// Tells the seal thread that there is work.
    pub(super) seal: Sender<()>,
}

impl Commit {
    /// Takes groups until the intake is closed and empty, then syncs what is left.
    pub(super) fn run(mut self) {
        let interval = Duration::from_millis(self.store.config.sync_interval_millis);
        let mut synced = Instant::now();
        loop {
            match self.waiting.take(interval, GROUP_BATCHES_MAX, self.store.config.group_bytes) {
                Taken::Group(group) => {
                    self.intake.taken(group.iter().map(|pending| pending.bytes).sum());
                    self.commit(group);
                }
                Taken::Nothing => {}
                Taken::Closed => break,
            }
            if !self.writer.is_exposed() {
                synced = Instant::now();
            } else if synced.elapsed() >= interval {
                // What levels `os` and `memory` leave open is made safe soon, though nobody waits for it.
                let _ = self.writer.sync(now_nanos());
                synced = Instant::now();
            }
        }
        let _ = self.writer.sync(now_nanos());
    }

    fn commit(&mut self, group: Vec<Pending>) {
        let now = now_nanos();
        let appends: Vec<&Append> = group.iter().map(|pending| &pending.append).collect();
        let mut outcomes = self.writer.append(&appends, now);
        let is_taken = |outcome: &Outcome| !matches!(outcome, Outcome::Refused(_));
        let wants_sync = group
            .iter()
            .zip(&outcomes)
            .any(|(pending, outcome)| pending.append.level == Level::Fsync && is_taken(outcome));
        if wants_sync && let Err(error) = self.writer.sync(now) {
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
            // A wake-up that finds one waiting already is one and the same.
            let _ = self.seal.try_send(());
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

//! The upkeep thread: spare log files, retention, files nobody reads any more; and in the time between, merging.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError};

use crate::store::{Store, now_nanos};

/// Most merges of one repository before the next one has its turn.
const MERGES_IN_A_ROW: usize = 8;
/// The longest rest for the time that a merge waited.
const WAITED_REST_MAX: Duration = Duration::from_secs(60);

/// Merges and looks around until every sender of `stop` is gone.
pub(super) fn run(store: &Arc<Store>, stop: &Receiver<()>) {
    let interval = Duration::from_millis(store.config.upkeep_interval_millis.max(1));
    let mut upkeep = Upkeep { store, stop, interval, next_look: Instant::now() };
    loop {
        let round = || upkeep.merge_all() && upkeep.rest(interval);
        match catch_unwind(AssertUnwindSafe(round)) {
            Ok(true) => {}
            Ok(false) => return,
            Err(_) => {
                tracing::error!("the upkeep thread panicked, and goes on");
                if stop.recv_timeout(interval) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        }
    }
}

struct Upkeep<'a> {
    store: &'a Arc<Store>,
    /// Disconnected when it is time to stop.
    stop: &'a Receiver<()>,
    /// Between two looks around.
    interval: Duration,
    next_look: Instant,
}

impl Upkeep<'_> {
    /// Merges what is worth it, resting after each so that merging takes no more than its share. `false` when stopped.
    fn merge_all(&mut self) -> bool {
        for repository in self.store.repositories() {
            for _ in 0..MERGES_IN_A_ROW {
                if !self.rest(Duration::ZERO) {
                    return false;
                }
                if self.store.health.reason().is_some() {
                    break;
                }
                let (begun, before) = (Instant::now(), self.store.counters.merge_cpu_nanos.get());
                match self.store.merge_next(&repository) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!(%error, repository = %repository.name(), "merging failed, and is tried again");
                        break;
                    }
                }
                let spent = self.store.counters.merge_cpu_nanos.get().saturating_sub(before);
                let (spent, percent) = (Duration::from_nanos(spent), self.store.config.merge_cpu_percent);
                if !self.rest(rest_after(spent, begun.elapsed(), percent)) {
                    return false;
                }
            }
        }
        true
    }

    /// Merges nothing for so long, looking around whenever it is time. `false` when stopped.
    fn rest(&mut self, rest: Duration) -> bool {
        let rested = Instant::now() + rest;
        loop {
            if Instant::now() >= self.next_look {
                // First, so that one look that panics is not the next as well.
                self.next_look = Instant::now() + self.interval;
                self.look_around();
            }
            let wake = rested.min(self.next_look);
            let waited = self.stop.recv_timeout(wake.saturating_duration_since(Instant::now()));
            if waited == Err(RecvTimeoutError::Disconnected) {
                return false;
            }
            if Instant::now() >= rested {
                return true;
            }
        }
    }

    /// Does what is short, and must not wait for long merges and their rests.
    fn look_around(&self) {
        if self.store.health.reason().is_none() {
            if let Err(error) = self.store.shelf.prepare() {
                tracing::warn!(%error, "no spare log file could be made");
            }
            for repository in self.store.repositories() {
                if let Err(error) = self.store.expire(&repository, now_nanos()) {
                    tracing::warn!(%error, repository = %repository.name(), "retention failed, and is tried again");
                }
            }
        }
        self.store.remove_retired();
    }
}

/// How long to rest after a merge that spent so much CPU time of the time it took: for the CPU time to be `percent` of
/// one core, and for as long as it waited, most of all for a slow disk, which others wait for as well.
fn rest_after(spent: Duration, took: Duration, percent: u8) -> Duration {
    let share = u32::from(percent.clamp(1, 100));
    let waited = took.saturating_sub(spent).min(WAITED_REST_MAX);
    (spent.saturating_mul(100 - share) / share).max(waited)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use crossbeam::channel::bounded;

    use super::*;
    use crate::config::{AppendOptions, EngineConfig, Retention};
    use crate::pipeline::Engine;
    use crate::pipeline::tests::{batch, config};

    #[test]
    fn rests_make_the_share() {
        for (spent, took, percent, rest) in [
            (1_000, 1_000, 100, 0),
            (1_000, 1_000, 50, 1_000),
            (1_000, 1_000, 25, 3_000),
            (1_000, 1_000, 0, 99_000),
            (10, 10, 200, 0),
            (0, 0, 25, 0),
            (1_000, 3_000, 25, 3_000),
            (1_000, 9_000, 25, 8_000),
            (1_000, 9_000, 100, 8_000),
            (10, 3_600_000, 25, 60_000),
        ] {
            let [spent, took, rest] = [spent, took, rest].map(Duration::from_millis);
            assert_eq!(rest_after(spent, took, percent), rest, "{spent:?} of {took:?} at {percent} %");
        }
    }

    #[test]
    fn what_is_due_is_done_while_merging_rests() {
        // The engine's own upkeep comes too late for this.
        let config = EngineConfig { upkeep_interval_millis: 3_600_000, ..config() };
        let engine = Engine::in_memory(config).unwrap();
        let store = engine.store();
        let repository = engine.create_repository("web").unwrap();
        let (stopper, stop) = bounded(1);
        thread::scope(|scope| {
            let interval = Duration::from_millis(5);
            let mut upkeep = Upkeep { store, stop: &stop, interval, next_look: Instant::now() };
            let resting = scope.spawn(move || upkeep.rest(Duration::from_secs(3_600)));
            for line in ["one", "two"] {
                repository.append_wait(batch(&[line.to_owned()]), AppendOptions::default()).unwrap();
                repository.flush().unwrap();
                repository.set_retention(Some(Retention { age_secs: None, bytes: Some(0) })).unwrap();
                let begun = Instant::now();
                while repository.stats().segments > 0 {
                    assert!(begun.elapsed().as_secs() < 60, "{line} is not removed");
                    thread::sleep(interval);
                }
            }
            drop(stopper);
            assert!(!resting.join().unwrap(), "it was stopped");
        });
    }
}

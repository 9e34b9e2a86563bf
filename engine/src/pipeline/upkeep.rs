//! The upkeep thread: spare log files, retention, merging, and files nobody reads any more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError};

use crate::store::{Store, now_nanos};

/// Most merges before everything else is looked at again.
const MERGES_IN_A_ROW: usize = 8;

/// Looks around at intervals until every sender of `stop` is gone.
pub(super) fn run(store: &Arc<Store>, stop: &Receiver<()>) {
    let interval = Duration::from_millis(store.config.upkeep_interval_millis.max(1));
    loop {
        let round = || look_around(store, stop);
        match catch_unwind(AssertUnwindSafe(round)) {
            Ok(true) => {}
            Ok(false) => return,
            Err(_) => tracing::error!("the upkeep thread panicked, and goes on"),
        }
        match stop.recv_timeout(interval) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Looks around once; `false` when stopped.
fn look_around(store: &Arc<Store>, stop: &Receiver<()>) -> bool {
    if store.health.reason().is_none() {
        if let Err(error) = store.shelf.prepare() {
            tracing::warn!(%error, "no spare log file could be made");
        }
        for repository in store.repositories() {
            if let Err(error) = store.expire(&repository, now_nanos()) {
                tracing::warn!(%error, repository = %repository.name(), "retention failed, and is tried again");
            }
        }
        if !merge_all(store, stop) {
            return false;
        }
    }
    store.remove_retired();
    true
}

/// How long to rest after so much CPU time was spent, for it to be `percent` of one core. Not after so much time by the
/// clock: merging that had to share the machine would rest for what others took.
fn rest_after(spent: Duration, percent: u8) -> Duration {
    let share = u32::from(percent.clamp(1, 100));
    spent.saturating_mul(100 - share) / share
}

/// Merges what is worth it, resting after each so that merging takes no more than its share of a core. `false` when
/// stopped.
fn merge_all(store: &Arc<Store>, stop: &Receiver<()>) -> bool {
    for repository in store.repositories() {
        for _ in 0..MERGES_IN_A_ROW {
            let before = store.counters.merge_cpu_nanos.get();
            match store.merge_next(&repository) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(%error, repository = %repository.name(), "merging failed, and is tried again");
                    break;
                }
            }
            let spent = store.counters.merge_cpu_nanos.get().saturating_sub(before);
            let rest = rest_after(Duration::from_nanos(spent), store.config.merge_cpu_percent);
            if let Err(RecvTimeoutError::Disconnected) = stop.recv_timeout(rest) {
                return false;
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_make_the_share() {
        for (spent, percent, rest) in [
            (1_000, 100, 0),
            (1_000, 50, 1_000),
            (1_000, 25, 3_000),
            (1_000, 0, 99_000),
            (10, 200, 0),
            (0, 25, 0),
        ] {
            let rested = rest_after(Duration::from_millis(spent), percent);
            assert_eq!(rested, Duration::from_millis(rest), "{spent} ms at {percent} %");
        }
    }
}

//! The upkeep thread: spare log files, retention, merging, and files nobody reads any more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

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

/// Merges what is worth it, resting after each so that merging takes no more than its share of a core. `false` when
/// stopped.
fn merge_all(store: &Arc<Store>, stop: &Receiver<()>) -> bool {
    for repository in store.repositories() {
        for _ in 0..MERGES_IN_A_ROW {
            let started = Instant::now();
            match store.merge_next(&repository) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(%error, repository = %repository.name(), "merging failed, and is tried again");
                    break;
                }
            }
            let share = u32::from(store.config.merge_cpu_percent.clamp(1, 100));
            let rest = started.elapsed() * (100 - share) / share;
            if let Err(RecvTimeoutError::Disconnected) = stop.recv_timeout(rest) {
                return false;
            }
        }
    }
    true
}

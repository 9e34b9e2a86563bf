//! The seal thread: full heads into segments, log files let go.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError};

use crate::store::Store;

/// How often ages and log files are looked at when no head is full.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The pause after a failure.
const BACKOFF: Duration = Duration::from_secs(1);

/// Seals what is due until every sender of `wake` is gone.
pub(super) fn run(store: &Arc<Store>, wake: &Receiver<()>) {
    loop {
        match wake.recv_timeout(LOOK_EVERY) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if store.health.reason().is_some() {
            continue;
        }
        match catch_unwind(AssertUnwindSafe(|| store.seal_due())) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "sealing or letting go of log files failed, and is tried again");
                std::thread::sleep(BACKOFF);
            }
            Err(_) => {
                tracing::error!("the seal thread panicked, and goes on");
                std::thread::sleep(BACKOFF);
            }
        }
    }
}

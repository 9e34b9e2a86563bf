//! The seal thread: full heads into segments, log files let go.

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
        if let Err(error) = store.seal_due() {
            tracing::warn!(%error, "sealing or letting go of log files failed, and is tried again");
            std::thread::sleep(BACKOFF);
        }
    }
}

//! Opens the engine, serves, stops in good order.
//!
//! ```text
//! settings -> engine open -> bind -> serve ... signal -> stop accepting -> finish requests -> engine shutdown
//! ```

mod descriptors;
mod running;
mod signal;

pub use running::{Running, start};
pub use signal::Signal;

use std::num::NonZeroUsize;

use crate::observe::start_tracing;
use crate::settings::Settings;

/// Cores to one async thread. These threads only move bytes and decode brief bodies, while the log, decoding, scans and
/// sealing have threads of their own; every async thread more is one that is woken to find nothing to do.
const CORES_PER_ASYNC_THREAD: usize = 2;

/// How many threads serve connections.
fn async_threads(cores: usize) -> usize {
    (cores / CORES_PER_ASYNC_THREAD).max(1)
}

/// Serves until SIGTERM or SIGINT, then stops without losing anything acknowledged.
///
/// # Errors
/// When it cannot start.
pub fn run_until_signal(settings: Settings) -> anyhow::Result<()> {
    start_tracing(&settings.log).map_err(anyhow::Error::msg)?;
    descriptors::raise_limit(settings.connections.max_connections);
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(async_threads(cores))
        .enable_all()
        .thread_name("weir-async")
        .build()?;
    runtime.block_on(async {
        // Before anything is opened, so that no signal ends the program half way.
        let signal = signal::Signal::listen()?;
        let running = start(settings).await?;
        tracing::info!(address = %running.address(), "listening");
        let name = signal.wait().await;
        tracing::info!(signal = name, "stopping");
        running.stop().await;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_cores_serve_connections() {
        for (cores, threads) in [(0, 1), (1, 1), (2, 1), (3, 1), (4, 2), (64, 32)] {
            assert_eq!(async_threads(cores), threads, "{cores} cores");
        }
    }
}

//! Opens the engine, serves, stops in good order.
//!
//! ```text
//! settings -> engine open -> bind -> serve ... signal -> stop accepting -> finish requests -> engine shutdown
//! ```

mod running;
mod signal;

pub use running::{Running, start};
pub use signal::Signal;

use crate::observe::start_tracing;
use crate::settings::Settings;

/// Serves until SIGTERM or SIGINT, then stops without losing anything acknowledged.
///
/// # Errors
/// When it cannot start.
pub fn run_until_signal(settings: Settings) -> anyhow::Result<()> {
    start_tracing(&settings.log).map_err(anyhow::Error::msg)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("weir-async").build()?;
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

//! Starts logging: text or JSON lines on standard error.

use tracing_subscriber::EnvFilter;

use crate::settings::{Log, LogFormat};

/// Starts logging for the whole program. A second call changes nothing.
///
/// # Errors
/// When the filter's directives cannot be read.
pub fn start_tracing(log: &Log) -> Result<(), String> {
    let filter = EnvFilter::try_new(&log.filter).map_err(|error| format!("log.filter: {error}"))?;
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Already started, as in tests: whoever was first decides.
    let _ = match log.format {
        LogFormat::Text => {
            let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            base.with_ansi(terminal).with_target(false).try_init()
        }
        LogFormat::Json => base.json().flatten_event(true).try_init(),
    };
    Ok(())
}

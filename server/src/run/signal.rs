//! The signals that ask the program to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Listens for SIGTERM and SIGINT.
#[derive(Debug)]
pub struct Signal {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signal {
    /// Takes both signals over from their default.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn listen() -> std::io::Result<Signal> {
        Ok(Signal {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the first, and gives its name.
    pub async fn wait(mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

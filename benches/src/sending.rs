//! One sender that hands batches to a server, and comes again when told to.

use std::time::{Duration, Instant};

use crate::clock;
use crate::report::millis;
use crate::server::Server;

/// How long a sender waits that was told the server is busy.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// A sender at work.
#[derive(Debug)]
pub struct Sending<'s> {
    server: &'s Server,
    content_type: &'static str,
    waits: Vec<Duration>,
    busy: u64,
}

impl<'s> Sending<'s> {
    /// Nothing sent yet.
    #[must_use]
    pub fn new(server: &'s Server, content_type: &'static str) -> Sending<'s> {
        Sending { server, content_type, waits: Vec::new(), busy: 0 }
    }

    /// Sends `batch` until it is taken.
    ///
    /// # Errors
    /// When the server refuses for another reason than being busy.
    pub fn send(&mut self, batch: &[u8]) -> anyhow::Result<()> {
        let mut sent = Instant::now();
        while !self.server.ingest(self.content_type, batch)? {
            self.busy += 1;
            std::thread::sleep(BUSY_PAUSE);
            sent = Instant::now();
        }
        self.waits.push(sent.elapsed());
        Ok(())
    }

    /// What it saw.
    #[must_use]
    pub fn facts(mut self) -> Vec<(String, String)> {
        self.waits.sort_unstable();
        let p99 = self.waits.get(self.waits.len() * 99 / 100).copied().unwrap_or_default();
        vec![
            ("told to come again later".into(), format!("{} times", self.busy)),
            (
                "acknowledged, ms, median / p99".into(),
                format!("{} / {}", millis(clock::median(self.waits)), millis(p99)),
            ),
        ]
    }
}

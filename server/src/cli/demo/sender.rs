//! The demo's events on their way: first some history, then a stream at an even rate.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::cli::client::Client;
use crate::clock::now_nanos;
use crate::generate::{Dataset, Generator};

/// How often a batch of the live stream goes out.
const PERIOD: Duration = Duration::from_millis(100);

/// Events a batch of history.
const HISTORY_BATCH_EVENTS: u32 = 10_000;

/// One access log line for so many application events.
const EVENTS_PER_ACCESS_LINE: u32 = 4;

/// Sends application events to `default` and access log lines to `access`.
pub(super) struct Sender {
    client: Client,
    application: Generator,
    access: Generator,
    rate: u32,
}

impl Sender {
    pub(super) fn new(client: Client, seed: u64, rate: u32) -> Sender {
        let application = Generator::new(Dataset::Application, seed, 0, rate);
        let access = Generator::new(Dataset::Access, seed, 0, rate);
        Sender { client, application, access, rate }
    }

    /// Sends the last `minutes`, ending now; how many events that were.
    pub(super) fn history(&mut self, minutes: i64) -> anyhow::Result<u64> {
        let now = now_nanos();
        let span = minutes * 60 * 1_000_000_000;
        let events = u64::from(self.rate) * u64::try_from(minutes * 60)?;
        let step = span / i64::try_from(events.max(1))?;
        let mut sent = 0;
        while sent < events {
            let count = u64::from(HISTORY_BATCH_EVENTS).min(events - sent);
            let from = now - span + step * i64::try_from(sent)?;
            self.send(from, step, u32::try_from(count)?)?;
            sent += count;
        }
        Ok(sent)
    }

    /// Sends at the chosen rate until told to stop; how many events that were.
    pub(super) fn start(mut self, stop: Arc<AtomicBool>) -> JoinHandle<anyhow::Result<u64>> {
        std::thread::spawn(move || {
            let (begun, mut sent) = (Instant::now(), 0_u64);
            while !stop.load(Ordering::Relaxed) {
                std::thread::sleep(PERIOD);
                // By the clock, not by the sleep: a slow second is made up for in the next.
                let due = (begun.elapsed().as_secs_f64() * f64::from(self.rate)) as u64;
                let count =
                    u32::try_from(due.saturating_sub(sent)).unwrap_or(u32::MAX).min(HISTORY_BATCH_EVENTS);
                if count > 0 {
                    let step = i64::try_from(PERIOD.as_nanos())? / i64::from(count);
                    self.send(now_nanos() - step * i64::from(count), step, count)?;
                    sent += u64::from(count);
                }
            }
            Ok(sent)
        })
    }

    fn send(&mut self, from_nanos: i64, step_nanos: i64, count: u32) -> anyhow::Result<()> {
        let (mut events, mut lines) = (Vec::new(), Vec::new());
        for event in 0..count {
            let at = from_nanos + step_nanos * i64::from(event);
            self.application.line_at(at, &mut events);
            if event % EVENTS_PER_ACCESS_LINE == 0 {
                self.access.line_at(at, &mut lines);
            }
        }
        self.post("default", "application/x-ndjson", &events)?;
        self.post("access", "text/plain", &lines)
    }

    fn post(&self, repository: &str, content_type: &str, body: &[u8]) -> anyhow::Result<()> {
        let path = format!("/api/v1/repositories/{repository}/ingest");
        let mut answer = self.client.post(&path, &[("Content-Type", content_type)], body)?;
        // Read to the end, so that the connection can be used again.
        answer.read_to_end(&mut Vec::new())?;
        Ok(())
    }
}

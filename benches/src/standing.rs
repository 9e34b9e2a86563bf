//! What standing queries cost: events per core-second through the live path of one process, by how many there are.
//!
//! Decoded batches go into a feed, as the pipeline leaves them there, and the live thread steps every query over them;
//! what counts is the CPU time of that thread alone. Decoding, logging and the reading of results are not in it.

pub(crate) mod mix;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use weir_engine::Snapshot;
use weir_engine::event::EventBatch;
use weir_engine::feed::{FeedSender, feed};
use weir_engine::live::{Live, LiveOptions, MetricDefinition};
use weir_engine::scan::Source;
use weir_server::generate::{Dataset, Generator};

use crate::batches::Lines;
use crate::clock;
use crate::corpus::START_NANOS;

/// Events a second of event time: a sender's batch lies within a second or two.
const EVENTS_PER_SECOND: u32 = 50_000;
/// How far back each query reaches, in buckets of a second.
const WINDOW: Duration = Duration::from_secs(60);
/// Events that wait for the live path at most: half a second of them.
const WAITING_EVENTS: usize = 25_000;
/// How long the setting up of one row may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Measures the live path over `events` generated events for each row of the table.
///
/// # Errors
/// When a query does not compile, or the live path does not keep up with its setting up.
pub fn run(events: u64) -> anyhow::Result<String> {
    let mut out = format!(
        "| standing queries, {events} events | batches | matches an event | states | ns an event | events/core-s |\n\
         |---|---|---:|---:|---:|---:|\n"
    );
    let sizes = [("4 MiB", usize::MAX, 4 << 20), ("1,000 events", 1_000, usize::MAX)];
    for (name, queries) in rows() {
        for (size, most_events, most_bytes) in sizes {
            let batches = batches(events, most_events, most_bytes)?;
            let cost = measure(&queries, &batches)?;
            let per_event = cost.cpu.as_nanos() as f64 / cost.events as f64;
            out.push_str(&format!(
                "| {name} | {size} | {:.2} | {} | {per_event:.0} | {:.2} M |\n",
                cost.matches,
                cost.states,
                1_000.0 / per_event
            ));
        }
    }
    Ok(out)
}

/// The rows of the table: a name, and the queries.
fn rows() -> Vec<(String, Vec<String>)> {
    let mut rows: Vec<(String, Vec<String>)> =
        mix::ONE.iter().map(|query| (format!("1: `{query}`"), vec![(*query).to_owned()])).collect();
    for count in [100, 1_000, 10_000] {
        rows.push((format!("{count}, mixed"), mix::mixed(count)));
    }
    for count in [100, 10_000] {
        rows.push((format!("{count}, matching nothing"), mix::matching_nothing(count)));
    }
    rows
}

/// What a row of the table cost.
struct Cost {
    events: u64,
    cpu: Duration,
    /// How many queries an event passes the filters of, on average.
    matches: f64,
    states: usize,
}

fn measure(queries: &[String], batches: &[Arc<EventBatch>]) -> anyhow::Result<Cost> {
    let (warm, rest) = batches.split_at(batches.len() / 10);
    let driven = Driven::start(queries, batches.len())?;
    driven.push(warm)?;
    let before = clock::of_thread("live")?;
    driven.push(rest)?;
    let cpu = clock::of_thread("live")?.saturating_sub(before);
    let events: u64 = rest.iter().map(|batch| batch.len() as u64).sum();
    let all: u64 = batches.iter().map(|batch| batch.len() as u64).sum();
    let mut matches = 0;
    for at in 0..queries.len() {
        matches += driven.live.read(&format!("q{at}"))?.events;
    }
    let states = driven.live.stats().standings;
    driven.live.close();
    Ok(Cost { events, cpu, matches: matches as f64 / all as f64, states })
}

/// The live path with a feed that batches are pushed into.
struct Driven {
    live: Arc<Live>,
    sender: FeedSender,
    now: Arc<AtomicI64>,
    /// The last sequence that was pushed: the live path has settled once it has come so far.
    pushed: Arc<AtomicU64>,
}

impl Driven {
    fn start(queries: &[String], feed_batches: usize) -> anyhow::Result<Driven> {
        let (sender, follower) = feed(feed_batches, 0);
        let follower = std::sync::Mutex::new(Some(follower));
        let now = Arc::new(AtomicI64::new(START_NANOS));
        let clock = Arc::clone(&now);
        let pushed = Arc::new(AtomicU64::new(0));
        let up_to = Arc::clone(&pushed);
        let history = move || {
            Arc::new(Snapshot { up_to_sequence: up_to.load(Ordering::Acquire), ..Snapshot::default() })
                as Arc<dyn Source>
        };
        let mut options = LiveOptions::new(
            Arc::new(history),
            // It is followed once: the live thread stays as long as there is a query.
            Arc::new(move || {
                follower.lock().ok().and_then(|mut follower| follower.take()).unwrap_or_else(|| feed(1, 0).1)
            }),
            None,
        );
        options.clock = Arc::new(move || clock.load(Ordering::Relaxed));
        let live = Live::open(options)?;
        for (at, query) in queries.iter().enumerate() {
            let definition = MetricDefinition::new(query, WINDOW);
            live.define_temporary(&format!("q{at}"), definition).with_context(|| query.clone())?;
        }
        ensure!(live.settle(PATIENCE) && live.settle_index(PATIENCE), "it did not settle");
        Ok(Driven { live, sender, now, pushed })
    }

    fn push(&self, batches: &[Arc<EventBatch>]) -> anyhow::Result<()> {
        for batch in batches {
            let newest = (0..batch.len()).map(|row| batch.timestamp(row)).max().unwrap_or(START_NANOS);
            self.now.fetch_max(newest, Ordering::Relaxed);
            let last = batch.last_sequence();
            ensure!(self.sender.publish(batch, batch.base_sequence() - 1, last), "nobody follows");
            self.pushed.store(last, Ordering::Release);
            // Were the clock of senders far ahead of the live path, events would come late.
            while self.sender.waiting() * batch.len() > WAITING_EVENTS {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
        ensure!(self.live.settle(PATIENCE), "it did not settle");
        ensure!(self.sender.missed_batches() == 0, "the feed was too short");
        Ok(())
    }
}

/// About `events` events in batches of at most so many events and bytes, numbered from 1.
fn batches(events: u64, most_events: usize, most_bytes: usize) -> anyhow::Result<Vec<Arc<EventBatch>>> {
    let mut generator = Generator::new(Dataset::Application, 1, START_NANOS, EVENTS_PER_SECOND);
    let (mut batches, mut sequence) = (Vec::new(), 1);
    while sequence <= events {
        let mut lines = Lines { dataset: Dataset::Application, bytes: Vec::new(), count: 0 };
        while lines.bytes.len() < most_bytes && lines.count < most_events as u64 {
            generator.line(&mut lines.bytes);
            lines.count += 1;
        }
        let batch = lines.decode()?.with_sequence(sequence);
        sequence += batch.len() as u64;
        batches.push(Arc::new(batch));
    }
    Ok(batches)
}

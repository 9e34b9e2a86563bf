//! What it costs to keep what standing metrics have learnt, and what that spares a start: a day in buckets of a second, a
//! thousand groups, in one process.
//!
//! The same metric is filled from sealed history, saved, taken up again, and filled from history once more. CPU is of the
//! whole process.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::ensure;
use weir_engine::Snapshot;
use weir_engine::event::{EventBatch, EventBatchBuilder, EventLimits, TagSet};
use weir_engine::feed::feed;
use weir_engine::live::{
    DEFAULT_METRIC_BYTES, Live, LiveOptions, LiveStats, MetricDefinition, SnapshotOptions,
};
use weir_engine::scan::Source;

use crate::batches::sealed;
use crate::clock;
use crate::corpus::START_NANOS;
use crate::report::millis;

const GROUPS: u64 = 1_000;
const DAY: Duration = Duration::from_secs(24 * 3_600);
const BATCH_EVENTS: u64 = 50_000;
const PATIENCE: Duration = Duration::from_secs(600);
const QUERIES: [&str; 3] = [
    "groupBy(host)",
    "groupBy(host, function=[count(), avg(latency), max(latency)])",
    "groupBy(host, function=percentile(latency))",
];

/// Measures metrics over a day with `events` events; files go into `work`.
///
/// # Errors
/// When a query does not compile, or a result is not what it was.
pub fn run(work: &Path, events: u64) -> anyhow::Result<String> {
    let mut out = format!(
        "## A restart: {GROUPS} groups, 24 h in buckets of a second, {events} events\n\n\
         | metric | state MB | snapshot MB | saved, ms (CPU) | held for it, ms | from the snapshot, ms (CPU) | from history, ms (CPU) |\n\
         |---|---:|---:|---:|---:|---:|---:|\n"
    );
    let history = sealed(&batches(events)?)?;
    for query in QUERIES {
        out += &measure(work, &history, query)?;
    }
    Ok(out)
}

/// Wall and CPU time of something.
#[derive(Clone, Copy)]
struct Took {
    wall: Duration,
    cpu: Duration,
}

fn timed<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Took)> {
    let (begun, before) = (Instant::now(), clock::of_process(std::process::id())?);
    let made = work()?;
    let cpu = clock::of_process(std::process::id())?.saturating_sub(before);
    Ok((made, Took { wall: begun.elapsed(), cpu }))
}

fn measure(work: &Path, history: &Arc<Snapshot>, query: &str) -> anyhow::Result<String> {
    let files = [work.join("metrics"), work.join("snapshot")];
    let live = open(&files, history)?;
    let metric = MetricDefinition { granule: Duration::from_secs(1), ..MetricDefinition::new(query, DAY) };
    let ((), built) = timed(|| {
        live.define("m", metric)?;
        ensure!(live.settle(PATIENCE), "it did not settle");
        Ok(())
    })?;
    let expected = shown(&live)?;
    let bytes = live.stats().state_bytes;
    ensure!(bytes <= DEFAULT_METRIC_BYTES, "over its bound");
    let ((), saved) = timed(|| {
        live.close();
        Ok(())
    })?;
    let LiveStats { snapshot_bytes, snapshot_held_nanos, .. } = live.stats();
    drop(live);
    let (live, restored) = timed(|| {
        let live = open(&files, history)?;
        ensure!(live.settle(PATIENCE), "it did not settle");
        Ok(live)
    })?;
    ensure!(live.stats().restored == 1 && shown(&live)? == expected, "it is not what it was");
    drop(live);
    files.iter().try_for_each(std::fs::remove_file)?;
    let cell = |took: Took| format!("{} ({})", millis(took.wall), millis(took.cpu));
    Ok(format!(
        "| `{query}` | {:.1} | {:.1} | {} | {} | {} | {} |\n",
        bytes as f64 / 1e6,
        snapshot_bytes as f64 / 1e6,
        cell(saved),
        millis(Duration::from_nanos(snapshot_held_nanos)),
        cell(restored),
        cell(built),
    ))
}

fn open(files: &[std::path::PathBuf; 2], history: &Arc<Snapshot>) -> anyhow::Result<Arc<Live>> {
    let (past, last) = (Arc::clone(history), history.up_to_sequence());
    let senders = Mutex::new(Vec::new());
    let mut options = LiveOptions::new(
        Arc::new(move || Arc::clone(&past) as Arc<dyn Source>),
        // Nothing comes, but the feed stays open.
        Arc::new(move || {
            let (sender, follower) = feed(1, last);
            senders.lock().map(|mut senders| senders.push(sender)).unwrap_or_default();
            follower
        }),
        Some(files[0].clone()),
    );
    options.clock = Arc::new(|| START_NANOS + i64::try_from(DAY.as_nanos()).unwrap_or(i64::MAX));
    options.snapshots = Some(SnapshotOptions {
        path: files[1].clone(),
        interval: PATIENCE,
        max_bytes: u64::MAX,
        lasting: Arc::new(|| u64::MAX),
    });
    Ok(Live::open(options)?)
}

fn shown(live: &Live) -> anyhow::Result<Vec<String>> {
    let table = &live.read("m")?.table;
    let cells = |row| table.columns.iter().map(move |(name, _)| table.text(row, name).unwrap_or_default());
    let mut rows: Vec<String> = (0..table.rows).map(|row| cells(row).collect::<Vec<_>>().join(" ")).collect();
    rows.sort_unstable();
    Ok(rows)
}

/// Events spread over the day, of hosts in no order.
fn batches(events: u64) -> anyhow::Result<Vec<Arc<EventBatch>>> {
    let (mut batches, mut seed) = (Vec::new(), 7_u64);
    let step = DAY.as_nanos() as u64 / events.max(1);
    for first in (0..events).step_by(usize::try_from(BATCH_EVENTS)?) {
        let mut builder = EventBatchBuilder::new(EventLimits::default());
        for event in first..events.min(first + BATCH_EVENTS) {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (host, latency) = ((seed >> 33) % GROUPS, (seed >> 43) % 3_000);
            let line =
                format!("{{\"host\":\"host-{host:04}\",\"latency\":{}.{}}}", latency / 10, latency % 10);
            let nanos = START_NANOS + i64::try_from(event * step)?;
            builder.push_json(line.as_bytes(), Some(nanos), &TagSet::none(), None)?;
        }
        batches.push(Arc::new(builder.finish(START_NANOS).with_sequence(first + 1)));
    }
    Ok(batches)
}

//! Much history: the same events at one size and at another, to see what grows and what must not.

use std::path::Path;
use std::time::{Duration, Instant};

use weir_server::generate::{Dataset, Generator};

use crate::compare::{COLD, folder_bytes};
use crate::corpus::START_NANOS;
use crate::report::{millis, ratio};
use crate::sending::Sending;
use crate::server::Server;

const BATCH_BYTES: usize = 4 << 20;
/// Kinds that read everything, and one that must not.
const QUERIES: [(&str, &str); 4] = [
    ("substring", "mplete | count()"),
    ("p99 by service", "groupBy(service, function=percentile(duration_ms, percentiles=[99]))"),
    ("count by service", "groupBy(service)"),
    ("absent id", "ffffffff0000ffff1111ffff2222ffff | count()"),
];

/// What was measured at one size.
struct Measured {
    bytes: u64,
    ingest: Duration,
    ready: Duration,
    queries: Vec<Duration>,
    disk: u64,
    idle: u64,
    scanned: u64,
}

/// Generates and sends `small` and then `large` raw bytes of application events, and compares the two.
///
/// # Errors
/// When a part of the run fails.
pub fn run(weir: &Path, work: &Path, small: u64, large: u64, runs: usize) -> anyhow::Result<String> {
    let small = measure(weir, &work.join("history-small"), small, runs)?;
    let large = measure(weir, &work.join("history-large"), large, runs)?;
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let mut out = format!("## History: {:.1} and {:.1} GiB raw\n\n", gib(small.bytes), gib(large.bytes));
    let rate = |one: &Measured| one.bytes as f64 / 1e6 / one.ingest.as_secs_f64();
    out += &format!(
        "* ingest, raw MB per core-second, all included: {:.0} and {:.0}\n",
        rate(&small),
        rate(&large)
    );
    out += &format!(
        "* on disk: {:.3} and {:.3} of raw\n",
        small.disk as f64 / small.bytes as f64,
        large.disk as f64 / large.bytes as f64
    );
    out += &format!(
        "* from start to ready, ms of wall time: {} and {}\n",
        millis(small.ready),
        millis(large.ready)
    );
    let mega = |bytes: u64| bytes / 1_000_000;
    out += &format!(
        "* memory that is no mapped file, MB, ready and after all queries: {} and {}; {} and {}\n",
        mega(small.idle),
        mega(small.scanned),
        mega(large.idle),
        mega(large.scanned)
    );
    out += "\n| query | CPU ms | CPU ms | CPU a byte, of the smaller's |\n|---|---:|---:|---:|\n";
    let grown = large.bytes as f64 / small.bytes as f64;
    for (((name, _), one), other) in QUERIES.iter().zip(&small.queries).zip(&large.queries) {
        let share = ratio(other.div_f64(grown), *one);
        out += &format!("| {name} | {} | {} | {share} |\n", millis(*one), millis(*other));
    }
    Ok(out)
}

fn measure(weir: &Path, data: &Path, bytes: u64, runs: usize) -> anyhow::Result<Measured> {
    if data.exists() {
        std::fs::remove_dir_all(data)?;
    }
    let server = Server::start(weir, data)?;
    let before = server.cpu()?;
    let mut generator = Generator::new(Dataset::Application, 1, START_NANOS, 1_000);
    let mut sending = Sending::new(&server, "application/x-ndjson");
    let (mut batch, mut sent) = (Vec::with_capacity(BATCH_BYTES + (4 << 10)), 0);
    while sent < bytes {
        batch.clear();
        while batch.len() < BATCH_BYTES {
            generator.line(&mut batch);
        }
        sent += batch.len() as u64;
        sending.send(&batch)?;
    }
    server.settle()?;
    let ingest = server.cpu()?.saturating_sub(before);
    server.stop()?;
    let begun = Instant::now();
    let server = Server::start_with(weir, data, COLD)?;
    let ready = begun.elapsed();
    let idle = server.memory_bytes();
    server.settle()?;
    let costs = QUERIES.iter().map(|(_, query)| server.query_cost(query, runs));
    let queries = costs.collect::<Result<_, _>>()?;
    let scanned = server.memory_bytes();
    server.stop()?;
    Ok(Measured { bytes: sent, ingest, ready, queries, disk: folder_bytes(data, "seg")?, idle, scanned })
}

//! What standing queries cost those who send: acknowledgements with none, and with a thousand of which one is as costly as
//! they come.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::json;
use weir_server::generate::{Dataset, Generator};

use crate::corpus::START_NANOS;
use crate::report::millis;
use crate::server::Server;
use crate::standing::mix;

/// Batches that are sent, and events of each.
const BATCHES: usize = 400;
const BATCH_EVENTS: usize = 500;
/// Between two batches: 20,000 events a second.
const INTERVAL: Duration = Duration::from_millis(25);
/// Queries that stand, the costly one included.
const QUERIES: usize = 1_000;
/// Turns of both kinds, one after the other: disks have good and bad minutes.
const TURNS: usize = 3;
/// A regex that is at many places of every event at once, each event a group of its own, and all of it kept.
const COSTLY: &str = "@rawstring=/(?:[a-z0-9_]+[\" :,.\\/-]{0,3}){4,40}zz$/i or @rawstring=* \
    | groupBy([trace_id, message, user], function=[collect(message), percentile(duration_ms), count(path, distinct=true)])";

/// Sends the same batches to a server without standing queries and to one with them, in turns.
///
/// # Errors
/// When a server fails or refuses what it is sent.
pub fn run(weir: &Path, work: &Path) -> anyhow::Result<String> {
    let mut generator = Generator::new(Dataset::Application, 1, START_NANOS, 50_000);
    let mut body = || {
        let mut body = Vec::new();
        (0..BATCH_EVENTS).for_each(|_| _ = generator.line(&mut body));
        body
    };
    let bodies: Vec<Vec<u8>> = (0..BATCHES).map(|_| body()).collect();
    let (mut without, mut with, mut behind) = (Vec::new(), Vec::new(), 0.0_f64);
    for turn in 0..TURNS {
        let plain = Server::start(weir, &work.join(format!("plain-{turn}")))?;
        without.extend(send(&plain, &bodies)?);
        plain.stop()?;
        let standing = Server::start(weir, &work.join(format!("standing-{turn}")))?;
        define(&standing)?;
        with.extend(send(&standing, &bodies)?);
        behind = behind.max(lag_seconds(&standing)?);
        standing.stop()?;
    }
    let line = |name: &str, times: &mut Vec<Duration>| {
        times.sort_unstable();
        let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
        (at(50), format!("| {name} | {} | {} | {} |\n", millis(at(50)), millis(at(90)), millis(at(99))))
    };
    let (plain, first) = line("none", &mut without);
    let (standing, second) = line("1,000, one of them costly", &mut with);
    Ok(format!(
        "| standing queries, batches of {BATCH_EVENTS} every {} ms, sent to acknowledged, wall ms | median | p90 | p99 |\n\
         |---|---:|---:|---:|\n{first}{second}\n* median with them, of that without: {:.3}\n* furthest behind: {behind:.1} s\n",
        INTERVAL.as_millis(),
        standing.as_secs_f64() / plain.as_secs_f64()
    ))
}

fn define(server: &Server) -> anyhow::Result<()> {
    let usual = mix::mixed(QUERIES - 1);
    for (at, query) in usual.iter().map(String::as_str).chain([COSTLY]).enumerate() {
        let metric = json!({ "query": query, "window": "1m", "granule": "1s", "time": "ingest" });
        server.put(&format!("/api/v1/repositories/default/metrics/m{at}"), &metric)?;
    }
    Ok(())
}

/// How long each batch took to be acknowledged.
fn send(server: &Server, bodies: &[Vec<u8>]) -> anyhow::Result<Vec<Duration>> {
    let begun = Instant::now();
    let mut took = Vec::with_capacity(bodies.len());
    for (due, body) in (0..).map(|at| begun + INTERVAL * at).zip(bodies) {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let sent = Instant::now();
        if !server.ingest("application/x-ndjson", body)? {
            bail!("a batch was refused");
        }
        took.push(sent.elapsed());
    }
    Ok(took)
}

/// How far behind the costly metric is.
fn lag_seconds(server: &Server) -> anyhow::Result<f64> {
    let shown = server.get("/api/v1/repositories/default/metrics/m0")?;
    let lag = shown.get("lag_millis").and_then(serde_json::Value::as_f64);
    Ok(lag.context("a metric does not say how far behind it is")? / 1e3)
}

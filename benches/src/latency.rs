//! From acknowledged to visible: in a search, and in a live result pushed to a subscriber.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::report::millis;
use crate::server::Server;

/// How long a push may take before the run is called a failure.
const PUSH_LIMIT: Duration = Duration::from_secs(5);
/// Batches sent at a steady rate: 50,000 events a second for ten seconds.
const BATCHES: u32 = 1_000;
/// Between two of them.
const BATCH_INTERVAL: Duration = Duration::from_millis(10);
/// Events of each.
const BATCH_EVENTS: usize = 500;

/// Sends `rounds` single events, one after another, and prints the medians and 99th percentiles.
///
/// # Errors
/// When the server fails, or an event does not become visible within seconds.
pub fn run(weir: &Path, data: &Path, rounds: u32) -> anyhow::Result<String> {
    let server = Server::start(weir, data)?;
    let metric = json!({ "query": "count()", "window": "1h", "granule": "1s", "time": "ingest" });
    server.put("/api/v1/repositories/default/metrics/all", &metric)?;
    let pushes = subscribe(server.base())?;
    let (mut acknowledged, mut searched, mut pushed) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        let line = format!("{{\"round\":\"r{round}x\"}}\n");
        let sent = Instant::now();
        if !server.ingest("application/x-ndjson", line.as_bytes())? {
            bail!("round {round}: busy");
        }
        let safe = Instant::now();
        acknowledged.push(safe - sent);
        let rows = server.query("default", &format!("round=r{round}x"))?;
        if rows.is_empty() {
            bail!("round {round}: acknowledged and not found");
        }
        searched.push(safe.elapsed());
        pushed.push(wait_for(&pushes, u64::from(round))?.saturating_duration_since(safe));
    }
    let steady = steady(&server, &pushes, u64::from(rounds))?;
    server.stop()?;
    Ok(format!(
        "| {rounds} single events, wall ms | median | p99 |\n|---|---:|---:|\n{}{}{}\n{steady}",
        line("sent to acknowledged (fsync)", acknowledged),
        line("acknowledged to found by a search, the search included", searched),
        line("acknowledged to pushed in a live result", pushed)
    ))
}

fn line(name: &str, mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    format!("| {name} | {} | {} |\n", millis(at(50)), millis(at(99)))
}

/// Sends batches at a steady rate; from each acknowledgement until a push counts the batch.
fn steady(server: &Server, pushes: &Receiver<(u64, Instant)>, known: u64) -> anyhow::Result<String> {
    let body = "{\"level\":\"INFO\",\"service\":\"cart\",\"message\":\"item added to the basket\"}\n"
        .repeat(BATCH_EVENTS);
    let (mut count, mut acknowledged, mut sent) = (known, Vec::new(), Vec::new());
    let begun = Instant::now();
    for batch in 0..BATCHES {
        let due = begun + BATCH_INTERVAL * batch;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let start = Instant::now();
        if !server.ingest("application/x-ndjson", body.as_bytes())? {
            bail!("batch {batch}: busy");
        }
        count += BATCH_EVENTS as u64;
        acknowledged.push((count, Instant::now()));
        sent.push(start.elapsed());
    }
    let events = BATCH_EVENTS as f64 * f64::from(BATCHES) / begun.elapsed().as_secs_f64();
    let (mut pushed, mut last) = (Vec::new(), (known, begun));
    for (count, safe) in acknowledged {
        while last.0 < count {
            last =
                pushes.recv_timeout(PUSH_LIMIT).with_context(|| format!("no push showed {count} events"))?;
        }
        pushed.push(last.1.saturating_duration_since(safe));
    }
    Ok(format!(
        "| {BATCHES} batches of {BATCH_EVENTS} events, {events:.0} events/s, wall ms | median | p99 |\n|---|---:|---:|\n{}{}",
        line("sent to acknowledged (fsync)", sent),
        line("acknowledged to pushed delta", pushed)
    ))
}

/// Reads pushed results on a thread of its own: the count each carries, and when it came.
fn subscribe(base: &str) -> anyhow::Result<Receiver<(u64, Instant)>> {
    let url = format!("{base}/api/v1/repositories/default/metrics/events?names=all");
    let answer = ureq::get(&url).call().context("cannot subscribe")?;
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(answer.into_body().into_reader()).lines().map_while(Result::ok) {
            let came = Instant::now();
            let Some(result) =
                line.strip_prefix("data:").and_then(|data| serde_json::from_str::<Value>(data).ok())
            else {
                continue;
            };
            let count =
                result.pointer("/rows/0/_count").and_then(Value::as_str).and_then(|count| count.parse().ok());
            if sender.send((count.unwrap_or(0), came)).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

fn wait_for(pushes: &Receiver<(u64, Instant)>, count: u64) -> anyhow::Result<Instant> {
    loop {
        let (seen, came) =
            pushes.recv_timeout(PUSH_LIMIT).with_context(|| format!("no push showed {count} events"))?;
        if seen >= count {
            return Ok(came);
        }
    }
}

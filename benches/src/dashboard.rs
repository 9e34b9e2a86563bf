//! What a dashboard and an engineer on call ask for: a part of the time, the same again, the newest, something at once,
//! and an end when they look away.

use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};

use crate::compare::{COLD, Comparison};
use crate::corpus::{Corpus, START_NANOS};
use crate::report::{millis, ratio};
use crate::server::Server;

/// A panel: keyed, numeric, over all events.
const PANEL: &str = "groupBy(service, function=percentile(duration_ms, percentiles=[50, 99]))";
/// Reads every event and holds much of it: long enough to be watched and ended.
const LONG: &str = "groupBy([trace_id, message]) | count()";
/// A cancelled query may use the CPU for so long.
const CANCEL_LIMIT: Duration = Duration::from_millis(100);
/// How long the CPU is watched after that.
const CANCEL_WATCH: Duration = Duration::from_millis(400);
const MINUTE_MILLIS: i64 = 60_000;

/// Measures on the data directory that `comparison` left for `corpus`, an application corpus.
///
/// # Errors
/// When a part of the run fails.
pub fn run(comparison: &Comparison, corpus: &Corpus) -> anyhow::Result<String> {
    let data = comparison.data_of(corpus);
    let start = START_NANOS / 1_000_000;
    // One event a millisecond of event time.
    let end = start + i64::try_from(corpus.events)?;
    let mut out = String::from("## Windows, repeats, partial results, cancellation\n\n");

    let server = Server::start_with(&comparison.weir, &data, COLD)?;
    server.settle()?;
    let part = (end - start) / 24;
    for (name, query) in [("a panel", PANEL), ("a substring", "mplete | count()")] {
        let whole = cost(&server, comparison.runs, |_| (query, start, end))?;
        let window = cost(&server, comparison.runs, |run| {
            let first = start + part * (3 + i64::try_from(run).unwrap_or(0));
            (query, first, first + part)
        })?;
        out += &format!(
            "* {name} over 1/24 of the time: {} ms of {} ms for all of it, CPU: {} (1/24 is 0.042)\n",
            millis(window),
            millis(whole),
            ratio(window, whole)
        );
    }
    out += &first_partial(&server)?;
    out += &cancelled(&server)?;
    server.stop()?;

    let server = Server::start(&comparison.weir, &data)?;
    server.settle()?;
    let before = server.cpu()?;
    server.query_within("default", PANEL, start, Some(end))?;
    let first = server.cpu()?.saturating_sub(before);
    let repeat = cost(&server, comparison.runs, |_| (PANEL, start, end))?;
    let moving = cost(&server, comparison.runs, |run| {
        (PANEL, start + MINUTE_MILLIS * i64::try_from(run).unwrap_or(0) / 6, end)
    })?;
    out += &format!(
        "* the panel for the first time: {} ms; again: {} ms ({}); with the window moved by 10 s: {} ms ({})\n",
        millis(first),
        millis(repeat),
        ratio(repeat, first),
        millis(moving),
        ratio(moving, first)
    );
    server.stop()?;
    Ok(out)
}

/// Median CPU time of `runs` queries after one that does not count; `ask` gives query, start and end of each.
fn cost<'q>(
    server: &Server,
    runs: usize,
    ask: impl Fn(usize) -> (&'q str, i64, i64),
) -> anyhow::Result<Duration> {
    server.median_cost(runs, |run| {
        let (query, start, end) = ask(run);
        server.query_within("default", query, start, Some(end)).map(drop)
    })
}

const JOBS: &str = "/api/v1/repositories/default/queryjobs";

fn start_job(server: &Server) -> anyhow::Result<String> {
    let body = json!({ "queryString": LONG, "start": 0 }).to_string();
    let answer = server.post(JOBS, &[("Content-Type", "application/json")], body.as_bytes())?;
    let answer: Value = serde_json::from_slice(&answer)?;
    Ok(answer.get("id").and_then(Value::as_str).context("a job without an id")?.to_owned())
}

/// Until a poll shows rows of a search that is still running.
fn first_partial(server: &Server) -> anyhow::Result<String> {
    let begun = Instant::now();
    let job = start_job(server)?;
    let mut polls = 0;
    let answer = loop {
        let answer = server.get(&format!("{JOBS}/{job}"))?;
        polls += 1;
        let done = answer.get("done").and_then(Value::as_bool).unwrap_or(false);
        let read = answer.pointer("/metaData/processedEvents").and_then(Value::as_u64).unwrap_or(0);
        if done || read > 0 || begun.elapsed() > Duration::from_secs(30) {
            break (done, read);
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let took = begun.elapsed();
    server.delete(&format!("{JOBS}/{job}"))?;
    let (done, read) = answer;
    Ok(format!(
        "* first partial result of a long search: {} ms of wall time after it was asked for ({polls} polls, over {read} events{})\n",
        millis(took),
        if done { ", and already whole" } else { "" }
    ))
}

/// What a cancelled search still uses.
fn cancelled(server: &Server) -> anyhow::Result<String> {
    let job = start_job(server)?;
    std::thread::sleep(Duration::from_millis(60));
    let asked = server.cpu()?;
    server.delete(&format!("{JOBS}/{job}"))?;
    std::thread::sleep(CANCEL_LIMIT);
    let limit = server.cpu()?;
    std::thread::sleep(CANCEL_WATCH);
    let later = server.cpu()?;
    Ok(format!(
        "* a cancelled search: {} ms of CPU until {} ms after, {} ms in the {} ms that follow\n",
        millis(limit.saturating_sub(asked)),
        CANCEL_LIMIT.as_millis(),
        millis(later.saturating_sub(limit)),
        CANCEL_WATCH.as_millis()
    ))
}

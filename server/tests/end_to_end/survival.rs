//! `kill -9` again and again: every metric is what it is on a server that never stopped, and what a search answers.

use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::{SENDER_TIMEOUT, Server, agent, post};

const METRICS: &str = "/api/v1/repositories/default/metrics";
const INGEST: &str = "/api/v1/repositories/default/ingest";
const SNAPSHOTS: [&str; 2] = ["--set", "standing.snapshot_interval_millis=60"];
/// How often it is looked whether they are the same: what was read again may still be under way.
const LOOKS: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(30);

/// Metrics of every kind of window: name, definition, and whether a search over the window answers the same.
fn definitions() -> Vec<(&'static str, Value, bool)> {
    let groups = "groupBy([service, level], function=[count(), avg(latency), max(latency)])";
    vec![
        ("sliding", json!({ "query": groups, "window": "1h", "granule": "1s" }), true),
        ("filtered", json!({ "query": "level=error | count()", "window": "1h", "granule": "1s" }), true),
        // It shares with the first.
        ("longer", json!({ "query": groups, "window": "12h", "granule": "1s" }), true),
        ("percentiles", json!({ "query": "percentile(latency)", "window": "2h", "granule": "1m" }), true),
        ("distinct", json!({ "query": "count(user, distinct=true)", "window": "2h", "granule": "1m" }), true),
        ("leaders", json!({ "query": "top(user, limit=3)", "window": "2h", "granule": "1m" }), true),
        ("rows", json!({ "query": "level=warn | tail(5)", "window": "1h", "granule": "10s" }), true),
        ("tumbling", json!({ "query": groups, "kind": "tumbling", "window": "50d", "granule": "1h" }), true),
        (
            "month",
            json!({ "query": "groupBy(service)", "kind": "calendar", "unit": "month", "granule": "15m" }),
            true,
        ),
        ("all", json!({ "query": "groupBy(service)", "kind": "global" }), true),
        (
            "sessions",
            json!({ "query": "count()", "kind": "session", "gap": "2s", "window": "2h", "granule": "1s" }),
            false,
        ),
        (
            "arrived",
            json!({ "query": "groupBy(service)", "time": "ingest", "window": "2h", "granule": "1s" }),
            false,
        ),
        (
            "triggered",
            json!({ "query": "count()", "window": "1h", "granule": "1s", "trigger": "any(count(50), every(10s))" }),
            true,
        ),
        (
            "retracting",
            json!({ "query": "groupBy(level)", "window": "1h", "granule": "1s", "refinement": "retracting" }),
            true,
        ),
        (
            "discarding",
            json!({ "query": "count()", "window": "1h", "granule": "1s", "refinement": "discarding" }),
            true,
        ),
    ]
}

/// A batch of events: most of the last minutes, some late, a few that most windows have left, a few from soon.
fn batch(random: &mut fastrand::Rng, begun_millis: i64) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..random.u32(1..40) {
        let age = match random.u32(0..20) {
            0 => random.i64(0..20_000_000),
            1 => random.i64(-3_000..0),
            _ => random.i64(0..120_000),
        };
        body.extend_from_slice(
            format!(
                "{{\"@timestamp\":{},\"service\":\"s{}\",\"level\":\"{}\",\"user\":\"u{}\",\"latency\":{}.{}}}\n",
                begun_millis - age,
                random.u32(0..5),
                random.choice(["info", "warn", "error"]).unwrap(),
                random.u32(0..200),
                random.u32(0..900),
                random.u32(0..10),
            )
            .as_bytes(),
        );
    }
    body
}

fn define(server: &Server) {
    for (name, definition, _) in definitions() {
        let answer = server.put(&format!("{METRICS}/{name}"), &definition);
        assert!(matches!(answer.status, 200 | 201), "{name}: {}", answer.text());
    }
}

/// Rows in an order of their own, without what each server makes itself.
fn plain(mut rows: Vec<Value>) -> Value {
    for row in rows.iter_mut().filter_map(Value::as_object_mut) {
        row.retain(|field, _| !matches!(field.as_str(), "@id" | "@ingesttimestamp"));
    }
    rows.sort_by_key(Value::to_string);
    Value::Array(rows)
}

/// What a metric shows: the answer, its rows, and what else does not depend on when it was looked at.
fn seen(server: &Server, name: &str) -> Option<(Value, Value, Value)> {
    let result = server.try_get(&format!("{METRICS}/{name}"))?.json();
    let rows = plain(result["rows"].as_array().cloned().unwrap_or_default());
    let rest = json!([result["events"], result["warnings"], result["backfilling"]]);
    Some((result, rows, rest))
}

/// Rows of a search over the window that `result` is of, which begins and ends where no events are.
fn searched(server: &Server, query: &str, result: &Value) -> Option<Value> {
    let body = json!({ "queryString": query, "start": result["start"], "end": result["end"] }).to_string();
    let headers = [("Content-Type", "application/json"), ("Accept", "application/x-ndjson")];
    let answer = server.try_post("/api/v1/repositories/default/query", &headers, body.as_bytes())?;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    Some(plain(answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()))
}

/// Both servers show the same of every metric, and so does a search, sooner or later.
fn compare(killed: &Server, steady: &Server, cycle: usize) {
    for (name, definition, is_searched) in definitions() {
        let query = definition["query"].as_str().unwrap();
        let mut shown = None;
        let is_right = (0..LOOKS).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            shown = seen(killed, name).zip(seen(steady, name));
            let Some(((result, rows, rest), (_, other_rows, other_rest))) = &shown else { return false };
            let is_found = || !is_searched || searched(killed, query, result).as_ref() == Some(rows);
            (rows, rest) == (other_rows, other_rest) && is_found()
        });
        assert!(is_right, "cycle {cycle}, {name}, killed and never stopped: {shown:?}");
    }
}

fn send(agent: &ureq::Agent, base: &str, (number, body): (usize, &[u8])) -> bool {
    let key = format!("batch-{number}");
    let headers = [("Content-Type", "application/x-ndjson"), ("Idempotency-Key", key.as_str())];
    match post(agent, &format!("{base}{INGEST}"), &headers, body) {
        Some(answer) => {
            assert_eq!(answer.status, 200, "{}", answer.text());
            true
        }
        None => false,
    }
}

/// Sends to a server that is there. A connection that was kept may have been closed meanwhile.
fn send_surely(agent: &ureq::Agent, server: &Server, batch: (usize, &[u8])) {
    assert!((0..3).any(|_| send(agent, &server.base, batch)), "batch {} is not taken", batch.0);
}

/// Sends to `server` from batch `first` on, and kills it in the middle of that. The first batch it may not have.
fn send_and_kill(server: Server, batches: &[Vec<u8>], first: usize, after: Duration) -> usize {
    let base = server.base.clone();
    let (told, said) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let agent = agent(SENDER_TIMEOUT);
            let acknowledged = |number: &usize| send(&agent, &base, (*number, &batches[*number]));
            let end = (first..batches.len()).find(|number| !acknowledged(number));
            let _ = told.send(end.unwrap_or(batches.len()));
        });
        std::thread::sleep(after);
        server.kill();
        said.recv().unwrap()
    })
}

/// How many metrics came out of a snapshot.
fn restored(server: &Server) -> usize {
    let all = server.get(METRICS).json();
    let all = all.as_array().unwrap();
    all.iter().filter(|metric| metric["origin"] == "snapshot").count()
}

/// Waits until there is a snapshot that has been the same for a while: of all that was defined.
fn wait_for_snapshot(data: &Path) {
    let find = || {
        let files = std::fs::read_dir(data.join("live")).unwrap().map(|file| file.unwrap().path());
        let mut snapshots = files.filter(|path| path.extension().is_some_and(|name| name == "snapshot"));
        snapshots.next().and_then(|path| std::fs::read(path).ok())
    };
    let (until, mut before) = (Instant::now() + PATIENCE, None);
    loop {
        let found = find();
        if found.is_some() && found == before {
            return;
        }
        assert!(Instant::now() < until, "no snapshot was written");
        before = found;
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Kills a server so often, and compares.
fn survives(kills: usize, seed: u64) {
    let (killed_data, steady_data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let steady = Server::start(steady_data.path());
    let mut killed = Server::start_with(killed_data.path(), &SNAPSHOTS);
    [&steady, &killed].into_iter().for_each(define);
    let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let (mut random, agent) = (fastrand::Rng::with_seed(seed), agent(SENDER_TIMEOUT));
    let (mut batches, mut taken, mut from_snapshots): (Vec<Vec<u8>>, usize, usize) = (Vec::new(), 0, 0);
    for cycle in 0..kills {
        let fresh = batches.len();
        batches.extend((0..random.usize(1..30)).map(|_| batch(&mut random, begun)));
        for (number, body) in batches.iter().enumerate().skip(fresh) {
            send_surely(&agent, &steady, (number, body));
        }
        if cycle == 0 {
            wait_for_snapshot(killed_data.path());
        }
        taken = send_and_kill(killed, &batches, taken, Duration::from_millis(random.u64(5..200)));
        killed = Server::start_with(killed_data.path(), &SNAPSHOTS);
        while taken < batches.len() {
            send_surely(&agent, &killed, (taken, &batches[taken]));
            taken += 1;
        }
        compare(&killed, &steady, cycle);
        from_snapshots += restored(&killed);
    }
    assert_eq!(from_snapshots, kills * definitions().len(), "all came out of snapshots, each time");
    // At an orderly end all is saved: nothing has to be read again.
    killed.stop();
    killed = Server::start_with(killed_data.path(), &SNAPSHOTS);
    compare(&killed, &steady, kills);
    assert_eq!(restored(&killed), definitions().len());
}

#[test]
fn metrics_survive_a_few_kills() {
    survives(4, 17);
}

/// `cargo test --workspace --test end_to_end -- --ignored metrics_survive`; `WEIR_SEED` is another stream of events.
#[test]
#[ignore = "it takes minutes"]
fn metrics_survive_a_hundred_kills() {
    let seed = std::env::var("WEIR_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    survives(100, seed);
}

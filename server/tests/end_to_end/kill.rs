//! `kill -9` while writers send: nothing acknowledged is lost, nothing is doubled, live metrics are right again.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::{SENDER_TIMEOUT, Server, agent, post, text};

const CYCLES: usize = 50;
const WRITERS: usize = 8;
const EVENTS_A_BATCH: u64 = 20;

/// What one writer knows: how many events are acknowledged, and the batch whose answer never came.
#[derive(Default)]
struct Writer {
    acknowledged: u64,
    batches: u64,
    unknown: Option<Vec<u8>>,
}

impl Writer {
    fn batch(&self, writer: usize) -> Vec<u8> {
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let mut body = Vec::new();
        for event in 0..EVENTS_A_BATCH {
            let n = self.batches * EVENTS_A_BATCH + event;
            body.extend_from_slice(
                format!("{{\"@timestamp\":{millis},\"writer\":\"w{writer}\",\"n\":{n}}}\n").as_bytes(),
            );
        }
        body
    }

    /// Sends the batch in doubt, or the next; false when the server is gone.
    fn send(&mut self, agent: &ureq::Agent, base: &str, writer: usize) -> bool {
        let body = self.unknown.take().unwrap_or_else(|| self.batch(writer));
        let key = format!("w{writer}-{}", self.batches);
        let headers = [("Content-Type", "application/x-ndjson"), ("Idempotency-Key", key.as_str())];
        match post(agent, &format!("{base}/api/v1/repositories/default/ingest"), &headers, &body) {
            Some(answer) if answer.status == 200 => {
                assert_eq!(answer.json()["accepted"], EVENTS_A_BATCH, "{}", answer.text());
                self.batches += 1;
                self.acknowledged += EVENTS_A_BATCH;
                true
            }
            Some(answer) => {
                assert!(matches!(answer.status, 429 | 503), "{}", answer.text());
                self.unknown = Some(body);
                true
            }
            None => {
                self.unknown = Some(body);
                false
            }
        }
    }
}

#[test]
fn fifty_kills_lose_and_double_nothing() {
    let data = tempfile::tempdir().unwrap();
    let writers: Vec<Mutex<Writer>> = (0..WRITERS).map(|_| Mutex::default()).collect();
    let mut chance = fastrand::Rng::with_seed(11);
    for cycle in 0..CYCLES {
        let server = Server::start(data.path());
        if cycle == 0 {
            let metric =
                json!({ "query": "groupBy(writer)", "window": "1h", "granule": "1s", "time": "event" });
            let answer = server.put("/api/v1/repositories/default/metrics/by_writer", &metric);
            assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
        } else {
            check_metric(&server, cycle);
            settle_doubts(&server, &writers);
        }
        check_counts(&server, &writers, cycle);
        send_until_killed(server, &writers, Duration::from_millis(chance.u64(40..300)));
    }
    let server = Server::start(data.path());
    settle_doubts(&server, &writers);
    check_every_event(&server, &writers);
    server.stop();
    let checked = crate::support::weir(&["check", "--data", data.path().to_str().unwrap()], b"");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

fn send_until_killed(server: Server, writers: &[Mutex<Writer>], after: Duration) {
    let (base, over) = (server.base.clone(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for (number, writer) in writers.iter().enumerate() {
            let (base, over) = (&base, &over);
            scope.spawn(move || {
                let (agent, mut writer) = (agent(SENDER_TIMEOUT), writer.lock().unwrap());
                while !over.load(Ordering::Relaxed) && writer.send(&agent, base, number) {}
            });
        }
        std::thread::sleep(after);
        server.kill();
        over.store(true, Ordering::Relaxed);
    });
}

/// Each batch whose answer never came is sent again with its key: it must count exactly once.
fn settle_doubts(server: &Server, writers: &[Mutex<Writer>]) {
    let agent = agent(SENDER_TIMEOUT);
    for (number, writer) in writers.iter().enumerate() {
        let mut writer = writer.lock().unwrap();
        while writer.unknown.is_some() {
            assert!(writer.send(&agent, &server.base, number), "the server is up");
        }
    }
}

fn by_writer(rows: &[Value]) -> BTreeMap<String, u64> {
    rows.iter().map(|row| (text(row, "writer").to_owned(), text(row, "_count").parse().unwrap())).collect()
}

fn check_counts(server: &Server, writers: &[Mutex<Writer>], cycle: usize) {
    let counts = by_writer(&server.query("groupBy(writer)"));
    for (number, writer) in writers.iter().enumerate() {
        let acknowledged = writer.lock().unwrap().acknowledged;
        assert_eq!(
            counts.get(&format!("w{number}")).copied().unwrap_or(0),
            acknowledged,
            "writer {number}, cycle {cycle}"
        );
    }
}

/// Right after a restart the metric equals a search over the same events.
fn check_metric(server: &Server, cycle: usize) {
    let expected = by_writer(&server.query("groupBy(writer)"));
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        let live = server.get("/api/v1/repositories/default/metrics/by_writer").json();
        let rows = live["rows"].as_array().cloned().unwrap_or_default();
        if by_writer(&rows) == expected {
            return;
        }
        assert!(Instant::now() < deadline, "cycle {cycle}: live {live}, search {expected:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn check_every_event(server: &Server, writers: &[Mutex<Writer>]) {
    let mut seen: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for row in server.query("select([writer, n])") {
        seen.entry(text(&row, "writer").to_owned()).or_default().push(text(&row, "n").parse().unwrap());
    }
    for (number, writer) in writers.iter().enumerate() {
        let mut numbers = seen.remove(&format!("w{number}")).unwrap_or_default();
        numbers.sort_unstable();
        let expected: Vec<u64> = (0..writer.lock().unwrap().acknowledged).collect();
        assert_eq!(numbers, expected, "writer {number}: every event once");
    }
    assert!(seen.is_empty(), "events nobody sent: {seen:?}");
}

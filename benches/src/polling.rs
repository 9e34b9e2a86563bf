//! What standing queries cost against polling: the same queries, live, and each evaluated every ten seconds by a search over
//! its window; CPU time of the server in both, as the system counts it.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::bail;
use serde_json::json;
use weir_server::generate::{Dataset, Generator};

use crate::server::Server;
use crate::standing::mix;

/// How many queries there are.
const COUNTS: [usize; 3] = [10, 100, 1_000];
/// Of how far back each is.
const WINDOW: Duration = Duration::from_secs(300);
/// Between two evaluations of a query that is polled.
const POLL_EVERY: Duration = Duration::from_secs(10);
/// How long each kind is measured: so many rounds of polling.
const ROUNDS: u32 = 3;
/// Events of a batch, and how often one is sent: 10,000 events a second.
const BATCH_EVENTS: usize = 1_000;
const BATCH_EVERY: Duration = Duration::from_millis(100);
/// How long a busy server is asked again.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the queries are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Not at all: what events cost is in both others too.
    None,
    /// They stand.
    Live,
    /// They are asked one after another, all of them every ten seconds, or as fast as that goes.
    Polled,
}

/// What a stretch of time took.
struct Cost {
    cpu: Duration,
    wall: Duration,
    /// How often all queries were answered.
    rounds: f64,
}

/// Measures `weir serve` in `work`.
///
/// # Errors
/// When the server does not start or refuses.
pub fn run(weir: &Path, work: &Path) -> anyhow::Result<String> {
    let rate = BATCH_EVENTS as f64 / BATCH_EVERY.as_secs_f64();
    let mut out = format!(
        "| queries, windows of {} s, {rate:.0} events/s | live: cores | polled every {} s: cores | rounds in {} s |\n\
         |---|---:|---:|---:|\n",
        WINDOW.as_secs(),
        POLL_EVERY.as_secs(),
        (POLL_EVERY * ROUNDS).as_secs(),
    );
    let cores = |cost: &Cost| cost.cpu.as_secs_f64() / cost.wall.as_secs_f64();
    let none = cores(&measure(weir, &work.join("none"), 0, Kind::None)?);
    for count in COUNTS {
        let live = measure(weir, &work.join(format!("live-{count}")), count, Kind::Live)?;
        let polled = measure(weir, &work.join(format!("polled-{count}")), count, Kind::Polled)?;
        out.push_str(&format!(
            "| {count} | {:.3} | {:.3} | {:.1} |\n",
            cores(&live) - none,
            cores(&polled) - none,
            polled.rounds
        ));
    }
    out.push_str(&format!("\nTaking the events alone, {none:.3} cores, is not in these.\n"));
    Ok(out)
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn measure(weir: &Path, data: &Path, count: usize, kind: Kind) -> anyhow::Result<Cost> {
    let server = Server::start(weir, data)?;
    let queries = mix::mixed(count);
    if kind == Kind::Live {
        for (at, query) in queries.iter().enumerate() {
            let definition =
                json!({ "query": query, "window": format!("{}s", WINDOW.as_secs()), "granule": "1s" });
            server.put(&format!("/api/v1/repositories/default/metrics/q{at}"), &definition)?;
        }
    }
    let start = i64::try_from(now().saturating_sub(WINDOW).as_nanos())?;
    let mut sender = Sender { generator: Generator::new(Dataset::Application, 1, start, 10_000) };
    // A window of events is there before.
    let mut filled = 0;
    while filled < WINDOW.as_secs() {
        (0..10).try_for_each(|_| sender.send(&server))?;
        filled += 1;
    }
    server.settle()?;
    let (server, sender) = (&server, &mut sender);
    std::thread::scope(|scope| {
        let (before, begun) = (server.cpu()?, Instant::now());
        let until = begun + POLL_EVERY * ROUNDS;
        let sending = scope.spawn(move || sender.send_until(server, until));
        let mut rounds = 0.0;
        if kind == Kind::Polled {
            while Instant::now() < until {
                rounds += poll(server, &queries, until)?;
            }
        }
        match sending.join() {
            Ok(sent) => sent?,
            Err(_) => bail!("the sender panicked"),
        }
        let (cpu, wall) = (server.cpu()?.saturating_sub(before), begun.elapsed());
        Ok(Cost { cpu, wall, rounds })
    })
}

/// Asks all `queries`, and waits until it is time to ask again: which share of them was asked before `until`.
fn poll(server: &Server, queries: &[String], until: Instant) -> anyhow::Result<f64> {
    let begun = Instant::now();
    for (at, query) in queries.iter().enumerate() {
        if Instant::now() >= until {
            return Ok(at as f64 / queries.len() as f64);
        }
        let start = i64::try_from(now().saturating_sub(WINDOW).as_millis())?;
        server.query_within("default", query, start, None)?;
    }
    std::thread::sleep((begun + POLL_EVERY).min(until).saturating_duration_since(Instant::now()));
    Ok(1.0)
}

/// Who sends events.
struct Sender {
    generator: Generator,
}

impl Sender {
    fn send(&mut self, server: &Server) -> anyhow::Result<()> {
        let mut body = Vec::new();
        for _ in 0..BATCH_EVENTS {
            self.generator.line(&mut body);
        }
        let until = Instant::now() + PATIENCE;
        while !server.ingest("application/x-ndjson", &body)? {
            if Instant::now() > until {
                bail!("the server stays busy");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn send_until(&mut self, server: &Server, until: Instant) -> anyhow::Result<()> {
        let mut next = Instant::now();
        while next < until {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            self.send(server)?;
            next += BATCH_EVERY;
        }
        Ok(())
    }
}

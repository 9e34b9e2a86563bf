//! What the demo shows: how to look around, and live metrics that move.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

use serde_json::{Value, json};

use crate::cli::client::{self, Client};
use crate::cli::output::print;

/// Without a terminal to redraw, metrics are printed this often, in seconds.
const PLAIN_EVERY_SECONDS: u64 = 5;

/// The bar of the busiest service, in characters.
const BAR_CHARS: usize = 24;

/// The window of the metrics in seconds, for rates.
const WINDOW_SECONDS: f64 = 60.0;

/// Searches worth trying, each with what it finds.
const SEARCHES: [(&str, &str); 4] = [
    ("what fails, where", "level=ERROR | groupBy([service, status])"),
    (
        "the slowest upstreams",
        "/timeout after (?<ms>\\d+)ms calling (?<upstream>\\w+)/ | groupBy(upstream, function=max(ms))",
    ),
    ("errors over time", "status>=500 | timeChart(service, span=1m)"),
    ("one user's way through the shop", "user=user1 | select([@timestamp, service, method, path, status])"),
];

/// The service table, redrawn in place on a terminal.
pub(super) struct Screen {
    server: String,
    rate: u32,
    terminal: bool,
    lines_shown: usize,
}

impl Screen {
    pub(super) fn new(server: &str, rate: u32, terminal: bool) -> Screen {
        Screen { server: server.to_owned(), rate, terminal, lines_shown: 0 }
    }

    /// Says where the server is and what to try, and runs the first search itself.
    pub(super) fn introduce(&self, client: &Client, sent: u64) -> anyhow::Result<()> {
        let server = &self.server;
        // As this program was called: it need not be on the path.
        let weir = std::env::args().next().unwrap_or_else(|| "weir".to_owned());
        let mut out = String::new();
        let _ = writeln!(
            out,
            "Weir listens on {server}; {sent} events of the last minutes are in, {} a second follow.",
            self.rate
        );
        let _ = writeln!(out, "\nSearches to try in another terminal:");
        for (what, query) in SEARCHES {
            let _ = writeln!(out, "  {weir} search --server {server} --format table '{query}'   # {what}");
        }
        let _ =
            writeln!(out, "  {weir} search --server {server} --live 'level=ERROR'   # errors as they happen");
        let _ = writeln!(
            out,
            "  curl -N {server}/api/v1/repositories/default/metrics/errors/events   # a live metric, pushed"
        );
        let (what, query) = SEARCHES.first().copied().unwrap_or_default();
        let begun = Instant::now();
        let rows = search(client, query)?;
        let took = begun.elapsed();
        let _ = writeln!(
            out,
            "\nFor example, {what}: {query}   ({:.1} ms over HTTP)",
            took.as_secs_f64() * 1_000.0
        );
        for row in rows.iter().take(5) {
            let _ = writeln!(
                out,
                "  {:<16} {:<4} {:>7}",
                cell(row, "service"),
                cell(row, "status"),
                cell(row, "_count")
            );
        }
        print(&out)
    }

    /// Reads the metrics and draws them.
    pub(super) fn show(&mut self, client: &Client, second: u64) -> anyhow::Result<()> {
        let is_due = self.terminal || second == 1 || second.is_multiple_of(PLAIN_EVERY_SECONDS);
        if !is_due {
            return Ok(());
        }
        let drawn = draw(client)?;
        let back = match self.terminal && self.lines_shown > 0 {
            true => format!("\x1b[{}A\x1b[J", self.lines_shown),
            false => String::new(),
        };
        self.lines_shown = drawn.lines().count();
        print(&format!("{back}{drawn}"))
    }

    /// Says goodbye.
    pub(super) fn part(&self, events: u64) -> anyhow::Result<()> {
        print(&format!("\n{events} events were sent and acknowledged. The demo's folder is gone with it.\n"))
    }
}

fn draw(client: &Client) -> anyhow::Result<String> {
    let requests = by_service(client, "requests", "_count")?;
    let errors = by_service(client, "errors", "_count")?;
    let median = by_service(client, "latency", "_50")?;
    let slow = by_service(client, "latency", "_99")?;
    let most = requests.values().copied().fold(1.0, f64::max);
    let mut out = String::new();
    let _ = writeln!(out, "\n  last minute      events/s   errors   p50 ms   p99 ms");
    for (service, count) in &requests {
        let of = |metric: &BTreeMap<String, f64>| metric.get(service).copied().unwrap_or(0.0);
        let bar = "█".repeat((count / most * BAR_CHARS as f64).round() as usize);
        let (errors, median, slow) = (of(&errors), of(&median), of(&slow));
        let rate = count / WINDOW_SECONDS;
        let _ = writeln!(out, "  {service:<15} {rate:>9.1} {errors:>8} {median:>8.0} {slow:>8.0}  {bar}");
    }
    let users = rows(client, "top_users")?;
    let users: Vec<String> =
        users.iter().map(|row| format!("{} {}", cell(row, "user"), cell(row, "_count"))).collect();
    let _ = writeln!(out, "  top users: {}", users.join(", "));
    Ok(out)
}

fn by_service(client: &Client, metric: &str, field: &str) -> anyhow::Result<BTreeMap<String, f64>> {
    let rows = rows(client, metric)?;
    Ok(rows.iter().map(|row| (cell(row, "service"), cell(row, field).parse().unwrap_or(0.0))).collect())
}

fn rows(client: &Client, metric: &str) -> anyhow::Result<Vec<Value>> {
    let answer = client::json(client.get(&format!("/api/v1/repositories/default/metrics/{metric}"))?)?;
    Ok(answer.get("rows").and_then(Value::as_array).cloned().unwrap_or_default())
}

fn search(client: &Client, query: &str) -> anyhow::Result<Vec<Value>> {
    let body = json!({ "queryString": query, "start": "1h" }).to_string();
    let headers = [("Content-Type", "application/json"), ("Accept", "application/json")];
    let answer = client.post("/api/v1/repositories/default/query", &headers, body.as_bytes())?;
    Ok(client::json(answer)?.as_array().cloned().unwrap_or_default())
}

fn cell(row: &Value, field: &str) -> String {
    row.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

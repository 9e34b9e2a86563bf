//! A tag with a million values beside the same events with one: there must be no cliff.

use std::path::Path;
use std::time::Duration;

use weir_server::generate::{Dataset, Generator};

use crate::compare::{COLD, folder_bytes};
use crate::corpus::START_NANOS;
use crate::report::{millis, ratio};
use crate::sending::Sending;
use crate::server::Server;

const BATCH_BYTES: usize = 4 << 20;
const NEEDLE: &str = "ffffffff0000ffff1111ffff2222ffff | count()";

struct Measured {
    ingest: Duration,
    disk: u64,
    peak: u64,
    idle: u64,
    needle: Duration,
    chosen: Duration,
}

/// Sends `events` application events tagged with `device`: once all the same, once one of a million each.
///
/// # Errors
/// When a part of the run fails.
pub fn run(weir: &Path, work: &Path, events: u64, runs: usize) -> anyhow::Result<String> {
    let plain = measure(weir, &work.join("tags-plain"), events, runs, 1)?;
    let many = measure(weir, &work.join("tags-many"), events, runs, 1_000_000)?;
    let mut out = format!("## A tag with a million values, {events} events\n\n");
    out += "| | one value | a million | of it |\n|---|---:|---:|---:|\n";
    let mut bytes = |name: &str, one: u64, other: u64| {
        let share = other as f64 / one.max(1) as f64;
        out += &format!("| {name} | {:.1} | {:.1} | {share:.2} |\n", one as f64 / 1e6, other as f64 / 1e6);
    };
    bytes("on disk, MB", plain.disk, many.disk);
    bytes("peak memory while it is sent, MB", plain.peak, many.peak);
    bytes("memory after a restart and the queries, MB", plain.idle, many.idle);
    let mut times = |name: &str, one: Duration, other: Duration| {
        out += &format!("| {name} | {} | {} | {} |\n", millis(one), millis(other), ratio(other, one));
    };
    times("ingest, CPU ms", plain.ingest, many.ingest);
    times("absent needle, CPU ms", plain.needle, many.needle);
    times("one tag value, CPU ms", plain.chosen, many.chosen);
    Ok(out)
}

fn measure(weir: &Path, data: &Path, events: u64, runs: usize, values: u64) -> anyhow::Result<Measured> {
    if data.exists() {
        std::fs::remove_dir_all(data)?;
    }
    let server = Server::start(weir, data)?;
    let before = server.cpu()?;
    let mut generator = Generator::new(Dataset::Application, 1, START_NANOS, 1_000);
    let mut sending = Sending::new(&server, "application/json");
    let (mut batch, mut line) = (Vec::with_capacity(BATCH_BYTES + (4 << 10)), Vec::new());
    for event in 0..events {
        line.clear();
        let nanos = generator.line(&mut line);
        let text = serde_json::to_string(String::from_utf8_lossy(&line).trim_end())?;
        // A multiplier without a common factor walks through all values in no order.
        let device = event.wrapping_mul(2_654_435_761) % values;
        let group = format!(
            r#"{{"tags":{{"device":"dev-{device}"}},"events":[{{"timestamp":{},"rawstring":{text}}}]}}"#,
            nanos / 1_000_000
        );
        batch.push(if batch.is_empty() { b'[' } else { b',' });
        batch.extend_from_slice(group.as_bytes());
        if batch.len() >= BATCH_BYTES || event + 1 == events {
            batch.push(b']');
            sending.send(&batch)?;
            batch.clear();
        }
    }
    server.settle()?;
    let (ingest, peak) = (server.cpu()?.saturating_sub(before), server.peak_memory_bytes());
    server.stop()?;
    let server = Server::start_with(weir, data, COLD)?;
    server.settle()?;
    let needle = server.query_cost(NEEDLE, runs)?;
    let chosen = server.query_cost("#device=\"dev-0\" | count()", runs)?;
    let idle = server.memory_bytes();
    server.stop()?;
    Ok(Measured { ingest, disk: folder_bytes(data, "seg")?, peak, idle, needle, chosen })
}

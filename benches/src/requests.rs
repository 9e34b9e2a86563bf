//! What one event per request costs: senders that do not batch.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use weir_server::generate::{Dataset, Generator};

use crate::corpus::START_NANOS;
use crate::report::millis;
use crate::sending::Sending;
use crate::server::Server;

/// Requests before it counts: connections, threads and caches are warm then.
const WARM_UP: u32 = 500;
/// Connections at once.
const CONNECTIONS: [u32; 2] = [1, 16];

/// Sends `requests` application events, each in a request of its own at `fsync`, on one connection that is kept and on
/// several at once. What is sealed later is counted, too.
///
/// # Errors
/// When the server fails.
pub fn run(weir: &Path, data: &Path, requests: u32) -> anyhow::Result<String> {
    let mut out = format!("## One event a request, fsync, {requests} requests\n\n");
    out += "| connections | CPU us each | wall us each | in all, ms | found afterwards |\n|---:|---:|---:|---:|---|\n";
    for connections in CONNECTIONS {
        out += &measure(weir, &data.join(connections.to_string()), requests, connections)?;
    }
    Ok(out)
}

fn measure(weir: &Path, data: &Path, requests: u32, connections: u32) -> anyhow::Result<String> {
    let server = Server::start(weir, data)?;
    send(&server, WARM_UP, connections)?;
    let (cpu, begun) = (server.cpu()?, Instant::now());
    let sent = send(&server, requests, connections)?;
    let (wall, cpu) = (begun.elapsed(), server.cpu()?.saturating_sub(cpu));
    let found = String::from_utf8_lossy(&server.query("default", "count()")?).trim().to_owned();
    server.stop()?;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(sent.max(1));
    Ok(format!("| {connections} | {:.1} | {:.0} | {} | {found} |\n", each(cpu), each(wall), millis(wall)))
}

/// Sends about `requests` events over so many connections at once; how many it were.
fn send(server: &Server, requests: u32, connections: u32) -> anyhow::Result<u32> {
    let share = requests.div_ceil(connections);
    std::thread::scope(|scope| {
        let senders: Vec<_> =
            (0..connections).map(|seed| scope.spawn(move || send_alone(server, share, seed))).collect();
        senders.into_iter().try_for_each(|sender| sender.join().map_err(|_| anyhow!("a sender panicked"))?)
    })?;
    Ok(share * connections)
}

fn send_alone(server: &Server, requests: u32, seed: u32) -> anyhow::Result<()> {
    let mut generator = Generator::new(Dataset::Application, u64::from(seed) + 1, START_NANOS, 1_000);
    let mut line = Vec::new();
    let mut sending = Sending::new(server, "application/x-ndjson");
    for _ in 0..requests {
        line.clear();
        generator.line(&mut line);
        sending.send(&line)?;
    }
    Ok(())
}

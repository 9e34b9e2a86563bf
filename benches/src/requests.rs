//! What one event per request costs: a sender that does not batch.

use std::path::Path;
use std::time::{Duration, Instant};

use weir_server::generate::{Dataset, Generator};

use crate::corpus::START_NANOS;
use crate::report::millis;
use crate::sending::Sending;
use crate::server::Server;

/// Requests before it counts: connections, threads and caches are warm then.
const WARM_UP: u32 = 500;

/// Sends `requests` application events, each in a request of its own on one connection that is kept, at `fsync`.
/// What is sealed later is counted, too.
///
/// # Errors
/// When the server fails.
pub fn run(weir: &Path, data: &Path, requests: u32) -> anyhow::Result<String> {
    let server = Server::start(weir, data)?;
    let mut generator = Generator::new(Dataset::Application, 1, START_NANOS, 1_000);
    let mut line = Vec::new();
    let mut sending = Sending::new(&server, "application/x-ndjson");
    let (mut cpu, mut begun) = (Duration::ZERO, Instant::now());
    for request in 0..requests + WARM_UP {
        if request == WARM_UP {
            (cpu, begun) = (server.cpu()?, Instant::now());
        }
        line.clear();
        generator.line(&mut line);
        sending.send(&line)?;
    }
    let (wall, sent) = (begun.elapsed(), server.cpu()?.saturating_sub(cpu));
    let found = String::from_utf8_lossy(&server.query("default", "count()")?).trim().to_owned();
    server.stop()?;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(requests.max(1));
    Ok(format!(
        "* one event a request, {requests} requests on one connection, fsync: {:.1} us of CPU each, {:.0} us of wall time each ({} ms in all); found afterwards: {found}\n",
        each(sent),
        each(wall),
        millis(wall),
    ))
}

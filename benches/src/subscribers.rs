//! Many readers of pushed results over real sockets, some of whom never read: what the others notice, and what it costs.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::report::millis;
use crate::server::Server;

/// Threads of all readers together.
const CLIENT_THREADS: usize = 1;
/// Batches sent to be pushed.
const BATCHES: u32 = 150;
/// Between two of them.
const BATCH_INTERVAL: Duration = Duration::from_millis(100);
/// Events of each.
const BATCH_EVENTS: usize = 500;
/// Values that are grouped by.
const GROUPS: usize = 50;
/// What a reader that never reads lets its system hold for it, bytes.
const STALLED_BUFFER_BYTES: u32 = 4_096;
/// After the last batch, until all is pushed.
const SETTLE: Duration = Duration::from_secs(2);

/// What one reader saw: how many events had been counted, when.
struct Seen {
    counts: Vec<(u64, Instant)>,
    skipped: u64,
    bytes: u64,
}

/// What one run came to.
struct Outcome {
    times: Vec<Duration>,
    skipped: u64,
    skipped_stalled: u64,
    connected_bytes: u64,
    after_bytes: u64,
    cpu: Duration,
}

/// Measures `subscribers` readers, without and with `stalled` of them that never read.
///
/// # Errors
/// When the server fails, or a reader is not told of all events.
pub fn run(weir: &Path, data: &Path, subscribers: usize, stalled: usize) -> anyhow::Result<String> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(CLIENT_THREADS).enable_all().build()?;
    let server = Server::start(weir, data)?;
    for (name, query) in [("all", "count()"), ("by", "groupBy(service)")] {
        let metric = json!({ "query": query, "window": "1h", "granule": "1s", "time": "ingest" });
        server.put(&format!("/api/v1/repositories/default/metrics/{name}"), &metric)?;
    }
    let before_bytes = server.memory_bytes();
    let mut lines = format!(
        "| {subscribers} readers, {BATCHES} batches of {BATCH_EVENTS} events, one each {} ms | acknowledged to pushed, median ms | p99 ms | left out for others | left out for stalled | memory with all connected, MiB | after, MiB | CPU s |\n|---|---:|---:|---:|---:|---:|---:|---:|\n",
        BATCH_INTERVAL.as_millis()
    );
    let mut known = 0;
    for stalled in [0, stalled, 0, stalled] {
        let outcome = measure(&runtime, &server, subscribers - stalled, stalled, &mut known)?;
        let mut times = outcome.times;
        times.sort_unstable();
        let at = |share: usize| millis(times.get(times.len() * share / 100).copied().unwrap_or_default());
        let mebibytes = |bytes: u64| bytes / (1 << 20);
        lines += &format!(
            "| {stalled} of them never read | {} | {} | {} | {} | {} | {} | {:.1} |\n",
            at(50),
            at(99),
            outcome.skipped,
            outcome.skipped_stalled,
            mebibytes(outcome.connected_bytes),
            mebibytes(outcome.after_bytes),
            outcome.cpu.as_secs_f64()
        );
    }
    server.stop()?;
    Ok(format!("{lines}\nMemory before: {} MiB.\n", before_bytes / (1 << 20)))
}

fn measure(
    runtime: &Runtime,
    server: &Server,
    healthy: usize,
    stalled: usize,
    known: &mut u64,
) -> anyhow::Result<Outcome> {
    let address = server.base().trim_start_matches("http://").to_owned();
    let (stop, stopped) = watch::channel(false);
    let mut readers = JoinSet::new();
    for _ in 0..healthy {
        let stream = runtime.block_on(connect(&address, None))?;
        readers.spawn_on(read(stream, stopped.clone()), runtime.handle());
    }
    let mut sleepers = Vec::new();
    for _ in 0..stalled {
        sleepers.push(runtime.block_on(connect(&address, Some(STALLED_BUFFER_BYTES)))?);
    }
    std::thread::sleep(SETTLE);
    let (connected_bytes, cpu) = (server.memory_bytes(), server.cpu()?);
    let first = *known;
    let acknowledged = send(server, known)?;
    std::thread::sleep(SETTLE);
    let (after_bytes, cpu) = (server.memory_bytes(), server.cpu()?.saturating_sub(cpu));
    // Those that slept wake up, to see what they are told they missed.
    let mut late = JoinSet::new();
    for stream in sleepers {
        late.spawn_on(read(stream, stopped.clone()), runtime.handle());
    }
    std::thread::sleep(SETTLE);
    stop.send(true).context("the readers are gone")?;
    let (mut times, mut skipped, mut skipped_stalled) = (Vec::new(), 0, 0);
    for seen in runtime.block_on(readers.join_all()) {
        let seen = seen?;
        skipped += seen.skipped;
        times.extend(latencies(first, &acknowledged, &seen)?);
    }
    for seen in runtime.block_on(late.join_all()) {
        skipped_stalled += seen?.skipped;
    }
    Ok(Outcome { times, skipped, skipped_stalled, connected_bytes, after_bytes, cpu })
}

/// Sends all batches; how many events there were after each, and when it was acknowledged.
fn send(server: &Server, known: &mut u64) -> anyhow::Result<Vec<(u64, Instant)>> {
    let body: String = (0..BATCH_EVENTS)
        .map(|event| format!("{{\"level\":\"INFO\",\"service\":\"service-{:02}\"}}\n", event % GROUPS))
        .collect();
    let begun = Instant::now();
    let mut acknowledged = Vec::new();
    for batch in 0..BATCHES {
        let due = begun + BATCH_INTERVAL * batch;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if !server.ingest("application/x-ndjson", body.as_bytes())? {
            bail!("batch {batch}: busy");
        }
        *known += BATCH_EVENTS as u64;
        acknowledged.push((*known, Instant::now()));
    }
    Ok(acknowledged)
}

async fn connect(address: &str, buffer_bytes: Option<u32>) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(bytes) = buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    let mut stream = socket.connect(address.parse()?).await?;
    let request = format!(
        "GET /api/v1/repositories/default/metrics/events?names=all,by HTTP/1.1\r\nhost: {address}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}

/// Reads until told to stop. Only what is measured is looked for in what comes.
async fn read(mut stream: TcpStream, mut stopped: watch::Receiver<bool>) -> anyhow::Result<Seen> {
    let mut seen = Seen { counts: Vec::new(), skipped: 0, bytes: 0 };
    let (mut buffer, mut piece) = (Vec::new(), vec![0; 16 << 10]);
    loop {
        let count = tokio::select! {
            count = stream.read(&mut piece) => count?,
            _ = stopped.changed() => return Ok(seen),
        };
        if count == 0 {
            bail!("the stream ended");
        }
        let came = Instant::now();
        if seen.bytes == 0 && !piece.starts_with(b"HTTP/1.1 200") {
            bail!("refused: {}", String::from_utf8_lossy(piece.get(..count).unwrap_or_default()));
        }
        seen.bytes += count as u64;
        buffer.extend_from_slice(piece.get(..count).unwrap_or_default());
        while let Some(end) = buffer.windows(2).position(|two| two == b"\n\n") {
            let rest = buffer.split_off(end + 2);
            let event = std::mem::replace(&mut buffer, rest);
            note(&event, came, &mut seen);
        }
    }
}

fn note(event: &[u8], came: Instant, seen: &mut Seen) {
    let text = String::from_utf8_lossy(event);
    let Some(data) = text.lines().find_map(|line| line.strip_prefix("data: ")) else { return };
    let number = |name: &str| {
        let (_, rest) = data.split_once(name)?;
        rest.get(..rest.find(|letter: char| !letter.is_ascii_digit())?)?.parse::<u64>().ok()
    };
    seen.skipped += number("\"skipped\":").unwrap_or(0);
    if data.starts_with("{\"metric\":\"all\"")
        && let Some(count) = number("\"_count\":\"")
    {
        seen.counts.push((count, came));
    }
}

/// From each acknowledgement until the reader was told of at least as many events.
fn latencies(first: u64, acknowledged: &[(u64, Instant)], seen: &Seen) -> anyhow::Result<Vec<Duration>> {
    let mut counts = seen.counts.iter().filter(|(count, _)| *count > first).peekable();
    let mut times = Vec::with_capacity(acknowledged.len());
    for (count, safe) in acknowledged {
        while counts.next_if(|(seen, _)| seen < count).is_some() {}
        let (_, came) =
            counts.peek().with_context(|| format!("a reader was never told of {count} events"))?;
        times.push(came.saturating_duration_since(*safe));
    }
    Ok(times)
}

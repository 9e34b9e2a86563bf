//! `weir ingest`: sends files to a server in batches, each acknowledged before it counts as sent.
//!
//! A batch carries an idempotency key made of its bytes and place, so a retry never doubles it. How far a file got
//! is kept in a checkpoint until the file is through; `--resume` goes on from there.

mod checkpoint;
mod chunks;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use super::client::{self, Client, Refused, ServerArgs, path_segment};
use checkpoint::Checkpoint;
use chunks::{Chunk, Chunks};

/// Most tries for one batch before the run gives up.
const MAX_TRIES: u32 = 8;

/// The longest wait between two tries, in seconds.
const MAX_WAIT_SECONDS: u64 = 30;

/// Arguments of `weir ingest`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir ingest app.ndjson access.log.gz\n  journalctl -o json | weir ingest --content-type application/x-ndjson -"
)]
pub struct Args {
    /// Files to send, plain, gzip or zstd; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
    /// What the files hold; decided by name and first bytes when absent
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// The field that holds an event's time
    #[arg(long, value_name = "FIELD")]
    timestamp_field: Option<String>,
    /// Go on after the last acknowledged batch of an interrupted run
    #[arg(long)]
    resume: bool,
    /// Bytes a batch
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20, value_parser = clap::value_parser!(u64).range(1024..=(64 << 20)))]
    batch_bytes: u64,
}

/// What the server said of the batches sent so far.
#[derive(Debug, Default)]
struct Account {
    batches: u64,
    accepted: u64,
    rejected: u64,
    unparsed: u64,
}

/// Sends the files.
///
/// # Errors
/// When a file cannot be read, or the server refuses or cannot be reached after several tries.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.server);
    let mut account = Account::default();
    for file in &args.files {
        send_file(&args, &client, file, &mut account).with_context(|| format!("{}", file.display()))?;
    }
    eprintln!(
        "{} events accepted, {} of them unparsed, {} rejected",
        account.accepted, account.unparsed, account.rejected
    );
    Ok(if account.rejected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn send_file(args: &Args, client: &Client, file: &Path, account: &mut Account) -> anyhow::Result<()> {
    let mut checkpoint = Checkpoint::of(&args.server, file);
    let mut chunks = Chunks::open(file, args.content_type.as_deref(), usize::try_from(args.batch_bytes)?)?;
    if args.resume {
        chunks.skip(checkpoint.load()?)?;
    }
    let bar = progress(file);
    let path = ingest_path(args);
    while let Some(chunk) = chunks.next_chunk()? {
        let key = chunk.key(file);
        let answer = send(client, &path, &chunk, &key, account.batches > 0).inspect_err(|_| {
            eprintln!(
                "stopped after {} bytes; the same command with --resume goes on from there",
                chunk.offset
            );
        })?;
        account.add(&answer);
        checkpoint.store(chunk.end());
        bar.set_position(chunks.bytes_read());
    }
    bar.finish_and_clear();
    checkpoint.remove();
    Ok(())
}

fn ingest_path(args: &Args) -> String {
    let mut path = format!("/api/v1/repositories/{}/ingest", path_segment(&args.server.repository));
    if let Some(field) = &args.timestamp_field {
        path.push_str(&format!("?timestamp_field={}", path_segment(field)));
    }
    path
}

/// Sends one batch, waiting and trying again while the server is busy or away. Where nothing was `acknowledged` yet and
/// nobody listens, the address is more likely wrong than the server away: that fails at once.
fn send(client: &Client, path: &str, chunk: &Chunk, key: &str, acknowledged: bool) -> anyhow::Result<Value> {
    let headers = [("Content-Type", chunk.content_type.as_str()), ("Idempotency-Key", key)];
    let mut tries = 0_u32;
    loop {
        tries += 1;
        let error = match client.post(path, &headers, &chunk.bytes).and_then(client::json) {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let refused = error.downcast_ref::<Refused>();
        let passing = match refused {
            Some(refused) => matches!(refused.status, 429 | 500..=599),
            None => acknowledged || !is_connection_refused(&error),
        };
        if !passing || tries >= MAX_TRIES {
            return Err(error);
        }
        let wait = refused.and_then(|refused| refused.retry_after_seconds).unwrap_or(1 << tries.min(5));
        let wait = wait.min(MAX_WAIT_SECONDS);
        let what = format!("{error:#}");
        eprintln!("weir: {}, trying again in {wait} s", super::terminal::safe(&what));
        std::thread::sleep(Duration::from_secs(wait));
    }
}

/// Nobody listens at the address.
fn is_connection_refused(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| match cause.downcast_ref::<ureq::Error>() {
        Some(ureq::Error::Io(io)) => io.kind() == std::io::ErrorKind::ConnectionRefused,
        Some(ureq::Error::ConnectionFailed) => true,
        _ => cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused),
    })
}

fn progress(file: &Path) -> ProgressBar {
    let bytes = std::fs::metadata(file).map_or(0, |facts| facts.len());
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(bytes), target);
    let layout = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    bar.set_style(ProgressStyle::with_template(layout).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(super::terminal::safe(&file.display().to_string()).into_owned());
    bar
}

impl Account {
    fn add(&mut self, answer: &Value) {
        self.batches += 1;
        let count = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
        self.accepted += count("accepted");
        self.rejected += count("rejected");
        self.unparsed += count("unparsed");
        for fault in answer.get("errors").and_then(Value::as_array).into_iter().flatten() {
            eprintln!("{}", super::terminal::safe(&fault.to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_where_nobody_listens_fails_at_once() {
        // A port that was just given back has no listener.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = format!("http://127.0.0.1:{port}");
        let client = Client::new(&ServerArgs { server, token: None, repository: "default".to_owned() });
        let error = client.post("/", &[], b"").unwrap_err();
        assert!(is_connection_refused(&error), "{error:?}");
    }
}

//! `weir generate`: writes a seeded data set.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::generate::{Dataset, Generator};

/// Bytes gathered before each write.
const WRITE_BYTES: usize = 256 << 10;

/// Arguments of `weir generate`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir generate application --events 2000000 --out app.ndjson\n  weir generate access --bytes 1073741824 | gzip > access.log.gz"
)]
pub struct Args {
    /// The kind of data
    #[arg(value_enum)]
    dataset: Dataset,
    /// How many events to write
    #[arg(long, value_name = "N", default_value_t = 100_000, conflicts_with = "bytes")]
    events: u64,
    /// Write whole lines until at least this many bytes are written
    #[arg(long, value_name = "BYTES")]
    bytes: Option<u64>,
    /// The seed: the same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Time of the first event (RFC 3339)
    #[arg(long, value_name = "TIME", default_value = "2026-01-01T00:00:00Z")]
    start: jiff::Timestamp,
    /// Events a second of event time
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    rate: u32,
    /// The file to write; standard output when absent
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Writes the data set.
///
/// # Errors
/// When the file cannot be written. A closed pipe ends the run quietly.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let sink: Box<dyn Write> = match &args.out {
        Some(path) => Box::new(
            std::fs::File::create(path).with_context(|| format!("cannot create {}", path.display()))?,
        ),
        None => Box::new(std::io::stdout().lock()),
    };
    match write(&args, BufWriter::with_capacity(WRITE_BYTES, sink)) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error).context("cannot write the data set"),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

fn write(args: &Args, mut sink: impl Write) -> std::io::Result<()> {
    let start = i64::try_from(args.start.as_nanosecond()).unwrap_or(0);
    let mut generator = Generator::new(args.dataset, args.seed, start, args.rate);
    let (mut line, mut events, mut bytes) = (Vec::new(), 0_u64, 0_u64);
    while args.bytes.map_or(events < args.events, |wanted| bytes < wanted) {
        line.clear();
        generator.line(&mut line);
        sink.write_all(&line)?;
        events += 1;
        bytes += line.len() as u64;
    }
    sink.flush()
}

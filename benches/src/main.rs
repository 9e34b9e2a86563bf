//! `weir-bench`: the comparison run. `cargo build --release && cargo run --release -p weir-bench`.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, ValueEnum};
use weir_bench::compare::Comparison;
use weir_bench::corpus::{Corpus, Size};
use weir_bench::{
    dashboard, history, isolation, latency, polling, queries, requests, restart, standing, subscribers, tags,
};
use weir_server::generate::Dataset;

/// Generates corpora, ingests them into a real server, and compares it with `rg` and `zstd` in one run.
#[derive(Debug, Parser)]
struct Args {
    /// What to measure, in this order
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [
        Part::Latency, Part::Subscribers, Part::Isolation, Part::Requests, Part::Application, Part::Dashboard, Part::Access, Part::Syslog,
        Part::Kubernetes, Part::Windows, Part::Devices, Part::Tags,
    ])]
    parts: Vec<Part>,
    /// JSON application events to generate, and as many of devices
    #[arg(long, default_value_t = 2_000_000)]
    events: u64,
    /// Bytes of access log to generate
    #[arg(long, default_value_t = 1 << 30)]
    access_bytes: u64,
    /// Bytes of each other kind of line to generate
    #[arg(long, default_value_t = 400_000_000)]
    other_bytes: u64,
    /// Raw bytes of the longer history
    #[arg(long, default_value_t = 10 << 30)]
    history_bytes: u64,
    /// Counted runs of each query
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// The server binary
    #[arg(long, default_value = "target/release/weir")]
    weir: PathBuf,
    /// Where to work; a temporary folder when absent
    #[arg(long)]
    work: Option<PathBuf>,
    /// Use the corpora and data directories that an earlier run left in the work folder
    #[arg(long, requires = "work")]
    reuse: bool,
    /// Only kinds of query whose name has this in it
    #[arg(long, default_value = "")]
    only: String,
    /// Single events to send for the latency table
    #[arg(long, default_value_t = 300)]
    latency_rounds: u32,
    /// Readers of pushed results
    #[arg(long, default_value_t = 2_000)]
    subscribers: usize,
    /// Of those, readers that never read
    #[arg(long, default_value_t = 100)]
    stalled: usize,
    /// Events to send one a request
    #[arg(long, default_value_t = 20_000)]
    requests: u32,
}

/// A part of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// From sent to acknowledged, found and pushed.
    Latency,
    /// Many readers of pushed results, some of whom never read.
    Subscribers,
    /// Acknowledgements without standing queries, and with a thousand.
    Isolation,
    /// One event a request.
    Requests,
    /// JSON application events.
    Application,
    /// Windows of time, repeats, partial results, cancellation; on the application events.
    Dashboard,
    /// Access log.
    Access,
    /// Syslog.
    Syslog,
    /// Container logs as JSON.
    Kubernetes,
    /// Wide JSON.
    Windows,
    /// Application events of a million devices.
    Devices,
    /// A tag with a million values.
    Tags,
    /// Standing queries by the thousand, in this process; not part of a usual run.
    Live,
    /// Standing queries against the same queries asked every ten seconds; not part of a usual run.
    Polling,
    /// What standing metrics have learnt, saved and taken up again, in this process; not part of a usual run.
    Restart,
    /// Much history; not part of a usual run, it takes many minutes.
    History,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let temporary = tempfile::tempdir()?;
    let work = args.work.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&work)?;
    let comparison = Comparison {
        weir: args.weir.clone(),
        work: work.clone(),
        runs: args.runs,
        batch_bytes: 4 << 20,
        reuse: args.reuse,
        only: args.only.clone(),
    };
    for part in &args.parts {
        println!("{}", run(*part, &args, &comparison)?);
    }
    Ok(())
}

fn run(part: Part, args: &Args, comparison: &Comparison) -> anyhow::Result<String> {
    let scratch = tempfile::tempdir_in(&comparison.work)?;
    let events = Size::Events(args.events);
    let (dataset, size) = match part {
        Part::Latency => return latency::run(&args.weir, scratch.path(), args.latency_rounds),
        Part::Subscribers => {
            return subscribers::run(&args.weir, scratch.path(), args.subscribers, args.stalled);
        }
        Part::Isolation => return isolation::run(&args.weir, scratch.path()),
        Part::Requests => return requests::run(&args.weir, scratch.path(), args.requests),
        Part::Live => return standing::run(args.events),
        Part::Polling => return polling::run(&args.weir, scratch.path()),
        Part::Restart => return restart::run(scratch.path(), args.events),
        Part::Tags => return tags::run(&args.weir, scratch.path(), args.events, args.runs),
        Part::History => {
            return history::run(&args.weir, scratch.path(), 1 << 30, args.history_bytes, args.runs);
        }
        Part::Dashboard => {
            let corpus = Corpus::kept(&comparison.work, Dataset::Application, 1)?;
            let corpus =
                corpus.context("the dashboard is measured on the application events: no such corpus")?;
            return dashboard::run(comparison, &corpus);
        }
        Part::Application => (Dataset::Application, events),
        Part::Devices => (Dataset::Devices, events),
        Part::Access => (Dataset::Access, Size::Bytes(args.access_bytes)),
        Part::Syslog => (Dataset::Syslog, Size::Bytes(args.other_bytes)),
        Part::Kubernetes => (Dataset::Kubernetes, Size::Bytes(args.other_bytes)),
        Part::Windows => (Dataset::Windows, Size::Bytes(args.other_bytes)),
    };
    let kept = if args.reuse { Corpus::kept(&comparison.work, dataset, 1)? } else { None };
    let corpus = match kept {
        Some(corpus) => corpus,
        None => Corpus::generate(&comparison.work, dataset, 1, size)?,
    };
    let needle = match queries::needle_mark(dataset) {
        Some((mark, len)) => behind(&corpus, corpus.events / 3, mark, len)?,
        None => String::new(),
    };
    Ok(comparison.run(&corpus, &queries::kinds(dataset, &needle))?.markdown())
}

/// The `len` bytes behind `mark` in the `at`-th line.
fn behind(corpus: &Corpus, at: u64, mark: &str, len: usize) -> anyhow::Result<String> {
    let file = BufReader::new(std::fs::File::open(&corpus.path)?);
    let line = file.lines().nth(usize::try_from(at)?).context("the corpus is too short")??;
    let from = line.find(mark).context("the line has no needle")? + mark.len();
    Ok(line.get(from..from + len).context("the needle is short")?.to_owned())
}

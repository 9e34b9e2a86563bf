//! `weir-bench`: the comparison run. `cargo build --release && cargo run --release -p weir-bench`.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use weir_bench::compare::Comparison;
use weir_bench::corpus::{Corpus, Size};
use weir_bench::{latency, queries};
use weir_server::generate::Dataset;

/// Generates corpora, ingests them into a real server, and compares it with `rg` and `zstd` in one run.
#[derive(Debug, Parser)]
struct Args {
    /// JSON application events to generate; 0 for none
    #[arg(long, default_value_t = 2_000_000)]
    events: u64,
    /// Bytes of access log to generate; 0 for none
    #[arg(long, default_value_t = 1 << 30)]
    access_bytes: u64,
    /// Counted runs of each query
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// The server binary
    #[arg(long, default_value = "target/release/weir")]
    weir: PathBuf,
    /// Where to work; a temporary folder when absent
    #[arg(long)]
    work: Option<PathBuf>,
    /// Single events to send for the latency table; 0 leaves it out
    #[arg(long, default_value_t = 500)]
    latency_rounds: u32,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let temporary = tempfile::tempdir()?;
    let work = args.work.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&work)?;
    let comparison =
        Comparison { weir: args.weir.clone(), work: work.clone(), runs: args.runs, batch_bytes: 4 << 20 };

    if args.latency_rounds > 0 {
        println!("{}", latency::run(&args.weir, &temporary.path().join("latency"), args.latency_rounds)?);
    }
    if args.events > 0 {
        let corpus = Corpus::generate(&work, Dataset::Application, 1, Size::Events(args.events))?;
        let needle = nth_line(&corpus, corpus.events / 3, r#""trace_id":""#)?;
        println!("{}", comparison.run(&corpus, &queries::application(&needle))?.markdown());
    }
    if args.access_bytes > 0 {
        let corpus = Corpus::generate(&work, Dataset::Access, 1, Size::Bytes(args.access_bytes))?;
        println!("{}", comparison.run(&corpus, &queries::access("id=99999"))?.markdown());
    }
    Ok(())
}

/// The 32 characters behind `mark` in the `at`-th line.
fn nth_line(corpus: &Corpus, at: u64, mark: &str) -> anyhow::Result<String> {
    let file = BufReader::new(std::fs::File::open(&corpus.path)?);
    let line = file.lines().nth(usize::try_from(at)?).context("the corpus is too short")??;
    let from = line.find(mark).context("the line has no id")? + mark.len();
    Ok(line.get(from..from + 32).context("the id is short")?.to_owned())
}

//! The comparison run: one corpus through a real server, `rg` and `zstd` over the raw file, all in one run.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::clock;
use crate::corpus::Corpus;
use crate::queries::Kind;
use crate::report::{QueryRow, Report, ratio};
use crate::sending::Sending;
use crate::server::Server;

/// Settings under which queries are measured: partial results of earlier runs are not kept, so that every run does
/// the whole work.
pub const COLD: &[&str] = &["query.state_cache_bytes=0"];

/// How a comparison runs.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The `weir` binary.
    pub weir: PathBuf,
    /// Where data directories go.
    pub work: PathBuf,
    /// Counted runs of each query; the median is reported.
    pub runs: usize,
    /// Bytes a batch.
    pub batch_bytes: usize,
    /// Data directories of an earlier run are used as they are, and nothing is sent.
    pub reuse: bool,
    /// Only kinds whose name has this in it.
    pub only: String,
}

impl Comparison {
    /// Ingests `corpus` and measures `kinds` on it.
    ///
    /// # Errors
    /// When a part of the run fails. A wrong count is reported, not an error.
    pub fn run(&self, corpus: &Corpus, kinds: &[Kind]) -> anyhow::Result<Report> {
        let data = self.data_of(corpus);
        let mut facts = Vec::new();
        if !(self.reuse && data.exists()) {
            if data.exists() {
                std::fs::remove_dir_all(&data)?;
            }
            let server = Server::start(&self.weir, &data)?;
            facts = self.ingest(&server, corpus)?;
            facts.push(("peak memory".into(), megabytes(server.peak_memory_bytes())));
            server.stop()?;
        }
        let server = Server::start_with(&self.weir, &data, COLD)?;
        server.settle()?;
        facts.extend(sizes(corpus, &data)?);
        let base_kind =
            kinds.first().and_then(|kind| kind.rg.clone()).context("the first kind has no rg form")?;
        let base = self.rg(&base_kind, &corpus.path)?.0;
        let wanted = kinds.iter().filter(|kind| kind.name.contains(&self.only));
        let queries =
            wanted.map(|kind| self.measure(&server, kind, &corpus.path)).collect::<Result<_, _>>()?;
        facts.push(("memory after the queries".into(), megabytes(server.memory_bytes())));
        server.stop()?;
        let title =
            format!("{:?}: {} events, {} MB raw", corpus.dataset, corpus.events, corpus.bytes / 1_000_000);
        Ok(Report { title, facts, base, queries })
    }

    /// The data directory of `corpus`.
    #[must_use]
    pub fn data_of(&self, corpus: &Corpus) -> PathBuf {
        self.work.join(format!("data-{:?}", corpus.dataset).to_lowercase())
    }

    fn ingest(&self, server: &Server, corpus: &Corpus) -> anyhow::Result<Vec<(String, String)>> {
        let (cpu, wall) = (server.cpu()?, Instant::now());
        let mut sending = Sending::new(server, corpus.content_type());
        let mut file = File::open(&corpus.path)?;
        let mut left = Vec::new();
        loop {
            let read = file.by_ref().take(self.batch_bytes as u64).read_to_end(&mut left)?;
            let end = match read {
                0 => left.len(),
                _ => left.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1),
            };
            if end > 0 {
                let batch: Vec<u8> = left.drain(..end).collect();
                sending.send(&batch)?;
            }
            if read == 0 {
                break;
            }
        }
        let took = wall.elapsed();
        server.settle()?;
        let spent = server.cpu()?.saturating_sub(cpu);
        let mut facts = vec![
            (
                "ingest, raw MB per core-second, sealing and merging included".into(),
                format!("{:.0}", corpus.bytes as f64 / 1e6 / spent.as_secs_f64()),
            ),
            (
                "ingest, CPU us an event".into(),
                format!("{:.2}", spent.as_secs_f64() * 1e6 / corpus.events as f64),
            ),
            (
                "ingest, raw MB a second of wall time, one sender".into(),
                format!("{:.0}", corpus.bytes as f64 / 1e6 / took.as_secs_f64()),
            ),
        ];
        facts.extend(sending.facts());
        Ok(facts)
    }

    fn measure(&self, server: &Server, kind: &Kind, raw: &Path) -> anyhow::Result<QueryRow> {
        let mut answer = Vec::new();
        let weir = server.median_cost(self.runs, |_| {
            answer = server.query("default", &kind.query).with_context(|| kind.query.clone())?;
            Ok(())
        })?;
        let ours = count_of(&answer);
        let (rg, wrong) = match &kind.rg {
            Some(args) => {
                let (time, theirs) = self.rg(args, raw)?;
                (Some(time), theirs != ours)
            }
            None => (None, false),
        };
        Ok(QueryRow { name: kind.name, weir, rg, count: ours, wrong, target: kind.target })
    }

    fn rg(&self, args: &[String], raw: &Path) -> anyhow::Result<(Duration, String)> {
        let mut times = Vec::new();
        let mut count = String::new();
        for run in 0..=self.runs {
            let (time, said) = clock::of_command(Command::new("rg").arg("-c").args(args).arg(raw))?;
            if run > 0 {
                times.push(time);
            }
            count = if said.trim().is_empty() { "0".to_owned() } else { said.trim().to_owned() };
        }
        Ok((clock::median(times), count))
    }
}

/// The `_count` of a single row, else how many rows there are.
pub(crate) fn count_of(answer: &[u8]) -> String {
    let mut lines = answer.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let first: Option<serde_json::Value> = lines.next().and_then(|line| serde_json::from_slice(line).ok());
    let rest = lines.count();
    match first.as_ref().and_then(|row| row.get("_count")) {
        Some(count) if rest == 0 => count.as_str().map_or_else(|| count.to_string(), str::to_owned),
        _ => format!("{} rows", rest + usize::from(first.is_some())),
    }
}

fn sizes(corpus: &Corpus, data: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let packed = corpus.path.with_extension("zst");
    let status =
        Command::new("zstd").args(["-3", "-q", "-f", "-o"]).arg(&packed).arg(&corpus.path).status()?;
    if !status.success() {
        bail!("zstd failed");
    }
    let zstd = std::fs::metadata(&packed)?.len();
    std::fs::remove_file(&packed)?;
    let disk = folder_bytes(data, "seg")?;
    let share = |whole: u64| ratio(Duration::from_nanos(disk), Duration::from_nanos(whole));
    Ok(vec![
        (
            "segments on disk, index included".into(),
            format!("{:.1} MB, {:.1} bytes an event", disk as f64 / 1e6, disk as f64 / corpus.events as f64),
        ),
        ("of raw".into(), share(corpus.bytes)),
        ("of zstd -3".into(), format!("{} (of {:.1} MB)", share(zstd), zstd as f64 / 1e6)),
    ])
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes / 1_000_000)
}

/// Bytes of all files below `folder` whose name ends in `ending`.
pub(crate) fn folder_bytes(folder: &Path, ending: &str) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let facts = entry.metadata()?;
        if facts.is_dir() {
            bytes += folder_bytes(&entry.path(), ending)?;
        } else if entry.path().extension().is_some_and(|end| end == ending) {
            bytes += facts.len();
        }
    }
    Ok(bytes)
}

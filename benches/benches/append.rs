//! Append: from a batch to its acknowledgement, in a real data directory, at both levels that touch the disk.
//!
//! Nothing is sealed while the clock runs: an engine is thrown away before its log grows old, so that the figures are
//! those of the log and of publishing, on whatever disk the target folder lies.
#![allow(clippy::unwrap_used, reason = "a bench that cannot set itself up has nothing to measure")]

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput};
use weir_bench::batches::{BATCH_BYTES, Lines};
use weir_engine::event::EventBatch;
use weir_engine::{AppendOptions, Engine, EngineConfig, Level, Repository};
use weir_server::generate::Dataset;

/// Most batches appended to one engine.
const LARGE_BATCHES_AN_ENGINE: u64 = 32;
const SMALL_BATCHES_AN_ENGINE: u64 = 8_192;
/// Senders that do not wait for one another.
const IN_FLIGHT: u64 = 64;

const LEVELS: [(&str, Level); 2] = [("fsync", Level::Fsync), ("os", Level::Os)];

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let large = Lines::generate(Dataset::Application, BATCH_BYTES).decode().unwrap();
    let single = Lines::generate(Dataset::Application, 1).decode().unwrap();
    let mut group = criterion.benchmark_group("append");
    group.sampling_mode(SamplingMode::Flat);
    for (name, level) in LEVELS {
        group.throughput(Throughput::Bytes(large.raw_bytes() as u64));
        one_by_one(&mut group, &format!("{name}/4 MiB batch"), level, &large, LARGE_BATCHES_AN_ENGINE);
        group.throughput(Throughput::Elements(1));
        one_by_one(&mut group, &format!("{name}/single event"), level, &single, SMALL_BATCHES_AN_ENGINE);
        group.throughput(Throughput::Elements(IN_FLIGHT));
        together(&mut group, &format!("{name}/{IN_FLIGHT} single events in flight"), level, &single);
    }
    group.finish();
    criterion.final_summary();
}

/// An engine of its own in a folder of its own, with one repository.
struct Bed {
    repository: Arc<Repository>,
    engine: Engine,
    _folder: tempfile::TempDir,
}

impl Bed {
    fn new(level: Level, first: &EventBatch) -> Bed {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let config = EngineConfig { seal_bytes: usize::MAX, ..EngineConfig::new(folder.path()) };
        let engine = Engine::open(config).unwrap();
        let repository = engine.create_repository("bench").unwrap();
        // The first append makes the first file.
        repository.append_wait(first.clone(), options(level)).unwrap();
        Bed { repository, engine, _folder: folder }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.engine.shutdown();
    }
}

fn options(level: Level) -> AppendOptions {
    AppendOptions { level, idempotency_key: None }
}

/// Each append waits for the acknowledgement of the one before.
fn one_by_one(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    level: Level,
    batch: &EventBatch,
    an_engine: u64,
) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|wanted| {
            let (mut left, mut taken) = (wanted, Duration::ZERO);
            while left > 0 {
                let (bed, rounds) = (Bed::new(level, batch), left.min(an_engine));
                let begun = Instant::now();
                for _ in 0..rounds {
                    bed.repository.append_wait(batch.clone(), options(level)).unwrap();
                }
                taken += begun.elapsed();
                left -= rounds;
            }
            taken
        });
    });
}

/// All are sent before the first is acknowledged: what one sync for several senders saves.
fn together(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, level: Level, batch: &EventBatch) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|wanted| {
            let (mut left, mut taken) = (wanted, Duration::ZERO);
            while left > 0 {
                let (bed, rounds) = (Bed::new(level, batch), left.min(SMALL_BATCHES_AN_ENGINE / IN_FLIGHT));
                let (sender, receiver) = channel();
                let begun = Instant::now();
                for _ in 0..rounds {
                    for _ in 0..IN_FLIGHT {
                        let sender = sender.clone();
                        let done = move |answer| drop(sender.send(answer));
                        drop(bed.repository.append(batch.clone(), options(level), done).unwrap());
                    }
                    for _ in 0..IN_FLIGHT {
                        receiver.recv().unwrap().unwrap();
                    }
                }
                taken += begun.elapsed();
                left -= rounds;
            }
            taken
        });
    });
}

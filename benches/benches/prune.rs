//! Prune: facts and index of a segment of several blocks against what a query requires.
//! Events/s are of the whole segment, read or not; what is left of it is printed first.
#![allow(clippy::unwrap_used, reason = "a bench that cannot set itself up has nothing to measure")]

mod cpu;

use std::hint::black_box;
use std::time::Duration;

use cpu::CpuTime;
use criterion::{Criterion, Throughput};
use weir_bench::batches::{batches, needle, segment};
use weir_engine::store::segment::Segment;
use weir_query::compile::Options;
use weir_query::program::Program;
use weir_server::generate::Dataset;

/// Raw bytes of the segment: three blocks and a half.
const SEGMENT_BYTES: usize = 56 << 20;
const ABSENT: &str = "ffffffff0000ffff1111ffff2222ffff";

fn main() {
    let mut criterion = Criterion::default()
        .with_measurement(CpuTime)
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let batches = batches(Dataset::Application, SEGMENT_BYTES).unwrap();
    let needle = needle(&batches, r#""trace_id":""#, 32).unwrap();
    let fragment = needle.get(5..17).unwrap();
    let segment = segment(&batches).unwrap();
    drop(batches);
    let facts = segment.facts();
    println!(
        "{} events in {} blocks, {:.1} MB raw, {:.1} MB on disk, {:.2} MB of it index",
        facts.rows,
        segment.block_count(),
        facts.raw_bytes as f64 / 1e6,
        facts.file_bytes as f64 / 1e6,
        facts.index_bytes as f64 / 1e6
    );
    for (name, query) in [
        ("needle", needle.as_str()),
        ("needle in its field", &format!("trace_id={needle}")),
        ("fragment", fragment),
        ("absent", ABSENT),
        ("rare phrase", "\"card expired\""),
        ("frequent word", "completed"),
        ("regex with a literal", r"/timeout after \d{4,}ms calling payments/"),
        ("regex, case-insensitive", "/circuit BREAKER/i"),
        ("regex without a literal", r"/[0-9]{6} [0-9]{3}/"),
        ("value of facts", "service=nonesuch"),
        ("range of facts", "status > 900"),
    ] {
        prune(&mut criterion, name, query, &segment);
    }
    criterion.final_summary();
}

fn prune(criterion: &mut Criterion<CpuTime>, name: &str, query: &str, segment: &Segment) {
    let program = Program::compile(&format!("{query} | count()"), &Options::default()).unwrap();
    let required = program.required();
    let (from, to) = (i64::MIN, i64::MAX);
    let left = segment.prune(required, from, to);
    println!("{name}: {} of {} granules left", left.granules.len(), left.counters.granules);
    let mut group = criterion.benchmark_group("prune");
    group.throughput(Throughput::Elements(segment.facts().rows));
    group.bench_function(name, |bencher| {
        bencher.iter(|| segment.prune(black_box(required), from, to));
    });
}

//! Scan: whole queries over a snapshot, from start to result, on one thread, so that MB/s are of one core.
//! MB are raw bytes of the whole snapshot, read or not: the figure to hold against `rg` on the raw file.
#![allow(clippy::unwrap_used, reason = "a bench that cannot set itself up has nothing to measure")]

mod cpu;

use std::sync::Arc;
use std::time::Duration;

use cpu::CpuTime;
use criterion::{Criterion, SamplingMode, Throughput};
use weir_bench::batches::{batches, needle, sealed, size, unsealed};
use weir_engine::Snapshot;
use weir_engine::scan::{Scan, ScanEnd, ScanOptions, ScanPool};
use weir_query::compile::Options;
use weir_query::program::Program;
use weir_server::generate::Dataset;

/// Raw bytes scanned: two blocks, nearly full.
const SCANNED_BYTES: usize = 30 << 20;
const ABSENT: &str = "ffffffff0000ffff1111ffff2222ffff";

const AGGREGATES: &[(&str, &str)] = &[
    ("count", "count()"),
    ("filter, count", "level=ERROR status=503 | count()"),
    ("groupBy", "groupBy(service)"),
    ("groupBy, percentile", "groupBy(service, function=percentile(duration_ms, percentiles=[99]))"),
    ("per minute", "bucket(span=1m)"),
    ("top", "top(user)"),
    ("distinct ids", "count(trace_id, distinct=true)"),
    ("last 200", "tail(200)"),
];

fn main() {
    let mut criterion = Criterion::default()
        .with_measurement(CpuTime)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let pool = ScanPool::new(1);
    application(&mut criterion, &pool);
    access(&mut criterion, &pool);
    criterion.final_summary();
}

fn application(criterion: &mut Criterion<CpuTime>, pool: &ScanPool) {
    let batches = batches(Dataset::Application, SCANNED_BYTES).unwrap();
    let needle = needle(&batches, r#""trace_id":""#, 32).unwrap();
    let greps = [
        ("needle", needle.as_str()),
        ("absent", ABSENT),
        ("rare phrase", "\"card expired\""),
        ("frequent word", "completed"),
        ("regex with a literal", r"/timeout after \d{4,}ms/"),
        ("regex without a literal", r"/[0-9]{6} [0-9]{3}/"),
    ];
    let head = unsealed(&batches);
    let (snapshot, bytes) = (sealed(&batches).unwrap(), size(&batches).0);
    for (name, text) in greps {
        let query = format!("{text} | count()");
        scan(criterion, pool, &format!("application/{name}"), &query, &snapshot, bytes);
    }
    for (name, query) in AGGREGATES {
        scan(criterion, pool, &format!("application/{name}"), query, &snapshot, bytes);
    }
    for (name, query) in
        [("needle", format!("{needle} | count()")), ("groupBy", "groupBy(service)".to_owned())]
    {
        scan(criterion, pool, &format!("application, in the head/{name}"), &query, &head, bytes);
    }
}

fn access(criterion: &mut Criterion<CpuTime>, pool: &ScanPool) {
    let batches = batches(Dataset::Access, SCANNED_BYTES).unwrap();
    let (snapshot, bytes) = (sealed(&batches).unwrap(), size(&batches).0);
    for (name, query) in [
        ("absent", "\"id=999999999\" | count()"),
        ("frequent word", "Mozilla | count()"),
        ("phrase", "\"POST /api/v1/cart\" | count()"),
        ("regex with a literal", r"/GET \/search\?id=\d{5} / | count()"),
        ("regex without a literal", r"/[0-9]{5} [0-9]{3}/ | count()"),
        ("last 200", "tail(200)"),
    ] {
        scan(criterion, pool, &format!("access/{name}"), query, &snapshot, bytes);
    }
}

fn scan(
    criterion: &mut Criterion<CpuTime>,
    pool: &ScanPool,
    name: &str,
    query: &str,
    snapshot: &Arc<Snapshot>,
    bytes: u64,
) {
    let program = Program::compile(query, &Options::default()).unwrap();
    let run = || {
        let options = ScanOptions { pool: Some(pool.clone()), states: None, ..ScanOptions::over_all_time() };
        Scan::start(snapshot.clone(), Arc::clone(&program), options).unwrap().wait().unwrap()
    };
    let result = run();
    assert_eq!((result.end, result.partial), (ScanEnd::Complete, false), "{:?}", result.table.warnings);
    println!(
        "{name}: {} events matched, {} of {} granules read",
        result.stats.events_matched, result.stats.granules_scanned, result.stats.granules
    );
    let mut group = criterion.benchmark_group("scan");
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function(name, |bencher| bencher.iter(run));
}

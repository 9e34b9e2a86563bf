//! Seal: batches to the bytes of a block, and to a whole segment with facts and index.
//! Blocks are read back and compared as in the store; it is part of the time.
#![allow(clippy::unwrap_used, reason = "a bench that cannot set itself up has nothing to measure")]

mod cpu;

use std::hint::black_box;
use std::time::Duration;

use cpu::CpuTime;
use criterion::{Criterion, SamplingMode, Throughput};
use weir_bench::batches::{batches, encode, seal, size};
use weir_server::generate::Dataset;

/// Raw bytes sealed at a time; a full block has twice as many.
const SEALED_BYTES: usize = 8 << 20;

fn main() {
    let mut criterion = Criterion::default()
        .with_measurement(CpuTime)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let mut group = criterion.benchmark_group("seal");
    group.sampling_mode(SamplingMode::Flat);
    for (name, dataset) in [("application", Dataset::Application), ("access", Dataset::Access)] {
        let batches = batches(dataset, SEALED_BYTES).unwrap();
        let (bytes, events) = size(&batches);
        let file = seal(&batches).unwrap().len() as f64;
        println!(
            "{name}: {events} events, {bytes} raw bytes, a segment of {:.1} %",
            file / bytes as f64 * 100.0
        );
        group.throughput(Throughput::Bytes(bytes));
        group.bench_function(format!("encode_blocks/{name}"), |bencher| {
            bencher.iter_with_large_drop(|| encode(black_box(&batches)).unwrap());
        });
        group.bench_function(format!("segment with index/{name}"), |bencher| {
            bencher.iter_with_large_drop(|| seal(black_box(&batches)).unwrap());
        });
    }
    group.finish();
    criterion.final_summary();
}

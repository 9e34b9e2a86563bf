//! Decode: bytes as they come over the wire, and lines one by one, to batches; and batches from the log.
//! MB/s are of decoded lines, whatever the encoding.
#![allow(clippy::unwrap_used, reason = "a bench that cannot set itself up has nothing to measure")]

mod cpu;

use std::hint::black_box;
use std::time::Duration;

use cpu::CpuTime;
use criterion::{Criterion, Throughput};
use weir_bench::batches::{BATCH_BYTES, Lines};
use weir_bench::corpus::START_NANOS;
use weir_engine::event::{EventBatch, EventBatchBuilder, EventLimits, TagSet};
use weir_server::decode::{DecodeOptions, Encoding, Format, decode_body};
use weir_server::generate::Dataset;

fn main() {
    let mut criterion = Criterion::default()
        .with_measurement(CpuTime)
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let [application, access, syslog, kubernetes] =
        [Dataset::Application, Dataset::Access, Dataset::Syslog, Dataset::Kubernetes]
            .map(|dataset| Lines::generate(dataset, BATCH_BYTES));
    bodies(&mut criterion, "ndjson/application", &application);
    bodies(&mut criterion, "ndjson/kubernetes", &kubernetes);
    bodies(&mut criterion, "text/access", &access);
    bodies(&mut criterion, "text/syslog", &syslog);
    compressed(&mut criterion, &application);
    builder(&mut criterion, &application, &access);
    log(&mut criterion, "application", &application);
    log(&mut criterion, "access", &access);
    criterion.final_summary();
}

fn options() -> DecodeOptions {
    DecodeOptions { arrival_nanos: START_NANOS, ..DecodeOptions::default() }
}

/// A whole body of 4 MiB to one batch.
fn bodies(criterion: &mut Criterion<CpuTime>, name: &str, lines: &Lines) {
    let mut group = criterion.benchmark_group("decode/body");
    group.throughput(Throughput::Bytes(lines.bytes.len() as u64));
    let options = options();
    group.bench_function(name, |bencher| {
        bencher.iter_with_large_drop(|| {
            decode_body(black_box(&lines.bytes), Encoding::Identity, lines.format(), &options).unwrap()
        });
    });
}

/// The same, out of a zstd frame.
fn compressed(criterion: &mut Criterion<CpuTime>, lines: &Lines) {
    let body = zstd::bulk::compress(&lines.bytes, 3).unwrap();
    let mut group = criterion.benchmark_group("decode/body");
    group.throughput(Throughput::Bytes(lines.bytes.len() as u64));
    let options = options();
    group.bench_function("ndjson/application, zstd", |bencher| {
        bencher.iter_with_large_drop(|| {
            decode_body(black_box(&body), Encoding::Zstd, Format::Ndjson, &options).unwrap()
        });
    });
}

/// The builder alone: lines already split, times given, so that neither line ends nor dates are looked for.
fn builder(criterion: &mut Criterion<CpuTime>, json: &Lines, text: &Lines) {
    let mut group = criterion.benchmark_group("decode/builder");
    let tags = TagSet::none();
    for (name, lines, is_json) in [
        ("push_json/application", json, true),
        ("push_text/application", json, false),
        ("push_text/access", text, false),
    ] {
        let split: Vec<&[u8]> = lines.iter().collect();
        group.throughput(Throughput::Bytes(lines.bytes.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_with_large_drop(|| {
                let mut builder = EventBatchBuilder::new(EventLimits::default());
                builder.reserve(lines.bytes.len());
                for line in black_box(&split) {
                    let pushed = if is_json {
                        builder.push_json(line, Some(START_NANOS), &tags, None)
                    } else {
                        builder.push_text(line, Some(START_NANOS), &tags, None)
                    };
                    pushed.unwrap();
                }
                builder.finish(START_NANOS)
            });
        });
    }
}

/// The payload of a log frame, out and in again: what an append adds, and what a restart costs.
fn log(criterion: &mut Criterion<CpuTime>, name: &str, lines: &Lines) {
    let mut group = criterion.benchmark_group("decode/log");
    group.throughput(Throughput::Bytes(lines.bytes.len() as u64));
    let batch = lines.decode().unwrap();
    let payload = batch.log_payload().to_vec();
    group.bench_function(format!("log_payload/{name}"), |bencher| {
        bencher.iter_with_large_drop(|| black_box(&batch).log_payload());
    });
    group.bench_function(format!("decode_log/{name}"), |bencher| {
        bencher.iter_with_large_drop(|| EventBatch::decode_log(black_box(&payload)).unwrap());
    });
}

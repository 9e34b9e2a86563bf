//! Compile: query text to a tree, and to a program.
#![allow(clippy::unwrap_used, reason = "a bench that cannot set itself up has nothing to measure")]

mod cpu;

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use cpu::CpuTime;
use criterion::{Criterion, Throughput};
use weir_query::compile::Options;
use weir_query::parser::parse;
use weir_query::print::print;
use weir_query::program::Program;

/// What people type.
const QUERIES: &[(&str, &str)] = &[
    ("free text", "timeout"),
    (
        "filter and group",
        "service=checkout level=ERROR | groupBy([host, status], function=[count(), avg(duration_ms)])",
    ),
    ("regex with groups", r"/upstream timeout after (?<ms>\d+)ms calling (?<target>\w+)/ | max(ms)"),
    ("time chart", "level=ERROR or status >= 500 | timeChart(service, span=1m, function=count())"),
    (
        "case",
        "case { status >= 500 | class := \"bad\"; status >= 400 | class := \"client\"; * | class := \"good\" } \
         | groupBy([service, class], function=[count(), percentile(duration_ms, percentiles=[50, 99])]) \
         | sort(_count, limit=20)",
    ),
];

fn main() {
    let mut criterion = Criterion::default()
        .with_measurement(CpuTime)
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    short(&mut criterion);
    long(&mut criterion);
    criterion.final_summary();
}

fn short(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("compile/short");
    group.throughput(Throughput::Elements(1));
    let options = Options::default();
    for (name, text) in QUERIES {
        group.bench_function(*name, |bencher| {
            bencher.iter(|| Program::compile(black_box(text), &options).unwrap());
        });
    }
}

/// Texts as programs write them: long in one direction each.
fn long(criterion: &mut Criterion<CpuTime>) {
    let texts =
        [("alternatives", alternatives()), ("steps", steps()), ("values", values()), ("nested", nested())];
    let mut group = criterion.benchmark_group("compile/long");
    let options = Options::default();
    for (name, text) in &texts {
        group.throughput(Throughput::Bytes(text.len() as u64));
        let parsed = parse(text);
        assert!(parsed.diagnostics.list.is_empty(), "{}", parsed.diagnostics.render(text, false));
        group.bench_function(format!("parse/{name}"), |bencher| bencher.iter(|| parse(black_box(text))));
        group.bench_function(format!("print/{name}"), |bencher| {
            bencher.iter(|| print(black_box(&parsed.query)));
        });
        group.bench_function(format!("compile/{name}"), |bencher| {
            bencher.iter(|| Program::compile(black_box(text), &options).unwrap());
        });
    }
}

/// 500 users to look for.
fn alternatives() -> String {
    let users: Vec<String> = (0..500).map(|user| format!("user=user{user}")).collect();
    users.join(" or ")
}

/// 500 steps of a pipeline.
fn steps() -> String {
    (0..500).fold("level=ERROR".to_owned(), |mut text, step| {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n| f{step} := duration_ms * {step} + bytes / 2");
        text
    })
}

/// A list of 5,000 values.
fn values() -> String {
    let values: Vec<String> = (0..5_000).map(|value| format!("\"{value:08x}\"")).collect();
    format!("in(trace_id, values=[{}])", values.join(", "))
}

/// 60 parentheses in one another, with a choice in each.
fn nested() -> String {
    (0..60).fold("status=500".to_owned(), |inner, level| format!("(host=h{level} and {inner})"))
}

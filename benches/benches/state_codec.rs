//! States as bytes: what a group costs to write and to read back, and how many bytes it is, with 1,000 groups.
#![allow(clippy::unwrap_used, reason = "a bench that cannot set itself up has nothing to measure")]

mod cpu;

use std::time::Duration;

use cpu::CpuTime;
use criterion::{Criterion, Throughput};
use weir_query::compile::Options;
use weir_query::machine::{Context, Machine, State};
use weir_query::program::Program;
use weir_query::record::{Rows as _, Selection};
use weir_query::result::ResultTable;

const GROUPS: u64 = 1_000;
/// Rows of each group.
const ROWS: u64 = 20;

const QUERIES: [(&str, &str); 6] = [
    ("count", "groupBy(user)"),
    ("sum", "groupBy(user, function=sum(latency))"),
    ("three", "groupBy(user, function=[count(), avg(latency), max(latency)])"),
    ("percentile", "groupBy(user, function=percentile(latency))"),
    ("distinct", "groupBy(user, function=count(path, distinct=true))"),
    ("last", "groupBy(user, function=selectLast([path, latency]))"),
];

fn main() {
    let mut criterion = Criterion::default()
        .with_measurement(CpuTime)
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let table = events();
    let mut group = criterion.benchmark_group("state");
    group.throughput(Throughput::Elements(GROUPS));
    for (name, query) in QUERIES {
        let (machine, state) = learnt(query, &table);
        let mut bytes = Vec::new();
        machine.encode_state(&state, &mut bytes);
        println!("{name}: {:.1} bytes a group", bytes.len() as f64 / GROUPS as f64);
        let mut out = Vec::with_capacity(bytes.len());
        group.bench_function(format!("encode/{name}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                machine.encode_state(&state, &mut out);
            });
        });
        group.bench_function(format!("decode/{name}"), |bencher| {
            bencher.iter(|| machine.decode_state(&bytes).unwrap());
        });
    }
    group.finish();
    criterion.final_summary();
}

/// Rows whose latencies are spread as those of services are, users in no order.
fn events() -> ResultTable {
    let mut seed = 7_u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    };
    let event = |row: u64| {
        let user = row.wrapping_mul(7_919) % GROUPS;
        let latency = 1 + next() % 60 + if next() % 20 == 0 { next() % 5_000 } else { 0 };
        [
            ("user", format!("user-{user:05}")),
            ("latency", latency.to_string()),
            ("path", format!("/api/v1/items/{}", next() % 50)),
            ("@timestamp", (1_700_000_000_000 + row).to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    };
    let events: Vec<Vec<(String, String)>> = (0..GROUPS * ROWS).map(event).collect();
    ResultTable::of_events(&events)
}

fn learnt(query: &str, table: &ResultTable) -> (Machine, State) {
    let program = Program::compile(query, &Options::default()).unwrap();
    let mut machine = Machine::new(program, Context::default());
    let mut state = machine.new_state();
    machine.step(table, Selection::all(table.len()), &mut state).unwrap();
    (machine, state)
}

//! Live step: what standing queries cost as a batch arrives, one query and a hundred of them.
//! Events/s are of the batch: a hundred queries see each event a hundred times.
#![allow(clippy::unwrap_used, reason = "a bench that cannot set itself up has nothing to measure")]

mod cpu;

use std::time::Duration;

use cpu::CpuTime;
use criterion::{BatchSize, Criterion, SamplingMode, Throughput};
use weir_bench::batches::Lines;
use weir_bench::corpus::START_NANOS;
use weir_engine::event::EventBatch;
use weir_query::compile::Options;
use weir_query::machine::{Context, Machine, State};
use weir_query::program::Program;
use weir_query::record::Selection;
use weir_server::generate::{Dataset, SERVICES};

/// Raw bytes of a batch: about 3,700 events.
const STEP_BYTES: usize = 1 << 20;

const ONE: &[(&str, &str)] = &[
    ("count", "count()"),
    ("filter, count", "level=ERROR | count()"),
    ("free text, count", "\"card expired\" | count()"),
    ("regex, count", r"/timeout after \d{4,}ms/ | count()"),
    ("groupBy", "groupBy(service)"),
    ("groupBy, percentile", "groupBy(service, function=percentile(duration_ms, percentiles=[50, 99]))"),
    ("top", "top(user)"),
    ("distinct", "count(user, distinct=true)"),
];

fn main() {
    let mut criterion = Criterion::default()
        .with_measurement(CpuTime)
        .sample_size(15)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let batch = Lines::generate(Dataset::Application, STEP_BYTES).decode().unwrap().with_sequence(1);
    let single = Lines::generate(Dataset::Application, 1).decode().unwrap().with_sequence(1);
    for (name, query) in ONE {
        step(&mut criterion, &format!("1 query/{name}"), &[(*query).to_owned()], &batch);
    }
    let hundred = hundred();
    step(&mut criterion, "100 queries/batch", &hundred, &batch);
    step(&mut criterion, "100 queries/single event", &hundred, &single);
    criterion.final_summary();
}

/// A hundred queries of the kinds a board has, no two the same.
fn hundred() -> Vec<String> {
    let board = |service: &&str| {
        [
            "count()",
            "level=ERROR | count()",
            "status >= 500 | count()",
            "level=WARN | groupBy(host)",
            "groupBy(status)",
            "percentile(duration_ms, percentiles=[50, 95, 99])",
            "avg(duration_ms)",
            "\"timeout\" | count()",
            "top(user, limit=10)",
            "method=POST | max(bytes)",
        ]
        .map(|rest| format!("service={service} | {rest}"))
    };
    SERVICES.iter().take(10).flat_map(board).collect()
}

fn standing(query: &str) -> (Machine, State) {
    let program = Program::compile(query, &Options::default()).unwrap();
    let context = Context { start_nanos: START_NANOS, end_nanos: i64::MAX, ..Context::default() };
    let machine = Machine::new(program, context);
    let state = machine.new_state();
    (machine, state)
}

/// The states stay, as those of a ring's newest bucket do; the batch is as fresh as one just decoded.
fn step(criterion: &mut Criterion<CpuTime>, name: &str, queries: &[String], batch: &EventBatch) {
    let mut standing: Vec<(Machine, State)> = queries.iter().map(|query| standing(query)).collect();
    let mut group = criterion.benchmark_group("live_step");
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(batch.len() as u64));
    group.bench_function(name, |bencher| {
        bencher.iter_batched_ref(
            || batch.clone(),
            |batch| {
                for (machine, state) in &mut standing {
                    let frame = machine.select(&*batch, Selection::all(batch.len())).unwrap();
                    let within = Selection::all(frame.order().len());
                    machine.absorb(&frame, &within, state).unwrap();
                }
            },
            BatchSize::SmallInput,
        );
    });
}

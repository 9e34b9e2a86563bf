//! Figures of the ring: a day in seconds, a thousand groups of which each has an event in every second.
//!
//! `cargo test --release --workspace --lib -- --ignored --nocapture ring::measure`; `WEIR_TICKS` says how many seconds are
//! read, `WEIR_QUERY` what is measured.

use std::time::Duration;

use weir_query::compile::Options;
use weir_query::machine::{Context, Frame, Machine, State};
use weir_query::program::Program;
use weir_query::record::Selection;

use super::{Ring, Want};
use crate::event::{EventBatchBuilder, EventLimits, TagSet};
use crate::live::window::Window;
use crate::live::{DEFAULT_METRIC_BYTES, MetricDefinition};

const SECOND: i64 = 1_000_000_000;
const GROUPS: u64 = 1_000;

/// CPU time of this thread so far.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}

fn frame(machine: &mut Machine) -> Frame {
    let mut builder = EventBatchBuilder::new(EventLimits::default());
    for group in 0..GROUPS {
        let json = format!("{{\"host\":\"host-{group:04}\",\"latency\":{}.{}}}", group * 7 % 300, group % 10);
        builder.push_json(json.as_bytes(), Some(0), &TagSet::none(), None).unwrap();
    }
    let batch = builder.finish(0).with_sequence(1);
    machine.select(&batch, Selection::all(batch.len())).unwrap()
}

/// What history answers: every second is alike.
fn read_back(ring: &mut Ring, want: &Want, second: &State, empty: &State) {
    let mut state = empty.clone();
    for _ in 0..want.span {
        state.merge(second).unwrap();
    }
    let events = GROUPS * want.span.unsigned_abs();
    let parts = want.buckets.start / want.span..want.buckets.end / want.span;
    ring.refill(want, parts.map(|part| (part, &state, events)));
}

fn told(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: usize| times.get((times.len() - 1) * share / 1_000).copied().unwrap_or_default();
    println!("{what}: median {:?}, 99 % {:?}, 99.9 % {:?}, max {:?}", at(500), at(990), at(999), at(1_000));
}

#[test]
#[ignore = "it measures, for a minute"]
fn a_day_in_seconds_of_a_thousand_groups() {
    let query = std::env::var("WEIR_QUERY")
        .unwrap_or_else(|_| "groupBy(host, function=[count(), avg(latency)])".to_owned());
    let ticks = std::env::var("WEIR_TICKS").ok().and_then(|ticks| ticks.parse().ok()).unwrap_or(5_000);
    let program = Program::compile(&query, &Options::default()).unwrap();
    let context = Context { max_state_bytes: DEFAULT_METRIC_BYTES, ..Context::default() };
    let mut machine = Machine::new(program, context);
    let mut definition = MetricDefinition::new("*", Duration::from_secs(24 * 3600));
    definition.granule = Duration::from_secs(1);
    let window = Window::new(&definition);
    let mut ring = Ring::new(window.len(), DEFAULT_METRIC_BYTES);
    let (frame, mut now, mut most) = (frame(&mut machine), 1_000_000_i64, 0);
    let all = Selection::all(frame.order().len());
    let (mut second, empty) = (machine.new_state(), machine.new_state());
    machine.absorb(&frame, &all, &mut second).unwrap();
    let (mut absorbing, mut closing, mut reading, mut refilling) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let begun = cpu();
    for tick in 0..window.len() + ticks {
        now += 1;
        let before = cpu();
        ring.close_before(now);
        ring.forget_before(window.kept(now * SECOND).start);
        closing.push(cpu() - before);
        let before = cpu();
        assert!(ring.make_room());
        ring.absorb(now, GROUPS, &mut machine, |machine, state| machine.absorb(&frame, &all, state)).unwrap();
        absorbing.push(cpu() - before);
        if tick < window.len() {
            continue;
        }
        let before = cpu();
        let total = ring.total(Some(&window), window.at(now * SECOND), machine.new_state()).unwrap();
        let table = machine.finish(&total.state).unwrap();
        reading.push(cpu() - before);
        most = most.max(ring.bytes());
        let known = tick > window.len() + 1;
        assert!(!known || (!total.is_coarse && total.events == GROUPS * 86_400), "{tick}: {}", total.events);
        assert_eq!(table.rows, GROUPS as usize);
        let before = cpu();
        while let Some(want) = ring.wanted() {
            read_back(&mut ring, &want, &second, &empty);
        }
        refilling.push(cpu() - before);
    }
    println!("{query}: {} s of CPU in all", (cpu() - begun).as_secs());
    told("a result, each second", &mut reading);
    told("a second closed", &mut closing);
    told("a second's 1,000 events absorbed", &mut absorbing);
    told("reading back, without the scan", &mut refilling);
    println!(
        "state of a second {} bytes; held at most {most} bytes, bound {DEFAULT_METRIC_BYTES}; weighed {}",
        second.bytes(),
        ring.weighed()
    );
}

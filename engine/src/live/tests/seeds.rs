//! Live equals scan equals oracle, by the seed: whatever the windows, triggers and aggregates, and however the stream is
//! shuffled, doubled, late, replayed, missed, put off and restarted.
//!
//! A seed that fails is named; `WEIR_SEED` runs it alone, or is the first of as many as `WEIR_SEEDS` says the long run takes.

use weir_query::oracle;
use weir_query::record::OrderKey;

use super::degrading::{Turn, read_all, resume_all, turn};
use super::restarts::{Saved, Step, after, settled};
use super::windows::{kinds, sessions_scanned, texts};
use super::*;
use crate::live::{Refinement, Subscription, WindowKind};

/// Seeds of a usual run, and of a long one.
const SEEDS: u64 = 40;
const MANY_SEEDS: u64 = 5_000;
/// Metrics of one seed.
const METRICS: usize = 4;
/// What the oracle answers exactly as the machine does: the sketches of percentiles are not its own.
const INEXACT: &[&str] = &["percentile", "stdDev", "timeChart(level)"];
/// What cuts the whole range into buckets.
const BUCKETS: &[&str] = &["timeChart", "bucket("];
/// When results are pushed.
const TRIGGERS: &[&str] = &[
    "",
    "",
    "count(3)",
    "every(7s)",
    "watermark",
    "any(count(5), every(11s))",
    "all(count(2), every(3s))",
    "then(repeat(every(5s)), watermark, count(1))",
];

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// Events of now: most of the last minutes, some of soon, a few of long ago.
    fn events(&mut self, now: i64) -> Vec<Event> {
        let count = 1 + self.below(25);
        let mut one = || {
            let age = match self.below(10) {
                0 => self.below(100_000_000) as i64,
                1 => -(self.below(150_000) as i64),
                _ => self.below(150_000) as i64 - 20_000,
            };
            windows::event_at(now - age * 1_000_000, self.next())
        };
        (0..count).map(|_| one()).collect()
    }
}

/// What is asked, split where a session would be cut out.
type Query = (&'static str, &'static str);

struct Metric {
    query: Query,
    definition: MetricDefinition,
    subscription: Option<Subscription>,
}

fn metric(random: &mut Random) -> Metric {
    let mut definition = random.of(&kinds()).clone();
    let is_session = matches!(definition.kind, WindowKind::Session { .. });
    let all: Vec<Query> = laws().map(|(_, query)| ("", query)).collect();
    let query = if is_session { *random.of(windows::QUERIES) } else { *random.of(&all) };
    definition.query =
        if query.0.is_empty() { query.1.to_owned() } else { format!("{} | {}", query.0, query.1) };
    definition.trigger = (*random.of(TRIGGERS)).to_owned();
    definition.refinement = match *random.of(&Refinement::ALL) {
        Refinement::Discarding if is_session => Refinement::Accumulating,
        refinement => refinement,
    };
    if definition.kind == WindowKind::Sliding {
        definition.granule = Duration::from_secs(*random.of(&[1, 5, 7]));
    }
    definition.lateness = Duration::from_secs(*random.of(&[0, 1, 30]));
    Metric { query, definition, subscription: None }
}

/// What the oracle answers for the events of `range`.
fn answered(store: &Store, definition: &MetricDefinition, range: Range<i64>) -> Vec<String> {
    let events: Vec<oracle::Event> = store
        .sent
        .lock()
        .iter()
        .zip(1..)
        .filter(|(event, _)| range.contains(&event.nanos))
        .map(|(event, sequence)| {
            let json: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&event.json).unwrap();
            let text = |value: serde_json::Value| value.as_str().map_or(value.to_string(), str::to_owned);
            let time = ("@timestamp".to_owned(), event.nanos.div_euclid(1_000_000).to_string());
            let fields = json.into_iter().map(|(name, value)| (name, text(value))).chain([time]).collect();
            oracle::Event { fields, place: OrderKey { nanos: event.nanos, sequence } }
        })
        .collect();
    let options = Options { ending: Ending::Tail, is_standing: true, ..Options::default() };
    let context = Context {
        now_millis: store.now.load(Ordering::Relaxed) / 1_000_000,
        start_nanos: range.start,
        end_nanos: range.end,
        timezone: definition.timezone.clone(),
        ..Context::default()
    };
    let rows = oracle::run(&definition.query, &options, &context, &events).unwrap();
    let row = |row: &BTreeMap<String, String>| {
        let mut cells: Vec<String> = row.iter().map(|(name, value)| format!("{name}={value}")).collect();
        cells.sort_unstable();
        cells.join(" ")
    };
    rows.iter().map(row).collect()
}

/// What is read of `metric` is what history answers, and what the oracle does.
fn check(store: &Store, live: &Live, number: usize, metric: &Metric, what: &str) {
    let result = live.read(&format!("m{number}")).unwrap();
    let (range, found) = (result.start_nanos..result.end_nanos, texts(&result.table));
    let definition = &metric.definition;
    let what = format!("{what}: {definition:?}");
    if let WindowKind::Session { gap } = definition.kind {
        return assert_eq!(found, sessions_scanned(store, metric.query, range, gap), "{what}");
    }
    let scanned = texts(&scanned_in(store, &definition.query, range.clone(), &definition.timezone));
    assert_eq!(found, scanned, "{what}: live and scan");
    let kind = definition.compile(&Known::default()).unwrap().output_kind();
    // The oracle cuts time into buckets of UTC, and into none where it has no end.
    let is_cut = BUCKETS.iter().any(|name| definition.query.contains(name));
    let is_not_its_own = is_cut && (definition.kind == WindowKind::Global || !definition.timezone.is_empty());
    let is_exact = !is_not_its_own && !INEXACT.iter().any(|name| definition.query.contains(name));
    if kind == OutputKind::Aggregate && is_exact {
        assert_eq!(scanned, answered(store, definition, range), "{what}: scan and oracle");
    }
}

/// What was pushed of `metric` is what its refinement promises.
fn check_pushed(live: &Live, number: usize, metric: &Metric, is_whole: bool, what: &str) {
    let Some(subscription) = &metric.subscription else { return };
    let mut all = Vec::new();
    while let Received::Result { result, skipped } = subscription.try_receive() {
        all.push((result, skipped));
    }
    let what = format!("{what}: {:?}", metric.definition);
    match metric.definition.refinement {
        Refinement::Accumulating => {}
        Refinement::Retracting => {
            // A span that was given up while nobody looked is not told of, and nothing of it is retracted.
            let is_next = |pair: &&[(Arc<LiveResult>, u64)]| {
                let ([before, after], skipped) = ([&pair[0].0, &pair[1].0], pair[1].1);
                let is_closing =
                    matches!(metric.definition.kind, WindowKind::Tumbling | WindowKind::Calendar(_));
                skipped == 0 && !(is_closing && before.start_nanos != after.start_nanos) && !before.closed
            };
            for pair in all.windows(2).filter(is_next) {
                let ([before, after], gone) =
                    ([&pair[0].0, &pair[1].0].map(|one| texts(&one.table)), texts(&pair[1].0.retracted));
                let mut expected = before;
                for row in after {
                    if let Some(at) = expected.iter().position(|other| *other == row) {
                        expected.remove(at);
                    }
                }
                let sorted = |mut rows: Vec<String>| {
                    rows.sort_unstable();
                    rows
                };
                assert_eq!(sorted(gone), sorted(expected), "{what}");
            }
        }
        // All that ever came is in one window; what was not given out yet waits for its trigger.
        Refinement::Discarding if is_whole && metric.definition.kind == WindowKind::Global => {
            let mut given: u64 = all.iter().map(|(result, _)| result.events).sum();
            let events = live.read(&format!("m{number}")).unwrap().events;
            while metric.definition.trigger.is_empty()
                && given < events
                && let Received::Result { result, .. } = subscription.receive(PATIENCE)
            {
                given += result.events;
            }
            let is_right =
                if metric.definition.trigger.is_empty() { given == events } else { given <= events };
            assert!(is_right, "{what}: {given} of {events}");
        }
        Refinement::Discarding => {}
    }
}

fn run(seed: u64) {
    let mut random = Random(seed);
    let store = Store::new(*random.of(&[1, 64]));
    store.now.store(random.of(&windows::DAYS) * SECOND, Ordering::Relaxed);
    let saved = Saved::new(&store);
    let mut live = saved.open();
    let restarts = random.below(2) == 0;
    let mut metrics: Vec<Metric> = (0..METRICS).map(|_| metric(&mut random)).collect();
    let define = |live: &Live, number: usize, metric: &mut Metric| {
        live.define(&format!("m{number}"), metric.definition.clone()).unwrap();
        metric.subscription = live.subscribe(&format!("m{number}"), None).ok();
    };
    let early = random.below(METRICS + 1);
    for (number, metric) in metrics.iter_mut().enumerate().take(early) {
        define(&live, number, metric);
    }
    let mut batches: Vec<Vec<Event>> = Vec::new();
    for _ in 0..4 + random.below(8) {
        let now = store.now.load(Ordering::Relaxed);
        let now = match random.below(3) {
            0 => store.now.fetch_add(random.below(40) as i64 * SECOND, Ordering::Relaxed),
            _ => now,
        };
        let batch = match random.below(5) {
            // The sender did not hear that it was taken.
            0 if !batches.is_empty() => random.of(&batches).clone(),
            _ => random.events(now),
        };
        // While this is held, the live thread gets no further than one batch.
        let shared = Arc::clone(&live.shared);
        let held = (random.below(4) == 0).then(|| shared.tails.lock());
        for part in batch.chunks(1 + random.below(batch.len())) {
            store.append(part);
        }
        drop(held);
        batches.push(batch);
        let turns = [Turn::Nothing, Turn::Nothing, Turn::Defer, Turn::Read, Turn::Resume];
        turn(&live, (*random.of(&turns), random.below(5)));
        let step = *random.of(&[Step::Nothing, Step::Nothing, Step::Save, Step::Kill, Step::Close]);
        let is_settled = random.below(2) == 0;
        if restarts {
            live = after(&saved, live, (step, is_settled));
        }
    }
    for (number, metric) in metrics.iter_mut().enumerate().skip(early) {
        define(&live, number, metric);
    }
    read_all(&live);
    for (number, metric) in metrics.iter().enumerate() {
        check(&store, &live, number, metric, &format!("seed {seed}, while some are put off"));
    }
    resume_all(&live);
    for (number, pause) in [0, 15, 70].into_iter().enumerate() {
        store.now.fetch_add(pause * SECOND, Ordering::Relaxed);
        settled(&live);
        for (at, metric) in metrics.iter().enumerate() {
            check(&store, &live, at, metric, &format!("seed {seed}, look {number}"));
        }
    }
    for (number, metric) in metrics.iter().enumerate() {
        check_pushed(&live, number, metric, !restarts, &format!("seed {seed}"));
    }
}

fn of_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs `count` seeds from `first` on.
fn run_all(first: u64, count: u64) {
    let mut faults = Vec::new();
    for seed in first..first + count {
        if let Err(fault) = std::panic::catch_unwind(|| run(seed)) {
            let fault = fault.downcast_ref::<String>().map_or("it panicked", String::as_str);
            faults.push(format!("WEIR_SEED={seed}: {fault}"));
        }
        if (seed + 1).is_multiple_of(100) {
            println!("seeds {first} to {seed}: {} fail", faults.len());
        }
    }
    assert!(faults.is_empty(), "{} seeds fail:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn live_is_scan_is_oracle() {
    run_all(0, SEEDS);
}

#[test]
#[ignore = "it takes minutes"]
fn live_is_scan_is_oracle_for_many_seeds() {
    let (first, count) = (of_environment("WEIR_SEED"), of_environment("WEIR_SEEDS"));
    run_all(first.unwrap_or(0), count.unwrap_or(if first.is_some() { 1 } else { MANY_SEEDS }));
}

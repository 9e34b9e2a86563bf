//! The laws of the live path: live equals scan, whenever a metric is defined, whatever the order of arrival, after
//! a restart and after falling behind.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use proptest::prelude::*;
use weir_query::compile::{Ending, Known, Options};
use weir_query::machine::Context;
use weir_query::program::{OutputKind, Program};
use weir_query::result::ResultTable;

use super::{
    Followed, Live, LiveError, LiveOptions, LiveResult, LiveStatus, MAX_BUCKETS, MAX_NAME_CHARACTERS,
    MIN_METRIC_BYTES, MetricDefinition, Received, TimeBasis, check_name,
};
use crate::Snapshot;
use crate::event::{EventBatch, EventBatchBuilder, EventLimits, TagSet};
use crate::feed::{Feed, FeedSender, feed};
use crate::scan::{Scan, ScanOptions, ScanPool, Source};

mod bounded;
mod degrading;
mod emission;
mod known;
#[allow(unreachable_pub, reason = "integration tests use the file too")]
#[path = "../../tests/laws/queries.rs"]
mod queries;
mod restarts;
mod seeds;
mod sharing;
mod time;
mod windows;

const SECOND: i64 = 1_000_000_000;
/// The time it is in these tests, unless they move it.
const NOW: i64 = 1_700_000_000 * SECOND + 500_000_000;
const WINDOW: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(20);

/// A repository of batches in memory, with a clock of its own.
struct Store {
    batches: Mutex<Vec<Arc<EventBatch>>>,
    /// What is in them, in order.
    sent: Mutex<Vec<Event>>,
    feeds: Mutex<Vec<FeedSender>>,
    feed_batches: usize,
    now: Arc<AtomicI64>,
}

impl Store {
    fn new(feed_batches: usize) -> Arc<Store> {
        Arc::new(Store {
            batches: Mutex::default(),
            sent: Mutex::default(),
            feeds: Mutex::default(),
            feed_batches,
            now: Arc::new(AtomicI64::new(NOW)),
        })
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        let batches = self.batches.lock().clone();
        let up_to_sequence = batches.last().map_or(0, |batch| batch.base_sequence() + batch.len() as u64 - 1);
        Arc::new(Snapshot { batches, up_to_sequence, ..Snapshot::default() })
    }

    fn follow(&self) -> Feed {
        let (sender, follower) = feed(self.feed_batches, self.snapshot().up_to_sequence);
        self.feeds.lock().push(sender);
        follower
    }

    /// Stores events, then feeds them.
    fn append(&self, events: &[Event]) {
        self.append_tagged(events, &TagSet::none());
    }

    fn append_tagged(&self, events: &[Event], tags: &Arc<TagSet>) {
        let mut builder = EventBatchBuilder::new(EventLimits::default());
        for event in events {
            builder.push_json(event.json.as_bytes(), Some(event.nanos), tags, None).unwrap();
        }
        let previous = self.snapshot().up_to_sequence;
        let batch = Arc::new(builder.finish(self.now.load(Ordering::Relaxed)).with_sequence(previous + 1));
        self.batches.lock().push(Arc::clone(&batch));
        self.sent.lock().extend(events.iter().cloned());
        let last = previous + events.len() as u64;
        self.feeds.lock().retain(|sender| sender.publish(&batch, previous, last));
    }

    fn live(self: &Arc<Store>, definitions: Option<PathBuf>) -> Arc<Live> {
        Live::open(self.options(definitions)).unwrap()
    }

    fn options(self: &Arc<Store>, definitions: Option<PathBuf>) -> LiveOptions {
        let (history, followed, now) = (Arc::clone(self), Arc::clone(self), Arc::clone(&self.now));
        let mut options = LiveOptions::new(
            Arc::new(move || history.snapshot() as Arc<dyn Source>),
            Arc::new(move || followed.follow()),
            definitions,
        );
        options.clock = Arc::new(move || now.load(Ordering::Relaxed));
        options.tick = Duration::ZERO;
        // Clocks that are moved by hand say nothing about how far live is behind.
        options.degrading.max_lag = Duration::ZERO;
        options.pool = Some(pool());
        options
    }
}

fn pool() -> ScanPool {
    static POOL: std::sync::OnceLock<ScanPool> = std::sync::OnceLock::new();
    POOL.get_or_init(|| ScanPool::new(2)).clone()
}

#[derive(Clone, Debug)]
struct Event {
    nanos: i64,
    json: String,
}

/// An event `age` ms old; what is in it comes from `seed`.
fn event(age_millis: i64, seed: u64) -> Event {
    let pick = |shift: u32, of: u64| (seed >> shift) % of;
    let mut fields = vec![
        format!("\"service\":\"{}\"", ["api", "web", "db", "mail"][pick(0, 4) as usize]),
        format!("\"level\":\"{}\"", ["info", "warn", "error"][pick(8, 3) as usize]),
        format!("\"user\":\"u{}\"", pick(12, 23)),
        format!("\"status\":{}", 200 + 100 * pick(20, 4)),
        format!(
            "\"message\":\"user u{} {}\"",
            pick(12, 23),
            ["timed out", "timeout", "done"][pick(24, 3) as usize]
        ),
    ];
    if pick(32, 5) > 0 {
        fields.push(format!("\"latency\":{}.{}", pick(34, 300), pick(44, 10)));
    }
    if pick(48, 7) > 0 {
        fields.push(format!("\"bytes\":{}", pick(34, 100_000)));
    }
    Event { nanos: NOW - age_millis * 1_000_000, json: format!("{{{}}}", fields.join(",")) }
}

fn definition(query: &str) -> MetricDefinition {
    MetricDefinition { granule: Duration::from_secs(5), ..MetricDefinition::new(query, WINDOW) }
}

/// The metric of a law: with many buckets, few, and some that do not divide the window.
fn law(number: usize, query: &str) -> MetricDefinition {
    let granule = [1, 5, 7].get(number % 3).copied().unwrap_or(1);
    MetricDefinition { granule: Duration::from_secs(granule), ..definition(query) }
}

/// What history answers for the window of `live`.
fn scanned(store: &Store, query: &str, live: &LiveResult) -> ResultTable {
    scanned_between(store, query, live.start_nanos..live.end_nanos)
}

/// What history answers between two times.
fn scanned_between(store: &Store, query: &str, range: Range<i64>) -> ResultTable {
    scanned_in(store, query, range, "")
}

/// As [`scanned_between`], in a zone.
fn scanned_in(store: &Store, query: &str, range: Range<i64>, zone: &str) -> ResultTable {
    let program = definition(query).compile(&Known::default()).unwrap();
    let context = Context {
        now_millis: store.now.load(Ordering::Relaxed) / 1_000_000,
        start_nanos: range.start,
        end_nanos: range.end,
        timezone: zone.to_owned(),
        max_state_bytes: 1 << 28,
        ..Context::default()
    };
    let options = ScanOptions { pool: Some(pool()), ..ScanOptions::new(context) };
    Scan::start(store.snapshot(), program, options).unwrap().wait().unwrap().table
}

fn check_all(store: &Store, live: &Live, what: &str) {
    assert!(live.settle(PATIENCE), "{what}: it did not settle");
    for (number, query) in laws() {
        let result = live.read(&format!("q{number}")).unwrap();
        let expected = scanned(store, query, &result);
        let kind = definition(query).compile(&Known::default()).unwrap().output_kind();
        let (got, expected) = (rows_of(&result.table, kind), rows_of(&expected, kind));
        let differs = got.iter().zip(&expected).find(|(got, expected)| got != expected);
        assert_eq!((differs, got.len()), (None, expected.len()), "{what}: {query}");
        assert!(!result.backfilling, "{what}: {query}");
    }
}

/// Rows as text. The order of an event's fields means nothing; the order of computed columns does.
fn rows_of(table: &ResultTable, kind: OutputKind) -> Vec<String> {
    let row = |row: usize| {
        let cells = table.columns.iter().filter_map(|(name, column)| {
            let value = column.get(row)?;
            Some(format!("{name}={value:?}"))
        });
        let mut cells: Vec<String> = cells.collect();
        if kind == OutputKind::Events {
            cells.sort_unstable();
        }
        cells.join(" ")
    };
    (0..table.rows).map(row).collect()
}

/// The queries of the laws that compile; that all do is a test of its own.
fn laws() -> impl Iterator<Item = (usize, &'static str)> {
    let compiles = |query: &&str| definition(query).compile(&Known::default()).is_ok();
    queries::QUERIES.iter().copied().filter(compiles).enumerate()
}

#[test]
fn the_queries_of_the_laws_compile() {
    for query in queries::QUERIES {
        if let Err(fault) = definition(query).compile(&Known::default()) {
            panic!("{query}: {fault}");
        }
    }
}

fn define_all(live: &Live, of: impl Fn(usize) -> bool) {
    for (number, query) in laws().filter(|(number, _)| of(*number)) {
        live.define(&format!("q{number}"), law(number, query)).unwrap();
    }
}

/// Batches of events up to two windows old, a few doubled, in no order.
fn stream() -> impl Strategy<Value = Vec<Vec<Event>>> {
    let one = (0_i64..70_000, any::<u64>()).prop_map(|(age, seed)| event(age, seed));
    let batch = prop::collection::vec(one, 1..60);
    prop::collection::vec(batch, 1..8).prop_map(|mut batches| {
        let doubled = batches.first().cloned().into_iter().flatten().take(5);
        let doubled: Vec<Event> = doubled.collect();
        batches.push(doubled);
        batches
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 40, ..ProptestConfig::default() })]

    /// Whichever batches are there when a metric is defined, and whichever come then, live equals scan; it does
    /// after a restart too, and after more came than the feed holds.
    #[test]
    fn live_equals_scan(batches in stream(), cuts in any::<[prop::sample::Index; 3]>(), stalls in any::<[bool; 9]>(), feed_batches in prop::sample::select(vec![1_usize, 64]), indexed: bool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics");
        let store = Store::new(feed_batches);
        let live = store.live(Some(path.clone()));
        live.shared.standings.patience.store(usize::MAX, Ordering::Relaxed);
        let cuts = cuts.map(|cut| cut.index(batches.len()));
        // While this is held, the live thread gets no further than one batch, and the others wait or are missed.
        let mut held = None;
        for (at, batch) in batches.iter().enumerate() {
            match held.take() {
                None if stalls[at] => held = Some(live.shared.tails.lock()),
                None => {}
                Some(guard) if stalls[at] => held = Some(guard),
                Some(guard) => drop(guard),
            }
            for (part, _) in cuts.iter().enumerate().filter(|(_, cut)| **cut == at) {
                define_all(&live, |number| number / 3 % 3 == part);
                if indexed {
                    live.shared.standings.make_index();
                }
            }
            store.append(batch);
        }
        drop(held);
        check_all(&store, &live, "live");
        drop(live);
        let live = store.live(Some(path));
        check_all(&store, &live, "restarted");
        store.append(&batches[0]);
        check_all(&store, &live, "restarted, then more");
        store.now.fetch_add(20 * SECOND, Ordering::Relaxed);
        check_all(&store, &live, "later");
    }
}

fn count_of(live: &Live, name: &str) -> Arc<LiveResult> {
    assert!(live.settle(PATIENCE));
    live.read(name).unwrap()
}

#[test]
fn late_and_future_events_are_counted_and_in_the_result() {
    let store = Store::new(64);
    let live = store.live(None);
    live.define("m", MetricDefinition { lateness: Duration::from_secs(10), ..definition("count()") })
        .unwrap();
    store.append(&[event(2_000, 1), event(1_000, 2)]);
    let result = count_of(&live, "m");
    assert_eq!((result.events, result.status), (2, LiveStatus::Partial), "none in the open bucket");
    store.append(&[event(100, 1)]);
    assert_eq!(count_of(&live, "m").status, LiveStatus::Final);
    store.append(&[event(10_000, 3)]);
    let result = count_of(&live, "m");
    assert_eq!(
        (result.events, result.late, result.status),
        (4, 0, LiveStatus::Revised),
        "inside the lateness"
    );
    assert_eq!(count_of(&live, "m").revision, result.revision);
    store.append(&[event(30_000, 4), event(12_000, 5)]);
    let result = count_of(&live, "m");
    assert_eq!(
        (result.events, result.late, result.status),
        (6, 2, LiveStatus::Revised),
        "behind the watermark"
    );
    store.append(&[event(-20_000, 6), event(500_000, 7), event(-600_000, 8)]);
    let result = count_of(&live, "m");
    assert_eq!((result.events, result.future, result.dropped), (6, 2, 1), "two ahead, one out of the ring");
    assert_eq!(result.status, LiveStatus::Final);
    store.now.fetch_add(30 * SECOND, Ordering::Relaxed);
    let result = count_of(&live, "m");
    assert_eq!((result.events, result.status), (6, LiveStatus::Final), "one has come in, one has left");
    assert_eq!(result.watermark_nanos, Some(NOW + 20 * SECOND));
}

#[test]
fn ingest_time_is_another_clock() {
    let store = Store::new(64);
    store.append(&[event(5_000_000, 1)]);
    let live = store.live(None);
    let ingest = MetricDefinition { time: TimeBasis::Ingest, ..definition("count()") };
    live.define("m", ingest).unwrap();
    assert_eq!(count_of(&live, "m").events, 1, "from history");
    store.now.fetch_add(30 * SECOND, Ordering::Relaxed);
    store.append(&[event(9_000_000, 2), event(0, 2)]);
    assert_eq!(count_of(&live, "m").events, 3);
    store.now.fetch_add(45 * SECOND, Ordering::Relaxed);
    assert_eq!(count_of(&live, "m").events, 2, "the first has left the window");
}

#[test]
fn a_metric_over_its_bound_says_so() {
    let store = Store::new(64);
    let live = store.live(None);
    // What `collect` keeps cannot be narrowed as groups can.
    let bounded = MetricDefinition { max_bytes: MIN_METRIC_BYTES, ..definition("collect(@rawstring)") };
    live.define("m", bounded).unwrap();
    for batch in 0..20 {
        store.append(&(0..100).map(|seed| event(2_000, (batch * 100 + seed) << 34)).collect::<Vec<_>>());
    }
    let result = count_of(&live, "m");
    assert!(result.events + result.dropped == 2_000 && result.events > 0, "{result:?}");
    assert!(result.dropped > 0, "{result:?}");
    assert_eq!(result.status, LiveStatus::Partial);
    assert!(!result.table.warnings.is_empty() && !live.metric("m").unwrap().problem.is_empty());
    store.now.fetch_add(130 * SECOND, Ordering::Relaxed);
    let result = count_of(&live, "m");
    assert_eq!((result.events, result.status), (0, LiveStatus::Final), "{result:?}");
    assert!(result.table.warnings.is_empty() && live.metric("m").unwrap().problem.is_empty());
}

#[test]
fn subscriptions_are_pushed_conflated_and_closed() {
    let store = Store::new(1_000);
    let live = store.live(None);
    live.define("m", definition("count()")).unwrap();
    let first = count_of(&live, "m").revision;
    let resumed = live.subscribe("m", Some(first)).unwrap();
    assert!(matches!(resumed.try_receive(), Received::Waiting));
    let fresh = live.subscribe("m", None).unwrap();
    assert!(matches!(fresh.try_receive(), Received::Result { skipped: 0, .. }));
    let begun = Instant::now();
    store.append(&[event(0, 1)]);
    let Received::Result { result, .. } = resumed.receive(PATIENCE) else { panic!("nothing came") };
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(result.events == 1 && result.revision > first);
    for seed in 0..20 {
        store.append(&[event(0, seed)]);
        std::thread::sleep(Duration::from_millis(3));
    }
    assert!(live.settle(PATIENCE));
    std::thread::sleep(Duration::from_millis(20));
    let Received::Result { result, skipped } = resumed.receive(PATIENCE) else { panic!("nothing came") };
    assert!(skipped > 0 && result.events == 21, "{skipped} {}", result.events);
    live.define("m", definition("level=error | count()")).unwrap();
    assert!(
        matches!(resumed.receive(PATIENCE), Received::Result { .. }),
        "it goes on with the new definition"
    );
    assert!(live.drop_metric("m").unwrap() && !live.drop_metric("m").unwrap());
    while !matches!(resumed.receive(Duration::ZERO), Received::Closed) {}
    assert!(matches!(live.read("m"), Err(LiveError::Unknown(_))));
}

#[test]
fn a_revision_is_pushed_once() {
    let store = Store::new(64);
    let live = store.live(None);
    live.define("m", definition("count()")).unwrap();
    assert!(live.settle(PATIENCE));
    let fresh = live.subscribe("m", None).unwrap();
    let Received::Result { result, .. } = fresh.receive(PATIENCE) else { panic!("nothing came") };
    let resumed = live.subscribe("m", Some(result.revision)).unwrap();
    for subscription in [&fresh, &resumed] {
        let mut seen = result.revision;
        while let Received::Result { result, .. } = subscription.receive(Duration::from_millis(100)) {
            assert!(result.revision > seen, "{seen} came twice");
            seen = result.revision;
        }
    }
}

#[test]
fn a_waker_replaces_waiting() {
    let store = Store::new(64);
    let live = store.live(None);
    live.define("m", definition("count()")).unwrap();
    let subscription = live.subscribe("m", None).unwrap();
    let (sender, woken) = std::sync::mpsc::channel();
    subscription.set_waker(move || sender.send(()).unwrap_or_default());
    woken.recv_timeout(PATIENCE).unwrap();
    while !matches!(subscription.try_receive(), Received::Waiting) {}
    while woken.try_recv().is_ok() {}
    store.append(&[event(0, 1)]);
    woken.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn the_thread_leaves_and_comes_back() {
    let store = Store::new(64);
    let live = store.live(None);
    for round in 1..4 {
        live.define("m", definition("count()")).unwrap();
        store.append(&[event(0, round)]);
        assert_eq!(count_of(&live, "m").events, round);
        assert!(live.drop_metric("m").unwrap());
        let begun = Instant::now();
        while live.shared.thread.lock().is_some() && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(live.shared.thread.lock().is_none());
    }
}

#[test]
fn definitions_are_checked() {
    let live = Store::new(1).live(None);
    let base = || definition("count()");
    let second = Duration::from_secs(1);
    for (bad, what) in [
        (MetricDefinition { window: Duration::ZERO, ..base() }, "window"),
        (MetricDefinition { granule: Duration::ZERO, ..base() }, "granule"),
        (MetricDefinition { granule: WINDOW * 2, ..base() }, "granule"),
        (
            MetricDefinition { window: second * 100_000, granule: second, lateness: second, ..base() },
            "granules",
        ),
    ] {
        let fault = live.define("m", bad).unwrap_err();
        assert!(fault.to_string().contains(what), "{fault}");
    }
    let most = Duration::from_secs(MAX_BUCKETS);
    live.define("m", MetricDefinition { window: most, granule: second, lateness: Duration::ZERO, ..base() })
        .unwrap();
    for (name, fits) in [("", false), ("a/b", false), ("ä", false), ("a.b-c_d~1", true)] {
        assert_eq!(check_name(name).is_ok(), fits, "{name}");
    }
    for (characters, fits) in [(MAX_NAME_CHARACTERS, true), (MAX_NAME_CHARACTERS + 1, false)] {
        assert_eq!(check_name(&"x".repeat(characters)).is_ok(), fits, "{characters}");
    }
    assert!(live.define_temporary("t", base()).is_ok() && !live.metric("t").unwrap().kept);
}

fn stream_program(query: &str) -> Arc<Program> {
    Program::compile(query, &Options { ending: Ending::Stream, ..Options::default() }).unwrap()
}

#[test]
fn history_then_live_misses_nothing_and_doubles_nothing() {
    let store = Store::new(64);
    let live = store.live(None);
    store.append(&[event(1_000, 2 << 8), event(900, 0), event(800, 2 << 8)]);
    let follow = live.follow(stream_program("level=error"), Context::default()).unwrap();
    store.append(&[event(700, 2 << 8)]);
    let cut = store.snapshot().up_to_sequence;
    follow.skip_through(cut);
    store.append(&[event(10, 2 << 8), event(600, 2 << 8), event(500, 0)]);
    let Followed::Rows { table, rows, dropped } = follow.receive(PATIENCE) else { panic!("nothing came") };
    let sequences: Vec<u64> =
        rows.iter().map(|row| table.order.get(*row as usize).map_or(0, |key| key.sequence)).collect();
    assert_eq!(
        (sequences, dropped.is_none()),
        (vec![cut + 2, cut + 1], true),
        "oldest first, only those after the cut"
    );
    assert!(matches!(live.follow(stream_program("count()"), Context::default()), Err(LiveError::Aggregate)));
    live.close();
    assert!(matches!(follow.receive(PATIENCE), Followed::Closed { dropped } if dropped.is_none()));
}

#[test]
fn a_broken_definition_does_not_keep_a_repository_from_opening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics");
    let store = Store::new(64);
    let broken = BTreeMap::from([
        ("bad".to_owned(), definition("groupBy(")),
        ("good".to_owned(), definition("count()")),
    ]);
    super::keep::save(&path, &broken).unwrap();
    let live = store.live(Some(path.clone()));
    assert_eq!((live.list().len(), live.problems().len()), (1, 1));
    live.define("more", definition("count()")).unwrap();
    drop(live);
    let live = store.live(Some(path.clone()));
    assert_eq!((live.list().len(), live.problems().len()), (2, 1), "it is still on disk");
    assert!(live.drop_metric("bad").unwrap());
    assert_eq!(store.live(Some(path)).problems().len(), 0);
}

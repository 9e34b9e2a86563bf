//! One answer, wherever events lie: in the head, in sealed segments, or in a live ring, before and after a restart.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail where it stands"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use weir_engine::event::{EventBatch, EventBatchBuilder, EventLimits, TagSet};
use weir_engine::live::{HistoryRange, Live, LiveOptions, MAX_HISTORY_STEPS, MetricDefinition};
use weir_engine::scan::{NextRows, Scan, ScanEnd, ScanHandle, ScanOptions, Source};
use weir_engine::{AppendOptions, Engine, EngineConfig, Repository};
use weir_query::compile::{Ending, Options};
use weir_query::machine::Context;
use weir_query::program::{OutputKind, Program};
use weir_query::record::OrderKey;
use weir_query::result::ResultTable;

#[allow(unreachable_pub, reason = "the unit tests use the file too")]
#[path = "laws/queries.rs"]
mod queries;

const SECOND: i64 = 1_000_000_000;
const NOW: i64 = 1_700_000_000 * SECOND;
const PATIENCE: Duration = Duration::from_secs(60);

/// A small generator, so that every run sees the same events (xorshift*, Marsaglia 2003, Vigna 2016).
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % below
    }
}

fn batch(random: &mut Random, events: usize) -> EventBatch {
    let mut builder = EventBatchBuilder::new(EventLimits::default());
    for _ in 0..events {
        let service = ["api", "web", "db", "mail"][random.next(4) as usize];
        let level = ["info", "warn", "error"][random.next(3) as usize];
        let (user, status) = (random.next(40), 200 + 100 * random.next(4));
        let (latency, bytes) = (random.next(3_000) as f64 / 10.0, random.next(100_000));
        let message = format!("user u{user} {}", ["timed out", "timeout", "done"][random.next(3) as usize]);
        let mut json = format!("{{\"service\":\"{service}\",\"level\":\"{level}\",\"user\":\"u{user}\"");
        json += &format!(",\"status\":{status},\"message\":\"{message}\"");
        if random.next(5) > 0 {
            json += &format!(",\"latency\":{latency}");
        }
        if random.next(7) > 0 {
            json += &format!(",\"bytes\":{bytes}");
        }
        json += "}";
        let nanos = NOW - random.next(70_000) as i64 * 1_000_000;
        builder.push_json(json.as_bytes(), Some(nanos), &TagSet::none(), None).unwrap();
    }
    builder.finish(NOW)
}

fn open(folder: &Path) -> (Engine, Arc<Repository>) {
    let engine = Engine::open(EngineConfig { min_free_bytes: 0, ..EngineConfig::new(folder) }).unwrap();
    let repository = engine.create_repository("laws").unwrap();
    (engine, repository)
}

fn live_of(repository: &Arc<Repository>, folder: &Path) -> Arc<Live> {
    let (past, coming) = (Arc::clone(repository), Arc::clone(repository));
    let history = Arc::new(move || past.snapshot() as Arc<dyn Source>);
    let follow = Arc::new(move || coming.follow().1);
    let mut options = LiveOptions::new(history, follow, Some(folder.join("metrics")));
    options.clock = Arc::new(|| NOW);
    options.tick = Duration::ZERO;
    Live::open(options).unwrap()
}

fn append(repository: &Repository, batch: EventBatch) {
    repository.append_wait(batch, AppendOptions::default()).unwrap();
}

fn start(repository: &Repository, query: &str, options: ScanOptions) -> ScanHandle {
    let ending = if options.stream { Ending::Stream } else { Ending::Tail };
    let program = Program::compile(query, &Options { ending, ..Options::default() })
        .unwrap_or_else(|fault| panic!("{query}: {fault}"));
    Scan::start(repository.snapshot(), program, options).unwrap()
}

fn options(start_nanos: i64, end_nanos: i64) -> ScanOptions {
    let context = Context { now_millis: NOW / 1_000_000, start_nanos, end_nanos, ..Context::default() };
    ScanOptions::new(context)
}

/// The order of an event's fields means nothing; the order of computed columns does.
fn rows_of(table: &ResultTable, kind: OutputKind) -> Vec<String> {
    let row = |row: usize| {
        let cells =
            table.columns.iter().filter_map(|(name, column)| Some(format!("{name}={:?}", column.get(row)?)));
        let mut cells: Vec<String> = cells.collect();
        if kind == OutputKind::Events {
            cells.sort_unstable();
        }
        cells.join(" ").replace("Int(", "Text(").replace('"', "")
    };
    (0..table.rows).map(row).collect()
}

fn laws() -> Vec<(String, &'static str, OutputKind)> {
    let compiled = queries::QUERIES.iter().enumerate().filter_map(|(number, query)| {
        let program = Program::compile(query, &Options::default()).ok()?;
        Some((format!("q{number}"), *query, program.output_kind()))
    });
    compiled.collect()
}

fn answers(repository: &Repository, live: &Live) -> Vec<(String, Vec<String>)> {
    assert!(live.settle(PATIENCE));
    let mut answers = Vec::new();
    for (name, query, kind) in laws() {
        let result = live.read(&name).unwrap();
        let scan = start(repository, query, options(result.start_nanos, result.end_nanos)).wait().unwrap();
        assert!(!scan.partial, "{query}: {:?}", scan.table.warnings);
        let (found, measured) = (rows_of(&scan.table, kind), rows_of(&result.table, kind));
        let differs = found.iter().zip(&measured).find(|(found, measured)| found != measured);
        assert_eq!((differs, found.len()), (None, measured.len()), "scan and live: {query}");
        answers.push((query.to_owned(), found));
    }
    answers
}

#[test]
fn head_segments_and_rings_give_one_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, repository) = open(folder.path());
    let mut random = Random(7);
    append(&repository, batch(&mut random, 3_000));
    let live = live_of(&repository, folder.path());
    for (name, query, _) in laws() {
        let definition = MetricDefinition {
            granule: Duration::from_secs(5),
            ..MetricDefinition::new(query, Duration::from_secs(60))
        };
        live.define(&name, definition).unwrap();
    }
    append(&repository, batch(&mut random, 1_000));
    let head = answers(&repository, &live);
    repository.flush().unwrap();
    let sealed = answers(&repository, &live);
    for ((query, head), (_, sealed)) in head.iter().zip(&sealed) {
        let differs = head.iter().zip(sealed).find(|(head, sealed)| head != sealed);
        assert_eq!((differs, head.len()), (None, sealed.len()), "head and segments: {query}");
    }
    append(&repository, batch(&mut random, 500));
    let mixed = answers(&repository, &live);
    live.close();
    engine.shutdown();
    drop((live, repository, engine));
    let (_engine, repository) = open(folder.path());
    let live = live_of(&repository, folder.path());
    assert_eq!(live.list().len(), laws().len(), "definitions are kept");
    let restarted = answers(&repository, &live);
    for ((query, before), (_, after)) in mixed.iter().zip(&restarted) {
        let differs = before.iter().zip(after).find(|(before, after)| before != after);
        assert_eq!((differs, before.len()), (None, after.len()), "before and after a restart: {query}");
    }
}

#[test]
fn a_state_over_its_budget_ends_in_a_partial_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (_engine, repository) = open(folder.path());
    let mut random = Random(17);
    for _ in 0..4 {
        append(&repository, batch(&mut random, 3_000));
    }
    repository.flush().unwrap();
    for (max_state_bytes, end) in [(100 << 10, ScanEnd::MemoryBudget), (1 << 30, ScanEnd::Complete)] {
        let options = ScanOptions { max_state_bytes, ..options(i64::MIN, i64::MAX) };
        let result = start(&repository, "groupBy(@rawstring, limit=max)", options).wait().unwrap();
        assert_eq!((result.end, result.partial), (end, end == ScanEnd::MemoryBudget), "{max_state_bytes}");
        assert_eq!(result.table.warnings.is_empty(), end == ScanEnd::Complete, "{:?}", result.table.warnings);
        assert!(result.table.rows > 0);
    }
}

fn streamed(scan: &ScanHandle) -> Vec<OrderKey> {
    let mut keys = Vec::new();
    loop {
        match scan.next_rows(PATIENCE).unwrap() {
            NextRows::Rows(matches) => {
                keys.extend(matches.rows.iter().map(|row| matches.table.order[*row as usize]));
            }
            NextRows::Waiting => panic!("nothing came"),
            NextRows::Done => return keys,
        }
    }
}

#[test]
fn every_match_is_streamed_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let (_engine, repository) = open(folder.path());
    let mut random = Random(11);
    for round in 0..6 {
        append(&repository, batch(&mut random, 2_000));
        if round % 2 == 1 {
            repository.flush().unwrap();
        }
    }
    append(&repository, batch(&mut random, 100));
    let count = |query: &str| {
        let table = start(&repository, query, options(i64::MIN, i64::MAX)).wait().unwrap().table;
        table.text(0, "_count").unwrap().parse::<usize>().unwrap()
    };
    for (query, small) in
        [("*", false), ("level=error", false), ("user=u7 status>=400", true), ("nothing", false)]
    {
        let mut options = ScanOptions { stream: true, ..options(i64::MIN, i64::MAX) };
        if small {
            (options.max_output_rows, options.max_held_bytes) = (1, 1 << 20);
        }
        let keys = streamed(&start(&repository, query, options));
        assert_eq!(keys.len(), count(&format!("{query} | count()")), "{query}");
        assert!(keys.is_sorted_by(|newer, older| newer > older), "{query}");
    }
    let scan =
        start(&repository, "groupBy(level)", ScanOptions { stream: true, ..options(i64::MIN, i64::MAX) });
    let NextRows::Rows(matches) = scan.next_rows(PATIENCE).unwrap() else { panic!("no table") };
    assert_eq!((matches.rows.len(), matches.table.rows), (3, 3));
    assert!(matches!(scan.next_rows(PATIENCE).unwrap(), NextRows::Done));
}

#[test]
fn a_slow_reader_holds_the_scan_and_a_gone_one_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let (_engine, repository) = open(folder.path());
    let mut random = Random(13);
    for _ in 0..20 {
        append(&repository, batch(&mut random, 1_000));
        repository.flush().unwrap();
    }
    let slow = ScanOptions { stream: true, max_output_rows: 10, ..options(i64::MIN, i64::MAX) };
    let scan = start(&repository, "*", slow);
    assert!(matches!(scan.next_rows(PATIENCE).unwrap(), NextRows::Rows(_)));
    std::thread::sleep(Duration::from_millis(300));
    let stuck = scan.progress();
    assert!(!stuck.done, "it waits for its reader");
    scan.cancel();
    assert_eq!(scan.wait().unwrap().end, ScanEnd::Cancelled);
    assert!(matches!(scan.next_rows(PATIENCE).unwrap(), NextRows::Done));
}

#[test]
fn the_newest_and_the_oldest_need_few_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let (_engine, repository) = open(folder.path());
    for minute in 0..12 {
        let mut builder = EventBatchBuilder::new(EventLimits::default());
        for second in 0..2_000_i64 {
            let line = format!("minute {minute} tick {second}");
            builder
                .push_text(line.as_bytes(), Some((minute * 2_000 + second) * SECOND), &TagSet::none(), None)
                .unwrap();
        }
        append(&repository, builder.finish(NOW));
        if minute % 3 == 2 {
            repository.flush().unwrap();
        }
    }
    for (query, newest) in [("*", true), ("tail(200)", true), ("tick | tail(5)", true), ("head(10)", false)] {
        let result = start(&repository, query, options(i64::MIN, i64::MAX)).wait().unwrap();
        let stats = result.stats;
        assert!(!result.partial && stats.blocks_skipped_early > 0, "{query}: {stats:?}");
        assert!(stats.events_scanned <= 3 * 2_000, "{query}: {stats:?}");
        let first = result.table.order.iter().map(|key| key.nanos / SECOND).max().unwrap();
        assert_eq!(first, if newest { 23_999 } else { 9 }, "{query}");
    }
    let all = start(&repository, "count()", options(i64::MIN, i64::MAX)).wait().unwrap();
    assert_eq!(all.stats.events_scanned + all.stats.events_answered_by_facts, 24_000);
    assert!(all.stats.events_answered_by_facts >= 20_000, "{:?}", all.stats);
    let needle =
        start(&repository, "\"minute 4 tick 77\" | count()", options(i64::MIN, i64::MAX)).wait().unwrap();
    assert_eq!(needle.table.text(0, "_count").as_deref(), Some("11"), "{:?}", needle.stats);
    assert!(needle.stats.granules_pruned_by_index > 0, "{:?}", needle.stats);
    assert!(needle.stats.events_scanned < 8_000, "{:?}", needle.stats);
}

/// Each point of a metric's past is what a scan of its window gives, whatever steps, windows and granules are.
#[test]
fn points_of_the_past_are_what_scans_give() {
    let folder = tempfile::tempdir().unwrap();
    let (_engine, repository) = open(folder.path());
    let mut random = Random(11);
    (0..4).for_each(|_| append(&repository, batch(&mut random, 300)));
    let live = live_of(&repository, folder.path());
    let shapes = [(60, 5, 10), (10, 5, 7), (5, 1, 30), (30, 7, 1), (20, 20, 20)];
    for ((name, query, kind), (window, granule, step)) in laws().into_iter().zip(shapes.into_iter().cycle()) {
        let mut definition = MetricDefinition::new(query, Duration::from_secs(window));
        definition.granule = Duration::from_secs(granule);
        live.define(&name, definition).unwrap();
        let range = HistoryRange {
            start_nanos: NOW - 80 * SECOND,
            end_nanos: NOW + 5 * SECOND,
            step_nanos: step * SECOND,
        };
        let points = live.history(&name, range, PATIENCE).unwrap();
        assert_eq!(points.len() as i64, 85 / step + 1);
        for point in points.iter().step_by(3) {
            let (buckets, granule) = (window.div_ceil(granule) as i64, granule as i64 * SECOND);
            let end_nanos = (point.nanos.div_euclid(granule) + 1) * granule;
            let start_nanos = end_nanos - buckets * granule;
            let found = start(&repository, query, options(start_nanos, end_nanos)).wait().unwrap();
            assert_eq!(
                rows_of(&point.table, kind),
                rows_of(&found.table, kind),
                "{query} at {}",
                point.nanos - NOW
            );
        }
    }
}

#[test]
fn too_much_of_the_past_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_engine, repository) = open(folder.path());
    let live = live_of(&repository, folder.path());
    let mut definition = MetricDefinition::new("count()", Duration::from_secs(1));
    definition.granule = Duration::from_secs(1);
    live.define("m", definition).unwrap();
    let steps = MAX_HISTORY_STEPS as i64;
    for (span, step, refused) in [
        (steps - 1, 1, None),
        (steps, 1, Some("11001 steps")),
        (499_999, 100, None),
        (500_000, 100, Some("500001 granules")),
        (-1, 1, None),
    ] {
        let range = HistoryRange { start_nanos: 0, end_nanos: span * SECOND, step_nanos: step * SECOND };
        let answer = live.history("m", range, PATIENCE).map(|points| points.len());
        match (answer, refused) {
            (Ok(points), None) => assert_eq!(points as i64, (span / step + 1).max(0)),
            (Err(error), Some(words)) => assert!(error.to_string().contains(words), "{error}"),
            (answer, refused) => panic!("{span}: {answer:?}, not {refused:?}"),
        }
    }
}

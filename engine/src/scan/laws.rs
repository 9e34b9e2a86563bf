//! Whatever spares a scan reading rows (facts, runs of one time bucket, kept states), the answer is that of the rows.
//!
//! Random events are asked random questions twice: as sealed segments, and as the batches they came in, which have
//! neither facts nor order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use weir_query::compile::Options;
use weir_query::machine::Context;
use weir_query::program::{Program, ScanOrder};

use super::running::Running;
use super::sink::Layout;
use super::{STATE_CACHE_BYTES, Scan, ScanOptions, ScanPool, ScanResult, Source, StateCache};
use crate::event::{EventBatch, EventBatchBuilder, EventLimits, TagSet};
use crate::store::block::encode_blocks;
use crate::store::segment::{Segment, SegmentWriter};
use crate::store::snapshot::Snapshot;

const SECOND: i64 = 1_000_000_000;
/// Half past twelve, three seconds before a minute ends.
const START: i64 = 1_700_051_457 * SECOND;

/// An event: which form it has, what stands in it, its attributes and tags, and when after the one before it is.
type Event = (u8, u8, u8, u8, u32);

const FILTERS: &[&str] = &[
    "",
    "level=ERROR |",
    "level!=ERROR |",
    "level=* |",
    "level!=* |",
    "level=/^E/i |",
    "status>=300 |",
    "status>=300 level=ERROR |",
    "level=ERROR or status=200 |",
    "not (level=INFO or a.b=true) |",
    "#host=h1 |",
    "#host!=h1 |",
    "nothing=* |",
    "ERROR |",
    "x := upper(level) | x=ERROR |",
    "case { level=ERROR | kind := bad; * | kind := level } |",
    "default(field=level, value=none) |",
    "rename(level, as=grade) |",
    "@timestamp > 1700051500000 |",
];

const AGGREGATES: &[&str] = &[
    "count()",
    "count(level)",
    "count(status)",
    "count(level, distinct=true)",
    "groupBy(level)",
    "groupBy(kind)",
    "groupBy(grade)",
    "groupBy(#host)",
    "groupBy([level, #host])",
    "groupBy([level, status])",
    "groupBy(level, function=[count(), max(status)])",
    "groupBy(level, function={status>=300 | count()})",
    "groupBy(status, function=[max(status), min(status), range(status), count(status)])",
    "groupBy(level, function=selectLast(status))",
    "groupBy(#host, function=count(level, distinct=true))",
    "groupBy(level, function=collect(status))",
    "top(level)",
    "top(level, max=status)",
    "top(level, sum=status, as=s, percent=true)",
    "stats([min(level), max(status), sum(status)])",
    "percentile(status, percentiles=[50])",
    "fieldstats()",
    "groupBy(@timestamp)",
    "bucket(span=1m)",
    "bucket(span=20s, field=level)",
    "bucket(span=1m, function=[count(), max(status)])",
    "bucket(span=1m, function=avg(@timestamp))",
    "bucket(buckets=5, function=count(level))",
    "timeChart(level, span=1m)",
    "timeChart([level, #host], span=30s, function=max(status))",
    "timeChart(span=1d, timezone=\"America/New_York\")",
    "bucket(span=1s, function=selectLast(level))",
    "tail(3)",
    "head(3)",
];

fn raw((form, value, ..): &Event) -> Vec<u8> {
    let level = ["INFO", "WARN", "ERROR", "INFO"][usize::from(value % 4)];
    let status = [200, 301, 404, 500][usize::from(value / 4 % 4)];
    match form % 12 {
        0..=3 => format!(r#"{{"level":"{level}","status":{status}}}"#),
        4 => format!(r#"{{"level":"E\u0052ROR","status":"{status}"}}"#),
        5 => format!(r#"{{"status":{status}.50,"level":"WARN","level":"{level}"}}"#),
        6 => format!(r#"{{"level":null,"a":{{"b":true}},"n":{value}}}"#),
        7 => format!("plain {level} text {status}"),
        8 => format!(r##"{{"#host":"h9","@timestamp":"x","level":"{}"}}"##, "long".repeat(20)),
        9 => format!(r#"{{"a":{{"b":{status}}},"level":{status}}}"#),
        10 => format!(r#"{{"id":"{value}-{status}","level":""}}"#),
        _ => r#"{"status":1e3}"#.to_owned(),
    }
    .into_bytes()
}

fn batch(events: &[Event], begin: i64, sequence: u64) -> EventBatch {
    let sets: Vec<Arc<TagSet>> = [None, Some("h1"), Some("h2")]
        .map(|host| Arc::new(TagSet::new(host.map(|host| ("host", host)))))
        .to_vec();
    let attributes =
        [None, None, None, Some(r#"{"level":"ERROR"}"#), Some(r#"{"host":"a"}"#), Some(r#"{"status":"7"}"#)];
    let mut builder = EventBatchBuilder::new(EventLimits::default());
    let mut time = begin;
    for event in events {
        let (_, _, attribute, tags, gap) = *event;
        time += i64::from(gap) * 1_000_000;
        let attributes = attributes[usize::from(attribute) % attributes.len()];
        let tags = &sets[usize::from(tags) % sets.len()];
        builder.push_json(&raw(event), Some(time), tags, attributes).unwrap();
    }
    builder.finish(begin).with_sequence(sequence)
}

/// The events in batches of `shares`, each with forms, attributes and tags of its own kind.
fn batches(events: &[Event], shares: &[(usize, u8, u8, u8)]) -> Vec<Arc<EventBatch>> {
    let (mut rest, mut sequence, mut begin) = (events, 1, START);
    let mut batches = Vec::new();
    for (rows, forms, attributes, tags) in shares {
        let (own, others) = rest.split_at((*rows).min(rest.len()));
        rest = others;
        if own.is_empty() {
            break;
        }
        let own: Vec<Event> = own
            .iter()
            .map(|(form, value, attribute, tag, gap)| {
                (form % forms.max(&1), *value, attribute % attributes.max(&1), tag % tags.max(&1), *gap)
            })
            .collect();
        let made = Arc::new(batch(&own, begin, sequence));
        sequence += made.len() as u64;
        begin = made.timestamp(made.len() - 1) - 5 * SECOND;
        batches.push(made);
    }
    batches
}

fn segments(batches: &[Arc<EventBatch>]) -> Vec<Arc<Segment>> {
    let seal = |(id, batches): (u64, &[Arc<EventBatch>])| {
        let mut writer = SegmentWriter::new(Vec::new(), id).unwrap();
        for batch in batches {
            encode_blocks(std::slice::from_ref(batch), |block| writer.push(block)).unwrap();
        }
        Arc::new(Segment::from_bytes(writer.finish().unwrap().0.into(), id).unwrap())
    };
    (1..).zip(batches.chunks(2)).map(seal).collect()
}

fn ask(source: Arc<dyn Source>, program: &Arc<Program>, options: &ScanOptions) -> ScanResult {
    Scan::start(source, Arc::clone(program), options.clone()).unwrap().wait().unwrap()
}

/// All that a result says, but for what it cost.
fn told(result: &ScanResult) -> String {
    let table = &result.table;
    let column = |(name, column): &(Arc<str>, weir_query::record::Column)| {
        let cells: Vec<String> = (0..table.rows)
            .map(|row| column.get(row).map_or("-".to_owned(), |value| value.text().into_owned()))
            .collect();
        format!("{name}: {}", cells.join(" | "))
    };
    let columns: Vec<String> = table.columns.iter().map(column).collect();
    format!("{}\n{:?} {:?} {}", columns.join("\n"), table.warnings, table.notes, result.partial)
}

fn options(window: Option<(u32, u32)>, threads: &ScanPool) -> ScanOptions {
    let (start_nanos, end_nanos) = match window {
        None => (START - 3_600 * SECOND, START + 3_600 * SECOND),
        Some((start, len)) => {
            let start = START + i64::from(start) * 1_000_000;
            (start, start + i64::from(len) * 1_000_000)
        }
    };
    let context = Context { start_nanos, end_nanos, ..Context::default() };
    ScanOptions { pool: Some(threads.clone()), states: None, ..ScanOptions::new(context) }
}

fn event() -> impl Strategy<Value = Event> {
    (any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>(), 0_u32..400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_is_not_read_is_answered_alike(
        events in prop::collection::vec(event(), 1..600),
        repeat in 1_usize..6,
        shares in prop::collection::vec((1_usize..1_500, 0_u8..14, 0_u8..8, 0_u8..5), 1..6),
        window in prop::option::of((0_u32..60_000, 0_u32..90_000)),
        questions in prop::collection::vec((0..FILTERS.len(), 0..AGGREGATES.len()), 6),
        last in prop::option::weighted(0.2, 1_u64..800),
        states_bytes in prop::sample::select(vec![0, 200_000, STATE_CACHE_BYTES]),
    ) {
        let events: Vec<Event> = events.iter().cycle().take(events.len() * repeat).copied().collect();
        let batches = batches(&events, &shares);
        let up_to_sequence = batches.last().map_or(0, |batch| batch.base_sequence() + batch.len() as u64);
        let sealed = Arc::new(Snapshot { segments: segments(&batches), up_to_sequence, ..Snapshot::default() });
        let plain = Arc::new(Snapshot { batches, up_to_sequence, ..Snapshot::default() });
        let (pool, states) = (ScanPool::new(2), StateCache::new(states_bytes));
        for (filter, aggregate) in questions {
            let query = format!("{} {}", FILTERS[filter], AGGREGATES[aggregate]);
            let program = Program::compile(&query, &Options::default()).expect(&query);
            let mut options = options(window, &pool);
            options.last_sequence = last.unwrap_or(u64::MAX);
            // A window that stays, then moves; and the first time nothing is kept.
            let mut rows = ask(plain.clone(), &program, &options);
            for turn in 0..4 {
                if turn == 3 {
                    options.context.start_nanos += 20 * SECOND;
                    options.context.end_nanos += 20 * SECOND;
                    rows = ask(plain.clone(), &program, &options);
                }
                options.states = (turn > 0).then(|| Arc::clone(&states));
                let found = ask(sealed.clone(), &program, &options);
                prop_assert_eq!(told(&found), told(&rows), "turn {}: {}", turn, &query);
                if program.scan_order() == ScanOrder::Any {
                    prop_assert_eq!(found.stats.events_matched, rows.stats.events_matched, "{}", &query);
                }
            }
        }
    }
}

/// Two threads take turns here, and somebody looks at what they have learnt after each turn.
#[test]
fn who_looks_at_a_scan_changes_nothing() {
    let events: Vec<Event> = (0..36_000_u32).map(|at| (0, (at * 7) as u8, 0, (at % 3) as u8, 4)).collect();
    // The first block is more than one group of granules: it is looked at while it is open. The others are a group each, however
    // long groups become where they take little time: there are enough of them.
    let blocks = [20_000, 3_000, 3_000, 3_000, 3_000, 3_000, 1_000];
    let batches = batches(&events, &blocks.map(|events| (events, 1, 1, 3)));
    let sealed = Snapshot { segments: segments(&batches), up_to_sequence: 99_999, ..Snapshot::default() };
    let (pool, mut looks) = (ScanPool::new(2), 0);
    for (aggregate, states_bytes) in AGGREGATES.iter().zip([0, STATE_CACHE_BYTES].into_iter().cycle()) {
        let query = format!("status>200 | {aggregate}");
        let program = Program::compile(&query, &Options::default()).unwrap();
        let mut options = options(None, &pool);
        let plain = ask(Arc::new(sealed.clone()), &program, &options);
        let states = StateCache::new(states_bytes);
        options.states = Some(Arc::clone(&states));
        let running = Running::new(&sealed, Arc::clone(&program), &options, Layout::One, 2);
        for turn in 0..100_000 {
            if running.is_ended() {
                break;
            }
            running.take(turn % 2);
            running.work_guarded(turn % 2, Duration::from_micros(20));
            running.partial().unwrap();
            *running.partial.lock() = None;
            looks += 1;
        }
        let found = running.result().unwrap();
        assert_eq!(told(&found), told(&plain), "{query}");
        if program.scan_order() == ScanOrder::Any {
            assert_eq!(found.stats.events_matched, plain.stats.events_matched, "{query}");
        }
        let again = ask(Arc::new(sealed.clone()), &program, &options);
        assert_eq!(told(&again), told(&plain), "of what was kept: {query}");
    }
    assert!(looks > 5 * AGGREGATES.len(), "{looks}");
}

#[test]
fn facts_answer_what_they_can() {
    let events: Vec<Event> = (0..3_000_u32).map(|at| (0, at as u8, 0, (at % 3) as u8, 40)).collect();
    let batches = batches(&events, &[(3_000, 1, 1, 3)]);
    let sealed: Arc<dyn Source> =
        Arc::new(Snapshot { segments: segments(&batches), up_to_sequence: 9_999, ..Snapshot::default() });
    let pool = ScanPool::new(1);
    for (query, answered) in [
        ("count()", true),
        ("groupBy(level)", true),
        ("level=ERROR | count()", true),
        ("status>=300 | groupBy(status)", true),
        ("x := lower(level) | groupBy(x)", true),
        ("groupBy(#host, function=count())", true),
        ("count(level, distinct=true)", true),
        ("bucket(span=1d)", true),
        ("timeChart(level, span=1d)", true),
        ("bucket(span=1m)", false),
        ("groupBy([level, status])", false),
        ("ERROR | count()", false),
        ("groupBy(level, function=sum(status))", false),
        ("groupBy(@timestamp)", false),
        ("tail(10)", false),
    ] {
        let program = Program::compile(query, &Options::default()).unwrap();
        let stats = ask(Arc::clone(&sealed), &program, &options(None, &pool)).stats;
        let (facts, rows) = if answered { (3_000, 0) } else { (0, 3_000) };
        assert_eq!(stats.events_answered_by_facts, facts, "{query}");
        if query != "tail(10)" {
            assert_eq!(stats.events_scanned, rows, "{query}");
        }
        let blocks = stats.blocks_scanned + stats.blocks_answered_by_facts;
        assert_eq!((blocks, stats.granules_scanned + stats.granules_answered_by_facts > 0), (1, true));
    }
}

#[test]
fn what_was_learnt_of_a_segment_stays_as_long_as_it() {
    let events: Vec<Event> = (0..3_000_u32).map(|at| (0, at as u8, 0, 0, 40)).collect();
    let batches = batches(&events, &[(1_000, 1, 1, 1), (1_000, 1, 1, 1), (1_000, 1, 1, 1)]);
    let mut segments = segments(&batches);
    let source = |segments: &[Arc<Segment>]| -> Arc<dyn Source> {
        let segments = segments.to_vec();
        Arc::new(Snapshot { segments, up_to_sequence: 9_999, ..Snapshot::default() })
    };
    let states = StateCache::new(STATE_CACHE_BYTES);
    let options = ScanOptions { states: Some(Arc::clone(&states)), ..options(None, &ScanPool::new(2)) };
    let program =
        Program::compile("status>200 | groupBy(level, function=sum(status))", &Options::default()).unwrap();
    for (read, kept) in [(3_000, 0), (0, 3_000)] {
        let stats = ask(source(&segments), &program, &options).stats;
        assert_eq!((stats.events_scanned, stats.events_answered_by_states), (read, kept));
    }
    assert_eq!((states.stats().hits, states.stats().misses, states.stats().entries), (3, 3, 3));
    let again = ScanOptions { states: None, ..options.clone() };
    assert_eq!(
        ask(source(&segments), &program, &again).stats.events_scanned,
        3_000,
        "read anew when asked to"
    );
    let other = Program::compile("status>200 | groupBy(level, function=avg(status))", &Options::default());
    assert_eq!(ask(source(&segments), &other.unwrap(), &options).stats.events_answered_by_states, 0);
    assert_eq!(states.stats().entries, 6);
    // Two blocks were in the first segment.
    drop(segments.remove(0));
    // A thread of the pool may still be about to let go of the scan that read it.
    let begun = Instant::now();
    while states.stats().entries > 2 && begun.elapsed() < Duration::from_secs(20) {
        std::thread::yield_now();
    }
    assert_eq!(states.stats().entries, 2);
    states.clear();
    assert_eq!((states.stats().entries, states.stats().bytes), (0, 0));
    let now = Program::compile("x := now() | groupBy(x, function=sum(status))", &Options::default()).unwrap();
    for now_millis in [1_000, 2_000] {
        let mut options = options.clone();
        options.context.now_millis = now_millis;
        assert_eq!(ask(source(&segments), &now, &options).stats.events_scanned, 1_000, "another moment");
    }
}

#[test]
fn after_a_state_too_large_to_keep_no_block_is_learnt_apart() {
    let events: Vec<Event> = (0..3_000_u32).map(|at| (0, at as u8, 0, 0, 40)).collect();
    let batches = batches(&events, &[(1_000, 1, 1, 1), (1_000, 1, 1, 1), (1_000, 1, 1, 1)]);
    let sealed: Arc<dyn Source> =
        Arc::new(Snapshot { segments: segments(&batches), up_to_sequence: 9_999, ..Snapshot::default() });
    let program =
        Program::compile("status>200 | groupBy(level, function=sum(status))", &Options::default()).unwrap();
    let options = options(None, &ScanPool::new(1));
    let plain = ask(Arc::clone(&sealed), &program, &options);
    // No state fits into its share of this.
    let states = StateCache::new(1);
    let options = ScanOptions { states: Some(Arc::clone(&states)), ..options };
    let found = ask(sealed, &program, &options);
    assert_eq!(told(&found), told(&plain));
    assert_eq!(found.stats.events_matched, plain.stats.events_matched);
    // It is looked for what others kept, all the same.
    assert_eq!((states.stats().misses, states.stats().entries), (3, 0));
}

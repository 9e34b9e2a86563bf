//! Every kind of window equals scan, whatever the order of arrival; windows that end are told of once.

use super::*;
use crate::live::{CalendarUnit, SESSION_END, SESSION_START, WindowKind};

/// What passes, and what is asked of it.
pub(super) const QUERIES: &[(&str, &str)] = &[
    ("*", "count()"),
    ("level=error", "groupBy(service, function=[count(), avg(latency), max(bytes)])"),
    ("service=api or service=db", "groupBy(level, function=percentile(latency)) | sort(level)"),
    ("level!=info", "top(user)"),
];

pub(super) fn kinds() -> Vec<MetricDefinition> {
    let gap = |seconds| WindowKind::Session { gap: Duration::from_secs(seconds) };
    let over = |kind, seconds, zone: &str| MetricDefinition {
        timezone: zone.to_owned(),
        ..MetricDefinition::new("*", Duration::from_secs(seconds)).over(kind)
    };
    vec![
        over(WindowKind::Sliding, 60, ""),
        over(WindowKind::Tumbling, 60, ""),
        over(WindowKind::Tumbling, 50, ""),
        over(WindowKind::Global, 60, ""),
        over(WindowKind::Calendar(CalendarUnit::Hour), 60, "Asia/Kolkata"),
        over(WindowKind::Calendar(CalendarUnit::Day), 60, "Europe/Berlin"),
        over(WindowKind::Calendar(CalendarUnit::Week), 60, "America/New_York"),
        over(WindowKind::Calendar(CalendarUnit::Month), 60, "+05:45"),
        over(gap(1), 120, ""),
        over(gap(7), 120, ""),
        over(gap(4_000), 100_000, ""),
    ]
}

pub(super) fn event_at(nanos: i64, seed: u64) -> Event {
    Event { nanos, ..event(0, seed) }
}

/// Rows as text, cells by name: whose columns come first depends on the session that first has a value in them.
pub(super) fn texts(table: &ResultTable) -> Vec<String> {
    let row = |row: usize| {
        let names = table.columns.iter().map(|(name, _)| name);
        let cells = names.filter_map(|name| Some(format!("{name}={}", table.text(row, name)?)));
        let mut cells: Vec<String> = cells.collect();
        cells.sort_unstable();
        cells.join(" ")
    };
    (0..table.rows).map(row).collect()
}

/// The sessions between two times found one by one, each scanned for itself.
pub(super) fn sessions_scanned(
    store: &Store,
    (filter, rest): (&str, &str),
    range: Range<i64>,
    gap: Duration,
) -> Vec<String> {
    let passed = format!("{filter} | groupBy(@timestamp, limit=20000)");
    let table = scanned_between(store, &passed, range);
    let time = |row| table.text(row, "@timestamp").and_then(|text| text.parse::<i64>().ok());
    let mut times: Vec<i64> = (0..table.rows).filter_map(time).collect();
    times.sort_unstable();
    let gap = i64::try_from(gap.as_millis()).unwrap();
    let mut rows = Vec::new();
    for session in times.chunk_by(|one, next| next - one <= gap) {
        let (first, last) = (session[0], session[session.len() - 1]);
        let query = format!("{filter} | {rest}");
        let table = scanned_between(store, &query, first * 1_000_000..last * 1_000_000 + 1);
        rows.extend(texts(&table).iter().map(|row| {
            let ends = [format!("{SESSION_START}={first}"), format!("{SESSION_END}={last}")];
            let mut cells: Vec<&str> = row.split(' ').chain(ends.iter().map(String::as_str)).collect();
            cells.sort_unstable();
            cells.join(" ")
        }));
    }
    rows
}

fn check(store: &Store, live: &Live, what: &str) {
    check_spans(store, live, 60, what);
}

/// As [`check`], where a span that has ended may be shown for some seconds.
pub(super) fn check_spans(store: &Store, live: &Live, seconds: i64, what: &str) {
    assert!(live.settle(PATIENCE), "{what}: it did not settle");
    settle_repairs(live);
    for (at, definition) in kinds().iter().enumerate() {
        for (number, (filter, rest)) in QUERIES.iter().enumerate() {
            let result = live.read(&format!("{at}-{number}")).unwrap();
            let range = result.start_nanos..result.end_nanos;
            let now = store.now.load(Ordering::Relaxed);
            // A span is shown until what is late has come.
            let late = i64::try_from((definition.lateness + definition.idle_timeout).as_secs()).unwrap();
            let shown_from = now - seconds.max(late) * SECOND;
            assert!(range.start <= now && range.end >= shown_from, "{what}: {range:?} at {now}");
            let expected = match definition.kind {
                WindowKind::Session { gap } => sessions_scanned(store, (filter, rest), range, gap),
                _ => texts(&scanned_between(store, &format!("{filter} | {rest}"), range)),
            };
            let what = format!("{what}: {filter} | {rest} over {:?}", definition.kind);
            assert_eq!(texts(&result.table), expected, "{what}");
        }
    }
}

/// Until nothing is read any more of what came before its time.
pub(super) fn settle_repairs(live: &Live) {
    while live.list().iter().any(|metric| live.read(&metric.name).unwrap().backfilling) {
        assert!(live.settle(PATIENCE));
    }
}

pub(super) fn define(live: &Live, of: impl Fn(usize) -> bool) {
    for (at, definition) in kinds().into_iter().enumerate() {
        for (number, (filter, rest)) in QUERIES.iter().enumerate().filter(|(number, _)| of(at + number)) {
            let query = format!("{filter} | {rest}");
            live.define(&format!("{at}-{number}"), MetricDefinition { query, ..definition.clone() }).unwrap();
        }
    }
}

/// Seconds at which days of 25, 23 and 24 hours are about to end in Berlin.
pub(super) const DAYS: [i64; 3] = [1_730_069_990, 1_711_922_390, 1_700_000_000];

/// Batches of events: most of the last minutes and from soon, some up to a day old; a few doubled.
pub(super) fn arrivals() -> impl Strategy<Value = Vec<Vec<(i64, u64)>>> {
    let age = prop_oneof![6 => -30_000_i64..150_000, 1 => 0_i64..100_000_000, 1 => -150_000_i64..0];
    let batch = prop::collection::vec((age, any::<u64>()), 1..40);
    prop::collection::vec(batch, 1..6).prop_map(|mut batches| {
        let doubled = batches.first().map(|batch| batch.iter().copied().take(4).collect());
        batches.extend(doubled);
        batches
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn every_window_equals_scan(batches in arrivals(), parts in any::<[prop::sample::Index; 3]>(), steps in prop::collection::vec(0_i64..40, 6), day in prop::sample::select(DAYS.to_vec())) {
        let store = Store::new(64);
        store.now.store(day * SECOND, Ordering::Relaxed);
        let live = store.live(None);
        for (at, batch) in batches.iter().enumerate() {
            for (part, _) in parts.iter().enumerate().filter(|(_, part)| part.index(batches.len()) == at) {
                define(&live, |number| number % 3 == part);
            }
            let now = store.now.fetch_add(steps[at] * SECOND, Ordering::Relaxed) + steps[at] * SECOND;
            let events = batch.iter().map(|(age, seed)| event_at(now - age * 1_000_000, *seed));
            store.append(&events.collect::<Vec<_>>());
        }
        check(&store, &live, "live");
        store.now.fetch_add(15 * SECOND, Ordering::Relaxed);
        check(&store, &live, "later");
        store.now.fetch_add(50 * SECOND, Ordering::Relaxed);
        check(&store, &live, "much later");
    }
}

/// Starts 20.5 s before `NOW`, ends 39.5 s after it.
fn tumbling() -> MetricDefinition {
    definition("count()").over(WindowKind::Tumbling)
}

/// Of a pushed result: seconds from `NOW` to its end, its events, whether it is the last of its span.
fn facts(result: &LiveResult) -> (i64, u64, bool) {
    ((result.end_nanos - NOW) / SECOND, result.events, result.closed)
}

/// What was pushed, without what came again.
fn pushed(subscription: &crate::live::Subscription) -> Vec<(i64, u64, bool)> {
    let mut all = Vec::new();
    while let Received::Result { result, .. } = subscription.receive(Duration::from_millis(150)) {
        all.push(facts(&result));
    }
    all.dedup();
    all
}

#[test]
fn a_span_is_told_of_once_when_nothing_more_is_expected_of_it() {
    let store = Store::new(64);
    let live = store.live(None);
    live.define("m", MetricDefinition { lateness: Duration::from_secs(5), ..tumbling() }).unwrap();
    assert!(live.settle(PATIENCE));
    let subscription = live.subscribe("m", None).unwrap();
    store.append(&[event(0, 1), event(20_501, 2)]);
    assert_eq!(pushed(&subscription).last(), Some(&(39, 1, false)));
    let later = |seconds: i64| store.now.fetch_add(seconds * SECOND, Ordering::Relaxed);
    later(41);
    store.append(&[event(-40_000, 1), event(-38_000, 1)]);
    assert_eq!(pushed(&subscription), [(39, 2, false)], "the span has ended, but events may still come");
    later(4);
    store.append(&[event(-39_000, 1), event(-45_000, 1)]);
    assert_eq!(pushed(&subscription), [(39, 3, true), (99, 2, false)]);
    later(60);
    assert_eq!(facts(&count_of(&live, "m")), (159, 0, false), "silence ends it too");
    assert_eq!(pushed(&subscription).first(), Some(&(99, 2, true)));
}

#[test]
fn a_slow_reader_misses_no_span() {
    let store = Store::new(64);
    let live = store.live(None);
    live.define("m", tumbling()).unwrap();
    let subscription = live.subscribe("m", None).unwrap();
    for round in 0..5 {
        store.append(&[event(-60_000 * round, 1), event(-60_000 * round, 2)]);
        assert_eq!(facts(&count_of(&live, "m")), (39 + 60 * round, 2, false));
        store.now.fetch_add(60 * SECOND, Ordering::Relaxed);
    }
    let all = pushed(&subscription);
    let spans: Vec<_> = all.iter().filter(|(_, _, closed)| *closed).collect();
    assert_eq!(spans, [0, 1, 2, 3].map(|round| (39 + 60 * round, 2, true)).iter().collect::<Vec<_>>());
    assert!(all.len() <= 6, "all else but the latest is left out: {all:?}");
}

#[test]
fn a_source_that_stays_behind_does_not_hold_a_span_for_ever() {
    let store = Store::new(64);
    let live = store.live(None);
    live.define("m", MetricDefinition { lateness: Duration::ZERO, ..tumbling() }).unwrap();
    store.append(&[event(0, 1)]);
    assert_eq!(facts(&count_of(&live, "m")), (39, 1, false));
    for (step, end) in [(40, 39), (4, 39), (6, 99)] {
        store.now.fetch_add(step * SECOND, Ordering::Relaxed);
        store.append(&[event(1_000, 1)]);
        assert_eq!(facts(&count_of(&live, "m")).0, end, "after {step} s");
    }
}

#[test]
fn a_late_event_joins_sessions() {
    let store = Store::new(64);
    let live = store.live(None);
    let gap = Duration::from_secs(5);
    live.define("m", definition("count()").over(WindowKind::Session { gap })).unwrap();
    store.append(&[event(20_000, 1), event(18_000, 1), event(10_000, 1)]);
    let counts = |result: &LiveResult| {
        (0..result.table.rows).map(|row| result.table.text(row, "_count").unwrap().into_owned()).collect()
    };
    let sessions: Vec<String> = counts(&count_of(&live, "m"));
    assert_eq!(sessions, ["2", "1"]);
    store.append(&[event(14_000, 1)]);
    let result = count_of(&live, "m");
    let sessions: Vec<String> = counts(&result);
    assert_eq!(sessions, ["4"]);
    let millis = |age: i64| (NOW / 1_000_000 - age).to_string();
    assert_eq!(result.table.text(0, SESSION_START).unwrap(), millis(20_000));
    assert_eq!(result.table.text(0, SESSION_END).unwrap(), millis(10_000));
}

#[test]
fn only_so_many_sessions_are_shown() {
    use crate::live::MAX_SESSIONS;
    let store = Store::new(64);
    let live = store.live(None);
    let session = WindowKind::Session { gap: Duration::from_secs(1) };
    let window = Duration::from_secs(4_000);
    live.define("m", MetricDefinition::new("count()", window).over(session)).unwrap();
    let of = |count: usize| (0..count).map(|at| event(at as i64 * 2_000, 1)).collect::<Vec<_>>();
    store.append(&of(MAX_SESSIONS));
    let result = count_of(&live, "m");
    assert_eq!((result.table.rows, result.table.warnings.len()), (MAX_SESSIONS, 0));
    store.append(&[event(MAX_SESSIONS as i64 * 2_000, 1)]);
    let result = count_of(&live, "m");
    assert_eq!((result.table.rows, result.table.warnings.len()), (MAX_SESSIONS, 1));
    assert_eq!(result.events, MAX_SESSIONS as u64 + 1);
}

#[test]
fn what_does_not_go_together_is_refused() {
    let live = Store::new(1).live(None);
    let base = || MetricDefinition::new("count()", WINDOW);
    let seconds = Duration::from_secs;
    let day = || base().over(WindowKind::Calendar(CalendarUnit::Day));
    let month = || base().over(WindowKind::Calendar(CalendarUnit::Month));
    let session = |gap| base().over(WindowKind::Session { gap: seconds(gap) });
    for (definition, fault) in [
        (MetricDefinition { granule: seconds(7), ..base().over(WindowKind::Tumbling) }, "whole number"),
        (MetricDefinition { granule: seconds(12), ..base().over(WindowKind::Tumbling) }, ""),
        (MetricDefinition { granule: seconds(7), ..day() }, "15 minutes"),
        (MetricDefinition { granule: seconds(1_800), ..day() }, "15 minutes"),
        (MetricDefinition { granule: seconds(300), ..day() }, ""),
        (MetricDefinition { timezone: "Mars/Olympus".to_owned(), ..day() }, "not known"),
        (MetricDefinition { timezone: "+05:47".to_owned(), ..day() }, "offset"),
        (MetricDefinition { timezone: "+05:47".to_owned(), granule: seconds(60), ..day() }, ""),
        (MetricDefinition { granule: seconds(1), ..month() }, "granules long"),
        (MetricDefinition { granule: seconds(60), ..month() }, ""),
        (session(0), "granule"),
        (session(1), ""),
        (session(60), ""),
        (session(61), "gap"),
        (MetricDefinition { granule: seconds(10), ..session(5) }, "gap"),
        (MetricDefinition { time: TimeBasis::Ingest, ..session(5) }, "ingest"),
        (MetricDefinition { window: Duration::ZERO, ..base() }.over(WindowKind::Global), ""),
    ] {
        let found = live.define("m", definition.clone()).err().map(|error| error.to_string());
        let found = found.unwrap_or_default();
        assert!(found.contains(fault) && found.is_empty() == fault.is_empty(), "{definition:?}: {found}");
    }
}

#[test]
fn a_day_that_was_read_before_its_end_is_shown_until_what_is_late_has_come() {
    let store = Store::new(64);
    store.now.store(1_711_922_397 * SECOND, Ordering::Relaxed);
    let live = store.live(None);
    define(&live, |_| true);
    store.append(&[event_at(1_711_922_397 * SECOND, 196_321_575_944)]);
    for (seconds, what) in [(0, "before its end"), (15, "after it"), (50, "a minute after it")] {
        store.now.fetch_add(seconds * SECOND, Ordering::Relaxed);
        check(&store, &live, what);
    }
}

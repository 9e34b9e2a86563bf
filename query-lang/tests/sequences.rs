//! Functions over rows in their order: a query, events, the rows expected in the order they stand in.
//!
//! Rows are written as `field=value field=value`; meta fields are left out.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use weir_query::compile::Options;
use weir_query::machine::{Context, Machine, StepError};
use weir_query::program::{OutputKind, Program};
use weir_query::record::Selection;
use weir_query::result::ResultTable;

/// Events with `@timestamp` 1000, 2000 ..
const EVENTS: &[&str] = &["k=a n=1", "k=a n=4 end=true", "k=b n=11", "k=b", "k=a n=5 end=true", "k=b n=1"];

fn table(lines: &[&str]) -> ResultTable {
    let event = |(at, line): (usize, &&str)| {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        };
        let mut fields: Vec<(String, String)> = line.split(' ').map(pair).collect();
        if fields.iter().all(|(name, _)| name != "@timestamp") {
            fields.push(("@timestamp".to_owned(), ((at + 1) * 1000).to_string()));
        }
        fields
    };
    ResultTable::of_events(&lines.iter().enumerate().map(event).collect::<Vec<_>>())
}

fn run(text: &str, events: &ResultTable) -> Result<ResultTable, StepError> {
    let program = Program::compile(text, &Options::default())
        .unwrap_or_else(|faults| panic!("{text}\n{}", faults.render(text, false)));
    let mut machine = Machine::new(program, Context::default());
    let created = machine.created();
    let rows = created.as_ref().unwrap_or(events);
    let mut state = machine.new_state();
    machine.step(rows, Selection::all(rows.rows), &mut state)?;
    machine.finish(&state)
}

fn lines(table: &ResultTable) -> Vec<String> {
    let row = |row: usize| {
        let mut cells: Vec<String> = table
            .columns
            .iter()
            .filter(|(name, _)| !name.starts_with('@'))
            .filter_map(|(name, _)| table.text(row, name).map(|text| format!("{name}={text}")))
            .collect();
        cells.sort();
        cells.join(" ")
    };
    (0..table.rows).map(row).collect()
}

#[track_caller]
fn check_over(events: &[&str], text: &str, expected: &[&str]) {
    let expected: Vec<String> = expected
        .iter()
        .map(|line| {
            let mut cells: Vec<&str> = line.split(' ').collect();
            cells.sort_unstable();
            cells.join(" ")
        })
        .collect();
    assert_eq!(lines(&run(text, &table(events)).unwrap()), expected, "{text}");
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    check_over(EVENTS, text, expected);
}

#[track_caller]
fn fault(text: &str) -> String {
    let faults = Program::compile(text, &Options::default()).unwrap_err();
    faults.list[0].message.clone()
}

#[test]
fn tables_are_transposed() {
    check("groupBy(k) | transpose()", &["column=_count row[1]=3 row[2]=3", "column=k row[1]=a row[2]=b"]);
    check("groupBy(k) | transpose(header=k)", &["column=_count a=3 b=3"]);
    check("groupBy(k) | transpose(k)", &["k=_count a=3 b=3"]);
    check("groupBy(k) | transpose(column=field, limit=1)", &["field=_count row[1]=3", "field=k row[1]=a"]);
    // A name that is taken, or missing, is left to the number of the row.
    check(
        "table([k, n], sortby=n, order=asc, limit=3) | transpose(header=k)",
        &["column=n a=1 b=1 row[3]=4"],
    );
    check("n=4 | groupBy(n, function=max(end)) | transpose(header=_max)", &["column=n row[1]=4"]);
    // Of nothing, nothing; events are taken from the oldest on.
    check("n=99 | groupBy(k) | transpose()", &[]);
    check(
        "select([k, n]) | transpose(limit=2)",
        &["column=k row[1]=a row[2]=a", "column=n row[1]=1 row[2]=4"],
    );
    check(
        r#"createEvents(["color=blue", "shape=round"]) | kvParse() | select([color, shape]) | transpose(limit=1000) | column := upper(column) | transpose(header=column) | drop(column)"#,
        &["COLOR=blue", "SHAPE=round"],
    );
    assert_eq!(fault("transpose(pivot=a, header=b)"), "`pivot` is the header, too: give one of them");
}

#[test]
fn a_filter_behind_transpose_asks_nothing_of_events() {
    check("select([k]) | transpose(limit=1) | column=k", &["column=k row[1]=a"]);
}

#[test]
fn transpose_says_what_it_leaves_out() {
    let events: Vec<String> = (0..1001).map(|at| format!("n={at}")).collect();
    let events = table(&events.iter().map(String::as_str).collect::<Vec<_>>());
    let warnings = |text: &str| run(text, &events).unwrap().warnings;
    assert!(warnings("select(n) | tail(1000) | transpose(limit=1000)").is_empty());
    let left = warnings("select(n) | tail(1001) | transpose(limit=1000)");
    assert_eq!(left, ["`transpose` took the first 1000 of 1001 rows: its `limit` says how many"]);
    assert!(fault("tail() | transpose(limit=1001)").contains("1000"));
}

#[test]
fn neighbors_are_looked_at() {
    check(
        "head(3) | drop(end) | neighbor([n, k], prefix=prev)",
        &["k=a n=1", "k=a n=4 prev.k=a prev.n=1", "k=b n=11 prev.k=a prev.n=4"],
    );
    check(
        "head(3) | select(n) | neighbor(n, prefix=next, direction=succeeding, distance=2)",
        &["n=1 next.n=11", "n=4", "n=11"],
    );
    // Without a prefix it takes the place of the row's own, also where there is none.
    check("head(3) | select([k, n]) | neighbor(n)", &["k=a", "k=a n=1", "k=b n=4"]);
    check("sort(n, limit=2) | select(n) | neighbor(n, prefix=p)", &["n=11", "n=5 p.n=11"]);
    check(
        "head() | groupBy(k, function=count()) | neighbor(_count, prefix=p)",
        &["k=a _count=3", "k=b _count=3 p._count=3"],
    );
    check(
        "head() | n=* | groupBy(k, function=neighbor(n, prefix=p)) | select([k, n, p.n])",
        &["k=a n=1", "k=a n=4 p.n=1", "k=a n=5 p.n=4", "k=b n=11", "k=b n=1 p.n=11"],
    );
}

#[test]
fn neighbors_are_at_most_so_far() {
    assert!(Program::compile("head() | neighbor(n, distance=10000)", &Options::default()).is_ok());
    assert!(fault("head() | neighbor(n, distance=10001)").contains("10000"));
    assert!(fault("head() | neighbor(n, distance=0)").contains('1'));
    check("head() | select(k) | neighbor(k, distance=10000)", &["", "", "", "", "", ""]);
}

#[test]
fn aggregates_accumulate() {
    check(
        "head() | accumulate([sum(n), count()]) | select([_sum, _count])",
        &[
            "_sum=1 _count=1",
            "_sum=5 _count=2",
            "_sum=16 _count=3",
            "_sum=16 _count=4",
            "_sum=21 _count=5",
            "_sum=22 _count=6",
        ],
    );
    check("head(3) | accumulate(sum(n), current=exclude) | select(_sum)", &["_sum=0", "_sum=1", "_sum=5"]);
    // What has no row has no value, not even an old one.
    check("head(2) | accumulate(avg(n, as=k), current=exclude) | select(k)", &["", "k=1"]);
    check("groupBy(k) | accumulate(sum(_count))", &["k=a _count=3 _sum=3", "k=b _count=3 _sum=6"]);
    check(
        "head() | n=* | groupBy(k, function=accumulate(sum(n))) | select([k, _sum])",
        &["k=a _sum=1", "k=a _sum=5", "k=a _sum=10", "k=b _sum=11", "k=b _sum=12"],
    );
    check(
        "groupBy(k, function={n=* | head() | accumulate({n>1 | count()})}) | select([k, _count])",
        &["k=a _count=0", "k=a _count=1", "k=a _count=2", "k=b _count=1", "k=b _count=1"],
    );
    check("sort(n, limit=3) | accumulate(selectLast(n)) | select(n)", &["n=11", "n=5", "n=4"]);
    assert_eq!(
        fault("head() | accumulate(groupBy(k))"),
        "`accumulate` takes only aggregates that give one row, such as `sum()` or `count()`"
    );
}

#[test]
fn sequences_are_parted() {
    check("head() | partition(count(), condition={end=true})", &["_count=1", "_count=3", "_count=2"]);
    check(
        "head() | partition(count(), condition={end=true}, split=after)",
        &["_count=2", "_count=3", "_count=1"],
    );
    check("head() | partition(count(), condition=test(end))", &["_count=1", "_count=3", "_count=2"]);
    check(
        "head() | partition([sum(n), selectLast(k)], condition={k=b})",
        &["_sum=5 k=a", "_sum=11 k=b", "_sum=5 k=a", "_sum=1 k=b"],
    );
    check(
        "head() | groupBy(k, function=partition(count(), condition={end=true}))",
        &["k=a _count=1", "k=a _count=1", "k=a _count=1", "k=b _count=3"],
    );
    check(
        "head() | partition(groupBy(k), condition={end=true} , split=after)",
        &["k=a _count=2", "k=a _count=1", "k=b _count=2", "k=b _count=1"],
    );
    check("k=z | head() | partition(count(), condition={end=true})", &[]);
}

#[test]
fn aggregates_are_appended() {
    check(
        "head(3) | select([k, n]) | appendAggregation({ sum(n, as=n) | k := total })",
        &["k=a n=1", "k=a n=4", "k=b n=11", "n=16"],
    );
    check(
        "sort(n, limit=2) | select(n) | appendAggregation([count(), avg(n)]) | appendAggregation(count(as=c))",
        &["n=11", "n=5", "_count=2 _avg=8", "c=3"],
    );
    // Several rows, behind those of each group.
    check(
        "head() | n=* | groupBy(k, function={ head() | select(n) | appendAggregation({ groupBy(n) | n>4 }) })",
        &["k=a n=1", "k=a n=4", "k=a n=5", "k=a n=5 _count=1", "k=b n=11", "k=b n=1", "k=b n=11 _count=1"],
    );
    // Of nothing it is what the aggregate is of nothing.
    check("k=z | head() | appendAggregation(count())", &["_count=0"]);
    check("k=z | head() | appendAggregation(groupBy(k))", &[]);
    let program = Program::compile("head() | appendAggregation(count())", &Options::default()).unwrap();
    assert_eq!(program.output_kind(), OutputKind::Aggregate);
    assert!(fault("appendAggregation(count())").contains("must follow an aggregate that orders rows"));
}

#[test]
fn windows_slide_over_rows() {
    check(
        "head() | slidingWindow(sum(n), events=3) | select(_sum)",
        &["_sum=1", "_sum=5", "_sum=16", "_sum=15", "_sum=16", "_sum=6"],
    );
    check(
        "head() | slidingWindow(sum(n), events=2, current=exclude) | select(_sum)",
        &["_sum=0", "_sum=1", "_sum=5", "_sum=15", "_sum=11", "_sum=5"],
    );
    check("head(3) | slidingWindow(sum(n), events=1) | select(_sum)", &["_sum=1", "_sum=4", "_sum=11"]);
    check(
        "head() | groupBy(k, function=slidingWindow([count(), max(n)], events=2)) | select([k, _count, _max])",
        &[
            "k=a _count=1 _max=1",
            "k=a _count=2 _max=4",
            "k=a _count=2 _max=5",
            "k=b _count=1 _max=11",
            "k=b _count=2 _max=11",
            "k=b _count=2 _max=1",
        ],
    );
    assert!(Program::compile("head() | slidingWindow(count(), events=1000)", &Options::default()).is_ok());
    assert!(fault("head() | slidingWindow(count(), events=1001)").contains("1000"));
    assert!(fault("head() | slidingWindow(count(), events=0)").contains('1'));
}

const TIMED: &[&str] = &[
    "n=1 @timestamp=1001",
    "n=4 @timestamp=1002",
    "n=11 @timestamp=2400",
    "n=2 @timestamp=4001",
    "n=5 @timestamp=4003",
    "n=1 @timestamp=5300",
];

#[test]
fn windows_slide_over_time() {
    check_over(
        TIMED,
        "head() | slidingTimeWindow(sum(n), span=3s) | select(_sum)",
        &["_sum=1", "_sum=5", "_sum=16", "_sum=17", "_sum=18", "_sum=19"],
    );
    check_over(
        TIMED,
        "head() | slidingTimeWindow([count(), sum(n)], span=3s, current=exclude) | select([_sum, _count])",
        &[
            "_sum=0 _count=0",
            "_sum=1 _count=1",
            "_sum=5 _count=2",
            "_sum=15 _count=2",
            "_sum=13 _count=2",
            "_sum=18 _count=3",
        ],
    );
    // Another field; rows without a time are in no window.
    check_over(
        &["t=1 n=1", "n=2", "t=5 n=4", "t=6 n=8"],
        "head() | slidingTimeWindow(sum(n), span=5ms, timestampfield=t) | select(_sum)",
        &["_sum=1", "", "_sum=5", "_sum=12"],
    );
    assert_eq!(
        fault("head() | slidingTimeWindow(count(), span=soon)"),
        "`soon` is no time span like `5m` or `1 hour`"
    );
    let wrong = run("sort(@timestamp) | slidingTimeWindow(count(), span=3s)", &table(TIMED)).unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "`slidingTimeWindow` needs rows in the order of `@timestamp`, least first: row 2 is before the row above it; sort them before"
    );
}

#[test]
fn windows_over_time_hold_so_many_rows() {
    let events = |count: usize| {
        let events: Vec<String> = (0..count).map(|_| "n=1 @timestamp=7".to_owned()).collect();
        table(&events.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let text = "head(max) | slidingTimeWindow(count(), span=1s) | tail(1) | select(_count)";
    assert_eq!(lines(&run(text, &events(10_000)).unwrap()), ["_count=10000"]);
    let wrong = run(text, &events(10_001)).unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "a window of `slidingTimeWindow` has more than 10000 rows: take a shorter span or fewer rows"
    );
}

/// What two stacks make of windows is what is computed of each window alone.
#[test]
fn windows_are_what_their_rows_are() {
    let events: Vec<String> = (0..60_u64).map(|at| format!("n={} k={}", at * at % 17, at % 5)).collect();
    let events = table(&events.iter().map(String::as_str).collect::<Vec<_>>());
    let functions =
        "[sum(n), min(n), max(n), stdDev(n), count(k, distinct=true, as=d), collect(k), selectLast(n)]";
    for size in [1_usize, 2, 7, 59, 60, 61] {
        let text = format!("head() | slidingWindow({functions}, events={size})");
        let found = lines(&run(&text, &events).unwrap());
        for (row, found) in found.iter().enumerate() {
            let alone = format!("head({}) | tail({size}) | stats({functions})", row + 1);
            assert_eq!(*found, lines(&run(&alone, &events).unwrap())[0], "row {row} of {text}");
        }
    }
}

#[test]
fn states_of_windows_are_bounded() {
    let events: Vec<String> = (0..300).map(|at| format!("n=a-long-text-that-is-kept-{at}")).collect();
    let events = table(&events.iter().map(String::as_str).collect::<Vec<_>>());
    let run = |text: &str, max_state_bytes: usize| {
        let program = Program::compile(text, &Options::default()).unwrap();
        let mut machine = Machine::new(program, Context { max_state_bytes, ..Context::default() });
        let mut state = machine.new_state();
        machine.step(&events, Selection::all(events.rows), &mut state)?;
        machine.finish(&state).map(|table| table.rows)
    };
    let windows = run("head(max) | slidingWindow(collect(n), events=200)", 400_000);
    assert!(matches!(windows, Err(StepError::StateTooLarge { limit: 400_000, .. })));
    // What is told of the least limit that is passed is what it takes.
    let least = |text: &str| {
        let mut limit = 1_000;
        while let Err(StepError::StateTooLarge { bytes, .. }) = run(text, limit) {
            assert!(limit < bytes && bytes < 1_000_000, "{text}: {bytes}");
            limit = bytes;
        }
        assert!(run(text, limit).is_ok() && run(text, limit - 1).is_err(), "{text}: {limit}");
        limit
    };
    let appended = "head(max) | appendAggregation([groupBy(n), collect(n, limit=max)])";
    assert!(least(appended) > least("head(max)"));
}

#[test]
fn fields_are_listed() {
    check("fieldset()", &["field=@timestamp", "field=end", "field=k", "field=n"]);
    check("groupBy([k, n]) | fieldset()", &["field=_count", "field=k", "field=n"]);
    check(
        "groupBy(k, function=fieldset()) | k=b | availableFields := rename(field) | select(availableFields)",
        &["availableFields=@timestamp", "availableFields=k", "availableFields=n"],
    );
}

#[test]
fn functions_over_rows_have_their_place() {
    for call in [
        "accumulate(count())",
        "neighbor(n)",
        "slidingWindow(count(), events=2)",
        "partition(count(), condition={n=1})",
    ] {
        let name = call.split('(').next().unwrap();
        let message = format!(
            "`{name}` must follow an aggregate that orders rows, such as `head()`, `sort()` or `bucket()`"
        );
        for text in [call.to_owned(), format!("n=* | {call}"), format!("groupBy(k, function={call})")] {
            assert_eq!(fault(&text), message, "{text}");
        }
        assert_eq!(
            fault(&format!("head() | case {{ n=1 | {call}; * }}")),
            format!("the aggregate `{name}` cannot stand inside `case` or `match`")
        );
    }
    let kind = |text: &str| Program::compile(text, &Options::default()).unwrap().output_kind();
    assert_eq!(kind("head() | neighbor(n, prefix=p)"), OutputKind::Events);
    assert_eq!(kind("head() | transpose()"), OutputKind::Aggregate);
    assert_eq!(kind("head() | partition(count(), condition={n=1})"), OutputKind::Aggregate);
}

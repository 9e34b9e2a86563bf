//! `series`, `session`, rates, windows and aggregates of arrays: a query, events, the rows expected.
//!
//! Rows are written as `field=value field=value`; a space in a value is a `_`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use weir_query::aggregates::series::SERIES_BYTES_MAX;
use weir_query::compile::Options;
use weir_query::machine::{Context, Machine};
use weir_query::program::Program;
use weir_query::record::Selection;
use weir_query::result::ResultTable;

/// `@timestamp` in seconds, then fields.
const EVENTS: &[&str] = &[
    "1 user=ann do=login n=10",
    "2 user=ann do=read n=20",
    "3 user=bob do=login n=5",
    "10 user=ann do=logout n=50",
    "11 user=ann do=read n=60",
    "30 user=ann do=login n=10",
    "31 user=bob do=read n=x",
    "32 user=ann n=30",
];

fn run(text: &str, lines: &[&str]) -> ResultTable {
    let program = Program::compile(text, &Options::default())
        .unwrap_or_else(|faults| panic!("{text}\n{}", faults.render(text, false)));
    let event = |line: &&str| {
        let mut words = line.split(' ');
        let seconds: f64 = words.next().unwrap().parse().unwrap();
        let pair = |word: &str| {
            let (name, value) = word.split_once('=').unwrap();
            (name.to_owned(), value.replace('_', " "))
        };
        let mut fields: Vec<(String, String)> = words.map(pair).collect();
        fields.push(("@timestamp".to_owned(), ((seconds * 1_000.0) as i64).to_string()));
        fields.push(("@rawstring".to_owned(), (*line).to_owned()));
        fields
    };
    let table = ResultTable::of_events(&lines.iter().map(event).collect::<Vec<_>>());
    let context = Context { start_nanos: 0, end_nanos: 40_000_000_000, ..Context::default() };
    let mut machine = Machine::new(program, context);
    let mut state = machine.new_state();
    machine.step(&table, Selection::all(table.rows), &mut state).unwrap();
    machine.finish(&state).unwrap()
}

fn shown(table: &ResultTable) -> Vec<String> {
    let row = |row: usize| {
        let cell = |(name, _): &(std::sync::Arc<str>, _)| {
            let text = table.text(row, name)?.replace(' ', "_").replace('\n', "/");
            Some(format!("{name}={text}"))
        };
        table.columns.iter().filter_map(cell).collect::<Vec<_>>().join(" ")
    };
    (0..table.rows).map(row).collect()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(shown(&run(text, EVENTS)), expected, "{text}");
}

#[track_caller]
fn check_over(lines: &[&str], text: &str, expected: &[&str]) {
    assert_eq!(shown(&run(text, lines)), expected, "{text}");
}

#[track_caller]
fn fault(text: &str, expected: &str) {
    let faults = Program::compile(text, &Options::default()).map(|_| ()).unwrap_err();
    assert!(faults.to_string().contains(expected), "{text}: {faults}");
}

#[test]
fn series_are_values_in_the_order_of_time() {
    check(
        "user=ann | series(do, separator=\";\")",
        &["@timestamp=1000 _duration=31000 do=login;read;logout;read;login"],
    );
    check(
        "user=ann n<11 | series([do, n, missing])",
        &["@timestamp=1000 _duration=29000 do=login/login n=10/10"],
    );
    check("user=nobody | series(do)", &[]);
    check(
        "groupBy(user, function=series(do, maxpause=8s, separator=\",\"))",
        &[
            "user=ann @timestamp=1000 _duration=10000 do=login,read,logout,read",
            "user=ann @timestamp=30000 _duration=2000 do=login",
            "user=bob @timestamp=3000 _duration=0 do=login",
            "user=bob @timestamp=31000 _duration=0 do=read",
        ],
    );
    // A pause of 8 seconds is no longer than 8 seconds.
    check(
        "user=ann n<=50 n>=20 | series(n, maxpause=8s)",
        &["@timestamp=2000 _duration=8000 n=20/50", "@timestamp=32000 _duration=0 n=30"],
    );
    check(
        "user=ann | series(n, maxduration=9s)",
        &[
            "@timestamp=1000 _duration=9000 n=10/20/50",
            "@timestamp=11000 _duration=0 n=60",
            "@timestamp=30000 _duration=2000 n=10/30",
        ],
    );
}

#[test]
fn series_start_and_end_where_rows_say_so() {
    // What is before the first start, or between an end and the next start, is in none.
    check(
        "user=ann | series(n, startmatch={do=login}, endmatch={do=logout})",
        &["@timestamp=1000 _duration=9000 n=10/20/50", "@timestamp=30000 _duration=2000 n=10/30"],
    );
    check(
        "user=ann | series(n, startmatch={n>=20 n<30})",
        &["@timestamp=2000 _duration=30000 n=20/50/60/10/30"],
    );
    check(
        "user=ann | series(n, endmatch={/logout/})",
        &["@timestamp=1000 _duration=9000 n=10/20/50", "@timestamp=11000 _duration=21000 n=60/10/30"],
    );
    check("user=ann | series(n, startmatch={do=sleep})", &[]);
    check(
        "user=ann | series(n, startmatch={do=login}, maxpause=1s)",
        &["@timestamp=1000 _duration=1000 n=10/20", "@timestamp=30000 _duration=0 n=10"],
    );
    fault("series(a, startmatch={x := 1})", "only filters can stand inside a condition");
    fault("series(a, endmatch={count()})", "the aggregate `count` cannot stand in `endmatch`");
    fault("series(a, maxpause=soon)", "`soon` is no time span");
}

#[test]
fn series_keep_what_fits_into_their_memory() {
    // Each value takes its bytes and those of the separator: 3 here.
    let values = |memory: &str| shown(&run(&format!("user=ann | series(n, memlimit={memory})"), EVENTS));
    assert_eq!(values("6"), ["@timestamp=1000 _duration=1000 n=10/20"]);
    assert_eq!(values("8"), ["@timestamp=1000 _duration=1000 n=10/20"]);
    assert_eq!(values("9"), ["@timestamp=1000 _duration=9000 n=10/20/50"]);
    assert_eq!(values("2"), [""; 0]);
    let told = run("user=ann | series(n, memlimit=8)", EVENTS).warnings;
    assert_eq!(told, ["series: values beyond 8 bytes are left out: `memlimit` says how many"]);
    assert!(run("user=ann | series(n, memlimit=18)", EVENTS).warnings.is_empty());
    assert_eq!(SERIES_BYTES_MAX, 1 << 20);
    for memory in ["1048576", "1MiB", "\"1024 kb\"", "1", "\"64KiB\""] {
        run(&format!("series(n, memlimit={memory})"), EVENTS);
    }
    for memory in ["1048577", "0", "\"2MB\"", "much", "\"-1\"", "99999999999999999999"] {
        fault(&format!("series(n, memlimit={memory})"), "`memlimit` is from 1 byte to 1024 KiB");
    }
}

#[test]
fn sessions_are_rows_without_a_long_pause() {
    check("session(maxpause=8s)", &["_count=5", "_count=3"]);
    check("session(maxpause=7s)", &["_count=5", "_count=3"]);
    check("session(maxpause=6s)", &["_count=3", "_count=2", "_count=3"]);
    check("session()", &["_count=8"]);
    check(
        "groupBy(user, function=session([min(n), max(n)], maxpause=10s))",
        &["user=ann _min=10 _max=60", "user=ann _min=10 _max=30", "user=bob _min=5 _max=5", "user=bob"],
    );
    check(
        "groupBy(user, function=session(maxpause=10s, count(as=clicks))) | sort(clicks, limit=1)",
        &["user=ann clicks=4"],
    );
    check("session({do=login | count(as=logins)}, maxpause=10s)", &["logins=2", "logins=1"]);
    check("drop(@timestamp) | session()", &[]);
    fault("session(maxpause=\"\")", "is no time span like");
    fault("session(count(), maxpause=0s)", "`0s` is no time span like");
}

#[test]
fn counters_have_a_rate_unless_they_are_set_back() {
    check("user=ann n<=60 | head(4) | counterAsRate(n)", &["_rate=5"]);
    check("user=ann | counterAsRate(n)", &[]);
    check("head(1) | counterAsRate(n)", &[]);
    check("counterAsRate(missing)", &[]);
    check(
        "user=ann | timeChart(span=20s, function=[counterAsRate(n, as=r), count()])",
        &["_bucket=0 r=5 _count=4", "_bucket=20000 r=10 _count=2"],
    );
    check_over(&["1 n=1", "3 n=4", "2 n=9"], "counterAsRate(n)", &[]);
    check_over(&["1 n=1", "1 n=4"], "counterAsRate(n)", &[]);
    check_over(&["1 n=7", "1.5 n=7"], "counterAsRate(n)", &["_rate=0"]);
    // A counter that was set back and has overtaken its first value since is taken for a slow one.
    check_over(&["1 n=1", "2 n=9", "3 n=2", "4 n=10"], "counterAsRate(n)", &["_rate=3"]);
}

#[test]
fn windows_reach_back_over_buckets() {
    check(
        "bucket(span=10s, function=[count(), window(count(as=w), buckets=2)])",
        &["_bucket=0 _count=3 w=3", "_bucket=10000 _count=2 w=5", "_bucket=30000 _count=3 w=3"],
    );
    check(
        "timeChart(user, span=10s, function=window(sum(n), span=25s))",
        &[
            "_bucket=0 user=ann _sum=30",
            "_bucket=0 user=bob _sum=5",
            "_bucket=10000 user=ann _sum=140",
            "_bucket=30000 user=ann _sum=150",
            "_bucket=30000 user=bob _sum=0",
        ],
    );
    // A window that is longer than the chart tells nothing.
    check(
        "bucket(span=20s, function=[count(), window(count(as=w), buckets=3)])",
        &["_bucket=0 _count=5 w=5", "_bucket=20000 _count=3 w=8"],
    );
    check(
        "bucket(span=20s, function=[count(), window(count(as=w), buckets=4)])",
        &["_bucket=0 _count=5", "_bucket=20000 _count=3"],
    );
    fault("window(count(), buckets=2)", "`window` stands only in the `function` of `timeChart` and `bucket`");
    fault("groupBy(a, function=window(buckets=2))", "`window` stands only in");
    fault("bucket(function=window())", "give `window` either `buckets` or a `span`");
    fault("bucket(function=window(buckets=2, span=1m))", "give `window` either `buckets` or a `span`");
    fault("bucket(function=window(groupBy(a), buckets=2))", "only aggregates that give one row");
    fault("bucket(function=[count(), window(buckets=2)])", "`_count` is written twice");
    fault("bucket(function=window(buckets=1501))", "`buckets` is a whole number from 1 to 1500");
}

const ARRAYS: &[&str] =
    &["1 a[0]=x a[1]=y k=1 a[3]=gap", "2 a[0]=y a[1]=z a[2]=y k=1", "3 k=2", "4 a[0]=y a[1]=x k=2"];

#[test]
fn arrays_of_all_rows_become_sets() {
    let check = |text: &str, expected: &[&str]| check_over(ARRAYS, text, expected);
    check("array:union(a)", &["_union[0]=x _union[1]=y _union[2]=z"]);
    check("array:union(\"a[]\", as=all)", &["all[0]=x all[1]=y all[2]=z"]);
    check("array:intersection(\"a[]\")", &["_intersection[0]=y"]);
    check(
        "groupBy(k, function=array:intersection(a, as=\"both[]\"))",
        &["k=1 both[0]=y", "k=2 both[0]=x both[1]=y"],
    );
    check("k=2 | array:union(b)", &[]);
    check("array:intersection(b)", &[]);
    check_over(&["1 a[0]=x", "2 a[0]=y"], "array:intersection(a)", &[]);
    // The documented way to a list of what there is.
    check("array:union(a, as=v) | split(v) | select(v)", &["v=x", "v=y", "v=z"]);
    let many: Vec<String> = (0..10_001).map(|at| format!("{at} a[0]=v{at}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let union = run("array:union(a)", &many);
    assert_eq!(union.columns.len(), 10_000);
    assert_eq!(union.warnings, ["collect of a: only 10000 distinct values kept"]);
    assert!(run("array:union(a)", &many[1..]).warnings.is_empty());
}

#[test]
fn arrays_are_aggregated_by_column_and_by_row() {
    let times = &["1 t[0]=1 t[1]=2 t[2]=3", "2 t[0]=5 t[1]=1 t[2]=0", "3 t[0]=x"];
    check_over(
        times,
        "maxTimes := array:reduceColumn(t, var=x, function={time := max(x)})",
        &["maxTimes[0]=5 maxTimes[1]=2 maxTimes[2]=3"],
    );
    check_over(
        times,
        "array:reduceColumn(\"t[]\", var=x, function=[count(x), avg(x)])",
        &[
            "_reduceColumn[0]._count=3 _reduceColumn[0]._avg=3 _reduceColumn[1]._count=2 _reduceColumn[1]._avg=1.5 \
           _reduceColumn[2]._count=2 _reduceColumn[2]._avg=1.5",
        ],
    );
    check_over(times, "array:reduceColumn(u, var=x, function=max(x))", &[]);
    // The n-th row has what each place tells n-th.
    check_over(
        &["1 t[0]=a t[1]=c", "2 t[0]=b t[1]=c"],
        "array:reduceColumn(t, var=x, function={groupBy(x) | drop(_count)})",
        &["_reduceColumn[0]=a _reduceColumn[1]=c", "_reduceColumn[0]=b"],
    );
    check_over(
        times,
        "array:reduceRow(\"t[]\", var=x, function=avg(x)) | table(_reduceRow, sortby=@timestamp, order=asc)",
        &["_reduceRow=2", "_reduceRow=2", ""],
    );
    check_over(
        times,
        "m := array:reduceRow(t, function={t>1 | count()}) | head() | select(m)",
        &["m=2", "m=1", "m=0"],
    );
    check_over(&["1 k=1"], "array:reduceRow(t, function=count()) | select(_reduceRow)", &[""]);
    fault("array:reduceRow(t, function=groupBy(t))", "only an aggregate that gives one value");
    fault("array:reduceRow(t, function=[sum(t), max(t)])", "only an aggregate that gives one value");
}

#[test]
fn a_function_is_called_by_its_name() {
    check("user=ann | callFunction(sum, field=n)", &["_function=180"]);
    check("user=ann | m := callFunction(?{f=max}, field=n)", &["m=60"]);
    check("callFunction(\"count\", field=do, as=c)", &["c=7"]);
    fault("callFunction(top, field=n)", "`top`");
}

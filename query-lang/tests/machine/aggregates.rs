//! What aggregates make of all events, and what may follow them.

use weir_query::compile::Options;
use weir_query::program::{Program, ScanOrder};
use weir_query::result::ResultTable;

use crate::check::{LOG, check, events, faults, rows, run_with};

#[test]
fn aggregates_and_what_follows() {
    for (query, expected) in [
        ("count()", r#"{"_count":4}"#),
        ("level=ERROR | count(as=n)", r#"{"n":2}"#),
        ("nothing=x | count()", r#"{"_count":0}"#),
        (
            "groupBy(level) | sort(level, type=string, order=asc)",
            "{\"level\":\"ERROR\",\"_count\":2}\n{\"level\":\"INFO\",\"_count\":1}\n{\"level\":\"WARN\",\"_count\":1}",
        ),
        (
            "groupBy([level, #type]) | sort([level], type=string, order=asc)",
            "{\"level\":\"ERROR\",\"#type\":\"access\",\"_count\":1}\n{\"level\":\"INFO\",\"#type\":\"access\",\"_count\":1}",
        ),
        (
            "groupBy(level, function=max(status)) | _max > 300 | sort(_max)",
            "{\"level\":\"ERROR\",\"_max\":500}",
        ),
        (
            "groupBy(level, function=[count(as=n), avg(status, as=mean)]) | level=ERROR",
            r#"{"level":"ERROR","n":2,"mean":452}"#,
        ),
        (
            "groupBy(level, function={status=* | count(as=n) | n := n * 10}) | level=INFO",
            r#"{"level":"INFO","n":10}"#,
        ),
        ("groupBy(level, function=[]) | count()", r#"{"_count":3}"#),
        // A row for which the function has no field named as a key keeps the key.
        (
            "groupBy(level, function={ status>300 | head(1) | select([level, host]) }) | sort(level, type=string, order=asc)",
            "{\"level\":\"ERROR\",\"host\":\"web-02\"}\n{\"level\":\"INFO\"}\n{\"level\":\"WARN\"}",
        ),
        ("[count(), top := max(status)]", r#"{"_count":4,"top":500}"#),
        ("stats([sum(status), min(status)])", r#"{"_sum":1104,"_min":200}"#),
        ("n := count()", r#"{"n":4}"#),
        ("top(level, limit=1)", r#"{"level":"ERROR","_count":2}"#),
        ("head(1) | select([host])", r#"{"host":"web-01"}"#),
        ("tail(1) | select([host])", r#"{"host":"db-02"}"#),
        (
            "table([host, level], sortby=host, type=string, order=asc, limit=2)",
            "{\"host\":\"db-01\",\"level\":\"WARN\"}\n{\"host\":\"db-02\",\"level\":\"ERROR\"}",
        ),
        ("count(level, distinct=true)", r#"{"_count":3}"#),
        (
            "groupBy(level) | case { level=ERROR | bad := \"yes\"; * | bad := \"no\" } | groupBy(bad, function=sum(_count)) | sort(bad, type=string, order=asc)",
            "{\"bad\":\"no\",\"_sum\":2}\n{\"bad\":\"yes\",\"_sum\":2}",
        ),
        ("groupBy(level) | rename(_count, as=events) | events>1", r#"{"level":"ERROR","events":2}"#),
        ("selectLast([level, ip])", r#"{"level":"ERROR","ip":"192.168.7.9"}"#),
        ("collect(level) | x := level | drop(level)", r#"{"x":"INFO\nERROR\nWARN"}"#),
        ("bucket(span=10s) | drop(_bucket)", r#"{"_count":4}"#),
        (
            "timeChart(level, span=10s, function=count(as=n)) | level=INFO | drop(_bucket)",
            r#"{"level":"INFO","n":1}"#,
        ),
        ("percentile(status, percentiles=[50]) | p := _50 > 300 | select(p)", r#"{"p":"true"}"#),
    ] {
        let table = ResultTable::of_events(&events(LOG));
        let result = run_with(query, &table, &Options::default());
        let mut found = rows(&result);
        let mut wanted = events(expected);
        for row in found.iter_mut().chain(&mut wanted) {
            row.retain(|(name, _)| !name.starts_with('@'));
            row.sort();
        }
        assert_eq!(found, wanted, "{query}");
    }
}

#[test]
fn functions_that_write_one_field_are_faults() {
    let twice = "`_max` is written twice: give one an `as=`";
    faults("groupBy(k, function=[max(a), max(b)])", twice, "max(b)");
    faults("[max(a), max(a, type=number), max(b)]", twice, "max(b)");
    faults("bucket(function=[{x=1 | max(a)}, max(b)])", twice, "max(b)");
    faults(
        "groupBy(k, function=[collect(a), selectLast([b, a])])",
        "`a` is written twice: take it out of one",
        "selectLast([b, a])",
    );
    let two = "{\"a\":1,\"b\":5}\n{\"a\":3,\"b\":2}";
    check("[max(a), max(a), m := max(b)]", two, "{\"_max\":3,\"m\":5}");
    check("[max(a), { max(b) | rename(_max, as=m) }]", two, "{\"_max\":3,\"m\":5}");
}

#[test]
fn distinct_values_are_those_of_a_field() {
    faults("count(distinct=true)", "`distinct` needs the `field` whose values are counted", "true");
}

#[test]
fn collect_over_its_limit_always_warns() {
    for count in 1..=5 {
        let lines: String = (0..count).map(|at| format!("{{\"a\":{at}}}\n")).collect();
        let table = ResultTable::of_events(&events(&lines));
        let result = run_with("collect(a, limit=1)", &table, &Options::default());
        assert_eq!(result.warnings.is_empty(), count == 1, "{count} values");
    }
}

#[test]
fn events_sorted_by_their_time_are_read_in_their_order() {
    for (query, order) in [
        ("sort(@timestamp)", ScanOrder::NewestFirst),
        ("sort(@timestamp, order=asc, limit=5)", ScanOrder::OldestFirst),
        ("table([@timestamp, n])", ScanOrder::NewestFirst),
        ("x := 1 | sort([@timestamp, x])", ScanOrder::NewestFirst),
        ("sort(@timestamp, type=string)", ScanOrder::Any),
        ("sort([n, @timestamp])", ScanOrder::Any),
        ("@timestamp := n | sort(@timestamp)", ScanOrder::Any),
        ("drop(@timestamp) | sort(@timestamp)", ScanOrder::Any),
        ("groupBy(n) | sort(@timestamp)", ScanOrder::Any),
    ] {
        let program = Program::compile(query, &Options::default()).unwrap();
        assert_eq!(program.scan_order(), order, "{query}");
    }
}

#[test]
fn chosen_fields_keep_their_places() {
    let input = "{\"a\":\"1\",\"b\":\"2\",\"k\":\"x\"}\n{\"a\":\"3\",\"k\":\"y\"}";
    for (query, columns) in [
        ("groupBy(k) | select([k, _count]) | k := \"z\"", "k _count"),
        ("table([b, a]) | select([a, b]) | a := a*2", "a b"),
        ("table([b, a]) | select([a, b]) | drop(a) | a := 1", "a b"),
        ("table([b, a]) | select([b]) | c := 1 | b := 2", "b c"),
        ("table([b, a]) | select([a, zz]) | b := 7", "a b"),
        ("table([b, a]) | case { a=1 | select([a, b]) | a := 5; * | select([b, a]) }", "a b"),
        ("groupBy(k, function={ count() | select([_count, zz]) })", "k _count"),
    ] {
        let table = ResultTable::of_events(&events(input));
        let result = run_with(query, &table, &Options::default());
        let names: Vec<&str> = result.columns.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names.join(" "), columns, "{query}");
    }
}

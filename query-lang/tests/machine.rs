//! What queries make of events: a query, events as JSON lines, the rows expected as JSON lines.
//!
//! Expected rows are compared with the rows of the result, oldest first where rows are events; meta fields are left
//! out unless the expected row has them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use weir_query::compile::{Ending, Options};
use weir_query::machine::{Context, Machine};
use weir_query::program::{Program, ScanOrder};
use weir_query::record::Selection;
use weir_query::result::ResultTable;

type Row = Vec<(String, String)>;

/// Reads rows, one flat JSON object a line; `@timestamp` is the line's number in seconds unless given.
fn events(lines: &str) -> Vec<Row> {
    let mut out = Vec::new();
    for (at, line) in lines.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        let mut row: Row = object.into_iter().map(|(name, value)| (name, text(value))).collect();
        let mut add = |name: &str, value: String| {
            if !row.iter().any(|(have, _)| have == name) {
                row.push((name.to_owned(), value));
            }
        };
        add("@timestamp", ((at + 1) * 1000).to_string());
        add("@id", format!("id{at}"));
        add("@rawstring", line.to_owned());
        out.push(row);
    }
    out
}

fn compile(query: &str, options: &Options) -> std::sync::Arc<Program> {
    Program::compile(query, options)
        .unwrap_or_else(|faults| panic!("{query}\n{}", faults.render(query, false)))
}

fn run_with(query: &str, table: &ResultTable, options: &Options) -> ResultTable {
    let program = compile(query, options);
    let context = Context {
        now_millis: 1_700_000_000_000,
        start_nanos: 0,
        end_nanos: 100_000_000_000,
        ..Context::default()
    };
    let mut machine = Machine::new(program, context);
    let created = machine.created();
    let table = created.as_ref().unwrap_or(table);
    let mut state = machine.new_state();
    machine.step(table, Selection::all(table.rows), &mut state).unwrap();
    machine.finish(&state).unwrap()
}

fn rows(table: &ResultTable) -> Vec<Row> {
    (0..table.rows)
        .map(|row| {
            let value = |name: &str| table.text(row, name).map(|text| (name.to_owned(), text.into_owned()));
            table.columns.iter().filter_map(|(name, _)| value(name)).collect()
        })
        .collect()
}

/// Checks what `query` makes of `input`. `expected` has a line a row; rows that are events are compared oldest first.
#[track_caller]
fn check(query: &str, input: &str, expected: &str) {
    check_with(query, input, expected, &Options::default());
}

#[track_caller]
fn check_with(query: &str, input: &str, expected: &str, options: &Options) {
    let table = ResultTable::of_events(&events(input));
    let result = run_with(query, &table, options);
    let mut found = rows(&result);
    if !result.order.is_empty() {
        found.reverse();
    }
    let mut wanted: Vec<Row> = Vec::new();
    for line in expected.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        wanted.push(object.into_iter().map(|(name, value)| (name, text(value))).collect());
    }
    for (at, row) in found.iter_mut().enumerate() {
        row.retain(|(name, _)| {
            !name.starts_with('@')
                || wanted.get(at).is_some_and(|row| row.iter().any(|(have, _)| have == name))
        });
        row.sort();
    }
    wanted.iter_mut().for_each(|row| row.sort());
    assert_eq!(found, wanted, "{query}");
}

const LOG: &str = r##"
    {"level":"INFO","host":"web-01","status":"200","ms":"12.5","msg":"request served","#type":"access"}
    {"level":"ERROR","host":"web-02","status":"500","ms":"250","msg":"timeout after 30s","#type":"access"}
    {"level":"WARN","host":"db-01","status":"","msg":"Slow query","ip":"10.1.2.3"}
    {"level":"ERROR","host":"db-02","msg":"disk full on /var","ip":"192.168.7.9","status":"404.0"}
"##;

/// Checks which rows of [`LOG`] pass, by number from 1.
#[track_caller]
fn passes(query: &str, expected: &[usize]) {
    passes_with(query, expected, &Options::default());
}

#[track_caller]
fn passes_with(query: &str, expected: &[usize], options: &Options) {
    let table = ResultTable::of_events(&events(LOG));
    let result = run_with(query, &table, options);
    let mut found: Vec<usize> =
        result.order.iter().map(|place| usize::try_from(place.nanos / 1_000_000_000).unwrap()).collect();
    found.reverse();
    assert_eq!(found, expected, "{query}");
}

#[test]
fn field_tests() {
    for (query, expected) in [
        ("", &[1, 2, 3, 4][..]),
        ("*", &[1, 2, 3, 4]),
        ("true", &[1, 2, 3, 4]),
        ("false", &[]),
        ("level=ERROR", &[2, 4]),
        ("level=error", &[]),
        ("level!=ERROR", &[1, 3]),
        ("ip!=10.1.2.3", &[1, 2, 4]),
        ("ip=*", &[3, 4]),
        ("ip!=*", &[1, 2]),
        ("status=\"\"", &[3]),
        ("status=*", &[1, 2, 3, 4]),
        ("status=404", &[4]),
        ("status!=404", &[1, 2, 3]),
        ("host=web-*", &[1, 2]),
        ("host=*-01", &[1, 3]),
        ("host=*b-0*", &[1, 2, 3, 4]),
        ("host=*", &[1, 2, 3, 4]),
        ("host=w*1", &[1]),
        ("status>200", &[2, 4]),
        ("status>=200", &[1, 2, 4]),
        ("status<500", &[1, 4]),
        ("status<=500", &[1, 2, 4]),
        ("ms>12.4", &[1, 2]),
        ("host=/^web/", &[1, 2]),
        ("host!=/^web/", &[3, 4]),
        ("msg=/slow/i", &[3]),
        ("msg like \"full\"", &[4]),
        ("msg like \"disk*var\"", &[4]),
        ("#type=access", &[1, 2]),
        ("nothing=x", &[]),
        ("nothing!=x", &[1, 2, 3, 4]),
    ] {
        passes(query, expected);
    }
}

#[test]
fn free_text_and_logic() {
    for (query, expected) in [
        ("timeout", &[2][..]),
        ("\"Slow query\"", &[3]),
        ("slow", &[]),
        ("/slow/i", &[3]),
        ("*full*", &[4]),
        ("disk*var", &[4]),
        ("web", &[1, 2]),
        ("id1", &[]),
        ("level=ERROR timeout", &[2]),
        ("level=ERROR and timeout", &[2]),
        ("level=ERROR | timeout", &[2]),
        ("level=ERROR or level=WARN", &[2, 3, 4]),
        ("level=ERROR OR Slow", &[2, 3, 4]),
        ("timeout or Slow", &[2, 3]),
        ("not level=ERROR", &[1, 3]),
        ("!timeout", &[1, 3, 4]),
        ("not not timeout", &[2]),
        ("level=ERROR and not timeout or Slow", &[4]),
        ("(level=ERROR timeout) or Slow", &[2, 3]),
        // What steps write is not searched: free text sees the event as it came.
        ("x := \"zebra\" | zebra", &[]),
        ("drop(msg) | drop(@rawstring) | timeout", &[2]),
    ] {
        passes(query, expected);
    }
}

#[test]
fn filter_functions() {
    for (query, expected) in [
        ("in(level, values=[ERROR, WARN])", &[2, 3, 4][..]),
        ("in(level, values=[\"err*\"], ignoreCase=true)", &[2, 4]),
        ("in(status, values=[404, 500])", &[2, 4]),
        ("in(status, values=[\"*\"])", &[1, 2, 3, 4]),
        ("in(level, values=[])", &[]),
        ("!in(level, values=[ERROR])", &[1, 3]),
        ("not in(level, values=[ERROR]) and web", &[1]),
        ("level =~ in(values=[ERROR])", &[2, 4]),
        ("level =~ !in(values=[ERROR])", &[1, 3]),
        ("level =~ not in(values=[ERROR])", &[1, 3]),
        ("wildcard(field=host, pattern=\"web*\")", &[1, 2]),
        ("wildcard(field=host, pattern=\"WEB*\", ignoreCase=true)", &[1, 2]),
        ("wildcard(\"*disk*\")", &[4]),
        ("wildcard(field=ip, pattern=\"*\")", &[3, 4]),
        ("wildcard(field=ip, pattern=\"*\", includeEverythingOnAsterisk=true)", &[1, 2, 3, 4]),
        ("cidr(ip, subnet=\"10.0.0.0/8\")", &[3]),
        ("cidr(field=ip, subnet=[\"10.0.0.0/8\", \"192.168.0.0/16\"])", &[3, 4]),
        ("!cidr(ip, subnet=\"10.0.0.0/8\")", &[1, 2, 4]),
        ("ip =~ cidr(\"10.0.0.0/8\")", &[3]),
        ("test(status == 200)", &[1]),
        ("test(ms < status)", &[1, 2]),
        ("test(level == \"ERROR\")", &[2, 4]),
        ("test(nothing == nothing)", &[]),
        ("text:contains(string=msg, substring=\"full\")", &[4]),
        ("text:contains(string=msg, substring=host)", &[]),
        ("text:startsWith(msg, substring=\"disk\")", &[4]),
        ("text:endsWith(string=msg, substring=\"30s\")", &[2]),
        ("regex(\"disk|Slow\", field=msg)", &[3, 4]),
        ("!regex(\"disk|Slow\", field=msg)", &[1, 2]),
        ("dropEvent()", &[]),
    ] {
        passes(query, expected);
    }
}

#[test]
fn parameters_fill_in() {
    let mut options = Options::default();
    options.arguments.insert("level".into(), vec!["ERROR".into(), "WARN".into()]);
    options.arguments.insert("host".into(), vec!["web-*".into()]);
    options.arguments.insert("least".into(), vec!["300".into()]);
    options.arguments.insert("list".into(), vec!["INFO, WARN".into()]);
    for (query, expected) in [
        ("level=?level", &[2, 3, 4][..]),
        ("level!=?level", &[1]),
        ("host=?host", &[1, 2]),
        ("in(level, values=[?level])", &[2, 3, 4]),
        ("in(level, values=[?list])", &[1, 3]),
        ("status>?least", &[2, 4]),
        ("host=?{other=db-*}", &[3, 4]),
        ("host=?late | ?{late=*}", &[1, 2, 3, 4]),
        ("?{text=timeout}", &[2]),
        ("wildcard(field=host, pattern=?host)", &[1, 2]),
        ("test(?least == 300)", &[1, 2, 3, 4]),
    ] {
        passes_with(query, expected, &options);
    }
}

#[test]
fn saved_queries_are_inlined() {
    let mut options = Options::default();
    let saved = std::sync::Arc::make_mut(&mut options.saved);
    saved.insert("errors".into(), "level=ERROR".into());
    saved.insert("pkg/host".into(), "host=?host | errors := \"yes\"".into());
    saved.insert("loop".into(), "$loop()".into());
    saved.insert("wrong".into(), "nosuch()".into());
    passes_with("$errors()", &[2, 4], &options);
    passes_with("not $errors()", &[1, 3], &options);
    passes_with("$\"pkg/host\"(host=\"db*\")", &[3, 4], &options);
    for (query, part) in [
        ("$loop()", "calls itself"),
        ("$wrong()", "in saved query `wrong`: unknown function `nosuch`"),
        ("$erors()", "unknown saved query `erors`"),
    ] {
        let faults = Program::compile(query, &options).unwrap_err().to_string();
        assert!(faults.contains(part), "{query}: {faults}");
    }
}

#[test]
fn assignments_and_expressions() {
    let input = r#"{"a":"2","b":"4","t":"x","e":""}"#;
    for (query, expected) in [
        ("c := a + b", r#"{"c":"6"}"#),
        ("c := a - b * 2", r#"{"c":"-6"}"#),
        ("c := (a - b) * 2", r#"{"c":"-4"}"#),
        ("c := a / b", r#"{"c":"0.5"}"#),
        ("c := b % 3", r#"{"c":"1"}"#),
        ("c := -a", r#"{"c":"-2"}"#),
        ("c := a / 0", r"{}"),
        ("c := a + t", r"{}"),
        ("c := missing + 1", r"{}"),
        ("c := 0.1 + 0.2", r#"{"c":"0.3"}"#),
        ("c := \"text\"", r#"{"c":"text"}"#),
        ("c := a", r#"{"c":"2"}"#),
        ("c := a == 2", r#"{"c":"true"}"#),
        ("c := a == \"2.0\"", r#"{"c":"true"}"#),
        ("c := t == \"y\"", r#"{"c":"false"}"#),
        ("c := a != b", r#"{"c":"true"}"#),
        ("c := a < b", r#"{"c":"true"}"#),
        ("c := t < b", r"{}"),
        ("c := !(a == 2)", r#"{"c":"false"}"#),
        ("c := 7 | c := missing", r#"{"c":"7"}"#),
        ("eval(c=a+1, d=c*2)", r#"{"c":"3","d":"6"}"#),
        ("c := if(a == 2, then=\"two\", else=\"other\")", r#"{"c":"two"}"#),
        ("c := if(missing == 2, then=\"two\", else=b)", r#"{"c":"4"}"#),
        ("if(a > 1, then=\"big\", else=\"small\", as=c)", r#"{"c":"big"}"#),
        ("c := coalesce([missing, e, b])", r#"{"c":"4"}"#),
        ("coalesce([missing, e], ignoreEmpty=false, as=c)", r#"{"c":""}"#),
        ("c := in(a, values=[1,2])", r#"{"c":"true"}"#),
        ("c := format(\"%s-%s\", field=[a, t])", r#"{"c":"2-x"}"#),
        ("format(\"%05.1f|%s\", field=[a, missing], as=c)", r#"{"c":"002.0|null"}"#),
        ("name := \"c\" | `name` := a + 1 | drop(name)", r#"{"c":"3"}"#),
    ] {
        check(&format!("{query} | drop([a, b, t, e])"), input, expected);
    }
}

#[test]
fn fields_functions() {
    let input = r#"
        {"a":"1","b":"2"}
        {"b":"3","e":""}
    "#;
    for (query, expected) in [
        ("rename(a, as=c)", "{\"c\":\"1\",\"b\":\"2\"}\n{\"b\":\"3\",\"e\":\"\"}"),
        ("rename(field=[[a, x], [b, y]])", "{\"x\":\"1\",\"y\":\"2\"}\n{\"y\":\"3\",\"e\":\"\"}"),
        ("rename(a, as=b)", "{\"b\":\"1\"}\n{\"b\":\"3\",\"e\":\"\"}"),
        ("x := rename(b)", "{\"a\":\"1\",\"x\":\"2\"}\n{\"x\":\"3\",\"e\":\"\"}"),
        ("drop([a, e])", "{\"b\":\"2\"}\n{\"b\":\"3\"}"),
        ("drop(a, e)", "{\"b\":\"2\"}\n{\"b\":\"3\"}"),
        ("drop(b)", "{\"a\":\"1\"}\n{\"e\":\"\"}"),
        ("select([b])", "{\"b\":\"2\"}\n{\"b\":\"3\"}"),
        ("select(b) | a=*", ""),
        (
            "default(field=a, value=\"none\")",
            "{\"a\":\"1\",\"b\":\"2\"}\n{\"a\":\"none\",\"b\":\"3\",\"e\":\"\"}",
        ),
        (
            "default(field=[e, x], value=0, replaceEmpty=true)",
            "{\"a\":\"1\",\"b\":\"2\",\"e\":\"0\",\"x\":\"0\"}\n{\"b\":\"3\",\"e\":\"0\",\"x\":\"0\"}",
        ),
    ] {
        check(query, input, expected);
    }
}

#[test]
fn case_and_match() {
    let input = r#"
        {"n":"1","t":"a"}
        {"n":"2","t":"b"}
        {"n":"3"}
    "#;
    for (query, expected) in [
        (
            "case { n=1 | x:=\"one\"; n=2 | x:=\"two\"; * | x:=\"many\" }",
            "{\"n\":1,\"t\":\"a\",\"x\":\"one\"}\n{\"n\":2,\"t\":\"b\",\"x\":\"two\"}\n{\"n\":3,\"x\":\"many\"}",
        ),
        ("case { n=1; n=3; }", "{\"n\":1,\"t\":\"a\"}\n{\"n\":3}"),
        // What a failed clause wrote is gone.
        (
            "case { x:=\"no\" | n=1; y:=\"yes\" }",
            "{\"n\":1,\"t\":\"a\",\"x\":\"no\"}\n{\"n\":2,\"t\":\"b\",\"y\":\"yes\"}\n{\"n\":3,\"y\":\"yes\"}",
        ),
        ("case { n=1 | drop(t); n=2 | select(n); * }", "{\"n\":1}\n{\"n\":2}\n{\"n\":3}"),
        (
            "case { n<3 | case { n=1 | x:=1; * | x:=2 }; * } | y := x + n",
            "{\"n\":1,\"t\":\"a\",\"x\":1,\"y\":2}\n{\"n\":2,\"t\":\"b\",\"x\":2,\"y\":4}\n{\"n\":3}",
        ),
        (
            "t match { a => x:=\"A\"; \"*\" => x:=\"any\"; * => x:=\"none\" }",
            "{\"n\":1,\"t\":\"a\",\"x\":\"A\"}\n{\"n\":2,\"t\":\"b\",\"x\":\"any\"}\n{\"n\":3,\"x\":\"none\"}",
        ),
        ("t match { /^[ab]$/ => x:=1 }", "{\"n\":1,\"t\":\"a\",\"x\":1}\n{\"n\":2,\"t\":\"b\",\"x\":1}"),
        (
            "n match { in(values=[1,3]) => x:=1; 2 => x:=2 }",
            "{\"n\":1,\"t\":\"a\",\"x\":1}\n{\"n\":2,\"t\":\"b\",\"x\":2}\n{\"n\":3,\"x\":1}",
        ),
        (
            "t match { /(?<got>b)/ => *; * => got:=\"-\" }",
            "{\"n\":1,\"t\":\"a\",\"got\":\"-\"}\n{\"n\":2,\"t\":\"b\",\"got\":\"b\"}\n{\"n\":3,\"got\":\"-\"}",
        ),
        // A clause that makes several rows of one.
        (
            "case { n=1 | regex(\"(?<c>.)\", field=n2, repeat=true); n2:=\"xy\" | regex(\"(?<c>[xy])\", field=n2, repeat=true) } | drop([n2, t])",
            "{\"n\":1,\"c\":\"x\"}\n{\"n\":1,\"c\":\"y\"}",
        ),
    ] {
        let input = if query.contains("n2") { r#"{"n":"1"}"# } else { input };
        let expected = if query.contains("n2") {
            // Rows of one event stand in the order they were made in; events are compared oldest first.
            "{\"n\":1,\"c\":\"y\"}\n{\"n\":1,\"c\":\"x\"}"
        } else {
            expected
        };
        check(query, input, expected);
    }
}

#[test]
fn regexes_extract() {
    let input = r#"
        {"m":"user=ann ip=10.0.0.1"}
        {"m":"no match"}
    "#;
    for (query, expected) in [
        (r#"m=/user=(?<user>\w+)/ | drop(m)"#, r#"{"user":"ann"}"#),
        (r#"/ip=(?<ip>[\d.]+)/ | drop(m)"#, r#"{"ip":"10.0.0.1"}"#),
        (r#"regex("user=(?<u>\w+)( port=(?<p>\d+))?", field=m) | drop(m)"#, r#"{"u":"ann"}"#),
        (r#"regex("user=(?<u>\w+)", field=m, strict=false) | drop(m)"#, "{\"u\":\"ann\"}\n{}"),
        (r#"m =~ regex("(?<v.w>=\w+)") | drop(m)"#, r#"{"v.w":"=ann"}"#),
        (
            r#"regex("(?<k>\w+)=(?<v>\S+)", field=m, repeat=true) | drop(m)"#,
            "{\"k\":\"ip\",\"v\":\"10.0.0.1\"}\n{\"k\":\"user\",\"v\":\"ann\"}",
        ),
        (r#"m=/(?<k>\w+)=/g | drop(m)"#, "{\"k\":\"ip\"}\n{\"k\":\"user\"}"),
        (r#"regex("(?<k>\w+)=", field=m, repeat=true, limit=1) | drop(m)"#, r#"{"k":"user"}"#),
        (r#"regex("USER=(?<u>\w+)", field=m, flags=i) | drop(m)"#, r#"{"u":"ann"}"#),
    ] {
        check(query, input, expected);
    }
}

#[test]
fn events_are_created() {
    check(
        "level=ERROR | createEvents([\"a=1\", \"b=2\"]) | select(@rawstring)",
        LOG,
        "{\"@rawstring\":\"a=1\"}\n{\"@rawstring\":\"b=2\"}",
    );
}

#[test]
fn faults_point_at_the_text() {
    for (query, code, part) in [
        ("timechrt()", "unknown-function", "did you mean `timeChart`?"),
        ("appendAggregation(a)", "not-built", "`appendAggregation` is not built yet"),
        ("in(a, valuse=[1])", "unknown-parameter", "did you mean `values`?"),
        ("in(a)", "missing-argument", "`in` needs `values`"),
        ("a > b", "syntax", "compares with a number"),
        ("a > ?{p=x}", "argument", "a number is expected"),
        ("regex(\"(?=a\")", "regex", "not a regex"),
        ("/(a/", "regex", "not a regex"),
        ("head(limit=0)", "limit", "from 1 to 200000"),
        ("head(limit=200001)", "limit", "from 1 to 200000"),
        ("case { groupBy(a); * }", "position", "cannot stand inside `case`"),
        ("cidr(ip, subnet=\"10.0.0.0/99\")", "argument", "is no network"),
        ("x=?none", "parameter", "has no value"),
        ("format(\"%q\", field=a)", "argument", "not known in a format"),
        ("not lower(a)", "position", "is no filter"),
    ] {
        let faults = Program::compile(query, &Options::default()).unwrap_err();
        let first = &faults.list[0];
        let shown = faults.to_string();
        assert_eq!(first.code, code, "{query}: {shown}");
        assert!(shown.contains(part), "{query}: {shown}");
        assert!(first.span.end as usize <= query.len(), "{query}");
    }
}

#[test]
fn fingerprints_ignore_layout() {
    let fingerprint = |query: &str| compile(query, &Options::default()).fingerprint();
    for (one, other) in [
        ("level=ERROR | x:=1", "level = ERROR\n| x := 1 // note"),
        ("a=1 and b=2", "a=1 | b=2"),
        ("in(a, values=[x])", "IN(field=a, values=[\"x\"])"),
        ("(a=1)", "a=\"1\""),
        ("a=1 | groupBy(b)", "a=1\n| groupby( field=[b] )"),
    ] {
        assert_eq!(fingerprint(one), fingerprint(other), "{one}");
    }
    assert_ne!(fingerprint("a=1"), fingerprint("a=2"));
    let stream = Options { ending: Ending::Stream, ..Options::default() };
    assert_ne!(fingerprint("a=1"), compile("a=1", &stream).fingerprint());
}

#[test]
fn what_stands_behind_the_first_aggregate_does_not_change_its_fingerprint() {
    let first = |query: &str| compile(query, &Options::default()).first_fingerprint();
    let same = [
        ("a=1 | groupBy(b)", "a=1|groupby( [b] ) | sort(_count) | head(3)"),
        ("groupBy(b) | _count > 1", "groupBy(b) | x := 1 | top(x)"),
        ("head(5)", "head(5) | count()"),
        ("count()", "setTimeInterval(start=1h) | count()"),
        ("a=1", " a = 1 "),
    ];
    for (one, other) in same {
        assert_eq!(first(one), first(other), "{one}");
    }
    let others = [
        ("a=1 | groupBy(b)", "a=2 | groupBy(b)"),
        ("groupBy(b)", "groupBy(b, limit=3)"),
        ("groupBy(b) | count()", "groupBy(b, function=max(c)) | count()"),
        ("count()", "*"),
        ("x := 1 | count()", "count() | x := 1"),
        ("a=1", "a=1 | x := 1"),
    ];
    for (one, other) in others {
        assert_ne!(first(one), first(other), "{one}");
    }
    let stream = Options { ending: Ending::Stream, ..Options::default() };
    assert_ne!(first("a=1"), compile("a=1", &stream).first_fingerprint());
    assert_eq!(first("a=1 | count()"), compile("a=1 | count()", &stream).first_fingerprint());
}

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
fn programs_are_described() {
    let program = compile(
        "level=?{l=ERROR} or level=WARN | ms > 5 timeout | t := ms / 1000 | groupBy(host, function=[count(), {x=* | max(t)}])",
        &Options::default(),
    );
    let described = program.describe();
    let expected = r#"step 1: keep rows where (level is one of ["ERROR", "WARN"] and ms > 5 and any text contains "timeout")
step 2: t := (ms / 1000)
step 3: groupBy(field=["host"], function=[count(distinct=false, as="_count"), { keep rows where x=* | max(field="t", as="_max", type="number") }], limit=20000)
reads: host, level, ms, t, x
requires: (level in ["ERROR", "WARN"] and ms from 5 to inf and text "timeout")
scan order: Any
fingerprint: "#;
    assert!(described.starts_with(expected), "{described}");
    let timed = compile("setTimeInterval(start=\"7d\", end=\"1d\") | a=1", &Options::default());
    let interval = timed.interval().unwrap();
    assert_eq!((interval.start.as_str(), interval.end.as_deref()), ("7d", Some("1d")));
}

#[test]
fn explain_says_how_filters_are_tried_and_what_is_not_run() {
    for (query, expected) in [
        (
            "a=/x+y/ | b=/timeout/ and c>1 and not d=*",
            "tries: not (d is there), then c as number, then b contains \"timeout\", then a matches /x+y/ in linear time\n",
        ),
        ("a=/^(GET|PUT)$/ or a=POST", "tries: a is one of a set of 3\n"),
        ("a=/\\.exe$/", "tries: a ends with \".exe\"\n"),
        ("a=/^(?!x)y/", "tries: a matches /^(?!x)y/ by trying, at most 2000000 steps a text\n"),
        ("a=/x+(?=y)/", "tries: a matches /x+(?:y)/ in linear time\n"),
        ("regex(\"(?<n>[a-z]+)\", field=a)", "extracts: n from a by /(?m)([a-z]+)/ in linear time\n"),
        // What nothing reads is not made; what an aggregate is fed, a filter reads, or events keep is.
        (
            "x := a + 1 | y := lower(b) | z := y | count()",
            "not run: step 1, 2, 3: nothing reads what it writes\n",
        ),
        ("x := a + 1 | y := x | z := 2 | sum(y)", "not run: step 3: nothing reads what it writes\n"),
        ("x := a + 1 | x > 3 | count()", "tries: x as number\n"),
        ("x := a + 1 | tail(3)", ""),
        ("x := a + 1", ""),
        ("x := a + 1 | fieldstats()", ""),
        ("@timestamp := a | count()", ""),
        // Constants are computed.
        ("test(1 + 1 == 2) | a=1", "tries: a is the number 1\n"),
        ("test(1 > 2)", "tries: nothing, none passes\n"),
    ] {
        let described = compile(query, &Options::default()).describe();
        let (_, told) = described.split_once("fingerprint: ").unwrap();
        let (_, told) = told.split_once('\n').unwrap();
        assert_eq!(told, expected, "{query}");
    }
}

#[test]
fn explain_says_what_is_evaluated_once() {
    for (query, expected) in [
        ("x := a * b + 1 | y := a * b + 2", &["(a * b), 2 times"][..]),
        // Where an operand was written in between it is another value.
        ("x := a * b | a := 3 | y := a * b", &[]),
        ("x := a * b | c := 3 | y := a * b", &["(a * b), 2 times"]),
        ("x := a * b | select([a, b]) | y := a * b", &[]),
        ("x := a * b | case { c=1 | b := 2 ; * } | y := a * b", &[]),
        ("x := a * b | setField(target=c, value=1) | y := a * b", &[]),
        // Clauses begin with the row as it came.
        (
            "case { test(lower(a) == \"x\") | a := 1 ; test(lower(a) == \"y\") }",
            &["lower(field=\"a\", as=\"_lower\"), 2 times"],
        ),
        ("case { b := lower(a) | b=x ; c := lower(a) | c=/z/ ; * }", &["lower(field=\"a\"), 2 times"]),
        ("case { a=/x+y/ b=1 ; a=/x+y/ b=2 ; a=/x+y/ }", &["a matches /x+y/, 3 times"]),
        ("case { a=/(?<n>x+)y/ | n=x ; a=/(?<n>x+)y/ | n=xx ; * }", &["EXTRACT"]),
        // As a test and as a value it is not the same, but what is in it is.
        (
            "case { test(lower(a) == \"x\") ; y := test(lower(a) == \"x\") }",
            &["(lower(field=\"a\", as=\"_lower\") == \"x\"), 2 times"],
        ),
        ("case { timeout b=1 ; timeout b=2 }", &["any text contains \"timeout\", 2 times"]),
        // Each match is a row of its own.
        ("case { a=/(?<n>x+)y/g | n=x ; a=/(?<n>x+)y/g | n=xx ; * }", &[]),
        // What is no dearer than looking it up.
        ("case { a=1 b=1 ; a=1 b=2 ; a>1 c=1 ; a>1 c=2 }", &[]),
        // What is not run evaluates nothing.
        ("x := lower(a) | y := lower(a) | groupBy(y)", &[]),
        ("x := lower(a) | y := lower(a) | z := lower(a) | groupBy([y, z])", &["lower(field=\"a\"), 2 times"]),
        // Behind an aggregate there are other rows.
        ("x := a * b | groupBy(x, function=count(as=a)) | y := a * b", &[]),
        ("groupBy(a, function=sum(b)) | x := a * 2 | y := 1 + a * 2", &["(a * 2), 2 times"]),
    ] {
        let described = compile(query, &Options::default()).describe();
        let told = described.lines().filter_map(|line| line.strip_prefix("evaluated once: "));
        let told: Vec<&str> = told.collect();
        match expected {
            ["EXTRACT"] => assert!(told.len() == 1 && told[0].starts_with("regex("), "{query}: {told:?}"),
            _ => assert_eq!(told, expected, "{query}"),
        }
    }
}

#[test]
fn what_is_evaluated_once_is_what_it_would_be() {
    let input = r#"{"a":"xxy","b":"1"}
        {"a":"xy","b":"2"}
        {"a":"XY","b":"2"}
        {"b":"3"}
        {"a":"7","b":"3"}"#;
    check(
        "case { b=2 | a=/(?<n>x+)y/ | n=xx ; a=/(?<n>x+)y/ | m := n ; n := lower(a) | n=xy ; n := lower(a) ; * } | select([n, m])",
        input,
        r#"{"n":"xx","m":"xx"}
        {"n":"x","m":"x"}
        {"n":"xy"}
        {}
        {"n":"7"}"#,
    );
    check(
        "x := a * b | case { test(a * b > 20) | a := 1 | x := a * b ; y := 1 + a * b } | select([x, y])",
        input,
        r#"{}
        {}
        {}
        {}
        {"x":"3"}"#,
    );
    // A row that becomes several, of which the others have what it had.
    check(
        "x := upper(a) | a=/(?<l>.)/g | y := upper(a) | z := upper(l) | b=1 | select([x, y, z])",
        input,
        r#"{"x":"XXY","y":"XXY","z":"Y"}
        {"x":"XXY","y":"XXY","z":"X"}
        {"x":"XXY","y":"XXY","z":"X"}"#,
    );
}

#[test]
fn fields_that_do_not_fit_at_once_are_made_of_fewer_rows() {
    let row = |row: usize| {
        let text: Vec<String> = (0..20).map(|at| format!("n{}={row}", row * 20 + at)).collect();
        vec![("text".to_owned(), text.join(" ")), ("at".to_owned(), row.to_string())]
    };
    let rows: Vec<Row> = (0..64).map(row).collect();
    let table = ResultTable::of_events(&rows);
    let run = |query: &str, max_column_bytes: usize| {
        let context = Context { max_column_bytes, ..Context::default() };
        let mut machine = Machine::new(compile(query, &Options::default()), context);
        let mut state = machine.new_state();
        machine.step(&table, Selection::all(rows.len()), &mut state).map(|()| {
            let result = machine.finish(&state).unwrap();
            let cell = |row: usize, name: &str| result.text(row, name).map(String::from);
            (0..result.rows)
                .map(|row| (cell(row, "_count"), cell(row, "at"), cell(row, "n1279")))
                .collect::<Vec<_>>()
        })
    };
    for query in [
        "kvParse(text) | groupBy(at, function=[count(), max(n1279, as=n1279)]) | sort(at, limit=100)",
        "case { kvParse(text) | at>3 ; * } | groupBy(at, function=[count(), max(n1279, as=n1279)]) | sort(at, limit=100)",
        "kvParse(text) | at>40",
    ] {
        let whole = run(query, 0).unwrap();
        assert!(whole.len() > 20, "{query}");
        assert_eq!(run(query, 20_000).unwrap(), whole, "{query}");
        let told = run(query, 5_000).unwrap_err().to_string();
        assert!(told.contains("over their limit of 5000"), "{told}");
    }
}

#[test]
fn constants_are_computed_as_fields_would_be() {
    let input = r#"{"one":"1","two":"2","half":"0.5","word":"x","big":"9007199254740993","t":"true"}"#;
    for (constant, field) in [
        ("1 + 2 * 2", "one + two * two"),
        ("1 / 2", "one / two"),
        ("2 / 1", "two / one"),
        ("1 / 0", "one / (one - one)"),
        ("9007199254740993 + 2", "big + two"),
        ("-(1 - 2)", "-(one - two)"),
        ("0.5 * 2", "half * two"),
        ("5 % 2", "(two + two + one) % two"),
        ("1 == 1.0", "one == 1.0"),
        ("\"x\" == \"y\"", "word == \"y\""),
        ("\"x\" + 1", "word + one"),
        ("\"x\" > 1", "word > one"),
        ("!(1 < 2)", "!(one < two)"),
        ("if(1 < 2, then=\"yes\", else=word)", "if(one < two, then=\"yes\", else=word)"),
        ("if(\"x\", then=1, else=2)", "if(word, then=1, else=2)"),
        ("if(true, then=missing, else=2)", "if(t, then=missing, else=2)"),
    ] {
        let value = |expression: &str| {
            let table = ResultTable::of_events(&events(input));
            let result = run_with(&format!("v := {expression}"), &table, &Options::default());
            rows(&result)[0].iter().find(|(name, _)| name == "v").map(|(_, value)| value.clone())
        };
        assert_eq!(value(constant), value(field), "{constant} and {field}");
    }
}

#[test]
fn a_regex_that_takes_too_many_steps_is_a_fault_of_the_query() {
    let program = compile(r"a=/(x+x+)+(?!y)z\1/ | count()", &Options::default());
    let run = |text: &str| {
        let table = ResultTable::of_events(&[vec![("a".to_owned(), text.to_owned())]]);
        let mut machine = Machine::new(program.clone(), Context::default());
        let mut state = machine.new_state();
        machine.step(&table, Selection::all(1), &mut state)
    };
    assert!(run("xxz").is_ok());
    let fault = run(&"x".repeat(2_000)).unwrap_err();
    assert!(fault.to_string().contains("takes more than 2000000 steps in one text"), "{fault}");
    assert!(run("xxz").is_ok(), "it is told once");
    // A long text by itself is not too much.
    let long = compile("a=/(?<!b)c/ | count()", &Options::default());
    let table = ResultTable::of_events(&[vec![("a".to_owned(), "ab".repeat(100_000))]]);
    let mut machine = Machine::new(long, Context::default());
    let mut state = machine.new_state();
    machine.step(&table, Selection::all(1), &mut state).unwrap();
}

#[test]
fn a_standing_query_says_when_it_gives_results_out() {
    let standing = Options { is_standing: true, ..Options::default() };
    let plain = compile("level=ERROR | count()", &standing);
    assert!(plain.emission().is_none());
    for (query, trigger, refinement) in [
        (
            r#"level=ERROR | count() | emit(trigger="any(count(1), every(5s))")"#,
            Some("any(count(1), every(5s))"),
            None,
        ),
        ("level=ERROR | count() | emit(refinement=retracting)", None, Some("retracting")),
        ("level=ERROR | count() | emit()", None, None),
    ] {
        let program = compile(query, &standing);
        let said = program.emission().unwrap();
        assert_eq!((said.trigger.as_deref(), said.refinement.as_deref()), (trigger, refinement), "{query}");
        assert_eq!(program.first_fingerprint(), plain.first_fingerprint(), "{query}");
    }
    for (query, options, fault) in [
        ("count() | emit()", Options::default(), "this query is not one"),
        ("emit() | count()", standing.clone(), "nothing may follow `emit`"),
        ("count() | emit() | emit()", standing.clone(), "nothing may follow `emit`"),
        ("case { a=1 | emit(); * } | count()", standing.clone(), "inside `case` or `match`"),
        ("join({a=1}, field=b) | count()", standing.clone(), "`join` cannot be kept standing"),
        ("not join({a=1}, field=b) | count()", standing.clone(), "`join` cannot be kept standing"),
        ("createEvents(\"a\") | count()", standing.clone(), "it makes its rows itself"),
        ("case { selfJoinFilter(field=a, where=[{b=1}]); * }", standing.clone(), "`selfJoinFilter` cannot"),
        ("count() | emit(when=x)", standing, "when"),
    ] {
        let faults = weir_query::program::Program::compile(query, &options).unwrap_err().to_string();
        assert!(faults.contains(fault), "{query}: {faults}");
    }
}

#[test]
fn rows_made_of_one_event_are_told_apart() {
    let event = r#"{"r[0]":"1","r[1]":"2","r[2]":"3","s[0]":"a","s[1]":"b","t[0]":"x","t[1]":"y"}"#;
    for (query, count) in [
        ("split(r) | case { r=1 | split(s) | z:=1; * | z:=2 }", 4),
        ("split(r) | case { r=1 | split(s) | case { s=a | split(t); * }; r=2; * | z:=2 }", 5),
        ("split(r) | case { case { r=1 | split(s) }; * | z:=2 }", 4),
        ("split(r) | not regex(\"1\", field=r, repeat=true)", 2),
        ("split(r) | regex(\"1\", field=r, repeat=true) or r=zz", 1),
        ("split(r) | not regex(\"(?<n>1)\", field=r, repeat=true)", 2),
        ("split(r) | regex(\"(?<n>[12])\", field=r, repeat=true) or r=zz", 2),
        ("split(r) | not regex(\"1\", field=r, strict=false)", 0),
    ] {
        check(&format!("{query} | count()"), event, &format!("{{\"_count\":\"{count}\"}}"));
    }
}

/// Checks the first fault of `query`: its message and the text it points at.
#[track_caller]
fn faults(query: &str, message: &str, at: &str) {
    let Err(found) = Program::compile(query, &Options::default()) else { panic!("{query}: no fault") };
    let fault = found.list.first().unwrap_or_else(|| panic!("{query}: no fault"));
    assert_eq!(fault.message, message, "{query}");
    assert_eq!(query.get(fault.span.range()), Some(at), "{query}");
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
fn texts_touch_operators_in_expressions() {
    check("x:=\"5\"*a | y:=a*\"2\"-1 | z:=\"4\"/\"2\"", "{\"a\":3}", "{\"a\":3,\"x\":15,\"y\":5,\"z\":2}");
    faults("x:=\"5\"a", "expected a space between `\"5\"` and `a`", "a");
    faults("b=\"5\"*a", "expected a space between `\"5\"` and `*a`", "*a");
}

#[test]
fn angles_of_points() {
    check(
        "math:arctan2(x=x, y=y) | round(_arctan2)",
        "{\"x\":-1,\"y\":0}",
        "{\"x\":-1,\"y\":0,\"_arctan2\":3}",
    );
    check(
        "a := math:arctan2(x, y=y)",
        "{\"x\":2,\"y\":0}\n{\"x\":\"n\",\"y\":1,\"a\":7}",
        "{\"x\":2,\"y\":0,\"a\":0}\n{\"x\":\"n\",\"y\":1,\"a\":7}",
    );
}

#[test]
fn renames_are_simultaneous() {
    for (pairs, expected) in [
        ("[[a, b], [b, a]]", r#"{"a":2,"b":1,"c":3}"#),
        ("[[a, b], [b, c]]", r#"{"b":1,"c":2}"#),
        ("[[a, b], [n, a]]", r#"{"b":1,"c":3}"#),
        ("[[n, b], [a, a]]", r#"{"a":1,"b":2,"c":3}"#),
    ] {
        check(&format!("rename({pairs})"), r#"{"a":1,"b":2,"c":3}"#, expected);
    }
}

#[test]
fn surplus_unnamed_arguments_are_named() {
    for (query, message, at, hint) in [
        (
            "top(status, 5)",
            "`top` takes one unnamed argument, `field`; name the others",
            "5",
            "write `limit=5`",
        ),
        (
            "groupBy(a, count)",
            "`groupBy` takes one unnamed argument, `field`; name the others",
            "count",
            "give a list: `field=[a, count]`",
        ),
        ("head(5, 6)", "`head` takes one unnamed argument, `limit`; name the others", "6", ""),
        ("sum(a, b)", "`sum` takes one unnamed argument, `field`; name the others", "b", "write `as=b`"),
        (
            "wildcard(a, pattern=\"x*\")",
            "`pattern` is given twice: the unnamed argument is `pattern`, too",
            "a",
            "write `field=a`",
        ),
        (
            "wildcard(pattern=\"x*\", \"a b\")",
            "`pattern` is given twice: the unnamed argument is `pattern`, too",
            "\"a b\"",
            "write `field=\"a b\"`",
        ),
        ("sum(field=a, field=b)", "`field` is given twice", "field=b", ""),
    ] {
        faults(query, message, at);
        let found = Program::compile(query, &Options::default()).unwrap_err();
        let told = found.list.first().and_then(|fault| fault.hint.clone()).unwrap_or_default();
        assert_eq!(told, hint, "{query}");
    }
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

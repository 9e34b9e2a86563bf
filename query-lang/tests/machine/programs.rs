//! What a program says of itself: fingerprints, emission, its plan, and what of it is evaluated once or not at all.

use weir_query::compile::{Ending, Options};
use weir_query::program::Program;

use crate::check::{check, compile};

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
        let faults = Program::compile(query, &options).unwrap_err().to_string();
        assert!(faults.contains(fault), "{query}: {faults}");
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

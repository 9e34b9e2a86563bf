//! What is wrong with a query, and where.

use weir_query::compile::Options;
use weir_query::machine::{Context, Machine};
use weir_query::program::Program;
use weir_query::record::Selection;
use weir_query::result::ResultTable;

use crate::check::{compile, faults};

#[test]
fn faults_point_at_the_text() {
    for (query, code, part) in [
        ("timechrt()", "unknown-function", "did you mean `timeChart`?"),
        ("TEXT:editdistance(a)", "not-built", "`text:editDistance` is not built yet"),
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

//! The conditions that prune: exactly what is expected for each kind of filter. That they are necessary is a law
//! (see `laws.rs`); this table keeps them from growing weaker unnoticed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use weir_query::compile::Options;
use weir_query::program::Program;

#[test]
fn conditions_are_as_strong_as_they_can_be() {
    for (query, required) in [
        ("*", "anything"),
        ("false", "nothing passes"),
        ("timeout", "text \"timeout\""),
        ("foo*bar", "(text \"foo\" and text \"bar\")"),
        ("foo bar", "(text \"foo\" and text \"bar\")"),
        ("foo or bar", "(text \"foo\" or text \"bar\")"),
        ("not foo", "anything"),
        ("a=x", "a in [\"x\"]"),
        ("a!=x", "anything"),
        ("a=x or a=y", "a in [\"x\", \"y\"]"),
        ("a=x or b=y", "(a in [\"x\"] or b in [\"y\"])"),
        ("a=x or not b=y", "anything"),
        ("a=404", "(a from 404 to 404 and text \"404\")"),
        ("a=0.50", "(a from 0.5 to 0.5 and text \".5\")"),
        ("a=ab*cd", "(a present and text \"ab\" and text \"cd\")"),
        ("a=*", "a present"),
        ("a!=*", "anything"),
        ("a=\"\"", "a in [\"\"]"),
        ("a>5", "a from 5 to inf"),
        ("a<=5", "a from -inf to 5"),
        ("#t=x", "#t in [\"x\"]"),
        ("#t=*x*", "#t present"),
        ("#t=5", "#t from 5 to 5"),
        ("@id=x", "anything"),
        ("@timestamp>5", "anything"),
        ("@rawstring=*x*", "text \"x\""),
        ("a like \"x\"", "(a present and text \"x\")"),
        ("a=/foo\\d+bar/", "(a present and text \"foo\" and text \"bar\")"),
        (
            "/(?<x>\\w+)@host/i",
            "text \"@ho\" in either case and (text \"@host\" in either case or text \"\u{17F}\")",
        ),
        ("/error|warn/", "(text \"error\" or text \"warn\")"),
        ("in(a, values=[x, y])", "a in [\"x\", \"y\"]"),
        ("in(a, values=[x, \"y*\"])", "((a present and text \"y\") or a in [\"x\"])"),
        ("/a[sS]b/", "text \"asb\" in either case"),
        ("in(a, values=[Top], ignoreCase=true)", "(a present and text \"top\" in either case)"),
        ("wildcard(\"*foo*\")", "text \"foo\""),
        ("regex(\"foo\")", "text \"foo\""),
        ("regex(\"foo\", strict=false)", "anything"),
        ("regex(\"foo\", field=a)", "(a present and text \"foo\")"),
        ("cidr(a, subnet=\"10.0.0.0/8\")", "a present"),
        ("!cidr(a, subnet=\"10.0.0.0/8\")", "anything"),
        ("text:contains(string=a, substring=\"x\")", "(a present and text \"x\")"),
        ("test(a == b)", "anything"),
        // Behind a step that writes the field, its stored value says nothing.
        ("a := 1 | a=x", "anything"),
        ("a := 1 | b=x", "b in [\"x\"]"),
        ("rename(b, as=a) | a=x b=y", "anything"),
        ("/(?<a>.)foo/ | a=x", "text \"foo\""),
        ("name := x | `name` := 1 | b=y", "anything"),
        ("select([a]) | b!=* | a=x", "anything"),
        ("x := 1 | foo", "text \"foo\""),
        ("case { a=x; b=y | c:=1 }", "(a in [\"x\"] or b in [\"y\"])"),
        ("case { a=x; * }", "anything"),
        ("case { a=x | b:=1; a=y } | b=z c=w", "(a in [\"x\"] or a in [\"y\"]) and c in [\"w\"]"),
        ("a match { x => *; y => b:=1 }", "(a in [\"x\"] or a in [\"y\"])"),
        ("a=x | count() | b=y", "a in [\"x\"]"),
        ("createEvents([\"x\"]) | a=y", "anything"),
    ] {
        let program = Program::compile(query, &Options::default())
            .unwrap_or_else(|faults| panic!("{}", faults.render(query, false)));
        let shown = program.required().to_string();
        let trimmed = shown.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(&shown);
        assert!(shown == required || trimmed == required, "{query}: {shown}, not {required}");
    }
}

#[test]
fn long_lists_require_nothing_too_large() {
    let values = |count: usize| (0..count).map(|at| format!("v{at}*")).collect::<Vec<_>>().join(", ");
    let required = |count: usize| {
        let query = format!("in(a, values=[{}])", values(count));
        Program::compile(&query, &Options::default()).unwrap().required().to_string()
    };
    assert_ne!(required(4_096), "anything");
    assert_eq!(required(4_097), "anything");
}

#[test]
fn deep_and_long_queries_run_on_a_common_stack() {
    use weir_query::machine::{Context, Machine};
    use weir_query::record::Selection;
    use weir_query::result::ResultTable;
    let deep = |open: &str, inside: &str, close: &str, times: usize| {
        format!("{}{inside}{}", open.repeat(times), close.repeat(times))
    };
    let queries = [
        deep("(", "a=x or b", ")", 100),
        deep("not ", "a=x", "", 100),
        format!("x := {}", deep("-(", "a + 1", ")", 50)),
        format!("x := 1{}", " + a".repeat(200)),
        deep("case { a=* | ", "b := 1", "; * }", 60),
        format!("a=x{}", " or b=y*z".repeat(5_000)),
        "b := 1 | ".repeat(5_000),
    ];
    let run = move || {
        let table = ResultTable::of_events(&[vec![("a".to_owned(), "1".to_owned())]]);
        for query in queries {
            match Program::compile(&query, &Options::default()) {
                Ok(program) => {
                    let mut machine = Machine::new(program, Context::default());
                    let mut state = machine.new_state();
                    machine.step(&table, Selection::all(1), &mut state).unwrap();
                    machine.finish(&state).unwrap();
                }
                Err(faults) => {
                    assert!(faults.list.iter().all(|fault| fault.code == "limit"), "{faults}");
                }
            }
        }
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
}

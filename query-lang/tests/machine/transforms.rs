//! What steps make of each event.

use weir_query::compile::Options;
use weir_query::machine::{Context, Machine};
use weir_query::record::Selection;
use weir_query::result::ResultTable;

use crate::check::{LOG, Row, check, compile, events, faults, rows, run_with};

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

//! What functions of rows make of one row: a query, the row, and the fields that are other than before (null: gone).
//!
//! Machine and oracle are asked; both must say the same. A row that is dropped is written as `dropped`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use weir_query::compile::Options;
use weir_query::machine::{Context, Machine};
use weir_query::oracle::{self, Event};
use weir_query::program::Program;
use weir_query::record::Selection;
use weir_query::result::ResultTable;

type Fields = BTreeMap<String, String>;

fn object(text: &str) -> serde_json::Map<String, serde_json::Value> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn text_of(value: serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

fn context() -> Context {
    Context { now_millis: 1_709_251_445_067, end_nanos: 1_709_251_445_067_000_000, ..Context::default() }
}

fn by_machine(query: &str, row: &Fields) -> Vec<Fields> {
    let program = Program::compile(query, &Options::default())
        .unwrap_or_else(|faults| panic!("{query}\n{}", faults.render(query, false)));
    let table = ResultTable::of_events(&[row.clone().into_iter().collect()]);
    let mut machine = Machine::new(program, context());
    let mut state = machine.new_state();
    machine.step(&table, Selection::all(table.rows), &mut state).unwrap();
    let result = machine.finish(&state).unwrap();
    let field = |row: usize, name: &str| Some((name.to_owned(), result.text(row, name)?.into_owned()));
    (0..result.rows)
        .map(|row| result.columns.iter().filter_map(|(name, _)| field(row, name)).collect())
        .collect()
}

fn by_oracle(query: &str, row: &Fields) -> Vec<Fields> {
    let event = Event { fields: row.clone(), ..Event::default() };
    oracle::run(query, &Options::default(), &context(), &[event]).unwrap()
}

/// Checks each line: `query` on `input`, what is other then.
#[track_caller]
fn check(cases: &[(&str, &str, &str)]) {
    for (query, input, changes) in cases {
        let row: Fields = object(input).into_iter().map(|(name, value)| (name, text_of(value))).collect();
        let wanted = match *changes {
            "dropped" => Vec::new(),
            changes => {
                let mut after = row.clone();
                for (name, value) in object(changes) {
                    match value {
                        serde_json::Value::Null => drop(after.remove(&name)),
                        value => drop(after.insert(name, text_of(value))),
                    }
                }
                vec![after]
            }
        };
        assert_eq!(by_machine(query, &row), wanted, "machine: {query} on {input}");
        assert_eq!(by_oracle(query, &row), wanted, "oracle: {query} on {input}");
    }
}

/// Checks the first fault of each query: a part of its message, and the text it points at.
#[track_caller]
fn faults(cases: &[(&str, &str, &str)]) {
    for (query, message, at) in cases {
        let Err(found) = Program::compile(query, &Options::default()) else { panic!("{query}: no fault") };
        let fault = found.list.first().unwrap_or_else(|| panic!("{query}: no fault"));
        assert!(fault.message.contains(message), "{query}: {}", fault.message);
        assert_eq!(query.get(fault.span.range()), Some(*at), "{query}: {}", fault.message);
    }
}

#[test]
fn units() {
    check(&[
        ("unit:convert(size)", r#"{"size":"5 MiB"}"#, r#"{"size":"5242880"}"#),
        ("unit:convert(\"size\", to=\"k\", as=kb)", r#"{"size":"1500"}"#, r#"{"kb":"1.5"}"#),
        ("g := unit:convert(size, to=G)", r#"{"size":"2500000000"}"#, r#"{"g":"2.5"}"#),
        ("unit:convert(t, from=ms, to=s, keepUnit=true)", r#"{"t":"3500"}"#, r#"{"t":"3.5 s"}"#),
        ("unit:convert(t, unit=hits, to=k)", r#"{"t":"7 Mhits"}"#, r#"{"t":"7000"}"#),
        ("unit:convert(t, as=o)", r#"{"t":"x","o":"before"}"#, "{}"),
        ("unit:convert(t)", r#"{"t":"1,5 MB"}"#, "{}"),
        ("unit:convert(missing, as=o)", "{}", "{}"),
        ("x := 1 + unit:convert(size, to=M)", r#"{"size":"2000000"}"#, r#"{"x":"3"}"#),
        ("x := 1 + unit:convert(size)", r#"{"size":"none"}"#, "{}"),
        ("x := round(n) - n", r#"{"n":"1.75"}"#, r#"{"x":"0.25"}"#),
    ]);
    faults(&[
        ("unit:convert(a, from=ms, to=MB)", "different things", "MB"),
        ("unit:convert(a, to=\"5\")", "no unit like", "\"5\""),
        ("unit:convert(a, unit=hits, to=bits)", "does not end in the unit `hits`", "bits"),
    ]);
}

#[test]
fn integers_and_bits() {
    check(&[
        ("parseInt(h)", r#"{"h":"0xFF"}"#, r#"{"h":"255"}"#),
        ("n := parseInt(h, radix=\"2\")", r#"{"h":"101"}"#, r#"{"n":"5"}"#),
        ("parseInt(h, as=c, endian=little)", r#"{"h":"8001"}"#, r#"{"c":"384"}"#),
        ("parseInt(h)", r#"{"h":"nope"}"#, "{}"),
        ("parseInt(h, as=n)", r#"{"n":"kept"}"#, "{}"),
        ("parseHexString(h)", r#"{"h":"0x48c3a6"}"#, r#"{"_parsehexstring":"Hæ"}"#),
        ("t := parseHexString(h, charset=\"UTF-16LE\")", r#"{"h":"e600"}"#, r#"{"t":"æ"}"#),
        ("parseHexString(h)", r#"{"h":"zz"}"#, "{}"),
        (
            "bitfield:extractFlags(f, output=[[0, a], [1, b], [63, c]])",
            r#"{"f":"-2"}"#,
            r#"{"a":"false","b":"true","c":"true"}"#,
        ),
        (
            "bitfield:extractFlags(field=f, onlyTrue=true, output=[[0, a], [1, b]])",
            r#"{"f":"2","a":"kept"}"#,
            r#"{"b":"true"}"#,
        ),
        ("bitfield:extractFlags(f, output=[2, b])", r#"{"f":"4"}"#, r#"{"b":"true"}"#),
        ("bitfield:extractFlags(f, output=[0, b])", r#"{"f":"1.5"}"#, "{}"),
        ("bitfield:extractFlags(f, output=[0, b])", "{}", "{}"),
        (
            "bitfield:extractFlagsAsArray(f, flagNames=[[63, sign], [1, two]])",
            r#"{"f":"-2"}"#,
            r#"{"_flags[0]":"two","_flags[1]":"sign"}"#,
        ),
        (
            "splitString(t, by=\" \", as=a) | bitfield:extractFlagsAsArray(f, flagNames=[[0, one]], asArray=\"a[]\")",
            r#"{"f":"1","t":"x y"}"#,
            r#"{"a[0]":"one"}"#,
        ),
        (
            "splitString(t, by=\" \", as=a) | bitfield:extractFlagsAsArray(f, flagNames=[0, one], asArray=\"a[]\")",
            r#"{"f":"2","t":"x y"}"#,
            "{}",
        ),
        (
            "bitfield:extractFlagsAsArray(f, flagNames=[0, one], asArray=\"a[]\")",
            r#"{"f":"x","a[0]":"x"}"#,
            r#"{"a[0]":"x"}"#,
        ),
        (
            "bitfield:extractFlagsAsString(f, flagNames=[[2, c], [0, a], [1, b]])",
            r#"{"f":"7"}"#,
            r#"{"_flags":"a b c"}"#,
        ),
        ("s := bitfield:extractFlagsAsString(f, flagNames=[[2, c]])", r#"{"f":"3"}"#, r#"{"s":""}"#),
        ("bitfield:extractFlagsAsString(f, flagNames=[[2, c]], as=s)", r#"{"s":"kept"}"#, r#"{"s":"kept"}"#),
    ]);
    faults(&[
        ("parseInt(a, radix=37)", "from 2 to 36", "37"),
        ("parseInt(a, radix=10, endian=little)", "radix=16", "little"),
        ("parseHexString(a, charset=EBCDIC)", "one of UTF-8", "EBCDIC"),
        ("bitfield:extractFlags(a, output=[[64, x]])", "from 0 to 63", "64"),
        ("bitfield:extractFlags(a, output=[[1, x], [2, x]])", "two bits", "[[1, x], [2, x]]"),
        ("bitfield:extractFlags(a, output=[[1]])", "expected pairs", "[[1]]"),
        ("bitfield:extractFlagsAsArray(a, flagNames=[[1, x], [1, y]])", "two names", "[[1, x], [1, y]]"),
        ("bitfield:extractFlagsAsString(a, flagNames=[[1, x], [2, x]])", "two bits", "[[1, x], [2, x]]"),
    ]);
}

#[test]
fn characters() {
    check(&[
        ("shannonEntropy(t)", r#"{"t":"abcd"}"#, r#"{"_shannonentropy":"2"}"#),
        ("e := shannonEntropy(\"t\")", r#"{"t":"æøæø"}"#, r#"{"e":"1"}"#),
        ("shannonEntropy(t)", r#"{"t":""}"#, r#"{"_shannonentropy":"0"}"#),
        ("shannonEntropy(t)", "{}", "{}"),
        ("stripAnsiCodes(t)", r#"{"t":"\u001b[1mbold\u001b[0m æ"}"#, r#"{"t":"bold æ"}"#),
        ("stripAnsiCodes()", r#"{"@rawstring":"\u001b[2Kx"}"#, r#"{"@rawstring":"x"}"#),
        ("stripAnsiCodes(t, as=u)", r#"{"t":"\u001b[1"}"#, r#"{"u":"\u001b[1"}"#),
    ]);
}

#[test]
fn elements_of_arrays() {
    let abc =
        r#"{"a[0]":"x","a[1]":"y","a[2]":"x","a[4]":"far","b[0]":"1","b[1]":"2","b[2]":"3","b[3]":"4"}"#;
    check(&[
        ("array:length(\"a[]\")", abc, r#"{"_length":"3"}"#),
        ("n := array:length(a)", abc, r#"{"n":"3"}"#),
        ("array:length(\"none[]\", as=n)", abc, r#"{"n":"0"}"#),
        ("n := array:length(\"o[].k\")", r#"{"o[0].k":"1","o[1].k":"2","o[2].j":"3"}"#, r#"{"n":"2"}"#),
        (
            "array:append(\"a[]\", values=[\"z\", b[0], none, length(b[0])])",
            abc,
            r#"{"a[3]":"z","a[4]":"1","a[5]":"1"}"#,
        ),
        ("array:append(\"new[]\", values=[4 + 1])", abc, r#"{"new[0]":"5"}"#),
        ("array:dedup(\"a[]\")", abc, r#"{"a[2]":null}"#),
        ("array:dedup(\"a[]\", asArray=\"b[]\")", abc, r#"{"b[0]":"x","b[1]":"y"}"#),
        ("array:drop(\"a[]\")", abc, r#"{"a[0]":null,"a[1]":null,"a[2]":null}"#),
        ("array:drop(\"none[]\")", abc, "{}"),
        ("array:drop(\"o[]\")", r#"{"o[0].k":"1","o[1]":"2","o":"3"}"#, r#"{"o[0].k":null,"o[1]":null}"#),
        (
            "array:rename(\"a[]\", asArray=\"b[]\")",
            abc,
            r#"{"a[0]":null,"a[1]":null,"a[2]":null,"b[0]":"x","b[1]":"y","b[2]":"x","b[3]":null}"#,
        ),
        (
            "array:rename(\"o[]\", asArray=\"p.q[]\")",
            r#"{"o[0].k":"1"}"#,
            r#"{"o[0].k":null,"p.q[0].k":"1"}"#,
        ),
        ("array:rename(\"a[]\", asArray=\"a[]\")", abc, "{}"),
        ("array:rename(\"none[]\", asArray=\"a[]\")", abc, "{}"),
        (
            "array:sort(\"a[]\")",
            r#"{"a[0]":"b","a[1]":"Å","a[2]":"A"}"#,
            r#"{"a[0]":"A","a[1]":"b","a[2]":"Å"}"#,
        ),
        (
            "array:sort(\"a[]\", type=number, order=desc)",
            r#"{"a[0]":"banana","a[1]":"5","a[2]":"apple","a[3]":"41","a[4]":"10"}"#,
            r#"{"a[0]":"41","a[1]":"10","a[2]":"5","a[3]":"banana","a[4]":"apple"}"#,
        ),
        ("array:sort(\"a[]\", asArray=\"b[]\")", abc, r#"{"b[0]":"x","b[1]":"x","b[2]":"y"}"#),
        ("array:contains(\"a[]\", value=y)", abc, "{}"),
        ("array:contains(\"a[]\", value=far)", abc, "dropped"),
        ("array:contains(\"o[].k\", value=2)", r#"{"o[0].k":"1","o[1].k":"2"}"#, "{}"),
        ("array:regex(\"a[]\", regex=\"^Y\", flags=i)", abc, "{}"),
        ("array:regex(\"a[]\", regex=\"^Y\")", abc, "dropped"),
        ("!array:regex(\"a[]\", regex=\"^Y\")", abc, "{}"),
        ("array:regex(\"none[]\", regex=\".\")", abc, "dropped"),
    ]);
    faults(&[
        ("array:sort(\"a[]\", type=hex)", "one of string, number", "hex"),
        ("array:regex(\"a[]\", regex=\"(\")", "not a regex", "("),
        ("array:append(\"a[]\")", "needs `values`", "array:append(\"a[]\")"),
    ]);
}

#[test]
fn steps_for_each_element() {
    let numbers = r#"{"a[0]":"2","a[1]":"3","a[2]":"4","a[4]":"5","b":"4","x":"kept"}"#;
    let objects = r#"{"o[0].k":"1","o[0].t":"a","o[1].k":"2","o[1].t":"b","o[2].t":"a","k":"9","x.k":"no"}"#;
    check(&[
        ("array:exists(\"a[]\", condition={a=3})", numbers, "{}"),
        ("array:exists(\"a[]\", condition={a=5})", numbers, "dropped"),
        ("array:exists(array=\"a[]\", condition=in(field=a, values=[9, 4]))", numbers, "{}"),
        (
            "array:exists(\"a[]\", condition=if(in(a, values=[9]), then=true, else=in(a, values=[4])))",
            numbers,
            "{}",
        ),
        ("array:exists(\"a[]\", var=y, condition={y=3 or y=4 | test(y >= b)})", numbers, "{}"),
        ("array:exists(\"a[]\", var=y, condition=(y > b))", numbers, "dropped"),
        ("!array:exists(\"a[]\", condition={a=3})", numbers, "dropped"),
        ("array:exists(\"none[]\", condition={*})", numbers, "dropped"),
        ("array:filter(\"a[]\", var=x, function={x>2})", numbers, r#"{"a[0]":"3","a[1]":"4","a[2]":null}"#),
        ("array:filter(\"a[]\", var=x, function={x=4}, asArray=\"c[]\")", numbers, r#"{"c[0]":"4"}"#),
        ("array:filter(\"a[]\", function={a=none})", numbers, r#"{"a[0]":null,"a[1]":null,"a[2]":null}"#),
        (
            "array:filter(\"a[]\", function={a := a * 2 | a>5})",
            numbers,
            r#"{"a[0]":"3","a[1]":"4","a[2]":null}"#,
        ),
        (
            "array:eval(\"a[]\", asArray=\"sq[]\", var=x, function={sq := x*x})",
            numbers,
            r#"{"sq[0]":"4","sq[1]":"9","sq[2]":"16"}"#,
        ),
        ("array:eval(\"a[]\", function={a := a + b})", numbers, r#"{"a[0]":"6","a[1]":"7","a[2]":"8"}"#),
        (
            "array:eval(\"a[]\", asArray=\"c[]\", var=x, function={x!=3 | c := x})",
            numbers,
            r#"{"c[0]":"2","c[1]":"4"}"#,
        ),
        ("array:eval(\"a[]\", asArray=\"b[]\", var=y, function={z := y})", numbers, "{}"),
        (
            "array:eval(\"a[]\", asArray=\"u[]\", var=d, function=upper(d, as=u))",
            r#"{"a[0]":"æ"}"#,
            r#"{"u[0]":"Æ"}"#,
        ),
        (
            "array:eval(\"a[]\", asArray=\"u[]\", var=d, function={regex(\"(?<u>\\\\d)\", field=d, repeat=true)})",
            r#"{"a[0]":"12","a[1]":"x","a[2]":"3"}"#,
            r#"{"u[0]":"1","u[1]":"3"}"#,
        ),
        ("objectArray:exists(\"o[]\", condition={o.k=2})", objects, "{}"),
        ("objectArray:exists(\"o[]\", var=x, condition={x.k=2 | x.t=a})", objects, "dropped"),
        ("objectArray:exists(\"o[]\", var=x, condition={x.k=no})", objects, "dropped"),
        (
            "objectArray:eval(\"o[]\", asArray=\"m[]\", var=x, function={m := concat([x.k, x.t])})",
            objects,
            r#"{"m[0]":"1a","m[1]":"2b","m[2]":"a"}"#,
        ),
        (
            "objectArray:eval(\"o[]\", asArray=\"m[]\", function={m := concat([o[].k, o[].t])})",
            objects,
            r#"{"m[0]":"1a","m[1]":"2b","m[2]":"a"}"#,
        ),
        (
            "objectArray:eval(array=\"o[]\", asArray=\"m.n[]\", function={ o.t = /A/i | m.n := o.k })",
            objects,
            r#"{"m.n[0]":"1"}"#,
        ),
        (
            "objectArray:eval(\"s[]\", asArray=\"m[]\", var=x, function={m := splitString(field=x, by=\":\", index=1)})",
            r#"{"s[0]":"a:b","s[1]":"c"}"#,
            r#"{"m[0]":"b"}"#,
        ),
    ]);
    faults(&[
        ("array:exists(\"a[]\", condition=a)", "steps in braces, or a call", "a"),
        (
            "array:filter(\"a[]\", function={count()})",
            "the aggregate `count` cannot stand in `function`",
            "{count()}",
        ),
        (
            "array:eval(\"a[]\", function=createEvents(\"x\"))",
            "`createEvents` cannot stand in",
            "createEvents(\"x\")",
        ),
        ("array:eval(\"a[]\", function={round(a, how=up)})", "one of round, floor, ceil", "up"),
        ("array:eval(\"a[]\", var=\"x[]\", function={x:=1})", "no plain name", "\"x[]\""),
        ("array:eval(\"a[]\", function={x=/(/})", "not a regex", "("),
    ]);
}

#[test]
fn elements_of_all_rows() {
    let row = r#"{"a[0]":"1","a[1]":"2","a[2]":"1","b":"x"}"#;
    for (query, told) in [
        (
            "array:reduceAll(\"a[]\", var=x, function=[groupBy(x, limit=max)])",
            &[r#"{"x":"1","_count":"2"}"#, r#"{"x":"2","_count":"1"}"#][..],
        ),
        ("array:reduceAll(\"a[]\", var=x, function=sum(x, as=s))", &[r#"{"s":"4"}"#]),
        ("array:reduceAll(\"a[]\", function=[max(a), n := count()])", &[r#"{"_max":"2","n":"3"}"#]),
        ("array:reduceAll(\"none[]\", var=x, function=count())", &[r#"{"_count":"0"}"#]),
        (
            "array:reduceAll(\"a[]\", var=x, function=groupBy(x, function=tail(1))) | drop([\"a[0]\", \"a[1]\", \"a[2]\"])",
            &[r#"{"x":"1","b":"x"}"#, r#"{"x":"2","b":"x"}"#],
        ),
    ] {
        let fields =
            |text: &str| -> Fields { object(text).into_iter().map(|(k, v)| (k, text_of(v))).collect() };
        let wanted: Vec<Fields> = told.iter().map(|row| fields(row)).collect();
        assert_eq!(by_machine(query, &fields(row)), wanted, "machine: {query}");
        assert_eq!(by_oracle(query, &fields(row)), wanted, "oracle: {query}");
    }
    faults(&[
        ("array:reduceAll(\"a[]\", var=x)", "needs `function`", "array:reduceAll(\"a[]\", var=x)"),
        ("array:reduceAll(\"a[]\", var=x, function=x)", "unknown function `x`", "x"),
    ]);
}

#[test]
fn fields_with_computed_names() {
    let row = r#"{"foo":"bar","bar":"123","item":"4","foo[3]":"d"}"#;
    check(&[
        ("r := getField(\"foo\")", row, r#"{"r":"bar"}"#),
        ("r := getField(foo)", row, r#"{"r":"123"}"#),
        ("getField(bar)", row, "{}"),
        ("getField(missing)", row, "{}"),
        ("n := format(\"foo[%s]\", field=[item]) | r := getField(n)", row, r#"{"n":"foo[4]"}"#),
        ("r := 1 + getField(foo)", row, r#"{"r":"124"}"#),
        ("setField(target=foo, value=item + 10)", row, r#"{"bar":"14"}"#),
        (
            "setField(target=\"new one\", value=if(item == 4, then=\"OK\", else=\"no\"))",
            row,
            r#"{"new one":"OK"}"#,
        ),
        ("setField(target=missing, value=1)", row, "{}"),
        ("setField(target=\"foo\", value=missing)", row, "{}"),
    ]);
    faults(&[("setField(target=a)", "needs `value`", "setField(target=a)")]);
}

#[test]
fn parts_of_texts() {
    check(&[
        ("text:substring(t, begin=1, end=3)", r#"{"t":"blåbær"}"#, r#"{"_substring":"lå"}"#),
        ("s := text:substring(string=t, begin=2)", r#"{"t":"blåbær"}"#, r#"{"s":"åbær"}"#),
        ("s := text:substring(\"const\", end=n)", r#"{"n":"2"}"#, r#"{"s":"co"}"#),
        ("s := text:substring(t, begin=n)", r#"{"t":"x","n":"-1"}"#, "{}"),
        ("s := text:substring(t, begin=9)", r#"{"t":"x"}"#, r#"{"s":""}"#),
        ("s := text:substring(missing)", "{}", "{}"),
        ("text:positionOf(t, character=\"lo\")", r#"{"t":"hello"}"#, r#"{"_position":"3"}"#),
        ("p := text:positionOf(t, character=c, occurrence=2)", r#"{"t":"banana","c":"an"}"#, r#"{"p":"3"}"#),
        ("text:positionOf(t, character=\"zz\")", r#"{"t":"hello"}"#, "{}"),
        (
            "text:positionOf(t, character=\"l\", begin=text:positionOf(t, character=\"e\") + 2)",
            r#"{"t":"hello"}"#,
            r#"{"_position":"3"}"#,
        ),
        (
            "text:substring(t, begin=text:positionOf(t, character=\"=\") + 1)",
            r#"{"t":"k=væ"}"#,
            r#"{"_substring":"væ"}"#,
        ),
    ]);
    faults(&[
        ("text:substring(t, begin=-1)", "`begin` is a whole number from 0", "-1"),
        ("text:positionOf(t, character=\"x\", occurrence=0)", "`occurrence` is a whole number from 1", "0"),
    ]);
}

#[test]
fn json_texts() {
    check(&[
        (
            "json:prettyPrint(j)",
            r#"{"j":"{\"a\":[1,{}],\"b\":\"\\u00e6\"}"}"#,
            r#"{"j":"{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": \"\\u00e6\"\n}"}"#,
        ),
        ("json:prettyPrint(step=1)", r#"{"@rawstring":" [ ] "}"#, r#"{"@rawstring":"[]"}"#),
        ("p := json:prettyPrint(j)", r#"{"j":"{no"}"#, r#"{"p":"{no"}"#),
        ("p := json:prettyPrint(j, strict=true)", r#"{"j":"{no"}"#, "{}"),
        ("json:prettyPrint(missing)", "{}", "{}"),
        (
            "v := json:extract(\"a.b[1].c\", field=j)",
            r#"{"j":"{\"a\":{\"b\":[0,{\"c\":\"\\\"æ\\n\"}]}}"}"#,
            r#"{"v":"\"æ\n"}"#,
        ),
        (
            "v := json:extract(a, field=j)",
            r#"{"j":"{\"a\": {\"b\": [1, 2]} }"}"#,
            r#"{"v":"{\"b\": [1, 2]}"}"#,
        ),
        ("v := json:extract(a, field=j)", r#"{"j":"{\"a\":1,\"a\":2.50}"}"#, r#"{"v":"2.50"}"#),
        ("v := json:extract(a, field=j)", r#"{"j":"{\"a\":1"}"#, "{}"),
        ("v := json:extract(b, field=j)", r#"{"j":"{\"a\":1}"}"#, "{}"),
        (
            "writeJson([\"a.b.c\", \"a.b.e[0]\", \"a.d\"])",
            r#"{"a.b.c":"1","a.b.e[0]":"two","a.d":"\"æ\"\n","z":"no"}"#,
            r#"{"_json":"{\"a\":{\"b\":{\"c\":\"1\",\"e\":[\"two\"]},\"d\":\"\\\"æ\\\"\\n\"}}"}"#,
        ),
        ("j := writeJson([\"a.\"])", r#"{"a.b":"1","a":"2","ab":"3"}"#, r#"{"j":"{\"a\":{\"b\":\"1\"}}"}"#),
        (
            "j := writeJson(\"a[*].k\")",
            r#"{"a[0].k":"1","a[1].k":"2","a[1].j":"3"}"#,
            r#"{"j":"{\"a\":[{\"k\":\"1\"},{\"k\":\"2\"}]}"}"#,
        ),
        ("j := writeJson(none)", r#"{"a":"1"}"#, r#"{"j":"{}"}"#),
        (
            "writeJson([a], as=j) | parseJson(j, prefix=\"p.\")",
            r#"{"a.b[0]":"x"}"#,
            r#"{"j":"{\"a\":{\"b\":[\"x\"]}}","p.a.b[0]":"x"}"#,
        ),
    ]);
    faults(&[
        ("json:extract(\"a..b\")", "expected a path", "\"a..b\""),
        ("json:prettyPrint(a, step=99)", "from 0 to 40", "99"),
    ]);
}

#[test]
fn columns() {
    check(&[
        (
            "parseCsv(r, columns=[a, b, c])",
            r#"{"r":"1, \"x\",","c":"before"}"#,
            r#"{"a":"1","b":" \"x\"","c":""}"#,
        ),
        (
            "parseCSV(columns=[a, b], trim=true)",
            r#"{"@rawstring":"1, \" x, æ\" "}"#,
            r#"{"a":"1","b":" x, æ"}"#,
        ),
        ("parseCsv(r, columns=[a, b], excludeEmpty=true, delimiter=\";\")", r#"{"r":";2"}"#, r#"{"b":"2"}"#),
        ("parseCsv(r, columns=[a, b])", r#"{"r":"1","b":"before"}"#, r#"{"a":"1"}"#),
        ("parseCsv(missing, columns=[a])", "{}", "{}"),
        (
            "parseFixedWidth(r, columns=[a, b], widths=[3, 2])",
            r#"{"r":"æ  12more"}"#,
            r#"{"a":"æ","b":"12"}"#,
        ),
        ("parseFixedWidth(r, columns=[a, b], widths=[3, 2], trim=false)", r#"{"r":"x "}"#, r#"{"a":"x "}"#),
    ]);
    faults(&[
        ("parseCsv(a, columns=[x], delimiter=\"ab\")", "expected one character", "\"ab\""),
        ("parseCsv(a, columns=[x, x])", "two columns are called `x`", "[x, x]"),
        ("parseFixedWidth(a, columns=[x], widths=[1, 2])", "a width for each column", "[1, 2]"),
        ("parseFixedWidth(a, columns=[x], widths=[0])", "from 1 to 1000000", "0"),
    ]);
}

#[test]
fn messages_of_security_products() {
    check(&[
        (
            "parseCEF(r)",
            r#"{"r":"<13>CEF:0|v|p|1|id|n|3|src=10.0.0.1 msg=a b cs1Label=L cs1=æ"}"#,
            r#"{"cef.version":"0","cef.device.vendor":"v","cef.device.product":"p","cef.device.version":"1",
                "cef.event_class_id":"id","cef.name":"n","cef.severity":"3","cef.ext.src":"10.0.0.1",
                "cef.ext.msg":"a b","cef.label.L":"æ"}"#,
        ),
        ("parseCEF(r)", r#"{"r":"no message"}"#, "{}"),
        ("parseCEF()", "{}", "{}"),
        (
            "parseLEEF(r, headerprefix=\"h.\", prefix=\"e.\")",
            r#"{"r":"LEEF:2.0|v|p|1|id|^|src=1^devTime=1709164800"}"#,
            r#"{"h.version":"2.0","h.device.vendor":"v","h.device.product":"p","h.device.version":"1","h.event_id":"id",
                "e.src":"1","e.devTime":"1709164800","@timestamp":"1709164800000"}"#,
        ),
        ("parseLEEF(r)", r#"{"r":"LEEF:1.0|v"}"#, "{}"),
    ]);
    faults(&[
        ("parseLEEF(delimiter=\"ab\")", "expected one character", "\"ab\""),
        ("parseLEEF(timezone=\"Mars/Olympus\")", "unknown time zone", "\"Mars/Olympus\""),
    ]);
}

#[test]
fn uris() {
    check(&[
        (
            "parseUrl(u)",
            r#"{"u":"https://h.x:8080/æ?q=1#f"}"#,
            r#"{"u.scheme":"https","u.host":"h.x","u.port":"8080","u.path":"/æ","u.query":"q=1","u.fragment":"f"}"#,
        ),
        (
            "parseUrl(web[0].u, as=\"url\")",
            r#"{"web[0].u":"http://me:pw@h"}"#,
            r#"{"url.scheme":"http","url.username":"me","url.password":"pw","url.host":"h"}"#,
        ),
        ("parseUrl()", r#"{"url":"/graphql"}"#, r#"{"url.path":"/graphql"}"#),
        ("parseUrl(u)", r#"{"u":"not a url","u.host":"before"}"#, "{}"),
        ("parseUrl(missing)", "{}", "{}"),
        (
            "parseUri(u, defaultBase=\"http://\")",
            r#"{"u":"h.x:8080/foo"}"#,
            r#"{"u.scheme":"http","u.host":"h.x","u.port":"8080","u.path":"/foo"}"#,
        ),
        (
            "parseUri(u, prefix=p, defaultBase=\"http://\")",
            r#"{"u":"ftp://h/"}"#,
            r#"{"p.scheme":"ftp","p.host":"h","p.path":"/"}"#,
        ),
        ("parseUri(u, prefix=p, defaultBase=\"//\")", r#"{"u":"h/x"}"#, r#"{"p.host":"h","p.path":"/x"}"#),
        ("parseUri(u, prefix=p)", r#"{"u":"h.x:8080/foo"}"#, r#"{"p.scheme":"h.x","p.path":"8080/foo"}"#),
    ]);
    faults(&[
        ("parseUri(a, prefix=\"\")", "the prefix is empty", "\"\""),
        ("parseUri(a, defaultBase=\"http\")", "expected `//` or a scheme", "\"http\""),
        ("parseUri()", "needs `field`", "parseUri()"),
    ]);
}

#[test]
fn xml_texts() {
    check(&[
        (
            "parseXml(x)",
            r#"{"x":"<a i='1'><b>x</b><b>&lt;æ</b></a>"}"#,
            r#"{"a.i":"1","a.b":"x","a.b[1]":"<æ"}"#,
        ),
        ("parseXml(prefix=\"p.\")", r#"{"@rawstring":"<a>1</a>"}"#, r#"{"p.a":"1"}"#),
        ("parseXml(x, strict=true)", r#"{"x":"<a>"}"#, "dropped"),
        (
            "parseXml(x)",
            r#"{"x":"<a>"}"#,
            r#"{"@error":"true","@error_msg":"field x is no XML: `<a>` is not closed"}"#,
        ),
        ("parseXml(missing, strict=true)", "{}", "{}"),
        ("xml:prettyPrint(x)", r#"{"x":"<a><b>1</b></a>"}"#, r#"{"x":"<a>\n  <b>1</b>\n</a>"}"#),
        ("p := xml:prettyPrint(x, step=0)", r#"{"x":"<a><b/></a>"}"#, r#"{"p":"<a>\n<b/>\n</a>"}"#),
        ("p := xml:prettyPrint(x, strict=true)", r#"{"x":"<a>"}"#, "{}"),
        ("p := xml:prettyPrint(x)", r#"{"x":"<a>"}"#, r#"{"p":"<a>"}"#),
    ]);
}

#[test]
fn addresses_and_places() {
    check(&[
        ("subnet(ip, bits=24)", r#"{"ip":"10.1.2.3"}"#, r#"{"_subnet":"10.1.2.0"}"#),
        ("s := subnet(ip, bits=8)", r#"{"ip":"fe80::1"}"#, "{}"),
        ("s := subnet(ip, bits=8)", "{}", "{}"),
        (
            "c := communityId(proto=p, sourceip=s, destinationip=d, sourceport=sp, destinationport=dp)",
            r#"{"p":"6","s":"128.232.110.120","d":"66.35.250.204","sp":"34855","dp":"80"}"#,
            r#"{"c":"1:LQU9qZlK+B5F3KDmev6m5PMibrg="}"#,
        ),
        (
            "communityId(proto=p, sourceip=s, destinationip=d, icmptype=t, icmpcode=k)",
            r#"{"p":"icmp","s":"192.168.0.89","d":"192.168.0.1","t":"8","k":"0"}"#,
            r#"{"_community_id":"1:X0snYXpgwiv9TZtqg64sgzUn6Dk="}"#,
        ),
        (
            "c := communityId(proto=p, sourceip=s, destinationip=d)",
            r#"{"p":"tcp","s":"nope","d":"1.1.1.1"}"#,
            r#"{"c":""}"#,
        ),
        ("c := communityId(proto=p, sourceip=s, destinationip=d)", r#"{"p":"tcp","s":"1.1.1.1"}"#, "{}"),
        (
            "geohash(lat=a, lon=o, precision=4)",
            r#"{"a":"51.507222","o":"-0.1275"}"#,
            r#"{"_geohash":"gcpv"}"#,
        ),
        ("g := geohash(precision=1)", r#"{"ip.lat":"57.6","ip.lon":"10.4"}"#, r#"{"g":"u"}"#),
        ("g := geohash(lat=a, lon=o)", r#"{"a":"91","o":"0"}"#, "{}"),
        (
            "d := (geography:distance(lat1=\"a\", lat2=\"b\", lon1=\"c\", lon2=\"e\") / 1000) | d := round(d)",
            r#"{"a":"0","b":"0","c":"0","e":"180"}"#,
            r#"{"d":"20015"}"#,
        ),
        ("geography:distance(lat1=a, lon1=a, lat2=a, lon2=b)", r#"{"a":"0","b":"x"}"#, "{}"),
    ]);
    faults(&[
        ("subnet(ip, bits=33)", "from 0 to 32", "33"),
        (
            "communityId(proto=a, sourceip=b, destinationip=c, sourceport=d)",
            "`sourceport` goes with `destinationport`",
            "d",
        ),
        ("geohash(precision=13)", "from 1 to 12", "13"),
    ]);
}

#[test]
fn digests_and_hashes() {
    check(&[
        ("crypto:md5([a, b])", r#"{"a":"ab","b":"c"}"#, r#"{"_md5":"900150983cd24fb0d6963f7d28e17f72"}"#),
        ("s := crypto:sha1(a)", r#"{"a":"abc"}"#, r#"{"s":"a9993e364706816aba3e25717850c26c9cd0d89d"}"#),
        ("s := crypto:md5([missing])", "{}", r#"{"s":"d41d8cd98f00b204e9800998ecf8427e"}"#),
        (
            "s := crypto:sha256(a)",
            r#"{"a":"abc"}"#,
            r#"{"s":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}"#,
        ),
        (
            "hashRewrite(a, salt=\"s\", bits=32)",
            r#"{"a":"æ","@rawstring":"x æ æ"}"#,
            r#"{"a":"57e7eef0","@rawstring":"x 57e7eef0 57e7eef0"}"#,
        ),
        (
            "hashRewrite(a, salt=s, replaceInRawstring=false) | hashMatch(\"x\", field=a, salt=s) | a := 1",
            r#"{"a":"x"}"#,
            r#"{"a":"1"}"#,
        ),
        ("hashRewrite(a, salt=s) | hashMatch(\"y\", field=a, salt=s)", r#"{"a":"x"}"#, "dropped"),
        (
            "hashRewrite(a, salt=s) | hashMatch(\"x\", salt=s) | @rawstring := 1 | a := 1",
            r#"{"a":"x","@rawstring":"in x"}"#,
            r#"{"a":"1","@rawstring":"1"}"#,
        ),
        ("hashRewrite(missing, salt=s)", r#"{"@rawstring":"x"}"#, "{}"),
        ("hash([a, b]) | h := _hash < 4294967296 | drop(_hash)", r#"{"a":"1"}"#, r#"{"h":"true"}"#),
        ("h := hash([a], limit=1)", r#"{"a":"æ"}"#, r#"{"h":"0"}"#),
        ("h := hash([missing])", "{}", "{}"),
        (
            "x := tokenHash(a) | y := tokenHash(b) | z := x == y | drop([x, y])",
            r#"{"a":"p q","b":"q  p"}"#,
            r#"{"z":"true"}"#,
        ),
        ("sample(percentage=100, field=a)", r#"{"a":"1"}"#, "{}"),
        ("sample(percentage=100, field=b)", r#"{"a":"1"}"#, "dropped"),
    ]);
    faults(&[
        ("hashRewrite(a, salt=s, bits=12)", "a multiple of 8 up to 256", "12"),
        ("hashMatch(\"x\", salt=s, hash=sha512, bits=520)", "from 8 to 512", "520"),
        ("sample(percentage=0)", "more than 0", "0"),
        ("sample(percentage=101)", "up to 100", "101"),
        ("hash(a, limit=0)", "from 1 to", "0"),
    ]);
}

#[test]
fn whole_rows() {
    let row = r##"{"a":"1","b":"","#type":"t","#host":"h","@rawstring":"æ1"}"##;
    check(&[
        ("eventSize()", row, r#"{"_eventSize":"3"}"#),
        ("n := eventSize()", r#"{"a":"1"}"#, r#"{"n":"0"}"#),
        ("eventFieldCount()", row, r#"{"_eventFieldCount":"3"}"#),
        ("eventInternals()", row, r##"{"@datasourceId":"#host=h,#type=t"}"##),
        ("eventInternals(prefix=\"in.\")", r#"{"a":"1"}"#, r#"{"in.datasourceId":""}"#),
    ]);
    let row: Fields =
        [("#type", "t"), ("@id", "7"), ("a", "1")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let mut copy = row.clone();
    copy.insert("#type".to_owned(), "u".to_owned());
    copy.insert("@id".to_owned(), "7_copy".to_owned());
    for rows in [by_machine("copyEvent(u)", &row), by_oracle("copyEvent(u)", &row)] {
        assert_eq!(rows.iter().filter(|found| **found == row).count(), 1);
        assert_eq!(rows.iter().filter(|found| **found == copy).count(), 1);
        assert_eq!(rows.len(), 2);
    }
}

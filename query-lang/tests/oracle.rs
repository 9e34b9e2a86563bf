//! The machine against the slow, obvious evaluator: any query built here, over any events, in any split of them,
//! merged in any order, gives the same rows.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;
use weir_query::compile::Options;
use weir_query::machine::{Context, Machine, State};
use weir_query::oracle::{self, Event};
use weir_query::program::{OutputKind, Program};
use weir_query::record::{Column, ColumnBuilder, Dictionary, OrderKey, Selection};
use weir_query::result::ResultTable;
use weir_query::value::ValueRef;

type Fields = BTreeMap<String, String>;

const FILTERS: &[&str] = &[
    "*",
    "k=a",
    "k!=a",
    "k=*",
    "k!=*",
    "k=\"\"",
    "n>0",
    "n<=2.5",
    "n=1",
    "n=100",
    "n=1e2",
    "n!=1.0",
    "t=*o*",
    "t!=al*",
    "t=/o.?e/i",
    "t like \"et\"",
    "alpha",
    "beta or k=b",
    "not (k=a n>0)",
    "k=a or k=b n<5",
    "/GAM/i",
    "in(k, values=[a, \"c*\", 1])",
    "!in(t, values=[ALPHA], ignoreCase=true)",
    "wildcard(field=t, pattern=\"*a\")",
    "wildcard(\"*EL*\", ignoreCase=true)",
    "test(n > m)",
    "test(k == \"a\")",
    "test(n + m < 10)",
    "cidr(ip, subnet=[\"10.0.0.0/8\", \"192.168.0.0/16\"])",
    "text:contains(string=t, substring=k)",
    "k match { a => x := 1 ; /b/ => x := 2 ; * => * }",
    "case { n>5 | size := big ; n<0 | size := neg ; k=* | size := k ; * }",
    "case { k=a ; t=/^g/ | drop(n) }",
    "false",
];

const TRANSFORMS: &[&str] = &[
    "x := n * 2",
    "x := n / m",
    "x := -n + m % 3",
    "n := n - 1",
    "y := if(n > 1, then=\"high\", else=k)",
    "y := if(m == 2, then=n, else=m)",
    "z := coalesce([missing, k, t])",
    "v := (n >= 0) == true",
    "eval(a=n+1, b=a*2)",
    "rename(k, as=kk)",
    "rename([[n, nn], [m, n]])",
    "drop([t, m])",
    "select([@timestamp, k, n, m])",
    "default(value=0, field=[n, m])",
    "default(value=none, field=k, replaceEmpty=true)",
    "lower(t, as=low)",
    "t := upper(t)",
    "len := length(t)",
    "concat([k, t], as=kt)",
    "format(\"%s-%5.2f|%d\", field=[k, n, m], as=f)",
    "formatTime(\"%Y-%m-%d %H:%M:%S.%L\", as=when)",
    "round(n)",
    "n := round(n, how=floor)",
    "replace(\"[aeiou]\", with=\"<$0>\", field=t, as=r)",
    "splitString(field=t, by=\" \", as=w)",
    "last := splitString(field=t, by=\"a\", index=-1)",
    "splitString(field=t, by=\"e\", as=_events) | split(_events)",
    "splitString(field=t, by=\" \", as=w) | concatArray(w, separator=\"+\", as=joined)",
    "regex(\"(?<head>\\\\w)(?<mid>\\\\w*)\", field=t, strict=false)",
    "regex(\"(?<vowel>[aeiou])\", field=t, repeat=true)",
    "t=/(?<first>\\w)/",
    "parseJson(field=j)",
    "parseJson(field=j, prefix=\"p.\", excludeEmpty=true, handleNull=discard)",
    "kvParse(field=q)",
    "kvParse(field=q, as=kv)",
    "parseTimestamp(\"yyyy-MM-dd HH:mm:ss\", field=d, as=parsed, timezoneAs=pz, addErrors=false)",
    "math:abs(n, as=abs)",
    "math:sqrt(n)",
    "math:mod(n, divisor=3)",
    "math:pow(m, exponent=2, as=sq)",
    "hour := time:hour(@timestamp)",
    "dow := time:dayOfWeekName()",
    "age := now() - @timestamp",
    "start(as=from) | end(as=to) | duration(\"2h\", as=two)",
    "formatDuration(m, from=s, as=took)",
    "u := urlDecode(t)",
    "base64Encode(t, as=b64) | base64Decode(b64, as=back)",
    "lowercase(t)",
    "array:contains(\"w[]\", value=beta)",
    "splitString(field=t, by=\" \", as=w) | array:regex(\"w[]\", regex=\"A\", flags=i)",
    "splitString(field=t, by=\"a\", as=w) | array:length(\"w[]\", as=len) | array:dedup(\"w[]\")",
    "splitString(field=t, by=\" \", as=w) | array:append(\"w[]\", values=[k, n + 1]) | array:sort(\"w[]\", type=number)",
    "splitString(field=t, by=\" \", as=w) | array:exists(\"w[]\", var=e, condition={e=*a | e!=k})",
    "splitString(field=t, by=\" \", as=w) | array:filter(\"w[]\", function={w=*a or w=k})",
    "splitString(field=t, by=\"a\", as=w) | array:eval(\"w[]\", var=e, asArray=\"v[]\", function={case { e=l* | v := upper(e); e=\"\" | v := n }})",
    "splitString(field=t, by=\"a\", as=w) | array:eval(\"w[]\", function={regex(\"(?<w>.)\", repeat=true, field=w)})",
    "parseJson(field=j) | objectArray:eval(\"l[]\", var=e, asArray=\"m[]\", function={m := concat([k, e])})",
    "parseJson(field=j) | !objectArray:exists(\"l[]\", condition={l=1})",
    "splitString(field=t, by=\" \", as=w) | array:rename(\"w[]\", asArray=\"x[]\") | array:drop(\"w[]\")",
    "g := getField(k)",
    "setField(target=k, value=n * 2)",
    "text:substring(t, begin=1, end=m, as=part)",
    "at := text:positionOf(t, character=\"a\", occurrence=2)",
    "unit:convert(n, from=ms, as=unit) | u2 := unit:convert(m, to=k, keepUnit=true)",
    "parseInt(n, as=int) | parseHexString(n, as=hex)",
    "bitfield:extractFlags(m, output=[[0, odd], [1, two]], onlyTrue=true)",
    "e := shannonEntropy(t)",
    "json:prettyPrint(j) | b := json:extract(\"b.c\", field=j)",
    "writeJson([k, n, m], as=w)",
    "parseCsv(q, columns=[c1, c2], delimiter=\" \", excludeEmpty=true)",
    "parseFixedWidth(t, columns=[f1, f2], widths=[2, 3])",
    "parseUri(q, prefix=u)",
    "parseXml(j)",
    "subnet(ip, bits=16)",
    "communityId(proto=m, sourceip=ip, destinationip=ip, as=cid)",
    "geohash(lat=n, lon=m, precision=3)",
    "crypto:md5([k, n], as=md5) | h := hash([k, n], limit=10)",
    "hashRewrite(k, salt=s, bits=16)",
    "sample(percentage=50, field=t)",
    "copyEvent(other)",
    "eventSize() | eventFieldCount(as=fields) | eventInternals(prefix=in)",
];

const AGGREGATES: &[&str] = &[
    "count()",
    "count(k)",
    "count(t, distinct=true, as=d)",
    "sum(n)",
    "avg(n)",
    "min(n)",
    "max(n)",
    "range(n)",
    "stdDev(m)",
    "variance(m, as=var)",
    "percentile(m, percentiles=[0, 50, 90, 100])",
    "linReg(x=@timestamp, y=m)",
    "[count(), sum(n), max(m, as=top)]",
    "stats([avg(n), avg(m, as=am)])",
    "groupBy(k)",
    "groupBy([k, t], function=count(as=c))",
    "groupBy(k, function=[])",
    "groupBy(k, limit=2)",
    "groupBy(k, function=[count(), sum(n), avg(m, as=am), count(t, distinct=true, as=dt)])",
    "groupBy(t, function=groupBy(k, function=max(n)))",
    "groupBy(k, function={ n>0 | count(as=pos) })",
    "groupBy(k, function={ count() | twice := _count * 2 })",
    "groupBy(k, function={ groupBy(t) | count(as=kinds) })",
    "groupBy(k, function=tail(1))",
    "groupBy(k, function=selectLast([t, n]))",
    "groupBy(k, function=[collect(t), collect([m, q], limit=2)])",
    "groupBy(k, function=percentile(m, percentiles=[50]))",
    "groupBy(k, function=stats([min(n), max(n)]))",
    "top(k)",
    "top([k, t], limit=3, percent=true)",
    "top(t, sum=m, limit=2, rest=other)",
    "top(k, max=n, as=best)",
    "bucket(span=1s)",
    "bucket(field=k, span=2s, function=sum(m))",
    "timeChart(k, span=1s)",
    "timeChart(k, span=1s, limit=2)",
    "timeChart(buckets=5)",
    "timeChart(t, span=500ms, function=avg(m), limit=1)",
    "collect([k, t])",
    "collect(t, multival=false)",
    "collect(t, separator=\",\", limit=2)",
    "selectLast([k, m])",
    "selectFromMax(n, include=[k, t])",
    "selectFromMin(m, include=[k, @timestamp])",
    "head(3)",
    "tail(3)",
    "sort(n)",
    "sort([k, n], order=[asc, desc], type=[string, number], limit=4)",
    "sort(t, type=string, order=asc, limit=3)",
    "sort(@timestamp, order=asc, limit=5)",
    "table([@timestamp, k, n])",
    "table([k, m], sortby=m, order=asc, limit=3)",
    "fieldstats()",
    "splitString(field=t, by=\" \", as=w) | array:reduceAll(\"w[]\", var=e, function=[groupBy(e, function=count(k))])",
    "splitString(field=t, by=\"a\", as=w) | array:reduceAll(\"w[]\", function=[count(), collect(w), max(n)])",
    "groupBy(k, function={ splitString(field=t, by=\" \", as=w) | array:reduceAll(\"w[]\", var=e, function=count(e, distinct=true)) })",
];

const LATER: &[&str] = &[
    "sort(_count, limit=2)",
    "head(2)",
    "tail(2)",
    "count()",
    "groupBy(k, function=max(_count))",
    "x := _count + 1",
    "_count > 1",
    "table([k, _count], sortby=_count)",
    "selectLast([k, _count])",
    "rename(_count, as=c) | sort(c, order=asc)",
];

fn context() -> Context {
    Context {
        now_millis: 1_700_000_100_000,
        start_nanos: START,
        end_nanos: START + 20_000_000_000,
        ..Context::default()
    }
}

const START: i64 = 1_700_000_000_000_000_000;

fn events() -> impl Strategy<Value = Vec<Event>> {
    let maybe =
        |values: &'static [&'static str]| prop_oneof![1 => Just(None), 5 => select(values).prop_map(Some)];
    let key = maybe(&["a", "b", "c", "", "A", "1"]);
    let number = maybe(&[
        "1",
        "1.0",
        "2.5",
        "-3",
        "0",
        "10",
        "1e2",
        "007",
        "x",
        "",
        "0.1",
        "9007199254740993",
        "3.50",
    ]);
    let measure = maybe(&["1", "2", "3", "7", "20", "100.25", "0", "5"]);
    let text =
        maybe(&["alpha", "beta", "gamma delta", "Alpha", "eta theta", "o", "alpha beta", "ØRE", "a%20b"]);
    let odd = maybe(&["10.1.2.3", "192.168.0.9", "fe80::1", "8.8.8.8", "nope"]);
    let json =
        maybe(&[r#"{"a":1,"b":{"c":"x"}}"#, r#"{"k":"z","l":[1,null,""]}"#, "{broken", "[]", r#"{"n":2}"#]);
    let pairs = maybe(&["a=1 b=two", "k=v n=\"q r\"", "nothing", "x=, y=2"]);
    let date = maybe(&["2024-02-29 12:00:00", "2023-11-14 22:13:20", "yesterday"]);
    let row = (0_i64..20_000, (key, number, measure, text), (odd, json, pairs, date));
    prop::collection::vec(row, 0..24).prop_map(|rows| {
        let event = |(sequence, (millis, (k, n, m, t), (ip, j, q, d))): (u64, (i64, _, _))| {
            let named = [("k", k), ("n", n), ("m", m), ("t", t), ("ip", ip), ("j", j), ("q", q), ("d", d)];
            let mut fields: Fields = named
                .into_iter()
                .filter_map(|(name, value): (&str, Option<&str>)| Some((name.to_owned(), value?.to_owned())))
                .collect();
            let raw: Vec<String> = fields.values().cloned().collect();
            fields.insert("@rawstring".to_owned(), raw.join(" "));
            fields.insert("@timestamp".to_owned(), (START / 1_000_000 + millis).to_string());
            fields.insert("@id".to_owned(), format!("e{sequence}"));
            fields.insert("#repo".to_owned(), "alpha".to_owned());
            Event { fields, place: OrderKey { nanos: START + millis * 1_000_000, sequence } }
        };
        (0..).zip(rows).map(event).collect()
    })
}

fn query() -> impl Strategy<Value = String> {
    let steps = prop::collection::vec(prop_oneof![2 => select(FILTERS), 3 => select(TRANSFORMS)], 0..4);
    let aggregate = prop_oneof![1 => Just(None), 5 => select(AGGREGATES).prop_map(Some)];
    let later = prop::collection::vec(select(LATER), 0..2);
    (steps, aggregate, later).prop_map(|(mut steps, aggregate, later)| {
        if let Some(aggregate) = aggregate {
            steps.push(aggregate);
            steps.extend(later);
        }
        steps.join(" | ")
    })
}

/// A batch of these events; with `coded`, columns are dictionaries, and whole numbers integers where all are.
fn batch(events: &[&Event], coded: bool) -> ResultTable {
    let rows: Vec<Vec<(String, String)>> =
        events.iter().map(|event| event.fields.clone().into_iter().collect()).collect();
    let mut table = ResultTable::of_events(&rows);
    table.order = events.iter().map(|event| event.place).collect();
    if coded {
        table.columns = table.columns.iter().map(|(name, column)| (name.clone(), code(column))).collect();
    }
    table
}

fn code(column: &Column) -> Column {
    let texts: Vec<Option<String>> =
        (0..column.len()).map(|row| column.get(row).map(|value| value.text().into_owned())).collect();
    let plain = |text: &String| text.parse::<i64>().ok().filter(|value| value.to_string() == *text);
    if texts.iter().flatten().all(|text| plain(text).is_some()) {
        let mut built = ColumnBuilder::default();
        for text in &texts {
            built.push(text.as_ref().and_then(plain).map(ValueRef::Int));
        }
        return built.finish();
    }
    let mut distinct: Vec<&String> = texts.iter().flatten().collect();
    distinct.sort();
    distinct.dedup();
    let of = |text: &Option<String>| match text {
        Some(text) => distinct.binary_search(&text).unwrap() as u32,
        None => Dictionary::MISSING,
    };
    let mut built = ColumnBuilder::default();
    distinct.iter().for_each(|text| built.text(text));
    Column::Dictionary {
        codes: texts.iter().map(of).collect::<Vec<u32>>().into(),
        dictionary: Arc::new(built.finish_dictionary()),
    }
}

/// Rows that are not asked for, of which five are few.
const OTHERS: usize = 192;

/// What the machine makes of `events`, split by `parts` and merged in the order `turn` says.
fn machine(program: &Arc<Program>, events: &[Event], parts: &[(usize, bool)], turn: usize) -> Vec<Fields> {
    let mut machine = Machine::new(Arc::clone(program), Context { max_state_bytes: 1 << 30, ..context() });
    let mut states: Vec<State> = Vec::new();
    for part in 0..3 {
        let mut state = machine.new_state();
        let mine: Vec<&Event> = events
            .iter()
            .zip(parts.iter().cycle())
            .filter(|(_, to)| to.0 == part)
            .map(|(event, _)| event)
            .collect();
        for (at, chunk) in mine.chunks(5).rev().enumerate() {
            // Among many others they are few, and steps see them alone.
            let others = if turn == 0 && at == 0 { OTHERS } else { 0 };
            let crowd: Vec<&Event> = mine.iter().cycle().take(others).chain(chunk).copied().collect();
            let table = batch(&crowd, parts[at].1);
            let all = Selection::from_fn(table.rows, |row| row >= others);
            if at % 2 == 0 {
                machine.step(&table, all, &mut state).unwrap();
            } else {
                let frame = machine.select(&table, all).unwrap();
                let rows = frame.order().len();
                let odd = Selection::from_fn(rows, |row| row % 2 == 1);
                let even = Selection::from_fn(rows, |row| row % 2 == 0);
                machine.absorb(&frame, &odd, &mut state).unwrap();
                machine.absorb(&frame, &even, &mut state).unwrap();
            }
        }
        states.push(state);
    }
    states.rotate_left(turn % 3);
    let mut merged = states.remove(0);
    let mut right = states.remove(0);
    right.merge(&states[0]).unwrap();
    merged.merge(&right).unwrap();
    rows(&machine.finish(&merged).unwrap())
}

fn rows(table: &ResultTable) -> Vec<Fields> {
    let row = |row: usize| {
        let cell = |(name, column): &(Arc<str>, Column)| {
            Some((name.to_string(), column.get(row)?.text().into_owned()))
        };
        table.columns.iter().filter_map(cell).collect()
    };
    (0..table.rows).map(row).collect()
}

/// Equal as text, or numbers within `error` of each other.
fn close(a: &str, b: &str, error: f64) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() <= error * a.abs().max(b.abs()).max(1e-6);
    a == b || matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if near(a, b))
}

fn same(found: &[Fields], wanted: &[Fields]) -> bool {
    let cell = |((name, a), (other, b)): ((&String, &String), (&String, &String))| {
        let percentile = name.starts_with('_') && name.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        let rounded = ["_stddev", "var", "_slope", "_intercept", "_r2"].contains(&name.as_str());
        name == other
            && close(
                a,
                b,
                if percentile {
                    0.0101
                } else if rounded {
                    1e-6
                } else {
                    0.0
                },
            )
    };
    let row = |(a, b): (&Fields, &Fields)| a.len() == b.len() && a.iter().zip(b).all(cell);
    found.len() == wanted.len() && found.iter().zip(wanted).all(row)
}

fn check(query: &str, events: &[Event], parts: &[(usize, bool)], turn: usize) -> Result<(), TestCaseError> {
    let options = Options::default();
    let program = match Program::compile(query, &options) {
        Ok(program) => program,
        Err(faults) => panic!("{query}\n{}", faults.render(query, false)),
    };
    let mut wanted = oracle::run(query, &options, &context(), events).unwrap();
    let mut found = machine(&program, events, parts, turn);
    let ranked = ["head(", "tail(", "sort("].iter().any(|name| query.contains(name));
    if program.output_kind() == OutputKind::Events && !ranked {
        // Rows made of one event share its place, and no order among them is promised.
        wanted.sort();
        found.sort();
    }
    prop_assert!(same(&found, &wanted), "{query}\nmachine {found:#?}\noracle {wanted:#?}");
    Ok(())
}

fn parts() -> impl Strategy<Value = Vec<(usize, bool)>> {
    prop::collection::vec((0_usize..3, any::<bool>()), 24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_query(query in query(), events in events(), parts in parts(), turn in 0_usize..3) {
        check(&query, &events, &parts, turn)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_step_by_itself(events in events(), parts in parts(), turn in 0_usize..3) {
        for query in FILTERS.iter().chain(TRANSFORMS).chain(AGGREGATES) {
            check(query, &events, &parts, turn)?;
        }
    }

    #[test]
    fn every_aggregate_with_every_later_step(events in events(), parts in parts(), turn in 0_usize..3) {
        for aggregate in AGGREGATES {
            for later in LATER {
                check(&format!("{aggregate} | {later}"), &events, &parts, turn)?;
            }
        }
    }
}

//! The law of the index: what a query matches one by one is among the rows the index gives it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use weir_query::compile::Options;
use weir_query::machine::{Context, Machine};
use weir_query::program::Program;
use weir_query::record::{Rows, Selection};
use weir_query::result::ResultTable;

use super::{Access, Arrived, Filtering, Known, Leading, QueryIndex, Wanted};
use crate::event::{EventBatch, EventBatchBuilder, EventLimits, TagSet};

const FILTERS: &[&str] = &[
    "a=v1",
    "a=v2 b=w1",
    "a=v*",
    "a!=v1",
    "not a=v1",
    "a=v1 or b=w2",
    "a=v1 or n>7",
    "in(a, values=[v1, v3, \"4\"])",
    "a=4",
    "n=4",
    "n=4.0",
    "n=1e1",
    "n=4 or n=5",
    "n>5",
    "n<=3",
    "n>2 n<8 a=v1",
    "a=v1 n>5",
    "a=v1 n>=8 b=w1",
    "a=v1 n<=3",
    "timeout n<9 n>1",
    "a=v1 | n>20",
    "n>=-1 | n<1",
    "a=*",
    "time",
    "\"time out\"",
    "imeo",
    "/tim(e|ing)/i",
    "/TIMEOUT/",
    "TimeOut",
    "msg=*timeout*",
    "msg=/time ?out \\d/",
    "msg=\"a\\\"b\"",
    "msg=\"*a\\\"b*\"",
    "über",
    "404",
    "x := n * 2 | x > 4",
    "a := \"v9\" | a=v9",
    "case { a=v1 | k := 1; n>5 | k := 2 }",
    "#host=h1",
    "#host=h1 a=v1",
    "extra=e1",
    "extra=e1 a=v2",
    "inner",
    "*",
];

const ENDINGS: &[&str] = &[
    "count()",
    "sum(n)",
    "percentile(n, percentiles=[10, 50])",
    "groupBy(a, function=[max(n), count()])",
    "groupBy(n, function=avg(n))",
    "half := n / 2 | stdDev(half)",
    "n < 6 | more := n + 1 | groupBy(more)",
    "k := \"6\" | n := k | sum(n)",
    "a := b | a=w1 | groupBy(a)",
    "top(a, sum=n)",
    "select([n, a, b])",
];

#[derive(Clone, Debug)]
struct Drawn {
    raw: Vec<u8>,
    json: bool,
    attributes: Option<String>,
    host: Option<u8>,
}

fn value(seed: u8) -> &'static str {
    const VALUES: [&str; 14] = [
        "\"v1\"",
        "\"v2\"",
        "\"w1\"",
        "\"w2\"",
        "4",
        "4.0",
        "\"04\"",
        "\"+5\"",
        "10",
        "-0",
        "1e1",
        "null",
        "true",
        "\"Über time out 3\"",
    ];
    VALUES[usize::from(seed) % VALUES.len()]
}

/// Mostly `n`; now and then a number that is no integer, or none at all.
fn number(n: u8, seed: u8) -> String {
    match seed % 32 {
        0 => "2.5".to_owned(),
        1 => "\"x\"".to_owned(),
        2 => format!("\"0{n}\""),
        _ => n.to_string(),
    }
}

fn message(seed: u8) -> &'static str {
    const MESSAGES: [&str; 9] = [
        "timeout 4",
        "time out 7",
        "Timing TIMEOUT",
        "a\\\"b",
        "\\u0074imeout",
        "nothing of it",
        "über 404",
        "ti",
        "",
    ];
    MESSAGES[usize::from(seed) % MESSAGES.len()]
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let seeds = (any::<[u8; 5]>(), 0..12_u8, prop::option::of(0..3_u8), any::<[bool; 4]>());
    seeds.prop_map(|(seed, n, host, has)| {
        let mut fields = Vec::new();
        for (name, value, has) in [
            ("a", value(seed[0]).to_owned(), has[0]),
            ("b", value(seed[1]).to_owned(), has[1]),
            ("n", number(n, seed[4]), has[2]),
            ("msg", format!("\"{}\"", message(seed[2])), true),
        ] {
            if has {
                fields.push(format!("\"{name}\":{value}"));
            }
        }
        let mut raw = format!("{{{}}}", fields.join(",")).into_bytes();
        let json = seed[3] % 6 > 0;
        if !json && seed[4] % 3 == 0 {
            raw.push(0xff);
        }
        let attributes = has[3].then(|| format!("{{\"extra\":\"e{}\",\"deep\":{{\"x\":\"inner\"}}}}", n % 3));
        Drawn { raw, json, attributes, host }
    })
}

fn batch_of(events: &[Drawn]) -> EventBatch {
    let mut builder = EventBatchBuilder::new(EventLimits::default());
    for (nanos, event) in (0..).zip(events) {
        let tags = match event.host {
            Some(host) => std::sync::Arc::new(TagSet::new([("host", format!("h{host}"))])),
            None => TagSet::none(),
        };
        let attributes = event.attributes.as_deref();
        let pushed = match event.json {
            true => builder.push_json(&event.raw, Some(nanos), &tags, attributes),
            false => builder.push_text(&event.raw, Some(nanos), &tags, attributes),
        };
        pushed.unwrap();
    }
    builder.finish(0).with_sequence(1)
}

fn index_of(programs: &[std::sync::Arc<Program>]) -> QueryIndex<usize> {
    let query = |(at, program): (usize, &std::sync::Arc<Program>)| {
        let leading = |hash| Leading { hash, asked: Known::asked_by(program) };
        (Access::of(program.required()), program.leading_fingerprint().map(leading), at)
    };
    QueryIndex::new(programs.iter().enumerate().map(query))
}

/// The sequences of the rows that each query gets, when the fields `wanted` are read ahead, and what is wanted then.
fn given(
    index: &QueryIndex<usize>,
    found: &mut super::Found,
    batch: &EventBatch,
    wanted: &[Wanted],
) -> (BTreeMap<usize, Vec<u64>>, Vec<Wanted>) {
    let mut given = BTreeMap::new();
    let arrived = Arrived::new(batch, wanted);
    let found = index.find(&arrived, found, |classes, portion| {
        let sequences: Vec<u64> = portion.places().iter().map(|key| key.sequence).collect();
        assert!(sequences.is_sorted() && sequences.len() == portion.len());
        for member in classes.iter().flat_map(|class| &class.members) {
            assert!(given.insert(*member, sequences.clone()).is_none(), "{member} comes twice");
        }
    });
    found.unwrap();
    (given, arrived.wanted())
}

fn matched(program: &std::sync::Arc<Program>, batch: &EventBatch) -> BTreeSet<u64> {
    let mut machine = Machine::new(std::sync::Arc::clone(program), Context::default());
    let frame = machine.select(batch, Selection::all(batch.len())).unwrap();
    frame.order().iter().map(|key| key.sequence).collect()
}

/// What `program` tells of `rows`, step by step as the live path takes them; `filtered`: all pass the filters it begins
/// with.
fn told(program: &std::sync::Arc<Program>, rows: &dyn Rows, filtered: bool) -> ResultTable {
    let mut machine = Machine::new(std::sync::Arc::clone(program), Context::default());
    let all = Selection::all(rows.len());
    let passing = if filtered { all } else { machine.filter(rows, all).unwrap() };
    let frame = machine.select_filtered(rows, passing).unwrap();
    let mut state = machine.new_state();
    machine.absorb(&frame, &Selection::all(frame.order().len()), &mut state).unwrap();
    machine.finish(&state).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_matches_is_a_candidate(
        batches in prop::collection::vec(prop::collection::vec(drawn(), 1..40), 1..4),
        picks in prop::collection::vec((0..FILTERS.len(), 0..FILTERS.len(), 0..3_u8), 1..60),
    ) {
        let program = |(one, other, how): &(usize, usize, u8)| {
            let (one, other) = (FILTERS[*one], FILTERS[*other]);
            let query = match how {
                0 => one.to_owned(),
                1 => format!("{one} | {other}"),
                _ => format!("{one} | count()"),
            };
            Program::compile(&query, &Options::default()).unwrap_or_else(|fault| panic!("{query}: {fault}"))
        };
        let programs: Vec<_> = picks.iter().map(program).collect();
        let index = index_of(&programs);
        let mut found = index.found();
        for events in &batches {
            let batch = batch_of(events);
            let (given, wanted) = given(&index, &mut found, &batch, &[]);
            let ahead = self::given(&index, &mut found, &batch, &wanted);
            prop_assert_eq!(&ahead.0, &given);
            for (at, program) in programs.iter().enumerate() {
                let rows: BTreeSet<u64> = given.get(&at).into_iter().flatten().copied().collect();
                let matched = matched(program, &batch);
                prop_assert!(matched.is_subset(&rows), "{}: {matched:?} of {rows:?}", program.describe());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_portion_tells_what_the_batch_does(
        events in prop::collection::vec(drawn(), 1..60),
        picks in prop::collection::vec((0..FILTERS.len(), 0..FILTERS.len(), 0..ENDINGS.len(), any::<bool>()), 1..30),
    ) {
        let program = |(one, other, ending, both): &(usize, usize, usize, bool)| {
            let other = if *both { format!(" | {}", FILTERS[*other]) } else { String::new() };
            let query = format!("{}{other} | {}", FILTERS[*one], ENDINGS[*ending]);
            Program::compile(&query, &Options::default()).unwrap_or_else(|fault| panic!("{query}: {fault}"))
        };
        let programs: Vec<_> = picks.iter().map(program).collect();
        let (index, batch) = (index_of(&programs), batch_of(&events));
        let whole: Vec<_> = programs.iter().map(|program| shown(&told(program, &batch, false))).collect();
        let mut wanted = Vec::new();
        // What is read as it is asked for, and then what is read ahead.
        for _ in 0..2 {
            let mut given = BTreeMap::new();
            let arrived = Arrived::new(&batch, &wanted);
            let found = index.find(&arrived, &mut index.found(), |classes, portion| {
                for class in classes {
                    let filtered = class.filtering() == Filtering::Told;
                    let told = |member: &usize| (*member, told(&programs[*member], portion, filtered));
                    given.extend(class.members.iter().map(told));
                }
            });
            found.unwrap();
            for (at, program) in programs.iter().enumerate() {
                let own = given.remove(&at).unwrap_or_else(|| {
                    let none = Selection::none(batch.len());
                    told(program, &super::Portion::whole(&arrived).narrowed(&none), false)
                });
                prop_assert_eq!(&shown(&own), &whole[at], "{}", program.describe());
            }
            wanted = arrived.wanted();
        }
    }
}

/// Names and texts of a table, row by row.
fn shown(table: &ResultTable) -> Vec<Vec<(String, String)>> {
    let row = |row: usize| {
        let value = |(name, column): &(std::sync::Arc<str>, weir_query::record::Column)| {
            Some((name.to_string(), column.get(row)?.text().into_owned()))
        };
        table.columns.iter().filter_map(value).collect()
    };
    (0..table.rows).map(row).collect()
}

#[test]
fn filters_that_the_index_decides_are_not_run() {
    for (query, filtering) in [
        ("count()", Filtering::None),
        ("a=v1 | count()", Filtering::Told),
        ("a=v1 b=w1 | count()", Filtering::Told),
        ("a=v1 | b=w1 | count()", Filtering::Told),
        ("#host=h1 | count()", Filtering::Told),
        ("a=4 | count()", Filtering::Run),
        ("a=v1 or a=v2 | count()", Filtering::Run),
        ("a=v1 not b=w1 | count()", Filtering::Run),
        ("a=v1 n>5 | count()", Filtering::Run),
        ("a=v1 timeout | count()", Filtering::Run),
        ("a=v* | count()", Filtering::Run),
        ("@id=x | count()", Filtering::Run),
    ] {
        let index = index_of(&[Program::compile(query, &Options::default()).unwrap()]);
        let batch = batch_of(&[Drawn {
            raw: r#"{"a":"v1","b":"w1","n":7,"msg":"timeout"}"#.into(),
            json: true,
            attributes: None,
            host: Some(1),
        }]);
        let arrived = Arrived::new(&batch, &[]);
        let mut found = None;
        let looked = index.find(&arrived, &mut index.found(), |classes, _| {
            found = classes.first().map(super::Class::filtering);
        });
        looked.unwrap();
        assert!(found.is_none_or(|found| found == filtering), "{query}: {found:?}");
        assert!(found.is_some() || query.contains('4'), "{query}");
    }
}

#[test]
fn queries_that_nothing_comes_for_are_not_called() {
    let queries = ["a=v1", "a=v7", "\"time out\"", "b=w1 a=v1", "n>6", "a=v1 | not b=w1", "#host=h1", "1=2"];
    let programs: Vec<_> =
        queries.iter().map(|query| Program::compile(query, &Options::default()).unwrap()).collect();
    let index = index_of(&programs);
    let event = |raw: &str| Drawn { raw: raw.into(), json: true, attributes: None, host: None };
    let batch = batch_of(&[event(r#"{"a":"v1","b":"w2"}"#), event(r#"{"a":"v2","n":5}"#)]);
    let (given, _) = given(&index, &mut index.found(), &batch, &[]);
    assert_eq!(given, BTreeMap::from([(0, vec![1]), (5, vec![1])]));
}

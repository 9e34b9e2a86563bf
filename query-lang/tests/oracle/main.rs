//! The machine against the slow, obvious evaluator: any query built here, over any events, in any split of them,
//! merged in any order, gives the same rows.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod pieces;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use weir_query::compile::Options;
use weir_query::machine::{Context, Machine, State};
use weir_query::oracle::{self, Event};
use weir_query::program::{OutputKind, Program};
use weir_query::record::{Column, ColumnBuilder, Dictionary, OrderKey, Selection};
use weir_query::result::ResultTable;
use weir_query::table::Table;
use weir_query::value::ValueRef;

use pieces::{AGGREGATES, FILTERS, LATER, LEFT_OUT, TRANSFORMS};

type Fields = BTreeMap<String, String>;

/// Tables that queries look things up in.
const TABLES: &[(&str, &str)] = &[
    (
        "hosts.csv",
        "key,name,pattern,network\na,first,al*,10.0.0.0/8\nb,second,*eta*,0.0.0.0/0\nA,third,*,192.168.0.0/16\n\
         a,fourth,*a,10.1.0.0/16\n1,,o,fe80::/10\nc,fifth,,8.8.8.8\n",
    ),
    ("ip-location.csv", "network,country,city\n10.0.0.0/8,DK,Odder\n8.8.8.0/24,US,\n"),
    ("asn.csv", "network,asn,org\n192.168.0.0/16,64512,home\n"),
    ("rdns.csv", "ip,hostname\n8.8.8.8,dns.google\n"),
    (
        "ioc.csv",
        "indicator,type,malicious_confidence,labels\na,domain,high,x\nbeta,domain,low,y\nBETA,domain,medium,z\n",
    ),
];

static OPTIONS: LazyLock<Options> = LazyLock::new(|| {
    let table = |(name, text): &(&str, &str)| {
        ((*name).to_owned(), Arc::new(Table::read(name, text.as_bytes()).unwrap()))
    };
    Options { tables: Arc::new(TABLES.iter().map(table).collect()), ..Options::default() }
});

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

/// The program with what its queries inside make of `events`.
fn with_tables(program: &Arc<Program>, events: &[Event]) -> Arc<Program> {
    let all: Vec<&Event> = events.iter().collect();
    let whole = batch(&all, false);
    let mut tables = Vec::new();
    for (number, query) in program.queries().iter().enumerate() {
        let mut machine =
            Machine::new(program.query(number, &tables, &|| false).unwrap().unwrap(), context());
        let mut state = machine.new_state();
        machine.step(&whole, Selection::all(whole.rows), &mut state).unwrap();
        tables.push(Arc::new(Table::of_result(query, machine.finish(&state).unwrap()).unwrap()));
    }
    program.with_tables(&tables, Vec::new(), &|| false).unwrap()
}

/// Rows that are not asked for, of which five are few.
const OTHERS: usize = 192;

/// What the machine makes of `events`, split by `parts` and merged in the order `turn` says.
fn machine(program: &Arc<Program>, events: &[Event], parts: &[(usize, bool)], turn: usize) -> Vec<Fields> {
    let program = &with_tables(program, events);
    let mut machine = Machine::new(Arc::clone(program), Context { max_state_bytes: 1 << 30, ..context() });
    if let Some(created) = machine.created() {
        let mut state = machine.new_state();
        machine.step(&created, Selection::all(created.rows), &mut state).unwrap();
        return rows(&machine.finish(&state).unwrap());
    }
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
    let program = match Program::compile(query, &OPTIONS) {
        Ok(program) => program,
        // The same piece was drawn twice.
        Err(faults) if faults.to_string().contains("is defined twice") => return Ok(()),
        Err(faults) => panic!("{query}\n{}", faults.render(query, false)),
    };
    let mut wanted = oracle::run(query, &OPTIONS, &context(), events).unwrap();
    let mut found = machine(&program, events, parts, turn);
    // Elements of an array are no rows.
    let of_rows = query.replace("array:sort(", "");
    let ranked = ["head(", "tail(", "sort("].iter().any(|name| of_rows.contains(name));
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

/// Queries that each set of events is asked.
const QUERIES_A_SEED: u64 = 10;

/// Says which seed it was when a check panics.
struct Asking(u64);

impl Drop for Asking {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("WEIR_SEED={}", self.0);
        }
    }
}

/// Asks the events of `seed` some queries.
fn ask(seed: u64) {
    let _asking = Asking(seed);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let (events, parts, turn) = (events(), parts(), 0_usize..3).new_tree(&mut runner).unwrap().current();
    for _ in 0..QUERIES_A_SEED {
        let query = query().new_tree(&mut runner).unwrap().current();
        check(&query, &events, &parts, turn).unwrap();
    }
}

/// Asks those of `seeds`, a part of them on each core.
fn ask_all(seeds: std::ops::Range<u64>) {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    std::thread::scope(|scope| {
        for own in 0..threads {
            let seeds = seeds.clone();
            scope.spawn(move || seeds.skip(own as usize).step_by(threads as usize).for_each(ask));
        }
    });
}

#[test]
fn twenty_thousand_pairs() {
    ask_all(0..20_000 / QUERIES_A_SEED);
}

/// `WEIR_SEEDS=100000 cargo test --release --workspace --test oracle -- --ignored`; `WEIR_SEED=7` asks one seed alone.
#[test]
#[ignore = "takes minutes"]
fn a_million_pairs() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    match number("WEIR_SEED") {
        Some(seed) => ask(seed),
        None => ask_all(0..number("WEIR_SEEDS").unwrap_or(1_000_000 / QUERIES_A_SEED)),
    }
}

#[test]
fn every_function_is_drawn() {
    let pieces = || FILTERS.iter().chain(TRANSFORMS).chain(AGGREGATES).chain(LATER);
    for signature in weir_query::functions::signatures() {
        let called = format!("{}(", signature.name);
        let is_drawn = pieces().any(|piece| {
            piece.match_indices(&called).any(|(at, _)| {
                let before = piece[..at].chars().next_back();
                before.is_none_or(|before| !before.is_alphanumeric() && before != ':')
            })
        });
        let is_left_out = LEFT_OUT.iter().any(|(name, _)| *name == signature.name);
        assert!(is_drawn != is_left_out, "`{}`: drawn {is_drawn}, left out {is_left_out}", signature.name);
    }
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

    /// What occurs twice is evaluated once, unless what it reads was written in between.
    #[test]
    fn every_step_said_twice(events in events(), parts in parts(), turn in 0_usize..3) {
        for (at, step) in FILTERS.iter().chain(TRANSFORMS).enumerate() {
            let query = match (at + turn) % 3 {
                0 => format!("{step} | {step}"),
                1 => format!("case {{ {step} | k=a ; {step} | n>0 | n := m ; {step} ; * }} | {step}"),
                _ => format!("{step} | case {{ k=a | t := k | {step} ; n := n + 1 | {step} ; * }}"),
            };
            check(&query, &events, &parts, turn)?;
        }
    }

    #[test]
    fn every_aggregate_with_every_later_step(events in events(), parts in parts(), turn in 0_usize..3) {
        for (at, aggregate) in AGGREGATES.iter().enumerate() {
            for later in LATER.iter().skip((at + turn) % 3).step_by(3) {
                check(&format!("{aggregate} | {later}"), &events, &parts, turn)?;
            }
        }
    }
}

//! `correlate`: a query, events, the rows expected; and every combination of rows as its slow twin.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use weir_query::compile::Options;
use weir_query::machine::{Context, Machine};
use weir_query::plan::queries::MAX_QUERIES;
use weir_query::program::Program;
use weir_query::record::Selection;
use weir_query::result::ResultTable;
use weir_query::table::Table;
use weir_query::table::constellations::MAX_CORRELATED;

type Fields = BTreeMap<String, String>;

/// Logins: `id user seconds outcome`.
const LOGINS: &[&str] = &[
    "1 ann 60 ok",
    "2 ann 180 no",
    "3 ann 240 no",
    "4 ann 480 no",
    "5 bob 100 no",
    "6 bob 130 ok",
    "7 ann 490 ok",
];

fn logins() -> Vec<Fields> {
    let event = |line: &&str| {
        let words: Vec<&str> = line.split(' ').collect();
        let millis = words[2].parse::<u64>().unwrap() * 1_000;
        let fields = [("@id", words[0]), ("user", words[1]), ("email", words[1]), ("logon", words[3])];
        let mut fields: Fields =
            fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        fields.insert("@timestamp".to_owned(), millis.to_string());
        fields.insert("@ingesttimestamp".to_owned(), "1".to_owned());
        fields
    };
    LOGINS.iter().map(event).collect()
}

fn run(text: &str, events: &[Fields]) -> ResultTable {
    run_until(text, events, &|| false)
}

fn run_until(text: &str, events: &[Fields], is_enough: &dyn Fn() -> bool) -> ResultTable {
    let program = Program::compile(text, &Options::default())
        .unwrap_or_else(|faults| panic!("{text}\n{}", faults.render(text, false)));
    let rows: Vec<Vec<(String, String)>> =
        events.iter().map(|fields| fields.clone().into_iter().collect()).collect();
    let events = ResultTable::of_events(&rows);
    let finish = |program: Arc<Program>| {
        let mut machine = Machine::new(program, Context::default());
        let created = machine.created();
        let rows = created.as_ref().unwrap_or(&events);
        let mut state = machine.new_state();
        machine.step(rows, Selection::all(rows.rows), &mut state).unwrap();
        machine.finish(&state).unwrap()
    };
    let mut tables = Vec::new();
    for (number, query) in program.queries().iter().enumerate() {
        let inner = program.query(number, &tables, &|| false).unwrap().unwrap();
        tables.push(Arc::new(Table::of_result(query, finish(inner)).unwrap()));
    }
    finish(program.with_tables(&tables, Vec::new(), is_enough).unwrap())
}

/// The ids of the events of each row, in the order of the queries `names`.
fn ids(table: &ResultTable, names: &[&str]) -> Vec<String> {
    let row = |row: usize| {
        let id = |name: &&str| table.text(row, &format!("{name}.@id")).unwrap().into_owned();
        names.iter().map(id).collect::<Vec<_>>().join(" ")
    };
    let mut rows: Vec<String> = (0..table.rows).map(row).collect();
    rows.sort();
    rows
}

const THREE: &str = "A: {logon=ok}, B: {logon=no | user <=> A.email}, C: {logon=no | user <=> A.user}";

#[test]
fn events_that_belong_together_are_a_row() {
    for (options, expected) in [
        ("", &["1 2 3", "7 2 3"][..]),
        ("sequence=true", &["1 2 3"]),
        ("sequence=true, maxPerRoot=2", &["1 2 3", "1 2 4"]),
        ("sequence=true, maxPerRoot=max", &["1 2 3", "1 2 4", "1 3 4"]),
        ("sequence=true, maxPerRoot=max, within=3m", &["1 2 3"]),
        ("sequence=true, within=179s", &[]),
        ("sequence=true, within=180s", &["1 2 3"]),
        ("includeMatchesOnceOnly=true", &["1 2 3"]),
        ("root=C, sequence=true", &["1 2 3", "1 2 4"]),
        ("sequence=true, within=10s, jitterTolerance=10s", &[]),
        // The last login is ten seconds behind the failure before it, and a tolerance lets it be in front of it.
        (
            "sequence=true, within=5m, jitterTolerance=250s, maxPerRoot=max",
            &["1 2 3", "1 3 2", "7 3 4", "7 4 3"],
        ),
    ] {
        let comma = if options.is_empty() { "" } else { ", " };
        let text = format!("correlate({THREE}{comma}{options})");
        assert_eq!(ids(&run(&text, &logins()), &["A", "B", "C"]), expected, "{text}");
    }
    let text =
        "correlate(X: {logon=no}, Y: {logon=ok}, globalConstraints=[user], sequence=true, maxPerRoot=max)";
    assert_eq!(ids(&run(text, &logins()), &["X", "Y"]), ["2 7", "3 7", "4 7", "5 6"]);
    let before = format!("user=bob | {text} | count()");
    assert_eq!(run(&before, &logins()).text(0, "_count").unwrap(), "1");
    let by =
        "correlate(X: {logon=no}, Y: {logon=ok}, globalConstraints=[user], sequence=true, sequenceBy=[@id])";
    assert_eq!(ids(&run(by, &logins()), &["X", "Y"]), ["2 7", "3 7", "4 7", "5 6"]);
}

#[test]
fn rows_tell_what_is_asked_for_of_each_event() {
    let names = |text: &str| -> Vec<String> {
        run(text, &logins()).columns.iter().map(|(name, _)| name.to_string()).collect()
    };
    let always = |node: &str| ["@id", "@timestamp", "@ingesttimestamp"].map(|name| format!("{node}.{name}"));
    let with = |a: &[&str], b: &[&str]| -> Vec<String> {
        let of = |node: &str, more: &[&str]| {
            let more = more.iter().map(|name| format!("{node}.{name}"));
            always(node).into_iter().chain(more).collect::<Vec<_>>()
        };
        of("A", a).into_iter().chain(of("B", b)).collect()
    };
    let text = |more: &str| {
        format!("correlate(A: {{logon=no}} include: [logon], B: {{logon=ok | email <=> A.user}}{more})")
    };
    assert_eq!(names(&text("")), with(&["user", "logon"], &["email"]));
    assert_eq!(names(&text(", includeConstraintValues=false")), with(&["logon"], &[]));
    let all = names("correlate(A: {logon=no} include: *, B: {logon=ok | email <=> A.user})");
    for name in ["A.logon", "A.user", "A.email", "A.@id", "B.email"] {
        assert!(all.iter().any(|have| have == name), "{name}: {all:?}");
    }
    assert!(!all.iter().any(|have| have == "B.logon"));
}

#[test]
fn what_cannot_belong_together_is_told() {
    for (text, expected) in [
        ("correlate(A: {x=1})", "`correlate` has 2 to 16 named queries"),
        ("correlate(A: {x=1}, A: {x=2})", "two queries are called `A`"),
        ("correlate(A: {x=1}, B: {x=2 | y <=> C.y})", "`C.y` is of no query of this `correlate`"),
        ("correlate(Login: {x=1}, B: {x=2 | y <=> Logn.y})", "did you mean `Login`?"),
        ("correlate(A: {count()}, B: {x=2})", "the aggregate `count` cannot stand in a query of `correlate`"),
        ("count() | correlate(A: {x=1}, B: {x=2})", "cannot stand behind the aggregate `count`"),
        ("correlate(A: {x=1}, B: {x=2}, root=C)", "`C` is of no query"),
        ("correlate(A: {x=1}, B: {x=2}, jitterTolerance=1m)", "of no use without `sequence=true`"),
        ("correlate(A: {x=1}, B: {x=2}, within=soon)", "`soon` is no time span"),
        (
            "correlate(A: {x=1}, B: {x=2}, iterationLimit=11)",
            "`iterationLimit` is a whole number from 1 to 10",
        ),
        ("correlate(x)", "`NAME: { .. }` is expected here"),
        ("a <=> B.c", "`<=>` stands only inside a sub-query of `correlate`"),
    ] {
        let faults = Program::compile(text, &Options::default()).map(|_| ()).unwrap_err();
        assert!(faults.to_string().contains(expected), "{text}: {faults}");
    }
    let many = |count: usize| {
        let list: Vec<String> = (0..count).map(|at| format!("N{at}: {{x={at}}}")).collect();
        Program::compile(&format!("correlate({})", list.join(", ")), &Options::default()).is_ok()
    };
    assert!(many(MAX_CORRELATED) && !many(MAX_CORRELATED + 1));
    const { assert!(MAX_CORRELATED < MAX_QUERIES) };
}

#[test]
fn without_time_left_it_stops() {
    let event = |at: usize| {
        let fields =
            [("@id", format!("{at:04}")), ("@timestamp", at.to_string()), ("k", (at % 2).to_string())];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Fields>()
    };
    let events: Vec<Fields> = (0..400).map(event).collect();
    let text = "correlate(A: {k=0}, B: {k=1}, C: {k=0}, maxPerRoot=max)";
    for turns in [0, 1, 5] {
        let asked = std::cell::Cell::new(0);
        let is_enough = || asked.replace(asked.get() + 1) >= turns;
        let table = run_until(text, &events, &is_enough);
        assert!(table.rows < turns * 1_024 + 1, "{}", table.rows);
        assert_eq!(table.warnings, ["correlate: there was no time for all constellations"]);
        assert_eq!(asked.get(), turns + 1);
    }
}

#[test]
fn time_is_asked_for_after_so_many_rows() {
    let event = |at: usize| {
        let k = usize::from(at > 0);
        let fields = [("@id", format!("{at:04}")), ("@timestamp", at.to_string()), ("k", k.to_string())];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Fields>()
    };
    for (tried, times, told) in [(1_023, 1, 1_023), (1_025, 2, 1_024)] {
        let events: Vec<Fields> = (0..=tried).map(event).collect();
        let asked = std::cell::Cell::new(0);
        let is_enough = || asked.replace(asked.get() + 1) > 0;
        let table =
            run_until("correlate(A: {k=0}, B: {k=1}, maxPerRoot=max) | tail(2000)", &events, &is_enough);
        assert_eq!((asked.get(), table.rows, table.warnings.len()), (times, told, times - 1), "{tried}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every triple of events that fits is found, and no other.
    #[test]
    fn all_constellations_are_found(
        events in prop::collection::vec((0_u32..3, 0_u32..3, 0_u32..4, 0_i64..40), 0..14),
        within in prop::option::of(1_i64..30),
        in_order in any::<bool>(),
    ) {
        let event = |(at, (k, a, b, seconds)): (usize, &(u32, u32, u32, i64))| {
            let fields = [("k", k.to_string()), ("a", a.to_string()), ("b", b.to_string())];
            let mut fields: Fields =
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            fields.insert("@timestamp".to_owned(), (seconds * 1_000).to_string());
            fields.insert("@id".to_owned(), format!("{at:02}"));
            fields
        };
        let all: Vec<Fields> = events.iter().enumerate().map(event).collect();
        let mut text = "correlate(X: {k=0}, Y: {k!=2 | a <=> X.a}, Z: {k!=0 | b <=> Y.a}, maxPerRoot=max".to_owned();
        within.iter().for_each(|seconds| text += &format!(", within={seconds}s"));
        text += if in_order { ", sequence=true)" } else { ")" };
        let found = ids(&run(&text, &all), &["X", "Y", "Z"]);
        let mut expected = Vec::new();
        for (x, (xk, xa, _, xs)) in events.iter().enumerate() {
            for (y, (yk, ya, _, ys)) in events.iter().enumerate() {
                for (z, (zk, _, zb, zs)) in events.iter().enumerate() {
                    let times = [(*xs, x), (*ys, y), (*zs, z)];
                    let fits = *xk == 0 && *yk != 2 && *zk != 0 && xa == ya && zb == ya
                        && x != y && y != z && x != z
                        && within.is_none_or(|most| (xs.max(ys).max(zs) - xs.min(ys).min(zs)) <= most)
                        && (!in_order || times.is_sorted());
                    if fits {
                        expected.push(format!("{x:02} {y:02} {z:02}"));
                    }
                }
            }
        }
        expected.sort();
        prop_assert_eq!(found, expected, "{}", text);
    }
}

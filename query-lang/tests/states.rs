//! Laws of states as bytes, for every query that can stand: a state that is read back is the one that was written,
//! whatever is done with it; others' states and damaged ones are refused.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "the list of queries is shared with tests of another crate")]

#[path = "../../engine/tests/laws/queries.rs"]
mod queries;

use std::sync::Arc;

use proptest::prelude::*;
use queries::QUERIES;
use weir_query::compile::{Ending, Options};
use weir_query::machine::{Context, DecodeError, Machine, State};
use weir_query::program::Program;
use weir_query::record::{Rows, Selection};
use weir_query::result::ResultTable;

type Row = Vec<(String, String)>;

/// Queries that learn what those of the live laws do not.
const MORE: [&str; 23] = [
    "linReg(x=latency, y=bytes)",
    "variance(latency)",
    "fieldstats()",
    "selectFromMin(latency, include=[service, user])",
    "selectFromMax(bytes, include=[status])",
    "top(service, sum=bytes)",
    "top(service, max=latency, rest=others, percent=true)",
    "collect([service, level], limit=3)",
    "collect([service, level], multival=false)",
    "groupBy([service, user], function={level=error | count(as=errors)})",
    "groupBy(service, function={groupBy(user) | count()})",
    "groupBy(service, function=[])",
    "groupBy(service, function=tail(2))",
    "groupBy(service, function=fieldstats())",
    "timeChart(service, function=percentile(latency), span=5s, timezone=\"Europe/Berlin\")",
    "bucket(span=7s, function=[stdDev(latency), collect(user), count(user, distinct=true)])",
    "session([count(), sum(latency)], maxpause=10s)",
    "groupBy(service, function=series([level, user], maxpause=20s))",
    "groupBy(service, function=counterAsRate(bytes))",
    "groupBy(service, function=array:union(level, as=levels))",
    "timeChart(function=window(avg(latency), span=20s), span=5s)",
    "callFunction(function=sum, field=latency)",
    "sort([status, latency], type=[hex, string], order=[desc, asc], limit=6)",
];

fn queries() -> impl Iterator<Item = &'static str> {
    QUERIES.iter().copied().chain(MORE)
}

fn row() -> impl Strategy<Value = Row> {
    let text = |values: &'static [&'static str]| prop::option::weighted(0.8, prop::sample::select(values));
    let number = prop_oneof![
        (0_u32..2_000).prop_map(|n| n.to_string()),
        (0_u32..9_000, 1_u32..4).prop_map(|(n, places)| format!("{n}e-{places}")),
        prop::sample::select(vec!["1e300", "-5", "none", "123456789012345678901234567890", "0x1f"])
            .prop_map(str::to_owned),
    ];
    let fields = (
        text(&["api", "cart", "payments", "é-search"]),
        text(&["info", "warn", "error"]),
        text(&["ann", "bob", "cy", "user-1", "user-10", "user-2"]),
        text(&["200", "404", "500", "503"]),
        prop::option::weighted(0.8, number.clone()),
        prop::option::weighted(0.8, number),
        text(&["timeout for user ann", "time out", "user bob in"]),
        0_u64..120_000,
    );
    fields.prop_map(|(service, level, user, status, latency, bytes, message, millis)| {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let named = [
            ("service", own(service)),
            ("level", own(level)),
            ("user", own(user)),
            ("status", own(status)),
            ("latency", latency),
            ("bytes", bytes),
            ("message", own(message)),
            ("@timestamp", Some(millis.to_string())),
        ];
        let mut row: Row =
            named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        let raw = row.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        row.push(("@rawstring".to_owned(), raw));
        row
    })
}

fn machine(query: &str, ending: Ending) -> Machine {
    let options = Options { ending, ..Options::default() };
    let program =
        Program::compile(query, &options).unwrap_or_else(|faults| panic!("{}", faults.render(query, false)));
    let context = Context { start_nanos: 0, end_nanos: 120_000_000_000, ..Context::default() };
    Machine::new(program, context)
}

fn show(machine: &mut Machine, state: &State) -> String {
    let table = machine.finish(state).unwrap();
    let column = |(name, column): &(Arc<str>, weir_query::record::Column)| {
        let text = |row| column.get(row).map(|value| value.text().into_owned());
        format!("{name}: {:?}\n", (0..table.rows).map(text).collect::<Vec<_>>())
    };
    let columns: String = table.columns.iter().map(column).collect();
    format!("{columns}{:?} {:?}", table.order, table.warnings)
}

fn learnt(machine: &mut Machine, rows: &dyn Rows, within: Selection) -> State {
    let mut state = machine.new_state();
    machine.step(rows, within, &mut state).unwrap();
    state
}

fn bytes(machine: &Machine, state: &State) -> Vec<u8> {
    let mut bytes = Vec::new();
    machine.encode_state(state, &mut bytes);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn a_state_read_back_is_the_state(
        rows in prop::collection::vec(row(), 0..60),
        parts in prop::collection::vec(0_u8..3, 60),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..3),
    ) {
        let table = ResultTable::of_events(&rows);
        let part = |part: u8| Selection::from_fn(rows.len(), |row| parts[row] == part);
        for (query, ending) in queries().map(|query| (query, Ending::Tail)).chain([("level=warn", Ending::Stream)]) {
            let mut old = machine(query, ending);
            // Another process, as far as can be.
            let mut new = machine(query, ending);
            let mut state = learnt(&mut old, &table, part(0));
            let other = learnt(&mut old, &table, part(1));
            let written = bytes(&old, &state);
            let mut back = new.decode_state(&written).unwrap();
            prop_assert_eq!(bytes(&new, &back), written.clone(), "{}", query);
            prop_assert_eq!(show(&mut new, &back), show(&mut old, &state), "{}", query);
            let merged = |mut a: State, b: &State| { a.merge(b).unwrap(); a };
            let both = show(&mut old, &merged(state.clone(), &other));
            prop_assert_eq!(show(&mut new, &merged(back.clone(), &other)), both.clone(), "{}", query);
            if ending == Ending::Tail && !query.starts_with("level=warn") && !query.contains("select([") {
                // Streams are in the order they came in, and so are the fields of whole events.
                prop_assert_eq!(show(&mut new, &merged(other.clone(), &back)), both, "{}", query);
            }
            old.step(&table, part(2), &mut state).unwrap();
            new.step(&table, part(2), &mut back).unwrap();
            prop_assert_eq!(show(&mut new, &back), show(&mut old, &state), "{}", query);
            prop_assert_eq!(bytes(&new, &back), bytes(&old, &state), "{}", query);
            for cut in 0..written.len() {
                prop_assert!(new.decode_state(&written[..cut]).is_err(), "{} cut at {}", query, cut);
            }
            let mut bad = written;
            for (at, byte) in &flips {
                let at = at.index(bad.len());
                bad[at] ^= byte;
            }
            if let Ok(state) = new.decode_state(&bad) {
                let state = merged(state.clone(), &state);
                show(&mut new, &state);
            }
        }
    }
}

#[test]
fn states_of_others_are_refused() {
    let written = |query: &str| {
        let machine = machine(query, Ending::Tail);
        bytes(&machine, &machine.new_state())
    };
    let read = |query: &str, bytes: &[u8]| machine(query, Ending::Tail).decode_state(bytes).map(|_| ());
    let counted = written("level=error | count()");
    assert_eq!(read("level=error | count() | _count > 3", &counted), Ok(()), "what follows is no matter");
    assert_eq!(read("level=warn | count()", &counted), Err(DecodeError::Program));
    let mut newer = counted.clone();
    newer[0] += 1;
    assert_eq!(read("level=error | count()", &newer), Err(DecodeError::Version { found: 2, known: 1 }));
    let mut other = counted.clone();
    other[9] = 2;
    assert!(matches!(read("level=error | count()", &other), Err(DecodeError::Damaged(_))));
    // The same query over a range with other buckets, or in another zone.
    let program = Program::compile("timeChart()", &Options::default()).unwrap();
    let chart = |end_nanos: i64, timezone: &str| {
        let context = Context { end_nanos, timezone: timezone.to_owned(), ..Context::default() };
        Machine::new(Arc::clone(&program), context)
    };
    let hour = chart(3_600_000_000_000, "UTC");
    let bytes = bytes(&hour, &hour.new_state());
    assert!(chart(3_600_000_000_001, "UTC").decode_state(&bytes).is_ok());
    for other in [chart(86_400_000_000_000, "UTC"), chart(3_600_000_000_000, "Asia/Tokyo")] {
        assert_eq!(other.decode_state(&bytes).map(|_| ()), Err(DecodeError::Program));
    }
}

#[test]
fn a_state_of_nothing_comes_back() {
    let machine = machine("count()", Ending::Tail);
    let bytes = bytes(&machine, &State::default());
    let mut back = machine.decode_state(&bytes).unwrap();
    back.merge(&machine.new_state()).unwrap();
    assert_eq!(bytes.len(), 10);
}

#[test]
fn what_becomes_one_array_gives_up_no_groups() {
    for (query, has_groups) in [
        ("groupBy(a)", true),
        ("groupBy(a, function={count() | _count > 1})", true),
        ("array:intersection(\"a[]\")", false),
        ("array:reduceColumn(\"a[]\", var=x, function=sum(x))", false),
        ("count()", false),
    ] {
        let program = Program::compile(query, &Options::default()).unwrap();
        let machine = Machine::new(program, Context::default());
        assert_eq!(machine.new_state().threshold().is_some(), has_groups, "{query}");
    }
}

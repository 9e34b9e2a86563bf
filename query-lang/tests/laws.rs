//! Laws of the machine over made-up events and queries: how rows are split, held or fed never shows, and whatever
//! passes a program meets the condition that prunes for it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::sync::Arc;

use proptest::prelude::*;
use weir_query::compile::{Ending, Options, Required, TextMatcher};
use weir_query::machine::{Context, Machine, State};
use weir_query::program::Program;
use weir_query::record::{Column, Dictionary, OrderKey, Rows, RowsError, Selection};
use weir_query::result::{ResultTable, is_searched};

type Row = Vec<(String, String)>;

const FIELDS: [&str; 5] = ["a", "b", "c.d", "#tag", "e"];
const VALUES: [&str; 16] = [
    "", "x", "X", "xy", "foo bar", "Foo ſK", "1", "1.0", "01", "2", "-3", "1e2", "100", "10.0.0.7",
    "a=1 b=2", "é\nñ",
];

/// Pieces of queries; each is a step.
const STEPS: [&str; 59] = [
    "a=x",
    "a!=x",
    "a=1",
    "a=100",
    "a=1e2",
    "b=*",
    "b!=*",
    "a=\"\"",
    "a=x*",
    "b=*o*",
    "#tag=x",
    "#tag=1",
    "#tag!=x*",
    "a>0",
    "b<=1",
    "c.d>=2",
    "a=/fo+/i",
    "b=/(?<got>[a-z]+)/",
    "foo",
    "\"a=1\"",
    "foo*bar",
    "/F[ou]o|x/i",
    "/(?<k>\\w+)=/",
    "not a=x",
    "a=x or b=x",
    "a=1 or a=2 or a=foo*",
    "foo or xy",
    "(a=x b=*) or not foo",
    "in(a, values=[x, 1, \"fo*\"])",
    "!in(b, values=[x, 2])",
    "in(a, values=[FOO, \"X*\"], ignoreCase=true)",
    "wildcard(field=a, pattern=\"*o*\")",
    "wildcard(\"foo\", ignoreCase=true)",
    "/foo s|k/i",
    "cidr(b, subnet=\"10.0.0.0/8\")",
    "test(a == b)",
    "test(a < 5)",
    "text:contains(string=a, substring=\"o\")",
    "text:startsWith(string=a, substring=b)",
    "a := b",
    "a := a + 1",
    "c.d := if(a == 1, then=\"one\", else=b)",
    "f := coalesce([a, b, e])",
    "rename(a, as=b)",
    "rename([[a, b], [b, a]])",
    "drop([b, e])",
    "select([a, c.d, #tag])",
    "default(field=[a, e], value=x)",
    "format(\"%s/%5.1f\", field=[a, b], as=e)",
    "case { a=x | b:=1; a=1 | drop(e); * | e:=a }",
    "case { a>0 | regex(\"(?<w>.)\", field=b, repeat=true); b=x; c.d=* | a:=\"new\" }",
    "case { a=x | x:=1; b=foo* }",
    "a match { x => b:=1; /o/ => b:=2; \"*\" => b:=3; * => b:=4 }",
    "b match { 1 => a:=one; in(values=[2, x]) => drop(b) }",
    "regex(\"(?<e>[a-z])(?<w>\\\\d)?\", field=a, strict=false)",
    "regex(\"(?<w>\\\\w)\", field=a, repeat=true)",
    "regex(\"fo+\", field=b)",
    "name := \"b\" | `name` := a",
    "!regex(\"x\", field=a)",
];

fn row() -> impl Strategy<Value = Row> {
    let fields = prop::collection::vec(prop::option::weighted(0.7, 0..VALUES.len()), FIELDS.len());
    fields.prop_map(|values| {
        let pairs = FIELDS.iter().zip(values);
        let fields: Row =
            pairs.filter_map(|(name, at)| Some(((*name).to_owned(), VALUES[at?].to_owned()))).collect();
        // The raw text holds the fields' texts, as an event's does, and a little more.
        let searched = fields.iter().filter(|(name, _)| is_searched(name));
        let raw = searched.map(|(name, value)| format!("{name}:{value}")).collect::<Vec<_>>().join("; ");
        let mut row = fields;
        row.push(("@rawstring".to_owned(), raw));
        row
    })
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec(row(), 0..90).prop_map(|mut rows| {
        for (at, row) in rows.iter_mut().enumerate() {
            // Times repeat, so that arrival decides, and run backwards now and then.
            row.push(("@timestamp".to_owned(), ((at * 7) % 40).to_string()));
            row.push(("@id".to_owned(), at.to_string()));
        }
        rows
    })
}

fn query() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&STEPS[..]), 1..5).prop_map(|steps| steps.join(" | "))
}

/// What a query may end in; nothing is the implicit tail.
const ENDINGS: [&str; 12] = [
    "",
    "",
    " | count()",
    " | groupBy(a)",
    " | groupBy([a, #tag], function=[count(), sum(b), max(c.d)]) | b := _count * 2 | _count > 1",
    " | groupBy(a, function={b=* | count(as=n) | n := n + 1})",
    " | groupBy(a, function={foo | collect(b)})",
    " | top(b)",
    " | [count(a, distinct=true), avg(b), selectLast([c.d])]",
    " | sort(a, limit=7) | e := 1",
    " | table([a, b, e], limit=5)",
    " | head(3)",
];

fn whole_query() -> impl Strategy<Value = String> {
    (query(), prop::sample::select(&ENDINGS[..])).prop_map(|(steps, ending)| format!("{steps}{ending}"))
}

fn compile(query: &str, ending: Ending) -> Arc<Program> {
    let options = Options { ending, ..Options::default() };
    Program::compile(query, &options).unwrap_or_else(|faults| panic!("{}", faults.render(query, false)))
}

fn show(table: &ResultTable) -> Vec<Vec<(String, String)>> {
    let row = |row: usize| {
        let value = |name: &Arc<str>| Some((name.to_string(), table.text(row, name)?.into_owned()));
        let mut fields: Vec<_> = table.columns.iter().filter_map(|(name, _)| value(name)).collect();
        fields.sort();
        fields
    };
    let mut rows: Vec<_> = (0..table.rows).map(row).collect();
    if table.order.is_empty() {
        // Groups are in no order.
        rows.sort();
    }
    rows
}

fn run(program: &Arc<Program>, rows: &dyn Rows) -> ResultTable {
    let mut machine = Machine::new(Arc::clone(program), Context::default());
    let mut state = machine.new_state();
    machine.step(rows, Selection::all(rows.len()), &mut state).unwrap();
    machine.finish(&state).unwrap()
}

/// The same rows, every column a dictionary, answering text tests from it.
struct Encoded {
    table: ResultTable,
}

impl Encoded {
    fn new(table: &ResultTable) -> Encoded {
        let mut table = table.clone();
        for (_, column) in &mut table.columns {
            let mut dictionary = Dictionary::default();
            let codes = (0..column.len()).map(|row| {
                let Some(value) = column.get(row) else { return Dictionary::MISSING };
                let text = value.text();
                let known = (0..dictionary.len() as u32).find(|code| dictionary.text(*code) == Some(&*text));
                known.unwrap_or_else(|| dictionary.push(&text))
            });
            let codes: Arc<[u32]> = codes.collect();
            *column = Column::Dictionary { codes, dictionary: Arc::new(dictionary) };
        }
        Encoded { table }
    }
}

impl Rows for Encoded {
    fn len(&self) -> usize {
        self.table.rows
    }
    fn order(&self) -> Result<Arc<[OrderKey]>, RowsError> {
        self.table.order()
    }
    fn names(&self) -> Vec<Arc<str>> {
        self.table.names()
    }
    fn column(&self, name: &str, within: &Selection) -> Result<Column, RowsError> {
        self.table.column(name, within)
    }
    fn search(&self, matcher: &TextMatcher, within: &Selection) -> Result<Selection, RowsError> {
        self.table.search(matcher, within)
    }
    fn matching(
        &self,
        name: &str,
        matcher: &TextMatcher,
        within: &Selection,
    ) -> Result<Option<Selection>, RowsError> {
        let column = self.table.column(name, within)?;
        Ok(Some(column.filter(within, |value| matcher.is_match(&value.text()))))
    }
}

fn meets(required: &Required, row: &Row) -> bool {
    let value = |field: &str| row.iter().find(|(name, _)| name == field).map(|(_, value)| value.as_str());
    match required {
        Required::Anything => true,
        Required::Nothing => false,
        Required::And(parts) => parts.iter().all(|part| meets(part, row)),
        Required::Or(parts) => parts.iter().any(|part| meets(part, row)),
        Required::Text { literal, ignore_case } => {
            assert!(!literal.is_empty());
            let holds = |text: &str| {
                let (text, literal) = match ignore_case {
                    true => (text.as_bytes().to_ascii_lowercase(), literal.to_ascii_lowercase()),
                    false => (text.as_bytes().to_vec(), literal.clone()),
                };
                text.windows(literal.len()).any(|window| window == literal)
            };
            row.iter().any(|(name, value)| is_searched(name) && holds(value))
        }
        Required::Present(field) => value(field).is_some(),
        Required::OneOf { field, values } => {
            value(field).is_some_and(|text| values.iter().any(|v| v == text))
        }
        Required::Range { field, least, greatest } => value(field)
            .and_then(|text| text.parse::<f64>().ok())
            .is_some_and(|number| *least <= number && number <= *greatest),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn splitting_and_merging_never_shows(
        rows in rows(),
        query in whole_query(),
        cuts in prop::collection::vec(0_usize..90, 2),
        flip in any::<bool>(),
    ) {
        let program = compile(&query, Ending::Tail);
        let table = ResultTable::of_events(&rows);
        let whole = show(&run(&program, &table));
        let mut machine = Machine::new(Arc::clone(&program), Context::default());
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (rows.len() + 1)).collect();
        cuts.sort_unstable();
        let bounds = [0, cuts[0], cuts[1], rows.len()];
        let mut states: Vec<State> = bounds
            .windows(2)
            .map(|bound| {
                let mut state = machine.new_state();
                let mut within = Selection::none(rows.len());
                within.insert_range(bound[0]..bound[1]);
                machine.step(&table, within, &mut state).unwrap();
                state
            })
            .collect();
        if flip {
            states.reverse();
        }
        let mut sum = State::default();
        for state in &states {
            sum.merge(state).unwrap();
        }
        prop_assert_eq!(show(&machine.finish(&sum).unwrap()), whole, "{}", query);
    }

    #[test]
    fn how_rows_are_held_never_shows(rows in rows(), query in whole_query()) {
        let program = compile(&query, Ending::Tail);
        let table = ResultTable::of_events(&rows);
        let encoded = Encoded::new(&table);
        prop_assert_eq!(show(&run(&program, &encoded)), show(&run(&program, &table)), "{}", query);
    }

    #[test]
    fn selecting_then_absorbing_is_stepping(rows in rows(), query in whole_query()) {
        for ending in [Ending::Tail, Ending::Stream] {
            let program = compile(&query, ending);
            let table = ResultTable::of_events(&rows);
            let mut machine = Machine::new(Arc::clone(&program), Context::default());
            let frame = machine.select(&table, Selection::all(rows.len())).unwrap();
            let mut state = machine.new_state();
            let count = frame.order().len();
            // Two buckets, as the live path does.
            let odd = Selection::from_fn(count, |row| row % 2 == 1);
            let even = Selection::from_fn(count, |row| row % 2 == 0);
            machine.absorb(&frame, &odd, &mut state).unwrap();
            machine.absorb(&frame, &even, &mut state).unwrap();
            let mut found = show(&machine.finish(&state).unwrap());
            let mut wanted = show(&run(&program, &table));
            if ending == Ending::Stream || query.contains("repeat") {
                // Rows of one place come in the order they were absorbed in.
                found.sort();
                wanted.sort();
            }
            prop_assert_eq!(found, wanted, "{}", query);
        }
    }

    #[test]
    fn what_passes_meets_the_required_condition(rows in rows(), query in query()) {
        let program = compile(&query, Ending::Tail);
        let table = ResultTable::of_events(&rows);
        let result = run(&program, &table);
        for place in &result.order {
            let row = &rows[usize::try_from(place.sequence).unwrap()];
            prop_assert!(meets(program.required(), row), "{}\n{}\n{:?}", query, program.required(), row);
        }
    }

    #[test]
    fn only_the_named_fields_are_read(rows in rows(), query in query()) {
        // With a count behind it a program says which fields it reads; without the others the same rows pass.
        let counted = compile(&format!("{query} | head(1) | count()"), Ending::Tail);
        prop_assert_eq!(counted.fields(), None, "head hands out whole events");
        let program = compile(&format!("{query} | count()"), Ending::Tail);
        let Some(fields) = program.fields().map(<[Arc<str>]>::to_vec) else { return Ok(()) };
        let stream = compile(&query, Ending::Stream);
        let whole = ResultTable::of_events(&rows);
        struct Only<'t>(&'t ResultTable, Vec<Arc<str>>);
        impl Rows for Only<'_> {
            fn len(&self) -> usize { self.0.rows }
            fn order(&self) -> Result<Arc<[OrderKey]>, RowsError> { Rows::order(self.0) }
            fn names(&self) -> Vec<Arc<str>> { self.1.clone() }
            fn column(&self, name: &str, within: &Selection) -> Result<Column, RowsError> {
                match self.1.iter().any(|field| **field == *name) {
                    true => self.0.column(name, within),
                    false => Ok(Column::Missing { rows: self.0.rows }),
                }
            }
            fn search(&self, matcher: &TextMatcher, within: &Selection) -> Result<Selection, RowsError> {
                self.0.search(matcher, within)
            }
        }
        let mut places = run(&stream, &whole).order;
        let mut fewer = run(&stream, &Only(&whole, fields)).order;
        places.sort();
        fewer.sort();
        prop_assert_eq!(places, fewer, "{}", query);
    }
}

#[test]
fn the_implicit_tail_keeps_the_newest_200() {
    let event = |at: usize| {
        vec![("@timestamp".to_owned(), ((at * 37) % 1_000).to_string()), ("n".to_owned(), at.to_string())]
    };
    let events: Vec<Row> = (0..5_000).map(event).collect();
    let table = ResultTable::of_events(&events);
    let program = compile("n=*", Ending::Tail);
    let mut machine = Machine::new(program, Context::default());
    let mut state = machine.new_state();
    for start in (0..5_000).step_by(70) {
        let mut within = Selection::none(5_000);
        within.insert_range(start..start + 70);
        machine.step(&table, within, &mut state).unwrap();
    }
    let result = machine.finish(&state).unwrap();
    let mut places = table.order.clone();
    places.sort_by(|a, b| b.cmp(a));
    assert_eq!(result.order, &places[..200]);
    assert!(state.horizon().is_some_and(|floor| floor <= places[199]));
    assert_eq!(machine.finish(&State::default()).unwrap().rows, 0);
}

#[test]
fn streams_hand_out_rows_once() {
    let events: Vec<Row> = (0..10).map(|at| vec![("@timestamp".to_owned(), at.to_string())]).collect();
    let table = ResultTable::of_events(&events);
    let mut machine = Machine::new(compile("*", Ending::Stream), Context::default());
    let mut state = machine.new_state();
    machine.step(&table, Selection::from_fn(10, |row| row < 4), &mut state).unwrap();
    let taken = state.take_rows();
    assert_eq!(taken.iter().map(|table| table.rows).sum::<usize>(), 4);
    assert!(taken[0].order.windows(2).all(|pair| pair[0] > pair[1]), "newest first");
    assert!(state.take_rows().is_empty());
}

#[test]
fn a_state_over_its_limit_is_refused() {
    let events: Vec<Row> = (0..100).map(|at| vec![("m".to_owned(), format!("{at:0100}"))]).collect();
    let table = ResultTable::of_events(&events);
    let program = compile("*", Ending::Tail);
    for (limit, fits) in [(1_000_000, true), (10_000, false)] {
        let context = Context { max_state_bytes: limit, ..Context::default() };
        let mut machine = Machine::new(Arc::clone(&program), context);
        let mut state = machine.new_state();
        let stepped = machine.step(&table, Selection::all(100), &mut state);
        assert_eq!(stepped.is_ok(), fits, "{limit}: {stepped:?}");
    }
}

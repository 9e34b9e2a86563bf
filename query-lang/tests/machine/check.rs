//! Checks that a table of queries goes through: a query, events as JSON lines, the rows expected as JSON lines.
//!
//! Expected rows are compared with the rows of the result, oldest first where rows are events; meta fields are left
//! out unless the expected row has them.

use weir_query::compile::Options;
use weir_query::machine::{Context, Machine};
use weir_query::program::Program;
use weir_query::record::Selection;
use weir_query::result::ResultTable;

pub(crate) type Row = Vec<(String, String)>;

/// Reads rows, one flat JSON object a line; `@timestamp` is the line's number in seconds unless given.
pub(crate) fn events(lines: &str) -> Vec<Row> {
    let mut out = Vec::new();
    for (at, line) in lines.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        let mut row: Row = object.into_iter().map(|(name, value)| (name, text(value))).collect();
        let mut add = |name: &str, value: String| {
            if !row.iter().any(|(have, _)| have == name) {
                row.push((name.to_owned(), value));
            }
        };
        add("@timestamp", ((at + 1) * 1000).to_string());
        add("@id", format!("id{at}"));
        add("@rawstring", line.to_owned());
        out.push(row);
    }
    out
}

pub(crate) fn compile(query: &str, options: &Options) -> std::sync::Arc<Program> {
    Program::compile(query, options)
        .unwrap_or_else(|faults| panic!("{query}\n{}", faults.render(query, false)))
}

pub(crate) fn run_with(query: &str, table: &ResultTable, options: &Options) -> ResultTable {
    let program = compile(query, options);
    let context = Context {
        now_millis: 1_700_000_000_000,
        start_nanos: 0,
        end_nanos: 100_000_000_000,
        ..Context::default()
    };
    let mut machine = Machine::new(program, context);
    let created = machine.created();
    let table = created.as_ref().unwrap_or(table);
    let mut state = machine.new_state();
    machine.step(table, Selection::all(table.rows), &mut state).unwrap();
    machine.finish(&state).unwrap()
}

pub(crate) fn rows(table: &ResultTable) -> Vec<Row> {
    (0..table.rows)
        .map(|row| {
            let value = |name: &str| table.text(row, name).map(|text| (name.to_owned(), text.into_owned()));
            table.columns.iter().filter_map(|(name, _)| value(name)).collect()
        })
        .collect()
}

/// Checks what `query` makes of `input`. `expected` has a line a row; rows that are events are compared oldest first.
#[track_caller]
pub(crate) fn check(query: &str, input: &str, expected: &str) {
    check_with(query, input, expected, &Options::default());
}

#[track_caller]
pub(crate) fn check_with(query: &str, input: &str, expected: &str, options: &Options) {
    let table = ResultTable::of_events(&events(input));
    let result = run_with(query, &table, options);
    let mut found = rows(&result);
    if !result.order.is_empty() {
        found.reverse();
    }
    let mut wanted: Vec<Row> = Vec::new();
    for line in expected.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        wanted.push(object.into_iter().map(|(name, value)| (name, text(value))).collect());
    }
    for (at, row) in found.iter_mut().enumerate() {
        row.retain(|(name, _)| {
            !name.starts_with('@')
                || wanted.get(at).is_some_and(|row| row.iter().any(|(have, _)| have == name))
        });
        row.sort();
    }
    wanted.iter_mut().for_each(|row| row.sort());
    assert_eq!(found, wanted, "{query}");
}

pub(crate) const LOG: &str = r##"
    {"level":"INFO","host":"web-01","status":"200","ms":"12.5","msg":"request served","#type":"access"}
    {"level":"ERROR","host":"web-02","status":"500","ms":"250","msg":"timeout after 30s","#type":"access"}
    {"level":"WARN","host":"db-01","status":"","msg":"Slow query","ip":"10.1.2.3"}
    {"level":"ERROR","host":"db-02","msg":"disk full on /var","ip":"192.168.7.9","status":"404.0"}
"##;

/// Checks which rows of [`LOG`] pass, by number from 1.
#[track_caller]
pub(crate) fn passes(query: &str, expected: &[usize]) {
    passes_with(query, expected, &Options::default());
}

#[track_caller]
pub(crate) fn passes_with(query: &str, expected: &[usize], options: &Options) {
    let table = ResultTable::of_events(&events(LOG));
    let result = run_with(query, &table, options);
    let mut found: Vec<usize> =
        result.order.iter().map(|place| usize::try_from(place.nanos / 1_000_000_000).unwrap()).collect();
    found.reverse();
    assert_eq!(found, expected, "{query}");
}

/// Checks the first fault of `query`: its message and the text it points at.
#[track_caller]
pub(crate) fn faults(query: &str, message: &str, at: &str) {
    let Err(found) = Program::compile(query, &Options::default()) else { panic!("{query}: no fault") };
    let fault = found.list.first().unwrap_or_else(|| panic!("{query}: no fault"));
    assert_eq!(fault.message, message, "{query}");
    assert_eq!(query.get(fault.span.range()), Some(at), "{query}");
}

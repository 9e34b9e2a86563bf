//! `series`, `session`, `counterAsRate`, `window`, and aggregates of arrays, over all rows at once.

use std::collections::{BTreeMap, BTreeSet};

use super::aggregate::{Fields, product};
use super::arrays::elements;
use super::{Row, steps};
use crate::aggregates::series::SERIES_BYTES_MAX;
use crate::compile::aggregate;
use crate::compile::steps::Compiler;
use crate::functions::{Argument, Arguments};
use crate::machine::Context;
use crate::plan::{AggregatePipeline, Call};
use crate::record::OrderKey;
use crate::value::Number;
use crate::value::order::natural;
use crate::windows::span::parse_span;

/// The rows of an aggregate of this file; none of another.
pub(super) fn apply(call: &Call, rows: &[Row], context: &Context) -> Option<Vec<Fields>> {
    let arguments = &call.arguments;
    match arguments.signature().name {
        "series" => Some(series(arguments, rows, context)),
        "session" => Some(session(arguments, rows, context)),
        "counterAsRate" => Some(rate(arguments, rows)),
        "array:union" => Some(array(arguments, union(arguments, rows))),
        "array:intersection" => Some(array(arguments, intersection(arguments, rows))),
        "array:reduceColumn" => Some(columns(arguments, rows, context)),
        _ => None,
    }
}

fn millis(row: &Row) -> Option<i64> {
    row.get("@timestamp").and_then(Number::parse).and_then(Number::truncate)
}

fn span(arguments: &Arguments, name: &str) -> Option<i64> {
    parse_span(&arguments.text(name)?)
}

/// The array `values`, under the name of the call.
fn array(arguments: &Arguments, values: Vec<String>) -> Vec<Fields> {
    let name = arguments.text_or_empty("as");
    let name = name.strip_suffix("[]").unwrap_or(&name);
    let fields: Fields =
        values.into_iter().enumerate().map(|(at, value)| (format!("{name}[{at}]"), value)).collect();
    if fields.is_empty() { Vec::new() } else { vec![fields] }
}

fn union(arguments: &Arguments, rows: &[Row]) -> Vec<String> {
    let mut seen: Vec<(OrderKey, &str)> = Vec::new();
    for row in rows {
        seen.extend(
            elements(row, &arguments.text_or_empty("array")).into_iter().map(|text| (row.event.place, text)),
        );
    }
    seen.sort_unstable();
    let mut known = BTreeSet::new();
    seen.into_iter().filter(|(_, text)| known.insert(*text)).map(|(_, text)| text.to_owned()).collect()
}

fn intersection(arguments: &Arguments, rows: &[Row]) -> Vec<String> {
    let sets = rows.iter().map(|row| elements(row, &arguments.text_or_empty("array")));
    let sets: Vec<BTreeSet<&str>> =
        sets.filter(|list| !list.is_empty()).map(|list| list.into_iter().collect()).collect();
    let all = sets.first().cloned().unwrap_or_default();
    let mut list: Vec<String> =
        all.into_iter().filter(|text| sets.iter().all(|set| set.contains(text))).map(str::to_owned).collect();
    list.sort_by(|a, b| natural(a, b));
    list
}

/// Copies of `row`, each with an element of the array in the variable.
pub(super) fn unfolded(arguments: &Arguments, row: &Row) -> Vec<Row> {
    let array = arguments.text_or_empty("array");
    let bare = array.strip_suffix("[]").unwrap_or(&array).into();
    let variable = arguments.text("var").unwrap_or(bare);
    let with = |text: &str| {
        let mut copy = row.clone();
        copy.set(&variable, text.to_owned());
        copy
    };
    elements(row, &array).into_iter().map(with).collect()
}

fn columns(arguments: &Arguments, rows: &[Row], context: &Context) -> Vec<Fields> {
    let functions = arguments.aggregates("function");
    let name = arguments.text_or_empty("as");
    let name = name.strip_suffix("[]").unwrap_or(&name);
    let mut places: BTreeMap<usize, Vec<Row>> = BTreeMap::new();
    for row in rows {
        for (at, element) in unfolded(arguments, row).into_iter().enumerate() {
            places.entry(at).or_default().push(element);
        }
    }
    let told: BTreeMap<usize, Vec<Fields>> = places
        .into_iter()
        .map(|(at, rows)| (at, product(functions, &rows, context)))
        .map(|(at, told)| (at, if told.is_empty() { vec![Fields::new()] } else { told }))
        .collect();
    let outputs = aggregate::product(functions, &mut Compiler::default()).map(|spec| spec.outputs());
    let outputs: Vec<String> = outputs.iter().flatten().map(ToString::to_string).collect();
    let fields: BTreeSet<&String> = told.values().flatten().flat_map(Fields::keys).chain(&outputs).collect();
    let mut made: Vec<Fields> = Vec::new();
    for (at, told) in &told {
        for (number, row) in told.iter().enumerate() {
            made.resize(made.len().max(number + 1), Fields::new());
            let Some(made) = made.get_mut(number) else { continue };
            for (field, value) in row {
                let member = if fields.len() == 1 { String::new() } else { format!(".{field}") };
                made.insert(format!("{name}[{at}]{member}"), value.clone());
            }
        }
    }
    made
}

fn rate(arguments: &Arguments, rows: &[Row]) -> Vec<Fields> {
    let value = |row: &Row| Some((millis(row)?, Number::parse(row.get(&arguments.text_or_empty("field"))?)?));
    let mut points: Vec<(i64, Number)> = rows.iter().filter_map(value).collect();
    points.sort_unstable();
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let grows = points.iter().all(|(_, number)| *number >= first.1 && *number <= last.1);
    if last.0 == first.0 || !grows {
        return Vec::new();
    }
    let rate = last.1.subtract(first.1).and_then(|all| all.multiply(Number::Int(1_000)));
    let rate = rate.and_then(|all| all.divide(Number::Int(last.0 - first.0)));
    let named =
        rate.map(|rate| Fields::from([(arguments.text_or_empty("as").to_string(), rate.to_string())]));
    named.into_iter().collect()
}

fn session(arguments: &Arguments, rows: &[Row], context: &Context) -> Vec<Fields> {
    let pause = span(arguments, "maxpause").unwrap_or_default();
    let mut timed: Vec<(i64, Row)> =
        rows.iter().filter_map(|row| Some((millis(row)?, row.clone()))).collect();
    timed.sort_by_key(|(millis, _)| *millis);
    let sessions = timed.chunk_by(|a, b| b.0 - a.0 <= pause);
    let told = sessions.flat_map(|session| {
        let rows: Vec<Row> = session.iter().map(|(_, row)| row.clone()).collect();
        product(arguments.aggregates("function"), &rows, context)
    });
    told.collect()
}

/// What `window`s in `functions` tell of `rows`, which are those of the buckets of each window.
pub(super) fn window(call: &Call, rows: &[Row], context: &Context) -> Fields {
    let told = product(call.arguments.aggregates("function"), rows, context);
    told.into_iter().next().unwrap_or_default()
}

/// How many buckets of `span_millis` a window has.
pub(super) fn window_buckets(call: &Call, span_millis: i64) -> i64 {
    let given = call.arguments.integer("buckets");
    let of_span = || (span(&call.arguments, "span").unwrap_or(1) + span_millis / 2) / span_millis;
    given.unwrap_or_else(of_span).max(1)
}

/// The functions that are windows, and the others.
pub(super) fn windows(functions: &[AggregatePipeline]) -> (Vec<AggregatePipeline>, Vec<AggregatePipeline>) {
    functions.iter().cloned().partition(|part| part.call.arguments.signature().name == "window")
}

fn series(arguments: &Arguments, rows: &[Row], context: &Context) -> Vec<Fields> {
    let mut fields: Vec<String> = arguments.texts("collect").iter().map(ToString::to_string).collect();
    let mut known = BTreeSet::new();
    fields.retain(|field| known.insert(field.clone()));
    let separator = arguments.text_or_empty("separator");
    let values = |row: &Row| -> Vec<Option<String>> {
        fields.iter().map(|field| row.get(field).map(str::to_owned)).collect()
    };
    let marked = |name: &str, row: &Row| match arguments.get(name) {
        Some(Argument::Pipeline(filters)) => !steps::run(filters, row.anew(), context).is_empty(),
        _ => false,
    };
    let mut sorted: Vec<&Row> = rows.iter().collect();
    let key = |row: &Row| {
        let marks = (marked("startmatch", row), marked("endmatch", row));
        (row.event.place, millis(row), marks, values(row))
    };
    sorted.sort_by_cached_key(|row| key(row));
    let fitting = fitting(&sorted, memory(arguments), |row| {
        let sizes = values(row).into_iter().flatten().map(|value| value.len() + separator.len());
        sizes.sum::<usize>().max(1)
    });
    let mut series: Vec<Vec<&Row>> = Vec::new();
    let mut is_open = false;
    for row in fitting {
        let starts = marked("startmatch", row);
        let times: Vec<i64> = series.last().into_iter().flatten().filter_map(|row| millis(row)).collect();
        let over = |name: &str, since: Option<&i64>| {
            let gap = millis(row).zip(since).map(|(now, since)| now - since);
            gap.zip(span(arguments, name)).is_some_and(|(gap, most)| gap > most)
        };
        if is_open && (starts || over("maxpause", times.last()) || over("maxduration", times.first())) {
            is_open = false;
        }
        if !is_open {
            if arguments.get("startmatch").is_some() && !starts {
                continue;
            }
            series.push(Vec::new());
        }
        if let Some(series) = series.last_mut() {
            series.push(row);
        }
        is_open = !marked("endmatch", row);
    }
    let told = |series: &Vec<&Row>| {
        let times: Vec<i64> = series.iter().filter_map(|row| millis(row)).collect();
        let mut told = Fields::new();
        if let (Some(first), Some(last)) = (times.first(), times.last()) {
            told.insert("@timestamp".to_owned(), first.to_string());
            told.insert("_duration".to_owned(), (last - first).to_string());
        }
        told.entry("_duration".to_owned()).or_insert_with(|| "0".to_owned());
        for field in &fields {
            told.remove(field);
            let texts: Vec<&str> = series.iter().filter_map(|row| row.get(field)).collect();
            if !texts.is_empty() {
                told.insert(field.clone(), texts.join(&separator));
            }
        }
        told
    };
    series.iter().map(told).collect()
}

/// The rows, in order, before the place of the first that does not fit into `memory`.
fn fitting<'r>(rows: &[&'r Row], memory: usize, size: impl Fn(&Row) -> usize) -> Vec<&'r Row> {
    let mut taken = 0;
    let over = rows.iter().find(|row| {
        taken += size(row);
        taken > memory
    });
    let bound = over.map(|row| row.event.place);
    rows.iter().filter(|row| bound.is_none_or(|bound| row.event.place < bound)).copied().collect()
}

/// `memlimit`, in the few forms that tests use: `64`, `1KiB`.
fn memory(arguments: &Arguments) -> usize {
    let text = arguments.text_or_empty("memlimit");
    match text.strip_suffix("KiB") {
        Some(kilobytes) => kilobytes.parse().map_or(SERIES_BYTES_MAX, |number: usize| number << 10),
        None => text.parse().unwrap_or(SERIES_BYTES_MAX),
    }
}

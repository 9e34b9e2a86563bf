//! Functions over rows in their order: each window is aggregated anew.

use std::collections::BTreeSet;

use super::aggregate::{Fields, product};
use super::{Event, Row, steps};
use crate::compile::aggregate;
use crate::compile::steps::Compiler;
use crate::functions::Arguments;
use crate::machine::Context;
use crate::plan::Call;
use crate::record::OrderKey;
use crate::value::Number;
use crate::windows::span::parse_span;

/// Whether its rows are those that it was given, with more fields.
pub(super) fn keeps_rows(call: &Call) -> bool {
    !matches!(call.arguments.signature().name, "transpose" | "partition" | "appendAggregation")
}

/// What the function makes of `rows`, in their order.
pub(super) fn apply(call: &Call, rows: Vec<Row>, context: &Context) -> Vec<Event> {
    let arguments = &call.arguments;
    let table = |rows: Vec<Fields>| {
        rows.into_iter().map(|fields| Event { fields, place: OrderKey::default() }).collect()
    };
    match arguments.signature().name {
        "transpose" => table(transpose(arguments, &rows)),
        "partition" => table(partition(arguments, &rows, context)),
        "appendAggregation" => {
            let told = product(arguments.aggregates("function"), &rows, context);
            rows.into_iter().map(|row| row.event).chain(table(told)).collect()
        }
        "neighbor" => neighbor(arguments, &rows),
        _ => running(arguments, &rows, context),
    }
}

fn neighbor(arguments: &Arguments, rows: &[Row]) -> Vec<Event> {
    let distance = usize::try_from(arguments.integer("distance").unwrap_or(1)).unwrap_or(1);
    let is_behind = arguments.text("direction").is_some_and(|word| *word == *"succeeding");
    let prefix = arguments.text("prefix").filter(|prefix| !prefix.is_empty());
    let of = |(at, row): (usize, &Row)| {
        let there = if is_behind { at.checked_add(distance) } else { at.checked_sub(distance) };
        let there = there.and_then(|there| rows.get(there));
        let mut event = row.event.clone();
        for field in arguments.texts("include") {
            let name = prefix.as_ref().map_or(field.to_string(), |prefix| format!("{prefix}.{field}"));
            match there.and_then(|there| there.get(field)) {
                Some(value) => drop(event.fields.insert(name, value.to_owned())),
                None => drop(event.fields.remove(&name)),
            }
        }
        event
    };
    rows.iter().enumerate().map(of).collect()
}

fn running(arguments: &Arguments, rows: &[Row], context: &Context) -> Vec<Event> {
    let functions = arguments.aggregates("function");
    let outputs = aggregate::product(functions, &mut Compiler::default()).map(|spec| spec.outputs());
    let is_inclusive = arguments.text("current").is_none_or(|word| *word == *"include");
    let field = arguments.text_or_empty("timestampfield");
    let time = |row: &Row| row.get(&field).and_then(Number::parse).and_then(Number::truncate);
    let span = arguments.text("span").and_then(|span| parse_span(&span));
    let of = |(at, row): (usize, &Row)| {
        let mut event = row.event.clone();
        outputs.iter().flatten().for_each(|name| drop(event.fields.remove(&**name)));
        let before = rows.get(..at + usize::from(is_inclusive)).unwrap_or_default();
        let most = arguments.integer("events").and_then(|most| usize::try_from(most).ok());
        let window: Vec<Row> = match (span, most) {
            (Some(span), _) => {
                let Some(now) = time(row) else { return event };
                let is_near = |row: &&Row| time(row).is_some_and(|then| now - then < span);
                before.iter().filter(is_near).cloned().collect()
            }
            (None, most) => {
                let first = most.map_or(0, |most| before.len().saturating_sub(most));
                before.get(first..).unwrap_or_default().to_vec()
            }
        };
        event.fields.extend(product(functions, &window, context).into_iter().next().unwrap_or_default());
        event
    };
    rows.iter().enumerate().map(of).collect()
}

fn partition(arguments: &Arguments, rows: &[Row], context: &Context) -> Vec<Fields> {
    let is_behind = arguments.text("split").is_some_and(|word| *word == *"after");
    let mut parts: Vec<Vec<Row>> = Vec::new();
    let mut is_new = true;
    for row in rows {
        let splits = !steps::run(arguments.pipeline("condition"), row.clone(), context).is_empty();
        if is_new || (splits && !is_behind) {
            parts.push(Vec::new());
        }
        is_new = splits && is_behind;
        if let Some(part) = parts.last_mut() {
            part.push(row.clone());
        }
    }
    parts.iter().flat_map(|part| product(arguments.aggregates("function"), part, context)).collect()
}

fn transpose(arguments: &Arguments, rows: &[Row]) -> Vec<Fields> {
    let limit = usize::try_from(arguments.integer("limit").unwrap_or(1)).unwrap_or(1);
    let (pivot, header) = (arguments.text("pivot"), arguments.text("header"));
    let column = pivot.clone().unwrap_or_else(|| arguments.text_or_empty("column"));
    let header = pivot.or(header);
    let rows = rows.get(..limit.min(rows.len())).unwrap_or_default();
    let mut known = BTreeSet::from([column.to_string()]);
    let mut names = Vec::new();
    for (number, row) in (1..).zip(rows) {
        let given = header.as_ref().and_then(|header| row.get(header)).map(str::to_owned);
        let given = given.filter(|name| known.insert(name.clone()));
        names.push(given.unwrap_or_else(|| format!("row[{number}]")));
    }
    let is_header = |name: &String| header.as_ref().is_some_and(|header| **header == **name);
    let fields: BTreeSet<&String> = rows.iter().flat_map(|row| row.event.fields.keys()).collect();
    let of = |field: &String| {
        let values =
            names.iter().zip(rows).filter_map(|(name, row)| Some((name.clone(), row.get(field)?.to_owned())));
        let mut made: Fields = [(column.to_string(), field.clone())].into();
        made.extend(values);
        made
    };
    fields.into_iter().filter(|name| !is_header(name)).map(of).collect()
}

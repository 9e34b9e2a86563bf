//! Row steps on one row: what goes in is one row, what comes out is any number.

use std::sync::Arc;

use super::aggregate::product;
use super::condition::{passes, value};
use super::{Row, arrays, collected, lookup};
use crate::functions::{Arguments, Build, RowFunction, Scratch};
use crate::machine::{Context, View};
use crate::plan::{Call, Step};
use crate::record::{Rows, Selection};
use crate::result::ResultTable;
use crate::value::Value;

/// The rows that come out of `steps`.
pub(super) fn run(steps: &[Step], row: Row, context: &Context) -> Vec<Row> {
    let mut rows = vec![row];
    for step in steps {
        rows = rows.into_iter().flat_map(|row| one(step, row, context)).collect();
    }
    rows
}

fn one(step: &Step, mut row: Row, context: &Context) -> Vec<Row> {
    match step {
        Step::Filter(filter) => {
            if passes(filter, &row, context) {
                vec![row]
            } else {
                Vec::new()
            }
        }
        Step::Assign { target, dynamic, value: expression } => {
            let name = if *dynamic { row.get(target).map(str::to_owned) } else { Some(target.to_string()) };
            if let (Some(name), Some(value)) = (name, value(expression, &row, context)) {
                row.set(&name, value.borrow().text().into_owned());
            }
            vec![row]
        }
        Step::Call(call) => function(call, row, context),
        // The first clause that lets the row through takes it, from the row as it came.
        Step::Case(clauses) => {
            let taken = clauses.iter().map(|clause| run(clause, row.clone(), context));
            taken.into_iter().find(|rows| !rows.is_empty()).unwrap_or_default()
        }
        Step::Create(_) => vec![row],
    }
}

/// The rows that come out of a function.
pub(super) fn function(call: &Call, mut row: Row, context: &Context) -> Vec<Row> {
    let arguments = &call.arguments;
    let fields = &mut row.event.fields;
    match arguments.signature().name {
        "rename" => {
            let pairs: Vec<(String, String)> = match (arguments.text("as"), arguments.pairs("field")) {
                (Some(to), pairs) => {
                    pairs.iter().flatten().map(|from| (from.to_string(), to.to_string())).collect()
                }
                (None, pairs) => pairs
                    .iter()
                    .filter_map(|pair| Some((pair.first()?.to_string(), pair.get(1)?.to_string())))
                    .collect(),
            };
            let texts: Vec<Option<String>> =
                pairs.iter().map(|(from, _)| fields.get(from).cloned()).collect();
            for (from, _) in &pairs {
                fields.remove(from);
            }
            for ((_, to), text) in pairs.into_iter().zip(texts) {
                if let Some(text) = text {
                    fields.insert(to, text);
                }
            }
        }
        "drop" => arguments.texts("fields").iter().for_each(|field| drop(fields.remove(&**field))),
        "select" => fields.retain(|name, _| arguments.texts("fields").iter().any(|field| **field == **name)),
        "default" => {
            for field in arguments.texts("field") {
                let replace = arguments.is_true("replaceEmpty");
                if fields.get(&**field).is_none_or(|text| replace && text.is_empty()) {
                    fields.insert(field.to_string(), arguments.text_or_empty("value").to_string());
                }
            }
        }
        "lower" => map(call, &mut row, |text| Some(text.to_lowercase())),
        "upper" => map(call, &mut row, |text| Some(text.to_uppercase())),
        "length" => map(call, &mut row, |text| Some(text.chars().count().to_string())),
        "concat" => {
            let texts: Vec<&str> =
                arguments.texts("field").iter().filter_map(|field| row.get(field)).collect();
            if !texts.is_empty() {
                let text = texts.concat();
                row.set(&arguments.text_or_empty("as"), text);
            }
        }
        "regex" => return regex(call, row),
        "match" | "matchAsArray" => return lookup::apply(arguments, &row),
        "array:reduceRow" => {
            let elements = collected::unfolded(arguments, &row);
            let told = product(arguments.aggregates("function"), &elements, context);
            let value = told.first().and_then(|told| told.values().next()).filter(|_| !elements.is_empty());
            if let Some(value) = value {
                row.set(&arguments.text_or_empty("as"), value.clone());
            }
        }
        "getField" => {
            if let Some(text) = named(arguments, "source", &row, context).and_then(|name| row.get(&name)) {
                let text = text.to_owned();
                row.set(&arguments.text_or_empty("as"), text);
            }
        }
        "setField" => {
            let name = named(arguments, "target", &row, context);
            if let (Some(name), Some(text)) = (name, named(arguments, "value", &row, context)) {
                row.set(&name, text);
            }
        }
        name => match arrays::apply(name, arguments, &row, context) {
            Some(made) => row = made,
            None => return by_machine(call, &row, context),
        },
    }
    vec![row]
}

/// The text of the expression that is the argument `name`.
fn named(arguments: &Arguments, name: &str, row: &Row, context: &Context) -> Option<String> {
    Some(value(arguments.expression(name)?, row, context)?.borrow().text().into_owned())
}

fn map(call: &Call, row: &mut Row, f: impl Fn(&str) -> Option<String>) {
    if let Some(text) = row.get(&call.arguments.text_or_empty("field")).and_then(f) {
        row.set(&call.arguments.text_or_empty("as"), text);
    }
}

fn regex(call: &Call, row: Row) -> Vec<Row> {
    let arguments = &call.arguments;
    let Some(pattern) = arguments.regex("regex") else { return Vec::new() };
    let Ok(compiled) = crate::compile::regex::compile_whole(pattern, &arguments.text_or_empty("flags"))
    else {
        return Vec::new();
    };
    let text = row.get(&arguments.text_or_empty("field")).unwrap_or_default().to_owned();
    let there = row.get(&arguments.text_or_empty("field")).is_some();
    let repeat = arguments.is_true("repeat") || pattern.flags.contains('g');
    let limit =
        if repeat { usize::try_from(arguments.integer("limit").unwrap_or(100)).unwrap_or(100) } else { 1 };
    let mut rows = Vec::new();
    compiled.regex.read_each(&text, |_, found| {
        if !there || rows.len() == limit {
            return;
        }
        let mut made = row.clone();
        // The first group of a name that took part wins.
        for (group, name) in compiled.groups.iter().rev() {
            if let Some(part) = found.get(*group) {
                made.set(name, text[part].to_owned());
            }
        }
        rows.push(made);
    });
    if rows.is_empty() && !arguments.is_true("strict") {
        rows.push(row);
    }
    rows
}

/// What a function called in an expression yields.
pub(super) fn yielded(call: &Call, row: &Row, context: &Context) -> Option<Value> {
    let Build::Row(build) = call.arguments.signature().build else { return None };
    let built = build(&call.arguments).ok()?.apart();
    let Some(output) = built.output() else {
        return Some(Value::truth(!function(call, row.clone(), context).is_empty()));
    };
    if build(&call.arguments).ok()?.output().as_ref() != Some(&output) {
        return run_function(&built, row, context).first()?.get(&output).map(Value::text);
    }
    let mut copy = row.clone();
    copy.event.fields.remove(&*output);
    function(call, copy, context).first()?.get(&output).map(Value::text)
}

/// Runs a function on a table of this row alone.
fn by_machine(call: &Call, row: &Row, context: &Context) -> Vec<Row> {
    let function = match call.arguments.signature().build {
        Build::Row(build) => build(&call.arguments),
        Build::Filter(build) => build(&call.arguments).map(RowFunction::Filter),
        _ => return Vec::new(),
    };
    function.map_or_else(|_| Vec::new(), |function| run_function(&function, row, context))
}

fn run_function(function: &RowFunction, row: &Row, context: &Context) -> Vec<Row> {
    let fields: Vec<(String, String)> = row.event.fields.clone().into_iter().collect();
    let table = ResultTable::of_events(&[fields]);
    let mut scratch = Scratch { context: context.clone(), ..Scratch::default() };
    let mut view = View::new(&table, Selection::all(table.len()));
    if apply(function, &mut view, &mut scratch).is_none() {
        return Vec::new();
    }
    let names = view.names();
    let columns: Vec<_> = names.iter().filter_map(|name| Some((name, view.column(name).ok()?))).collect();
    let made = |at: usize| {
        let mut made = row.clone();
        let value = |(name, column): &(&Arc<str>, crate::record::Column)| {
            Some((name.to_string(), column.get(at)?.text().into_owned()))
        };
        made.event.fields = columns.iter().filter_map(value).collect();
        made
    };
    view.selection().iter().map(made).collect()
}

fn apply(function: &RowFunction, view: &mut View<'_>, scratch: &mut Scratch) -> Option<()> {
    function.apply(view, scratch).ok()
}

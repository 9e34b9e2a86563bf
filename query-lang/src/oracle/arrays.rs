//! Functions of arrays on one row.

use std::collections::BTreeMap;

use super::Row;
use super::condition::value;
use super::steps::run;
use crate::functions::Arguments;
use crate::functions::arrays::{MAX_ARRAY_ELEMENTS, element};
use crate::machine::Context;

/// The elements of `array`, up to the first gap.
pub(super) fn elements<'r>(row: &'r Row, array: &str) -> Vec<&'r str> {
    (0..MAX_ARRAY_ELEMENTS).map_while(|at| row.get(&element(array, at))).collect()
}

/// What `function` makes of `row`; none when it is no function of arrays.
pub(super) fn apply(function: &str, arguments: &Arguments, row: &Row, context: &Context) -> Option<Row> {
    let array = arguments.text_or_empty("array");
    let output = arguments.text("asArray").unwrap_or_else(|| array.clone());
    let own: Vec<String> = elements(row, &array).into_iter().map(str::to_owned).collect();
    let mut made = row.clone();
    match function {
        "array:length" => {
            made.set(&arguments.text_or_empty("as"), own.len().to_string());
            return Some(made);
        }
        "array:append" => {
            let values = arguments.expressions("values").iter();
            let values =
                values.filter_map(|one| Some(value(one, row, context)?.borrow().text().into_owned()));
            for (at, text) in (own.len()..).zip(values) {
                made.set(&element(&array, at), text);
            }
            return Some(made);
        }
        _ => {}
    }
    let list = match function {
        "array:dedup" => {
            let mut list: Vec<String> = Vec::new();
            for text in &own {
                if !list.contains(text) {
                    list.push(text.clone());
                }
            }
            list
        }
        "array:filter" => {
            let passing = |at: &usize| outcome(arguments, "function", row, *at, context).is_some();
            (0..own.len()).filter(passing).filter_map(|at| own.get(at).cloned()).collect()
        }
        "array:eval" | "objectArray:eval" => {
            let field = output.strip_suffix("[]").unwrap_or(&output).to_owned();
            let mut row = row.clone();
            row.event.fields.remove(&field);
            let count = places(&row, arguments).len();
            let made =
                |at: usize| outcome(arguments, "function", &row, at, context)?.get(&field).map(str::to_owned);
            (0..count).filter_map(made).collect()
        }
        _ => return None,
    };
    if element(&output, 0) == element(&array, 0) {
        (0..own.len()).for_each(|at| drop(made.event.fields.remove(&*element(&array, at))));
    }
    for (at, text) in list.into_iter().enumerate() {
        made.set(&element(&output, at), text);
    }
    Some(made)
}

/// Whether an element of the array passes the condition.
pub(super) fn exists(arguments: &Arguments, row: &Row, context: &Context) -> bool {
    let count = places(row, arguments).len();
    (0..count).any(|at| outcome(arguments, "condition", row, at, context).is_some())
}

/// What follows the index in the names of an element's fields, with the values.
type Members = BTreeMap<String, String>;

/// The fields of each element, up to the first gap.
fn places(row: &Row, arguments: &Arguments) -> Vec<Members> {
    let array = arguments.text_or_empty("array");
    if !arguments.signature().name.starts_with("object") {
        let list = elements(row, &array).into_iter();
        return list.map(|text| [(String::new(), text.to_owned())].into()).collect();
    }
    let bare = array.strip_suffix("[]").unwrap_or(&array);
    let members = |at: usize| {
        let front = format!("{bare}[{at}]");
        let own = row.event.fields.iter();
        let own = own.filter_map(|(name, text)| Some((name.strip_prefix(&front)?.to_owned(), text.clone())));
        Some(own.collect::<Members>()).filter(|members| !members.is_empty())
    };
    (0..MAX_ARRAY_ELEMENTS).map_while(members).collect()
}

/// The first row that comes out of the steps of parameter `steps` for element `at`.
fn outcome(arguments: &Arguments, steps: &str, row: &Row, at: usize, context: &Context) -> Option<Row> {
    let array = arguments.text_or_empty("array");
    let bare = array.strip_suffix("[]").unwrap_or(&array);
    let variables = match arguments.text("var") {
        Some(variable) => vec![variable.to_string()],
        None => vec![bare.to_owned(), format!("{bare}[]")],
    };
    let places = places(row, arguments);
    let mut inner = row.clone();
    for variable in variables {
        for rest in places.iter().flat_map(BTreeMap::keys) {
            let name = format!("{variable}{rest}");
            match places.get(at)?.get(rest) {
                Some(text) => inner.set(&name, text.clone()),
                None => drop(inner.event.fields.remove(&name)),
            }
        }
    }
    run(arguments.pipeline(steps), inner, context).into_iter().next()
}

//! Conditions and expressions on one row.

use super::{Row, arrays, steps};
use crate::functions::{Arguments, Build, filters};
use crate::machine::Context;
use crate::plan::{BinaryOp, Call, Expression, Filter, Test, TextTest};
use crate::value::compare;
use crate::value::{Number, Value, ValueRef};

/// Whether `row` passes.
pub(super) fn passes(filter: &Filter, row: &Row, context: &Context) -> bool {
    match filter {
        Filter::Bool(value) => *value,
        Filter::And(list) => list.iter().all(|filter| passes(filter, row, context)),
        Filter::Or(list) => list.iter().any(|filter| passes(filter, row, context)),
        Filter::Not(inner) => !passes(inner, row, context),
        Filter::Test { field, test } => row.get(field).is_some_and(|text| test_passes(test, text)),
        Filter::Text(test) => searched(row).any(|text| text_passes(test, text)),
        Filter::Call(call) => call_passes(call, row, context),
        Filter::Shared(_, inner) => passes(inner, row, context),
    }
}

/// The texts that free text searches.
fn searched(row: &Row) -> impl Iterator<Item = &str> {
    let of_event = |name: &str| name == "@rawstring" || !name.starts_with(['@', '#']);
    row.searched.iter().filter(move |(name, _)| of_event(name)).map(|(_, text)| text.as_str())
}

fn test_passes(test: &Test, text: &str) -> bool {
    match test {
        Test::Present => true,
        Test::Text(test) => text_passes(test, text),
        Test::Compare { op, bound } => op.test(Some(ValueRef::Text(text)), *bound),
    }
}

fn text_passes(test: &TextTest, text: &str) -> bool {
    let fold =
        |text: &str, ignore_case: bool| if ignore_case { text.to_lowercase() } else { text.to_owned() };
    match test {
        TextTest::AnyOf { patterns, ignore_case } => patterns.iter().any(|pattern| {
            compare::equal_to_literal(text, pattern, Number::parse(pattern))
                || glob(&fold(pattern, *ignore_case), &fold(text, *ignore_case))
        }),
        TextTest::Contains { pattern, ignore_case } => {
            glob(&format!("*{}*", fold(pattern, *ignore_case)), &fold(text, *ignore_case))
        }
        TextTest::Regex(regex) => {
            crate::compile::regex::compile(regex, "").is_ok_and(|compiled| compiled.regex.is_match(text))
        }
    }
}

/// Whether all of `text` is of the form `pattern`, `*` standing for anything.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((front, rest)) => text.strip_prefix(front).is_some_and(|left| {
            let ends = left.char_indices().map(|(at, _)| at).chain([left.len()]);
            ends.filter_map(|at| left.get(at..)).any(|tail| glob(rest, tail))
        }),
    }
}

fn call_passes(call: &Call, row: &Row, context: &Context) -> bool {
    let arguments = &call.arguments;
    let ignore_case = arguments.is_true("ignoreCase");
    match arguments.signature().name {
        "in" => {
            let patterns = arguments.texts("values").iter().map(ToString::to_string).collect();
            let test = TextTest::AnyOf { patterns, ignore_case };
            row.get(&arguments.text_or_empty("field")).is_some_and(|text| text_passes(&test, text))
        }
        "wildcard" => wildcard(arguments, row, ignore_case),
        "cidr" => cidr(arguments, row) != arguments.is_true("negate"),
        "test" => truth_of(arguments.expression("expression"), row, context),
        "text:contains" => sides(arguments, row, context).is_some_and(|(a, b)| a.contains(&b)),
        "text:startsWith" => sides(arguments, row, context).is_some_and(|(a, b)| a.starts_with(&b)),
        "text:endsWith" => sides(arguments, row, context).is_some_and(|(a, b)| a.ends_with(&b)),
        "array:contains" => {
            let elements = arrays::elements(row, &arguments.text_or_empty("array"));
            elements.into_iter().any(|element| *element == *arguments.text_or_empty("value"))
        }
        "array:exists" | "objectArray:exists" => arrays::exists(arguments, row, context),
        _ => !steps::function(call, row.clone(), context).is_empty(),
    }
}

fn wildcard(arguments: &Arguments, row: &Row, ignore_case: bool) -> bool {
    let pattern = arguments.text_or_empty("pattern").to_string();
    let stars = !pattern.is_empty() && pattern.chars().all(|c| c == '*');
    if stars && arguments.is_true("includeEverythingOnAsterisk") {
        return true;
    }
    if arguments.texts("field").is_empty() {
        let test = TextTest::Contains { pattern: pattern.clone(), ignore_case };
        return stars || pattern.is_empty() || searched(row).any(|text| text_passes(&test, text));
    }
    let test = TextTest::AnyOf { patterns: vec![pattern], ignore_case };
    arguments.texts("field").iter().any(|field| row.get(field).is_some_and(|text| text_passes(&test, text)))
}

fn cidr(arguments: &Arguments, row: &Row) -> bool {
    let Some(address) = row.get(&arguments.text_or_empty("field")).and_then(filters::address) else {
        return false;
    };
    let networks = filters::networks(arguments).unwrap_or_default();
    networks.into_iter().any(|network| network.contains(address))
}

fn sides(arguments: &Arguments, row: &Row, context: &Context) -> Option<(String, String)> {
    let text = |name: &str| {
        let value = value(arguments.expression(name)?, row, context)?;
        Some(value.borrow().text().into_owned())
    };
    Some((text("string")?, text("substring")?))
}

fn truth_of(expression: Option<&Expression>, row: &Row, context: &Context) -> bool {
    let value = expression.and_then(|expression| value(expression, row, context));
    value.and_then(|value| compare::truth(value.borrow())) == Some(true)
}

/// The value of an expression; none is null.
pub(super) fn value(expression: &Expression, row: &Row, context: &Context) -> Option<Value> {
    let of = |inner: &Expression| value(inner, row, context);
    match expression {
        Expression::Text(text) => Some(Value::text(text)),
        Expression::Number(number) => Some(Number::to_value(*number)),
        Expression::Bool(truth) => Some(Value::truth(*truth)),
        Expression::Field(field) => row.get(field).map(Value::text),
        Expression::Negate(inner) => {
            compare::negate(of(inner)?.number().map(Number::to_value).as_ref().map(Value::borrow))
        }
        Expression::Not(inner) => compare::not(of(inner).as_ref().map(Value::borrow)).map(Value::truth),
        Expression::Binary(op, left, right) => {
            let (left, right) = (of(left)?, of(right)?);
            let (a, b) = (Some(left.borrow()), Some(right.borrow()));
            match op {
                BinaryOp::Equal => compare::equals(a, b).map(Value::truth),
                BinaryOp::NotEqual => compare::equals(a, b).map(|same| Value::truth(!same)),
                BinaryOp::Compare(relation) => relation.apply(a, b).map(Value::truth),
                BinaryOp::Arithmetic(arithmetic) => arithmetic.apply(a, b),
            }
        }
        Expression::Call(call) => match call.arguments.signature().build {
            Build::Row(_) => steps::yielded(call, row, context),
            _ => Some(Value::truth(call_passes(call, row, context))),
        },
        Expression::If(parts) => match truth_of(Some(&parts.0), row, context) {
            true => of(&parts.1),
            false => of(&parts.2),
        },
        Expression::Coalesce { list, ignore_empty } => {
            list.iter().filter_map(of).find(|value| !ignore_empty || !value.borrow().text().is_empty())
        }
        Expression::Filter(filter) => Some(Value::truth(passes(filter, row, context))),
        Expression::Shared(_, inner) => of(inner),
    }
}

//! Conditions of the plan as predicates over columns.

use crate::compile::{TextMatcher, regex};
use crate::error::Diagnostic;
use crate::functions::{Build, RowFunction};
use crate::machine::predicate::{Predicate, ValueTest};
use crate::plan::{Call, Filter, Test, TextTest};
use crate::value::Number;

/// Compiles a condition. Cheap parts are tried first: conditions have no effects, so their order never shows.
///
/// # Errors
/// When a regex or the argument of a function is at fault.
pub fn compile(filter: &Filter) -> Result<Predicate, Diagnostic> {
    Ok(match filter {
        Filter::Bool(true) => Predicate::Always,
        Filter::Bool(false) => Predicate::Never,
        Filter::And(parts) => Predicate::And(compile_all(parts)?),
        Filter::Or(parts) => match searched_together(parts)? {
            Some(matcher) => Predicate::Search(matcher),
            None => Predicate::Or(compile_all(parts)?),
        },
        Filter::Not(inner) => Predicate::Not(Box::new(compile(inner)?)),
        Filter::Test { field, test } => {
            let field = std::sync::Arc::clone(field);
            match test {
                Test::Present => Predicate::Present(field),
                Test::Text(text) => Predicate::Text { field, matcher: matcher(text)? },
                Test::Compare { op, bound } => {
                    Predicate::Value { field, test: ValueTest::Compare(*op, *bound) }
                }
            }
        }
        Filter::Text(text) => Predicate::Search(matcher(text)?),
        Filter::Call(call) => self::call(call)?,
        Filter::Shared(number, inner) => Predicate::Shared(*number, Box::new(compile(inner)?)),
    })
}

fn compile_all(parts: &[Filter]) -> Result<Vec<Predicate>, Diagnostic> {
    let mut compiled: Vec<Predicate> = parts.iter().map(compile).collect::<Result<_, _>>()?;
    compiled.sort_by_key(Predicate::cost);
    Ok(compiled)
}

/// One search for all, where all are free text: the text is gone through once.
fn searched_together(parts: &[Filter]) -> Result<Option<TextMatcher>, Diagnostic> {
    let mut matchers = Vec::with_capacity(parts.len());
    for part in parts {
        let Filter::Text(text) = part else { return Ok(None) };
        matchers.push(matcher(text)?);
    }
    Ok((!matchers.is_empty()).then(|| TextMatcher::any(matchers)))
}

/// A call as a condition.
pub(super) fn call(call: &Call) -> Result<Predicate, Diagnostic> {
    let arguments = &call.arguments;
    let not_a_filter = |name: &str| Diagnostic {
        code: "position",
        message: format!("`{name}` is no filter"),
        span: arguments.span,
        hint: None,
    };
    match arguments.signature().build {
        Build::Filter(build) => build(arguments),
        Build::Condition(build) => compile(&build(arguments)?),
        Build::Row(build) => Ok(match build(arguments)? {
            RowFunction::Filter(predicate) => predicate,
            // A condition makes no rows: a regex that extracts nothing is a test, however often it matches.
            RowFunction::Regex(extract) => match extract.as_test() {
                Some(predicate) => predicate,
                None => Predicate::Survives(Box::new(RowFunction::Regex(extract))),
            },
            // Whether a row meets others does not hang on how many.
            RowFunction::Lookup(lookup) => {
                Predicate::Survives(Box::new(RowFunction::Lookup(Box::new(lookup.as_test()))))
            }
            function => Predicate::Survives(Box::new(function)),
        }),
        Build::Aggregate | Build::Sequence | Build::Plan => Err(not_a_filter(arguments.signature().name)),
    }
}

/// Compiles a test on text.
pub(super) fn matcher(test: &TextTest) -> Result<TextMatcher, Diagnostic> {
    let of_regex = |regex: &crate::plan::Regex| {
        regex::compile(regex, "").map(|compiled| {
            TextMatcher::regex_requiring(compiled.regex, super::literals::of_regex(regex, ""))
        })
    };
    match test {
        TextTest::AnyOf { patterns, ignore_case: false } => Ok(TextMatcher::any_of(patterns)),
        TextTest::AnyOf { patterns, ignore_case: true } => {
            let mut parts = Vec::with_capacity(patterns.len());
            for pattern in patterns {
                parts.push(of_regex(&regex::ignore_case(pattern, true))?);
                if !pattern.contains('*') && Number::parse(pattern).is_some() {
                    // Numbers compare as numbers, whatever the case.
                    parts.push(TextMatcher::equals(pattern));
                }
            }
            Ok(TextMatcher::any(parts))
        }
        TextTest::Contains { pattern, ignore_case: false } => Ok(TextMatcher::glob(&format!("*{pattern}*"))),
        TextTest::Contains { pattern, ignore_case: true } => of_regex(&regex::ignore_case(pattern, false)),
        TextTest::Regex(regex) => of_regex(regex),
    }
}

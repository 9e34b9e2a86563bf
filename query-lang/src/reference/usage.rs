//! How a function is called, in words: completion, hover text and the reference say the same.

use crate::functions::{Build, Kind, Parameter, Signature};

/// `groupBy(field, [function], [limit])`: optional parameters stand in brackets.
#[must_use]
pub fn call(signature: &Signature) -> String {
    let shown = |parameter: &Parameter| match parameter.required {
        true => parameter.name.to_owned(),
        false => format!("[{}]", parameter.name),
    };
    let parameters: Vec<String> = signature.parameters.iter().map(shown).collect();
    format!("{}({})", signature.name, parameters.join(", "))
}

/// What a parameter takes and what it is when not given: `a whole number from 1 to 12; 4 when not given`.
#[must_use]
pub fn parameter(parameter: &Parameter) -> String {
    let kind = kind(parameter.kind);
    match (parameter.required, parameter.default) {
        (true, _) => format!("{kind}; required"),
        (false, Some("")) => format!("{kind}; empty when not given"),
        (false, Some(default)) => {
            let call = if matches!(parameter.kind, Kind::Aggregates) { "()" } else { "" };
            format!("{kind}; `{}{call}` when not given", default.escape_debug())
        }
        (false, None) => kind,
    }
}

/// What a kind of parameter takes.
#[must_use]
pub fn kind(kind: Kind) -> String {
    let plain = match kind {
        Kind::Text => "a name or text",
        Kind::Texts => "a name or text, or a list of them",
        Kind::Pairs => "a pair, or a list of pairs `[[a, b], ..]`",
        Kind::Integer { least, most } => return format!("a whole number from {least} to {most}"),
        Kind::Limit { most } => return format!("a whole number from 1 to {most}, or `max`"),
        Kind::Number => "a number",
        Kind::Numbers => "a number, or a list of them",
        Kind::Bool => "`true` or `false`",
        Kind::Choice(words) => return format!("one of {}", listed(words)),
        Kind::Choices(words) => return format!("one of {}, or a list of them", listed(words)),
        Kind::Duration => "a time span like `5m`",
        Kind::Regex => "a regex, as `/../` or text",
        Kind::Expression => "an expression",
        Kind::Expressions => "an expression, or a list of them",
        Kind::Assignments => "`name=expression`, any number of them",
        Kind::Pipeline => "steps in braces, or a call",
        Kind::Query => "a query in braces",
        Kind::NamedQueries => "`NAME: { a query } include: [fields]`, several of them",
        Kind::Pipelines => "steps in braces, or a list of them",
        Kind::Table => "the name of a lookup table",
        Kind::Tables => "the name of a lookup table, or a list of them",
        Kind::Database => "the name of a lookup table; without it the query runs, and says so",
        Kind::Aggregates => "an aggregate, or a list of them",
    };
    plain.to_owned()
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// What a call of it gives.
#[must_use]
pub fn gives(signature: &Signature) -> String {
    let output = signature.parameter("as").and_then(|at| signature.parameters.get(at));
    let place = match output.map(|output| output.default) {
        Some(Some(default)) => format!("; it goes to `as`, `{default}` unless given"),
        Some(None) if signature.parameter("field").is_some() => {
            "; it goes to `as`, or where it was read".to_owned()
        }
        Some(None) => "; it goes to `as`".to_owned(),
        None => String::new(),
    };
    let what = match signature.build {
        Build::Row(_) => "works on each row",
        Build::Condition(_) | Build::Filter(_) => "is a condition, which may be negated",
        Build::Aggregate => "is an aggregate",
        Build::Sequence => "works on the rows of an aggregate in their order",
        Build::Plan if signature.is_value() => "is a value, or writes one",
        Build::Plan => "is a step",
    };
    format!("It {what}{place}.")
}

//! What an event must have for a filter to pass it: a necessary condition, never a sufficient one.

use crate::compile::literals;
use crate::compile::matcher::digits;
use crate::functions::{Build, Touches};
use crate::machine::step::RowStep;
use crate::plan::{Call, Expression, Filter, Step, Test, TextTest};
use crate::value::Number;
use crate::value::compare::Relation;

/// The most alternatives of one [`Required::Or`]; a condition with more requires nothing.
pub const MAX_REQUIRED_PARTS: usize = 4_096;

/// A condition that every passing event meets, in terms that facts and an index can decide.
///
/// It only prunes. Weaker is always right: [`Required::Anything`] is a valid condition for every filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Required {
    /// No condition.
    Anything,
    /// No event passes.
    Nothing,
    /// All of them.
    And(Vec<Required>),
    /// At least one of them.
    Or(Vec<Required>),
    /// The event's text, or one of its field values (tags and meta fields excepted), contains these bytes.
    Text {
        /// The bytes, at least one.
        literal: Vec<u8>,
        /// ASCII letters match in either case.
        ignore_case: bool,
    },
    /// The field is present (tags as `#name`).
    Present(String),
    /// The field is present and its text is one of these.
    OneOf {
        /// The field (tags as `#name`).
        field: String,
        /// Its possible texts.
        values: Vec<String>,
    },
    /// The field is present, numeric, and within these bounds, both inclusive.
    Range {
        /// The field.
        field: String,
        /// Least number.
        least: f64,
        /// Greatest number.
        greatest: f64,
    },
}

impl Required {
    /// All of `parts`.
    #[must_use]
    pub fn and(parts: Vec<Required>) -> Required {
        let mut out: Vec<Required> = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Required::Anything => {}
                Required::Nothing => return Required::Nothing,
                Required::And(inner) => out.extend(inner),
                other => out.push(other),
            }
        }
        let mut unique: Vec<Required> = Vec::with_capacity(out.len());
        for part in out {
            if !unique.contains(&part) {
                unique.push(part);
            }
        }
        match (unique.pop(), unique.is_empty()) {
            (None, _) => Required::Anything,
            (Some(only), true) => only,
            (Some(last), false) => {
                unique.push(last);
                Required::And(unique)
            }
        }
    }

    /// At least one of `parts`.
    #[must_use]
    pub fn or(parts: Vec<Required>) -> Required {
        let mut out: Vec<Required> = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Required::Nothing => {}
                Required::Anything => return Required::Anything,
                Required::Or(inner) => out.extend(inner),
                other => out.push(other),
            }
        }
        if out.len() > MAX_REQUIRED_PARTS {
            return Required::Anything;
        }
        match (out.pop(), out.is_empty()) {
            (None, _) => Required::Nothing,
            (Some(only), true) => only,
            (Some(last), false) => {
                out.push(last);
                Required::Or(out)
            }
        }
    }

    /// What a row must have to come through `steps`, which became `compiled` up to the first aggregate: filters up to where a
    /// field they name is rewritten.
    #[must_use]
    pub fn of_steps(steps: &[Step], compiled: &[RowStep]) -> Required {
        of_steps(steps, compiled, &mut Touches::default())
    }
}

fn of_steps(steps: &[Step], compiled: &[RowStep], written: &mut Touches) -> Required {
    let mut parts = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let compiled = compiled.get(at);
        match step {
            Step::Filter(filter) => parts.push(of_filter(filter, written)),
            Step::Call(call) => {
                if call.arguments.signature().name == "regex" && call.arguments.is_true("strict") {
                    parts.push(of_regex_call(&call.arguments, written));
                }
                if aggregate(call) {
                    break;
                }
                match compiled {
                    Some(compiled) => compiled.touches(written),
                    None => written.writes_any = true,
                }
            }
            Step::Assign { target, dynamic, .. } => {
                written.write(target);
                written.writes_any |= dynamic;
            }
            Step::Case(clauses) => {
                let mut all = written.clone();
                let compiled: &[Vec<RowStep>] = match compiled {
                    Some(RowStep::Case(compiled)) => compiled,
                    _ => &[],
                };
                let taken = clauses.iter().enumerate().map(|(at, clause)| {
                    let mut inner = written.clone();
                    let compiled = compiled.get(at).map(Vec::as_slice).unwrap_or_default();
                    let required = of_steps(clause, compiled, &mut inner);
                    all.writes.extend(inner.writes);
                    all.writes_any |= inner.writes_any;
                    required
                });
                let taken = Required::or(taken.collect());
                parts.push(taken);
                *written = all;
            }
            Step::Create(_) => return Required::Anything,
        }
    }
    Required::and(parts)
}

fn aggregate(call: &Call) -> bool {
    matches!(call.arguments.signature().build, Build::Aggregate | Build::Sequence)
}

fn of_filter(filter: &Filter, written: &Touches) -> Required {
    match filter {
        Filter::Bool(true) | Filter::Not(_) => Required::Anything,
        Filter::Bool(false) => Required::Nothing,
        Filter::Shared(_, inner) => of_filter(inner, written),
        Filter::And(parts) => Required::and(parts.iter().map(|part| of_filter(part, written)).collect()),
        Filter::Or(parts) => Required::or(parts.iter().map(|part| of_filter(part, written)).collect()),
        // Free text reads the event as it came, whatever has been written since.
        Filter::Text(text) => of_text(text),
        Filter::Test { field, test } => of_test(field, test, written),
        Filter::Call(call) => {
            let arguments = &call.arguments;
            match arguments.signature().name {
                "regex" if arguments.is_true("strict") => of_regex_call(arguments, written),
                "cidr" if !arguments.is_true("negate") => {
                    of_test(&arguments.text_or_empty("field"), &Test::Present, written)
                }
                "text:contains" | "text:startsWith" | "text:endsWith" => of_part(arguments, written),
                _ => Required::Anything,
            }
        }
    }
}

fn of_part(arguments: &crate::functions::Arguments, written: &Touches) -> Required {
    match (arguments.expression("string"), arguments.expression("substring")) {
        (Some(Expression::Field(field)), Some(Expression::Text(part))) => {
            of_literals(field, Some(vec![literal(part, false)]), written)
        }
        _ => Required::Anything,
    }
}

fn of_regex_call(arguments: &crate::functions::Arguments, written: &Touches) -> Required {
    let Some(regex) = arguments.regex("regex") else { return Required::Anything };
    let text = literals::of_regex(regex, &arguments.text_or_empty("flags"));
    of_literals(&arguments.text_or_empty("field"), Some(vec![text]), written)
}

/// The field is there, and its text meets one of `texts`.
fn of_literals(field: &str, texts: Option<Vec<Required>>, written: &Touches) -> Required {
    if is_written(field, written) {
        return Required::Anything;
    }
    let text = texts.map_or(Required::Anything, Required::or);
    match field.as_bytes().first() {
        Some(b'@') if field == "@rawstring" => text,
        Some(b'@') => Required::Anything,
        Some(b'#') => Required::Present(field.to_owned()),
        _ => Required::and(vec![Required::Present(field.to_owned()), text]),
    }
}

fn is_written(field: &str, written: &Touches) -> bool {
    written.writes_any || written.writes.contains(field)
}

fn of_test(field: &std::sync::Arc<str>, test: &Test, written: &Touches) -> Required {
    match test {
        Test::Present => of_literals(field, None, written),
        Test::Compare { op, bound } => {
            if is_written(field, written) || field.starts_with('@') {
                return Required::Anything;
            }
            let bound = bound.to_f64();
            let (least, greatest) = match op {
                Relation::Less | Relation::LessEqual => (f64::NEG_INFINITY, bound),
                Relation::Greater | Relation::GreaterEqual => (bound, f64::INFINITY),
            };
            Required::Range { field: field.to_string(), least, greatest }
        }
        Test::Text(TextTest::AnyOf { patterns, ignore_case: false }) if !field.starts_with('@') => {
            if is_written(field, written) {
                Required::Anything
            } else {
                of_values(field, patterns)
            }
        }
        Test::Text(text) => of_literals(field, Some(vec![of_text(text)]), written),
    }
}

/// The field is one of `patterns`: exactly where they are plain texts, by their digits where they are numbers.
fn of_values(field: &str, patterns: &[String]) -> Required {
    let mut values = Vec::new();
    let mut others = Vec::new();
    for pattern in patterns {
        if pattern.contains('*') {
            let text = TextTest::AnyOf { patterns: vec![pattern.clone()], ignore_case: false };
            others.push(of_literals(field, Some(vec![of_text(&text)]), &Touches::default()));
        } else if let Some(number) = Number::parse(pattern) {
            let exact = number.to_f64();
            let range = Required::Range { field: field.to_owned(), least: exact, greatest: exact };
            // Tags are not among the texts an index of texts holds.
            let digits = match field.starts_with('#') {
                true => Required::Anything,
                false => digits(number).map_or(Required::Anything, |digits| literal(&digits, false)),
            };
            // A spelling that is not the number's own, like `+5` or `1e3`, may be met by its text alone.
            let spelt = literal_or_anything(field, pattern);
            let is_number = Required::and(vec![range, digits]);
            others.push(if pattern.contains(['e', 'E']) {
                Required::or(vec![is_number, spelt])
            } else {
                is_number
            });
        } else {
            values.push(pattern.clone());
        }
    }
    if !values.is_empty() {
        others.push(Required::OneOf { field: field.to_owned(), values });
    }
    Required::or(others)
}

fn literal_or_anything(field: &str, text: &str) -> Required {
    Required::OneOf { field: field.to_owned(), values: vec![text.to_owned()] }
}

/// What the text of an event, or of one of its fields, must contain.
fn of_text(test: &TextTest) -> Required {
    match test {
        TextTest::AnyOf { patterns, ignore_case } => Required::or(
            patterns
                .iter()
                .map(|pattern| match Number::parse(pattern).filter(|_| !pattern.contains('*')) {
                    Some(number) if !pattern.contains(['e', 'E']) => {
                        digits(number).map_or(Required::Anything, |digits| literal(&digits, false))
                    }
                    Some(_) => Required::Anything,
                    None => pieces(pattern, *ignore_case),
                })
                .collect(),
        ),
        TextTest::Contains { pattern, ignore_case } => pieces(pattern, *ignore_case),
        TextTest::Regex(regex) => literals::of_regex(regex, ""),
    }
}

/// Every piece between the stars.
fn pieces(pattern: &str, ignore_case: bool) -> Required {
    Required::and(pattern.split('*').map(|piece| literal(piece, ignore_case)).collect())
}

fn literal(text: &str, ignore_case: bool) -> Required {
    if text.is_empty() {
        return Required::Anything;
    }
    if !ignore_case {
        return Required::Text { literal: text.as_bytes().to_vec(), ignore_case: false };
    }
    let regex = crate::plan::Regex {
        pattern: regex::escape(text),
        flags: "i".to_owned(),
        place: crate::plan::Place::default(),
    };
    literals::of_regex(&regex, "")
}

impl std::fmt::Display for Required {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |out: &mut std::fmt::Formatter<'_>, parts: &[Required], word: &str| {
            for (at, part) in parts.iter().enumerate() {
                let before = if at == 0 { "(" } else { word };
                write!(out, "{before}{part}")?;
            }
            out.write_str(")")
        };
        match self {
            Required::Anything => out.write_str("anything"),
            Required::Nothing => out.write_str("nothing passes"),
            Required::And(parts) => list(out, parts, " and "),
            Required::Or(parts) => list(out, parts, " or "),
            Required::Text { literal, ignore_case } => {
                let either = if *ignore_case { " in either case" } else { "" };
                write!(out, "text {:?}{either}", String::from_utf8_lossy(literal))
            }
            Required::Present(field) => write!(out, "{field} present"),
            Required::OneOf { field, values } => write!(out, "{field} in {values:?}"),
            Required::Range { field, least, greatest } => write!(out, "{field} from {least} to {greatest}"),
        }
    }
}

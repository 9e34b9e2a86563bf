//! Fields that no event has, while another of nearly that name is there: a query that asks for one runs, and finds
//! nothing. Likewise `field:value`, which is a text to search for here and a test elsewhere.

use std::collections::BTreeSet;

use super::catalogue::Catalogue;
use crate::ast::{FieldTest, Filter, Name, Pattern, Query, Step, StepKind, TestOp, TestValue};
use crate::error::{Diagnostic, did_you_mean};
use crate::suggest::suggest;

/// The most fields that are warned of.
const MAX_UNKNOWN_FIELDS: usize = 100;

/// A warning for each test of such a field, up to the first step that makes fields whose names nobody can know.
pub(super) fn unknown_fields(query: &Query, catalogue: &dyn Catalogue) -> Vec<Diagnostic> {
    let (mut tested, mut texts) = (Vec::new(), Vec::new());
    for step in &query.pipeline.steps {
        match &step.kind {
            StepKind::Filter(filter) => names_in(filter, &mut tested, &mut texts),
            _ => break,
        }
        if extracts(step) {
            break;
        }
    }
    if tested.is_empty() && texts.is_empty() {
        return Vec::new();
    }
    let fields = catalogue.fields();
    let known: BTreeSet<&str> = fields.iter().map(|fact| fact.name.as_str()).collect();
    let mut seen = BTreeSet::new();
    let unknown = tested.into_iter().filter(|name| {
        !name.text.starts_with('@') && !name.text.contains('[') && !known.contains(name.text.as_str())
    });
    // Each is compared with every field there is.
    let unknown = unknown.filter(|name| seen.insert(name.text.as_str())).take(MAX_UNKNOWN_FIELDS);
    let warn = |name: &Name| {
        let near = suggest(&name.text, known.iter().copied())?;
        Some(Diagnostic {
            code: "unknown-field",
            message: format!("no event has a field `{}`", name.text),
            span: name.span,
            hint: Some(did_you_mean(near)),
        })
    };
    let as_text = |pattern: &Pattern| {
        let (field, value) = pattern.text.split_once(':')?;
        known.contains(field).then(|| Diagnostic {
            code: "field-as-text",
            message: format!("`{}` is a text to search for", pattern.text),
            span: pattern.span,
            hint: Some(format!("write `{field}={value}`, or quote the text")),
        })
    };
    unknown.filter_map(warn).chain(texts.into_iter().filter_map(as_text)).collect()
}

/// The fields that a condition tests, and its free texts without quotes.
fn names_in<'q>(filter: &'q Filter, out: &mut Vec<&'q Name>, texts: &mut Vec<&'q Pattern>) {
    match filter {
        Filter::And(parts, _) | Filter::Or(parts, _) => {
            parts.iter().for_each(|part| names_in(part, out, texts));
        }
        Filter::Not(inner, _) => names_in(inner, out, texts),
        Filter::Text(pattern) if !pattern.quoted => texts.push(pattern),
        Filter::Test(test) if !asks_whether_missing(test) => out.push(&test.field),
        Filter::FieldCall(call) => out.push(&call.field),
        _ => {}
    }
}

/// `f!=*` is right for fields that are not there.
fn asks_whether_missing(test: &FieldTest) -> bool {
    let star = matches!(&test.value, TestValue::Pattern(pattern) if pattern.text == "*");
    test.op == TestOp::NotEqual && star
}

/// The step may write fields: a regex with groups, a lookup.
fn extracts(step: &Step) -> bool {
    fn any(filter: &Filter) -> bool {
        match filter {
            Filter::And(parts, _) | Filter::Or(parts, _) => parts.iter().any(any),
            Filter::Not(inner, _) => any(inner),
            Filter::Regex(regex) => regex.pattern.contains("(?"),
            Filter::Test(test) => {
                matches!(&test.value, TestValue::Regex(regex) if regex.pattern.contains("(?"))
            }
            Filter::Call(_) | Filter::FieldCall(_) | Filter::Saved(_) => true,
            _ => false,
        }
    }
    match &step.kind {
        StepKind::Filter(filter) => any(filter),
        _ => false,
    }
}

//! Fields that no event has, while another of nearly that name is there: a query that asks for one runs, and finds
//! nothing.

use std::collections::BTreeSet;

use super::catalogue::Catalogue;
use crate::ast::{FieldTest, Filter, Name, Query, Step, StepKind, TestOp, TestValue};
use crate::error::{Diagnostic, did_you_mean};
use crate::suggest::suggest;

/// A warning for each test of such a field, up to the first step that makes fields whose names nobody can know.
pub(super) fn unknown_fields(query: &Query, catalogue: &dyn Catalogue) -> Vec<Diagnostic> {
    let mut tested: Vec<&Name> = Vec::new();
    for step in &query.pipeline.steps {
        match &step.kind {
            StepKind::Filter(filter) => names_in(filter, &mut tested),
            _ => break,
        }
        if extracts(step) {
            break;
        }
    }
    if tested.is_empty() {
        return Vec::new();
    }
    let fields = catalogue.fields();
    let known: BTreeSet<&str> = fields.iter().map(|fact| fact.name.as_str()).collect();
    let unknown = tested.into_iter().filter(|name| {
        !name.text.starts_with('@') && !name.text.contains('[') && !known.contains(name.text.as_str())
    });
    let warn = |name: &Name| {
        let near = suggest(&name.text, known.iter().copied())?;
        Some(Diagnostic {
            code: "unknown-field",
            message: format!("no event has a field `{}`", name.text),
            span: name.span,
            hint: Some(did_you_mean(near)),
        })
    };
    unknown.filter_map(warn).collect()
}

fn names_in<'q>(filter: &'q Filter, out: &mut Vec<&'q Name>) {
    match filter {
        Filter::And(parts, _) | Filter::Or(parts, _) => parts.iter().for_each(|part| names_in(part, out)),
        Filter::Not(inner, _) => names_in(inner, out),
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

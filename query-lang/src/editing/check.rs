//! All that is wrong with a text: what the parser says, what the plan and the compiler say of the steps that are whole,
//! and fields that no event has while another of nearly that name is there.

use super::catalogue::Catalogue;
use super::edit::Edit;
use super::fields::unknown_fields;
use super::position::{Range, ranges};
use crate::ast::{Pipeline, Query};
use crate::compile::Options;
use crate::error::{Diagnostic, Diagnostics};
use crate::parser::{MAX_DIAGNOSTICS, parse};
use crate::program::Program;

/// What is wrong with a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// Everything, in text order; at most [`MAX_DIAGNOSTICS`] and one that says so.
    pub faults: Vec<Fault>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// How bad it is.
    pub severity: Severity,
    /// A stable word for the kind of fault.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where.
    pub range: Range,
    /// The change that mends it, where the hint is one.
    pub fix: Option<Edit>,
}

/// How bad a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The query does not run.
    Error,
    /// It runs, and likely not as it was meant.
    Warning,
}

impl Severity {
    /// A stable word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

impl Check {
    /// The query runs.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.faults.iter().any(|fault| fault.severity == Severity::Error)
    }
}

/// Everything wrong with `text`. `options` is what it would be compiled with; the catalogue is asked for fields only.
#[must_use]
pub fn check(text: &str, options: &Options, catalogue: &dyn Catalogue) -> Check {
    let parsed = parse(text);
    let mut list: Vec<(Severity, Diagnostic)> = Vec::new();
    let errors = |found: Diagnostics| found.list.into_iter().map(|fault| (Severity::Error, fault));
    if parsed.diagnostics.list.is_empty() {
        if let Err(found) = Program::compile(text, options) {
            list.extend(errors(found));
        }
    } else {
        list.extend(errors(faults_of_whole_steps(&parsed.query, &parsed.diagnostics, options)));
        list.extend(errors(parsed.diagnostics));
    }
    let unknown = unknown_fields(&parsed.query, catalogue);
    list.extend(unknown.into_iter().map(|fault| (Severity::Warning, fault)));
    list.sort_by_key(|(_, fault)| (fault.span.start, fault.span.end));
    list.dedup();
    if list.len() > MAX_DIAGNOSTICS + 1 {
        list.truncate(MAX_DIAGNOSTICS + 1);
    }
    let spans: Vec<_> = list.iter().map(|(_, fault)| fault.span).collect();
    let places = ranges(text, &spans);
    let faults = list.into_iter().zip(places);
    Check { faults: faults.map(|((severity, fault), range)| shown(severity, fault, range)).collect() }
}

fn shown(severity: Severity, fault: Diagnostic, range: Range) -> Fault {
    let fix = fault.replacement().map(|text| Edit { range, text: text.to_owned() });
    Fault { severity, code: fault.code, message: fault.message, hint: fault.hint, range, fix }
}

/// What the plan says of the steps that the parser found nothing wrong with. What hangs on other steps, which may be
/// the broken ones, is not told.
fn faults_of_whole_steps(query: &Query, broken: &Diagnostics, options: &Options) -> Diagnostics {
    /// Faults that a step has by itself.
    const OWN: [&str; 4] = ["unknown-function", "unknown-parameter", "argument", "missing-argument"];
    let is_whole = |step: &&crate::ast::Step| {
        let mut faults = broken.list.iter();
        !faults.any(|fault| step.span.start <= fault.span.end && fault.span.start <= step.span.end)
    };
    let steps: Vec<_> = query.pipeline.steps.iter().filter(is_whole).cloned().collect();
    let whole = Query { pipeline: Pipeline { steps, span: query.pipeline.span }, comments: Vec::new() };
    match crate::plan::lower(&whole, options) {
        Ok(_) => Diagnostics::default(),
        Err(mut found) => {
            found.list.retain(|fault| OWN.contains(&fault.code));
            found
        }
    }
}

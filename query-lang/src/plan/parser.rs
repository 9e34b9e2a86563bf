//! Parsers: steps over single events before they are stored.
//!
//! A parser is a query without aggregates. Two things differ: free text is looked for in the fields as they are where it
//! stands, and `dropEvent()` is no condition that fails but the end of the event. A dropped row is marked, and none of the
//! steps behind look at it: where a clause of `case` may drop rows, what follows the `case` goes into another one, whose
//! first clause lets marked rows by.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, LazyLock};

use crate::error::{Diagnostic, Diagnostics};
use crate::plan::lower::aggregate_name;
use crate::plan::{Expression, Filter, Plan, Step, Test};
use crate::span::Span;

/// The field that marks a row as dropped. Names of fields may come out of events, so it is drawn anew in every process: no
/// text can name it.
pub fn mark() -> &'static Arc<str> {
    static MARK: LazyLock<Arc<str>> = LazyLock::new(|| {
        let drawn = [RandomState::new(), RandomState::new()].map(|state| state.hash_one(0));
        Arc::from(format!("\u{0}dropped {:016x}{:016x}", drawn[0], drawn[1]))
    });
    &MARK
}

/// The step that `dropEvent()` is in a parser.
pub(super) fn dropped() -> Step {
    Step::Assign { target: Arc::clone(mark()), dynamic: false, value: Expression::Text(Arc::from("true")) }
}

/// The plan as one that can run over single events.
///
/// # Errors
/// When some of its steps need more than one event, or events that are stored.
pub fn prepare(plan: Plan) -> Result<Plan, Diagnostics> {
    let mut list: Vec<Diagnostic> = plan.steps.iter().filter_map(misplaced).collect();
    let query = plan.queries.iter().map(|query| (query.place.0, format!("the query `{}`", query.name)));
    let interval = plan.interval.iter().map(|_| (Span::default(), "`setTimeInterval`".to_owned()));
    list.extend(query.chain(interval).map(|(span, what)| fault(span, &what)));
    if list.is_empty() {
        Ok(Plan { steps: guarded(plan.steps), ..plan })
    } else {
        list.sort_by_key(|fault| fault.span.start);
        Err(Diagnostics { list })
    }
}

fn misplaced(step: &Step) -> Option<Diagnostic> {
    match step {
        Step::Call(call) => {
            let name = aggregate_name(step)?;
            Some(fault(call.arguments.span, &format!("`{name}`")))
        }
        Step::Create(_) => Some(fault(Span::default(), "a step that makes events of its own")),
        _ => None,
    }
}

fn fault(span: Span, what: &str) -> Diagnostic {
    Diagnostic {
        code: "position",
        message: format!("{what} has no place in a parser"),
        span,
        hint: Some("a parser looks at one event at a time, before it is stored".to_owned()),
    }
}

/// The steps, none of which looks at rows that were dropped before it.
fn guarded(steps: Vec<Step>) -> Vec<Step> {
    let mut out: Vec<Step> = Vec::with_capacity(steps.len());
    // From here on rows may be dropped already.
    let mut from = None;
    for step in steps {
        let step = match step {
            Step::Case(clauses) => Step::Case(clauses.into_iter().map(guarded).collect()),
            step => step,
        };
        let ends = is_drop(&step);
        let drops = ends || may_drop(&step);
        out.push(step);
        if drops {
            guard(&mut out, from);
            from = Some(out.len());
        }
        if ends {
            return out;
        }
    }
    guard(&mut out, from);
    out
}

/// Puts the steps from `from` on into a `case` that lets dropped rows by.
fn guard(steps: &mut Vec<Step>, from: Option<usize>) {
    let Some(from) = from.filter(|from| *from < steps.len()) else { return };
    let rest = steps.split_off(from);
    let by = Step::Filter(Filter::Test { field: Arc::clone(mark()), test: Test::Present });
    steps.push(Step::Case(vec![vec![by], rest]));
}

fn is_drop(step: &Step) -> bool {
    matches!(step, Step::Assign { target, .. } if target == mark())
}

fn may_drop(step: &Step) -> bool {
    match step {
        Step::Case(clauses) => clauses.iter().flatten().any(|step| is_drop(step) || may_drop(step)),
        _ => false,
    }
}

//! Smaller plans that mean the same: conditions flattened and folded, neighbouring filters merged, constants computed, regexes
//! that are texts taken for texts.

use crate::compile;
use crate::error::Diagnostic;
use crate::plan::{Call, Filter, Plan, Step, Test, TextTest, fold, texts};

/// The plan, simplified. What is wrong with parts that are left out goes to `faults`: it is wrong, whether it would run or not.
#[must_use]
pub fn simplify(plan: Plan, faults: &mut Vec<Diagnostic>) -> Plan {
    Plan { steps: steps(plan.steps, faults), ..plan }
}

/// The steps, simplified.
#[must_use]
pub fn steps(list: Vec<Step>, faults: &mut Vec<Diagnostic>) -> Vec<Step> {
    let mut out: Vec<Step> = Vec::with_capacity(list.len());
    for step in list {
        match step {
            Step::Filter(inner) => {
                let inner = filter(inner, faults);
                if inner == Filter::Bool(true) {
                    continue;
                }
                match out.pop() {
                    Some(Step::Filter(before)) => out.push(Step::Filter(and(vec![before, inner], faults))),
                    before => {
                        out.extend(before);
                        out.push(Step::Filter(inner));
                    }
                }
            }
            Step::Assign { target, dynamic, value } => {
                out.push(Step::Assign { target, dynamic, value: fold::expression(value, faults) });
            }
            Step::Case(clauses) => {
                out.push(Step::Case(clauses.into_iter().map(|clause| steps(clause, faults)).collect()));
            }
            other => out.push(other),
        }
    }
    out
}

/// The condition, simplified.
#[must_use]
pub fn filter(condition: Filter, faults: &mut Vec<Diagnostic>) -> Filter {
    match condition {
        Filter::And(parts) => {
            let parts = parts.into_iter().map(|part| filter(part, faults)).collect();
            and(parts, faults)
        }
        Filter::Or(parts) => {
            let parts = parts.into_iter().map(|part| filter(part, faults)).collect();
            or(parts, faults)
        }
        Filter::Not(inner) => match filter(*inner, faults) {
            Filter::Bool(value) => Filter::Bool(!value),
            Filter::Not(inner) => *inner,
            inner => Filter::Not(Box::new(inner)),
        },
        Filter::Test { field, test: Test::Text(TextTest::Regex(regex)) } => {
            let test = texts::test_of(&regex).unwrap_or(TextTest::Regex(regex));
            Filter::Test { field, test: Test::Text(test) }
        }
        // Texts are searched for at the beginning and the end of any field by their regexes.
        Filter::Text(TextTest::Regex(regex)) => match texts::test_of(&regex) {
            Some(test @ TextTest::Contains { .. }) => Filter::Text(test),
            _ => Filter::Text(TextTest::Regex(regex)),
        },
        Filter::Call(call) => match known(&call, faults) {
            Some(known) => Filter::Bool(known),
            None => Filter::Call(call),
        },
        other => other,
    }
}

/// What `test` of constants says.
fn known(call: &Call, faults: &mut Vec<Diagnostic>) -> Option<bool> {
    if call.arguments.signature().name != "test" {
        return None;
    }
    let mut inner = Vec::new();
    let known = fold::truth(&fold::expression(call.arguments.expression("expression")?.clone(), &mut inner))?;
    faults.append(&mut inner);
    Some(known)
}

fn and(parts: Vec<Filter>, faults: &mut Vec<Diagnostic>) -> Filter {
    if parts.contains(&Filter::Bool(false)) {
        return told(&parts, false, faults);
    }
    let mut out = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Filter::Bool(true) => {}
            Filter::And(inner) => inner.into_iter().for_each(|one| add(&mut out, one)),
            other => add(&mut out, other),
        }
    }
    match (out.pop(), out.is_empty()) {
        (None, _) => Filter::Bool(true),
        (Some(only), true) => only,
        (Some(last), false) => {
            out.push(last);
            Filter::And(out)
        }
    }
}

/// The condition that one of `parts` tells by itself.
fn told(parts: &[Filter], value: bool, faults: &mut Vec<Diagnostic>) -> Filter {
    faults.extend(parts.iter().filter_map(|part| compile::condition::compile(part).err()));
    Filter::Bool(value)
}

fn or(parts: Vec<Filter>, faults: &mut Vec<Diagnostic>) -> Filter {
    if parts.contains(&Filter::Bool(true)) {
        return told(&parts, true, faults);
    }
    let mut out = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Filter::Bool(false) => {}
            Filter::Or(inner) => inner.into_iter().for_each(|one| add_alternative(&mut out, one)),
            other => add_alternative(&mut out, other),
        }
    }
    match (out.pop(), out.is_empty()) {
        (None, _) => Filter::Bool(false),
        (Some(only), true) => only,
        (Some(last), false) => {
            out.push(last);
            Filter::Or(out)
        }
    }
}

/// `f=a or f=b` is `f` being one of both: one test, and one set for an index to look up.
fn add_alternative(list: &mut Vec<Filter>, one: Filter) {
    if let Some((field, patterns, ignore_case)) = values(&one)
        && let Some(known) = list.iter_mut().find_map(|known| values_mut(known, field, ignore_case))
    {
        for pattern in patterns {
            if !known.contains(pattern) {
                known.push(pattern.clone());
            }
        }
        return;
    }
    add(list, one);
}

fn values(filter: &Filter) -> Option<(&str, &[String], bool)> {
    match filter {
        Filter::Test { field, test: Test::Text(TextTest::AnyOf { patterns, ignore_case }) } => {
            Some((field, patterns, *ignore_case))
        }
        _ => None,
    }
}

fn values_mut<'f>(filter: &'f mut Filter, wanted: &str, wanted_case: bool) -> Option<&'f mut Vec<String>> {
    match filter {
        Filter::Test { field, test: Test::Text(TextTest::AnyOf { patterns, ignore_case }) }
            if **field == *wanted && *ignore_case == wanted_case =>
        {
            Some(patterns)
        }
        _ => None,
    }
}

/// The same condition twice is the condition once.
fn add(list: &mut Vec<Filter>, one: Filter) {
    /// Beyond this many parts the search for equal ones would cost more than they do.
    const LOOKED_AT: usize = 64;
    if list.len() > LOOKED_AT || !list.contains(&one) {
        list.push(one);
    }
}

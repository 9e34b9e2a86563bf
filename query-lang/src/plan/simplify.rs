//! Smaller plans that mean the same: conditions flattened and folded, neighbouring filters merged, constants computed, regexes
//! that are texts taken for texts.

use crate::plan::{Call, Filter, Plan, Step, Test, TextTest, fold, texts};

/// The plan, simplified.
#[must_use]
pub fn simplify(plan: Plan) -> Plan {
    Plan { steps: steps(plan.steps), ..plan }
}

/// The steps, simplified.
#[must_use]
pub fn steps(list: Vec<Step>) -> Vec<Step> {
    let mut out: Vec<Step> = Vec::with_capacity(list.len());
    for step in list {
        match step {
            Step::Filter(inner) => {
                let inner = filter(inner);
                if inner == Filter::Bool(true) {
                    continue;
                }
                match out.pop() {
                    Some(Step::Filter(before)) => out.push(Step::Filter(and(vec![before, inner]))),
                    before => {
                        out.extend(before);
                        out.push(Step::Filter(inner));
                    }
                }
            }
            Step::Assign { target, dynamic, value } => {
                out.push(Step::Assign { target, dynamic, value: fold::expression(value) });
            }
            Step::Case(clauses) => out.push(Step::Case(clauses.into_iter().map(steps).collect())),
            other => out.push(other),
        }
    }
    out
}

/// The condition, simplified.
#[must_use]
pub fn filter(condition: Filter) -> Filter {
    match condition {
        Filter::And(parts) => and(parts.into_iter().map(filter).collect()),
        Filter::Or(parts) => or(parts.into_iter().map(filter).collect()),
        Filter::Not(inner) => match filter(*inner) {
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
        Filter::Call(call) => match known(&call) {
            Some(known) => Filter::Bool(known),
            None => Filter::Call(call),
        },
        other => other,
    }
}

/// What `test` of constants says.
fn known(call: &Call) -> Option<bool> {
    if call.arguments.signature().name != "test" {
        return None;
    }
    fold::truth(&fold::expression(call.arguments.expression("expression")?.clone()))
}

fn and(parts: Vec<Filter>) -> Filter {
    let mut out = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Filter::Bool(true) => {}
            Filter::Bool(false) => return Filter::Bool(false),
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

fn or(parts: Vec<Filter>) -> Filter {
    let mut out = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Filter::Bool(false) => {}
            Filter::Bool(true) => return Filter::Bool(true),
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

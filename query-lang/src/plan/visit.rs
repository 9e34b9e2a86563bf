//! Going over every call of a plan.

use crate::functions::{Argument, Arguments};
use crate::plan::{Expression, Filter, Step};

/// Calls `each` with the arguments of every call in `steps`, those inside arguments included, inner ones last.
pub fn calls_mut(steps: &mut [Step], each: &mut dyn FnMut(&mut Arguments)) {
    for step in steps {
        match step {
            Step::Filter(condition) => filter(condition, each),
            Step::Assign { value, .. } => expression(value, each),
            Step::Call(call) => arguments(&mut call.arguments, each),
            Step::Case(clauses) => clauses.iter_mut().for_each(|clause| calls_mut(clause, each)),
            Step::Create(_) => {}
        }
    }
}

fn filter(condition: &mut Filter, each: &mut dyn FnMut(&mut Arguments)) {
    match condition {
        Filter::And(parts) | Filter::Or(parts) => parts.iter_mut().for_each(|part| filter(part, each)),
        Filter::Not(inner) | Filter::Shared(_, inner) => filter(inner, each),
        Filter::Call(call) => arguments(&mut call.arguments, each),
        Filter::Bool(_) | Filter::Test { .. } | Filter::Text(_) => {}
    }
}

fn expression(value: &mut Expression, each: &mut dyn FnMut(&mut Arguments)) {
    match value {
        Expression::Negate(inner) | Expression::Not(inner) | Expression::Shared(_, inner) => {
            expression(inner, each);
        }
        Expression::Binary(_, left, right) => {
            expression(left, each);
            expression(right, each);
        }
        Expression::Call(call) => arguments(&mut call.arguments, each),
        Expression::If(parts) => {
            let (condition, then, otherwise) = &mut **parts;
            [condition, then, otherwise].into_iter().for_each(|part| expression(part, each));
        }
        Expression::Coalesce { list, .. } => list.iter_mut().for_each(|part| expression(part, each)),
        Expression::Filter(inner) => filter(inner, each),
        Expression::Text(_) | Expression::Number(_) | Expression::Bool(_) | Expression::Field(_) => {}
    }
}

fn arguments(own: &mut Arguments, each: &mut dyn FnMut(&mut Arguments)) {
    each(own);
    for argument in own.arguments_mut() {
        match argument {
            Argument::Expression(value) => expression(value, each),
            Argument::Expressions(values) => values.iter_mut().for_each(|value| expression(value, each)),
            Argument::Assignments(list) => list.iter_mut().for_each(|(_, value)| expression(value, each)),
            Argument::Pipeline(steps) => calls_mut(steps, each),
            Argument::Pipelines(list) => list.iter_mut().for_each(|steps| calls_mut(steps, each)),
            Argument::Aggregates(list) => {
                for one in list {
                    calls_mut(&mut one.before, each);
                    arguments(&mut one.call.arguments, each);
                    calls_mut(&mut one.after, each);
                }
            }
            _ => {}
        }
    }
}

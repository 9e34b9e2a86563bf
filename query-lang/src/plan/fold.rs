//! Constants computed once: arithmetic and comparisons of constants, conditions that are known, and with them the branches of
//! `if` that are never taken. What is wrong with these is told all the same.

use crate::compile;
use crate::error::Diagnostic;
use crate::plan::{BinaryOp, Expression, Filter};
use crate::value::{Value, compare};

/// The expression with its constant parts computed. What would be null stays as it is written.
pub(super) fn expression(written: Expression, faults: &mut Vec<Diagnostic>) -> Expression {
    match written {
        Expression::Negate(inner) => {
            let inner = expression(*inner, faults);
            let known = constant(&inner).and_then(|value| compare::negate(Some(value.borrow())));
            number(known).unwrap_or_else(|| Expression::Negate(Box::new(inner)))
        }
        Expression::Not(inner) => {
            let inner = expression(*inner, faults);
            let known = constant(&inner).and_then(|value| compare::not(Some(value.borrow())));
            known.map_or_else(|| Expression::Not(Box::new(inner)), Expression::Bool)
        }
        Expression::Binary(op, left, right) => {
            let (left, right) = (expression(*left, faults), expression(*right, faults));
            binary(op, &left, &right)
                .unwrap_or_else(|| Expression::Binary(op, Box::new(left), Box::new(right)))
        }
        Expression::If(parts) => {
            let (condition, then, otherwise) = *parts;
            let (condition, then) = (expression(condition, faults), expression(then, faults));
            let otherwise = expression(otherwise, faults);
            match truth(&condition) {
                Some(is_then) => {
                    let (taken, left) = if is_then { (then, otherwise) } else { (otherwise, then) };
                    faults.extend(compile::expression::compile(&left).err());
                    taken
                }
                None => Expression::If(Box::new((condition, then, otherwise))),
            }
        }
        Expression::Coalesce { list, ignore_empty } => {
            let list = list.into_iter().map(|one| expression(one, faults)).collect();
            Expression::Coalesce { list, ignore_empty }
        }
        Expression::Filter(inner) => match super::simplify::filter(*inner, faults) {
            Filter::Bool(known) => Expression::Bool(known),
            inner => Expression::Filter(Box::new(inner)),
        },
        other => other,
    }
}

/// Whether a condition is true; none where that hangs on the row. What is neither true nor false is not true.
pub(super) fn truth(condition: &Expression) -> Option<bool> {
    constant(condition).map(|value| compare::truth(value.borrow()) == Some(true))
}

fn constant(expression: &Expression) -> Option<Value> {
    match expression {
        Expression::Text(text) => Some(Value::Text(text.clone())),
        Expression::Number(number) => Some(number.to_value()),
        Expression::Bool(value) => Some(Value::truth(*value)),
        _ => None,
    }
}

fn number(value: Option<Value>) -> Option<Expression> {
    value?.borrow().number().map(Expression::Number)
}

fn binary(op: BinaryOp, left: &Expression, right: &Expression) -> Option<Expression> {
    let (left, right) = (constant(left)?, constant(right)?);
    let (left, right) = (left.borrow(), right.borrow());
    match op {
        BinaryOp::Equal => Some(Expression::Bool(compare::equal(left, right))),
        BinaryOp::NotEqual => Some(Expression::Bool(!compare::equal(left, right))),
        BinaryOp::Compare(relation) => relation.apply(Some(left), Some(right)).map(Expression::Bool),
        BinaryOp::Arithmetic(arithmetic) => number(arithmetic.apply(Some(left), Some(right))),
    }
}

//! Expressions of the plan as expressions over columns.

use std::sync::Arc;

use crate::compile::condition;
use crate::error::Diagnostic;
use crate::functions::{Build, RowFunction};
use crate::machine::expression::Expression as Compiled;
use crate::plan::{BinaryOp, Call, Expression};
use crate::value::Value;

/// Compiles an expression.
///
/// # Errors
/// When a regex or the argument of a function is at fault.
pub fn compile(expression: &Expression) -> Result<Compiled, Diagnostic> {
    Ok(match expression {
        Expression::Text(text) => Compiled::Constant(Value::Text(Arc::clone(text))),
        Expression::Number(number) => Compiled::Constant(number.to_value()),
        Expression::Bool(value) => Compiled::Constant(Value::truth(*value)),
        Expression::Field(field) => Compiled::Field(Arc::clone(field)),
        Expression::Negate(inner) => Compiled::Negate(Box::new(compile(inner)?)),
        Expression::Not(inner) => Compiled::Not(Box::new(compile(inner)?)),
        Expression::Binary(op, left, right) => {
            let sides = Box::new((compile(left)?, compile(right)?));
            match op {
                BinaryOp::Equal => Compiled::Equal(sides),
                BinaryOp::NotEqual => Compiled::NotEqual(sides),
                BinaryOp::Compare(relation) => Compiled::Compare(*relation, sides),
                BinaryOp::Arithmetic(arithmetic) => Compiled::Arithmetic(*arithmetic, sides),
            }
        }
        Expression::Call(inner) => call(inner)?,
        Expression::If(parts) => {
            Compiled::If(Box::new((compile(&parts.0)?, compile(&parts.1)?, compile(&parts.2)?)))
        }
        Expression::Coalesce { list, ignore_empty } => Compiled::Coalesce {
            list: list.iter().map(compile).collect::<Result<_, _>>()?,
            ignore_empty: *ignore_empty,
        },
        Expression::Filter(filter) => Compiled::Condition(Box::new(condition::compile(filter)?)),
        Expression::Shared(number, inner) => Compiled::Shared(*number, Box::new(compile(inner)?)),
    })
}

/// A call as a value: the field it writes, or whether a row passes it.
fn call(call: &Call) -> Result<Compiled, Diagnostic> {
    let Build::Row(build) = call.arguments.signature().build else {
        return Ok(Compiled::Condition(Box::new(condition::call(call)?)));
    };
    match build(&call.arguments)?.apart() {
        RowFunction::Filter(predicate) => Ok(Compiled::Condition(Box::new(predicate))),
        function => match function.output() {
            Some(output) => Ok(Compiled::Call(Box::new(function), output)),
            None => Ok(Compiled::Condition(Box::new(crate::machine::predicate::Predicate::Survives(
                Box::new(function),
            )))),
        },
    }
}

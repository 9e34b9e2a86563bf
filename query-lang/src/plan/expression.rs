//! Expressions: bare words are fields, quoted ones are texts.

use crate::ast::{self, UnaryOp};
use crate::functions::Build;
use crate::plan::lower::Lowering;
use crate::plan::{BinaryOp, Expression};
use crate::value::Number;
use crate::value::compare::{Arithmetic, Relation};

impl Lowering<'_> {
    /// The value of `expr`; a fault gives an empty text.
    pub(super) fn expression(&mut self, expr: &ast::Expr) -> Expression {
        match expr {
            ast::Expr::Word(word) => Expression::Field(word.text.as_str().into()),
            ast::Expr::Text(text) => Expression::Text(text.text.as_str().into()),
            ast::Expr::Number(number) => match Number::parse(&number.text) {
                Some(value) => Expression::Number(value),
                None => Expression::Text(number.text.as_str().into()),
            },
            ast::Expr::Bool(value, _) => Expression::Bool(*value),
            ast::Expr::Call(call) => self.call_value(call),
            ast::Expr::Unary(op, inner, _) => {
                let inner = Box::new(self.expression(inner));
                match op {
                    UnaryOp::Negate => Expression::Negate(inner),
                    UnaryOp::Not => Expression::Not(inner),
                }
            }
            ast::Expr::Binary(op, left, right, _) => {
                let (left, right) = (self.expression(left), self.expression(right));
                Expression::Binary(binary(*op), Box::new(left), Box::new(right))
            }
            ast::Expr::Group(inner, _) => self.expression(inner),
            ast::Expr::Param(param) => {
                let value = self.value(param);
                Self::number_or_text(&value)
            }
            ast::Expr::Block(pipeline, span) => {
                let steps = self.inner(pipeline);
                Expression::Filter(Box::new(self.as_condition(steps, *span)))
            }
            other => {
                let span = span_of(other);
                self.fault("argument", "a value is expected here: a field, a text, a number or a call", span);
                Expression::Text("".into())
            }
        }
    }

    fn call_value(&mut self, call: &ast::Call) -> Expression {
        let Some(checked) = self.call(call, None) else { return Expression::Text("".into()) };
        let signature = checked.arguments.signature();
        match signature.build {
            Build::Row(_)
                if signature.parameter("as").is_none() && !super::condition::tests(signature.name) =>
            {
                let message = format!("`{}` gives no value", signature.name);
                self.fault("position", message, call.span);
                Expression::Bool(false)
            }
            Build::Filter(_) | Build::Row(_) => Expression::Call(checked),
            Build::Condition(build) => match build(&checked.arguments) {
                Ok(filter) => Expression::Filter(Box::new(filter)),
                Err(fault) => {
                    self.faults.push(fault);
                    Expression::Bool(false)
                }
            },
            Build::Plan => self.special_value(&checked).unwrap_or(Expression::Bool(false)),
            Build::Aggregate | Build::Sequence => {
                let message = format!("the aggregate `{}` cannot stand in an expression", signature.name);
                let hint = "give it a step of its own, and use the field that it writes behind it";
                let hint = Some(hint.to_owned());
                self.faults.push(crate::error::Diagnostic {
                    code: "position",
                    message,
                    span: call.span,
                    hint,
                });
                Expression::Bool(false)
            }
        }
    }
}

fn binary(op: ast::BinaryOp) -> BinaryOp {
    match op {
        ast::BinaryOp::Equal => BinaryOp::Equal,
        ast::BinaryOp::NotEqual => BinaryOp::NotEqual,
        ast::BinaryOp::Less => BinaryOp::Compare(Relation::Less),
        ast::BinaryOp::LessEqual => BinaryOp::Compare(Relation::LessEqual),
        ast::BinaryOp::Greater => BinaryOp::Compare(Relation::Greater),
        ast::BinaryOp::GreaterEqual => BinaryOp::Compare(Relation::GreaterEqual),
        ast::BinaryOp::Add => BinaryOp::Arithmetic(Arithmetic::Add),
        ast::BinaryOp::Subtract => BinaryOp::Arithmetic(Arithmetic::Subtract),
        ast::BinaryOp::Multiply => BinaryOp::Arithmetic(Arithmetic::Multiply),
        ast::BinaryOp::Divide => BinaryOp::Arithmetic(Arithmetic::Divide),
        ast::BinaryOp::Remainder => BinaryOp::Arithmetic(Arithmetic::Remainder),
    }
}

/// Where an expression stands.
pub(super) fn span_of(expr: &ast::Expr) -> crate::span::Span {
    match expr {
        ast::Expr::Word(pattern) | ast::Expr::Text(pattern) | ast::Expr::Number(pattern) => pattern.span,
        ast::Expr::Bool(_, span)
        | ast::Expr::Unary(_, _, span)
        | ast::Expr::Binary(_, _, _, span)
        | ast::Expr::Group(_, span)
        | ast::Expr::Array(_, span)
        | ast::Expr::Block(_, span)
        | ast::Expr::Assign(_, span)
        | ast::Expr::Link(_, _, span) => *span,
        ast::Expr::Regex(regex) => regex.span,
        ast::Expr::Call(call) => call.span,
        ast::Expr::Param(param) => param.span,
        ast::Expr::Saved(call) => call.span,
        ast::Expr::Labelled(labelled) => labelled.span,
    }
}

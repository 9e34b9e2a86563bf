//! Arguments that are steps: in braces, or as a call.

use crate::ast;
use crate::error::Diagnostic;
use crate::functions::{Argument, Parameter, Signature};
use crate::plan::expression::span_of;
use crate::plan::lower::{Lowering, aggregate_name};
use crate::plan::{AggregatePipeline, Filter, Step, simplify};
use crate::span::Span;

impl Lowering<'_> {
    /// A whole query in braces.
    pub(super) fn braces(&mut self, expr: &ast::Expr, parameter: &Parameter) -> Option<Vec<Step>> {
        match expr {
            ast::Expr::Block(pipeline, _) => {
                // It reads events of its own.
                let outer = std::mem::take(&mut self.before);
                let steps = self.inner(pipeline);
                self.before = outer;
                Some(steps)
            }
            other => {
                let message = format!("`{}` takes a pipeline in braces", parameter.name);
                self.fault("argument", message, span_of(other));
                None
            }
        }
    }

    /// Steps in braces, or one call: a filter, a transform, or a condition that is an expression.
    pub(super) fn row_steps(&mut self, expr: &ast::Expr, name: &str) -> Option<Vec<Step>> {
        let span = span_of(expr);
        let steps = match expr {
            ast::Expr::Block(pipeline, _) => self.inner(pipeline),
            ast::Expr::Group(inner, _) => return self.row_steps(inner, name),
            ast::Expr::Call(call) if !self.signature(&call.name).is_some_and(Signature::is_value) => {
                let mut steps = Vec::new();
                self.call_step(call, None, &mut steps);
                steps
            }
            ast::Expr::Call(_) | ast::Expr::Bool(..) | ast::Expr::Unary(..) | ast::Expr::Binary(..) => {
                let condition = Argument::Expression(self.expression(expr));
                let name = ast::Name { text: "test".to_owned(), quoted: false, span };
                let call = ast::Call { name, args: Vec::new(), span };
                let test = self.call_with(&call, None, vec![("expression", condition)])?;
                vec![Step::Filter(Filter::Call(test))]
            }
            other => {
                let message = format!("`{name}` takes steps in braces, or a call");
                self.fault("argument", message, span_of(other));
                return None;
            }
        };
        let creates = steps.iter().any(|step| matches!(step, Step::Create(_))).then_some("createEvents");
        if let Some(misplaced) = creates.or(steps.iter().find_map(aggregate_name)) {
            let what = if creates.is_some() { "function" } else { "aggregate" };
            let message = format!("the {what} `{misplaced}` cannot stand in `{name}`");
            self.fault("position", message, span);
            return None;
        }
        Some(simplify::steps(steps, &mut self.faults))
    }

    /// The aggregates of `function=..`.
    pub(in crate::plan) fn aggregates(&mut self, expr: &ast::Expr) -> Vec<AggregatePipeline> {
        match expr {
            ast::Expr::Array(list, _) => list.iter().flat_map(|one| self.aggregates(one)).collect(),
            ast::Expr::Group(inner, _) => self.aggregates(inner),
            ast::Expr::Call(call) => {
                let (mut steps, faults) = (Vec::new(), self.faults.len());
                self.call_step(call, None, &mut steps);
                if self.faults.len() == faults && !steps.iter().any(|step| aggregate_name(step).is_some()) {
                    let message = format!("`{}` is no aggregate", call.name.text);
                    let hint =
                        format!("in braces it may stand before one: `{{{}(..) | count()}}`", call.name.text);
                    let (span, hint) = (call.span, Some(hint));
                    self.faults.push(Diagnostic { code: "argument", message, span, hint });
                    return Vec::new();
                }
                self.aggregate_of(steps, call.span).into_iter().collect()
            }
            ast::Expr::Assign(assign, span) => match &assign.value {
                ast::Expr::Call(call) => {
                    let given = match self.signature(&call.name) {
                        Some(signature) if signature.parameter("as").is_some() => {
                            vec![("as", Argument::Text(assign.target.text.as_str().into()))]
                        }
                        _ => Vec::new(),
                    };
                    let steps = self.call_with(call, None, given).map(Step::Call).into_iter().collect();
                    self.aggregate_of(steps, *span).into_iter().collect()
                }
                _ => {
                    self.fault("argument", "an aggregate like `count()` is expected here", *span);
                    Vec::new()
                }
            },
            ast::Expr::Block(pipeline, span) => {
                let steps = self.inner(pipeline);
                self.aggregate_of(steps, *span).into_iter().collect()
            }
            ast::Expr::Text(name) | ast::Expr::Word(name) => {
                // `function=count` is seen; it means `count()`.
                let call = ast::Call {
                    name: ast::Name { text: name.text.clone(), quoted: name.quoted, span: name.span },
                    args: Vec::new(),
                    span: name.span,
                };
                self.aggregates(&ast::Expr::Call(call))
            }
            other => {
                self.fault("argument", "an aggregate like `count()` is expected here", span_of(other));
                Vec::new()
            }
        }
    }

    pub(super) fn aggregate_of(&mut self, mut steps: Vec<Step>, span: Span) -> Option<AggregatePipeline> {
        let Some(at) = steps.iter().position(|step| aggregate_name(step).is_some()) else {
            if steps.is_empty() && !self.faults.is_empty() {
                return None;
            }
            self.fault("argument", "an aggregate like `count()` is expected here", span);
            return None;
        };
        let mut after = steps.split_off(at);
        let call = match after.remove(0) {
            Step::Call(call) => call,
            _ => return None,
        };
        Some(AggregatePipeline { before: steps, call, after })
    }
}

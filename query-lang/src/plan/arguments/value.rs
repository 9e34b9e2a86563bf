//! The value of one argument, in the form that its parameter asks for.

use std::sync::Arc;

use crate::ast::{self, UnaryOp};
use crate::error::Diagnostic;
use crate::functions::{Argument, Kind, Parameter};
use crate::plan::expression::span_of;
use crate::plan::lower::Lowering;
use crate::plan::{Place, Regex, condition};
use crate::span::Span;
use crate::value::{Number, ValueRef};

use super::nearest;

impl Lowering<'_> {
    pub(super) fn value_of(&mut self, expr: &ast::Expr, parameter: &Parameter) -> Option<Argument> {
        match parameter.kind {
            Kind::Text | Kind::Duration => self.text(expr).map(|text| Argument::Text(text.into())),
            Kind::Texts => Some(Argument::Texts(self.text_list(expr).into_iter().map(Arc::from).collect())),
            Kind::Pairs => Some(Argument::Pairs(self.pairs(expr))),
            Kind::Integer { least, most } => self.integer(expr, parameter.name, least, most, false),
            Kind::Limit { most } => self.integer(expr, parameter.name, 1, most, true),
            Kind::Number => self.number(expr).map(|number| Argument::Number(number.to_f64())),
            Kind::Numbers => {
                let list = elements(expr);
                let numbers = list.iter().map(|one| self.number(one).map(Number::to_f64));
                numbers.collect::<Option<_>>().map(Argument::Numbers)
            }
            Kind::Bool => self.truth(expr).map(Argument::Bool),
            Kind::Choice(words) => {
                let text = self.text(expr)?;
                self.choice(&text, words, span_of(expr)).map(|word| Argument::Text(word.into()))
            }
            Kind::Choices(words) => {
                let mut chosen = Vec::new();
                for one in elements(expr) {
                    for text in self.text_list(one) {
                        chosen.push(self.choice(&text, words, span_of(one)).map(Arc::from));
                    }
                }
                chosen.into_iter().collect::<Option<_>>().map(Argument::Texts)
            }
            Kind::Regex => self.regex(expr).map(Argument::Regex),
            Kind::Expression => Some(Argument::Expression(self.expression(expr))),
            Kind::Expressions => {
                let list = elements(expr);
                Some(Argument::Expressions(list.iter().map(|one| self.expression(one)).collect()))
            }
            Kind::Query => self.braces(expr, parameter).map(Argument::Pipeline),
            Kind::Pipelines => {
                let list = elements(expr).iter().map(|one| self.row_steps(one, parameter.name));
                list.collect::<Option<_>>().map(Argument::Pipelines)
            }
            Kind::Table => {
                let name = self.text(expr)?;
                self.table(&name, span_of(expr))
            }
            Kind::Tables => {
                let mut sources = Vec::new();
                for one in elements(expr) {
                    let name = self.text(one)?;
                    match self.table(&name, span_of(one))? {
                        Argument::Table(source) => sources.push(source),
                        _ => return None,
                    }
                }
                if sources.is_empty() {
                    self.fault("argument", "at least one table is expected here", span_of(expr));
                    return None;
                }
                Some(Argument::Tables(sources))
            }
            Kind::Pipeline => self.row_steps(expr, parameter.name).map(Argument::Pipeline),
            Kind::Database => {
                let name = self.text(expr)?;
                Some(self.database(&name))
            }
            Kind::Aggregates => Some(Argument::Aggregates(self.aggregates(expr))),
            Kind::Assignments => None,
            Kind::NamedQueries => {
                self.fault("argument", "`NAME: { .. }` is expected here", span_of(expr));
                None
            }
        }
    }

    /// One text: a word, string, number, truth value or parameter.
    pub(super) fn text(&mut self, expr: &ast::Expr) -> Option<String> {
        match expr {
            ast::Expr::Word(pattern) | ast::Expr::Text(pattern) | ast::Expr::Number(pattern) => {
                Some(pattern.text.clone())
            }
            ast::Expr::Bool(value, _) => Some(value.to_string()),
            ast::Expr::Param(param) => Some(self.value(param)),
            ast::Expr::Group(inner, _) => self.text(inner),
            ast::Expr::Array(list, span) => match list.as_slice() {
                [only] => self.text(only),
                _ => {
                    self.fault("argument", "one value is expected here, not a list", *span);
                    None
                }
            },
            ast::Expr::Unary(UnaryOp::Negate, inner, _) => match &**inner {
                ast::Expr::Number(number) => Some(format!("-{}", number.text)),
                ast::Expr::Word(word) => Some(format!("-{}", word.text)),
                _ => self.no_text(expr),
            },
            // A division between plain words is a path or zone: `Europe/Berlin`.
            ast::Expr::Binary(ast::BinaryOp::Divide, left, right, _) => {
                Some(format!("{}/{}", self.text(left)?, self.text(right)?))
            }
            ast::Expr::Regex(regex) => Some(regex.pattern.clone()),
            _ => self.no_text(expr),
        }
    }

    pub(super) fn no_text(&mut self, expr: &ast::Expr) -> Option<String> {
        self.fault("argument", "a name or text is expected here", span_of(expr));
        None
    }

    /// A list of texts, flattened; parameters with several values are spread.
    pub(in crate::plan) fn text_list(&mut self, expr: &ast::Expr) -> Vec<String> {
        match expr {
            ast::Expr::Array(list, _) => list.iter().flat_map(|one| self.text_list(one)).collect(),
            ast::Expr::Group(inner, _) => self.text_list(inner),
            ast::Expr::Param(param) => self.values(param),
            other => self.text(other).into_iter().collect(),
        }
    }

    pub(super) fn pairs(&mut self, expr: &ast::Expr) -> Vec<Vec<Arc<str>>> {
        let arcs = |texts: Vec<String>| texts.into_iter().map(Arc::from).collect::<Vec<Arc<str>>>();
        match expr {
            ast::Expr::Array(list, _) if list.iter().any(|one| matches!(one, ast::Expr::Array(..))) => {
                list.iter().map(|one| arcs(self.text_list(one))).collect()
            }
            other => vec![arcs(self.text_list(other))],
        }
    }

    pub(super) fn number(&mut self, expr: &ast::Expr) -> Option<Number> {
        let text = self.text(expr)?;
        let number = ValueRef::Text(text.trim()).number();
        if number.is_none() {
            self.fault("argument", format!("a number is expected here, `{text}` is none"), span_of(expr));
        }
        number
    }

    pub(super) fn integer(
        &mut self,
        expr: &ast::Expr,
        name: &str,
        least: i64,
        most: i64,
        max: bool,
    ) -> Option<Argument> {
        let text = self.text(expr)?;
        if max && text.eq_ignore_ascii_case("max") {
            return Some(Argument::Integer(most));
        }
        let value = match ValueRef::Text(text.trim()).number() {
            Some(Number::Int(value)) => Some(value),
            _ => None,
        };
        if let Some(value) = value.filter(|value| (least..=most).contains(value)) {
            return Some(Argument::Integer(value));
        }
        let or_max = if max { ", or `max`" } else { "" };
        let message = format!("`{name}` is a whole number from {least} to {most}{or_max}; `{text}` is not");
        self.fault("limit", message, span_of(expr));
        None
    }

    pub(super) fn truth(&mut self, expr: &ast::Expr) -> Option<bool> {
        let text = self.text(expr)?;
        let truth = match () {
            () if text.eq_ignore_ascii_case("true") => Some(true),
            () if text.eq_ignore_ascii_case("false") => Some(false),
            () => None,
        };
        if truth.is_none() {
            let message = format!("`true` or `false` is expected here, not `{text}`");
            self.fault("argument", message, span_of(expr));
        }
        truth
    }

    pub(super) fn choice(
        &mut self,
        text: &str,
        words: &'static [&'static str],
        span: Span,
    ) -> Option<&'static str> {
        let found = words.iter().find(|word| word.eq_ignore_ascii_case(text.trim()));
        if found.is_none() {
            let near = nearest(text, words.iter().copied());
            self.faults.push(Diagnostic {
                code: "argument",
                message: format!("one of {} is expected here, not `{text}`", words.join(", ")),
                span,
                hint: near.map(|near| format!("did you mean `{near}`?")),
            });
        }
        found.copied()
    }

    pub(super) fn regex(&mut self, expr: &ast::Expr) -> Option<Regex> {
        if let ast::Expr::Regex(regex) = expr {
            return Some(condition::plan_regex(regex));
        }
        let pattern = self.text(expr)?;
        Some(Regex { pattern, flags: String::new(), place: Place(span_of(expr)) })
    }
}

/// The elements of a list; anything else is a list of one.
pub(super) fn elements(expr: &ast::Expr) -> &[ast::Expr] {
    match expr {
        ast::Expr::Array(list, _) => list,
        other => std::slice::from_ref(other),
    }
}

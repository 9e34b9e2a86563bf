//! The arguments of a call, checked against its signature, with defaults filled in.

use std::sync::Arc;

use crate::error::Diagnostic;
use crate::functions::Signature;
use crate::plan;
use crate::span::Span;
use crate::table::Table;

/// The value of one argument, in the form its parameter asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// Of [`super::Kind::Text`], `Choice` and `Duration`.
    Text(Arc<str>),
    /// Of [`super::Kind::Texts`] and `Choices`.
    Texts(Vec<Arc<str>>),
    /// Of [`super::Kind::Pairs`].
    Pairs(Vec<Vec<Arc<str>>>),
    /// Of [`super::Kind::Integer`] and `Limit`.
    Integer(i64),
    /// Of [`super::Kind::Number`].
    Number(f64),
    /// Of [`super::Kind::Numbers`].
    Numbers(Vec<f64>),
    /// Of [`super::Kind::Bool`].
    Bool(bool),
    /// Of [`super::Kind::Regex`].
    Regex(plan::Regex),
    /// Of [`super::Kind::Expression`].
    Expression(plan::Expression),
    /// Of [`super::Kind::Expressions`].
    Expressions(Vec<plan::Expression>),
    /// Of [`super::Kind::Assignments`].
    Assignments(Vec<(Arc<str>, plan::Expression)>),
    /// Of [`super::Kind::Pipeline`].
    Pipeline(Vec<plan::Step>),
    /// Of [`super::Kind::Aggregates`].
    Aggregates(Vec<plan::AggregatePipeline>),
    /// Of [`super::Kind::Pipelines`].
    Pipelines(Vec<Vec<plan::Step>>),
    /// Of [`super::Kind::Table`].
    Table(plan::TableSource),
    /// Of [`super::Kind::Tables`].
    Tables(Vec<plan::TableSource>),
    /// Of [`super::Kind::NamedQueries`].
    NamedQueries(Vec<plan::NamedQuery>),
}

/// The checked arguments of one call. Every required parameter and every one with a default has a value of its
/// kind, so the readers below have an answer for them; asking for a parameter under another kind, or one the
/// signature does not have, answers as if it were not given.
#[derive(Clone)]
pub struct Arguments {
    signature: &'static Signature,
    values: Vec<Option<(Argument, Span)>>,
    /// The whole call.
    pub span: Span,
}

/// Function and values: what stands where is left out, as are what the function is documented to do and take, so that
/// equal arguments print the same ([`crate::program::Program::fingerprint`]).
impl std::fmt::Debug for Arguments {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let values = self.values.iter().map(|value| value.as_ref().map(|(value, _)| value));
        out.write_str(self.signature.name)?;
        out.debug_list().entries(values).finish()
    }
}

impl PartialEq for Arguments {
    fn eq(&self, other: &Arguments) -> bool {
        let plain = |arguments: &Arguments| -> Vec<Option<Argument>> {
            arguments.values.iter().map(|value| value.as_ref().map(|(value, _)| value.clone())).collect()
        };
        self.signature.name == other.signature.name && plain(self) == plain(other)
    }
}

impl Arguments {
    /// Arguments of a call to `signature`; `values` has one entry a parameter.
    #[must_use]
    pub fn new(
        signature: &'static Signature,
        values: Vec<Option<(Argument, Span)>>,
        span: Span,
    ) -> Arguments {
        Arguments { signature, values, span }
    }

    /// The function called.
    #[must_use]
    pub fn signature(&self) -> &'static Signature {
        self.signature
    }

    /// The value of parameter `name`; `None` when not given and without default.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Argument> {
        self.values.get(self.signature.parameter(name)?)?.as_ref().map(|(value, _)| value)
    }

    /// Where the value of parameter `name` stands; the whole call when it is not written.
    #[must_use]
    pub fn span_of(&self, name: &str) -> Span {
        let written = || self.values.get(self.signature.parameter(name)?)?.as_ref().map(|(_, span)| *span);
        written().unwrap_or(self.span)
    }

    /// All values, by parameter.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Argument)> + '_ {
        let named = self.signature.parameters.iter().zip(&self.values);
        named.filter_map(|(parameter, value)| value.as_ref().map(|(value, _)| (parameter.name, value)))
    }

    /// The value of every parameter, in the order of the signature.
    pub(crate) fn list(&self) -> impl Iterator<Item = Option<&Argument>> + '_ {
        self.values.iter().map(|value| value.as_ref().map(|(value, _)| value))
    }

    /// Gives parameter `at` another value.
    pub(crate) fn replace(&mut self, at: usize, argument: Argument) {
        let span = self.span;
        if let Some(value) = self.values.get_mut(at) {
            *value = Some((argument, value.as_ref().map_or(span, |(_, span)| *span)));
        }
    }

    /// A text that may be absent.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Arc<str>> {
        match self.get(name)? {
            Argument::Text(text) => Some(Arc::clone(text)),
            _ => None,
        }
    }

    /// A text that is required or has a default.
    #[must_use]
    pub fn text_or_empty(&self, name: &str) -> Arc<str> {
        self.text(name).unwrap_or_default()
    }

    /// A list of texts; empty when not given.
    #[must_use]
    pub fn texts(&self, name: &str) -> &[Arc<str>] {
        match self.get(name) {
            Some(Argument::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// A list of lists of texts; empty when not given.
    #[must_use]
    pub fn pairs(&self, name: &str) -> &[Vec<Arc<str>>] {
        match self.get(name) {
            Some(Argument::Pairs(pairs)) => pairs,
            _ => &[],
        }
    }

    /// A whole number or limit.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Argument::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// A number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.get(name)? {
            Argument::Number(value) => Some(*value),
            _ => None,
        }
    }

    /// A list of numbers; empty when not given.
    #[must_use]
    pub fn numbers(&self, name: &str) -> &[f64] {
        match self.get(name) {
            Some(Argument::Numbers(numbers)) => numbers,
            _ => &[],
        }
    }

    /// A truth value; `false` when not given.
    #[must_use]
    pub fn is_true(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Argument::Bool(true)))
    }

    /// A regex.
    #[must_use]
    pub fn regex(&self, name: &str) -> Option<&plan::Regex> {
        match self.get(name)? {
            Argument::Regex(regex) => Some(regex),
            _ => None,
        }
    }

    /// An expression.
    #[must_use]
    pub fn expression(&self, name: &str) -> Option<&plan::Expression> {
        match self.get(name)? {
            Argument::Expression(expression) => Some(expression),
            _ => None,
        }
    }

    /// A list of expressions; empty when not given.
    #[must_use]
    pub fn expressions(&self, name: &str) -> &[plan::Expression] {
        match self.get(name) {
            Some(Argument::Expressions(expressions)) => expressions,
            _ => &[],
        }
    }

    /// `name=expression` pairs; empty when not given.
    #[must_use]
    pub fn assignments(&self, name: &str) -> &[(Arc<str>, plan::Expression)] {
        match self.get(name) {
            Some(Argument::Assignments(assignments)) => assignments,
            _ => &[],
        }
    }

    /// A pipeline; empty when not given.
    #[must_use]
    pub fn pipeline(&self, name: &str) -> &[plan::Step] {
        match self.get(name) {
            Some(Argument::Pipeline(steps)) => steps,
            _ => &[],
        }
    }

    /// Named queries; none when not given.
    #[must_use]
    pub fn named_queries(&self, name: &str) -> &[plan::NamedQuery] {
        match self.get(name) {
            Some(Argument::NamedQueries(list)) => list,
            _ => &[],
        }
    }

    /// Pipelines; empty when not given.
    #[must_use]
    pub fn pipelines(&self, name: &str) -> &[Vec<plan::Step>] {
        match self.get(name) {
            Some(Argument::Pipelines(list)) => list,
            _ => &[],
        }
    }

    /// All values, to be changed.
    pub(crate) fn arguments_mut(&mut self) -> impl Iterator<Item = &mut Argument> {
        self.values.iter_mut().flatten().map(|(argument, _)| argument)
    }

    /// Aggregates; empty when not given.
    #[must_use]
    pub fn aggregates(&self, name: &str) -> &[plan::AggregatePipeline] {
        match self.get(name) {
            Some(Argument::Aggregates(aggregates)) => aggregates,
            _ => &[],
        }
    }

    /// A lookup table; `None`, too, where it is the result of a query that has not run yet.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Arc<Table>> {
        match self.get(name)? {
            Argument::Table(plan::TableSource::Known(table)) => Some(table),
            _ => None,
        }
    }

    /// Lookup tables, some of which may be the results of queries that have not run yet; empty when not given.
    #[must_use]
    pub fn tables(&self, name: &str) -> &[plan::TableSource] {
        match self.get(name) {
            Some(Argument::Tables(tables)) => tables,
            _ => &[],
        }
    }

    /// A fault in the value of parameter `name`.
    #[must_use]
    pub fn fault(&self, name: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic { code: "argument", message: message.into(), span: self.span_of(name), hint: None }
    }
}

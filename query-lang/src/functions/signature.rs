//! What a function is called, takes and gives: the table that checks calls, completes names and fills the docs.

use crate::error::Diagnostic;
use crate::functions::{Arguments, RowFunction};
use crate::machine::predicate::Predicate;
use crate::plan;

/// One function: its names, its parameters, and how a checked call becomes something that runs.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// The name it is shown by; calls match it without case.
    pub name: &'static str,
    /// Other names it answers to, legacy ones included.
    pub aliases: &'static [&'static str],
    /// Its parameters; the first takes the unnamed argument.
    pub parameters: &'static [Parameter],
    /// What a checked call becomes.
    pub build: Build,
    /// One line: what it does.
    pub doc: &'static str,
}

/// One parameter of a function.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name; calls match it without case.
    pub name: &'static str,
    /// Other names it answers to.
    pub aliases: &'static [&'static str],
    /// What it takes.
    pub kind: Kind,
    /// It must be given.
    pub required: bool,
    /// The value it has when not given, as it would be written.
    pub default: Option<&'static str>,
}

impl Parameter {
    /// A parameter that must be given.
    #[must_use]
    pub const fn required(name: &'static str, kind: Kind) -> Parameter {
        Parameter { name, aliases: &[], kind, required: true, default: None }
    }

    /// A parameter that may be left out, and then has no value.
    #[must_use]
    pub const fn optional(name: &'static str, kind: Kind) -> Parameter {
        Parameter { name, aliases: &[], kind, required: false, default: None }
    }

    /// A parameter that may be left out, and then is `default`, as it would be written.
    #[must_use]
    pub const fn with_default(name: &'static str, kind: Kind, default: &'static str) -> Parameter {
        Parameter { name, aliases: &[], kind, required: false, default: Some(default) }
    }

    /// The same parameter with other names it answers to.
    #[must_use]
    pub const fn aliased(mut self, aliases: &'static [&'static str]) -> Parameter {
        self.aliases = aliases;
        self
    }
}

/// What a parameter takes. A single value stands for a list of one; words, strings and numbers all have a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A text (a field's name, too).
    Text,
    /// A list of texts.
    Texts,
    /// A list whose elements are texts or lists of texts: `[[old, new], ..]`. A flat list of texts is one pair.
    Pairs,
    /// A whole number, both bounds inclusive.
    Integer {
        /// The least.
        least: i64,
        /// The greatest.
        most: i64,
    },
    /// A whole number from 1, or `max` for the greatest.
    Limit {
        /// The greatest.
        most: i64,
    },
    /// A number.
    Number,
    /// A list of numbers.
    Numbers,
    /// `true` or `false`, quoted or not, in any case.
    Bool,
    /// One of these words, in any case; arrives in the form written here.
    Choice(&'static [&'static str]),
    /// A list of such words.
    Choices(&'static [&'static str]),
    /// A time span: `5m`, `1 hour`; arrives as text.
    Duration,
    /// A regex, as `/literal/` or text.
    Regex,
    /// An expression: bare words are fields.
    Expression,
    /// A list of expressions.
    Expressions,
    /// `name=expression` for any names: `eval`.
    Assignments,
    /// `{ filters and transforms }`.
    Pipeline,
    /// `{ a whole query }`.
    Query,
    /// A list of `{ .. }`; one stands for a list of one.
    Pipelines,
    /// `NAME: { filters and transforms } include: [..]`, several of them.
    NamedQueries,
    /// The name of a lookup table.
    Table,
    /// The names of one or more lookup tables.
    Tables,
    /// As [`Kind::Table`], where a query runs without it, too, and says so.
    Database,
    /// One or more aggregates: `count()`, `[a(), x := b()]`, `{ filter | a() | transform }`.
    Aggregates,
}

/// What a checked call becomes.
#[derive(Clone, Copy)]
pub enum Build {
    /// A step that reads and writes fields of rows.
    Row(fn(&Arguments) -> Result<RowFunction, Diagnostic>),
    /// A condition made of plain tests, which the plan puts in its place; negatable.
    Condition(fn(&Arguments) -> Result<plan::Filter, Diagnostic>),
    /// A condition of its own; negatable.
    Filter(fn(&Arguments) -> Result<Predicate, Diagnostic>),
    /// An aggregate, compiled by `compile::aggregate`.
    Aggregate,
    /// A function over the rows of a table in their order, compiled by `compile::sequence`.
    Sequence,
    /// Lowered into other steps by the plan (`eval`, `if`, `setTimeInterval`, ...).
    Plan,
}

impl std::fmt::Debug for Build {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Build::Row(_) => "row",
            Build::Condition(_) | Build::Filter(_) => "filter",
            Build::Aggregate => "aggregate",
            Build::Sequence => "sequence",
            Build::Plan => "plan",
        })
    }
}

impl Signature {
    /// The place of the parameter called `name`, without case.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<usize> {
        self.parameters.iter().position(|parameter| {
            parameter.name.eq_ignore_ascii_case(name)
                || parameter.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
        })
    }

    /// Whether the function is called `name`, without case.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
            || self.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    }

    /// Whether a call is a value rather than a step: `if(..)` and `coalesce(..)`.
    #[must_use]
    pub fn is_value(&self) -> bool {
        matches!(self.build, Build::Plan) && matches!(self.name, "if" | "coalesce")
    }
}

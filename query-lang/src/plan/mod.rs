//! What a query means: names resolved, parameters substituted, saved queries inlined, calls checked.
//!
//! The plan owns its types: nothing of the [`crate::ast`] is below it. It is canonical: two texts that differ only
//! in layout, comments, letter case of keywords or redundant parentheses have equal plans.

mod arguments;
mod charts;
mod condition;
mod correlate;
mod describe;
mod expression;
mod fold;
pub mod lower;
mod parameters;
pub mod parser;
pub mod queries;
pub mod simplify;
mod texts;
pub mod visit;

use std::sync::Arc;

pub use correlate::NamedQuery;
pub use lower::lower;
pub use queries::SubQuery;

use crate::functions::Arguments;
use crate::span::Span;
use crate::table::Table;
use crate::table::constellations::Pattern;
use crate::value::Number;
use crate::value::compare::{Arithmetic, Relation};

/// A whole query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// `setTimeInterval(start, end)`, as written.
    pub interval: Option<Interval>,
    /// `emit(trigger, refinement)`, as written.
    pub emission: Option<Emission>,
    /// What is told with every result.
    pub warnings: Vec<String>,
    /// The queries that run before, in this order, and whose results are tables for the steps.
    pub queries: Vec<SubQuery>,
    /// The steps.
    pub steps: Vec<Step>,
    /// It names lookup tables or saved queries.
    pub looks_up: bool,
}

/// The time range a query asks for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Its start, as written: `24h`, `1d@d`, milliseconds.
    pub start: String,
    /// Its end; `None` is now.
    pub end: Option<String>,
    /// The zone of calendar anchors.
    pub timezone: Option<String>,
}

/// When a standing query gives a result out, and how that relates to the one before it. The language only carries it:
/// what it means is up to whoever keeps the query standing.
#[derive(Clone, Debug, PartialEq)]
pub struct Emission {
    /// When.
    pub trigger: Option<String>,
    /// How.
    pub refinement: Option<String>,
    /// Where it stands.
    pub place: Place,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Drops the rows that fail.
    Filter(Filter),
    /// Writes a field.
    Assign {
        /// The field written.
        target: Arc<str>,
        /// `target` names the field whose value is the name of the field written.
        dynamic: bool,
        /// What is written; null writes nothing.
        value: Expression,
    },
    /// A row function or an aggregate.
    Call(Call),
    /// Replaces the input by other rows.
    Create(Created),
    /// The first clause that lets a row through takes it; a row no clause lets through is dropped. `match` is
    /// lowered to this.
    Case(Vec<Vec<Step>>),
}

/// Rows that a query makes itself instead of reading events.
#[derive(Clone, Debug, PartialEq)]
pub enum Created {
    /// Events with these texts.
    Events(Vec<Arc<str>>),
    /// The rows of lookup tables, one after the other.
    Tables {
        /// The tables.
        tables: Vec<TableSource>,
        /// The columns read; none: all.
        include: Vec<Arc<str>>,
        /// The most rows, of all tables together.
        limit: usize,
    },
    /// Rows of several queries that belong together.
    Correlated(Box<Correlated>),
}

/// `correlate`, before its queries have run.
#[derive(Clone, Debug, PartialEq)]
pub struct Correlated {
    /// What belongs together.
    pub pattern: Pattern,
    /// The result of each query, in their order.
    pub sources: Vec<TableSource>,
}

/// A condition on rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Passes all or none.
    Bool(bool),
    /// All hold.
    And(Vec<Filter>),
    /// Any holds.
    Or(Vec<Filter>),
    /// Does not hold.
    Not(Box<Filter>),
    /// A test on one field; a missing field fails it.
    Test {
        /// The field.
        field: Arc<str>,
        /// The test.
        test: Test,
    },
    /// The row's text or any of its fields passes.
    Text(TextTest),
    /// A filter function.
    Call(Call),
    /// One that occurs elsewhere, too, under this number: only compiling makes it.
    Shared(usize, Box<Filter>),
}

/// A test on the value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// It is there.
    Present,
    /// Its text passes.
    Text(TextTest),
    /// It is a number on the right side of `bound`.
    Compare {
        /// How.
        op: Relation,
        /// With what.
        bound: Number,
    },
}

/// A test on text.
#[derive(Clone, Debug, PartialEq)]
pub enum TextTest {
    /// It is one of these; a `*` in one stands for anything. Numbers compare as numbers too.
    AnyOf {
        /// The texts or globs.
        patterns: Vec<String>,
        /// Letters match in either case.
        ignore_case: bool,
    },
    /// It contains this; a `*` stands for anything.
    Contains {
        /// The text or glob, without `*` at either end.
        pattern: String,
        /// Letters match in either case.
        ignore_case: bool,
    },
    /// A regex matches somewhere in it.
    Regex(Regex),
}

/// A regex with its flags.
#[derive(Clone, Debug, PartialEq)]
pub struct Regex {
    /// As written, `\/` being `/`.
    pub pattern: String,
    /// Of `d i m g F`.
    pub flags: String,
    /// Where it stands.
    pub place: Place,
}

/// A checked call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The function and its arguments.
    pub arguments: Arguments,
}

/// One aggregate with what stands around it in `function={ filter | count() | rename(..) }`.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregatePipeline {
    /// Row steps before it.
    pub before: Vec<Step>,
    /// The aggregate.
    pub call: Call,
    /// Row steps after it.
    pub after: Vec<Step>,
}

/// Where a lookup table comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum TableSource {
    /// It is there.
    Known(Arc<Table>),
    /// It is the result of this one of [`Plan::queries`].
    Query(usize),
}

/// A value computed from a row; null where a field is missing or an operand is no number.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A text.
    Text(Arc<str>),
    /// A number.
    Number(Number),
    /// `true` or `false`.
    Bool(bool),
    /// The value of a field.
    Field(Arc<str>),
    /// `-x`
    Negate(Box<Expression>),
    /// `!x`
    Not(Box<Expression>),
    /// `a + b`, `a == b`.
    Binary(BinaryOp, Box<Expression>, Box<Expression>),
    /// What a function yields; a filter function yields true or false.
    Call(Call),
    /// `if(condition, then, else)`: anything but true goes to `otherwise`.
    If(Box<(Expression, Expression, Expression)>),
    /// The first that is not null.
    Coalesce {
        /// In order.
        list: Vec<Expression>,
        /// Empty text counts as null.
        ignore_empty: bool,
    },
    /// `{ filters }` as a condition: true where a row passes.
    Filter(Box<Filter>),
    /// One that occurs elsewhere, too, under this number: only compiling makes it.
    Shared(usize, Box<Expression>),
}

/// Binary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<` and its like.
    Compare(Relation),
    /// `+` and its like.
    Arithmetic(Arithmetic),
}

/// Where something stands in the text. All places are equal and print as nothing: a plan means the same wherever
/// its text stands.
#[derive(Clone, Copy, Default)]
pub struct Place(pub Span);

impl PartialEq for Place {
    fn eq(&self, _: &Place) -> bool {
        true
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}

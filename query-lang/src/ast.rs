//! The tree of a query, as written: names unresolved, nothing lowered.
//!
//! Every node carries its [`Span`]. The tree keeps what the canonical printer needs (quoting, comments), and no
//! more. Equality of trees ignores nothing: compare printed forms where spans should not count.

use crate::span::Span;

/// A whole query: its pipeline and the comments found anywhere in the text, in order of their spans.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// The steps.
    pub pipeline: Pipeline,
    /// `//` and `/* */` comments, in text order; the printer places each before the step it preceded.
    pub comments: Vec<Comment>,
}

/// A comment with its markers stripped.
#[derive(Clone, Debug, PartialEq)]
pub struct Comment {
    /// The text between the markers, untrimmed.
    pub text: String,
    /// `/* */` rather than `//`.
    pub block: bool,
    /// Something other than white space stands before it on its line: it speaks of what it follows.
    pub trailing: bool,
    /// Where it stands.
    pub span: Span,
}

/// Steps joined by `|`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pipeline {
    /// The steps in order; empty steps (`||`) are not kept.
    pub steps: Vec<Step>,
    /// From the first to the last step.
    pub span: Span,
}

/// One step of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What it is.
    pub kind: StepKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of step.
#[derive(Clone, Debug, PartialEq)]
pub enum StepKind {
    /// `level=ERROR and "timeout"`: passes or drops events. A bare call stands here as [`StepKind::Call`].
    Filter(Filter),
    /// `groupBy(host)`, `regex(...)`, `!cidr(...)` is a [`Filter::Call`] under [`Filter::Not`].
    Call(Call),
    /// `name := expression`, also `name := f(...)` and `` `key` := expression``.
    Assign(Assign),
    /// `case { ... ; ... }`.
    Case(Vec<Pipeline>),
    /// `field match { guard => ... ; ... }`.
    Match(Match),
    /// `$name(arg=value)`.
    Saved(SavedCall),
    /// `[count(), x := sum(y)]`, the same as `stats([..])`.
    Stats(Vec<Expr>),
}

/// `target := value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Assign {
    /// The field written.
    pub target: Name,
    /// `` `target` ``: the field whose name is the value of `target`.
    pub dynamic: bool,
    /// The expression or call.
    pub value: Expr,
}

/// A field, function or parameter name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    /// The name, unescaped.
    pub text: String,
    /// It was written in double quotes.
    pub quoted: bool,
    /// Where it stands.
    pub span: Span,
}

/// A condition on events.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All hold; at least two. `or` binds tighter than `and`.
    And(Vec<Filter>, Span),
    /// Any holds; at least two.
    Or(Vec<Filter>, Span),
    /// Does not hold.
    Not(Box<Filter>, Span),
    /// `field op value`.
    Test(FieldTest),
    /// `foo`, `"a b"`, `*foo*`: the event's text or any field contains it. A bare `*` is true.
    Text(Pattern),
    /// `/regex/flags` on the event's text.
    Regex(Regex),
    /// `?param` or `?{param=default}` as free text.
    Param(Param),
    /// `true` or `false`.
    Bool(bool, Span),
    /// A filter function inside a condition, or negated: `!cidr(...)`.
    Call(Call),
    /// `field =~ [!]f(...)`.
    FieldCall(FieldCall),
    /// A saved query used as a condition.
    Saved(SavedCall),
    /// `field <=> label.field`, inside a sub-query of `correlate` only.
    Link(Name, Name, Span),
}

impl Filter {
    /// Where it stands, with the parentheses around a join.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Filter::And(_, span) | Filter::Or(_, span) | Filter::Not(_, span) => *span,
            Filter::Bool(_, span) | Filter::Link(_, _, span) => *span,
            Filter::Test(test) => test.span,
            Filter::Text(pattern) => pattern.span,
            Filter::Regex(regex) => regex.span,
            Filter::Param(param) => param.span,
            Filter::Call(call) => call.span,
            Filter::FieldCall(call) => call.span,
            Filter::Saved(saved) => saved.span,
        }
    }
}

/// `field =~ f(...)`: the call with `field=` filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldCall {
    /// The field.
    pub field: Name,
    /// `=~ !f(...)`.
    pub negated: bool,
    /// The call.
    pub call: Call,
    /// Where it stands.
    pub span: Span,
}

/// `field op value`.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldTest {
    /// The field.
    pub field: Name,
    /// The operator.
    pub op: TestOp,
    /// The right side.
    pub value: TestValue,
    /// Where it stands.
    pub span: Span,
}

/// Operators of a field test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TestOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `like`
    Like,
}

/// The right side of a field test.
#[derive(Clone, Debug, PartialEq)]
pub enum TestValue {
    /// A word, number, string or glob.
    Pattern(Pattern),
    /// `/regex/flags`
    Regex(Regex),
    /// `?param`
    Param(Param),
}

/// Text with `*` as its only wildcard, in or out of quotes. Numbers are patterns too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// The text, unescaped.
    pub text: String,
    /// It was written in double quotes.
    pub quoted: bool,
    /// Where it stands.
    pub span: Span,
}

/// `/pattern/flags`, the pattern as written except that `\/` is `/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Regex {
    /// The pattern.
    pub pattern: String,
    /// Of `d i m g F`, as written.
    pub flags: String,
    /// Where it stands.
    pub span: Span,
}

/// `?name`, `?"name"` or `?{name=default}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name.
    pub name: Name,
    /// The value it has when none is given.
    pub default: Option<Pattern>,
    /// Where it stands.
    pub span: Span,
}

/// `name(args)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The function, as written (names are matched without case).
    pub name: Name,
    /// The arguments in order.
    pub args: Vec<Arg>,
    /// Where it stands.
    pub span: Span,
}

/// `value` or `name=value` inside a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// The parameter name, when given. `eval(x=1+2)` uses it for the field.
    pub name: Option<Name>,
    /// The value.
    pub value: Expr,
    /// Where it stands.
    pub span: Span,
}

/// `$name(args)`, `$"pkg/name"()`.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedCall {
    /// The saved query's name, with its package if any.
    pub name: Name,
    /// Its arguments, all named.
    pub args: Vec<Arg>,
    /// Where it stands.
    pub span: Span,
}

/// `field match { ... }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// The field looked at.
    pub field: Name,
    /// The arms in order.
    pub arms: Vec<Arm>,
}

/// `guard => pipeline`.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// When the arm is taken.
    pub guard: Guard,
    /// What it does.
    pub body: Pipeline,
    /// Where it stands.
    pub span: Span,
}

/// The left side of a match arm.
#[derive(Clone, Debug, PartialEq)]
pub enum Guard {
    /// `*` or `true`: everything, a missing field included.
    Any(Span),
    /// A word, number, string or glob, anchored.
    Pattern(Pattern),
    /// A regex.
    Regex(Regex),
    /// `in(values=[..])`, `cidr(subnet=..)`: the call gets `field=` filled in.
    Call(Call),
    /// `?param`
    Param(Param),
}

/// An expression, or an argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// An unquoted word: a field in an expression; a name, glob, time span or keyword as an argument.
    Word(Pattern),
    /// `"text"`
    Text(Pattern),
    /// `12`, `1.5`, `1e6`, as written.
    Number(Pattern),
    /// `true` or `false`.
    Bool(bool, Span),
    /// `/regex/flags`, as an argument.
    Regex(Regex),
    /// `f(...)`.
    Call(Call),
    /// `-x`, `!x`.
    Unary(UnaryOp, Box<Expr>, Span),
    /// `a + b`, `a == b`.
    Binary(BinaryOp, Box<Expr>, Box<Expr>, Span),
    /// `(x)`.
    Group(Box<Expr>, Span),
    /// `[a, b]`; `(a, b)` too.
    Array(Vec<Expr>, Span),
    /// `{ pipeline }`.
    Block(Pipeline, Span),
    /// `x := expr` as an element of an array of aggregates.
    Assign(Box<Assign>, Span),
    /// `?param`.
    Param(Param),
    /// `$name(...)`.
    Saved(SavedCall),
    /// `a <=> b`, in `correlate` only.
    Link(Name, Name, Span),
    /// `name: { ... } include: [..]`, in `correlate` only.
    Labelled(Box<Labelled>),
}

impl Expr {
    /// Where it stands.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Expr::Word(word) | Expr::Text(word) | Expr::Number(word) => word.span,
            Expr::Bool(_, span) | Expr::Unary(_, _, span) | Expr::Binary(_, _, _, span) => *span,
            Expr::Group(_, span) | Expr::Array(_, span) | Expr::Block(_, span) => *span,
            Expr::Assign(_, span) | Expr::Link(_, _, span) => *span,
            Expr::Regex(regex) => regex.span,
            Expr::Call(call) => call.span,
            Expr::Param(param) => param.span,
            Expr::Saved(saved) => saved.span,
            Expr::Labelled(labelled) => labelled.span,
        }
    }
}

/// A named sub-query of `correlate`.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    /// Its name.
    pub label: Name,
    /// Its pipeline.
    pub body: Pipeline,
    /// `include: [...]`.
    pub include: Option<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// Unary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `-`
    Negate,
    /// `!`
    Not,
}

/// Binary operators, comparison binding weakest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
}

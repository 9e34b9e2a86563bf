//! What is open around a place of a text, and what stands in front of it there.

use crate::span::Span;

/// Brackets that are open, and what stands in them before the cursor.
#[derive(Clone, Debug)]
pub(in crate::editing) struct Frame<'t> {
    pub(in crate::editing) kind: FrameKind<'t>,
    /// Words calculate here.
    pub(in crate::editing) is_arithmetic: bool,
    /// What precedes, since the step, argument or element began: the last, and the one before it.
    pub(in crate::editing) last: Option<Mark<'t>>,
    pub(in crate::editing) before: Option<Mark<'t>>,
}

/// What opened them.
#[derive(Clone, Debug)]
pub(in crate::editing) enum FrameKind<'t> {
    /// The text, a block, a clause of `case` or an arm of `match`.
    Pipeline(Place),
    /// The arguments of a call.
    Call(Args<'t>),
    /// The arguments of a saved query.
    Saved(Args<'t>),
    /// `[..]`, or `(..)` inside a call.
    List,
    /// `(..)` in a condition or an expression.
    Group,
    /// `field match { .. }`, where a guard stands.
    Guards(&'t str),
    /// `?{ .. }`.
    Parameter,
}

/// Where a pipeline stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::editing) enum Place {
    Text,
    Block,
    Case,
    Arm,
}

/// Arguments as far as they stand before the cursor.
#[derive(Clone, Debug)]
pub(in crate::editing) struct Args<'t> {
    /// What is called.
    pub(in crate::editing) name: &'t str,
    /// Names of those given.
    pub(in crate::editing) given: Vec<&'t str>,
    /// How many without a name are complete.
    pub(in crate::editing) unnamed: usize,
    /// The name of the one around the cursor.
    pub(in crate::editing) parameter: Option<&'t str>,
    /// The value of the first argument, or of that called `file`.
    pub(in crate::editing) table: Option<&'t str>,
}

/// Something that precedes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::editing) enum Mark<'t> {
    /// A word or a string, and what it says.
    Name(Span, &'t str),
    /// `and`, `or`, `not`, `!`.
    Joint,
    /// An operator.
    Operator(&'static str),
    /// Something whole: a call, a group, a regex, a parameter.
    Whole,
}

pub(in crate::editing) fn frame(kind: FrameKind<'_>, is_arithmetic: bool) -> Frame<'_> {
    Frame { kind, is_arithmetic, last: None, before: None }
}

pub(in crate::editing) fn args(name: &str) -> Args<'_> {
    Args { name, given: Vec::new(), unnamed: 0, parameter: None, table: None }
}

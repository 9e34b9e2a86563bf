//! The tree of an expression.

use super::aggregation::{Aggregation, Grouping};
use super::operator::Operator;
use super::selector::Selector;

/// An expression, whose selections are numbered.
#[derive(Clone, Debug)]
pub struct Expression {
    pub(super) root: Node,
    /// What it reads, by number.
    pub(super) selections: Vec<Selection>,
}

/// Series an expression reads.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Which.
    pub selector: Selector,
    /// As of so long ago, nanoseconds.
    pub offset_nanos: i64,
}

/// A part of the tree.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Number(f64),
    /// The selection of this number.
    Select(usize),
    Negate(Box<Node>),
    Binary {
        operator: Operator,
        /// A comparison gives 1 or 0 instead of leaving out what fails.
        gives_bool: bool,
        left: Box<Node>,
        right: Box<Node>,
    },
    Aggregate {
        aggregation: Aggregation,
        parameter: Option<Box<Node>>,
        grouping: Grouping,
        of: Box<Node>,
    },
}

impl Expression {
    /// What it reads.
    #[must_use]
    pub fn selections(&self) -> &[Selection] {
        &self.selections
    }
}

impl Node {
    /// It comes to a number, not to series.
    pub(super) fn is_scalar(&self) -> bool {
        match self {
            Node::Number(_) => true,
            Node::Select(_) | Node::Aggregate { .. } => false,
            Node::Negate(of) => of.is_scalar(),
            Node::Binary { left, right, .. } => left.is_scalar() && right.is_scalar(),
        }
    }
}

//! Conditions on rows, a column at a time: a selection goes in, a smaller one comes out.

use std::sync::Arc;

use crate::compile::TextMatcher;
use crate::functions::{Scratch, Touches};
use crate::machine::{StepError, View};
use crate::record::Selection;
use crate::value::{Number, ValueRef};

/// A compiled condition.
#[derive(Debug, Default)]
pub enum Predicate {
    /// Passes every row.
    #[default]
    Always,
    /// Passes none.
    Never,
    /// All hold; tried in order on what is left.
    And(Vec<Predicate>),
    /// Any holds; each is tried on the rows not yet passed.
    Or(Vec<Predicate>),
    /// Does not hold: a missing field passes a negated test.
    Not(Box<Predicate>),
    /// The field is there.
    Present(Arc<str>),
    /// The field is there and its text passes.
    Text {
        /// The field.
        field: Arc<str>,
        /// The test.
        matcher: TextMatcher,
    },
    /// The row's own text or any of its fields passes.
    Search(TextMatcher),
    /// The field is there and its value passes a test that is not one of text alone.
    Value {
        /// The field.
        field: Arc<str>,
        /// The test.
        test: ValueTest,
    },
}

/// Tests on one value.
#[derive(Debug)]
pub enum ValueTest {
    /// It is a number below this.
    Less(Number),
    /// It is a number, at most this.
    LessEqual(Number),
    /// It is a number above this.
    Greater(Number),
    /// It is a number, at least this.
    GreaterEqual(Number),
}

impl ValueTest {
    /// Whether `value` passes.
    #[inline]
    #[must_use]
    pub fn is_match(&self, value: ValueRef<'_>) -> bool {
        let Some(number) = value.number() else { return false };
        match self {
            ValueTest::Less(bound) => number < *bound,
            ValueTest::LessEqual(bound) => number <= *bound,
            ValueTest::Greater(bound) => number > *bound,
            ValueTest::GreaterEqual(bound) => number >= *bound,
        }
    }
}

impl Predicate {
    /// Keeps the rows in play that pass.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        let chosen = self.select(view, view.selection(), scratch)?;
        view.set_selection(chosen);
        Ok(())
    }

    /// The rows of `within` that pass.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn select(
        &self,
        view: &View<'_>,
        within: &Selection,
        scratch: &mut Scratch,
    ) -> Result<Selection, StepError> {
        if within.is_empty() {
            return Ok(within.clone());
        }
        match self {
            Predicate::Always => Ok(within.clone()),
            Predicate::Never => Ok(Selection::none(within.rows())),
            Predicate::And(parts) => {
                let mut left = within.clone();
                for part in parts {
                    left = part.select(view, &left, scratch)?;
                }
                Ok(left)
            }
            Predicate::Or(parts) => {
                let mut passed = Selection::none(within.rows());
                let mut left = within.clone();
                for part in parts {
                    let more = part.select(view, &left, scratch)?;
                    left.subtract(&more);
                    passed.union(&more);
                }
                Ok(passed)
            }
            Predicate::Not(inner) => {
                let mut left = within.clone();
                left.subtract(&inner.select(view, within, scratch)?);
                Ok(left)
            }
            Predicate::Present(field) => Ok(view.column_within(field, within)?.present(within)),
            Predicate::Text { field, matcher } => {
                if let Some(found) = view.matching(field, matcher, within)? {
                    return Ok(found);
                }
                let column = view.column_within(field, within)?;
                Ok(column.filter(within, |value| matcher.is_match_value(value, &mut scratch.text)))
            }
            Predicate::Search(matcher) => Ok(view.search(matcher, within)?),
            Predicate::Value { field, test } => {
                let column = view.column_within(field, within)?;
                Ok(column.filter(within, |value| test.is_match(value)))
            }
        }
    }

    /// Notes what it reads.
    pub fn touches(&self, touches: &mut Touches) {
        match self {
            Predicate::Always | Predicate::Never | Predicate::Search(_) => {}
            Predicate::And(parts) | Predicate::Or(parts) => {
                parts.iter().for_each(|part| part.touches(touches))
            }
            Predicate::Not(inner) => inner.touches(touches),
            Predicate::Present(field) | Predicate::Text { field, .. } | Predicate::Value { field, .. } => {
                touches.read(field);
            }
        }
    }
}

//! Conditions on rows, a column at a time: a selection goes in, a smaller one comes out.

use std::fmt::{Display, Formatter};
use std::sync::Arc;

use crate::compile::TextMatcher;
use crate::functions::arrays;
use crate::functions::filters::{self, Network};
use crate::functions::hashes;
use crate::functions::{RowFunction, Scratch, Touches};
use crate::machine::expression::Expression;
use crate::machine::{StepError, View};
use crate::record::{Column, Selection};
use crate::value::compare::Relation;
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
    /// The expression is true.
    True(Box<Expression>),
    /// Two texts stand in this relation; missing ones do not.
    Relates {
        /// How.
        relates: Relates,
        /// The longer text and the shorter.
        sides: Box<(Expression, Expression)>,
    },
    /// An element of the array passes: `array[0]`, `array[1]` and so on up to the first gap.
    Element {
        /// The array's name; `[]` in it stands for the place of the index.
        array: Arc<str>,
        /// The test.
        matcher: TextMatcher,
    },
    /// The row is still there after the function, on a copy of the rows.
    Survives(Box<RowFunction>),
    /// One that occurs elsewhere, too, under this number, and is tried once on a row.
    Shared(usize, Box<Predicate>),
}

/// How two texts may relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relates {
    /// The first contains the second.
    Contains,
    /// The first starts with the second.
    StartsWith,
    /// The first ends with the second.
    EndsWith,
}

/// Tests on one value.
#[derive(Debug)]
pub enum ValueTest {
    /// It is a number on the right side of this one.
    Compare(Relation, Number),
    /// It is an address in one of these networks.
    Cidr(Vec<Network>),
    /// Its hash is below this one.
    HashBelow(u64),
}

impl ValueTest {
    /// Whether `value` passes.
    #[inline]
    #[must_use]
    pub fn is_match(&self, value: ValueRef<'_>) -> bool {
        match self {
            ValueTest::Compare(relation, bound) => relation.test(Some(value), *bound),
            ValueTest::Cidr(networks) => match value {
                ValueRef::Text(text) => filters::address(text)
                    .is_some_and(|address| networks.iter().any(|network| network.contains(address))),
                _ => false,
            },
            ValueTest::HashBelow(bound) => hashes::sampled(&value.text()) < *bound,
        }
    }
}

impl ValueTest {
    /// The rows of `within` whose value passes.
    #[must_use]
    pub fn select(&self, column: &Column, within: &Selection) -> Selection {
        match (self, column) {
            (ValueTest::Compare(relation, Number::Int(bound)), Column::Ints { values, .. }) => {
                let passing = relation.integers(*bound);
                let mut rows = column.present(within);
                rows.retain(|row| values.get(row).is_some_and(|value| passing.contains(value)));
                rows
            }
            _ => column.filter(within, |value| self.is_match(value)),
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
            Predicate::Value { field, test: test @ ValueTest::Compare(..) } => {
                Ok(test.select(&view.numbers_within(field, within)?, within))
            }
            Predicate::Value { field, test } => Ok(test.select(&view.column_within(field, within)?, within)),
            Predicate::True(expression) => expression.is_true(view, within, scratch),
            Predicate::Relates { relates, sides } => {
                let text = sides.0.evaluate(view, within, scratch)?;
                let part = sides.1.evaluate(view, within, scratch)?;
                let mut chosen = within.clone();
                chosen.retain(|row| relates.holds(text.get(row), part.get(row)));
                Ok(chosen)
            }
            Predicate::Element { array, matcher } => element(array, matcher, view, within, scratch),
            Predicate::Survives(function) => {
                let mut fork = view.fork(within.clone());
                function.apply(&mut fork, scratch)?;
                Ok(fork.survivors(within))
            }
            Predicate::Shared(number, inner) => {
                view.passed_once(*number, within, |unknown| inner.select(view, unknown, scratch))
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
            Predicate::Not(inner) | Predicate::Shared(_, inner) => inner.touches(touches),
            Predicate::Present(field) | Predicate::Text { field, .. } | Predicate::Value { field, .. } => {
                touches.read(field);
            }
            Predicate::True(expression) => expression.touches(touches),
            Predicate::Relates { sides, .. } => {
                sides.0.touches(touches);
                sides.1.touches(touches);
            }
            Predicate::Element { .. } => touches.reads_all = true,
            Predicate::Survives(function) => {
                let mut inner = Touches::default();
                function.touches(&mut inner);
                touches.read_by(inner);
            }
        }
    }

    /// Whether it searches the whole text of rows.
    #[must_use]
    pub fn searches(&self) -> bool {
        match self {
            Predicate::Search(_) => true,
            Predicate::And(parts) | Predicate::Or(parts) => parts.iter().any(Predicate::searches),
            Predicate::Not(inner) | Predicate::Shared(_, inner) => inner.searches(),
            Predicate::True(expression) => expression.searches(),
            Predicate::Relates { sides, .. } => sides.0.searches() || sides.1.searches(),
            Predicate::Survives(function) => {
                matches!(&**function, RowFunction::Filter(inner) if inner.searches())
            }
            Predicate::Always
            | Predicate::Never
            | Predicate::Present(_)
            | Predicate::Text { .. }
            | Predicate::Value { .. }
            | Predicate::Element { .. } => false,
        }
    }

    /// Whether all it asks is that fields are certain texts; these are put into `texts`, each with its field.
    pub(crate) fn is_of_texts<'p>(&'p self, texts: &mut Vec<(&'p str, &'p str)>) -> bool {
        match self {
            Predicate::Always => true,
            Predicate::And(parts) => parts.iter().all(|part| part.is_of_texts(texts)),
            Predicate::Text { field, matcher } => {
                texts.extend(matcher.as_equals().map(|text| (&**field, text)));
                matcher.as_equals().is_some()
            }
            _ => false,
        }
    }

    /// What it costs to try, roughly: cheap conditions are tried first.
    #[must_use]
    pub fn cost(&self) -> u32 {
        match self {
            Predicate::Always | Predicate::Never => 0,
            Predicate::Present(_) => 1,
            Predicate::Value { .. } => 2,
            Predicate::Text { matcher, .. } => matcher.cost(),
            Predicate::And(parts) | Predicate::Or(parts) => parts.iter().map(Predicate::cost).sum(),
            Predicate::Not(inner) | Predicate::Shared(_, inner) => inner.cost(),
            Predicate::Search(_) => 20,
            Predicate::True(_) | Predicate::Relates { .. } | Predicate::Element { .. } => 30,
            Predicate::Survives(_) => 50,
        }
    }
}

/// As it is tried: the parts in their order, each test in its form.
impl Display for Predicate {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        let joined = |out: &mut Formatter<'_>, parts: &[Predicate], between: &str| {
            parts.iter().enumerate().try_for_each(|(at, part)| match at {
                0 => write!(out, "{part}"),
                _ => write!(out, "{between}{part}"),
            })
        };
        match self {
            Predicate::Always => out.write_str("nothing"),
            Predicate::Never => out.write_str("nothing, none passes"),
            Predicate::And(parts) => joined(out, parts, ", then "),
            Predicate::Or(parts) => {
                out.write_str("(")?;
                joined(out, parts, ", else ")?;
                out.write_str(")")
            }
            Predicate::Not(inner) => write!(out, "not ({inner})"),
            Predicate::Shared(_, inner) => write!(out, "{inner}"),
            Predicate::Present(field) => write!(out, "{field} is there"),
            Predicate::Text { field, matcher } => write!(out, "{field} {matcher}"),
            Predicate::Search(matcher) => write!(out, "any text {matcher}"),
            Predicate::Value { field, test: ValueTest::Compare(..) } => write!(out, "{field} as number"),
            Predicate::Value { field, test: ValueTest::Cidr(_) } => write!(out, "{field} in networks"),
            Predicate::Value { field, test: ValueTest::HashBelow(_) } => write!(out, "{field} by its hash"),
            Predicate::True(_) => out.write_str("an expression"),
            Predicate::Relates { .. } => out.write_str("one text in another"),
            Predicate::Element { array, matcher } => write!(out, "elements of {array} {matcher}"),
            Predicate::Survives(_) => out.write_str("a function on a copy"),
        }
    }
}

impl Relates {
    fn holds(self, text: Option<ValueRef<'_>>, part: Option<ValueRef<'_>>) -> bool {
        let (Some(text), Some(part)) = (text, part) else { return false };
        let (text, part) = (text.text(), part.text());
        match self {
            Relates::Contains => text.contains(&*part),
            Relates::StartsWith => text.starts_with(&*part),
            Relates::EndsWith => text.ends_with(&*part),
        }
    }
}

fn element(
    array: &str,
    matcher: &TextMatcher,
    view: &View<'_>,
    within: &Selection,
    scratch: &mut Scratch,
) -> Result<Selection, StepError> {
    let mut passed = Selection::none(within.rows());
    let mut left = within.clone();
    for at in 0..arrays::MAX_ARRAY_ELEMENTS {
        let column = view.column_within(&arrays::element(array, at), &left)?;
        left = column.present(&left);
        if left.is_empty() {
            break;
        }
        let found = column.filter(&left, |value| matcher.is_match_value(value, &mut scratch.text));
        left.subtract(&found);
        passed.union(&found);
    }
    Ok(passed)
}

//! Values computed from rows, a column at a time. Null is a gap in a column.

use std::sync::Arc;

use crate::functions::{RowFunction, Scratch, Touches};
use crate::machine::predicate::Predicate;
use crate::machine::{StepError, View};
use crate::record::{Column, ColumnBuilder, Selection};
use crate::value::compare::{self, Arithmetic, Relation};
use crate::value::{Value, ValueRef};

/// A compiled expression.
#[derive(Debug)]
pub enum Expression {
    /// A constant.
    Constant(Value),
    /// The value of a field.
    Field(Arc<str>),
    /// `-x`
    Negate(Box<Expression>),
    /// `!x`
    Not(Box<Expression>),
    /// `a == b`
    Equal(Box<(Expression, Expression)>),
    /// `a != b`
    NotEqual(Box<(Expression, Expression)>),
    /// `a < b` and its like.
    Compare(Relation, Box<(Expression, Expression)>),
    /// `a + b` and its like.
    Arithmetic(Arithmetic, Box<(Expression, Expression)>),
    /// True where a row passes, false elsewhere.
    Condition(Box<Predicate>),
    /// The field a function writes, on a copy of the rows.
    Call(Box<RowFunction>, Arc<str>),
    /// Where the first is true the second, elsewhere the third.
    If(Box<(Expression, Expression, Expression)>),
    /// The first that has a value.
    Coalesce {
        /// In order.
        list: Vec<Expression>,
        /// Empty text is no value.
        ignore_empty: bool,
    },
    /// One that occurs elsewhere, too, under this number, and is evaluated once for a row.
    Shared(usize, Box<Expression>),
}

impl Expression {
    /// Whether a condition in it searches the whole text of rows.
    #[must_use]
    pub fn searches(&self) -> bool {
        match self {
            Expression::Constant(_) | Expression::Field(_) => false,
            Expression::Negate(inner) | Expression::Not(inner) | Expression::Shared(_, inner) => {
                inner.searches()
            }
            Expression::Equal(sides)
            | Expression::NotEqual(sides)
            | Expression::Compare(_, sides)
            | Expression::Arithmetic(_, sides) => sides.0.searches() || sides.1.searches(),
            Expression::Condition(condition) => condition.searches(),
            Expression::Call(function, _) => match &**function {
                RowFunction::Filter(condition) => condition.searches(),
                _ => false,
            },
            Expression::If(parts) => parts.0.searches() || parts.1.searches() || parts.2.searches(),
            Expression::Coalesce { list, .. } => list.iter().any(Expression::searches),
        }
    }

    /// The value of each row of `within`.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn evaluate(
        &self,
        view: &View<'_>,
        within: &Selection,
        scratch: &mut Scratch,
    ) -> Result<Column, StepError> {
        let rows = view.rows();
        match self {
            Expression::Constant(value) => Ok(Column::Constant { value: value.clone(), rows }),
            Expression::Field(field) => Ok(view.column_within(field, within)?),
            Expression::Negate(inner) => {
                let column = inner.evaluate(view, within, scratch)?;
                Ok(column.map(within, |value, out| push(out, compare::negate(Some(value)))))
            }
            Expression::Not(inner) => {
                let column = inner.evaluate(view, within, scratch)?;
                Ok(column.map(within, |value, out| push_truth(out, compare::not(Some(value)))))
            }
            Expression::Equal(sides) => {
                let sides = evaluate_both(sides, view, within, scratch)?;
                Ok(binary(&sides, rows, within, |a, b, out| push_truth(out, Some(compare::equal(a, b)))))
            }
            Expression::NotEqual(sides) => {
                let sides = evaluate_both(sides, view, within, scratch)?;
                Ok(binary(&sides, rows, within, |a, b, out| push_truth(out, Some(!compare::equal(a, b)))))
            }
            Expression::Compare(relation, sides) => {
                let sides = numbers_of_both(sides, view, within, scratch)?;
                Ok(binary(&sides, rows, within, |a, b, out| {
                    push_truth(out, relation.apply(Some(a), Some(b)));
                }))
            }
            Expression::Arithmetic(op, sides) => {
                let sides = numbers_of_both(sides, view, within, scratch)?;
                Ok(binary(&sides, rows, within, |a, b, out| push(out, op.apply(Some(a), Some(b)))))
            }
            Expression::Condition(predicate) => {
                let passed = predicate.select(view, within, scratch)?;
                let parts = [Column::constant("false", rows), Column::constant("true", rows)];
                Ok(Column::weave(&parts, rows, |row| Some((passed.contains(row).into(), row))))
            }
            Expression::Call(function, output) => {
                let mut fork = view.fork(within.clone());
                // What stood in the field before is not what the call yields.
                fork.remove(output);
                function.apply(&mut fork, scratch)?;
                if fork.rows() == rows { Ok(fork.column(output)?) } else { Ok(Column::Missing { rows }) }
            }
            Expression::If(parts) => {
                let (condition, then, otherwise) = &**parts;
                let yes = condition.is_true(view, within, scratch)?;
                let mut no = within.clone();
                no.subtract(&yes);
                let branches = [otherwise.evaluate(view, &no, scratch)?, then.evaluate(view, &yes, scratch)?];
                Ok(Column::weave(&branches, rows, |row| Some((yes.contains(row).into(), row))))
            }
            Expression::Coalesce { list, ignore_empty } => {
                coalesce(list, *ignore_empty, view, within, scratch)
            }
            Expression::Shared(number, inner) => {
                view.values_once(*number, within, || inner.evaluate(view, within, scratch))
            }
        }
    }

    /// As [`Expression::evaluate`], for whoever looks at the values as numbers and nothing else.
    fn numbers(
        &self,
        view: &View<'_>,
        within: &Selection,
        scratch: &mut Scratch,
    ) -> Result<Column, StepError> {
        match self {
            Expression::Field(field) => Ok(view.numbers_within(field, within)?),
            other => other.evaluate(view, within, scratch),
        }
    }

    /// The rows of `within` where it is true.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn is_true(
        &self,
        view: &View<'_>,
        within: &Selection,
        scratch: &mut Scratch,
    ) -> Result<Selection, StepError> {
        if let Expression::Condition(predicate) = self {
            return predicate.select(view, within, scratch);
        }
        let column = self.evaluate(view, within, scratch)?;
        Ok(column.filter(within, |value| compare::truth(value) == Some(true)))
    }

    /// Notes what it reads.
    pub fn touches(&self, touches: &mut Touches) {
        match self {
            Expression::Constant(_) => {}
            Expression::Field(field) => touches.read(field),
            Expression::Negate(inner) | Expression::Not(inner) | Expression::Shared(_, inner) => {
                inner.touches(touches);
            }
            Expression::Equal(sides)
            | Expression::NotEqual(sides)
            | Expression::Compare(_, sides)
            | Expression::Arithmetic(_, sides) => {
                sides.0.touches(touches);
                sides.1.touches(touches);
            }
            Expression::Condition(predicate) => predicate.touches(touches),
            Expression::Call(function, output) => {
                // It writes to a copy only, in which its output is not there.
                let mut inner = Touches::default();
                function.touches(&mut inner);
                inner.reads.remove(output);
                touches.read_by(inner);
            }
            Expression::If(parts) => {
                parts.0.touches(touches);
                parts.1.touches(touches);
                parts.2.touches(touches);
            }
            Expression::Coalesce { list, .. } => list.iter().for_each(|one| one.touches(touches)),
        }
    }
}

fn push(out: &mut ColumnBuilder, value: Option<Value>) {
    if let Some(value) = value {
        out.push(Some(value.borrow()));
    }
}

fn push_truth(out: &mut ColumnBuilder, truth: Option<bool>) {
    match truth {
        Some(true) => out.text("true"),
        Some(false) => out.text("false"),
        None => {}
    }
}

/// The values of both sides.
type Sides = (Column, Column);

fn evaluate_both(
    sides: &(Expression, Expression),
    view: &View<'_>,
    within: &Selection,
    scratch: &mut Scratch,
) -> Result<Sides, StepError> {
    Ok((sides.0.evaluate(view, within, scratch)?, sides.1.evaluate(view, within, scratch)?))
}

fn numbers_of_both(
    sides: &(Expression, Expression),
    view: &View<'_>,
    within: &Selection,
    scratch: &mut Scratch,
) -> Result<Sides, StepError> {
    Ok((sides.0.numbers(view, within, scratch)?, sides.1.numbers(view, within, scratch)?))
}

/// What `f` makes of both sides where both have a value. With a constant side, a dictionary on the other is
/// looked at once a text.
fn binary(
    (left, right): &Sides,
    rows: usize,
    within: &Selection,
    mut f: impl FnMut(ValueRef<'_>, ValueRef<'_>, &mut ColumnBuilder),
) -> Column {
    match (left, right) {
        (Column::Missing { .. }, _) | (_, Column::Missing { .. }) => Column::Missing { rows },
        (column, Column::Constant { value, .. }) => {
            column.map(within, |left, out| f(left, value.borrow(), out))
        }
        (Column::Constant { value, .. }, column) => {
            column.map(within, |right, out| f(value.borrow(), right, out))
        }
        (left, right) => {
            let mut out = ColumnBuilder::with_capacity(rows);
            for row in within.iter() {
                if let (Some(left), Some(right)) = (left.get(row), right.get(row)) {
                    out.pad(row);
                    f(left, right, &mut out);
                }
            }
            out.pad(rows);
            out.finish()
        }
    }
}

fn coalesce(
    list: &[Expression],
    ignore_empty: bool,
    view: &View<'_>,
    within: &Selection,
    scratch: &mut Scratch,
) -> Result<Column, StepError> {
    let rows = view.rows();
    let mut owner: Vec<Option<usize>> = vec![None; rows];
    let mut parts = Vec::with_capacity(list.len());
    let mut left = within.clone();
    for (at, expression) in list.iter().enumerate() {
        if left.is_empty() {
            break;
        }
        let column = expression.evaluate(view, &left, scratch)?;
        let found = match ignore_empty {
            true => column.filter(&left, |value| !matches!(value, ValueRef::Text(""))),
            false => column.present(&left),
        };
        for row in found.iter() {
            if let Some(owner) = owner.get_mut(row) {
                *owner = Some(at);
            }
        }
        left.subtract(&found);
        parts.push(column);
    }
    Ok(Column::weave(&parts, rows, |row| owner.get(row).copied().flatten().map(|part| (part, row))))
}

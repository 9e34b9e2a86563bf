//! Row steps: what happens to rows between aggregates.

use std::sync::Arc;

use crate::compile::pattern::{self, MAX_REGEX_STEPS};
use crate::functions::{RowFunction, Scratch, Touches};
use crate::machine::expression::Expression;
use crate::machine::predicate::Predicate;
use crate::machine::{StepError, View};
use crate::record::{Column, ColumnBuilder};

/// A compiled step.
#[derive(Debug)]
pub enum RowStep {
    /// Drops the rows that fail.
    Filter(Predicate),
    /// Reads and writes fields.
    Function(RowFunction),
    /// Writes a field; null writes nothing.
    Assign(Arc<str>, Expression),
    /// Writes the field whose name is the value of this one.
    AssignNamedBy(Arc<str>, Expression),
    /// The first clause that lets a row through takes it; each starts from the row as it came.
    Case(Vec<Vec<RowStep>>),
}

/// The most distinct names one batch may give to a dynamic assignment; further ones are not written.
pub const MAX_DYNAMIC_NAMES: usize = 1_000;

/// Runs `steps` over `view`.
///
/// # Errors
/// When the rows cannot be read.
pub fn run(steps: &[RowStep], view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
    for step in steps {
        if view.selection().is_empty() {
            return Ok(());
        }
        step.apply(view, scratch)?;
        if let Some(regex) = pattern::given_up() {
            return Err(StepError::RegexSteps { regex, limit: MAX_REGEX_STEPS });
        }
    }
    Ok(())
}

/// Notes what `steps` read and write.
pub fn touches(steps: &[RowStep], touches: &mut Touches) {
    for step in steps {
        step.touches(touches);
    }
}

/// Whether a step searches the whole text of rows.
#[must_use]
pub fn searches(steps: &[RowStep]) -> bool {
    steps.iter().any(|step| match step {
        RowStep::Filter(predicate) => predicate.searches(),
        RowStep::Case(clauses) => clauses.iter().any(|clause| searches(clause)),
        RowStep::Assign(_, value) | RowStep::AssignNamedBy(_, value) => value.searches(),
        _ => false,
    })
}

impl RowStep {
    fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        if !matches!(self, RowStep::Filter(_) | RowStep::Function(RowFunction::Filter(_))) {
            // What it writes has a slot a row of the view.
            view.narrow()?;
        }
        match self {
            RowStep::Filter(predicate) => predicate.apply(view, scratch),
            RowStep::Function(function) => function.apply(view, scratch),
            RowStep::Assign(target, value) => {
                let column = value.evaluate(view, view.selection(), scratch)?;
                Ok(view.assign(target, column)?)
            }
            RowStep::AssignNamedBy(by, value) => {
                let names = view.column(by)?;
                let values = value.evaluate(view, view.selection(), scratch)?;
                assign_named(&names, &values, view, scratch)
            }
            RowStep::Case(clauses) => case(clauses, view, scratch),
        }
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        match self {
            RowStep::Filter(predicate) => predicate.touches(touches),
            RowStep::Function(function) => function.touches(touches),
            RowStep::Assign(target, value) => {
                value.touches(touches);
                // Null leaves what was there, so it is read.
                touches.read(target);
                touches.write(target);
            }
            RowStep::AssignNamedBy(by, value) => {
                value.touches(touches);
                touches.read(by);
                touches.writes_any = true;
                touches.reads_all = true;
            }
            RowStep::Case(clauses) => clauses.iter().for_each(|clause| self::touches(clause, touches)),
        }
    }
}

/// Each clause runs on the rows no clause before it took; what a failed clause wrote goes with its fork.
fn case(clauses: &[Vec<RowStep>], view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
    let mut left = view.selection().clone();
    let mut forks = Vec::with_capacity(clauses.len());
    for clause in clauses {
        if left.is_empty() {
            break;
        }
        let mut fork = view.fork(left.clone());
        run(clause, &mut fork, scratch)?;
        if fork.selection().is_empty() {
            continue;
        }
        left.subtract(&fork.survivors(&left));
        forks.push(fork);
    }
    view.join(forks)
}

/// Writes the value that `values` has in a row to the field that `names` names there. Where either is missing, nothing
/// is written.
///
/// # Errors
/// When the rows cannot be read.
pub fn assign_named(
    names: &Column,
    values: &Column,
    view: &mut View<'_>,
    scratch: &mut Scratch,
) -> Result<(), StepError> {
    let mut columns: Vec<(Arc<str>, ColumnBuilder)> = Vec::new();
    for row in view.selection().iter() {
        let (Some(name), Some(value)) = (names.get(row), values.get(row)) else { continue };
        let name = name.text_in(&mut scratch.text);
        let at = columns.iter().position(|(have, _)| **have == *name);
        let at = match at {
            Some(at) => at,
            None if columns.len() >= MAX_DYNAMIC_NAMES => continue,
            None => {
                columns.push((name.into(), ColumnBuilder::default()));
                columns.len() - 1
            }
        };
        if let Some((_, column)) = columns.get_mut(at) {
            column.pad(row);
            column.push(Some(value));
        }
    }
    for (name, mut column) in columns {
        column.pad(view.rows());
        let column: Column = column.finish();
        view.assign(&name, column)?;
    }
    Ok(())
}

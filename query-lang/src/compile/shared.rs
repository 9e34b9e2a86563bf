//! Common sub-expressions: what occurs more than once over the same values is evaluated once.
//!
//! By value numbering (Cocke and Schwartz, *Programming Languages and Their Compilers*, 1970): an expression, a condition, a
//! function or an extraction is known by what it does, by the numbers of its parts, and by how often the fields it reads have
//! been written before. What has one number is one value in every row, in all clauses of a `case`, too, since each starts from
//! the row as it came. Whatever has a number that occurs again is marked with it, and the run looks what it has found there.
//!
//! Most queries have nothing in common with themselves: a first walk, which takes no notice of writing, tells that.

mod numbering;

use self::numbering::{Mode, Numbering, Written, yielding};
use crate::compile::{condition, dead, expression};
use crate::error::Diagnostic;
use crate::functions::{RowFunction, Touches};
use crate::machine::step::RowStep;
use crate::plan::{Call, Expression, Step};

/// Marks what `compiled`, made of `steps`, evaluates more than once over the same values; gives that as people read it, in the order of
/// its numbers, which begin at `first`. Those that are `unneeded`, by number, are left out: they are not run.
///
/// # Errors
/// Those of compiling a step.
pub(super) fn share(
    steps: &[Step],
    compiled: &mut [RowStep],
    unneeded: &[usize],
    first: usize,
) -> Result<Vec<String>, Diagnostic> {
    let mut gate = Numbering::new(Mode::Gate, first);
    gate.walk(steps, compiled, unneeded)?;
    if !gate.has_shared() {
        return Ok(Vec::new());
    }
    let mut numbering = Numbering::new(Mode::Count, first);
    numbering.walk(steps, compiled, unneeded)?;
    if numbering.has_shared() {
        numbering.mode = Mode::Mark;
        numbering.written = Written::default();
        numbering.writes = 0;
        numbering.walk(steps, compiled, unneeded)?;
    }
    Ok(numbering.told)
}

impl Numbering {
    fn walk(
        &mut self,
        steps: &[Step],
        compiled: &mut [RowStep],
        unneeded: &[usize],
    ) -> Result<(), Diagnostic> {
        let pairs = steps.iter().zip(compiled).enumerate();
        for (_, (step, compiled)) in pairs.filter(|(at, _)| unneeded.binary_search(at).is_err()) {
            match (step, &mut *compiled) {
                (Step::Case(clauses), RowStep::Case(inner)) => {
                    let before = self.written.clone();
                    for (clause, inner) in clauses.iter().zip(inner) {
                        self.walk(clause, inner, &[])?;
                        self.written = before.clone();
                    }
                }
                (Step::Filter(filter), _) => {
                    if let (_, Some(filter)) = self.root(filter, Self::filter) {
                        *compiled = RowStep::Filter(condition::compile(&filter)?);
                    }
                }
                (
                    Step::Assign { value, .. },
                    RowStep::Assign(_, compiled) | RowStep::AssignNamedBy(_, compiled),
                ) => {
                    if let (_, Some(value)) = self.root(value, Self::expression) {
                        *compiled = expression::compile(&value)?;
                    }
                }
                (Step::Call(call), _) => self.call_step(call, compiled)?,
                _ => {}
            }
            self.note_writes(compiled);
        }
        Ok(())
    }

    /// A step of its own: an extraction, or a function that writes one field.
    fn call_step(&mut self, call: &Call, compiled: &mut RowStep) -> Result<(), Diagnostic> {
        let arguments = &call.arguments;
        if let RowStep::Function(RowFunction::Regex(extract)) = compiled {
            let Some(field) = extract.read_once() else { return Ok(()) };
            let version = self.version(field);
            let number = self.number(format_args!("extract {arguments:?} {version}"), &[], true);
            self.used(number);
            if let Some(mark) = self.mark(number, &arguments) {
                extract.share(mark);
            }
            return Ok(());
        }
        if arguments.signature().parameter("as").is_none() || !yields_one(compiled) {
            return Ok(());
        }
        let Some(target) = arguments.text("as") else { return Ok(()) };
        let yielded = Expression::Call(Call { arguments: yielding(arguments) });
        if let (_, Some(value)) = self.root(&yielded, Self::expression) {
            *compiled = RowStep::Assign(target, expression::compile(&value)?);
        }
        Ok(())
    }

    fn note_writes(&mut self, step: &RowStep) {
        if self.mode == Mode::Gate || matches!(step, RowStep::Filter(_)) {
            return;
        }
        let mut touches = Touches::default();
        step.touches(&mut touches);
        self.writes += 1;
        if touches.writes_any {
            self.written.all = self.writes;
        }
        self.written.any = self.writes;
        for field in touches.writes {
            self.written.fields.insert(field, self.writes);
        }
    }
}

/// Whether a function keeps rows as they are but for the one field it writes, where it has a value for it.
fn yields_one(step: &RowStep) -> bool {
    let RowStep::Function(function) = step else { return false };
    let mut touches = Touches::default();
    function.touches(&mut touches);
    !matches!(function, RowFunction::Clock(_))
        && dead::only_writes(step)
        && touches.writes.len() == 1
        && !touches.writes_any
        && !touches.reads_all
}

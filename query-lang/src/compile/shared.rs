//! Common sub-expressions: what occurs more than once over the same values is evaluated once.
//!
//! By value numbering (Cocke and Schwartz, *Programming Languages and Their Compilers*, 1970): an expression, a condition, a
//! function or an extraction is known by what it does, by the numbers of its parts, and by how often the fields it reads have
//! been written before. What has one number is one value in every row, in all clauses of a `case`, too, since each starts from
//! the row as it came. Whatever has a number that occurs again is marked with it, and the run looks what it has found there.
//!
//! Most queries have nothing in common with themselves: a first walk, which takes no notice of writing, tells that.

use std::sync::Arc;

use hashbrown::HashMap;
use xxhash_rust::xxh3::Xxh3;

use crate::compile::{condition, dead, expression};
use crate::error::Diagnostic;
use crate::functions::{Argument, Arguments, Build, RowFunction, Touches};
use crate::machine::step::RowStep;
use crate::plan::{Call, Expression, Filter, Step, Test, TextTest};

/// The field that a function writes where what it yields is shared: none of an event.
const YIELDED: &str = "\u{0}yielded";

/// Marks what `compiled`, made of `steps`, evaluates more than once over the same values; gives that as people read it, in the order of
/// its numbers, which begin at `first`.
///
/// # Errors
/// Those of compiling a step.
pub(super) fn share(
    steps: &[Step],
    compiled: &mut [RowStep],
    first: usize,
) -> Result<Vec<String>, Diagnostic> {
    let mut gate = Numbering::new(Mode::Gate, first);
    gate.walk(steps, compiled)?;
    if !gate.has_shared() {
        return Ok(Vec::new());
    }
    let mut numbering = Numbering::new(Mode::Count, first);
    numbering.walk(steps, compiled)?;
    if numbering.has_shared() {
        numbering.mode = Mode::Mark;
        numbering.written = Written::default();
        numbering.writes = 0;
        numbering.walk(steps, compiled)?;
    }
    Ok(numbering.told)
}

/// What a walk is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Whether anything may be shared.
    Gate,
    /// How often each number is used.
    Count,
    /// Marking what is used more than once.
    Mark,
}

/// What is known of a number.
#[derive(Debug)]
struct Value {
    /// How many different values and steps it is a part of.
    uses: usize,
    /// It costs more than looking it up.
    is_dear: bool,
    /// The number it is marked with.
    mark: Option<usize>,
}

/// When fields were written last, by a count of writes.
#[derive(Clone, Debug, Default)]
struct Written {
    fields: HashMap<Arc<str>, usize>,
    /// When a step wrote fields of names that are not known.
    all: usize,
    /// When any was written.
    any: usize,
}

/// A number, and what stands for it when something in it was marked.
type Numbered<T> = (usize, Option<T>);

#[derive(Debug)]
struct Numbering {
    mode: Mode,
    numbers: HashMap<u128, usize>,
    values: Vec<Value>,
    written: Written,
    writes: usize,
    /// What calls read, by what they are.
    reads: HashMap<u128, Option<Touches>>,
    first: usize,
    told: Vec<String>,
}

impl Numbering {
    fn new(mode: Mode, first: usize) -> Numbering {
        Numbering {
            mode,
            numbers: HashMap::new(),
            values: Vec::new(),
            written: Written::default(),
            writes: 0,
            reads: HashMap::new(),
            first,
            told: Vec::new(),
        }
    }

    fn has_shared(&self) -> bool {
        self.values.iter().any(|value| value.uses > 1 && value.is_dear)
    }

    fn walk(&mut self, steps: &[Step], compiled: &mut [RowStep]) -> Result<(), Diagnostic> {
        for (step, compiled) in steps.iter().zip(compiled) {
            match (step, &mut *compiled) {
                (Step::Case(clauses), RowStep::Case(inner)) => {
                    let before = self.written.clone();
                    for (clause, inner) in clauses.iter().zip(inner) {
                        self.walk(clause, inner)?;
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

    fn root<T>(&mut self, part: &T, number: fn(&mut Self, &T) -> Numbered<T>) -> Numbered<T> {
        let numbered = number(self, part);
        self.used(numbered.0);
        numbered
    }

    fn used(&mut self, number: usize) {
        if self.mode != Mode::Mark
            && let Some(value) = self.values.get_mut(number)
        {
            value.uses += 1;
        }
    }

    /// The number of what `what` names, made of `parts`.
    fn number(&mut self, what: std::fmt::Arguments<'_>, parts: &[usize], is_dear: bool) -> usize {
        let next = self.values.len();
        let number = *self.numbers.entry(hash(what)).or_insert(next);
        if number == next {
            self.values.push(Value { uses: 0, is_dear, mark: None });
            parts.iter().for_each(|part| self.used(*part));
        }
        number
    }

    /// What `number` is marked with, where it is shared and marks are made.
    fn mark(&mut self, number: usize, shown: &dyn std::fmt::Display) -> Option<usize> {
        let value = self.values.get_mut(number)?;
        if self.mode != Mode::Mark || value.uses < 2 || !value.is_dear {
            return None;
        }
        if value.mark.is_none() {
            value.mark = Some(self.first + self.told.len());
            let unnamed = shown.to_string().replace(&format!(", as={YIELDED:?}"), "");
            self.told.push(format!("{unnamed}, {} times", value.uses));
        }
        value.mark
    }

    fn is_dear(&self, number: usize) -> bool {
        self.values.get(number).is_some_and(|value| value.is_dear)
    }

    fn expression(&mut self, written: &Expression) -> Numbered<Expression> {
        let (number, changed) = match written {
            Expression::Text(_) | Expression::Number(_) | Expression::Bool(_) => {
                (self.number(format_args!("{written:?}"), &[], false), None)
            }
            Expression::Field(field) => {
                let version = self.version(field);
                (self.number(format_args!("{written:?} {version}"), &[], false), None)
            }
            Expression::Negate(inner) => {
                let (part, changed) = self.expression(inner);
                let changed = changed.map(|inner| Expression::Negate(Box::new(inner)));
                (self.number(format_args!("- {part}"), &[part], true), changed)
            }
            Expression::Not(inner) => {
                let (part, changed) = self.expression(inner);
                let changed = changed.map(|inner| Expression::Not(Box::new(inner)));
                (self.number(format_args!("! {part}"), &[part], true), changed)
            }
            Expression::Binary(op, left, right) => {
                let ((one, left_changed), (other, right_changed)) =
                    (self.expression(left), self.expression(right));
                let is_changed = left_changed.is_some() || right_changed.is_some();
                let side = |changed: Option<Expression>, kept: &Expression| {
                    Box::new(changed.unwrap_or_else(|| kept.clone()))
                };
                let changed = is_changed
                    .then(|| Expression::Binary(*op, side(left_changed, left), side(right_changed, right)));
                (self.number(format_args!("{op:?} {one} {other}"), &[one, other], true), changed)
            }
            Expression::If(parts) => {
                let list = [&parts.0, &parts.1, &parts.2].map(Clone::clone);
                let (numbers, changed) = self.all(&list, Self::expression);
                let changed = changed.and_then(|list| <[Expression; 3]>::try_from(list).ok());
                let changed = changed.map(|[condition, then, otherwise]| {
                    Expression::If(Box::new((condition, then, otherwise)))
                });
                (self.number(format_args!("if {numbers:?}"), &numbers, true), changed)
            }
            Expression::Coalesce { list, ignore_empty } => {
                let (numbers, changed) = self.all(list, Self::expression);
                let changed = changed.map(|list| Expression::Coalesce { list, ignore_empty: *ignore_empty });
                let number = self.number(format_args!("first {ignore_empty} {numbers:?}"), &numbers, true);
                (number, changed)
            }
            Expression::Filter(filter) => {
                let (part, changed) = self.filter(filter);
                let changed = changed.map(|filter| Expression::Filter(Box::new(filter)));
                let is_dear = self.is_dear(part);
                (self.number(format_args!("passes {part}"), &[part], is_dear), changed)
            }
            Expression::Call(call) => {
                let (number, changed) = self.call("value", call, || {
                    expression::compile(written).ok().map(|compiled| {
                        let mut touches = Touches::default();
                        compiled.touches(&mut touches);
                        touches.reads_all |= compiled.searches();
                        touches
                    })
                });
                (number, changed.map(Expression::Call))
            }
            Expression::Shared(_, inner) => return self.expression(inner),
        };
        match self.mark(number, written) {
            None => (number, changed),
            Some(mark) => {
                let inner = changed.unwrap_or_else(|| written.clone());
                (number, Some(Expression::Shared(mark, Box::new(inner))))
            }
        }
    }

    fn filter(&mut self, written: &Filter) -> Numbered<Filter> {
        let (number, changed) = match written {
            Filter::Bool(_) => (self.number(format_args!("{written:?}"), &[], false), None),
            // They are searched for together.
            Filter::Or(parts) if parts.iter().all(|part| matches!(part, Filter::Text(_))) => {
                let version = self.written.any;
                (self.number(format_args!("{written:?} {version}"), &[], true), None)
            }
            Filter::And(parts) => {
                let (numbers, changed) = self.all(parts, Self::filter);
                let is_dear = numbers.iter().any(|part| self.is_dear(*part));
                (self.number(format_args!("and {numbers:?}"), &numbers, is_dear), changed.map(Filter::And))
            }
            Filter::Or(parts) => {
                let (numbers, changed) = self.all(parts, Self::filter);
                let is_dear = numbers.iter().any(|part| self.is_dear(*part));
                (self.number(format_args!("or {numbers:?}"), &numbers, is_dear), changed.map(Filter::Or))
            }
            Filter::Not(inner) => {
                let (part, changed) = self.filter(inner);
                let changed = changed.map(|inner| Filter::Not(Box::new(inner)));
                (self.number(format_args!("not {part}"), &[part], false), changed)
            }
            Filter::Test { field, test } => {
                let version = self.version(field);
                (self.number(format_args!("{written:?} {version}"), &[], is_dear(test)), None)
            }
            Filter::Text(_) => {
                let version = self.written.any;
                (self.number(format_args!("{written:?} {version}"), &[], true), None)
            }
            Filter::Call(call) => {
                let (number, changed) = self.call("test", call, || {
                    condition::compile(written).ok().map(|compiled| {
                        let mut touches = Touches::default();
                        compiled.touches(&mut touches);
                        touches.reads_all |= compiled.searches();
                        touches
                    })
                });
                (number, changed.map(Filter::Call))
            }
            Filter::Shared(_, inner) => return self.filter(inner),
        };
        match self.mark(number, written) {
            None => (number, changed),
            Some(mark) => {
                let inner = changed.unwrap_or_else(|| written.clone());
                (number, Some(Filter::Shared(mark, Box::new(inner))))
            }
        }
    }

    fn all<T: Clone>(
        &mut self,
        list: &[T],
        number: fn(&mut Self, &T) -> Numbered<T>,
    ) -> (Vec<usize>, Option<Vec<T>>) {
        let (numbers, changed): (Vec<usize>, Vec<Option<T>>) =
            list.iter().map(|part| number(self, part)).unzip();
        let is_changed = changed.iter().any(Option::is_some);
        let whole =
            changed.into_iter().zip(list).map(|(changed, kept)| changed.unwrap_or_else(|| kept.clone()));
        (numbers, is_changed.then(|| whole.collect()))
    }

    /// A call as a value or a test, which `kind` tells apart; `touches` says what it reads.
    fn call(&mut self, kind: &str, call: &Call, touches: impl FnOnce() -> Option<Touches>) -> Numbered<Call> {
        let arguments = &call.arguments;
        let (mut numbers, mut changed) = (Vec::new(), None::<Arguments>);
        if matches!(arguments.signature().build, Build::Filter(_)) {
            // What it compares is evaluated on the rows as they are here.
            for (at, argument) in arguments.list().enumerate() {
                let Some(Argument::Expression(value)) = argument else { continue };
                let (number, marked) = self.expression(value);
                numbers.push(number);
                if let Some(marked) = marked {
                    let changed = changed.get_or_insert_with(|| arguments.clone());
                    changed.replace(at, Argument::Expression(marked));
                }
            }
        }
        let reads =
            if self.mode == Mode::Gate { String::new() } else { self.reads(kind, arguments, touches) };
        let number = match self.mode {
            Mode::Gate => self.number(format_args!("{kind} {:?}", yielding(arguments)), &numbers, true),
            _ => self.number(format_args!("{kind} {arguments:?} {reads} {numbers:?}"), &numbers, true),
        };
        (number, changed.map(|arguments| Call { arguments }))
    }

    /// When the fields that a call reads were written last.
    fn reads(
        &mut self,
        kind: &str,
        arguments: &Arguments,
        touches: impl FnOnce() -> Option<Touches>,
    ) -> String {
        let known = self.reads.entry(hash(format_args!("{kind} {arguments:?}")));
        let touches = known.or_insert_with(touches).clone();
        match touches {
            Some(touches) if !touches.reads_all => {
                let versions: Vec<usize> = touches.reads.iter().map(|field| self.version(field)).collect();
                format!("{versions:?}")
            }
            Some(_) => format!("any {}", self.written.any),
            // It is never the same again.
            None => {
                self.writes += 1;
                format!("unknown {}", self.writes)
            }
        }
    }

    fn version(&self, field: &Arc<str>) -> usize {
        self.written.fields.get(field).copied().unwrap_or(0).max(self.written.all)
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

/// The same call, yielding its value under a name that nothing reads.
fn yielding(arguments: &Arguments) -> Arguments {
    let mut yielding = arguments.clone();
    if let Some(at) = arguments.signature().parameter("as") {
        yielding.replace(at, Argument::Text(YIELDED.into()));
    }
    yielding
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

/// Whether a test costs more than looking up what it has told.
fn is_dear(test: &Test) -> bool {
    match test {
        Test::Present | Test::Compare { .. } => false,
        Test::Text(TextTest::AnyOf { patterns, ignore_case }) => {
            *ignore_case || patterns.iter().any(|pattern| pattern.contains('*'))
        }
        Test::Text(TextTest::Contains { .. } | TextTest::Regex(_)) => true,
    }
}

fn hash(what: std::fmt::Arguments<'_>) -> u128 {
    /// Text on its way into a hash.
    struct Hashing(Xxh3);
    impl std::fmt::Write for Hashing {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0.update(text.as_bytes());
            Ok(())
        }
    }
    let mut hashing = Hashing(Xxh3::new());
    // Hashing takes any text.
    let _ = std::fmt::write(&mut hashing, what);
    hashing.0.digest128()
}

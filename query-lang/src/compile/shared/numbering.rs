//! Numbers of values: what has one number is one value in every row.

use std::sync::Arc;

use hashbrown::HashMap;
use xxhash_rust::xxh3::Xxh3;

use crate::compile::{condition, expression};
use crate::functions::{Argument, Arguments, Build, Touches};
use crate::plan::{Call, Expression, Filter, Test, TextTest};

/// The field that a function writes where what it yields is shared: none of an event.
const YIELDED: &str = "\u{0}yielded";

/// What a walk is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Whether anything may be shared.
    Gate,
    /// How often each number is used.
    Count,
    /// Marking what is used more than once.
    Mark,
}

/// What is known of a number.
#[derive(Debug)]
pub(super) struct Value {
    /// How many different values and steps it is a part of.
    uses: usize,
    /// It costs more than looking it up.
    is_dear: bool,
    /// The number it is marked with.
    mark: Option<usize>,
}

/// When fields were written last, by a count of writes.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    pub(super) fields: HashMap<Arc<str>, usize>,
    /// When a step wrote fields of names that are not known.
    pub(super) all: usize,
    /// When any was written.
    pub(super) any: usize,
}

/// A number, and what stands for it when something in it was marked.
pub(super) type Numbered<T> = (usize, Option<T>);

/// The walks over the steps of a stage.
#[derive(Debug)]
pub(super) struct Numbering {
    pub(super) mode: Mode,
    numbers: HashMap<u128, usize>,
    values: Vec<Value>,
    pub(super) written: Written,
    pub(super) writes: usize,
    /// What calls read, by what they are.
    reads: HashMap<u128, Option<Touches>>,
    first: usize,
    pub(super) told: Vec<String>,
}

impl Numbering {
    pub(super) fn new(mode: Mode, first: usize) -> Numbering {
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

    pub(super) fn has_shared(&self) -> bool {
        self.values.iter().any(|value| value.uses > 1 && value.is_dear)
    }

    pub(super) fn root<T>(&mut self, part: &T, number: fn(&mut Self, &T) -> Numbered<T>) -> Numbered<T> {
        let numbered = number(self, part);
        self.used(numbered.0);
        numbered
    }

    pub(super) fn used(&mut self, number: usize) {
        if self.mode != Mode::Mark
            && let Some(value) = self.values.get_mut(number)
        {
            value.uses += 1;
        }
    }

    /// The number of what `what` names, made of `parts`.
    pub(super) fn number(&mut self, what: std::fmt::Arguments<'_>, parts: &[usize], is_dear: bool) -> usize {
        let next = self.values.len();
        let number = *self.numbers.entry(hash(what)).or_insert(next);
        if number == next {
            self.values.push(Value { uses: 0, is_dear, mark: None });
            parts.iter().for_each(|part| self.used(*part));
        }
        number
    }

    /// What `number` is marked with, where it is shared and marks are made.
    pub(super) fn mark(&mut self, number: usize, shown: &dyn std::fmt::Display) -> Option<usize> {
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

    pub(super) fn expression(&mut self, written: &Expression) -> Numbered<Expression> {
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
                let (number, changed) = self.call("value", call, |touches| {
                    let compiled = expression::compile(written).ok()?;
                    compiled.touches(touches);
                    Some(compiled.searches())
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

    pub(super) fn filter(&mut self, written: &Filter) -> Numbered<Filter> {
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
                let (number, changed) = self.call("test", call, |touches| {
                    let compiled = condition::compile(written).ok()?;
                    compiled.touches(touches);
                    Some(compiled.searches())
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

    /// A call as a value or a test, which `kind` tells apart; `touch` tells what it reads, and whether it searches all of it.
    fn call(
        &mut self,
        kind: &str,
        call: &Call,
        touch: impl FnOnce(&mut Touches) -> Option<bool>,
    ) -> Numbered<Call> {
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
        let reads = if self.mode == Mode::Gate { String::new() } else { self.reads(kind, arguments, touch) };
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
        touch: impl FnOnce(&mut Touches) -> Option<bool>,
    ) -> String {
        let known = self.reads.entry(hash(format_args!("{kind} {arguments:?}")));
        let touched = || {
            let mut touches = Touches::default();
            let searches = touch(&mut touches)?;
            touches.reads_all |= searches;
            Some(touches)
        };
        let touches = known.or_insert_with(touched).clone();
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

    pub(super) fn version(&self, field: &Arc<str>) -> usize {
        self.written.fields.get(field).copied().unwrap_or(0).max(self.written.all)
    }
}

/// The same call, yielding its value under a name that nothing reads.
pub(super) fn yielding(arguments: &Arguments) -> Arguments {
    let mut yielding = arguments.clone();
    if let Some(at) = arguments.signature().parameter("as") {
        yielding.replace(at, Argument::Text(YIELDED.into()));
    }
    yielding
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

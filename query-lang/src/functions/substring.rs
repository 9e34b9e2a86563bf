//! `text:substring` and `text:positionOf`: parts of a text by position. Positions count code points from 0.

use std::sync::Arc;

use crate::compile::expression as compile;
use crate::error::Diagnostic;
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::expression::Expression;
use crate::machine::{StepError, View};
use crate::plan;
use crate::record::ColumnBuilder;
use crate::value::{Number, ValueRef};

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "text:substring",
        aliases: &[],
        parameters: &[
            Parameter::required("string", Kind::Expression).aliased(&["field"]),
            Parameter::with_default("begin", Kind::Expression, "0"),
            Parameter::optional("end", Kind::Expression),
            Parameter::with_default("as", Kind::Text, "_substring"),
        ],
        build: Build::Row(build),
        doc: "The part of a text from one position to before another.",
    },
    Signature {
        name: "text:positionOf",
        aliases: &[],
        parameters: &[
            Parameter::required("string", Kind::Expression).aliased(&["field"]),
            Parameter::required("character", Kind::Expression),
            Parameter::with_default("begin", Kind::Expression, "0"),
            Parameter::with_default("occurrence", Kind::Expression, "1"),
            Parameter::with_default("as", Kind::Text, "_position"),
        ],
        build: Build::Row(build),
        doc: "Where a text stands in another.",
    },
];

/// A compiled function of this family.
#[derive(Debug)]
pub struct Substring {
    string: Expression,
    begin: Expression,
    what: What,
    output: Arc<str>,
}

#[derive(Debug)]
enum What {
    /// The part up to here, or to the end.
    Part(Option<Expression>),
    /// The place of this text, and which of its places.
    Position(Expression, Expression),
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let is_position = arguments.signature().name == "text:positionOf";
    let whole = |name: &str, least: i64| -> Result<Option<Expression>, Diagnostic> {
        let Some(expression) = arguments.expression(name) else { return Ok(None) };
        let written = match expression {
            plan::Expression::Number(number) => Some(*number),
            plan::Expression::Text(text) => Some(Number::parse(text).unwrap_or(Number::Int(-1))),
            plan::Expression::Negate(_) => Some(Number::Int(-1)),
            _ => None,
        };
        if written.is_some_and(|number| !matches!(number, Number::Int(value) if value >= least)) {
            return Err(arguments.fault(name, format!("`{name}` is a whole number from {least}")));
        }
        compile::compile(expression).map(Some)
    };
    let missing = |name: &str| arguments.fault(name, format!("no `{name}`"));
    let text = |name: &str| compile::compile(arguments.expression(name).ok_or_else(|| missing(name))?);
    let what = match is_position {
        false => What::Part(whole("end", 0)?),
        true => {
            What::Position(text("character")?, whole("occurrence", 1)?.ok_or_else(|| missing("occurrence"))?)
        }
    };
    let begin = whole("begin", 0)?.ok_or_else(|| missing("begin"))?;
    let (string, output) = (text("string")?, arguments.text_or_empty("as"));
    Ok(RowFunction::Substring(Box::new(Substring { string, begin, what, output })))
}

impl Substring {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        let mut column = |expression: &Expression| expression.evaluate(view, view.selection(), scratch);
        let (strings, begins) = (column(&self.string)?, column(&self.begin)?);
        let (firsts, seconds) = match &self.what {
            What::Part(end) => (end.as_ref().map(&mut column).transpose()?, None),
            What::Position(text, which) => (Some(column(text)?), Some(column(which)?)),
        };
        let mut out = ColumnBuilder::with_capacity(view.rows());
        for row in view.selection().iter() {
            let (Some(string), Some(begin)) = (strings.get(row), begins.get(row).and_then(position)) else {
                continue;
            };
            let string = string.text();
            match &self.what {
                What::Part(_) => {
                    let end = match &firsts {
                        None => usize::MAX,
                        Some(column) => match column.get(row).and_then(position) {
                            Some(end) => end,
                            None => continue,
                        },
                    };
                    out.pad(row);
                    out.text(part(&string, begin, end));
                }
                What::Position(..) => {
                    let text = firsts.as_ref().and_then(|column| column.get(row));
                    let which = seconds.as_ref().and_then(|column| column.get(row)).and_then(position);
                    if let (Some(text), Some(which)) = (text, which)
                        && let Some(at) = place(&string, &text.text(), begin, which)
                    {
                        out.pad(row);
                        out.int(i64::try_from(at).unwrap_or(i64::MAX));
                    }
                }
            }
        }
        out.pad(view.rows());
        Ok(view.assign(&self.output, out.finish())?)
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        self.string.touches(touches);
        self.begin.touches(touches);
        match &self.what {
            What::Part(end) => end.iter().for_each(|end| end.touches(touches)),
            What::Position(text, which) => {
                text.touches(touches);
                which.touches(touches);
            }
        }
        touches.read(&self.output);
        touches.write(&self.output);
    }

    /// The field written.
    #[must_use]
    pub fn output(&self) -> Arc<str> {
        Arc::clone(&self.output)
    }
}

/// The whole number from 0 that `value` says.
fn position(value: ValueRef<'_>) -> Option<usize> {
    match value.number()? {
        Number::Int(value) => usize::try_from(value).ok(),
        _ => None,
    }
}

/// The byte at which character `at` begins; the end when there are not so many.
fn byte_of(text: &str, at: usize) -> usize {
    text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte)
}

/// The characters of `text` from `begin` to before `end`; positions behind it are its end.
fn part(text: &str, begin: usize, end: usize) -> &str {
    let rest = text.get(byte_of(text, begin)..).unwrap_or_default();
    rest.get(..byte_of(rest, end.saturating_sub(begin))).unwrap_or_default()
}

/// The position of the `which`th place, from 1, where `what` stands in `text` from `begin` on. Places may overlap; an
/// empty text has none.
fn place(text: &str, what: &str, begin: usize, which: usize) -> Option<usize> {
    if what.is_empty() || which == 0 {
        return None;
    }
    let mut from = text.char_indices().nth(begin)?.0;
    let mut left = which;
    loop {
        let rest = text.get(from..)?;
        let at = from + rest.find(what)?;
        left -= 1;
        if left == 0 {
            return Some(text.get(..at)?.chars().count());
        }
        from = at + text.get(at..)?.chars().next()?.len_utf8();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_texts() {
        for (text, begin, end, told) in [
            ("hello", 1, 3, "el"),
            ("hello", 0, usize::MAX, "hello"),
            ("hello", 3, 99, "lo"),
            ("hello", 9, 99, ""),
            ("hello", 3, 1, ""),
            ("blåbær", 2, 5, "åbæ"),
            ("", 0, 1, ""),
        ] {
            assert_eq!(part(text, begin, end), told, "{text} {begin} {end}");
        }
    }

    #[test]
    fn places_in_texts() {
        for (text, what, begin, which, told) in [
            ("hello", "lo", 0, 1, Some(3)),
            ("world", "lo", 0, 1, None),
            ("log", "lo", 0, 1, Some(0)),
            ("banana", "an", 0, 2, Some(3)),
            ("banana", "an", 2, 1, Some(3)),
            ("aaa", "aa", 0, 2, Some(1)),
            ("aaa", "aa", 0, 3, None),
            ("blåbær", "æ", 0, 1, Some(4)),
            ("blåbær", "b", 1, 1, Some(3)),
            ("hello", "", 0, 1, None),
            ("hello", "h", 9, 1, None),
            ("hello", "h", 0, 0, None),
        ] {
            assert_eq!(place(text, what, begin, which), told, "{text} {what} {begin} {which}");
        }
    }
}

//! `regex()` and regex literals with named groups: what a match finds becomes fields.

use std::fmt::{Display, Formatter};
use std::sync::Arc;

use crate::compile::pattern::{Spans, after};
use crate::compile::regex::{CompiledRegex, compile, compile_whole};
use crate::compile::{TextMatcher, literals};
use crate::error::Diagnostic;
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::predicate::Predicate;
use crate::machine::{StepError, View};
use crate::record::{Column, ColumnBuilder, Selection};

/// The most rows `repeat` makes of one.
pub const REPEAT_LIMIT_MAX: i64 = 10_000;

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[Signature {
    name: "regex",
    aliases: &[],
    parameters: &[
        Parameter::required("regex", Kind::Regex),
        Parameter::with_default("field", Kind::Text, "@rawstring"),
        Parameter::with_default("flags", Kind::Text, "m"),
        Parameter::with_default("repeat", Kind::Bool, "false"),
        Parameter::with_default("strict", Kind::Bool, "true"),
        Parameter::with_default("limit", Kind::Integer { least: 1, most: REPEAT_LIMIT_MAX }, "100"),
    ],
    build: Build::Row(build),
    doc: "Extracts the named groups of a regex as fields; drops rows without a match unless `strict=false`.",
}];

/// A compiled extraction.
#[derive(Debug)]
pub struct Extract {
    field: Arc<str>,
    regex: CompiledRegex,
    /// Whether there is anything to extract.
    matcher: TextMatcher,
    /// The fields written; [`CompiledRegex::groups`] by index into this.
    outputs: Vec<Arc<str>>,
    /// Group number and index of its output.
    groups: Vec<(usize, usize)>,
    repeat: bool,
    strict: bool,
    limit: usize,
    /// It occurs elsewhere, too, under this number, and is done once for a row.
    number: Option<usize>,
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let Some(regex) = arguments.regex("regex") else { return Err(arguments.fault("regex", "no regex")) };
    let flags = arguments.text_or_empty("flags");
    if flags.contains('g') {
        return Err(arguments.fault("flags", "`regex` has no flag g: use repeat=true"));
    }
    let repeat = arguments.is_true("repeat") || regex.flags.contains('g');
    let compiled = if repeat { compile_whole(regex, &flags)? } else { compile(regex, &flags)? };
    let mut outputs: Vec<Arc<str>> = Vec::new();
    let mut groups = Vec::new();
    for (group, name) in &compiled.groups {
        let at = outputs.iter().position(|have| have == name).unwrap_or_else(|| {
            outputs.push(Arc::clone(name));
            outputs.len() - 1
        });
        groups.push((*group, at));
    }
    Ok(RowFunction::Regex(Extract {
        field: arguments.text_or_empty("field"),
        matcher: TextMatcher::regex_requiring(compiled.regex.clone(), literals::of_regex(regex, &flags)),
        regex: compiled,
        outputs,
        groups,
        repeat,
        strict: arguments.is_true("strict"),
        limit: usize::try_from(arguments.integer("limit").unwrap_or(100)).unwrap_or(100),
        number: None,
    }))
}

/// How it finds what it extracts, for people.
impl Display for Extract {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} from {} by {}", self.outputs.join(", "), self.field, self.regex.regex)
    }
}

impl Extract {
    /// The condition it is when it extracts nothing.
    #[must_use]
    pub fn as_test(&self) -> Option<Predicate> {
        if !self.outputs.is_empty() {
            return None;
        }
        if !self.strict {
            return Some(Predicate::Always);
        }
        Some(Predicate::Text { field: Arc::clone(&self.field), matcher: self.matcher.clone() })
    }

    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        if let Some((columns, matched)) = self.number.and_then(|number| view.extracted(number)) {
            return self.finish(view, &columns, matched);
        }
        let (mut asked, rows) = (view.selection().clone(), view.rows());
        // The holder may know without handing texts out; then it hands out only those with something in them.
        if self.strict
            && let Some(found) = view.matching(&self.field, &self.matcher, view.selection())?
        {
            view.set_selection(found);
            view.narrow()?;
            if view.rows() < rows {
                asked = view.selection().clone();
            }
        }
        if self.repeat {
            return self.apply_repeat(view, scratch);
        }
        let column = view.column(&self.field)?;
        let mut found = self.regex.regex.spans();
        let buffer = &mut scratch.text;
        let (columns, matched) = column.map_many(view.selection(), self.outputs.len(), |value, outputs| {
            let text = value.text_in(buffer);
            if self.groups.is_empty() {
                return self.regex.regex.is_match(text);
            }
            if self.regex.regex.read(&mut found, text, 0).is_none() {
                return false;
            }
            self.write(&found, text, outputs);
            true
        });
        if let Some(number) = self.number {
            view.keep_extracted(number, &columns, &matched, asked);
        }
        self.finish(view, &columns, matched)
    }

    /// Writes what was found in the rows in play, of which `matched` have something.
    fn finish(&self, view: &mut View<'_>, columns: &[Column], matched: Selection) -> Result<(), StepError> {
        if self.strict {
            view.set_selection(matched);
        }
        for (name, column) in self.outputs.iter().zip(columns) {
            view.assign(name, column.clone())?;
        }
        Ok(())
    }

    /// The field read, where every row stays one row.
    pub(crate) fn read_once(&self) -> Option<&Arc<str>> {
        (!self.repeat).then_some(&self.field)
    }

    /// Does it once for a row, wherever it occurs under `number`.
    pub(crate) fn share(&mut self, number: usize) {
        self.number = Some(number);
    }

    /// Every match of a row makes a row.
    fn apply_repeat(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        let column = view.column(&self.field)?;
        let mut picks: Vec<u32> = Vec::new();
        let mut outputs: Vec<ColumnBuilder> = self.outputs.iter().map(|_| ColumnBuilder::default()).collect();
        let mut found = self.regex.regex.spans();
        for row in view.selection().iter() {
            let pick = u32::try_from(row).unwrap_or(u32::MAX);
            let before = picks.len();
            if let Some(value) = column.get(row) {
                let text = value.text_in(&mut scratch.text);
                let mut at = 0;
                while picks.len() - before < self.limit
                    && let Some(whole) = self.regex.regex.read(&mut found, text, at)
                {
                    picks.push(pick);
                    self.write(&found, text, &mut outputs);
                    outputs.iter_mut().for_each(|output| output.pad(picks.len()));
                    at = after(text, &whole);
                    if at > text.len() {
                        break;
                    }
                }
            }
            if picks.len() == before && !self.strict {
                picks.push(pick);
                outputs.iter_mut().for_each(ColumnBuilder::missing);
            }
        }
        view.multiply(&picks)?;
        for (name, output) in self.outputs.iter().zip(outputs) {
            view.assign(name, output.finish())?;
        }
        Ok(())
    }

    /// Puts each group that took part into its output, the first of a name winning.
    fn write(&self, found: &Spans, text: &str, outputs: &mut [ColumnBuilder]) {
        // All outputs have the same length here: one that is longer has been written.
        let rows = outputs.iter().map(ColumnBuilder::len).min().unwrap_or(0);
        for (group, at) in &self.groups {
            let part = found.get(*group).and_then(|span| text.get(span));
            if let (Some(part), Some(output)) = (part, outputs.get_mut(*at))
                && output.len() <= rows
            {
                output.text(part);
            }
        }
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        touches.read(&self.field);
        for output in &self.outputs {
            // A group that takes no part leaves what was there.
            touches.read(output);
            touches.write(output);
        }
    }
}

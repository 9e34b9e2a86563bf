//! Builds a column value by value, and columns from parts of others.
#![allow(
    clippy::indexing_slicing,
    reason = "pick lists are built by the callers from rows of the same columns; codes are below the table's length"
)]

use std::sync::Arc;

use crate::record::{Column, Dictionary, Selection, TextColumn, TextSpan};
use crate::value::{Value, ValueRef};

/// Integers up to this are exact as doubles, and so is their text.
const EXACT_DOUBLE: u64 = 1 << 53;

/// Takes values row by row. Stays integers, or numbers, while every value is one; becomes text at the first that
/// is not: which of them a column holds never shows.
#[derive(Debug, Default)]
pub struct ColumnBuilder {
    arena: String,
    spans: Vec<TextSpan>,
    ints: Vec<i64>,
    floats: Vec<f64>,
    missing: Vec<bool>,
    form: Form,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Missing,
    Ints,
    Floats,
    Text,
}

impl ColumnBuilder {
    /// A builder that expects about `rows` values.
    #[must_use]
    pub fn with_capacity(rows: usize) -> ColumnBuilder {
        ColumnBuilder { missing: Vec::with_capacity(rows), ..ColumnBuilder::default() }
    }

    /// How many values it has taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.missing.len()
    }

    /// It has taken none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty()
    }

    /// It has taken gaps only.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.form == Form::Missing
    }

    /// Takes a value or a gap.
    pub fn push(&mut self, value: Option<ValueRef<'_>>) {
        match value {
            None => self.missing(),
            Some(ValueRef::Text(text)) => self.text(text),
            Some(ValueRef::Int(value)) => self.int(value),
            Some(ValueRef::Float(value)) => self.float(value),
        }
    }

    /// Takes a gap.
    pub fn missing(&mut self) {
        match self.form {
            Form::Missing => {}
            Form::Ints => self.ints.push(0),
            Form::Floats => self.floats.push(0.0),
            Form::Text => self.spans.push(TextSpan::MISSING),
        }
        self.missing.push(true);
    }

    /// Takes gaps until there are `rows` values.
    pub fn pad(&mut self, rows: usize) {
        while self.len() < rows {
            self.missing();
        }
    }

    /// Takes an integer.
    pub fn int(&mut self, value: i64) {
        match self.form {
            Form::Missing => {
                self.form = Form::Ints;
                self.ints.resize(self.missing.len(), 0);
                self.ints.push(value);
            }
            Form::Ints => self.ints.push(value),
            Form::Floats if is_exact_double(value) => self.floats.push(value as f64),
            _ => return self.as_text(ValueRef::Int(value)),
        }
        self.missing.push(false);
    }

    /// Takes a number.
    pub fn float(&mut self, value: f64) {
        match self.form {
            Form::Missing => {
                self.form = Form::Floats;
                self.floats.resize(self.missing.len(), 0.0);
                self.floats.push(value);
            }
            Form::Floats => self.floats.push(value),
            Form::Ints if self.ints.iter().all(|value| is_exact_double(*value)) => {
                self.form = Form::Floats;
                self.floats = self.ints.drain(..).map(|value| value as f64).collect();
                self.floats.push(value);
            }
            _ => return self.as_text(ValueRef::Float(value)),
        }
        self.missing.push(false);
    }

    /// Takes a text.
    pub fn text(&mut self, text: &str) {
        self.as_text(ValueRef::Text(text));
    }

    fn as_text(&mut self, value: ValueRef<'_>) {
        if self.form != Form::Text {
            self.turn_to_text();
        }
        let start = self.arena.len();
        value.write_text(&mut self.arena);
        self.spans.push(span(start, self.arena.len()));
        self.missing.push(false);
    }

    fn turn_to_text(&mut self) {
        self.spans.reserve(self.missing.capacity());
        for (row, missing) in self.missing.iter().enumerate() {
            let start = self.arena.len();
            match self.form {
                _ if *missing => {
                    self.spans.push(TextSpan::MISSING);
                    continue;
                }
                Form::Ints => ValueRef::Int(self.ints[row]).write_text(&mut self.arena),
                _ => ValueRef::Float(self.floats[row]).write_text(&mut self.arena),
            }
            self.spans.push(span(start, self.arena.len()));
        }
        self.form = Form::Text;
    }

    /// The column.
    #[must_use]
    pub fn finish(self) -> Column {
        let rows = self.missing.len();
        let present = || {
            let any = self.missing.iter().any(|missing| *missing);
            any.then(|| Arc::new(Selection::from_fn(rows, |row| !self.missing[row])))
        };
        match self.form {
            Form::Missing => Column::Missing { rows },
            Form::Ints => Column::Ints { present: present(), values: self.ints.into() },
            Form::Floats => Column::Floats { present: present(), values: self.floats.into() },
            Form::Text => Column::Text(TextColumn { arena: Arc::new(self.arena), spans: self.spans.into() }),
        }
    }

    /// A dictionary of the values taken, gaps as missing codes.
    #[must_use]
    pub fn finish_dictionary(mut self) -> Dictionary {
        if self.form != Form::Text {
            self.turn_to_text();
        }
        Dictionary::new(self.arena, self.spans)
    }
}

/// Whether a double says the same as `value`, in the same digits.
fn is_exact_double(value: i64) -> bool {
    value.unsigned_abs() <= EXACT_DOUBLE
}

fn span(start: usize, end: usize) -> TextSpan {
    // An arena past 4 GiB cannot arise from one batch: batches and blocks are limited to far less. Were it to,
    // the value would read as missing, never as another's text.
    match (u32::try_from(start), u32::try_from(end - start)) {
        (Ok(start), Ok(len)) if start.checked_add(len).is_some() => TextSpan { start, len },
        _ => TextSpan::MISSING,
    }
}

impl Column {
    /// The column whose row `i` is this column's row `picks[i]`.
    #[must_use]
    pub fn gather(&self, picks: &[u32]) -> Column {
        let rows = picks.len();
        let within = |present: &Option<Arc<Selection>>| {
            present.as_ref().map(|present| {
                Arc::new(Selection::from_fn(rows, |row| present.contains(picks[row] as usize)))
            })
        };
        match self {
            Column::Missing { .. } => Column::Missing { rows },
            Column::Constant { value, .. } => Column::Constant { value: value.clone(), rows },
            Column::Ints { values, present } => Column::Ints {
                values: picks.iter().map(|row| values[*row as usize]).collect(),
                present: within(present),
            },
            Column::Floats { values, present } => Column::Floats {
                values: picks.iter().map(|row| values[*row as usize]).collect(),
                present: within(present),
            },
            Column::Text(text) => Column::Text(TextColumn {
                arena: Arc::clone(&text.arena),
                spans: picks.iter().map(|row| text.spans[*row as usize]).collect(),
            }),
            Column::Unwritten(text) => Column::Text(text.written().clone()).gather(picks),
            Column::Dictionary { codes, dictionary } => Column::Dictionary {
                codes: picks.iter().map(|row| codes[*row as usize]).collect(),
                dictionary: Arc::clone(dictionary),
            },
        }
    }

    /// As [`Column::gather`], copied, so that nothing of this column is kept alive; `None` when all of it is missing.
    #[must_use]
    pub fn copied(&self, picks: &[u32]) -> Option<Column> {
        let at = |row: usize| picks.get(row).map(|from| (0, *from as usize));
        let column = Column::weave(std::slice::from_ref(self), picks.len(), at);
        (!matches!(column, Column::Missing { .. })).then_some(column)
    }

    /// A column of `rows` rows whose row `i` is `parts[part].get(row)` for `(part, row) = at(i)`; `None` is
    /// missing. Parts that are all constant or missing become a dictionary, not a text a row.
    #[must_use]
    pub fn weave(
        parts: &[Column],
        rows: usize,
        mut at: impl FnMut(usize) -> Option<(usize, usize)>,
    ) -> Column {
        let constants =
            parts.iter().all(|part| matches!(part, Column::Constant { .. } | Column::Missing { .. }));
        if constants {
            let mut values = ColumnBuilder::with_capacity(parts.len());
            for part in parts {
                values.push(if let Column::Constant { value, .. } = part {
                    Some(value.borrow())
                } else {
                    None
                });
            }
            let codes = (0..rows).map(|row| match at(row) {
                Some((part, _)) if matches!(parts[part], Column::Constant { .. }) => {
                    u32::try_from(part).unwrap_or(Dictionary::MISSING)
                }
                _ => Dictionary::MISSING,
            });
            let codes: Arc<[u32]> = codes.collect();
            return Column::Dictionary { codes, dictionary: Arc::new(values.finish_dictionary()) };
        }
        let mut built = ColumnBuilder::with_capacity(rows);
        for row in 0..rows {
            built.push(at(row).and_then(|(part, from)| parts[part].get(from)));
        }
        built.finish()
    }

    /// Bytes of memory held, an upper estimate; what is shared with other columns counts in full.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Column::Missing { .. } => 0,
            Column::Constant { value, .. } => value.borrow().text().len(),
            Column::Ints { values, .. } => values.len() * 9,
            Column::Floats { values, .. } => values.len() * 9,
            Column::Text(text) => text.arena.capacity() + text.spans.len() * 8,
            Column::Unwritten(text) => text.bytes(),
            Column::Dictionary { codes, dictionary } => codes.len() * 4 + dictionary.bytes(),
        }
    }

    /// A column of `rows` times `text`.
    #[must_use]
    pub fn constant(text: &str, rows: usize) -> Column {
        Column::Constant { value: Value::Text(text.into()), rows }
    }

    /// A column made from this one, value by value: gaps stay gaps, and `f` may leave a gap by writing nothing.
    /// Only rows of `within` are looked at; a dictionary's texts are each looked at once, a constant once.
    #[must_use]
    pub fn map(&self, within: &Selection, mut f: impl FnMut(ValueRef<'_>, &mut ColumnBuilder)) -> Column {
        let (mut columns, _) = self.map_many(within, 1, |value, outputs| {
            outputs.iter_mut().for_each(|output| f(value, output));
            true
        });
        columns.pop().unwrap_or(Column::Missing { rows: self.len() })
    }

    /// Several columns made from this one, and the rows of `within` with a value for which `f` said true. As
    /// [`Column::map`] for each of them.
    pub fn map_many(
        &self,
        within: &Selection,
        outputs: usize,
        mut f: impl FnMut(ValueRef<'_>, &mut [ColumnBuilder]) -> bool,
    ) -> (Vec<Column>, Selection) {
        let rows = self.len();
        let mut made: Vec<ColumnBuilder> = (0..outputs).map(|_| ColumnBuilder::default()).collect();
        let mut matched = Selection::none(within.rows());
        match self {
            Column::Missing { .. } => return (vec![self.clone(); outputs], matched),
            Column::Constant { value, .. } => {
                if f(value.borrow(), &mut made) {
                    matched = within.clone();
                }
                let constant = |made: ColumnBuilder| match made.finish().get(0) {
                    Some(value) => Column::Constant { value: value.to_value(), rows },
                    None => Column::Missing { rows },
                };
                return (made.into_iter().map(constant).collect(), matched);
            }
            Column::Dictionary { codes, dictionary } => {
                let (made, matched) = map_dictionary(codes, dictionary, within, made, f);
                let column = |made: ColumnBuilder| {
                    if made.is_missing() {
                        return Column::Missing { rows };
                    }
                    Column::Dictionary {
                        codes: Arc::clone(codes),
                        dictionary: Arc::new(made.finish_dictionary()),
                    }
                };
                return (made.into_iter().map(column).collect(), matched);
            }
            _ => {}
        }
        for row in within.iter() {
            if let Some(value) = self.get(row) {
                made.iter_mut().for_each(|made| made.pad(row));
                if f(value, &mut made) {
                    matched.insert(row);
                }
            }
        }
        let finish = |mut made: ColumnBuilder| {
            made.pad(rows);
            made.finish()
        };
        (made.into_iter().map(finish).collect(), matched)
    }

    /// The rows of `within` whose value is there and passes `test`. A dictionary's texts are each tested once, a
    /// constant once.
    #[must_use]
    pub fn filter(&self, within: &Selection, mut test: impl FnMut(ValueRef<'_>) -> bool) -> Selection {
        let mut chosen = within.clone();
        match self {
            Column::Missing { .. } => Selection::none(within.rows()),
            Column::Constant { value, .. } => {
                if test(value.borrow()) {
                    chosen
                } else {
                    Selection::none(within.rows())
                }
            }
            Column::Dictionary { codes, dictionary } => {
                let mut verdicts = vec![Verdict::Unknown; dictionary.len()];
                chosen.retain(|row| {
                    let code = codes.get(row).map_or(usize::MAX, |code| *code as usize);
                    let Some(verdict) = verdicts.get_mut(code) else { return false };
                    if *verdict == Verdict::Unknown {
                        let text = dictionary.text(code as u32);
                        let passes = text.is_some_and(|text| test(ValueRef::Text(text)));
                        *verdict = if passes { Verdict::Passes } else { Verdict::Fails };
                    }
                    *verdict == Verdict::Passes
                });
                chosen
            }
            Column::Unwritten(text) => Column::Text(text.written().clone()).filter(within, test),
            Column::Text(text) => {
                let arena = text.arena.as_str();
                let mut passes =
                    |span: &TextSpan| span.of(arena).is_some_and(|text| test(ValueRef::Text(text)));
                chosen.retain(|row| text.spans.get(row).is_some_and(&mut passes));
                chosen
            }
            _ => {
                chosen.retain(|row| self.get(row).is_some_and(&mut test));
                chosen
            }
        }
    }

    /// The rows of `within` that have a value.
    #[must_use]
    pub fn present(&self, within: &Selection) -> Selection {
        match self {
            Column::Missing { .. } => Selection::none(within.rows()),
            Column::Constant { .. } | Column::Unwritten(_) => within.clone(),
            Column::Ints { present, .. } | Column::Floats { present, .. } => {
                let mut chosen = within.clone();
                if let Some(present) = present {
                    chosen.intersect(present);
                }
                chosen
            }
            _ => self.filter(within, |_| true),
        }
    }
}

/// One look at each text that a row of `within` has; outputs by code.
fn map_dictionary(
    codes: &[u32],
    dictionary: &Dictionary,
    within: &Selection,
    mut made: Vec<ColumnBuilder>,
    mut f: impl FnMut(ValueRef<'_>, &mut [ColumnBuilder]) -> bool,
) -> (Vec<ColumnBuilder>, Selection) {
    let mut used = vec![false; dictionary.len()];
    for row in within.iter() {
        if let Some(used) = codes.get(row).and_then(|code| used.get_mut(*code as usize)) {
            *used = true;
        }
    }
    for (code, used) in used.iter_mut().enumerate() {
        if let Some(text) = dictionary.text(code as u32).filter(|_| *used) {
            made.iter_mut().for_each(|made| made.pad(code));
            *used = f(ValueRef::Text(text), &mut made);
        } else {
            *used = false;
        }
    }
    made.iter_mut().for_each(|made| made.pad(dictionary.len()));
    let mut matched = within.clone();
    matched.retain(|row| codes.get(row).is_some_and(|code| used.get(*code as usize) == Some(&true)));
    (made, matched)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Unknown,
    Passes,
    Fails,
}

#[cfg(test)]
mod tests;

//! The values of one field that queries ask for, and what a batch has of them.

use hashbrown::HashMap;
use weir_query::record::{Column, RowsError};
use weir_query::value::ValueRef;

use super::access::Bound;
use super::arrived::Arrived;
use super::found::{Found, TermId};
use crate::event::glance::{Filter, Glance};

/// No term.
pub(super) const NONE: TermId = TermId::MAX;

/// What is looked for in one field.
#[derive(Debug, Default)]
pub(super) struct FieldTerms {
    pub(super) name: Box<str>,
    pub(super) texts: HashMap<Box<str>, TermId, foldhash::fast::FixedState>,
    /// Of `texts`.
    pub(super) filter: Filter,
    pub(super) numbers: HashMap<Bound, TermId, foldhash::fast::FixedState>,
    pub(super) ranges: Ranges,
    pub(super) present: Option<TermId>,
    /// Some query asks of a row it found otherwise which number it has.
    pub(super) checks_numbers: bool,
}

/// Ranges that queries are found by: each is met by numbers from its least to its greatest.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    /// Without a greatest, by the least.
    from: Vec<(f64, TermId)>,
    /// Without a least, by the greatest.
    up_to: Vec<(f64, TermId)>,
    /// With both, by the least.
    between: Vec<(f64, f64, TermId)>,
}

impl Ranges {
    pub(super) fn add(&mut self, least: f64, greatest: f64, term: TermId) {
        match (least, greatest) {
            (least, f64::INFINITY) => self.from.push((least, term)),
            (f64::NEG_INFINITY, greatest) => self.up_to.push((greatest, term)),
            (least, greatest) => self.between.push((least, greatest, term)),
        }
    }

    fn sort(&mut self) {
        self.from.sort_by(|one, other| one.0.total_cmp(&other.0));
        self.up_to.sort_by(|one, other| one.0.total_cmp(&other.0));
        self.between.sort_by(|one, other| one.0.total_cmp(&other.0));
    }

    fn is_empty(&self) -> bool {
        self.from.is_empty() && self.up_to.is_empty() && self.between.is_empty()
    }

    /// Calls `each` with the ranges that `number` is in.
    fn meeting(&self, number: f64, mut each: impl FnMut(TermId)) {
        let from = self.from.iter().take_while(|(least, _)| *least <= number);
        from.for_each(|(_, term)| each(*term));
        let up_to = self.up_to.iter().rev().take_while(|(greatest, _)| number <= *greatest);
        up_to.for_each(|(_, term)| each(*term));
        let between = self.between.iter().take_while(|(least, _, _)| *least <= number);
        between.filter(|(_, greatest, _)| number <= *greatest).for_each(|(_, _, term)| each(*term));
    }
}

impl FieldTerms {
    /// To be called when all terms are added.
    pub(super) fn finish(&mut self) {
        self.ranges.sort();
        self.texts.keys().for_each(|text| self.filter.add(text));
    }

    /// Lays the rows of a batch to the terms they meet. `field` is its number.
    ///
    /// # Errors
    /// When the batch cannot be read.
    pub(super) fn find(
        &self,
        field: usize,
        arrived: &Arrived<'_>,
        found: &mut Found,
    ) -> Result<(), RowsError> {
        let column = || arrived.column(&self.name, arrived.len());
        if let Some(term) = self.present {
            column()?.present(&found.all).iter().for_each(|row| found.add(term, row as u32));
        }
        if !self.texts.is_empty() {
            self.find_texts(field, &column()?, found);
        }
        if !self.numbers.is_empty() || !self.ranges.is_empty() || self.checks_numbers {
            match arrived.numbers(&self.name, arrived.len())? {
                Some(numbers) => self.find_numbers(field, &numbers, found),
                None => self.find_numbers(field, &column()?, found),
            }
        }
        Ok(())
    }

    fn find_texts(&self, field: usize, column: &Column, found: &mut Found) {
        let mut codes = found.take_codes(field);
        codes.clear();
        let rows = column.len();
        let term = |text: &str| self.texts.get(text).copied().unwrap_or(NONE);
        match column {
            Column::Missing { .. } => codes.resize(rows, NONE),
            Column::Constant { value, .. } => codes.resize(rows, term(&value.borrow().text())),
            Column::Dictionary { codes: own, dictionary } => {
                let terms: Vec<TermId> = (0..dictionary.len())
                    .map(|code| dictionary.text(code as u32).map_or(NONE, term))
                    .collect();
                codes.extend(own.iter().map(|code| terms.get(*code as usize).copied().unwrap_or(NONE)));
            }
            Column::Text(texts) => {
                let arena = texts.arena.as_bytes();
                codes.extend(texts.spans.iter().map(|span| {
                    let glance = Glance::at(arena, span.start as usize, span.len as usize);
                    if self.filter.may_have(glance) { span.of(&texts.arena).map_or(NONE, term) } else { NONE }
                }));
            }
            other => {
                codes.extend((0..rows).map(|row| other.get(row).map_or(NONE, |value| term(&value.text()))))
            }
        }
        for (row, term) in (0..).zip(&codes) {
            if *term != NONE {
                found.add(*term, row);
            }
        }
        found.set_codes(field, codes);
    }

    fn find_numbers(&self, field: usize, column: &Column, found: &mut Found) {
        let mut numbers = found.take_numbers(field);
        numbers.clear();
        let number = |value: ValueRef<'_>| value.number().map_or(f64::NAN, |number| number.to_f64());
        match column {
            Column::Missing { rows } => numbers.resize(*rows, f64::NAN),
            Column::Constant { value, rows } => numbers.resize(*rows, number(value.borrow())),
            Column::Dictionary { codes, dictionary } => {
                let of = |code| dictionary.text(code).map_or(f64::NAN, |text| number(ValueRef::Text(text)));
                let known: Vec<f64> = (0..dictionary.len()).map(|code| of(code as u32)).collect();
                numbers
                    .extend(codes.iter().map(|code| known.get(*code as usize).copied().unwrap_or(f64::NAN)));
            }
            Column::Ints { values, present: None } => {
                numbers.extend(values.iter().map(|value| *value as f64))
            }
            other => numbers.extend((0..other.len()).map(|row| other.get(row).map_or(f64::NAN, number))),
        }
        if self.numbers.is_empty() && self.ranges.is_empty() {
            return found.set_numbers(field, numbers);
        }
        for (row, number) in (0..).zip(&numbers) {
            if number.is_nan() {
                continue;
            }
            if !self.numbers.is_empty()
                && let Some(term) = self.numbers.get(&Bound::of(*number))
            {
                found.add(*term, row);
            }
            self.ranges.meeting(*number, |term| found.add(term, row));
        }
        found.set_numbers(field, numbers);
    }
}

//! What a batch has of the terms of an index: which rows meet which. Kept from batch to batch for its room alone.

use weir_query::record::Selection;

/// A term of an index.
pub(super) type TermId = u32;

/// The rows that meet each term.
#[derive(Debug)]
pub(in crate::live) struct Found {
    pub(super) all: Selection,
    /// By term, ascending; nothing for terms that no query is found by and none checks so.
    rows: Vec<Vec<u32>>,
    /// Whether rows are listed, by term.
    listed: Vec<bool>,
    /// The terms that have rows.
    met: Vec<TermId>,
    /// By field and row: the term its text meets.
    codes: Vec<Vec<TermId>>,
    /// By field and row: the number it is.
    numbers: Vec<Vec<f64>>,
    /// The groups that rows have been found for, and a mark for each.
    pub(super) groups: Vec<u32>,
    pub(super) marked: Vec<bool>,
}

impl Found {
    /// For an index of so many fields and groups. `listed`: the terms whose rows are listed.
    pub(super) fn new(listed: Vec<bool>, fields: usize, groups: usize) -> Found {
        Found {
            all: Selection::none(0),
            rows: vec![Vec::new(); listed.len()],
            listed,
            met: Vec::new(),
            codes: vec![Vec::new(); fields],
            numbers: vec![Vec::new(); fields],
            groups: Vec::new(),
            marked: vec![false; groups],
        }
    }

    /// Forgets the batch before; the next one has `rows` rows.
    pub(super) fn start(&mut self, rows: usize) {
        for term in self.met.drain(..) {
            if let Some(rows) = self.rows.get_mut(term as usize) {
                rows.clear();
            }
        }
        for group in self.groups.drain(..) {
            if let Some(mark) = self.marked.get_mut(group as usize) {
                *mark = false;
            }
        }
        if self.all.rows() != rows {
            self.all = Selection::all(rows);
        }
    }

    /// `row` meets `term`. Rows come ascending; one that comes again at once is taken once.
    #[inline]
    pub(super) fn add(&mut self, term: TermId, row: u32) {
        let at = term as usize;
        if !self.listed.get(at).is_some_and(|listed| *listed) {
            return;
        }
        if let Some(rows) = self.rows.get_mut(at) {
            match rows.last() {
                None => self.met.push(term),
                Some(last) if *last == row => return,
                Some(_) => {}
            }
            rows.push(row);
        }
    }

    /// The rows that meet `term`, ascending.
    pub(super) fn rows(&self, term: TermId) -> &[u32] {
        self.rows.get(term as usize).map_or(&[], Vec::as_slice)
    }

    /// The terms that have rows.
    pub(super) fn met(&self) -> &[TermId] {
        &self.met
    }

    /// The term that the text of `field` meets, by row; [`super::field::NONE`]: none.
    pub(super) fn codes(&self, field: usize) -> &[TermId] {
        self.codes.get(field).map_or(&[], Vec::as_slice)
    }

    /// The number that `field` is, by row; NaN: none.
    pub(super) fn numbers(&self, field: usize) -> &[f64] {
        self.numbers.get(field).map_or(&[], Vec::as_slice)
    }

    pub(super) fn take_codes(&mut self, field: usize) -> Vec<TermId> {
        self.codes.get_mut(field).map(std::mem::take).unwrap_or_default()
    }

    pub(super) fn set_codes(&mut self, field: usize, codes: Vec<TermId>) {
        if let Some(own) = self.codes.get_mut(field) {
            *own = codes;
        }
    }

    pub(super) fn take_numbers(&mut self, field: usize) -> Vec<f64> {
        self.numbers.get_mut(field).map(std::mem::take).unwrap_or_default()
    }

    pub(super) fn set_numbers(&mut self, field: usize, numbers: Vec<f64>) {
        if let Some(own) = self.numbers.get_mut(field) {
            *own = numbers;
        }
    }
}

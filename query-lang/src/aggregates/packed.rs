//! Columns with a small number a row, and several of them as one.
//!
//! Dictionary codes of all key columns, and the slot of the row, make one number a row where there are few
//! combinations; rows are then counted by that number, in arrays, without looking at a text.

use std::borrow::Cow;

use super::Input;
use super::read::hash_text;
use super::slots::Slots;
use crate::record::{Column, Dictionary, Selection};

/// Combinations of codes up to which an array has a place for each.
const DENSE_MAX: u64 = 1 << 16;
/// The same, for batches of few rows: so many combinations, or so many a row.
const DENSE_LEAST: u64 = 256;
const DENSE_PER_ROW: u64 = 4;
/// Combinations up to which rows are counted in four arrays at once.
const LANES_MAX: usize = 1_024;

/// A column with a small number a row.
pub(super) enum Coded<'a> {
    Dictionary(&'a [u32], &'a Dictionary),
    Constant(String),
}

impl<'a> Coded<'a> {
    pub(super) fn new(column: &'a Column) -> Option<Coded<'a>> {
        match column {
            Column::Dictionary { codes, dictionary } => Some(Coded::Dictionary(codes, dictionary)),
            Column::Constant { value, .. } => Some(Coded::Constant(value.borrow().text().into_owned())),
            _ => None,
        }
    }

    /// How many codes there are, at least one.
    pub(super) fn size(&self) -> u32 {
        match self {
            Coded::Dictionary(_, dictionary) => u32::try_from(dictionary.len()).unwrap_or(u32::MAX).max(1),
            Coded::Constant(_) => 1,
        }
    }

    #[inline]
    pub(super) fn code(&self, row: usize) -> u32 {
        match self {
            Coded::Dictionary(codes, _) => codes.get(row).copied().unwrap_or(0),
            Coded::Constant(_) => 0,
        }
    }

    pub(super) fn get(&self, code: u32) -> Option<&str> {
        match self {
            Coded::Dictionary(_, dictionary) => dictionary.text(code),
            Coded::Constant(text) => Some(text),
        }
    }

    /// The text of a code that has one.
    pub(super) fn text(&self, code: u32) -> &str {
        self.get(code).unwrap_or_default()
    }

    /// The hash of that text.
    pub(super) fn hash(&self, code: u32) -> u64 {
        match self {
            Coded::Dictionary(_, dictionary) => dictionary.hashes().get(code as usize).copied().unwrap_or(0),
            Coded::Constant(text) => hash_text(text),
        }
    }
}

/// The codes of all columns, and the slot, as one number a row, where there are few combinations of them.
pub(super) struct Packed<'a> {
    pub(super) codes: Cow<'a, [u32]>,
    /// The rows stepped over. A number not below the combinations there are belongs to no group.
    pub(super) within: Cow<'a, Selection>,
    pub(super) combinations: usize,
}

impl<'a> Packed<'a> {
    pub(super) fn of(columns: &[Coded<'a>], slots: &Slots<'_>, input: &'a Input<'_>) -> Option<Packed<'a>> {
        let parents = if slots.single().is_some() { 1 } else { slots.count as u64 };
        let sizes = columns.iter().map(|column| u64::from(column.size()));
        let combinations = sizes.clone().try_fold(parents, u64::checked_mul)?;
        if combinations > DENSE_MAX.min(DENSE_LEAST.max(DENSE_PER_ROW * input.within.count() as u64)) {
            return None;
        }
        let combinations = combinations as usize;
        if let ([Coded::Dictionary(codes, _)], true) = (columns, slots.single().is_some()) {
            let within = Cow::Borrowed(input.within);
            return Some(Packed { codes: Cow::Borrowed(codes), within, combinations });
        }
        let mut packed: Vec<u32> = match slots.single() {
            Some(_) => vec![0; input.rows],
            None => (0..input.rows).map(|row| slots.of(row)).collect(),
        };
        for column in columns {
            let Coded::Dictionary(codes, _) = column else { continue };
            let size = column.size();
            for (packed, code) in packed.iter_mut().zip(*codes) {
                // A row without a slot or a value stays without: no other number is as large.
                let known = *packed < DENSE_MAX as u32 && *code < size;
                *packed = if known { *packed * size + code } else { u32::MAX };
            }
        }
        Some(Packed { codes: Cow::Owned(packed), within: Cow::Borrowed(input.within), combinations })
    }

    /// How many rows each combination has.
    pub(super) fn count(&self) -> Vec<u32> {
        if self.combinations > LANES_MAX {
            return self.count_in(|codes, counts| codes.iter().for_each(|code| add_one(counts, *code)));
        }
        // Neighbours often have the same code, and adding to one counter waits for the addition before it: four
        // rows at a time go to counters of their own.
        let mut lanes = [(); 4].map(|()| vec![0_u32; self.combinations]);
        let [first, second, third, fourth] = &mut lanes;
        let counts = self.count_in(|codes, counts| {
            let (fours, rest) = codes.as_chunks();
            for [a, b, c, d] in fours {
                add_one(first, *a);
                add_one(second, *b);
                add_one(third, *c);
                add_one(fourth, *d);
            }
            rest.iter().for_each(|code| add_one(counts, *code));
        });
        lanes.iter().fold(counts, |mut counts, lane| {
            counts.iter_mut().zip(lane).for_each(|(count, lane)| *count += lane);
            counts
        })
    }

    fn count_in(&self, mut add: impl FnMut(&[u32], &mut [u32])) -> Vec<u32> {
        let mut counts = vec![0; self.combinations];
        for run in self.within.runs() {
            add(self.codes.get(run).unwrap_or_default(), &mut counts);
        }
        counts
    }
}

/// Counts one row more with `code`.
#[inline(always)]
fn add_one(counts: &mut [u32], code: u32) {
    if let Some(count) = counts.get_mut(code as usize) {
        *count += 1;
    }
}

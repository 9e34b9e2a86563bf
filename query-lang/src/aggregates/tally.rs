//! What several functions learn from the same integers, learnt in one walk: how many each slot has, their sum, the
//! least and the greatest.

use std::sync::Arc;

use super::read::{Integers, Range};
use super::slots::Slots;
use super::stretch::Stretch;
use crate::record::Selection;

/// Bits of integers that are counted and summed in one word: as many integers as [`SHORT_COUNT_BITS`] can count have
/// a sum that fits the other bits.
pub(super) const SHORT_BITS: u32 = SHORT_SUM_BITS + 1 - SHORT_COUNT_BITS;
const SHORT_SUM_BITS: u32 = u64::BITS - SHORT_COUNT_BITS;
const SHORT_COUNT_BITS: u32 = 17;
/// An integer in such a word, without its sum.
const ONE_MORE: u64 = 1 << SHORT_SUM_BITS;
/// Most integers summed that way, those of a whole block.
pub(super) const SHORT_ROWS_MAX: usize = 1 << (SHORT_COUNT_BITS - 1);

/// What is to be learnt of a field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) field: &'a Arc<str>,
    /// The least and the greatest, and not count and sum alone.
    pub(super) ranges: bool,
}

/// What a function that is told by a tally takes in: a tally by code, and which slot each code stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coded<'a> {
    pub(super) tally: &'a Tally,
    /// The rows of each code, with a value or without.
    pub(super) rows: &'a [u32],
    /// The slot of each code.
    pub(super) map: &'a [u32],
    /// How many slots there are.
    pub(super) count: usize,
}

/// Short integers, counted a slot each.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    /// Count and sum in one word, a slot each.
    words: Vec<u64>,
    /// A slot each; none where they are not wanted.
    ranges: Vec<Range>,
}

/// Counts and sums the integers of `rows`, each in the word of its slot; hands out the bits that any of them has.
fn add(rows: Stretch<'_>, words: &mut [u64]) -> u64 {
    let mut bits = 0;
    rows.each(|slot, value| {
        bits |= value as u64;
        if let Some(word) = words.get_mut(slot as usize) {
            *word = word.wrapping_add(ONE_MORE.wrapping_add(value as u64));
        }
    });
    bits
}

/// The same, and widens the range of the slot.
fn add_with_ranges(rows: Stretch<'_>, seen: &mut [(u64, Range)]) -> u64 {
    let mut bits = 0;
    rows.each(|slot, value| {
        bits |= value as u64;
        if let Some((word, range)) = seen.get_mut(slot as usize) {
            *word = word.wrapping_add(ONE_MORE.wrapping_add(value as u64));
            range.widen(value);
        }
    });
    bits
}

impl Tally {
    /// The tally of the integers in the rows of `within`; `None` when they are too many or too long for that, or few
    /// for so many slots. `seen` is the range of a slot from before, or of no integers: what is known already a batch
    /// seldom widens.
    pub(super) fn of(
        integers: &Integers<'_>,
        within: &Selection,
        slots: &Slots<'_>,
        wanted: Wanted<'_>,
        seen: impl Fn(usize) -> Range,
    ) -> Option<Tally> {
        if !(slots.count..=SHORT_ROWS_MAX).contains(&within.count()) || integers.rows() > SHORT_ROWS_MAX {
            return None;
        }
        let mut words = vec![0_u64; slots.count];
        // Whether all of them are short is known after the walk; seldom are only some of them.
        let mut bits = integers.first().unwrap_or(0) as u64;
        if bits >> SHORT_BITS != 0 {
            return None;
        }
        let mut ranges = Vec::new();
        if wanted.ranges {
            let mut seen: Vec<(u64, Range)> = (0..slots.count).map(|slot| (0, seen(slot))).collect();
            integers.each_stretch(within, slots, |rows| bits |= add_with_ranges(rows, &mut seen));
            (words, ranges) = seen.into_iter().unzip();
        } else {
            integers.each_stretch(within, slots, |rows| bits |= add(rows, &mut words));
        }
        (bits >> SHORT_BITS == 0).then_some(Tally { words, ranges })
    }

    /// How many integers each slot has, and their sum.
    pub(super) fn sums(&self) -> impl Iterator<Item = (u64, i128)> {
        let sum = |word: u64| i128::from(word & (u64::MAX >> SHORT_COUNT_BITS));
        self.words.iter().map(move |word| (word >> SHORT_SUM_BITS, sum(*word)))
    }

    /// How many integers each slot has.
    pub(super) fn counts(&self) -> Vec<u32> {
        self.words.iter().map(|word| (word >> SHORT_SUM_BITS) as u32).collect()
    }

    /// The least and the greatest of each slot, where they were wanted, and of those seen before.
    pub(super) fn ranges(&self) -> &[Range] {
        &self.ranges
    }
}

//! Reads columns batch-wise: numbers and texts of the rows in play, each distinct text looked at once.

use std::borrow::Cow;

use super::slots::Slots;
use super::stretch::{Stretch, each_stretch};
use crate::record::{Column, Dictionary, Selection};
pub(super) use crate::value::hash_text;
use crate::value::{Number, ValueRef};

/// Calls `f` with each row of `within` whose value is a number.
pub(super) fn each_number(column: &Column, within: &Selection, mut f: impl FnMut(usize, Number)) {
    match column {
        Column::Missing { .. } => {}
        Column::Constant { value, .. } => {
            if let Some(number) = value.number() {
                within.iter().for_each(|row| f(row, number));
            }
        }
        Column::Ints { values, present: None } => {
            for row in within.iter() {
                if let Some(value) = values.get(row) {
                    f(row, Number::Int(*value));
                }
            }
        }
        Column::Text(text) => {
            for row in within.iter() {
                if let Some(number) = text.get(row).and_then(Number::parse) {
                    f(row, number);
                }
            }
        }
        Column::Dictionary { codes, dictionary } => {
            let mut known = ByCode::new(dictionary);
            for row in within.iter() {
                let number =
                    codes.get(row).and_then(|code| known.get(*code, |text| text.and_then(Number::parse)));
                if let Some(number) = number {
                    f(row, number);
                }
            }
        }
        Column::Ints { .. } | Column::Floats { .. } | Column::Unwritten(_) => {
            for row in within.iter() {
                if let Some(number) = column.get(row).and_then(ValueRef::number) {
                    f(row, number);
                }
            }
        }
    }
}

/// Calls `f` with each row of `within` that has a value, and its text.
pub(super) fn each_text(column: &Column, within: &Selection, mut f: impl FnMut(usize, &str)) {
    let mut scratch = String::new();
    match column {
        Column::Constant { value, .. } => {
            let text = value.borrow().text();
            within.iter().for_each(|row| f(row, &text));
        }
        _ => {
            for row in within.iter() {
                if let Some(value) = column.get(row) {
                    f(row, value.text_in(&mut scratch));
                }
            }
        }
    }
}

/// Rows whose texts are hashed at once.
const HASHED_ROWS: usize = 512;

/// Calls `f` with each row of `within` that has a value, and the hash of its text.
pub(super) fn each_hash(column: &Column, within: &Selection, mut f: impl FnMut(usize, u64)) {
    if let Column::Dictionary { codes, dictionary } = column {
        let hashes = dictionary.hashes();
        for row in within.iter() {
            let code = codes.get(row).copied().filter(|code| dictionary.text(*code).is_some());
            if let Some(hash) = code.and_then(|code| hashes.get(code as usize)) {
                f(row, *hash);
            }
        }
    } else {
        each_text(column, within, |row, text| f(row, hash_text(text)));
    }
}

/// Calls `f` with slots and hashes of the values of the rows of `within`: at least once for each that a slot has, many
/// at once where they are.
pub(super) fn each_distinct_hash(
    column: &Column,
    within: &Selection,
    slots: &Slots<'_>,
    mut f: impl FnMut(u32, &[u64]),
) {
    let one = std::slice::from_ref;
    match column {
        Column::Dictionary { codes, dictionary } => {
            let hashes = dictionary.hashes();
            let has_text = |code: u32| dictionary.text(code).is_some();
            match slots.single() {
                Some(slot) => {
                    let mut used = vec![false; hashes.len()];
                    fold(codes, 0, None, within, slots, |_, code: u32| {
                        if let Some(used) = used.get_mut(code as usize) {
                            *used = true;
                        }
                    });
                    for ((code, hash), used) in (0_u32..).zip(hashes).zip(used) {
                        if used && has_text(code) {
                            f(slot, one(hash));
                        }
                    }
                }
                None => fold(codes, 0, None, within, slots, |slot, code: u32| {
                    if let Some(hash) = hashes.get(code as usize).filter(|_| has_text(code)) {
                        f(slot, one(hash));
                    }
                }),
            }
        }
        Column::Unwritten(text) => {
            let mut hashes = [0; HASHED_ROWS];
            for (at, words) in within.words().chunks(HASHED_ROWS / 64).enumerate() {
                if words.iter().all(|word| *word == 0) {
                    continue;
                }
                text.hash(at * HASHED_ROWS, &mut hashes);
                let whole = words.len() == HASHED_ROWS / 64 && words.iter().all(|word| *word == u64::MAX);
                match slots.single() {
                    Some(slot) if whole => f(slot, &hashes),
                    _ => fold(&hashes, at * HASHED_ROWS / 64, None, within, slots, |slot, hash| {
                        f(slot, one(&hash));
                    }),
                }
            }
        }
        _ => each_text(column, within, |row, text| f(slots.of(row), &[hash_text(text)])),
    }
}

/// Calls `f` with slot and value of the rows that are both of `within` and of `present`, all rows or 64 at a time
/// without a look at single bits where all of them are. `values` are those of the rows from word `first` of `within` on.
#[inline(always)]
pub(super) fn fold<T: Copy>(
    values: &[T],
    first: usize,
    present: Option<&Selection>,
    within: &Selection,
    slots: &Slots<'_>,
    mut f: impl FnMut(u32, T),
) {
    if first == 0 && present.is_none() && within.is_all() {
        let values = values.get(..within.rows()).unwrap_or(values);
        match slots.rows_from(0) {
            None => values.iter().for_each(|value| f(slots.of(0), *value)),
            Some(slots) => slots.iter().zip(values).for_each(|(slot, value)| f(*slot, *value)),
        }
        return;
    }
    let words = within.words().iter().enumerate().skip(first);
    for ((at, word), values) in words.zip(values.chunks(64)) {
        let present = present.map_or(u64::MAX, |rows| rows.words().get(at).copied().unwrap_or(0));
        let mut bits = word & present;
        if bits == 0 {
            continue;
        }
        let whole = bits == u64::MAX >> (64 - values.len());
        match (slots.rows_from(at * 64), whole) {
            (None, _) => {
                let slot = slots.of(0);
                if whole {
                    values.iter().for_each(|value| f(slot, *value));
                    continue;
                }
                while bits != 0 {
                    if let Some(value) = values.get(bits.trailing_zeros() as usize) {
                        f(slot, *value);
                    }
                    bits &= bits - 1;
                }
            }
            (Some(slots), true) => slots.iter().zip(values).for_each(|(slot, value)| f(*slot, *value)),
            (Some(slots), false) => {
                while bits != 0 {
                    let row = bits.trailing_zeros() as usize;
                    if let (Some(slot), Some(value)) = (slots.get(row), values.get(row)) {
                        f(*slot, *value);
                    }
                    bits &= bits - 1;
                }
            }
        }
    }
}

/// The numbers of a column all of which are integers of 64 bits.
pub(super) struct Integers<'a> {
    values: Cow<'a, [i64]>,
    present: Option<Cow<'a, Selection>>,
}

impl<'a> Integers<'a> {
    /// Those of `column`; `None` when it may have other numbers, or has so many different texts that reading each
    /// once is no gain.
    pub(super) fn of(column: &'a Column) -> Option<Integers<'a>> {
        match column {
            Column::Ints { values, present } => Some(Integers {
                values: Cow::Borrowed(values),
                present: present.as_deref().map(Cow::Borrowed),
            }),
            Column::Dictionary { codes, dictionary } if dictionary.len() <= codes.len() / 2 => {
                let numbers: Vec<Option<Number>> = (0..dictionary.len() as u32)
                    .map(|code| dictionary.text(code).and_then(Number::parse))
                    .collect();
                let whole = |number: &Option<Number>| matches!(number, None | Some(Number::Int(_)));
                if !numbers.iter().all(whole) {
                    return None;
                }
                let number = |code: u32| match numbers.get(code as usize) {
                    Some(Some(Number::Int(value))) => Some(*value),
                    _ => None,
                };
                let has = |row: usize| codes.get(row).is_some_and(|code| number(*code).is_some());
                let values = codes.iter().map(|code| number(*code).unwrap_or(0)).collect();
                let present = Selection::from_fn(codes.len(), has);
                let present = (!present.is_all()).then_some(Cow::Owned(present));
                Some(Integers { values: Cow::Owned(values), present })
            }
            _ => None,
        }
    }

    /// How many rows there are, with a value or without.
    pub(super) fn rows(&self) -> usize {
        self.values.len()
    }

    /// The first of them, whether its row has a value or not.
    pub(super) fn first(&self) -> Option<i64> {
        self.values.first().copied()
    }

    /// Every row has one.
    pub(super) fn are_everywhere(&self) -> bool {
        self.present.is_none()
    }

    /// Calls `f` with slot and value of the rows of `within` that have one.
    #[inline(always)]
    pub(super) fn each(&self, within: &Selection, slots: &Slots<'_>, f: impl FnMut(u32, i64)) {
        fold(&self.values, 0, self.present.as_deref(), within, slots, f);
    }

    /// The same, many rows at once.
    pub(super) fn each_stretch(&self, within: &Selection, slots: &Slots<'_>, f: impl FnMut(Stretch<'_>)) {
        each_stretch(&self.values, self.present.as_deref(), within, slots, f);
    }
}

/// The least and the greatest of some integers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    least: i64,
    greatest: i64,
}

impl Range {
    /// Of no integers.
    pub(super) const NONE: Range = Range { least: i64::MAX, greatest: i64::MIN };

    /// From `least` to `greatest`.
    pub(super) fn between(least: i64, greatest: i64) -> Range {
        Range { least, greatest }
    }

    /// Takes `value` in. It seldom changes anything, so a branch is foreseen; were both ends written each time, the
    /// next value of the slot would wait for that.
    #[inline(always)]
    pub(super) fn widen(&mut self, value: i64) {
        if value < self.least {
            self.least = value;
        }
        if value > self.greatest {
            self.greatest = value;
        }
    }

    /// The least and the greatest; `None` of no integers.
    pub(super) fn ends(self) -> Option<(i64, i64)> {
        (self.least <= self.greatest).then_some((self.least, self.greatest))
    }
}

/// Something computed from the texts of a dictionary, once for each that occurs.
pub(super) struct ByCode<'a, T> {
    dictionary: &'a Dictionary,
    known: Vec<Option<T>>,
}

impl<'a, T: Copy> ByCode<'a, T> {
    /// Nothing computed yet.
    pub(super) fn new(dictionary: &'a Dictionary) -> ByCode<'a, T> {
        ByCode { dictionary, known: vec![None; dictionary.len()] }
    }

    /// What `compute` makes of the text of `code`; the default for codes that have none.
    #[inline]
    pub(super) fn get(&mut self, code: u32, compute: impl FnOnce(Option<&str>) -> T) -> T {
        match self.known.get_mut(code as usize) {
            Some(Some(value)) => *value,
            Some(slot) => {
                let value = compute(self.dictionary.text(code));
                *slot = Some(value);
                value
            }
            None => compute(None),
        }
    }
}

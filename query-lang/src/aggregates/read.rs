//! Reads columns batch-wise: numbers and texts of the rows in play, each distinct text looked at once.

use crate::record::{Column, Dictionary, Selection};
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
            let arena = text.arena.as_str();
            for row in within.iter() {
                let value = text.spans.get(row).and_then(|span| span.of(arena));
                if let Some(number) = value.and_then(Number::parse) {
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
        Column::Ints { .. } | Column::Floats { .. } => {
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

/// Calls `f` with each row of `within` that has a value, and a hash of its text that is the same on every machine.
pub(super) fn each_hash(column: &Column, within: &Selection, mut f: impl FnMut(usize, u64)) {
    if let Column::Dictionary { codes, dictionary } = column {
        let mut known = ByCode::new(dictionary);
        for row in within.iter() {
            let hash = codes.get(row).and_then(|code| known.get(*code, |text| text.map(hash_text)));
            if let Some(hash) = hash {
                f(row, hash);
            }
        }
    } else {
        each_text(column, within, |row, text| f(row, hash_text(text)));
    }
}

/// The hash of a text, the same on every machine and in every version.
#[inline]
pub(super) fn hash_text(text: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
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

//! The only home of comparison, coercion and missing-field rules.
//!
//! A value is text; where an operation asks for a number, its text is read as one. A column may hold numbers as
//! numbers, which must never show: the text of an integer is its decimal form, that of a float its shortest
//! round-trip form without a trailing `.0`, and the *number* of a float is the number its text says.
//!
//! | file | rule |
//! |---|---|
//! | [`number`] | which text is a number, its exact value, its order, arithmetic |
//! | [`mod@print`] | the text of a number |
//! | [`compare`] | `=`, `!=`, `<` of filters; `==`, `+`, `!` of expressions; truth |
//! | [`order`] | the order of values in `sort` and `table` |
//! | [`exact`] | sums that do not depend on the order of their terms |
//!
//! A missing field is `None` throughout. Nothing here ever fails: what is not a number is `None`.

pub mod big;
mod coding;
pub mod compare;
pub mod exact;
pub mod number;
pub mod order;
pub mod print;

use std::borrow::Cow;
use std::sync::Arc;

pub use compare::{equal, truth};
pub use exact::ExactSum;
pub use number::Number;
pub use order::{SortKey, SortType};

/// The hash of a text, the same on every machine and in every version.
#[inline]
#[must_use]
pub fn hash_text(text: &str) -> u64 {
    hash_bytes(text.as_bytes())
}

/// The [`hash_text`] of the text that these bytes are.
#[inline]
#[must_use]
pub fn hash_bytes(text: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text)
}

/// Puts the [`hash_bytes`] of each of `texts`, which are of `len` bytes and lie end to end, into `hashes`, as far as there
/// are both.
pub fn hash_each(texts: &[u8], len: usize, hashes: &mut [u64]) {
    // The hash of a known length is few instructions, which stand in the loop itself: several are under way at once.
    match len {
        16 => hash_known::<16>(texts, hashes),
        32 => hash_known::<32>(texts, hashes),
        36 => hash_known::<36>(texts, hashes),
        _ => {
            let texts = texts.chunks_exact(len.max(1));
            hashes.iter_mut().zip(texts).for_each(|(hash, text)| *hash = hash_bytes(text));
        }
    }
}

/// As [`hash_each`], of `LEN` bytes.
fn hash_known<const LEN: usize>(texts: &[u8], hashes: &mut [u64]) {
    let texts = texts.as_chunks::<LEN>().0;
    hashes.iter_mut().zip(texts).for_each(|(hash, text)| *hash = hash_bytes(text));
}

/// A value by itself.
#[derive(Clone, Debug)]
pub enum Value {
    /// Text.
    Text(Arc<str>),
    /// An integer; its text is its decimal form.
    Int(i64),
    /// A number; its text is its shortest round-trip form.
    Float(f64),
}

/// A value in a column.
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    /// Text.
    Text(&'a str),
    /// An integer; its text is its decimal form.
    Int(i64),
    /// A number; its text is its shortest round-trip form.
    Float(f64),
}

impl Value {
    /// The value in borrowed form.
    #[must_use]
    pub fn borrow(&self) -> ValueRef<'_> {
        match self {
            Value::Text(text) => ValueRef::Text(text),
            Value::Int(value) => ValueRef::Int(*value),
            Value::Float(value) => ValueRef::Float(*value),
        }
    }

    /// A text value.
    #[must_use]
    pub fn text(text: &str) -> Value {
        Value::Text(Arc::from(text))
    }

    /// `true` or `false`.
    #[must_use]
    pub fn truth(truth: bool) -> Value {
        Value::text(if truth { "true" } else { "false" })
    }

    /// The number it says, if it says one.
    #[must_use]
    pub fn number(&self) -> Option<Number> {
        self.borrow().number()
    }
}

/// Values are equal when their texts are.
impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        self.borrow().text() == other.borrow().text()
    }
}

impl<'a> ValueRef<'a> {
    /// Its text; allocates only for numbers.
    #[must_use]
    pub fn text(self) -> Cow<'a, str> {
        match self {
            ValueRef::Text(text) => Cow::Borrowed(text),
            number => {
                let mut text = String::with_capacity(24);
                number.write_text(&mut text);
                Cow::Owned(text)
            }
        }
    }

    /// Its text, written into `scratch` only when it is not text already.
    #[must_use]
    pub fn text_in<'b>(self, scratch: &'b mut String) -> &'b str
    where
        'a: 'b,
    {
        match self {
            ValueRef::Text(text) => text,
            number => {
                scratch.clear();
                number.write_text(scratch);
                scratch
            }
        }
    }

    /// Appends its text.
    pub fn write_text(self, out: &mut String) {
        match self {
            ValueRef::Text(text) => out.push_str(text),
            ValueRef::Int(value) => print::write_int(value, out),
            ValueRef::Float(value) => print::write_float(value, out),
        }
    }

    /// The number it says, if it says one.
    #[inline]
    #[must_use]
    pub fn number(self) -> Option<Number> {
        match self {
            ValueRef::Text(text) => Number::parse(text),
            ValueRef::Int(value) => Some(Number::Int(value)),
            ValueRef::Float(value) => Number::from_f64(value),
        }
    }

    /// The nearest double to the number it says, if it says one.
    #[inline]
    #[must_use]
    pub fn float(self) -> Option<f64> {
        match self {
            ValueRef::Float(value) => value.is_finite().then_some(value),
            other => other.number().map(Number::to_f64),
        }
    }

    /// The value by itself.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self {
            ValueRef::Text(text) => Value::text(text),
            ValueRef::Int(value) => Value::Int(value),
            ValueRef::Float(value) => Value::Float(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_hashes_are_those_of_each() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1_000).collect();
        for len in 1..=256 {
            let texts: Vec<u64> = bytes.chunks_exact(len).map(hash_bytes).collect();
            let mut hashes = vec![0; texts.len() + 1];
            hash_each(&bytes, len, &mut hashes);
            assert_eq!(hashes[..texts.len()], texts, "{len}");
            assert_eq!(hashes[texts.len()], 0, "{len}");
            let mut few = [0; 2];
            hash_each(&bytes, len, &mut few);
            assert_eq!(few, texts[..2], "{len}");
        }
        hash_each(&bytes, 0, &mut []);
    }
}

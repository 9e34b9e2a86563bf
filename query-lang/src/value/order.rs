//! The order of values in `sort`, `table` and wherever rows are ranked.
//!
//! Values that are of the type sorted by come first, in the order asked for; then those that are not, as text, in
//! the same direction; rows without the field come last. The three groups keep their places when the order is
//! reversed, so that `order=desc` never puts a page of empty rows first.

use std::cmp::Ordering;

use super::{Number, ValueRef};

/// How values are read for sorting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SortType {
    /// As numbers; other text after them. `any` is the same.
    #[default]
    Number,
    /// As text, by code point.
    Text,
    /// As hexadecimal integers with or without `0x`; other text after them.
    Hex,
}

/// A value read for sorting, in groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SortKey<T> {
    /// It is of the type: a number.
    Number(Number),
    /// It is of the type `hex`.
    Hex(u128),
    /// Any text.
    Text(T),
    /// The field is missing.
    Missing,
}

impl SortType {
    /// Reads `value` for sorting. `scratch` holds the text of numbers that are sorted as text.
    #[must_use]
    pub fn key<'a>(self, value: Option<ValueRef<'a>>, scratch: &'a mut String) -> SortKey<&'a str> {
        let Some(value) = value else { return SortKey::Missing };
        let read = match self {
            SortType::Number => value.number().map(SortKey::Number),
            SortType::Text => None,
            SortType::Hex => parse_hex(&value.text()).map(SortKey::Hex),
        };
        read.unwrap_or_else(|| SortKey::Text(value.text_in(scratch)))
    }
}

/// A hexadecimal integer of up to 32 digits, with or without `0x`.
#[must_use]
pub fn parse_hex(text: &str) -> Option<u128> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    if digits.starts_with('+') {
        return None;
    }
    u128::from_str_radix(digits, 16).ok()
}

impl<T: AsRef<str>> SortKey<T> {
    /// Compares two keys of the same [`SortType`]. `descending` turns the order inside a group, not the groups.
    #[must_use]
    pub fn compare<U: AsRef<str>>(&self, other: &SortKey<U>, descending: bool) -> Ordering {
        let turn = |order: Ordering| if descending { order.reverse() } else { order };
        match (self, other) {
            (SortKey::Number(a), SortKey::Number(b)) => turn(a.cmp(b)),
            (SortKey::Hex(a), SortKey::Hex(b)) => turn(a.cmp(b)),
            (SortKey::Text(a), SortKey::Text(b)) => turn(a.as_ref().cmp(b.as_ref())),
            _ => self.group().cmp(&other.group()),
        }
    }

    /// The key by itself.
    #[must_use]
    pub fn to_owned(&self) -> SortKey<Box<str>> {
        match self {
            SortKey::Number(number) => SortKey::Number(*number),
            SortKey::Hex(value) => SortKey::Hex(*value),
            SortKey::Text(text) => SortKey::Text(Box::from(text.as_ref())),
            SortKey::Missing => SortKey::Missing,
        }
    }

    fn group(&self) -> u8 {
        match self {
            SortKey::Number(_) | SortKey::Hex(_) => 0,
            SortKey::Text(_) => 1,
            SortKey::Missing => 2,
        }
    }
}

/// Compares two present values, numbers before text, ascending: the order in which results list their keys.
#[must_use]
pub fn natural(a: &str, b: &str) -> Ordering {
    match (Number::parse(a), Number::parse(b)) {
        (Some(x), Some(y)) => x.cmp(&y).then_with(|| a.cmp(b)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// The beginning of a value's place in [`natural`] order: of two values, that with the lower beginning comes first; with
/// the same, [`natural`] tells. Sorting by it reads each value once instead of at each comparison.
#[must_use]
pub fn natural_prefix(text: &str) -> u64 {
    const TEXT: u64 = 1 << 63;
    match Number::parse(text) {
        Some(number) => {
            // The bits of doubles are in their order when the sign is turned, and those below zero wholly. Rounding to
            // a double keeps the order, too.
            let bits = number.to_f64().to_bits();
            let ordered = if bits >> 63 == 0 { bits | TEXT } else { !bits };
            ordered >> 1
        }
        None => {
            let mut first = [0; 8];
            first.iter_mut().zip(text.bytes()).for_each(|(into, byte)| *into = byte);
            TEXT | (u64::from_be_bytes(first) >> 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(
        kind: SortType,
        descending: bool,
        values: &[Option<&'static str>],
    ) -> Vec<Option<&'static str>> {
        let mut rows = values.to_vec();
        rows.sort_by(|a, b| {
            let (mut x, mut y) = (String::new(), String::new());
            let a = kind.key(a.map(ValueRef::Text), &mut x);
            a.compare(&kind.key(b.map(ValueRef::Text), &mut y), descending)
        });
        rows
    }

    #[test]
    fn groups_keep_their_places() {
        let rows = [None, Some("b"), Some("10"), Some("9"), Some("a"), Some("-1.5"), Some("")];
        assert_eq!(
            sorted(SortType::Number, false, &rows),
            [Some("-1.5"), Some("9"), Some("10"), Some(""), Some("a"), Some("b"), None]
        );
        assert_eq!(
            sorted(SortType::Number, true, &rows),
            [Some("10"), Some("9"), Some("-1.5"), Some("b"), Some("a"), Some(""), None]
        );
        assert_eq!(
            sorted(SortType::Text, false, &rows),
            [Some(""), Some("-1.5"), Some("10"), Some("9"), Some("a"), Some("b"), None]
        );
        assert_eq!(
            sorted(SortType::Hex, false, &[Some("0xff"), Some("10"), Some("zz"), Some("A"), None]),
            [Some("A"), Some("10"), Some("0xff"), Some("zz"), None]
        );
    }

    #[test]
    fn prefixes_are_in_natural_order() {
        let values = [
            "",
            " ",
            "a",
            "abcdefg",
            "abcdefgh",
            "abcdefgi",
            "b",
            "\u{10ffff}",
            "z\0",
            "z",
            "-",
            "1e400",
            "0x10",
            "-1e300",
            "-2",
            "-1.5",
            "-1",
            "-0.0",
            "0",
            "1e-300",
            "0.1",
            "1",
            "1.0",
            "9",
            "10",
            "9007199254740992",
            "9007199254740993",
            "170141183460469231731687303715884105727",
            "1e300",
            "8f05d19d593f9627",
            "00",
            "+7",
        ];
        for a in values {
            for b in values {
                let prefixes = natural_prefix(a).cmp(&natural_prefix(b));
                assert!(prefixes.is_eq() || prefixes == natural(a, b), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn natural_order_puts_numbers_first() {
        let mut keys = ["b", "10", "9", "", "1.0", "1"];
        keys.sort_by(|a, b| natural(a, b));
        assert_eq!(keys, ["1", "1.0", "9", "10", "", "b"]);
    }
}

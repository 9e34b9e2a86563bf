//! Numbers and sort keys as bytes.
//!
//! ```text
//! number    varint, its two low bits: 0 the integer above them (signed); 1 a decimal of so many places, its digits
//!           (signed) follow; 2 a double, its 8 bytes follow; 3 no number
//! sort key  one byte: 0 missing; 1 a number, 2 a hexadecimal integer (varint), 3 a text, which follows
//! ```

use super::{Number, SortKey, SortType};
use crate::coding::{Coding, DecodeError, Reader, read_text, write_long, write_text};

const INT: u128 = 0;
const DECIMAL: u128 = 1;
const FLOAT: u128 = 2;
const NONE: u128 = 3;
const TAG_BITS: u32 = 2;

/// What stands for no number.
const NUMBER: DecodeError = DecodeError::Damaged("a number is not in its normal form");

/// As the signed integers of varints, of 128 bits.
pub(super) fn unsigned(value: i128) -> u128 {
    (value << 1 ^ value >> 127) as u128
}

/// The inverse of [`unsigned`].
pub(super) fn signed(value: u128) -> i128 {
    (value >> 1) as i128 ^ -((value & 1) as i128)
}

impl Coding for Option<Number> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            None => write_long(NONE, out),
            Some(Number::Int(value)) => write_long(unsigned((*value).into()) << TAG_BITS | INT, out),
            Some(Number::Decimal { digits, scale }) => {
                write_long(u128::from(*scale) << TAG_BITS | DECIMAL, out);
                write_long(unsigned(*digits), out);
            }
            Some(Number::Float(value)) => {
                write_long(FLOAT, out);
                out.extend_from_slice(&value.to_bits().to_le_bytes());
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Option<Number>, DecodeError> {
        let head = from.long()?;
        let (tag, rest) = (head & ((1 << TAG_BITS) - 1), head >> TAG_BITS);
        match tag {
            INT => i64::try_from(signed(rest)).map(|value| Some(Number::Int(value))).map_err(|_| NUMBER),
            DECIMAL => {
                let digits = signed(from.long()?);
                let scale = u8::try_from(rest).map_err(|_| NUMBER)?;
                let number = Number::Decimal { digits, scale };
                let is_normal = Number::from_decimal(digits, scale.into()) == number;
                if is_normal { Ok(Some(number)) } else { Err(NUMBER) }
            }
            FLOAT if rest == 0 => {
                let number = Number::Float(f64::from_bits(u64::from_le_bytes(from.array()?)));
                let is_normal = Number::from_f64(number.to_f64()) == Some(number);
                if is_normal { Ok(Some(number)) } else { Err(NUMBER) }
            }
            NONE if rest == 0 => Ok(None),
            _ => Err(NUMBER),
        }
    }
}

impl Coding for Number {
    fn write(&self, out: &mut Vec<u8>) {
        Some(*self).write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Number, DecodeError> {
        Option::read(from)?.ok_or(NUMBER)
    }
}

const KEY_MISSING: u8 = 0;
const KEY_NUMBER: u8 = 1;
const KEY_HEX: u8 = 2;
const KEY_TEXT: u8 = 3;

impl SortKey<Box<str>> {
    /// Appends it to `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            SortKey::Missing => out.push(KEY_MISSING),
            SortKey::Number(number) => {
                out.push(KEY_NUMBER);
                number.write(out);
            }
            SortKey::Hex(value) => {
                out.push(KEY_HEX);
                write_long(*value, out);
            }
            SortKey::Text(text) => {
                out.push(KEY_TEXT);
                write_text("", text, out);
            }
        }
    }

    /// Reads a key of type `kind`: only those can be ranked with each other.
    pub(crate) fn read(kind: SortType, from: &mut Reader<'_>) -> Result<SortKey<Box<str>>, DecodeError> {
        let [tag] = from.array()?;
        match (tag, kind) {
            (KEY_MISSING, _) => Ok(SortKey::Missing),
            (KEY_NUMBER, SortType::Number) => Number::read(from).map(SortKey::Number),
            (KEY_HEX, SortType::Hex) => from.long().map(SortKey::Hex),
            (KEY_TEXT, _) => {
                let mut text = String::new();
                read_text(&mut text, from)?;
                Ok(SortKey::Text(text.into()))
            }
            _ => Err(DecodeError::Damaged("a sort key is of another type")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coding::Reader;
    use proptest::prelude::*;

    fn number() -> impl Strategy<Value = Number> {
        prop_oneof![
            any::<i64>().prop_map(Number::Int),
            (any::<i128>(), 0_u32..40).prop_map(|(digits, scale)| Number::from_decimal(digits, scale)),
            any::<f64>().prop_filter_map("finite", Number::from_f64),
            "-?[0-9]{0,45}[.]?[0-9]{1,45}(e-?[0-9]{1,3})?"
                .prop_filter_map("number", |text| Number::parse(&text)),
        ]
    }

    proptest! {
        #[test]
        fn numbers_come_back(numbers in prop::collection::vec(prop::option::of(number()), 0..20)) {
            let mut bytes = Vec::new();
            numbers.iter().for_each(|number| number.write(&mut bytes));
            let mut from = Reader::new(&bytes);
            for number in &numbers {
                prop_assert_eq!(&Option::<Number>::read(&mut from), &Ok(*number));
            }
            prop_assert_eq!(from.finish(), Ok(()));
        }

        #[test]
        fn what_is_read_is_in_normal_form(bytes in prop::collection::vec(any::<u8>(), 0..30)) {
            if let Ok(Some(number)) = Option::<Number>::read(&mut Reader::new(&bytes)) {
                let text = number.to_value().borrow().text().into_owned();
                prop_assert_eq!(Number::parse(&text), Some(number));
            }
        }

        #[test]
        fn sort_keys_come_back(text in "[0-9a-fx.é-]{0,6}") {
            for kind in [SortType::Number, SortType::Text, SortType::Hex] {
                for value in [None, Some(crate::value::ValueRef::Text(&text))] {
                    let mut scratch = String::new();
                    let key = kind.key(value, &mut scratch).to_owned();
                    let mut bytes = Vec::new();
                    key.write(&mut bytes);
                    let mut from = Reader::new(&bytes);
                    prop_assert_eq!(SortKey::read(kind, &mut from), Ok(key));
                    prop_assert_eq!(from.finish(), Ok(()));
                }
            }
        }
    }

    #[test]
    fn keys_of_another_type_are_refused() {
        let mut bytes = Vec::new();
        SortKey::Number(Number::Int(1)).write(&mut bytes);
        assert!(SortKey::read(SortType::Text, &mut Reader::new(&bytes)).is_err());
        assert!(SortKey::read(SortType::Hex, &mut Reader::new(&bytes)).is_err());
    }
}

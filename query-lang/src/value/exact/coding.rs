//! Exact sums as bytes.
//!
//! ```text
//! sum        varint (integers as signed << 1 | is there a rest)
//! rest       varint (decimals << 1 | are there doubles), the decimals, the register of doubles
//! decimal    its length in bytes, and these, little-endian two's complement without what its sign tells
//! register   varint (limbs << 1 | negative), varint of the lowest limb that is not 0, and from there on the limbs of the
//!            absolute value, 4 bytes each
//! ```
//!
//! That there is a rest is told even where it comes to nothing: a sum is printed by what its terms were.

use super::{LIMB_BITS, REGISTER_LIMBS, Register, Rest, Wide};
use crate::coding::{Coding, DecodeError, Reader, write_count, write_long, write_varint};
use crate::value::ExactSum;
use crate::value::coding::{signed, unsigned};
use crate::value::number::MAX_SCALE;

/// The sum of the integers is below this: fewer than [`crate::coding::ROWS_MAX`] terms of 64 bits.
const INTEGERS_BELOW: u128 = 1 << 117;
/// Bytes of a [`Wide`].
const WIDE_BYTES: usize = 24;
const LIMB_BYTES: usize = LIMB_BITS / 8;

const SUM: DecodeError = DecodeError::Damaged("a sum is out of range");

impl Coding for ExactSum {
    fn write(&self, out: &mut Vec<u8>) {
        write_long(unsigned(self.integers) << 1 | u128::from(self.rest.is_some()), out);
        let Some(rest) = &self.rest else { return };
        let used = rest.decimals.iter().rposition(|wide| *wide != Wide::default()).map_or(0, |last| last + 1);
        write_varint((used as u64) << 1 | u64::from(rest.doubles.is_some()), out);
        rest.decimals.iter().take(used).for_each(|wide| wide.write(out));
        if let Some(doubles) = &rest.doubles {
            doubles.write(out);
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<ExactSum, DecodeError> {
        let head = from.long()?;
        let integers = signed(head >> 1);
        if integers.unsigned_abs() >= INTEGERS_BELOW {
            return Err(SUM);
        }
        if head & 1 == 0 {
            return Ok(ExactSum { integers, rest: None });
        }
        let head = from.varint()?;
        if head >> 1 > 2 * u64::from(MAX_SCALE) + 1 {
            return Err(SUM);
        }
        let decimals = (0..head >> 1).map(|_| Wide::read(from)).collect::<Result<_, _>>()?;
        let doubles = if head & 1 == 1 { Some(Box::new(Register::read(from)?)) } else { None };
        Ok(ExactSum { integers, rest: Some(Box::new(Rest { decimals, doubles })) })
    }
}

impl Coding for Wide {
    fn write(&self, out: &mut Vec<u8>) {
        let mut bytes = [0; WIDE_BYTES];
        let halves = self.low.to_le_bytes().into_iter().chain(self.high.to_le_bytes());
        bytes.iter_mut().zip(halves).for_each(|(byte, from)| *byte = from);
        let sign = if self.high < 0 { 0xff } else { 0 };
        let mut length = bytes.iter().rposition(|byte| *byte != sign).map_or(0, |last| last + 1);
        // The highest bit that is told is that of the sign.
        let last = length.checked_sub(1).and_then(|last| bytes.get(last)).copied().unwrap_or(0);
        if (last ^ sign) & 0x80 != 0 || (length == 0 && sign != 0) {
            length += 1;
        }
        write_count(length, out);
        out.extend_from_slice(bytes.get(..length).unwrap_or_default());
    }

    fn read(from: &mut Reader<'_>) -> Result<Wide, DecodeError> {
        let length = from.count(1)?;
        if length > WIDE_BYTES {
            return Err(SUM);
        }
        let told = from.take(length)?;
        let sign = if told.last().is_some_and(|last| last & 0x80 != 0) { 0xff } else { 0 };
        let (mut low, mut high) = ([sign; 16], [sign; 8]);
        low.iter_mut().chain(&mut high).zip(told).for_each(|(byte, from)| *byte = *from);
        Ok(Wide { low: u128::from_le_bytes(low), high: i64::from_le_bytes(high) })
    }
}

impl Coding for Register {
    fn write(&self, out: &mut Vec<u8>) {
        let (negative, carried) = self.absolute();
        let first = carried.limbs.iter().position(|limb| *limb != 0).unwrap_or(0);
        let end = carried.limbs.iter().rposition(|limb| *limb != 0).map_or(first, |last| last + 1);
        write_varint(((end - first) as u64) << 1 | u64::from(negative), out);
        write_count(first, out);
        for limb in carried.limbs.get(first..end).unwrap_or_default() {
            out.extend_from_slice(&(*limb as u32).to_le_bytes());
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Register, DecodeError> {
        let head = from.varint()?;
        let count = from.fits(head >> 1, LIMB_BYTES)?;
        let first = usize::try_from(from.varint()?).map_err(|_| SUM)?;
        let sign = if head & 1 == 1 { -1 } else { 1 };
        // Limbs that are carried stick out no more than those of one term do.
        let mut register = Register { pending: 1, ..Register::default() };
        if first.checked_add(count).is_none_or(|end| end > REGISTER_LIMBS) {
            return Err(SUM);
        }
        for limb in register.limbs.iter_mut().skip(first).take(count) {
            *limb = sign * i64::from(u32::from_le_bytes(from.array()?));
        }
        Ok(register)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Number;
    use proptest::prelude::*;

    fn bytes(sum: &ExactSum) -> Vec<u8> {
        let mut bytes = Vec::new();
        sum.write(&mut bytes);
        bytes
    }

    fn read(bytes: &[u8]) -> Result<ExactSum, DecodeError> {
        let mut from = Reader::new(bytes);
        let sum = ExactSum::read(&mut from)?;
        from.finish()?;
        Ok(sum)
    }

    fn number() -> impl Strategy<Value = Number> {
        prop_oneof![
            any::<i64>().prop_map(Number::Int),
            (any::<i128>(), 0_u32..30)
                .prop_map(|(digits, scale)| Number::from_decimal(digits >> scale, scale)),
            any::<f64>().prop_filter_map("finite", Number::from_f64),
            (-9..9_i64).prop_map(Number::Int),
        ]
    }

    proptest! {
        #[test]
        fn sums_come_back(
            mut terms in prop::collection::vec(number(), 0..12),
            more in prop::collection::vec(number(), 0..4),
            cancels in any::<bool>(),
        ) {
            let mut sum = ExactSum::default();
            terms.iter().for_each(|term| sum.add(*term));
            if cancels {
                terms.iter().for_each(|term| sum.add(term.negate()));
            }
            let written = bytes(&sum);
            let mut back = read(&written).unwrap();
            prop_assert_eq!(bytes(&back), written.clone());
            prop_assert_eq!((back.number(), back.total(), back.mean(3)), (sum.number(), sum.total(), sum.mean(3)));
            if !cancels {
                terms.reverse();
                let mut turned = ExactSum::default();
                terms.iter().for_each(|term| turned.add(*term));
                prop_assert_eq!(bytes(&turned), written.clone(), "the order of terms does not show");
            }
            for term in &more {
                back.add(*term);
                sum.add(*term);
            }
            back.merge(&sum.clone());
            sum.merge(&sum.clone());
            prop_assert_eq!(back.number(), sum.number());
            prop_assert!((0..written.len()).all(|cut| read(&written[..cut]).is_err()));
        }

        #[test]
        fn any_bytes_are_a_sum_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(mut sum) = read(&bytes) {
                sum.merge(&sum.clone());
                let _ = (sum.number(), sum.mean(3));
            }
        }
    }

    #[test]
    fn decimals_are_told_by_as_few_bytes_as_their_sign_allows() {
        for (value, length) in [(0, 0), (-1, 1), (127, 1), (128, 2), (-128, 1), (-129, 2), (1 << 120, 16)] {
            let mut out = Vec::new();
            Wide::from_i128(value).write(&mut out);
            assert_eq!(out.len(), length + 1, "{value}");
            assert_eq!(Wide::read(&mut Reader::new(&out)), Ok(Wide::from_i128(value)));
        }
    }

    #[test]
    fn integers_beyond_all_rows_are_refused() {
        for (integers, fits) in [(INTEGERS_BELOW - 1, true), (INTEGERS_BELOW, false)] {
            let sum = ExactSum { integers: -(integers as i128), rest: None };
            assert_eq!(read(&bytes(&sum)).is_ok(), fits);
        }
    }
}

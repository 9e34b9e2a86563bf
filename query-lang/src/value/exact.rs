//! Sums that are exact, and therefore the same in whatever order their terms come.
//!
//! Integers go into one 128-bit sum (2^64 terms of 64 bits cannot overflow it). Decimals go into one 192-bit sum
//! for each number of places. What is neither, a double far from 1, goes into a fixed-point register as wide as
//! all doubles (U. Kulisch's long accumulator). Only the total is rounded, once.

mod coding;

use super::big::Big;
use super::number::{MAX_SCALE, Number};

/// Bits of one limb of the long register.
const LIMB_BITS: usize = 32;
/// The unit of the long register is 2^-1074, the smallest double.
const REGISTER_UNIT: u32 = 1074;
/// 1074 + 1024 bits of doubles, and 64 more for as many terms as anyone can add.
const REGISTER_LIMBS: usize = (1074 + 1024 + 64) / LIMB_BITS + 1;

/// An exact sum of numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExactSum {
    integers: i128,
    rest: Option<Box<Rest>>,
}

/// Terms that are not 64-bit integers.
#[derive(Clone, Debug, Default, PartialEq)]
struct Rest {
    /// A sum for each number of places, as far as needed.
    decimals: Vec<Wide>,
    doubles: Option<Box<Register>>,
}

/// A 192-bit two's-complement integer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Wide {
    low: u128,
    high: i64,
}

impl Wide {
    #[inline]
    fn add(&mut self, other: Wide) {
        let (low, carry) = self.low.overflowing_add(other.low);
        self.low = low;
        self.high = self.high.wrapping_add(other.high).wrapping_add(i64::from(carry));
    }

    fn from_i128(value: i128) -> Wide {
        Wide { low: value as u128, high: if value < 0 { -1 } else { 0 } }
    }

    fn to_big(self, scale: u32) -> Big {
        let negative = self.high < 0;
        let (low, high) = if negative {
            let (low, carry) = (!self.low).overflowing_add(1);
            (low, (!self.high).wrapping_add(i64::from(carry)))
        } else {
            (self.low, self.high)
        };
        let mut limbs: Vec<u32> = (0..4).map(|limb| (low >> (limb * 32)) as u32).collect();
        limbs.extend([high as u32, (high >> 32) as u32]);
        Big::from_limbs(negative, limbs, scale)
    }
}

/// Every double as a multiple of 2^-1074. Limbs hold signed sums that may stick out of their 32 bits; they are
/// only carried when the sum is read.
#[derive(Clone, Debug, PartialEq)]
struct Register {
    limbs: [i64; REGISTER_LIMBS],
    /// Terms since the last carry: each adds less than 2^32 to a limb.
    pending: u32,
}

impl Default for Register {
    fn default() -> Register {
        Register { limbs: [0; REGISTER_LIMBS], pending: 0 }
    }
}

impl Register {
    fn add(&mut self, value: f64) {
        let bits = value.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as usize;
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, shift) =
            if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        let placed = u128::from(mantissa) << (shift % LIMB_BITS);
        let sign = if value < 0.0 { -1 } else { 1 };
        for (at, limb) in self.limbs.iter_mut().skip(shift / LIMB_BITS).take(3).enumerate() {
            *limb += sign * i64::from((placed >> (at * LIMB_BITS)) as u32);
        }
        self.pending += 1;
        if self.pending >= 1 << 30 {
            self.carry();
        }
    }

    /// Brings every limb but the last into `0..2^32`.
    fn carry(&mut self) {
        let mut carry = 0_i64;
        let last = self.limbs.len() - 1;
        for (at, limb) in self.limbs.iter_mut().enumerate() {
            let total = *limb + carry;
            if at == last {
                *limb = total;
            } else {
                *limb = total & 0xffff_ffff;
                carry = total >> LIMB_BITS;
            }
        }
        self.pending = 0;
    }

    fn merge(&mut self, other: &Register) {
        let mut other = other.clone();
        other.carry();
        self.carry();
        for (mine, theirs) in self.limbs.iter_mut().zip(&other.limbs) {
            *mine += theirs;
        }
        self.carry();
    }

    /// Whether it is negative, and its absolute value, carried.
    fn absolute(&self) -> (bool, Register) {
        let mut carried = self.clone();
        carried.carry();
        let negative = carried.limbs.last().is_some_and(|last| *last < 0);
        if negative {
            for limb in &mut carried.limbs {
                *limb = -*limb;
            }
            carried.carry();
        }
        (negative, carried)
    }

    fn to_big(&self) -> Big {
        let (negative, carried) = self.absolute();
        let mut limbs: Vec<u32> = carried.limbs.iter().map(|limb| *limb as u32).collect();
        limbs.extend(carried.limbs.last().map(|last| (last >> LIMB_BITS) as u32));
        // n * 2^-1074 is n * 5^1074 / 10^1074.
        let mut fives = Big::new(1, 0);
        let step = Big::new(5_i128.pow(54), 0);
        for _ in 0..REGISTER_UNIT / 54 {
            fives = fives.multiply(&step);
        }
        fives = fives.multiply(&Big::new(5_i128.pow(REGISTER_UNIT % 54), 0));
        Big::from_limbs(negative, limbs, 0).multiply(&fives).multiply(&Big::new(1, REGISTER_UNIT))
    }
}

impl ExactSum {
    /// Adds an integer.
    #[inline]
    pub fn add_int(&mut self, value: i64) {
        self.integers += i128::from(value);
    }

    /// Adds the sum of integers of 64 bits, of fewer than 2^62 of them.
    #[inline]
    pub fn add_ints(&mut self, sum: i128) {
        self.integers += sum;
    }

    /// Adds a number.
    #[inline]
    pub fn add(&mut self, number: Number) {
        match number {
            Number::Int(value) => self.add_int(value),
            Number::Decimal { digits, scale } => self.add_decimal(digits, scale),
            Number::Float(value) => self.add_double(value),
        }
    }

    /// Adds `digits / 10^scale`; `scale` is at most twice [`MAX_SCALE`].
    pub fn add_decimal(&mut self, digits: i128, scale: u8) {
        let decimals = &mut self.rest.get_or_insert_default().decimals;
        let scale = usize::from(scale.min(2 * MAX_SCALE));
        if decimals.len() <= scale {
            decimals.resize(scale + 1, Wide::default());
        }
        if let Some(wide) = decimals.get_mut(scale) {
            wide.add(Wide::from_i128(digits));
        }
    }

    /// Adds a finite double by its binary value.
    pub fn add_double(&mut self, value: f64) {
        if value.is_finite() {
            self.rest.get_or_insert_default().doubles.get_or_insert_default().add(value);
        }
    }

    /// Adds all terms of `other`.
    pub fn merge(&mut self, other: &ExactSum) {
        self.integers += other.integers;
        let Some(theirs) = &other.rest else { return };
        let mine = self.rest.get_or_insert_default();
        if mine.decimals.len() < theirs.decimals.len() {
            mine.decimals.resize(theirs.decimals.len(), Wide::default());
        }
        for (mine, theirs) in mine.decimals.iter_mut().zip(&theirs.decimals) {
            mine.add(*theirs);
        }
        if let Some(theirs) = &theirs.doubles {
            mine.doubles.get_or_insert_default().merge(theirs);
        }
    }

    /// The exact sum.
    #[must_use]
    pub fn total(&self) -> Big {
        let mut total = Big::new(self.integers, 0);
        if let Some(rest) = &self.rest {
            for (scale, wide) in (0_u32..).zip(&rest.decimals) {
                if *wide != Wide::default() {
                    total = total.add(&wide.to_big(scale));
                }
            }
            if let Some(doubles) = &rest.doubles {
                total = total.add(&doubles.to_big());
            }
        }
        total
    }

    /// The sum in normal form; `None` when it is beyond the doubles.
    #[must_use]
    pub fn number(&self) -> Option<Number> {
        match (&self.rest, i64::try_from(self.integers)) {
            (None, Ok(value)) => Some(Number::Int(value)),
            // A sum with doubles in it has only the digits of a double.
            (Some(rest), _) if rest.doubles.is_some() => Number::from_f64(self.total().to_f64()),
            _ => self.total().to_number(),
        }
    }

    /// The sum divided by `count`, rounded once; `None` beyond the doubles and for a count of zero.
    #[must_use]
    pub fn mean(&self, count: u64) -> Option<Number> {
        if count == 0 {
            return None;
        }
        if self.rest.is_none() && self.integers % i128::from(count) == 0 {
            return Some(Number::from_decimal(self.integers / i128::from(count), 0));
        }
        Number::from_f64(self.total().quotient(count, 1))
    }

    /// Bytes held on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.rest.as_ref().map_or(0, |rest| {
            size_of::<Rest>()
                + rest.decimals.capacity() * size_of::<Wide>()
                + rest.doubles.as_ref().map_or(0, |_| size_of::<Register>())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(terms: &[Number]) -> ExactSum {
        let mut sum = ExactSum::default();
        for term in terms {
            sum.add(*term);
        }
        sum
    }

    fn shown(texts: &[&str]) -> Option<String> {
        let terms: Vec<Number> = texts.iter().map(|text| Number::parse(text).unwrap()).collect();
        sum(&terms).number().map(|number| number.to_string())
    }

    #[test]
    fn sums_are_exact() {
        assert_eq!(shown(&[]).as_deref(), Some("0"));
        assert_eq!(shown(&["0.1", "0.2"]).as_deref(), Some("0.3"));
        assert_eq!(
            shown(&["9223372036854775807", "9223372036854775807"]).as_deref(),
            Some("18446744073709551614")
        );
        assert_eq!(shown(&["1e38", "-1e38", "0.5"]).as_deref(), Some("0.5"));
        assert_eq!(shown(&["1e300", "1", "-1e300"]).as_deref(), Some("1"));
        assert_eq!(shown(&["1e308", "1e308"]), None);
        assert_eq!(shown(&["1e308", "1e308", "-1e308"]).as_deref(), Some("1e308"));
        assert_eq!(shown(&["5e-324", "5e-324"]).as_deref(), Some("1e-323"));
        assert_eq!(sum(&[Number::Float(-1e300)]).number(), Some(Number::Float(-1e300)));
    }

    fn number() -> impl Strategy<Value = Number> {
        prop_oneof![
            any::<i64>().prop_map(Number::Int),
            (any::<i64>(), 0_u32..20)
                .prop_map(|(digits, scale)| Number::from_decimal(i128::from(digits), scale)),
            any::<f64>().prop_filter_map("finite", Number::from_f64),
        ]
    }

    proptest! {
        #[test]
        fn order_never_shows(mut terms in prop::collection::vec(number(), 0..30), cut in 0_usize..30) {
            let forward = sum(&terms);
            let (left, right) = terms.split_at(cut.min(terms.len()));
            let mut merged = sum(right);
            merged.merge(&sum(left));
            prop_assert_eq!(merged.number(), forward.number());
            terms.reverse();
            let count = terms.len() as u64;
            prop_assert_eq!(sum(&terms).mean(count), forward.mean(count));
        }

        #[test]
        fn integers_agree_with_wide_ones(terms in prop::collection::vec(any::<i64>(), 0..30)) {
            let slow: i128 = terms.iter().map(|term| i128::from(*term)).sum();
            let numbers: Vec<Number> = terms.into_iter().map(Number::Int).collect();
            prop_assert_eq!(sum(&numbers).number(), Some(Number::from_decimal(slow, 0)));
        }
    }
}

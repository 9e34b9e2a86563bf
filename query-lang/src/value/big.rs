//! Decimal numbers of any length, for the last step of exact aggregates: once a group, never once a row.
//!
//! Schoolbook arithmetic on 32-bit limbs (Knuth, The Art of Computer Programming, volume 2, section 4.3.1).

use std::cmp::Ordering;

use super::Number;

/// Digits kept beyond the first of a quotient: enough that reading them as a double rounds as the exact quotient
/// does, since the last one is made sticky.
const QUOTIENT_DIGITS: usize = 40;

/// `sign * limbs / 10^scale`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Big {
    negative: bool,
    /// Little-endian, without leading zeros.
    limbs: Vec<u32>,
    scale: u32,
}

impl Big {
    /// `value / 10^scale`.
    #[must_use]
    pub fn new(value: i128, scale: u32) -> Big {
        let bits = value.unsigned_abs();
        let limbs = (0..4).map(|limb| (bits >> (limb * 32)) as u32).collect();
        Big { negative: value < 0, limbs, scale }.trimmed()
    }

    /// From little-endian limbs.
    #[must_use]
    pub fn from_limbs(negative: bool, limbs: Vec<u32>, scale: u32) -> Big {
        Big { negative, limbs, scale }.trimmed()
    }

    /// Whether it is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.limbs.is_empty()
    }

    /// `self + other`.
    #[must_use]
    pub fn add(&self, other: &Big) -> Big {
        let scale = self.scale.max(other.scale);
        let (a, b) = (self.at_scale(scale), other.at_scale(scale));
        let (negative, limbs) = if self.negative == other.negative {
            (self.negative, add_limbs(&a, &b))
        } else if compare_limbs(&a, &b) == Ordering::Less {
            (other.negative, subtract_limbs(&b, &a))
        } else {
            (self.negative, subtract_limbs(&a, &b))
        };
        Big { negative, limbs, scale }.trimmed()
    }

    /// `self - other`.
    #[must_use]
    pub fn subtract(&self, other: &Big) -> Big {
        self.add(&Big { negative: !other.negative, ..other.clone() })
    }

    /// `self * other`.
    #[must_use]
    pub fn multiply(&self, other: &Big) -> Big {
        let mut limbs = vec![0_u32; self.limbs.len() + other.limbs.len()];
        for (at, a) in self.limbs.iter().enumerate() {
            let mut carry = 0_u64;
            let rest = limbs.get_mut(at..).unwrap_or_default();
            for (slot, b) in rest.iter_mut().zip(other.limbs.iter().chain(std::iter::repeat(&0))) {
                let sum = u64::from(*a) * u64::from(*b) + u64::from(*slot) + carry;
                *slot = sum as u32;
                carry = sum >> 32;
            }
        }
        Big { negative: self.negative != other.negative, limbs, scale: self.scale + other.scale }.trimmed()
    }

    /// The nearest double to `self / divisor / divisor_again`; zero divisors give zero.
    #[must_use]
    pub fn quotient(&self, divisor: u64, divisor_again: u64) -> f64 {
        if self.is_zero() || divisor == 0 || divisor_again == 0 {
            return 0.0;
        }
        let extra = QUOTIENT_DIGITS as u32;
        let mut limbs = scale_up(self.limbs.clone(), extra);
        let mut exact = divide_limbs(&mut limbs, divisor) == 0;
        exact &= divide_limbs(&mut limbs, divisor_again) == 0;
        let mut digits = digits_of(limbs);
        // A sticky digit below all others makes the reader round as the exact quotient would.
        digits.push(if exact { '0' } else { '1' });
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}{digits}e-{}", self.scale + extra + 1).parse().unwrap_or(0.0)
    }

    /// The nearest double.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        self.quotient(1, 1)
    }

    /// As a number in normal form; the nearest double when it has more digits than numbers have. `None` beyond the
    /// doubles.
    #[must_use]
    pub fn to_number(&self) -> Option<Number> {
        let sign = if self.negative { "-" } else { "" };
        Number::parse(&format!("{sign}{}e-{}", digits_of(self.limbs.clone()), self.scale))
    }

    fn at_scale(&self, scale: u32) -> Vec<u32> {
        scale_up(self.limbs.clone(), scale - self.scale)
    }

    fn trimmed(mut self) -> Big {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
        self.negative &= !self.limbs.is_empty();
        self
    }
}

fn scale_up(mut limbs: Vec<u32>, mut places: u32) -> Vec<u32> {
    while places > 0 {
        let step = places.min(9);
        let factor = u64::from(10_u32.pow(step));
        let mut carry = 0_u64;
        for limb in &mut limbs {
            let product = u64::from(*limb) * factor + carry;
            *limb = product as u32;
            carry = product >> 32;
        }
        if carry > 0 {
            limbs.push(carry as u32);
        }
        places -= step;
    }
    limbs
}

fn add_limbs(a: &[u32], b: &[u32]) -> Vec<u32> {
    let (long, short) = if a.len() < b.len() { (b, a) } else { (a, b) };
    let mut carry = 0_u64;
    let mut sum: Vec<u32> = long
        .iter()
        .zip(short.iter().chain(std::iter::repeat(&0)))
        .map(|(a, b)| {
            let total = u64::from(*a) + u64::from(*b) + carry;
            carry = total >> 32;
            total as u32
        })
        .collect();
    sum.push(carry as u32);
    sum
}

/// `a - b` where `a >= b`.
fn subtract_limbs(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut borrow = false;
    a.iter()
        .zip(b.iter().chain(std::iter::repeat(&0)))
        .map(|(a, b)| {
            let (less, first) = a.overflowing_sub(*b);
            let (less, second) = less.overflowing_sub(u32::from(borrow));
            borrow = first || second;
            less
        })
        .collect()
}

fn compare_limbs(a: &[u32], b: &[u32]) -> Ordering {
    let used = |limbs: &[u32]| limbs.iter().rposition(|limb| *limb != 0).map_or(0, |last| last + 1);
    let (x, y) = (used(a), used(b));
    x.cmp(&y).then_with(|| a.iter().take(x).rev().cmp(b.iter().take(y).rev()))
}

/// Divides in place and returns the remainder.
fn divide_limbs(limbs: &mut [u32], divisor: u64) -> u64 {
    let mut left = 0_u128;
    for limb in limbs.iter_mut().rev() {
        let part = left << 32 | u128::from(*limb);
        *limb = (part / u128::from(divisor)) as u32;
        left = part % u128::from(divisor);
    }
    left as u64
}

fn digits_of(mut limbs: Vec<u32>) -> String {
    let mut groups = Vec::new();
    while limbs.iter().any(|limb| *limb != 0) {
        groups.push(divide_limbs(&mut limbs, 1_000_000_000));
        while limbs.last() == Some(&0) {
            limbs.pop();
        }
    }
    let mut text = groups.pop().unwrap_or(0).to_string();
    for group in groups.iter().rev() {
        text.push_str(&format!("{group:09}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_machine_integers(a in -(1_i128 << 60)..1 << 60, b in -(1_i128 << 60)..1 << 60, n in 1_u64..1000) {
            let (x, y) = (Big::new(a, 0), Big::new(b, 0));
            prop_assert_eq!(x.add(&y), Big::new(a + b, 0));
            prop_assert_eq!(x.subtract(&y), Big::new(a - b, 0));
            prop_assert_eq!(x.multiply(&y), Big::new(a * b, 0));
            prop_assert_eq!(x.to_f64(), a as f64);
            let small = a % (1 << 52);
            prop_assert_eq!(Big::new(small, 0).quotient(n, 1), small as f64 / n as f64);
        }

        #[test]
        fn scales_line_up(a in any::<i32>(), b in any::<i32>(), scale in 0_u32..30) {
            let sum = Big::new(i128::from(a), scale).add(&Big::new(i128::from(b), scale + 3));
            prop_assert_eq!(sum.to_number(), Some(Number::from_decimal(i128::from(a) * 1000 + i128::from(b), scale + 3)));
        }
    }

    #[test]
    fn quotients_round_once() {
        assert_eq!(Big::new(3, 1).quotient(3, 1), 0.1);
        assert_eq!(Big::new(1, 0).quotient(3, 1), 1.0 / 3.0);
        assert_eq!(Big::new(1, 0).quotient(7, 7), 1.0 / 49.0);
        assert_eq!(Big::default().quotient(7, 7), 0.0);
    }
}

//! Which text is a number, and exactly which.
//!
//! A number is `[+-] digits [. digits] [e [+-] digits]` with at least one digit before the exponent; no grouping,
//! no white space, no `inf`, no `nan`, no hex. Up to 38 significant digits within 38 places of the decimal point
//! it is exact; beyond that it is the nearest double, and beyond the doubles it is no number.
//!
//! Numbers are held in one normal form, so that equal numbers are equal structures: integers of 64 bits as
//! [`Number::Int`], other decimals with their trailing zeros stripped, and doubles only where no decimal fits.

use std::cmp::Ordering;

use super::Value;
use super::print::write_decimal;

/// Most digits after the point of an exact number.
pub const MAX_SCALE: u8 = 38;
/// Exact numbers are below this many units of their last place.
const DIGITS_BELOW: u128 = 10_u128.pow(38);
/// Integers up to this are exact as doubles.
const EXACT_DOUBLE: u128 = 1 << 53;
/// The powers of ten that are exact doubles.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// A number in normal form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// An integer of 64 bits.
    Int(i64),
    /// `digits / 10^scale`; never an [`Number::Int`], never with a trailing zero after the point.
    Decimal {
        /// Units of the last place; fewer than 39 digits.
        digits: i128,
        /// Places after the point, at most [`MAX_SCALE`].
        scale: u8,
    },
    /// A finite double outside the range of exact numbers.
    Float(f64),
}

#[allow(
    clippy::should_implement_trait,
    reason = "arithmetic that may have no result is not that of the operators"
)]
impl Number {
    /// Reads `text`; `None` when it is no number.
    #[inline]
    #[must_use]
    pub fn parse(text: &str) -> Option<Number> {
        let bytes = text.as_bytes();
        // Most numbers in logs are short integers: one pass, no branches on the point or the exponent.
        if bytes.len() <= 18 {
            let (negative, digits) = match bytes {
                [b'-', rest @ ..] => (true, rest),
                all => (false, all),
            };
            let mut value = 0_i64;
            let mut plain = !digits.is_empty();
            for byte in digits {
                let digit = byte.wrapping_sub(b'0');
                if digit > 9 {
                    plain = false;
                    break;
                }
                value = value * 10 + i64::from(digit);
            }
            if plain {
                return Some(Number::Int(if negative { -value } else { value }));
            }
        }
        match bytes.first()? {
            b'0'..=b'9' | b'+' | b'-' | b'.' => parse_any(text),
            _ => None,
        }
    }

    /// The number that the text of `value` says; `None` unless finite.
    #[inline]
    #[must_use]
    pub fn from_f64(value: f64) -> Option<Number> {
        if !value.is_finite() {
            return None;
        }
        match short_decimal(value) {
            Some((digits, 0)) => Some(Number::Int(digits)),
            Some((digits, scale)) => Some(Number::Decimal { digits: i128::from(digits), scale }),
            None => parse_any(&format!("{value:e}")),
        }
    }

    /// `digits / 10^scale` in normal form; a double when it does not fit.
    #[must_use]
    pub fn from_decimal(mut digits: i128, mut scale: u32) -> Number {
        while scale > 0 && digits % 10 == 0 {
            digits /= 10;
            scale -= 1;
        }
        match (u8::try_from(scale), i64::try_from(digits)) {
            (Ok(0), Ok(value)) => Number::Int(value),
            (Ok(scale), _) if scale <= MAX_SCALE && digits.unsigned_abs() < DIGITS_BELOW => {
                Number::Decimal { digits, scale }
            }
            _ => from_shortest(format!("{digits}e-{scale}").parse().unwrap_or(0.0)),
        }
    }

    /// The nearest double.
    #[inline]
    #[must_use]
    pub fn to_f64(self) -> f64 {
        match self {
            Number::Int(value) => value as f64,
            Number::Float(value) => value,
            Number::Decimal { digits, scale } => match POWERS.get(usize::from(scale)) {
                Some(power) if digits.unsigned_abs() <= EXACT_DOUBLE => digits as f64 / power,
                _ => format!("{digits}e-{scale}").parse().unwrap_or(0.0),
            },
        }
    }

    /// The value that shows it: integers in full, decimals as doubles where the double's text is exact.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self {
            Number::Int(value) => Value::Int(value),
            Number::Float(value) => Value::Float(value),
            Number::Decimal { digits, scale } => {
                let near = self.to_f64();
                if scale > 0 && Number::from_f64(near) == Some(self) {
                    return Value::Float(near);
                }
                let mut text = String::new();
                write_decimal(digits, scale, &mut text);
                Value::Text(text.into())
            }
        }
    }

    /// Units of the last place and places, when exact.
    #[must_use]
    pub fn decimal(self) -> Option<(i128, u8)> {
        match self {
            Number::Int(value) => Some((i128::from(value), 0)),
            Number::Decimal { digits, scale } => Some((digits, scale)),
            Number::Float(_) => None,
        }
    }

    /// The integer part, toward zero; `None` when it does not fit 64 bits.
    #[must_use]
    pub fn truncate(self) -> Option<i64> {
        match self {
            Number::Int(value) => Some(value),
            Number::Decimal { digits, scale } => i64::try_from(digits / 10_i128.pow(u32::from(scale))).ok(),
            Number::Float(value) => (value.abs() < 1.0).then_some(0),
        }
    }

    /// Whether it is negative.
    #[must_use]
    pub fn is_negative(self) -> bool {
        match self {
            Number::Int(value) => value < 0,
            Number::Decimal { digits, .. } => digits < 0,
            Number::Float(value) => value < 0.0,
        }
    }

    /// Whether it is zero.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Number::Int(0) || self == Number::Float(0.0)
    }

    /// `self + other`, exact where both are exact and the sum fits.
    #[must_use]
    pub fn add(self, other: Number) -> Option<Number> {
        if let (Number::Int(a), Number::Int(b)) = (self, other)
            && let Some(sum) = a.checked_add(b)
        {
            return Some(Number::Int(sum));
        }
        match aligned(self, other).and_then(|(a, b, scale)| Some((a.checked_add(b)?, scale))) {
            Some((sum, scale)) => Some(Number::from_decimal(sum, scale)),
            None => Number::from_f64(self.to_f64() + other.to_f64()),
        }
    }

    /// `self - other`, exact where both are exact and the difference fits.
    #[must_use]
    pub fn subtract(self, other: Number) -> Option<Number> {
        self.add(other.negate())
    }

    /// `-self`.
    #[must_use]
    pub fn negate(self) -> Number {
        match self {
            Number::Float(value) => Number::Float(-value),
            Number::Int(value) => {
                value.checked_neg().map_or_else(|| Number::from_decimal(-i128::from(value), 0), Number::Int)
            }
            Number::Decimal { digits, scale } => Number::from_decimal(-digits, u32::from(scale)),
        }
    }

    /// `self * other`, exact where both are exact and the product fits.
    #[must_use]
    pub fn multiply(self, other: Number) -> Option<Number> {
        let exact = self.decimal().zip(other.decimal()).and_then(|((a, places), (b, more))| {
            Some(Number::from_decimal(a.checked_mul(b)?, u32::from(places) + u32::from(more)))
        });
        exact.or_else(|| Number::from_f64(self.to_f64() * other.to_f64()))
    }

    /// `self / other` as the nearest double, or the exact integer; `None` for division by zero.
    #[must_use]
    pub fn divide(self, other: Number) -> Option<Number> {
        if other.is_zero() {
            return None;
        }
        if let Some((a, b, _)) = aligned(self, other) {
            if let Some(whole) = a.checked_div(b).filter(|whole| whole * b == a) {
                return Some(Number::from_decimal(whole, 0));
            }
            if a.unsigned_abs() <= EXACT_DOUBLE && b.unsigned_abs() <= EXACT_DOUBLE {
                return Number::from_f64(a as f64 / b as f64);
            }
        }
        Number::from_f64(self.to_f64() / other.to_f64())
    }

    /// The remainder of `self / other` with the sign of `self`; `None` for division by zero.
    #[must_use]
    pub fn remainder(self, other: Number) -> Option<Number> {
        if other.is_zero() {
            return None;
        }
        match aligned(self, other) {
            Some((a, b, scale)) => Some(Number::from_decimal(a.checked_rem(b)?, scale)),
            None => Number::from_f64(self.to_f64() % other.to_f64()),
        }
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The order of the numbers themselves. Exact numbers are compared exactly; where a double is involved, by the
/// nearest doubles, which round monotonically, so the order is total.
impl Ord for Number {
    #[inline]
    fn cmp(&self, other: &Number) -> Ordering {
        if let (Number::Int(a), Number::Int(b)) = (self, other) {
            return a.cmp(b);
        }
        if let Some((a, b, _)) = aligned(*self, *other) {
            return a.cmp(&b);
        }
        match self.to_f64().total_cmp(&other.to_f64()) {
            Ordering::Equal => match (self.decimal(), other.decimal()) {
                // Too far apart in places to align, yet equal as doubles: the whole parts, then the fractions.
                (Some(a), Some(b)) => compare_parts(a, b),
                _ => Ordering::Equal,
            },
            unequal => unequal,
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_value().borrow().text())
    }
}

/// Both as units of the finer of their last places.
fn aligned(a: Number, b: Number) -> Option<(i128, i128, u32)> {
    let ((a, places), (b, more)) = (a.decimal()?, b.decimal()?);
    let (a_scale, b_scale) = (u32::from(places), u32::from(more));
    let scale = a_scale.max(b_scale);
    Some((a.checked_mul(10_i128.pow(scale - a_scale))?, b.checked_mul(10_i128.pow(scale - b_scale))?, scale))
}

/// Compares two decimals by whole part, then by the fraction written to 38 places.
fn compare_parts((a, places): (i128, u8), (b, more): (i128, u8)) -> Ordering {
    let split = |digits: i128, scale: u8| {
        let unit = 10_i128.pow(u32::from(scale));
        (digits / unit, (digits % unit) * 10_i128.pow(u32::from(MAX_SCALE.saturating_sub(scale))))
    };
    split(a, places).cmp(&split(b, more))
}

/// The general reader: sign, digits, point, exponent.
fn parse_any(text: &str) -> Option<Number> {
    let (negative, body) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    let mut mantissa = Mantissa::default();
    let mut bytes = body.iter();
    let mut exponent_text: Option<&[u8]> = None;
    let mut after_point = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'0'..=b'9' => mantissa.push(byte - b'0', after_point),
            b'.' if !after_point => after_point = true,
            b'e' | b'E' => {
                exponent_text = Some(bytes.as_slice());
                break;
            }
            _ => return None,
        }
    }
    if !mantissa.any {
        return None;
    }
    let exponent = exponent_text.map_or(Some(0), parse_exponent)?;
    if mantissa.value == 0 && !mantissa.overflowed {
        return Some(Number::Int(0));
    }
    if !mantissa.overflowed
        && let Some(number) = mantissa.exact(negative, exponent)
    {
        return Some(number);
    }
    // The syntax has been checked, so the double's reader accepts it; it rounds to nearest.
    text.parse::<f64>().ok().filter(|value| value.is_finite()).map(|value| match value == 0.0 {
        true => Number::Int(0),
        false => from_shortest(value),
    })
}

/// Doubles below this have at most 15 digits before the point.
const SHORT_BELOW: f64 = 1e15;
/// The most places behind the point of a short decimal: with fifteen digits it fits 64 bits either side.
const SHORT_SCALE: u8 = 18;

/// The digits and the places behind the point of a double whose shortest text has at most 15 digits and
/// [`SHORT_SCALE`] of them behind the point; `None` for others, which may be of the kind, too.
pub(super) fn short_decimal(value: f64) -> Option<(i64, u8)> {
    if value.is_nan() || value.abs() >= SHORT_BELOW {
        return None;
    }
    if value.trunc() == value {
        return Some((value as i64, 0));
    }
    // A decimal of at most 15 digits that divides back to `value` is its shortest text: decimals of 15 digits map to
    // distinct doubles, and the division of two exact doubles is correctly rounded. As many places as leave 15 digits
    // are tried, by the exponent, which tells the digits before the point up to one.
    let exponent = ((value.to_bits() >> 52) & 0x7ff) as i32 - 1_023;
    let places = usize::try_from(14 - ((exponent * 1_233) >> 12)).ok()?.min(POWERS.len() - 1);
    let digits = |places: usize| {
        let power = POWERS.get(places)?;
        let digits = (value * power).round();
        (digits.abs() < SHORT_BELOW).then_some((digits, *power))
    };
    let (places, (digits, power)) = match digits(places) {
        Some(found) => (places, found),
        None => (places.checked_sub(1)?, digits(places.checked_sub(1)?)?),
    };
    if digits / power != value {
        return None;
    }
    let (mut digits, mut scale) = (digits as i64, places as u8);
    for (zeros, power) in [(8, 100_000_000), (4, 10_000), (2, 100), (1, 10)] {
        if scale >= zeros && digits % power == 0 {
            (digits, scale) = (digits / power, scale - zeros);
        }
    }
    (scale <= SHORT_SCALE).then_some((digits, scale))
}

/// A double in normal form: decimal where its shortest text is short enough to be exact.
fn from_shortest(value: f64) -> Number {
    let text = format!("{value:e}");
    let mut mantissa = Mantissa::default();
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mut after_point = false;
    for byte in digits.bytes() {
        match byte {
            b'0'..=b'9' => mantissa.push(byte - b'0', after_point),
            b'.' => after_point = true,
            _ => {}
        }
    }
    let exact = exponent.parse().ok().and_then(|exponent| mantissa.exact(value < 0.0, exponent));
    exact.unwrap_or(Number::Float(value))
}

fn parse_exponent(text: &[u8]) -> Option<i32> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_i32;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.saturating_mul(10).saturating_add(i32::from(digit)).min(100_000);
    }
    Some(if negative { -value } else { value })
}

/// The significant digits read so far; zeros are held back until a digit follows, so that trailing ones are free.
#[derive(Default)]
struct Mantissa {
    value: u128,
    zeros: u32,
    places: i32,
    any: bool,
    overflowed: bool,
}

impl Mantissa {
    fn push(&mut self, digit: u8, after_point: bool) {
        self.any = true;
        self.places = self.places.saturating_add(i32::from(after_point));
        if digit == 0 {
            self.zeros = self.zeros.saturating_add(u32::from(self.value != 0));
            return;
        }
        let shifted = 10_u128
            .checked_pow(self.zeros + 1)
            .and_then(|power| self.value.checked_mul(power))
            .and_then(|value| value.checked_add(u128::from(digit)));
        match shifted.filter(|value| *value < DIGITS_BELOW) {
            Some(value) => self.value = value,
            None => self.overflowed = true,
        }
        self.zeros = 0;
    }

    /// The number, when it is exact.
    fn exact(&self, negative: bool, exponent: i32) -> Option<Number> {
        let exponent = exponent.checked_sub(self.places)?.checked_add(i32::try_from(self.zeros).ok()?)?;
        let (value, scale) = match u32::try_from(exponent) {
            Ok(up) => (self.value.checked_mul(10_u128.checked_pow(up)?)?, 0),
            Err(_) => (self.value, u8::try_from(-exponent).ok().filter(|scale| *scale <= MAX_SCALE)?),
        };
        if value >= DIGITS_BELOW {
            return None;
        }
        let digits = i128::try_from(value).ok()?;
        Some(Number::from_decimal(if negative { -digits } else { digits }, u32::from(scale)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_reads_as_exactly_one_number() {
        for (text, shown) in [
            ("0", Some("0")),
            ("-0", Some("0")),
            ("007", Some("7")),
            ("+5", Some("5")),
            ("1.50", Some("1.5")),
            (".5", Some("0.5")),
            ("5.", Some("5")),
            ("1e3", Some("1000")),
            ("1.5E-3", Some("0.0015")),
            ("9223372036854775807", Some("9223372036854775807")),
            ("9223372036854775808", Some("9223372036854775808")),
            ("-9223372036854775808", Some("-9223372036854775808")),
            ("123456789012345678901234567890.5", Some("123456789012345678901234567890.5")),
            ("0.1000000000000000055511151231257827021181583404541015625", Some("0.1")),
            ("1e300", Some("1e300")),
            ("1e999", None),
            ("1e-999", Some("0")),
            ("0e999999999999", Some("0")),
            ("", None),
            ("-", None),
            (".", None),
            ("+-1", None),
            ("1e", None),
            ("1e+", None),
            ("1 ", None),
            (" 1", None),
            ("1,000", None),
            ("1_000", None),
            ("0x10", None),
            ("inf", None),
            ("NaN", None),
            ("1.2.3", None),
            ("12a", None),
            ("１", None),
        ] {
            assert_eq!(Number::parse(text).map(|number| number.to_string()).as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn arithmetic_is_exact_where_it_can_be() {
        let number = |text: &str| Number::parse(text).unwrap();
        for (a, op, b, shown) in [
            ("0.1", '+', "0.2", Some("0.3")),
            ("9223372036854775807", '+', "1", Some("9223372036854775808")),
            ("1", '-', "0.9", Some("0.1")),
            ("3037000500", '*', "3037000500", Some("9223372037000250000")),
            ("1e200", '*', "1e200", None),
            ("4", '/', "2", Some("2")),
            ("1", '/', "3", Some("0.3333333333333333")),
            ("0.3", '/', "3", Some("0.1")),
            ("1", '/', "0", None),
            ("7.5", '%', "2", Some("1.5")),
            ("-7", '%', "3", Some("-1")),
            ("7", '%', "0", None),
        ] {
            let (x, y) = (number(a), number(b));
            let result = match op {
                '+' => x.add(y),
                '-' => x.subtract(y),
                '*' => x.multiply(y),
                '/' => x.divide(y),
                _ => x.remainder(y),
            };
            assert_eq!(result.map(|number| number.to_string()).as_deref(), shown, "{a} {op} {b}");
        }
    }

    fn numeric_text() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<i64>().prop_map(|value| value.to_string()),
            any::<f64>()
                .prop_filter("finite", |value| value.is_finite())
                .prop_map(|value| format!("{value:e}")),
            (any::<i32>(), 0_u32..50).prop_map(|(digits, scale)| format!("{digits}e-{scale}")),
            (-1000_i32..1000, 0_u32..4).prop_map(|(digits, scale)| format!("{digits}e-{scale}")),
        ]
    }

    proptest! {
        #[test]
        fn a_float_is_the_number_of_its_text(value in any::<f64>()) {
            let mut text = String::new();
            super::super::print::write_float(value, &mut text);
            prop_assert_eq!(Number::from_f64(value), Number::parse(&text));
        }

        #[test]
        fn two_place_decimals_survive_as_doubles(cents in -1_000_000_000_i64..1_000_000_000) {
            let value = cents as f64 / 100.0;
            let exact = Number::from_decimal(i128::from(cents), 2);
            prop_assert_eq!(Number::from_f64(value), Some(exact));
            prop_assert_eq!(exact.to_f64(), value);
        }

        #[test]
        fn shown_numbers_read_back(text in numeric_text()) {
            let Some(number) = Number::parse(&text) else { return Ok(()) };
            prop_assert_eq!(Number::parse(&number.to_string()), Some(number));
            prop_assert_eq!(number.to_f64(), text.parse::<f64>().unwrap());
        }

        #[test]
        fn order_is_total(a in numeric_text(), b in numeric_text(), c in numeric_text()) {
            let [Some(a), Some(b), Some(c)] = [&a, &b, &c].map(|text| Number::parse(text)) else { return Ok(()) };
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a == b, a.cmp(&b).is_eq());
            if a <= b && b <= c {
                prop_assert!(a <= c);
            }
        }
    }
}

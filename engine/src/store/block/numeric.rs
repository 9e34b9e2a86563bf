//! Asking numbers whether their texts have a part of a literal, without writing them.

use std::ops::RangeInclusive;

use super::ask::{Ask, Fit};
use super::digits::{self, MAX_DIGITS};
use super::needle::Needle;
use super::number::Form;

/// What numbers must be for their texts to be as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// In one of these ranges.
    Ranges(Vec<RangeInclusive<i64>>),
    /// At least `least` without its sign, and `rest` when divided by `modulus`.
    Ends { modulus: u64, rest: u64, least: u64 },
    /// These digits stand somewhere in it: as `Ends`, after any number of its last digits is cut off.
    Inside { modulus: u64, rest: u64, least: u64 },
}

/// Whether numbers can be asked at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// No number has such a text.
    Never,
    /// Those that pass.
    Test(Test),
    /// Their texts must be written and looked at.
    Texts,
}

impl Test {
    /// What numbers written in `form` must be.
    pub(crate) fn of(form: &Form, ask: Ask, needle: &Needle) -> Asked {
        let part = ask.part(needle);
        if ask.fit == Fit::Whole {
            // Moments have letters, which other numbers do not.
            if needle.is_either_case() && part.iter().any(u8::is_ascii_alphabetic) {
                return Asked::Texts;
            }
            return match form.number(part) {
                Some(value) => Asked::Test(Test::Ranges(vec![value..=value])),
                None => Asked::Never,
            };
        }
        match form {
            Form::Plain => Test::of_plain(ask.fit, part),
            Form::Padded(width) => Test::of_padded(ask.fit, part, usize::from(*width)),
            Form::Decimal { .. } | Form::Moment(_) => Asked::Texts,
        }
    }

    fn of_plain(fit: Fit, part: &[u8]) -> Asked {
        if let [b'-', rest @ ..] = part {
            // A sign stands in front, and what stands behind it starts there.
            return match (fit, rest) {
                (Fit::Suffix, _) => match digits::parse_plain(part) {
                    Some(value) => Asked::Test(Test::Ranges(vec![value..=value])),
                    None => Asked::Never,
                },
                (_, []) => Asked::Test(Test::Ranges(vec![i64::MIN..=-1])),
                // Zero has no sign.
                (_, [b'0', ..]) => Asked::Never,
                (_, rest) => Asked::of_ranges(ranges(rest).map(|range| -range.end()..=-range.start())),
            };
        }
        let Some(rest) = digits::parse(part) else { return Asked::Never };
        // Zeros in front of a number are not written, but `0` is.
        let least = if part.len() > 1 { power(part.len() - 1) } else { 0 };
        let (modulus, rest) = (power(part.len()), rest.unsigned_abs());
        match fit {
            Fit::Prefix => Asked::of_ranges(ranges(part)),
            Fit::Suffix => Asked::Test(Test::Ends { modulus, rest, least }),
            _ => Asked::Test(Test::Inside { modulus, rest, least }),
        }
    }

    fn of_padded(fit: Fit, part: &[u8], width: usize) -> Asked {
        let (Some(rest), Some(behind)) = (digits::parse(part), width.checked_sub(part.len())) else {
            return Asked::Never;
        };
        match fit {
            Fit::Prefix => {
                let unit = power(behind) as i64;
                let first = rest.saturating_mul(unit);
                Asked::Test(Test::Ranges(vec![first..=first.saturating_add(unit - 1)]))
            }
            Fit::Suffix => {
                Asked::Test(Test::Ends { modulus: power(part.len()), rest: rest.unsigned_abs(), least: 0 })
            }
            // Zeros in front are digits like others: it is not known from a number alone how many there are.
            _ => Asked::Texts,
        }
    }

    /// Whether `value` is such a number.
    #[inline]
    pub(crate) fn holds(&self, value: i64) -> bool {
        match self {
            Test::Ranges(ranges) => ranges.iter().any(|range| range.contains(&value)),
            Test::Ends { modulus, rest, least } => {
                let value = value.unsigned_abs();
                value >= *least && value % modulus == *rest
            }
            Test::Inside { modulus, rest, least } => inside(value.unsigned_abs(), *modulus, *rest, *least),
        }
    }
}

#[inline]
fn inside(value: u64, modulus: u64, rest: u64, least: u64) -> bool {
    // Most numbers are short, and dividing short ones is several times cheaper.
    if let (Ok(mut value), Ok(modulus)) = (u32::try_from(value), u32::try_from(modulus)) {
        loop {
            if u64::from(value) < least {
                return false;
            }
            if u64::from(value % modulus) == rest {
                return true;
            }
            value /= 10;
            if value == 0 {
                return false;
            }
        }
    }
    let mut value = value;
    loop {
        if value < least {
            return false;
        }
        if value % modulus == rest {
            return true;
        }
        value /= 10;
        if value == 0 {
            return false;
        }
    }
}

impl Asked {
    fn of_ranges(ranges: impl Iterator<Item = RangeInclusive<i64>>) -> Asked {
        let ranges: Vec<_> = ranges.collect();
        if ranges.is_empty() { Asked::Never } else { Asked::Test(Test::Ranges(ranges)) }
    }
}

/// The positive numbers and zero whose plain text starts with `part`.
fn ranges(part: &[u8]) -> impl Iterator<Item = RangeInclusive<i64>> {
    let value = digits::parse(part).filter(|_| part.first() != Some(&b'0') || part.len() == 1);
    let more = match value {
        None => 0,
        Some(0) => 1,
        // Plain numbers are read from at most so many digits.
        Some(_) => MAX_DIGITS + 1 - part.len(),
    };
    (0..more).map(move |more| {
        let (value, unit) = (value.unwrap_or(0), power(more) as i64);
        let first = value.saturating_mul(unit);
        first..=first.saturating_add(unit - 1)
    })
}

/// Ten to the power of `exponent`, which is at most [`MAX_DIGITS`].
fn power(exponent: usize) -> u64 {
    10u64.pow(exponent.min(MAX_DIGITS) as u32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(form: &Form, value: i64, part: &str) {
        let mut text = Vec::new();
        form.append(value, &mut text);
        let needle = Needle::exact(part.as_bytes()).unwrap();
        for fit in [Fit::Inside, Fit::Prefix, Fit::Suffix, Fit::Whole] {
            let ask = Ask { fit, from: 0, to: part.len() };
            let expected = ask.holds(&needle, &text);
            let holds = match Test::of(form, ask, &needle) {
                Asked::Never => false,
                Asked::Test(test) => test.holds(value),
                Asked::Texts => continue,
            };
            assert_eq!(holds, expected, "{form:?} {fit:?} {part} in {value}");
        }
    }

    #[test]
    fn zeros_and_signs() {
        for value in [0, 1, -1, 5, 10, -10, 100, 105, 1005, -105, 999_999_999_999_999_999, -500] {
            for part in
                ["0", "00", "05", "5", "-", "-0", "-05", "-1", "-10", "1", "10", "100", "9", "1-", "--1", "x"]
            {
                check(&Form::Plain, value, part);
            }
        }
        for value in [0, 1, 10, 105, 999] {
            for part in ["0", "00", "000", "0000", "01", "1", "10", "105", "5", "05", "9", "99", "-"] {
                check(&Form::Padded(3), value, part);
            }
        }
    }

    proptest! {
        #[test]
        fn numbers_answer_as_their_texts(value in any::<i64>(), cut in 1u64..1_000_000_000, from in 0usize..6, len in 1usize..6) {
            for value in [value / (cut * 1_000_000_000) as i64, value % 100_000, value % 1_000_000_000_000_000_000] {
                let text = value.to_string();
                let part: String = text.chars().skip(from).take(len).collect();
                prop_assume!(!part.is_empty());
                check(&Form::Plain, value, &part);
                check(&Form::Padded(18), value.abs(), &part);
            }
        }
    }
}

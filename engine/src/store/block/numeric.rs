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
    /// Without its sign and divided by `cut`, at least `least`, and `rest` when divided by `modulus`.
    Ends { cut: u64, modulus: u64, rest: u64, least: u64 },
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
            Form::Decimal { scale, least } => Test::of_decimal(ask.fit, part, *scale, *least),
            Form::Moment(layout) => match layout.admits(ask.fit, part) {
                true => Asked::Texts,
                false => Asked::Never,
            },
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
            Fit::Suffix => Asked::Test(Test::Ends { cut: 1, modulus, rest, least }),
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
                let modulus = power(part.len());
                Asked::Test(Test::Ends { cut: 1, modulus, rest: rest.unsigned_abs(), least: 0 })
            }
            // Zeros in front are digits like others: it is not known from a number alone how many there are.
            _ => Asked::Texts,
        }
    }

    /// Decimals have at most one point and one sign. Where the point has a place in the part, and always the same in
    /// the texts, it is known which digits of the number the part stands for.
    fn of_decimal(fit: Fit, part: &[u8], scale: u8, least: u8) -> Asked {
        let sign = matches!(part, [b'-', ..]) && fit != Fit::Suffix;
        let mut pieces = part.splitn(2, |byte| *byte == b'.');
        let (whole, fraction) = (pieces.next().unwrap_or_default(), pieces.next());
        let is_digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
        let unsigned = whole.get(usize::from(matches!(part, [b'-', ..]))..).unwrap_or_default();
        if !is_digits(unsigned) || !is_digits(fraction.unwrap_or_default()) {
            return Asked::Never;
        }
        let Some(fraction) = fraction.filter(|_| !sign && scale == least && unsigned.len() == whole.len())
        else {
            return Asked::Texts;
        };
        let Some(missing) = usize::from(scale).checked_sub(fraction.len()) else { return Asked::Never };
        let Some(digits) = digits::parse(&[whole, fraction].concat()) else { return Asked::Texts };
        let (cut, modulus) = (power(missing), power(whole.len() + fraction.len()));
        // Zeros in front of the whole part are not written, but `0` is.
        let least = if whole.len() > 1 { power(whole.len() - 1 + fraction.len()) } else { 0 };
        match fit {
            Fit::Suffix if missing > 0 => Asked::Never,
            Fit::Prefix if whole.is_empty() || digits.unsigned_abs() < least => Asked::Never,
            Fit::Prefix => {
                let first = digits.saturating_mul(cut as i64);
                Asked::Test(Test::Ranges(vec![first..=first.saturating_add(cut as i64 - 1)]))
            }
            _ => Asked::Test(Test::Ends { cut, modulus, rest: digits.unsigned_abs(), least }),
        }
    }

    /// One range is all.
    pub(crate) fn is_one_range(&self) -> bool {
        matches!(self, Test::Ranges(ranges) if ranges.len() == 1)
    }

    /// Whether `value` is such a number.
    #[inline]
    pub(crate) fn holds(&self, value: i64) -> bool {
        match self {
            Test::Ranges(ranges) => ranges.iter().any(|range| range.contains(&value)),
            Test::Ends { cut, modulus, rest, least } => {
                ends(value.unsigned_abs(), *cut, *modulus, *rest, *least)
            }
            Test::Inside { modulus, rest, least } => inside(value.unsigned_abs(), *modulus, *rest, *least),
        }
    }
}

#[inline]
fn ends(value: u64, cut: u64, modulus: u64, rest: u64, least: u64) -> bool {
    let value = if cut > 1 { value / cut } else { value };
    value >= least
        && match (u32::try_from(value), u32::try_from(modulus)) {
            // Dividing short numbers is several times cheaper.
            (Ok(value), Ok(modulus)) => u64::from(value % modulus) == rest,
            _ => value % modulus == rest,
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

    use super::super::moment::{Date, Layout};
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
        let decimal = |scale, least| Form::Decimal { scale, least };
        for value in [0, 5, -5, 10, -10, 105, 1005, -1005, 72_249, 10_050, 12_345_678, -123_000] {
            for part in [
                ".",
                "0",
                "0.",
                ".0",
                "0.0",
                "0.05",
                "00.05",
                ".05",
                "5.",
                "1.05",
                "10.05",
                "0.5",
                "05.0",
                "-0",
                "-0.05",
                "-1",
                "-",
                "72.2",
                "72.24",
                "72.249",
                "249",
                "49",
                "72.249.69",
                "1.0.5",
                "5-",
                "123.",
                "3.45",
                "5.6",
                "-123.00",
                ".00",
                "1230.00",
            ] {
                check(&decimal(2, 2), value, part);
                check(&decimal(3, 3), value, part);
                check(&decimal(3, 0), value, part);
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

        #[test]
        fn decimals_answer_as_their_texts(
            value in -10_000_000i64..10_000_000, scale in 1u8..6, trimmed in any::<bool>(), from in 0usize..6, len in 1usize..7,
        ) {
            let form = Form::Decimal { scale, least: if trimmed { 0 } else { scale } };
            let mut text = Vec::new();
            form.append(value, &mut text);
            let part: String = String::from_utf8(text).unwrap().chars().skip(from).take(len).collect();
            prop_assume!(!part.is_empty());
            check(&form, value, &part);
            check(&form, value / 10, &part);
            check(&form, value + 1, &part);
        }

        #[test]
        fn moments_that_are_out_do_not_have_the_part(value in 0i64..4_000_000_000, part in "[0-9:. /TZJan-]{1,12}", of in 0usize..20, len in 1usize..12) {
            let layout = |date, scale, least, suffix: &[u8]| Layout { date, point: b'.', scale, least, suffix: suffix.to_vec() };
            for layout in [
                layout(Date::None, 3, 3, b""), layout(Date::Iso(b'T'), 3, 3, b"Z"), layout(Date::Iso(b' '), 3, 0, b""),
                layout(Date::Clf, 0, 0, b" +0000"),
            ] {
                let form = Form::Moment(layout);
                let mut text = Vec::new();
                form.append(value, &mut text);
                check(&form, value, &part);
                let own: String = String::from_utf8(text).unwrap().chars().skip(of).take(len).collect();
                prop_assume!(!own.is_empty());
                check(&form, value, &own);
            }
        }
    }
}

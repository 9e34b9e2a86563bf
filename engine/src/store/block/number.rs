//! Texts that are numbers in one form, kept as integers.

use super::digits;
use super::moment::{self, LastDay, LastSecond, Layout};
use super::wire::{Corrupt, Reader};

/// How every number of a column is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Plain decimal integers.
    Plain,
    /// Digits with zeros in front, all of this length.
    Padded(u8),
    /// Decimals in units of `10^-scale`, with at least `least` digits behind the point.
    Decimal {
        /// Most digits behind the point.
        scale: u8,
        /// Fewest: trailing zeros past these are left out.
        least: u8,
    },
    /// Moments.
    Moment(Layout),
}

impl Form {
    /// The form that may fit `texts`, judged by them all where the form has free parts.
    pub(crate) fn guess(texts: &[&[u8]]) -> Option<Form> {
        let first = *texts.first()?;
        let mut last = LastDay::default();
        if let Some(moment) = moment::parse(first, &mut last) {
            let (mut scale, mut least) = (moment.fraction.len(), moment.fraction.len());
            let mut point = None;
            for text in texts {
                let moment = moment::parse(text, &mut last)?;
                let digits = moment.fraction.len();
                (scale, least) = (scale.max(digits), least.min(digits));
                point = point.or((digits > 0).then_some(moment.point));
            }
            let point = point.unwrap_or(b'.');
            return Some(Form::Moment(Layout {
                date: moment.date,
                point,
                scale: scale as u8,
                least: least as u8,
                suffix: moment.suffix.to_vec(),
            }));
        }
        if !first.last()?.is_ascii_digit() {
            return None;
        }
        let (mut scale, mut least, mut padded) = (0, usize::MAX, false);
        for text in texts {
            // No form starts otherwise, and most that are no numbers do.
            text.first().filter(|first| first.is_ascii_digit() || **first == b'-')?;
            let after = memchr::memchr(b'.', text).map_or(0, |point| text.len() - point - 1);
            (scale, least) = (scale.max(after), least.min(after));
            padded |= matches!(text, [b'0', b'0'..=b'9', ..]);
        }
        match (scale, padded) {
            (0, false) => Some(Form::Plain),
            (0, true) if first.len() <= digits::MAX_DIGITS => Some(Form::Padded(first.len() as u8)),
            (1..digits::MAX_DIGITS, _) => Some(Form::Decimal { scale: scale as u8, least: least as u8 }),
            _ => None,
        }
    }

    /// The numbers that `texts` are, all of one form that writes them back the same.
    pub(crate) fn parse_all(texts: &[&[u8]]) -> Option<(Form, Vec<i64>)> {
        /// Texts from which the form is guessed first. Where it fits all of them it is the one that all would give:
        /// none has more digits behind the point or fewer, or zeros in front.
        const SOME: usize = 64;
        let form = Form::guess(texts.get(..SOME).unwrap_or(texts))?;
        if let Some(numbers) = form.numbers(texts) {
            return Some((form, numbers));
        }
        let form = Form::guess(texts).filter(|other| *other != form)?;
        form.numbers(texts).map(|numbers| (form, numbers))
    }

    fn numbers(&self, texts: &[&[u8]]) -> Option<Vec<i64>> {
        let mut numbers = Vec::with_capacity(texts.len());
        let mut last = LastDay::default();
        for text in texts {
            numbers.push(self.parse(text, &mut last)?);
        }
        Some(numbers)
    }

    /// The number that `text` is, if this form writes it back the same.
    pub(crate) fn number(&self, text: &[u8]) -> Option<i64> {
        self.parse(text, &mut LastDay::default())
    }

    /// As [`Form::number`]; `last` is what is known of moments read before.
    #[inline]
    fn parse(&self, text: &[u8], last: &mut LastDay) -> Option<i64> {
        match self {
            Form::Plain => digits::parse_plain(text),
            Form::Padded(width) => {
                if text.len() == usize::from(*width) {
                    digits::parse(text)
                } else {
                    None
                }
            }
            Form::Decimal { scale, least } => parse_decimal(text, *scale, *least),
            Form::Moment(layout) => layout.parse(text, last),
        }
    }

    /// Appends the text of `value`.
    #[inline]
    pub(crate) fn append(&self, value: i64, out: &mut Vec<u8>) {
        match self {
            Form::Plain => digits::append_plain(value, out),
            Form::Padded(width) => digits::append_padded(value.unsigned_abs(), usize::from(*width), out),
            Form::Decimal { scale, least } => {
                if value < 0 {
                    out.push(b'-');
                }
                let unit = 10u64.pow(u32::from(*scale));
                digits::append_padded(value.unsigned_abs() / unit, 1, out);
                moment::append_fraction((value.unsigned_abs() % unit) as i64, b'.', *scale, *least, out);
            }
            Form::Moment(layout) => layout.append(value, out),
        }
    }

    /// Appends the texts of `values`, and where each ends.
    pub(crate) fn append_all(&self, values: &[i64], out: &mut Vec<u8>, ends: &mut Vec<u32>) {
        let mut last = LastSecond::default();
        for value in values {
            self.append_next(*value, &mut last, out);
            ends.push(out.len() as u32);
        }
    }

    /// Appends the text of `value`; `last` is what is known of the moment written before.
    #[inline]
    pub(crate) fn append_next(&self, value: i64, last: &mut LastSecond, out: &mut Vec<u8>) {
        match self {
            Form::Moment(layout) => layout.append_next(value, last, out),
            _ => self.append(value, out),
        }
    }

    /// The bytes that texts of this form may have.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Form::Plain => b"0123456789-".to_vec(),
            Form::Padded(_) => b"0123456789".to_vec(),
            Form::Decimal { .. } => b"0123456789-.".to_vec(),
            Form::Moment(layout) => layout.bytes(),
        }
    }

    /// Bytes that a text has at most.
    pub(crate) fn longest(&self) -> usize {
        match self {
            Form::Moment(layout) => 48 + layout.suffix.len(),
            _ => 24,
        }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Form::Plain => out.push(0),
            Form::Padded(width) => out.extend_from_slice(&[1, *width]),
            Form::Decimal { scale, least } => out.extend_from_slice(&[2, *scale, *least]),
            Form::Moment(layout) => {
                out.push(3);
                layout.write(out);
            }
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Form, Corrupt> {
        match reader.byte()? {
            0 => Ok(Form::Plain),
            1 => match reader.byte()? {
                width @ 1..=18 => Ok(Form::Padded(width)),
                _ => Err(Corrupt("padded number too wide")),
            },
            2 => match reader.array()? {
                [scale @ 1..=17, least] if least <= scale => Ok(Form::Decimal { scale, least }),
                _ => Err(Corrupt("decimal scale out of range")),
            },
            3 => Layout::read(reader).map(Form::Moment),
            _ => Err(Corrupt("unknown number form")),
        }
    }
}

/// Decimals whose texts are those of the doubles nearest to them.
pub(crate) struct Doubles {
    /// What their digits are divided by.
    unit: f64,
    /// Digits that are a multiple of it have a text with zeros at its end, which no double has; 0: none has.
    padded: i64,
}

impl Doubles {
    /// Digits behind the point up to which no double is written with an exponent.
    const SCALE_MAX: u8 = 6;
    /// Decimals of at most 15 digits have doubles of their own, so that the shortest text of the double is theirs.
    const DIGITS_BELOW: u64 = 1_000_000_000_000_000;

    /// Of the numbers of `form`; `None` when it is no form of decimals, or one of very small ones.
    pub(crate) fn of(form: &Form) -> Option<Doubles> {
        let Form::Decimal { scale, least } = form else { return None };
        let zeros = u32::from(scale.checked_sub(*least)?) + 1;
        let unit = 10_i32.pow(u32::from((*scale <= Doubles::SCALE_MAX).then_some(*scale)?));
        Some(Doubles { unit: unit.into(), padded: if *least == 0 { 0 } else { 10_i64.pow(zeros) } })
    }

    /// Whether the text of `digits` is that of its double.
    #[inline]
    pub(crate) fn fits(&self, digits: i64) -> bool {
        digits.unsigned_abs() < Doubles::DIGITS_BELOW && (self.padded == 0 || digits % self.padded != 0)
    }

    /// The double nearest to `digits`: a quotient of two that are exact is rounded once.
    #[inline]
    pub(crate) fn double(&self, digits: i64) -> f64 {
        digits as f64 / self.unit
    }
}

fn parse_decimal(text: &[u8], scale: u8, least: u8) -> Option<i64> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (whole, fraction) = match memchr::memchr(b'.', text) {
        Some(0) => return None,
        Some(point) => (text.get(..point)?, text.get(point + 1..)?),
        None => (text, &[][..]),
    };
    let (scale, least) = (usize::from(scale), usize::from(least));
    if fraction.is_empty() && whole.len() != text.len()
        || fraction.len() > scale
        || fraction.len() < least
        || fraction.len() > least && fraction.last() == Some(&b'0')
        || whole.len() > 1 && whole.first() == Some(&b'0')
        || whole.len() + scale > digits::MAX_DIGITS
    {
        return None;
    }
    let mut value = digits::parse(whole)?;
    for place in 0..scale {
        let digit = fraction.get(place).map_or(0, |digit| digit.wrapping_sub(b'0'));
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    match (negative, value) {
        (true, 0) => None,
        (true, value) => Some(-value),
        (false, value) => Some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str], expected: Option<&Form>) {
        let bytes: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
        let found = Form::parse_all(&bytes);
        assert_eq!(found.as_ref().map(|(form, _)| form), expected, "{texts:?}");
        if let Some((form, numbers)) = found {
            for (text, number) in bytes.iter().zip(numbers) {
                let mut out = Vec::new();
                form.append(number, &mut out);
                assert_eq!(out, *text);
            }
        }
    }

    #[test]
    fn texts_of_neighbours_are_those_of_each() {
        let numbers = [-1, 0, 999_999, 1_000_000, 1_000_001, 1_000_001, i64::MAX, i64::MIN, 2_000_000];
        for texts in [
            ["2026-01-01T00:33:19.984245Z", "2026-01-01T00:33:20.1Z"],
            ["17/Aug/2017:13:23:49 +0000", "17/Aug/2017:13:23:50 +0000"],
            ["1.5", "2.25"],
            ["7", "8"],
        ] {
            let form = Form::guess(&texts.map(str::as_bytes)).unwrap();
            let (mut all, mut ends, mut each) = (b"-".to_vec(), Vec::new(), b"-".to_vec());
            form.append_all(&numbers, &mut all, &mut ends);
            let expected = numbers.map(|number| {
                form.append(number, &mut each);
                each.len() as u32
            });
            assert_eq!((all, ends), (each, expected.to_vec()), "{form:?}");
        }
    }

    #[test]
    fn a_form_is_that_of_all_texts() {
        for (last, form) in [
            ("7.5", Some(Form::Decimal { scale: 1, least: 0 })),
            ("07", Some(Form::Padded(2))),
            ("7", Some(Form::Plain)),
            ("x", None),
        ] {
            let mut texts = vec!["17"; 1_000];
            texts.push(last);
            check(&texts, form.as_ref());
        }
    }

    #[test]
    fn decimals_whose_texts_are_those_of_doubles() {
        use weir_query::value::ValueRef;

        let digits =
            [0, 1, -1, 7, 10, 12, 100, -120, 1_050, 123_456, 5_000_000, 999_999_999_999_999, i64::MAX];
        for (scale, least) in (1..=7).flat_map(|scale| (0..=scale).map(move |least| (scale, least))) {
            let form = Form::Decimal { scale, least };
            let Some(doubles) = Doubles::of(&form) else {
                assert_eq!(scale, Doubles::SCALE_MAX + 1);
                continue;
            };
            for digits in digits {
                let mut own = Vec::new();
                form.append(digits, &mut own);
                let text = ValueRef::Float(doubles.double(digits)).text().into_owned();
                let is_same = text.as_bytes() == own && digits.unsigned_abs() < Doubles::DIGITS_BELOW;
                assert_eq!(doubles.fits(digits), is_same, "{scale} {least} {digits}: {text}");
            }
        }
    }

    #[test]
    fn forms() {
        check(&["1", "-20", "0"], Some(&Form::Plain));
        check(&["01", "20", "00"], Some(&Form::Padded(2)));
        check(&["1.50", "-0.25", "10.00"], Some(&Form::Decimal { scale: 2, least: 2 }));
        check(&["1.5", "2", "-0.125"], Some(&Form::Decimal { scale: 3, least: 0 }));
        check(&["1.50", "2.255"], Some(&Form::Decimal { scale: 3, least: 2 }));
        check(&["1.0", "2.25"], Some(&Form::Decimal { scale: 2, least: 1 }));
        for texts in [
            &["1", "x"][..],
            &["1", "01"],
            &["-0.0", "1.5"],
            &["1.", "2"],
            &[".5"],
            &["1e5"],
            &["1.2.3"],
            &["--1"],
            &["1234567890123456789"],
            &[""],
            &["0.1234567890123456789"],
        ] {
            check(texts, None);
        }
    }
}

//! What the texts of a column look like without looking at them: runs of bytes of known sets and lengths.

use super::hex::Pattern;
use super::moment::{Date, Layout};
use super::number::Form;

/// The digits of the latest year.
const DIGITS_MAX: usize = 20;

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    /// The decimal digits.
    pub(super) const DIGITS: ByteSet = ByteSet([0x03ff_0000_0000_0000, 0, 0, 0]);

    /// The bytes of `bytes`.
    pub(super) fn of(bytes: &[u8]) -> ByteSet {
        let mut set = ByteSet::default();
        bytes.iter().for_each(|byte| set.insert(*byte));
        set
    }

    /// The bytes whose bits are set.
    pub(super) fn of_words(words: [u64; 4]) -> ByteSet {
        ByteSet(words)
    }

    pub(super) fn insert(&mut self, byte: u8) {
        if let Some(word) = self.0.get_mut(usize::from(byte / 64)) {
            *word |= 1 << (byte % 64);
        }
    }

    /// Its bytes, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.iter().zip([0, 64, 128, 192]).flat_map(|(word, first)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let at = (left != 0).then(|| left.trailing_zeros() as u8)?;
                left &= left - 1;
                Some(first + at)
            })
        })
    }
}

/// At least `least` and at most `most` bytes of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The set.
    pub(super) bytes: ByteSet,
    /// Fewest.
    pub(super) least: usize,
    /// Most.
    pub(super) most: usize,
}

impl Span {
    /// `count` bytes of `bytes`.
    fn exactly(bytes: ByteSet, count: usize) -> Span {
        Span { bytes, least: count, most: count }
    }

    /// `byte`, unless `least` is 0, in which case it may be missing.
    fn one(byte: u8, least: usize) -> Span {
        Span { bytes: ByteSet::of(&[byte]), least, most: 1 }
    }
}

/// What `text` looks like.
fn literal(text: &[u8]) -> impl Iterator<Item = Span> + '_ {
    text.iter().map(|byte| Span::one(*byte, 1))
}

fn digits(least: usize, most: usize) -> Span {
    Span { bytes: ByteSet::DIGITS, least, most }
}

/// Fewest and most digits of the whole part of numbers between `low` and `high`, in units of 1 / `unit`, written with
/// `width` digits at least.
fn whole((low, high): (i64, i64), unit: u64, width: u8) -> (usize, usize) {
    let length = |value: u64| (value / unit).checked_ilog10().map_or(1, |log| log as usize + 1);
    let (one, other) = (length(low.unsigned_abs()), length(high.unsigned_abs()));
    let least = if low <= 0 && high >= 0 { 1 } else { one.min(other) };
    let width = usize::from(width);
    (least.max(width), one.max(other).max(width))
}

/// What whole numbers look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Outline {
    may_be_negative: bool,
    /// Fewest and most digits.
    digits: (usize, usize),
}

impl Outline {
    /// The same as spans.
    pub(super) fn spans(self) -> Vec<Span> {
        let sign = self.may_be_negative.then(|| Span::one(b'-', 0));
        sign.into_iter().chain([digits(self.digits.0, self.digits.1)]).collect()
    }
}

impl Form {
    /// What its numbers between the two `bounds` look like.
    pub(super) fn spans(&self, bounds: (i64, i64)) -> Vec<Span> {
        let whole = self.outline(bounds).map(Outline::spans).unwrap_or_default();
        match self {
            Form::Plain | Form::Padded(_) => whole,
            Form::Decimal { scale, least } => {
                whole.into_iter().chain(fraction(b'.', *scale, *least)).collect()
            }
            Form::Moment(layout) => layout.spans(),
        }
    }

    /// What the whole parts of its numbers between the two `bounds` look like, where it has numbers.
    pub(super) fn outline(&self, bounds: (i64, i64)) -> Option<Outline> {
        let may_be_negative = bounds.0 < 0;
        Some(match self {
            Form::Plain => Outline { may_be_negative, digits: whole(bounds, 1, 1) },
            Form::Padded(width) => Outline { may_be_negative: false, digits: whole(bounds, 1, *width) },
            Form::Decimal { scale, .. } => {
                let unit = 10u64.saturating_pow(u32::from(*scale));
                Outline { may_be_negative, digits: whole(bounds, unit, 1) }
            }
            Form::Moment(_) => return None,
        })
    }
}

impl Layout {
    /// What its moments look like.
    fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        let two = || digits(2, 2);
        match self.date {
            Date::None => {}
            Date::Iso(between) => {
                spans.extend([digits(4, DIGITS_MAX), Span::one(b'-', 1), two(), Span::one(b'-', 1), two()]);
                spans.push(Span::one(between, 1));
            }
            Date::Clf => {
                let months = ByteSet::of(b"JanFebMarAprMayJunJulAugSepOctNovDec?");
                spans.extend([two(), Span::one(b'/', 1), Span::exactly(months, 3), Span::one(b'/', 1)]);
                spans.extend([digits(4, DIGITS_MAX), Span::one(b':', 1)]);
            }
        }
        spans.extend([two(), Span::one(b':', 1), two(), Span::one(b':', 1), two()]);
        spans.extend(fraction(self.point, self.scale, self.least));
        spans.extend(literal(&self.suffix));
        spans
    }
}

fn fraction(point: u8, scale: u8, least: u8) -> [Span; 2] {
    [Span::one(point, usize::from(least > 0)), digits(usize::from(least), usize::from(scale))]
}

impl Pattern {
    /// What its values look like.
    pub(super) fn spans(&self) -> Vec<Span> {
        let digits = ByteSet::of(self.letters());
        let is_hole = |place: usize| self.holes().binary_search(&(place as u16)).is_ok();
        let spans = self.literal().iter().enumerate();
        spans
            .map(|(place, byte)| if is_hole(place) { Span::exactly(digits, 1) } else { Span::one(*byte, 1) })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::block::moment;

    /// Whether `text` can be cut into `spans`.
    fn fits(text: &[u8], spans: &[Span]) -> bool {
        let Some((span, rest)) = spans.split_first() else { return text.is_empty() };
        let has = |byte: &&u8| span.bytes.iter().any(|own| own == **byte);
        let run = text.iter().take_while(has).count().min(span.most);
        (span.least..=run).any(|len| fits(&text[len..], rest))
    }

    #[test]
    fn texts_look_as_their_columns_say() {
        let decimal = |least| Form::Decimal { scale: 3, least };
        let numbers = [0, 1, 9, 10, 99, 100, 999, 1000, 1250, 20_000, 123_456, i64::MAX];
        for form in [Form::Plain, Form::Padded(3), decimal(0), decimal(2)] {
            let text = |number: i64| {
                let mut text = Vec::new();
                form.append(number, &mut text);
                text
            };
            let is_padded = form == Form::Padded(3);
            let numbers: Vec<i64> = numbers
                .iter()
                .flat_map(|number| [*number, if is_padded { *number } else { -number }])
                .collect();
            for bounds in numbers.iter().flat_map(|low| numbers.iter().map(move |high| (*low, *high))) {
                let spans = form.spans(bounds);
                for number in numbers.iter().filter(|number| (bounds.0..=bounds.1).contains(*number)) {
                    assert!(fits(&text(*number), &spans), "{number} {bounds:?} {form:?}");
                }
                assert!(!fits(b"1x", &spans) && !fits(b"", &spans));
            }
        }
        assert!(!fits(b"1000", &Form::Plain.spans((1, 999))) && !fits(b"99", &Form::Plain.spans((100, 200))));
        assert!(!fits(b"-5", &Form::Plain.spans((0, 9))) && fits(b"-5", &Form::Plain.spans((-5, 9))));
        for text in ["2026-11-20T13:05:07.123Z", "17/Aug/2017:13:23:49 +0000", "13:23:49"] {
            let moment = moment::parse(text.as_bytes(), &mut moment::LastDay::default()).unwrap();
            let scale = moment.fraction.len() as u8;
            let suffix = moment.suffix.to_vec();
            let layout = Layout { date: moment.date, point: moment.point, scale, least: 0, suffix };
            let spans = Form::Moment(layout).spans((0, 0));
            assert!(fits(text.as_bytes(), &spans), "{text}");
            assert!(!fits(text.replace(':', "0").as_bytes(), &spans));
        }
        let values: [&[u8]; 2] = [b"id-3f5a-0b", b"id-90ce-77"];
        let pattern = Pattern::of(&values).unwrap();
        for value in values {
            assert!(fits(value, &pattern.spans()));
        }
        assert!(!fits(b"id-3f5a_0b", &pattern.spans()) && !fits(b"id-3f5A-0b", &pattern.spans()));
    }
}

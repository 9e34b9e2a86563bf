//! Texts that are moments in one layout: date, time of day, fraction, and what follows.
//!
//! ```text
//! 2026-11-20T13:05:07.123Z        Iso('T')  '.' 3 digits  "Z"
//! 2016-12-20 00:04:03,231         Iso(' ')  ',' 3 digits  ""
//! 17/Aug/2017:13:23:49 +0000      Clf                     " +0000"
//! 13:23:49                        none
//! ```
//!
//! Days are counted after Howard Hinnant's `days_from_civil` and its inverse.

use super::ask::Fit;
use super::digits;
use super::wire::{Corrupt, Reader, put_bytes};

/// How the date is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Date {
    /// There is none: a time of day.
    None,
    /// `YYYY-MM-DD`, then this byte.
    Iso(u8),
    /// `DD/Mon/YYYY:`.
    Clf,
}

/// The second of the moment that was written last, and its text.
#[derive(Debug, Default)]
pub(crate) struct LastSecond {
    /// Where it begins.
    start: i64,
    /// How long it is; 0 while there is none.
    units: i64,
    text: Vec<u8>,
}

/// One layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) date: Date,
    /// The byte before the fraction.
    pub(crate) point: u8,
    /// Most digits of the fraction; values are in units of `10^-scale` seconds.
    pub(crate) scale: u8,
    /// Fewest: trailing zeros past these are left out.
    pub(crate) least: u8,
    /// What follows, the same in every text.
    pub(crate) suffix: Vec<u8>,
}

/// One text, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment<'a> {
    pub(crate) date: Date,
    pub(crate) seconds: i64,
    pub(crate) point: u8,
    pub(crate) fraction: &'a [u8],
    pub(crate) suffix: &'a [u8],
}

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
const DAY: i64 = 86_400;

/// What may stand at a place of the texts of a layout.
#[derive(Clone, Copy, Debug)]
enum Place {
    Digit,
    /// This byte, in either case.
    Byte(u8),
    /// A letter of a month.
    Any,
}

impl Place {
    fn admits(self, byte: u8) -> bool {
        match self {
            Place::Digit => byte.is_ascii_digit(),
            Place::Byte(own) => own.eq_ignore_ascii_case(&byte),
            Place::Any => true,
        }
    }
}

/// The date read last and its day: most texts have the date of the one before, and counting days costs more than all
/// the rest of a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LastDay {
    date: [u8; 12],
    len: usize,
    day: i64,
}

impl LastDay {
    fn of(&mut self, date: &[u8], count: fn(&[u8]) -> Option<i64>) -> Option<i64> {
        if self.len != date.len() || self.date.get(..self.len) != Some(date) {
            self.day = count(date)?;
            self.date.get_mut(..date.len())?.copy_from_slice(date);
            self.len = date.len();
        }
        Some(self.day)
    }
}

/// Takes `text` apart, if it starts as one of the layouts does.
pub(crate) fn parse<'a>(text: &'a [u8], last: &mut LastDay) -> Option<Moment<'a>> {
    let (date, day, clock) = match text {
        [_, _, b':', ..] => (Date::None, 0, text),
        [_, _, b'/', _, _, _, b'/', ..] => (Date::Clf, last.of(text.get(..12)?, clf_day)?, text.get(12..)?),
        [_, _, _, _, b'-', _, _, b'-', _, _, between, ..] => {
            matches!(between, b'T' | b't' | b' ' | b'_' | b'-' | b'/').then_some(())?;
            (Date::Iso(*between), last.of(text.get(..10)?, iso_day)?, text.get(11..)?)
        }
        _ => return None,
    };
    let [h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = clock else { return None };
    let two = |tens: &u8, ones: &u8| digits::parse(&[*tens, *ones]);
    let (hour, minute, second) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    (hour < 24 && minute < 60 && second < 60).then_some(())?;
    let seconds = day * DAY + hour * 3600 + minute * 60 + second;
    let (point, fraction, suffix) = match rest {
        [point @ (b'.' | b','), tail @ ..] => {
            let len = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (fraction, suffix) = tail.split_at(len);
            (*point, fraction, suffix)
        }
        suffix => (b'.', &[][..], suffix),
    };
    if fraction.is_empty() && suffix.len() != rest.len() || fraction.len() > 9 {
        return None;
    }
    Some(Moment { date, seconds, point, fraction, suffix })
}

fn iso_day(text: &[u8]) -> Option<i64> {
    let part = |from: usize, to: usize| digits::parse(text.get(from..to)?);
    day_of(part(0, 4)?, part(5, 7)?, part(8, 10)?)
}

fn clf_day(text: &[u8]) -> Option<i64> {
    let name = text.get(3..6)?;
    let month = MONTHS.iter().position(|month| month.as_slice() == name)? as i64 + 1;
    (text.get(11) == Some(&b':')).then_some(())?;
    day_of(digits::parse(text.get(7..11)?)?, month, digits::parse(text.get(..2)?)?)
}

/// Days since the epoch of a date that exists, in the years that nanoseconds in an `i64` reach.
fn day_of(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1700..2200).contains(&year) || !(1..=12).contains(&month) || day < 1 {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted / 400;
    let of_era = shifted - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    (date_of(days) == (year, month, day)).then_some(days)
}

fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

impl Layout {
    /// Units a second.
    pub(crate) fn units(&self) -> i64 {
        10i64.pow(u32::from(self.scale.min(9)))
    }

    /// The value of `text`, if this layout writes it back the same.
    pub(crate) fn parse(&self, text: &[u8], last: &mut LastDay) -> Option<i64> {
        let moment = parse(text, last)?;
        let digits = moment.fraction.len();
        let fits = moment.date == self.date
            && moment.suffix == self.suffix
            && digits >= usize::from(self.least)
            && digits <= usize::from(self.scale)
            && (digits == 0 || moment.point == self.point)
            && (digits == usize::from(self.least) || moment.fraction.last() != Some(&b'0'));
        fits.then_some(())?;
        let fraction = if digits == 0 { 0 } else { digits::parse(moment.fraction)? };
        Some(moment.seconds * self.units() + fraction * 10i64.pow(u32::from(self.scale) - digits as u32))
    }

    /// The bytes that texts may have.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"0123456789:".to_vec();
        match self.date {
            Date::None => {}
            Date::Iso(between) => bytes.extend_from_slice(&[b'-', between]),
            Date::Clf => {
                bytes.extend_from_slice(b"/?");
                for month in MONTHS {
                    bytes.extend_from_slice(month);
                }
            }
        }
        if self.scale > 0 {
            bytes.push(self.point);
        }
        bytes.extend_from_slice(&self.suffix);
        bytes
    }

    /// Whether `part` fits into the texts by where digits stand in them and what stands between.
    pub(super) fn admits(&self, fit: Fit, part: &[u8]) -> bool {
        (self.least..=self.scale).any(|digits| {
            let shape = self.shape(digits);
            let fits = |start: usize| {
                let own = shape.get(start..start + part.len());
                own.is_some_and(|own| own.iter().zip(part).all(|(place, byte)| place.admits(*byte)))
            };
            let Some(last) = shape.len().checked_sub(part.len()) else { return false };
            match fit {
                Fit::Inside => (0..=last).any(fits),
                Fit::Prefix => fits(0),
                Fit::Suffix => fits(last),
                Fit::Whole => last == 0 && fits(0),
            }
        })
    }

    /// What may stand at each place of a text whose fraction has so many digits.
    fn shape(&self, digits: u8) -> Vec<Place> {
        let mut shape = Vec::with_capacity(48);
        let numbers = |shape: &mut Vec<Place>, count: usize| shape.resize(shape.len() + count, Place::Digit);
        match self.date {
            Date::None => {}
            Date::Iso(between) => {
                for (count, behind) in [(4, b'-'), (2, b'-'), (2, between)] {
                    numbers(&mut shape, count);
                    shape.push(Place::Byte(behind));
                }
            }
            Date::Clf => {
                numbers(&mut shape, 2);
                shape.extend([Place::Byte(b'/'), Place::Any, Place::Any, Place::Any, Place::Byte(b'/')]);
                numbers(&mut shape, 4);
                shape.push(Place::Byte(b':'));
            }
        }
        numbers(&mut shape, 2);
        for _ in 0..2 {
            shape.push(Place::Byte(b':'));
            numbers(&mut shape, 2);
        }
        if digits > 0 {
            shape.push(Place::Byte(self.point));
            numbers(&mut shape, usize::from(digits));
        }
        shape.extend(self.suffix.iter().copied().map(Place::Byte));
        shape
    }

    /// Appends the text of `value`.
    pub(crate) fn append(&self, value: i64, out: &mut Vec<u8>) {
        let (seconds, fraction) = self.split(value);
        self.append_second(seconds, out);
        self.append_rest(fraction, out);
    }

    /// The same; moments of rows next to each other mostly differ in fractions of a second alone.
    #[inline]
    pub(crate) fn append_next(&self, value: i64, last: &mut LastSecond, out: &mut Vec<u8>) {
        let known = value.checked_sub(last.start).filter(|fraction| (0..last.units).contains(fraction));
        let fraction = known.unwrap_or_else(|| {
            let (second, fraction) = self.split(value);
            last.text.clear();
            self.append_second(second, &mut last.text);
            // The first second there is has no beginning.
            let start = value.checked_sub(fraction);
            (last.start, last.units) = start.map_or((0, 0), |start| (start, self.units()));
            fraction
        });
        out.extend_from_slice(&last.text);
        self.append_rest(fraction, out);
    }

    /// The second of `value`, and how much of the next one.
    fn split(&self, value: i64) -> (i64, i64) {
        let units = self.units();
        (value.div_euclid(units), value.rem_euclid(units))
    }

    /// Appends what stands before the fraction.
    fn append_second(&self, seconds: i64, out: &mut Vec<u8>) {
        let (days, clock) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        let (year, month, day) = date_of(days);
        // No writer gives more than four digits: a damaged value keeps the shape that searches rely on.
        let year = year.rem_euclid(10_000);
        let pad =
            |value: i64, width: usize, out: &mut Vec<u8>| digits::append_padded(value as u64, width, out);
        match self.date {
            Date::None => {}
            Date::Iso(between) => {
                pad(year, 4, out);
                out.push(b'-');
                pad(month, 2, out);
                out.push(b'-');
                pad(day, 2, out);
                out.push(between);
            }
            Date::Clf => {
                pad(day, 2, out);
                out.push(b'/');
                out.extend_from_slice(MONTHS.get((month - 1) as usize).copied().unwrap_or(b"???"));
                out.push(b'/');
                pad(year, 4, out);
                out.push(b':');
            }
        }
        pad(clock / 3600, 2, out);
        out.push(b':');
        pad(clock / 60 % 60, 2, out);
        out.push(b':');
        pad(clock % 60, 2, out);
    }

    /// Appends the fraction and what stands behind it.
    fn append_rest(&self, fraction: i64, out: &mut Vec<u8>) {
        append_fraction(fraction, self.point, self.scale, self.least, out);
        out.extend_from_slice(&self.suffix);
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let (kind, between) = match self.date {
            Date::None => (0, 0),
            Date::Iso(between) => (1, between),
            Date::Clf => (2, 0),
        };
        out.extend_from_slice(&[kind, between, self.point, self.scale, self.least]);
        put_bytes(out, &self.suffix);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Layout, Corrupt> {
        let [kind, between, point, scale, least] = reader.array()?;
        let date = match kind {
            0 => Date::None,
            1 => Date::Iso(between),
            2 => Date::Clf,
            _ => return Err(Corrupt("unknown date layout")),
        };
        if scale > 9 || least > scale {
            return Err(Corrupt("fraction of a moment too long"));
        }
        Ok(Layout { date, point, scale, least, suffix: reader.bytes()?.to_vec() })
    }
}

/// Appends `point` and a fraction of `scale` digits without its trailing zeros, but at least `least` digits.
pub(crate) fn append_fraction(mut fraction: i64, point: u8, scale: u8, least: u8, out: &mut Vec<u8>) {
    let mut digits = usize::from(scale);
    while digits > usize::from(least) && fraction % 10 == 0 {
        fraction /= 10;
        digits -= 1;
    }
    if digits > 0 {
        out.push(point);
        digits::append_padded(fraction as u64, digits, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_come_back() {
        for text in [
            "2026-11-20T13:05:07.123Z",
            "2016-02-29 00:04:03,231",
            "1969-12-31T23:59:59.999999999+02:00",
            "17/Aug/2017:13:23:49 +0000",
            "13:23:49",
            "13:23:49.050000",
        ] {
            let mut last = LastDay::default();
            let moment = parse(text.as_bytes(), &mut last).unwrap();
            let scale = moment.fraction.len() as u8;
            let layout = Layout {
                date: moment.date,
                point: moment.point,
                scale,
                least: scale,
                suffix: moment.suffix.into(),
            };
            let value = layout.parse(text.as_bytes(), &mut last).unwrap();
            let mut out = Vec::new();
            layout.append(value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
            let mut bytes = Vec::new();
            layout.write(&mut bytes);
            assert_eq!(Layout::read(&mut Reader::new(&bytes)), Ok(layout));
        }
        for text in [
            "2026-02-30T00:00:00Z",
            "2026-11-20",
            "24:00:00",
            "1:00:00",
            "2026-11-20T10:00:61Z",
            "",
            "12:30:00.",
        ] {
            assert_eq!(parse(text.as_bytes(), &mut LastDay::default()), None, "{text}");
        }
    }

    #[test]
    fn the_last_day_is_that_of_its_date_alone() {
        let mut last = LastDay::default();
        for text in [
            "2026-11-20T13:05:07Z",
            "2026-11-20T14:05:07Z",
            "2026-11-21T13:05:07Z",
            "2026-11-31T13:05:07Z",
            "2026-11-21 13:05:07",
            "17/Aug/2017:13:23:49 +0000",
            "17/Aug/2017 13:23:49 +0000",
            "17/Aug/2018:13:23:49 +0000",
            "12:30:05",
            "\0\0/\0\0\0/\0\0\0\0\u{0}12:30:05",
        ] {
            let text = text.as_bytes();
            assert_eq!(parse(text, &mut last), parse(text, &mut LastDay::default()), "{text:?}");
        }
    }

    #[test]
    fn days_agree_with_a_calendar() {
        let epoch = jiff::civil::date(1970, 1, 1);
        for days in (-98_000..84_000).step_by(13) {
            let date = epoch.checked_add(jiff::Span::new().days(days)).unwrap();
            let parts = (i64::from(date.year()), i64::from(date.month()), i64::from(date.day()));
            assert_eq!(date_of(days), parts);
            assert_eq!(
                day_of(parts.0, parts.1, parts.2),
                Some(days).filter(|_| (1700..2200).contains(&parts.0))
            );
        }
    }
}

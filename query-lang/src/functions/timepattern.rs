//! Patterns of `java.time.format.DateTimeFormatter`, as far as logs use them, read against text.
//!
//! Letters: `y u` year, `M L` month, `d` day, `D` day of the year, `E` day of the week, `a` am or pm, `H k` hour of
//! the day, `h K` hour of the half day, `m` minute, `s` second, `S` fraction of the second, `A` millisecond of the
//! day, `n N` nanosecond, `X x Z` offset, `z VV O` zone. `'..'` is literal, `[..]` may be absent.
//!
//! Numbers read as many digits as the text has, up to what the letter can mean; where another number follows without
//! a break, exactly as many as there are letters. `S` reads any number of places up to nine.
//!
//! Words in place of a pattern: `iso8601`, `millis`, `unixTimeMillis`, `seconds`, `unixtime`, `unixTimeSeconds`,
//! `nanos`, `micros`.

use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, ToSpan};

use crate::functions::timeformat::{DAYS, MONTHS};
use crate::functions::timestamp::Instant;
use crate::value::Number;
use crate::windows::Zone;
use crate::windows::zone::parse_offset;

/// Times without a year are at most this far ahead of now, milliseconds.
const AHEAD: i64 = 8 * 86_400_000;
const ISO: &str = "yyyy-MM-dd['T'][' ']HH:mm[:ss][.SSSSSSSSS][,SSSSSSSSS][' '][XXX]['['VV']']";

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// A count since the epoch, of this many to the second.
    Count(i64),
    /// Letters.
    Letters { pieces: Vec<Piece>, sensitive: bool },
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Literal(String),
    /// A letter, how many of it, and whether a number follows without a break.
    Letter(char, usize, bool),
    Optional(Vec<Piece>),
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    nanos: Option<i128>,
    year: Option<i16>,
    short_year: bool,
    month: Option<i8>,
    day: Option<i8>,
    day_of_year: Option<i16>,
    hour: Option<i8>,
    half_hour: Option<i8>,
    afternoon: Option<bool>,
    minute: Option<i8>,
    second: Option<i8>,
    fraction: Option<i32>,
    millis_of_day: Option<i64>,
    zone: Option<ZoneText>,
}

#[derive(Clone, Debug, PartialEq)]
enum ZoneText {
    Known(Zone),
    /// An abbreviation that names no zone by itself.
    Unknown,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// For letters it does not know and brackets that do not match, with a message.
    pub fn parse(format: &str, sensitive: bool) -> Result<Pattern, String> {
        let kind = match format.to_ascii_lowercase().as_str() {
            "millis" | "unixtimemillis" | "milliseconds" => Kind::Count(1_000),
            "seconds" | "unixtime" | "unixtimeseconds" => Kind::Count(1),
            "micros" | "microseconds" => Kind::Count(1_000_000),
            "nanos" | "nanoseconds" => Kind::Count(1_000_000_000),
            "iso8601" => Kind::Letters { pieces: pieces(ISO)?, sensitive: false },
            _ => Kind::Letters { pieces: pieces(format)?, sensitive },
        };
        Ok(Pattern { kind })
    }

    /// Reads all of `text`.
    #[must_use]
    pub fn read(&self, text: &str) -> Option<Parsed> {
        let text = text.trim();
        let (parsed, rest) = self.read_prefix(text)?;
        rest.is_empty().then_some(parsed)
    }

    /// Reads the front of `text`, and says what is left.
    #[must_use]
    pub fn read_prefix<'t>(&self, text: &'t str) -> Option<(Parsed, &'t str)> {
        match &self.kind {
            Kind::Count(per_second) => {
                let number = Number::parse(text)?;
                let nanos = number.multiply(Number::Int(1_000_000_000 / per_second))?;
                let nanos = i128::from(nanos.truncate()?);
                Some((Parsed { nanos: Some(nanos), ..Parsed::default() }, ""))
            }
            Kind::Letters { pieces, sensitive } => {
                let mut parsed = Parsed::default();
                let rest = read_pieces(pieces, text, *sensitive, &mut parsed)?;
                Some((parsed, rest))
            }
        }
    }
}

fn pieces(format: &str) -> Result<Vec<Piece>, String> {
    let mut open: Vec<Vec<Piece>> = vec![Vec::new()];
    let mut chars = format.chars().peekable();
    while let Some(next) = chars.next() {
        let piece = match next {
            '\'' => {
                let mut literal = String::new();
                loop {
                    match chars.next() {
                        Some('\'') if chars.peek() == Some(&'\'') => literal.extend(chars.next()),
                        Some('\'') => break,
                        Some(other) => literal.push(other),
                        None => return Err("a quote in the time format has no end".to_owned()),
                    }
                }
                Piece::Literal(if literal.is_empty() { "'".to_owned() } else { literal })
            }
            '[' => {
                open.push(Vec::new());
                continue;
            }
            ']' => match (open.pop(), open.is_empty()) {
                (Some(inner), false) => Piece::Optional(inner),
                _ => return Err("`]` without `[` in the time format".to_owned()),
            },
            letter if letter.is_ascii_alphabetic() => {
                if !"yuMLdDEahHkKmsSAnNXxZzVOe".contains(letter) {
                    return Err(format!("unknown letter `{letter}` in the time format"));
                }
                let mut count = 1;
                while chars.next_if_eq(&letter).is_some() {
                    count += 1;
                }
                let numeric = |c: &char| "yudDhHkKmsSAnN".contains(*c) || (*c == 'M' || *c == 'L');
                Piece::Letter(letter, count, chars.peek().is_some_and(numeric))
            }
            other => Piece::Literal(other.to_string()),
        };
        if let Some(list) = open.last_mut() {
            list.push(piece);
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(list), true) => Ok(list),
        _ => Err("`[` without `]` in the time format".to_owned()),
    }
}

fn read_pieces<'t>(pieces: &[Piece], text: &'t str, sensitive: bool, parsed: &mut Parsed) -> Option<&'t str> {
    let mut rest = text;
    for piece in pieces {
        rest = match piece {
            Piece::Literal(literal) => strip(rest, literal, sensitive)?,
            Piece::Letter(letter, count, tight) => {
                read_letter(*letter, *count, *tight, rest, sensitive, parsed)?
            }
            Piece::Optional(inner) => {
                let mut trial = parsed.clone();
                match read_pieces(inner, rest, sensitive, &mut trial) {
                    Some(after) => {
                        *parsed = trial;
                        after
                    }
                    None => rest,
                }
            }
        };
    }
    Some(rest)
}

fn strip<'t>(text: &'t str, prefix: &str, sensitive: bool) -> Option<&'t str> {
    if sensitive {
        return text.strip_prefix(prefix);
    }
    let (front, rest) = text.split_at_checked(prefix.len())?;
    front.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn digits(text: &str, least: usize, most: usize) -> Option<(i64, usize, &str)> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(count)?;
    (count >= least).then_some((number.parse().ok()?, count, rest))
}

fn read_letter<'t>(
    letter: char,
    count: usize,
    tight: bool,
    text: &'t str,
    sensitive: bool,
    parsed: &mut Parsed,
) -> Option<&'t str> {
    let number = |most: usize| {
        let exact = if tight { count } else { most };
        digits(text, if tight { count } else { 1 }, exact.max(1))
    };
    let small = |most: usize| -> Option<(i8, &'t str)> {
        let (value, _, rest) = number(most)?;
        Some((i8::try_from(value).ok()?, rest))
    };
    match letter {
        'y' | 'u' => {
            let (value, read, rest) = if count == 2 { digits(text, 2, 2)? } else { number(4)? };
            parsed.short_year = count == 2 && read == 2;
            parsed.year = Some(i16::try_from(value).ok()?);
            return Some(rest);
        }
        'M' | 'L' if count >= 3 => {
            let (at, rest) = name(text, &MONTHS, count == 3, sensitive)?;
            parsed.month = Some(i8::try_from(at).ok()? + 1);
            return Some(rest);
        }
        'E' | 'e' => return name(text, &DAYS, count < 4, sensitive).map(|(_, rest)| rest),
        'D' => {
            let (value, _, rest) = number(3)?;
            parsed.day_of_year = Some(i16::try_from(value).ok()?);
            return Some(rest);
        }
        'a' => {
            let (front, rest) = text.split_at_checked(2)?;
            parsed.afternoon = match front.to_ascii_lowercase().as_str() {
                "am" => Some(false),
                "pm" => Some(true),
                _ => return None,
            };
            return Some(rest);
        }
        'S' | 'n' | 'N' => {
            let (value, read, rest) = digits(text, 1, if tight { count.min(9) } else { 9 })?;
            let shift = if letter == 'S' { u32::try_from(9 - read).ok()? } else { 0 };
            parsed.fraction = Some(i32::try_from(value.checked_mul(10_i64.checked_pow(shift)?)?).ok()?);
            return Some(rest);
        }
        'A' => {
            let (value, _, rest) = number(8)?;
            parsed.millis_of_day = Some(value);
            return Some(rest);
        }
        'X' | 'x' | 'Z' | 'z' | 'V' | 'O' => return read_zone(text, matches!(letter, 'z' | 'V'), parsed),
        _ => {}
    }
    let (value, rest) = small(2)?;
    match letter {
        'M' | 'L' => parsed.month = Some(value),
        'd' => parsed.day = Some(value),
        'H' => parsed.hour = Some(value),
        'k' => parsed.hour = Some(value % 24),
        'h' | 'K' => parsed.half_hour = Some(value % 12),
        'm' => parsed.minute = Some(value),
        _ => parsed.second = Some(value),
    }
    Some(rest)
}

/// The number of the name that `text` begins with, in full or by its first three letters.
fn name<'t>(text: &'t str, names: &[&str], short: bool, sensitive: bool) -> Option<(usize, &'t str)> {
    let at = |name: &str| strip(text, name, sensitive);
    if let Some((at, rest)) = names.iter().enumerate().find_map(|(number, name)| Some((number, at(name)?))) {
        return Some((at, rest));
    }
    let front = |name: &&str| name.get(..3).map(str::to_owned).unwrap_or_default();
    names.iter().enumerate().filter(|_| short).find_map(|(number, name)| Some((number, at(&front(name))?)))
}

/// Reads an offset, `Z`, or, where `names` may stand, a zone's name.
fn read_zone<'t>(text: &'t str, names: bool, parsed: &mut Parsed) -> Option<&'t str> {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | ':' | '/' | '_'));
    let (word, rest) = text.split_at_checked(text.find(ends).unwrap_or(text.len()))?;
    if word.starts_with(['+', '-']) {
        parsed.zone = Some(ZoneText::Known(Zone::fixed(parse_offset(word)?)?));
    } else if word.is_empty() || (!names && !matches!(word, "Z" | "UTC" | "GMT")) {
        return None;
    } else {
        let known = word.bytes().all(|byte| byte.is_ascii_uppercase())
            && word.len() > 1
            && !matches!(word, "UTC" | "GMT");
        parsed.zone = Some(match Zone::parse(word).filter(|_| !known) {
            Some(zone) => ZoneText::Known(zone),
            // `EST` and its like mean different zones to different people: the parameter decides.
            None if word.bytes().all(|byte| byte.is_ascii_alphabetic()) => ZoneText::Unknown,
            None => return None,
        });
    }
    Some(rest)
}

impl Parsed {
    /// The instant: in `zone` if there is one, else in the zone read, else in `default_zone`.
    #[must_use]
    pub fn resolve(&self, zone: Option<&Zone>, default_zone: &Zone, now_millis: i64) -> Option<Instant> {
        if let Some(nanos) = self.nanos {
            let millis = i64::try_from(nanos.div_euclid(1_000_000)).ok()?;
            let nanos = i64::try_from(nanos.rem_euclid(1_000_000)).ok()?;
            return Some(Instant { millis, nanos, zone: zone.map_or("Z".to_owned(), Zone::name) });
        }
        // A zone parameter overrides what the text says, unless that is an offset from UTC.
        let zone = match (&self.zone, zone) {
            (_, Some(zone)) => zone,
            (Some(ZoneText::Known(read)), None) => read,
            (Some(ZoneText::Unknown), None) => return None,
            (None, None) => default_zone,
        };
        let civil = match self.year {
            Some(year) => self.civil(self.full_year(year))?,
            None => self.nearest(zone, now_millis)?,
        };
        let millis = zone.instant(civil)?;
        Some(Instant { millis, nanos: i64::from(civil.subsec_nanosecond()) % 1_000_000, zone: zone.name() })
    }

    fn full_year(&self, year: i16) -> i16 {
        if self.short_year { 2000 + year } else { year }
    }

    /// The year in which it is nearest to now and not far ahead of it.
    fn nearest(&self, zone: &Zone, now_millis: i64) -> Option<DateTime> {
        self.month?;
        let this_year = zone.civil(now_millis)?.year();
        let years = [this_year + 1, this_year, this_year - 1, this_year - 2, this_year - 3, this_year - 4];
        years.into_iter().filter_map(|year| self.civil(year)).find(|civil| {
            zone.instant(*civil).is_some_and(|millis| millis <= now_millis.saturating_add(AHEAD))
        })
    }

    fn civil(&self, year: i16) -> Option<DateTime> {
        let date = match self.day_of_year {
            Some(day) => Date::new(year, 1, 1).ok()?.checked_add((i64::from(day) - 1).days()).ok()?,
            None => Date::new(year, self.month.unwrap_or(1), self.day.unwrap_or(1)).ok()?,
        };
        if let Some(millis) = self.millis_of_day {
            return date.to_datetime(Time::midnight()).checked_add(SignedDuration::from_millis(millis)).ok();
        }
        let hour = match (self.hour, self.half_hour) {
            (Some(hour), _) => hour,
            (None, Some(hour)) => hour + if self.afternoon == Some(true) { 12 } else { 0 },
            (None, None) => 0,
        };
        // A leap second is read as the second before it.
        let second = self.second.unwrap_or(0);
        let second = if second == 60 { 59 } else { second };
        let time = Time::new(hour, self.minute.unwrap_or(0), second, self.fraction.unwrap_or(0)).ok()?;
        Some(date.to_datetime(time))
    }
}
